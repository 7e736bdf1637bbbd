/** Slot classes and where their blocks and slots lie. SPEC.md §3. The table is set at mount or provisioning and never changes. */
import { GEOMETRY_SIZE } from "../defs/custody";
import { SLOT_BLOCK, SLOT_BLOCKS, UNIT } from "../defs/medium";
import { CLASSES_MAX, SLOTS_MAX } from "../defs/record";
import { CLASS_ENTRY, CLASSES } from "../memory";

const BLOCK_UNITS: i32 = SLOT_BLOCK / UNIT;

let count: i32 = 0;
let slots: i32 = 0;

/** Number of classes. */
export function classes(): i32 {
  return count;
}
/** Number of slots of all classes, spare blocks included. */
export function slotCount(): i32 {
  return slots;
}

function field(c: i32, at: usize): i32 {
  return load<i32>(CLASSES + c * CLASS_ENTRY + at);
}
/** Units of one slot, header included. */
export function units(c: i32): i32 {
  return field(c, 0);
}
export function blocks(c: i32): i32 {
  return field(c, 4);
}
export function firstBlock(c: i32): i32 {
  return field(c, 8);
}
export function firstSlot(c: i32): i32 {
  return field(c, 12);
}
export function perBlock(c: i32): i32 {
  return field(c, 16);
}

/** Records that puts may bring a class to: one block stays spare, one slot is kept for replace. */
export function capacity(c: i32): i32 {
  return (blocks(c) - 1) * perBlock(c) - 1;
}
/** Bytes of label and body that one slot holds. */
export function room(c: i32): i32 {
  return (units(c) - 1) * UNIT;
}

/** Takes `n` entries of (u16 units, u8 blocks, u8 zero). Returns -1, or the index of the first one that does not fit (table unchanged). */
export function set(entries: usize, n: i32): i32 {
  let block = 0;
  let slot = 0;
  if (n < 1 || n > CLASSES_MAX) return 0;
  for (let c = 0; c < n; c++) {
    const u: i32 = load<u16>(entries + c * GEOMETRY_SIZE);
    const b: i32 = load<u8>(entries + c * GEOMETRY_SIZE, 2);
    if (load<u8>(entries + c * GEOMETRY_SIZE, 3) != 0) return c;
    if (u < 2 || u > BLOCK_UNITS || b < 2) return c;
    const s = BLOCK_UNITS / u;
    block += b;
    slot += b * s;
    if ((b - 1) * s < 2 || block > SLOT_BLOCKS || slot > SLOTS_MAX) return c;
  }
  block = 0;
  slot = 0;
  for (let c = 0; c < n; c++) {
    const at = CLASSES + c * CLASS_ENTRY;
    const u: i32 = load<u16>(entries + c * GEOMETRY_SIZE);
    const b: i32 = load<u8>(entries + c * GEOMETRY_SIZE, 2);
    const s = BLOCK_UNITS / u;
    store<i32>(at, u);
    store<i32>(at, b, 4);
    store<i32>(at, block, 8);
    store<i32>(at, slot, 12);
    store<i32>(at, s, 16);
    block += b;
    slot += b * s;
  }
  count = n;
  slots = slot;
  return -1;
}

export function classOfSlot(slot: i32): i32 {
  let c = 0;
  while (c + 1 < count && slot >= firstSlot(c + 1)) c++;
  return c;
}
export function blockOfSlot(slot: i32): i32 {
  const c = classOfSlot(slot);
  return firstBlock(c) + (slot - firstSlot(c)) / perBlock(c);
}
export function classOfBlock(block: i32): i32 {
  let c = 0;
  while (c + 1 < count && block >= firstBlock(c + 1)) c++;
  return c;
}
/** Number of blocks in use by all classes. */
export function blockCount(): i32 {
  return count == 0 ? 0 : firstBlock(count - 1) + blocks(count - 1);
}
/** First slot that lies in a block. */
export function slotOfBlock(block: i32): i32 {
  const c = classOfBlock(block);
  return firstSlot(c) + (block - firstBlock(c)) * perBlock(c);
}
/** Offset of a slot in the slot region, bytes. */
export function offsetOfSlot(slot: i32): i32 {
  const c = classOfSlot(slot);
  const block = blockOfSlot(slot);
  return block * SLOT_BLOCK + (slot - slotOfBlock(block)) * units(c) * UNIT;
}
