/** What the core may need at most, shown on the bytes that are shipped: no heap, one page of memory that does not grow, imports and exports as agreed,
 *  no recursion, and for both stacks a bound below what there is. Every violation names the function, and the path to it.
 *  Relies on: wasm.ts, frames.ts (what wasm3's handlers take from the C stack), stack.ts (what a function takes from the interpreter's). */
import type { Frames } from "./frames.js";
import { type Demand, demand } from "./stack.js";
import type { Func, Module } from "./wasm.js";

const PAGE = 65536;
const SLOT = 4;

export interface Limits {
  /** `board.read` -> its type as text: `(i32, i32, i32, i32) -> i32`. */
  imports: ReadonlyMap<string, string>;
  /** Exported functions and their types. */
  functions: ReadonlyMap<string, string>;
  /** Exported mutable i32 globals: markers that checks look at. */
  globals: readonly string[];
  /** Whether a start function may be there: asc makes one for initial values that are not constants. */
  start: boolean;
  /** Bytes of the interpreter's stack and of the C stack. */
  wasmStack: number;
  cStack: number;
  frames: Frames;
}

/** What one exported function needs at most, in bytes, and by which path. */
export interface Need {
  name: string;
  /** Calls inside one another, the export itself included. */
  depth: number;
  wasmStack: number;
  wasmPath: string[];
  cStack: number;
  cPath: string[];
}

export interface Bounds {
  violations: string[];
  needs: Need[];
  /** Where constant data ends in linear memory. */
  staticEnd: number;
}

/** The nine imports of contract.h and the three exports that wasm3_glue.c looks for. */
export const CONTRACT: Pick<Limits, "imports" | "functions"> = {
  imports: new Map([
    ["board.read", "(i32, i32, i32, i32) -> i32"],
    ["board.program", "(i32, i32, i32, i32) -> i32"],
    ["board.erase", "(i32, i32) -> i32"],
    ["board.blank", "(i32, i32, i32) -> i32"],
    ["board.entropy", "(i32, i32) -> i32"],
    ["board.presence", "(i32) -> i32"],
    ["board.clock", "() -> i64"],
    ["board.diag", "(i32) -> ()"],
    ["board.rate", "(i32) -> i32"],
  ]),
  functions: new Map([
    ["start", "(i32, i32) -> i32"],
    ["take", "(i32) -> i32"],
    ["give", "() -> i32"],
  ]),
};

const typeText = ({ type }: Func): string => `(${type.params.join(", ")}) -> ${type.results.join(", ") || "()"}`;
const RUNTIME =
  /~lib\/rt\/|~lib\/(?:array|arraybuffer|map|set|string|typedarray|dataview)\/|__(?:new|renew|alloc|free|pin|unpin|collect|visit)\b/;

function shape(module: Module, limits: Limits, say: (text: string) => void): number {
  const [memory] = module.memories;
  if (module.memories.length !== 1 || memory === undefined) say(`${module.memories.length} memories, expected one`);
  else {
    if (memory.imported) say("the memory is imported; wasm3 cannot link one");
    if (memory.min !== 1 || memory.max !== 1)
      say(`memory of ${memory.min} to ${memory.max ?? "any number of"} pages, expected exactly 1`);
  }
  if (module.tables.length > 0) say(`${module.tables.length} tables, expected none`);
  if (module.elements.length > 0) say("elements of a table, expected none");
  if (module.start !== undefined && !limits.start)
    say(`a start function, ${module.functions[module.start]!.name}, expected none`);

  const imported = new Map(module.functions.filter((one) => one.import).map((one) => [one.import!, typeText(one)]));
  for (const { module: from, name, kind } of module.imports)
    if (kind !== "function") say(`import of a ${kind}, ${from}.${name}; only functions of the board may be`);
  for (const [name, type] of imported) {
    const expected = limits.imports.get(name);
    if (expected === undefined) say(`import ${name} is not in the contract`);
    else if (expected !== type) say(`import ${name} is ${type}, expected ${expected}`);
  }
  for (const name of limits.imports.keys()) if (!imported.has(name)) say(`import ${name} of the contract is missing`);

  const expected = new Set(["memory", ...limits.functions.keys(), ...limits.globals]);
  for (const { name, kind, index } of module.exports) {
    if (!expected.delete(name)) say(`export ${name} (${kind}) is not agreed`);
    else if (name === "memory") {
      if (kind !== "memory") say(`export memory is a ${kind}`);
    } else if (limits.functions.has(name)) {
      const type = kind === "function" ? typeText(module.functions[index]!) : kind;
      if (type !== limits.functions.get(name)) say(`export ${name} is ${type}, expected ${limits.functions.get(name)}`);
    } else {
      const global = kind === "global" ? module.globals[index] : undefined;
      if (!global?.mutable || global.type !== "i32") say(`export ${name} is not a mutable i32 global`);
    }
  }
  for (const name of expected) say(`export ${name} is missing`);

  const staticEnd = Math.max(0, ...module.data.map(({ offset, bytes }) => offset + bytes.length));
  if (staticEnd > PAGE) say(`constant data up to ${staticEnd}, beyond the one page of ${PAGE}`);
  for (const { name, code } of module.functions) {
    if (RUNTIME.test(name)) say(`${name} belongs to a heap; the core has none`);
    for (const { op, at } of code)
      if (op === "memory.grow" || op === "call_indirect") say(`${op} in ${name} at byte ${at}`);
  }
  return staticEnd;
}

