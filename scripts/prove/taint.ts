/** The second look at secrets: a module runs, and with each value and each byte of memory goes whether it was made from a secret.
 *  secrets.ts says what holds for every run because of where bytes stand; this says for the runs that it makes whether the bytes were what
 *  they were taken to be: that what is expected to be public is, that nothing secret decides anything, that every access stays inside of the
 *  cells that were foreseen for it. firmware/PROOFS.md.
 *
 *  Each function of the module becomes one of JavaScript: a variable for each local and each place on the operand stack, and one more for its
 *  mark. A mark is a set of bits; a byte of memory has the first of them. */
import { accessOf, type Cell, type Finding, type Policy, type Report } from "./secrets.js";
import {
  type Func,
  type FunctionType,
  type Instruction,
  type Module,
  signature,
  type ValueType,
  width,
} from "./wasm.js";

/** Made from a secret. */
const SECRET = 1;
/** An address: what is read through it counts as public. */
const VIEW = 2;
/** An address: what is read through it has to be public. */
const EXPECTED = 4;

const PAGE = 65536;

/** The module stopped itself, or did what is not possible. */
export class Trap extends Error {
  override name = "Trap";
}

/** An import: its arguments in, its result out. */
export type Import = (...args: never[]) => unknown;

export interface TaintedCore {
  readonly memory: Uint8Array;
  call(name: string, ...args: number[]): number;
  /** Marks bytes that came from outside: secret where secrets may stand. */
  markAsPlaced(at: number, length: number): void;
  /** Cells in which something secret stands now. */
  secretCells(): Cell[];
}

/** An operation in the code that runs, or one side of a copy. */
interface Site {
  func: Func;
  one: Instruction;
  /** What the static check foresaw here; undefined when it never came here. */
  foreseen: Set<Cell> | "any" | undefined;
}

/** A module made ready to be run; instances share the findings. */
export class TaintRun {
  /** Operations that ran at least once, by function. */
  readonly reached = new Set<string>();
  /** Bytes that passed where they were expected to be public. */
  expected = 0;
  #findings: Finding[] = [];
  readonly #told = new Set<string>();
  readonly #module: Module;
  readonly #policy: Policy;
  readonly #cells: Cell[];
  /** The cell of each byte of memory; 0: none. */
  readonly #cellAt = new Uint16Array(PAGE);
  readonly #sites: Site[] = [];
  /** For each site and cell: 1 when the access is one that was foreseen. */
  readonly #allowed: Uint8Array;
  readonly #source: string;

