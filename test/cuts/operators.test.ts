/** Keys after a power cut at each flash operation of a change of operators: never one that nobody gave, never one that was taken away,
 *  and never without an admin. A factory reset goes on until nothing is left. SPEC.md §11, §12. That a cut change is as before or as
 *  after: test/torture. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { PowerCut, tears } from "../../board/virtual/supply.js";
import { JOURNAL_PLACES } from "../../firmware/defs/journal.js";
import { CUSTODY_SIZE, DATA_BLOCK, JOURNAL_OFFSET, JOURNAL_SIZE } from "../../firmware/defs/medium.js";
import { Role } from "../../firmware/defs/session.js";
import { HEADER_OFF_MAC } from "../../firmware/defs/slot.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { V8Device } from "../device/v8.js";
import { changeSlots, flip, keys, placesOf } from "../store/damage.js";
import * as help from "../store/help.js";
import { Bench, repeat, seed } from "../targets.js";
import { film, load, type Media as Saved, save } from "../torture/film.js";
import { keyOf, scene } from "./changes.js";
import { type Change, putOne } from "./look.js";

console.log(`power cuts of operators: ${repeat}`);
const random = seeded(seed);
const target = new Bench(new V8Device(seed));
const { device, talk } = target;
const { store, put, provision, operator, rotate, remove, use, finish, reset } = scene(device, random);
const admin = [operator("admin"), use("admin")];
const user = [operator("user", Role.User), use("user")];

/** Cuts a change at one operation. @returns whether it was cut */
function cut(operation: number, change: () => void): boolean {
  device.supply.arm({ operation, tear: tears.random(random), marginal: true });
  try {
    change();
    return false;
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
    return true;
  } finally {
    device.supply.disarm();
  }
}

/** From the saved state, cut at each operation in turn. */
function atEach(saved: Saved, change: Change, look: (where: string) => void): void {
  for (let operation = 0; ; operation++) {
    load(device, saved);
    target.boot();
    if (!cut(operation, () => change(talk))) break;
    target.boot();
    look(`cut at operation ${operation}`);
  }
}

describe("keys after a cut", () => {
  const works = (id: string, n: number): boolean => target.admit(id, keyOf(id, n)) === Status.Ok;

  it("of a rotation: the old one or both, and after the new one's use that alone", () => {
    atEach(store(...admin, ...user), rotate("user", 1), (where) => {
      expect(works("user", 0), where).toBe(true);
      if (works("user", 1)) expect(works("user", 0), where).toBe(false);
      expect(works("admin", 0), where).toBe(true);
    });
  });

  it("of a key rotated again: the used one, and one of the two that were given", () => {
    atEach(store(...admin, ...user, rotate("user", 1)), rotate("user", 2), (where) => {
      expect(works("user", 0), where).toBe(true);
      expect(
        [works("user", 1), works("user", 2)].filter((works) => works),
        where,
      ).toHaveLength(1);
      expect(works("user", 0), where).toBe(false);
    });
  });

  it("of a first use: the new one always, the old one no more as soon as the new one was used", () => {
    atEach(store(...admin, ...user, rotate("user", 1)), use("user", 1), (where) => {
      expect(works("user", 1), where).toBe(true);
      expect(works("user", 0), where).toBe(false);
    });
  });

  it("of a removal that was told: none", () => {
    load(device, store(...admin, ...user));
    target.boot();
    remove("user")(talk);
    for (let boot = 0; boot < 3; boot++) {
      target.boot();
      expect(works("user", 0)).toBe(false);
    }
  });
});

