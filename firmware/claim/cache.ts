/** The rules of the claim cache, over the one entry in memory: which claim serves a request, how much to reserve, what a reserved
 *  range becomes. SPEC.md §15; seed: the claiming system. Each call checks the whole entry first, because it comes from a file.
 *  Sizes are u64: an iteration may have 2^63 positions, and no sum below exceeds 2^64. */

import {
  CACHE_CLAIMS,
  CACHE_ENTRY,
  CACHE_OFF_END,
  CACHE_OFF_FLOOR,
  CACHE_OFF_OFFLINE,
  CACHE_OFF_OFFLINE_COUNT,
  CACHE_OFF_PERFORMANCE,
  CACHE_OFF_PERFORMANCE_COUNT,
  CACHE_OFF_START,
  CACHE_RESULT,
  CACHE_SIZE,
  CACHED_OFF_END,
  CACHED_OFF_LATEST,
  CACHED_OFF_START,
  CACHED_SIZE,
  CacheAnswer,
  RESULT_OFF_FIRST,
  RESULT_OFF_SECOND,
} from "../defs/claims";

/** A cache holds at most a quarter of an iteration per claim. */
const SHARE: u64 = 4;
const NONE: usize = 0;

/** The two reasons, by where their number of claims stands. */
const PERFORMANCE: usize = CACHE_ENTRY + CACHE_OFF_PERFORMANCE_COUNT;
const OFFLINE: usize = CACHE_ENTRY + CACHE_OFF_OFFLINE_COUNT;

/** Makes the entry of an iteration that nothing was reserved of. @returns Done | BadArgument */
export function open(start: i64, end: i64): CacheAnswer {
  if (start < 0 || end < start) return CacheAnswer.BadArgument;
  memory.fill(CACHE_ENTRY, 0, CACHE_SIZE);
  store<i64>(CACHE_ENTRY, start, CACHE_OFF_START);
  store<i64>(CACHE_ENTRY, end, CACHE_OFF_END);
  setFloor(start - 1);
  return CacheAnswer.Done;
}

/** Whether the entry keeps every invariant: claims inside the iteration and not above the floor, none over another, `latest` in its
 *  claim, by start, and nothing behind them. @returns Done | Damaged */
export function check(): CacheAnswer {
  if (entryStart() < 0 || entryEnd() < entryStart()) return CacheAnswer.Damaged;
  if (floor() < entryStart() - 1 || floor() > entryEnd()) return CacheAnswer.Damaged;
  if (!isSound(PERFORMANCE) || !isSound(OFFLINE) || isCrossed()) return CacheAnswer.Damaged;
  return CacheAnswer.Done;
}

/** What a configured size comes to: at most a quarter of the iteration. @param configured bytes, not negative */
export function effective(configured: i64): i64 {
  return <i64>min(<u64>configured, capacity() / SHARE);
}

/** Serves a request from one performance claim. @param performance the configured size; 0 leaves such claims unused
 *  @returns Done (first and last position) | Miss | Damaged | BadArgument */
export function hit(request: i64, performance: i64): CacheAnswer {
  if (check() != CacheAnswer.Done) return CacheAnswer.Damaged;
  if (request < 1 || performance < 0) return CacheAnswer.BadArgument;
  return effective(performance) == 0 ? CacheAnswer.Miss : take(PERFORMANCE, request);
}

/** Serves a request from one offline claim. @returns as hit() */
export function fallback(request: i64): CacheAnswer {
  if (check() != CacheAnswer.Done) return CacheAnswer.Damaged;
  return request < 1 ? CacheAnswer.BadArgument : take(OFFLINE, request);
}

/** How much to reserve for a request that missed.
 *  @param latest the authority's pointer  @param performance, offline the configured sizes  @param renewed this request renewed already
 *  @returns Done (size of the part for the request, of the part for offline work) | Renew | TooLarge | Exhausted | Damaged | BadArgument */
