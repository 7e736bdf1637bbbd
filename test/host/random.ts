/** Numbers for random tests. MBS_SEED repeats a run; without it every run has another seed, which failures print. */
import { randomInt } from "node:crypto";
import { seeded } from "../../board/virtual/prng.js";

/** @returns `below(n)`: an integer from 0 to n − 1, and `seed`: a text for failure messages. */
export function random(): { below: (n: number) => number; seed: string } {
  const seed = process.env.MBS_SEED === undefined ? randomInt(2 ** 31) : Number(process.env.MBS_SEED);
  const next = seeded(seed);
  return { below: (n) => Math.floor((next() / 2 ** 32) * n), seed: `repeat with MBS_SEED=${seed}` };
}
