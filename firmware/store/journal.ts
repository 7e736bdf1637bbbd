/** The journal: 16 places in data flash, the only commit point. SPEC.md §5; why each step is there: DESIGN.md §3.
 *  begin() makes an intent durable before anything else is touched; commit() makes the whole new state durable.
 *  Believed: a valid MAC, for choosing the newest record; `settled`, for showing it without a write; a readable intent, as
 *  "this may be dirty". Not believed: blank, 0xFF, one reading of an unsettled record. */

import * as board from "../board";
import { keyed } from "../crypto/blake3";
import { equal } from "../crypto/bytes";
import { publish, reveal } from "../crypto/declassify";
import { Region } from "../defs/boundary";
import {
  ANNOUNCEMENT,
  BODY_EPOCH_SET,
  BODY_OFF_LIVE,
  BODY_OFF_MAC,
  BODY_OFF_SETTLED,
  INTENT_BLOCK,
  INTENT_ERASES,
  INTENT_OFF_CHECK,
  INTENT_OFF_FLAGS,
  INTENT_OFF_OPERATION,
  INTENT_OFF_SEQUENCE,
  INTENT_OFF_TOUCHED,
  INTENT_OFF_VERSION,
  INTENT_SIZE,
  INTENT_SLOT,
  JOURNAL_PLACE,
  JOURNAL_PLACES,
  Operation,
} from "../defs/journal";
import { DATA_BLOCK, DATA_UNIT, JOURNAL_OFFSET } from "../defs/medium";
import { FORMAT_VERSION } from "../defs/slot";
import { Status } from "../defs/status";
import { CURRENT, MESSAGE, NEXT, PLACE, TAG } from "../memory";
import * as geometry from "./geometry";
import * as state from "./state";
import { KeyName, key, mend } from "./vault";

const LAST: i32 = JOURNAL_PLACES - 1;
const CORRECTED_MAX: i32 = 2; // damaged places in which one bit is looked for: each may take a third of a second
const PLACES_TRIED: i32 = 3; // by one change; what fails at more of them is not a worn block

const MAKING: u64 = ((<u64>~ANNOUNCEMENT) << 32) | ANNOUNCEMENT;

let current: i32 = -1; // place of the record in CURRENT
let top: u32 = 0; // highest sequence readable in any place
let untouched: bool = true; // no change since mount
let changed: bool = false; // since mount, or since rest()
let counted: bool = false; // this power-up is counted in the epoch
let writable: bool = false;
let target: i32 = 0; // place of the change under way
let failing: u32 = 0; // bit p: place p failed since power-up; changes go round it
let readable: u32 = 0; // bit p: place p had a readable intent at find()
let known: u32 = 0; // highest sequence that a record in a slot can have, by what find() read
let broken: i32 = -1; // place of the newest record when it is damaged for good
let doubted: bool = false; // CURRENT is known to be older than the newest state
let corrected: bool = false; // the record in CURRENT had one bit put right

/** Whether what is shown is known to be older than the newest state there was. */
export function isDoubted(): bool {
  return doubted;
}

/** The highest sequence that a record in a slot can have, unless the journal is an old one. */
export function newestKnown(): u32 {
  return known;
}

/** A record newer than the journal stands in a slot: this journal is an old one, and what is written from now on is newer still. */
export function doubt(sequence: u32): void {
  doubted = true;
  raise(sequence);
}

function raise(sequence: u32): void {
  top = max(top, sequence);
}

/** Whether no change was made since mount: the first one has more to erase. */
export function isUntouched(): bool {
  return untouched;
}

/** Whether something was changed since mount, or since rest(). */
export function isChanged(): bool {
  return changed;
}
export function rest(): void {
  changed = false;
}

function offset(place: i32): i32 {
  return JOURNAL_OFFSET + place * JOURNAL_PLACE;
}
function after(place: i32, steps: i32): i32 {
  return (place + steps) % JOURNAL_PLACES;
}

function hasIntent(at: usize): bool {
  keyed(TAG, key(KeyName.Journal), at, INTENT_OFF_CHECK);
  return equal(TAG, at + INTENT_OFF_CHECK, 8) && load<u8>(at, INTENT_OFF_VERSION) == FORMAT_VERSION;
}
function isValid(at: usize): bool {
  keyed(TAG, key(KeyName.Journal), at, BODY_OFF_MAC);
  return equal(TAG, at + BODY_OFF_MAC, 16);
}
function isSettled(at: usize): bool {
  keyed(TAG, key(KeyName.Journal), at + BODY_OFF_MAC, 16);
  return equal(TAG, at + BODY_OFF_SETTLED, 4);
}

