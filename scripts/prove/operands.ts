/** Which operands of a piece of machine code decide a branch, an address or the time of a division. The code is run on origins in the place of
 *  values: every register holds the set of operands that its value came from, and paths that meet are united, so what is answered is at least
 *  what is true. Handlers of wasm3 are small enough for that. An instruction that is not known makes everything at hand decide.
 *
 *  Taken for granted, not measured: on a Cortex-M33 all other instructions need the same time whatever their operands hold; MUL, MLA, UMULL and
 *  moves inside IT blocks are among them. */
import { isConditionalBranch, type Line, type Listing, target } from "./listing.js";

type From = ReadonlySet<string>;

/** A value: where it came from, and for pointers into what they point, so that what is loaded through them has a name.
 *  code: wasm3's compiled code. slots: the interpreter's stack. memory: linear memory behind its header. frame: the C stack. word: an immediate. */
interface Value {
  from: From;
  base?: "code" | "slots" | "memory" | "frame" | "word";
  /** Bytes from the base; for a slot, where the immediate stands that names it. Unknown when undefined. */
  at?: number;
}

interface State {
  registers: Map<string, Value>;
  frame: Map<number, Value>;
  flags: From;
}

export interface Decided {
  /** Operand -> what it decides and where, the first place found. */
  by: Map<string, string>;
  /** Calls through a register, which come back. */
  returns: boolean;
}

const NOTHING: From = new Set();
const CONSTANT: Value = { from: NOTHING };
/** What a register holds that nobody has set: the caller's, not an operand. */
const CALLERS: Value = { from: new Set(["caller"]) };
/** Bytes before the contents of linear memory: runtime, end, length (M3MemoryHeader). */
const MEMORY_HEADER = 12;
const DEPTH = 4;

const union = (...sets: From[]): From => new Set(sets.flatMap((set) => [...set]));
const CONDITION = /(?:eq|ne|cs|cc|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)$/;

/** Destination from the other operands. */
const ARITHMETIC = new Set(
  (
    "mov movw mvn add adc sub sbc rsb neg and orr eor bic orn lsl lsr asr ror mul mla mls " +
    "uxtb uxth sxtb sxth ubfx sbfx clz rbit rev"
  ).split(" "),
);
const LONG = new Set(["umull", "smull", "umlal", "smlal"]);
const COMPARE = new Set(["cmp", "cmn", "tst", "teq"]);
const LOADS = new Set(["ldr", "ldrb", "ldrh", "ldrsb", "ldrsh"]);
const STORES = new Set(["str", "strb", "strh"]);

/** Registers of `{r4, r5, lr}`. */
const list = (text: string): string[] => text.replace(/[{}\s]/g, "").split(",");

class Walk {
  readonly by = new Map<string, string>();
  readonly results: Value[] = [];
  returns = false;
  #states = new Map<number, State>();
  #places: Map<number, number>;

  constructor(
    readonly listing: Listing,
    readonly name: string,
    readonly lines: Line[],
    readonly opaque: ReadonlySet<string>,
    readonly depth: number,
  ) {
    this.#places = new Map(lines.map((line, i) => [line.at, i]));
  }

  decides(from: From, what: string, line: Line): void {
    for (const one of from)
      if (!this.by.has(one)) this.by.set(one, `${what} at 0x${line.at.toString(16)} of ${this.name} (${line.text})`);
  }

  run(entry: State): void {
    const pending = [0];
    this.#states.set(0, entry);
    for (let i = pending.pop(); i !== undefined; i = pending.pop())
      for (const [next, state] of this.#step(i, this.#states.get(i)!)) {
        const known = this.#states.get(next);
        const met = known === undefined ? state : meet(known, state);
        if (known !== undefined && same(known, met)) continue;
        this.#states.set(next, met);
        pending.push(next);
      }
  }

