/** Whether anything that depends on a secret decides a branch, an address or an operation of varying time, on the final bytes of a module, and
 *  whether a secret is stored where only public bytes may stand. firmware/PROOFS.md says what that means and what it does not.
 *
 *  An abstract interpretation. Locals and the operand stack are followed through the code, functions are run once for each kind of arguments
 *  they are called with, globals have one value for the whole program, and memory has none: a byte is public or secret by where it stands. */
import {
  type Func,
  type FunctionType,
  type Instruction,
  type Module,
  signature as signatureOf,
  type ValueType,
  width,
} from "./wasm.js";

/** A range of memory of one name and one secrecy. */
export interface Cell {
  name: string;
  at: number;
  size: number;
  isPublic: boolean;
}

/** Cells that pointers are moved about in: a pointer made from one of its addresses is taken to stay inside. */
export interface Region {
  name: string;
  at: number;
  size: number;
  cells: Cell[];
}

/** What an import does with memory and gives back. Its arguments, numbered from 0, are never secret. `isSecret` is asked about the numbers that
 *  each argument may be, undefined where nothing is known of it. */
export interface ImportRule {
  /** Writes as many bytes as one argument says to the address in another. */
  writes?: { pointer: number; length: number; isSecret: (args: Known) => boolean };
  /** Takes bytes, which must be public unless it says otherwise. */
  takes?: { pointer: number; length: number; mayBeSecret: (args: Known) => boolean };
}

export type Known = readonly (readonly number[] | undefined)[];

export interface Policy {
  regions: readonly Region[];
  imports: Readonly<Record<string, ImportRule>>;
  /** Operation -> why it must not see a secret. */
  forbidden: ReadonlyMap<string, string>;
  /** Addresses: what is stored there, and loaded in the next operation, is public, or points to what counts as public. */
  declassify?: number | undefined;
  reveal?: number | undefined;
  /** As reveal; what it points to should be public already. */
  expect?: number | undefined;
  /** Functions that may set globals to something secret; any when left out. */
  secretGlobals?: readonly string[];
  /** Exports to begin with; all when left out. */
  roots?: readonly string[];
  /** Secret parameters by root. */
  secretParameters?: Readonly<Record<string, readonly number[]>>;
}

export interface Finding {
  function: string;
  at: number;
  what: string;
  /** Callers, from the export on. */
  path: string[];
}

export interface Report {
  findings: Finding[];
  /** Where secrets were made public, as `function@offset`; sorted. */
  declassified: string[];
  revealed: string[];
  /** Where bytes are taken to be public that stand where secrets may. */
  expected: string[];
  /** Cells that an access may touch, by accessOf(); "any" where nothing is known of the address. */
  accesses: Map<string, Set<Cell> | "any">;
  /** Functions that set a global to something secret. */
  secretGlobals: string[];
  /** Functions that were looked at, and runs of them. */
  functions: number;
  contexts: number;
  steps: number;
}

/** An abstract value. */
interface Value {
  readonly type: ValueType;
  readonly isSecret: boolean;
  /** What it can be, when that is known: at most CHOICES numbers, in order. i32 alone. */
  readonly choices?: readonly number[] | undefined;
  /** Regions that it may point into, somewhere; bit per region. */
  readonly into: bigint;
  /** What it points to counts as public. */
  readonly isView: boolean;
}

/** An operation's access to memory, by name. */
export const accessOf = (one: Pick<Instruction, "at">, side: "at" | "from" | "to" = "at"): string =>
  `${side} ${one.at}`;

const CHOICES = 8;
const PAGE = 65536;
/** Operations that write memory, or where other ways join or leave. */
const APART = /store|^call|^memory|^(loop|if|else|end|br.*|return)$/;
const SECRET_BRANCH = "a branch that depends on a secret";

const number = (type: ValueType, isSecret = false): Value => ({ type, isSecret, into: 0n, isView: false });
const known = (value: number): Value => ({
  type: "i32",
  isSecret: false,
  choices: [value | 0],
  into: 0n,
  isView: false,
});

interface State {
  locals: Value[];
  stack: Value[];
  dead: boolean;
}

