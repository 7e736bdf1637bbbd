/** What a board can meet: rescue mode, trap codes, noise that fails its tests, flash that fails. */
import { describe, expect, it } from "vitest";
import { LIGHT_FAULT, LIGHT_READY, START_NORMAL, START_RESCUE } from "../../firmware/defs/boundary.js";
import { SLOT_BLOCK } from "../../firmware/defs/medium.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { deviceTargets, engineTargets } from "../targets.js";
import {
  begin,
  body,
  evict,
  get,
  handle,
  hex,
  info,
  list,
  put,
  ready,
  replace,
  SMALL,
  says,
  state,
  token,
  unchanged,
} from "./help.js";

describe.each(engineTargets)("rescue on $name", (kind) => {
  it("mounts nothing, tells the trap code, dumps, answers Rescue to the rest, and changes nothing", () => {
    const target = ready(kind, SMALL);
    const content = body(50);
    const made = handle(put(target, { body: content }));
    target.device.boot(START_RESCUE, 77);
    target.talk.reset();
    unchanged(target, () => {
      const hello = target.ask(Command.Hello);
      expect([hello.get(Key.State), hello.get(Key.TrapCode)]).toEqual([State.Rescue, 77]);
      expect(info(target).get(Key.TrapCode)).toBe(77);
      const dump: [Key, number][] = [
        [Key.Length, 16],
        [Key.Region, 0],
        [Key.Offset, 0],
      ];
      expect(says(target.ask(Command.Dump, dump))).toBe("Ok");
      for (const ask of [
        () => get(target, made),
        () => put(target),
        () => evict(target, made, true),
        () => begin(target, SMALL),
        () => target.ask(Command.ProvisionFinish),
        () => target.ask(Command.List),
        () => target.ask(Command.Accept),
      ]) {
        expect(says(ask())).toBe("Rescue");
      }
    });
    expect(target.device.board.lights).toBe(LIGHT_FAULT);
    target.boot();
    expect([state(target), hex(get(target, made).get(Key.Body))]).toEqual([State.Ready, hex(content)]);
    expect(target.device.board.lights).toBe(LIGHT_READY);
    target.close();
  });

  it("is not needed to learn of a trap: a normal start tells its code too", () => {
    const target = ready(kind, SMALL);
    target.device.boot(START_NORMAL, 3);
    target.talk.reset();
    const hello = target.ask(Command.Hello);
    expect([hello.get(Key.State), hello.get(Key.TrapCode)]).toEqual([State.Ready, 3]);
    target.close();
  });
});

describe.each(engineTargets)("noise on $name", (kind) => {
  it("that stands still stops what needs it with EntropyNotReady, and nothing else; the same request works when it is back", () => {
    const target = kind.make();
    target.device.board.noisy = false;
    expect(unchanged(target, () => says(begin(target, SMALL)))).toBe("EntropyNotReady");
    expect(state(target)).toBe(State.Blank);
    target.device.board.noisy = true;
    expect(says(begin(target, SMALL))).toBe("Ok");
    const made = handle(put(target));
    target.device.board.noisy = false;
    const request = { token: token(), body: body(90) };
    expect(unchanged(target, () => says(put(target, request)))).toBe("EntropyNotReady");
    expect(unchanged(target, () => says(replace(target, made)))).toBe("EntropyNotReady");
    expect(says(get(target, made))).toBe("Ok");
    expect(says(evict(target, made))).toBe("Ok");
    target.device.board.noisy = true;
    expect(says(put(target, request))).toBe("Ok");
    target.close();
  });
});

describe.each(deviceTargets)("flash that fails on $name", (kind) => {
  it("in one block costs no record: the put goes to another slot, and everything is as before", () => {
    const target = ready(kind, [{ units: 64, blocks: 4 }]);
    const content = body(500);
    const made = handle(put(target, { body: content }));
    const { slots, slotsOffset } = target.device;
    for (let at = slotsOffset; at < slotsOffset + 4 * SLOT_BLOCK; at += SLOT_BLOCK) {
      slots.stick(at, { program: true });
      const answer = says(put(target));
      expect(["Ok", "MediumFailed"]).toContain(answer);
      expect(state(target)).toBe(State.Ready);
      expect(hex(get(target, made).get(Key.Body))).toBe(hex(content));
      slots.stick(at, {});
      expect(says(put(target))).toBe("Ok");
    }
    const before = list(target).length;
    target.boot();
    expect([state(target), list(target).length]).toEqual([State.Ready, before]);
    target.close();
  });

  it("everywhere answers MediumFailed, and the change did not happen", () => {
    const target = ready(kind, SMALL);
    const made = handle(put(target));
    for (const how of [{ program: true }, { erase: true }]) {
      for (const nor of [target.device.slots, target.device.data]) {
        const from = nor === target.device.slots ? target.device.slotsOffset : 0;
        const each = nor === target.device.slots ? SLOT_BLOCK : 64;
        const all = (what: object) => {
          for (let at = from; at < nor.size; at += each) nor.stick(at, what);
        };
        all(how);
        const answer = says(replace(target, made));
        all({});
        target.boot();
        expect([state(target), list(target).length], `${JSON.stringify(how)} ${answer}`).toEqual([State.Ready, 1]);
        expect(says(replace(target, made))).toBe("Ok");
      }
    }
    target.close();
  });
});
