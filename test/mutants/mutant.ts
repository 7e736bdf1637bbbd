/** A planted bug: a mistake that a programmer could make in firmware/, as a replacement of text. Only `npm run mutants` applies it, to a
 *  copy; what it breaks must be noticed by a check of `npm test`. */

export interface Change {
  /** Source file, from the project's root. */
  readonly file: string;
  /** Text that stands there exactly once. */
  readonly from: string;
  /** What it becomes. */
  readonly to: string;
}

/** A test file, or those of its tests whose names hold a text. */
export interface Check {
  readonly file: string;
  readonly test?: string;
}

export interface Mutant extends Change {
  readonly name: string;
  /** What goes wrong with it, in one sentence. */
  readonly breaks: string;
  /** What notices it, the quickest first; tried before all other checks. */
  readonly caughtBy: readonly Check[];
  /** Further changes that belong to the same mistake. */
  readonly also?: readonly Change[];
}

export const changesOf = (mutant: Mutant): readonly Change[] => [mutant, ...(mutant.also ?? [])];

/** How often a text stands in another one. */
export const occurrences = (source: string, text: string): number => source.split(text).length - 1;

/** @throws Error when the text does not stand there exactly once */
export function plant(source: string, { file, from, to }: Change): string {
  const n = occurrences(source, from);
  if (n !== 1) throw new Error(`${file} holds this text ${n} times, expected once: ${from}`);
  return source.replace(from, () => to);
}
