/** scripts/prove/bounds.ts: every violation is first seen in a module made for it, then the built core keeps all limits. */
import { readFileSync } from "node:fs";
import asc from "assemblyscript/asc";
import { describe, expect, it } from "vitest";
import { CALLING_HANDLERS } from "../../scripts/check-elf.mjs";
import { bounds, CONTRACT, type Limits, needsTable } from "../../scripts/prove/bounds.js";
import { CALLING, depth, frame } from "../../scripts/prove/frames.js";
import { limitsOf, wasmStack } from "../../scripts/prove/limits.js";
import { disassemble, readListing } from "../../scripts/prove/listing.js";
import { decode, type Func, type FunctionType } from "../../scripts/prove/wasm.js";
import { builtPath } from "../device/built.js";
import { assembled } from "./assembled.js";

const elf = builtPath("ek-ra6m5.elf");
const core = decode(readFileSync(builtPath("core.wasm")));
const markers = core.exports.filter(({ kind }) => kind === "global").map(({ name }) => name);
const limits = limitsOf(elf, disassemble(elf), "board/ek-ra6m5/wasm3_glue.c", markers);
const NOTHING: Limits = { ...limits, imports: new Map(), functions: new Map(), globals: [], start: false };

const IMPORTS = [...CONTRACT.imports].map(([name, type]) => {
  const [params, result] = type.split(" -> ").map((part) => part.replace(/[(),]/g, " ").trim());
  const [from, field] = name.split(".");
  return `(import "${from}" "${field}" (func $${field} (param ${params}) ${result ? `(result ${result})` : ""}))`;
});
const EXPORTS = [
  '(memory (export "memory") 1 1)',
  '(func (export "start") (param i32 i32) (result i32) (i32.const 0))',
  '(func (export "take") (param i32) (result i32) (call $work) (i32.const 0))',
  '(func (export "give") (result i32) (i32.const 0))',
];

/** A module that keeps the contract, and violates what `parts` plant; they define $work. */
const violations = (parts: string[], { imports = IMPORTS, exports = EXPORTS, under = limits } = {}) =>
  bounds(decode(assembled(...imports, ...exports, ...parts)), { ...under, globals: [] }).violations;
const WORK = "(func $work)";

