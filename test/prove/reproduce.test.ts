/** scripts/reproduce.mjs: two builds from nothing, in other places, give the same bytes, and they are the bytes in build/. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readElf } from "../../scripts/check-elf.mjs";
import { buildTwice, differences, outputs } from "../../scripts/reproduce.mjs";
import { builtPath } from "../device/built.js";

describe("differences", () => {
  let one: string;
  let other: string;
  beforeAll(() => {
    [one, other] = ["one-", "other-"].map((name) => mkdtempSync(join(tmpdir(), `mbs-${name}`))) as [string, string];
  });
  afterAll(() => {
    for (const folder of [one, other]) rmSync(folder, { recursive: true });
  });
  const changed = (name: string, at: number): string[] => {
    const bytes = readFileSync(builtPath(name));
    writeFileSync(join(one, name), bytes);
    bytes[at]! ^= 1;
    writeFileSync(join(other, name), bytes);
    return differences(one, other);
  };

  it("finds one bit of the program and names its section", () => {
    const { sections } = readElf(readFileSync(builtPath("ek-ra6m5.elf")));
    const text = sections.find(({ name }) => name === ".text")!;
    expect(changed("ek-ra6m5.elf", text.offset + 77)).toEqual([
      expect.stringMatching(
        new RegExp(`^ek-ra6m5\\.elf: .*at byte ${text.offset + 77}, the first section that differs is \\.text$`),
      ),
    ]);
    rmSync(join(one, "ek-ra6m5.elf"));
    rmSync(join(other, "ek-ra6m5.elf"));
  });

  it("finds one bit of the core and names its section", () => {
    const wasm = readFileSync(builtPath("core.wasm"));
    expect(changed("core.wasm", wasm.length - 1)).toEqual([
      expect.stringMatching(/^core\.wasm: .*at byte \d+, the first section that differs is (?:data|custom)$/),
    ]);
    rmSync(join(one, "core.wasm"));
    rmSync(join(other, "core.wasm"));
  });

  it("finds a file that only one build made", () => {
    writeFileSync(join(one, "board.hex"), "");
    expect(differences(one, other)).toEqual([`board.hex: ${join(other, "board.hex")} was not made`]);
    rmSync(join(one, "board.hex"));
  });
});

describe("two builds in folders of different name and depth", () => {
  it("make the same bytes, and the same as build/ holds", async () => {
    await buildTwice((one, other) => {
      expect(outputs(one)).toEqual(expect.arrayContaining(["core.wasm", "ek-ra6m5.elf"]));
      expect(differences(one, other)).toEqual([]);
      for (const name of ["core.wasm", "ek-ra6m5.elf"])
        expect(readFileSync(join(one, name)).equals(readFileSync(builtPath(name))), name).toBe(true);
    });
  });
});
