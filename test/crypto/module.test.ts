/** What core.wasm is made of, read from its bytes: imports, exports, one page of memory, no way to grow, allocate or call indirectly. */
import { readFileSync } from "node:fs";
import binaryen from "assemblyscript/binaryen";
import { describe, expect, it } from "vitest";

const file = (name: string) => readFileSync(new URL(`../../build/${name}`, import.meta.url));

/** Everything that is wrong with a module for this device; empty when nothing is. */
function complaints(wasm: Uint8Array): string[] {
  const found: string[] = [];
  const expectSame = (what: string, got: string[], expected: string[]) => {
    if (got.sort().join() !== expected.sort().join()) found.push(`${what}: ${got}`);
  };
  const module = new WebAssembly.Module(Uint8Array.from(wasm));
  expectSame(
    "imports",
    WebAssembly.Module.imports(module).map((one) => `${one.module}.${one.name} ${one.kind}`),
    [
      ...["read", "program", "erase", "blank", "entropy", "presence", "clock", "diag", "rate"].map(
        (name) => `board.${name} function`,
      ),
    ],
  );
  expectSame(
    "exports",
    WebAssembly.Module.exports(module).map((one) => `${one.name} ${one.kind}`),
    [...["start", "take", "give"].map((name) => `${name} function`), "memory memory"],
  );
  const text = binaryen.readBinary(wasm).emitText();
  const memories = [...text.matchAll(/\(memory \S+ ([^)]*)\)/g)].map((match) => match[1]);
  if (memories.join() !== "1 1") found.push(`memory: ${memories}`);
  for (const instruction of [
    "memory.grow",
    "call_indirect",
    "return_call_indirect",
    "call_ref",
    "table.set",
    "ref.func",
  ]) {
    if (new RegExp(`\\(${instruction.replace(".", "\\.")}\\s`).test(text)) found.push(instruction);
  }
  return found;
}

/** Functions in a module's text that look like a heap's. */
function allocators(text: string): string[] {
  const names = [...text.matchAll(/\(func \$([^\s()]+)/g)].map((match) => match[1]!);
  if (names.length < 20) throw new Error(`the module's text names ${names.length} functions only`);
  return names.filter((name) => /~lib\/rt|alloc|malloc|__new|__renew|__pin|__collect|__retain|__release/i.test(name));
}

describe("core.wasm", () => {
  it("imports the nine functions of the board, exports start, take, give and memory, has one page that cannot grow, and calls nothing indirectly", () => {
    expect(complaints(file("core.wasm"))).toEqual([]);
  });

  it("has no function of an allocator or runtime", () => {
    expect(allocators(file("core.wat").toString())).toEqual([]);
  });
});

describe("the check of core.wasm", () => {
  const IMPORTS = ["read", "program", "erase", "blank", "entropy", "presence", "clock", "diag", "rate"]
    .map((name) => `(import "board" "${name}" (func))`)
    .join("");
  const EXPORTS = '(func (export "start")) (func (export "take")) (func (export "give"))';
  const made = (body: string, imports = IMPORTS, exports = EXPORTS, memory = '(memory (export "memory") 1 1)') =>
    complaints(binaryen.parseText(`(module ${imports} ${memory} ${exports} ${body})`).emitBinary());

  it("has nothing to say about a module as it should be", () => {
    expect(made("")).toEqual([]);
  });

  it.each([
    ["an import too many", () => made("", `${IMPORTS}(import "env" "abort" (func))`), "imports"],
    ["an import too few", () => made("", IMPORTS.replace(/^\(.*?\)\)/, "")), "imports"],
    ["an export too many", () => made('(func (export "peek"))'), "exports"],
    ["a memory of two pages", () => made("", IMPORTS, EXPORTS, '(memory (export "memory") 2 2)'), "memory"],
    ["a memory that may grow", () => made("", IMPORTS, EXPORTS, '(memory (export "memory") 1 2)'), "memory"],
    ["a memory without a maximum", () => made("", IMPORTS, EXPORTS, '(memory (export "memory") 1)'), "memory"],
    ["memory.grow", () => made("(func (drop (memory.grow (i32.const 1))))"), "memory.grow"],
    ["an indirect call", () => made("(table 1 1 funcref) (func (call_indirect (i32.const 0)))"), "call_indirect"],
  ])("finds %s", (_, look, what) => {
    expect(look()).toEqual([expect.stringMatching(new RegExp(`^${what}`))]);
  });

  it("finds an allocator by its name", () => {
    const functions = Array.from({ length: 20 }, (_, i) => `(func $f${i})`).join("");
    expect(allocators(`${functions}(func $~lib/rt/stub/__alloc (param i32))`)).toEqual(["~lib/rt/stub/__alloc"]);
  });
});
