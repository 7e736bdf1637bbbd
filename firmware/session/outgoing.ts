/** An answer that is sealed as it leaves: one seal over all of it, made up to where the next fragment ends. In between its key stream's state stands in
 *  OUTGOING_STREAM, and Poly1305's where it always does, which nobody else uses before the answer has left. */
import * as list from "../command/list";
import { wipe } from "../crypto/bytes";
import * as chacha from "../crypto/chacha20";
import * as aead from "../crypto/chacha20poly1305";
import * as poly from "../crypto/poly1305";
import { OUTGOING_STREAM } from "../memory";
import * as body from "../store/body";

let first: usize = 0; // of the message, 0 = none is on its way
let next: usize = 0; // what is plaintext still, up to `end`
let end: usize = 0;

/** Starts to seal `length` bytes at `message` in place, the tag of 16 bytes behind them. key 32, nonce 12 bytes. */
export function begin(key: usize, nonce: usize, message: usize, length: i32): void {
  aead.begin(key, nonce, 0, 0);
  chacha.suspend(OUTGOING_STREAM);
  first = message;
  next = message;
  end = message + length;
}

/** Sees to it that a list, which is written as it leaves, reaches behind `to` and what is sealed with it, or is whole. Returns by how many bytes it
 *  grew. */
export function extend(to: usize): i32 {
  if (first == 0 || !list.advance(to + 63)) return 0;
  const before = end;
  end = first + list.written();
  return <i32>(end - before);
}

/** Sees to it that what stands before `to` is ciphertext, or tag. */
export function advance(to: usize): void {
  if (first == 0 || to <= next) return;
  const size = min((to - next + 63) & ~63, end - next);
  body.decrypt(next + size);
  chacha.resume(OUTGOING_STREAM);
  aead.more(next, <i32>size);
  chacha.suspend(OUTGOING_STREAM);
  next += size;
  if (next < end) return;
  aead.finish(0, <i32>(end - first), end);
  forget();
}

/** Nobody wants the rest. */
export function forget(): void {
  list.forget();
  body.forget();
  poly.forget();
  wipe(OUTGOING_STREAM, chacha.STATE_SIZE);
  first = 0;
}
