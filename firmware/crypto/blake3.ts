/** BLAKE3 (the BLAKE3 paper, 2020-01-09, §2): hash, keyed hash and derive_key, 32-byte outputs, one-shot over linear memory.
 *  State, message words and chaining value live in locals, a whole chunk long. Constant-time: additions, xors and rotations only. Inputs up to 64 KiB. */
import { BLAKE } from "../memory";
import { wipe } from "./bytes";

const CHUNK_START: u32 = 1;
const CHUNK_END: u32 = 2;
const PARENT: u32 = 4;
const ROOT: u32 = 8;
const KEYED_HASH: u32 = 16;
const DERIVE_CONTEXT: u32 = 32;
const DERIVE_MATERIAL: u32 = 64;

const CHUNK: i32 = 1024;
const KEY: usize = BLAKE; // 32: key words (or IV) of the run
const VALUE: usize = BLAKE + 32; // 32: chaining value of the chunk in hand
const BLOCK: usize = BLAKE + 64; // 64: last block, padded; or two children
const STACK: usize = BLAKE + 128; // 7 × 32: chaining values of complete subtrees, enough for 128 chunks
const CONTEXT_KEY: usize = STACK + 224; // 32: key that a context gives
const IV: usize = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);

/** Compresses `count` (at least 1) blocks of 64 bytes one after the other: first chaining value (32 bytes), chunk counter, length of data in a block,
 *  flags, of which CHUNK_START goes for the first block alone; 32 bytes to `out`. */