interface Label {
  arity: number;
  state?: { locals: Value[]; results: Value[] };
}

export function checkSecrets(module: Module, policy: Policy): Report {
  const checker = new Checker(module, policy);
  return checker.run();
}

class Checker {
  readonly #module: Module;
  readonly #policy: Policy;
  readonly #findings = new Map<string, Finding>();
  readonly #declassified = new Set<string>();
  readonly #revealed = new Set<string>();
  readonly #expected = new Set<string>();
  readonly #accesses = new Map<string, Set<Cell> | "any">();
  readonly #secretGlobals = new Set<string>();
  readonly #globals: Value[];
  readonly #done = new Map<string, Value[]>();
  readonly #active: number[] = [];
  readonly #reached = new Set<number>();
  #changed = false;
  #contexts = 0;
  #steps = 0;

  constructor(module: Module, policy: Policy) {
    this.#module = module;
    this.#policy = policy;
    this.#globals = module.globals.map(({ type, value }) => (typeof value === "number" ? known(value) : number(type)));
  }

  run(): Report {
    const roots = this.#module.exports.filter(
      (one) => one.kind === "function" && (this.#policy.roots?.includes(one.name) ?? true),
    );
    for (const name of this.#policy.roots ?? [])
      if (!roots.some((one) => one.name === name)) throw new Error(`the module exports no function ${name}`);
    do {
      this.#changed = false;
      this.#contexts = 0;
      this.#done.clear();
      this.#findings.clear();
      this.#declassified.clear();
      this.#revealed.clear();
      this.#expected.clear();
      this.#accesses.clear();
      this.#secretGlobals.clear();
      const start = this.#module.start;
      if (start !== undefined) this.#call(this.#func(start), [], []);
      for (const { name, index } of roots) {
        const func = this.#func(index);
        const secret = this.#policy.secretParameters?.[name] ?? [];
        const results = this.#call(
          func,
          func.type.params.map((type, i) => number(type, secret.includes(i))),
          [],
        );
        // what a function gives to its caller outside is secret only where its policy knows of secrets
        if (this.#policy.secretParameters === undefined && results.some((one) => one.isSecret))
          this.#find(func, { op: "end", at: 0 }, "it returns a secret", []);
      }
    } while (this.#changed);
    return {
      findings: [...this.#findings.values()],
      declassified: [...this.#declassified].sort(),
      revealed: [...this.#revealed].sort(),
      expected: [...this.#expected].sort(),
      accesses: this.#accesses,
      secretGlobals: [...this.#secretGlobals].sort(),
      functions: this.#reached.size,
      contexts: this.#contexts,
      steps: this.#steps,
    };
  }

  #func(index: number): Func {
    const func = this.#module.functions[index];
    if (func === undefined) throw new Error(`there is no function ${index}`);
    return func;
  }

  #find(func: Func, one: Instruction, what: string, path: readonly string[]): void {
    const key = `${func.index} ${one.at} ${what}`;
    if (!this.#findings.has(key)) this.#findings.set(key, { function: func.name, at: one.at, what, path: [...path] });
  }

  // ---- values

  /** Regions that these numbers may be addresses of. */
  #regionsOf(choices: readonly number[]): bigint {
    let into = 0n;
    for (const one of choices) {
      const index = this.#policy.regions.findIndex(({ at, size }) => one >= at && one < at + size);
      if (index >= 0) into |= 1n << BigInt(index);
    }
    return into;
  }

  /** Regions that a value may point into, known or not. */
  #into(value: Value): bigint {
    return value.choices ? this.#regionsOf(value.choices) : value.into;
  }

  #join(a: Value, b: Value): Value {
    if (a === b) return a;
    const isSecret = a.isSecret || b.isSecret;
    // nothing is read through a null pointer, so that it takes no view away
    const isNull = (one: Value) => one.choices?.every((choice) => choice === 0) ?? false;
    const isView = (a.isView || isNull(a)) && (b.isView || isNull(b)) && (a.isView || b.isView);
    if (a.choices && b.choices) {
      const choices = [...new Set([...a.choices, ...b.choices])].sort((x, y) => x - y);
      if (choices.length <= CHOICES) return { type: a.type, isSecret, choices, into: 0n, isView };
    }
    return { type: a.type, isSecret, into: this.#into(a) | this.#into(b), isView };
  }

  #isSame(a: Value, b: Value): boolean {
    return (
      a === b ||
      (a.isSecret === b.isSecret &&
        a.isView === b.isView &&
        a.into === b.into &&
        a.choices?.length === b.choices?.length &&
        (a.choices?.every((one, i) => one === b.choices?.[i]) ?? true))
    );
  }

  // ---- memory

  /** Cells that `length` bytes (undefined: any number) from `offset` behind an address may touch; undefined: any cell. Numbers below the first
   *  region are no addresses: nothing stands there. */
  #cells(address: Value, offset: number, length: number | undefined): Cell[] | undefined {
    const { regions } = this.#policy;
    if (address.choices) {
      const found = new Set<Cell>();
      for (const choice of address.choices) {
        const from = (choice >>> 0) + offset;
        const region = regions.find(({ at, size }) => from >= at && from < at + size);
        const to = length === undefined ? (region ? region.at + region.size : PAGE) : from + length;
        for (const one of regions)
          for (const cell of one.cells) if (cell.at < to && from < cell.at + cell.size) found.add(cell);
      }
      return [...found];
    }
    const into = address.into | this.#regionsOf([offset]); // the offset may be the base, and the address what is added to it
    if (into === 0n) return undefined;
    return regions.flatMap((region, i) => ((into >> BigInt(i)) & 1n ? region.cells : []));
  }

  /** Writes down what an access may touch. */
  #access(name: string, address: Value, offset: number, length: number | undefined): void {
    const cells = this.#cells(address, offset, length);
    const before = this.#accesses.get(name);
    if (cells === undefined || before === "any") this.#accesses.set(name, "any");
    else if (before === undefined) this.#accesses.set(name, new Set(cells));
    else for (const cell of cells) before.add(cell);
  }

  /** Whether what stands there may be secret. */
  #isSecretAt(address: Value, offset: number, length: number | undefined): boolean {
    if (length === 0) return false;
    // behind a base in the offset, what was a view is an index
    if (address.isView && this.#regionsOf([offset]) === 0n) return false;
    return this.#cells(address, offset, length)?.some((cell) => !cell.isPublic) ?? true;
  }

  /** Why nothing secret may be stored there. */
  #refuses(address: Value, offset: number, length: number | undefined): string | undefined {
    if (length === 0) return undefined;
    const cells = this.#cells(address, offset, length);
    if (cells === undefined) return "a secret is stored at an address of which nothing is known";
    const leaves = (from: number, to: number) =>
      cells.reduce((sum, { at, size }) => sum + Math.max(0, Math.min(to, at + size) - Math.max(from, at)), 0) <
      to - from;
    const spills = address.choices?.some((choice) =>
      leaves((choice >>> 0) + offset, (choice >>> 0) + offset + (length ?? 0)),
    );
    const open = cells.filter((cell) => cell.isPublic);
    if (open.length > 0) return `a secret is stored in ${open.map((cell) => cell.name).join(", ")}, which is public`;
    return cells.length === 0 || spills ? "a secret is stored outside of every region" : undefined;
  }

