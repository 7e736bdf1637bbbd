/** A touch: S1 released, then pressed, both after it was asked for. S2 says no. SPEC.md §12. poll() never waits. */
import * as board from "../board";
import { LIGHT_TOUCH, SWITCH_S1, SWITCH_S2 } from "../defs/boundary";
import { TOUCH_STABLE_MS, TOUCH_WAIT_MS } from "../defs/session";
import { Status } from "../defs/status";
import * as panel from "./panel";

/** Neither given nor refused yet; no Status. */
export const WAITING: i32 = 1;

let began: i64 = 0;
let since: i64 = 0; // the switches have stood as they do
let seen: i32 = 0; // switches at the last look
let released: i32 = 0; // switches that were released since it was asked for

/** Asks for a touch: lights the light. */
export function begin(): void {
  began = board.clock();
  since = began;
  seen = panel.show(LIGHT_TOUCH);
  released = 0;
}

/** What became of it: Ok | WAITING | PresenceDenied | PresenceTimeout | PresenceHeld. The light goes out with the answer. */
export function poll(): i32 {
  const now = board.clock();
  const switches = panel.show(LIGHT_TOUCH);
  if (switches != seen) {
    seen = switches;
    since = now;
  }
  let answer = WAITING;
  if (now - since >= <i64>TOUCH_STABLE_MS * 1000) {
    const pressed = seen & released;
    if ((pressed & SWITCH_S2) != 0) answer = Status.PresenceDenied;
    else if ((pressed & SWITCH_S1) != 0) answer = Status.Ok;
    released |= ~seen;
  }
  if (answer == WAITING && now - began >= <i64>TOUCH_WAIT_MS * 1000)
    answer = (released & SWITCH_S1) != 0 ? Status.PresenceTimeout : Status.PresenceHeld;
  if (answer != WAITING) panel.show(0);
  return answer;
}

/** Milliseconds until the wait is over at the latest. */
export function left(): i32 {
  return max(0, TOUCH_WAIT_MS - <i32>((board.clock() - began) / 1000));
}
