/** Every damage once: flips bits, fills bytes, units and places, makes units unreadable, one at a time, in a store with records, dead slots
 *  and operators; boots, asks, and judges what the store made of it by the table in areas.ts. Nothing may be wiped: what mount may write is
 *  one journal place. When the damage is taken back the store must be as before. No test framework: it runs in any thread. */
import { type Random, seeded } from "../../board/virtual/prng.js";
import { JOURNAL_PLACE } from "../../firmware/defs/journal.js";
import { DATA_UNIT, JOURNAL_OFFSET, JOURNAL_SIZE } from "../../firmware/defs/medium.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { decodeAnswer, type Message } from "../../host/client/message.js";
import type { Device } from "../device/device.js";
import { Refusal, Talk } from "../device/talk.js";
import { ALLOWED, type Area, areas, BEYOND_A_BIT, LOST, type Outcome, type Row } from "./areas.js";
import { describe, type Harm, harm, harms, inflict, isIdle, KINDS, type Kind } from "./harm.js";
import { fill, hex, LASTS, type Last, look, open, restore, type Scene, type Shown, type Slot, save } from "./scene.js";

export interface DamageOptions {
  /** Makes a device whose media are blank. */
  make: () => Device;
  /** Makes the device that the stores are filled on, when `make` is slow. Default: `make`. */
  quick?: () => Device;
  seed: number;
  /** Changes that the newest journal record may speak of, one store each. Default: all. */
  lasts?: readonly Last[];
  kinds?: readonly Kind[];
  /** Rows of the table. Default: all. */
  rows?: readonly Row[];
  /** Which share of an area's damages is done, 1 = all of them; the others are left out at random. Default 1. */
  share?: (area: Area, kind: Kind) => number;
  /** Instead of shares: so many damages of each row of the table, of any kind. */
  perRow?: number;
  /** This worker's part: every `of`-th case from `index` on. Default: all. */
  part?: { index: number; of: number };
  /** Every n-th case is also accepted, changed and asked about everything. Default 16; 1 = every one. */
  deep?: number;
  progress?: (done: number, total: number) => void;
}

export interface DamageCounts {
  cases: number;
  /** Of these, how many also went on: a change after the damage, and everything asked. */
  deep: number;
  /** Damages left out because they change nothing, such as ones over 0xFF. */
  idle: number;
  outcomes: Partial<Record<Row, Partial<Record<Outcome, number>>>>;
  /** What must not be, at most the first hundred, and how many there were. */
  violations: string[];
  violated: number;
}

export function damage(options: DamageOptions): DamageCounts {
  const { seed, kinds = KINDS, lasts = LASTS, rows, share = () => 1, part = { index: 0, of: 1 }, deep = 16 } = options;
  const counts: DamageCounts = { cases: 0, deep: 0, idle: 0, outcomes: {}, violations: [], violated: 0 };
  const stores = lasts.map((last) => new Store(options, last));
  // what the last change was makes a difference to the journal alone
  const concerns = (store: Store, row: Row): boolean => store === stores[0] || row.startsWith("newest journal");
  const plans = stores.flatMap((store) =>
    store.areas
      .filter(({ row }) => (rows === undefined || rows.includes(row)) && concerns(store, row))
      .flatMap((area) => kinds.map((kind) => ({ store, area, kind, total: harms(area, kind) }))),
  );
  const total = plans.reduce((sum, plan) => sum + plan.total, 0);
  const choose = seeded(seed ^ 0x5a5a5a5a); // the same choice in every worker
  let done = 0;
  let chosen = 0;
  const ofRow = (row: Row): number => plans.reduce((sum, { area, total }) => sum + (area.row === row ? total : 0), 0);
  for (const { store, area, kind, total: n } of plans) {
    const rate = options.perRow === undefined ? share(area, kind) : options.perRow / ofRow(area.row);
    for (let i = 0; i < n; i++) {
      if ((++done & 0x3ff) === 0) options.progress?.(done, total);
      if (rate < 1 && choose() >= rate * 2 ** 32) continue;
      if (chosen++ % part.of !== part.index) continue;
      const one = harm(area, kind, i);
      if (isIdle(store.device, one)) {
        counts.idle++;
        continue;
      }
      const isDeep = counts.cases++ % deep === 0;
      if (isDeep) counts.deep++;
      const wanted = store.allowed(area, one);
      let outcome: Outcome | undefined;
      let why = "";
      try {
        outcome = store.judge(area, one, isDeep);
      } catch (error) {
        why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      }
      store.clear();
      if (outcome !== undefined && wanted.includes(outcome)) {
        count(counts, area.row, outcome, 1);
        continue;
      }
      counts.violated++;
      const what = outcome === undefined ? why : `${outcome}, expected ${wanted.join(" or ")}`;
      if (counts.violations.length < 100)
        counts.violations.push(`${area.row} (${area.name}, last change ${store.last}), ${describe(one)}: ${what}`);
    }
  }
  for (const store of stores) store.device.close();
  options.progress?.(total, total);
  return counts;
}

