/** What is left in linear memory: no key after a command, no plaintext after the next request, no byte outside the map. */
import { describe, expect, it } from "vitest";
import { CUSTODY_PLACE } from "../../firmware/defs/custody.js";
import { BODY_OFF_DIRTY, BODY_OFF_ERASES, BODY_OFF_LIVE } from "../../firmware/defs/journal.js";
import { SLOT_BLOCK } from "../../firmware/defs/medium.js";
import { Usage } from "../../firmware/defs/record.js";
import { QUIET_MS, Role } from "../../firmware/defs/session.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { region } from "../device/map.js";
import { type Bench, deviceTargets, engineTargets } from "../targets.js";
import { forgeJournal, keys, placesOf, slotImage } from "./damage.js";
import * as help from "./help.js";

const { addAdmin, begin, body, evict, generate, get, handle, info, list, put, ready } = help;
const { relabel, replace, says, setPolicy, setRole, show, sign, state } = help;
const { ADMIN, ADMIN_KEY, addOperator, agree, operators, publicParts, removeOperator, rotateOperator } = help;

const CLASSES = [{ units: 64, blocks: 3 }];
const [SECOND_KEY, THIRD_KEY] = [help.randomBytes(32), help.randomBytes(32)];
const OPERATOR_KEYS = [ADMIN_KEY, SECOND_KEY, THIRD_KEY].map((key, i) => ({ name: `operator key ${i}`, key }));

/** Every run of 8 bytes of a secret that stands in memory, as "name at address". */
function traces(memory: Uint8Array, secrets: { name: string; key: Uint8Array }[]): string[] {
  const haystack = Buffer.from(memory.buffer, memory.byteOffset, memory.length);
  return secrets.flatMap(({ name, key }) => {
    const found: string[] = [];
    for (let at = 0; at + 8 <= key.length; at += 4) {
      const where = haystack.indexOf(key.subarray(at, at + 8));
      if (where >= 0) found.push(`${name}[${at}] at ${where}`);
    }
    return found;
  });
}

/** Every command once, some of them refused. @returns names, and what to do */
function everyCommand(target: Bench): [string, () => unknown][] {
  const made = handle(put(target, { body: body(3000, { secret: true }) }));
  const closed = handle(put(target, { body: body(300, { secret: true }), policy: 0 }));
  const gone = handle(put(target));
  const by = help.token();
  return [
    ["hello", () => target.ask(Command.Hello)],
    ["info", () => info(target)],
    ["put", () => put(target, { token: by, body: body(1000) })],
    ["put with a used token", () => put(target, { token: by, body: body(1000) })],
    ["put that is too large", () => put(target, { body: body(30000) })],
    ["get", () => get(target, made)],
    ["get that is refused", () => get(target, closed)],
    ["list", () => list(target)],
    ["show", () => show(target, made)],
    ["replace", () => replace(target, made, body(2000, { secret: true }))],
    ["relabel", () => relabel(target, made, "renamed")],
    ["relabel again, with reclaim", () => relabel(target, made, "renamed twice")],
    ["evict", () => evict(target, gone)],
    ["destroy", () => evict(target, gone, true)],
    ["epoch", () => target.ask(Command.Epoch, [[Key.Epoch, 9]])],
    ["accept", () => target.ask(Command.Accept)],
    ["provision", () => begin(target, CLASSES)],
    ["policy", () => setPolicy(target, made, 0)],
    ["policy that is weaker", () => setPolicy(target, made, 1)],
    ["an erase in advance", () => target.wait(QUIET_MS + 100)],
    ["generate", () => generate(target)],
    ["sign", () => sign(target, handle(generate(target)))],
    ["agree", () => agree(target, handle(generate(target, { usage: Usage.Agree })))],
    ["public", () => publicParts(target, made)],
    ["attest", () => target.ask(Command.Attest, [[Key.Challenge, new Uint8Array(32)]])],
    ["operator add", () => addOperator(target, "second", Role.User, SECOND_KEY)],
    ["operator rotate", () => rotateOperator(target, "second", THIRD_KEY)],
    ["operator role", () => setRole(target, "second", Role.Auditor)],
    ["operator list", () => operators(target)],
    ["operator remove", () => removeOperator(target, "second")],
    ["a session", () => target.admit(ADMIN, ADMIN_KEY)],
    ["a refused session", () => target.admit(ADMIN, THIRD_KEY)],
    ["close", () => target.ask(Command.Close)],
    ["a malformed message", () => target.talk.sealed(Uint8Array.of(0xa1))],
  ];
}

/** Makes a medium that the store itself never writes: a live record in each block, so that there is no spare. */
function noSpare(target: Bench, made: Uint8Array): void {
  const copy = slotImage(target.device, placesOf(target.device, made)[0]!, 128);
  for (let block = 0; block < 3; block++) copy(block * SLOT_BLOCK);
  forgeJournal(target.device, 2, (record) => {
    record.fill(0, BODY_OFF_LIVE, BODY_OFF_DIRTY).writeUInt8(0b010101, BODY_OFF_LIVE);
    record.fill(0xff, BODY_OFF_DIRTY, BODY_OFF_ERASES);
  });
  target.boot();
}

