/** HMAC-SHA-256 (RFC 2104) and HKDF with it (RFC 5869; Noise revision 34 §4.3). One message at a time: it is the one of sha256.ts.
 *  Lengths are public, everything else may be secret. */
import { wipe } from "./bytes";
import * as sha from "./sha256";
import { BLOCK_SIZE, HASH_SIZE } from "./sha256";

/** The key as a block under a pad (64), wiped by end(); pseudorandom key of HKDF (32) and what both pads make of it (2 × 32), wiped by hkdf(). */
export const HMAC: usize = memory.data(160, 16);
export const HMAC_SIZE: i32 = 160;
const KEY: usize = HMAC;
const PSEUDORANDOM: usize = HMAC + BLOCK_SIZE;
const AFTER_INNER: usize = PSEUDORANDOM + HASH_SIZE;
const AFTER_OUTER: usize = AFTER_INNER + HASH_SIZE;

const INNER: u64 = 0x3636363636363636;
const OUTER: u64 = 0x5c5c5c5c5c5c5c5c;

/** Xors the key block with a pad and starts a hash with it. */
function beginPadded(pad: u64): void {
  for (let i = 0; i < BLOCK_SIZE; i += 8) store<u64>(KEY + i, load<u64>(KEY + i) ^ pad);
  sha.begin();
  sha.update(KEY, BLOCK_SIZE);
}

/** Starts a message under a key of any length. */
export function begin(key: usize, keyLength: i32): void {
  wipe(KEY, BLOCK_SIZE);
  if (keyLength > BLOCK_SIZE) sha.hash(KEY, key, keyLength);
  else memory.copy(KEY, key, keyLength);
  beginPadded(INNER);
}

/** Takes the next `length` bytes of the message. */
export function update(data: usize, length: i32): void {
  sha.update(data, length);
}

/** Writes the MAC, 32 bytes, to `out` and wipes the key. */
export function end(out: usize): void {
  sha.end(out);
  beginPadded(INNER ^ OUTER);
  sha.update(out, HASH_SIZE);
  sha.end(out);
  wipe(KEY, BLOCK_SIZE);
}

/** HMAC of `length` bytes: 32 bytes to `out`, which may lie over key or data. */
export function mac(out: usize, key: usize, keyLength: i32, data: usize, length: i32): void {
  begin(key, keyLength);
  update(data, length);
  end(out);
}

/** HKDF: `count` (1 … 255) times 32 bytes to `out`, which may lie over salt or material, but not over info. */
export function hkdf(
  out: usize,
  count: i32,
  salt: usize,
  saltLength: i32,
  material: usize,
  materialLength: i32,
  info: usize,
  infoLength: i32,
): void {
  mac(PSEUDORANDOM, salt, saltLength, material, materialLength);
  // all outputs are MACs under one key: what its blocks come to is computed once
  begin(PSEUDORANDOM, HASH_SIZE);
  sha.keep(AFTER_INNER);
  beginPadded(INNER ^ OUTER);
  sha.keep(AFTER_OUTER);
  wipe(KEY, BLOCK_SIZE);
  for (let i = 1; i <= count; i++) {
    sha.resume(AFTER_INNER);
    if (i > 1) update(out - HASH_SIZE, HASH_SIZE);
    update(info, infoLength);
    store<u8>(out, i); // the counter stands where its output will
    update(out, 1);
    sha.end(out);
    sha.resume(AFTER_OUTER);
    update(out, HASH_SIZE);
    sha.end(out);
    out += HASH_SIZE;
  }
  wipe(PSEUDORANDOM, 3 * HASH_SIZE);
}

/** HKDF as Noise defines it: `count` (2 or 3) keys of 32 bytes to `out` from a chaining key (32 bytes) and key material. */
export function noiseHkdf(out: usize, count: i32, chainingKey: usize, material: usize, length: i32): void {
  hkdf(out, count, chainingKey, HASH_SIZE, material, length, 0, 0);
}
