/** Erase counts keep up with the medium, also when an erase was cut or failed: the intent says that the block is erased. DESIGN.md §4. */
import { describe, expect, it } from "vitest";
import { PowerCut, tears } from "../../board/virtual/supply.js";
import { SLOT_BLOCK } from "../../firmware/defs/medium.js";
import { Key } from "../../firmware/defs/wire.js";
import type { Message } from "../../host/client/message.js";
import { type Bench, engineTargets } from "../targets.js";
import { evict, handle, info, operationsAt, put, ready, relabel, says } from "./help.js";

const BLOCKS = 3;

describe.each(engineTargets)("erase counts on $name", (kind) => {
  const told = (target: Bench) => (info(target).get(Key.Classes) as Message[])[0]!.get(Key.EraseTotal) as number;
  const real = ({ device }: Bench) => device.slots.totalErases;

  /** A record in every slot that puts may take, so that the next change of one reclaims. */
  const full = () => {
    const target = ready(kind, [{ units: 128, blocks: BLOCKS }]);
    const made = [put(target), put(target), put(target)].map(handle);
    relabel(target, made[0]!, "changed");
    return { target, made: made[1]! };
  };
  const changes: [string, (target: Bench, made: Uint8Array) => Message][] = [
    ["a reclaim", (target, made) => relabel(target, made, "changed")],
    ["a destroy", (target, made) => evict(target, made, true)],
  ];

  it.each(changes)("hold every erase of %s, wherever it is cut or fails", (_name, change) => {
    const { target, made } = full();
    const { slots, data, slotsOffset, supply } = target.device;
    const size = BLOCKS * SLOT_BLOCK;
    const operations = operationsAt(target, slots, slotsOffset, size, () => change(target, made));
    const [oldSlots, oldData] = [slots.snapshot(), data.snapshot()];
    let erases = 0;
    for (const operation of operations)
      for (const tear of [tears.none, tears.half, tears.all])
        for (const powered of [false, true]) {
          slots.restore(oldSlots);
          data.restore(oldData);
          target.boot();
          const before = real(target);
          expect(told(target)).toBe(before);
          supply.arm({ operation, tear, powered });
          if (powered) change(target, made);
          else expect(() => change(target, made)).toThrow(PowerCut);
          supply.disarm();
          target.boot();
          const where = `operation ${operation}, ${powered ? "failed" : "cut"}`;
          expect(told(target), where).toBeGreaterThanOrEqual(real(target));
          erases += real(target) - before;
          expect(says(relabel(target, made, "again")), where).toMatch(/^(Ok|NoSuchHandle)$/);
          expect(told(target), where).toBeGreaterThanOrEqual(real(target));
        }
    expect(erases).toBeGreaterThan(0);
    target.close();
  });
});
