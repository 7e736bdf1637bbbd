/** Runs decoded modules one instruction after the other and tells what somebody could see who measures time: which way each branch goes, which
 *  address is touched, and the operands of operations whose time depends on their values. An independent witness for what
 *  secrets.ts concludes. WebAssembly Core 1.0 §4.4. */
import { type Func, type Module, width } from "./wasm.js";

export type Value = number | bigint;
/** Told of everything that can be seen: the instruction's place in the module, and what it shows. */
export type Watch = (at: number, shows: Value) => void;

/** The program stopped itself. */
export class Trap extends Error {
  override name = "Trap";
}

type Numbers = Record<string, (a: number, b: number) => number | boolean>;
type Bigs = Record<string, (a: bigint, b: bigint) => bigint | boolean>;

const bits = (x: bigint): string => BigInt.asUintN(64, x).toString(2).padStart(64, "0");
const u64 = (x: bigint): bigint => BigInt.asUintN(64, x);
function nonzero<T extends Value>(divisor: T): T {
  if (Number(divisor) === 0) throw new Trap("division by zero");
  return divisor;
}
function fitting<T extends Value>(quotient: T, most: T): T {
  if (quotient > most) throw new Trap("the quotient does not fit");
  return quotient;
}

const I32: Numbers = {
  eqz: (a) => a === 0,
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt_s: (a, b) => a < b,
  lt_u: (a, b) => a >>> 0 < b >>> 0,
  gt_s: (a, b) => a > b,
  gt_u: (a, b) => a >>> 0 > b >>> 0,
  le_s: (a, b) => a <= b,
  le_u: (a, b) => a >>> 0 <= b >>> 0,
  ge_s: (a, b) => a >= b,
  ge_u: (a, b) => a >>> 0 >= b >>> 0,
  clz: (a) => Math.clz32(a),
  ctz: (a) => (a === 0 ? 32 : 31 - Math.clz32(a & -a)),
  popcnt: (a) => bits(BigInt(a >>> 0)).replaceAll("0", "").length,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: Math.imul,
  div_s: (a, b) => fitting(a / nonzero(b), 2 ** 31 - 1),
  div_u: (a, b) => (a >>> 0) / (nonzero(b) >>> 0),
  rem_s: (a, b) => a % nonzero(b),
  rem_u: (a, b) => (a >>> 0) % (nonzero(b) >>> 0),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shr_s: (a, b) => a >> b,
  shr_u: (a, b) => a >>> b,
  rotl: (a, b) => (a << b) | (a >>> -b),
  rotr: (a, b) => (a >>> b) | (a << -b),
  extend8_s: (a) => (a << 24) >> 24,
  extend16_s: (a) => (a << 16) >> 16,
};

const I64: Bigs = {
  eqz: (a) => a === 0n,
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt_s: (a, b) => a < b,
  lt_u: (a, b) => u64(a) < u64(b),
  gt_s: (a, b) => a > b,
  gt_u: (a, b) => u64(a) > u64(b),
  le_s: (a, b) => a <= b,
  le_u: (a, b) => u64(a) <= u64(b),
  ge_s: (a, b) => a >= b,
  ge_u: (a, b) => u64(a) >= u64(b),
  clz: (a) => BigInt(`${bits(a)}1`.indexOf("1")),
  ctz: (a) => BigInt(63 - bits(a).lastIndexOf("1")),
  popcnt: (a) => BigInt(bits(a).replaceAll("0", "").length),
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div_s: (a, b) => fitting(a / nonzero(b), 2n ** 63n - 1n),
  div_u: (a, b) => u64(a) / u64(nonzero(b)),
  rem_s: (a, b) => a % nonzero(b),
  rem_u: (a, b) => u64(a) % u64(nonzero(b)),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << (b & 63n),
  shr_s: (a, b) => a >> (b & 63n),
  shr_u: (a, b) => u64(a) >> (b & 63n),
  rotl: (a, b) => (a << (b & 63n)) | (u64(a) >> (-b & 63n)),
  rotr: (a, b) => (u64(a) >> (b & 63n)) | (a << (-b & 63n)),
  extend8_s: (a) => BigInt.asIntN(8, a),
  extend16_s: (a) => BigInt.asIntN(16, a),
  extend32_s: (a) => BigInt.asIntN(32, a),
  extend_i32_s: (a) => a,
  extend_i32_u: (a) => BigInt.asUintN(32, a),
};

