/** What damage, cuts and failing flash do together; each of them alone is in the other files here and in test/cuts. Every story is one in
 *  which two or three misfortunes broke a promise of DESIGN.md §3 once. In V8 alone: the store does not know what runs it. */
import { expect, it } from "vitest";
import { type CutPlan, PowerCut, tears } from "../../board/virtual/supply.js";
import { CUSTODY_PLACE } from "../../firmware/defs/custody.js";
import * as journal from "../../firmware/defs/journal.js";
import { DATA_BLOCK, DATA_UNIT, JOURNAL_OFFSET, JOURNAL_SIZE, RESET_OFFSET } from "../../firmware/defs/medium.js";
import { Role } from "../../firmware/defs/session.js";
import { HEADER_OFF_MAC } from "../../firmware/defs/slot.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { changeData, changeSlots, flip, keys, newestPlace, placesOf } from "../store/damage.js";
import * as help from "../store/help.js";
import { type Bench, repeat } from "../targets.js";
import { restore, save } from "./scene.js";

console.log(`damage, cuts and failing flash: ${repeat}`);

const { evict, info, put, QUICK, says } = help;
const { BODY_OFF_LIVE, BODY_OFF_SETTLED, INTENT_OFF_CHECK, INTENT_SIZE, JOURNAL_PLACE, JOURNAL_PLACES } = journal;
const LATE = Buffer.alloc(32, 7);
const at = (place: number): number => JOURNAL_OFFSET + place * JOURNAL_PLACE;
const newest = (target: Bench): number => at(newestPlace(target.device));
/** Whether power fails at an operation: a unit programmed, or a block erased. */
type Picks = (offset: number, programs: boolean) => boolean;
const first: Picks = () => true;
const firstUnit: Picks = (_, programs) => programs;
const isUnit = (offset: number, unit: number): boolean =>
  offset >= at(0) && offset < at(JOURNAL_PLACES) && (offset - at(0)) % JOURNAL_PLACE === unit;
const bodyBegins: Picks = (offset, programs) => programs && isUnit(offset, INTENT_SIZE);
const bodyEnds: Picks = (offset, programs) => programs && isUnit(offset, BODY_OFF_SETTLED - DATA_UNIT);
const resetAnnounced: Picks = (offset, programs) => programs && offset === RESET_OFFSET + INTENT_SIZE - DATA_UNIT;
const custodyEnds: Picks = (offset, programs) => programs && offset === CUSTODY_PLACE - DATA_UNIT;
type How = Omit<CutPlan, "operation">;
const MARGINAL: How = { tear: tears.all, marginal: true };
const HALF: How = { tear: tears.half };

/** Does something, and cuts power at the first operation of it that is picked. @returns whether it came to that */
function cut({ device }: Bench, picks: Picks, how: How, act: () => unknown, medium = device.data): boolean {
  medium.begun = ({ offset, bytes }) => {
    if (picks(offset, bytes !== undefined)) device.supply.arm({ operation: 0, ...how });
  };
  try {
    act();
    return false;
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
    return true;
  } finally {
    medium.begun = undefined;
  }
}

const shown = (target: Bench): string | undefined => State[help.state(target)];
function boot(target: Bench): string | undefined {
  target.boot();
  return shown(target);
}
/** The different states that four power-ups show. */
const boots = (target: Bench): unknown[] => [...new Set([1, 2, 3, 4].map(() => boot(target)))];
const reset = (target: Bench): string => says(target.ask(Command.Reset));

/** A story in which chance has a part, told often from the same media. `tell` answers whether the round met what it is about. */
function tellOften(target: Bench, tell: () => boolean): void {
  const media = save(target.device);
  const met = Array.from({ length: 40 }, () => {
    restore(target.device, media);
    target.boot();
    return tell();
  });
  expect(met.filter(Boolean).length).toBeGreaterThan(0);
}

/** A store with a record, and an operator whose key was not used yet; in its second power-up. */
function store(): Bench {
  const target = help.ready(QUICK, help.SMALL);
  expect(says(put(target))).toBe("Ok");
  help.addOperator(target, "late", Role.User, LATE);
  expect(boot(target)).toBe("Ready");
  return target;
}
const record = (target: Bench): Uint8Array => help.list(target)[0]!.get(Key.Handle) as Uint8Array;

/** A store whose last put stands in the slots, and in a journal record that lost some of its bytes. */
function robbed(from = 0, length = JOURNAL_PLACE): Bench {
  const target = store();
  expect(says(put(target))).toBe("Ok");
  changeData(target.device, newest(target) + from, (bytes) => bytes.fill(0), length);
  expect(boot(target)).toBe("Degraded");
  return target;
}

/** A store whose last put was cut, so that mount has something to write, and cannot: no block of the journal can be erased. */
function worn(): Bench {
  const target = store();
  expect(cut(target, bodyBegins, HALF, () => put(target))).toBe(true);
  stickJournal(target);
  expect(boot(target)).toBe("ReadOnly");
  return target;
}
function stickJournal({ device }: Bench, erase = true): void {
  for (let block = 0; block < JOURNAL_SIZE; block += DATA_BLOCK) device.data.stick(JOURNAL_OFFSET + block, { erase });
}

/** A reset in a store whose journal cannot be erased, until it can. */
function losesRoot(target: Bench): void {
  const key = Buffer.from(keys(target.device)[0]!.key); // the root
  const { bytes } = target.device.data;
  expect([bytes.includes(key), reset(target), bytes.includes(key)]).toEqual([true, "MediumFailed", false]);
  expect(boots(target)).toEqual(["CustodyDamaged"]);
  stickJournal(target, false);
  expect(boots(target)).toEqual(["Blank"]);
}

