/** Space: which slot a record goes to, and how erased slots are won back. DESIGN.md §4.
 *  One block of each class always stays without live slots (the spare): whatever has none is one. */
import * as board from "../board";
import { Region } from "../defs/boundary";
import { INTENT_BLOCK, INTENT_ERASES, Operation } from "../defs/journal";
import { SLOT_BLOCK } from "../defs/medium";
import { Status } from "../defs/status";
import { CURRENT, NEXT } from "../memory";
import { Trap, trap } from "../trap";
import * as digest from "./digest";
import * as geometry from "./geometry";
import * as index from "./index";
import * as journal from "./journal";
import * as slots from "./slot";
import * as state from "./state";

/** Erase counts of two blocks of a class may differ by this much before the coldest block is moved. */
export const WEAR_SPREAD: i32 = 256;
const BEGUN: i32 = 0x10000; // more than a block can have of erases

function emptyBlocks(c: i32): i32 {
  let empty = 0;
  for (let b = 0; b < geometry.blocks(c); b++)
    empty += state.liveInBlock(CURRENT, geometry.firstBlock(c) + b) == 0 ? 1 : 0;
  return empty;
}

/** The block that was erased least (sign 1) or most (-1), of those with live slots or of those without; -1 when there is none. */
function byWear(c: i32, used: bool, sign: i32): i32 {
  let best = -1;
  for (let b = 0; b < geometry.blocks(c); b++) {
    const block = geometry.firstBlock(c) + b;
    if (state.liveInBlock(CURRENT, block) > 0 != used) continue;
    if (best < 0 || (state.erases(CURRENT, block) - state.erases(CURRENT, best)) * sign < 0) best = block;
  }
  return best;
}

/** The block without live slots that was erased least. */
function leastWornEmpty(c: i32): i32 {
  const block = byWear(c, false, 1);
  if (block < 0) trap(Trap.NoSpare);
  return block;
}

/** The coldest block, the one with live slots that was erased least, when a block without is too far ahead of it; else -1. */
function tooCold(c: i32, empty: i32): i32 {
  const cold = byWear(c, true, 1);
  return cold >= 0 && state.erases(CURRENT, empty) - state.erases(CURRENT, cold) > WEAR_SPREAD ? cold : -1;
}

/** The block with live slots whose erase wins most; the less worn of two. -1 when none wins anything. */
function richest(c: i32): i32 {
  let best = -1;
  let most = 0;
  for (let b = 0; b < geometry.blocks(c); b++) {
    const block = geometry.firstBlock(c) + b;
    if (state.liveInBlock(CURRENT, block) == 0) continue;
    const dead = state.deadInBlock(CURRENT, block);
    if (dead == 0 || dead < most) continue;
    if (dead == most && state.erases(CURRENT, block) >= state.erases(CURRENT, best)) continue;
    best = block;
    most = dead;
  }
  return best;
}

/** The block to write to next without losing the spare, or -1: one in use with a free slot, else an empty one that has, unless another empty one
 *  was erased so much less that it comes first. Of empty ones the one that was begun, or its free slots would be erased unused, then the least worn. */
function blockToFill(c: i32): i32 {
  let empty = 0;
  let best = -1;
  let bestRank = 0;
  const least = byWear(c, false, 1);
  const most = least < 0 ? 0 : state.erases(CURRENT, least) + WEAR_SPREAD; // above it another comes first, begun or not
  for (let b = 0; b < geometry.blocks(c); b++) {
    const block = geometry.firstBlock(c) + b;
    const used = state.liveInBlock(CURRENT, block) > 0;
    const erases = state.erases(CURRENT, block);
    if (!used) empty++;
    if (state.freeInBlock(CURRENT, block) == 0) continue;
    if (used) return block;
    if (erases > most) continue;
    const rank = state.deadInBlock(CURRENT, block) > 0 ? erases - BEGUN : erases;
    if (best >= 0 && rank >= bestRank) continue;
    best = block;
    bestRank = rank;
  }
  return empty > 1 ? best : -1;
}

/** A slot that may be written without losing the spare, or -1. */
function findFree(c: i32): i32 {
  const block = blockToFill(c);
  if (block < 0) return -1;
  let slot = geometry.slotOfBlock(block);
  while (!state.isFree(CURRENT, slot)) slot++;
  return slot;
}

/** Erases a block without live slots. Ok | ReadOnly | MediumFailed. */
@durable("slots")
export function scrub(block: i32): Status {
  const status = journal.begin(Operation.Scrub, block, INTENT_BLOCK | INTENT_ERASES);
  if (status != Status.Ok) return status;
  if (board.erase(Region.Slots, block * SLOT_BLOCK) != Status.Ok) {
    journal.abandon();
    return Status.MediumFailed;
  }
  state.clean(NEXT, block);
  state.countErase(NEXT, block);
  return journal.commit();
}

