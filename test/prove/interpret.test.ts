/** The interpreter that watches fuzzed programs, against V8: every operation on values at the edges of its type. */
import binaryen from "binaryen";
import { describe, expect, it } from "vitest";
import { Interpreter, Trap, type Value } from "../../scripts/prove/interpret.js";
import { decode } from "../../scripts/prove/wasm.js";

const UNARY = "clz ctz popcnt eqz extend8_s extend16_s".split(" ");
const BINARY = "add sub mul and or xor shl shr_s shr_u rotl rotr div_s div_u rem_s rem_u".split(" ");
const COMPARE = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u".split(" ");
const EDGES = [0n, 1n, -1n, 2n, -5n, 31n, 32n, 33n, 63n, 64n, 128n, 255n, 0x8000n, 0x123456789abcdefn].concat(
  [31n, 32n, 63n].flatMap((bit) => [2n ** bit - 1n, -(2n ** bit)]),
);

type Operations = Record<string, (...operands: number[]) => number>;

/** A module that exports every operation under its name. */
function everything(): { bytes: Uint8Array; names: string[] } {
  const m = new binaryen.Module();
  m.setFeatures(binaryen.Features.SignExt);
  m.setMemory(1, 1, "memory");
  const names: string[] = [];
  for (const kind of ["i32", "i64"] as const) {
    const type = binaryen[kind];
    const operations = m[kind] as unknown as Operations;
    for (const op of [...UNARY, ...(kind === "i64" ? ["extend32_s"] : []), ...BINARY, ...COMPARE]) {
      const name = `${kind}.${op}`;
      const result = op === "eqz" || COMPARE.includes(op) ? binaryen.i32 : type;
      const body = operations[op]!(m.local.get(0, type), m.local.get(1, type));
      m.addFunction(name, binaryen.createType([type, type]), result, [], body);
      m.addFunctionExport(name, name);
      names.push(name);
    }
  }
  const bytes = m.emitBinary();
  m.dispose();
  return { bytes, names };
}

describe("Interpreter", () => {
  const { bytes, names } = everything();
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes)), {});
  const interpreter = new Interpreter(decode(bytes), new Uint8Array(65536), () => {});

  const outcome = (work: () => unknown): unknown => {
    try {
      return work();
    } catch (error) {
      if (error instanceof Trap || error instanceof WebAssembly.RuntimeError) return "trap";
      throw error;
    }
  };

  it.each(names)("computes %s as V8 does, traps included", (name) => {
    const clip = (x: bigint): Value => (name.startsWith("i64") ? BigInt.asIntN(64, x) : Number(BigInt.asIntN(32, x)));
    const native = exports[name] as (...operands: Value[]) => Value;
    for (const a of EDGES.map(clip))
      for (const b of EDGES.map(clip))
        expect(
          outcome(() => interpreter.call(name, a, b)[0]),
          `${name} of ${a} and ${b}`,
        ).toBe(outcome(() => native(a, b)));
  });
});