  /** Why bytes may not be copied. */
  #refusesCopy(to: Value, from: Value, length: number | undefined): string | undefined {
    if (!this.#isSecretAt(from, 0, length)) return undefined;
    const start = from.choices?.length === 1 ? from.choices[0] : undefined;
    const target = to.choices?.length === 1 ? to.choices[0] : undefined;
    if (start === undefined || target === undefined || length === undefined) return this.#refuses(to, 0, length);
    // between places of one layout: secrets to where secrets stand
    for (const cell of this.#cells(from, 0, length) ?? []) {
      const first = Math.max(cell.at, start);
      const end = Math.min(cell.at + cell.size, start + length);
      const refusal = cell.isPublic ? undefined : this.#refuses(known(target + first - start), 0, end - first);
      if (refusal) return refusal;
    }
    return undefined;
  }

  // ---- functions

  #call(func: Func, args: readonly Value[], path: readonly string[]): Value[] {
    const key = `${func.index}|${args
      .map((one) => `${one.isSecret ? "s" : ""}${one.isView ? "v" : ""}${one.choices?.join(",") ?? `r${one.into}`}`)
      .join("|")}`;
    const before = this.#done.get(key);
    if (before) return before;
    if (this.#active.includes(func.index)) throw new Error(`${func.name} calls itself, by way of ${path.join(" > ")}`);
    this.#active.push(func.index);
    this.#contexts++;
    this.#reached.add(func.index);
    const results = new Run(this, func, args, [...path, func.name]).run();
    this.#active.pop();
    this.#done.set(key, results);
    return results;
  }

