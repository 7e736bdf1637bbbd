/** Operators: 20 places in data flash; the journal's body says which are in use and which keys wait for their first use. SPEC.md §11.
 *  A place is written before the one record that makes it count, and erased when it counts no more. The vault must be open. */

import * as board from "../board";
import { keyed } from "../crypto/blake3";
import { equal, wipe } from "../crypto/bytes";
import { expectPublic, publish, reveal } from "../crypto/declassify";
import { Region } from "../defs/boundary";
import { JOURNAL_PLACE, Operation } from "../defs/journal";
import { OPERATORS_OFFSET } from "../defs/medium";
import {
  OPERATOR_OFF_ID,
  OPERATOR_OFF_KEY,
  OPERATOR_OFF_PLACE,
  OPERATOR_OFF_ROLE,
  OPERATOR_OFF_SEQUENCE,
  OPERATOR_OFF_TAG,
  OPERATOR_PLACE,
  OPERATOR_PLACES,
  OPERATORS_MAX,
} from "../defs/operator";
import { OPERATOR_ID, PSK_SIZE, Role } from "../defs/session";
import { Status } from "../defs/status";
import { CURRENT, NEXT, OPERATOR, PAGE, TAG } from "../memory";
import * as journal from "../store/journal";
import * as state from "../store/state";
import { KeyName, key } from "../store/vault";
import * as refusals from "./refusals";

const ATTEMPTS: i32 = 3; // places tried when the medium fails under one

function offset(place: i32): i32 {
  return OPERATORS_OFFSET + place * OPERATOR_PLACE;
}

/** The tag of the place in OPERATOR, its key open, into TAG. The place is part of what it covers. */
function computeTag(): void {
  keyed(TAG, key(KeyName.Operator), OPERATOR, OPERATOR_OFF_TAG);
}

/** Seals the key, or opens it: XORs it with what the tag gives. Two keys never meet the same pad, unless they are the same key in the same place. */
function cross(): void {
  keyed(TAG, key(KeyName.Operator), OPERATOR + OPERATOR_OFF_TAG, 16);
  for (let i = 0; i < PSK_SIZE; i += 8) {
    const at = OPERATOR + i;
    store<u64>(at, load<u64>(at, OPERATOR_OFF_KEY) ^ load<u64>(TAG + i), OPERATOR_OFF_KEY);
  }
}

/** Forgets the place in hand. */
export function forget(): void {
  wipe(OPERATOR, OPERATOR_PLACE);
}

/** Brings a place into OPERATOR, its key open. Ok | Corrupt | Unreadable. */
export function read(place: i32): Status {
  const status = board.read(Region.Data, offset(place), OPERATOR, OPERATOR_PLACE);
  if (status != Status.Ok) return <Status>status;
  cross();
  computeTag();
  const whole =
    equal(TAG, OPERATOR + OPERATOR_OFF_TAG, 16) && <i32>load<u8>(reveal(OPERATOR), OPERATOR_OFF_PLACE) == place;
  wipe(TAG, 32);
  return whole ? Status.Ok : Status.Corrupt;
}

/** Brings the id of a place into OPERATOR, and nothing else. */
function readId(place: i32): Status {
  return <Status>board.read(Region.Data, offset(place) + OPERATOR_OFF_ID, id(), OPERATOR_ID);
}

/** Role and id of the place in OPERATOR. */
export function role(): u32 {
  return load<u8>(reveal(OPERATOR), OPERATOR_OFF_ROLE);
}
export function id(): usize {
  return OPERATOR + OPERATOR_OFF_ID;
}
export function idLength(): i32 {
  let length = OPERATOR_ID;
  while (length > 0 && load<u8>(reveal(id()) + length - 1) == 0) length--;
  return length;
}

/** The next place from `from` on that is in use under this id, or -1. */
function find(wanted: usize, from: i32): i32 {
  let found = -1;
  for (let place = OPERATOR_PLACES - 1; place >= from; place--) if (isOf(place, wanted)) found = place;
  return found;
}

