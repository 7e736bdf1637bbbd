/** What a torture found out, as text: for the terminal, README.md and firmware/DESIGN.md. */
import type { DamageCounts } from "../../test/damage/bits.js";
import type { TargetName } from "../../test/torture/pool.js";
import type { Counts } from "../../test/torture/sweep.js";

/** What was tried. The ELF holds a core; the damage is done to the core alone. */
export interface Tried {
  /** SHA-256 of core.wasm. */
  core: string;
  /** On the virtual board: SHA-256 of the ELF, and the version of the engine under it. */
  elf?: string;
  libunicorn?: string;
  /** Of the random choices. */
  seed: number;
}

/** Of one target. */
export interface Report extends Tried {
  cases: number;
  torn: number;
  nested: number;
  operations: number;
  puts: number;
  /** Wall time with `jobs` workers. */
  minutes: number;
  jobs: number;
  scenes: Omit<Counts, "points">[];
  points: Counts["points"];
}

/** bench/results/torture.json: of each part the last whole run without a failure. */
export interface Results {
  schemaVersion: 2;
  targets: Partial<Record<TargetName, Report>>;
  damage?: Damaged;
}
export type Damaged = Tried & Pick<DamageCounts, "cases" | "deep" | "outcomes">;

const NAMES: Record<TargetName, string> = { v8: "the core in V8", virtual: "the ELF on the virtual board" };
const NAME_WIDTH = 48;
export const grouped = (n: number): string => n.toLocaleString("en-US");

function row(name: string, values: readonly (string | number)[]): string {
  const cells = values.map((value) => (typeof value === "number" ? grouped(value) : value).padStart(11));
  return `${name.padEnd(NAME_WIDTH)}${cells.join("")}`;
}

/** Scene by scene. */
export function scenes(target: TargetName, { scenes }: Report): string {
  return [
    `Power cuts, ${NAMES[target]}`,
    row("state: change", ["operations", "cases", "of repairs"]),
    ...scenes.map(({ scene, operations, cases, nested }) => row(scene, [operations, cases, nested])),
  ].join("\n");
}

/** Crash point by crash point: how many cases showed the state before the change, how many the one after it, how many were repaired. */
export function outcomes(target: TargetName, { points }: Report): string {
  return [
    row(`crash point, ${NAMES[target]}`, ["cases", "before", "after", "repaired"]),
    ...Object.entries(points).map(([point, { cases, before, after, repaired }]) =>
      row(point, [cases, before, after, repaired]),
    ),
  ].join("\n");
}

/** One sentence. */
export function total(target: TargetName, report: Report): string {
  const { cases, operations, torn, nested, puts, minutes, jobs, scenes, core } = report;
  return (
    `${NAMES[target]}: ${grouped(cases)} cases; ${scenes.length} changes with ${grouped(operations)} operations; ` +
    `${grouped(torn)} with torn cells, ${grouped(nested)} with the repair cut as well; ` +
    `${grouped(puts)} times another record was stored; ${minutes} min with ${jobs} ${jobs === 1 ? "worker" : "workers"}; core ${core.slice(0, 8)}`
  );
}

/** What became of each kind of damaged bytes. */
export function damageTable({ cases, outcomes }: Damaged): string {
  const rows = Object.entries(outcomes).map(([row, counts]) => {
    const each = Object.entries(counts).map(([outcome, n]) => `${grouped(n)} ${outcome}`);
    return `${row.padEnd(NAME_WIDTH)}${each.join(", ")}`;
  });
  return [
    `${grouped(cases)} damages: bits flipped, bytes, units and places of zeros and ones, bus faults`,
    ...rows,
  ].join("\n");
}
