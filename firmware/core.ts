/** The core's three exports. SPEC.md §1. Nothing else may be called from outside; everything else is reached through the link. */
import * as board from "./board";
import * as info from "./command/info";
import { LIGHT_FAULT, LIGHT_READY, RX_SIZE, START_RESCUE } from "./defs/boundary";
import { State } from "./defs/wire";
import * as link from "./link/link";
import { MEMORY_USED, RX, STATIC_BASE } from "./memory";
import * as entropy from "./store/entropy";
import * as store from "./store/store";

/** Wipes memory and mounts the store; in START_RESCUE it mounts nothing. `trapCode`: the trap before this start, 0 = none. Returns 0. */
export function start(mode: i32, trapCode: i32): i32 {
  assert(MEMORY_USED <= STATIC_BASE);
  memory.fill(RX, 0, STATIC_BASE - RX);
  entropy.reset();
  link.reset(<i32>board.clock());
  info.setTrapCode(trapCode);
  if (mode == START_RESCUE) store.rescue();
  else store.mount();
  const life = store.lifeState();
  board.presence(life == State.Ready || life == State.Provisioning || life == State.Blank ? LIGHT_READY : LIGHT_FAULT);
  return 0;
}

/** Takes n received bytes from RX; returns how many bytes stand in TX to be sent, 0 = none. */
export function take(n: i32): i32 {
  return link.take(RX, min(max(n, 0), RX_SIZE));
}

/** To be called when those were sent; returns how many more stand in TX, 0 = none. */
export function give(): i32 {
  return link.give();
}
