/** The pointers of filekeys are once and for all: whatever is cut, no position that was answered is handed out again, and no filekey
 *  loses its pointer. firmware/claim/pointers.ts in V8, cut at every flash operation in many ways, and the first reserve after it at some. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../../board/virtual/prng.js";
import { tears } from "../../../board/virtual/supply.js";
import { CLAIMS_OFFSET } from "../../../firmware/defs/medium.js";
import { FILEKEYS_MAX, POINTER_PLACE, POINTER_PLACES } from "../../../firmware/defs/pointers.js";
import { Status } from "../../../firmware/defs/status.js";
import { repeat, seed } from "../../targets.js";
import { cut, film, load, type Media, save, stills } from "../../torture/film.js";
import { changingBits, cutsOf } from "../../torture/tears.js";
import { Pointers } from "./pointers.js";

console.log(`pointers: ${repeat}`);
const random = seeded(seed);
const below = (n: number): number => (random() >>> 8) % n;

/** What was answered: the last position of each filekey. */
type Answered = Map<number, bigint>;

/** A filekey that was just made hands out nothing yet. */
function create(board: Pointers, answered: Answered, key: number): void {
  board.create(key);
  expect(board.append(key, -1n, 0n)).toBe(Status.Ok);
  answered.set(key, -1n);
}

/** Hands out positions as the authority does. @throws when they overlap what was answered before, or the pointer is gone */
function reserve(board: Pointers, answered: Answered, key: number, size = 10n): Status {
  const pointer = board.find(key);
  if (pointer === undefined) throw new Error(`filekey ${key} has no pointer`);
  const start = pointer.latest + 1n;
  const last = answered.get(key)!;
  if (start <= last) throw new Error(`filekey ${key}: ${start} was handed out before, up to ${last}`);
  const status = board.append(key, start + size - 1n, start, start);
  if (status === Status.Ok) answered.set(key, start + size - 1n);
  return status;
}

/** All filekeys know what was answered, and go on from there, at this boot and at later ones. */
function holds(board: Pointers, answered: Answered, first: number): void {
  const known = new Map(answered);
  for (const key of [first, ...known.keys()]) expect(reserve(board, known, key)).toBe(Status.Ok);
  board.boot();
  for (const [key, last] of known) expect(board.find(key)?.latest, `filekey ${key} at the next boot`).toBe(last);
  for (const key of known.keys()) expect(reserve(board, known, key)).toBe(Status.Ok);
}

interface Start {
  name: string;
  board: Pointers;
  answered: Answered;
  media: Media;
  /** The filekey of which positions are asked. */
  key: number;
  /** The reserve is the first one after power-up. */
  isFirst: boolean;
}

function start(name: string, keys: number, reserves: number, isFirst: boolean): Start {
  const board = new Pointers(random);
  board.boot();
  const answered: Answered = new Map();
  for (let key = 0; key < keys; key++) create(board, answered, key);
  for (let n = 0; n < reserves; n++) expect(reserve(board, answered, below(keys))).toBe(Status.Ok);
  return { name, board, answered, media: save(board), key: below(keys), isFirst };
}

const STARTS: readonly [string, number, number, boolean][] = [
  ["one filekey, new", 1, 0, true],
  ["one filekey, in the same power-up", 1, 3, false],
  ["three filekeys, in use", 3, 40, true],
  ["three filekeys, in the same power-up", 3, 7, false],
  ["as many as there may be", FILEKEYS_MAX, 50, true],
];

/** Brings a board to where the reserve is asked. */
function go({ board, media, isFirst, answered, key }: Start): Answered {
  load(board, media);
  board.boot();
  const known = new Map(answered);
  if (!isFirst) expect(reserve(board, known, key)).toBe(Status.Ok);
  return known;
}

