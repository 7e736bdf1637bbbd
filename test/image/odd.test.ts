/** Images that are not as they should be, and boards in states in which nobody expects one. SPEC.md §20. */
import { describe, expect, it } from "vitest";
import { START_RESCUE } from "../../firmware/defs/boundary.js";
import { CUSTODY_MAGIC, CUSTODY_PLACE } from "../../firmware/defs/custody.js";
import { IMAGE_ITEMS_MAX } from "../../firmware/defs/image.js";
import { INNER_MAX } from "../../firmware/defs/link.js";
import { JOURNAL_OFFSET } from "../../firmware/defs/medium.js";
import { RESET_HOLD_MS } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { sealImage } from "../../host/image/seal.js";
import type { EngineDevice } from "../device/device.js";
import { changeData } from "../store/damage.js";
import * as help from "../store/help.js";
import { type Bench, deviceTargets, engineTargets, repeat } from "../targets.js";
import * as image from "./help.js";
import { type Odd, oddImage } from "./odd.js";

const { contents, DONE, encode, flash, flashed, INSTANCE, open, put, requests, standing, transportKey } = image;

console.log(`odd images: ${repeat}`);
const bodies = { one: help.body(64), two: help.body(200) };
const all = () => requests([put("one", bodies.one)]);
const stopping = () => requests([put("one", bodies.one), put("a".repeat(49), bodies.two)]);
const magics = ({ device }: Bench) => [0, CUSTODY_PLACE].map((at) => Buffer.from(device.data.bytes).readUInt32LE(at));
const instance = (target: Bench) => help.hex(target.ask(Command.Info).get(Key.Instance) as Uint8Array);
const ids = (target: Bench) =>
  (target.ask(Command.OperatorList).get(Key.Operators) as Map<Key, string>[]).map((one) => one.get(Key.Operator));

describe.each(deviceTargets)("an image on $name", (kind) => {
  it("that was made from the document alone is opened", () => {
    const target = kind.make();
    flash(target.device, oddImage(transportKey(target), all().map(encode)));
    open(target);
    expect(standing(target)).toEqual(DONE);
    expect(contents(target)).toEqual({ one: help.hex(bodies.one) });
    target.close();
  });
});

const zeros = (from: number, to: number) => (header: Buffer) => header.fill(0, from, to);
const STRANGE: [string, Odd, Uint8Array[]?][] = [
  ["another magic than ever", { header: (header) => header.write("MBSJ") }],
  ["another version", { header: (header) => header.writeUInt8(2, 4) }],
  ["another format", { header: (header) => header.writeUInt8(2, 5) }],
  ["no items", { header: zeros(6, 8) }],
  ["more items than may be", { header: (header) => header.writeUInt16LE(IMAGE_ITEMS_MAX + 1, 6) }],
  ["more items than stand there", { header: (header) => header.writeUInt16LE(6, 6) }],
  ["fewer items than stand there", { header: (header) => header.writeUInt16LE(3, 6) }],
  ["no size", { header: zeros(8, 12) }],
  [
    "a size that ends inside the last item",
    { header: (header) => header.writeUInt32LE(header.readUInt32LE(8) - 1, 8) },
  ],
  ["a byte behind the last item", { behind: 1 }],
  ["a size above the region", { header: (header) => header.writeUInt32LE(24 * 32768 - 127, 8) }],
  ["a size that is negative to whom it looks so", { header: (header) => header.writeUInt32LE(0xffffffff, 8) }],
  ["a size that overflows with the header", { header: (header) => header.writeUInt32LE(0x7fffffff, 8) }],
  ["something where zeros stand, behind the size", { header: (header) => header.writeUInt8(1, 15) }],
  ["something where zeros stand, at the end of the header", { header: (header) => header.writeUInt8(1, 127) }],
  ["no instance", { header: zeros(32, 48) }],
  ["a public key of low order", { header: zeros(48, 80), agreed: new Uint8Array(32) }],
  ["something where zeros stand, in the head of an item", { head: (length) => length + 0x10000 }],
  ["items whose numbers count from 1", { number: (item) => item + 1 }],
  ["items that all have the number 0", { number: () => 0 }],
  ["the key of another purpose", { context: "mbs 2026 delta" }],
  ["an empty item", {}, [new Uint8Array(0)]],
  ["an item that is larger than a message", {}, [new Uint8Array(INNER_MAX + 1)]],
];

