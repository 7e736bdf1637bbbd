/** Random programs for the checker of secrets.ts: most branch on public values alone, as good code does, and some slip. Integers of both widths,
 *  memory, globals, calls, every kind of branch. Made with binaryen, half of them optimised by it. */
import binaryen from "binaryen";
import type { Random } from "../../board/virtual/prng.js";
import type { Policy, Region } from "./secrets.js";

/** Where programs keep what is public. */
const CELL = { name: "CELL", at: 256, size: 64 };
/** What is stored here and loaded at once is declassified. */
export const MARKER = 512;
/** Where secrets stand: computed addresses end up here. */
const SECRETS = { name: "SECRETS", at: 1024, size: 1536 };

/** The export. */
export const ROOT = "root";
const SECRET_PARAMETERS = [1, 2];

/** What the checker is told of all programs. @param forbidden operations that must not see a secret, and why */
export function policyOf(forbidden: Policy["forbidden"]): Policy {
  const region = (name: string, at: number, size: number, isPublic: boolean): Region => ({
    ...{ name, at, size },
    cells: [{ name, at, size, isPublic }],
  });
  return {
    regions: [
      region(CELL.name, CELL.at, CELL.size, true),
      region("MARKER", MARKER, 4, true),
      region(SECRETS.name, SECRETS.at, SECRETS.size, false),
    ],
    imports: {},
    forbidden,
    declassify: MARKER,
    roots: [ROOT],
    secretParameters: { [ROOT]: SECRET_PARAMETERS },
  };
}

/** Memory and arguments of one run. What is public is the same in all. @param word gives the next secret */
export function prepare(word: () => number): { memory: Uint8Array; values: [number, number, bigint] } {
  const memory = new Uint8Array(PAGE);
  const view = new DataView(memory.buffer);
  for (let at = 0; at < SECRETS.size; at += 4) view.setUint32(SECRETS.at + at, word(), true);
  for (let i = 0; i < CELL.size; i++) memory[CELL.at + i] = i % 7;
  const long = BigInt.asIntN(64, (BigInt(word()) << 32n) | BigInt(word()));
  return { memory, values: [PUBLIC_ARGUMENT, word() | 0, long] };
}

const { i32, i64, none } = binaryen;
type Ref = number;
/** What a value may depend on, if nothing slips. */
type Level = "public" | "secret";

const PUBLIC_I32 = [3, 4, 5];
const SECRET_I32 = [6, 7, 8];
const PUBLIC_I64 = [9];
const SECRET_I64 = [10, 11];
const COUNTERS = 12;
const COUNTER_LIMIT = 24;
const SLIPS = 20; // one choice in so many is not what it should be
const MASK = 1008; // itself no address
const PAGE = 65536;
const PUBLIC_ARGUMENT = 5;

const ANY2 = "add sub mul and or xor shl shr_s shr_u rotl rotr".split(" ");
const COMPARE = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u".split(" ");
const DIVIDE = "div_s div_u rem_s rem_u".split(" ");
const COUNT = ["clz", "ctz", "popcnt"];

type Binary = Record<string, (a: Ref, b: Ref) => Ref>;
type Unary = Record<string, (a: Ref) => Ref>;

/** One function of a program. */
class Body {
  #counters = 0;
  #labels = 0;

  constructor(
    readonly m: binaryen.Module,
    readonly random: Random,
    /** Helpers may be called, and the result is an i32. */
    readonly isRoot: boolean,
  ) {}

