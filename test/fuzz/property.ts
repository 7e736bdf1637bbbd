/** How properties are run: with the seed of this run, or with seed and path of a failure that fast-check printed, as in
 *  MBS_SEED=1 MBS_PATH=3:0:1 npm test -- fuzz/link */
import fc from "fast-check";
import { seed } from "../targets.js";

/** Milliseconds after which a property has been tried often enough on a slow machine. */
const ENOUGH_MS = 8000;

/** Checks a property so many times. */
export function holds<T>(property: fc.IProperty<T>, numRuns: number): void {
  const path = process.env.MBS_PATH;
  const limit = path === undefined ? { interruptAfterTimeLimit: ENOUGH_MS } : {};
  fc.assert(property, { seed, numRuns, ...limit, ...(path !== undefined && { path, endOnFailure: true }) });
}

export const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength, size: "max" });
