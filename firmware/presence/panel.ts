/** The board's lights and switches. */
import * as board from "../board";
import { LIGHT_FAULT, LIGHT_READY } from "../defs/boundary";
import { State } from "../defs/wire";
import * as store from "../store/store";

/** Shows the state of the store and, besides, `lights`. Returns the switches pressed now, SWITCH_…. */
@presence
export function show(lights: i32): i32 {
  const life = store.lifeState();
  const good = life == State.Ready || life == State.Provisioning || life == State.Blank;
  return board.presence((good ? LIGHT_READY : LIGHT_FAULT) | lights);
}