export function plan(request: i64, latest: i64, performance: i64, offline: i64, renewed: bool): CacheAnswer {
  if (check() != CacheAnswer.Done) return CacheAnswer.Damaged;
  if (request < 1 || performance < 0 || offline < 0) return CacheAnswer.BadArgument;
  if (latest < entryStart() - 1 || latest > entryEnd()) return CacheAnswer.BadArgument;
  if (<u64>request > capacity()) return CacheAnswer.TooLarge;
  const left = <u64>(entryEnd() - latest);
  const most = min(left, <u64>i64.MAX_VALUE); // the whole of 2^63 positions is no size
  const chunk = <u64>effective(performance);
  const target = <u64>effective(offline);
  const main = chunk == 0 ? <u64>request : ((<u64>request + chunk - 1) / chunk) * chunk;
  const tail = total(OFFLINE) < target ? target : 0;
  if (main + tail <= most) return planned(main, tail);
  // an iteration that nothing was given out of is as large as the next one
  if (!renewed && left < capacity()) return CacheAnswer.Renew;
  if (main <= most) return planned(main, 0);
  return <u64>request <= most ? planned(<u64>request, 0) : CacheAnswer.Exhausted;
}

/** Takes in a range that the authority gave, and serves the request out of it: floor, new claims, pruning, positions.
 *  @param main, tail as planned  @param performance the configured size; 0 keeps nothing of the range but the tail
 *  @returns Done (first and last position) | Unsafe | WrongRange | Damaged | BadArgument */
export function accept(first: i64, last: i64, request: i64, main: i64, tail: i64, performance: i64): CacheAnswer {
  if (check() != CacheAnswer.Done) return CacheAnswer.Damaged;
  const keeps = performance >= 0 && effective(performance) > 0;
  if (request < 1 || main < request || tail < 0 || performance < 0) return CacheAnswer.BadArgument;
  if (!keeps && main != request) return CacheAnswer.BadArgument;
  if (first <= floor()) return CacheAnswer.Unsafe;
  if (last < first || last > entryEnd()) return CacheAnswer.WrongRange;
  if (<u64>(last - first) + 1 != <u64>main + <u64>tail) return CacheAnswer.WrongRange;
  setFloor(last);
  if (tail > 0) add(OFFLINE, first + main, last);
  if (!keeps) return give(first, first + (request - 1));
  add(PERFORMANCE, first, first + (main - 1));
  return take(PERFORMANCE, request);
}

/** Raises the floor to where the authority's pointer was moved. No claim is used up. @returns Done | Unsafe | WrongRange | Damaged */
export function forward(position: i64): CacheAnswer {
  if (check() != CacheAnswer.Done) return CacheAnswer.Damaged;
  if (position <= floor()) return CacheAnswer.Unsafe;
  if (position > entryEnd()) return CacheAnswer.WrongRange;
  setFloor(position);
  return CacheAnswer.Done;
}

/** Best fit: the claim with the least left that is enough. Requests are never put together from several. */
function take(reason: usize, request: i64): CacheAnswer {
  let best = NONE;
  for (let i = 0; i < count(reason); i++) {
    const claim = claimAt(reason, i);
    if (remaining(claim) < <u64>request) continue;
    // by start, so that the first one of equals is the lowest
    if (best == NONE || remaining(claim) < remaining(best)) best = claim;
  }
  if (best == NONE) return CacheAnswer.Miss;
  const first = latestOf(best) + 1;
  const last = latestOf(best) + request;
  setLatest(best, last);
  return give(first, last);
}

/** Adds a claim above all others; with one too many, the one with the least left goes, the lowest of equals. */
function add(reason: usize, start: i64, end: i64): void {
  if (count(reason) == CACHE_CLAIMS) {
    let least = claimAt(reason, 0);
    for (let i = 1; i < CACHE_CLAIMS; i++) {
      const claim = claimAt(reason, i);
      if (remaining(claim) < remaining(least)) least = claim;
    }
    if (<u64>(end - start) + 1 < remaining(least)) return; // it is the one too many
    memory.copy(least, least + CACHED_SIZE, claimAt(reason, CACHE_CLAIMS - 1) - least);
    store<u32>(reason, CACHE_CLAIMS - 1); // the last place is the new one's
  }
  const claim = claimAt(reason, count(reason));
  store<i64>(claim, start, CACHED_OFF_START);
  store<i64>(claim, end, CACHED_OFF_END);
  setLatest(claim, start - 1);
  store<u32>(reason, count(reason) + 1);
}