/** The block of a class that its next change without a free slot would erase, or -1. None as long as an empty one has slots to be written: those
 *  would be erased unused, and one block in advance is enough. */
function nextToErase(c: i32): i32 {
  for (let b = 0; b < geometry.blocks(c); b++) {
    const block = geometry.firstBlock(c) + b;
    if (state.liveInBlock(CURRENT, block) == 0 && state.freeInBlock(CURRENT, block) > 0) return -1;
  }
  return leastWornEmpty(c);
}

/** Erases one block that a change to come would erase. False when there is none, or the medium failed. */
export function eraseAhead(): bool {
  for (let c = 0; c < geometry.classes(); c++) {
    const block = nextToErase(c);
    if (block < 0) continue;
    if (scrub(block) == Status.Ok) return true;
    // mounting would use the bytes of the last answer: the state is made certain by one more record instead
    if (journal.begin(Operation.Scrub, block, INTENT_BLOCK | INTENT_ERASES) == Status.Ok) journal.abandon();
    return false;
  }
  return false;
}

/** Copies the live slots of `victim` to the empty block `spare`; then `victim` is empty. Ok | Degraded | ReadOnly | MediumFailed. */
function reclaim(victim: i32, spare: i32): Status {
  if (!digest.stands(victim)) return Status.Degraded;
  const erase = state.deadInBlock(CURRENT, spare) > 0;
  const status = journal.begin(Operation.Reclaim, spare, erase ? INTENT_BLOCK | INTENT_ERASES : INTENT_BLOCK);
  if (status != Status.Ok) return status;
  if (!moveSlots(victim, spare, erase)) {
    journal.abandon();
    return Status.MediumFailed;
  }
  digest.update(victim);
  digest.update(spare);
  digest.seal();
  return journal.commit();
}

@durable("slots")
function moveSlots(victim: i32, spare: i32, erase: bool): bool {
  if (erase) {
    if (board.erase(Region.Slots, spare * SLOT_BLOCK) != Status.Ok) return false;
    state.clean(NEXT, spare);
    state.countErase(NEXT, spare);
  }
  let to = geometry.slotOfBlock(spare);
  const from = geometry.slotOfBlock(victim);
  const n = geometry.perBlock(geometry.classOfBlock(victim));
  for (let slot = from; slot < from + n; slot++) {
    if (!state.isLive(CURRENT, slot)) continue;
    if (slots.copy(slot, to) != Status.Ok) return false;
    index.move(slot, to); // if this change fails, the index is filled anew
    state.bear(NEXT, to);
    state.bury(NEXT, slot);
    to++;
  }
  return true;
}

/** Empties a block and erases it. Ok | Degraded | ReadOnly | MediumFailed. */
export function destroy(block: i32): Status {
  if (state.liveInBlock(CURRENT, block) > 0) {
    const status = reclaim(block, leastWornEmpty(geometry.classOfBlock(block)));
    if (status != Status.Ok) return status;
  }
  return scrub(block);
}

/** After blocks of a class were emptied and erased: moves the coldest block's records into the most worn empty one when they are too far
 *  apart, or the same few blocks would bear every destroy. Ok | Degraded | ReadOnly | MediumFailed. */
export function level(c: i32): Status {
  const worn = byWear(c, false, -1);
  const cold = tooCold(c, worn);
  return cold < 0 ? Status.Ok : reclaim(cold, worn);
}

/** Makes an erased slot: scrubs an empty block, or reclaims the richest one. Ok | ClassFull | Degraded | ReadOnly | MediumFailed. */
function makeRoom(c: i32): Status {
  let spare = leastWornEmpty(c);
  const cold = tooCold(c, spare);
  if (cold >= 0) {
    const status = reclaim(cold, spare);
    if (status != Status.Ok || findFree(c) >= 0) return status;
    spare = cold;
  }
  if (emptyBlocks(c) > 1) return scrub(spare);
  const victim = richest(c);
  return victim < 0 ? Status.ClassFull : reclaim(victim, spare);
}

/** Whether a class has a slot that may be written at once. */
export function isReady(c: i32): bool {
  return findFree(c) >= 0;
}

let found: i32 = -1;

/** The slot that provide() chose. */
export function chosen(): i32 {
  return found;
}

/** Chooses a free slot of a class, winning one back if need be. Ok (see chosen()) | ClassFull | Degraded | ReadOnly | MediumFailed. */
export function provide(c: i32): Status {
  found = findFree(c);
  if (found >= 0) return Status.Ok;
  const status = makeRoom(c);
  if (status != Status.Ok) return status;
  found = findFree(c);
  return found >= 0 ? Status.Ok : Status.ClassFull;
}
