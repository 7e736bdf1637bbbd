/** A block is erased in advance, and nobody asked for it: one of its flash operations fails with power on, or the core traps in it. Nobody may be
 *  told anything else than before, then or at the next boot, and the store takes records. Power cuts: test/torture. DESIGN.md §4. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { DATA_BLOCK, JOURNAL_OFFSET, JOURNAL_SIZE, SLOT_BLOCK } from "../../firmware/defs/medium.js";
import { QUIET_MS } from "../../firmware/defs/session.js";
import { TrapError } from "../device/device.js";
import { Talk } from "../device/talk.js";
import { V8Device } from "../device/v8.js";
import { repeat, seed } from "../targets.js";
import { load, type Media as Saved, save } from "../torture/film.js";
import { scene } from "./changes.js";
import { type Change, failures, look, putOne } from "./look.js";

console.log(`failing flash while nobody asks: ${repeat}`);
const random = seeded(seed);
const device = new V8Device(seed);
const talk = new Talk(device);
const { store, storeOf, provisionAs, put, evict, replace } = scene(device, random);

const MODES = failures(random);
const QUIET = QUIET_MS + 100;
const TRAP = 1;

function boot(trapCode = 0): void {
  device.boot(0, trapCode);
  talk.reset();
}

/** The state after a change, which has been answered; power stays on. */
function changed(saved: Saved, change: Change): string {
  load(device, saved);
  boot();
  change(talk);
  return look(talk);
}

/** Operations of the erase in advance that follows a change. */
function operationsAfter(saved: Saved, change: Change): number {
  changed(saved, change);
  const start = device.supply.operations;
  device.wait(QUIET);
  return device.supply.operations - start;
}

const records = [put(20, "a"), put(30, "b"), put(40, "c")];
const twoClasses = provisionAs({ units: 86, blocks: 3 }, { units: 100, blocks: 2 });
const cases: [string, Saved, Change][] = [
  ["the first change", store(), put(300, "first")],
  ["a change that reclaimed", store(...records, evict(0), put(60), evict(1)), put(70)],
  ["a replace in the last free slot", store(...records), replace(0, 40)],
  ["an evict that empties a second block", store(put(20, "a"), put(30, "b"), put(40, "c"), replace(2, 60)), evict(2)],
  ["changes in two classes", storeOf(twoClasses, put(20, "a", 0), put(30, "b", 1)), replace(1, 60)],
];

describe("an erase in advance of which one flash operation fails is noticed by nobody", () => {
  it.each(cases)("after %s", (_name, saved, change) => {
    const operations = operationsAfter(saved, change);
    expect(operations).toBeGreaterThan(4);
    let cases = 0;
    for (let operation = 0; operation < operations; operation++) {
      for (const [mode, plan] of Object.entries(MODES)) {
        const before = changed(saved, change);
        device.supply.arm({ ...plan, operation, powered: true });
        expect(device.wait(QUIET)).toHaveLength(0);
        const where = `operation ${operation} of ${operations}, ${mode}`;
        expect(device.supply.armed, where).toBe(false);
        const media = save(device);
        expect(look(talk), where).toBe(before);
        if (operation % 3 === 0) putOne(talk, random); // in the same power-up
        load(device, media);
        for (let n = 0; n < 2; n++) {
          boot();
          expect(look(talk), `${where}, boot ${n}`).toBe(before);
        }
        putOne(talk, random);
        cases++;
      }
    }
    console.log(`${cases} cases over ${operations} operations`);
  });
});

describe("a medium that stays broken", () => {
  it("is tried once after each change: a block that cannot be erased any longer keeps nobody busy", () => {
    const blocks = Array.from({ length: 3 }, (_, block) => device.slotsOffset + block * SLOT_BLOCK);
    const before = changed(store(put(20)), put(30));
    for (const block of blocks) device.slots.stick(block, { erase: true });
    const { supply } = device;
    device.wait(QUIET);
    const after = supply.operations;
    device.wait(60_000);
    expect(supply.operations).toBe(after);
    expect(look(talk)).toBe(before);
    evict(0)(talk);
    device.wait(60_000);
    expect(supply.operations).toBeGreaterThan(after);
    for (const block of blocks) device.slots.stick(block, { erase: false });
    putOne(talk, random);
  });

  it("a journal that fails altogether leaves what was answered, and at the next boot the same", () => {
    const before = changed(store(put(20)), put(30));
    const stick = (erase: boolean) => {
      for (let at = 0; at < JOURNAL_SIZE; at += DATA_BLOCK) device.data.stick(JOURNAL_OFFSET + at, { erase });
    };
    stick(true);
    const erases = device.slots.totalErases;
    device.wait(60_000);
    expect(device.slots.totalErases).toBe(erases); // no intent, no erase
    expect(look(talk)).toBe(before);
    stick(false);
    boot();
    expect(look(talk)).toBe(before);
    putOne(talk, random);
  });
});

describe("a trap in an erase in advance", () => {
  it.each(["erase", "program"] as const)(
    "at any %s leaves what was answered, and does not come again by itself",
    (name) => {
      const [, saved, change] = cases[1]!;
      const { board } = device;
      const real = board[name] as (...arguments_: number[]) => number;
      let left = -1;
      const planted = (...arguments_: number[]): number => {
        if (left >= 0 && left-- === 0) throw new WebAssembly.RuntimeError("planted");
        return real(...arguments_);
      };
      Object.assign(board, { [name]: planted });
      try {
        for (let n = 0; ; n++) {
          const before = changed(saved, change);
          left = n;
          let trapped = false;
          try {
            device.wait(QUIET);
          } catch (error) {
            if (!(error instanceof TrapError)) throw error;
            trapped = true;
          }
          left = -1;
          if (!trapped) {
            expect(n).toBeGreaterThan(2);
            break;
          }
          boot(TRAP);
          expect(look(talk), `${name} ${n}`).toBe(before);
          const { operations } = device.supply;
          device.wait(60_000);
          expect(device.supply.operations).toBe(operations); // not one change since the restart
          putOne(talk, random);
        }
      } finally {
        Object.assign(board, { [name]: real });
      }
    },
  );
});
