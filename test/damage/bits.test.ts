/** A bounded part of what bits.ts can do: in V8 every bit of what is small and matters, samples of the rest and of other damages; a few of
 *  each row of the table on wasm3 and on the virtual board. `npm run torture` does all of it. */
import { describe, expect, it } from "vitest";
import type { Device } from "../device/device.js";
import { V8Device } from "../device/v8.js";
import { type Bench, deviceTargets, repeat, seed, type Kind as TargetKind } from "../targets.js";
import { ALLOWED, type Area, type Row } from "./areas.js";
import { type DamageCounts, damage } from "./bits.js";
import { KINDS, type Kind } from "./harm.js";

console.log(`damage: ${repeat}`);

/** Rows of which every bit is flipped here. */
const COMPLETE: readonly Row[] = [
  "a custody copy",
  "newest journal record: intent",
  "newest journal record: body",
  "newest journal record: settled word",
  "the journal record before it",
  "the journal place that is written next",
  "place of an operator",
  "newest refusal place",
];
/** Records of which every bit of the header is flipped here. */
const HEADERS: readonly (string | undefined)[] = ["small", "large and full"];

function share(area: Area, kind: Kind): number {
  if (kind.startsWith("whole")) return 1;
  if (kind !== "bit") return COMPLETE.includes(area.row) ? 0.1 : 0.02;
  if (COMPLETE.includes(area.row)) return 1;
  if (area.row === "header of a record") return HEADERS.includes(area.slot?.name) ? 1 : 0.03;
  return area.medium === "slots" ? 0.015 : 0.1;
}

function told(name: string, { cases, deep, outcomes, violated }: DamageCounts): string {
  const rows = Object.entries(outcomes).map(([row, counts]) => {
    const each = Object.entries(counts).map(([outcome, n]) => `${n} ${outcome}`);
    return `  ${row}: ${each.join(", ")}`;
  });
  return [`${name}: ${cases} damages, ${deep} of them with a change after it, ${violated} wrong`, ...rows].join("\n");
}

/** Every row of the table was met, and nothing else came of it than the table says. */
function holds(name: string, counts: DamageCounts, rows = Object.keys(ALLOWED)): void {
  console.log(told(name, counts));
  expect(counts.violations.slice(0, 20)).toEqual([]);
  expect(Object.keys(counts.outcomes).sort()).toEqual([...rows].sort());
}

const quick = (): Device => new V8Device(seed);
const slow = deviceTargets.filter(({ name }) => name !== "v8");

describe.runIf(deviceTargets.some(({ name }) => name === "v8"))("damage of one bit in V8", () => {
  it("is answered as the table says, wherever it is; nothing is wiped, and taken back it leaves nothing behind", () => {
    const counts = damage({ make: quick, seed, kinds: ["bit"], share, deep: 48 });
    holds("bits in V8", counts);
    expect(counts.deep).toBeGreaterThan(200);
  });

  it("is answered like that of bytes, units and whole places, of zeros, of ones, and of bus faults", () => {
    holds("more than bits in V8", damage({ make: quick, seed, kinds: KINDS.slice(1), share, deep: 24 }));
  });
});

describe.runIf(deviceTargets.some(({ name }) => name === "v8"))(
  "damage that looks like a newer record that is lost",
  () => {
    it("is over once the set was accepted, wherever it stands", () => {
      const rows: Row[] = ["an old journal record", "the journal place that is written next"];
      const sequences = (area: Area): number => (area.name.startsWith("place") ? 1 : 0);
      const counts = damage({ make: quick, seed, rows, kinds: ["unit ff"], share: sequences, lasts: ["put"], deep: 1 });
      holds("sequences in V8", counts, rows);
      for (const row of rows) expect(counts.outcomes[row]?.["degraded, nothing lost"], row).toBeGreaterThan(0);
    });
  },
);

describe.each(slow)("damage on $name", (kind: TargetKind<Bench>) => {
  it("is answered as the table says", () => {
    const perRow = kind.slow === true ? 1 : 3;
    const counts = damage({ make: () => kind.make().device, quick, seed, perRow, lasts: ["evict"], deep: 3 });
    console.log(told(`damage on ${kind.name}`, counts));
    expect(counts.violations).toEqual([]);
    expect(counts.cases).toBeGreaterThan(perRow * 10);
  });
});
