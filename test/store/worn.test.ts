/** Flash at the end of its life: what cannot be erased any longer, and how many puts are left. DESIGN.md §3.2, §4. */
import { describe, expect, it } from "vitest";
import { PowerCut, tears } from "../../board/virtual/supply.js";
import { BODY_OFF_ERASES, JOURNAL_PLACE, JOURNAL_PLACES } from "../../firmware/defs/journal.js";
import {
  CLAIMS_OFFSET,
  DATA_BLOCK,
  JOURNAL_OFFSET,
  JOURNAL_SIZE,
  LEDGER_OFFSET,
  OPERATORS_OFFSET,
  REFUSALS_OFFSET,
  SLOT_CYCLES,
} from "../../firmware/defs/medium.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import type { Message } from "../../host/client/message.js";
import { type Bench, engineTargets, repeat } from "../targets.js";
import { forgeJournal } from "./damage.js";
import { begin, body, get, handle, handles, hex, info, list, put, ready, replace, SMALL, says, state } from "./help.js";

console.log(`worn flash: ${repeat}`);

/** Whether the blocks of a part of the data flash can be erased. */
function stick(target: Bench, offset: number, length: number, erase: boolean): void {
  for (let at = offset; at < offset + length; at += DATA_BLOCK) target.device.data.stick(at, { erase });
}

describe.each(engineTargets)("a journal on $name", (kind) => {
  it("with a place that cannot be erased goes round it: fifteen are left, and every change is done", () => {
    const target = ready(kind, SMALL);
    const made = handle(put(target));
    for (let place = 0; place < JOURNAL_PLACES; place++) {
      stick(target, JOURNAL_OFFSET + place * JOURNAL_PLACE, JOURNAL_PLACE, true);
      target.boot();
      let content = body(20);
      for (let i = 0; i < JOURNAL_PLACES + 2; i++) {
        content = body(20 + i);
        expect(says(replace(target, made, content)), `place ${place}, change ${i}`).toBe("Ok");
      }
      target.boot();
      expect([state(target), hex(get(target, made).get(Key.Body))]).toEqual([State.Ready, hex(content)]);
      stick(target, JOURNAL_OFFSET + place * JOURNAL_PLACE, JOURNAL_PLACE, false);
    }
    target.close();
  });

  it("of which no place can be erased shows what is certain, and at every boot the same", () => {
    const target = ready(kind, SMALL);
    const { data, slots, supply } = target.device;
    const made = handle(put(target));
    const request = { body: body(50) };
    const [oldSlots, oldData] = [slots.snapshot(), data.snapshot()];
    target.boot();
    const start = supply.operations;
    put(target, request);
    const settled = supply.operations - start - 1; // the last operation of a change
    for (let round = 0; round < 12; round++) {
      stick(target, JOURNAL_OFFSET, JOURNAL_SIZE, false);
      slots.restore(oldSlots);
      data.restore(oldData);
      target.boot();
      // the end of the body reads differently at each look, and verifies at some
      supply.arm({ operation: settled - 1, tear: tears.all, marginal: true });
      expect(() => put(target, request)).toThrow(PowerCut);
      stick(target, JOURNAL_OFFSET, JOURNAL_SIZE, true);
      for (let boot = 0; boot < 10; boot++) {
        target.boot();
        expect([state(target), handles(list(target))]).toEqual([State.ReadOnly, [hex(made)]]);
        expect(says(put(target))).toBe("ReadOnly");
      }
    }
    target.close();
  });
});

describe.each(engineTargets)("a reset on $name", (kind) => {
  it.each([
    ["operators", OPERATORS_OFFSET],
    ["claims", CLAIMS_OFFSET + 10 * DATA_BLOCK],
    ["refusals", REFUSALS_OFFSET],
    ["the ledger", LEDGER_OFFSET],
  ])("is not stopped by a block of %s that cannot be erased: what stands there opens nothing", (_area, at) => {
    const target = ready(kind, SMALL);
    put(target);
    stick(target, at, DATA_BLOCK, true);
    expect(says(target.ask(Command.Reset))).toBe("Ok");
    for (const boot of [false, true]) {
      if (boot) target.boot();
      expect(state(target)).toBe(State.Blank);
    }
    expect(says(begin(target, SMALL))).toBe("Ok");
    expect([state(target), list(target)]).toEqual([State.Provisioning, []]);
    target.close();
  });
});

describe.each(engineTargets)("puts left on $name", (kind) => {
  it("are a promise: after so many, under one hot record, no block has passed its rated cycles", () => {
    const blocks = 4;
    const target = ready(kind, [{ units: 256, blocks }]);
    put(target);
    const hot = handle(put(target));
    const worn = SLOT_CYCLES - (kind.share < 1 ? 300 : 400);
    forgeJournal(target.device, 1, (record) => {
      for (let block = 0; block < blocks; block++) record.writeUInt16LE(worn, BODY_OFF_ERASES + 2 * block);
    });
    target.boot();
    const told = (key: Key) => (info(target).get(Key.Classes) as Message[])[0]!.get(key) as number;
    const promised = told(Key.PutsLeft);
    expect(promised).toBeGreaterThan(0);
    for (let i = 0; i < promised; i++) expect(says(replace(target, hot, body(20)))).toBe("Ok");
    expect(told(Key.EraseMax)).toBeGreaterThan(worn);
    expect(told(Key.EraseMax)).toBeLessThanOrEqual(SLOT_CYCLES);
    target.close();
  });
});
