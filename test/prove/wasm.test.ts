/** scripts/prove/wasm.ts: it decodes what the core is made of, and refuses everything else. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decode, signature, width } from "../../scripts/prove/wasm.js";
import { builtPath } from "../device/built.js";
import { assembled } from "./assembled.js";

describe("a module", () => {
  it("is decoded to its operations, with what each says", () => {
    const module = decode(
      assembled(`(memory 1 1) (global $g (mut i32) (i32.const 7))
        (func (export "f") (param i32) (result i64) (local i64)
          (if (local.get 0) (then (global.set $g (i32.const -3))) (else (i64.store32 offset=9 (i32.const 4) (i64.const 5))))
          (i64.load offset=8 (local.get 0)))`),
    );
    expect(module.functions[0]).toMatchObject({ name: "f", locals: ["i32", "i64"] });
    expect(module.functions[0]?.code.map(({ op }) => op)).toEqual(
      ["local.get", "if", "i32.const", "global.set", "else", "i32.const", "i64.const", "i64.store32", "end"].concat([
        "local.get",
        "i64.load",
        "end",
      ]),
    );
    expect(module.functions[0]?.code[1]).toMatchObject({ else: 4, end: 8 });
    expect(module.functions[0]?.code[2]?.value).toBe(-3);
    expect(module.functions[0]?.code[7]?.offset).toBe(9);
    expect(module.globals).toEqual([{ type: "i32", mutable: true, value: 7, imported: false }]);
    expect(module.memories).toEqual([{ min: 1, max: 1, imported: false }]);
  });

  it("has operations of known widths and types", () => {
    expect(["i64.load", "i32.store8", "i64.load32_u", "i32.load"].map(width)).toEqual([8, 1, 4, 4]);
    expect(signature("i64.lt_u")).toEqual({ params: ["i64", "i64"], results: ["i32"] });
    expect(signature("i64.extend_i32_s")).toEqual({ params: ["i32"], results: ["i64"] });
    expect(signature("i32.wrap_i64")).toEqual({ params: ["i64"], results: ["i32"] });
    expect(signature("i32.popcnt")).toEqual({ params: ["i32"], results: ["i32"] });
  });

  it.each([
    ["floats", '(func (export "f") (drop (f32.const 1)))'],
    ["a float parameter", '(func (export "f") (param f64))'],
    ["vectors", '(func (export "f") (drop (v128.const i32x4 0 0 0 0)))'],
    ["saturating truncation", '(func (export "f") (param i32) (drop (i32.trunc_sat_f32_s (f32.const 0))))'],
    [
      "passive data",
      '(memory 1 1) (data "x") (func (export "f") (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1)))',
    ],
    ["references", '(func (export "f") (drop (ref.null func)))'],
    ["atomics", '(memory 1 1) (func (export "f") (drop (i32.atomic.load (i32.const 0))))'],
  ])("with %s is refused", (_, text) => {
    expect(() => decode(assembled(text))).toThrow();
  });

  it("is refused when it is cut anywhere in its code or before it, or goes on behind its end", () => {
    const bytes = readFileSync(builtPath("core.wasm"));
    const code = decode(bytes).functions.find((one) => one.import === undefined)?.code[0]?.at ?? 0;
    for (let length = code - 50; length < code + 4000; length++)
      expect(() => decode(bytes.subarray(0, length)), `${length}`).toThrow();
    expect(() => decode(Buffer.concat([bytes, Buffer.of(1)]))).toThrow();
    expect(() => decode(Buffer.from("0061736d02000000", "hex"))).toThrow("version 1");
  });
});