  /** @returns where it goes on and with what; nowhere when it leaves */
  #step(i: number, before: State): [number, State][] {
    const line = this.lines[i];
    if (line === undefined) throw new Error(`${this.name} runs past its end`);
    const state: State = {
      registers: new Map(before.registers),
      frame: new Map(before.frame),
      flags: before.flags,
    };
    const onward = (): [number, State][] => [[i + 1, state]];
    const to = (address: number): [number, State][] => {
      const place = this.#places.get(address);
      return place === undefined ? this.#leave(line, state) : [[place, state]];
    };
    if (isConditionalBranch(line)) {
      const from = line.op.startsWith("cb") ? this.#read(state, line.args[0]!).from : state.flags;
      this.decides(from, "decides the branch", line);
      return [...onward(), ...to(target(line)!.address)];
    }
    if (line.op === "b") return to(target(line)!.address);
    if (line.op === "bx") {
      if (line.args[0] === "lr") return this.#return(state);
      this.decides(this.#read(state, line.args[0]!).from, "decides the jump", line);
      return [];
    }
    if (line.op === "blx" || line.op === "bl") spill(state);
    if (line.op === "blx") {
      this.returns = true;
      this.#called(state, { from: new Set(["result"]) });
      return onward();
    }
    if (line.op === "bl") {
      this.#call(line, state);
      return onward();
    }
    if (line.op === "ldr" && line.args[0] === "pc") {
      const { address } = this.#place(line.args.slice(1), state);
      if (address.base === "frame") return this.#return(state);
      this.decides(this.#load(line, state, address).from, "decides the jump", line);
      return [];
    }
    if (line.args[0] === "pc" || line.args.some((one) => one.includes("rrx"))) {
      this.#unknown(line, state); // a jump in disguise; a carry that is data
      return onward();
    }
    const leaves = (line.op === "pop" || line.op === "ldmia") && list(line.args.at(-1)!).includes("pc");
    this.#plain(line, state);
    return leaves ? this.#return(state) : onward();
  }

  #return(state: State): [number, State][] {
    ["r0", "r1", "r2", "r3"].forEach((name, i) => {
      const value = this.#read(state, name);
      const known = this.results[i];
      this.results[i] = known === undefined ? value : meetValues(known, value);
    });
    return [];
  }

