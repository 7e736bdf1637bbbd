/** SHA-512 (FIPS 180-4 §6.4; RFC 6234), in pieces: begin, update as often as wanted, end. One hash at a time. The eight working
 *  variables live in locals. Constant-time: additions, logic and rotations only; the time depends on the length. */
import { wipe } from "./bytes";

const HASH: usize = memory.data(192); // chaining value, 8 × u64
const BLOCK: usize = HASH + 64; // 128: input not yet hashed; while a block is worked on, 16 words of its schedule
let total: i32 = 0; // bytes so far
const IV: usize = memory.data<u64>([
  0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1, 0x510e527fade682d1,
  0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
]);
/** Fractional parts of the cube roots of the first 80 primes (FIPS 180-4 §4.2.3). */
const K: usize = memory.data<u64>([
  0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538,
  0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe,
  0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
  0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
  0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5, 0x983e5152ee66dfab,
  0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
  0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
  0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
  0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
  0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53,
  0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
  0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
  0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b, 0xca273eceea26619c,
  0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6,
  0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
  0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
]);

/** Copies words, each with its bytes the other way round; in place as well. */
function turn(to: usize, from: usize, length: usize): void {
  for (let i: usize = 0; i < length; i += 8) store<u64>(to + i, bswap<u64>(load<u64>(from + i)));
}

/** Hashes the block in BLOCK, which is used up. */
function compress(): void {
  turn(BLOCK, BLOCK, 128);
  let a = load<u64>(HASH);
  let b = load<u64>(HASH, 8);
  let c = load<u64>(HASH, 16);
  let d = load<u64>(HASH, 24);
  let e = load<u64>(HASH, 32);
  let f = load<u64>(HASH, 40);
  let g = load<u64>(HASH, 48);
  let h = load<u64>(HASH, 56);
  let i: usize = 0;
  do {
    const at = i & 127;
    const word = load<u64>(at, BLOCK);
    // a rotation of a rotation adds up: as a chain, a sum of rotations needs no second value to be kept
    const first = // by 14, 18 and 41
      h + rotr<u64>(e ^ rotr<u64>(e ^ rotr<u64>(e, 23), 4), 14) + (g ^ (e & (f ^ g))) + load<u64>(i, K) + word;
    const second = rotr<u64>(a ^ rotr<u64>(a ^ rotr<u64>(a, 5), 6), 28) + ((a & b) | (c & (a | b))); // by 28, 34 and 39
    h = g;
    g = f;
    f = e;
    e = d + first;
    d = c;
    c = b;
    b = a;
    a = first + second;
    // word t + 16 of the schedule takes the place of word t
    const near = load<u64>((i + 112) & 127, BLOCK); // t + 14, by 19 and 61, shifted by 6
    const far = load<u64>((i + 8) & 127, BLOCK); // t + 1, by 1 and 8, shifted by 7
    const spread = (rotr<u64>(near ^ rotr<u64>(near, 42), 19) ^ (near >>> 6)) + load<u64>((i + 72) & 127, BLOCK);
    store<u64>(at, word + spread + (rotr<u64>(far ^ rotr<u64>(far, 7), 1) ^ (far >>> 7)), BLOCK);
    i += 8;
  } while (i != 640);
  store<u64>(HASH, load<u64>(HASH) + a);
  store<u64>(HASH, load<u64>(HASH, 8) + b, 8);
  store<u64>(HASH, load<u64>(HASH, 16) + c, 16);
  store<u64>(HASH, load<u64>(HASH, 24) + d, 24);
  store<u64>(HASH, load<u64>(HASH, 32) + e, 32);
  store<u64>(HASH, load<u64>(HASH, 40) + f, 40);
  store<u64>(HASH, load<u64>(HASH, 48) + g, 48);
  store<u64>(HASH, load<u64>(HASH, 56) + h, 56);
}

/** Starts a hash; one that was not ended is forgotten. */
export function begin(): void {
  memory.copy(HASH, IV, 64);
  total = 0;
}

/** Takes the next `length` bytes. */
export function update(data: usize, length: i32): void {
  let used = total & 127;
  total += length;
  while (length > 0) {
    const part = min(128 - used, length);
    memory.copy(BLOCK + used, data, part);
    data += part;
    length -= part;
    used += part;
    if (used == 128) {
      compress();
      used = 0;
    }
  }
}

/** Writes the hash, 64 bytes, and wipes what it was made of. */
export function end(out: usize): void {
  let used = total & 127;
  store<u8>(BLOCK + used, 0x80);
  used++;
  if (used > 112) {
    wipe(BLOCK + used, 128 - used);
    compress();
    used = 0;
  }
  wipe(BLOCK + used, 120 - used);
  store<u64>(BLOCK, (<u64>total) << 3, 120); // the length in bits; 128 bits long, inputs are short
  turn(BLOCK + 120, BLOCK + 120, 8);
  compress();
  turn(out, HASH, 64);
  wipe(HASH, 192);
}