/** Whether a place that does not verify was settled once: its settled word fits the MAC that stands there, or the one that its bytes give.
 *  The word is programmed when the body is certain, and erased before the rest: damage leaves that behind, and no cut. */
function wasSettled(at: usize): bool {
  if (isSettled(at)) return true;
  keyed(TAG, key(KeyName.Journal), at, BODY_OFF_MAC);
  publish(PLACE, TAG, 16);
  keyed(TAG, key(KeyName.Journal), PLACE, 16);
  return equal(TAG, at + BODY_OFF_SETTLED, 4);
}

function flip(at: usize, bit: i32): void {
  const mask: u32 = 1 << (bit & 7);
  store<u8>(at + (bit >> 3), load<u8>(at + (bit >> 3)) ^ mask);
}

/** Puts a settled record right in memory when a single bit of it changed: the one whose flip makes it verify. */
function correct(at: usize): bool {
  for (let bit = 0; bit < INTENT_SIZE * 8 && !hasIntent(at); bit++) {
    flip(at, bit);
    if (!hasIntent(at)) flip(at, bit);
  }
  for (let bit = INTENT_SIZE * 8; bit < BODY_OFF_SETTLED * 8 && hasIntent(at) && !isValid(at); bit++) {
    flip(at, bit);
    if (!isValid(at)) flip(at, bit);
  }
  return hasIntent(at) && isValid(at);
}

/** Whether a place whose intent is damaged beyond a bit may hold a newer record than `newest`: newer ones stand in the places behind it, and
 *  its sequence does not read like that of the oldest, which stand there as well. */
function mayBeNewer(place: i32, newest: i32): bool {
  const isBehind = (place - newest + JOURNAL_PLACES) % JOURNAL_PLACES <= PLACES_TRIED;
  return isBehind && seenSequence(newest) - seenSequence(place) >= 2 * JOURNAL_PLACES;
}

/** Looks for records newer than the valid one in `newest` that were settled and do not verify. The place of the newest record, of which one
 *  bit may have been put right; `broken` is the place of a newer one that is lost. */
function findDamaged(newest: i32): i32 {
  broken = -1;
  let tries = 0;
  for (let p = 0; p < JOURNAL_PLACES; p++) {
    const hadIntent = ((readable >>> p) & 1) != 0;
    if ((hadIntent && seenSequence(p) <= seenSequence(newest)) || !wasSettled(seen(p))) continue;
    if (tries++ < CORRECTED_MAX && correct(seen(p))) {
      if (seenSequence(p) > seenSequence(newest)) newest = p;
    } else if (hadIntent || mayBeNewer(p, newest)) {
      broken = p;
    }
  }
  if (broken >= 0 && ((readable >>> broken) & 1) != 0 && seenSequence(broken) < seenSequence(newest)) broken = -1;
  return newest;
}

/** Marks in `record` what an intent may have begun to write. */
function applyIntent(record: usize, at: usize): void {
  const touched: i32 = load<u8>(at, INTENT_OFF_TOUCHED);
  const flags = load<u8>(at, INTENT_OFF_FLAGS);
  if ((flags & INTENT_SLOT) != 0 && touched < geometry.slotCount()) state.bury(record, touched);
  if ((flags & INTENT_BLOCK) != 0 && touched < geometry.blockCount()) {
    state.soil(record, touched);
    if ((flags & INTENT_ERASES) != 0) state.countErase(record, touched);
  }
}

/** Erases a place, its settled word first: see wasSettled(). */
@durable("data")
function erasePlace(place: i32): Status {
  for (let at = JOURNAL_PLACE - DATA_BLOCK; at >= 0; at -= DATA_BLOCK) {
    if (board.erase(Region.Data, offset(place) + at) != Status.Ok) return Status.MediumFailed;
  }
  return Status.Ok;
}

