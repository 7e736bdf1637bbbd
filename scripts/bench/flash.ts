/** Flash operations: counted on the strict media, and turned into time with the data sheet's figures.
 *  RA6M5 flash memory characteristics at FCLK 20 … 50 MHz, blocks with more than 100 cycles; unverified on the board. */
import { CODE_ERASE_NS_PER_BYTE, CODE_PROGRAM_NS, DATA_ERASE_NS, DATA_PROGRAM_NS } from "../../board/virtual/faci.js";
import type { Nor } from "../../board/virtual/nor.js";
import { DATA_UNIT, SLOT_BLOCK, UNIT } from "../../firmware/defs/medium.js";

/** Milliseconds of one operation; on the virtual board blocks are new. */
const TIMES = {
  slotPrograms: { typical: 0.41, most: 7.2, board: CODE_PROGRAM_NS / 1e6 }, // 128 bytes of code flash
  slotErases: { typical: 189, most: 576, board: (CODE_ERASE_NS_PER_BYTE * SLOT_BLOCK) / 1e6 }, // a block of 32 KB
  dataPrograms: { typical: 0.16, most: 1.7, board: DATA_PROGRAM_NS / 1e6 }, // 4 bytes of data flash
  dataErases: { typical: 1.7, most: 10, board: DATA_ERASE_NS / 1e6 }, // a block of 64 bytes
};

/** How many operations. */
export type FlashCount = Record<keyof typeof TIMES, number>;
const KINDS = Object.keys(TIMES) as (keyof typeof TIMES)[];

export const noOperations = (): FlashCount => ({ slotPrograms: 0, slotErases: 0, dataPrograms: 0, dataErases: 0 });

/** Operations so far. */
export function flashCount({ slots, data }: { slots: Nor; data: Nor }): FlashCount {
  return {
    slotPrograms: slots.totalPrograms,
    slotErases: slots.totalErases,
    dataPrograms: data.totalPrograms,
    dataErases: data.totalErases,
  };
}

export function minus(a: FlashCount, b: FlashCount): FlashCount {
  const result = noOperations();
  for (const kind of KINDS) result[kind] = a[kind] - b[kind];
  return result;
}

export function plus(a: FlashCount, b: FlashCount): FlashCount {
  const result = noOperations();
  for (const kind of KINDS) result[kind] = a[kind] + b[kind];
  return result;
}

/** Milliseconds that the operations take, without the instructions between them. */
export function flashTime(count: FlashCount, which: "typical" | "most" | "board"): number {
  return KINDS.reduce((sum, kind) => sum + count[kind] * TIMES[kind][which], 0);
}

/** Bytes programmed. */
export function programmed(count: FlashCount): number {
  return count.slotPrograms * UNIT + count.dataPrograms * DATA_UNIT;
}
