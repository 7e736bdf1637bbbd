/** Factory reset: everything that the data flash holds is erased, the root first. What was sealed in the slots stays there, and nothing opens
 *  it any more. Goes on after a cut: first the journal says so, then, when there is no root to read it with, an announcement in one of three
 *  places of its own. DESIGN.md §3.4. */
import * as board from "../board";
import { Region } from "../defs/boundary";
import { BODY_RESETTING, INTENT_SIZE, Operation, RESET_ANNOUNCEMENT } from "../defs/journal";
import { CUSTODY_SIZE, DATA_BLOCK, RESET_OFFSET, RESET_SIZE } from "../defs/medium";
import { Status } from "../defs/status";
import { CURRENT, NEXT, PLACE } from "../memory";
import * as journal from "./journal";
import * as state from "./state";
import * as vault from "./vault";

const PLACES: i32 = RESET_SIZE / DATA_BLOCK;
const RESETTING: u64 = ((<u64>~RESET_ANNOUNCEMENT) << 32) | RESET_ANNOUNCEMENT;

function offset(place: i32): i32 {
  return RESET_OFFSET + place * DATA_BLOCK;
}

function announces(place: i32): bool {
  if (board.read(Region.Data, offset(place), PLACE, INTENT_SIZE) != Status.Ok) return false;
  return load<u64>(PLACE) == RESETTING && load<u64>(PLACE, 8) == RESETTING;
}

function erase(place: i32): Status {
  return <Status>board.erase(Region.Data, offset(place));
}

function announce(place: i32): Status {
  if (erase(place) != Status.Ok) return Status.MediumFailed;
  store<u64>(PLACE, RESETTING);
  store<u64>(PLACE, RESETTING, 8);
  if (board.program(Region.Data, offset(place), PLACE, INTENT_SIZE) != Status.Ok) return Status.MediumFailed;
  return announces(place) ? Status.Ok : Status.MediumFailed;
}

/** The first place that announces nothing, PLACES when all do. */
function unused(): i32 {
  let place = 0;
  while (place < PLACES && announces(place)) place++;
  return place;
}

/** Whether an announced reset has not ended. Needs no root. */
export function isAnnounced(): bool {
  for (let place = 0; place < PLACES; place++) if (announces(place)) return true;
  return false;
}

/** Whether the mounted state says that a reset was ordered. */
export function isOrdered(): bool {
  return state.hasFlag(CURRENT, BODY_RESETTING);
}

/** Erases all announcements but one (-1: all): one whose erase was cut may read well later. Ok | MediumFailed. */
@durable("data")
export function forget(but: i32): Status {
  let status: Status = Status.Ok;
  for (let place = 0; place < PLACES && status == Status.Ok; place++) if (place != but) status = erase(place);
  return status;
}

/** Makes the order durable in a mounted store: from here on every mount goes on with it. Ok | MediumFailed | ReadOnly. */
export function order(): Status {
  const status = journal.begin(Operation.Reset, 0, 0);
  if (status != Status.Ok) return status;
  state.setFlag(NEXT, BODY_RESETTING);
  return journal.commit();
}

/** Erases everything, whatever is there. Ok (the store is blank) | MediumFailed (it goes on at the next mount). */
@durable("data")
export function carryOut(): Status {
  // what announces it may be a place that is being written or erased, and reads well today: another one is made certain before anything is
  // erased again
  const place = unused();
  let status: Status = place < PLACES ? announce(place) : Status.Ok;
  vault.leaveSecond(false);
  if (status == Status.Ok) status = vault.clear();
  for (let at = CUSTODY_SIZE; at < RESET_OFFSET && status == Status.Ok; at += DATA_BLOCK) {
    const erased = <Status>board.erase(Region.Data, at);
    if (journal.isAt(at)) status = erased; // what fails elsewhere holds nothing that opens without the root
  }
  if (status == Status.Ok) status = forget(place);
  return status == Status.Ok && place < PLACES ? erase(place) : status;
}