  constructor(module: Module, policy: Policy, accesses: Report["accesses"]) {
    this.#module = module;
    this.#policy = policy;
    this.#cells = policy.regions.flatMap((region) => region.cells);
    this.#cells.forEach(({ at, size }, i) => {
      this.#cellAt.fill(i + 1, at, at + size);
    });
    const site = (func: Func, one: Instruction, side?: "from" | "to"): number => {
      this.#sites.push({ func, one, foreseen: accesses.get(accessOf(one, side)) });
      return this.#sites.length - 1;
    };
    this.#source = program(module, policy, site);
    const width = this.#cells.length + 1;
    this.#allowed = new Uint8Array(this.#sites.length * width);
    this.#sites.forEach(({ foreseen }, i) => {
      if (foreseen === "any") this.#allowed.fill(1, i * width, (i + 1) * width);
      else if (foreseen) for (const cell of foreseen) this.#allowed[i * width + 1 + this.#cells.indexOf(cell)] = 1;
    });
  }

  /** What was found since they were taken last. */
  takeFindings(): Finding[] {
    const found = this.#findings;
    this.#findings = [];
    return found;
  }

  #find(site: number, what: string): void {
    const key = `${site} ${what}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    const { func, one } = this.#sites[site] as Site;
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 100;
    const frames = new Error().stack?.match(/\bwasm\d+\b/g) ?? [];
    Error.stackTraceLimit = limit;
    const path = frames.map((name) => this.#module.functions[Number(name.slice(4))]?.name ?? name).reverse();
    this.#findings.push({ function: func.name, at: one.at, what, path });
  }

  #cellName(at: number): string {
    return this.#cells[(this.#cellAt[at] as number) - 1]?.name ?? "no region";
  }

  /** An instance. @param imports by `module.name`; they read and write `memory` */
  instance(board: Readonly<Record<string, Import>>): TaintedCore {
    const memory = new Uint8Array(PAGE);
    const marks = new Uint8Array(PAGE);
    const cellAt = this.#cellAt;
    const allowed = this.#allowed;
    const width = this.#cells.length + 1;
    const isPublic = Uint8Array.from([0, ...this.#cells.map((cell) => Number(cell.isPublic))]);
    const find = (site: number, what: string) => this.#find(site, what);

    const stays = (site: number, at: number, length: number): void => {
      for (let i = at; i < at + length; i++) {
        if (allowed[site * width + (cellAt[i] as number)] === 1) continue;
        const { foreseen } = this.#sites[site] as Site;
        const region = this.#cellName(i);
        const why = foreseen === undefined ? "which the static check never came to" : "which was not foreseen";
        find(site, `an access to ${region}, ${why}`);
        return;
      }
    };
    /** Marks bytes that are written. */
    const mark = (site: number, at: number, length: number, secret: number): void => {
      marks.fill(secret, at, at + length);
      if (secret === 0) return;
      for (let i = at; i < at + length; i++) {
        if (isPublic[cellAt[i] as number] !== 1) continue;
        find(site, `a secret is stored in ${this.#cellName(i)}, which is public`);
        return;
      }
    };
    const looksPublic = (site: number, at: number, length: number): void => {
      this.expected += length;
      if (marks.subarray(at, at + length).includes(1))
        find(site, `bytes of ${this.#cellName(at)} that should be public are secret`);
    };

    const call = (site: number, name: string, args: (number | bigint)[], masks: number[]): unknown => {
      masks.forEach((one, i) => {
        if (one & SECRET) find(site, `argument ${i} of ${name} is secret`);
      });
      const run = board[name] as ((...args: (number | bigint)[]) => unknown) | undefined;
      const rule = this.#policy.imports[name];
      if (run === undefined || rule === undefined) throw new Error(`nothing is known of the import ${name}`);
      const { takes, writes } = rule;
      const known = args.map((arg) => (typeof arg === "number" ? [arg] : undefined));
      const range = (side: { pointer: number; length: number }) => {
        const at = (args[side.pointer] as number) >>> 0;
        const length = (args[side.length] as number) >>> 0;
        if (at + length > PAGE) throw new Trap(`${name}: ${at} + ${length} lies outside of memory`);
        stays(site, at, length);
        return [at, length] as const;
      };
      if (takes) {
        const [at, length] = range(takes);
        const how = masks[takes.pointer] as number;
        if (how & EXPECTED) looksPublic(site, at, length);
        if (!takes.mayBeSecret(known) && !(how & VIEW) && marks.subarray(at, at + length).includes(1))
          find(site, `${name} is given secret bytes of ${this.#cellName(at)}`);
      }
      const into = writes ? range(writes) : undefined;
      const result = run(...args);
      if (writes && into) mark(site, into[0], into[1], writes.isSecret(known) ? SECRET : 0);
      return result;
    };
    const make = new Function("tools", this.#source) as (
      tools: object,
    ) => Record<string, (...args: number[]) => number>;
    const { declassify, reveal, expect } = this.#policy;
    const markers = [declassify, reveal, expect];
    const tools = {
      memory,
      marks,
      cellAt,
      allowed,
      width,
      markers,
      find,
      stays,
      mark,
      looksPublic,
      call,
      Trap,
      ran: this.reached,
    };
    for (const { offset, bytes } of this.#module.data) memory.set(bytes, offset);
    const code = make(tools);
    return {
      memory,
      markAsPlaced: (at, length) => {
        for (let i = at; i < at + length; i++) marks[i] = isPublic[cellAt[i] as number] === 1 ? 0 : SECRET;
      },
      secretCells: () => this.#cells.filter(({ at, size }) => marks.subarray(at, at + size).includes(SECRET)),
      call: (name, ...args) => {
        const found = this.#module.exports.find((one) => one.kind === "function" && one.name === name);
        const run = found && code[`wasm${found.index}`];
        if (run === undefined) throw new Error(`the module exports no function ${name}`);
        return run(...args.flatMap((arg) => [arg, 0]));
      },
    };
  }
}

