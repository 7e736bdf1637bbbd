/** firmware/THREATS.md: it has the sections that others point to, and what it points to exists. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Status } from "../firmware/defs/status.js";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const threats = read("firmware/THREATS.md");
const sources = { SPEC: read("firmware/SPEC.md"), DESIGN: read("firmware/DESIGN.md") };

/** Numbers of a document's headings: "3" of `## 3. Title`, "3.1" of `### 3.1 Title`. */
function sections(text: string): string[] {
  return [...text.matchAll(/^#{2,3} (\d+(?:\.\d+)?)\.? /gm)].map((found) => found[1]!);
}

/** Paths below test/ in a text that do not exist. */
function missingTests(text: string): string[] {
  const named = [...text.matchAll(/\btest\/[\w./-]*\w/g)].map((found) => found[0]);
  return named.filter((path) => !existsSync(new URL(`../${path}`, import.meta.url)));
}

/** References to numbered sections, "SPEC §11" or "§3.5" of the text itself, that go nowhere. A list such as "SPEC §4, §5" counts for the first name. */
function deadReferences(text: string): string[] {
  const dead: string[] = [];
  for (const [, name, list] of text.matchAll(/(?:\b(SPEC|DESIGN) )?(§\d+(?:\.\d+)?(?:, §\d+(?:\.\d+)?)*)/g)) {
    const known = sections(name === undefined ? text : sources[name as keyof typeof sources]);
    for (const one of list!.split(", ")) if (!known.includes(one.slice(1))) dead.push(`${name ?? ""} ${one}`.trim());
  }
  return dead;
}

describe("THREATS.md", () => {
  it("has its sections, numbered without gaps", () => {
    const attackers = Array.from({ length: 12 }, (_, i) => `2.${i + 1}`);
    const proofs = Array.from({ length: 13 }, (_, i) => `3.${i + 1}`);
    expect(sections(threats)).toEqual(["1", "2", ...attackers, "3", ...proofs, "4", "5"]);
  });

  it("names only tests that exist", () => {
    expect(missingTests(threats)).toEqual([]);
    expect(missingTests("see test/nothing.test.ts and test/defs.test.ts.")).toEqual(["test/nothing.test.ts"]);
  });

  it("points only to sections that exist", () => {
    // a standard's own sections are not ours
    expect(deadReferences(threats.replaceAll("SP 800-90B §4.4", ""))).toEqual([]);
    expect(deadReferences("## 1. A\nSPEC §3, §99, DESIGN §3, §2")).toEqual(["SPEC §99"]);
    expect(deadReferences("## 1. A\n§1 and §7.1")).toEqual(["§7.1"]);
  });

  it("has a row for each life-cycle state, and names statuses as they are", () => {
    const table = threats.slice(threats.indexOf("## 5."));
    for (const state of ["CM", "SSD", "NSECSD", "DPL", "LCK_DBG", "LCK_BOOT", "RMA_REQ", "RMA_ACK"]) {
      expect(table).toMatch(new RegExp(`^\\| .*\\b${state}\\b`, "m"));
    }
    for (const name of ["HandshakeRefused", "LastAdmin", "Degraded"]) {
      expect(threats).toContain(name);
      expect(Status).toHaveProperty(name);
    }
  });
});