  /** A jump to another function ends this one as that one ends. */
  #leave(line: Line, state: State): [number, State][] {
    const inner = this.#enter(line, state);
    inner?.results.forEach((value, i) => {
      const known = this.results[i];
      this.results[i] = known === undefined ? value : meetValues(known, value);
    });
    this.returns ||= inner?.returns ?? false;
    return [];
  }

  #call(line: Line, state: State): void {
    const goal = target(line)!;
    if (this.opaque.has(goal.name)) {
      this.#called(state, { from: new Set(["result"]) });
      return;
    }
    const frame = new Map<number, Value>();
    const results = this.#enter(line, { ...state, frame })?.results ?? [];
    this.#called(state, CALLERS);
    results.forEach((value, i) => {
      state.registers.set(`r${i}`, { from: value.from });
    });
  }

  #enter(line: Line, state: State): Walk | undefined {
    const goal = target(line);
    const lines = goal?.start ? this.listing.get(goal.name) : undefined;
    if (goal === undefined || lines === undefined || this.depth === 0) {
      this.#unknown(line, state);
      return undefined;
    }
    const inner = new Walk(this.listing, goal.name, lines, this.opaque, this.depth - 1);
    inner.run(state);
    for (const [operand, why] of inner.by) if (!this.by.has(operand)) this.by.set(operand, why);
    return inner;
  }

  /** After a call: what the callee may have spoilt. */
  #called(state: State, result: Value): void {
    state.registers.set("r0", result);
    for (const name of ["r1", "r2", "r3", "ip", "lr"]) state.registers.set(name, CALLERS);
    state.flags = CALLERS.from;
  }

  /** Nothing is known of what happens here: all operands at hand decide. */
  #unknown(line: Line, state: State): void {
    const everything = union(...[...state.registers.values(), ...state.frame.values()].map((one) => one.from));
    this.decides(everything, "is at hand of something unknown", line);
    for (const name of state.registers.keys()) if (name !== "sp") state.registers.set(name, { from: everything });
    for (const at of state.frame.keys()) state.frame.set(at, { from: everything });
    state.flags = everything;
  }

  #read(state: State, name: string): Value {
    if (name.startsWith("#")) return { from: NOTHING };
    return state.registers.get(name) ?? CALLERS;
  }

  #plain(line: Line, state: State): void {
    const { args } = line;
    let op = line.op;
    if (op === "nop" || /^it[te]{0,3}$/.test(op)) return;
    // in an IT block the condition is the name's end; "s" at the end sets the flags and does not occur there
    const known = (name: string) =>
      [ARITHMETIC, LONG, COMPARE, LOADS, STORES].some((set) => set.has(name)) ||
      ["ldrd", "strd", "push", "pop", "stmdb", "ldmia", "udiv", "sdiv"].includes(name);
    const setsFlags = !known(op) && op.endsWith("s") && ARITHMETIC.has(op.slice(0, -1));
    if (setsFlags) op = op.slice(0, -1);
    const conditional = !known(op) && CONDITION.test(op) && known(op.slice(0, -2));
    if (conditional) op = op.slice(0, -2);
    const also = conditional ? state.flags : NOTHING;
    const set = (name: string, value: Value): void => {
      const old = this.#read(state, name);
      state.registers.set(name, conditional ? { from: union(also, old.from, value.from) } : value);
    };

    if (ARITHMETIC.has(op)) {
      const value = this.#arithmetic(op, args, state);
      set(args[0]!, value);
      if (setsFlags) state.flags = value.from;
    } else if (LONG.has(op)) {
      const from = union(...args.map((one) => this.#read(state, one).from));
      for (const name of args.slice(0, 2)) set(name, { from });
    } else if (COMPARE.has(op)) {
      state.flags = union(also, ...args.map((one) => this.#read(state, one).from));
    } else if (op === "udiv" || op === "sdiv") {
      const from = union(...args.slice(1).map((one) => this.#read(state, one).from));
      this.decides(from, "is divided", line);
      set(args[0]!, { from });
    } else if (LOADS.has(op) || op === "ldrd") {
      if (conditional) this.decides(state.flags, "decides whether is loaded", line);
      const names = op === "ldrd" ? args.slice(0, 2) : args.slice(0, 1);
      const place = this.#place(args.slice(names.length), state);
      const values = names.map((_, i) => this.#load(line, state, shifted(place.address, 4 * i)));
      place.writeBack();
      names.forEach((name, i) => {
        set(name, values[i]!);
      });
    } else if (STORES.has(op) || op === "strd") {
      if (conditional) this.decides(state.flags, "decides whether is stored", line);
      const names = op === "strd" ? args.slice(0, 2) : args.slice(0, 1);
      const place = this.#place(args.slice(names.length), state);
      names.forEach((name, i) => {
        this.#store(line, state, shifted(place.address, 4 * i), this.#read(state, name));
      });
      place.writeBack();
    } else if ((op === "push" || (op === "stmdb" && args[0] === "sp!")) && !conditional) {
      const names = list(args.at(-1)!);
      const sp = shifted(this.#read(state, "sp"), -4 * names.length);
      names.forEach((name, i) => {
        this.#store(line, state, shifted(sp, 4 * i), this.#read(state, name));
      });
      state.registers.set("sp", sp);
    } else if ((op === "pop" || (op === "ldmia" && args[0] === "sp!")) && !conditional) {
      const names = list(args.at(-1)!);
      const sp = this.#read(state, "sp");
      names.forEach((name, i) => {
        if (name !== "pc") state.registers.set(name, this.#load(line, state, shifted(sp, 4 * i)));
      });
      state.registers.set("sp", shifted(sp, 4 * names.length));
    } else this.#unknown(line, state);
  }

  #arithmetic(op: string, args: string[], state: State): Value {
    const sources = args.length > 2 ? args.slice(1) : op.startsWith("mov") || op === "mvn" ? args.slice(1) : args;
    const twoOperands = args.length === 2 && /^(?:uxt|sxt|clz|rbit|rev|neg)/.test(op) ? args.slice(1) : sources;
    const values = twoOperands
      .filter((one) => !/^(?:lsl|lsr|asr|ror|rrx)/.test(one))
      .map((one) => this.#read(state, one));
    if (op === "mov" && values.length === 1) return values[0]!;
    const from = union(...values.map((one) => one.from), op === "adc" || op === "sbc" ? state.flags : NOTHING);
    if (op !== "add" && op !== "sub") return { from };
    const pointer = values.find((one) => one.base !== undefined && one.base !== "word");
    if (pointer === undefined) return immediates(twoOperands.slice(1)) ? { ...values[0]!, from } : { from };
    const immediate = /^#(-?\d+)$/.exec(twoOperands.at(-1)!)?.[1];
    if (immediate !== undefined) return { ...shifted(pointer, (op === "add" ? 1 : -1) * Number(immediate)), from };
    const other = values.find((one) => one !== pointer);
    if (pointer.base === "slots" && other?.base === "word") return { base: "slots", at: other.at, from };
    return { base: pointer.base, from };
  }

  /** The address of `[r1, #4]`, `[r1, r2, lsl #2]`, `[r1], #4` or `[r1, #4]!`. */
  #place(args: string[], state: State): { address: Value; writeBack: () => void } {
    const found = /^\[([^\]]+)\](!?)$/.exec(args[0]!);
    if (!found) throw new Error(`${this.name}: no address: ${args.join(", ")}`);
    const [base, offset, shift] = found[1]!.split(/,\s*/);
    if (base === "pc") return { address: { from: NOTHING }, writeBack: () => {} };
    const start = this.#read(state, base!);
    const operands = [base!, base!, offset ?? "#0", ...(shift === undefined ? [] : [shift])];
    const address = this.#arithmetic("add", operands, state);
    const after = args[1] === undefined ? address : this.#arithmetic("add", [base!, base!, args[1]], state);
    const moves = found[2] === "!" || args[1] !== undefined;
    return {
      address: args[1] === undefined ? address : start,
      writeBack: () => {
        if (moves) state.registers.set(base!, after);
      },
    };
  }

  #load(line: Line, state: State, address: Value): Value {
    if (address.base === "frame") {
      if (address.at === undefined) return { from: union(...[...state.frame.values()].map((one) => one.from)) };
      return state.frame.get(address.at & ~3) ?? CALLERS;
    }
    this.decides(address.from, "decides the address", line);
    if (address.base === "code") return { base: "word", at: address.at, from: NOTHING };
    if (address.base === "slots") return { from: new Set([`slot ${address.at === undefined ? "?" : address.at / 4}`]) };
    if (address.base === "memory")
      return address.at !== undefined && address.at < MEMORY_HEADER ? CONSTANT : { from: new Set(["content"]) };
    if (address.base === "word") return { from: new Set(["record"]) }; // a global, or what wasm3 knows of a function
    return { from: address.from.size === 0 ? NOTHING : new Set(["content"]) };
  }

  #store(line: Line, state: State, address: Value, value: Value): void {
    if (address.base === "frame" && address.at !== undefined) {
      const word = address.at & ~3;
      const beside = state.frame.get(word) ?? CALLERS; // stays there, when less than the word is stored
      state.frame.set(word, line.op === "str" ? value : { from: union(beside.from, value.from) });
    } else if (address.base === "frame") this.#unknown(line, state);
    else this.decides(address.from, "decides the address", line);
  }
}

/** A callee that is given the address of a place on the stack may write there what else it was given. */
function spill(state: State): void {
  const given = ["r0", "r1", "r2", "r3"].map((name) => state.registers.get(name) ?? CALLERS);
  if (!given.some((one) => one.base === "frame")) return;
  const from = union(...given.map((one) => one.from));
  for (const [at, value] of state.frame) state.frame.set(at, { from: union(value.from, from) });
}

const immediates = (args: string[]): boolean => args.every((one) => one.startsWith("#"));

const shifted = (value: Value, by: number): Value =>
  value.at === undefined || value.base === "slots" || value.base === "word" ? value : { ...value, at: value.at + by };

const sameSet = (a: From, b: From): boolean => a.size === b.size && [...a].every((one) => b.has(one));
const sameValue = (a: Value, b: Value): boolean => a.base === b.base && a.at === b.at && sameSet(a.from, b.from);

function meetValues(a: Value, b: Value): Value {
  const from = union(a.from, b.from);
  if (a.base !== b.base) return { from };
  return { base: a.base, at: a.at === b.at ? a.at : undefined, from };
}

function meetMaps<K>(a: Map<K, Value>, b: Map<K, Value>): Map<K, Value> {
  const met = new Map<K, Value>();
  for (const key of new Set([...a.keys(), ...b.keys()]))
    met.set(key, meetValues(a.get(key) ?? CALLERS, b.get(key) ?? CALLERS));
  return met;
}

const meet = (a: State, b: State): State => ({
  registers: meetMaps(a.registers, b.registers),
  frame: meetMaps(a.frame, b.frame),
  flags: union(a.flags, b.flags),
});

function same(a: State, b: State): boolean {
  const maps = <K>(x: Map<K, Value>, y: Map<K, Value>) =>
    x.size === y.size && [...x].every(([key, value]) => y.has(key) && sameValue(value, y.get(key)!));
  return maps(a.registers, b.registers) && maps(a.frame, b.frame) && sameSet(a.flags, b.flags);
}

/** What the operands of one handler decide. Names of operands: `register` (wasm3's _r0), `slot n` (the slot named by the n-th word after the
 *  operation), `content` (what lay in linear memory), `record` (a global, or what wasm3 knows of a function), `result` (of a call), `caller`
 *  (what stands in registers from before).
 *  @param opaque functions not to be looked into; what they answer is a `result`
 *  @throws Error when there is no such function */
export function decidedBy(listing: Listing, handler: string, opaque: ReadonlySet<string> = new Set()): Decided {
  const lines = listing.get(handler);
  if (lines === undefined) throw new Error(`the firmware has no function ${handler}`);
  // (_pc, _sp, _r0, _mem): _r0 is 64 bits wide and fills r2 and r3; _mem lies on the C stack. scripts/interpreter.mjs
  const entry: State = {
    registers: new Map<string, Value>([
      ["r0", { base: "code", at: 0, from: NOTHING }],
      ["r1", { base: "slots", from: NOTHING }],
      ["r2", { from: new Set(["register"]) }],
      ["r3", { from: new Set(["register"]) }],
      ["sp", { base: "frame", at: 0, from: NOTHING }],
    ]),
    frame: new Map<number, Value>([[0, { base: "memory", at: 0, from: NOTHING }]]),
    flags: CALLERS.from,
  };
  const walk = new Walk(listing, handler, lines, opaque, DEPTH);
  walk.run(entry);
  return { by: walk.by, returns: walk.returns };
}
