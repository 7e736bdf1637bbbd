/** Room: capacity and live, as info tells them, say exactly how many puts a class still takes, whatever happened before. SPEC.md §3. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { PowerCut, type Tear, tears } from "../../board/virtual/supply.js";
import { Key, State } from "../../firmware/defs/wire.js";
import type { Message } from "../../host/client/message.js";
import { type Bench, engineTargets, repeat, seed, type Target, targets } from "../targets.js";
import {
  body,
  evict,
  get,
  handle,
  handles,
  hex,
  info,
  list,
  put,
  ready,
  relabel,
  replace,
  says,
  state,
} from "./help.js";

console.log(`room: ${repeat}`);

/** Four slots a block, three of them for records; and two a block, five for records. */
const CLASSES = [
  { units: 64, blocks: 2 },
  { units: 100, blocks: 4 },
];

/** What info says that each class still takes. */
function room(target: Target): number[] {
  const classes = info(target).get(Key.Classes) as Message[];
  return classes.map((one) => (one.get(Key.Capacity) as number) - (one.get(Key.Live) as number));
}

/** Puts into a class, or into any, until one is refused. @returns how many were taken, and the refusal */
function fill(target: Target, slotClass?: number): [number, string] {
  for (let taken = 0; ; taken++) {
    const said = says(put(target, { slotClass, body: body(20) }));
    if (said !== "Ok") return [taken, said];
  }
}

/** Fills both classes: each takes what info told before, and then nothing; of records there are as many as before and so many more. */
function expectExact(target: Target, what: string): void {
  const told = room(target);
  const live = list(target).length;
  const taken = CLASSES.map((_, slotClass) => fill(target, slotClass));
  expect(taken, what).toEqual(told.map((puts) => [puts, "ClassFull"]));
  expect([room(target), list(target).length], what).toEqual([[0, 0], live + told[0]! + told[1]!]);
  expect(fill(target), what).toEqual([0, "StoreFull"]);
}

const counts = [0, 1, 2, 3].flatMap((small) => [0, 2, 4, 5].map((large): [number, number] => [small, large]));

describe.each(targets)("the room that info tells on $name", (kind) => {
  const slow = "slow" in kind && kind.slow;
  it.each(slow ? [counts[6]!] : counts)("is what is taken: %i records in one class, %i in the other", (...records) => {
    const target = ready(kind, CLASSES);
    records.forEach((n, slotClass) => {
      for (let i = 0; i < n; i++) handle(put(target, { slotClass }));
    });
    expect(room(target)).toEqual([3 - records[0], 5 - records[1]]);
    expectExact(target, "filled");
    target.close();
  });

  it("is the sum of all classes for a put that names none", () => {
    const target = ready(kind, CLASSES);
    put(target, { slotClass: 1 });
    expect(room(target)).toEqual([3, 4]);
    expect(fill(target)).toEqual([7, "StoreFull"]);
    target.close();
  });

  it("leaves a full class one slot for changes: every record can be replaced and relabelled, any number of times", () => {
    const target = ready(kind, CLASSES);
    fill(target);
    const made = list(target).map((entry) => entry.get(Key.Handle) as Uint8Array);
    for (let round = 0; round < (slow ? 1 : 5); round++) {
      for (const one of made) {
        expect(says(replace(target, one, body(30)))).toBe("Ok");
        expect(says(relabel(target, one, `round ${round}`))).toBe("Ok");
        if (!slow) expect(room(target)).toEqual([0, 0]);
      }
    }
    expect(fill(target)).toEqual([0, "StoreFull"]);
    target.close();
  });

  it("is exact at any moment of a random life: puts, replaces, evicts, destroys, power cycles", () => {
    const random = seeded(seed);
    const target = ready(kind, CLASSES);
    const some = () => list(target).map((entry) => entry.get(Key.Handle) as Uint8Array);
    for (let round = 0; round < (slow ? 1 : Math.ceil(60 * kind.share)); round++) {
      for (let change = random() % (slow ? 6 : 30); change > 0; change--) {
        const made = some();
        const one = made[random() % Math.max(1, made.length)];
        const what = random() % 8;
        if (what < 3 || one === undefined) put(target, { slotClass: random() % 2 });
        else if (what < 5) handle(replace(target, one, body(20 + (random() % 200))));
        else if (what < 7) evict(target, one, what === 6);
        else target.boot();
      }
      expectExact(target, `${repeat}, round ${round}`);
      for (const one of some()) if (random() % 3 > 0) evict(target, one, random() % 4 === 0);
    }
    target.close();
  });
});

/** What is cut. */
const CHANGES: [string, (target: Bench, one: Uint8Array, slotClass: number) => void][] = [
  ["a put", (target, _one, slotClass) => put(target, { slotClass })],
  ["a replace", (target, one) => replace(target, one)],
  ["an evict", (target, one) => evict(target, one)],
  ["a destroy", (target, one) => evict(target, one, true)],
];
const TEARS: [string, { tear: Tear; marginal?: boolean }][] = [
  ["nothing", { tear: tears.none }],
  ["all", { tear: tears.all }],
  ["half", { tear: tears.half }],
  ["half, marginal", { tear: tears.half, marginal: true }],
];
const CUTS = CHANGES.flatMap(([name, change]) => [0, 1].map((slotClass) => [name, slotClass, change] as const));

describe.each(engineTargets)("the room that info tells on $name after a power cut", (kind) => {
  const stride = kind.share < 1 ? 7 : 1;
  it.each(CUTS)(`in %s to class %i is exact, at one in ${stride} of its operations`, (name, slotClass, change) => {
    const target = ready(kind, CLASSES);
    const { slots, data, supply } = target.device;
    const named = handle(put(target, { slotClass, body: body(40) }));
    for (const other of [0, 1]) handle(put(target, { slotClass: other }));
    // until the next change has to erase a block: then cuts soil slots as well as whole blocks
    const wanted = (): number => {
      const [before, old] = [slots.totalErases, [slots.snapshot(), data.snapshot()] as const];
      put(target, { slotClass });
      const erases = slots.totalErases - before;
      slots.restore(old[0]);
      data.restore(old[1]);
      target.boot();
      return erases;
    };
    while (wanted() === 0) replace(target, named);
    const [oldSlots, oldData] = [slots.snapshot(), data.snapshot()];
    const live = list(target).length;
    let [cuts, over] = [0, false];
    for (let operation = 0; !over; operation += stride) {
      const [torn, plan] = TEARS[operation % TEARS.length]!;
      const at = `${name} to class ${slotClass} cut at operation ${operation}, torn: ${torn}`;
      slots.restore(oldSlots);
      data.restore(oldData);
      target.boot();
      info(target); // in a session, so that the cut falls into the change
      supply.arm({ operation, ...plan });
      try {
        change(target, named, slotClass);
        over = true;
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error;
        cuts++;
      }
      supply.disarm();
      target.boot();
      expect(Math.abs(list(target).length - live), at).toBeLessThanOrEqual(1);
      expectExact(target, at);
      const [first] = handles(list(target));
      expect(says(replace(target, Buffer.from(first!, "hex"), body(60))), at).toBe("Ok");
      expect(hex(get(target, Buffer.from(first!, "hex")).get(Key.Body)).length, at).toBe(120);
      expect([state(target), room(target)], at).toEqual([State.Ready, [0, 0]]);
    }
    expect(cuts).toBeGreaterThan(50 / stride);
    target.close();
  });
});
