/** The spare is erased before records are copied into it, however little of it was written. DESIGN.md §4. */
import { describe, expect, it } from "vitest";
import { SLOT_BLOCK } from "../../firmware/defs/medium.js";
import { Key } from "../../firmware/defs/wire.js";
import { engineTargets } from "../targets.js";
import { placesOf } from "./damage.js";
import { body, evict, get, handle, hex, put, ready, says } from "./help.js";

describe.each(engineTargets)("a spare on $name", (kind) => {
  it("with one dead slot and the others erased is erased before a record is copied into it", () => {
    const target = ready(kind, [{ units: 128, blocks: 3 }]);
    const blockOf = (made: Uint8Array) => Math.floor(placesOf(target.device, made)[0]! / SLOT_BLOCK);
    const content = body(700);
    const [a, b, d] = [put(target), put(target), put(target)].map(handle) as [Uint8Array, Uint8Array, Uint8Array];
    expect(says(evict(target, a))).toBe("Ok");
    const kept = handle(put(target, { body: content })); // beside d
    expect(blockOf(kept)).toBe(blockOf(d));
    expect(says(evict(target, a, true))).toBe("Ok"); // b moves to a block of its own
    const spare = blockOf(b);
    expect(says(evict(target, b))).toBe("Ok"); // its one written slot is dead now
    const erases = () => target.device.slots.wear[spare]!.erases;
    const before = erases();
    expect(says(evict(target, d, true))).toBe("Ok"); // what stands beside it moves to the spare
    expect(blockOf(kept)).toBe(spare);
    expect(erases()).toBe(before + 1);
    target.boot();
    expect(hex(get(target, kept).get(Key.Body))).toBe(hex(content));
    target.close();
  });
});