function compress(out: usize, value: usize, block: usize, count: i32, counter: u32, length: u32, flags: u32): void {
  let v0 = load<u32>(value, 0);
  let v1 = load<u32>(value, 4);
  let v2 = load<u32>(value, 8);
  let v3 = load<u32>(value, 12);
  let v4 = load<u32>(value, 16);
  let v5 = load<u32>(value, 20);
  let v6 = load<u32>(value, 24);
  let v7 = load<u32>(value, 28);
  do {
    let x0 = v0;
    let x1 = v1;
    let x2 = v2;
    let x3 = v3;
    let x4 = v4;
    let x5 = v5;
    let x6 = v6;
    let x7 = v7;
    let x8: u32 = 0x6a09e667;
    let x9: u32 = 0xbb67ae85;
    let x10: u32 = 0x3c6ef372;
    let x11: u32 = 0xa54ff53a;
    let x12 = counter;
    let x13: u32 = 0; // high half of the counter: inputs are short
    let x14 = length;
    let x15 = flags;
    // the highest first, as in chacha20.ts
    let m15 = load<u32>(block, 60);
    let m14 = load<u32>(block, 56);
    let m13 = load<u32>(block, 52);
    let m12 = load<u32>(block, 48);
    let m11 = load<u32>(block, 44);
    let m10 = load<u32>(block, 40);
    let m9 = load<u32>(block, 36);
    let m8 = load<u32>(block, 32);
    let m7 = load<u32>(block, 28);
    let m6 = load<u32>(block, 24);
    let m5 = load<u32>(block, 20);
    let m4 = load<u32>(block, 16);
    let m3 = load<u32>(block, 12);
    let m2 = load<u32>(block, 8);
    let m1 = load<u32>(block, 4);
    let m0 = load<u32>(block, 0);
    // two rounds at a time: the message words move half as often
    for (let round = 4; ; ) {
      x4 = rotr<u32>((x8 += x12 = rotr<u32>((x0 += x4 + m0) ^ x12, 16)) ^ x4, 12);
      x4 = rotr<u32>((x8 += x12 = rotr<u32>((x0 += x4 + m1) ^ x12, 8)) ^ x4, 7);
      x5 = rotr<u32>((x9 += x13 = rotr<u32>((x1 += x5 + m2) ^ x13, 16)) ^ x5, 12);
      x5 = rotr<u32>((x9 += x13 = rotr<u32>((x1 += x5 + m3) ^ x13, 8)) ^ x5, 7);
      x6 = rotr<u32>((x10 += x14 = rotr<u32>((x2 += x6 + m4) ^ x14, 16)) ^ x6, 12);
      x6 = rotr<u32>((x10 += x14 = rotr<u32>((x2 += x6 + m5) ^ x14, 8)) ^ x6, 7);
      x7 = rotr<u32>((x11 += x15 = rotr<u32>((x3 += x7 + m6) ^ x15, 16)) ^ x7, 12);
      x7 = rotr<u32>((x11 += x15 = rotr<u32>((x3 += x7 + m7) ^ x15, 8)) ^ x7, 7);
      x5 = rotr<u32>((x10 += x15 = rotr<u32>((x0 += x5 + m8) ^ x15, 16)) ^ x5, 12);
      x5 = rotr<u32>((x10 += x15 = rotr<u32>((x0 += x5 + m9) ^ x15, 8)) ^ x5, 7);
      x6 = rotr<u32>((x11 += x12 = rotr<u32>((x1 += x6 + m10) ^ x12, 16)) ^ x6, 12);
      x6 = rotr<u32>((x11 += x12 = rotr<u32>((x1 += x6 + m11) ^ x12, 8)) ^ x6, 7);
      x7 = rotr<u32>((x8 += x13 = rotr<u32>((x2 += x7 + m12) ^ x13, 16)) ^ x7, 12);
      x7 = rotr<u32>((x8 += x13 = rotr<u32>((x2 += x7 + m13) ^ x13, 8)) ^ x7, 7);
      x4 = rotr<u32>((x9 += x14 = rotr<u32>((x3 += x4 + m14) ^ x14, 16)) ^ x4, 12);
      x4 = rotr<u32>((x9 += x14 = rotr<u32>((x3 += x4 + m15) ^ x14, 8)) ^ x4, 7);
      if (--round == 0) break;
      x4 = rotr<u32>((x8 += x12 = rotr<u32>((x0 += x4 + m2) ^ x12, 16)) ^ x4, 12);
      x4 = rotr<u32>((x8 += x12 = rotr<u32>((x0 += x4 + m6) ^ x12, 8)) ^ x4, 7);
      x5 = rotr<u32>((x9 += x13 = rotr<u32>((x1 += x5 + m3) ^ x13, 16)) ^ x5, 12);
      x5 = rotr<u32>((x9 += x13 = rotr<u32>((x1 += x5 + m10) ^ x13, 8)) ^ x5, 7);
      x6 = rotr<u32>((x10 += x14 = rotr<u32>((x2 += x6 + m7) ^ x14, 16)) ^ x6, 12);
      x6 = rotr<u32>((x10 += x14 = rotr<u32>((x2 += x6 + m0) ^ x14, 8)) ^ x6, 7);
      x7 = rotr<u32>((x11 += x15 = rotr<u32>((x3 += x7 + m4) ^ x15, 16)) ^ x7, 12);
      x7 = rotr<u32>((x11 += x15 = rotr<u32>((x3 += x7 + m13) ^ x15, 8)) ^ x7, 7);
      x5 = rotr<u32>((x10 += x15 = rotr<u32>((x0 += x5 + m1) ^ x15, 16)) ^ x5, 12);
      x5 = rotr<u32>((x10 += x15 = rotr<u32>((x0 += x5 + m11) ^ x15, 8)) ^ x5, 7);
      x6 = rotr<u32>((x11 += x12 = rotr<u32>((x1 += x6 + m12) ^ x12, 16)) ^ x6, 12);
      x6 = rotr<u32>((x11 += x12 = rotr<u32>((x1 += x6 + m5) ^ x12, 8)) ^ x6, 7);
      x7 = rotr<u32>((x8 += x13 = rotr<u32>((x2 += x7 + m9) ^ x13, 16)) ^ x7, 12);
      x7 = rotr<u32>((x8 += x13 = rotr<u32>((x2 += x7 + m14) ^ x13, 8)) ^ x7, 7);
      x4 = rotr<u32>((x9 += x14 = rotr<u32>((x3 += x4 + m15) ^ x14, 16)) ^ x4, 12);
      x4 = rotr<u32>((x9 += x14 = rotr<u32>((x3 += x4 + m8) ^ x14, 8)) ^ x4, 7);
      // the message permutation twice, cycle by cycle
      const t0 = m0;
      m0 = m3;
      m3 = m12;
      m12 = m11;
      m11 = t0;
      const t1 = m1;
      m1 = m4;
      m4 = m13;
      m13 = m15;
      m15 = t1;
      const t2 = m2;
      m2 = m10;
      m10 = m9;
      m9 = m5;
      m5 = t2;
      const t6 = m6;
      m6 = m7;
      m7 = m14;
      m14 = m8;
      m8 = t6;
    }
    v0 = x0 ^ x8;
    v1 = x1 ^ x9;
    v2 = x2 ^ x10;
    v3 = x3 ^ x11;
    v4 = x4 ^ x12;
    v5 = x5 ^ x13;
    v6 = x6 ^ x14;
    v7 = x7 ^ x15;
    flags &= ~CHUNK_START;
    block += 64;
  } while (--count);
  store<u32>(out, v0, 0);
  store<u32>(out, v1, 4);
  store<u32>(out, v2, 8);
  store<u32>(out, v3, 12);
  store<u32>(out, v4, 16);
  store<u32>(out, v5, 20);
  store<u32>(out, v6, 24);
  store<u32>(out, v7, 28);
}

