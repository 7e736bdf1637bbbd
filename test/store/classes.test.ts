/** Slot classes: which one a record goes to, and what happens when they are full. SPEC.md §3, §9. */
import { describe, expect, it } from "vitest";
import { UNIT } from "../../firmware/defs/medium.js";
import { Key } from "../../firmware/defs/wire.js";
import type { SlotClass } from "../model/geometry.js";
import { targets } from "../targets.js";
import { body, evict, get, handle, hex, list, put, ready, relabel, replace, says, unchanged } from "./help.js";

/** Large slots first, so that "the smallest" is not "the first". Puts: 1, 3 and 2. */
const CLASSES: SlotClass[] = [
  { units: 128, blocks: 2 },
  { units: 64, blocks: 2 },
  { units: 80, blocks: 2 },
];
const ROOM = CLASSES.map(({ units }) => (units - 1) * UNIT);
const [LARGE, SMALL, MIDDLE] = ROOM as [number, number, number];

describe.each(targets)("slot classes on $name", (kind) => {
  const filled = (classes = CLASSES) => {
    const target = ready(kind, classes);
    return { target, classOf: (made: Uint8Array) => get(target, made).get(Key.Class) };
  };

  it("are chosen by size: the smallest slots that hold label and body", () => {
    const { target, classOf } = filled();
    expect(classOf(handle(put(target, { body: body(SMALL) })))).toBe(1);
    expect(classOf(handle(put(target, { body: body(SMALL), label: "x" })))).toBe(2);
    expect(classOf(handle(put(target, { body: body(MIDDLE - 48), label: "x".repeat(48) })))).toBe(2);
    expect(classOf(handle(put(target, { body: body(MIDDLE - 47), label: "x".repeat(48) })))).toBe(0);
    target.close();
  });

  it("overflow into the next larger one, and StoreFull comes when none that fits has a free slot", () => {
    const { target, classOf } = filled();
    const taken = Array.from({ length: 6 }, () => classOf(handle(put(target))));
    expect(taken).toEqual([1, 1, 1, 2, 2, 0]);
    expect(unchanged(target, () => says(put(target)))).toBe("StoreFull");
    target.close();
  });

  it("answer StoreFull for a large record while small slots are free", () => {
    const { target } = filled();
    expect(says(put(target, { body: body(LARGE) }))).toBe("Ok");
    expect(unchanged(target, () => says(put(target, { body: body(LARGE) })))).toBe("StoreFull");
    expect(says(put(target))).toBe("Ok");
    target.close();
  });

  it("are used or refused when named: ClassFull, TooLarge with the largest body, BadArgument", () => {
    const { target, classOf } = filled();
    expect(classOf(handle(put(target, { slotClass: 0 })))).toBe(0);
    expect(unchanged(target, () => says(put(target, { slotClass: 0 })))).toBe("ClassFull");
    expect(unchanged(target, () => says(put(target, { slotClass: 1, body: body(SMALL + 1) })))).toBe(
      `TooLarge ${SMALL}`,
    );
    expect(unchanged(target, () => says(put(target, { slotClass: 3 })))).toBe(`BadArgument ${Key.Class}`);
    target.close();
  });

  it("tell the largest body of all with TooLarge, which comes before full, and less with a label", () => {
    const { target } = filled();
    expect(says(put(target, { slotClass: 0, body: body(LARGE) }))).toBe("Ok");
    expect(unchanged(target, () => says(put(target, { body: body(LARGE + 1) })))).toBe(`TooLarge ${LARGE}`);
    expect(unchanged(target, () => says(put(target, { body: body(LARGE), label: "four" })))).toBe(
      `TooLarge ${LARGE - 4}`,
    );
    target.close();
  });

  it("of equal slot size are taken in order", () => {
    const { target, classOf } = filled([
      { units: 128, blocks: 2 },
      { units: 128, blocks: 2 },
    ]);
    expect([put(target), put(target)].map((made) => classOf(handle(made)))).toEqual([0, 1]);
    target.close();
  });

  it("stay with a record: replace and relabel that do not fit there answer TooLarge", () => {
    const { target } = filled();
    const made = handle(put(target, { label: "four" }));
    expect(unchanged(target, () => says(replace(target, made, body(SMALL - 3))))).toBe(`TooLarge ${SMALL - 4}`);
    expect(says(replace(target, made, body(SMALL - 4)))).toBe("Ok");
    expect(unchanged(target, () => says(relabel(target, made, "five5")))).toBe(`TooLarge ${SMALL - 5}`);
    expect(says(relabel(target, made, "4444"))).toBe("Ok");
    target.close();
  });

  it("keep one slot for replace: every record of a full store can be replaced and relabelled, again and again", () => {
    const { target } = filled();
    const content = new Map<string, Uint8Array>();
    for (let i = 0; i < 6; i++) {
      const bytes = body(1000 + i);
      content.set(hex(handle(put(target, { body: bytes }))), bytes);
    }
    for (let round = 0; round < (kind.slow ? 1 : 3); round++) {
      for (const made of content.keys()) {
        const bytes = body(900 + round);
        expect(says(replace(target, Buffer.from(made, "hex"), bytes))).toBe("Ok");
        expect(says(relabel(target, Buffer.from(made, "hex"), `round ${round}`))).toBe("Ok");
        content.set(made, bytes);
      }
      expect(says(put(target))).toBe("StoreFull");
    }
    target.boot();
    for (const [made, bytes] of content)
      expect(hex(get(target, Buffer.from(made, "hex")).get(Key.Body))).toBe(hex(bytes));
    expect(list(target)).toHaveLength(6);
    target.close();
  });

  it("take a put again after an evict, in the same class", () => {
    const { target, classOf } = filled();
    const made = Array.from({ length: 6 }, () => handle(put(target)));
    for (const one of made) {
      const slotClass = classOf(one);
      expect(says(evict(target, one))).toBe("Ok");
      expect(classOf(handle(put(target)))).toBe(slotClass);
      expect(says(put(target))).toBe("StoreFull");
    }
    target.close();
  });
});
