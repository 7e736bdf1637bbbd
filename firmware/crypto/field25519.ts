/** The field of 2^255 − 19, base of X25519 and Ed25519. An element is nine signed limbs, eight of 29 bits and a top one of 23, as
 *  i32 in 36 bytes. Nine limbs want 81 products where ten of 25.5 bits want 100, and in an interpreter the products are the time.
 *  A *reduced* element (what multiply, square and scaledDifference give) has |limb| ≤ 2^28 + 2^16, top limb 2^22. Sums and differences are not
 *  reduced: one of k reduced elements may be multiplied with one of m while k·m ≤ 12, or a sum of products leaves 63 bits. An
 *  element from bytes counts as two. Every function may write to its own operand. Constant-time: no branch or address depends on a limb. */
import { wipe } from "./bytes";

/** Bytes of an element. */
export const ELEMENT: usize = 36;
const MASK: i64 = 0x1fffffff;
const HALF: i64 = 0x10000000; // added before a carry and taken off the limb: limbs come out balanced around zero
const HALVES: i64 = 0x200000010000000; // the same for a limb and the next one, at once
const TOP_MASK: i64 = 0x7fffff;
const TOP_HALF: i64 = 0x400000;
const FOLD: i64 = 1216; // 2^261 ≡ 64 · 19: what a limb is worth nine places down

/** Sets an element to a number below 2^28. */
export function set(out: usize, value: i32): void {
  wipe(out, <i32>ELEMENT);
  store<i32>(out, value);
}

/** Reads 32 bytes, little-endian, without their highest bit; 2^255 − 19 and above are taken too (RFC 7748 §5). */
export function fromBytes(out: usize, bytes: usize): void {
  store<i32>(out, load<u32>(bytes) & <u32>MASK);
  store<i32>(out, <i32>((load<u64>(bytes, 3) >>> 5) & MASK), 4);
  store<i32>(out, <i32>((load<u64>(bytes, 7) >>> 2) & MASK), 8);
  store<i32>(out, <i32>((load<u64>(bytes, 10) >>> 7) & MASK), 12);
  store<i32>(out, <i32>((load<u64>(bytes, 14) >>> 4) & MASK), 16);
  store<i32>(out, <i32>((load<u64>(bytes, 18) >>> 1) & MASK), 20);
  store<i32>(out, <i32>((load<u64>(bytes, 21) >>> 6) & MASK), 24);
  store<i32>(out, load<u32>(bytes, 25) >>> 3, 28);
  store<i32>(out, (load<u32>(bytes, 28) >>> 8) & <u32>TOP_MASK, 32);
}

/** Writes the 32 bytes of the one representative below 2^255 − 19. The element is reduced or from bytes. */
export function toBytes(out: usize, a: usize): void {
  const a0: i64 = load<i32>(a);
  const a1: i64 = load<i32>(a, 4);
  const a2: i64 = load<i32>(a, 8);
  const a3: i64 = load<i32>(a, 12);
  const a4: i64 = load<i32>(a, 16);
  const a5: i64 = load<i32>(a, 20);
  const a6: i64 = load<i32>(a, 24);
  const a7: i64 = load<i32>(a, 28);
  const a8: i64 = load<i32>(a, 32);
  // q = ⌊a / p⌋, which is −1, 0 or 1: the carry out of a + 19 · a / 2^255 + ½, of which the top limb decides enough
  let c = (19 * a8 + TOP_HALF) >> 23;
  c = (a0 + c) >> 29;
  c = (a1 + c) >> 29;
  c = (a2 + c) >> 29;
  c = (a3 + c) >> 29;
  c = (a4 + c) >> 29;
  c = (a5 + c) >> 29;
  c = (a6 + c) >> 29;
  c = (a7 + c) >> 29;
  c = (a8 + c) >> 23;
  // a − q · p = a + 19 · q without what is carried past bit 255
  c = a0 + 19 * c;
  let word = c & MASK;
  c = (c >> 29) + a1;
  word |= (c & MASK) << 29;
  c = (c >> 29) + a2;
  store<u64>(out, word | (c << 58));
  word = (c & MASK) >> 6;
  c = (c >> 29) + a3;
  word |= (c & MASK) << 23;
  c = (c >> 29) + a4;
  store<u64>(out, word | (c << 52), 8);
  word = (c & MASK) >> 12;
  c = (c >> 29) + a5;
  word |= (c & MASK) << 17;
  c = (c >> 29) + a6;
  store<u64>(out, word | (c << 46), 16);
  word = (c & MASK) >> 18;
  c = (c >> 29) + a7;
  word |= (c & MASK) << 11;
  c = (c >> 29) + a8;
  store<u64>(out, word | ((c & TOP_MASK) << 40), 24);
}

