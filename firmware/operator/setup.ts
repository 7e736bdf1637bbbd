/** The setup code: what opens a session before there are operators, or when nothing can tell who they are. SPEC.md §11. */
import * as board from "../board";
import { isZero, wipe } from "../crypto/bytes";
import { FACTS_OFF_SETUP, Region } from "../defs/boundary";
import { PSK_SIZE } from "../defs/session";
import { Status } from "../defs/status";
import { State } from "../defs/wire";
import { OPERATOR } from "../memory";
import * as store from "../store/store";

/** Whether the state lets the setup code open a session. */
export function isAccepted(): bool {
  const life = store.lifeState();
  return (
    life == State.Blank ||
    life == State.Provisioning ||
    life == State.CustodyDamaged ||
    life == State.WrongVersion ||
    life == State.OtherBoard
  );
}

/** Reads the setup code, 32 bytes, to `out`. Ok | Unreadable. */
export function read(out: usize): Status {
  return <Status>board.read(Region.Facts, FACTS_OFF_SETUP, out, PSK_SIZE);
}

/** Whether there is one: zeros are none. */
export function isSet(): bool {
  const set = read(OPERATOR) == Status.Ok && !isZero(OPERATOR, PSK_SIZE);
  wipe(OPERATOR, PSK_SIZE);
  return set;
}
