/** How a record gets to the medium: body first and header last, under a nonce that no other version has, as SPEC.md §4 says; and that the
 *  set digest knows in which slot it stands. */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { afterEach, describe, expect, it } from "vitest";
import { SLOT_BLOCK, UNIT } from "../../firmware/defs/medium.js";
import { TOKEN_SIZE } from "../../firmware/defs/record.js";
import {
  HEADER_OFF_LABEL_LENGTH,
  HEADER_OFF_LENGTH,
  HEADER_OFF_NONCE,
  HEADER_OFF_SEQUENCE,
  HEADER_OFF_TAG,
  HEADER_OFF_TOKEN,
  HEADER_SIZE,
} from "../../firmware/defs/slot.js";
import { Key, State } from "../../firmware/defs/wire.js";
import { type Bench, engineTargets } from "../targets.js";
import { keys, placesOf, slotImage } from "./damage.js";
import * as help from "./help.js";

const { body, evict, get, handle, hex, operationsAt, put, ready, relabel, replace, says, setPolicy, state } = help;

const UNITS = 64;
const SLOT = UNITS * UNIT;
const CLASSES = [{ units: UNITS, blocks: 3 }];
const TAG = 16;

const slotBytes = (target: Bench, at: number): Buffer => target.device.slots.bytes.subarray(at, at + SLOT);
const nonceOf = (slot: Buffer): string => hex(slot.subarray(HEADER_OFF_NONCE, HEADER_OFF_NONCE + 16));

describe.each(engineTargets)("a slot on $name", (kind) => {
  let target: Bench;
  afterEach(() => target.close());

  /** Slots that a change programs, and in what order their units: 0 is the header. */
  function written(change: () => void): Map<number, number[]> {
    const { slots } = target.device;
    const slotsWritten = new Map<number, number[]>();
    slots.begun = ({ offset, bytes }) => {
      if (bytes === undefined) return;
      const units = slotsWritten.get(offset - (offset % SLOT)) ?? [];
      slotsWritten.set(offset - (offset % SLOT), [...units, (offset % SLOT) / UNIT]);
    };
    change();
    slots.begun = undefined;
    return slotsWritten;
  }

  it("is written header last, by a put, a replace, and a copy: a header stands over a whole body", () => {
    target = ready(kind, CLASSES);
    let made = handle(put(target, { body: body(1000) }));
    const changes = [
      () => (made = handle(put(target, { body: body(900) }))),
      () => replace(target, made, body(800)),
      ...Array.from({ length: 10 }, (_, i) => () => relabel(target, made, `name ${i}`)),
    ];
    let copies = 0;
    for (const change of changes) {
      const slots = written(change);
      copies += slots.size - 1;
      for (const units of slots.values()) {
        expect(units.length).toBeGreaterThan(5);
        expect(units.indexOf(0)).toBe(units.length - 1);
      }
    }
    expect(copies).toBeGreaterThan(0); // some change reclaimed
  });

  it("has a random nonce of its own in each version of a record, whatever makes it", () => {
    target = ready(kind, CLASSES);
    const content = body(100);
    const made = handle(put(target, { body: content }));
    const changes = [
      () => replace(target, made, content),
      () => relabel(target, made, "renamed"),
      () => setPolicy(target, made, 0),
      () => replace(target, made, content),
    ];
    const nonces = new Map<number, string>();
    const note = () => {
      for (const at of placesOf(target.device, made)) {
        const slot = slotBytes(target, at);
        const sequence = slot.readUInt32LE(HEADER_OFF_SEQUENCE);
        nonces.set(sequence, nonceOf(slot)); // copies of one version are the same
      }
    };
    note();
    for (const change of changes) {
      expect(says(change())).toBe("Ok");
      note();
    }
    expect(nonces.size).toBe(1 + changes.length);
    expect(new Set(nonces.values()).size).toBe(nonces.size);
  });

  it("that fails under a record shares no nonce with the one that is written instead", () => {
    target = ready(kind, CLASSES);
    put(target);
    const request = { token: help.token(), body: body(700) };
    const { slots, slotsOffset, supply } = target.device;
    const operations = operationsAt(target, slots, slotsOffset, 3 * SLOT_BLOCK, () => put(target, request));
    // the header is programmed, and an error is reported all the same
    supply.arm({ operation: operations.at(-1)!, tear: "after", powered: true });
    const made = handle(put(target, request));
    const places = placesOf(target.device, made).concat(failedPlaces(target, made));
    const nonces = places.map((at) => nonceOf(slotBytes(target, at)));
    expect(nonces).toHaveLength(2);
    expect(new Set(nonces).size).toBe(2);
    expect(hex(get(target, made).get(Key.Body))).toBe(hex(request.body));
  });

  it("opens with what SPEC.md §4 says: seal key, u64 sequence and 16 random bytes, 96 bytes of header", () => {
    target = ready(kind, CLASSES);
    const contents = [body(9), body(400), body(5000)];
    const made = handle(put(target, { body: contents[0]!, label: "first" }));
    const key = keys(target.device).find(({ name }) => name === "mbs 2026 seal")!.key;
    for (const content of contents) {
      expect(says(replace(target, made, content))).toBe("Ok");
      const newest = placesOf(target.device, made)
        .map((at) => slotBytes(target, at))
        .reduce((a, b) => (a.readUInt32LE(HEADER_OFF_SEQUENCE) > b.readUInt32LE(HEADER_OFF_SEQUENCE) ? a : b));
      const nonce = Buffer.alloc(24);
      nonce.writeUInt32LE(newest.readUInt32LE(HEADER_OFF_SEQUENCE));
      newest.copy(nonce, 8, HEADER_OFF_NONCE, HEADER_OFF_NONCE + 16);
      const from = HEADER_SIZE + newest[HEADER_OFF_LABEL_LENGTH]!;
      const sealed = newest.subarray(from, from + newest.readUInt16LE(HEADER_OFF_LENGTH));
      const tag = newest.subarray(HEADER_OFF_TAG, HEADER_OFF_TAG + TAG);
      const aead = xchacha20poly1305(key, nonce, newest.subarray(0, HEADER_OFF_TAG));
      expect(hex(aead.decrypt(Buffer.concat([sealed, tag])))).toBe(hex(content));
    }
  });

  it("that changed places with another one makes the store degraded, though both verify", () => {
    target = ready(kind, CLASSES);
    const [one, two] = [handle(put(target)), handle(put(target))];
    const [first, second] = [one, two].map((which) => placesOf(target.device, which).at(-1)!);
    expect(Math.floor(first! / SLOT_BLOCK)).toBe(Math.floor(second! / SLOT_BLOCK));
    const images = [first!, second!].map((at) => slotImage(target.device, at, UNITS));
    images[0]!(second);
    images[1]!(first);
    target.boot();
    expect(state(target)).toBe(State.Degraded);
    images[0]!();
    images[1]!();
    target.boot();
    expect(state(target)).toBe(State.Ready);
    expect(says(evict(target, one))).toBe("Ok");
  });
});

/** Slots with a header whose handle is another one: what a failed attempt of the same put left. A handle is made from a sequence. */
function failedPlaces(target: Bench, made: Uint8Array): number[] {
  const tokenAt = (at: number) => hex(slotBytes(target, at).subarray(HEADER_OFF_TOKEN, HEADER_OFF_TOKEN + TOKEN_SIZE));
  const whole = placesOf(target.device, made);
  const all = Array.from({ length: (3 * SLOT_BLOCK) / SLOT }, (_, i) => i * SLOT);
  return all.filter((at) => !whole.includes(at) && tokenAt(at) === tokenAt(whole[0]!));
}
