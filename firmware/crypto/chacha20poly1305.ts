/** ChaCha20-Poly1305 with a nonce of 12 bytes (RFC 8439 §2.8). In place, one shot. Opening verifies the tag before any byte is decrypted. */

import { STREAM, TAG } from "../memory";
import { equal, wipe } from "./bytes";
import * as chacha from "./chacha20";
import { publish } from "./declassify";
import * as poly from "./poly1305";

/** The one-time key is block 0 of the key stream; the next block is number 1. */
function begin(key: usize, nonce: usize): void {
  chacha.begin(key, 0, nonce);
  chacha.nextBlock();
  poly.begin(STREAM);
}

function authenticate(aad: usize, aadLength: i32, data: usize, length: i32, tag: usize): void {
  poly.padded(aad, aadLength, tag);
  poly.padded(data, length, tag);
  poly.end(aadLength, length, tag);
}

/** Seals `length` bytes at `data` in place. key 32, nonce 12, tag 16 bytes (written). */
export function seal(key: usize, nonce: usize, aad: usize, aadLength: i32, data: usize, length: i32, tag: usize): void {
  begin(key, nonce);
  chacha.xor(data, length);
  authenticate(aad, aadLength, data, length, TAG);
  publish(data, data, length);
  publish(tag, TAG, 16);
  wipe(TAG, 16);
  chacha.end();
}

/** Opens `length` bytes at `data` in place. False when the tag does not fit: then `data` is untouched ciphertext. */
export function open(key: usize, nonce: usize, aad: usize, aadLength: i32, data: usize, length: i32, tag: usize): bool {
  begin(key, nonce);
  authenticate(aad, aadLength, data, length, TAG);
  const genuine = equal(TAG, tag, 16);
  if (genuine) chacha.xor(data, length);
  chacha.end();
  wipe(TAG, 16);
  return genuine;
}
