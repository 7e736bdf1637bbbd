/** How much C stack the firmware needs while the core runs, read from the very ELF file: what each function takes from the stack pointer, and
 *  who calls whom. Compiling, at start, is another matter: wasm3 recurses over the blocks of a function there, so it is measured and not bounded
 *  (board/MEMORY.md).
 *  Relies on: listing.ts. */
import { type Line, type Listing, target } from "./listing.js";

export interface Frames {
  /** From reset to the first operation of the core. */
  base: number;
  /** From there on to the first operation of the core's start function. */
  start: number;
  /** A call of the core's own functions, a loop that is entered, and an import with all that it calls in C. */
  call: number;
  loop: number;
  imports: Map<string, number>;
  /** The deepest handler that goes on at its end, with what it calls, and what those that come back call beside the next operation. */
  leaf: number;
}

/** The one function in which a fault is expected and comes back; and what the exception stacks: eight registers, 17 of the FPU and a reserved
 *  word, and up to four bytes to align. Armv8-M ARM B3.19. No interrupt is ever enabled. */
const GUARDED = "fault_guarded_copy";
const EXCEPTION = (8 + 18) * 4 + 4;
/** Not part of a run: all functions are compiled at start and memory does not grow; the start function is looked at by itself. */
const NOT_RUNNING = new Set(["CompileFunction", "ResizeMemory", "core_load", "checkStartFunction"]);
/** In m3_Call: runs the core's start function, inside the first call of an export. */
const START = "checkStartFunction";
/** Handlers that come back from a call through a register: check-elf.mjs, CALLING_HANDLERS (plain JavaScript, which compiled programs cannot
 *  import; a test compares the two). What they call is counted apart. */
export const CALLING = ["op_Loop", "op_Call", "op_CallIndirect", "op_CallRawFunction"];
const RESET = "reset_handler";
const RUN = /^RunCode/;

/** Bytes that one instruction takes from the stack pointer. */
function taken(line: Line, name: string): number {
  const [first, ...rest] = line.args;
  const registers = () => {
    const list = line.args
      .at(-1)!
      .replace(/[{}\s]/g, "")
      .split(",");
    if (list.some((one) => one.includes("-"))) throw new Error(`${name}: ${line.text}: a range of registers`);
    return list.length;
  };
  if (line.op === "push" || (line.op === "stmdb" && first === "sp!")) return 4 * registers();
  const before = /^\[sp, #-(\d+)\]!$/.exec(line.args.at(-1) ?? "");
  if (before) return Number(before[1]);
  if (/^(?:v(?:push|stmdb)|msr$)/.test(line.op) && !line.text.includes("MSPLIM"))
    throw new Error(`${name}: ${line.text}: a change of the stack that is not known`);
  if (!/^subw?s?$/.test(line.op) || first !== "sp") return 0;
  const by = /^#(\d+)$/.exec(rest.at(-1)!);
  if (!by) throw new Error(`${name}: ${line.text}: the frame's size is not a constant`);
  return Number(by[1]);
}

/** Bytes that a function takes itself; all its pushes count, though not every path has them all. */
export function frame(listing: Listing, name: string): number {
  const lines = listing.get(name);
  if (lines === undefined) throw new Error(`the firmware has no function ${name}`);
  return lines.reduce((sum, line) => sum + taken(line, name), 0);
}

function callees(listing: Listing, name: string): { calls: string[]; jumps: string[]; indirect: boolean } {
  const found = { calls: new Set<string>(), jumps: new Set<string>(), indirect: false };
  for (const line of listing.get(name) ?? []) {
    const goal = target(line);
    if (line.op === "bl" || (line.op === "blx" && goal)) found.calls.add(goal!.name);
    else if (line.op === "blx") found.indirect = true;
    else if (goal && goal.name !== name) found.jumps.add(goal.name);
    else if (line.op === "bx" && line.args[0] !== "lr" && !name.startsWith("op_")) found.indirect = true;
  }
  return { calls: [...found.calls], jumps: [...found.jumps], indirect: found.indirect };
}

/** What depth() found, so that it looks at each function once. */
const known = new WeakMap<Listing, Map<string, number>>();

/** Bytes of a function and the deepest chain below it. A function that jumps to another has given its frame back.
 *  @throws Error on a call through a register, on recursion and on a frame that is not constant */
export function depth(listing: Listing, name: string, above: readonly string[] = []): number {
  const before = known.get(listing)?.get(name);
  if (before !== undefined) return before;
  if (above.includes(name)) throw new Error(`recursion in C: ${[...above, name].join(" -> ")}`);
  const own = frame(listing, name) + (name === GUARDED ? EXCEPTION : 0);
  const { calls, jumps, indirect } = callees(listing, name);
  if (indirect && !CALLING.includes(name)) throw new Error(`${name} calls through a register`);
  const below = (names: string[]): number =>
    Math.max(0, ...names.filter((one) => !NOT_RUNNING.has(one)).map((one) => depth(listing, one, [...above, name])));
  const found = Math.max(own + below(calls), below(jumps));
  known.set(listing, (known.get(listing) ?? new Map()).set(name, found));
  return found;
}

/** The deepest chain from one function to another, both included; undefined when there is none. */
function between(listing: Listing, from: string, to: RegExp): number | undefined {
  const own = frame(listing, from);
  if (to.test(from)) return own;
  const { calls, jumps } = callees(listing, from);
  const below = [...calls, ...jumps]
    .filter((one) => !NOT_RUNNING.has(one))
    .map((one) => between(listing, one, to))
    .filter((one) => one !== undefined);
  return below.length === 0 ? undefined : own + Math.max(...below);
}

/** @param imports names of the core's imports: `read` is served by `import_read`, wasm3_glue.c */
export function readFrames(listing: Listing, imports: readonly string[]): Frames {
  const base = between(listing, RESET, RUN);
  if (base === undefined) throw new Error(`no way from ${RESET} to RunCode`);
  const start = listing.has(START) ? between(listing, START, RUN) : 0; // not there when it was inlined
  if (start === undefined) throw new Error(`no way from ${START} to RunCode`);
  const handlers = [...listing.keys()].filter((name) => name.startsWith("op_") && !CALLING.includes(name));
  const beside = CALLING.flatMap((name) => callees(listing, name).calls).filter((name) => !NOT_RUNNING.has(name));
  const raw = frame(listing, "op_CallRawFunction");
  return {
    base,
    start,
    call: frame(listing, "op_Call"),
    loop: frame(listing, "op_Loop"),
    imports: new Map(imports.map((name) => [name, raw + depth(listing, `import_${name}`)])),
    leaf: Math.max(...handlers.map((name) => depth(listing, name)), ...beside.map((name) => depth(listing, name))),
  };
}
