/** The index in RAM: handle and token prefixes of each live slot, filled by mount, for finding a record without reading flash. */
import { equal, isZero, wipe } from "../crypto/bytes";
import { HANDLE_SIZE, SLOTS_MAX } from "../defs/record";
import { HEADER_OFF_FIRST_TOKEN, HEADER_OFF_HANDLE, HEADER_OFF_TOKEN } from "../defs/slot";
import { CURRENT, FIRST_TOKENS, HANDLES, TOKENS } from "../memory";
import * as geometry from "./geometry";
import * as state from "./state";

export function reset(): void {
  wipe(HANDLES, SLOTS_MAX * (HANDLE_SIZE + 8));
}

/** Notes the record whose header stands at `header`. */
export function set(slot: i32, header: usize): void {
  memory.copy(HANDLES + slot * HANDLE_SIZE, header + HEADER_OFF_HANDLE, HANDLE_SIZE);
  store<u32>(TOKENS + slot * 4, load<u32>(header, HEADER_OFF_TOKEN));
  store<u32>(FIRST_TOKENS + slot * 4, load<u32>(header, HEADER_OFF_FIRST_TOKEN));
}

export function clear(slot: i32): void {
  wipe(HANDLES + slot * HANDLE_SIZE, HANDLE_SIZE);
  store<u32>(TOKENS + slot * 4, 0);
  store<u32>(FIRST_TOKENS + slot * 4, 0);
}

export function move(from: i32, to: i32): void {
  memory.copy(HANDLES + to * HANDLE_SIZE, HANDLES + from * HANDLE_SIZE, HANDLE_SIZE);
  store<u32>(TOKENS + to * 4, load<u32>(TOKENS + from * 4));
  store<u32>(FIRST_TOKENS + to * 4, load<u32>(FIRST_TOKENS + from * 4));
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