describe("positions that were answered are never handed out again", () => {
  it.each(STARTS)("%s: wherever power fails in a reserve, and in the first one after it", (...how) => {
    const one = start(...how);
    const { board, key } = one;
    let [cases, torn] = [0, 0];
    const known = go(one);
    const media = save(board);
    const after = new Map(known);
    const steps = film(board, () => expect(reserve(board, after, key)).toBe(Status.Ok));
    for (const [number, step, still] of stills(board, media, steps)) {
      // the answer comes when the last operation is over
      const options = { singles: 6, subsets: 2 };
      for (const how of cutsOf(changingBits(board, step), number === 0, random, options)) {
        const isAnswered = number === steps.length - 1 && how.plan.tear === "after";
        const where = `step ${number} of ${steps.length}, ${how.name}`;
        cases++;
        if (typeof how.plan.tear !== "string") torn++;
        try {
          cut(board, still, step, how.plan);
          board.boot();
          holds(board, isAnswered ? after : known, key);
          const isWhole =
            how.name === "all bits, marginal" && step.bytes !== undefined && steps[number + 1]?.bytes === undefined;
          if (isWhole || cases % 5 === 0) cutAgain(board, still, step, how.plan, known, key, isWhole);
        } catch (error) {
          throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
        }
      }
    }
    expect(torn).toBeGreaterThan(cases / 2);
    console.log(`${one.name}: ${cases} cuts of ${steps.length} operations`);
  });

  /** The same cut, and then the first reserve after it is cut as well: somewhere, or everywhere. */
  function cutAgain(
    board: Pointers,
    still: Media,
    step: Parameters<typeof cut>[2],
    plan: Parameters<typeof cut>[3],
    known: Answered,
    key: number,
    everywhere: boolean,
  ): void {
    cut(board, still, step, plan);
    board.boot();
    const media = save(board);
    const others = [...known.keys()].filter((one) => one !== key);
    const other = others[below(others.length)] ?? key;
    const steps = film(board, () => reserve(board, new Map(known), !everywhere && below(2) === 0 ? key : other));
    const chosen = below(steps.length);
    for (const [number, second, between] of stills(board, media, steps)) {
      if (number !== chosen && !everywhere) continue;
      for (const tear of [tears.none, tears.half, tears.all, tears.random(random)]) {
        for (const cells of [{}, { marginal: true }, { unreadable: true }]) {
          cut(board, between, second, { tear, ...cells });
          board.boot();
          holds(board, known, key);
        }
      }
    }
  }

  it("through thousands of reserves of many filekeys, with power cuts, flash that fails, and filekeys that come and go", () => {
    const board = new Pointers(random);
    const answered: Answered = new Map();
    board.boot();
    for (let key = 0; key < 5; key++) create(board, answered, key);
    let cuts = 0;
    for (let n = 0; n < 4000; n++) {
      const keys = [...answered.keys()];
      const key = keys[below(keys.length)]!;
      if (below(6) === 0) {
        const cells = [{}, { marginal: true }, { unreadable: true }][below(3)];
        board.supply.arm({ operation: below(20), tear: tears.random(random), ...cells, powered: below(4) === 0 });
      }
      try {
        reserve(board, answered, key, BigInt(1 + below(100)));
      } catch (error) {
        if ((error as Error).name !== "PowerCut") throw error;
        cuts++;
      } finally {
        board.supply.disarm();
      }
      if (!board.supply.on || below(20) === 0) board.boot();
      if (below(50) === 0 && keys.length > 3) {
        board.remove(key);
        answered.delete(key);
      } else if (below(50) === 0 && keys.length < FILEKEYS_MAX) {
        const made = [...Array(32).keys()].find((one) => !answered.has(one) && board.find(one) === undefined);
        if (made !== undefined && !used.has(made)) {
          used.add(made);
          board.create(made);
          if (board.append(made, -1n, 0n) === Status.Ok) answered.set(made, -1n);
          else board.remove(made);
        }
      }
    }
    expect(cuts).toBeGreaterThan(100);
    board.boot();
    for (const key of answered.keys()) expect(reserve(board, answered, key)).toBe(Status.Ok);
  });
  const used = new Set([0, 1, 2, 3, 4]);
});