  below(n: number): number {
    return Math.floor((this.random() / 2 ** 32) * n);
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
  slip(level: Level): Level {
    return level === "public" && this.below(SLIPS) === 0 ? "secret" : level;
  }

  /** Where something may be read or written: a place in secret memory. */
  address(depth: number, level: Level): { offset: number; pointer: Ref } {
    const { m } = this;
    if (this.below(2) === 0) return { offset: SECRETS.at, pointer: m.i32.const(8 * this.below(160)) };
    const index = this.int(depth - 1, this.slip(level));
    // an index, behind a base in the offset, that might be taken for the address of a cell
    if (this.below(4) === 0)
      return { offset: SECRETS.at, pointer: m.i32.add(m.i32.const(CELL.at), m.i32.and(index, m.i32.const(31))) };
    return { offset: SECRETS.at, pointer: m.i32.and(index, m.i32.const(MASK)) };
  }

  cell(): Ref {
    return this.m.i32.const(CELL.at + 8 * this.below(8));
  }

  /** An i32. */
  int(depth: number, level: Level): Ref {
    const { m } = this;
    const ops = m.i32 as unknown as Binary & Unary;
    if (depth <= 0 || this.below(5) === 0) return this.#leaf(level);
    const some = (): Ref => this.int(depth - 1, level);
    const long = (): Ref => this.long(depth - 1, level);
    switch (this.below(14)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return ops[this.pick(ANY2)]!(some(), some());
      case 4:
        return ops[this.pick(COMPARE)]!(some(), some());
      case 5:
        return (m.i64 as unknown as Binary)[this.pick(COMPARE)]!(long(), long());
      case 6:
        return this.below(2) === 0 ? m.i32.eqz(some()) : m.i64.eqz(long());
      case 7:
        return m.i32.wrap(long());
      case 8:
        return m.select(some(), some(), some());
      case 9:
        return this.below(2) === 0 ? m.i32.extend8_s(some()) : m.i32.extend16_s(some());
      case 10: {
        const operand = this.int(depth - 1, this.slip("public"));
        if (this.below(2) === 0) return ops[this.pick(COUNT)]!(operand);
        return ops[this.pick(DIVIDE)]!(operand, m.i32.or(this.int(depth - 1, this.slip("public")), m.i32.const(1)));
      }
      case 11: {
        if (level === "public") return m.i32.load8_u(this.below(8), 1, this.cell());
        const { offset, pointer } = this.address(depth, "public");
        const load = this.pick([m.i32.load8_u, m.i32.load16_s, m.i32.load]);
        return load.call(m.i32, offset, 1, pointer);
      }
      case 12:
        if (!this.isRoot) return this.#leaf(level);
        return level === "public"
          ? m.call("plain", [this.int(depth - 1, level)], i32)
          : m.call("mixed", [this.int(depth - 1, this.slip("public")), some()], i32);
      default:
        return m.if(this.int(depth - 1, this.slip("public")), some(), some());
    }
  }

  #leaf(level: Level): Ref {
    const { m } = this;
    const isPublic = this.slip(level) === "public";
    switch (this.below(4)) {
      case 0:
        return m.i32.const(this.pick([0, 1, 2, 3, 7, 31, 255, -1, this.random() | 0]));
      case 1:
        return isPublic ? m.global.get("open", i32) : m.global.get("hidden", i32);
      case 2:
        return isPublic ? m.i32.load(0, 1, this.cell()) : m.i32.load(SECRETS.at, 1, m.i32.const(4 * this.below(320)));
      default:
        return m.local.get(isPublic ? this.pick([0, ...PUBLIC_I32]) : this.pick([1, ...SECRET_I32]), i32);
    }
  }

