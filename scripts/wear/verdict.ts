/** What a life must have shown. */
import type { Life } from "./life.js";

/** The most worn block may have so many times the mean's erases. */
export const MAX_TO_MEAN = 1.5;
/** Blocks may differ by 256 erases and the two of a move on their way (firmware/store/space.ts). Only when the most worn one has three times
 *  that can a ratio above the limit say that levelling fails; before, it says that the store is young. */
export const JUDGED_FROM = 3 * (256 + 2);

/** What is wrong with a life; empty: nothing. */
export function faults({ erases, journal, promise }: Life): string[] {
  const found: string[] = [];
  const ratio = (what: string, value: number): void => {
    if (value > MAX_TO_MEAN) found.push(`${what}: most ÷ mean is ${value.toFixed(2)}, the limit is ${MAX_TO_MEAN}`);
  };
  if (erases.most >= JUDGED_FROM) ratio("erases of blocks", erases.maxToMean);
  if (journal.most >= JUDGED_FROM) ratio("erases of journal places", journal.maxToMean);
  if (promise.kept === false) found.push(`"puts left" promised more than the ${promise.reached} that were reached`);
  return found;
}
