/** The last gate of a build: whether firmware starts, on the virtual board. What passes all others may not: the interpreter compiles the core at
 *  each start, into an arena that is hardly larger than that takes. */
import { readFileSync, rmSync } from "node:fs";
import { readElf } from "../board/elf.js";
import { VirtualBoard } from "../board/virtual/board.js";
import { EngineMissing } from "../board/virtual/unicorn.js";

/** Instructions within which it is ready: the interpreter takes some 15 million, noise that has to gather nearly none. */
const LIMIT = 100e6;

/** Why a board began again, instead of being ready. */
const TRAPS: Readonly<Record<number, string>> = {
  6: "the interpreter does not take core.wasm, or its arena is too small for it (ARENA in scripts/build.mjs)",
}; // board/ek-ra6m5/trap.h has all

export interface Start {
  instructions: number;
  /** Bytes of the interpreter's arena that are in use from then on; undefined for firmware without one. */
  arenaUsed?: number;
}

/** Switches a blank board on. @throws Error when it is not ready at once */
export function start(elf: string): Start {
  const { symbol } = readElf(readFileSync(elf), elf);
  const board = VirtualBoard.create({ elf, seed: 1 });
  const word = (name: string, offset = 0): number | undefined => {
    const at = symbol(name)?.address;
    return at === undefined ? undefined : board.peek(at + offset, 4)?.readUInt32LE(0);
  };
  board.onEvent = (event) => {
    if (event.kind !== "reset" && event.kind !== "locked") return;
    const trap = (word("record", 12) ?? 0) & 0xff;
    throw new Error(`${elf} does not start: trap ${trap}${trap in TRAPS ? `, ${TRAPS[trap]}` : ""}`);
  };
  board.powerOn();
  const end = board.run(LIMIT);
  if (end !== "idle" || !board.lights.includes("ready")) throw new Error(`${elf} does not start: it ends in ${end}`);
  const [first, next] = [symbol("fixedHeap")?.address, word("fixedHeapPtr")];
  const { instructions } = board;
  return first === undefined || next === undefined ? { instructions } : { instructions, arenaUsed: next - first };
}

/** Starts all of them. Firmware that does not start must not lie there as if it were good; where there is no libunicorn, nobody knows.
 *  @param startOne for tests    @throws Error of the first that is not ready */
export function startAll(elves: readonly string[], startOne = start): Record<string, Start> {
  const starts: Record<string, Start> = {};
  for (const elf of elves) {
    try {
      starts[elf] = startOne(elf);
    } catch (error) {
      if (!(error instanceof EngineMissing)) rmSync(elf);
      throw error;
    }
  }
  return starts;
}