/** Adds what another worker counted. */
export function add(to: DamageCounts, more: DamageCounts): void {
  to.cases += more.cases;
  to.deep += more.deep;
  to.idle += more.idle;
  to.violated += more.violated;
  to.violations.push(...more.violations);
  for (const [row, outcomes] of Object.entries(more.outcomes) as [Row, Partial<Record<Outcome, number>>][]) {
    for (const [outcome, n] of Object.entries(outcomes) as [Outcome, number][]) count(to, row, outcome, n);
  }
}

function count(counts: DamageCounts, row: Row, outcome: Outcome, n: number): void {
  const outcomes = counts.outcomes[row] ?? {};
  outcomes[outcome] = (outcomes[outcome] ?? 0) + n;
  counts.outcomes[row] = outcomes;
}

/** What the store shows differs from everything that it may show. */
class Violation extends Error {
  override name = "Violation";
}
function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Violation(what);
}

/** Keys of info that a rewritten journal record changes. */
const WRITTEN = [Key.Sequence, Key.ChangesLeft];

class Store {
  readonly device: Device;
  readonly random: Random;
  readonly scene: Scene;
  readonly areas: readonly Area[];
  readonly #talk: Talk;
  readonly #info: Message;
  readonly #live: Slot[];
  #turn = 0;
  #undo: (() => void) | undefined;
  #written = 0;

  constructor(
    { make, quick, seed }: DamageOptions,
    readonly last: Last,
  ) {
    this.random = seeded(seed);
    const device = make();
    this.device = device;
    const filled = quick?.() ?? device;
    const scene = fill(filled, this.random, last, decodeAnswer);
    if (filled !== device) {
      device.slots.load(device.slotsOffset, filled.slots.image(filled.slotsOffset));
      device.data.load(0, filled.data.image());
      filled.close();
    }
    this.scene = { ...scene, media: save(device) };
    this.areas = areas(scene, device);
    this.#talk = new Talk(device);
    this.#live = this.scene.slots.filter(({ live }) => live);
    this.#boot();
    this.#info = this.#talk.ask(Command.Info);
  }

  /** What may come of a damage: of a unit that several areas share, what each of them allows. */
  allowed(area: Area, { kind, medium, offset, length }: Harm): readonly Outcome[] {
    const lost = kind.startsWith("whole") ? LOST[area.row] : undefined;
    if (lost !== undefined) return lost;
    if (kind === "bit") return ALLOWED[area.row];
    const meets = (other: Area): boolean =>
      other.medium === medium && other.offset < offset + length && offset < other.offset + other.length;
    const met = this.areas.filter(meets).flatMap(({ row }): readonly Outcome[] => ALLOWED[row]);
    return [...met, ...(BEYOND_A_BIT[area.row] ?? [])];
  }

