/** scripts/aot.mjs: what it changes in the C that wasm2c makes, and that it refuses C that it does not know. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { atItsPlace, OtherTranslator, translate } from "../../scripts/aot.mjs";
import { builtPath } from "../device/built.js";

const folder = mkdtempSync(join(tmpdir(), "mbs-aot-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the C made of core.wasm", () => {
  const text = readFileSync(translate(builtPath("core.named.wasm"), folder), "utf8");

  it("finds the memory at its place in each load and store, behind a check (test/board/bounds.test.ts tries them)", () => {
    expect(text.match(/ MEMCHECK\(base, offset, t1\); +\\\n.*\n.*&core_page\[base \+ offset\]/g)).toHaveLength(2);
    expect(text).not.toContain("w2c_memory, (u64)");
  });

  it("hides each mask from gcc, before and after it is made of a sign", () => {
    const masks = text.match(/ = 63ull;\n.*>> \(/g)?.length ?? 0;
    expect(masks).toBeGreaterThan(0);
    expect(text.match(/OPAQUE\((w2c_j\d)\);\n.* = 63ull;\n +\1 = .*\n +OPAQUE\(\1\);/g)).toHaveLength(masks);
  });

  it("names functions as the sources do", () => {
    expect(text).toContain("w2c_firmware_crypto_chacha20_");
  });
});

describe("C that is not known", () => {
  it("is refused, with what is missing: what another wasm2c makes may check in another way", () => {
    expect(() => atItsPlace("int main(void);\n")).toThrow(OtherTranslator);
    expect(() => atItsPlace('#include "core_aot.h"\n')).toThrow(
      '"offset + (uint64_t)len > mem->size" stands in it 0 times, expected 1',
    );
  });
});

describe("a file that is no module", () => {
  it("is refused in wasm2c's words", () => {
    const file = join(folder, "no.wasm");
    writeFileSync(file, "no");
    expect(() => translate(file, folder)).toThrow("wasm2c refuses no.wasm");
  });
});
