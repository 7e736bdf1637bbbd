/** Sealed Deltas: how a Delta's secret leaves the device, readable by whoever has the Alpha. SPEC.md §16.
 *  XChaCha20-Poly1305 under a key derived from the Alpha; the head is the associated data. The nonce is sequence and id: an authority
 *  makes each sequence once, and one that was put back makes it with another id, which the caller draws. Uses CONTEXT, PAGE and TAG. */

import { derive } from "../crypto/blake3";
import { copy, equal, wipe } from "../crypto/bytes";
import { context } from "../crypto/context";
import { reveal } from "../crypto/declassify";
import * as aead from "../crypto/xchacha20poly1305";
import {
  DELTA_OFF_ID,
  DELTA_OFF_SECRET,
  DELTA_OFF_START,
  FILEKEY_OFF_ALPHA,
  FILEKEY_OFF_ID,
  SEALED_DELTA_MAGIC,
  SEALED_DELTA_OFF_ID,
  SEALED_DELTA_OFF_KEY,
  SEALED_DELTA_OFF_MAGIC,
  SEALED_DELTA_OFF_SECRET,
  SEALED_DELTA_OFF_SEQUENCE,
  SEALED_DELTA_OFF_START,
  SEALED_DELTA_OFF_TAG,
  SEALED_DELTA_OFF_VERSION,
  SEALED_DELTA_VERSION,
} from "../defs/filekey";
import { Status } from "../defs/status";
import { CONTEXT } from "../memory";

const KEY: usize = memory.data(56); // 32; wiped, like the nonce, before seal() and open() return
const NONCE: usize = KEY + 32; // 24

/** Key and nonce of the sealed Delta whose head stands at `at`. */
function prepare(alpha: usize, at: usize): void {
  derive(KEY, CONTEXT, context("delta"), alpha, 32);
  copy(NONCE, at + SEALED_DELTA_OFF_SEQUENCE, 8);
  copy(NONCE + 8, at + SEALED_DELTA_OFF_ID, 16);
}

/** Seals a Delta to `out`, SEALED_DELTA bytes: the same bytes each time.
 *  @param content of the filekey's record    @param delta in it    @param sequence of the Delta */
@sealed("delta")
export function seal(out: usize, content: usize, delta: usize, sequence: i32): void {
  store<u64>(out, ((<u64>SEALED_DELTA_VERSION) << 32) | SEALED_DELTA_MAGIC);
  memory.copy(out + SEALED_DELTA_OFF_KEY, content + FILEKEY_OFF_ID, 16);
  memory.copy(out + SEALED_DELTA_OFF_ID, delta + DELTA_OFF_ID, 16);
  store<u64>(out, sequence, SEALED_DELTA_OFF_SEQUENCE);
  memory.copy(out + SEALED_DELTA_OFF_START, delta + DELTA_OFF_START, 16);
  const secret = out + SEALED_DELTA_OFF_SECRET;
  memory.copy(secret, delta + DELTA_OFF_SECRET, 32);
  prepare(content + FILEKEY_OFF_ALPHA, out);
  aead.seal(KEY, NONCE, out, SEALED_DELTA_OFF_SECRET, secret, 32, out + SEALED_DELTA_OFF_TAG);
  wipe(KEY, 56);
}

/** Opens a sealed Delta of SEALED_DELTA bytes in place: then its secret stands where it was sealed.
 *  @param content of the filekey's record
 *  @returns Ok | WrongVersion | NotGenuine (another filekey's, changed, or none; nothing was opened) */
@sealed("delta")
export function open(sealed: usize, content: usize): Status {
  if (load<u32>(reveal(sealed), SEALED_DELTA_OFF_MAGIC) != SEALED_DELTA_MAGIC) return Status.NotGenuine;
  if (load<u32>(reveal(sealed), SEALED_DELTA_OFF_VERSION) != SEALED_DELTA_VERSION) return Status.WrongVersion;
  if (!equal(sealed + SEALED_DELTA_OFF_KEY, content + FILEKEY_OFF_ID, 16)) return Status.NotGenuine;
  prepare(content + FILEKEY_OFF_ALPHA, sealed);
  const secret = sealed + SEALED_DELTA_OFF_SECRET;
  const isGenuine = aead.open(KEY, NONCE, sealed, SEALED_DELTA_OFF_SECRET, secret, 32, sealed + SEALED_DELTA_OFF_TAG);
  wipe(KEY, 56);
  return isGenuine ? Status.Ok : Status.NotGenuine;
}