/** What the code of all functions stands in. */
const FRAME = `"use strict";
const { memory: M, marks: S, cellAt, allowed, width, markers, find, stays, mark, looksPublic, call, Trap, ran } = tools;
const V = new DataView(M.buffer);
const U = (x) => BigInt.asUintN(64, x), I = (x) => BigInt.asIntN(64, x);
let T = 0; // mark of what was loaded or returned last
const stored = [0, 0, 0]; // marks of what passes through the markers
const no = (why) => { throw new Trap(why); };
function place(site, a, t, offset, length) {
  const p = (a >>> 0) + offset;
  if (p + length > ${PAGE}) no("an access outside of memory");
  if (t & ${SECRET}) find(site, "the address depends on a secret");
  const base = site * width;
  if (allowed[base + cellAt[p]] === 0 || allowed[base + cellAt[p + length - 1]] === 0) {
    const marker = markers.indexOf(p);
    if (marker >= 0) return -1 - marker;
    stays(site, p, length);
  }
  return p;
}
function read(site, a, t, offset, length) {
  const p = place(site, a, t, offset, length);
  if (p < 0) {
    T = p === -1 ? 0 : stored[-1 - p] | (p === -2 ? ${VIEW} : ${EXPECTED});
    return markers[-1 - p];
  }
  T = 0;
  for (let i = p; i < p + length; i++) T |= S[i];
  if (t & ${EXPECTED}) looksPublic(site, p, length);
  if (t & ${VIEW}) T = 0;
  return p;
}
function written(site, a, t, offset, length, mask) {
  const p = place(site, a, t, offset, length);
  if (p < 0) {
    stored[-1 - p] = mask;
    return markers[-1 - p];
  }
  if (mask & ${SECRET}) mark(site, p, length, ${SECRET});
  else for (let i = p; i < p + length; i++) S[i] = 0;
  return p;
}
function range(site, a, t, n, tn) {
  const p = a >>> 0, length = n >>> 0;
  if (p + length > ${PAGE}) no("a range outside of memory");
  if ((t | tn) & ${SECRET}) find(site, "a range depends on a secret");
  stays(site, p, length);
  return p;
}
function copy(siteTo, siteFrom, to, tTo, from, tFrom, n, tn) {
  const p = range(siteTo, to, tTo, n, tn), q = range(siteFrom, from, tFrom, n, tn), length = n >>> 0;
  if (tFrom & ${EXPECTED}) looksPublic(siteFrom, q, length);
  M.copyWithin(p, q, q + length);
  if (tFrom & ${VIEW}) { S.fill(0, p, p + length); return; }
  S.copyWithin(p, q, q + length);
  for (let i = p; i < p + length; i++) if (S[i] !== 0) mark(siteTo, i, 1, 1);
}
function fill(site, to, tTo, x, tx, n, tn) {
  const p = range(site, to, tTo, n, tn), length = n >>> 0;
  M.fill(x, p, p + length);
  mark(site, p, length, tx & ${SECRET});
}
function popcount(x) { let n = 0; for (let y = BigInt.asUintN(64, BigInt(x)); y; y &= y - 1n) n++; return n; }
function zeros64(x) { return x === 0n ? 64n : BigInt(64 - x.toString(2).length); }
function below64(x) { return x === 0n ? 64n : 63n - zeros64(x & -x); }
function quotient(a, b) { if (b === 0) no("a division by zero"); if (a === -2147483648 && b === -1) no("overflow"); return (a / b) | 0; }
function quotient64(a, b) { if (b === 0n) no("a division by zero"); if (a === -(1n << 63n) && b === -1n) no("overflow"); return U(a / b); }
function rest(a, b) { if (b === 0) no("a division by zero"); return (a % b) | 0; }
function rest64(a, b) { if (b === 0n) no("a division by zero"); return U(a % b); }
`;