const UNARY = /\.(eqz|clz|ctz|popcnt|extend\w+|wrap_i64)$/;

interface Label {
  /** Where a branch to it goes on, and how many values it takes there. */
  to: number;
  arity: number;
  height: number;
  isLoop: boolean;
}

export class Interpreter {
  readonly globals: Value[];
  /** Told of what is stored, as an unsigned number. */
  onStore: (address: number, value: bigint) => void = () => {};
  readonly #view: DataView;

  /** @param memory linear memory, with the data segments in it already @param slow has the operations whose time depends on what they are given;
   *  `i32.select` and `i64.select` by their conditions @param imports functions by `module.name` */
  constructor(
    readonly module: Module,
    readonly memory: Uint8Array,
    readonly watch: Watch,
    readonly slow: { has(op: string): boolean } = new Set(),
    readonly imports: Record<string, (...values: Value[]) => Value | undefined> = {},
  ) {
    this.#view = new DataView(memory.buffer, memory.byteOffset, memory.length);
    this.globals = module.globals.map(({ type, value }) => value ?? (type === "i64" ? 0n : 0));
  }

  /** Calls an export. @returns its results @throws Trap */
  call(name: string, ...values: Value[]): Value[] {
    const found = this.module.exports.find((one) => one.kind === "function" && one.name === name);
    if (found === undefined) throw new Error(`the module exports no function ${name}`);
    return this.#call(this.module.functions[found.index]!, values);
  }

