/** claims.wasm by itself: what it refuses, and its sums at the ends of the number range. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CACHE_CLAIMS, CACHE_ENTRY, CACHE_SIZE, CacheAnswer } from "../../firmware/defs/claims.js";
import { type Claim, Core, type Entry, inV8 } from "../../host/claims/core.js";
import { built } from "../device/built.js";
import {
  type ModelEntry,
  modelAccept,
  modelEffective,
  modelEntry,
  modelPlan,
  modelTake,
  remaining,
  totalOf,
} from "../model/claims.js";
import { ENGINES } from "./engines.js";

const MAX = 2n ** 63n - 1n;
const claim = (start: bigint, end: bigint, latest = start - 1n): Claim => ({ start, end, latest });
const none = { performance: 0n, offline: 0n };

describe("the module claims.wasm", () => {
  it("imports nothing, exports the rules and one page of memory, and no allocator", () => {
    const module = new WebAssembly.Module(built("claims.wasm"));
    expect(WebAssembly.Module.imports(module)).toEqual([]);
    const names = WebAssembly.Module.exports(module).map(({ name }) => name);
    const rules = ["accept", "check", "effective", "fallback", "forward", "hit", "open", "plan"];
    expect(names.sort()).toEqual([...rules, "memory"].sort());
    const memory = new WebAssembly.Instance(module).exports.memory as WebAssembly.Memory & {
      grow(pages: number): number;
    };
    expect(memory.buffer.byteLength).toBe(65536);
    expect(() => memory.grow(1)).toThrow();
  });

  it("changes nothing outside of the entry and the result", () => {
    const module = inV8(built("claims.wasm"));
    const core = new Core(module);
    module.memory.fill(0xa5);
    const entry = core.open({ start: 0n, end: 999n })!;
    core.accept(entry, { start: 0n, end: 499n }, 10n, { main: 250n, tail: 250n }, 500n);
    const outside = [module.memory.subarray(0, CACHE_ENTRY), module.memory.subarray(CACHE_ENTRY + CACHE_SIZE + 16)];
    for (const bytes of outside) expect(bytes.every((byte) => byte === 0xa5)).toBe(true);
  });
});

describe.each(ENGINES)("the claim core in %s", (_, make) => {
  const core = make();
  const fresh = (start: bigint, end: bigint) => core.open({ start, end })!;

  it("makes an entry whose floor is the position before its first, -1 included", () => {
    expect(fresh(0n, 9n)).toEqual({ start: 0n, end: 9n, floor: -1n, performance: [], offline: [] });
    expect(fresh(10n, 10n).floor).toBe(9n);
    expect(core.open({ start: 5n, end: 4n })).toBeUndefined();
    expect(core.open({ start: -1n, end: 4n })).toBeUndefined();
    expect(core.open({ start: 0n, end: MAX + 1n })).toBeUndefined();
  });

  it.each<[string, Partial<Entry>]>([
    ["starts below 0", { start: -1n }],
    ["ends before it starts", { start: 50n, end: 49n }],
    ["has a floor below start - 1", { start: 1n, floor: -1n, performance: [], offline: [] }],
    ["has a floor above its end", { floor: 1000n }],
    ["has a number that 64 bits do not hold", { floor: 2n ** 64n + 899n }],
    ["has a claim below its start", { start: 150n }],
    ["has a claim above its floor", { floor: 898n }],
    ["has a claim that ends before it starts", { performance: [claim(100n, 99n)] }],
    ["has a pointer below start - 1", { performance: [claim(100n, 199n, 98n)] }],
    ["has a pointer above the end of its claim", { performance: [claim(100n, 199n, 200n)] }],
    ["has one claim twice", { performance: [claim(100n, 199n), claim(100n, 199n)] }],
    ["has claims of one reason that overlap by a position", { performance: [claim(100n, 199n), claim(199n, 250n)] }],
    ["has claims of one reason in another order", { performance: [claim(300n, 399n), claim(100n, 199n)] }],
    ["has an offline claim over a performance claim", { offline: [claim(199n, 250n)] }],
    ["has an offline claim inside a performance claim", { offline: [claim(120n, 130n)] }],
    ["has a performance claim inside an offline claim", { offline: [claim(50n, 700n)] }],
    [
      "has eleven claims",
      { performance: Array.from({ length: 11 }, (_, i) => claim(BigInt(10 * i), BigInt(10 * i + 9))) },
    ],
  ])("refuses an entry that %s, whatever is asked", (_, wrong) => {
    const good: Entry = {
      start: 0n,
      end: 999n,
      floor: 899n,
      performance: [claim(100n, 199n, 149n)],
      offline: [claim(800n, 899n)],
    };
    expect(core.isSound(good)).toBe(true);
    const entry = { ...good, ...wrong };
    expect(core.isSound(entry)).toBe(false);
    expect(core.hit(entry, 1n, 100n)).toBe(CacheAnswer.Damaged);
    expect(core.fallback(entry, 1n)).toBe(CacheAnswer.Damaged);
    expect(core.plan(entry, 1n, 900n, none, false)).toBe(CacheAnswer.Damaged);
    expect(core.accept(entry, { start: 950n, end: 950n }, 1n, { main: 1n, tail: 0n }, 0n)).toBe(CacheAnswer.Damaged);
    expect(core.forward(entry, 950n)).toBe(CacheAnswer.Damaged);
  });

  it("refuses sizes below 1, sizes below 0, and a pointer outside of the iteration", () => {
    const entry = fresh(10n, 99n);
    for (const request of [0n, -1n, -(2n ** 63n), 2n ** 63n, 2n ** 64n + 1n]) {
      expect(core.hit(entry, request, 10n)).toBe(CacheAnswer.BadArgument);
      expect(core.fallback(entry, request)).toBe(CacheAnswer.BadArgument);
      expect(core.plan(entry, request, 9n, none, false)).toBe(CacheAnswer.BadArgument);
    }
    expect(core.hit(entry, 1n, -1n)).toBe(CacheAnswer.BadArgument);
    expect(core.plan(entry, 1n, 9n, { performance: -1n, offline: 0n }, false)).toBe(CacheAnswer.BadArgument);
    expect(core.plan(entry, 1n, 9n, { performance: 0n, offline: -1n }, false)).toBe(CacheAnswer.BadArgument);
    for (const latest of [8n, 100n]) expect(core.plan(entry, 1n, latest, none, false)).toBe(CacheAnswer.BadArgument);
    const range = { start: 10n, end: 19n };
    expect(core.accept(entry, range, 0n, { main: 10n, tail: 0n }, 10n)).toBe(CacheAnswer.BadArgument);
    expect(core.accept(entry, range, 11n, { main: 10n, tail: 0n }, 10n)).toBe(CacheAnswer.BadArgument);
    expect(core.accept(entry, range, 5n, { main: 11n, tail: -1n }, 10n)).toBe(CacheAnswer.BadArgument);
    expect(core.accept(entry, range, 5n, { main: 10n, tail: 0n }, 0n)).toBe(CacheAnswer.BadArgument);
    expect(core.accept(entry, range, 5n, { main: 10n, tail: 0n }, -1n)).toBe(CacheAnswer.BadArgument);
  });

  it("refuses a range at or below the floor as unsafe, and one of another size or outside as wrong", () => {
    const entry = { ...fresh(0n, 999n), floor: 499n };
    const plan = { main: 100n, tail: 0n };
    const accept = (start: bigint, end: bigint) => core.accept(entry, { start, end }, 100n, plan, 0n);
    expect(accept(400n, 499n)).toBe(CacheAnswer.Unsafe);
    expect(accept(499n, 598n)).toBe(CacheAnswer.Unsafe);
    expect(accept(-5n, 94n)).toBe(CacheAnswer.Unsafe);
    expect(accept(500n, 600n)).toBe(CacheAnswer.WrongRange);
    expect(accept(500n, 598n)).toBe(CacheAnswer.WrongRange);
    expect(accept(501n, 500n)).toBe(CacheAnswer.WrongRange);
    expect(accept(950n, 1049n)).toBe(CacheAnswer.WrongRange);
    expect(accept(500n, 599n)).toMatchObject({ range: { start: 500n, end: 599n }, entry: { floor: 599n } });
  });

  it("moves the floor forward and never back, inside of the iteration, and uses no claim", () => {
    const entry = { ...fresh(0n, 999n), floor: 199n, performance: [claim(100n, 199n, 120n)] };
    expect(core.forward(entry, 199n)).toBe(CacheAnswer.Unsafe);
    expect(core.forward(entry, 1000n)).toBe(CacheAnswer.WrongRange);
    expect(core.forward(entry, 200n)).toEqual({ ...entry, floor: 200n });
    expect(core.forward(entry, 999n)).toEqual({ ...entry, floor: 999n });
  });

  it("counts right where an iteration has 2^63 positions", () => {
    const entry = fresh(0n, MAX);
    const quarter = 2n ** 61n;
    expect(core.effective(entry, MAX)).toBe(quarter);
    const all = { performance: MAX, offline: MAX };
    expect(core.plan(entry, 1n, -1n, all, false)).toEqual({ main: quarter, tail: quarter });
    // with its offline part it would be 2^63, which is no size, and rounded up as well
    expect(core.plan(entry, 2n * quarter + 1n, -1n, all, false)).toEqual({ main: 3n * quarter, tail: 0n });
    expect(core.plan(entry, MAX, -1n, all, false)).toEqual({ main: MAX, tail: 0n });
    expect(core.plan(entry, MAX, -1n, none, false)).toEqual({ main: MAX, tail: 0n });
    expect(core.plan(entry, MAX, 0n, none, false)).toEqual({ main: MAX, tail: 0n });
    expect(core.plan(entry, MAX, 1n, none, false)).toBe(CacheAnswer.Renew);
    expect(core.plan(entry, MAX, 1n, none, true)).toBe(CacheAnswer.Exhausted);
    expect(core.accept(entry, { start: 1n, end: MAX }, MAX, { main: MAX, tail: 0n }, 0n)).toMatchObject({
      range: { start: 1n, end: MAX },
      entry: { floor: MAX },
    });
  });

  it("takes the last position there is", () => {
    const entry = { ...fresh(MAX - 9n, MAX), floor: MAX, performance: [claim(MAX - 9n, MAX, MAX - 3n)] };
    expect(core.hit(entry, 3n, 10n)).toMatchObject({ range: { start: MAX - 2n, end: MAX } });
    expect(core.hit(entry, 4n, 10n)).toBe(CacheAnswer.Miss);
    const two = { ...entry, performance: [claim(MAX - 9n, MAX), claim(MAX, MAX)] };
    expect(core.isSound(two)).toBe(false);
  });

  it("serves from the claim with the least left that is enough, of equals from the one with the lowest start", () => {
    const five = [claim(0n, 99n), claim(100n, 149n), claim(150n, 248n, 198n), claim(250n, 299n), claim(300n, 348n)];
    const entry = { ...fresh(0n, 99_999n), floor: 2000n };
    expect(core.hit({ ...entry, performance: five }, 50n, 100n)).toMatchObject({ range: { start: 100n, end: 149n } });
    expect(core.fallback({ ...entry, offline: five }, 50n)).toMatchObject({ range: { start: 100n, end: 149n } });
    expect(core.fallback({ ...entry, offline: five.slice(2) }, 50n)).toMatchObject({
      range: { start: 199n, end: 248n },
    });
    expect(core.fallback({ ...entry, offline: five }, 51n)).toMatchObject({ range: { start: 0n, end: 50n } });
  });

  it("drops the claim with the least left, of equals the one with the lowest start, used up ones among them", () => {
    const ten = Array.from({ length: CACHE_CLAIMS }, (_, i) => claim(BigInt(100 * i), BigInt(100 * i + 9)));
    const full: Entry = { ...fresh(0n, 99_999n), floor: 2000n, performance: ten, offline: [] };
    const plan = { main: 100n, tail: 0n };
    const next = (entry: Entry) =>
      core.accept(entry, { start: 3000n, end: 3099n }, 50n, plan, 100n) as { entry: Entry };
    const added = claim(3000n, 3099n, 3049n);
    expect(next(full).entry.performance).toEqual([...ten.slice(1), added]);
    const used = ten.map((one, i) => (i === 6 || i === 4 ? { ...one, latest: one.end } : one));
    expect(next({ ...full, performance: used }).entry.performance).toEqual([...used.filter((_, i) => i !== 4), added]);
  });
});

describe("the claim core", () => {
  it("takes exactly the entries that keep the invariants, and leaves what it takes in such a state", () => {
    const cores = ENGINES.map(([, make]) => make());
    let sound = 0;
    fc.assert(
      fc.property(entries, about(0), (entry, request) => {
        if (isSound(entry)) sound++;
        for (const core of cores) {
          expect(core.isSound(entry)).toBe(isSound(entry));
          const served = [core.hit(entry, request + 1n, 100n), core.fallback(entry, request + 1n)];
          for (const answer of served) if (typeof answer === "object") expect(isSound(answer.entry)).toBe(true);
        }
      }),
      { numRuns: 4000 },
    );
    expect(sound).toBeGreaterThan(500);
    expect(sound).toBeLessThan(3500);
  });

  it("does what it says with any bytes in its memory: it refuses them or changes them by its rules, and never traps", () => {
    const module = inV8(built("claims.wasm"));
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: CACHE_SIZE, maxLength: CACHE_SIZE }),
        fc.bigInt(-MAX, MAX),
        (bytes, number) => {
          module.memory.set(bytes, CACHE_ENTRY);
          const isRefused = module.call("check") === CacheAnswer.Damaged;
          const answers = [
            module.call("hit", number, number),
            module.call("fallback", number),
            module.call("forward", number),
          ];
          if (isRefused) expect(answers).toEqual([CacheAnswer.Damaged, CacheAnswer.Damaged, CacheAnswer.Damaged]);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("does what the seed says for every sequence of requests, and as V8 does so does wasm3", () => {
    const cores = ENGINES.map(([, make]) => make());
    fc.assert(
      fc.property(fc.constantFrom(...SCALES), fc.array(step, { maxLength: 60 }), (scale, steps) => {
        for (const core of cores) follow(core, scale, steps);
      }),
      { numRuns: 400 },
    );
  });
});

/** The invariants of an entry, said once more. */
function isSound({ start, end, floor, performance, offline }: Entry): boolean {
  const all = [...performance, ...offline];
  const inRange = (low: bigint, value: bigint, high: bigint) => low <= value && value <= high;
  const isOrdered = (claims: readonly Claim[]) => claims.every((one, i) => i === 0 || claims[i - 1]!.end < one.start);
  return (
    inRange(0n, start, end) &&
    inRange(start - 1n, floor, end) &&
    all.every((one) => inRange(start, one.start, one.end) && one.end <= floor) &&
    all.every((one) => inRange(one.start - 1n, one.latest, one.end)) &&
    all.every((one, i) => all.every((other, j) => i === j || one.end < other.start || other.end < one.start)) &&
    isOrdered(performance) &&
    isOrdered(offline)
  );
}

