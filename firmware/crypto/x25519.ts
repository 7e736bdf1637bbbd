/** X25519 (RFC 7748 §5): the Montgomery ladder over field25519.ts; multiples of the base point come from the comb of
 *  multiples25519.ts, which is twice as fast. Constant-time in the scalar and in the point. */
import { isZero, wipe } from "./bytes";
import { encodeMontgomery, wipePoint } from "./edwards25519";
import { addSubtract, ELEMENT, fromBytes, multiply, scaledDifference, set, square, toBytes } from "./field25519";
import { multiplyBase } from "./multiples25519";
import { invert } from "./power25519";
import { clamp } from "./scalar25519";

const SCRATCH: usize = memory.data(392); // a clamped scalar, 10 elements
const SCALAR: usize = SCRATCH;
const X1: usize = SCALAR + 32;
const X2: usize = X1 + ELEMENT;
const Z2: usize = X2 + ELEMENT;
const X3: usize = Z2 + ELEMENT;
const Z3: usize = X3 + ELEMENT;
const A: usize = Z3 + ELEMENT; // letters as in the RFC; A, B and C, D are neighbours, to be chosen as pairs
const B: usize = A + ELEMENT;
const C: usize = B + ELEMENT;
const D: usize = C + ELEMENT;
const E: usize = D + ELEMENT;

/** Puts a word of (C, D) in the place of the same one of (A, B) where mask is all ones. */
function chooseWord(at: usize, mask: u64): void {
  const first = load<u64>(A + at);
  store<u64>(A + at, first ^ ((first ^ load<u64>(C + at)) & mask));
}

/** Puts (C, D) in the place of (A, B) when swap is 1; the same accesses when it is 0. */
function choose(swap: u64): void {
  const mask = 0 - swap;
  chooseWord(0, mask);
  chooseWord(8, mask);
  chooseWord(16, mask);
  chooseWord(24, mask);
  chooseWord(32, mask);
  chooseWord(40, mask);
  chooseWord(48, mask);
  chooseWord(56, mask);
  chooseWord(64, mask);
}

/* The RFC exchanges the points (X2, Z2) and (X3, Z3) before each step as the scalar's bits change. Their sum, the new (X3, Z3), is the same
 * either way (an exchange turns DA into CB and the difference's sign, which is squared); only what is doubled must be chosen. The last
 * bit of a clamped scalar is 0, so that nothing is to be exchanged behind the loop. */

/** Shared secret of a scalar and a point's u coordinate, 32 bytes each; all may be the same memory.
 *  @returns false for a point of low order: `out` is then all zero and must not be used (RFC 7748 §6.1) */
export function x25519(out: usize, scalar: usize, point: usize): bool {
  clamp(SCALAR, scalar);
  fromBytes(X1, point);
  set(X2, 1);
  set(Z2, 0);
  memory.copy(X3, X1, <i32>ELEMENT);
  set(Z3, 1);
  let swapped: u64 = 0;
  for (let i = 254; i >= 0; i--) {
    const bit = (load<u64>(SCALAR + ((i >> 6) << 3)) >>> (i & 63)) & 1;
    addSubtract(A, B, X2, Z2);
    addSubtract(C, D, X3, Z3);
    multiply(X3, D, A);
    multiply(Z3, C, B);
    choose(bit ^ swapped);
    swapped = bit;
    square(A, A, 1); // AA
    square(B, B, 1); // BB
    multiply(X2, A, B);
    scaledDifference(E, A, A, B);
    multiply(Z2, A, E);
    addSubtract(X3, Z3, X3, Z3);
    square(X3, X3, 1);
    square(Z3, Z3, 1);
    multiply(Z3, Z3, X1);
  }
  invert(A, Z2);
  multiply(A, A, X2);
  toBytes(out, A);
  wipe(SCRATCH, 392);
  return !isZero(out, 32);
}

/** Public key of a scalar, 32 bytes each: its multiple of the base point, u = 9 (RFC 7748 §6.1). */
export function x25519Base(out: usize, scalar: usize): void {
  clamp(SCALAR, scalar);
  multiplyBase(SCALAR); // the base points of both curves correspond (RFC 7748 §4.1)
  encodeMontgomery(out);
  wipe(SCALAR, 32);
  wipePoint();
}