describe.each(deviceTargets)("RAM on $name", (kind) => {
  it("holds neither the root nor any derived or operator key after provisioning, after each command and after each start", () => {
    const target = kind.make();
    begin(target, CLASSES);
    const secrets = [...keys(target.device), ...OPERATOR_KEYS];
    expect(traces(target.device.ram(), secrets)).toEqual([]);
    addAdmin(target);
    expect(says(target.ask(Command.ProvisionFinish))).toBe("Ok");
    for (const [what, act] of everyCommand(target)) {
      act();
      expect(traces(target.device.ram(), secrets), what).toEqual([]);
    }
    target.boot();
    expect(traces(target.device.ram(), secrets), "a start").toEqual([]);
    target.close();
  });

  it("does hold keys while a command works: the search can find them", () => {
    const target = ready(kind, CLASSES);
    const secrets = keys(target.device);
    const found = new Set<string>();
    const { changed } = target.device.data;
    target.device.data.changed = (offset, length) => {
      for (const trace of traces(target.device.ram(), secrets)) found.add(trace.split("[")[0]!);
      changed?.(offset, length);
    };
    put(target);
    expect([...found]).toEqual(expect.arrayContaining(["root", "mbs 2026 journal"]));
    target.close();
  });

  it("holds no key after a store that cannot be mounted: damaged custody, another version", () => {
    const target = ready(kind, CLASSES);
    const secrets = keys(target.device);
    target.device.data.preloadErased(0, CUSTODY_PLACE);
    const broken = Buffer.from(target.device.data.bytes.subarray(CUSTODY_PLACE, 2 * CUSTODY_PLACE));
    broken[127]! ^= 1;
    target.device.data.preload(CUSTODY_PLACE, broken);
    target.boot();
    expect(state(target)).toBe(State.CustodyDamaged);
    expect(traces(target.device.ram(), secrets)).toEqual([]);
    target.close();
  });

  it("holds no key after a trap: an engine's memory ends with its instance, a board wipes it and starts anew", () => {
    const target = ready(kind, [{ units: 128, blocks: 3 }]);
    const secrets = keys(target.device);
    const made = handle(put(target));
    noSpare(target, made);
    const isBoard = ["virtual", "aot"].includes(target.name);
    expect(() => replace(target, made)).toThrow(isBoard ? "silence" : "trapped, code 3");
    if (isBoard) {
      expect(traces(target.device.ram(), secrets)).toEqual([]);
      target.talk.reset();
      expect(target.ask(Command.Hello).get(Key.TrapCode)).toBeGreaterThan(0);
    } else {
      expect(traces(target.device.ram(), secrets).length).toBeGreaterThan(0); // a board has to wipe it
      target.boot();
    }
    expect([state(target), list(target).length]).toEqual([State.Ready, 3]);
    expect(traces(target.device.ram(), secrets)).toEqual([]);
    target.close();
  });
});

describe.each(engineTargets)("linear memory on $name", (kind) => {
  it("has forgotten the plaintext of a body once the next request has arrived", () => {
    const target = ready(kind, CLASSES);
    const content = body(3000);
    const secrets = [{ name: "body", key: content.subarray(8) }];
    const plain = () => traces(target.device.memory, secrets);
    const next = (what: string) => {
      target.ask(Command.Hello);
      expect(plain(), what).toEqual([]);
    };
    const by = help.token();
    const made = handle(put(target, { body: content, token: by }));
    next("put");
    put(target, { body: content, token: by });
    next("put again");
    get(target, made);
    expect(plain(), "get, as soon as it was answered").toEqual([]);
    next("get");
    show(target, made);
    next("show");
    relabel(target, made, "renamed");
    next("relabel");
    replace(target, made, content);
    next("replace");
    put(target, { body: content, label: "x".repeat(49) });
    expect(plain(), "a refused put, at once").toEqual([]);
    next("a refused put");
    target.close();
  });

  it("does hold the plaintext of a body while put works: the search can find it", () => {
    const target = ready(kind, CLASSES);
    const content = body(3000);
    let found = 0;
    target.device.data.changed = () => {
      found += traces(target.device.memory, [{ name: "body", key: content.subarray(8) }]).length;
    };
    put(target, { body: content });
    expect(found).toBeGreaterThan(0);
    target.close();
  });

  it("is written nowhere outside the map of firmware/memory.ts", () => {
    const fresh = kind.make();
    const [start, used, staticBase] = [region("RX"), region("MEMORY_USED"), region("STATIC_BASE")];
    const statics = Buffer.from(fresh.device.memory.subarray(staticBase));
    const target = ready(kind, CLASSES);
    for (const [, act] of everyCommand(target)) act();
    const { memory } = target.device;
    expect(memory.subarray(0, start).every((byte) => byte === 0)).toBe(true);
    expect(memory.subarray(used, staticBase).every((byte) => byte === 0)).toBe(true);
    expect(Buffer.compare(memory.subarray(staticBase), statics)).toBe(0);
    expect(memory.subarray(start, used).some((byte) => byte !== 0)).toBe(true);
    fresh.close();
    target.close();
  });
});
