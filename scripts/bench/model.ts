/** Instructions, flash operations and bytes on the line as time. A model: no cycle was ever measured on the board. */
import type { Engine, LineCount, Row } from "./cost.js";
import { flashTime, noOperations } from "./flash.js";

export const MHZ = 192;
/** Cycles of an instruction: an interpreter jumps through a register and loads more. Expected: 1.5 to 1.8 there, 1.2 to 1.5 for C. */
export const CYCLES: Record<Engine, number> = { stock: 1.6, wasm3: 1.6, aot: 1.3, native: 1.3 };
export const BAUDS = [115_200, 921_600, 3_000_000] as const;
export type Baud = (typeof BAUDS)[number];
/** Of the figures that the targets are about. */
export const TARGET_BAUD = 921_600;
/** A byte on the line: start bit, eight data bits, stop bit. */
export const BITS = 10;

/** Milliseconds of the processor. */
export const computeMs = (engine: Engine, instructions: number): number =>
  (instructions * CYCLES[engine]) / (MHZ * 1000);

export const lineMs = ({ request, answer }: LineCount, baud: number): number =>
  ((request + answer) * BITS * 1000) / baud;

/** What no processor could do faster: the bytes on the line, one after the other, and the flash operations at their typical times. */
export const floorMs = ({ line, flash }: Pick<Row, "line" | "flash">, baud: number): number =>
  lineMs(line ?? { request: 0, answer: 0 }, baud) + flashTime(flash ?? noOperations(), "typical");

/** The floor and the processor, one after the other: at the most, for the line goes on while the processor computes. */
export const modelledMs = (row: Row, engine: Engine, baud: number): number =>
  floorMs(row, baud) + computeMs(engine, row.instructions[engine] ?? Number.NaN);

/** Times the floor. */
export const timesFloor = (row: Row, engine: Engine, baud: number): number =>
  modelledMs(row, engine, baud) / floorMs(row, baud);
