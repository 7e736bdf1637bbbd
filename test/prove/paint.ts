/** The firmware with both of its stacks painted, to see how far they are used. It differs from the built one in one call: the interpreter's stack
 *  is not wiped after an answer, or nothing could be seen there. */
import { readFileSync } from "node:fs";
import type { VirtualBoard } from "../../board/virtual/board.js";
import { Host, type Media } from "../../scripts/bench/host.js";
import { readElf } from "../../scripts/check-elf.mjs";
import { disassemble, type Line, readListing, target } from "../../scripts/prove/listing.js";
import { builtPath } from "../device/built.js";
import { VirtualDevice } from "../device/virtual.js";

const SEED = 5;
const PAINT = 0xa5;
const NOP = 0xbf00;
/** Below the frames of reset_handler and main, which are in use when the paint is put on. */
const IN_USE = 256;
const CORE_RUNTIME = 4; // struct core, wasm3_glue.h

const listing = readListing(disassemble(builtPath("ek-ra6m5.elf")));
const built = readFileSync(builtPath("ek-ra6m5.elf"));
const { symbols, sections } = readElf(built);
const symbol = (name: string): number => {
  const found = symbols.get(name);
  if (found === undefined) throw new Error(`the firmware has no symbol ${name}`);
  return found;
};

/** In call() of wasm3_glue.c: where the stack is wiped, and in which fields of the runtime its slots are counted and it begins. */
const wipe = (() => {
  const lines = listing.get("call") ?? [];
  const at = lines.findIndex((line) => line.op === "bl" && target(line)?.name === "memset");
  if (at < 0) throw new Error("call() of wasm3_glue.c does not wipe the interpreter's stack with memset");
  const field = (register: string): number => {
    const load = lines.slice(0, at).findLast((line) => line.op === "ldr" && line.args[0] === register) as Line;
    return Number(/#(\d+)\]$/.exec(load.args[1]!)![1]);
  };
  return { address: lines[at]!.at, slots: field("r2"), stack: field("r0") };
})();

function withoutWipe(): Uint8Array {
  const elf = Uint8Array.from(built);
  const section = sections.find((one) => one.address <= wipe.address && wipe.address < one.address + one.size)!;
  const view = new DataView(elf.buffer);
  const at = section.offset + wipe.address - section.address;
  for (const i of [0, 2]) view.setUint16(at + i, NOP, true);
  return elf;
}

const word = (board: VirtualBoard, at: number): number => board.peek(at, 4)!.readUInt32LE();

export class Painted {
  readonly device = new VirtualDevice(SEED, { elf: withoutWipe() });
  readonly host: Host;
  readonly cStack = { from: symbol("__stack_limit"), to: symbol("__stack_top") };
  readonly wasmStack: { from: number; to: number };

  /** Boots, stops right before the core's first instruction, paints, and goes on until the firmware waits. */
  constructor(media: Media, records: number) {
    const { board } = this.device;
    this.device.slots.load(this.device.slotsOffset, media.slots);
    this.device.data.load(0, media.data);
    board.checkpoint(symbol("engine_start"));
    const runtime = word(board, symbol("core") + CORE_RUNTIME);
    const from = word(board, runtime + wipe.stack);
    this.wasmStack = { from, to: from + 4 * word(board, runtime + wipe.slots) };
    this.#paint(this.wasmStack.from, this.wasmStack.to);
    this.#paint(this.cStack.from, this.cStack.to - IN_USE);
    board.run();
    board.take();
    this.host = new Host(this.device).continue(records);
  }

  /** Bytes of the C stack, from its top, that were written since the paint. */
  cUsed(): number {
    const bytes = this.#read(this.cStack);
    return bytes.length - bytes.findIndex((byte) => byte !== PAINT);
  }

  /** Bytes of the interpreter's stack, from its bottom, that were written since the paint. */
  wasmUsed(): number {
    return this.#read(this.wasmStack).findLastIndex((byte) => byte !== PAINT) + 1;
  }

  /** What wasm3 found out of each function of the core when it compiled it: slots of its frame. Compiled code begins with op_Entry and the
   *  address of the function's record; records lie in the order of the functions. */
  frames(): number[] {
    const entry = symbol("op_Entry") | 1;
    const offset = Number(/#(\d+)\]$/.exec(listing.get("op_Entry")!.find((line) => line.op === "ldrh")!.args[1]!)![1]);
    const arena = this.#read({ from: symbol("__arena_start"), to: symbol("__arena_end") });
    const records = new Set<number>();
    for (let at = 0; at + 8 <= arena.length; at += 4)
      if (arena.readUInt32LE(at) === entry) records.add(arena.readUInt32LE(at + 4));
    const { board } = this.device;
    return [...records].sort((a, b) => a - b).map((record) => board.peek(record + offset, 2)!.readUInt16LE());
  }

  /** Boots once more with the paint put on before the core is compiled. @returns bytes of the C stack that were written */
  compiling(): number {
    const { board } = this.device;
    board.checkpoint(symbol("core_load"));
    this.#paint(this.cStack.from, this.cStack.to - IN_USE);
    board.run();
    return this.cUsed();
  }

  close(): void {
    this.device.close();
  }

  #read({ from, to }: { from: number; to: number }): Buffer {
    return this.device.board.peek(from, to - from)!;
  }
  #paint(from: number, to: number): void {
    if (!this.device.board.poke(from, Buffer.alloc(to - from, PAINT))) throw new Error("a stack is not in RAM");
  }
}
