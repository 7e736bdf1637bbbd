/** Multiples of points of edwards25519.ts. Those of the base point go through a comb of four teeth with digits ±1: 64 doublings and 64
 *  additions from a table of eight entries. */
import { wipe } from "./bytes";
import { COMB, HALF, HALF_OF_ALL, SPACING } from "./comb25519";
import { addAffine, addCached, cache, double, POINT, POINT_SIZE, setNeutral } from "./edwards25519";
import { ELEMENT, fromBytes } from "./field25519";
import { multiplyAdd } from "./scalar25519";

const COLUMN: usize = memory.data(236);
const DIGITS: usize = COLUMN; // 32: bit i says whether digit i is 1 or −1
const ENTRY: usize = DIGITS + 32; // 96: the entry of the comb that was chosen
const CHOSEN: usize = ENTRY + 96; // 108: the same as elements, y + x, y − x, 2·d·x·y

const OTHERS: usize = memory.data(868); // all public
const ODD: usize = OTHERS; // 576: 1, 3, 5, 7 times another point, cached
const OTHER: usize = ODD + 4 * POINT_SIZE; // 36: the scalar of that point, with room for reading past its end
const WINDOWS: usize = OTHER + 36; // 256 × i8: its digits, odd and at most 7 in amount or zero; three zeros follow each other one

/** A scalar (32 bytes) in digits ±1: n = Σ (2·dᵢ − 1)·2^i = 2·d − (2^256 − 1), so d = n/2 + (2^256 − 1)/2 modulo L. */
function setDigits(scalar: usize): void {
  multiplyAdd(DIGITS, scalar, HALF, HALF_OF_ALL);
}

/** Digit i of one tooth: 0 for −1, 1 for 1. */
function digit(tooth: usize, i: i32): u64 {
  return (load<u64>(DIGITS + tooth * 8) >>> i) & 1;
}

/** All ones when a and b, below 2^63, are the same, otherwise zero. */
function same(a: u64, b: u64): u64 {
  return <u64>((<i64>(a ^ b) - 1) >> 63);
}

/** Adds Σ ±2^(64·t)·B with the digits i, i + 64, i + 128, i + 192. Every entry is read, and masks pick one (its digits or their
 *  opposites) and its sign. */
function addColumn(i: i32): void {
  const negative = digit(3, i) - 1; // all ones when the last tooth's digit is −1: then the entry with opposite digits is taken off
  const index = (digit(0, i) | (digit(1, i) << 1) | (digit(2, i) << 2)) ^ (negative & 7);
  const is0 = same(index, 0);
  const is1 = same(index, 1);
  const is2 = same(index, 2);
  const is3 = same(index, 3);
  const is4 = same(index, 4);
  const is5 = same(index, 5);
  const is6 = same(index, 6);
  const is7 = same(index, 7);
  for (let at: usize = 0; at < 96; at += 8) {
    let word = load<u64>(COMB + at) & is0;
    word |= load<u64>(COMB + at, 96) & is1;
    word |= load<u64>(COMB + at, 192) & is2;
    word |= load<u64>(COMB + at, 288) & is3;
    word |= load<u64>(COMB + at, 384) & is4;
    word |= load<u64>(COMB + at, 480) & is5;
    word |= load<u64>(COMB + at, 576) & is6;
    word |= load<u64>(COMB + at, 672) & is7;
    store<u64>(ENTRY + at, word);
  }
  for (let at: usize = 0; at < 32; at += 8) {
    const plus = load<u64>(ENTRY + at);
    const minus = load<u64>(ENTRY + at, 32);
    const changes = (plus ^ minus) & negative;
    store<u64>(ENTRY + at, plus ^ changes);
    store<u64>(ENTRY + at, minus ^ changes, 32);
  }
  for (let i: usize = 0; i < 3; i++) fromBytes(CHOSEN + i * ELEMENT, ENTRY + i * 32);
  for (let at: usize = 2 * ELEMENT; at < 3 * ELEMENT; at += 4) {
    store<i32>(CHOSEN + at, (load<i32>(CHOSEN + at) ^ <i32>negative) - <i32>negative);
  }
  addAffine(CHOSEN, CHOSEN + ELEMENT, CHOSEN + 2 * ELEMENT, false);
}

/** Makes the point in hand scalar · B; the scalar is any number of 256 bits. Constant-time. */
export function multiplyBase(scalar: usize): void {
  setDigits(scalar);
  setNeutral();
  for (let i = SPACING - 1; i >= 0; i--) {
    double(true);
    addColumn(i);
  }
  wipe(COLUMN, 236);
}

/** Digits of a scalar below 2^253 to WINDOWS (signed sliding windows of four bits). */
function setWindows(scalar: usize): void {
  wipe(WINDOWS, 256);
  wipe(OTHER, 36);
  memory.copy(OTHER, scalar, 32);
  let carry = 0;
  for (let i = 0; i < 256; ) {
    const bits = ((load<u32>(OTHER + (i >> 3)) >>> (i & 7)) & 15) + carry;
    if ((bits & 1) == 0) {
      i++;
      continue;
    }
    carry = bits >> 3;
    store<i8>(WINDOWS + i, bits - (carry << 4));
    i += 4;
  }
}

/** Puts the odd multiples of the point in hand into ODD. */
function setOdd(): void {
  const last = ODD + 3 * POINT_SIZE;
  cache(ODD);
  double(true);
  cache(last); // twice the point, until the last multiple takes its place
  addCached(ODD, false, true);
  cache(ODD + POINT_SIZE);
  addCached(last, false, true);
  cache(ODD + 2 * POINT_SIZE);
  addCached(last, false, true);
  cache(last);
}

/** Makes the point in hand, P, scalar · B − other · P; other is below 2^253. T must be right. The time depends on both: for public
 *  numbers only (the equation of RFC 8032 §5.1.7). */
export function multiplyBaseLess(scalar: usize, other: usize): void {
  setDigits(scalar);
  setWindows(other);
  setOdd();
  setNeutral();
  for (let i = 255; i >= 0; i--) {
    const window = <i32>load<i8>(WINDOWS + i);
    const inComb = i < SPACING;
    double(window != 0 || inComb);
    if (window != 0) addCached(ODD + (abs(window) >> 1) * POINT_SIZE, window > 0, inComb);
    if (inComb) addColumn(i);
  }
  wipe(COLUMN, 236);
  wipe(OTHERS, 868);
}