  /** A call of an import. */
  #import(
    func: Func,
    one: Instruction,
    name: string,
    args: readonly Value[],
    caller: Func,
    path: readonly string[],
  ): Value[] {
    const rule = this.#policy.imports[name];
    if (rule === undefined) {
      this.#find(caller, one, `the policy does not know the import ${name}`, path);
      return func.type.results.map((type) => number(type, true));
    }
    args.forEach((arg, i) => {
      if (arg.isSecret) this.#find(caller, one, `argument ${i} of ${name} is secret`, path);
    });
    const at = (index: number) => args[index] ?? number("i32", true);
    const exact = (value: Value) => (value.choices?.length === 1 ? value.choices[0] : undefined);
    const choices = args.map((arg) => arg.choices);
    const { writes, takes } = rule;
    for (const side of [writes, takes])
      if (side) this.#access(accessOf(one), at(side.pointer), 0, exact(at(side.length)));
    if (writes?.isSecret(choices)) {
      const refusal = this.#refuses(at(writes.pointer), 0, exact(at(writes.length)));
      if (refusal) this.#find(caller, one, `${name}: ${refusal}`, path);
    }
    if (takes && !takes.mayBeSecret(choices) && this.#isSecretAt(at(takes.pointer), 0, exact(at(takes.length))))
      this.#find(caller, one, `${name} is given bytes that may be secret`, path);
    return func.type.results.map((type) => number(type));
  }

  // ---- what a run of a function asks for

  readonly tools = {
    step: () => {
      this.#steps++;
    },
    module: () => this.#module,
    find: (func: Func, one: Instruction, what: string, path: readonly string[]) => this.#find(func, one, what, path),
    join: (a: Value, b: Value) => this.#join(a, b),
    isSame: (a: Value, b: Value) => this.#isSame(a, b),
    access: (name: string, address: Value, offset: number, length: number | undefined) =>
      this.#access(name, address, offset, length),
    widen: (a: Value): Value => ({ type: a.type, isSecret: a.isSecret, into: this.#into(a), isView: a.isView }),
    into: (a: Value) => this.#into(a),
    isSecretAt: (address: Value, offset: number, length: number | undefined) =>
      this.#isSecretAt(address, offset, length),
    refuses: (address: Value, offset: number, length: number | undefined) => this.#refuses(address, offset, length),
    refusesCopy: (to: Value, from: Value, length: number | undefined) => this.#refusesCopy(to, from, length),
    forbidden: (op: string) => this.#policy.forbidden.get(op),
    call: (index: number, args: readonly Value[], one: Instruction, caller: Func, path: readonly string[]) => {
      const func = this.#func(index);
      return func.import === undefined
        ? this.#call(func, args, path)
        : this.#import(func, one, func.import, args, caller, path);
    },
    /** The address, when a load or store is that of a marker. */
    marker: (address: Value, one: Instruction): number | undefined => {
      const { declassify, reveal, expect } = this.#policy;
      const places = address.choices?.map((choice) => (choice >>> 0) + (one.offset as number)) ?? [];
      if (!places.some((place) => place === declassify || place === reveal || place === expect)) return undefined;
      if (places.length > 1) throw new Error(`a marker is one of several addresses, at ${one.at}`);
      return places[0];
    },
    /** What a marker makes of a value. */
    mark: (place: number, value: Value, func: Func, one: Instruction): Value => {
      const site = `${func.name}@${one.at}`;
      if (place === this.#policy.declassify) {
        if (value.isSecret) this.#declassified.add(site);
        return { ...value, isSecret: false };
      }
      (place === this.#policy.expect ? this.#expected : this.#revealed).add(site);
      return { ...value, isView: true };
    },
    getGlobal: (index: number): Value => this.#globals[index] ?? number("i32", true),
    setGlobal: (index: number, value: Value, func: Func, one: Instruction, path: readonly string[]): void => {
      const before = this.#globals[index];
      if (before === undefined) throw new Error(`there is no global ${index}`);
      if (value.isSecret) {
        this.#secretGlobals.add(func.name);
        if (!(this.#policy.secretGlobals?.includes(func.name) ?? true))
          this.#find(func, one, "a global is set to a secret", path);
      }
      const joined = this.#join(before, value);
      if (this.#isSame(before, joined)) return;
      this.#globals[index] = joined;
      this.#changed = true;
    },
  };
}

/** One function under one kind of arguments. */
class Run {
  readonly #func: Func;
  readonly #path: readonly string[];
  readonly #tools: Checker["tools"];
  readonly #top: Label;
  /** Of the operation in hand. */
  #at = 0;
  /** What was stored in a marker last, and by which operation. */
  #marked: { place: number; width: number; value: Value; at: number } | undefined;
  #state: State;

  constructor(checker: Checker, func: Func, args: readonly Value[], path: readonly string[]) {
    this.#tools = checker.tools;
    this.#func = func;
    this.#path = path;
    const locals = func.locals.map((type, i) => args[i] ?? (type === "i32" ? known(0) : number(type)));
    this.#state = { locals, stack: [], dead: false };
    this.#top = { arity: func.type.results.length };
  }

  run(): Value[] {
    this.#sequence(0, this.#func.code.length - 1, []);
    if (!this.#state.dead) this.#leaveTo(this.#top);
    return this.#top.state?.results ?? this.#func.type.results.map((type) => number(type));
  }

  #pop(): Value {
    const value = this.#state.stack.pop();
    if (value === undefined) throw new Error(`the stack is empty in ${this.#func.name}`);
    return value;
  }
  #push(value: Value): void {
    this.#state.stack.push(value);
  }
  #find(one: Instruction, what: string): void {
    this.#tools.find(this.#func, one, what, this.#path);
  }

  /** What was stored in a marker a moment ago. It passes a value on, and keeps none. */
  #takeMarked(one: Instruction, place: number): Value {
    const marked = this.#marked;
    // between them other operands may be worked out
    const isNext = marked && this.#func.code.slice(marked.at + 1, this.#at).every((between) => !APART.test(between.op));
    if (marked?.place === place && marked.at < this.#at && isNext && marked.width === width(one.op))
      // what is narrower than a number may be cut off
      return marked.width === 4 ? marked.value : { ...marked.value, choices: undefined, into: 0n };
    this.#find(one, "a marker is read apart from where it is written");
    return number("i32", true);
  }

  #last(count: number): Value[] {
    return count === 0 ? [] : this.#state.stack.slice(-count);
  }

  /** The present state reaches a label. */
  #leaveTo(label: Label): void {
    const results = this.#last(label.arity);
    const { locals } = this.#state;
    if (label.state === undefined) {
      label.state = { locals: [...locals], results };
      return;
    }
    const join = (list: Value[], other: Value[]) => list.map((one, i) => this.#tools.join(one, other[i] ?? one));
    label.state = { locals: join(label.state.locals, locals), results: join(label.state.results, results) };
  }

  /** Goes on behind a block. */
  #enter(label: Label, below: Value[]): void {
    const { state } = label;
    if (state) this.#state = { locals: [...state.locals], stack: [...below, ...state.results], dead: false };
    else this.#state = { locals: this.#state.locals, stack: below, dead: true };
  }

  /** Which way a condition can go; a secret one is told. */
  #decide(one: Instruction): { mayBeTrue: boolean; mayBeFalse: boolean } {
    const condition = this.#pop();
    if (condition.isSecret) this.#find(one, SECRET_BRANCH);
    const { choices } = condition;
    return {
      mayBeTrue: choices?.some((choice) => choice !== 0) ?? true,
      mayBeFalse: choices?.includes(0) ?? true,
    };
  }

  #sequence(from: number, to: number, labels: readonly Label[]): void {
    const { code } = this.#func;
    for (let i = from; i < to; i++) {
      const one = code[i];
      if (one === undefined) throw new Error(`${this.#func.name} has no operation ${i}`);
      const isBlock = one.op === "block" || one.op === "loop" || one.op === "if";
      if (this.#state.dead) {
        if (isBlock) i = one.end as number;
        continue;
      }
      this.#tools.step();
      if (isBlock) {
        this.#block(one, i, labels);
        i = one.end as number;
      } else {
        this.#at = i;
        this.#step(one, labels);
      }
    }
  }

  #block(one: Instruction, at: number, labels: readonly Label[]): void {
    const type = one.type as FunctionType;
    const end = one.end as number;
    if (one.op === "loop") {
      this.#loop(one, at, end, type, labels);
      return;
    }
    const way = one.op === "if" ? this.#decide(one) : { mayBeTrue: true, mayBeFalse: false };
    const label: Label = { arity: type.results.length };
    const { locals, stack } = this.#state;
    const below = stack.slice(0, stack.length - type.params.length);
    const branch = (first: number, last: number) => {
      this.#state = { locals: [...locals], stack: [...stack], dead: false };
      this.#sequence(first, last, [...labels, label]);
      if (!this.#state.dead) this.#leaveTo(label);
    };
    if (way.mayBeTrue) branch(at + 1, one.else ?? end);
    if (way.mayBeFalse) {
      if (one.else === undefined) branch(end, end);
      else branch(one.else + 1, end);
    }
    this.#enter(label, below);
  }

  /** Until what reaches its beginning changes no more. What changes from one round to the next is taken to be anything of its kind. */
  #loop(one: Instruction, at: number, end: number, type: FunctionType, labels: readonly Label[]): void {
    const arity = type.params.length;
    const below = this.#state.stack.slice(0, this.#state.stack.length - arity);
    let locals = this.#state.locals;
    let params = this.#last(arity);
    for (let round = 0; ; round++) {
      const label: Label = { arity };
      this.#state = { locals: [...locals], stack: [...below, ...params], dead: false };
      this.#sequence(at + 1, end, [...labels, label]);
      if (label.state === undefined) break;
      const grow = (list: Value[], other: Value[]) =>
        list.map((value, i) => {
          const joined = this.#tools.join(value, other[i] ?? value);
          return this.#tools.isSame(joined, value) ? value : this.#tools.widen(joined);
        });
      const nextLocals = grow(locals, label.state.locals);
      const nextParams = grow(params, label.state.results);
      if (nextLocals.every((value, i) => value === locals[i]) && nextParams.every((value, i) => value === params[i]))
        break;
      if (round > 1000) throw new Error(`no end was found to the loop at ${one.at} in ${this.#func.name}`);
      locals = nextLocals;
      params = nextParams;
    }
    if (!this.#state.dead) this.#state.stack = [...below, ...this.#last(type.results.length)];
  }

  #label(labels: readonly Label[], depth: number): Label {
    return labels.at(-1 - depth) ?? this.#top;
  }

  /** One operation that is no block. */
  #step(one: Instruction, labels: readonly Label[]): void {
    const { op } = one;
    const tools = this.#tools;
    const index = one.index as number;
    switch (op) {
      case "nop":
        return;
      case "unreachable":
        this.#state.dead = true;
        return;
      case "drop":
        this.#pop();
        return;
      case "i32.const":
        this.#push(known(one.value as number));
        return;
      case "i64.const":
        this.#push(number("i64"));
        return;
      case "local.get":
        this.#push(this.#state.locals[index] as Value);
        return;
      case "local.set":
        this.#state.locals[index] = this.#pop();
        return;
      case "local.tee":
        this.#state.locals[index] = this.#state.stack.at(-1) as Value;
        return;
      case "global.get":
        this.#push(tools.getGlobal(index));
        return;
      case "global.set":
        tools.setGlobal(index, this.#pop(), this.#func, one, this.#path);
        return;
      case "br":
        this.#leaveTo(this.#label(labels, index));
        this.#state.dead = true;
        return;
      case "br_if": {
        const way = this.#decide(one);
        if (way.mayBeTrue) this.#leaveTo(this.#label(labels, index));
        this.#state.dead = !way.mayBeFalse;
        return;
      }
      case "br_table": {
        const which = this.#pop();
        if (which.isSecret) this.#find(one, SECRET_BRANCH);
        const all = one.labels as number[];
        const targets = which.choices?.map((choice) => all[Math.min(choice >>> 0, all.length - 1)] as number) ?? all;
        for (const target of new Set(targets)) this.#leaveTo(this.#label(labels, target));
        this.#state.dead = true;
        return;
      }
      case "return":
        this.#leaveTo(this.#top);
        this.#state.dead = true;
        return;
      case "call": {
        const { params } = (tools.module().functions[index] as Func).type;
        const args = params.map(() => this.#pop()).reverse();
        for (const result of tools.call(index, args, one, this.#func, this.#path)) this.#push(result);
        return;
      }
      case "call_indirect":
        throw new Error(`${this.#func.name} calls through a table, at ${one.at}`);
      case "select": {
        const condition = this.#pop();
        const b = this.#pop();
        const a = this.#pop();
        const why = tools.forbidden(`${a.type}.select`);
        if (condition.isSecret && why) this.#find(one, `select of ${a.type} by a secret: ${why}`);
        const { choices } = condition;
        if (choices && !condition.isSecret && choices.length === 1) this.#push(choices[0] === 0 ? b : a);
        else {
          const joined = tools.join(a, b);
          this.#push(condition.isSecret ? { ...joined, isSecret: true } : joined);
        }
        return;
      }
      case "memory.size":
        this.#push(number("i32"));
        return;
      case "memory.grow":
        throw new Error(`${this.#func.name} grows the memory, at ${one.at}`);
      case "memory.copy":
        this.#copy(one);
        return;
      case "memory.fill":
        this.#fill(one);
        return;
      default:
    }
    if (op.includes(".load")) this.#load(one);
    else if (op.includes(".store")) this.#store(one);
    else this.#compute(one);
  }

  #address(one: Instruction, address: Value): void {
    if (address.isSecret) this.#find(one, `${one.op}: the address depends on a secret`);
  }

  #load(one: Instruction): void {
    const address = this.#pop();
    const marker = this.#tools.marker(address, one);
    if (marker !== undefined) {
      this.#push(this.#takeMarked(one, marker));
      return;
    }
    this.#address(one, address);
    this.#tools.access(accessOf(one), address, one.offset as number, width(one.op));
    const isSecret = this.#tools.isSecretAt(address, one.offset as number, width(one.op));
    this.#push(number(one.op.startsWith("i64") ? "i64" : "i32", isSecret));
  }

  #store(one: Instruction): void {
    const value = this.#pop();
    const address = this.#pop();
    const marker = this.#tools.marker(address, one);
    if (marker !== undefined) {
      this.#marked = {
        place: marker,
        width: width(one.op),
        value: this.#tools.mark(marker, value, this.#func, one),
        at: this.#at,
      };
      return;
    }
    this.#address(one, address);
    this.#tools.access(accessOf(one), address, one.offset as number, width(one.op));
    if (!value.isSecret) return;
    const refusal = this.#tools.refuses(address, one.offset as number, width(one.op));
    if (refusal) this.#find(one, refusal);
  }

  #copy(one: Instruction): void {
    const length = this.#pop();
    const from = this.#pop();
    const to = this.#pop();
    for (const operand of [length, from, to])
      if (operand.isSecret) this.#find(one, "memory.copy: an operand depends on a secret");
    const exact = length.choices?.length === 1 ? length.choices[0] : undefined;
    this.#tools.access(accessOf(one, "to"), to, 0, exact);
    this.#tools.access(accessOf(one, "from"), from, 0, exact);
    const refusal = this.#tools.refusesCopy(to, from, exact);
    if (refusal) this.#find(one, refusal);
  }

  #fill(one: Instruction): void {
    const length = this.#pop();
    const value = this.#pop();
    const to = this.#pop();
    for (const operand of [length, to])
      if (operand.isSecret) this.#find(one, "memory.fill: an operand depends on a secret");
    const exact = length.choices?.length === 1 ? length.choices[0] : undefined;
    this.#tools.access(accessOf(one), to, 0, exact);
    const refusal = value.isSecret ? this.#tools.refuses(to, 0, exact) : undefined;
    if (refusal) this.#find(one, refusal);
  }

  /** Arithmetic. */
  #compute(one: Instruction): void {
    const { op } = one;
    const { params, results } = signatureOf(op);
    const b = params.length === 2 ? this.#pop() : undefined;
    const a = this.#pop();
    const isSecret = a.isSecret || (b?.isSecret ?? false);
    const why = isSecret ? this.#tools.forbidden(op) : undefined;
    if (why) this.#find(one, `${op} of a secret: ${why}`);
    const type = results[0] as ValueType;
    const fold = FOLDED[op];
    if (fold && a.choices && (b === undefined || b.choices)) {
      const choices = new Set<number>();
      for (const x of a.choices) for (const y of b?.choices ?? [0]) choices.add(fold(x, y) | 0);
      if (choices.size <= CHOICES) {
        const { isView } = this.#pointer(op, a, b);
        this.#push({ type, isSecret, choices: [...choices].sort((x, y) => x - y), into: 0n, isView });
        return;
      }
    }
    this.#push({ type, isSecret, ...this.#pointer(op, a, b) });
  }

  /** Where the result of an operation may point. A sum of a pointer and a number points into the same region; so does a pointer less a number,
   *  unless it is the end of a region and points into the one before. The difference of two pointers is a number. */
  #pointer(op: string, a: Value, b: Value | undefined): { into: bigint; isView: boolean } {
    const none = { into: 0n, isView: false };
    if (b === undefined) return none;
    const { into } = this.#tools;
    if (op === "i32.add") {
      // what is added to a view is an index; where that may be an address itself, the view may be the index
      const isIndexed = (view: Value, index: Value) => view.isView && !index.isView && into(index) === 0n;
      return { into: into(a) | into(b), isView: isIndexed(a, b) || isIndexed(b, a) };
    }
    if (op === "i32.sub") {
      const subtracted = into(b);
      const end = a.choices ? into({ ...a, choices: a.choices.map((choice) => choice - 1) }) : 0n;
      const base = into(a) | end;
      return subtracted !== 0n && (subtracted & base) !== 0n ? none : { into: base, isView: a.isView && !b.isView };
    }
    if (op === "i32.and" || op === "i32.or") {
      // a known number is a mask or a flag, no address
      const of = (one: Value, other: Value) => (one.choices && !other.choices ? 0n : into(one));
      return { into: of(a, b) | of(b, a), isView: false };
    }
    return none;
  }
}