describe("a factory reset", () => {
  const saved = store(put(30), put(40), ...admin, ...user, finish);

  it("cut again and again ends, erases root and operators, and the device can be provisioned", () => {
    load(device, saved);
    const secrets = [...keys(device).map(({ key }) => key), keyOf("admin"), keyOf("user")];
    for (let round = 0; round < 60; round++) {
      load(device, saved);
      target.boot();
      let interrupted = cut((random() >>> 8) % 90, () => reset(talk));
      for (let again = 0; again < 3 && interrupted; again++) {
        interrupted = cut((random() >>> 8) % 90, () => target.boot());
      }
      target.boot();
      const state = talk.ask(Command.Hello).get(Key.State);
      if (state === State.Ready) continue; // it had not begun
      expect(state, `round ${round}`).toBe(State.Blank);
      for (const secret of secrets) expect(device.data.bytes.indexOf(secret.subarray(0, 8))).toBe(-1);
      provision(talk);
      expect(talk.ask(Command.OperatorList).get(Key.Operators)).toEqual([]);
      putOne(talk, random);
      target.boot();
      expect(talk.ask(Command.List).get(Key.Entries)).toHaveLength(1);
    }
  });

  it("erases the root before the journal, so that a reset that is never resumed leaves nothing to open", () => {
    load(device, saved);
    target.boot();
    put(20)(talk); // the first change after power-up clears the journal up
    const erased = film(device, () => reset(talk)).flatMap(({ medium, offset, bytes }) =>
      medium === "data" && bytes === undefined ? [offset] : [],
    );
    const root = erased.findIndex((offset) => offset < CUSTODY_SIZE);
    const isJournal = (offset: number) => offset >= JOURNAL_OFFSET && offset < JOURNAL_OFFSET + JOURNAL_SIZE;
    expect(erased.slice(0, root).filter(isJournal).length).toBeLessThan(10); // the record that orders it
    expect(erased.slice(root).filter(isJournal)).toHaveLength(JOURNAL_SIZE / DATA_BLOCK);
  });

  it("gives the next instance another id", () => {
    load(device, saved);
    target.boot();
    const instance = () => Buffer.from(talk.ask(Command.Hello).get(Key.Instance) as Uint8Array).toString("hex");
    const before = instance();
    reset(talk);
    expect(instance()).toBe("00".repeat(16));
    provision(talk);
    expect(instance()).not.toBe(before);
  });
});

describe("a factory reset of a degraded store", () => {
  const sequence = () => help.info(target).get(Key.Sequence) as number;

  /** An evicted record, and one whose header was changed. @param turn place in the journal's ring of the newest record */
  function degraded(turn: number): Saved {
    load(device, store(...admin, finish));
    target.boot();
    const evicted = help.handle(help.put(target, { label: "evicted" }));
    help.put(target, { label: "kept" });
    const damaged = help.handle(help.put(target, { label: "damaged" }));
    for (let epoch = 50; (sequence() + 1) % JOURNAL_PLACES !== turn && epoch < 90; epoch++)
      talk.ask(Command.Epoch, [[Key.Epoch, epoch]]); // one record each
    expect(help.says(help.evict(target, evicted))).toBe("Ok");
    expect(sequence() % JOURNAL_PLACES).toBe(turn);
    changeSlots(device, placesOf(device, damaged).at(-1)! + HEADER_OFF_MAC, flip);
    return save(device);
  }
  const shown = (): string => {
    const state = State[help.state(target)]!;
    return [state, ...(state === "Blank" ? [] : labels())].join(" ");
  };
  const labels = () => help.list(target).map((entry) => entry.get(Key.Label) as string);

  it.each([14, 15, 0, 1])(
    "with %i as the newest place, cut anywhere, leaves it as it was or blank, and brings nothing back",
    (turn) => {
      const saved = degraded(turn);
      target.boot();
      const before = shown();
      expect(before).toBe("Degraded kept");
      const start = device.supply.operations;
      reset(talk);
      const operations = device.supply.operations - start;
      const seen = new Set<string>();
      for (let operation = 0; operation < operations; operation += 1 + (random() % 5))
        for (const cells of [{}, { marginal: true }, { unreadable: true }]) {
          load(device, saved);
          target.boot();
          device.supply.arm({ operation, tear: tears.random(random), ...cells });
          expect(() => reset(talk)).toThrow(PowerCut);
          target.boot();
          const first = shown();
          const where = `cut at operation ${operation} of ${operations}, ${Object.keys(cells)}`;
          expect([before, "Blank"], where).toContain(first);
          for (let again = 0; again < 2; again++) {
            target.boot();
            expect(shown(), where).toBe(first);
          }
          seen.add(first);
          if (first === "Blank") continue;
          expect(help.says(target.ask(Command.Accept)), where).toBe("Ok");
          expect([State[help.state(target)], ...labels()].join(" "), where).toBe(before.replace("Degraded", "Ready"));
        }
      expect(seen).toContain("Blank");
    },
  );
});
