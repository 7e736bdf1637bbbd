/** Points of edwards25519, −x² + y² = 1 + d·x²·y² (RFC 8032 §5.1): one point in hand, in extended coordinates with x = X/Z, y = Y/Z,
 *  x·y = T/Z. Formulas are those of the Explicit-Formulas Database for a = −1; both are complete on this curve, so that no operand is
 *  an exception. Constant-time but for decode and isSmallOrder, which see public points only. */
import { equal, isZero, wipe } from "./bytes";
import { CURVE_D, ROOT_OF_MINUS_ONE } from "./comb25519";
import { add, addSubtract, ELEMENT, fromBytes, multiply, set, square, subtract, toBytes } from "./field25519";
import { invert, rootPower } from "./power25519";

/** The point in hand: X, Y, Z, T. */
export const POINT: usize = memory.data(144);
/** Bytes of a point, and of what cache() writes. */
export const POINT_SIZE: i32 = 144;
const X: usize = POINT;
const Y: usize = X + ELEMENT;
const Z: usize = Y + ELEMENT;
const T: usize = Z + ELEMENT; // only as good as the last needT

const SCRATCH: usize = memory.data(320); // 8 elements with the letters of the formulas, and BYTES
const A: usize = SCRATCH;
const B: usize = A + ELEMENT;
const C: usize = B + ELEMENT;
const D: usize = C + ELEMENT;
const E: usize = D + ELEMENT;
const F: usize = E + ELEMENT;
const G: usize = F + ELEMENT;
const H: usize = G + ELEMENT;
const BYTES: usize = H + ELEMENT; // 32: a coordinate that is looked at
const SAVED: usize = memory.data(144); // the point while it is doubled for a test; public

/** Makes the point the neutral one. */
export function setNeutral(): void {
  set(X, 0);
  set(Y, 1);
  set(Z, 1);
  set(T, 0);
}

/** The end of both formulas: X = E·F, Y = G·H, Z = F·G, and T = E·H when somebody will ask for it. */
function close(needT: bool): void {
  multiply(X, E, F);
  multiply(Y, G, H);
  multiply(Z, F, G);
  if (needT) multiply(T, E, H);
}

/** Doubles the point; T need not be right before (dbl-2008-hwcd, with E, F, G, H all negated). */
export function double(needT: bool): void {
  square(A, X, 1);
  square(B, Y, 1);
  addSubtract(H, G, A, B);
  add(E, X, Y);
  square(E, E, 1);
  subtract(E, H, E); // 3 reduced elements
  square(C, Z, 1);
  add(F, C, C);
  add(F, F, G); // 4: E·F is at the limit of field25519.ts
  close(needT);
}

/** Adds the point whose y + x, y − x (elements) and 2·d·x·y are given, with Z = 1 (madd-2008-hwcd-3). T must be right. */
export function addAffine(plus: usize, minus: usize, product: usize, needT: bool): void {
  add(D, Z, Z);
  addRest(plus, minus, product, F, G, needT);
}

/** Adds the point that cache() wrote to `other`, or takes it off (add-2008-hwcd-3). T must be right. Which of both is public. */
export function addCached(other: usize, takeOff: bool, needT: bool): void {
  const plus = other;
  const minus = other + ELEMENT;
  multiply(D, Z, other + 2 * ELEMENT);
  // −(x, y) = (−x, y): y + x and y − x change places, 2·d·x·y its sign
  if (takeOff) addRest(minus, plus, other + 3 * ELEMENT, G, F, needT);
  else addRest(plus, minus, other + 3 * ELEMENT, F, G, needT);
}

/** Behind D = 2·Z1·Z2; `f` and `g` are F and G, exchanged when 2·d·T2 is meant negative. */
function addRest(plus: usize, minus: usize, product: usize, f: usize, g: usize, needT: bool): void {
  addSubtract(B, A, Y, X);
  multiply(A, A, minus);
  multiply(B, B, plus);
  multiply(C, T, product);
  addSubtract(H, E, B, A);
  addSubtract(g, f, D, C);
  close(needT);
}

/** Writes the point as addCached wants it: Y + X, Y − X, 2·Z, 2·d·T, 144 bytes. T must be right. */
export function cache(out: usize): void {
  addSubtract(out, out + ELEMENT, Y, X);
  add(out + 2 * ELEMENT, Z, Z);
  multiply(C, T, CURVE_D);
  add(out + 3 * ELEMENT, C, C);
}

/** Encodes the point in 32 bytes: y, and the lowest bit of x above it (RFC 8032 §5.1.2). */
export function encode(out: usize): void {
  invert(A, Z);
  multiply(B, X, A);
  multiply(C, Y, A);
  toBytes(BYTES, B);
  toBytes(out, C);
  store<u8>(out, load<u8>(out, 31) | (load<u8>(BYTES) << 7), 31);
}

/** The point's u on curve25519, 32 bytes: (Z + Y) / (Z − Y) (RFC 7748 §4.1). */
export function encodeMontgomery(out: usize): void {
  addSubtract(A, B, Z, Y);
  invert(C, B);
  multiply(A, A, C);
  toBytes(out, A);
}

/** Whether an element is zero modulo p. */
function vanishes(a: usize): bool {
  set(H, 1);
  multiply(G, a, H); // reduced
  toBytes(BYTES, G);
  return isZero(BYTES, 32);
}

/** Reads a point (RFC 8032 §5.1.3). For public points.
 *  @returns false when y is not below p, is on no point, or −0 is written for x; the point in hand is then nothing */
export function decode(bytes: usize): bool {
  const sign = load<u8>(bytes, 31) >> 7;
  fromBytes(Y, bytes);
  set(Z, 1);
  toBytes(BYTES, Y);
  store<u8>(BYTES, load<u8>(BYTES, 31) | (sign << 7), 31);
  if (!equal(BYTES, bytes, 32)) return false;
  square(A, Y, 1);
  multiply(B, A, CURVE_D);
  addSubtract(E, A, A, Z); // u = y² − 1
  addSubtract(B, E, B, Z); // v = d·y² + 1, and x² = u/v
  square(C, B, 1);
  multiply(C, C, B); // v³
  square(D, C, 1);
  multiply(D, D, B);
  multiply(D, D, A); // u·v⁷
  rootPower(E, D);
  multiply(E, E, C);
  multiply(X, E, A); // u·v³·(u·v⁷)^((p − 5)/8), a root if there is one, or a root of −u/v
  square(D, X, 1);
  multiply(D, D, B);
  addSubtract(F, E, D, A);
  if (!vanishes(E)) {
    if (!vanishes(F)) return false;
    multiply(X, X, ROOT_OF_MINUS_ONE);
  }
  toBytes(BYTES, X);
  if (sign != 0 && isZero(BYTES, 32)) return false;
  if ((load<u8>(BYTES) & 1) != sign) {
    set(E, 0);
    addSubtract(F, X, E, X);
  }
  multiply(T, X, Y);
  return true;
}

/** Whether the order of the point in hand divides 8: four times it has x = 0. For public points. */
export function isSmallOrder(): bool {
  memory.copy(SAVED, POINT, POINT_SIZE);
  double(false);
  double(false);
  const small = vanishes(X);
  memory.copy(POINT, SAVED, POINT_SIZE);
  return small;
}

/** Wipes the point and what was computed with it. */
export function wipePoint(): void {
  wipe(POINT, POINT_SIZE);
  wipe(SCRATCH, 320);
  wipe(SAVED, POINT_SIZE);
}
