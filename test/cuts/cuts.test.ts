/** Power cuts at every flash operation of every change, on the core in V8. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { tears } from "../../board/virtual/supply.js";
import { JOURNAL_OFFSET, JOURNAL_SIZE } from "../../firmware/defs/medium.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { Talk } from "../device/talk.js";
import { V8Device } from "../device/v8.js";
import { repeat, seed } from "../targets.js";
import { scene } from "./changes.js";
import { allTears, type Change, load, report, type Saved, sweep } from "./sweep.js";

console.log(`power cuts: ${repeat}`);
const random = seeded(seed);
const device = new V8Device(seed);
const { store, provision, put, evict, replace, relabel, policy, generate, attach, operator, use, ...more } = scene(
  device,
  random,
);
const { finish, epoch, first, cutAt } = more;
const admin = [operator("admin"), use("admin")];

describe("a cut change is as if it had never begun, or as if it had ended", () => {
  const records = [put(20, "a"), put(30, "b"), put(40, "c")];
  // name, state, change, slot blocks that the uncut change erases, journal records that it writes
  const cases: [string, Saved, Change, number, number][] = [
    ["the first put", store(), put(300, "first"), 1, 2],
    ["a put into a used block", store(put(20)), put(500, "second"), 0, 1],
    ["a put after a finished provisioning", store(put(20), ...admin, finish), put(50), 0, 1],
    ["a put that reclaims", store(...records, evict(0), put(60), evict(1)), put(70), 1, 2],
    [
      "a put that reclaims into an erased spare",
      store(...records, evict(0, true), put(50), evict(0), put(60), evict(1)),
      put(70),
      0,
      2,
    ],
    ["a replace", store(put(20, "old")), replace(0, 400), 0, 1],
    ["a replace in a full store", store(...records), replace(1, 40), 0, 1],
    ["a replace that reclaims", store(...records, replace(1, 40)), replace(2, 50), 1, 2],
    ["a relabel", store(put(20, "old name")), relabel(0, "new name"), 0, 1],
    ["an evict", store(put(20), put(30)), evict(1), 0, 1],
    ["a destroy", store(...records), evict(0, true), 2, 3],
    ["a destroy of a lone record", store(put(20)), evict(0, true), 1, 2],
    ["a policy", store(put(20)), policy(0, 0), 0, 1],
    ["a weaker policy, with reclaim", store(put(20), policy(0, 2)), policy(0, 1), 1, 2],
    ["a generated key", store(put(20)), generate(1, "signs"), 0, 1],
    ["a chain for a generated key", store(generate(1, "key")), attach(0, 700), 0, 1],
    ["finish", store(put(20), ...admin), finish, 0, 1],
    ["an epoch", store(put(20)), epoch, 0, 1],
  ];
  it.each(cases)("%s", (name, saved, change, erases, journalRecords) => {
    const counts = sweep(device, saved, change, { random, nested: 19 });
    report(name, counts);
    expect(counts.before * counts.after).toBeGreaterThan(0);
    expect([counts.erases, counts.records]).toEqual([erases, journalRecords]);
  });

  it("is told from a change that stops half-way (positive control)", () => {
    const twice: Change = (to) => {
      put(20)(to);
      put(30)(to);
    };
    expect(() => sweep(device, store(), twice, { random, every: 9 })).toThrow(/neither before nor after/);
  });
});

describe("provisioning", () => {
  it("cut anywhere leaves a blank device or a provisioned one, and can be repeated", () => {
    const counts = sweep(device, first, provision, { random, tears: allTears(random).slice(0, 6), every: 7 });
    report("provision", counts);
    expect(counts.before * counts.after).toBeGreaterThan(0);
  });

  it("is as safe over the remains of one that was cut", () => {
    for (const operation of [1, 3, 6, 9, 12, 30, 47, 60, 75, 82, 100, 125, 129]) {
      const remains = cutAt(operation, provision);
      const counts = sweep(device, remains, provision, {
        random,
        tears: [tears.random(random)],
        every: 5,
        from: operation % 5,
      });
      report(`provision, after a cut at operation ${operation}`, counts);
    }
  });

  it("leaves CustodyDamaged behind, not blank, when the journal is erased under an intact root", () => {
    load(device, store(put(20)));
    device.data.preloadErased(JOURNAL_OFFSET, JOURNAL_SIZE);
    device.boot();
    expect(new Talk(device).ask(Command.Hello).get(Key.State)).toBe(State.CustodyDamaged);
  });
});
