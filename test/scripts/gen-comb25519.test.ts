/** The constants of Ed25519 that are checked in. */
import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";

describe("gen-comb25519.mjs", () => {
  it("makes firmware/crypto/comb25519.ts byte for byte", () => {
    expect(execFileSync(process.execPath, ["scripts/gen-comb25519.mjs", "--check"], { encoding: "utf8" })).toBe("");
  });
});
