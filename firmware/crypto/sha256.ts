/** SHA-256 (FIPS 180-4 §6.2), streaming or one-shot, one message at a time. State and message schedule live in locals: in an
 *  interpreter a memory access costs twice an addition. Constant-time: additions, rotations and bitwise functions only. */
import { wipe } from "./bytes";

export const HASH_SIZE: i32 = 32;
export const BLOCK_SIZE: i32 = 64;

/** Chaining value (32) and the block that is not complete yet (64). Wiped by end(). */
export const SHA: usize = memory.data(96, 16);
export const SHA_SIZE: i32 = 96;
const BLOCK: usize = SHA + 32;
let taken: u32 = 0; // bytes of the message so far

const INITIAL: usize = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);
const K: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
]);

// The functions of FIPS 180-4 §4.1.2. Inlined, because a call costs the interpreter more than they do. A rotation of a rotation adds up:
// as a chain, a sum of rotations needs no second value to be kept.

function choose(x: u32, y: u32, z: u32): u32 {
  return z ^ (x & (y ^ z));
}

/** By 2, 13 and 22. */
function bigSigma0(x: u32): u32 {
  return rotr<u32>(x ^ rotr<u32>(x ^ rotr<u32>(x, 9), 11), 2);
}

/** By 6, 11 and 25. */
function bigSigma1(x: u32): u32 {
  return rotr<u32>(x ^ rotr<u32>(x ^ rotr<u32>(x, 14), 5), 6);
}

/** By 7 and 18; shifted by 3. */
function sigma0(x: u32): u32 {
  return rotr<u32>(x ^ rotr<u32>(x, 11), 7) ^ (x >>> 3);
}

/** By 17 and 19; shifted by 10. */
function sigma1(x: u32): u32 {
  return rotr<u32>(x ^ rotr<u32>(x, 2), 17) ^ (x >>> 10);
}

/** The four bytes of a word the other way round; the standard library's is not inlined. */
function bigEndian(x: u32): u32 {
  return (rotr<u32>(x, 24) & 0x00ff00ff) | (rotr<u32>(x, 8) & 0xff00ff00);
}

/** Takes one block of 64 bytes. */
function compress(block: usize): void {
  let a = load<u32>(SHA, 0);
  let b = load<u32>(SHA, 4);
  let c = load<u32>(SHA, 8);
  let d = load<u32>(SHA, 12);
  let e = load<u32>(SHA, 16);
  let f = load<u32>(SHA, 20);
  let g = load<u32>(SHA, 24);
  let h = load<u32>(SHA, 28);
  // the highest first, as in chacha20.ts
  let w15 = bigEndian(load<u32>(block, 60));
  let w14 = bigEndian(load<u32>(block, 56));
  let w13 = bigEndian(load<u32>(block, 52));
  let w12 = bigEndian(load<u32>(block, 48));
  let w11 = bigEndian(load<u32>(block, 44));
  let w10 = bigEndian(load<u32>(block, 40));
  let w9 = bigEndian(load<u32>(block, 36));
  let w8 = bigEndian(load<u32>(block, 32));
  let w7 = bigEndian(load<u32>(block, 28));
  let w6 = bigEndian(load<u32>(block, 24));
  let w5 = bigEndian(load<u32>(block, 20));
  let w4 = bigEndian(load<u32>(block, 16));
  let w3 = bigEndian(load<u32>(block, 12));
  let w2 = bigEndian(load<u32>(block, 8));
  let w1 = bigEndian(load<u32>(block, 4));
  let w0 = bigEndian(load<u32>(block, 0));
  let y: u32 = 0; // of the newest three variables the first two xored, and z the last two; they change places in each round
  let z = b ^ c;
  for (let k = K; ; k += 64) {
    h += load<u32>(k, 0) + w0 + bigSigma1(e) + choose(e, f, g);
    d += h;
    y = a ^ b;
    h += ((y & z) ^ b) + bigSigma0(a);
    g += load<u32>(k, 4) + w1 + bigSigma1(d) + choose(d, e, f);
    c += g;
    z = h ^ a;
    g += ((y & z) ^ a) + bigSigma0(h);
    f += load<u32>(k, 8) + w2 + bigSigma1(c) + choose(c, d, e);
    b += f;
    y = g ^ h;
    f += ((y & z) ^ h) + bigSigma0(g);
    e += load<u32>(k, 12) + w3 + bigSigma1(b) + choose(b, c, d);
    a += e;
    z = f ^ g;
    e += ((y & z) ^ g) + bigSigma0(f);
    d += load<u32>(k, 16) + w4 + bigSigma1(a) + choose(a, b, c);
    h += d;
    y = e ^ f;
    d += ((y & z) ^ f) + bigSigma0(e);
    c += load<u32>(k, 20) + w5 + bigSigma1(h) + choose(h, a, b);
    g += c;
    z = d ^ e;
    c += ((y & z) ^ e) + bigSigma0(d);
    b += load<u32>(k, 24) + w6 + bigSigma1(g) + choose(g, h, a);
    f += b;
    y = c ^ d;
    b += ((y & z) ^ d) + bigSigma0(c);
    a += load<u32>(k, 28) + w7 + bigSigma1(f) + choose(f, g, h);
    e += a;
    z = b ^ c;
    a += ((y & z) ^ c) + bigSigma0(b);
    h += load<u32>(k, 32) + w8 + bigSigma1(e) + choose(e, f, g);
    d += h;
    y = a ^ b;
    h += ((y & z) ^ b) + bigSigma0(a);
    g += load<u32>(k, 36) + w9 + bigSigma1(d) + choose(d, e, f);
    c += g;
    z = h ^ a;
    g += ((y & z) ^ a) + bigSigma0(h);
    f += load<u32>(k, 40) + w10 + bigSigma1(c) + choose(c, d, e);
    b += f;
    y = g ^ h;
    f += ((y & z) ^ h) + bigSigma0(g);
    e += load<u32>(k, 44) + w11 + bigSigma1(b) + choose(b, c, d);
    a += e;
    z = f ^ g;
    e += ((y & z) ^ g) + bigSigma0(f);
    d += load<u32>(k, 48) + w12 + bigSigma1(a) + choose(a, b, c);
    h += d;
    y = e ^ f;
    d += ((y & z) ^ f) + bigSigma0(e);
    c += load<u32>(k, 52) + w13 + bigSigma1(h) + choose(h, a, b);
    g += c;
    z = d ^ e;
    c += ((y & z) ^ e) + bigSigma0(d);
    b += load<u32>(k, 56) + w14 + bigSigma1(g) + choose(g, h, a);
    f += b;
    y = c ^ d;
    b += ((y & z) ^ d) + bigSigma0(c);
    a += load<u32>(k, 60) + w15 + bigSigma1(f) + choose(f, g, h);
    e += a;
    z = b ^ c;
    a += ((y & z) ^ c) + bigSigma0(b);
    if (k == K + 192) break;
    // the next 16 words of the schedule, each in the place of the one that is not needed any more
    w0 += sigma0(w1) + w9 + sigma1(w14);
    w1 += sigma0(w2) + w10 + sigma1(w15);
    w2 += sigma0(w3) + w11 + sigma1(w0);
    w3 += sigma0(w4) + w12 + sigma1(w1);
    w4 += sigma0(w5) + w13 + sigma1(w2);
    w5 += sigma0(w6) + w14 + sigma1(w3);
    w6 += sigma0(w7) + w15 + sigma1(w4);
    w7 += sigma0(w8) + w0 + sigma1(w5);
    w8 += sigma0(w9) + w1 + sigma1(w6);
    w9 += sigma0(w10) + w2 + sigma1(w7);
    w10 += sigma0(w11) + w3 + sigma1(w8);
    w11 += sigma0(w12) + w4 + sigma1(w9);
    w12 += sigma0(w13) + w5 + sigma1(w10);
    w13 += sigma0(w14) + w6 + sigma1(w11);
    w14 += sigma0(w15) + w7 + sigma1(w12);
    w15 += sigma0(w0) + w8 + sigma1(w13);
  }
  store<u32>(SHA, load<u32>(SHA, 0) + a, 0);
  store<u32>(SHA, load<u32>(SHA, 4) + b, 4);
  store<u32>(SHA, load<u32>(SHA, 8) + c, 8);
  store<u32>(SHA, load<u32>(SHA, 12) + d, 12);
  store<u32>(SHA, load<u32>(SHA, 16) + e, 16);
  store<u32>(SHA, load<u32>(SHA, 20) + f, 20);
  store<u32>(SHA, load<u32>(SHA, 24) + g, 24);
  store<u32>(SHA, load<u32>(SHA, 28) + h, 28);
}

