/** Index entries on the wire: the non-secret attributes of one record. SPEC.md §9. Reads headers and labels, opens no seal. */

import { equal } from "../crypto/bytes";
import { HANDLE_SIZE, LABEL_MAX } from "../defs/record";
import {
  HEADER_OFF_CREATED,
  HEADER_OFF_CUSTODY,
  HEADER_OFF_EPOCH,
  HEADER_OFF_HANDLE,
  HEADER_OFF_LABEL_LENGTH,
  HEADER_OFF_ORIGIN,
  HEADER_OFF_PARTS,
  HEADER_OFF_POLICY,
  HEADER_OFF_SEQUENCE,
  HEADER_OFF_TIER,
  HEADER_OFF_USAGE,
} from "../defs/slot";
import { Status } from "../defs/status";
import { Key } from "../defs/wire";
import { HEADER, LABEL } from "../memory";
import * as geometry from "../store/geometry";
import * as header from "../store/header";
import * as cbor from "./cbor";
import * as request from "./request";

/** Keys of an entry besides the label. */
const KEYS: i32 = 12;

/** Pairs in the map that writeEntry() begins, `more` of them to be written by the caller. */
function pairs(more: i32): i32 {
  return KEYS + (header.labelLength(HEADER) > 0 ? 1 : 0) + more;
}

function writeByte(key: Key, at: usize): void {
  cbor.writeUint(key);
  cbor.writeUint(load<u8>(HEADER + at));
}
function writeWord(key: Key, at: usize): void {
  cbor.writeUint(key);
  cbor.writeUint(load<u32>(HEADER + at));
}

/** Keys up to Class of the record in HEADER and LABEL. `status`: -1, or a status that goes first as key 0. `more`: pairs the caller adds. */
function writeFirstKeys(slot: i32, first: bool, more: i32): void {
  cbor.writeMap(pairs(more + (first ? 1 : 0)));
  if (first) {
    cbor.pair(Key.Command, Status.Ok);
  }
  cbor.pairBytes(Key.Handle, HEADER + HEADER_OFF_HANDLE, HANDLE_SIZE);
  if (header.labelLength(HEADER) > 0) {
    cbor.writeUint(Key.Label);
    cbor.writeText(LABEL, header.labelLength(HEADER));
  }
  writeByte(Key.Usage, HEADER_OFF_USAGE);
  writeByte(Key.Tier, HEADER_OFF_TIER);
  writeByte(Key.Policy, HEADER_OFF_POLICY);
  writeWord(Key.Epoch, HEADER_OFF_EPOCH);
  writeByte(Key.Origin, HEADER_OFF_ORIGIN);
  cbor.pair(Key.Class, geometry.classOfSlot(slot));
}

/** Keys from Length on, without the number of parts. */
function writeLength(): void {
  cbor.pair(Key.Length, header.bodyLength(HEADER));
  writeWord(Key.Sequence, HEADER_OFF_SEQUENCE);
}
function writeLastKeys(): void {
  writeByte(Key.Custody, HEADER_OFF_CUSTODY);
  writeWord(Key.Created, HEADER_OFF_CREATED);
}

/** One entry of a list. */
export function writeEntry(slot: i32): void {
  writeFirstKeys(slot, false, 0);
  writeLength();
  writeByte(Key.Parts, HEADER_OFF_PARTS);
  writeLastKeys();
}

/** A whole response made of status, entry and a body of `length` bytes, which stands between Class and Length: copied from `from`, or, when
 *  that is 0, left to be filled in where the answer says. */
export function writeGet(slot: i32, length: i32, from: usize): usize {
  writeFirstKeys(slot, true, 1);
  cbor.writeUint(Key.Body);
  let body: usize = 0;
  if (from == 0) body = cbor.writeBytesLater(length);
  else cbor.writeBytes(from, length); // before what follows is written over it
  writeLength();
  writeByte(Key.Parts, HEADER_OFF_PARTS);
  writeLastKeys();
  return body;
}

/** A whole response made of status and entry; between them the caller writes the array of parts, then calls writeShowEnd(). */
export function writeShow(slot: i32): void {
  writeFirstKeys(slot, true, 0);
  writeLength();
  cbor.writeUint(Key.Parts);
}
export function writeShowEnd(): void {
  writeLastKeys();
}

/** Brings header and label of a live slot into HEADER and LABEL; false when the header does not verify. A label that does not verify
 *  counts as none, so that the record can be named and evicted. */
export function look(slot: i32): bool {
  if (header.read(slot) != Status.Ok) return false;
  if (header.readLabel(slot) != Status.Ok) store<u8>(HEADER, 0, HEADER_OFF_LABEL_LENGTH);
  return true;
}

/** Whether the record in HEADER and LABEL passes the request's filter: all conditions hold. */
export function passes(): bool {
  const length = header.labelLength(HEADER);
  if (request.has(Key.Label) && !(length == request.labelLength && equal(LABEL, request.LABEL_ARGUMENT, length)))
    return false;
  if (
    request.has(Key.LabelPrefix) &&
    !(length >= request.prefixLength && equal(LABEL, request.PREFIX, request.prefixLength))
  )
    return false;
  if (request.has(Key.Usage) && <u32>load<u8>(HEADER, HEADER_OFF_USAGE) != request.usage) return false;
  if (request.has(Key.Tier) && <u32>load<u8>(HEADER, HEADER_OFF_TIER) != request.tier) return false;
  if (request.has(Key.Origin) && <u32>load<u8>(HEADER, HEADER_OFF_ORIGIN) != request.origin) return false;
  const epoch = load<u32>(HEADER, HEADER_OFF_EPOCH);
  if (request.has(Key.EpochMin) && epoch < request.epochMin) return false;
  return !(request.has(Key.EpochMax) && epoch > request.epochMax);
}
