/** Slot classes as the model sees them: how many records, and how large. SPEC.md §3. */
import { SLOT_BLOCK, SLOT_BLOCKS, UNIT } from "../../firmware/defs/medium.js";
import { SLOTS_MAX } from "../../firmware/defs/record.js";

export interface SlotClass {
  units: number;
  blocks: number;
}

/** Records that puts may bring a class to: one block stays spare, one slot is kept for replace. */
export const capacity = ({ units, blocks }: SlotClass): number =>
  (blocks - 1) * Math.floor(SLOT_BLOCK / UNIT / units) - 1;
/** Bytes of label and body that one slot holds. */
export const room = ({ units }: SlotClass): number => (units - 1) * UNIT;

/** Index of the first class that does not fit the medium with those before it, or -1. */
export function firstMisfit(classes: readonly SlotClass[]): number {
  let [blocks, slots] = [0, 0];
  const misfit = classes.findIndex((one) => {
    const each = Math.floor(SLOT_BLOCK / UNIT / one.units);
    blocks += one.blocks;
    slots += one.blocks * each;
    const shape = one.units >= 2 && each >= 1 && one.blocks >= 2 && (one.blocks - 1) * each >= 2;
    return !shape || blocks > SLOT_BLOCKS || slots > SLOTS_MAX;
  });
  return classes.length === 0 ? 0 : misfit;
}
