/** Refused handshakes: counted, never locked out. SPEC.md §11. The first one after power-up and each power of two of the total are written,
 *  so that whoever holds the cable cannot wear the flash out; the pause lives in RAM and delays, but refuses nothing. */

import * as board from "../board";
import { keyed } from "../crypto/blake3";
import { equal, wipe } from "../crypto/bytes";
import { publish } from "../crypto/declassify";
import { Region } from "../defs/boundary";
import { REFUSALS_OFFSET } from "../defs/medium";
import {
  OPERATOR_PLACES,
  REFUSAL_OFF_COUNTS,
  REFUSAL_OFF_MAC,
  REFUSAL_OFF_SEQUENCE,
  REFUSAL_OFF_TOTAL,
  REFUSAL_PLACE,
  REFUSAL_PLACES,
} from "../defs/operator";
import { PAUSE_FIRST_MS, PAUSE_MAX_MS } from "../defs/session";
import { Status } from "../defs/status";
import { PAGE, REFUSALS, TAG } from "../memory";
import { KeyName, key } from "../store/vault";

const FREE: i32 = 3; // refusals in a row without a pause

let written: bool = false; // since power-up
let row: i32 = 0; // refusals since the last success
let until: i64 = 0; // clock at which the pause is over

/** Forgets row and pause. Called at start. */
export function reset(): void {
  wipe(REFUSALS, REFUSAL_PLACE);
  written = false;
  row = 0;
  until = 0;
}

function authenticate(at: usize): void {
  keyed(TAG, key(KeyName.Refusals), at, REFUSAL_OFF_MAC);
}

/** Finds the place that counts. The vault must be open. */
export function mount(): void {
  wipe(REFUSALS, REFUSAL_PLACE);
  for (let place = 0; place < REFUSAL_PLACES; place++) {
    if (board.read(Region.Data, REFUSALS_OFFSET + place * REFUSAL_PLACE, PAGE, REFUSAL_PLACE) != Status.Ok) continue;
    authenticate(PAGE);
    if (!equal(TAG, PAGE + REFUSAL_OFF_MAC, 16)) continue;
    if (load<u32>(PAGE, REFUSAL_OFF_SEQUENCE) >= load<u32>(REFUSALS, REFUSAL_OFF_SEQUENCE))
      memory.copy(REFUSALS, PAGE, REFUSAL_PLACE);
  }
}

export function total(): u32 {
  return load<u32>(REFUSALS, REFUSAL_OFF_TOTAL);
}
/** Refused handshakes that named the operator in a place. */
export function naming(place: i32): u32 {
  return load<u16>(REFUSALS + place * 2, REFUSAL_OFF_COUNTS);
}
/** Another operator came into a place. The vault must be open. */
export function clear(place: i32): void {
  if (naming(place) == 0) return;
  store<u16>(REFUSALS + place * 2, 0, REFUSAL_OFF_COUNTS);
  write();
}

/** Milliseconds until the next handshake is looked at. */
export function pause(): i32 {
  return <i32>(max<i64>(0, until - board.clock()) / 1000);
}

/** A handshake succeeded. */
export function end(): void {
  row = 0;
  until = 0;
}

/** A handshake was refused; `place`: that of the operator it named, -1 = none. True when that must be written: write(). */
export function count(place: i32): bool {
  const sum = total();
  if (sum < u32.MAX_VALUE) store<u32>(REFUSALS, sum + 1, REFUSAL_OFF_TOTAL);
  if (place >= 0 && place < OPERATOR_PLACES && naming(place) < 0xffff)
    store<u16>(REFUSALS + place * 2, naming(place) + 1, REFUSAL_OFF_COUNTS);
  row = min(row + 1, 30);
  if (row > FREE) {
    const pause = min(PAUSE_FIRST_MS << min(row - FREE - 1, 10), PAUSE_MAX_MS);
    until = board.clock() + <i64>pause * 1000;
  }
  const due = !written || (sum < u32.MAX_VALUE && (sum & (sum + 1)) == 0);
  written = true;
  return due;
}

/** Makes the counts durable. A failure loses no more than counts. The vault must be open. */
@durable("data")
export function write(): void {
  const sequence = load<u32>(REFUSALS, REFUSAL_OFF_SEQUENCE) + 1;
  store<u32>(REFUSALS, sequence, REFUSAL_OFF_SEQUENCE);
  authenticate(REFUSALS);
  publish(REFUSALS + REFUSAL_OFF_MAC, TAG, 16);
  const offset = REFUSALS_OFFSET + (sequence % REFUSAL_PLACES) * REFUSAL_PLACE;
  if (board.erase(Region.Data, offset) == Status.Ok) board.program(Region.Data, offset, REFUSALS, REFUSAL_PLACE);
}