@durable("data")
function writeIntent(place: i32, operation: Operation, touched: i32, flags: i32): Status {
  top++;
  store<u32>(NEXT, top, INTENT_OFF_SEQUENCE);
  store<u8>(NEXT, operation, INTENT_OFF_OPERATION);
  store<u8>(NEXT, touched, INTENT_OFF_TOUCHED);
  store<u8>(NEXT, flags, INTENT_OFF_FLAGS);
  store<u8>(NEXT, FORMAT_VERSION, INTENT_OFF_VERSION);
  keyed(TAG, key(KeyName.Journal), NEXT, INTENT_OFF_CHECK);
  publish(NEXT + INTENT_OFF_CHECK, TAG, 8);
  return <Status>board.program(Region.Data, offset(place), NEXT, INTENT_SIZE);
}

/** Body, then the settled word; NEXT becomes CURRENT. */
@durable("data")
@atomic("journal")
function writeBody(place: i32): Status {
  keyed(TAG, key(KeyName.Journal), NEXT, BODY_OFF_MAC);
  publish(NEXT + BODY_OFF_MAC, TAG, 16);
  keyed(TAG, key(KeyName.Journal), NEXT + BODY_OFF_MAC, 16);
  publish(NEXT + BODY_OFF_SETTLED, TAG, 4);
  const from = offset(place);
  if (board.program(Region.Data, from + INTENT_SIZE, NEXT + INTENT_SIZE, BODY_OFF_SETTLED - INTENT_SIZE) != Status.Ok)
    return Status.MediumFailed;
  if (board.read(Region.Data, from, PLACE, BODY_OFF_SETTLED) != Status.Ok) return Status.MediumFailed;
  if (!equal(PLACE, NEXT, BODY_OFF_SETTLED)) return Status.MediumFailed;
  if (board.program(Region.Data, from + BODY_OFF_SETTLED, NEXT + BODY_OFF_SETTLED, 4) != Status.Ok)
    return Status.MediumFailed;
  memory.copy(CURRENT, NEXT, JOURNAL_PLACE);
  current = place;
  return Status.Ok;
}

/** Whether every place but the last is blank by blank check: then no record was ever kept. */
export function isVirgin(): bool {
  for (let p = 0; p < LAST; p++) if (board.blank(Region.Data, offset(p), JOURNAL_PLACE) != 1) return false;
  return true;
}

/** Whether the last place announces that provisioning makes a root. */
export function isAnnounced(): bool {
  if (board.read(Region.Data, offset(LAST), PLACE, INTENT_SIZE) != Status.Ok) return false;
  return load<u64>(PLACE) == MAKING && load<u64>(PLACE, 8) == MAKING;
}

/** Announces in the last place that a root is made; the last record that create() writes takes it away. Ok | MediumFailed. */
@durable("data")
export function announce(): Status {
  if (erasePlace(LAST) != Status.Ok) return Status.MediumFailed;
  store<u64>(PLACE, MAKING);
  store<u64>(PLACE, MAKING, 8);
  if (board.program(Region.Data, offset(LAST), PLACE, INTENT_SIZE) != Status.Ok) return Status.MediumFailed;
  return isAnnounced() ? Status.Ok : Status.MediumFailed;
}

/** Whether an offset of the data flash lies in the journal. */
export function isAt(at: i32): bool {
  return at >= JOURNAL_OFFSET && at < offset(JOURNAL_PLACES);
}

function seen(place: i32): usize {
  return reveal(MESSAGE + place * JOURNAL_PLACE);
}
function seenSequence(place: i32): u32 {
  return load<u32>(seen(place), INTENT_OFF_SEQUENCE);
}

/** Finds the newest state, into CURRENT; writes nothing. settle() is to follow. Uses MESSAGE until then.
 *  Ok | CustodyDamaged (no valid record). The vault must be open. */