  #call(func: Func, values: Value[]): Value[] {
    if (func.import !== undefined) {
      const given = this.imports[func.import]?.(...values);
      return given === undefined ? [] : [given];
    }
    const locals: Value[] = func.locals.map((type, i) => values[i] ?? (type === "i64" ? 0n : 0));
    const stack: Value[] = [];
    const results = func.type.results.length;
    const labels: Label[] = [{ to: func.code.length, arity: results, height: 0, isLoop: false }];
    const pop = (): Value => {
      if (stack.length === 0) throw new Error(`${func.name}: nothing on the stack`);
      return stack.pop()!;
    };
    const number = (): number => Number(pop());
    const branch = (depth: number): number => {
      const label = labels[labels.length - 1 - depth]!;
      const kept = label.arity === 0 ? [] : stack.slice(-label.arity);
      stack.length = label.height;
      stack.push(...kept);
      labels.length -= label.isLoop ? depth : depth + 1;
      return label.to;
    };
    for (let pc = 0; pc < func.code.length; ) {
      const one = func.code[pc]!;
      const { op, at, index = 0, type } = one;
      pc++;
      switch (op) {
        case "block":
        case "loop":
        case "if": {
          const isLoop = op === "loop";
          const taken = op === "if" ? number() !== 0 : true;
          if (op === "if") this.watch(at, Number(taken));
          const arity = (isLoop ? type!.params : type!.results).length;
          const height = stack.length - type!.params.length;
          labels.push({ to: isLoop ? pc : one.end! + 1, arity, height, isLoop });
          if (!taken) pc = one.else === undefined ? one.end! : one.else + 1;
          break;
        }
        case "else": // the first arm is done
          pc = labels.pop()!.to;
          break;
        case "end":
          labels.pop();
          break;
        case "br":
          pc = branch(index);
          break;
        case "br_if": {
          const taken = number() !== 0;
          this.watch(at, Number(taken));
          if (taken) pc = branch(index);
          break;
        }
        case "br_table": {
          const which = Math.min(number() >>> 0, one.labels!.length - 1);
          this.watch(at, which);
          pc = branch(one.labels![which]!);
          break;
        }
        case "return":
          return stack.slice(stack.length - results);
        case "unreachable":
          throw new Trap("unreachable");
        case "nop":
          break;
        case "call": {
          const callee = this.module.functions[index]!;
          stack.push(...this.#call(callee, stack.splice(stack.length - callee.type.params.length)));
          break;
        }
        case "drop":
          pop();
          break;
        case "select": {
          const condition = number();
          const [b, a] = [pop(), pop()];
          if (this.slow.has(typeof a === "bigint" ? "i64.select" : "i32.select"))
            this.watch(at, Number(condition !== 0));
          stack.push(condition !== 0 ? a : b);
          break;
        }
        case "local.get":
          stack.push(locals[index]!);
          break;
        case "local.set":
          locals[index] = pop();
          break;
        case "local.tee":
          locals[index] = stack.at(-1)!;
          break;
        case "global.get":
          stack.push(this.globals[index]!);
          break;
        case "global.set":
          this.globals[index] = pop();
          break;
        case "i32.const":
        case "i64.const":
          stack.push(one.value!);
          break;
        case "memory.size":
          stack.push(this.memory.length / 65536);
          break;
        case "memory.copy":
        case "memory.fill":
          this.#bulk(op, at, [pop(), pop(), pop()]);
          break;
        default:
          if (/load|store/.test(op)) this.#access(op, at, one.offset!, stack, pop);
          else stack.push(this.#compute(op, at, pop));
      }
    }
    return stack;
  }

  /** @param operands the last one first */
  #bulk(op: string, at: number, [last, middle, first]: [Value, Value, Value]): void {
    const [length, source, to] = [Number(last) >>> 0, Number(middle), Number(first) >>> 0];
    this.watch(at, to);
    this.watch(at, length);
    if (op === "memory.copy") this.watch(at, source >>> 0);
    if (to + length > this.memory.length) throw new Trap("out of bounds");
    if (op === "memory.fill") {
      this.memory.fill(source & 0xff, to, to + length);
      return;
    }
    if ((source >>> 0) + length > this.memory.length) throw new Trap("out of bounds");
    this.memory.copyWithin(to, source >>> 0, (source >>> 0) + length);
  }

  #access(op: string, at: number, offset: number, stack: Value[], pop: () => Value): void {
    const isStore = op.includes("store");
    const value = isStore ? BigInt(pop()) : 0n;
    const address = (Number(pop()) >>> 0) + offset;
    const size = width(op);
    this.watch(at, address);
    if (address + size > this.memory.length) throw new Trap("out of bounds");
    if (isStore) {
      this.onStore(address, BigInt.asUintN(8 * size, value));
      for (let i = 0; i < size; i++) this.memory[address + i] = Number((value >> BigInt(8 * i)) & 0xffn);
      return;
    }
    let loaded = 0n;
    for (let i = size - 1; i >= 0; i--) loaded = (loaded << 8n) | BigInt(this.#view.getUint8(address + i));
    if (op.endsWith("_s")) loaded = BigInt.asIntN(8 * size, loaded);
    stack.push(op.startsWith("i64") ? BigInt.asIntN(64, loaded) : Number(BigInt.asIntN(32, loaded)));
  }

  #compute(op: string, at: number, pop: () => Value): Value {
    const [kind, name] = op.split(".") as [string, string];
    const b = UNARY.test(op) ? undefined : pop();
    const a = pop();
    if (this.slow.has(op)) {
      this.watch(at, a);
      if (b !== undefined) this.watch(at, b);
    }
    if (op === "i32.wrap_i64") return Number(BigInt.asIntN(32, BigInt(a)));
    const result = kind === "i64" ? I64[name]?.(BigInt(a), BigInt(b ?? 0)) : I32[name]?.(Number(a), Number(b ?? 0));
    if (result === undefined) throw new Error(`the interpreter has no ${op}`);
    if (typeof result === "boolean") return Number(result);
    return typeof result === "bigint" ? BigInt.asIntN(64, result) : result | 0;
  }
}
