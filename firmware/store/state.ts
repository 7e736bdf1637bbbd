/** The state that a journal record carries: bitmaps, erase counts, flags, epoch. SPEC.md §5.
 *  `record` is CURRENT (what is shown) or NEXT (what a change will commit). */
import {
  BODY_OFF_ACCEPTED,
  BODY_OFF_DIRTY,
  BODY_OFF_EPOCH,
  BODY_OFF_ERASES,
  BODY_OFF_FLAGS,
  BODY_OFF_LIVE,
  BODY_OFF_OPERATORS,
  BODY_OFF_PENDING,
  INTENT_OFF_SEQUENCE,
} from "../defs/journal";
import * as geometry from "./geometry";

function bit(at: usize, n: i32): bool {
  return ((load<u8>(at + (n >> 3)) >>> (n & 7)) & 1) != 0;
}
function setBit(at: usize, n: i32, on: bool): void {
  const byte = at + (n >> 3);
  const mask: u32 = 1 << (n & 7);
  store<u8>(byte, on ? load<u8>(byte) | mask : load<u8>(byte) & ~mask);
}

/** Slot holds a record. */
export function isLive(record: usize, slot: i32): bool {
  return bit(record + BODY_OFF_LIVE, slot);
}
/** Slot is not certainly erased. */
export function isDirty(record: usize, slot: i32): bool {
  return bit(record + BODY_OFF_DIRTY, slot);
}
/** Slot may be written: neither live nor dirty. */
export function isFree(record: usize, slot: i32): bool {
  return !isLive(record, slot) && !isDirty(record, slot);
}
/** A record appears in a slot. */
export function bear(record: usize, slot: i32): void {
  setBit(record + BODY_OFF_LIVE, slot, true);
}
/** A slot's content, if any, is gone for good: not live, dirty until its block is erased. */
export function bury(record: usize, slot: i32): void {
  setBit(record + BODY_OFF_LIVE, slot, false);
  setBit(record + BODY_OFF_DIRTY, slot, true);
}
/** Every slot of a block is dirty: writing to it began. Live bits stay as they are. */
export function soil(record: usize, block: i32): void {
  const from = geometry.slotOfBlock(block);
  const n = geometry.perBlock(geometry.classOfBlock(block));
  for (let slot = from; slot < from + n; slot++) setBit(record + BODY_OFF_DIRTY, slot, true);
}
/** A block without live slots was erased. */
export function clean(record: usize, block: i32): void {
  const from = geometry.slotOfBlock(block);
  const n = geometry.perBlock(geometry.classOfBlock(block));
  for (let slot = from; slot < from + n; slot++) setBit(record + BODY_OFF_DIRTY, slot, false);
}

/** How many slots of a block are live (live = -1, dirty = 0), dead (0, -1) or free (0, 0): the two words say which bits must be set. */
function countSlots(record: usize, block: i32, live: u32, dirty: u32): i32 {
  const c = geometry.classOfBlock(block);
  let slot = geometry.firstSlot(c) + (block - geometry.firstBlock(c)) * geometry.perBlock(c);
  const end = slot + geometry.perBlock(c);
  let n = 0;
  while (slot < end) {
    const byte = slot >> 3;
    const next = min((byte + 1) << 3, end);
    const isLive: u32 = load<u8>(record + byte, BODY_OFF_LIVE);
    const isDirty: u32 = load<u8>(record + byte, BODY_OFF_DIRTY);
    // a live slot counts as live, dirty or not
    const those = live != 0 ? isLive : ~isLive & ~(isDirty ^ dirty);
    n += popcnt<u32>((those >>> (slot & 7)) & ((1 << (next - slot)) - 1));
    slot = next;
  }
  return n;
}

export function liveInBlock(record: usize, block: i32): i32 {
  return countSlots(record, block, -1, 0);
}
/** Slots of a block that are dirty and not live: what erasing it would win. */
export function deadInBlock(record: usize, block: i32): i32 {
  return countSlots(record, block, 0, -1);
}
/** Slots of a block that may be written. */
export function freeInBlock(record: usize, block: i32): i32 {
  return countSlots(record, block, 0, 0);
}
export function liveInClass(record: usize, c: i32): i32 {
  let live = 0;
  for (let b = 0; b < geometry.blocks(c); b++) live += liveInBlock(record, geometry.firstBlock(c) + b);
  return live;
}

export function erases(record: usize, block: i32): i32 {
  return load<u16>(record + block * 2, BODY_OFF_ERASES);
}
/** Counts one erase of a block; the count saturates. */
export function countErase(record: usize, block: i32): void {
  store<u16>(record + block * 2, min(erases(record, block) + 1, 0xffff), BODY_OFF_ERASES);
}

export function sequence(record: usize): u32 {
  return load<u32>(record, INTENT_OFF_SEQUENCE);
}
export function epoch(record: usize): u32 {
  return load<u32>(record, BODY_OFF_EPOCH);
}
export function setEpoch(record: usize, value: u32): void {
  store<u32>(record, value, BODY_OFF_EPOCH);
}
export function hasFlag(record: usize, flag: i32): bool {
  return (load<u8>(record, BODY_OFF_FLAGS) & flag) != 0;
}
export function setFlag(record: usize, flag: i32): void {
  store<u8>(record, load<u8>(record, BODY_OFF_FLAGS) | flag, BODY_OFF_FLAGS);
}
export function accepted(record: usize): i32 {
  return load<u8>(record, BODY_OFF_ACCEPTED);
}
export function countAccepted(record: usize): void {
  store<u8>(record, min(accepted(record) + 1, 0xff), BODY_OFF_ACCEPTED);
}

/** Whether an operator place is in use; whether its key waits for its first use. */
export function isOperator(record: usize, place: i32): bool {
  return bit(record + BODY_OFF_OPERATORS, place);
}
export function isPending(record: usize, place: i32): bool {
  return bit(record + BODY_OFF_PENDING, place);
}
export function setOperator(record: usize, place: i32, used: bool, pending: bool): void {
  setBit(record + BODY_OFF_OPERATORS, place, used);
  setBit(record + BODY_OFF_PENDING, place, pending);
}
