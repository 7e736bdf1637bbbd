/** Poly1305 (RFC 8439 §2.5) in five 26-bit limbs with 64-bit products. Constant-time: no branch or address depends on key or data. */
import { POLY } from "../memory";
import { wipe } from "./bytes";

const R: usize = POLY; // 5 × u32: clamped r
const H: usize = POLY + 20; // 5 × u32: accumulator
const PAD: usize = POLY + 40; // 16: s, the second half of the key
const MASK: u32 = 0x3ffffff;

/** Starts with a one-time key of 32 bytes. */
export function begin(key: usize): void {
  store<u32>(R, load<u32>(key) & 0x3ffffff);
  store<u32>(R, (load<u32>(key, 3) >>> 2) & 0x3ffff03, 4);
  store<u32>(R, (load<u32>(key, 6) >>> 4) & 0x3ffc0ff, 8);
  store<u32>(R, (load<u32>(key, 9) >>> 6) & 0x3f03fff, 12);
  store<u32>(R, (load<u32>(key, 12) >>> 8) & 0x00fffff, 16);
  wipe(H, 20);
  memory.copy(PAD, key + 16, 16);
}

/** Takes whole 16-byte blocks. */
function blocks(data: usize, count: i32): void {
  const r0: u64 = load<u32>(R);
  const r1: u64 = load<u32>(R, 4);
  const r2: u64 = load<u32>(R, 8);
  const r3: u64 = load<u32>(R, 12);
  const r4: u64 = load<u32>(R, 16);
  const s1 = r1 * 5;
  const s2 = r2 * 5;
  const s3 = r3 * 5;
  const s4 = r4 * 5;
  let h0 = load<u32>(H);
  let h1 = load<u32>(H, 4);
  let h2 = load<u32>(H, 8);
  let h3 = load<u32>(H, 12);
  let h4 = load<u32>(H, 16);
  while (count-- > 0) {
    const a0: u64 = h0 + (load<u32>(data) & MASK);
    const a1: u64 = h1 + ((load<u32>(data, 3) >>> 2) & MASK);
    const a2: u64 = h2 + ((load<u32>(data, 6) >>> 4) & MASK);
    const a3: u64 = h3 + (load<u32>(data, 9) >>> 6);
    const a4: u64 = h4 + ((load<u32>(data, 12) >>> 8) | (1 << 24));
    let d = a0 * r0 + a1 * s4 + a2 * s3 + a3 * s2 + a4 * s1;
    h0 = <u32>d & MASK;
    d = (d >>> 26) + a0 * r1 + a1 * r0 + a2 * s4 + a3 * s3 + a4 * s2;
    h1 = <u32>d & MASK;
    d = (d >>> 26) + a0 * r2 + a1 * r1 + a2 * r0 + a3 * s4 + a4 * s3;
    h2 = <u32>d & MASK;
    d = (d >>> 26) + a0 * r3 + a1 * r2 + a2 * r1 + a3 * r0 + a4 * s4;
    h3 = <u32>d & MASK;
    d = (d >>> 26) + a0 * r4 + a1 * r3 + a2 * r2 + a3 * r1 + a4 * r0;
    h4 = <u32>d & MASK;
    h0 += <u32>(d >>> 26) * 5;
    h1 += h0 >>> 26;
    h0 &= MASK;
    data += 16;
  }
  store<u32>(H, h0);
  store<u32>(H, h1, 4);
  store<u32>(H, h2, 8);
  store<u32>(H, h3, 12);
  store<u32>(H, h4, 16);
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

/** Takes the two lengths as u64 and writes the tag (16 bytes). `tag` may serve as scratch before. Clears the key. */
export function end(first: i32, second: i32, tag: usize): void {
  store<u64>(tag, first);
  store<u64>(tag, second, 8);
  blocks(tag, 1);
  let h0 = load<u32>(H);
  let h1 = load<u32>(H, 4);
  let h2 = load<u32>(H, 8);
  let h3 = load<u32>(H, 12);
  let h4 = load<u32>(H, 16);
  h2 += h1 >>> 26;
  h1 &= MASK;
  h3 += h2 >>> 26;
  h2 &= MASK;
  h4 += h3 >>> 26;
  h3 &= MASK;
  h0 += (h4 >>> 26) * 5;
  h4 &= MASK;
  h1 += h0 >>> 26;
  h0 &= MASK;
  // h − p, kept where it is not negative
  let g0 = h0 + 5;
  let g1 = h1 + (g0 >>> 26);
  let g2 = h2 + (g1 >>> 26);
  let g3 = h3 + (g2 >>> 26);
  const g4 = h4 + (g3 >>> 26) - (1 << 26);
  const keep = (g4 >>> 31) - 1; // all ones when h ≥ p
  h0 = (h0 & ~keep) | (g0 & MASK & keep);
  h1 = (h1 & ~keep) | (g1 & MASK & keep);
  h2 = (h2 & ~keep) | (g2 & MASK & keep);
  h3 = (h3 & ~keep) | (g3 & MASK & keep);
  h4 = (h4 & ~keep) | (g4 & keep);
  let sum: u64 = <u64>(h0 | (h1 << 26)) + load<u32>(PAD);
  store<u32>(tag, <u32>sum);
  sum = (sum >>> 32) + <u64>((h1 >>> 6) | (h2 << 20)) + load<u32>(PAD, 4);
  store<u32>(tag, <u32>sum, 4);
  sum = (sum >>> 32) + <u64>((h2 >>> 12) | (h3 << 14)) + load<u32>(PAD, 8);
  store<u32>(tag, <u32>sum, 8);
  sum = (sum >>> 32) + <u64>((h3 >>> 18) | (h4 << 8)) + load<u32>(PAD, 12);
  store<u32>(tag, <u32>sum, 12);
  wipe(POLY, 56);
}
