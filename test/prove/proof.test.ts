/** scripts/prove/proof.ts: what is shown of the built core, and that each step can fail. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readBuild } from "../../scripts/prove/built.js";
import { readExplained, readSites, unexplained } from "../../scripts/prove/markers.js";
import { regionsOf } from "../../scripts/prove/policy.js";
import { type Built, page, prove } from "../../scripts/prove/proof.js";
import { decode } from "../../scripts/prove/wasm.js";

const built = readBuild(".");
const folder = mkdtempSync(join(tmpdir(), "mbs-prove-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Problems of one step of a build that was changed. */
const problems = (step: string, change: Partial<Built>) =>
  prove({ ...built, ...change }).steps.find(({ name }) => name === step)?.problems;

/** The bytes with one of them changed. */
function changed(bytes: Uint8Array, at: number): Uint8Array {
  const other = Uint8Array.from(bytes);
  other[at] = (other[at] as number) ^ 1;
  return other;
}

describe("the built core", () => {
  const proof = prove(built);

  it("has every property that PROOFS.md promises", () => {
    expect(proof.steps.filter((step) => step.problems.length > 0)).toEqual([]);
  });

  it("makes public what PROOFS.md explains, and nothing more", () => {
    expect(unexplained(readSites(built.sources), readExplained(built.explanations))).toEqual([]);
    expect(proof.secrets.declassified).toHaveLength(3);
    expect(proof.secrets.expected).toHaveLength(3);
  });

  it("is told on one page, in the order of the steps", () => {
    expect(proof.steps.map(({ name }) => name)).toEqual(["asc", "bounds", "constant time", "bind", "package"]);
    expect(page(proof).split("\n").length).toBeLessThan(40);
    expect(page(proof)).not.toContain("NOT SHOWN");
  });

  it("keeps every key, seed and plaintext where secrets stand", () => {
    const regions = regionsOf(built.map, decode(built.named).data);
    const secret = regions.filter(({ cells }) => cells.some((cell) => !cell.isPublic)).map(({ name }) => name);
    expect(secret).toEqual(
      expect.arrayContaining(
        ["ENVELOPE", "SECRET_ARGUMENT", "VAULT", "KEYS", "OPERATOR", "CANDIDATES", "SESSIONS", "NOISE_STATE"].concat([
          "CHACHA",
          "STREAM",
          "SUBKEY",
          "POLY",
          "TAG",
          "BLAKE",
          "DRBG",
          "NOISE",
          "RESULT",
        ]),
      ),
    );
  });

  it("has no byte of memory that belongs to two regions, or to none behind the first", () => {
    const regions = regionsOf(built.map, decode(built.named).data);
    for (const [i, { name, at, size, cells }] of regions.entries()) {
      expect(
        cells.reduce((sum, cell) => sum + cell.size, 0),
        name,
      ).toBe(size);
      const next = regions[i + 1];
      if (next && next.name !== "STATICS" && at + size !== next.at) expect([name, next.at]).toEqual([name, 52224]);
    }
    expect(regions.at(-1)).toMatchObject({ name: "texts" });
  });
});

describe("what is not shown", () => {
  it("is the whole proof, when the named module is not the shipped one", () => {
    const { functions } = decode(built.named);
    const constant = functions.flatMap(({ code }) => code).find(({ op, value }) => op === "i32.const" && value === 16);
    expect(problems("asc", { named: changed(built.named, (constant?.at ?? 0) + 1) })).toHaveLength(1);
  });

  it("is an image that holds another core", () => {
    expect(problems("package", { core: changed(built.core, built.core.length - 1) })).toHaveLength(1);
  });

  it("is a core whose stack is too deep for the board", () => {
    expect(problems("bounds", { limits: { ...built.limits, wasmStack: 2048 } })).not.toEqual([]);
  });

  it("is an operation that no handler was audited for", () => {
    const disassembly = built.disassembly.replace("<op_u32_Rotl_rs>:", "<op_u32_Other_rs>:");
    expect(() => prove({ ...built, disassembly })).toThrow();
  });

  it("is a secret that was public in the policy's words: a region less of them is found at once", () => {
    const { VAULT, ...memory } = built.map.memory;
    expect(VAULT).toBeGreaterThan(0);
    // without its name the vault belongs to the region in front of it, which is public
    expect(problems("constant time", { map: { ...built.map, memory } })).not.toEqual([]);
  });

  it("is a place that became public without being explained, or an explanation of none", () => {
    const without = built.explanations.replace(/^.*`readByte`.*$/m, "");
    expect(problems("constant time", { explanations: without })).toEqual([
      "command/cbor.ts readByte reveal: 1 in the sources, 0 in PROOFS.md",
    ]);
    const more = `${built.explanations}\n| \`a.ts\` | \`f\` | publish × 2 | |\n`;
    expect(problems("constant time", { explanations: more })).toEqual([
      "a.ts f publish: 0 in the sources, 2 in PROOFS.md",
    ]);
  });

  it.each([
    ['import { REVEALED } from "../memory";', "uses REVEALED"],
    ['import * as memory from "../memory";', "takes all of memory.ts"],
    ['import * as open from "../crypto/declassify";', "in another way"],
    ['import { reveal as open } from "../crypto/declassify";', "in another way"],
    ['export { reveal } from "../crypto/declassify";', "in another way"],
    ['import { reveal } from "../crypto/declassify";\nconst open = reveal;', "uses reveal as a value"],
    ['import { reveal } from "../crypto/declassify";\nclass Open {}', "has classes"],
  ])("is what is made public in a way that is not counted: %s", (text, why) => {
    mkdirSync(join(folder, "store"), { recursive: true });
    writeFileSync(join(folder, "store/own.ts"), `${text}\n`);
    expect(() => readSites(folder)).toThrow(why);
  });

  it("is a use that only the final code has", () => {
    const readings = Number(built.explanations.match(/3 decisions, (\d+) readings/)![1]);
    const explanations = built.explanations.replace(`${readings} readings`, `${readings - 1} readings`);
    expect(problems("constant time", { explanations })).toEqual([
      expect.stringContaining(`there are 3, ${readings}, 3`),
    ]);
  });
});