describe("an entry that reads differently at each look", () => {
  /** Filekey 0 and 1 in use; a reserve of 3 positions of filekey 0 was cut at the end of its program. @returns where its entry stands */
  function cutEntry(board: Pointers, answered: Answered): number {
    board.boot();
    expect(reserve(board, answered, 0)).toBe(Status.Ok); // the power-up's first one
    const media = save(board);
    const steps = film(board, () => expect(reserve(board, new Map(answered), 0, 3n)).toBe(Status.Ok));
    const last = steps.findLastIndex(({ bytes }) => bytes !== undefined);
    for (const [number, step, still] of stills(board, media, steps)) {
      if (number !== last) continue;
      cut(board, still, step, { tear: tears.all, marginal: true });
      break;
    }
    board.boot();
    return Math.floor(steps[last]!.offset / POINTER_PLACE) * POINTER_PLACE;
  }

  it("takes its filekey's pointer away neither while another filekey is asked, nor later", () => {
    const seen = new Set<bigint>();
    for (let n = 0; n < 150; n++) {
      const { board, answered } = start("", 2, 6, true);
      cutEntry(board, answered);
      expect(reserve(board, answered, 1)).toBe(Status.Ok);
      for (let boot = 0; boot < 6; boot++) {
        board.boot();
        const ahead = board.find(0)!.latest - answered.get(0)!;
        expect([0n, 3n]).toContain(ahead);
        seen.add(ahead);
      }
      expect(reserve(board, answered, 0)).toBe(Status.Ok);
    }
    expect(seen.size).toBe(2);
  });

  it("is never newer than what is written after it, when its place cannot be erased", () => {
    let tries = 0;
    for (let n = 0; n < 150; n++) {
      const { board, answered } = start("", 2, 6, true);
      const place = cutEntry(board, answered);
      const { data } = board;
      const erase = data.erase.bind(data);
      data.erase = (at) => at !== place && erase(at); // it fails and changes nothing
      if (reserve(board, answered, 0, 100n) !== Status.Ok) continue;
      tries++;
      for (let boot = 0; boot < 6; boot++) {
        board.boot();
        expect(board.find(0)!.latest).toBe(answered.get(0));
      }
    }
    expect(tries).toBeGreaterThan(100);
  });
});

describe("an entry that is lost", () => {
  it("leaves its filekey without a pointer, not with an older one, and the others with theirs", () => {
    const { board, answered } = start("", 4, 60, true);
    for (const key of answered.keys()) {
      const before = [...answered.keys()].map((one) => board.find(one)?.latest);
      const { bytes } = board.data;
      const places = [...Array(POINTER_PLACES).keys()].map((place) => CLAIMS_OFFSET + place * POINTER_PLACE);
      const damaged = places.filter((at) => {
        bytes[at + 20]! ^= 1;
        const isLost = board.find(key) === undefined;
        bytes[at + 20]! ^= 1;
        return isLost;
      });
      expect(damaged).toHaveLength(1);
      bytes[damaged[0]! + 20]! ^= 1;
      board.boot();
      const after = [...answered.keys()].map((one) => board.find(one)?.latest);
      expect(after).toEqual(before.map((latest, i) => (i === key ? undefined : latest)));
      bytes[damaged[0]! + 20]! ^= 1;
    }
  });
});

describe("wear", () => {
  it("is spread over all places that no other filekey needs", () => {
    const { board, answered } = start("", 4, 0, true);
    const erases = () => board.data.wear.filter(({ offset }) => offset >= CLAIMS_OFFSET).slice(0, POINTER_PLACES);
    const before = erases();
    for (let n = 0; n < 2000; n++) expect(reserve(board, answered, 0)).toBe(Status.Ok);
    const counts = erases().map((place, i) => place.erases - before[i]!.erases);
    const turning = counts.filter((n) => n > 0);
    expect(turning.length).toBeGreaterThanOrEqual(POINTER_PLACES - 4);
    expect(Math.max(...turning) - Math.min(...turning)).toBeLessThanOrEqual(2);
    expect(board.written).toBeGreaterThanOrEqual(2000);
  });
});
