/** The core's three exports. SPEC.md §1. Nothing else may be called from outside; everything else is reached through the link. */
import * as board from "./board";
import * as pointers from "./claim/pointers";
import * as rate from "./claim/rate";
import * as info from "./command/info";
import { RX_SIZE, START_RESCUE } from "./defs/boundary";
import { Status } from "./defs/status";
import * as idle from "./idle";
import * as image from "./image/image";
import * as standing from "./image/standing";
import * as link from "./link/link";
import { MEMORY_USED, RX, STATIC_BASE } from "./memory";
import * as refusals from "./operator/refusals";
import * as hold from "./presence/hold";
import * as noise from "./session/noise";
import * as session from "./session/session";
import * as entropy from "./store/entropy";
import * as store from "./store/store";
import * as vault from "./store/vault";

/** Wipes memory and mounts the store; in START_RESCUE it mounts nothing. `trapCode`: the trap before this start, 0 = none. Returns 0. */
export function start(mode: i32, trapCode: i32): i32 {
  assert(MEMORY_USED <= STATIC_BASE);
  memory.fill(RX, 0, STATIC_BASE - RX);
  entropy.reset();
  link.reset(<i32>board.clock());
  session.reset();
  idle.interrupt();
  refusals.reset();
  pointers.reset();
  rate.reset();
  info.setTrapCode(trapCode);
  if (mode == START_RESCUE) store.rescue();
  else store.mount();
  if (vault.open() == Status.Ok) refusals.mount();
  vault.close();
  if (mode != START_RESCUE) image.look(trapCode);
  hold.start();
  return 0;
}

/** Takes n received bytes from RX; n = 0 lets what waits go on. Returns how many bytes stand in TX to be sent, 0 = none. */
export function take(n: i32): i32 {
  if (hold.isOver()) {
    store.erase();
    image.look(0);
    refusals.reset();
    pointers.reset();
    noise.forget();
  }
  if (standing.isBusy()) {
    image.step();
    return 0;
  }
  if (n == 0) session.expire();
  const sent = link.take(RX, min(max(n, 0), RX_SIZE));
  if (n > 0) idle.interrupt();
  else if (sent == 0) idle.turn();
  return sent;
}

/** To be called when those were sent; returns how many more stand in TX, 0 = none. */
export function give(): i32 {
  idle.interrupt();
  return link.give();
}
