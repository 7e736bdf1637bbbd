/** Which operations of WebAssembly may see a secret under the interpreter that is linked into one firmware. The engine's own table
 *  (c_operations in m3_compile.c) says which handlers serve an operation, the disassembly of the very ELF file what they do with their
 *  operands. Another compiler, other flags or another wasm3 may give another answer; therefore it is computed for each build.
 *  Relies on: operands.ts. */

import { readListing } from "./listing.js";
import { decidedBy } from "./operands.js";
import type { Module } from "./wasm.js";

/** free: any operand may be secret. place: addresses and lengths must be public, what lies there need not be. control: the operand chooses
 *  where to go on and must be public. forbidden: no operand may be secret. */
export type Verdict = "free" | "place" | "control" | "forbidden";

export interface Operation {
  verdict: Verdict;
  /** What was found, or why it is so by its nature. */
  reason: string;
  handlers: string[];
}

export interface Audit {
  /** Every operation that the engine knows; `select` is two: `i32.select` and `i64.select`. */
  operations: Map<string, Operation>;
  /** Those that no secret may reach, with the reason. */
  forbidden: Map<string, string>;
}

/** Serve no operation of their own: any operation may bring them along, to move operands between the register, slots and constants, to go on in
 *  another page of compiled code, and at the first call of a function. */
const SHARED = (
  "Branch Const32 Const64 SetRegister_i32 SetRegister_i64 SetSlot_i32 SetSlot_i64 CopySlot_32 CopySlot_64 " +
  "PreserveSetSlot_i32 PreserveSetSlot_i64 PreserveCopySlot_32 PreserveCopySlot_64"
).split(" ");

/** Operations that compile to something else than one entry of the engine's table: m3_compile.c, the functions Compile_*. */
const COMPILED = new Map<string, string>([
  ["nop", ""],
  ["block", ""],
  ["else", "Branch"],
  ["end", "Return"],
  ["drop", ""],
  ["return", "Return"],
  ["unreachable", "Unreachable"],
  ["loop", "Loop"],
  ["br", "Branch ContinueLoop Return"],
  ["if", "If_r If_s"],
  ["br_if", "BranchIf_r BranchIf_s BranchIfPrologue_r BranchIfPrologue_s ContinueLoopIf"],
  ["br_table", "BranchTable"],
  ["call", "Call Compile Entry CallRawFunction"],
  ["call_indirect", "CallIndirect Entry CallRawFunction"],
  ["local.get", ""],
  ["local.set", ""],
  ["local.tee", ""],
  ["global.get", "GetGlobal_s32 GetGlobal_s64"],
  ["global.set", "SetGlobal_i32 SetGlobal_i64 SetGlobal_s32 SetGlobal_s64"],
  ["i32.const", "Const32"],
  ["i64.const", "Const64"],
  ["memory.size", "MemSize"],
  ["memory.grow", "MemGrow"],
  ["memory.copy", "MemCopy"],
  ["memory.fill", "MemFill"],
  ["i32.select", "Select_i32_rss Select_i32_srs Select_i32_ssr Select_i32_sss"],
  ["i64.select", "Select_i64_rss Select_i64_srs Select_i64_ssr Select_i64_sss"],
]);

const CONTROL = new Set(["if", "br_if", "br_table", "call_indirect"]);

/** Not looked into: CompileFunction is not reached, since everything is compiled at start, and ResizeMemory not, since the core cannot grow. */
const OPAQUE = new Set(["CompileFunction", "ResizeMemory"]);

/** What may decide although it is not an operand: the function's own figures (depth of the stack, constants), and whether a callee trapped. */
const NO_OPERANDS: ReadonlyMap<string, readonly string[]> = new Map([
  ["op_Entry", ["record"]],
  ["op_Call", ["result"]],
  ["op_Compile", ["record", "result"]],
  ["op_Loop", ["result"]],
  ["op_Branch", ["record"]], // words of compiled code on another page
]);

/** Where loads, stores, copies and fills keep addresses and lengths, by the letters of the handler: m3_exec.h, d_m3Load and d_m3Store. The
 *  bounds check branches on them, and nothing else. */
const PLACES: readonly (readonly [RegExp, readonly string[]])[] = [
  [/_Load_\w+_r$/, ["register"]],
  [/_Load_\w+_s$/, ["slot 0"]],
  [/_Store_\w+_rs$/, ["slot 0"]],
  [/_Store_\w+_sr$/, ["register"]],
  [/_Store_\w+_ss$/, ["slot 1"]],
  [/_MemFill$/, ["register", "slot 1"]], // length, destination; slot 0 is the byte
  [/_MemCopy$/, ["register", "slot 0", "slot 1"]],
];
const HANDLERS_LEAST = 200; // fewer means that the names were not found, not that all is well