/** One JavaScript program of all functions. */
function program(
  module: Module,
  policy: Policy,
  site: (func: Func, one: Instruction, side?: "from" | "to") => number,
): string {
  const globals = module.globals.map(({ type, value }, i) => {
    if (value === undefined) throw new Error(`global ${i} has no constant value`);
    return `let g${i} = ${type === "i64" ? `${BigInt.asUintN(64, BigInt(value))}n` : value}, h${i} = 0;`;
  });
  const functions = module.functions.filter((one) => one.import === undefined);
  const bodies = functions.map((func) => new Writer(module, policy, func, site).text());
  const start = module.start === undefined ? "" : `wasm${module.start}();`;
  const names = functions.map(({ index }) => `wasm${index}`).join(", ");
  return [FRAME, ...globals, ...bodies, start, `return { ${names} };`].join("\n");
}

interface Label {
  name: string;
  isLoop: boolean;
  height: number;
  result: ValueType | undefined;
}

/** Writes one function. */
class Writer {
  readonly #module: Module;
  readonly #policy: Policy;
  readonly #func: Func;
  readonly #site: (func: Func, one: Instruction, side?: "from" | "to") => number;
  readonly #lines: string[] = [];
  readonly #stack: ValueType[] = [];
  readonly #used = new Set<string>();
  readonly #labels: Label[] = [];

  constructor(
    module: Module,
    policy: Policy,
    func: Func,
    site: (func: Func, one: Instruction, side?: "from" | "to") => number,
  ) {
    this.#module = module;
    this.#policy = policy;
    this.#func = func;
    this.#site = site;
  }