export function find(): Status {
  current = -1;
  untouched = true;
  changed = false;
  writable = false;
  doubted = false;
  readable = 0;
  top = 0;
  for (let p = 0; p < JOURNAL_PLACES; p++) {
    if (board.read(Region.Data, offset(p), seen(p), JOURNAL_PLACE) != Status.Ok) {
      // unit by unit: a torn body must not hide what its intent touched
      for (let at = 0; at < JOURNAL_PLACE; at += DATA_UNIT) {
        if (board.read(Region.Data, offset(p) + at, seen(p) + at, DATA_UNIT) != Status.Ok) store<u32>(seen(p) + at, 0);
      }
    }
    if (!hasIntent(seen(p))) continue;
    readable |= 1 << p;
    raise(seenSequence(p));
  }
  const valid = highestValid(0xffffffff, false);
  if (valid < 0) return Status.CustodyDamaged;
  current = findDamaged(valid);
  corrected = current != valid;
  if (corrected) {
    readable |= 1 << current;
    raise(seenSequence(current));
  }
  memory.copy(CURRENT, seen(current), JOURNAL_PLACE);
  known = state.sequence(CURRENT);
  for (let p = 0; p < JOURNAL_PLACES; p++) {
    const writesSlot = ((readable >>> p) & 1) != 0 && (load<u8>(seen(p), INTENT_OFF_FLAGS) & INTENT_SLOT) != 0;
    if (writesSlot) known = max(known, seenSequence(p));
  }
  doubted = broken >= 0;
  return Status.Ok;
}

/** Makes sure of what find() found: writes a record only when a change was cut short. Ok | ReadOnly (shown, but no place may be written).
 *  The vault must be open. */
export function settle(): Status {
  const newest = current;
  const at = seen(newest);
  const sequence = seenSequence(newest);
  if (doubted) {
    // no state is written until somebody accepts an older one; what the lost changes touched is not known. An acceptance that was cut must
    // not come true later: it touched nothing
    for (let p = 0; p < JOURNAL_PLACES; p++) {
      if (p != broken && ((readable >>> p) & 1) != 0 && seenSequence(p) > sequence) erasePlace(p);
    }
    raise(sequence + JOURNAL_PLACES);
    for (let block = 0; block < geometry.blockCount(); block++) state.soil(CURRENT, block);
    writable = true;
    return Status.Ok;
  }
  // a store in use has many readable places; a lone record may be the first one of a provisioning that was cut, and its settled word marginal
  const alone = (readable & (readable - 1)) == 0;
  if (!alone && !corrected && isSettled(at) && top == sequence) {
    writable = true;
    return Status.Ok;
  }

  // a change was cut short: its traces become dirt, and the state is written once more, settled, before it is shown
  memory.copy(NEXT, at, JOURNAL_PLACE);
  applyIntentsAbove(NEXT, sequence);
  const settled = isSettled(at) ? newest : highestValid(sequence, true);
  for (let step = 1; step < JOURNAL_PLACES; step++) {
    const p = after(newest, step);
    if (p == settled || (((readable >>> p) & 1) != 0 && seenSequence(p) > sequence)) continue;
    if (settled < 0 && ((readable >>> p) & 1) != 0 && isValid(seen(p))) continue; // nothing is certain: spare what may be all there is
    if (erasePlace(p) != Status.Ok) continue;
    if (writeIntent(p, Operation.Mount, 0, 0) != Status.Ok) continue;
    if (writeBody(p) != Status.Ok) continue;
    writable = true;
    return Status.Ok;
  }
  // no place can be written: show what is certain, or, if nothing is, the only state there is
  current = settled < 0 ? newest : settled;
  memory.copy(CURRENT, seen(current), JOURNAL_PLACE);
  applyIntentsAbove(CURRENT, seenSequence(current));
  return Status.ReadOnly;
}

/** Shows the newest valid record in CURRENT without writing anything: for rescue. Uses MESSAGE. Ok | CustodyDamaged. */
export function look(): Status {
  writable = false;
  readable = 0;
  for (let p = 0; p < JOURNAL_PLACES; p++) {
    if (board.read(Region.Data, offset(p), seen(p), JOURNAL_PLACE) == Status.Ok && hasIntent(seen(p)))
      readable |= 1 << p;
  }
  current = highestValid(0xffffffff, false);
  if (current < 0) return Status.CustodyDamaged;
  memory.copy(CURRENT, seen(current), JOURNAL_PLACE);
  return Status.Ok;
}

/** Marks in `record` what every readable intent above a sequence may have begun. */
function applyIntentsAbove(record: usize, sequence: u32): void {
  for (let p = 0; p < JOURNAL_PLACES; p++) {
    if (((readable >>> p) & 1) != 0 && seenSequence(p) > sequence) applyIntent(record, seen(p));
  }
}