describe.each(engineTargets)("an image on $name", (kind) => {
  it.each(STRANGE)("with %s changes nothing", (what, odd, more = []) => {
    const target = kind.make();
    const board = transportKey(target);
    flash(target.device, oddImage(board, [...all().map(encode), ...more], odd));
    const before = target.device.supply.operations;
    open(target);
    const state = what.startsWith("another magic") ? "Awaited" : "Unopened";
    expect(standing(target)).toMatchObject({ state: "Blank", image: state, status: "Ok" });
    expect(target.device.supply.operations).toBe(before);
    expect(transportKey(target)).toEqual(board);
    target.close();
  });

  it("with an item as large as a message stops there, and says so", () => {
    const target = kind.make();
    const [begin, ...rest] = all().map(encode);
    flash(target.device, oddImage(transportKey(target), [begin!, new Uint8Array(INNER_MAX), ...rest]));
    open(target);
    expect(standing(target)).toEqual({ state: "Provisioning", image: "Stopped", item: 1, status: "UnknownCommand" });
    target.close();
  });

  const many = (target: Bench) => {
    const epochs = Array.from(
      { length: IMAGE_ITEMS_MAX - 4 },
      (_, i): image.Request => [Command.Epoch, [[Key.Epoch, i + 1]]],
    );
    flashed(target, requests(epochs));
  };

  it("may have as many items as its header can say", () => {
    const target = kind.make();
    many(target);
    open(target);
    expect(standing(target)).toEqual(DONE);
    expect(target.ask(Command.Info).get(Key.Epoch)).toBe(IMAGE_ITEMS_MAX - 4);
    target.close();
  });

  it("gives way to the reset of S1 and S2 while it is opened, and is worth nothing then", () => {
    const target = kind.make();
    many(target);
    target.device.press("s1");
    target.device.press("s2");
    target.boot();
    target.device.wait(RESET_HOLD_MS - 500);
    expect(magics(target)[0]).toBe(CUSTODY_MAGIC); // it was well under way
    target.device.wait(1000);
    target.device.release("s1");
    target.device.release("s2");
    expect(standing(target)).toEqual({ ...DONE, state: "Blank", image: "Unopened" });
    open(target);
    expect(standing(target)).toEqual({ ...DONE, state: "Blank", image: "Unopened" });
    target.close();
  });

  it("is not opened onto what another one began", () => {
    const target = kind.make();
    const board = transportKey(target);
    flashed(target, stopping(), board);
    open(target);
    expect(standing(target)).toMatchObject({ state: "Provisioning", image: "Stopped", status: "BadLabel" });
    const other = Uint8Array.from(INSTANCE, (byte) => byte ^ 1);
    flash(target.device, sealImage(board, other, all().map(encode)));
    const before = target.device.supply.operations;
    open(target);
    expect(standing(target)).toEqual({ state: "Provisioning", image: "Stopped", item: 0, status: "OtherManifest" });
    expect(target.device.supply.operations).toBe(before);
    expect(instance(target)).toBe(help.hex(INSTANCE));
    target.close();
  });

  it("that was mended goes on where the one before it stopped, under the same instance", () => {
    const target = kind.make();
    const board = transportKey(target);
    const [begin, admin, user, one, bad, finish] = stopping();
    flashed(target, [begin!, admin!, user!, one!, bad!, finish!], board);
    open(target);
    flashed(target, [begin!, admin!, user!, one!, put("two", bodies.two), finish!], board);
    open(target);
    expect(standing(target)).toEqual(DONE);
    expect(contents(target)).toEqual({ one: help.hex(bodies.one), two: help.hex(bodies.two) });
    target.close();
  });

  it.each([
    ["a trap", (target: Bench<EngineDevice>) => target.device.boot(0, 7)],
    ["a refusal of its first item", (target: Bench<EngineDevice>) => target.boot()],
  ])("that stopped on a blank board after %s leaves it to a session, whose store is no image's", (what, boot) => {
    const target = kind.make();
    const bad: image.Request = [Command.Epoch, [[Key.Epoch, 1]]];
    flashed(target, what === "a trap" ? all() : [bad, ...all()]);
    boot(target);
    image.settle(target);
    expect(standing(target)).toMatchObject({ state: "Blank", image: "Stopped" });
    expect(help.says(help.begin(target, help.SMALL, Buffer.alloc(16, 3)))).toBe("Ok");
    expect(instance(target)).not.toBe(help.hex(INSTANCE));
    expect(magics(target)).toEqual([CUSTODY_MAGIC, CUSTODY_MAGIC]);
    open(target);
    expect(standing(target)).toEqual({ ...DONE, state: "Provisioning", image: "Unopened" });
    expect(ids(target)).toEqual([]);
    target.close();
  });

  it("is erased when a session ended what it had begun", () => {
    const target = kind.make();
    const bytes = flashed(target, stopping());
    open(target);
    expect(Status[target.admit(help.ADMIN, help.ADMIN_KEY)]).toBe("Ok");
    expect(help.says(target.ask(Command.ProvisionFinish))).toBe("Ok");
    open(target);
    expect(standing(target)).toEqual(DONE);
    expect(magics(target)).toEqual([CUSTODY_MAGIC, CUSTODY_MAGIC]);
    expect(target.device.image.bytes.subarray(0, bytes.length).every((byte) => byte === 0xff)).toBe(true);
    target.close();
  });
});

