/** The two powers in the field of 2^255 − 19 that points need: the inverse, and the candidate of a square root. Constant-time: the
 *  exponents are fixed. Relies on field25519.ts. */
import { wipe } from "./bytes";
import { ELEMENT, multiply, square } from "./field25519";

const CHAIN: usize = memory.data(108); // scratch of the powers, wiped by them
const ELEVEN: usize = CHAIN; // a^11
const LOW: usize = CHAIN + ELEMENT; // a^(2^m − 1) of an exponent met earlier
const HIGH: usize = LOW + ELEMENT;

/** out = a^(2^250 − 1), and a^11 to ELEVEN. The exponents 2^n − 1 double as 2^2n − 1 = 2^n · (2^n − 1) + (2^n − 1). */
function power250(out: usize, a: usize): void {
  square(LOW, a, 1); // 2
  square(HIGH, LOW, 2); // 8
  multiply(HIGH, HIGH, a); // 9
  multiply(ELEVEN, HIGH, LOW); // 11
  square(LOW, ELEVEN, 1); // 22
  multiply(LOW, LOW, HIGH); // 2^5 − 1
  square(HIGH, LOW, 5);
  multiply(LOW, HIGH, LOW); // 2^10 − 1
  square(HIGH, LOW, 10);
  multiply(HIGH, HIGH, LOW); // 2^20 − 1
  square(out, HIGH, 20);
  multiply(HIGH, out, HIGH); // 2^40 − 1
  square(HIGH, HIGH, 10);
  multiply(LOW, HIGH, LOW); // 2^50 − 1
  square(HIGH, LOW, 50);
  multiply(HIGH, HIGH, LOW); // 2^100 − 1
  square(out, HIGH, 100);
  multiply(HIGH, out, HIGH); // 2^200 − 1
  square(HIGH, HIGH, 50);
  multiply(out, HIGH, LOW); // 2^250 − 1
}

/** out = 1 / a = a^(p − 2), p − 2 = 2^255 − 21; 0 gives 0. `out` is not a. */
export function invert(out: usize, a: usize): void {
  power250(out, a);
  square(out, out, 5);
  multiply(out, out, ELEVEN);
  wipe(CHAIN, 108);
}

/** out = a^((p − 5) / 8) = a^(2^252 − 3), the candidate of a square root (RFC 8032 §5.1.3). `out` is not a. */
export function rootPower(out: usize, a: usize): void {
  power250(out, a);
  square(out, out, 2);
  multiply(out, out, a);
  wipe(CHAIN, 108);
}
