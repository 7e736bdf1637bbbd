/** Provisioning that is cut more than once: at every later boot the device is blank or provisioned, the same each time, and can be
 *  provisioned. DESIGN.md §3.3. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { type CutPlan, PowerCut, tears } from "../../board/virtual/supply.js";
import { JOURNAL_PLACE } from "../../firmware/defs/journal.js";
import { DATA_UNIT, JOURNAL_OFFSET, JOURNAL_SIZE } from "../../firmware/defs/medium.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { V8Device } from "../device/v8.js";
import { operationsAt } from "../store/help.js";
import { Bench, repeat, seed } from "../targets.js";
import { load } from "../torture/film.js";
import { torture } from "../torture/sweep.js";
import { scene } from "./changes.js";
import { putOne } from "./look.js";

console.log(`provisioning cut again and again: ${repeat}`);
const random = seeded(seed);
const target = new Bench(new V8Device(seed));
const { device, talk } = target;
const { first, provision, store, put, cutAt } = scene(device, random);
const below = (n: number): number => (random() >>> 8) % n;

const begin = (): void => provision(talk);
const boot = (): void => target.boot();
const state = (): State => talk.ask(Command.Hello).get(Key.State) as State;

/** @returns whether `act` came to its end before the cut */
function cut(plan: CutPlan, act: () => void): boolean {
  device.supply.arm(plan);
  try {
    act();
    return true;
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
    return false;
  } finally {
    device.supply.disarm();
  }
}

function somewhere(operations: number): CutPlan {
  const tear = [tears.none, tears.half, tears.all, tears.random(random)][below(4)]!;
  const cells = [{}, { marginal: true }, { unreadable: true }][below(3)];
  return { operation: below(operations), tear, ...cells };
}

/** @throws when a boot shows anything but blank or provisioned, or not what the boot before it showed, or nothing can be stored */
function settle(where: string): void {
  const shown = [0, 1, 2].map(() => {
    boot();
    return state();
  });
  expect([State.Blank, State.Provisioning], `${where}: ${State[shown[0]!]}`).toContain(shown[0]);
  expect(new Set(shown).size, `${where}: ${shown.map((one) => State[one])}`).toBe(1);
  begin();
  putOne(talk, random);
  boot();
  expect(talk.ask(Command.List).get(Key.Entries), where).toHaveLength(1);
}

describe("provisioning", () => {
  it("survives any three cuts: of itself, of the boot that follows, and of another try", () => {
    const operations = 130; // up to and into the journal's first records
    for (let i = 0; i < 1000; i++) {
      load(device, first);
      boot();
      const plans = [somewhere(operations), somewhere(operations), somewhere(operations)];
      const where = `try ${i}, cut at operations ${plans.map((plan) => plan.operation)}`;
      cut(plans[0]!, begin);
      for (const plan of plans.slice(1)) {
        const again = (): void => {
          boot();
          begin();
        };
        if (cut(plan, again)) break;
      }
      settle(where);
    }
  });

  it("is as safe over the remains of one that was cut", () => {
    for (const operation of [1, 3, 6, 9, 12, 30, 47, 60, 75, 82, 100, 125, 129]) {
      const state = () => cutAt(operation, provision);
      const name = `provision, after a cut at operation ${operation}`;
      const options = { seed, every: 20, singles: 1, subsets: 1, nestedEvery: 0, putEvery: 1 };
      expect(torture(device, { name, state, change: provision }, options).torn).toBeGreaterThan(0);
    }
  });

  it("leaves CustodyDamaged behind, not blank, when the journal is erased under an intact root", () => {
    load(device, store(put(20)));
    device.data.preloadErased(JOURNAL_OFFSET, JOURNAL_SIZE);
    boot();
    expect(state()).toBe(State.CustodyDamaged);
  });

  it("survives a first record that reads differently at each boot, and whose repair is cut", () => {
    load(device, first);
    const written = operationsAt(target, device.data, JOURNAL_OFFSET, JOURNAL_PLACE, begin);
    expect(written.length).toBeGreaterThanOrEqual(JOURNAL_PLACE / DATA_UNIT);
    // the end of the body, the settled word, and the erase of the next place
    for (const operation of [-3, -2, -1, 0].map((back) => written.at(-1)! + back + 1)) {
      for (let second = below(3); second < 60; second += 3) {
        load(device, first);
        boot();
        expect(cut({ operation, tear: tears.all, marginal: true }, begin)).toBe(false);
        cut({ operation: second, tear: tears.half }, boot);
        settle(`cut at operation ${operation}, and at ${second} of the next boot`);
      }
    }
  });
});