/** Mostly `usual`, now and then a number about it. */
const about = (usual: number) =>
  fc.oneof({ weight: 30, arbitrary: fc.constant(BigInt(usual)) }, fc.integer({ min: -2, max: 3 }).map(BigInt));
const part = fc.record({ isOffline: fc.boolean(), gap: about(0), more: about(2), used: about(1) });
const entries: fc.Arbitrary<Entry> = fc
  .record({ parts: fc.array(part, { maxLength: 20 }), start: about(0), above: about(0), rest: about(2) })
  .map(({ parts, start, above, rest }) => {
    let at = start;
    const made = parts.map(({ isOffline, gap, more, used }) => {
      const claim = { start: at + gap, end: at + gap + more, latest: at + gap - 1n + used };
      at = claim.end + 1n;
      return { isOffline, claim };
    });
    const of = (isOffline: boolean) => made.filter((one) => one.isOffline === isOffline).map(({ claim }) => claim);
    const floor = at - 1n + above;
    return { start, end: floor + rest, floor, performance: of(false).slice(0, 10), offline: of(true).slice(0, 10) };
  });

/** Ranges of an iteration: small ones, where every corner is met, and the largest. */
const SCALES = [
  { start: 0n, end: 0n },
  { start: 0n, end: 2n },
  { start: 0n, end: 3n },
  { start: 7n, end: 106n },
  { start: 0n, end: 999n },
  { start: 1000n, end: 100_999n },
  { start: 0n, end: MAX },
  { start: MAX - 999n, end: MAX },
];

