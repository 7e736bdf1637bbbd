/** The set digest: a two-level keyed BLAKE3 over the header MACs of all live slots. SPEC.md §5. It tells a partial restore, a mistake
 *  or failing flash from the set that the journal vouches for. LEAVES holds the leaves of the state in CURRENT. */

import * as board from "../board";
import { keyed } from "../crypto/blake3";
import { equal, wipe } from "../crypto/bytes";
import { publish } from "../crypto/declassify";
import { Region } from "../defs/boundary";
import { BODY_OFF_DIGEST } from "../defs/journal";
import { SLOT_BLOCK, UNIT } from "../defs/medium";
import { HEADER_OFF_MAC } from "../defs/slot";
import { Status } from "../defs/status";
import { CURRENT, LEAF_INPUT, LEAVES, LEAVES_SIZE, NEXT, TAG } from "../memory";
import * as geometry from "./geometry";
import * as state from "./state";
import { KeyName, key } from "./vault";

/** Leaf of a block under the live bits of `record`, into TAG. An unreadable MAC counts as zeros. */
function leaf(record: usize, block: i32): void {
  const c = geometry.classOfBlock(block);
  const from = geometry.slotOfBlock(block);
  let length = 0;
  for (let i = 0; i < geometry.perBlock(c); i++) {
    if (!state.isLive(record, from + i)) continue;
    const at = LEAF_INPUT + length;
    const offset = block * SLOT_BLOCK + i * geometry.units(c) * UNIT + HEADER_OFF_MAC;
    if (board.read(Region.Slots, offset, at, 16) != Status.Ok) wipe(at, 16);
    length += 16;
  }
  if (length == 0) wipe(TAG, 32);
  else keyed(TAG, key(KeyName.Header), LEAF_INPUT, length);
}

function root(): void {
  keyed(TAG, key(KeyName.Header), LEAVES, LEAVES_SIZE);
}

/** Computes all leaves from the medium. True when their root is the one in CURRENT. */
export function mount(): bool {
  wipe(LEAVES, LEAVES_SIZE);
  for (let block = 0; block < geometry.blockCount(); block++) {
    leaf(CURRENT, block);
    publish(LEAVES + block * 16, TAG, 16);
  }
  root();
  return equal(TAG, CURRENT + BODY_OFF_DIGEST, 16);
}

/** Whether a block's live slots still are what mount or the last change saw. */
export function stands(block: i32): bool {
  leaf(CURRENT, block);
  return equal(TAG, LEAVES + block * 16, 16);
}

/** Takes a block's leaf anew, under the live bits of NEXT. */
export function update(block: i32): void {
  leaf(NEXT, block);
  publish(LEAVES + block * 16, TAG, 16);
}

/** Writes the root over the present leaves into NEXT. */
export function seal(): void {
  root();
  publish(NEXT + BODY_OFF_DIGEST, TAG, 16);
}
