/** Labels: up to 48 bytes of UTF-8, not unique, in clear. SPEC.md §4, §9. */
import { afterAll, describe, expect, it } from "vitest";
import { HEADER_SIZE } from "../../firmware/defs/slot.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { deviceTargets, engineTargets, targets } from "../targets.js";
import { changeSlots, flip, placesOf } from "./damage.js";
import { evict, find, get, handle, handles, hex, list, put, ready, relabel, says, state, unchanged } from "./help.js";
import { raw, rawPut } from "./raw.js";

describe.each(targets)("labels on $name", (kind) => {
  const target = ready(kind);
  afterAll(() => target.close());

  it.each([
    ["48 bytes", "x".repeat(48)],
    ["48 bytes of four-byte characters", "🔑".repeat(12)],
    ["one character", "ж"],
    ["control characters", "a\u0000b\n"],
  ])("of %s are kept", (_what, label) => {
    expect(get(target, handle(put(target, { label }))).get(Key.Label)).toBe(label);
    expect(find(target, [[Key.Label, label]])).toHaveLength(1);
  });

  it.each([
    ["49 bytes", "x".repeat(49)],
    ["48 characters that are more bytes", "é".repeat(48)],
  ])("of %s are refused with BadLabel by put, relabel and find", (_what, label) => {
    const made = handle(put(target));
    expect(unchanged(target, () => says(put(target, { label })))).toBe("BadLabel");
    expect(unchanged(target, () => says(relabel(target, made, label)))).toBe("BadLabel");
    expect(unchanged(target, () => says(target.ask(Command.Find, [[Key.Label, label]])))).toBe("BadLabel");
  });

  it("that are empty are no labels", () => {
    expect(get(target, handle(put(target, { label: "" }))).has(Key.Label)).toBe(false);
  });

  it("need not be unique", () => {
    const two = [put(target, { label: "twin" }), put(target, { label: "twin" })].map(handle);
    expect(find(target, [[Key.Label, "twin"]])).toHaveLength(two.length);
    expect(list(target).filter((entry) => entry.get(Key.Label) === "twin")).toHaveLength(2);
  });
});

describe.each(deviceTargets)("labels on $name that are not UTF-8", (kind) => {
  const target = ready(kind);
  afterAll(() => target.close());

  // RFC 3629 §3 and §4
  it.each([
    ["a lone continuation byte", [0x80]],
    ["a sequence that is cut off", [0x61, 0xc3]],
    ["a sequence that another byte interrupts", [0xe2, 0x82, 0x61]],
    ["an overlong slash in two bytes", [0xc0, 0xaf]],
    ["an overlong slash in three bytes", [0xe0, 0x80, 0xaf]],
    ["an overlong slash in four bytes", [0xf0, 0x80, 0x80, 0xaf]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["a character beyond U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
    ["a five-byte form", [0xf8, 0x88, 0x80, 0x80, 0x80]],
    ["the byte 0xFF", [0xff]],
  ])("are refused with BadLabel: %s", (_what, bytes) => {
    expect(unchanged(target, () => raw(target, rawPut({ label: Uint8Array.from(bytes) })))).toBe("BadLabel");
  });

  it.each([
    ["U+0080", [0xc2, 0x80]],
    ["U+07FF", [0xdf, 0xbf]],
    ["U+0800", [0xe0, 0xa0, 0x80]],
    ["U+D7FF", [0xed, 0x9f, 0xbf]],
    ["U+E000", [0xee, 0x80, 0x80]],
    ["U+FFFF", [0xef, 0xbf, 0xbf]],
    ["U+10000", [0xf0, 0x90, 0x80, 0x80]],
    ["U+10FFFF", [0xf4, 0x8f, 0xbf, 0xbf]],
  ])("begin right behind %s, which is taken", (_what, bytes) => {
    expect(raw(target, rawPut({ label: Uint8Array.from(bytes) }))).toBe("Ok");
  });
});

describe.each(engineTargets)("a damaged label on $name", (kind) => {
  it("counts as none: its record is listed without it, and can be evicted", () => {
    const target = ready(kind);
    const made = handle(put(target, { label: "gone" }));
    const other = handle(put(target, { label: "here" }));
    changeSlots(target.device, placesOf(target.device, made)[0]! + HEADER_SIZE, flip);
    target.boot();
    expect(state(target)).toBe(State.Ready);
    expect(handles(list(target))).toEqual([made, other].map(hex));
    expect(list(target).map((entry) => entry.get(Key.Label))).toEqual([undefined, "here"]);
    expect(says(evict(target, made))).toBe("Ok");
    expect(handles(list(target))).toEqual([hex(other)]);
    target.close();
  });
});
