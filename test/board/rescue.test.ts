/** Traps in the real firmware: the real core with a trap planted in one of its exports, on the virtual board. A trap wipes the arena and
 *  resets; three traps before start() returns lead to rescue. Design: board/ek-ra6m5/trap.c, SPEC.md §9. */
import binaryen from "binaryen";
import { afterEach, describe, expect, it } from "vitest";
import { START_NORMAL } from "../../firmware/defs/boundary.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { withModule } from "../../scripts/bench/crypto.js";
import { Host } from "../../scripts/bench/host.js";
import { built } from "../device/built.js";
import { CORE } from "../device/engine.js";
import type { VirtualDevice } from "../device/virtual.js";
import { aotWith } from "../probe/aot.js";
import { deviceWith } from "./device.js";

const root = new URL("../..", import.meta.url).pathname;

const TRAP_UNREACHABLE = 1; // board/ek-ra6m5/trap.h
/** The beginning of a frame that nobody sends, and one byte more: bytes may come one by one. */
const MARK = Uint8Array.of(6, 0x77, 0x77, 0x77, 0x77, 0x77);
const FRAME = JSON.parse(built("memory.json").toString()).FRAME as number;

/** The part of binaryen.js that its types leave out. */
const { setBody } = (binaryen as unknown as { Function: { setBody(fn: number, body: number): void } }).Function;

type Condition = (core: binaryen.Module, argument: number) => number;
const atNormalStart: Condition = (core, mode) => core.i32.eq(mode, core.i32.const(START_NORMAL));
const atMark: Condition = (core) => core.i32.eq(core.i32.load(FRAME, 1, core.i32.const(0)), core.i32.const(0x77777777));

/** core.wasm whose export traps when a condition on its first argument holds. */
function trapping(name: string, condition: Condition): Uint8Array {
  const core = binaryen.readBinary(CORE);
  core.setFeatures(binaryen.Features.All & ~binaryen.Features.TailCall); // asc makes none, and wasm2c knows none
  const exports = [...Array(core.getNumExports()).keys()].map((i) => binaryen.getExportInfo(core.getExportByIndex(i)));
  const found = exports.find((one) => one.name === name);
  if (found === undefined) throw new Error(`core.wasm exports no ${name}`);
  const fn = core.getFunction(found.value);
  const trap = core.if(condition(core, core.local.get(0, binaryen.i32)), core.unreachable());
  setBody(fn, core.block(null, [trap, binaryen.getFunctionInfo(fn).body], binaryen.i32));
  binaryen.setShrinkLevel(2);
  core.optimize(); // smaller than what it replaces, so that it fits into the ELF
  return core.emitBinary();
}

let device: VirtualDevice;
let resets = 0;
afterEach(() => device.close());

/** Boots a store with operators on a board whose core traps; nothing was asked of it yet. */
function boot(elf: Uint8Array): Host {
  device = deviceWith({ elf });
  resets = 0;
  device.board.onEvent = (event) => {
    if (event.kind === "reset") resets++;
  };
  const filled = Host.provisioned().device;
  device.slots.load(device.slotsOffset, filled.slots.image(filled.slotsOffset));
  device.data.load(0, filled.data.image());
  filled.close();
  device.boot();
  return new Host(device);
}

describe.each([
  ["interpreted", (module: Uint8Array) => withModule(built("ek-ra6m5.elf"), CORE, module)],
  ["compiled ahead of time", (module: Uint8Array) => aotWith(root, module)],
])("a trap of the core on the board, %s,", (_, flashed) => {
  it("before the store is mounted, three times, ends in rescue: hello with the code, sessions, dump, and nothing is written", () => {
    const host = boot(flashed(trapping("start", atNormalStart)));
    const { talk } = host;
    const before = device.supply.operations;
    expect(resets).toBe(3);
    const hello = talk.ask(Command.Hello);
    expect([hello.get(Key.State), hello.get(Key.TrapCode)]).toEqual([State.Rescue, TRAP_UNREACHABLE]);
    host.openAs("admin");
    expect(() => talk.ask(Command.List)).toThrow("Rescue");
    const dump = talk.ask(Command.Dump, [
      [Key.Length, 64],
      [Key.Region, 0],
      [Key.Offset, 0],
    ]);
    expect((dump.get(Key.Data) as Uint8Array).length).toBe(64);
    expect(() => host.refused()).not.toThrow();
    expect(device.supply.operations).toBe(before);
    expect(device.board.faults.list).toEqual([]);
  });

  it("in a command resets once, mounts again, ends the session, and hello tells the code", () => {
    const host = boot(flashed(trapping("take", atMark)));
    const { talk } = host.openAs("admin");
    expect(talk.ask(Command.Hello).get(Key.TrapCode)).toBe(0);
    device.board.exchange(MARK);
    expect(resets).toBe(1);
    const hello = talk.relink().ask(Command.Hello);
    expect([hello.get(Key.State), hello.get(Key.TrapCode)]).toEqual([State.Ready, TRAP_UNREACHABLE]);
    expect(() => talk.ask(Command.Info)).toThrow("NoSession");
  });
});
