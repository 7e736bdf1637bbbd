/** The index in RAM: of each live slot the handle, the starts of tokens and label hash, and the attributes that are searched for. Filled by mount, for
 *  finding a record without reading flash. */
import { equal, isZero, wipe } from "../crypto/bytes";
import { HANDLE_SIZE, SLOTS_MAX } from "../defs/record";
import {
  HEADER_OFF_FIRST_TOKEN,
  HEADER_OFF_HANDLE,
  HEADER_OFF_LABEL_HASH,
  HEADER_OFF_ORIGIN,
  HEADER_OFF_TIER,
  HEADER_OFF_TOKEN,
  HEADER_OFF_USAGE,
} from "../defs/slot";
import { ATTRIBUTES, CURRENT, FIRST_TOKENS, HANDLES, LABEL_HASHES, TOKENS } from "../memory";
import * as geometry from "./geometry";
import * as state from "./state";

// an attribute byte: usage in bits 0-3, tier in 4-5, origin in 6-7
export const USAGE: u32 = 0x0f;
export const TIER: u32 = 0x30;
export const ORIGIN: u32 = 0xc0;

/** These attributes as a byte; what does not fit is cut off. */
export function attributes(usage: u32, tier: u32, origin: u32): u32 {
  return (usage & 15) | ((tier & 3) << 4) | ((origin & 3) << 6);
}

let unreadable: bool = false; // a live slot held no readable record when it was mounted

/** A live slot holds no readable record: whoever searches looks at it. */
export function setUnreadable(): void {
  unreadable = true;
}

export function reset(): void {
  unreadable = false;
  wipe(HANDLES, SLOTS_MAX * (HANDLE_SIZE + 13));
}

/** Notes the record whose header stands at `header`. */
export function set(slot: i32, header: usize): void {
  memory.copy(HANDLES + slot * HANDLE_SIZE, header + HEADER_OFF_HANDLE, HANDLE_SIZE);
  store<u32>(TOKENS + slot * 4, load<u32>(header, HEADER_OFF_TOKEN));
  store<u32>(FIRST_TOKENS + slot * 4, load<u32>(header, HEADER_OFF_FIRST_TOKEN));
  store<u32>(LABEL_HASHES + slot * 4, load<u32>(header, HEADER_OFF_LABEL_HASH));
  const usage: u32 = load<u8>(header, HEADER_OFF_USAGE);
  store<u8>(
    ATTRIBUTES + slot,
    attributes(usage, load<u8>(header, HEADER_OFF_TIER), load<u8>(header, HEADER_OFF_ORIGIN)),
  );
}

export function clear(slot: i32): void {
  wipe(HANDLES + slot * HANDLE_SIZE, HANDLE_SIZE);
  store<u32>(TOKENS + slot * 4, 0);
  store<u32>(FIRST_TOKENS + slot * 4, 0);
  store<u32>(LABEL_HASHES + slot * 4, 0);
  store<u8>(ATTRIBUTES + slot, 0);
}

export function move(from: i32, to: i32): void {
  memory.copy(HANDLES + to * HANDLE_SIZE, HANDLES + from * HANDLE_SIZE, HANDLE_SIZE);
  store<u32>(TOKENS + to * 4, load<u32>(TOKENS + from * 4));
  store<u32>(FIRST_TOKENS + to * 4, load<u32>(FIRST_TOKENS + from * 4));
  store<u32>(LABEL_HASHES + to * 4, load<u32>(LABEL_HASHES + from * 4));
  store<u8>(ATTRIBUTES + to, load<u8>(ATTRIBUTES + from));
  clear(from);
}

/** The live slot whose readable record has this handle, or -1. */
export function find(handle: usize): i32 {
  if (isZero(handle, HANDLE_SIZE)) return -1;
  for (let slot = 0; slot < geometry.slotCount(); slot++) {
    if (load<u32>(HANDLES + slot * HANDLE_SIZE) != load<u32>(handle)) continue;
    if (state.isLive(CURRENT, slot) && equal(HANDLES + slot * HANDLE_SIZE, handle, HANDLE_SIZE)) return slot;
  }
  return -1;
}

/** The next live slot from `slot` on whose present token begins like this one, or whose creating token's hash like that one, or -1. */
export function nextWithToken(slot: i32, token: usize, tokenHash: usize): i32 {
  const start = load<u32>(token);
  const hashed = load<u32>(tokenHash);
  for (; slot < geometry.slotCount(); slot++) {
    if (load<u32>(TOKENS + slot * 4) != start && load<u32>(FIRST_TOKENS + slot * 4) != hashed) continue;
    if (state.isLive(CURRENT, slot) && !isZero(HANDLES + slot * HANDLE_SIZE, HANDLE_SIZE)) return slot;
  }
  return -1;
}

/** The next live slot from `slot` on that is worth a look, or -1: its attributes under `mask` are those wanted and, when `labelled`, its label's hash begins
 *  like this one; or it held no readable record when it was mounted. */
export function nextLike(slot: i32, mask: u32, wanted: u32, labelled: bool, labelHash: u32): i32 {
  const end = geometry.slotCount();
  const quick = labelled && !unreadable; // nothing but the hash decides, nearly always
  for (; slot < end; slot++) {
    if (quick) while (slot < end && load<u32>(LABEL_HASHES + slot * 4) != labelHash) slot++;
    if (slot == end) break;
    const fits =
      (!labelled || load<u32>(LABEL_HASHES + slot * 4) == labelHash) && (load<u8>(ATTRIBUTES + slot) & mask) == wanted;
    if (!fits && (!unreadable || load<u32>(HANDLES + slot * HANDLE_SIZE) != 0)) continue;
    if (state.isLive(CURRENT, slot)) return slot;
  }
  return -1;
}