/** Place of the valid record with the highest sequence below a bound, or -1; only settled ones if asked. */
function highestValid(below: u32, settled: bool): i32 {
  let left = readable;
  while (true) {
    let best = -1;
    for (let p = 0; p < JOURNAL_PLACES; p++) {
      if (((left >>> p) & 1) == 0 || seenSequence(p) >= below) continue;
      if (best < 0 || seenSequence(p) > seenSequence(best)) best = p;
    }
    if (best < 0) return -1;
    if (isValid(seen(best)) && (!settled || isSettled(seen(best)))) return best;
    left &= ~(1 << best);
  }
  return -1;
}

/** The first change after power-up mends a damaged custody copy, and erases every place that does not read as a valid older record, from
 *  the farthest back to the next, so that no cut write of an earlier life can be read later. `but`: so many next places stay. */
function tidy(but: i32): void {
  mend();
  for (let step = JOURNAL_PLACES - 1; step > but; step--) {
    const p = after(current, step);
    if (board.read(Region.Data, offset(p), PLACE, JOURNAL_PLACE) == Status.Ok) {
      if (hasIntent(PLACE) && isValid(PLACE) && state.sequence(PLACE) < state.sequence(CURRENT)) continue;
    }
    if (erasePlace(p) == Status.Ok) continue;
    failing |= 1 << p;
    top++; // whatever may be read there later has a lower sequence than all that is written from now on
  }
}

/** Starts a change: NEXT becomes a copy of CURRENT under a new sequence, and its intent is durable.
 *  @param touched slot (flags INTENT_SLOT) or block (INTENT_BLOCK, with INTENT_ERASES when it will be erased)
 *  @returns Ok | ReadOnly | MediumFailed (mount again) */
export function begin(operation: Operation, touched: i32, flags: i32): Status {
  if (!writable) return Status.ReadOnly;
  if (untouched && !doubted) tidy(1); // what is left of a lost record stays until an older state is accepted
  untouched = false;
  memory.copy(NEXT, CURRENT, JOURNAL_PLACE);
  if (!counted && !state.hasFlag(CURRENT, BODY_EPOCH_SET)) state.setEpoch(NEXT, state.epoch(CURRENT) + 1);
  let tries = 0;
  for (let step = 1; step < JOURNAL_PLACES && tries < PLACES_TRIED; step++) {
    target = after(current, step);
    if (((failing >>> target) & 1) != 0 || target == broken) continue;
    if (erasePlace(target) == Status.Ok) return noteFailure(writeIntent(target, operation, touched, flags));
    failing |= 1 << target;
    tries++;
  }
  if (tries == 0) failing = 0; // every place has failed once: perhaps that is over next time
  return Status.MediumFailed;
}

/** An older state was accepted: what is left of records that are lost goes, or the next mount would doubt again. */
export function forgetLost(): void {
  if (doubted) tidy(0);
}

function noteFailure(status: Status): Status {
  if (status != Status.Ok) failing |= 1 << target;
  return status;
}

/** Ends the change that begin() started: NEXT is durable and shown. Ok | MediumFailed (mount again). */
export function commit(): Status {
  const status = noteFailure(writeBody(target));
  if (status == Status.Ok) counted = changed = true;
  return status;
}

/** Gives up the change that begin() started: what it touched is dirty, all else as before. Ok | MediumFailed (mount again). */
export function abandon(): Status {
  const epoch = state.epoch(NEXT);
  memory.copy(NEXT + INTENT_SIZE, CURRENT + INTENT_SIZE, BODY_OFF_MAC - INTENT_SIZE);
  state.setEpoch(NEXT, epoch);
  applyIntent(NEXT, NEXT);
  return commit();
}

/** Erases every place but the last, which announces that a root is made. Ok | MediumFailed. */
export function forgetTraces(): Status {
  for (let p = 0; p < LAST; p++) if (erasePlace(p) != Status.Ok) return Status.MediumFailed;
  return Status.Ok;
}

/** Fills all places of an empty journal with the state in NEXT; the vault must hold the new root. Ok | MediumFailed. */
export function create(): Status {
  top = 0;
  for (let p = 0; p < JOURNAL_PLACES; p++) {
    if (erasePlace(p) != Status.Ok) return Status.MediumFailed;
    if (writeIntent(p, Operation.Provision, 0, 0) != Status.Ok) return Status.MediumFailed;
    if (writeBody(p) != Status.Ok) return Status.MediumFailed;
  }
  untouched = false;
  counted = true;
  writable = true;
  return Status.Ok;
}
