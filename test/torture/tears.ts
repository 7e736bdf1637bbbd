/** The ways in which power can fail in one flash operation: which of the bits that it changes have changed, and what the torn cells do
 *  afterwards. Every one is another case. */
import type { Random } from "../../board/virtual/prng.js";
import { type CutPlan, tears } from "../../board/virtual/supply.js";
import type { Powered, Step } from "./film.js";

export interface Cut {
  name: string;
  plan: Omit<CutPlan, "operation">;
}

export interface TearOptions {
  /** How many of the single changed bits are tried alone; Infinity = every one. */
  singles: number;
  /** Random subsets of the bits. */
  subsets: number;
}

/** Number of bits that a step changes. On a medium whose erased cells read as noise any bit of the range may change. */
export function changingBits(device: Powered, { medium, offset, bytes }: Step): number {
  const nor = device[medium];
  const length = bytes?.length ?? nor.blockAt(offset).size;
  if (medium === "data") return 8 * length;
  const before = nor.bytes.subarray(offset, offset + length);
  let bits = 0;
  for (let i = 0; i < length; i++) bits += POPCOUNT[before[i]! ^ (bytes?.[i] ?? 0xff)]!;
  return bits;
}
const POPCOUNT = Uint8Array.from({ length: 256 }, (_, n) => n.toString(2).replaceAll("0", "").length);

/** All cuts of a step that changes `bits` bits, no two the same. "Before" is the step before it, cut "after". */
export function* cutsOf(bits: number, first: boolean, random: Random, options: TearOptions): Generator<Cut> {
  if (first) yield { name: "before", plan: { tear: "before" } };
  yield { name: "after", plan: { tear: "after" } };
  yield { name: "no bit", plan: { tear: tears.none } };
  yield* bothCells("all bits", tears.all);
  yield { name: "half, bus fault", plan: { tear: tears.half, unreadable: true } };
  if (bits < 8) return;
  yield* bothCells("lower half", tears.half);
  yield* bothCells("upper half", (index, count) => index * 2 >= count);
  yield* bothCells("all but the first", tears.allButFirst);
  for (let n = 0; n < options.subsets; n++) {
    const chosen = Uint8Array.from({ length: bits }, () => (random() >>> 31) & 1);
    yield* bothCells(`subset ${n}`, (index) => chosen[index] === 1);
  }
  if (options.singles === 0) return;
  const step = Math.max(1, bits / options.singles);
  const from = step > 1 ? random() % Math.ceil(step) : 0;
  for (let at = from; at < bits; at += step) {
    const bit = Math.floor(at);
    yield* bothCells(`bit ${bit} alone`, (index) => index === bit);
  }
}

function* bothCells(name: string, tear: CutPlan["tear"]): Generator<Cut> {
  yield { name, plan: { tear } };
  yield { name: `${name}, marginal`, plan: { tear, marginal: true } };
}