  /** An i64. */
  long(depth: number, level: Level): Ref {
    const { m } = this;
    const ops = m.i64 as unknown as Binary & Unary;
    const isPublic = this.slip(level) === "public";
    if (depth <= 0) return m.local.get(isPublic ? this.pick(PUBLIC_I64) : this.pick([2, ...SECRET_I64]), i64);
    const some = (): Ref => this.long(depth - 1, level);
    switch (this.below(10)) {
      case 0:
      case 1:
      case 2:
        return ops[this.pick(ANY2)]!(some(), some());
      case 3:
        return isPublic ? m.i64.load(0, 1, this.cell()) : m.i64.load(SECRETS.at, 1, m.i32.const(8 * this.below(160)));
      case 4:
        return this.pick([m.i64.extend_s, m.i64.extend_u]).call(m.i64, this.int(depth - 1, level));
      case 5:
      case 9:
        return m.select(this.int(depth - 1, this.slip("public")), some(), some());
      case 6: {
        const operand = this.long(depth - 1, this.slip("public"));
        if (this.below(2) === 0) return ops[this.pick(COUNT)]!(operand);
        return ops[this.pick(DIVIDE)]!(operand, m.i64.or(this.long(depth - 1, this.slip("public")), m.i64.const(1n)));
      }
      case 7:
        return m.i64.const(this.pick([0n, 1n, -1n, BigInt(this.random())]));
      default:
        return m.i64.extend32_s(some());
    }
  }

  statements(count: number, depth: number): Ref {
    return this.m.block(
      null,
      Array.from({ length: count }, () => this.statement(depth)),
      none,
    );
  }

  statement(depth: number): Ref {
    const { m } = this;
    const level: Level = this.below(2) === 0 ? "public" : "secret";
    const isPublic = level === "public";
    const simple = 9;
    switch (this.below(depth <= 0 ? simple : simple + 6)) {
      case 0:
      case 1:
        return m.local.set(this.pick(isPublic ? PUBLIC_I32 : SECRET_I32), this.int(2, this.slip(level)));
      case 2:
        return m.local.set(this.pick(isPublic ? PUBLIC_I64 : SECRET_I64), this.long(2, this.slip(level)));
      case 3:
      case 4: {
        const value = this.int(2, this.slip(level));
        if (isPublic) return m.i32.store(0, 1, this.cell(), value);
        const { offset, pointer } = this.address(2, "public");
        const store = this.pick([m.i32.store, m.i32.store8]);
        return store.call(m.i32, offset, 1, pointer, value);
      }
      case 5: {
        if (isPublic) return m.i64.store(0, 1, this.cell(), this.long(1, this.slip(level)));
        return m.i64.store(SECRETS.at, 1, this.address(2, "public").pointer, this.long(2, level));
      }
      case 6:
        return m.global.set(isPublic ? "open" : "hidden", this.int(2, this.slip(level)));
      case 7:
        return this.#bulk(level);
      case 8:
        return m.block(
          null,
          [
            m.i32.store(0, 4, m.i32.const(MARKER), m.i32.and(this.int(1, "secret"), m.i32.const(1))),
            m.local.set(this.pick(PUBLIC_I32), m.i32.load(0, 4, m.i32.const(MARKER))),
          ],
          none,
        );
      case 9:
      case 10:
        return m.if(
          this.int(2, this.slip("public")),
          this.statements(2, depth - 1),
          this.below(2) === 0 ? this.statements(1, depth - 1) : undefined,
        );
      case 11: {
        const label = `block${this.#labels++}`;
        return m.block(label, [
          this.statement(depth - 1),
          m.br(label, this.int(2, this.slip("public"))),
          this.statement(depth - 1),
        ]);
      }
      case 12:
        return this.#table(depth);
      case 13:
        return m.if(this.int(1, this.slip("public")), m.return(this.isRoot ? this.int(1, level) : m.i32.const(7)));
      default:
        return this.#loop(depth);
    }
  }