/** Chaining value of a chunk of at most 1,024 bytes to `out`; `last` is ROOT when it is the whole input. */
function chunk(out: usize, data: usize, length: i32, counter: u32, mode: u32, last: u32): void {
  let value = KEY;
  mode |= CHUNK_START;
  const before = (length - 1) >> 6; // whole blocks before the last one
  if (before > 0) {
    compress(VALUE, KEY, data, before, counter, 64, mode);
    value = VALUE;
    mode &= ~CHUNK_START;
    data += before << 6;
    length -= before << 6;
  }
  memory.copy(BLOCK, data, length);
  wipe(BLOCK + length, 64 - length);
  compress(out, value, BLOCK, 1, counter, length, mode | CHUNK_END | last);
}

/** The tree over `data` under KEY: subtrees are merged as soon as they are complete (paper §5.1.2). */
function tree(out: usize, data: usize, length: i32, mode: u32): void {
  if (length <= CHUNK) {
    chunk(out, data, length, 0, mode, ROOT);
    return;
  }
  let depth: usize = 0; // subtrees on the stack
  let index: u32 = 0;
  while (length > CHUNK) {
    chunk(VALUE, data, CHUNK, index, mode, 0);
    data += CHUNK;
    length -= CHUNK;
    index++;
    for (let complete = index; (complete & 1) == 0; complete >>= 1) {
      depth--;
      join(VALUE, STACK + depth * 32, mode);
    }
    memory.copy(STACK + depth * 32, VALUE, 32);
    depth++;
  }
  chunk(VALUE, data, length, index, mode, 0);
  while (depth > 1) {
    depth--;
    join(VALUE, STACK + depth * 32, mode);
  }
  join(out, STACK, mode | ROOT);
}

/** Parent of the subtree at `left` and the one in VALUE. */
function join(out: usize, left: usize, flags: u32): void {
  memory.copy(BLOCK, left, 32);
  memory.copy(BLOCK + 32, VALUE, 32);
  compress(out, KEY, BLOCK, 1, 0, 64, flags | PARENT);
}

/** BLAKE3 of `length` bytes: 32 bytes to `out`. */
export function hash(out: usize, data: usize, length: i32): void {
  memory.copy(KEY, IV, 32);
  tree(out, data, length, 0);
  wipe(BLAKE, 352);
}

/** Keyed BLAKE3 (key 32 bytes): 32 bytes to `out`. */
export function keyed(out: usize, key: usize, data: usize, length: i32): void {
  memory.copy(KEY, key, 32);
  tree(out, data, length, KEYED_HASH);
  wipe(BLAKE, 352);
}

/** derive_key: 32 bytes to `out` from a context string and key material. */
export function derive(out: usize, context: usize, contextLength: i32, material: usize, length: i32): void {
  contextKey(CONTEXT_KEY, context, contextLength);
  deriveWith(out, CONTEXT_KEY, material, length);
}

/** The first half of derive_key, for a context that is used again: 32 bytes to `out`. */
export function contextKey(out: usize, context: usize, length: i32): void {
  memory.copy(KEY, IV, 32);
  tree(out, context, length, DERIVE_CONTEXT);
}

/** The second half. */
export function deriveWith(out: usize, contextKey: usize, material: usize, length: i32): void {
  memory.copy(KEY, contextKey, 32);
  tree(out, material, length, DERIVE_MATERIAL);
  wipe(BLAKE, 384);
}