function isSound(reason: usize): bool {
  if (<u32>count(reason) > <u32>CACHE_CLAIMS) return false;
  let above = entryStart();
  for (let i = 0; i < count(reason); i++) {
    const claim = claimAt(reason, i);
    if (startOf(claim) < above || endOf(claim) < startOf(claim) || endOf(claim) > floor()) return false;
    if (latestOf(claim) < startOf(claim) - 1 || latestOf(claim) > endOf(claim)) return false;
    // the last claim may end with the last position there is
    if (endOf(claim) == i64.MAX_VALUE) return i == count(reason) - 1 && isEmpty(reason);
    above = endOf(claim) + 1;
  }
  return isEmpty(reason);
}

/** Whether there is nothing behind the claims of a reason. */
function isEmpty(reason: usize): bool {
  for (let at = claimAt(reason, count(reason)); at < claimAt(reason, CACHE_CLAIMS); at += 8)
    if (load<i64>(at) != 0) return false;
  return true;
}

/** Whether a performance claim and an offline claim have a position in common. */
function isCrossed(): bool {
  for (let i = 0; i < count(PERFORMANCE); i++) {
    const one = claimAt(PERFORMANCE, i);
    for (let j = 0; j < count(OFFLINE); j++) {
      const other = claimAt(OFFLINE, j);
      if (startOf(one) <= endOf(other) && startOf(other) <= endOf(one)) return true;
    }
  }
  return false;
}

/** What all claims of a reason have left. */
function total(reason: usize): u64 {
  let sum: u64 = 0;
  for (let i = 0; i < count(reason); i++) sum += remaining(claimAt(reason, i));
  return sum;
}

function planned(main: u64, tail: u64): CacheAnswer {
  return give(<i64>main, <i64>tail);
}

function give(first: i64, second: i64): CacheAnswer {
  store<i64>(CACHE_RESULT, first, RESULT_OFF_FIRST);
  store<i64>(CACHE_RESULT, second, RESULT_OFF_SECOND);
  return CacheAnswer.Done;
}

function capacity(): u64 {
  return <u64>(entryEnd() - entryStart()) + 1;
}

function entryStart(): i64 {
  return load<i64>(CACHE_ENTRY, CACHE_OFF_START);
}

function entryEnd(): i64 {
  return load<i64>(CACHE_ENTRY, CACHE_OFF_END);
}

function floor(): i64 {
  return load<i64>(CACHE_ENTRY, CACHE_OFF_FLOOR);
}

function setFloor(position: i64): void {
  store<i64>(CACHE_ENTRY, position, CACHE_OFF_FLOOR);
}

function count(reason: usize): i32 {
  return load<i32>(reason);
}

function claimAt(reason: usize, i: i32): usize {
  const first = CACHE_ENTRY + (reason == OFFLINE ? CACHE_OFF_OFFLINE : CACHE_OFF_PERFORMANCE);
  return first + i * CACHED_SIZE;
}

function startOf(claim: usize): i64 {
  return load<i64>(claim, CACHED_OFF_START);
}

function endOf(claim: usize): i64 {
  return load<i64>(claim, CACHED_OFF_END);
}

function latestOf(claim: usize): i64 {
  return load<i64>(claim, CACHED_OFF_LATEST);
}

function setLatest(claim: usize, position: i64): void {
  store<i64>(claim, position, CACHED_OFF_LATEST);
}

function remaining(claim: usize): u64 {
  return <u64>(endOf(claim) - latestOf(claim));
}