  #bulk(level: Level): Ref {
    const { m } = this;
    const secret = (): Ref => m.i32.add(m.i32.const(SECRETS.at), this.address(2, "public").pointer);
    const length = m.i32.and(this.int(1, this.slip("public")), m.i32.const(15));
    const cell = m.i32.const(CELL.at + 16 * this.below(3));
    if (this.below(2) === 0) {
      const to = level === "public" ? cell : secret();
      return m.memory.fill(to, this.int(1, this.slip(level)), length);
    }
    // from a public place anywhere; from a secret one rarely to a public one
    const from = level === "public" ? m.i32.const(CELL.at + 8 * this.below(4)) : secret();
    return m.memory.copy(this.slip("public") === "secret" ? cell : secret(), from, length);
  }

  #table(depth: number): Ref {
    const { m } = this;
    const [first, second, last] = [0, 1, 2].map((i) => `case${this.#labels++}.${i}`) as [string, string, string];
    const chosen = m.switch([first, second], last, this.int(2, this.slip("public")));
    return m.block(last, [
      m.block(second, [m.block(first, [chosen]), this.statement(depth - 1), m.br(last)]),
      this.statement(depth - 1),
    ]);
  }

  #loop(depth: number): Ref {
    const { m } = this;
    if (this.#counters === COUNTER_LIMIT) return m.nop();
    const counter = COUNTERS + this.#counters++;
    const label = `loop${this.#labels++}`;
    // mostly a number, sometimes one that was computed
    const times = this.below(3) > 0 ? m.i32.const(1 + this.below(4)) : m.i32.and(this.int(1, "public"), m.i32.const(3));
    return m.block(null, [
      m.local.set(counter, times),
      m.loop(
        label,
        m.block(null, [
          this.statements(2, depth - 1),
          m.local.set(counter, m.i32.sub(m.local.get(counter, i32), m.i32.const(1))),
          m.br(label, m.i32.gt_s(m.local.get(counter, i32), m.i32.const(0))),
        ]),
      ),
    ]);
  }
}

const LOCALS = [
  ...[...PUBLIC_I32, ...SECRET_I32].map(() => i32),
  ...[...PUBLIC_I64, ...SECRET_I64].map(() => i64),
  ...Array.from({ length: COUNTER_LIMIT }, () => i32),
];

/** Makes the next program.
 *  @returns its bytes and, for a person, its text */
export function program(random: Random): { bytes: Uint8Array; text: () => string } {
  const m = new binaryen.Module();
  try {
    const { MVP, BulkMemory, BulkMemoryOpt, SignExt, MutableGlobals } = binaryen.Features;
    m.setFeatures(MVP | BulkMemory | BulkMemoryOpt | SignExt | MutableGlobals);
    m.setMemory(1, 1, "memory");
    m.addGlobal("open", i32, true, m.i32.const(3));
    m.addGlobal("hidden", i32, true, m.i32.const(4));
    const helper = new Body(m, random, false);
    // parameters of helpers lie where those of the root do, so that leaves name the same locals: a third, unused one fills up
    const parameters = binaryen.createType([i32, i32, i64]);
    const zero = (): Ref => m.i64.const(0n);
    const inner = (name: string, result: Level): void => {
      const body = m.block(null, [helper.statements(2, 1), helper.int(2, result)], i32);
      m.addFunction(`${name}.inner`, parameters, i32, LOCALS, body);
    };
    inner("plain", "public");
    inner("mixed", "secret");
    const get = (i: number): Ref => m.local.get(i, i32);
    m.addFunction("plain", i32, i32, [], m.call("plain.inner", [get(0), m.i32.const(0), zero()], i32));
    const two = binaryen.createType([i32, i32]);
    m.addFunction("mixed", two, i32, [], m.call("mixed.inner", [get(0), get(1), zero()], i32));
    const root = new Body(m, random, true);
    const body = m.block(null, [root.statements(5, 3), root.int(2, "secret")], i32);
    m.addFunction(ROOT, parameters, i32, LOCALS, body);
    m.addFunctionExport(ROOT, ROOT);
    if (m.validate() === 0) throw new Error("binaryen refuses a program that was made with it");
    if (root.below(2) === 0) {
      binaryen.setOptimizeLevel(root.below(4));
      binaryen.setShrinkLevel(root.below(3));
      m.optimize();
    }
    const bytes = m.emitBinary();
    return { bytes, text: () => binaryen.readBinary(bytes).emitText() };
  } finally {
    m.dispose();
  }
}
