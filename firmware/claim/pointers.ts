/** Pointers: the last position that was handed out of each filekey, one entry in one place of the data flash. SPEC.md §14.
 *  A new entry goes to another place, and then the old one is erased: a filekey whose entry is lost has none, rather than an older one from
 *  which positions would be handed out again. An entry that a cut left may read well at one boot and not at the next. That takes nothing
 *  back, because nobody was told of it, but nothing may be built on it. So before the first entry after power-up the newest one, the only
 *  one that may be such, is written once more, and everything else that is not needed is erased.
 *  Relies on: index.ts for which filekeys there are. Uses LEAF_INPUT, PAGE and TAG. */

import * as board from "../board";
import { keyed } from "../crypto/blake3";
import { equal } from "../crypto/bytes";
import { publish } from "../crypto/declassify";
import { Region } from "../defs/boundary";
import { CLAIMS_OFFSET } from "../defs/medium";
import {
  POINTER_OFF_HANDLE,
  POINTER_OFF_LATEST,
  POINTER_OFF_MAC,
  POINTER_OFF_REQUEST,
  POINTER_OFF_SEQUENCE,
  POINTER_OFF_START,
  POINTER_OFF_VERSION,
  POINTER_PLACE,
  POINTER_PLACES,
} from "../defs/pointers";
import { HANDLE_SIZE } from "../defs/record";
import { FORMAT_VERSION } from "../defs/slot";
import { Status } from "../defs/status";
import { LEAF_INPUT, PAGE, TAG } from "../memory";
import * as index from "../store/index";

const NONE: i32 = -1;
const PLACES_TRIED: i32 = 3; // by one entry; what fails at more of them is not a worn block

/** What scan() found in each place: u32 sequence (0 = no entry), i32 slot of its filekey's record (NONE = it is gone), i64 latest. */
const FOUND: usize = LEAF_INPUT;
const FOUND_SIZE: i32 = 16;

let tidied: bool = false; // since power-up, or since something failed
let top: u32 = 0; // highest sequence that was seen since power-up
let erased: u32 = 0; // bit p: place p was erased since power-up, and not written since

/** Forgets what is known about the medium. At every start. */
export function reset(): void {
  tidied = false;
  top = 0;
  erased = 0;
}

function offset(place: i32): i32 {
  return CLAIMS_OFFSET + place * POINTER_PLACE;
}
function sequenceIn(place: i32): u32 {
  return load<u32>(FOUND + place * FOUND_SIZE);
}
function slotIn(place: i32): i32 {
  return load<i32>(FOUND + place * FOUND_SIZE, 4);
}
function latestIn(place: i32): i64 {
  return load<i64>(FOUND + place * FOUND_SIZE, 8);
}

function authenticate(key: usize): void {
  keyed(TAG, key, PAGE, POINTER_OFF_MAC);
}

/** Reads a place into PAGE. Whether an entry stands there. */
function read(key: usize, place: i32): bool {
  if (board.read(Region.Data, offset(place), PAGE, POINTER_PLACE) != Status.Ok) return false;
  authenticate(key);
  return equal(TAG, PAGE + POINTER_OFF_MAC, 16) && load<u8>(PAGE, POINTER_OFF_VERSION) == FORMAT_VERSION;
}

function scan(key: usize): void {
  for (let place = 0; place < POINTER_PLACES; place++) {
    const found = read(key, place);
    const sequence = found ? load<u32>(PAGE, POINTER_OFF_SEQUENCE) : 0;
    store<u32>(FOUND + place * FOUND_SIZE, sequence);
    store<i32>(FOUND + place * FOUND_SIZE, found ? index.find(PAGE + POINTER_OFF_HANDLE) : NONE, 4);
    store<i64>(FOUND + place * FOUND_SIZE, load<i64>(PAGE, POINTER_OFF_LATEST), 8);
    top = max(top, sequence);
  }
}

/** Whether the entry in one place is newer than that in another. Of one filekey the one that goes furthest: an entry that nobody could read
 *  or erase for a while must not count before one that was written meanwhile, whatever their sequences. */
function isNewer(place: i32, than: i32, sameFilekey: bool): bool {
  if (sameFilekey && latestIn(place) != latestIn(than)) return latestIn(place) > latestIn(than);
  return sequenceIn(place) > sequenceIn(than);
}

/** The place of the newest entry: of one filekey, or of all when `slot` is NONE. */
function newest(slot: i32): i32 {
  let best = NONE;
  for (let place = 0; place < POINTER_PLACES; place++) {
    if (sequenceIn(place) == 0 || (slot != NONE && slotIn(place) != slot)) continue;
    if (best == NONE || isNewer(place, best, slot != NONE)) best = place;
  }
  return best;
}

/** Brings the pointer of a filekey into PAGE. False: it has none.
 *  @param key 32 bytes, of the pointers    @param handle HANDLE_SIZE bytes, of the filekey's record */
export function find(key: usize, handle: usize): bool {
  const slot = index.find(handle);
  if (slot == NONE) return false;
  scan(key);
  return readNewest(key, slot) != NONE;
}

