/** Numbers for random tests. MBS_SEED repeats a run; without it every run has another seed, which failures print. */
import { randomInt } from "node:crypto";

/** @returns `below(n)`: an integer from 0 to n − 1, and `seed`: a text for failure messages. */
export function random(): { below: (n: number) => number; seed: string } {
  const seed = process.env.MBS_SEED === undefined ? randomInt(2 ** 31) : Number(process.env.MBS_SEED);
  let state = seed;
  const below = (n: number) => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return Math.floor((((value ^ (value >>> 14)) >>> 0) / 2 ** 32) * n);
  };
  return { below, seed: `repeat with MBS_SEED=${seed}` };
}