interface Sum {
  depth: number;
  slots: number;
  slotPath: string[];
  bytes: number;
  bytePath: string[];
}

/** Checks a module.
 *  @returns what it needs, and all that is not as it must be */
export function bounds(module: Module, limits: Limits): Bounds {
  const found = new Set<string>();
  const say = (text: string) => {
    found.add(text);
  };
  const staticEnd = shape(module, limits, say);
  const { frames } = limits;
  const demands = new Map<number, Demand>();
  for (const one of module.functions) {
    if (one.import) continue;
    try {
      demands.set(one.index, demand(module, one));
    } catch (error) {
      say((error as Error).message);
      demands.set(one.index, { slots: 0, loops: 0, calls: [] });
    }
  }

  const known = new Map<number, Sum>();
  const path: number[] = [];
  const nothing: Sum = { depth: 0, slots: 0, slotPath: [], bytes: 0, bytePath: [] };
  const sum = (index: number): Sum => {
    const one = module.functions[index]!;
    const { name } = one;
    if (one.import) {
      const bytes = frames.imports.get(one.import.replace(/^board\./, "")) ?? 0;
      const slots = 2 * (one.type.params.length + one.type.results.length);
      return { depth: 0, slots, slotPath: [name], bytes, bytePath: [name] };
    }
    if (path.includes(index)) {
      const names = [...path.slice(path.indexOf(index)), index].map((each) => module.functions[each]!.name);
      say(`recursion: ${names.join(" -> ")}`);
      return nothing;
    }
    const before = known.get(index);
    if (before) return before;
    path.push(index);
    const own = demands.get(index)!;
    const all: Sum = {
      depth: 1,
      slots: own.slots,
      slotPath: [name],
      bytes: own.loops * frames.loop + frames.leaf,
      bytePath: [name],
    };
    for (const { index: callee, at, loops } of own.calls) {
      const below = sum(callee);
      all.depth = Math.max(all.depth, 1 + below.depth);
      if (at + below.slots > all.slots) {
        all.slots = at + below.slots;
        all.slotPath = [name, ...below.slotPath];
      }
      const bytes = loops * frames.loop + frames.call + below.bytes;
      if (bytes > all.bytes) {
        all.bytes = bytes;
        all.bytePath = [name, ...below.bytePath];
      }
    }
    path.pop();
    known.set(index, all);
    return all;
  };

  const need = (name: string, index: number, base: number): Need => {
    const { depth, slots, slotPath, bytes, bytePath } = sum(index);
    return { name, depth, wasmStack: SLOT * slots, wasmPath: slotPath, cStack: base + bytes, cPath: bytePath };
  };
  const needs = module.exports
    .filter(({ kind }) => kind === "function")
    .map(({ name, index }) => need(name, index, frames.base));
  // wasm3 runs it inside the first call of an export
  if (module.start !== undefined) needs.push(need("the start function", module.start, frames.base + frames.start));
  for (const { index } of module.functions) sum(index); // what no export reaches must not recurse either
  for (const { name, wasmStack, wasmPath, cStack, cPath } of needs) {
    // op_Entry compares with "<": a stack that is used to its last slot traps
    if (wasmStack >= limits.wasmStack)
      say(
        `${name} needs ${wasmStack} bytes of the interpreter's stack of ${limits.wasmStack}: ${wasmPath.join(" -> ")}`,
      );
    if (cStack > limits.cStack)
      say(`${name} needs ${cStack} bytes of the C stack of ${limits.cStack}: ${cPath.join(" -> ")}`);
  }
  return { violations: [...found], needs, staticEnd };
}

/** The bounds as text for a report. */
export const needsTable = ({ needs }: Bounds, limits: Limits): string =>
  needs
    .flatMap((one) => [
      `${one.name}: ${one.depth} calls deep`,
      `  interpreter's stack ${one.wasmStack} of ${limits.wasmStack} bytes: ${one.wasmPath.join(" -> ")}`,
      `  C stack ${one.cStack} of ${limits.cStack} bytes: ${one.cPath.join(" -> ")}`,
    ])
    .join("\n");
