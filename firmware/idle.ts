/** What the device does while nobody asks, in turns of which each does one piece, so that a request waits for one at most. DESIGN.md §4, §14.
 *  A power-up in which nothing was changed writes nothing. */
import * as board from "./board";
import { QUIET_MS } from "./defs/session";
import { Status } from "./defs/status";
import * as noise from "./session/noise";
import * as session from "./session/session";
import * as journal from "./store/journal";
import * as store from "./store/store";

let since: i64 = -1; // clock at the first turn in which nothing came or went, -1 = there was none yet

/** Something came or went. */
export function interrupt(): void {
  since = -1;
}

/** Nothing came or went in this turn: does a piece when that has been so for QUIET_MS. */
export function turn(): void {
  if (!journal.isChanged() && noise.isPrepared()) return;
  const now = board.clock();
  if (since < 0) since = now;
  if (now - since < <i64>QUIET_MS * 1000 || session.isWaiting()) return;
  if (journal.isChanged()) store.tend();
  else if (noise.prepare() != Status.Ok) interrupt(); // not again at once
}
