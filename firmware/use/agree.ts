/** Agreeing on a secret with a record's X25519 key, and if wanted deriving a key from it and opening with that what somebody wrapped, as age
 *  does (C2SP age, the X25519 recipient). SPEC.md §12. What is not asked for does not leave, and is wiped. */
import { wipe } from "../crypto/bytes";
import { open } from "../crypto/chacha20poly1305";
import { hkdf } from "../crypto/hmac";
import { x25519 } from "../crypto/x25519";
import { ALG_X25519, PART_HEADER } from "../defs/record";
import { Status } from "../defs/status";
import { KEY_SIZE } from "../defs/use";
import { setDetail } from "../store/store";
import { algorithmFor, firstSecret } from "./keys";

const SECRET: usize = memory.data(32); // the shared secret, then the key made of it; wiped by run()
const NONCE: usize = memory.data(12); // zeros: each key opens one message
const TAG_SIZE: i32 = 16;

/** Ok | WrongUsage (detail: the usage). */
export function check(usage: u32): Status {
  if (algorithmFor(usage) == ALG_X25519) return Status.Ok;
  setDetail(usage);
  return Status.WrongUsage;
}

/** Agrees with the other side's public key, `peer`, 32 bytes. Without salt (0) the answer is the shared secret; with salt and context what
 *  HKDF-SHA-256 makes of it; with `wrapped` (otherwise 0; longer than its tag) what that holds. `out` has room for 32 bytes and for what was
 *  wrapped, and overlaps nothing else.
 *  @returns bytes written, or NoSuchKey | LowOrder | NotGenuine (`out` holds no secret) */
export function run(
  out: usize,
  peer: usize,
  body: usize,
  bodyLength: i32,
  salt: usize,
  saltLength: i32,
  context: usize,
  contextLength: i32,
  wrapped: usize,
  wrappedLength: i32,
): i32 {
  const key = firstSecret(body, bodyLength, ALG_X25519);
  if (key == 0) return Status.NoSuchKey;
  if (!x25519(SECRET, key + PART_HEADER, peer)) return Status.LowOrder; // SECRET is zero then
  if (salt != 0) hkdf(SECRET, 1, salt, saltLength, SECRET, KEY_SIZE, context, contextLength);
  let length = KEY_SIZE;
  if (wrapped == 0) {
    memory.copy(out, SECRET, KEY_SIZE);
  } else {
    length = wrappedLength - TAG_SIZE;
    memory.copy(out, wrapped, length);
    if (!open(SECRET, NONCE, 0, 0, out, length, wrapped + length)) length = Status.NotGenuine; // out: still ciphertext
  }
  wipe(SECRET, KEY_SIZE);
  return length;
}
