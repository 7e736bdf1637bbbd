/** Power that fails while an image is opened, and again while it goes on, with cells that read differently each time. DESIGN.md §13. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { PowerCut, tears } from "../../board/virtual/supply.js";
import { CUSTODY_MAGIC, CUSTODY_PLACE } from "../../firmware/defs/custody.js";
import { IMAGE_BLOCK } from "../../firmware/defs/image.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import * as help from "../store/help.js";
import { engineTargets, repeat, seed } from "../targets.js";
import { contents, DONE, flashed, open, put, requests, standing } from "./help.js";

console.log(`images that are cut again and again: ${repeat}`);
const body = help.body(300, { secret: true });

describe.each(engineTargets)("an image on $name", (kind) => {
  it("is opened in the end, however often power fails: once near each operation, and soon again", () => {
    const random = seeded(seed);
    const target = kind.make();
    const { device } = target;
    const bytes = flashed(target, requests([put("one", body)]));
    const media = [device.slots, device.data, device.image].map((nor) => [nor, nor.snapshot()] as const);
    device.supply.arm({ operation: 1_000_000, tear: "before" });
    open(target);
    const operations = device.supply.sinceArmed;
    device.supply.disarm();
    const step = kind.share === 1 ? 1 : 37;
    for (let first = 0; first < operations; first += step) {
      for (const [nor, snapshot] of media) nor.restore(snapshot);
      const plans: string[] = [];
      for (let cuts = 2 + (random() % 3); cuts > 0; cuts--) {
        const operation = plans.length === 0 ? first : random() % (random() % 2 === 0 ? 12 : 90);
        const tear = [tears.half, tears.none, tears.all, tears.allButFirst, tears.random(random)][random() % 5]!;
        device.supply.arm({ operation, tear, marginal: random() % 4 !== 0, unreadable: random() % 6 === 0 });
        plans.push(`${operation}`);
        try {
          open(target);
        } catch (error) {
          if (!(error instanceof PowerCut)) throw new Error(`cuts at ${plans.join(", ")}: ${error}`);
        }
        device.supply.disarm();
      }
      open(target);
      // what is marginal may read well now and not later
      for (let boots = 0; boots < 2; boots++) {
        expect([...plans, standing(target)]).toEqual([...plans, DONE]);
        expect(contents(target)).toEqual({ one: help.hex(body) });
        open(target);
      }
      expect(device.image.certainlyErased(0, bytes.length), plans.join(", ")).toBe(true);
      expect(help.says(target.ask(Command.Epoch, [[Key.Epoch, 1000]]))).toBe("Ok");
      const magics = [0, CUSTODY_PLACE].map((at) => Buffer.from(device.data.bytes).readUInt32LE(at));
      expect(magics).toEqual([CUSTODY_MAGIC, CUSTODY_MAGIC]);
    }
    target.close();
  });

  it("is erased from its last block to its first, so that what is left of it says how much that is", () => {
    const target = kind.make();
    const { device } = target;
    const puts = Array.from({ length: 18 }, (_, i) => put(`label ${i}`, help.body(3900)));
    flashed(target, requests(puts, help.WHOLE));
    const media = [device.slots, device.data, device.image].map((nor) => [nor, nor.snapshot()] as const);
    const erased: { offset: number; operation: number }[] = [];
    const before = device.supply.operations;
    device.image.begun = ({ offset }) => erased.push({ offset, operation: device.supply.operations - before });
    open(target);
    device.image.begun = undefined;
    expect(erased.map(({ offset }) => offset)).toEqual([2, 1, 0].map((block) => block * IMAGE_BLOCK));
    for (const { operation } of erased)
      for (const tear of ["before", tears.half, "after"] as const) {
        for (const [nor, snapshot] of media) nor.restore(snapshot);
        device.supply.arm({ operation: operation - 1, tear, marginal: true });
        expect(() => open(target)).toThrow(PowerCut);
        open(target);
        expect([operation, standing(target)]).toEqual([operation, DONE]);
        expect(device.image.certainlyErased(0, 3 * IMAGE_BLOCK)).toBe(true);
        expect(Object.keys(contents(target))).toHaveLength(puts.length);
      }
    target.close();
  });
});
