/** XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 §2.3): ChaCha20-Poly1305 under an HChaCha20 subkey. In place.
 *  Opening verifies the tag before any byte is decrypted. */
import { SUBKEY } from "../memory";
import { wipe } from "./bytes";
import * as chacha from "./chacha20";
import * as aead from "./chacha20poly1305";

const INNER: usize = SUBKEY + 32; // 12: four zeros and the last 8 bytes of the nonce

/** Subkey and inner nonce. */
function prepare(key: usize, nonce: usize): void {
  chacha.hchacha(SUBKEY, key, nonce);
  store<u32>(INNER, 0);
  memory.copy(INNER + 4, nonce + 16, 8);
}

/** Seals `length` bytes at `data` in place. key 32, nonce 24, tag 16 bytes (written). */
export function seal(key: usize, nonce: usize, aad: usize, aadLength: i32, data: usize, length: i32, tag: usize): void {
  prepare(key, nonce);
  aead.seal(SUBKEY, INNER, aad, aadLength, data, length, tag);
  wipe(SUBKEY, 48);
}

/** Opens `length` bytes at `data` in place. False when the tag does not fit: then `data` is untouched ciphertext. */
export function open(key: usize, nonce: usize, aad: usize, aadLength: i32, data: usize, length: i32, tag: usize): bool {
  prepare(key, nonce);
  const genuine = aead.open(SUBKEY, INNER, aad, aadLength, data, length, tag);
  wipe(SUBKEY, 48);
  return genuine;
}

/** As open, but nothing is decrypted: what chacha20.resume() needs for it is left at `state`, when the tag fits. */
export function openLater(
  state: usize,
  key: usize,
  nonce: usize,
  aad: usize,
  aadLength: i32,
  data: usize,
  length: i32,
  tag: usize,
): bool {
  prepare(key, nonce);
  const genuine = aead.verify(SUBKEY, INNER, aad, aadLength, data, length, tag);
  if (genuine) chacha.suspend(state);
  else chacha.end();
  wipe(SUBKEY, 48);
  return genuine;
}
