/** A planted trap on every path into the core, in the real firmware on the virtual board: start in both modes, take with bytes and
 *  without, give between answers and in the middle of a change. Each is answered by a restart; only starts that do not end lead to
 *  rescue. Design: board/ek-ra6m5/trap.c; the plain cases are in rescue.test.ts. */
import binaryen from "binaryen";
import { afterEach, describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { RX_OFFSET, START_NORMAL, START_RESCUE } from "../../firmware/defs/boundary.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { decodeAnswer } from "../../host/client/message.js";
import { withModule } from "../../scripts/bench/crypto.js";
import { Fill, fill, keyOf, look, type Shown } from "../damage/scene.js";
import { built } from "../device/built.js";
import { CORE } from "../device/engine.js";
import { Talk } from "../device/talk.js";
import { V8Device } from "../device/v8.js";
import type { VirtualDevice } from "../device/virtual.js";
import { repeat, seed } from "../targets.js";
import { deviceWith } from "./device.js";

console.log(`traps: ${repeat}`);

const TRAP_UNREACHABLE = 1; // board/ek-ra6m5/trap.h
const MARK = 0x77; // a byte at the start of what was received
/** Instructions within which a firmware that restarts for ever does so often. */
const OFTEN = 100e6;
/** A word of linear memory that the core leaves alone: calls until the trap, 0 = none. */
const COUNTDOWN = 64;

/** WebAssembly text that is true when an export shall trap; its parameters are $0, $1. */
const WHEN = {
  never: "(i32.const 0)",
  always: "(i32.const 1)",
  normalStart: `(i32.eq (local.get $0) (i32.const ${START_NORMAL}))`,
  firstStart: "(i32.eqz (local.get $1))",
  idleMark: `(i32.and (i32.eqz (local.get $0)) (i32.eq (i32.load8_u (i32.const ${RX_OFFSET})) (i32.const ${MARK})))`,
  mark: `(i32.and (i32.ne (local.get $0) (i32.const 0)) (i32.eq (i32.load8_u (i32.const ${RX_OFFSET})) (i32.const ${MARK})))`,
  idle: "(i32.eqz (local.get $0))",
  counted: "(call $planted)",
} as const;
type When = keyof typeof WHEN;

interface Plants {
  start?: When;
  take?: When;
  give?: When;
  /** Traps at a counted call of the board's program or erase, inside a change. */
  flash?: boolean;
}

/** Counts a call; 1 when it is the one. */
const PLANTED = `(func $planted (result i32) (local $n i32)
  (local.set $n (i32.load (i32.const ${COUNTDOWN})))
  (if (i32.eqz (local.get $n)) (then (return (i32.const 0))))
  (i32.store (i32.const ${COUNTDOWN}) (i32.sub (local.get $n) (i32.const 1)))
  (i32.eq (local.get $n) (i32.const 1)))`;

/** core.wasm with traps planted. */
function trapping({ start = "never", take = "never", give = "never", flash = false }: Plants): Uint8Array {
  const core = binaryen.readBinary(CORE);
  core.setFeatures(binaryen.Features.All);
  let text = core.emitText();
  const added = [PLANTED];
  const wrap = (name: string, parameters: number, when: When): void => {
    const found = new RegExp(`\\(export "${name}" \\(func (\\$\\S+)\\)\\)`).exec(text);
    if (found === null) throw new Error(`core.wasm exports no ${name}`);
    text = text.replace(found[0], `(export "${name}" (func $planted-${name}))`);
    const own = "(param i32)".repeat(parameters);
    const passed = Array.from({ length: parameters }, (_, i) => `(local.get ${i})`).join(" ");
    const condition = WHEN[when].replace(/\$(?=[01]\b)/g, "");
    added.push(
      `(func $planted-${name} ${own} (result i32) (if ${condition} (then (unreachable))) (call ${found[1]} ${passed}))`,
    );
  };
  wrap("start", 2, start);
  wrap("take", 1, take);
  wrap("give", 0, give);
  for (const [name, parameters] of flash
    ? ([
        ["program", 4],
        ["erase", 2],
      ] as const)
    : []) {
    const found = new RegExp(`\\(import "board" "${name}" \\(func (\\$\\S+)`).exec(text);
    if (found === null) throw new Error(`core.wasm imports no ${name}`);
    text = text.replaceAll(`(call ${found[1]}\n`, `(call $planted-${name}\n`);
    const passed = Array.from({ length: parameters }, (_, i) => `(local.get ${i})`).join(" ");
    added.push(
      `(func $planted-${name} ${"(param i32)".repeat(parameters)} (result i32)
        (if (call $planted) (then (unreachable))) (call ${found[1]} ${passed}))`,
    );
  }
  const planted = binaryen.parseText(text.replace(/\)\s*$/, `${added.join("\n")})`));
  planted.setFeatures(binaryen.Features.All);
  if (planted.validate() === 0) throw new Error("the planted core is not valid");
  binaryen.setShrinkLevel(2);
  planted.optimize(); // smaller than what it replaces, so that it fits into the ELF
  return planted.emitBinary();
}

