/** S1 and S2 held from power-up on: a factory reset without an operator. SPEC.md §12. */
import * as board from "../board";
import { LIGHT_FAULT, LIGHT_TOUCH, SWITCH_S1, SWITCH_S2 } from "../defs/boundary";
import { RESET_HOLD_MS } from "../defs/session";
import * as panel from "./panel";

const BOTH: i32 = SWITCH_S1 | SWITCH_S2;

let since: i64 = -1; // clock at power-up while both are held, -1 = not

/** Called at start. */
export function start(): void {
  since = panel.show(0) == BOTH ? board.clock() : -1;
}

/** To be called often. True once, when they were held long enough. */
export function isOver(): bool {
  if (since < 0) return false;
  if (panel.show(LIGHT_TOUCH | LIGHT_FAULT) != BOTH) {
    since = -1;
    panel.show(0);
    return false;
  }
  if (board.clock() - since < <i64>RESET_HOLD_MS * 1000) return false;
  since = -1;
  return true;
}
