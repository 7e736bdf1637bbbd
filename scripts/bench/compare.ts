/** A measurement held against the committed one, row by row. Instruction counts are exact, so what differs was changed. */
import { ENGINES, type Engine, type Row } from "./cost.js";

/** A row may cost this much of what it did. */
const MOST = 1.03;

export interface Difference {
  row: string;
  engine: Engine;
  /** Instructions committed, and now. */
  before: number;
  now: number;
}

export interface Comparison {
  worse: Difference[];
  /** A little more; no failure. */
  more: Difference[];
  better: Difference[];
  /** Rows that the committed result does not have. */
  unknown: string[];
}

/** @param before all rows @param now some rows, of some engines */
export function compare(before: readonly Row[], now: readonly Row[]): Comparison {
  const found: Comparison = { worse: [], more: [], better: [], unknown: [] };
  for (const { group, name, instructions } of now) {
    const old = before.find((row) => row.group === group && row.name === name);
    for (const engine of ENGINES) {
      const [was, is] = [old?.instructions[engine], instructions[engine]];
      if (is === undefined) continue;
      if (was === undefined) {
        found.unknown.push(`${name} (${engine})`);
        continue;
      }
      const difference = { row: name, engine, before: was, now: is };
      if (is > was * MOST) found.worse.push(difference);
      else if (is > was) found.more.push(difference);
      else if (is < was) found.better.push(difference);
    }
  }
  return found;
}

/** @param count rows that were measured  @param results the file they are compared with  @returns exit code */
export function printComparison({ worse, more, better, unknown }: Comparison, count: number, results: string): number {
  const percent = ({ before, now }: Difference) =>
    `${now > before ? "+" : ""}${(100 * (now / before - 1)).toFixed(2)} %`;
  const tell = (difference: Difference) =>
    console.log(
      `  ${difference.row} (${difference.engine}): ${difference.before.toLocaleString("en-US")} -> ${difference.now.toLocaleString("en-US")}, ${percent(difference)}`,
    );
  console.log(
    `${count} rows against ${results}: ${worse.length} worse, ${more.length} a little more, ${better.length} better`,
  );
  if (worse.length > 0) console.log(`more than ${Math.round(100 * (MOST - 1))} % more instructions:`);
  worse.forEach(tell);
  if (unknown.length > 0) console.log(`not in ${results}, update with npm run bench: ${unknown.join("; ")}`);
  if (better.length + more.length > 0) {
    const most = [...better].sort((a, b) => a.now / a.before - b.now / b.before)[0];
    if (most !== undefined) {
      console.log("fewer than committed, update with npm run bench; most of all:");
      tell(most);
    }
  }
  return worse.length + unknown.length > 0 ? 1 : 0;
}