/** Starts a message, whatever became of the one before. */
export function begin(): void {
  memory.copy(SHA, INITIAL, HASH_SIZE);
  taken = 0;
}

/** Keeps what begin() and one whole block have made, 32 bytes: resume() starts another message with the same block from there. */
export function keep(state: usize): void {
  memory.copy(state, SHA, HASH_SIZE);
}

/** Starts a message whose first block keep() has kept. */
export function resume(state: usize): void {
  memory.copy(SHA, state, HASH_SIZE);
  taken = BLOCK_SIZE;
}

/** Takes the next `length` bytes. A message has less than 512 MiB. */
export function update(data: usize, length: i32): void {
  const held: i32 = taken & (BLOCK_SIZE - 1);
  taken += length;
  if (held > 0) {
    const room = BLOCK_SIZE - held;
    if (length < room) {
      memory.copy(BLOCK + held, data, length);
      return;
    }
    memory.copy(BLOCK + held, data, room);
    compress(BLOCK);
    data += room;
    length -= room;
  }
  for (; length >= BLOCK_SIZE; length -= BLOCK_SIZE) {
    compress(data);
    data += BLOCK_SIZE;
  }
  memory.copy(BLOCK, data, length);
}

/** Writes the hash of the message, 32 bytes, to `out` and wipes the state. */
export function end(out: usize): void {
  let held: i32 = taken & (BLOCK_SIZE - 1);
  store<u8>(BLOCK + held, 0x80);
  held++;
  wipe(BLOCK + held, BLOCK_SIZE - held);
  if (held > BLOCK_SIZE - 8) {
    compress(BLOCK);
    wipe(BLOCK, BLOCK_SIZE);
  }
  store<u32>(BLOCK, bigEndian(taken << 3), BLOCK_SIZE - 4); // the length in bits; its high half stays zero
  compress(BLOCK);
  for (let i = 0; i < HASH_SIZE; i += 4) store<u32>(out + i, bigEndian(load<u32>(SHA + i)));
  wipe(SHA, SHA_SIZE);
}

/** SHA-256 of `length` bytes: 32 bytes to `out`. */
export function hash(out: usize, data: usize, length: i32): void {
  begin();
  update(data, length);
  end(out);
}
