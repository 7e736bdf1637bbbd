/** Random programs against the check of secrets: what it accepts shows nothing when it runs. `npm run controls -- --fuzz N` makes more of them. */
import { describe, expect, it } from "vitest";
import { fuzz } from "../../scripts/prove/fuzz.js";
import { repeat, seed } from "../targets.js";
import { forbidden } from "./forbidden.js";

const PROGRAMS = 300;
describe("checkSecrets", () => {
  it(`accepts none of ${PROGRAMS} random programs that shows something else with other secrets`, () => {
    const tally = fuzz(PROGRAMS, seed, forbidden);
    for (const { program, why, text } of tally.holes)
      expect.fail(`program ${program} is accepted and leaks (${repeat}): ${why}\n${text}`);
    expect(tally.accepted, repeat).toBeGreaterThan(PROGRAMS / 4);
    expect(tally.refusedDifferent, repeat).toBeGreaterThan(PROGRAMS / 20);
  });

  it("would be found out without any one of its rules (positive control)", () => {
    const missing = new Set([
      /branch that/,
      /load.*: the address/,
      /store.*: the address/,
      /(div|rem)_[su] of/,
      /(clz|ctz|popcnt) of/,
      /select of i64/,
      /memory.(copy|fill): an operand/,
      /is stored in CELL/,
    ]);
    // each kind is the only reason against some program that leaks
    for (let from = 0; missing.size > 0 && from < 3000; from += 100) {
      const { needed } = fuzz(100, from, forbidden);
      for (const what of needed.keys()) for (const kind of missing) if (kind.test(what)) missing.delete(kind);
    }
    expect([...missing]).toEqual([]);
  });

  it("would be found out if it accepted everything (positive control)", () => {
    expect(fuzz(100, 0, forbidden, () => []).holes.length).toBeGreaterThan(5);
  });
});