/** Whether a place is in use under this id. Reads the id alone. */
function isOf(place: i32, wanted: usize): bool {
  if (!state.isOperator(CURRENT, place)) return false;
  const status = board.read(Region.Data, offset(place) + OPERATOR_OFF_ID, PAGE, OPERATOR_ID);
  return equal(PAGE, wanted, OPERATOR_ID) && status == Status.Ok;
}

/** The place with the used key under this id, or -1; with `pending` the one whose key waits. Looks at every place, whatever it finds, and
 *  takes one that verifies before one that does not: a damaged id may read as another operator's. */
function findKey(wanted: usize, pending: bool): i32 {
  let found = -1;
  let damaged = -1;
  for (let place = 0; place < OPERATOR_PLACES; place++) {
    const waits = state.isPending(CURRENT, place) == pending;
    const isGenuine = read(place) == Status.Ok; // asked of every place: the time tells nothing
    if (!isOf(place, wanted) || !waits) continue;
    if (isGenuine) found = place;
    else damaged = place;
  }
  forget();
  return found >= 0 ? found : damaged;
}

/** Number of operators: ids, not places. */
function ids(): i32 {
  let n = 0;
  for (let place = 0; place < OPERATOR_PLACES; place++) {
    if (!state.isOperator(CURRENT, place)) continue;
    if (readId(place) == Status.Ok && find(id(), 0) == place) n++;
  }
  return n;
}

/** Whether a record leaves an admin whose key was used. */
export function hasAdmin(record: usize): bool {
  let found = false;
  for (let place = 0; place < OPERATOR_PLACES && !found; place++) {
    if (!state.isOperator(record, place) || state.isPending(record, place)) continue;
    found = read(place) == Status.Ok && role() == Role.Admin;
  }
  forget();
  return found;
}

/** Whether 10 bytes are an id: 1 … 10 of a-z 0-9 . _ - and zeros behind them. */
export function isId(at: usize): bool {
  let ended = false;
  for (let i = 0; i < OPERATOR_ID; i++) {
    const c: u32 = load<u8>(at + i);
    if (c == 0) ended = true;
    else if (ended || !(c - 0x61 < 26 || c - 0x30 < 10 || c == 0x2d || c == 0x2e || c == 0x5f)) return false;
  }
  return load<u8>(at) != 0;
}

function erase(place: i32): Status {
  return <Status>board.erase(Region.Data, offset(place));
}

/** Writes the sealed place in OPERATOR to the medium, which was not in use. Ok | MediumFailed. */
function program(place: i32): Status {
  if (erase(place) != Status.Ok) return Status.MediumFailed;
  if (board.program(Region.Data, offset(place), expectPublic(OPERATOR), OPERATOR_PLACE) != Status.Ok)
    return Status.MediumFailed;
  if (board.read(Region.Data, offset(place), PAGE, OPERATOR_PLACE) != Status.Ok) return Status.MediumFailed;
  return equal(PAGE, OPERATOR, OPERATOR_PLACE) ? Status.Ok : Status.MediumFailed;
}

/** Seals the place in OPERATOR for `place` under the sequence of the change in hand. */
function seal(place: i32): void {
  store<u32>(OPERATOR, state.sequence(NEXT), OPERATOR_OFF_SEQUENCE);
  store<u8>(OPERATOR, place, OPERATOR_OFF_PLACE);
  computeTag();
  publish(OPERATOR + OPERATOR_OFF_TAG, TAG, 16);
  cross();
  publish(OPERATOR + OPERATOR_OFF_KEY, OPERATOR + OPERATOR_OFF_KEY, PSK_SIZE);
  wipe(TAG, 32);
}

function freePlace(from: i32): i32 {
  for (let place = from; place < OPERATOR_PLACES; place++) {
    if (!state.isOperator(CURRENT, place) && !state.isOperator(NEXT, place)) return place;
  }
  return -1;
}

/** Whether fewer places than this are free. */
function lacks(needed: i32): bool {
  for (let place = 0; place < OPERATOR_PLACES; place++) if (!state.isOperator(CURRENT, place)) needed--;
  return needed > 0;
}

