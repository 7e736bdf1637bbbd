/** The body of an opened record that is decrypted as it leaves: its tag was verified, its bytes are ciphertext still. One at a time; its key stream's
 *  state stands in BODY_STREAM until the last byte is decrypted or nobody wants it any more. */
import { wipe } from "../crypto/bytes";
import * as chacha from "../crypto/chacha20";
import { BODY_STREAM } from "../memory";

let next: usize = 0; // what is ciphertext still, up to `end`
let end: usize = 0;

/** The `length` bytes at `at` belong to the key stream in BODY_STREAM. */
export function defer(at: usize, length: i32): void {
  next = at;
  end = at + length;
}

/** Decrypts what stands before `to`, and the rest of its block of 64 bytes. */
export function decrypt(to: usize): void {
  if (next >= min(to, end)) return;
  const size = min((to - next + 63) & ~63, end - next);
  chacha.resume(BODY_STREAM);
  chacha.xor(next, <i32>size);
  chacha.suspend(BODY_STREAM);
  next += size;
  if (next == end) forget();
}

export function forget(): void {
  wipe(BODY_STREAM, chacha.STATE_SIZE);
  next = 0;
  end = 0;
}
