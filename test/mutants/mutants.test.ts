/** The list of planted bugs: each can be planted in the sources as they are now. `npm run mutants` sees that each is caught. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { mutants } from "./all.js";
import { checks } from "./checks.js";
import { changesOf, occurrences, plant } from "./mutant.js";

const root = new URL("../..", import.meta.url).pathname;
const read = (file: string): string => readFileSync(`${root}${file}`, "utf8");

describe("planted bugs", () => {
  it("are at least twenty-four, each under its own name", () => {
    expect(mutants.length).toBeGreaterThanOrEqual(24);
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
  });

  it.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
    "%s: its text stands in firmware/ once, and something else comes in its place",
    (_name, mutant) => {
      expect(mutant.breaks).toMatch(/^[A-Z].+\.$/);
      for (const { file, from, to } of changesOf(mutant)) {
        expect(file).toMatch(/^firmware\/.+\.ts$/);
        expect(occurrences(read(file), from), from).toBe(1);
        expect(to).not.toBe(from);
      }
    },
  );

  it.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
    "%s: the files that catch it are there, and part of npm test",
    (_name, { caughtBy }) => {
      const { quick, slow } = checks(root);
      expect(caughtBy.length).toBeGreaterThan(0);
      for (const { file } of caughtBy) expect([...quick, ...slow]).toContain(file);
    },
  );

  it("are not planted where their text stands twice, or not at all (positive control)", () => {
    const change = { file: "firmware/some.ts", from: "a == b", to: "a != b" };
    expect(plant("if (a == b) c();", change)).toBe("if (a != b) c();");
    expect(() => plant("a == b || a == b", change)).toThrow(/2 times/);
    expect(() => plant("a === b", change)).toThrow(/0 times/);
  });
});