  text(): string {
    const { index, type, locals, code } = this.#func;
    this.#labels.push({ name: "top", isLoop: false, height: 0, result: only(type.results) });
    this.#sequence(0, code.length - 1);
    const params = type.params.map((_, i) => `x${i}, u${i}`);
    const own = locals.slice(params.length).map((local, i) => {
      const n = i + params.length;
      return `let x${n} = ${local === "i64" ? "0n" : "0"}, u${n} = 0;`;
    });
    const stack = [...this.#used].map((name) => `let ${name} = ${name.startsWith("l") ? "0n" : "0"};`);
    return [
      `function wasm${index}(${params.join(", ")}) {`,
      `ran.add(${JSON.stringify(this.#func.name)});`,
      ...own,
      ...stack,
      "top: {",
      ...this.#lines,
      "}",
      this.#isExported() && type.results.length > 0
        ? this.#forbidden(code.at(-1) as Instruction, "t0", "it returns a secret")
        : "",
      type.results.length === 0 ? "" : `T = ${this.#name("t", 0)}; return ${this.#value(0, only(type.results))};`,
      "}",
    ].join("\n");
  }

  #name(letter: string, height: number): string {
    const name = `${letter}${height}`;
    if (!this.#used.has(name)) this.#used.add(name);
    return name;
  }
  #value(height: number, type: ValueType | undefined): string {
    return this.#name(type === "i64" ? "l" : "i", height);
  }
  #emit(line: string): void {
    this.#lines.push(line);
  }

  /** Takes the topmost operand off: its variable and that of its mark. */
  #pop(): { value: string; mark: string; type: ValueType } {
    const type = this.#stack.pop();
    if (type === undefined) throw new Error(`the stack is empty in ${this.#func.name}`);
    const height = this.#stack.length;
    return { value: this.#value(height, type), mark: this.#name("t", height), type };
  }
  #push(type: ValueType, value: string, mark: string): void {
    const height = this.#stack.length;
    this.#emit(`${this.#value(height, type)} = ${value}; ${this.#name("t", height)} = ${mark};`);
    this.#stack.push(type);
  }
  /** As push, of something that leaves its mark in T. */
  #pushLoaded(type: ValueType, value: string): void {
    this.#push(type, value, "T");
  }

  /** Code from one index up to another; false when its end is not reached. */
  #sequence(from: number, to: number): boolean {
    const { code } = this.#func;
    for (let i = from; i < to; i++) {
      const one = code[i] as Instruction;
      if (one.op === "block" || one.op === "loop" || one.op === "if") {
        const goesOn = this.#block(one, i);
        i = one.end as number;
        if (!goesOn) return false;
      } else if (!this.#step(one)) return false;
    }
    return true;
  }

  #block(one: Instruction, at: number): boolean {
    const type = one.type as FunctionType;
    if (type.params.length > 0) throw new Error(`a block with parameters, at ${one.at}`);
    const end = one.end as number;
    const condition = one.op === "if" ? this.#decide(one) : "";
    const height = this.#stack.length;
    const name = `L${at}`;
    const result = only(type.results);
    this.#labels.push({ name, isLoop: one.op === "loop", height, result });
    const before = this.#lines.length;
    this.#emit(one.op === "loop" ? `${name}: for (;;) {` : `${name}: {`);
    if (one.op === "if") this.#emit(`if (${condition}) {`);
    let goesOn = this.#sequence(at + 1, one.else ?? end);
    if (one.op === "if") {
      this.#stack.length = height;
      this.#emit("} else {");
      if (one.else === undefined) goesOn = true;
      else goesOn = this.#sequence(one.else + 1, end) || goesOn;
      this.#emit("}");
    }
    this.#emit(one.op === "loop" ? "break; }" : "}");
    this.#labels.pop();
    const left = this.#lines.slice(before).some((line) => line.includes(`break ${name};`));
    this.#stack.length = height;
    if (result) this.#stack.push(result);
    if (result) this.#value(height, result);
    return goesOn || left;
  }

  /** Takes a condition; it may not be secret. */
  #decide(one: Instruction): string {
    const { value, mark } = this.#pop();
    this.#emit(this.#forbidden(one, mark, "a branch that depends on a secret"));
    return value;
  }

  #jump(depth: number): string {
    const label = this.#labels.at(-1 - depth) as Label;
    if (label.isLoop) return `continue ${label.name};`;
    let moved = "";
    if (label.result) {
      const from = this.#stack.length - 1;
      if (from !== label.height)
        moved =
          `${this.#value(label.height, label.result)} = ${this.#value(from, label.result)};` +
          ` ${this.#name("t", label.height)} = ${this.#name("t", from)}; `;
    }
    return `${moved}break ${label.name};`;
  }

  /** One operation that is no block; false when nothing comes behind it. */
  #step(one: Instruction): boolean {
    const { op } = one;
    const index = one.index as number;
    switch (op) {
      case "nop":
        return true;
      case "unreachable":
        this.#emit('no("unreachable");');
        return false;
      case "drop":
        this.#pop();
        return true;
      case "i32.const":
        this.#push("i32", `${one.value}`, "0");
        return true;
      case "i64.const":
        this.#push("i64", `${BigInt.asUintN(64, one.value as bigint)}n`, "0");
        return true;
      case "local.get":
        this.#push(this.#func.locals[index] as ValueType, `x${index}`, `u${index}`);
        return true;
      case "local.set":
      case "local.tee": {
        const { value, mark, type } = this.#pop();
        this.#emit(`x${index} = ${value}; u${index} = ${mark};`);
        if (op === "local.tee") this.#stack.push(type);
        return true;
      }
      case "global.get":
        this.#push((this.#module.globals[index] as { type: ValueType }).type, `g${index}`, `h${index}`);
        return true;
      case "global.set": {
        const { value, mark } = this.#pop();
        if (!(this.#policy.secretGlobals?.includes(this.#func.name) ?? true))
          this.#emit(this.#forbidden(one, mark, "a global is set to a secret"));
        this.#emit(`g${index} = ${value}; h${index} = ${mark};`);
        return true;
      }
      case "br":
        this.#emit(this.#jump(index));
        return false;
      case "br_if":
        this.#emit(`if (${this.#decide(one)} !== 0) { ${this.#jump(index)} }`);
        return true;
      case "br_table": {
        const which = this.#decide(one);
        const labels = one.labels as number[];
        const cases = labels.map(
          (depth, i) => `${i === labels.length - 1 ? "default" : `case ${i}`}: ${this.#jump(depth)}`,
        );
        this.#emit(`switch (${which} >>> 0) { ${cases.join(" ")} }`);
        return false;
      }
      case "return":
        this.#emit(this.#jump(this.#labels.length - 1));
        return false;
      case "call":
        this.#call(one);
        return true;
      case "select":
        this.#select(one);
        return true;
      case "memory.size":
        this.#push("i32", "1", "0");
        return true;
      case "memory.copy": {
        const [n, from, to] = [this.#pop(), this.#pop(), this.#pop()];
        const sites = [this.#site(this.#func, one, "to"), this.#site(this.#func, one, "from")];
        const operands = [to, from, n].flatMap(({ value, mark }) => [value, mark]);
        this.#emit(`copy(${[...sites, ...operands].join(", ")});`);
        return true;
      }
      case "memory.fill": {
        const [n, value, to] = [this.#pop(), this.#pop(), this.#pop()];
        const operands = [to, value, n].flatMap((operand) => [operand.value, operand.mark]);
        this.#emit(`fill(${[this.#site(this.#func, one), ...operands].join(", ")});`);
        return true;
      }
      default:
    }
    if (op.includes(".load")) this.#load(one);
    else if (op.includes(".store")) this.#store(one);
    else this.#compute(one);
    return true;
  }

  #call(call: Instruction): void {
    const func = this.#module.functions[call.index as number] as Func;
    const args = func.type.params.map(() => this.#pop()).reverse();
    const result = only(func.type.results);
    if (func.import === undefined) {
      const run = `wasm${func.index}(${args.flatMap(({ value, mark }) => [value, mark]).join(", ")})`;
      if (result) this.#pushLoaded(result, run);
      else this.#emit(`${run};`);
      return;
    }
    const values = args.map(({ value }) => value).join(", ");
    const masks = args.map(({ mark }) => mark).join(", ");
    const run = `call(${this.#site(this.#func, call)}, "${func.import}", [${values}], [${masks}])`;
    if (result) this.#push(result, result === "i64" ? `U(BigInt(${run}))` : `${run} | 0`, "0");
    else this.#emit(`${run};`);
  }

  #select(one: Instruction): void {
    const [condition, b, a] = [this.#pop(), this.#pop(), this.#pop()];
    const why = this.#policy.forbidden.get(`${a.type}.select`);
    if (why !== undefined) this.#emit(this.#forbidden(one, condition.mark, `select of ${a.type} by a secret`));
    this.#emit(`if (${condition.value} === 0) { ${a.value} = ${b.value}; ${a.mark} = ${b.mark}; }`);
    this.#emit(`${a.mark} |= ${condition.mark} & 1;`);
    this.#stack.push(a.type);
  }

  #isExported(): boolean {
    return this.#module.exports.some(({ kind, index }) => kind === "function" && index === this.#func.index);
  }

  /** A check that something is not secret. */
  #forbidden(one: Instruction, mark: string, what: string): string {
    return `if (${mark} & ${SECRET}) find(${this.#site(this.#func, one)}, "${what}");`;
  }

  #load(one: Instruction): void {
    const { value, mark } = this.#pop();
    const type: ValueType = one.op.startsWith("i64") ? "i64" : "i32";
    const bytes = width(one.op);
    const at = `read(${this.#site(this.#func, one)}, ${value}, ${mark}, ${one.offset}, ${bytes})`;
    this.#pushLoaded(type, reading(type, bytes, one.op.endsWith("_s"), at));
  }

  #store(one: Instruction): void {
    const [stored, { value, mark }] = [this.#pop(), this.#pop()];
    const bytes = width(one.op);
    const site = this.#site(this.#func, one);
    const at = `written(${site}, ${value}, ${mark}, ${one.offset}, ${bytes}, ${stored.mark})`;
    this.#emit(`${writing(stored.type, bytes, at, stored.value)};`);
  }

  /** Arithmetic. */
  #compute(one: Instruction): void {
    const { op } = one;
    const { params, results } = signature(op);
    const b = params.length === 2 ? this.#pop() : undefined;
    const a = this.#pop();
    const mark = b === undefined ? a.mark : `(${a.mark} | ${b.mark})`;
    if (this.#policy.forbidden.has(op)) this.#emit(this.#forbidden(one, mark, `${op} of a secret`));
    this.#push(results[0] as ValueType, formula(op, a.value, b?.value ?? ""), passedOn(op, a.mark, b?.mark ?? "0"));
  }
}

