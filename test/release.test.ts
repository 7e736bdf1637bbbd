/** One core everywhere: what was built, what the ELF holds and hashes, what the host package names, and what the README shows. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { packageCore, packageVersion } from "../host/package.js";
import { built } from "./device/built.js";

const core = built("core.wasm");
const hash = createHash("sha256").update(core).digest();

describe("core.wasm", () => {
  it("is the one that the host package names", () => {
    expect(packageCore()).toBe(hash.toString("hex"));
    expect(packageVersion()).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it("is in the ELF, byte for byte, beside its hash", () => {
    const elf = built("ek-ra6m5.elf");
    expect(elf.includes(core)).toBe(true);
    expect(elf.includes(hash)).toBe(true);
    expect(elf.includes(createHash("sha256").update("another core").digest())).toBe(false);
  });

  it("is the one of the README's transcripts (`npm run readme` writes them anew)", () => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
    const named = [...readme.matchAll(/core(?:\.wasm, SHA-256)? ([0-9a-f]{64})/g)].map((found) => found[1]);
    expect(named.length).toBeGreaterThanOrEqual(3);
    expect(new Set(named)).toEqual(new Set([hash.toString("hex")]));
  });
});