/** out = a + b. */
export function add(out: usize, a: usize, b: usize): void {
  store<i32>(out, load<i32>(a) + load<i32>(b));
  store<i32>(out, load<i32>(a, 4) + load<i32>(b, 4), 4);
  store<i32>(out, load<i32>(a, 8) + load<i32>(b, 8), 8);
  store<i32>(out, load<i32>(a, 12) + load<i32>(b, 12), 12);
  store<i32>(out, load<i32>(a, 16) + load<i32>(b, 16), 16);
  store<i32>(out, load<i32>(a, 20) + load<i32>(b, 20), 20);
  store<i32>(out, load<i32>(a, 24) + load<i32>(b, 24), 24);
  store<i32>(out, load<i32>(a, 28) + load<i32>(b, 28), 28);
  store<i32>(out, load<i32>(a, 32) + load<i32>(b, 32), 32);
}

/** out = a − b. */
export function subtract(out: usize, a: usize, b: usize): void {
  store<i32>(out, load<i32>(a) - load<i32>(b));
  store<i32>(out, load<i32>(a, 4) - load<i32>(b, 4), 4);
  store<i32>(out, load<i32>(a, 8) - load<i32>(b, 8), 8);
  store<i32>(out, load<i32>(a, 12) - load<i32>(b, 12), 12);
  store<i32>(out, load<i32>(a, 16) - load<i32>(b, 16), 16);
  store<i32>(out, load<i32>(a, 20) - load<i32>(b, 20), 20);
  store<i32>(out, load<i32>(a, 24) - load<i32>(b, 24), 24);
  store<i32>(out, load<i32>(a, 28) - load<i32>(b, 28), 28);
  store<i32>(out, load<i32>(a, 32) - load<i32>(b, 32), 32);
}

/** sum = a + b and difference = a − b at once: the curves want both, and memory is the price. */
export function addSubtract(sum: usize, difference: usize, a: usize, b: usize): void {
  const a0 = load<i32>(a);
  const b0 = load<i32>(b);
  store<i32>(sum, a0 + b0);
  store<i32>(difference, a0 - b0);
  const a1 = load<i32>(a, 4);
  const b1 = load<i32>(b, 4);
  store<i32>(sum, a1 + b1, 4);
  store<i32>(difference, a1 - b1, 4);
  const a2 = load<i32>(a, 8);
  const b2 = load<i32>(b, 8);
  store<i32>(sum, a2 + b2, 8);
  store<i32>(difference, a2 - b2, 8);
  const a3 = load<i32>(a, 12);
  const b3 = load<i32>(b, 12);
  store<i32>(sum, a3 + b3, 12);
  store<i32>(difference, a3 - b3, 12);
  const a4 = load<i32>(a, 16);
  const b4 = load<i32>(b, 16);
  store<i32>(sum, a4 + b4, 16);
  store<i32>(difference, a4 - b4, 16);
  const a5 = load<i32>(a, 20);
  const b5 = load<i32>(b, 20);
  store<i32>(sum, a5 + b5, 20);
  store<i32>(difference, a5 - b5, 20);
  const a6 = load<i32>(a, 24);
  const b6 = load<i32>(b, 24);
  store<i32>(sum, a6 + b6, 24);
  store<i32>(difference, a6 - b6, 24);
  const a7 = load<i32>(a, 28);
  const b7 = load<i32>(b, 28);
  store<i32>(sum, a7 + b7, 28);
  store<i32>(difference, a7 - b7, 28);
  const a8 = load<i32>(a, 32);
  const b8 = load<i32>(b, 32);
  store<i32>(sum, a8 + b8, 32);
  store<i32>(difference, a8 - b8, 32);
}