type Step = {
  of: number;
  request: number;
  performance: number;
  offline: number;
  away: boolean;
  renewed: boolean;
  gap: number;
};
const share = fc.integer({ min: 0, max: 1000 });
const step: fc.Arbitrary<Step> = fc.record({
  of: fc.constantFrom(1, 10, 100, 1000),
  request: share,
  performance: fc.oneof(fc.constant(0), share),
  offline: fc.oneof(fc.constant(0), share),
  away: fc.boolean(),
  renewed: fc.boolean(),
  gap: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.integer({ min: -3, max: 3 })),
});

/** Requests against core and model at once; another computer takes `gap` positions in between, or the authority gives old ones again. */
function follow(core: Core, scale: { start: bigint; end: bigint }, steps: readonly Step[]): void {
  const model = modelEntry(scale.start, scale.end);
  let entry = core.open(scale)!;
  let pointer = scale.start - 1n;
  const capacity = scale.end - scale.start + 1n;
  const given: { start: bigint; end: bigint }[] = [];
  for (const { of, request: part, performance, offline, away, renewed, gap } of steps) {
    const bytes = (share: number) => clamp((capacity * BigInt(share)) / 1000n);
    const request = clamp((capacity * BigInt(part)) / (1000n * BigInt(of)) + 1n);
    const sizes = { performance: bytes(performance), offline: bytes(offline) };
    expect(core.effective(entry, sizes.performance)).toBe(modelEffective(model, sizes.performance));
    const hit = modelEffective(model, sizes.performance) > 0n ? modelTake(model.performance, request) : undefined;
    let answer = core.hit(entry, request, sizes.performance);
    let served = hit;
    if (hit === undefined) {
      expect(answer).toBe(CacheAnswer.Miss);
      if (away) {
        served = modelTake(model.offline, request);
        answer = core.fallback(entry, request);
      } else {
        const want = modelPlan(model, request, scale.end - pointer, sizes, renewed);
        const plan = core.plan(entry, request, pointer, sizes, renewed);
        expect(plan).toEqual(typeof want === "string" ? WORDS[want] : want);
        if (typeof want === "string" || typeof plan === "number") continue;
        const start = pointer + 1n + BigInt(gap);
        const range = { start, end: start + want.main + want.tail - 1n };
        if (range.end > scale.end) continue;
        const result = modelAccept(model, range, request, want, sizes);
        answer = core.accept(entry, range, request, plan, sizes.performance);
        if (result === "unsafe") {
          expect(answer).toBe(CacheAnswer.Unsafe);
          continue;
        }
        served = result;
        pointer = range.end > pointer ? range.end : pointer;
      }
    }
    if (served === undefined) {
      expect(answer).toBe(CacheAnswer.Miss);
      continue;
    }
    if (typeof answer === "number")
      throw new Error(`the core answers ${CacheAnswer[answer]}; the seed serves ${served.start}`);
    expect(answer.range).toEqual(served);
    entry = answer.entry;
    check(entry, model);
    given.push(answer.range);
  }
  checkUnique(given);
}

const WORDS = { renew: CacheAnswer.Renew, "too large": CacheAnswer.TooLarge, exhausted: CacheAnswer.Exhausted };

function clamp(value: bigint): bigint {
  return value > MAX ? MAX : value;
}

function check(entry: Entry, model: ModelEntry): void {
  expect(entry).toEqual(model);
  for (const one of [...model.performance, ...model.offline]) expect(remaining(one)).toBeGreaterThanOrEqual(0n);
  expect(totalOf(model.offline)).toBeGreaterThanOrEqual(0n);
}

function checkUnique(ranges: readonly { start: bigint; end: bigint }[]): void {
  const sorted = [...ranges].sort((a, b) => (a.start < b.start ? -1 : 1));
  sorted.slice(1).forEach((range, i) => {
    expect(range.start).toBeGreaterThan(sorted[i]!.end);
  });
}