  /** Puts everything back. */
  clear(): void {
    this.#undo?.();
    this.#undo = undefined;
    restore(this.device, this.scene.media);
  }

  /** @throws Violation, or whatever broke */
  judge(area: Area, one: Harm, isDeep: boolean): Outcome {
    const { device, scene } = this;
    this.#turn++;
    this.#undo = inflict(device, one);
    const before = device.supply.operations;
    this.#boot();
    const outcome = this.#outcome(area, isDeep);
    this.#written = device.supply.operations - before;
    if (this.#written > 0) this.#onlyJournal(one);
    if (isDeep) {
      this.#goesOn(outcome, area);
      restore(device, scene.media); // the change was not part of it
      this.#undo();
      this.#undo = inflict(device, one);
      this.#boot();
    }
    if (this.#written > 0 || isDeep) this.#taken(outcome);
    return outcome;
  }

  #boot(): void {
    this.device.boot();
    this.#talk.reset();
  }

  #outcome(area: Area, all: boolean): Outcome {
    const { scene } = this;
    const info = this.#talk.ask(Command.Info);
    const differing = [...this.#info.keys(), ...info.keys()].filter(
      (key, i, keys) => keys.indexOf(key) === i && !sameValue(info.get(key), this.#info.get(key)),
    );
    const only = (...keys: Key[]): boolean => differing.every((key) => keys.includes(key));
    const state = info.get(Key.State) as State;
    if (state === State.Degraded) return this.#degraded(area, info);
    must(state === State.Ready, `the store is ${State[state]}`);
    const full = all || area.slot === undefined;
    const shown = full ? look(this.#talk) : undefined;
    if (shown !== undefined && this.#isEarlier(shown)) return "one change back";
    const entries = shown === undefined ? "same" : this.#entries(shown, area.slot);
    const touched = area.slot?.live === true ? this.#status(area.slot) : "same";
    this.#others(area.slot, all);
    if (touched === "Corrupt" || touched === "Unreadable") {
      must(only(), `info differs in ${differing.map((key) => Key[key])}`);
      return touched === "Corrupt" ? "corrupt" : "unreadable";
    }
    must(touched === "same", `the record answers ${touched}`);
    must(entries === "same", "a label is missing");
    const operators = shown === undefined ? "same" : this.#operators(shown, area);
    if (operators === "out") {
      // sessions are planted for the first operator: without its place info cannot tell its name
      must(only(...(area.place === 0 ? [Key.Operator] : [])), `info differs in ${differing.map((key) => Key[key])}`);
      return "operator out";
    }
    if (only() && (shown === undefined || shown.refusals === scene.shown.refusals)) return "same";
    if (only(Key.CustodyCopies)) return "one copy";
    if (only(Key.Refusals)) return "counts";
    if (only(Key.Residue)) return "residue";
    if (only(...WRITTEN)) return "rewritten";
    throw new Violation(`info differs in ${differing.map((key) => Key[key])}`);
  }

  #isEarlier(shown: Shown): boolean {
    const { earlier } = this.scene;
    const differs =
      !earlier.list.equals(this.scene.shown.list) || !earlier.operators.equals(this.scene.shown.operators);
    return differs && shown.list.equals(earlier.list) && shown.operators.equals(earlier.operators);
  }

  /** Every record is listed as it was, but for the label of the damaged one. */
  #entries(shown: Shown, damaged: Slot | undefined): "same" | "no label" {
    if (shown.list.equals(this.scene.shown.list)) return "same";
    const [now, before] = [shown.list, this.scene.shown.list].map((list) => entriesOf(list));
    must(now!.length === before!.length, `${now!.length} records are listed, of ${before!.length}`);
    for (const [i, entry] of before!.entries()) {
      const handle = hex(entry.get(Key.Handle) as Uint8Array);
      if (damaged !== undefined && handle === hex(damaged.handle)) entry.delete(Key.Label);
      must(sameValue(now![i], entry), `record ${handle} is listed otherwise`);
    }
    return "no label";
  }

  #operators(shown: Shown, { row, place: damaged }: Area): "same" | "out" {
    if (shown.operators.equals(this.scene.shown.operators)) return "same";
    const now = decodeAnswer(shown.operators);
    if (row === "newest refusal place") {
      const before = decodeAnswer(this.scene.shown.operators);
      must(sameValue(uncounted(now), uncounted(before)), "operators are listed otherwise");
      return "same";
    }
    const places = this.scene.operators.map(({ place }) => place).sort((a, b) => a - b);
    const expected = (decodeAnswer(this.scene.shown.operators).get(Key.Operators) as Message[]).filter(
      (_, i) => places[i] !== damaged,
    );
    must(now.get(Key.Corrupt) === 1, "the list of operators counts no corrupt place");
    must(sameValue(now.get(Key.Operators), expected), "other operators are listed otherwise");
    return "out";
  }