/** Entries written so far, of all filekeys, as far as the places tell. */
export function count(key: usize): u32 {
  scan(key);
  return top;
}

/** Brings the newest entry, as newest() has it, into PAGE. One that a cut left may not read as it did a moment ago: then it counts no more.
 *  Its place, or NONE. */
function readNewest(key: usize, slot: i32): i32 {
  let place = newest(slot);
  while (place != NONE && !read(key, place)) {
    store<u32>(FOUND + place * FOUND_SIZE, 0);
    place = newest(slot);
  }
  return place;
}

/** Erases a place. What cannot be erased may be read later; by then its filekey has an entry that goes further. */
function clear(place: i32): void {
  store<u32>(FOUND + place * FOUND_SIZE, 0);
  if (board.erase(Region.Data, offset(place)) == Status.Ok) erased |= 1 << place;
}

/** Writes what stands in PAGE as the newest entry into the next erased place behind the newest. Ok | MediumFailed. */
function write(key: usize): Status {
  store<u32>(PAGE, ++top, POINTER_OFF_SEQUENCE);
  store<u32>(PAGE, FORMAT_VERSION, POINTER_OFF_VERSION);
  authenticate(key);
  publish(PAGE + POINTER_OFF_MAC, TAG, 16);
  const last = newest(NONE);
  let tries = 0;
  for (let step = 1; step <= POINTER_PLACES && tries < PLACES_TRIED; step++) {
    const place = (last + step) % POINTER_PLACES;
    if (((erased >>> place) & 1) == 0) continue;
    erased &= ~(1 << place);
    if (program(place)) return Status.Ok;
    tries++;
  }
  return Status.MediumFailed;
}

function program(place: i32): bool {
  const back = PAGE + POINTER_PLACE;
  if (board.program(Region.Data, offset(place), PAGE, POINTER_PLACE) != Status.Ok) return false;
  if (board.read(Region.Data, offset(place), back, POINTER_PLACE) != Status.Ok) return false;
  return equal(PAGE, back, POINTER_PLACE);
}

/** Erases every place that no filekey needs when the entry in `spared` is not counted; that one stays. */
function sweep(spared: i32): void {
  const sequence = spared == NONE ? 0 : sequenceIn(spared);
  if (spared != NONE) store<u32>(FOUND + spared * FOUND_SIZE, 0);
  for (let place = 0; place < POINTER_PLACES; place++) {
    if (place == spared || ((erased >>> place) & 1) != 0) continue;
    if (sequenceIn(place) == 0 || slotIn(place) == NONE || newest(slotIn(place)) != place) clear(place);
  }
  if (spared != NONE) store<u32>(FOUND + spared * FOUND_SIZE, sequence);
}

/** Makes certain what stood there before this power-up, and erases the rest: one certain entry for each filekey is left. Ok | MediumFailed. */
function tidy(key: usize): Status {
  const last = readNewest(key, NONE);
  sweep(last);
  if (last != NONE) {
    // the copy is newer: whether the first one can be read later makes no difference any more. Until then the one before it stays
    if (write(key) != Status.Ok) return Status.MediumFailed;
    scan(key);
    sweep(NONE);
  }
  tidied = true;
  return Status.Ok;
}

/** Makes certain that what find() brings was found for good: an entry that a cut left may read well now and not at the next boot.
 *  Ok | MediumFailed. find() again after it. */
@durable("data")
export function settle(key: usize): Status {
  if (tidied) return Status.Ok;
  scan(key);
  return tidy(key);
}

/** Erases the entries of a filekey that hands out nothing any more. Those that stay because an erase failed are in nobody's way. */
@durable("data")
export function forget(key: usize, handle: usize): void {
  const slot = index.find(handle);
  if (slot == NONE) return; // it is gone: tidy() erases them
  scan(key);
  for (let place = 0; place < POINTER_PLACES; place++) if (slotIn(place) == slot) clear(place);
}

/** Moves the pointer of a filekey. What was asked is durable when the answer is Ok; otherwise it has happened or not.
 *  @param key 32 bytes, of the pointers
 *  @param handle HANDLE_SIZE bytes, of the filekey's record, which the index knows
 *  @param latest the last position that is handed out    @param start where its range begins
 *  @param request 8 bytes
 *  @returns Ok | MediumFailed */
@durable("data")
export function append(key: usize, handle: usize, latest: i64, start: i64, request: usize): Status {
  let status = settle(key);
  if (status == Status.Ok) {
    scan(key);
    const old = newest(index.find(handle));
    memory.copy(PAGE + POINTER_OFF_HANDLE, handle, HANDLE_SIZE);
    store<i64>(PAGE, latest, POINTER_OFF_LATEST);
    store<i64>(PAGE, start, POINTER_OFF_START);
    memory.copy(PAGE + POINTER_OFF_REQUEST, request, 8);
    status = write(key);
    if (status == Status.Ok && old != NONE) clear(old);
  }
  tidied = tidied && status == Status.Ok;
  return status;
}
