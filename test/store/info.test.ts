/** Info: what the store tells about itself. SPEC.md §9. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { JOURNAL_PLACES } from "../../firmware/defs/journal.js";
import { PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { DATA_CYCLES, SLOT_CYCLES } from "../../firmware/defs/medium.js";
import { Role } from "../../firmware/defs/session.js";
import { FORMAT_VERSION } from "../../firmware/defs/slot.js";
import { Key, State } from "../../firmware/defs/wire.js";
import { decodeBinding } from "../../host/binding.js";
import { readInfo } from "../../host/client/answers.js";
import { Fields, type Message } from "../../host/client/message.js";
import { CORE } from "../device/engine.js";
import { deviceTargets, type Target, targets } from "../targets.js";
import { ADMIN, ADMIN_KEY, addAdmin, begin, evict, handle, hex, info, put, ready, replace } from "./help.js";

const CLASSES = [
  { units: 64, blocks: 2 },
  { units: 128, blocks: 4 },
];
const classes = (target: Target) => info(target).get(Key.Classes) as Message[];
const told = (target: Target, key: Key) => classes(target).map((one) => one.get(key));

describe.each(targets)("info on $name", (kind) => {
  it("tells classes with units, blocks, capacity and live records", () => {
    const target = ready(kind, CLASSES);
    put(target);
    put(target, { slotClass: 1 });
    put(target, { slotClass: 1 });
    expect(told(target, Key.Class)).toEqual([0, 1]);
    expect(told(target, Key.SlotUnits)).toEqual([64, 128]);
    expect(told(target, Key.Blocks)).toEqual([2, 4]);
    expect(told(target, Key.Capacity)).toEqual([3, 5]);
    expect(told(target, Key.Live)).toEqual([1, 2]);
    target.close();
  });

  it("tells versions, state and the digest of the manifest", () => {
    const target = kind.make();
    const digest = Buffer.from("00112233445566778899aabbccddeeff", "hex");
    begin(target, CLASSES, digest);
    const answer = info(target);
    expect([Key.Protocol, Key.Format, Key.State].map((key) => answer.get(key))).toEqual([
      PROTOCOL_VERSION,
      FORMAT_VERSION,
      State.Provisioning,
    ]);
    expect(hex(answer.get(Key.Manifest))).toBe(digest.toString("hex"));
    target.close();
  });
});

describe.each(deviceTargets)("info on $name", (kind) => {
  it("is what the client reads whole, ready and blank", () => {
    const target = kind.make();
    const keys = [...info(target).keys()].filter((key) => key !== Key.Command);
    expect(keys).toEqual([
      Key.Protocol,
      Key.Format,
      Key.Instance,
      Key.State,
      Key.Custody,
      Key.CoreHash,
      Key.UniqueId,
      Key.TrapCode,
      Key.Board,
      Key.Role,
      Key.Refusals,
      Key.Binding,
      Key.Image,
    ]);
    begin(target, CLASSES);
    addAdmin(target);
    target.talk.handshake(ADMIN, ADMIN_KEY);
    const answer = info(target);
    answer.delete(Key.Command);
    const fields = new Fields(answer, "info");
    const { board, role, operator } = readInfo(fields);
    fields.end();
    expect([board, role, operator]).toEqual([1, Role.Admin, ADMIN]);
    target.close();
  });

  it("names the core that runs: the hash of build/core.wasm", () => {
    const target = kind.make();
    expect(hex(info(target).get(Key.CoreHash))).toBe(createHash("sha256").update(CORE).digest("hex"));
    target.close();
  });

  it("tells what that core was bound to, in every state", () => {
    const target = kind.make();
    const blank = info(target).get(Key.Binding) as Uint8Array;
    expect(hex(decodeBinding(blank)?.core)).toBe(createHash("sha256").update(CORE).digest("hex"));
    begin(target, CLASSES);
    addAdmin(target);
    expect(info(target).get(Key.Binding)).toEqual(blank);
    target.close();
  });

  it("counts changes: the journal sequence, and what is left of the data flash", () => {
    const target = ready(kind, CLASSES);
    const before = info(target).get(Key.Sequence) as number;
    const made = put(target);
    const answer = info(target);
    expect(answer.get(Key.Sequence)).toBe(made.get(Key.Sequence));
    expect(answer.get(Key.Sequence)).toBeGreaterThan(before);
    expect(answer.get(Key.ChangesLeft)).toBe(JOURNAL_PLACES * DATA_CYCLES - (made.get(Key.Sequence) as number));
    target.close();
  });

  it("counts erases as the medium does, and the puts that they leave", () => {
    const target = ready(kind, CLASSES);
    const made = handle(put(target));
    for (let i = 0; i < 12; i++) replace(target, made);
    const { slots, slotsOffset } = target.device;
    const erases = slots.wear.filter((block) => block.offset >= slotsOffset).map((block) => block.erases);
    const ofClass = [erases.slice(0, 2), erases.slice(2, 6)];
    expect(told(target, Key.EraseTotal)).toEqual(ofClass.map((counts) => counts.reduce((a, b) => a + b)));
    expect(told(target, Key.EraseMin)).toEqual(ofClass.map((counts) => Math.min(...counts)));
    expect(told(target, Key.EraseMax)).toEqual(ofClass.map((counts) => Math.max(...counts)));
    expect(told(target, Key.PutsLeft)).toEqual(
      ofClass.map((counts) => {
        // each block may lag 256 erases behind, and one put in 256 costs an erase more
        const left = counts.reduce((sum, erases) => sum + SLOT_CYCLES - 257 - erases, 0);
        return left - Math.floor(left / 256);
      }),
    );
    target.close();
  });

  it("lists handles that were evicted and not erased, once for each slot they stand in, until they are", () => {
    const target = ready(kind, CLASSES);
    const [kept, gone] = [handle(put(target)), handle(put(target))];
    replace(target, kept);
    const residue = () => (info(target).get(Key.Residue) as Uint8Array[]).map(hex);
    expect(residue()).toEqual([]);
    evict(target, gone);
    expect(residue()).toEqual([hex(gone)]);
    target.boot();
    expect(residue()).toEqual([hex(gone)]);
    evict(target, gone, true);
    expect(residue()).toEqual([]);
    target.close();
  });
});
