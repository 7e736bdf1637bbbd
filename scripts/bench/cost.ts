/** What is measured: rows of tables, each with the instructions of every engine that ran it. */
import type { FlashCount } from "./flash.js";

/** Who runs an operation: wasm3 as its package has it, wasm3 as the firmware has it, C made of the same Wasm, C of other people's libraries. */
export const ENGINES = ["stock", "wasm3", "aot", "native"] as const;
export type Engine = (typeof ENGINES)[number];
/** Those that run the core. */
export type CoreEngine = Exclude<Engine, "native">;

/** Tables, in their order. */
export const GROUPS = ["primitives", "curves", "sessions", "claims", "commands", "boot and list"] as const;
export type Group = (typeof GROUPS)[number];

/** Bytes on the line, both ways. */
export interface LineCount {
  request: number;
  answer: number;
}

/** One operation on one engine. */
export interface Cost {
  group: Group;
  name: string;
  instructions: number;
  /** Bytes of data, where a figure for each says something. */
  bytes?: number;
  line?: LineCount;
  flash?: FlashCount;
}

export type Row = Omit<Cost, "instructions"> & { instructions: Partial<Record<Engine, number>> };

/** @param costs of each engine; what line and flash are told is the same for all and taken from the first that has the row
 *  @returns in the order of the tables */
export function rowsOf(costs: Partial<Record<Engine, readonly Cost[]>>): Row[] {
  const rows = new Map<string, Row>();
  for (const engine of ["wasm3", "aot", "stock", "native"] as const) {
    for (const { instructions, ...what } of costs[engine] ?? []) {
      const key = `${what.group}: ${what.name}`;
      const row = rows.get(key) ?? { ...what, instructions: {} };
      if (row.instructions[engine] !== undefined) throw new Error(`${key} was measured twice on ${engine}`);
      row.instructions[engine] = instructions;
      rows.set(key, row);
    }
  }
  return GROUPS.flatMap((group) => [...rows.values()].filter((row) => row.group === group));
}
