/** Poly1305 (RFC 8439 §2.5) in four limbs, three of 32 bits and a top one of 34, with 64-bit products: 16 of them a block where five limbs of 26 bits
 *  want 25, and the words of a block are taken as they stand. Constant-time: no branch or address depends on key or data. */
import { POLY } from "../memory";
import { wipe } from "./bytes";

const R: usize = POLY; // 16: clamped r
const H: usize = POLY + 16; // 4 × u64: accumulator, see blocks()
const PAD: usize = POLY + 48; // 16: s, the second half of the key
const MASK: u64 = 0xffffffff;
const TOP_BITS: i32 = 34;
const TOP_MASK: u64 = 0x3ffffffff;
const ABOVE: u64 = 0x100000000; // the bit above a block's 128, in the top limb

/** Starts with a one-time key of 32 bytes. */
export function begin(key: usize): void {
  store<u64>(R, load<u64>(key) & 0x0ffffffc0fffffff);
  store<u64>(R, load<u64>(key, 8) & 0x0ffffffc0ffffffc, 8);
  wipe(H, 32);
  memory.copy(PAD, key + 16, 16);
}

/** Takes whole 16-byte blocks. Between blocks a limb of h has its bits and no more, but h0, to which less than 2^31 was added. As 2^130 ≡ 5,
 *  a product with r1, r2 or r3 that is worth 2^128 comes down as one with 5/4 of it; their lowest two bits are clear. No sum of products reaches
 *  2^64: r is clamped to 28 bits a limb, so that the largest, the first, is below 15 · 2^60. */
function blocks(data: usize, count: i32): void {
  if (count == 0) return;
  const r0: u64 = load<u32>(R);
  const r1: u64 = load<u32>(R, 4);
  const r2: u64 = load<u32>(R, 8);
  const r3: u64 = load<u32>(R, 12);
  // in 32 bits: so a C compiler sees that their upper halves are zero
  const s1: u64 = <u32>r1 + (<u32>r1 >>> 2);
  const s2: u64 = <u32>r2 + (<u32>r2 >>> 2);
  const s3: u64 = <u32>r3 + (<u32>r3 >>> 2);
  let h0 = load<u64>(H);
  let h1 = load<u64>(H, 8);
  let h2 = load<u64>(H, 16);
  let h3 = load<u64>(H, 24);
  const end = data + (count << 4);
  do {
    // the highest first: whoever compiles this to machine code checks the bounds once
    const a3 = h3 + <u64>load<u32>(data, 12) + ABOVE;
    const a2 = h2 + <u64>load<u32>(data, 8);
    const a1 = h1 + <u64>load<u32>(data, 4);
    const a0 = h0 + <u64>load<u32>(data);
    let d = a3 * s1 + a2 * s2 + a1 * s3 + a0 * r0;
    h0 = d & MASK;
    d = (d >>> 32) + a0 * r1 + a1 * r0 + a2 * s3 + a3 * s2;
    h1 = d & MASK;
    d = (d >>> 32) + a0 * r2 + a1 * r1 + a2 * r0 + a3 * s3;
    h2 = d & MASK;
    d = (d >>> 32) + a0 * r3 + a1 * r2 + a2 * r1 + a3 * r0;
    h3 = d & TOP_MASK;
    h0 += (d >>> TOP_BITS) * 5;
    data += 16;
  } while (data != end);
  store<u64>(H, h0);
  store<u64>(H, h1, 8);
  store<u64>(H, h2, 16);
  store<u64>(H, h3, 24);
}

/** Takes `length` bytes, filled up with zeros to a whole block (pad16 of RFC 8439 §2.8). `scratch`: 16 bytes, wiped. */
export function padded(data: usize, length: i32, scratch: usize): void {
  blocks(data, length >> 4);
  const rest = length & 15;
  if (rest == 0) return;
  wipe(scratch, 16);
  memory.copy(scratch, data + (length - rest), rest);
  blocks(scratch, 1);
  wipe(scratch, 16);
}

/** Clears key and accumulator of what is not ended. */
export function forget(): void {
  wipe(POLY, 64);
}

/** Takes the two lengths as u64 and writes the tag (16 bytes). `tag` may serve as scratch before. Clears the key. */
export function end(first: i32, second: i32, tag: usize): void {
  store<u64>(tag, first);
  store<u64>(tag, second, 8);
  blocks(tag, 1);
  const h0 = load<u64>(H);
  const h1 = load<u64>(H, 8);
  const h2 = load<u64>(H, 16);
  const h3 = load<u64>(H, 24);
  // h + 5 reaches 2^130 exactly when h ≥ p; h is below 2p, so that p is taken off once at most, which leaves h + 5 below 2^128
  let carry = ((h0 + 5) >>> 32) + h1;
  carry = (carry >>> 32) + h2;
  carry = ((carry >>> 32) + h3) >>> TOP_BITS;
  let sum = carry * 5 + h0 + <u64>load<u32>(PAD);
  store<u32>(tag, <u32>sum);
  sum = (sum >>> 32) + h1 + <u64>load<u32>(PAD, 4);
  store<u32>(tag, <u32>sum, 4);
  sum = (sum >>> 32) + h2 + <u64>load<u32>(PAD, 8);
  store<u32>(tag, <u32>sum, 8);
  sum = (sum >>> 32) + h3 + <u64>load<u32>(PAD, 12);
  store<u32>(tag, <u32>sum, 12);
  forget();
}
