/** A list is made while it leaves: whatever its length, and whatever happens to the medium meanwhile. SPEC.md §9. */
import { describe, expect, it } from "vitest";
import { Region } from "../../firmware/defs/boundary.js";
import { CUSTODY_COPIES, CUSTODY_OFF_ROOT, CUSTODY_PLACE } from "../../firmware/defs/custody.js";
import { CUSTODY_OFFSET } from "../../firmware/defs/medium.js";
import { HEADER_OFF_MAC } from "../../firmware/defs/slot.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { decodeAnswer, encodeMessage, type Message, message } from "../../host/client/message.js";
import { region } from "../device/map.js";
import { type Bench, deviceTargets, engineTargets } from "../targets.js";
import { changeData, changeSlots, flip, placesOf } from "./damage.js";
import { find, handle, handles, hex, list, put, QUICK, ready, transplant } from "./help.js";

const LIST = encodeMessage(message([[Key.Command, Command.List]]));
const INFO = encodeMessage(message([[Key.Command, Command.Info]]));

/** A label of n bytes, none for 0. */
const label = (n: number): string | undefined => (n === 0 ? undefined : "x".repeat(n));

/** Puts records with labels of many lengths. @returns their handles, in the order of their slots */
function fill(target: Bench, records: number): string[] {
  const made = Array.from({ length: records }, (_, i) => handle(put(target, { label: label((7 * i) % 49) })));
  const places = new Map(made.map((one) => [hex(one), placesOf(target.device, one)[0]!]));
  return [...places.keys()].sort((a, b) => places.get(a)! - places.get(b)!);
}

const bytes = (handle: string): Uint8Array => Buffer.from(handle, "hex");
const spoil = (target: Bench, one: string): void => {
  for (const at of placesOf(target.device, bytes(one))) changeSlots(target.device, at + HEADER_OFF_MAC, flip);
};

describe.each(deviceTargets)("list on $name", (kind) => {
  it("gives all records in the order of their slots, wherever its fragments end", () => {
    const target = ready(kind);
    const made: string[] = [];
    for (let n = 0; n < (kind.slow ? 36 : 120); n++) {
      made.push(hex(handle(put(target, { label: label((11 * n) % 49) }))));
      // a fragment holds some 12 to 20
      if (!kind.slow || n % 4 === 3) expect(handles(list(target)).sort(), `${n + 1} records`).toEqual([...made].sort());
    }
    const order = handles(list(target)).map((one) => placesOf(target.device, bytes(one))[0]!);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(find(target, [[Key.LabelPrefix, "xxxx"]])).toHaveLength(
      made.filter((_, n) => (label((11 * n) % 49)?.length ?? 0) >= 4).length,
    );
    target.close();
  });

  it("counts records whose header does not verify behind the others, whichever they are", () => {
    const quick = ready(QUICK);
    const made = fill(quick, 40);
    const target = kind.make();
    transplant(quick.device, target.device);
    target.boot();
    const spoilt = [0, 1, 15, 16, 17, 38, 39].map((n) => made[n]!);
    for (const one of spoilt) spoil(target, one);
    const answer = target.ask(Command.List);
    expect(handles(answer.get(Key.Entries) as Message[])).toEqual(made.filter((one) => !spoilt.includes(one)));
    expect(answer.get(Key.Corrupt)).toBe(spoilt.length);
    target.close();
  });
});

describe.each(engineTargets)("a list that leaves $name", (kind) => {
  /** Lists, and does something when so many fragments have left. */
  function during(
    target: Bench & { device: { onSent: (() => void) | undefined } },
    fragments: number,
    act: () => void,
  ) {
    const { device, talk } = target;
    talk.plant();
    let sent = 0;
    device.onSent = () => {
      if (++sent === fragments) act();
    };
    const answer = decodeAnswer(talk.session!.open(talk.exchange(talk.session!.seal(LIST))));
    device.onSent = undefined;
    return { entries: handles(answer.get(Key.Entries) as Message[]), corrupt: answer.get(Key.Corrupt), sent };
  }

  it("is made piece by piece: a record that cannot be verified any more when its turn comes counts as corrupt", () => {
    const target = ready(kind);
    const made = fill(target, 60);
    const told = during(target, 2, () => [0, 59].map((n) => spoil(target, made[n]!)));
    expect(told.sent).toBeGreaterThan(3);
    expect(told.entries).toEqual(made.slice(0, 59)); // the first had left, or stood in RAM
    expect(told.corrupt).toBe(1);
    target.close();
  });

  it("ends with what it has when custody cannot be read any more", () => {
    const target = ready(kind);
    const made = fill(target, 60);
    const told = during(target, 1, () => {
      for (let copy = 0; copy < CUSTODY_COPIES; copy++)
        changeData(target.device, CUSTODY_OFFSET + copy * CUSTODY_PLACE + CUSTODY_OFF_ROOT, flip);
    });
    expect(told.entries).toEqual(made.slice(0, told.entries.length));
    expect(told.entries.length).toBeLessThan(30);
    expect(told.entries.length + (told.corrupt as number)).toBe(60);
    target.close();
  });

  it("reads custody at most once for each fragment", () => {
    const target = ready(kind);
    fill(target, 60);
    const { board } = target.device;
    const read = board.read;
    let reads = 0;
    board.read = (region, offset, pointer, length) => {
      if (region === Region.Custody) reads++;
      return read(region, offset, pointer, length);
    };
    target.boot();
    for (const fragments of [1, 2, 3]) {
      reads = 0;
      during(target, fragments, () => expect(reads, `${fragments} fragments`).toBeLessThanOrEqual(fragments));
    }
    target.close();
  });

  it("leaves no key behind between its pieces", () => {
    const target = ready(kind);
    fill(target, 60);
    for (const fragments of [1, 2, 3])
      during(target, fragments, () => {
        for (const [name, size] of [
          ["VAULT", 2 * CUSTODY_PLACE],
          ["KEYS", 9 * 32],
        ] as const)
          expect(hex(target.device.peek(region(name), size)), name).toBe("00".repeat(size));
      });
    target.close();
  });

  it("is forgotten when something else is asked for in the middle of it, and adds nothing to that answer", () => {
    const target = ready(kind);
    const made = fill(target, 60);
    const { device, talk } = target;
    talk.plant();
    const session = talk.session!;
    let sent = 0;
    let other: Uint8Array | undefined;
    device.onSent = () => {
      if (++sent !== 2) return;
      device.onSent = undefined;
      other = talk.send(session.seal(INFO))!.payload;
    };
    talk.send(session.seal(LIST));
    const info = decodeAnswer(session.open(other!, 1n));
    expect([info.get(Key.Command), info.has(Key.Custody), info.has(Key.Entries)]).toEqual([Status.Ok, true, false]);
    talk.relink();
    expect(handles(list(target))).toEqual(made);
    target.close();
  });
});