/** Reads the engine's table.
 *  @param compiler text of m3_compile.c
 *  @returns operation -> names of its handlers without `op_`. Operations on floats are left out.
 *  @throws Error when the table is not as expected */
export function handlersOf(compiler: string): Map<string, string[]> {
  const found = new Map(
    [...COMPILED].map(([operation, names]) => [operation, names.split(" ").filter((name) => name !== "")] as const),
  );
  const suffixes: Record<string, string> = { unary: "r s", bin: "rs sr ss", commutativeBin: "rs ss" };
  for (const [, name, kind, type, family] of compiler.matchAll(
    /M3OP\( "([^"]+)",[^{}\n]*?d_(unary|bin|commutativeBin)OpList *\((\w+), *(\w+)\)/g,
  )) {
    // the names of WebAssembly before 1.0
    const operation = name!
      .replace(/^i32\.wrap\/i64$/, "i32.wrap_i64")
      .replace(/^i64\.extend_([su])\/i32$/, "i64.extend_i32_$1");
    found.set(
      operation,
      suffixes[kind!]!.split(" ").map((suffix) => `${type}_${family}_${suffix}`),
    );
  }
  const least = 100;
  if (found.size < least)
    throw new Error(`m3_compile.c: expected ${least} operations in c_operations, found ${found.size}`);
  return found;
}

/** Audits the handlers of a firmware.
 *  @param disassembly of the ELF file, objdump -d
 *  @param compiler text of m3_compile.c that it was built from
 *  @throws Error when a handler is missing, or one is there that no operation is known to use */
export function audit(disassembly: string, compiler: string): Audit {
  const listing = readListing(disassembly);
  const table = handlersOf(compiler);
  const there = [...listing.keys()].filter((name) => name.startsWith("op_"));
  if (there.length < HANDLERS_LEAST)
    throw new Error(`found ${there.length} handlers, expected ${HANDLERS_LEAST} or more`);
  const used = new Set([...SHARED, "Unsupported", ...[...table.values()].flat()].map((name) => `op_${name}`));
  const unknown = there.filter((name) => !used.has(name));
  if (unknown.length > 0)
    throw new Error(`no operation is known to use ${unknown.join(", ")}; say in scripts/prove/handlers.ts which do`);

  const shared = SHARED.flatMap((name) => complaints(`op_${name}`));
  if (shared.length > 0)
    throw new Error(`every operation may bring along what no secret may reach: ${shared.join("; ")}`);

  function complaints(handler: string): string[] {
    const places = PLACES.find(([pattern]) => pattern.test(handler))?.[1] ?? [];
    const allowed = [...places, ...(NO_OPERANDS.get(handler) ?? [])];
    return [...decidedBy(listing, handler, OPAQUE).by]
      .filter(([operand]) => !allowed.includes(operand))
      .map(([operand, why]) => `${operand} ${why}`);
  }
  const operations = new Map<string, Operation>();
  for (const [name, handlers] of table) {
    const names = handlers.map((one) => `op_${one}`);
    const found = names.flatMap(complaints);
    if (CONTROL.has(name)) {
      operations.set(name, { verdict: "control", reason: "its operand chooses where to go on", handlers: names });
    } else if (found.length > 0) {
      operations.set(name, { verdict: "forbidden", reason: found[0]!, handlers: names });
    } else if (names.some((one) => PLACES.some(([pattern]) => pattern.test(one)))) {
      const reason = "only the address and the length decide: the bounds check, and the loop over the bytes";
      operations.set(name, { verdict: "place", reason, handlers: names });
    } else {
      operations.set(name, {
        verdict: "free",
        reason: "no operand decides a branch, an address or a division",
        handlers: names,
      });
    }
  }
  const forbidden = new Map(
    [...operations].filter(([, one]) => one.verdict === "forbidden").map(([name, one]) => [name, one.reason]),
  );
  return { operations, forbidden };
}

/** Operations of a module that were not audited. A `select` of unknown type counts as both. */
export function notAudited(module: Module, { operations }: Audit): string[] {
  const missing = new Set<string>();
  for (const { name, code } of module.functions)
    for (const { op } of code)
      for (const one of op === "select" ? ["i32.select", "i64.select"] : [op])
        if (!operations.has(one)) missing.add(`${one}, first in ${name}: no handler of it was audited`);
  return [...missing];
}

/** The audit as text, sorted, without addresses, so that it changes only when an answer does. */
export function auditTable({ operations }: Audit): string {
  const rows = [...operations].sort(([a], [b]) => (a < b ? -1 : 1));
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows
    .map(([name, { verdict, reason }]) => {
      const place = reason.replace(/ at 0x[0-9a-f]+/, "").replace(/ \([^)]*\)$/, "");
      return `${name.padEnd(width)}  ${verdict.padEnd(9)}  ${place}`;
    })
    .join("\n");
}