/** One store for all boards. */
const filled = new V8Device(seed);
const scene = fill(filled, seeded(seed), "put", decodeAnswer);

let device: VirtualDevice;
let resets = 0;
afterEach(() => device.close());

/** A board with the store, off. */
function flashed(plants: Plants): VirtualDevice {
  device = deviceWith({ elf: withModule(built("ek-ra6m5.elf"), CORE, trapping(plants)) });
  resets = 0;
  device.board.onEvent = (event) => {
    if (event.kind === "reset") resets++;
  };
  device.slots.load(device.slotsOffset, filled.slots.image(filled.slotsOffset));
  device.data.load(0, filled.data.image());
  return device;
}
function booted(plants: Plants): Talk {
  flashed(plants).boot();
  return new Talk(device);
}

const hello = (talk: Talk): [State, number] => {
  const answer = talk.relink().ask(Command.Hello);
  return [answer.get(Key.State) as State, answer.get(Key.TrapCode) as number];
};
const same = (a: Shown, b: Shown): boolean => a.list.equals(b.list) && a.operators.equals(b.operators);
const countdown = (calls: number): void => device.poke(COUNTDOWN, Uint8Array.of(calls & 0xff, calls >> 8, 0, 0));

describe("a trap in start", () => {
  it("that does not come again costs a restart: the store mounts, and hello tells the code", () => {
    const talk = booted({ start: "firstStart" });
    const before = device.supply.operations;
    expect([resets, ...hello(talk)]).toEqual([1, State.Ready, TRAP_UNREACHABLE]);
    expect(same(look(talk), scene.shown)).toBe(true);
    expect(device.supply.operations).toBe(before);
  });

  it("that comes at each normal start ends in rescue after every power-up, and in the store again with good firmware", () => {
    const talk = booted({ start: "normalStart" });
    expect([resets, ...hello(talk)]).toEqual([3, State.Rescue, TRAP_UNREACHABLE]);
    device.boot();
    expect([resets, ...hello(talk)]).toEqual([6, State.Rescue, TRAP_UNREACHABLE]);
    const media = { slots: device.slots.image(device.slotsOffset), data: device.data.image() };
    device.close();
    const good = booted({});
    device.slots.load(device.slotsOffset, media.slots);
    device.data.load(0, media.data);
    device.boot();
    expect(same(look(good.reset()), scene.shown)).toBe(true);
  });

  it("that comes in rescue too restarts for ever: silent, and nothing is written", () => {
    const board = flashed({ start: "always" }).board;
    const before = device.supply.operations;
    board.powerOn();
    expect(board.run(OFTEN)).toBe("limit");
    expect(resets).toBeGreaterThan(4);
    expect(board.take()).toHaveLength(0);
    expect(device.supply.operations).toBe(before);
    expect(board.faults.list).toEqual([]);
  });
});

