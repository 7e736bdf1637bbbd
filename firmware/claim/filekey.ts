/** A filekey: the content of its record. SPEC.md §16. The Alpha seals Deltas; each Delta has a secret of its own and a range of positions
 *  behind that of the one before it. Relies on: entropy.ts for whatever is random. */

import { copy, isZero, wipe } from "../crypto/bytes";
import { reveal } from "../crypto/declassify";
import {
  DELTA_OFF_END,
  DELTA_OFF_ID,
  DELTA_OFF_SECRET,
  DELTA_OFF_START,
  DELTA_SIZE,
  FILEKEY_AUTHORITY,
  FILEKEY_DELETED,
  FILEKEY_HEAD,
  FILEKEY_OFF_ALPHA,
  FILEKEY_OFF_CAPACITY,
  FILEKEY_OFF_FLAGS,
  FILEKEY_OFF_ID,
} from "../defs/filekey";
import { Status } from "../defs/status";
import * as entropy from "../store/entropy";

/** Number of Deltas in a content of `length` bytes. */
export function deltas(length: i32): i32 {
  return (length - FILEKEY_HEAD) / DELTA_SIZE;
}

/** The Delta with a sequence, from 1 on. */
export function delta(content: usize, sequence: i32): usize {
  return content + FILEKEY_HEAD + (sequence - 1) * DELTA_SIZE;
}

/** Positions of each Delta; of a deleted filekey the last position of its last one. Not secret, like where a Delta starts and ends. */
export function capacity(content: usize): i64 {
  return load<i64>(reveal(content), FILEKEY_OFF_CAPACITY);
}
export function start(delta: usize): i64 {
  return load<i64>(reveal(delta), DELTA_OFF_START);
}
export function end(delta: usize): i64 {
  return load<i64>(reveal(delta), DELTA_OFF_END);
}

export function isAuthority(content: usize): bool {
  return (load<u8>(reveal(content), FILEKEY_OFF_FLAGS) & FILEKEY_AUTHORITY) != 0;
}

export function isDeleted(content: usize): bool {
  return (load<u8>(reveal(content), FILEKEY_OFF_FLAGS) & FILEKEY_DELETED) != 0;
}

/** Starts a new filekey at `content`, without a Delta: FILEKEY_HEAD bytes. `capacity`: positions of each of its Deltas, at least 1.
 *  Ok | EntropyNotReady (no secret was made). */
export function make(content: usize, capacity: i64): Status {
  memory.fill(content, 0, FILEKEY_HEAD);
  store<u8>(content, FILEKEY_AUTHORITY, FILEKEY_OFF_FLAGS);
  store<i64>(content, capacity, FILEKEY_OFF_CAPACITY);
  if (entropy.random(content + FILEKEY_OFF_ID, 16) != Status.Ok) return Status.EntropyNotReady;
  return entropy.random(content + FILEKEY_OFF_ALPHA, 32) == Status.Ok ? Status.Ok : Status.EntropyNotReady;
}

/** Adds the next Delta to a content of `length` bytes, DELTA_SIZE more. `id`: 16 bytes, which need not be random.
 *  Ok | EntropyNotReady | TooLarge (no position is left behind the last Delta). */
export function add(content: usize, length: i32, id: usize): Status {
  const sequence = deltas(length) + 1;
  const first: i64 = sequence == 1 ? 0 : end(delta(content, sequence - 1)) + 1;
  const positions = capacity(content);
  if (first < 0 || first > i64.MAX_VALUE - (positions - 1)) return Status.TooLarge;
  const made = delta(content, sequence);
  copy(made + DELTA_OFF_ID, id, 16);
  store<i64>(made, first, DELTA_OFF_START);
  store<i64>(made, first + (positions - 1), DELTA_OFF_END);
  return entropy.random(made + DELTA_OFF_SECRET, 32);
}

/** Whether a content is one: as make() and add() write it, every secret there, each range right behind the one before it. */
export function isSound(content: usize, length: i32): bool {
  if (length < FILEKEY_HEAD || (length - FILEKEY_HEAD) % DELTA_SIZE != 0) return false;
  if ((load<u64>(reveal(content)) & ~(<u64>FILEKEY_AUTHORITY)) != 0) return false; // flags, and seven zeros
  const positions = capacity(content);
  if (positions < 1 || isZero(content + FILEKEY_OFF_ALPHA, 32)) return false;
  let next: i64 = 0;
  for (let sequence = 1; sequence <= deltas(length); sequence++) {
    const at = delta(content, sequence);
    if (next < 0 || start(at) != next || isZero(at + DELTA_OFF_SECRET, 32)) return false;
    if (end(at) - next != positions - 1) return false;
    next = end(at) + 1; // negative behind the last position that there is
  }
  return true;
}

/** Turns the content of a filekey that has a Delta, `length` bytes, into what is left of it: its id, and as its capacity the last position
 *  of its last Delta. FILEKEY_HEAD bytes; the rest is wiped. */
export function bury(content: usize, length: i32): void {
  const above = end(delta(content, deltas(length)));
  wipe(content + FILEKEY_OFF_ALPHA, length - FILEKEY_OFF_ALPHA);
  store<u8>(content, FILEKEY_DELETED, FILEKEY_OFF_FLAGS);
  store<i64>(content, above, FILEKEY_OFF_CAPACITY);
}