const only = (results: readonly ValueType[]): ValueType | undefined => {
  if (results.length > 1) throw new Error("several results");
  return results[0];
};

/** The mark of a result. An address stays a view when it is moved, the difference of two is a number. */
function passedOn(op: string, a: string, b: string): string {
  if (op === "i32.add" || op === "i32.and" || op === "i32.or") return `${a} | ${b}`;
  if (op === "i32.sub") return `(${a} & ~(${b} & ${VIEW | EXPECTED})) | (${b} & ${SECRET})`;
  return `(${a} | ${b}) & ${SECRET}`;
}

/** JavaScript that reads `bytes` bytes at an address. 64-bit values are kept without a sign. */
function reading(type: ValueType, bytes: number, signed: boolean, at: string): string {
  if (bytes === 8) return `V.getBigUint64(${at}, true)`;
  const isSigned = signed || (type === "i32" && bytes === 4);
  const number = `V.get${isSigned ? "Int" : "Uint"}${8 * bytes}(${at}, true)`;
  return type === "i32" ? number : isSigned ? `U(BigInt(${number}))` : `BigInt(${number})`;
}

function writing(type: ValueType, bytes: number, at: string, value: string): string {
  if (bytes === 8) return `V.setBigUint64(${at}, ${value}, true)`;
  return `V.setInt${8 * bytes}(${at}, ${type === "i64" ? `Number(BigInt.asIntN(32, ${value}))` : value}, true)`;
}