describe("a trap in take", () => {
  it("of received bytes restarts as often as they come, and never ends in rescue: each start ends", () => {
    const talk = booted({ take: "mark" });
    for (let times = 1; times <= 4; times++) {
      device.board.exchange(Uint8Array.of(MARK));
      expect([resets, ...hello(talk)]).toEqual([times, State.Ready, TRAP_UNREACHABLE]);
    }
    expect(same(look(talk.reset()), scene.shown)).toBe(true);
  });

  it("without bytes restarts, ends the session, and leaves none of its keys in RAM", () => {
    const talk = booted({ take: "idleMark" }).plant();
    talk.ask(Command.Info);
    const key = Buffer.from(talk.session!.receiveKey);
    expect(Buffer.from(device.ram()).includes(key)).toBe(true);
    device.board.exchange(Uint8Array.of(MARK));
    expect(resets).toBe(0);
    device.wait(50);
    expect(resets).toBe(1);
    expect(Buffer.from(device.ram()).includes(key)).toBe(false);
    expect(hello(talk)).toEqual([State.Ready, TRAP_UNREACHABLE]);
  });

  it("at every idle turn restarts for ever, whatever the mode, and nothing is written (limit)", () => {
    const before = flashed({ take: "idle" }).supply.operations;
    device.boot();
    device.wait(60);
    expect(resets).toBeGreaterThan(3);
    expect(device.supply.operations).toBe(before);
    expect(device.board.faults.list).toEqual([]);
  });
});

describe("a trap in give", () => {
  it("behind an answer restarts, and may take the answer's last bytes with it: the host asks again", () => {
    const talk = booted({ give: "counted" });
    talk.ask(Command.Hello);
    countdown(1);
    expect(() => talk.ask(Command.Hello)).toThrow("silence");
    expect(resets).toBe(1);
    expect(hello(talk)).toEqual([State.Ready, TRAP_UNREACHABLE]);
  });

  it("in the middle of a change leaves the store before it or after it, and the same request again does it once", {
    timeout: 240_000,
  }, () => {
    const talk = booted({ flash: true });
    const to = new Fill(device, seeded(seed + 1));
    const request = [
      [Key.Token, to.bytes(16)],
      [Key.Label, "trapped"],
      [Key.Usage, 0],
      [Key.Tier, 1],
      [Key.Policy, 1],
      [Key.Body, to.body(80)],
    ] as const;
    const media = { slots: device.slots.snapshot(), data: device.data.snapshot() };
    const start = (): void => {
      device.slots.restore(media.slots);
      device.data.restore(media.data);
      device.boot();
      talk.reset().ask(Command.Hello);
      resets = 0;
    };
    start();
    countdown(0xffff);
    talk.ask(Command.Put, request);
    const left = Buffer.from(device.peek(COUNTDOWN, 4)).readUInt32LE();
    const calls = 0xffff - left;
    const after = look(talk);
    expect(calls).toBeGreaterThan(6);
    const seen = { before: 0, after: 0 };
    for (let call = 1; call <= calls; call++) {
      start();
      countdown(call);
      expect(() => talk.ask(Command.Put, request)).toThrow("silence");
      expect(resets, `call ${call}`).toBe(1);
      expect(hello(talk)).toEqual([State.Ready, TRAP_UNREACHABLE]);
      const shown = look(talk.reset());
      const isBefore = same(shown, scene.shown);
      // a handle follows from the sequence, and sequences of lost changes are not used again
      if (!isBefore) expect(shown.list.equals(after.list), `call ${call}`).toBe(true);
      seen[isBefore ? "before" : "after"]++;
      const handle = talk.ask(Command.Put, request).get(Key.Handle) as Uint8Array;
      const got = talk.ask(Command.Get, [[Key.Handle, handle]]);
      expect([got.get(Key.Command), got.get(Key.Label)]).toEqual([Status.Ok, "trapped"]);
      expect(look(talk).list.length).toBe(after.list.length);
    }
    console.log(`a put that traps at one of ${calls} calls: ${seen.before} before, ${seen.after} after`);
    expect(seen.before).toBeGreaterThan(0);
    expect(device.board.faults.list).toEqual([]);
  });
});

describe("a trap in rescue", () => {
  it("restarts, and ends in rescue once more after three normal starts that trap", () => {
    const talk = booted({ start: "normalStart", take: "mark" });
    const before = device.supply.operations;
    expect([resets, ...hello(talk)]).toEqual([3, State.Rescue, TRAP_UNREACHABLE]);
    device.board.exchange(Uint8Array.of(MARK));
    expect([resets, ...hello(talk)]).toEqual([3 + 1 + 3, State.Rescue, TRAP_UNREACHABLE]);
    expect(talk.handshake("admin", keyOf("admin"))).toBeGreaterThan(0);
    expect(device.supply.operations).toBe(before);
    expect(START_RESCUE).not.toBe(START_NORMAL);
  });
});