/** Writes what stands in OPERATOR, its key open, to a free place for the change in hand. Ok | MediumFailed. Leaves nothing there. */
@durable("data")
function settle(pending: bool): Status {
  let place = freePlace(0);
  let status = Status.MediumFailed;
  for (let attempt = 0; attempt < ATTEMPTS && place >= 0; attempt++) {
    seal(place);
    status = program(place);
    if (status == Status.Ok) {
      refusals.clear(place);
      state.setOperator(NEXT, place, true, pending);
      break;
    }
    cross(); // open again, for the next place
    place = freePlace(place + 1);
  }
  forget();
  return status;
}

/** The used or the pending key under an id to `out`, where random bytes stand, which stay when there is none. Returns its place, or -1.
 *  Takes the same time either way. */
export function candidate(who: usize, pending: bool, out: usize): i32 {
  const place = findKey(who, pending);
  let decoy = 0; // some place in use: there always is one in a store that has operators
  while (decoy < OPERATOR_PLACES - 1 && !state.isOperator(CURRENT, decoy)) decoy++;
  const genuine = read(place >= 0 ? place : decoy) == Status.Ok && place >= 0;
  const mask: u64 = 0 - <u64>genuine;
  for (let i = 0; i < PSK_SIZE; i += 8) {
    const random = load<u64>(out + i);
    store<u64>(out + i, random ^ ((random ^ load<u64>(OPERATOR + i, OPERATOR_OFF_KEY)) & mask));
  }
  forget();
  return genuine ? place : -1;
}

/** Writes an operator to a free place; `old`, if there is one, gives way to it in the same record.
 *  Ok | OperatorsFull | MediumFailed | ReadOnly. */
function write(who: usize, itsRole: u32, secret: usize, pending: bool, old: i32): Status {
  if (lacks(1)) return Status.OperatorsFull;
  let status = journal.begin(Operation.Operator, 0, 0);
  if (status != Status.Ok) return status;
  store<u8>(OPERATOR, itsRole, OPERATOR_OFF_ROLE);
  memory.copy(id(), who, OPERATOR_ID);
  memory.copy(OPERATOR + OPERATOR_OFF_KEY, secret, PSK_SIZE);
  status = settle(pending);
  if (status != Status.Ok) return abandon(status);
  if (old >= 0) state.setOperator(NEXT, old, false, false);
  return commit(old, -1);
}

function abandon(status: Status): Status {
  return journal.abandon() == Status.Ok ? status : Status.MediumFailed;
}

/** Commits, and erases the places that count no more (-1: none). Ok | MediumFailed. */
@durable("data")
function commit(first: i32, second: i32): Status {
  const status = journal.commit();
  if (status != Status.Ok) return status;
  // what is left of a key that opens nothing any more; a failure changes nothing
  if (first >= 0) erase(first);
  if (second >= 0) erase(second);
  return status;
}

/** Whether the place holds this key; leaves it in OPERATOR. */
function holds(place: i32, secret: usize): bool {
  return read(place) == Status.Ok && equal(OPERATOR + OPERATOR_OFF_KEY, secret, PSK_SIZE);
}

/** Adds an operator, its key pending. Ok | OperatorExists | OperatorsFull | MediumFailed | ReadOnly. */
export function add(who: usize, itsRole: u32, secret: usize): Status {
  const first = find(who, 0);
  if (first >= 0) {
    const second = find(who, first + 1);
    const same = (holds(first, secret) || (second >= 0 && holds(second, secret))) && role() == itsRole;
    forget();
    return same ? Status.Ok : Status.OperatorExists;
  }
  const full = ids() >= OPERATORS_MAX;
  forget();
  return full ? Status.OperatorsFull : write(who, itsRole, secret, true, -1);
}

/** Gives an operator a new key, pending beside the old one; with the old one itself none is pending any more.
 *  Ok | NoSuchOperator | OperatorsFull | MediumFailed | ReadOnly. */
