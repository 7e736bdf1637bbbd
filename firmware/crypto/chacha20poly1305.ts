/** ChaCha20-Poly1305 with a nonce of 12 bytes (RFC 8439 §2.8), in place. Opening verifies the tag before any byte is decrypted; sealing goes piece by
 *  piece as well. */

import { STREAM, TAG } from "../memory";
import { equal, wipe } from "./bytes";
import * as chacha from "./chacha20";
import { publish } from "./declassify";
import * as poly from "./poly1305";

/** Starts a seal, or its check: the one-time key is block 0 of the key stream, the next block is number 1. */
export function begin(key: usize, nonce: usize, aad: usize, aadLength: i32): void {
  chacha.begin(key, 0, nonce);
  chacha.nextBlock();
  poly.begin(STREAM);
  poly.padded(aad, aadLength, TAG);
}

/** Seals the next piece of the data in place: whole blocks of 64 bytes, but for the last. */
export function more(data: usize, length: i32): void {
  chacha.xor(data, length);
  poly.padded(data, length, TAG);
  publish(data, data, length);
}

/** Ends a seal of `length` bytes: writes its tag, 16 bytes. */
export function finish(aadLength: i32, length: i32, tag: usize): void {
  poly.end(aadLength, length, TAG);
  publish(tag, TAG, 16);
  wipe(TAG, 16);
  chacha.end();
}

/** Seals `length` bytes at `data` in place. key 32, nonce 12, tag 16 bytes (written). */
export function seal(key: usize, nonce: usize, aad: usize, aadLength: i32, data: usize, length: i32, tag: usize): void {
  begin(key, nonce, aad, aadLength);
  more(data, length);
  finish(aadLength, length, tag);
}

/** Whether the tag fits. `data` stays ciphertext; then chacha20.xor() would decrypt it, and chacha20.end() has to follow in any case. */
export function verify(
  key: usize,
  nonce: usize,
  aad: usize,
  aadLength: i32,
  data: usize,
  length: i32,
  tag: usize,
): bool {
  begin(key, nonce, aad, aadLength);
  poly.padded(data, length, TAG);
  poly.end(aadLength, length, TAG);
  const genuine = equal(TAG, tag, 16);
  wipe(TAG, 16);
  return genuine;
}

/** Opens `length` bytes at `data` in place. False when the tag does not fit: then `data` is untouched ciphertext. */
export function open(key: usize, nonce: usize, aad: usize, aadLength: i32, data: usize, length: i32, tag: usize): bool {
  const genuine = verify(key, nonce, aad, aadLength, data, length, tag);
  if (genuine) chacha.xor(data, length);
  chacha.end();
  return genuine;
}
