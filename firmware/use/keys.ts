/** Keys in a record's body: finding them, making them, and their public halves. SPEC.md §6, §12. Relies on parts.ts for the framing;
 *  every body has passed its count(). Which parts there are is public, what secret ones hold is not. */

import { equal, wipe } from "../crypto/bytes";
import { reveal } from "../crypto/declassify";
import * as ed25519 from "../crypto/ed25519";
import { x25519Base } from "../crypto/x25519";
import {
  ALG_ED25519,
  ALG_NONE,
  ALG_X25519,
  PART_HEADER,
  PART_OFF_FLAGS,
  PART_SECRET,
  PartKind,
  Usage,
} from "../defs/record";
import { Status } from "../defs/status";
import { KEY_SIZE } from "../defs/use";
import * as entropy from "../store/entropy";
import * as parts from "../store/parts";

const KEY_PART: i32 = PART_HEADER + KEY_SIZE;
/** Bytes of the body that generate() makes: a secret and a public part. */
export const GENERATED_SIZE: i32 = 2 * KEY_PART;

/* Header of a key's part as one number, SPEC.md §6: u8 kind, u8 flags (there is but one), u16 length, i32 algorithm. */
const SECRET: u64 = PART_SECRET << 8;
const ED25519: u64 = ((<u64>ALG_ED25519) << 32) | (KEY_SIZE << 16) | PartKind.Signing;
const X25519: u64 = ((<u64>ALG_X25519) << 32) | (KEY_SIZE << 16) | PartKind.Agreement;

/** Algorithm of the keys that a usage class has: ALG_ED25519, ALG_X25519, or ALG_NONE when the device uses none of its keys. */
export function algorithmFor(usage: u32): i32 {
  if (usage == Usage.Agree) return ALG_X25519;
  return usage >= <u32>Usage.Raw && usage <= <u32>Usage.Note ? ALG_ED25519 : ALG_NONE;
}

/** The first secret part that is a key of an algorithm, or of either when it is ALG_NONE; 0 when there is none. */
export function firstSecret(body: usize, length: i32, algorithm: i32): usize {
  const end = body + length;
  for (let part = body; part < end; part = parts.next(part)) {
    const header = load<u64>(reveal(part));
    if (header == (ED25519 | SECRET) && algorithm != ALG_X25519) return part;
    if (header == (X25519 | SECRET) && algorithm != ALG_ED25519) return part;
  }
  return 0;
}

/** The public part of a secret key: the next key of its algorithm behind it, if that is not secret; 0 when there is none. */
function publicBehind(secret: usize, end: usize): usize {
  const header = load<u64>(reveal(secret));
  for (let part = parts.next(secret); part < end; part = parts.next(part)) {
    if ((load<u64>(reveal(part)) | SECRET) == header) return parts.flags(part) == 0 ? part : 0;
  }
  return 0;
}

/** Computes the public key, 32 bytes, of a secret key's part; `out` may be where the secret stands. */
function derive(out: usize, secret: usize): void {
  const content = secret + PART_HEADER;
  if (parts.kind(secret) == PartKind.Signing) ed25519.publicKey(out, content);
  else x25519Base(out, content);
}

/** Writes the public key, 32 bytes, of a secret part of the body that ends at `end`. That of a generated record is taken as it stands
 *  there, any other is computed. Ok | KeyMismatch (the record holds another one). */
export function publicOf(out: usize, secret: usize, end: usize, isGenerated: bool): Status {
  const stored = publicBehind(secret, end);
  if (isGenerated && stored != 0) {
    memory.copy(out, stored + PART_HEADER, KEY_SIZE);
    return Status.Ok;
  }
  derive(out, secret);
  return stored == 0 || equal(out, stored + PART_HEADER, KEY_SIZE) ? Status.Ok : Status.KeyMismatch;
}

/** Makes a key for a usage class that has one: GENERATED_SIZE bytes of body, the secret part and then its public part.
 *  Ok | EntropyNotReady (no secret was made). */
export function generate(body: usize, usage: u32): Status {
  const header = usage == Usage.Agree ? X25519 : ED25519;
  store<u64>(body, header | SECRET);
  store<u64>(body + KEY_PART, header);
  if (entropy.random(body + PART_HEADER, KEY_SIZE) != Status.Ok) return Status.EntropyNotReady;
  derive(body + KEY_PART + PART_HEADER, body);
  return Status.Ok;
}

/** Turns a body into its public one, in place: parts that are not secret stay, a secret key without its public part becomes that, other
 *  secret parts go. Returns the bytes that are left, 0 when nothing is; what was behind them is wiped. */
export function keepPublic(body: usize, length: i32): i32 {
  const end = body + length;
  let out = body;
  for (let part = body; part < end; ) {
    const next = parts.next(part);
    if (firstSecret(part, <i32>(next - part), ALG_NONE) != 0 && publicBehind(part, end) == 0) {
      derive(part + PART_HEADER, part);
      store<u8>(part, 0, PART_OFF_FLAGS);
    }
    if (parts.flags(part) == 0) {
      const size = <i32>(next - part);
      memory.copy(out, part, size);
      out += size;
    }
    part = next;
  }
  wipe(out, <i32>(end - out));
  return <i32>(out - body);
}
