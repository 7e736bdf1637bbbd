/** Evict with destroy: when the answer comes, no ciphertext of the record stands anywhere. DESIGN.md §4. */
import { describe, expect, it } from "vitest";
import { type BitChoice, PowerCut, tears } from "../../board/virtual/supply.js";
import { SLOT_BLOCK, UNIT } from "../../firmware/defs/medium.js";
import { Key } from "../../firmware/defs/wire.js";
import { type Bench, deviceTargets, engineTargets } from "../targets.js";
import { ciphertexts, placesOf } from "./damage.js";
import { body, evict, get, handle, hex, info, list, operationsAt, put, ready, replace, says } from "./help.js";

const CLASSES = [{ units: 64, blocks: 3 }];

/** A store with one record that left old versions and verbatim copies in several blocks, and others beside it. */
function scattered(target: Bench) {
  const made = handle(put(target, { body: body(500) }));
  const seen = new Set<string>();
  const look = () => {
    for (const bytes of ciphertexts(target.device, made)) seen.add(hex(bytes));
  };
  const others: [Uint8Array, Uint8Array][] = [];
  for (let i = 0; i < 4; i++) {
    const bytes = body(300 + i);
    others.push([handle(put(target, { body: bytes })), bytes]);
    replace(target, made, body(400 + i));
    look();
  }
  const bytes = body(600);
  replace(target, others[0]![0], bytes);
  others[0]![1] = bytes;
  look();
  return { made, seen, others };
}

const stands = (target: Bench, seen: Set<string>): number =>
  [...seen].filter((bytes) => target.device.slots.bytes.includes(Buffer.from(bytes, "hex"))).length;

describe.each(deviceTargets)("destroy on $name", (kind) => {
  it("erases every version and copy of the record, and of no other", () => {
    const target = ready(kind, CLASSES);
    const { made, seen, others } = scattered(target);
    expect(placesOf(target.device, made).length).toBeGreaterThan(1);
    expect(stands(target, seen)).toBeGreaterThan(1);
    expect(evict(target, made, true).get(Key.Destroyed)).toBe(true);
    expect(placesOf(target.device, made)).toEqual([]);
    expect(stands(target, seen)).toBe(0);
    expect(info(target).get(Key.Residue)).toEqual([]);
    for (const [other, bytes] of others) expect(hex(get(target, other).get(Key.Body))).toBe(hex(bytes));
    target.boot();
    expect(list(target)).toHaveLength(others.length);
    target.close();
  });

  it("also works for a record that was evicted before, until its ciphertext is gone; then it is NoSuchHandle", () => {
    const target = ready(kind, CLASSES);
    const { made, seen } = scattered(target);
    expect(says(evict(target, made))).toBe("Ok");
    expect(stands(target, seen)).toBeGreaterThan(0); // evict alone leaves it: the check above can fail
    expect(says(evict(target, made))).toBe("NoSuchHandle");
    target.boot();
    expect(evict(target, made, true).get(Key.Destroyed)).toBe(true);
    expect(stands(target, seen)).toBe(0);
    expect(says(evict(target, made, true))).toBe("NoSuchHandle");
    target.close();
  });

  it("works in a full store, for one record after the other", () => {
    const target = ready(kind, CLASSES);
    const made = Array.from({ length: 7 }, () => handle(put(target)));
    expect(says(put(target))).toBe("StoreFull");
    made.forEach((one, i) => {
      expect(evict(target, one, true).get(Key.Destroyed)).toBe(true);
      expect(placesOf(target.device, one)).toEqual([]);
      expect(list(target)).toHaveLength(6 - i);
    });
    target.close();
  });
});

describe.each(engineTargets)("destroy on $name", (kind) => {
  it.each<[string, BitChoice, string]>([
    ["its header", tears.none, "Ok"],
    ["no header", (index, count) => index * 100 < count, "NoSuchHandle"], // an erase begins at the low end
  ])(
    "that was cut inside its erase, which left ciphertext and %s, leaves none when it is repeated",
    (_what, tear, answer) => {
      const target = ready(kind, CLASSES);
      const { slots, slotsOffset, supply } = target.device;
      const made = handle(put(target, { body: body(4000) }));
      const bytes = body(100);
      const other = handle(put(target, { body: bytes }));
      const at = slotsOffset + placesOf(target.device, made)[0]!;
      const sealed = Buffer.from(slots.bytes.subarray(at + UNIT, at + UNIT + 4000));
      const standing = () => sealed.filter((byte, i) => byte === slots.bytes[at + UNIT + i]).length;
      const destroy = () => evict(target, made, true);
      const erase = operationsAt(target, slots, at - (at % SLOT_BLOCK), SLOT_BLOCK, destroy).at(-1)!;
      supply.arm({ operation: erase, tear });
      expect(destroy).toThrow(PowerCut);
      target.boot();
      expect(standing()).toBe(sealed.length);
      expect(says(destroy())).toBe(answer);
      expect(standing()).toBeLessThan(100); // what is left is chance
      expect(says(destroy())).toBe("NoSuchHandle");
      expect(hex(get(target, other).get(Key.Body))).toBe(hex(bytes));
      target.close();
    },
  );
});