/** JavaScript for an operation on a and b. */
function formula(op: string, a: string, b: string): string {
  const [type, name] = op.split(".") as [string, string];
  const known = (type === "i64" ? LONG : WORD)[name];
  if (known === undefined) throw new Error(`operation ${op} is not known`);
  return known(a, b);
}

type Formulas = Readonly<Record<string, ((a: string, b: string) => string) | undefined>>;
const WORD: Formulas = {
  add: (a, b) => `(${a} + ${b}) | 0`,
  sub: (a, b) => `(${a} - ${b}) | 0`,
  mul: (a, b) => `Math.imul(${a}, ${b})`,
  div_s: (a, b) => `quotient(${a}, ${b})`,
  div_u: (a, b) => `quotient(${a} >>> 0, ${b} >>> 0)`,
  rem_s: (a, b) => `rest(${a}, ${b})`,
  rem_u: (a, b) => `rest(${a} >>> 0, ${b} >>> 0)`,
  and: (a, b) => `${a} & ${b}`,
  or: (a, b) => `${a} | ${b}`,
  xor: (a, b) => `${a} ^ ${b}`,
  shl: (a, b) => `${a} << ${b}`,
  shr_s: (a, b) => `${a} >> ${b}`,
  shr_u: (a, b) => `(${a} >>> ${b}) | 0`,
  rotl: (a, b) => `(${a} << ${b}) | (${a} >>> -${b})`,
  rotr: (a, b) => `(${a} >>> ${b}) | (${a} << -${b})`,
  clz: (a) => `Math.clz32(${a})`,
  ctz: (a) => `(${a} === 0 ? 32 : 31 - Math.clz32(${a} & -${a}))`,
  popcnt: (a) => `popcount(${a} >>> 0)`,
  eqz: (a) => `${a} === 0 ? 1 : 0`,
  eq: (a, b) => `${a} === ${b} ? 1 : 0`,
  ne: (a, b) => `${a} !== ${b} ? 1 : 0`,
  lt_s: (a, b) => `${a} < ${b} ? 1 : 0`,
  gt_s: (a, b) => `${a} > ${b} ? 1 : 0`,
  le_s: (a, b) => `${a} <= ${b} ? 1 : 0`,
  ge_s: (a, b) => `${a} >= ${b} ? 1 : 0`,
  lt_u: (a, b) => `${a} >>> 0 < ${b} >>> 0 ? 1 : 0`,
  gt_u: (a, b) => `${a} >>> 0 > ${b} >>> 0 ? 1 : 0`,
  le_u: (a, b) => `${a} >>> 0 <= ${b} >>> 0 ? 1 : 0`,
  ge_u: (a, b) => `${a} >>> 0 >= ${b} >>> 0 ? 1 : 0`,
  extend8_s: (a) => `(${a} << 24) >> 24`,
  extend16_s: (a) => `(${a} << 16) >> 16`,
  wrap_i64: (a) => `Number(BigInt.asIntN(32, ${a}))`,
};
const LONG: Formulas = {
  add: (a, b) => `U(${a} + ${b})`,
  sub: (a, b) => `U(${a} - ${b})`,
  mul: (a, b) => `U(${a} * ${b})`,
  div_s: (a, b) => `quotient64(I(${a}), I(${b}))`,
  div_u: (a, b) => `quotient64(${a}, ${b})`,
  rem_s: (a, b) => `rest64(I(${a}), I(${b}))`,
  rem_u: (a, b) => `rest64(${a}, ${b})`,
  and: (a, b) => `${a} & ${b}`,
  or: (a, b) => `${a} | ${b}`,
  xor: (a, b) => `${a} ^ ${b}`,
  shl: (a, b) => `U(${a} << (${b} & 63n))`,
  shr_s: (a, b) => `U(I(${a}) >> (${b} & 63n))`,
  shr_u: (a, b) => `${a} >> (${b} & 63n)`,
  rotl: (a, b) => `U((${a} << (${b} & 63n)) | (${a} >> (-${b} & 63n)))`,
  rotr: (a, b) => `U((${a} >> (${b} & 63n)) | (${a} << (-${b} & 63n)))`,
  clz: (a) => `zeros64(${a})`,
  ctz: (a) => `below64(${a})`,
  popcnt: (a) => `BigInt(popcount(${a}))`,
  eqz: (a) => `${a} === 0n ? 1 : 0`,
  eq: (a, b) => `${a} === ${b} ? 1 : 0`,
  ne: (a, b) => `${a} !== ${b} ? 1 : 0`,
  lt_s: (a, b) => `I(${a}) < I(${b}) ? 1 : 0`,
  gt_s: (a, b) => `I(${a}) > I(${b}) ? 1 : 0`,
  le_s: (a, b) => `I(${a}) <= I(${b}) ? 1 : 0`,
  ge_s: (a, b) => `I(${a}) >= I(${b}) ? 1 : 0`,
  lt_u: (a, b) => `${a} < ${b} ? 1 : 0`,
  gt_u: (a, b) => `${a} > ${b} ? 1 : 0`,
  le_u: (a, b) => `${a} <= ${b} ? 1 : 0`,
  ge_u: (a, b) => `${a} >= ${b} ? 1 : 0`,
  extend8_s: (a) => `U(BigInt.asIntN(8, ${a}))`,
  extend16_s: (a) => `U(BigInt.asIntN(16, ${a}))`,
  extend32_s: (a) => `U(BigInt.asIntN(32, ${a}))`,
  extend_i32_s: (a) => `U(BigInt(${a}))`,
  extend_i32_u: (a) => `BigInt(${a} >>> 0)`,
};