describe("bounds", () => {
  it("has nothing to say of a module that keeps the contract", () => {
    expect(violations([WORK])).toEqual([]);
  });

  it("refuses an import that is not in the contract, one that is missing, and one of another type", () => {
    expect(violations([WORK], { imports: [...IMPORTS, '(import "env" "abort" (func))'] })).toEqual([
      "import env.abort is not in the contract",
    ]);
    expect(violations([WORK], { imports: IMPORTS.slice(0, -1) })).toEqual([
      "import board.rate of the contract is missing",
    ]);
    const other = [...IMPORTS.slice(0, -1), '(import "board" "rate" (func (param i64)))'];
    expect(violations([WORK], { imports: other })).toEqual(["import board.rate is (i64) -> (), expected (i32) -> i32"]);
    const global = [...IMPORTS, '(import "env" "top" (global i32))'];
    expect(violations([WORK], { imports: global })).toEqual([expect.stringContaining("import of a global, env.top")]);
  });

  it("refuses an export that is not agreed, one that is missing, and one of another type", () => {
    expect(violations([WORK, '(func (export "peek"))'])).toEqual(["export peek (function) is not agreed"]);
    expect(violations([WORK], { exports: EXPORTS.slice(0, -1) })).toEqual(["export give is missing"]);
    const other = [...EXPORTS.slice(0, -1), '(func (export "give") (result i64) (i64.const 0))'];
    expect(violations([WORK], { exports: other })).toEqual(["export give is () -> i64, expected () -> i32"]);
    const marker = assembled('(memory (export "memory") 1 1)', '(global (export "mark") i32 (i32.const 0))');
    expect(bounds(decode(marker), { ...NOTHING, globals: ["mark"] }).violations).toEqual([
      "export mark is not a mutable i32 global",
    ]);
  });

  it.each([
    ["without a limit", "1", "memory of 1 to any number of pages"],
    ["that may grow", "1 2", "memory of 1 to 2 pages"],
    ["of another size", "2 2", "memory of 2 to 2 pages"],
  ])("refuses a memory %s", (_what, size, expected) => {
    const exports = [`(memory (export "memory") ${size})`, ...EXPORTS.slice(1)];
    expect(violations([WORK], { exports })).toEqual([expect.stringContaining(expected)]);
  });

  it("refuses memory.grow and names the function", () => {
    expect(violations(["(func $work (drop (memory.grow (i32.const 0))))"])).toEqual([
      expect.stringMatching(/^memory\.grow in work at byte \d+$/),
    ]);
  });

  it("refuses tables and calls through them", () => {
    const parts = ["(table 1 1 funcref)", "(elem (i32.const 0) $work)", "(type $t (func))", WORK];
    const found = violations([...parts, "(func (call_indirect (type $t) (i32.const 0)))"]);
    expect(found).toEqual(expect.arrayContaining(["1 tables, expected none", "elements of a table, expected none"]));
    expect(found).toContainEqual(expect.stringMatching(/^call_indirect in func/));
  });

  it("refuses a start function where none may be, and counts it where one may", () => {
    const parts = [WORK, "(start $work)"];
    expect(violations(parts, { under: { ...limits, start: false } })).toEqual([
      expect.stringContaining("a start function"),
    ]);
    const { violations: none, needs } = bounds(decode(assembled(...IMPORTS, ...EXPORTS, ...parts)), {
      ...limits,
      globals: [],
    });
    expect(none).toEqual([]);
    const [started, called] = ["the start function", "give"].map((name) => needs.find((one) => one.name === name)!);
    expect(started!.cStack).toBeGreaterThan(called!.cStack);
  });

  it("refuses recursion and names the whole circle, reached by an export or not", () => {
    const circle = ["(func $a (call $b))", "(func $b (call $c))", "(func $c (call $a))"];
    expect(violations([WORK, ...circle])).toEqual(["recursion: a -> b -> c -> a"]);
    expect(violations(["(func $work (call $work))"])).toEqual(["recursion: work -> work"]);
  });

  it("refuses constant data beyond the page", () => {
    expect(violations([WORK, '(data (i32.const 65530) "1234567")'])).toEqual([
      "constant data up to 65537, beyond the one page of 65536",
    ]);
  });

  it("refuses the allocator of a module that makes objects", async () => {
    const sources: Record<string, string> = {
      "heap.ts":
        "class Pair { a: i32 = 1; b: i32 = 2 } export function make(n: i32): Pair { const p = new Pair(); p.a = n; return p; }",
    };
    let wasm: Uint8Array | undefined;
    const { error } = await asc.main(["heap.ts", "--outFile", "heap.wasm", "--runtime", "stub", "--debug"], {
      readFile: (name) => sources[name] ?? null,
      writeFile: (name, bytes) => {
        if (name.endsWith(".wasm")) wasm = bytes as Uint8Array;
      },
      listFiles: () => [],
    });
    expect(error).toBeNull();
    const found = bounds(decode(wasm!), NOTHING).violations;
    expect(found).toContainEqual(expect.stringMatching(/^~lib\/rt\/stub\/__new belongs to a heap/));
    expect(found).toContainEqual(expect.stringMatching(/^memory\.grow in /));
    expect(found).toContainEqual("export make (function) is not agreed");
  });

  it("refuses a chain of calls that is too deep for the interpreter's stack, with its path", () => {
    const locals = "(local i64 i64 i64 i64 i64 i64 i64 i64)";
    const chain = Array.from({ length: 130 }, (_, i) => `(func $f${i} ${locals} (call $f${i + 1}))`);
    const found = violations(["(func $work (call $f0))", ...chain, "(func $f130)"]);
    expect(found.filter((one) => one.includes("interpreter's stack"))).toEqual([
      expect.stringMatching(
        /^take needs 8\d\d\d bytes of the interpreter's stack of 6144: take -> work -> f0 -> f1 -> /,
      ),
    ]);
  });

  it("refuses a chain of calls, and loops one after the other, that are too much for the C stack", () => {
    const chain = Array.from({ length: 170 }, (_, i) => `(func $f${i} (call $f${i + 1}))`);
    const onC = (...parts: string[]) => violations(parts).filter((one) => one.includes("C stack"));
    expect(onC("(func $work (call $f0))", ...chain, "(func $f170)")).toEqual([
      expect.stringMatching(/^take needs 8\d\d\d bytes of the C stack of 8192: take -> work -> f0/),
    ]);
    // op_Loop does not end when a loop is left forwards
    expect(onC(`(func $work ${"(loop)".repeat(260)})`)).toEqual([
      expect.stringMatching(/^take needs 8\d\d\d bytes of the C stack of 8192: take -> work$/),
    ]);
    const exclusive = `(if (i32.const 1) (then ${"(loop)".repeat(99)}) (else ${"(loop)".repeat(99)}))`;
    expect(violations([`(func $work ${exclusive})`])).toEqual([]);
  });

  it("refuses what its model of wasm3's stack does not cover", () => {
    const type: FunctionType = { params: [], results: ["i32", "i32"] };
    const code = [{ op: "block", at: 7, type, end: 1 }];
    const one: Func = { index: 0, name: "two", type, locals: [], code, body: new Uint8Array() };
    expect(bounds({ ...core, functions: [one], exports: [], start: undefined }, NOTHING).violations).toContain(
      "two: the model of wasm3's stack does not cover a block with operands or several results",
    );
  });

  it("has nothing to say of the built core", () => {
    const found = bounds(core, limits);
    expect(found.violations).toEqual([]);
    expect(needsTable(found, limits)).toMatch(/^take: \d+ calls deep$/m);
  });
});

