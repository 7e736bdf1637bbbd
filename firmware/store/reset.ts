/** Factory reset: everything that the data flash holds is erased, the root first. What was sealed in the slots stays there, and nothing opens
 *  it any more. Goes on after a cut: first the journal says so, then, when there is no root to read it with, an announcement in its last
 *  place. DESIGN.md §3.4. */
import * as board from "../board";
import { Region } from "../defs/boundary";
import { BODY_RESETTING, Operation } from "../defs/journal";
import { CUSTODY_SIZE, DATA_BLOCK, DATA_SIZE } from "../defs/medium";
import { Status } from "../defs/status";
import { CURRENT, NEXT } from "../memory";
import * as journal from "./journal";
import * as state from "./state";
import * as vault from "./vault";

/** Whether an announced reset has not ended. Needs no root. */
export function isAnnounced(): bool {
  return journal.isAnnounced(journal.RESETTING);
}

/** Whether the mounted state says that a reset was ordered. */
export function isOrdered(): bool {
  return state.hasFlag(CURRENT, BODY_RESETTING);
}

/** Makes the order durable in a mounted store: from here on every mount goes on with it. Ok | MediumFailed | ReadOnly. */
export function order(): Status {
  // twice at the end of the ring: the last place will be erased first, and must not hold the newest record then
  do {
    let status = journal.begin(Operation.Reset, 0, 0);
    if (status != Status.Ok) return status;
    state.setFlag(NEXT, BODY_RESETTING);
    status = journal.commit();
    if (status != Status.Ok) return status;
  } while (journal.isInLast());
  return Status.Ok;
}

/** Prepares a reset where nothing can be ordered: the newest record must not go before the root does. Ok | MediumFailed. */
export function force(): Status {
  return journal.isInLast() ? vault.clear() : Status.Ok;
}

/** Erases everything, whatever is there. Ok (the store is blank) | MediumFailed (it goes on at the next mount). */
export function carryOut(): Status {
  // the first copy of custody goes after the announcement is complete: when it is gone, a readable announcement is a certain one, and must not
  // be erased any more; as long as it is there, the journal's flag stands for the announcement
  const begun = vault.open() != Status.Ok || !vault.isFirst();
  vault.close();
  let status: Status = Status.Ok;
  if (!begun || !isAnnounced()) status = journal.announce(journal.RESETTING);
  if (status == Status.Ok) status = vault.clear();
  for (let at = CUSTODY_SIZE; at < DATA_SIZE && status == Status.Ok; at += DATA_BLOCK) {
    if (journal.isLastAt(at)) continue;
    const erased = <Status>board.erase(Region.Data, at);
    if (journal.isAt(at)) status = erased; // what fails elsewhere holds nothing that opens without the root
  }
  return status == Status.Ok ? journal.eraseLast() : status;
}