it.each([
  ["is damaged", BODY_OFF_LIVE, DATA_UNIT],
  ["is gone", 0, JOURNAL_PLACE],
])("the first use of a pending key does not hide that the newest journal record %s", (_, from, length) => {
  const target = robbed(from, length);
  expect([target.admit("late", LATE), shown(target), boot(target)]).toEqual([Status.Ok, "Degraded", "Degraded"]);
});

it.each(["Accept", "Reset"] as const)("%s of a degraded store, cut behind its intent, has accepted nothing", (name) => {
  const target = robbed();
  expect(cut(target, bodyBegins, { tear: tears.none }, () => target.ask(Command[name]))).toBe(true);
  expect([boot(target), info(target).get(Key.Accepted)]).toEqual(["Degraded", 0]);
});

it("a put after the loss was accepted programs nothing that is not erased", () => {
  const target = robbed();
  // the medium throws at a unit that is not
  expect([says(target.ask(Command.Accept)), shown(target), says(put(target))]).toEqual(["Ok", "Ready", "Ok"]);
});

it("a flipped bit brings no evicted record back where the journal went round a bad place", () => {
  const target = store();
  const bad = (newestPlace(target.device) + 1) % JOURNAL_PLACES;
  target.device.data.stick(at(bad + 1) - DATA_BLOCK, { erase: true });
  expect(says(evict(target, record(target)))).toBe("Ok");
  expect(newestPlace(target.device)).toBe((bad + 1) % JOURNAL_PLACES);
  changeData(target.device, newest(target) + INTENT_OFF_CHECK, flip);
  expect([boot(target), help.list(target)]).toEqual(["Ready", []]);
});

it("a read-only store whose reset was cut is never ready again, though its flash works again", () => {
  const target = worn();
  tellOften(target, () => {
    expect(cut(target, resetAnnounced, MARGINAL, () => reset(target))).toBe(true);
    stickJournal(target, false);
    const seen = boots(target);
    for (const state of seen) expect(["Blank", "CustodyDamaged"]).toContain(state);
    if (shown(target) !== "Blank") expect(reset(target)).toBe("Ok");
    expect(boot(target)).toBe("Blank");
    stickJournal(target);
    return seen.length > 1; // the announcement read well later than at once
  });
});

it("a reset that is cut three times ends in a blank device", () => {
  const target = store();
  tellOften(target, () => {
    expect(cut(target, resetAnnounced, MARGINAL, () => reset(target))).toBe(true);
    const isHalf: Picks = (offset, programs) => !programs && offset === at(JOURNAL_PLACES / 2);
    expect(cut(target, isHalf, HALF, () => target.boot())).toBe(true); // the root is gone
    const met = cut(target, first, MARGINAL, () => target.boot());
    expect(boots(target)).toEqual(["Blank"]);
    return met;
  });
});

it("a degraded store whose journal cannot be written can be reset: its root is erased, and the rest when that works", () => {
  const target = worn();
  changeSlots(target.device, placesOf(target.device, record(target))[0]! + HEADER_OFF_MAC, flip);
  expect([boot(target), says(target.ask(Command.Accept))]).toEqual(["Degraded", "ReadOnly"]);
  losesRoot(target);
});

it("a ready store whose journal cannot be erased answers reset with MediumFailed, its root is erased, and it is never ready again", () => {
  const target = store();
  stickJournal(target);
  losesRoot(target);
});

it.each([
  ["while it writes custody", custodyEnds, first, [["Blank"]]],
  ["in its first journal record", bodyEnds, bodyEnds, [["Blank"], ["Provisioning"]]],
])("a provisioning that is cut %s, and so is the mount after it, is over once and for all", (_, one, two, ends) => {
  const target = QUICK.make();
  tellOften(target, () => {
    expect(cut(target, one, MARGINAL, () => help.begin(target))).toBe(true);
    const met = cut(target, two, MARGINAL, () => target.boot());
    expect(ends).toContainEqual(boots(target));
    return met;
  });
});

it.each(["before", "while"])("a provisioning cut again %s it erases the old announcement leaves it blank", (when) => {
  const target = QUICK.make();
  tellOften(target, () => {
    expect(cut(target, bodyEnds, MARGINAL, () => help.begin(target))).toBe(true);
    const isRepaired = cut(target, first, HALF, () => target.boot());
    if (boot(target) !== "Blank") return false;
    const isLast: Picks = (offset, programs) => !programs && offset === at(JOURNAL_PLACES - 1);
    expect(cut(target, isLast, when === "while" ? HALF : { tear: "before" }, () => help.begin(target))).toBe(true);
    expect(boots(target)).toEqual(["Blank"]);
    return isRepaired;
  });
});

it("a slot that a cut put began to write is not free, though a bit flips in the record that says so", () => {
  const target = store();
  expect(cut(target, firstUnit, HALF, () => put(target), target.device.slots)).toBe(true);
  expect(boot(target)).toBe("Ready"); // the record that says so is written
  const told = newest(target);
  expect(cut(target, firstUnit, { tear: "before" }, () => put(target))).toBe(true);
  changeData(target.device, told + INTENT_OFF_CHECK, flip);
  expect([boot(target), says(put(target))]).toEqual(["Ready", "Ok"]);
});