describe("the frames of the firmware", () => {
  const listing = (text: string) =>
    readListing(
      text
        .replace(/^ +(\S+) ?(.*)$/gm, (_line, op, args) => `    1000:\t0000      \t${op}\t${args}`)
        .replace(/^(\w+):$/gm, "00001000 <$1>:"),
    );

  it("count pushes and what is taken for locals, and the deepest callee", () => {
    const made = listing(
      "a:\n push {r4, r5, lr}\n sub sp, #28\n bl 1000 <b>\n bl 1000 <c>\nb:\n stmdb sp!, {r4, lr}\nc:\n str.w r4, [sp, #-4]!\n",
    );
    expect([frame(made, "a"), frame(made, "b"), frame(made, "c")]).toEqual([40, 8, 4]);
    expect(depth(made, "a")).toBe(48);
  });

  it("do not count the frame of a function that jumps on at its end", () => {
    expect(depth(listing("a:\n push {r4, lr}\n b.w 1000 <b>\nb:\n push {r4, r5, r6}\n"), "a")).toBe(12);
  });

  it("refuse recursion, calls through a register and frames that are not constant", () => {
    expect(() => depth(listing("a:\n bl 1000 <b>\nb:\n bl 1000 <a>\n"), "a")).toThrow("recursion in C: a -> b -> a");
    expect(() => depth(listing("a:\n blx r3\n"), "a")).toThrow("a calls through a register");
    expect(() => frame(listing("a:\n sub.w sp, sp, r3\n"), "a")).toThrow("the frame's size is not a constant");
    expect(() => frame(listing("a:\n vpush {d8}\n"), "a")).toThrow("not known");
  });

  it("come back in the same handlers as the build's gate lets them", () => {
    expect(CALLING).toEqual(CALLING_HANDLERS);
  });

  it("know the size of the interpreter's stack from the source that sets it", () => {
    expect(limits.wasmStack).toBe(6144);
    expect(() => wasmStack("")).toThrow("WASM_STACK");
  });
});
