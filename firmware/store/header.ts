/** Slot headers: the non-secret attributes of a record under a MAC of their own. SPEC.md §4. Opens no seal. */

import * as board from "../board";
import { hash, keyed } from "../crypto/blake3";
import { equal } from "../crypto/bytes";
import { publish } from "../crypto/declassify";
import { Region } from "../defs/boundary";
import { UNIT } from "../defs/medium";
import { LABEL_MAX } from "../defs/record";
import {
  FORMAT_VERSION,
  HEADER_MAGIC,
  HEADER_OFF_HANDLE,
  HEADER_OFF_LABEL_HASH,
  HEADER_OFF_LABEL_LENGTH,
  HEADER_OFF_LENGTH,
  HEADER_OFF_MAC,
  HEADER_OFF_MAGIC,
  HEADER_OFF_SEQUENCE,
  HEADER_OFF_VERSION,
  HEADER_SIZE,
} from "../defs/slot";
import { Status } from "../defs/status";
import { HEADER, LABEL, TAG } from "../memory";
import * as geometry from "./geometry";
import * as journal from "./journal";
import { KeyName, key } from "./vault";

export function labelLength(header: usize): i32 {
  return load<u8>(header, HEADER_OFF_LABEL_LENGTH);
}
export function bodyLength(header: usize): i32 {
  return load<u16>(header, HEADER_OFF_LENGTH);
}
/** Units behind the header that a record occupies. */
export function unitsUsed(header: usize): i32 {
  return (labelLength(header) + bodyLength(header) + UNIT - 1) / UNIT;
}

/** Computes the MAC of a header into its field. */
export function authenticate(header: usize): void {
  keyed(TAG, key(KeyName.Header), header, HEADER_OFF_MAC);
  publish(header + HEADER_OFF_MAC, TAG, 16);
}

/** Reads the header of a slot into HEADER. Ok | Corrupt (it does not verify, or does not fit its class) | Unreadable. */
export function read(slot: i32): Status {
  const status = board.read(Region.Slots, geometry.offsetOfSlot(slot), HEADER, HEADER_SIZE);
  if (status != Status.Ok) return <Status>status;
  if (load<u16>(HEADER, HEADER_OFF_MAGIC) != HEADER_MAGIC || load<u8>(HEADER, HEADER_OFF_VERSION) != FORMAT_VERSION)
    return Status.Corrupt;
  keyed(TAG, key(KeyName.Header), HEADER, HEADER_OFF_MAC);
  if (!equal(TAG, HEADER + HEADER_OFF_MAC, 16)) return Status.Corrupt;
  const fits =
    labelLength(HEADER) <= LABEL_MAX &&
    labelLength(HEADER) + bodyLength(HEADER) <= geometry.room(geometry.classOfSlot(slot));
  return fits ? Status.Ok : Status.Corrupt;
}

function isNewest(): bool {
  return load<u32>(HEADER, HEADER_OFF_SEQUENCE) > journal.newestKnown();
}

/** Looks for a genuine header in a slot that is newer than everything the journal knows of, and tells the journal. Uses HEADER. */
export function compare(slot: i32): void {
  const status = board.read(Region.Slots, geometry.offsetOfSlot(slot), HEADER, HEADER_OFF_HANDLE);
  if (status != Status.Ok || load<u16>(HEADER, HEADER_OFF_MAGIC) != HEADER_MAGIC || !isNewest()) return;
  // the whole one decides: cells whose erase was cut read differently each time
  if (read(slot) == Status.Ok && isNewest()) journal.doubt(load<u32>(HEADER, HEADER_OFF_SEQUENCE));
}

/** Reads the label that HEADER names into LABEL and checks it against its hash. Ok | Corrupt | Unreadable. */
export function readLabel(slot: i32): Status {
  const length = labelLength(HEADER);
  const status = board.read(Region.Slots, geometry.offsetOfSlot(slot) + HEADER_SIZE, LABEL, length);
  if (status != Status.Ok) return <Status>status;
  hashLabel(LABEL, length);
  return equal(TAG, HEADER + HEADER_OFF_LABEL_HASH, 16) ? Status.Ok : Status.Corrupt;
}

/** Label hash into TAG (16 of its bytes count; TAG has room for 32). */
export function hashLabel(label: usize, length: i32): void {
  hash(TAG, label, length);
}
