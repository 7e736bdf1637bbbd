/** What was measured, for people: tables of all loads side by side. */
import { DATA_CYCLES, SLOT_CYCLES } from "../../firmware/defs/medium.js";
import { table } from "../../host/cli/table.js";
import type { Life, Spread } from "./life.js";
import { LOADS, type LoadName } from "./loads.js";

export type Lives = Partial<Record<LoadName, Life>>;

const number = (value: number | null, digits = 0): string =>
  value === null
    ? "not reached"
    : value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

const spread = ({ least, mean, most, maxToMean }: Spread): string[] => [
  number(least),
  number(mean),
  number(most),
  number(maxToMean, 3),
];

/** @returns lines */
export function report(lives: Lives): string[] {
  const rows = Object.entries(lives) as [LoadName, Life][];
  const each = (cells: (life: Life) => string[]): string[][] => rows.map(([name, life]) => [name, ...cells(life)]);
  const print = (title: string, heads: string[], cells: (life: Life) => string[]): string[] => [
    "",
    title,
    ...table(["load", ...heads], each(cells), ` ${"r".repeat(heads.length)}`).map((line) => `  ${line}`),
  ];
  return [
    "",
    ...rows.map(([name]) => `  ${name.padEnd(4)}  ${LOADS[name].title}`),
    ...print(
      "Operations",
      ["records", "hot", "puts", "replaces", "evicts", "total", "power cycles", "cuts", "records read back"],
      ({ records, hotRecords, operations, powerCycles, cuts, readBack }) =>
        [
          records,
          hotRecords,
          operations.puts,
          operations.replaces,
          operations.evicts,
          operations.total,
          powerCycles,
          cuts,
          readBack,
        ].map((n) => number(n)),
    ),
    ...print("Erases of a 32 KB block", ["per change", "least", "mean", "most", "most ÷ mean"], ({ erases }) => [
      number(erases.perChange, 3),
      ...spread(erases),
    ]),
    ...print(
      "Erases of a journal place",
      ["records", "least", "mean", "most", "most ÷ mean", `changes to ${number(DATA_CYCLES)}`],
      ({ journal }) => [number(journal.records), ...spread(journal), number(journal.wornAfter)],
    ),
    ...print(
      `Puts left: what info promised, and what was reached when a block had ${number(SLOT_CYCLES)} erases`,
      ["promised at the start", "reached", "promised ÷ reached", "looks", ""],
      ({ promise: { atStart, reached, share, looks, kept } }) => [
        number(atStart),
        number(reached),
        share === null ? "" : number(share, 3),
        number(looks),
        kept === null ? "life not over" : kept ? "kept at each look" : "BROKEN",
      ],
    ),
  ];
}
