/** What reads as torn today may read as whole tomorrow. What one boot showed stays, however often the cut cells read differently; the first
 *  change after power-up leaves nothing in the journal that could be read as newer than what follows; and a factory reset is ordered or is
 *  not. DESIGN.md §3.2 (steps 3, 4, 6), §3.4. */
import { describe, expect, it } from "vitest";
import { PowerCut, tears } from "../../board/virtual/supply.js";
import { BODY_OFF_SETTLED, INTENT_OFF_CHECK, JOURNAL_PLACE } from "../../firmware/defs/journal.js";
import { JOURNAL_OFFSET, RESET_OFFSET, RESET_SIZE } from "../../firmware/defs/medium.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { type Bench, engineTargets, repeat } from "../targets.js";
import { changeData, flip, newestPlace } from "./damage.js";
import { handles, info, list, operationsAt, put, ready, SMALL, says, state } from "./help.js";

console.log(`marginal journal records: ${repeat}`);

/** Offset of the newest record. */
const newest = ({ device }: Bench): number => JOURNAL_OFFSET + newestPlace(device) * JOURNAL_PLACE;

/** One change, one record. */
function change(target: Bench, epoch: number): void {
  expect(says(target.ask(Command.Epoch, [[Key.Epoch, epoch]]))).toBe("Ok");
}

describe.each(engineTargets)("a record that was cut in an earlier life of $name", (kind) => {
  const epoch = (target: Bench) => info(target).get(Key.Epoch);

  it.each([2, 3, 7, 14])("%i places ahead never comes back over a change that was answered with Ok", (ahead) => {
    const target = ready(kind, SMALL);
    const { data } = target.device;
    change(target, 100);
    const old = data.snapshot();
    for (let i = 1; i <= ahead; i++) change(target, 100 + i);
    const at = newest(target);
    const record = Buffer.from(data.bytes.subarray(at, at + JOURNAL_PLACE));
    record[BODY_OFF_SETTLED]! ^= 0x10; // it was never settled
    const torn = () => {
      data.restore(old);
      data.preload(at, record);
      changeData(target.device, at + INTENT_OFF_CHECK, flip);
      target.boot();
      expect(epoch(target)).toBe(100);
    };
    const reads = () => {
      if (!data.certainlyErased(at, JOURNAL_PLACE)) changeData(target.device, at + INTENT_OFF_CHECK, flip);
      target.boot();
    };

    torn();
    reads();
    expect(epoch(target)).toBe(100 + ahead); // it can come back, as long as nothing was changed

    torn();
    change(target, 200);
    reads();
    expect(epoch(target)).toBe(200);
    target.close();
  });
});

describe.each(engineTargets)("a record whose last cells read differently at each look on $name", (kind) => {
  it.each([
    ["end of its body", 2],
    ["settled word", 1],
  ])("is shown at all boots or at none: %s", (_what, back) => {
    const target = ready(kind, SMALL);
    const { data, slots, supply } = target.device;
    put(target);
    const change = () => put(target);
    const [oldSlots, oldData] = [slots.snapshot(), data.snapshot()];
    target.boot();
    const start = supply.operations;
    change();
    const operations = supply.operations - start;
    const seen = new Set<number>();
    for (let round = 0; round < 30 * kind.share; round++) {
      slots.restore(oldSlots);
      data.restore(oldData);
      target.boot();
      supply.arm({ operation: operations - back, tear: tears.all, marginal: true });
      expect(change).toThrow(PowerCut);
      target.boot();
      const shown = handles(list(target));
      seen.add(shown.length);
      for (let boot = 0; boot < 6; boot++) {
        target.boot();
        expect([state(target), handles(list(target))], `round ${round}, boot ${boot + 2}`).toEqual([
          State.Ready,
          shown,
        ]);
      }
    }
    if (back === 2 && kind.share === 1) expect([...seen].sort()).toEqual([1, 2]); // both were met
    target.close();
  });
});

describe.each(engineTargets)("a factory reset on $name", (kind) => {
  it.each([13, 15])(
    "that is cut in its announcement is ordered at all boots or at none: newest journal place %i",
    (n) => {
      const target = ready(kind, SMALL);
      const { data, slots, supply } = target.device;
      for (let epoch = 100; newestPlace(target.device) !== n; epoch++) change(target, epoch);
      const [oldSlots, oldData] = [slots.snapshot(), data.snapshot()];
      const reset = () => target.ask(Command.Reset);
      const operations = operationsAt(target, data, RESET_OFFSET, RESET_SIZE, reset);
      expect(operations.length).toBeGreaterThan(3);
      for (const operation of operations)
        for (let round = 0; round < 4 * kind.share; round++) {
          slots.restore(oldSlots);
          data.restore(oldData);
          target.boot();
          supply.arm({ operation, tear: tears.all, marginal: true });
          expect(reset).toThrow(PowerCut);
          const shown = Array.from({ length: 6 }, () => {
            target.boot();
            return State[state(target)];
          });
          expect(["Ready", "Blank"]).toContain(shown[0]);
          expect(new Set(shown).size, `cut at operation ${operation}: ${shown}`).toBe(1);
        }
      target.close();
    },
  );
});
