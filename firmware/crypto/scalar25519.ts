/** Arithmetic modulo L = 2^252 + 27742317777372353535851937790883648493, the order of the base point (RFC 8032 §5.1). Numbers are
 *  limbs of 28 bits in i64: 252 = 9 · 28, so that what stands above limb 8 is folded with 2^252 ≡ −(L − 2^252), five limbs.
 *  Constant-time: nothing but the loops' counters decides a branch or an address. */
import { equal, wipe } from "./bytes";

const BITS: i64 = 28;
const MASK: i64 = 0xfffffff;
const LIMBS: usize = 20 * 8; // of a product of two 256-bit numbers, and its carry
const TOP: usize = 9 * 8; // the limb of 2^252
/** L − 2^252. */
const EXCESS: usize = memory.data<i64>([0xcf5d3ed, 0x12631a5, 0x79cd658, 0xf9dea2f, 0x14de]);

const SCRATCH: usize = memory.data(388);
const X: usize = SCRATCH; // LIMBS: the number in hand
const LEFT: usize = X + LIMBS; // 80: factors
const RIGHT: usize = LEFT + 80;
const BYTES: usize = RIGHT + 80; // 68: a number as bytes, with room for reading past its end
const RESULT: usize = memory.data(32); // what isReduced compares with: public

/** Copies 32 bytes of a scalar and fixes its five bits: a multiple of 8 in 2^254 … 2^255 − 1 (RFC 7748 §5, RFC 8032 §5.1.5). */
export function clamp(out: usize, scalar: usize): void {
  memory.copy(out, scalar, 32);
  store<u8>(out, load<u8>(out) & 248);
  store<u8>(out, (load<u8>(out, 31) & 127) | 64, 31);
}

/** Limbs of `length` bytes, at most 64, little-endian. */
function unpack(limbs: usize, bytes: usize, length: i32, count: usize): void {
  wipe(BYTES, 68);
  memory.copy(BYTES, bytes, length);
  for (let i: usize = 0; i < count; i++) {
    // limb i starts at bit 28 · i: an odd one in the middle of a byte
    store<u64>(limbs + i * 8, (load<u32>(BYTES + 3 * i + (i >> 1)) >>> ((i & 1) << 2)) & <u32>MASK);
  }
}

/** Carries, so that all limbs of X but the last are 0 … 2^28 − 1; the last one keeps the sign. */
function carry(): void {
  let c: i64 = 0;
  for (let i: usize = 0; i < LIMBS - 8; i += 8) {
    c += load<i64>(X + i);
    store<i64>(X + i, c & MASK);
    c >>= BITS;
  }
  store<i64>(X + LIMBS - 8, load<i64>(X + LIMBS - 8) + c);
}

/** Folds every limb from 2^252 up onto those nine below it, once. */
function fold(): void {
  for (let i: usize = TOP; i < LIMBS; i += 8) {
    const limb = load<i64>(X + i);
    store<i64>(X + i, 0); // lower limbs of this range may be filled again by higher ones
    for (let j: usize = 0; j < 40; j += 8) {
      const at = X + i - TOP + j;
      store<i64>(at, load<i64>(at) - limb * load<i64>(EXCESS + j));
    }
  }
  carry();
}

/** X modulo L to 32 bytes, for 0 ≤ X < 2^512. */
function finish(out: usize): void {
  carry();
  fold(); // |X| < 2^386
  fold(); // < 2^260
  fold(); // −2^134 < X < 2^252 + 2^134
  fold(); // −L < X < L: a limb of −1 or 1 at 2^252 has gone
  const negative = load<i64>(X + LIMBS - 8) >> 63; // all ones, or zero
  for (let j: usize = 0; j < 40; j += 8) store<i64>(X + j, load<i64>(X + j) + (load<i64>(EXCESS + j) & negative));
  store<i64>(X + TOP, load<i64>(X + TOP) + (1 & negative));
  carry();
  for (let i: usize = 0; i < 4; i++) {
    store<u64>(out + 7 * i, load<u64>(X + 16 * i) | (load<u64>(X + 16 * i, 8) << BITS));
  }
  store<u32>(out, <u32>(load<u64>(X, 64) | (load<u64>(X, 72) << BITS)), 28);
  wipe(SCRATCH, 388);
}

/** out = 64 bytes modulo L, 32 bytes: what Ed25519 makes of a SHA-512. */
export function reduce(out: usize, bytes: usize): void {
  unpack(X, bytes, 64, 19);
  finish(out);
}

/** out = a · b + c modulo L. All have 32 bytes; a, b and c may be any numbers of 256 bits. */
export function multiplyAdd(out: usize, a: usize, b: usize, c: usize): void {
  unpack(LEFT, a, 32, 10);
  unpack(RIGHT, b, 32, 10);
  unpack(X, c, 32, 10);
  for (let i: usize = 0; i < 80; i += 8) {
    const left = load<i64>(LEFT + i);
    for (let j: usize = 0; j < 80; j += 8) {
      const at = X + i + j;
      store<i64>(at, load<i64>(at) + left * load<i64>(RIGHT + j));
    }
  }
  finish(out);
}

/** Whether 32 bytes are a number below L (RFC 8032 §5.1.7). */
export function isReduced(bytes: usize): bool {
  unpack(X, bytes, 32, 10);
  finish(RESULT);
  const reduced = equal(RESULT, bytes, 32);
  wipe(RESULT, 32);
  return reduced;
}
