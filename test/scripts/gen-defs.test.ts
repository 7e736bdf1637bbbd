/** scripts/gen-defs.mjs: what becomes a C name, and what is refused. */
import { describe, expect, it } from "vitest";
import { definitions, header } from "../../scripts/gen-defs.mjs";

describe("definitions", () => {
  it("names constants as they are, enum members behind their enum, and statuses alone", () => {
    const text = `
      export const UNIT: i32 = 128; // bytes
      export const ALG: i32 = -19;
      export enum Region { DataFlash = 1 }
      export enum Status { Ok = 0, MediumFailed = -32 }`;
    expect(definitions("a.ts", text)).toEqual([
      { name: "UNIT", value: 128 },
      { name: "ALG", value: -19 },
      { name: "REGION_DATA_FLASH", value: 1 },
      { name: "OK", value: 0 },
      { name: "MEDIUM_FAILED", value: -32 },
    ]);
  });

  it("refuses a computed value, an enum member without one, and anything else than constants and enums", () => {
    expect(() => definitions("a.ts", "export const A: i32 = 1 + 1;")).toThrow("a.ts: A: expected a number");
    expect(() => definitions("a.ts", "export enum E { A }")).toThrow("a.ts: E_A: expected a number");
    expect(() => definitions("a.ts", "export function f(): void {}")).toThrow("constants and enums only");
  });
});

describe("header", () => {
  it("puts negative numbers in parentheses and marks what does not fit into an int", () => {
    const made = header([{ fileName: "a.ts", text: "export const A: i32 = -1; export const B: u32 = 0xffffffff;" }]);
    expect(made).toContain("#define MBS_A (-1)\n#define MBS_B 4294967295u\n");
  });

  it("refuses two definitions with one name", () => {
    const files = ["a.ts", "b.ts"].map((fileName) => ({ fileName, text: "export const A: i32 = 1;" }));
    expect(() => header(files)).toThrow("b.ts: MBS_A is already defined in a.ts");
  });
});
