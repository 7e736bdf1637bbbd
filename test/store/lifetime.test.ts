/** Lifetimes: what `npm run wear` does for whole lives, here with few small blocks, and near their end. DESIGN.md §4. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { BODY_OFF_ERASES } from "../../firmware/defs/journal.js";
import { SLOT_CYCLES } from "../../firmware/defs/medium.js";
import { type Life, type LifeOptions, live } from "../../scripts/wear/life.js";
import { LOADS, type LoadName } from "../../scripts/wear/loads.js";
import { picture } from "../../scripts/wear/picture.js";
import { type SlotClass, Store } from "../../scripts/wear/store.js";
import { faults, JUDGED_FROM, MAX_TO_MEAN } from "../../scripts/wear/verdict.js";
import { engineTargets, seed } from "../targets.js";
import { forgeJournal } from "./damage.js";
import { evict, handle, put, ready } from "./help.js";

console.log(`lifetimes: repeat with MBS_SEED=${seed}`);

/** Nine records in six blocks of two slots: enough blocks for some to lie still, so that one hot record wears the others out alone unless
 *  cold blocks are moved. */
const SIX: SlotClass = { units: 128, blocks: 6 };
/** Seven records in two blocks. */
const TWO: SlotClass = { units: 32, blocks: 2 };
const PERIOD = 250;
const WEAR_SPREAD = 256; // firmware/store/space.ts

function life(load: LoadName, slotClass: SlotClass, options: Partial<LifeOptions>, make = Store): Life {
  const store = new make(slotClass, seeded(seed));
  const result = live(store, LOADS[load], { rated: JUDGED_FROM, period: PERIOD, ...options });
  store.close();
  return result;
}

const loads = Object.keys(LOADS) as LoadName[];

describe.each(loads)("a life under the load %s", (load) => {
  it("loses no record and wears blocks evenly", () => {
    const lived = life(load, SIX, { rated: JUDGED_FROM });
    expect(lived.worn).toBe(true);
    expect(lived.changes).toBeGreaterThan(1000);
    expect(lived.cuts).toBeGreaterThan(0);
    expect(lived.erases.most - lived.erases.least, lived.erases.each.join(" ")).toBeLessThanOrEqual(JUDGED_FROM / 3);
    expect(lived.erases.maxToMean).toBeLessThanOrEqual(MAX_TO_MEAN);
    expect(lived.journal.maxToMean).toBeLessThan(1.1);
  });

  it("takes at least as many puts as info promises at any time, to the end of the rated cycles", () => {
    const store = new Store(SIX, seeded(seed));
    const left = 600; // erases that each block still has
    forgeJournal(store.device, 256 / SIX.units, (record) => {
      for (let block = 0; block < SIX.blocks; block++)
        record.writeUInt16LE(SLOT_CYCLES - left, BODY_OFF_ERASES + 2 * block);
    });
    store.powerCycle();
    const { promise, cuts, worn } = live(store, LOADS[load], { rated: left, period: PERIOD });
    const told = store.told();
    store.close();
    expect(worn).toBe(true);
    expect(promise.looks).toBeGreaterThan(4);
    expect(promise.atStart).toBeGreaterThan(SIX.blocks * left * 0.5);
    expect(promise.kept, JSON.stringify(promise)).toBe(true);
    // an erase that power cut before it began may be counted, none is forgotten
    expect(told.mostErases).toBeGreaterThanOrEqual(SLOT_CYCLES);
    expect(told.mostErases).toBeLessThanOrEqual(SLOT_CYCLES + cuts);
  });
});

describe("a life", () => {
  it("is the same for the same seed", () => {
    const [one, other] = [1, 2].map(() => life("full", TWO, { changes: 600 }));
    expect(one).toEqual(other);
  });

  it("finds a store that loses one change in 500", () => {
    let n = 0;
    class Forgetful extends Store {
      override replace(handle: Uint8Array, body: Uint8Array): void {
        if (++n % 500 !== 0) super.replace(handle, body);
      }
    }
    expect(() => life("hot", SIX, {}, Forgetful)).toThrow("a record is not what was stored");
  });

  it("finds a store that keeps what was evicted", () => {
    let n = 0;
    class Hoarding extends Store {
      override evict(handle: Uint8Array): void {
        if (++n % 100 !== 0) super.evict(handle);
      }
    }
    expect(() => life("half", SIX, {}, Hoarding)).toThrow("records are there");
  });
});

describe("puts that are destroyed again", () => {
  it.each([
    ["an empty store", 0],
    ["a half-full one", 4],
    ["a nearly full one", 8],
  ])("wear all blocks of %s", (_what, kept) => {
    const target = ready(engineTargets[0]!, [SIX]);
    for (let i = 0; i < kept; i++) put(target);
    for (let i = 0; i < 2400; i++) evict(target, handle(put(target)), true);
    const erases = target.device.slots.wear.slice(0, SIX.blocks).map((block) => block.erases);
    expect(Math.max(...erases) - Math.min(...erases), erases.join(" ")).toBeLessThanOrEqual(WEAR_SPREAD + 2);
    target.close();
  });
});

describe("the verdict on a life", () => {
  const young = life("hot", TWO, { changes: 300 });

  it("has no fault to find in one that went well", () => {
    expect(faults(young)).toEqual([]);
  });

  it("names blocks that wore unevenly, once they are old enough for that to mean something", () => {
    const uneven = { each: [1000, 0], least: 0, mean: 500, most: 1000, maxToMean: 2, perChange: 1 };
    expect(faults({ ...young, erases: uneven })).toEqual(["erases of blocks: most ÷ mean is 2.00, the limit is 1.5"]);
    expect(faults({ ...young, erases: { ...uneven, most: JUDGED_FROM - 1 } })).toEqual([]);
  });

  it("names a broken promise", () => {
    const promise = { ...young.promise, reached: 99, kept: false };
    expect(faults({ ...young, promise })).toEqual(['"puts left" promised more than the 99 that were reached']);
  });
});

describe("the picture of a life", () => {
  it("has one bar a block, as high as its erases, text for both colour schemes and nothing from elsewhere", () => {
    const erases = { each: [10_000, 5000, 0], least: 0, mean: 5000, most: 10_000, maxToMean: 2, perChange: 1 };
    const svg = picture("a <load>", { ...life("hot", TWO, { changes: 1 }), erases }, 10_000);
    const heights = [...svg.matchAll(/class="bar".* height="([\d.]+)"/g)].map((match) => Number(match[1]));
    expect(heights).toEqual([174.1, 87, 0]);
    expect(svg).toContain("a &lt;load&gt;");
    expect(svg).toContain("prefers-color-scheme: dark");
    expect(svg).not.toMatch(/<script|href|url\(|@font-face|@import/);
  });
});