/** out = a · b. Columns of the product from 2^261 up are folded onto those below. */
export function multiply(out: usize, a: usize, b: usize): void {
  const a0: i64 = load<i32>(a);
  const a1: i64 = load<i32>(a, 4);
  const a2: i64 = load<i32>(a, 8);
  const a3: i64 = load<i32>(a, 12);
  const a4: i64 = load<i32>(a, 16);
  const a5: i64 = load<i32>(a, 20);
  const a6: i64 = load<i32>(a, 24);
  const a7: i64 = load<i32>(a, 28);
  const a8: i64 = load<i32>(a, 32);
  const b0: i64 = load<i32>(b);
  const b1: i64 = load<i32>(b, 4);
  const b2: i64 = load<i32>(b, 8);
  const b3: i64 = load<i32>(b, 12);
  const b4: i64 = load<i32>(b, 16);
  const b5: i64 = load<i32>(b, 20);
  const b6: i64 = load<i32>(b, 24);
  const b7: i64 = load<i32>(b, 28);
  const b8: i64 = load<i32>(b, 32);
  let c = a1 * b8 + a2 * b7 + a3 * b6 + a4 * b5 + a5 * b4 + a6 * b3 + a7 * b2 + a8 * b1;
  const r0 = (c & MASK) * FOLD;
  c = (c >> 29) + a2 * b8 + a3 * b7 + a4 * b6 + a5 * b5 + a6 * b4 + a7 * b3 + a8 * b2;
  const r1 = (c & MASK) * FOLD;
  c = (c >> 29) + a3 * b8 + a4 * b7 + a5 * b6 + a6 * b5 + a7 * b4 + a8 * b3;
  const r2 = (c & MASK) * FOLD;
  c = (c >> 29) + a4 * b8 + a5 * b7 + a6 * b6 + a7 * b5 + a8 * b4;
  const r3 = (c & MASK) * FOLD;
  c = (c >> 29) + a5 * b8 + a6 * b7 + a7 * b6 + a8 * b5;
  const r4 = (c & MASK) * FOLD;
  c = (c >> 29) + a6 * b8 + a7 * b7 + a8 * b6;
  const r5 = (c & MASK) * FOLD;
  c = (c >> 29) + a7 * b8 + a8 * b7;
  const r6 = (c & MASK) * FOLD;
  c = (c >> 29) + a8 * b8;
  const r7 = c * FOLD; // the top limbs are short
  c = HALVES + r0 + a0 * b0;
  const l0 = c & MASK;
  c = (c >> 29) + r1 + a0 * b1 + a1 * b0;
  const l1 = c & MASK;
  c = (c >> 29) + HALVES + r2 + a0 * b2 + a1 * b1 + a2 * b0;
  store<i32>(out, (<i32>c & <i32>MASK) - <i32>HALF, 8);
  c = (c >> 29) + r3 + a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0;
  store<i32>(out, (<i32>c & <i32>MASK) - <i32>HALF, 12);
  c = (c >> 29) + HALVES + r4 + a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0;
  store<i32>(out, (<i32>c & <i32>MASK) - <i32>HALF, 16);
  c = (c >> 29) + r5 + a0 * b5 + a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1 + a5 * b0;
  store<i32>(out, (<i32>c & <i32>MASK) - <i32>HALF, 20);
  c = (c >> 29) + HALVES + r6 + a0 * b6 + a1 * b5 + a2 * b4 + a3 * b3 + a4 * b2 + a5 * b1 + a6 * b0;
  store<i32>(out, (<i32>c & <i32>MASK) - <i32>HALF, 24);
  c = (c >> 29) + r7 + a0 * b7 + a1 * b6 + a2 * b5 + a3 * b4 + a4 * b3 + a5 * b2 + a6 * b1 + a7 * b0;
  store<i32>(out, (<i32>c & <i32>MASK) - <i32>HALF, 28);
  c = (c >> 29) + TOP_HALF + a0 * b8 + a1 * b7 + a2 * b6 + a3 * b5 + a4 * b4 + a5 * b3 + a6 * b2 + a7 * b1 + a8 * b0;
  store<i32>(out, (<i32>c & <i32>TOP_MASK) - <i32>TOP_HALF, 32);
  c = l0 + (c >> 23) * 19;
  store<i32>(out, (<i32>c & <i32>MASK) - <i32>HALF);
  store<i32>(out, <i32>(l1 - HALF + (c >> 29)), 4);
}

