/** What the device does while nobody asks: after a change, blocks that changes to come would erase are erased in advance. DESIGN.md §4. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { BODY_OFF_ERASES } from "../../firmware/defs/journal.js";
import { PAYLOAD_MAX } from "../../firmware/defs/link.js";
import { SLOT_BLOCK, SLOT_CYCLES } from "../../firmware/defs/medium.js";
import { POLICY_EXPORTABLE } from "../../firmware/defs/record.js";
import { QUIET_MS } from "../../firmware/defs/session.js";
import { HEADER_OFF_MAC } from "../../firmware/defs/slot.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { encodeMessage, type Message, message } from "../../host/client/message.js";
import { type Life, live } from "../../scripts/wear/life.js";
import { LOADS, type LoadName } from "../../scripts/wear/loads.js";
import { Store } from "../../scripts/wear/store.js";
import { people } from "../device/person.js";
import type { SlotClass } from "../model/geometry.js";
import { type Bench, deviceTargets, engineTargets, repeat, seed } from "../targets.js";
import { changeSlots, flip, forgeJournal, placesOf } from "./damage.js";
import * as help from "./help.js";

const { body, evict, get, handle, hex, info, put, ready, replace, says, SMALL, state } = help;

console.log(`idle: ${repeat}`);

/** Three slots a block. */
const FOUR: SlotClass[] = [{ units: 85, blocks: 4 }];
/** A touch each time. */
const WEAR_SPREAD = 256; // firmware/store/space.ts
const TOUCH = 4 | POLICY_EXPORTABLE;
/** A little more than the quiet time. */
const QUIET = QUIET_MS + 100;

const erases = (target: Bench): number => target.device.slots.totalErases;
const told = (target: Bench, key: Key): number =>
  (info(target).get(Key.Classes) as Message[]).reduce((sum, one) => sum + (one.get(key) as number), 0);

/** Erases of slot blocks, and all flash operations, while nobody asks. */
function during(target: Bench, ms: number): { erases: number; operations: number } {
  const before = [erases(target), target.device.supply.operations] as const;
  expect(target.device.wait(ms)).toHaveLength(0);
  return { erases: erases(target) - before[0], operations: target.device.supply.operations - before[1] };
}

/** Replaces until one erases a block. @returns how many did not */
function untilErase(target: Bench, made: Uint8Array, most = 100): number {
  const before = erases(target);
  for (let n = 0; n < most; n++) {
    expect(says(replace(target, made))).toBe("Ok");
    if (erases(target) > before) return n;
  }
  throw new Error(`no replace of ${most} erases a block`);
}

describe.each(deviceTargets)("a quiet time after a change, on $name,", (kind) => {
  it("erases the block that the next change would erase", () => {
    const target = ready(kind, SMALL);
    const content = body(700);
    const made = handle(put(target, { body: content }));
    untilErase(target, made);
    expect(during(target, QUIET).erases).toBe(1);
    const before = erases(target);
    for (let i = 0; i < 3; i++) replace(target, made, i === 2 ? content : body());
    expect(erases(target)).toBe(before);
    target.boot();
    expect(hex(get(target, made).get(Key.Body))).toBe(hex(content));
    target.close();
  });

  it("erases no more than that, however long it lasts", () => {
    const target = ready(kind, [...SMALL, ...FOUR]);
    for (const slotClass of [0, 1]) handle(put(target, { slotClass }));
    expect(during(target, QUIET).erases).toBe(2); // one a class
    expect(during(target, kind.slow ? 500 : 60_000).operations).toBe(0);
    target.close();
  });
});

describe.each(engineTargets)("a class with room on $name", (kind) => {
  it("takes a record, also when the block that was begun is far more worn than the others", () => {
    const target = ready(kind, FOUR);
    const cold = Array.from({ length: 6 }, () => handle(put(target, { body: body(100) })));
    const hot = handle(put(target));
    const worn = () => Math.max(...target.device.slots.wear.slice(0, 4).map((block) => block.erases));
    while (worn() <= WEAR_SPREAD + 1) expect(says(replace(target, hot))).toBe("Ok");
    for (const one of [...cold, hot]) expect(says(evict(target, one))).toBe("Ok");
    for (let i = 0; i < 8; i++) expect(says(put(target)), `put ${i}`).toBe("Ok");
    target.close();
  });
});

