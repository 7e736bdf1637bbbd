/** Reclaim, scrub and wear: slots are won back without losing a record, and blocks wear evenly. DESIGN.md §4. */
import { describe, expect, it } from "vitest";
import { Key } from "../../firmware/defs/wire.js";
import type { Message } from "../../host/client/message.js";
import type { SlotClass } from "../model/geometry.js";
import { type Bench, deviceTargets } from "../targets.js";
import { body, evict, get, handle, hex, info, put, ready, replace, SMALL } from "./help.js";

/** Erase counts of two blocks of a class differ by no more than this and one block on its way. */
const SPREAD = 256 + 2;

/** Replaces one record over and over while others stay as they are. @returns erase counts of the blocks in use */
function churn(target: Bench, cold: number, changes: number, blocks: number): number[] {
  const contents = new Map<string, Uint8Array>();
  for (let i = 0; i < cold; i++) {
    const bytes = body(200 + i);
    contents.set(hex(handle(put(target, { body: bytes }))), bytes);
  }
  const hot = handle(put(target));
  let last = body(60);
  for (let i = 0; i < changes; i++) {
    last = body(60 + (i % 50));
    handle(replace(target, hot, last));
  }
  target.boot();
  expect(hex(get(target, hot).get(Key.Body))).toBe(hex(last));
  for (const [made, bytes] of contents)
    expect(hex(get(target, Buffer.from(made, "hex")).get(Key.Body))).toBe(hex(bytes));
  const { slots, slotsOffset } = target.device;
  const wear = slots.wear.filter((block) => block.offset >= slotsOffset).map((block) => block.erases);
  expect(Math.max(...wear.slice(blocks))).toBe(0);
  return wear.slice(0, blocks);
}

describe.each(deviceTargets)("a class on $name under one hot record", (kind) => {
  const changes = kind.slow ? 14 : kind.share < 1 ? 300 : 2400;
  const cases: [what: string, classes: SlotClass, cold: number][] = [
    ["full, in two blocks", { units: 64, blocks: 2 }, 2],
    ["full, in four blocks", { units: 100, blocks: 4 }, 4],
    ["nearly empty: one cold record, five blocks", { units: 100, blocks: 5 }, 1],
    ["half full, six blocks", { units: 128, blocks: 6 }, 4],
  ];
  it.each(cases)("loses no record and wears evenly: %s", (_what, classes, cold) => {
    const target = ready(kind, [classes]);
    const wear = churn(target, cold, changes, classes.blocks);
    expect(Math.max(...wear) - Math.min(...wear), wear.join(" ")).toBeLessThanOrEqual(SPREAD);
    const [told] = info(target).get(Key.Classes) as Message[];
    expect(told?.get(Key.EraseTotal)).toBe(wear.reduce((a, b) => a + b));
    target.close();
  });

  it("costs no more than one erase for each change, and erases no block that it does not need", () => {
    const target = ready(kind, SMALL);
    const made = handle(put(target));
    const before = target.device.slots.totalErases;
    const rounds = Math.min(changes, 60);
    for (let i = 0; i < rounds; i++) replace(target, made);
    const erases = target.device.slots.totalErases - before;
    expect(erases).toBeLessThanOrEqual(rounds);
    expect(erases).toBeGreaterThanOrEqual(Math.floor(rounds / 4) - 1); // four slots a block
    target.close();
  });

  it("wins back the slots of evicted records, and of no others", () => {
    const target = ready(kind, [{ units: 64, blocks: 3 }]);
    const kept: [Uint8Array, Uint8Array][] = [];
    for (let i = 0; i < 3; i++) {
      const bytes = body(2000);
      kept.push([handle(put(target, { body: bytes })), bytes]);
    }
    for (let i = 0; i < Math.min(changes, 40); i++) {
      const made = [put(target), put(target), put(target), put(target)].map(handle);
      for (const one of made) evict(target, one);
    }
    for (const [made, bytes] of kept) expect(hex(get(target, made).get(Key.Body))).toBe(hex(bytes));
    target.close();
  });
});
