/** The field of 2^255 − 19 against big integers, mostly where limbs are at the limits that field25519.ts promises to take. */
import { describe, expect, it } from "vitest";
import { source } from "./core.js";
import { core, integer, KEY, littleEndian, memory, OUT, P, place, taken } from "./curve.js";

const view = new DataView(memory.buffer);
const [A, B, C, D] = [0xf400, 0xf440, 0xf480, 0xf4c0];
const LIMBS = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const mod = (value: bigint) => ((value % P) + P) % P;

const limbs = (at: number) => LIMBS.map((i) => view.getInt32(at + 4 * i, true));
function setLimbs(at: number, values: number[]): void {
  for (const i of LIMBS) view.setInt32(at + 4 * i, values[i]!, true);
}
const numberAt = (at: number) => limbs(at).reduce((sum, limb, i) => sum + (BigInt(limb) << BigInt(29 * i)), 0n);
/** The number in [0, p) that toBytes writes. */
function canonical(at: number): bigint {
  core.toBytes(OUT, at);
  return integer(taken(OUT, 32));
}

/** Largest amount of a limb of a reduced element. */
const most = (i: number) => (i === 8 ? 2 ** 22 : 2 ** 28 + 2 ** 16);
/** Whether an element keeps what "reduced" promises. */
const isReduced = (at: number) => limbs(at).every((limb, i) => Math.abs(limb) <= most(i));

function extremes() {
  const { below, some, seed } = source();
  /** Limbs of a sum of `count` reduced elements: at their limits, next to them, zero, or somewhere between. */
  const pick = (count: number) => {
    const style = below(4);
    return LIMBS.map((i) => {
      const limit = count * most(i);
      const sign = style === 0 ? 1 : style === 1 ? -1 : below(2) * 2 - 1;
      return sign * (style < 3 || below(2) === 0 ? limit - (below(4) === 0 ? below(3) : 0) : below(limit));
    });
  };
  return { pick, below, some, seed };
}

describe("multiply and square", () => {
  it("give the right, reduced element for sums of k and m reduced ones up to k · m = 12", () => {
    const { pick, below, seed } = extremes();
    const pairs = [
      [1, 1],
      [2, 2],
      [3, 3],
      [3, 4],
      [4, 3],
      [1, 4],
      [2, 4],
    ] as const; // a limb of four fills an i32 almost
    for (let i = 0; i < 5000; i++) {
      const [k, m] = pairs[below(pairs.length)]!;
      const [a, b] = [pick(k), pick(m)];
      setLimbs(A, a);
      setLimbs(B, b);
      const where = `${a} times ${b}, ${seed}`;
      core.multiply(C, A, B);
      expect(isReduced(C), where).toBe(true);
      expect(mod(numberAt(C)), where).toBe(mod(numberAt(A) * numberAt(B)));
      if (k === 4) continue;
      core.square(C, A, 1);
      expect(isReduced(C), where).toBe(true);
      expect(mod(numberAt(C)), where).toBe(mod(numberAt(A) ** 2n));
    }
  });

  it("overflow beyond that, so that the limit is one", () => {
    setLimbs(
      A,
      LIMBS.map((i) => 4 * most(i) - 1),
    );
    setLimbs(
      B,
      LIMBS.map((i) => 6 * most(i)),
    );
    core.multiply(C, A, B);
    expect(mod(numberAt(C))).not.toBe(mod(numberAt(A) * numberAt(B)));
  });

  it("may write over their operands", () => {
    const { pick, seed } = extremes();
    const [a, b] = [pick(2), pick(2)];
    for (const out of [A, B]) {
      setLimbs(A, a);
      setLimbs(B, b);
      const expected = mod(numberAt(A) * numberAt(B));
      core.multiply(out, A, B);
      expect(mod(numberAt(out)), seed).toBe(expected);
    }
  });

  it("square as often as they are told", () => {
    const { pick, seed } = extremes();
    setLimbs(A, pick(1));
    let expected = mod(numberAt(A));
    for (let times = 1; times <= 20; times++) {
      expected = mod(expected ** 2n);
      core.square(B, A, times);
      expect(canonical(B), `${times} times, ${seed}`).toBe(expected);
    }
  });
});

describe("the other operations", () => {
  it("add, subtract and scale elements", () => {
    const { pick, seed } = extremes();
    for (let i = 0; i < 500; i++) {
      setLimbs(A, pick(1));
      setLimbs(B, pick(1));
      const [a, b] = [numberAt(A), numberAt(B)];
      core.addSubtract(C, D, A, B);
      expect([numberAt(C), numberAt(D)], seed).toEqual([a + b, a - b]);
      core.add(C, A, B);
      core.subtract(D, A, B);
      expect([numberAt(C), numberAt(D)], seed).toEqual([a + b, a - b]);
      core.scaledDifference(C, D, A, B);
      expect(numberAt(C), seed).toBe(a - b);
      expect(mod(numberAt(D)), seed).toBe(mod(a + 121665n * (a - b)));
      expect(isReduced(D), seed).toBe(true);
    }
  });

  it("write the canonical bytes of every reduced element and of every 32 bytes", () => {
    const { pick, some, below, seed } = extremes();
    for (let i = 0; i < 2000; i++) {
      setLimbs(A, pick(1));
      expect(canonical(A), `${limbs(A)}, ${seed}`).toBe(mod(numberAt(A)));
    }
    const edges = [0n, 1n, 18n, 19n, 20n].flatMap((n) => [n, P - n, P + n, 2n ** 255n - 1n - n]);
    const runs = () => integer(some(32).fill(below(2) === 0 ? 0xff : 0, below(16), 16 + below(17)));
    for (const number of [...edges, ...Array.from({ length: 2000 }, runs)]) {
      core.fromBytes(A, place(KEY, littleEndian(number % 2n ** 256n)));
      expect(numberAt(A), `${number}, ${seed}`).toBe(number % 2n ** 255n);
      expect(canonical(A), `${number}, ${seed}`).toBe((number % 2n ** 255n) % P);
    }
  });

  it("invert, and give 0 for 0", () => {
    const { pick, seed } = extremes();
    setLimbs(
      A,
      LIMBS.map(() => 0),
    );
    core.invert(B, A);
    expect(canonical(B)).toBe(0n);
    for (let i = 0; i < 50; i++) {
      setLimbs(A, pick(2));
      core.invert(B, A);
      core.multiply(C, A, B);
      expect(canonical(C), seed).toBe(1n);
    }
  });

  it("raise to (p − 5) / 8", () => {
    const { pick, seed } = extremes();
    setLimbs(A, pick(1));
    let expected = 1n;
    for (const bit of ((P - 5n) / 8n).toString(2))
      expected = mod(expected ** 2n * (bit === "1" ? mod(numberAt(A)) : 1n));
    core.rootPower(B, A);
    expect(canonical(B), seed).toBe(expected);
  });
});