  #status(slot: Slot): string {
    const answer = open(this.#talk, slot);
    if (answer.equals(this.scene.answers[this.#live.indexOf(slot)]!)) return "same";
    const status = decodeAnswer(answer).get(Key.Command) as Status;
    return status === Status.Ok ? "with other bytes" : Status[status];
  }

  /** Another record opens as before, or all others do. */
  #others(damaged: Slot | undefined, all: boolean): void {
    const others = this.#live.filter((slot) => slot !== damaged);
    for (const slot of all ? others : [others[this.#turn % others.length]!]) {
      const status = this.#status(slot);
      must(status === "same", `record ${slot.name}, which was not damaged, answers ${status}`);
    }
  }

  /** The damaged record is not listed, the others are; with accept they open again. */
  #degraded(area: Area, info: Message): Outcome {
    const shown = look(this.#talk);
    if (area.slot === undefined) {
      const { list, operators } = this.scene.shown;
      if (shown.list.equals(list) && shown.operators.equals(operators)) return "degraded, nothing lost";
      must(this.#isEarlier(shown), "the store is Degraded, and does not show what was before the last change");
      return "degraded, one change back";
    }
    const damaged = area.slot;
    must(info.get(Key.Corrupt) === 1, `info counts ${info.get(Key.Corrupt)} corrupt records`);
    const expected = entriesOf(this.scene.shown.list).filter(
      (entry) => hex(entry.get(Key.Handle) as Uint8Array) !== hex(damaged.handle),
    );
    must(sameValue(entriesOf(shown.list), expected), "the others are listed otherwise");
    must(shown.operators.equals(this.scene.shown.operators), "operators are listed otherwise");
    must(this.#status(damaged) === "Degraded", "a seal is opened while degraded");
    return "degraded";
  }

  /** Each operator's key opens a session, but the one whose place was damaged. */
  #keys(damaged: number): void {
    for (const { id, key, place } of this.scene.operators) {
      let status = Status.Ok;
      try {
        this.#talk.handshake(id, key);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        status = error.status;
      }
      const expected = place === damaged ? Status.HandshakeRefused : Status.Ok;
      must(status === expected, `the key of ${id} in place ${place} answers ${Status[status]}`);
    }
    this.#talk.session = undefined;
  }

  /** What a person would do next: accept if it must be, and store a record more. */
  #goesOn(outcome: Outcome, area: Area): void {
    const talk = this.#talk;
    const lost = outcome === "degraded" ? area.slot : undefined;
    const accepts = outcome.startsWith("degraded");
    if (accepts) must(talk.ask(Command.Accept).get(Key.Accepted) === 1, "accept is not counted");
    if (outcome === "operator out") this.#keys(area.place!);
    const body = Buffer.alloc(60, 0x42).fill(0, 0, 8).fill(4, 0, 1).fill(52, 2, 3);
    const token = Uint8Array.from({ length: 16 }, () => this.random() >>> 24);
    const made = talk.ask(Command.Put, [
      [Key.Token, token],
      [Key.Usage, 0],
      [Key.Tier, 1],
      [Key.Policy, 1],
      [Key.Body, body],
    ]);
    const handle = made.get(Key.Handle) as Uint8Array;
    const known = this.scene.slots.some((slot) => hex(slot.handle) === hex(handle));
    must(!known, "a new record got the handle of one that was there before");
    for (let boot = 0; boot < 2; boot++) {
      const got = talk.ask(Command.Get, [[Key.Handle, handle]]).get(Key.Body);
      must(sameValue(got, body), "the record that was stored then reads differently");
      const back = outcome.endsWith("one change back");
      for (const slot of this.#live) {
        if (slot === lost) must(this.#status(slot) === "NoSuchHandle", "the record that was given up answers");
        else if ((outcome === "corrupt" || outcome === "unreadable") && slot === area.slot)
          must(this.#status(slot).toLowerCase() === outcome, `it is not ${outcome} any more`);
        else if (!back) must(this.#status(slot) === "same", `record ${slot.name} answers otherwise after a change`);
      }
      if (outcome === "one copy") must(talk.ask(Command.Info).get(Key.CustodyCopies) === 2, "custody was not mended");
      this.#boot();
    }
  }

  /** Nothing but one journal place was written, and not the damaged record itself. */
  #onlyJournal(one: Harm): void {
    const { device, scene } = this;
    const at = (offset: number): boolean => offset < one.offset + one.length && one.offset < offset + DATA_UNIT;
    const places = new Set<number>();
    const old = scene.media.data;
    for (let offset = 0; offset < device.data.size; offset += DATA_UNIT) {
      const wasErased = old.states[offset / DATA_UNIT] === 0;
      const same = device.data.bytes.compare(old.bytes, offset, offset + DATA_UNIT, offset, offset + DATA_UNIT) === 0;
      if (same || (wasErased && device.data.stateAt(offset) === 0) || (one.medium === "data" && at(offset))) continue;
      const inJournal = offset >= JOURNAL_OFFSET && offset < JOURNAL_OFFSET + JOURNAL_SIZE;
      must(inJournal, `data flash was written at ${offset}, outside the journal`);
      places.add(Math.floor((offset - JOURNAL_OFFSET) / JOURNAL_PLACE));
    }
    must(places.size <= 1, `journal places ${[...places]} were written`);
    const from = device.slotsOffset;
    const slots = Buffer.from(device.slots.bytes.subarray(from));
    const expected = Buffer.from(scene.media.slots.bytes.subarray(from));
    if (one.medium === "slots") slots.copy(expected, one.offset, one.offset, one.offset + one.length);
    must(slots.equals(expected), "the slot region was written");
  }

  /** The damage is taken back: everything is as before. */
  #taken(outcome: Outcome): void {
    this.#undo?.();
    this.#undo = undefined;
    this.#boot();
    const shown = look(this.#talk);
    must(shown.state === State.Ready, `taken back, the store is ${State[shown.state]}`);
    const { list, operators } = this.scene.shown;
    const same = shown.list.equals(list) && shown.operators.equals(operators);
    // after a mount that went back and wrote that down there are two histories, and the longer one counts
    must(
      same || outcome === "one change back" || outcome === "degraded, one change back",
      "taken back, the store is another one",
    );
  }
}

/** A list of operators without the counts of refused handshakes. */
function uncounted(list: Message): Message {
  for (const one of list.get(Key.Operators) as Message[]) one.delete(Key.Refusals);
  return list;
}

const entriesOf = (list: Uint8Array): Message[] => decodeAnswer(list).get(Key.Entries) as Message[];

function sameValue(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((one, i) => sameValue(one, b[i]));
  if (a instanceof Map && b instanceof Map)
    return a.size === b.size && [...a].every(([key, value]) => b.has(key) && sameValue(value, b.get(key)));
  return a === b;
}
