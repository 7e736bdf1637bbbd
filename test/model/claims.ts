/** The claim cache as the seed describes it, in plain TypeScript: written from the seed's text and not from the core, slow and obvious.
 *  One entry, one request at a time; the authority is a number that grows. */

export interface ModelClaim {
  start: bigint;
  end: bigint;
  latest: bigint;
}

export interface ModelEntry {
  start: bigint;
  end: bigint;
  floor: bigint;
  performance: ModelClaim[];
  offline: ModelClaim[];
}

export interface ModelSizes {
  performance: bigint;
  offline: bigint;
}

const KEPT = 10;

export function modelEntry(start: bigint, end: bigint): ModelEntry {
  return { start, end, floor: start - 1n, performance: [], offline: [] };
}

export const remaining = (claim: ModelClaim): bigint => claim.end - claim.latest;
export const totalOf = (claims: readonly ModelClaim[]): bigint => claims.reduce((sum, one) => sum + remaining(one), 0n);

/** "effective_bytes = min(config_bytes, int(key_capacity * 0.25))" */
export function modelEffective(entry: ModelEntry, configured: bigint): bigint {
  const quarter = (entry.end - entry.start + 1n) / 4n;
  return configured < quarter ? configured : quarter;
}

/** "Candidate set: remaining >= request. Selected claim: the one with the smallest remaining capacity." Equal ones: lower start. */
export function modelTake(claims: ModelClaim[], request: bigint): { start: bigint; end: bigint } | undefined {
  const fitting = claims.filter((claim) => remaining(claim) >= request).sort(byRemaining);
  const best = fitting[0];
  if (best === undefined) return undefined;
  const start = best.latest + 1n;
  best.latest += request;
  return { start, end: best.latest };
}

function byRemaining(a: ModelClaim, b: ModelClaim): number {
  const order = remaining(a) - remaining(b) || a.start - b.start;
  return order < 0n ? -1 : order > 0n ? 1 : 0;
}

/** "If an 11th claim is added for one reason, the smallest remaining claim of that same reason is dropped." */
export function modelAdd(claims: ModelClaim[], start: bigint, end: bigint): void {
  claims.push({ start, end, latest: start - 1n });
  if (claims.length <= KEPT) return;
  const least = [...claims].sort(byRemaining)[0]!;
  claims.splice(claims.indexOf(least), 1);
}

/** Sizes of one external claim; "renew" and the refusals as words. @param left positions that the authority has left */
export function modelPlan(
  entry: ModelEntry,
  request: bigint,
  left: bigint,
  sizes: ModelSizes,
  renewed: boolean,
): { main: bigint; tail: bigint } | "renew" | "too large" | "exhausted" {
  const capacity = entry.end - entry.start + 1n;
  if (request > capacity) return "too large";
  const chunk = modelEffective(entry, sizes.performance);
  const target = modelEffective(entry, sizes.offline);
  let main = request;
  if (chunk > 0n) for (main = chunk * (request / chunk); main < request; ) main += chunk;
  const tail = target > 0n && totalOf(entry.offline) < target ? target : 0n;
  const tries = [
    { main, tail },
    { main, tail: 0n },
    { main: request, tail: 0n },
  ];
  const fits = (sizes: { main: bigint; tail: bigint }) =>
    sizes.main + sizes.tail <= left && sizes.main + sizes.tail < 2n ** 63n;
  if (fits(tries[0]!)) return tries[0]!;
  if (!renewed && left !== capacity) return "renew";
  return tries.find(fits) ?? "exhausted";
}

/** What a reserved range becomes. */
export function modelAccept(
  entry: ModelEntry,
  range: { start: bigint; end: bigint },
  request: bigint,
  plan: { main: bigint; tail: bigint },
  sizes: ModelSizes,
): { start: bigint; end: bigint } | "unsafe" {
  if (range.start <= entry.floor) return "unsafe";
  entry.floor = range.end;
  const split = range.start + plan.main;
  if (plan.tail > 0n) modelAdd(entry.offline, split, range.end);
  if (modelEffective(entry, sizes.performance) === 0n) return { start: range.start, end: range.start + request - 1n };
  modelAdd(entry.performance, range.start, split - 1n);
  return modelTake(entry.performance, request)!;
}