const FOLDED: Readonly<Record<string, ((x: number, y: number) => number) | undefined>> = {
  "i32.add": (x, y) => x + y,
  "i32.sub": (x, y) => x - y,
  "i32.mul": Math.imul,
  "i32.and": (x, y) => x & y,
  "i32.or": (x, y) => x | y,
  "i32.xor": (x, y) => x ^ y,
  "i32.shl": (x, y) => x << y,
  "i32.shr_u": (x, y) => x >>> y,
  "i32.shr_s": (x, y) => x >> y,
  "i32.eqz": (x) => Number(x === 0),
  "i32.eq": (x, y) => Number(x === y),
  "i32.ne": (x, y) => Number(x !== y),
  "i32.lt_u": (x, y) => Number(x >>> 0 < y >>> 0),
  "i32.gt_u": (x, y) => Number(x >>> 0 > y >>> 0),
  "i32.le_u": (x, y) => Number(x >>> 0 <= y >>> 0),
  "i32.ge_u": (x, y) => Number(x >>> 0 >= y >>> 0),
  "i32.lt_s": (x, y) => Number(x < y),
  "i32.gt_s": (x, y) => Number(x > y),
  "i32.le_s": (x, y) => Number(x <= y),
  "i32.ge_s": (x, y) => Number(x >= y),
};
