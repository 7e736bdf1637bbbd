/** Sizes as people write them. */
import { describe, expect, it } from "vitest";
import { formatGigabytes, parseGigabytes, parseOfflineMode } from "../../host/claims/settings.js";

describe("parseGigabytes", () => {
  it.each([
    ["0", 0n],
    ["10", 10_000_000_000n],
    ["0.5", 500_000_000n],
    ["0.1", 100_000_000n],
    ["0.3", 300_000_000n],
    ["999.999999999", 999_999_999_999n],
    ["0.000000001", 1n],
    ["1000", 1_000_000_000_000n],
    ["1000.000000000", 1_000_000_000_000n],
  ])("reads %s", (text, bytes) => {
    expect(parseGigabytes(text, "x")).toBe(bytes);
  });

  it.each([
    "",
    " ",
    "-1",
    "+1",
    "1000.000000001",
    "1001",
    "10000",
    "0.0000000001",
    "1.",
    ".5",
    "01",
    "1e3",
    "1,5",
    "0x10",
    "1 ",
    "NaN",
    "١",
  ])("refuses %j and names the setting", (text) => {
    expect(() => parseGigabytes(text, "cache-performance")).toThrow(
      "cache-performance: expected gigabytes from 0 to 1000",
    );
  });
});

describe("formatGigabytes", () => {
  it("is the reverse, in the fewest digits", () => {
    for (const text of ["0", "10", "0.5", "999.999999999", "0.000000001", "1000"])
      expect(formatGigabytes(parseGigabytes(text, "x"))).toBe(text);
    expect(formatGigabytes(parseGigabytes("1.500", "x"))).toBe("1.5");
  });
});

describe("parseOfflineMode", () => {
  it("reads true and false and nothing else", () => {
    expect([parseOfflineMode("true", "x"), parseOfflineMode("false", "x")]).toEqual([true, false]);
    for (const text of ["", "1", "yes", "True"])
      expect(() => parseOfflineMode(text, "x")).toThrow("x: expected true or false");
  });
});