describe.each(engineTargets)("a quiet time on $name", (kind) => {
  it("is as long as it is said, and begins anew with every byte", () => {
    const target = ready(kind, SMALL);
    put(target);
    expect(during(target, QUIET_MS - 50).operations).toBe(0);
    target.device.exchange(Uint8Array.of(0));
    expect(during(target, QUIET_MS - 50).operations).toBe(0);
    expect(during(target, 100).erases).toBe(1);
    target.close();
  });

  it("begins when the last byte was sent, not when the last one came", () => {
    const target = ready(kind, SMALL);
    const made = handle(put(target, { policy: TOUCH }));
    // a touch that comes late: the answer goes out long after the request came
    target.talk.person = (panel) => {
      panel.wait(5 * QUIET_MS);
      people.touches(panel);
    };
    const before = erases(target);
    expect(says(get(target, made))).toBe("Ok");
    expect(erases(target)).toBe(before);
    expect(during(target, QUIET_MS - 100).erases).toBe(0);
    expect(during(target, 200).erases).toBe(1);
    target.close();
  });

  it("changes nothing while a request waits for a touch, and after it was given up makes up for it", () => {
    const target = ready(kind, SMALL);
    const made = handle(put(target, { policy: TOUCH }));
    target.talk.plant();
    const request = encodeMessage(
      message([
        [Key.Command, Command.Get],
        [Key.Handle, made],
      ]),
    );
    const busy = target.talk.send(target.talk.session!.seal(request))!;
    expect(during(target, 10 * QUIET_MS).operations).toBe(0);
    target.talk.frames({ more: true, sequence: busy.sequence + 1, payload: new Uint8Array(PAYLOAD_MAX) }); // ends the wait
    expect(during(target, QUIET).erases).toBe(1);
    target.talk.relink();
    expect(state(target)).toBe(State.Ready);
    target.close();
  });

  it("changes nothing in a power-up in which nothing was changed: reads, refusals and a mount are no changes", () => {
    const target = ready(kind, SMALL);
    const made = handle(put(target));
    target.boot();
    expect(during(target, 5 * QUIET_MS).operations).toBe(0);
    get(target, made);
    expect(says(evict(target, help.randomBytes(16)))).toBe("NoSuchHandle");
    expect(during(target, 5 * QUIET_MS).operations).toBe(0);
    target.close();
  });

  it("changes nothing in a store that is degraded, or blank again", () => {
    const target = ready(kind, SMALL);
    put(target);
    expect(says(target.ask(Command.Reset))).toBe("Ok");
    expect(during(target, 5 * QUIET_MS).operations).toBe(0);
    target.close();

    const other = ready(kind, SMALL);
    const made = handle(put(other));
    changeSlots(other.device, placesOf(other.device, made)[0]! + HEADER_OFF_MAC, flip);
    expect(says(put(other))).toBe("Degraded");
    expect(during(other, 5 * QUIET_MS).operations).toBe(0);
    other.close();
  });

  it("leaves an empty block alone that still has slots to be written", () => {
    const target = ready(kind, FOUR);
    evict(target, handle(put(target))); // one dead slot, two free ones, beside three blocks without live slots
    const before = erases(target);
    expect(during(target, QUIET).erases).toBe(0);
    for (let i = 0; i < 2; i++) put(target);
    expect(erases(target)).toBe(before);
    target.close();
  });

  it("does not cost the free slots of a block that was begun: they are filled before one that is erased", () => {
    const target = ready(kind, FOUR);
    const gone = [handle(put(target))];
    forgeJournal(target.device, 3, (record) => record.writeUInt16LE(5, BODY_OFF_ERASES), FOUR[0]!.units);
    target.boot();
    gone.push(handle(put(target)));
    expect(during(target, QUIET).erases).toBe(1); // a block less worn than the first one
    for (const one of gone) evict(target, one); // two dead slots, and a free one
    const blocks = [put(target), put(target)].map((made) =>
      Math.floor(placesOf(target.device, handle(made))[0]! / SLOT_BLOCK),
    );
    expect(blocks).toEqual([0, 1]);
    target.close();
  });

  it("takes what was evicted out of what info tells as residue, and counts its erase", () => {
    const target = ready(kind, SMALL);
    const kept = handle(put(target));
    const gone = handle(put(target));
    evict(target, gone);
    const residue = () => (info(target).get(Key.Residue) as Uint8Array[]).map(hex);
    expect(residue()).toEqual([hex(gone)]);
    untilErase(target, kept); // the evicted one stands in the spare now
    expect(residue()).toEqual([hex(gone)]);
    const [total, dirty] = [told(target, Key.EraseTotal), told(target, Key.Dirty)];
    during(target, QUIET);
    expect(residue()).toEqual([]);
    expect(placesOf(target.device, gone)).toEqual([]);
    expect(told(target, Key.EraseTotal)).toBe(total + 1);
    expect(told(target, Key.Dirty)).toBe(dirty - 4);
    target.boot();
    expect([told(target, Key.EraseTotal), told(target, Key.Dirty)]).toEqual([total + 1, dirty - 4]);
    target.close();
  });

  it("never opens the way to more erases than puts: what info promises as puts left holds", () => {
    const target = ready(kind, [{ units: 256, blocks: 4 }]);
    put(target);
    const hot = handle(put(target));
    const worn = SLOT_CYCLES - 280;
    forgeJournal(target.device, 1, (record) => {
      for (let block = 0; block < 4; block++) record.writeUInt16LE(worn, BODY_OFF_ERASES + 2 * block);
    });
    target.boot();
    const promised = told(target, Key.PutsLeft);
    expect(promised).toBeGreaterThan(0);
    for (let i = 0; i < promised; i++) {
      expect(says(replace(target, hot, body(20)))).toBe("Ok");
      during(target, QUIET);
    }
    expect(told(target, Key.EraseMax)).toBeGreaterThan(worn);
    expect(told(target, Key.EraseMax)).toBeLessThanOrEqual(SLOT_CYCLES);
    target.close();
  });
});