/** out = a^(2^times), times ≥ 1. */
export function square(out: usize, a: usize, times: i32): void {
  let a0: i64 = load<i32>(a);
  let a1: i64 = load<i32>(a, 4);
  let a2: i64 = load<i32>(a, 8);
  let a3: i64 = load<i32>(a, 12);
  let a4: i64 = load<i32>(a, 16);
  let a5: i64 = load<i32>(a, 20);
  let a6: i64 = load<i32>(a, 24);
  let a7: i64 = load<i32>(a, 28);
  let a8: i64 = load<i32>(a, 32);
  do {
    const d0 = a0 + a0;
    const d1 = a1 + a1;
    const d2 = a2 + a2;
    const d3 = a3 + a3;
    const d4 = a4 + a4;
    const d5 = a5 + a5;
    const d6 = a6 + a6;
    const d7 = a7 + a7;
    let c = d1 * a8 + d2 * a7 + d3 * a6 + d4 * a5;
    const r0 = (c & MASK) * FOLD;
    c = (c >> 29) + d2 * a8 + d3 * a7 + d4 * a6 + a5 * a5;
    const r1 = (c & MASK) * FOLD;
    c = (c >> 29) + d3 * a8 + d4 * a7 + d5 * a6;
    const r2 = (c & MASK) * FOLD;
    c = (c >> 29) + d4 * a8 + d5 * a7 + a6 * a6;
    const r3 = (c & MASK) * FOLD;
    c = (c >> 29) + d5 * a8 + d6 * a7;
    const r4 = (c & MASK) * FOLD;
    c = (c >> 29) + d6 * a8 + a7 * a7;
    const r5 = (c & MASK) * FOLD;
    c = (c >> 29) + d7 * a8;
    const r6 = (c & MASK) * FOLD;
    c = (c >> 29) + a8 * a8;
    const r7 = c * FOLD; // the top limbs are short
    c = HALVES + r0 + a0 * a0;
    const l0 = c & MASK;
    c = (c >> 29) + r1 + d0 * a1;
    const l1 = c & MASK;
    c = (c >> 29) + HALVES + r2 + d0 * a2 + a1 * a1;
    const l2 = c & MASK;
    c = (c >> 29) + r3 + d0 * a3 + d1 * a2;
    const l3 = c & MASK;
    c = (c >> 29) + HALVES + r4 + d0 * a4 + d1 * a3 + a2 * a2;
    const l4 = c & MASK;
    c = (c >> 29) + r5 + d0 * a5 + d1 * a4 + d2 * a3;
    const l5 = c & MASK;
    c = (c >> 29) + HALVES + r6 + d0 * a6 + d1 * a5 + d2 * a4 + a3 * a3;
    const l6 = c & MASK;
    c = (c >> 29) + r7 + d0 * a7 + d1 * a6 + d2 * a5 + d3 * a4;
    const l7 = c & MASK;
    c = (c >> 29) + TOP_HALF + d0 * a8 + d1 * a7 + d2 * a6 + d3 * a5 + a4 * a4;
    a8 = (c & TOP_MASK) - TOP_HALF;
    c = l0 + (c >> 23) * 19;
    a0 = (c & MASK) - HALF;
    a1 = l1 - HALF + (c >> 29);
    a2 = l2 - HALF;
    a3 = l3 - HALF;
    a4 = l4 - HALF;
    a5 = l5 - HALF;
    a6 = l6 - HALF;
    a7 = l7 - HALF;
  } while (--times != 0);
  store<i32>(out, <i32>a0);
  store<i32>(out, <i32>a1, 4);
  store<i32>(out, <i32>a2, 8);
  store<i32>(out, <i32>a3, 12);
  store<i32>(out, <i32>a4, 16);
  store<i32>(out, <i32>a5, 20);
  store<i32>(out, <i32>a6, 24);
  store<i32>(out, <i32>a7, 28);
  store<i32>(out, <i32>a8, 32);
}