export function rotate(who: usize, secret: usize): Status {
  const first = find(who, 0);
  if (first < 0) return Status.NoSuchOperator;
  const waiting = findKey(who, true);
  const used = findKey(who, false);
  const status = read(first);
  const itsRole = role();
  const isWaiting = waiting >= 0 && holds(waiting, secret);
  const isUsed = used >= 0 && holds(used, secret);
  forget();
  if (isWaiting || (isUsed && waiting < 0)) return Status.Ok;
  if (isUsed) return drop(waiting, -1);
  return status == Status.Ok ? write(who, itsRole, secret, true, waiting) : status;
}

/** Takes one place, or two, out of use. Ok | MediumFailed | ReadOnly. */
function drop(first: i32, second: i32): Status {
  const status = journal.begin(Operation.Operator, 0, 0);
  if (status != Status.Ok) return status;
  state.setOperator(NEXT, first, false, false);
  if (second >= 0) state.setOperator(NEXT, second, false, false);
  return commit(first, second);
}

/** Gives an operator another role, keys as they are; a pending key changes with the used one, in one record.
 *  Ok | NoSuchOperator | LastAdmin | OperatorsFull | MediumFailed | ReadOnly. */
export function setRole(who: usize, itsRole: u32): Status {
  const first = find(who, 0);
  if (first < 0) return Status.NoSuchOperator;
  const second = find(who, first + 1);
  let status = read(first);
  const before = role();
  forget();
  if (status != Status.Ok || before == itsRole) return status;
  if (itsRole != Role.Admin && isLastAdmin(first, second)) return Status.LastAdmin;
  if (lacks(second >= 0 ? 2 : 1)) return Status.OperatorsFull;
  status = journal.begin(Operation.Operator, 0, 0);
  if (status != Status.Ok) return status;
  status = rewrite(first, itsRole);
  if (status == Status.Ok && second >= 0) status = rewrite(second, itsRole);
  return status == Status.Ok ? commit(first, second) : abandon(status);
}

/** Moves what stands in a place to a free one, with another role, for the change in hand. Ok | Corrupt | MediumFailed. */
function rewrite(place: i32, itsRole: u32): Status {
  let status = read(place);
  if (status == Status.Ok) {
    store<u8>(OPERATOR, itsRole, OPERATOR_OFF_ROLE);
    status = settle(state.isPending(CURRENT, place));
  }
  state.setOperator(NEXT, place, false, false);
  return status;
}

/** Whether the last admin with a used key goes with these places. */
function isLastAdmin(first: i32, second: i32): bool {
  memory.copy(NEXT, CURRENT, JOURNAL_PLACE);
  state.setOperator(NEXT, first, false, false);
  if (second >= 0) state.setOperator(NEXT, second, false, false);
  return hasAdmin(CURRENT) && !hasAdmin(NEXT);
}

/** Removes an operator with all its keys. Ok | NoSuchOperator | LastAdmin | MediumFailed | ReadOnly. */
export function remove(who: usize): Status {
  const first = find(who, 0);
  if (first < 0) return Status.NoSuchOperator;
  const second = find(who, first + 1);
  return isLastAdmin(first, second) ? Status.LastAdmin : drop(first, second);
}

/** Every key that waits becomes its operator's. Ok | MediumFailed | ReadOnly. */
export function activateAll(): Status {
  for (let place = 0; place < OPERATOR_PLACES; place++) {
    if (!state.isOperator(CURRENT, place) || !state.isPending(CURRENT, place)) continue;
    const status = activate(place);
    if (status != Status.Ok) return status;
  }
  return Status.Ok;
}

/** The key in a place was used for the first time: it is the operator's only one from now on. Ok | MediumFailed | ReadOnly. */
export function activate(place: i32): Status {
  let status = readId(place);
  if (status != Status.Ok) return status;
  let old = find(id(), 0);
  if (old == place) old = find(id(), place + 1);
  forget();
  status = journal.begin(Operation.Operator, 0, 0);
  if (status != Status.Ok) return status;
  state.setOperator(NEXT, place, true, false);
  if (old >= 0) state.setOperator(NEXT, old, false, false);
  return commit(old, -1);
}