/** A store that has a quiet time after each change. */
class Quiet extends Store {
  /** Erases while somebody waited for an answer. */
  awaited = 0;
  #change<T>(change: () => T): T {
    const before = this.device.slots.totalErases;
    const result = change();
    this.awaited += this.device.slots.totalErases - before;
    this.device.wait(QUIET);
    return result;
  }
  override put(content: Uint8Array): Uint8Array {
    return this.#change(() => super.put(content));
  }
  override replace(made: Uint8Array, content: Uint8Array): void {
    this.#change(() => super.replace(made, content));
  }
}

describe.each(Object.keys(LOADS) as LoadName[])(
  "lives under the load %s with a quiet time after each change",
  (load) => {
    const CHANGES = 1500;
    function lived(store: Store, period: number): Life {
      const life = live(store, LOADS[load], { rated: SLOT_CYCLES, changes: CHANGES, period });
      store.close();
      return life;
    }

    it("cost no more erases than those without, and next to none is waited for", () => {
      // where records go decides how much one life costs: by a few parts in a hundred, up or down
      let [busy, quiet, awaited] = [0, 0, 0];
      for (let life = 1; life <= 6; life++) {
        const [without, having] = [Store, Quiet].map((make) => new make({ units: 64, blocks: 8 }, seeded(life))) as [
          Store,
          Quiet,
        ];
        busy += lived(without, CHANGES + 1).erases.perChange;
        quiet += lived(having, CHANGES + 1).erases.perChange;
        awaited += having.awaited / CHANGES;
      }
      console.log(
        `${load}: ${(busy / 6).toFixed(4)} erases a change; ${(quiet / 6).toFixed(4)} with quiet times, ${(awaited / 6).toFixed(4)} waited for`,
      );
      expect(quiet).toBeLessThanOrEqual(busy * 1.02);
      expect(awaited).toBeLessThanOrEqual(busy * 0.02);
    });

    it("lose no record, with power cycles and power cuts", () => {
      const { readBack, cuts } = lived(new Quiet({ units: 64, blocks: 8 }, seeded(seed)), 100);
      expect(readBack).toBeGreaterThan(CHANGES);
      expect(cuts).toBeGreaterThan(0);
    });
  },
);