/** difference = a − b and scaled = a + 121665 · (a − b), reduced: the ladder's E and AA + a24 · E (RFC 7748 §5). */
export function scaledDifference(difference: usize, scaled: usize, a: usize, b: usize): void {
  const a0: i64 = load<i32>(a);
  const d0 = a0 - <i64>load<i32>(b);
  store<i32>(difference, <i32>d0);
  let c = HALVES + a0 + d0 * 121665;
  const l0 = c & MASK;
  const a1: i64 = load<i32>(a, 4);
  const d1 = a1 - <i64>load<i32>(b, 4);
  store<i32>(difference, <i32>d1, 4);
  c = (c >> 29) + a1 + d1 * 121665;
  const l1 = c & MASK;
  const a2: i64 = load<i32>(a, 8);
  const d2 = a2 - <i64>load<i32>(b, 8);
  store<i32>(difference, <i32>d2, 8);
  c = (c >> 29) + HALVES + a2 + d2 * 121665;
  store<i32>(scaled, (<i32>c & <i32>MASK) - <i32>HALF, 8);
  const a3: i64 = load<i32>(a, 12);
  const d3 = a3 - <i64>load<i32>(b, 12);
  store<i32>(difference, <i32>d3, 12);
  c = (c >> 29) + a3 + d3 * 121665;
  store<i32>(scaled, (<i32>c & <i32>MASK) - <i32>HALF, 12);
  const a4: i64 = load<i32>(a, 16);
  const d4 = a4 - <i64>load<i32>(b, 16);
  store<i32>(difference, <i32>d4, 16);
  c = (c >> 29) + HALVES + a4 + d4 * 121665;
  store<i32>(scaled, (<i32>c & <i32>MASK) - <i32>HALF, 16);
  const a5: i64 = load<i32>(a, 20);
  const d5 = a5 - <i64>load<i32>(b, 20);
  store<i32>(difference, <i32>d5, 20);
  c = (c >> 29) + a5 + d5 * 121665;
  store<i32>(scaled, (<i32>c & <i32>MASK) - <i32>HALF, 20);
  const a6: i64 = load<i32>(a, 24);
  const d6 = a6 - <i64>load<i32>(b, 24);
  store<i32>(difference, <i32>d6, 24);
  c = (c >> 29) + HALVES + a6 + d6 * 121665;
  store<i32>(scaled, (<i32>c & <i32>MASK) - <i32>HALF, 24);
  const a7: i64 = load<i32>(a, 28);
  const d7 = a7 - <i64>load<i32>(b, 28);
  store<i32>(difference, <i32>d7, 28);
  c = (c >> 29) + a7 + d7 * 121665;
  store<i32>(scaled, (<i32>c & <i32>MASK) - <i32>HALF, 28);
  const a8: i64 = load<i32>(a, 32);
  const d8 = a8 - <i64>load<i32>(b, 32);
  store<i32>(difference, <i32>d8, 32);
  c = (c >> 29) + TOP_HALF + a8 + d8 * 121665;
  store<i32>(scaled, (<i32>c & <i32>TOP_MASK) - <i32>TOP_HALF, 32);
  c = l0 + (c >> 23) * 19;
  store<i32>(scaled, (<i32>c & <i32>MASK) - <i32>HALF);
  store<i32>(scaled, <i32>(l1 - HALF + (c >> 29)), 4);
}
