/** Random words: xoshiro128** from a seed (Blackman and Vigna, 2018), or the host's entropy. For noise and tests, never for keys. */
import { randomFillSync } from "node:crypto";

/** Answers the next word, 0 … 2³²−1. */
export type Random = () => number;

/** A generator whose whole sequence follows from `seed` (an integer; its low 32 bits count). */
export function seeded(seed: number): Random {
  let x = seed >>> 0;
  const word = (): number => {
    // splitmix32 spreads a small seed over the whole state
    x = (x + 0x9e3779b9) >>> 0;
    let z = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  let a = word();
  let b = word();
  let c = word();
  let d = word();
  return () => {
    const t = Math.imul(b, 5);
    const result = Math.imul((t << 7) | (t >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };
}

/** The host's entropy, drawn in pages. */
export function hostRandom(): Random {
  const pool = new Uint32Array(1024);
  let next = pool.length;
  return () => {
    if (next === pool.length) {
      randomFillSync(pool);
      next = 0;
    }
    return pool[next++]!;
  };
}

/** Fills bytes `from` … `to` (exclusive) with noise. */
export function fillNoise(bytes: Uint8Array, random: Random, from = 0, to = bytes.length): void {
  for (let i = from; i < to; ) {
    let word = random();
    for (let k = 0; k < 4 && i < to; k++, i++) {
      bytes[i] = word & 0xff;
      word >>>= 8;
    }
  }
}
