/** XChaCha20-Poly1305: RFC 8439 §2.8 under an HChaCha20 subkey (draft-irtf-cfrg-xchacha-03 §2.3). In place, one shot.
 *  Opening verifies the tag before any byte is decrypted. */
import { STREAM, SUBKEY, TAG } from "../memory";
import { equal, wipe } from "./bytes";
import * as chacha from "./chacha20";
import * as poly from "./poly1305";

const INNER: usize = SUBKEY + 32; // 12: four zeros and the last 8 bytes of the nonce

/** Subkey, inner nonce, and the one-time key from block 0; the next block is number 1. */
function prepare(key: usize, nonce: usize): void {
  chacha.hchacha(SUBKEY, key, nonce);
  store<u32>(INNER, 0);
  memory.copy(INNER + 4, nonce + 16, 8);
  chacha.begin(SUBKEY, 0, INNER);
  chacha.nextBlock();
  poly.begin(STREAM);
}

function authenticate(aad: usize, aadLength: i32, data: usize, length: i32, tag: usize): void {
  poly.padded(aad, aadLength, tag);
  poly.padded(data, length, tag);
  poly.end(aadLength, length, tag);
}

function clear(): void {
  chacha.end();
  wipe(SUBKEY, 48);
  wipe(TAG, 16);
}

/** Seals `length` bytes at `data` in place. key 32, nonce 24, tag 16 bytes (written). */
export function seal(key: usize, nonce: usize, aad: usize, aadLength: i32, data: usize, length: i32, tag: usize): void {
  prepare(key, nonce);
  chacha.xor(data, length);
  authenticate(aad, aadLength, data, length, tag);
  clear();
}

/** Opens `length` bytes at `data` in place. False when the tag does not fit: then `data` is untouched ciphertext. */
export function open(key: usize, nonce: usize, aad: usize, aadLength: i32, data: usize, length: i32, tag: usize): bool {
  prepare(key, nonce);
  authenticate(aad, aadLength, data, length, TAG);
  const genuine = equal(TAG, tag, 16);
  if (genuine) chacha.xor(data, length);
  clear();
  return genuine;
}