describe.each(engineTargets)("the transport key on $name", (kind) => {
  const asked = (target: Bench) => help.says(target.ask(Command.TransportKey));

  it("is given by a board without a store alone", () => {
    const target = kind.make();
    help.begin(target, help.SMALL);
    expect(asked(target)).toBe("AlreadyProvisioned");
    help.addAdmin(target);
    target.ask(Command.ProvisionFinish);
    expect(asked(target)).toBe("AlreadyProvisioned");
    target.device.boot(START_RESCUE, 77);
    target.talk.reset();
    expect(asked(target)).toBe("Rescue");
    target.boot();
    const before = target.device.supply.operations;
    for (const at of [0, CUSTODY_PLACE]) changeData(target.device, at, (bytes) => bytes.fill(0x55), CUSTODY_PLACE);
    target.boot();
    expect(asked(target)).toBe("CustodyDamaged");
    expect(target.device.supply.operations).toBe(before);
    target.close();
  });

  it("is not made while the noise source fails its tests", () => {
    const target = kind.make();
    target.device.board.noisy = false;
    expect(help.unchanged(target, () => asked(target))).toBe("EntropyNotReady");
    expect(standing(target).image).toBe("None");
    target.close();
  });

  it("that the medium does not keep is not given, and the next try may make one", () => {
    const target = kind.make();
    target.device.data.stick(CUSTODY_PLACE, { program: true });
    expect(asked(target)).toBe("MediumFailed");
    expect(standing(target).image).toBe("None");
    target.device.data.stick(CUSTODY_PLACE, {});
    expect(asked(target)).toBe("Ok");
    expect(standing(target).image).toBe("Awaited");
    target.close();
  });

  it("is not what a board with something in its journal gives", () => {
    const target = kind.make();
    changeData(target.device, JOURNAL_OFFSET, (bytes) => bytes.fill(0x55), 16);
    target.boot();
    expect(asked(target)).toBe("CustodyDamaged");
    target.close();
  });
});
