/** Touches: what needs one, what counts as one, how long it is waited for and what ends the wait. SPEC.md §12. The table of policies and
 *  touches is in test/session/roles.test.ts. */
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { LIGHT_TOUCH, START_RESCUE } from "../../firmware/defs/boundary.js";
import { BusyReason, FrameType } from "../../firmware/defs/link.js";
import { ALG_ED25519, PartKind, POLICY_EXPORTABLE, Usage } from "../../firmware/defs/record.js";
import { TOUCH_STABLE_MS, TOUCH_WAIT_MS, TOUCHES_KEPT } from "../../firmware/defs/session.js";
import { HEADER_OFF_MAC } from "../../firmware/defs/slot.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { encodeFrame } from "../../host/client/frame.js";
import { encodeMessage, message } from "../../host/client/message.js";
import { encodeParts } from "../../host/record.js";
import type { Device } from "../device/device.js";
import { type Person, people, STILL_MS } from "../device/person.js";
import { VirtualDevice } from "../device/virtual.js";
import { USER } from "../session/help.js";
import { changeSlots, flip, placesOf } from "../store/damage.js";
import * as help from "../store/help.js";
import { type Bench, deviceTargets, engineTargets } from "../targets.js";

const { ADMIN, ADMIN_KEY, addOperator, evict, get, handle, hex, list, put, ready, says, setPolicy, unchanged } = help;

const [CACHED, EACH] = [2 | POLICY_EXPORTABLE, 4 | POLICY_EXPORTABLE];
const signing = () =>
  encodeParts([{ kind: PartKind.Signing, secret: true, algorithm: ALG_ED25519, content: help.randomBytes(32) }]);

/** Whether the blue light is on. */
function isLit(device: Device): boolean {
  if (device instanceof VirtualDevice) return device.board.lights.includes("touch");
  if (!("board" in device)) throw new Error("a device without lights");
  return ((device.board as { lights: number }).lights & LIGHT_TOUCH) !== 0;
}

describe.each(deviceTargets)("a touch on $name", (kind) => {
  const target = ready(kind, [{ units: 2, blocks: 2 }]);
  const { talk, device } = target;
  afterAll(() => target.close());
  beforeEach(() => {
    talk.person = people.touches;
    talk.plant();
  });

  const guarded = (policy = EACH): Uint8Array => handle(put(target, { policy, usage: Usage.Raw, body: signing() }));
  const by = (person: Person, made: Uint8Array): string => {
    talk.person = person;
    return says(unchanged(target, () => get(target, made)));
  };

  it("is asked for with Busy, its reason and the time that is left, under the light, which goes out with the answer", () => {
    const made = guarded();
    const request = encodeMessage(
      message([
        [Key.Command, Command.Get],
        [Key.Handle, made],
      ]),
    );
    const sealed = talk.session!.seal(request);
    const frame = talk.send(sealed);
    const busy = Buffer.from(frame!.payload);
    expect([frame!.type, busy.length, busy[4]]).toEqual([FrameType.Busy, 5, BusyReason.Touch]);
    expect(busy.readUInt32LE(0)).toBeGreaterThanOrEqual(TOUCH_WAIT_MS);
    expect(busy.readUInt32LE(0)).toBeLessThan(TOUCH_WAIT_MS + 5000);
    device.wait(20);
    expect(isLit(device)).toBe(true);
    device.wait(10_000);
    const again = Buffer.from(talk.again(sealed)!.payload);
    expect(again[4]).toBe(BusyReason.Touch);
    expect(again.readUInt32LE(0)).toBeLessThanOrEqual(TOUCH_WAIT_MS - 9000 + 5000);
    device.press("s1");
    expect(device.wait(100).length).toBeGreaterThan(0);
    device.release("s1");
    expect(isLit(device)).toBe(false);
    talk.plant(); // the answer went by
    expect(says(get(target, made))).toBe("Ok");
  });

  it("that nobody gives is PresenceTimeout after thirty seconds", () => {
    const made = guarded();
    const start = device.now();
    expect(by(people.absent, made)).toBe("PresenceTimeout");
    const took = Number(device.now() - start) / 1000;
    expect(took).toBeGreaterThanOrEqual(TOUCH_WAIT_MS - 100);
    expect(took).toBeLessThan(TOUCH_WAIT_MS + 1000);
    expect(isLit(device)).toBe(false);
  });

  it("is denied with S2, also while S1 is pressed too", () => {
    const made = guarded();
    expect(by(people.denies, made)).toBe("PresenceDenied");
    const both: Person = ({ press, release, wait }) => {
      wait(STILL_MS);
      press("s2");
      press("s1");
      wait(STILL_MS);
      release("s1");
      release("s2");
    };
    expect(by(both, made)).toBe("PresenceDenied");
    expect(isLit(device)).toBe(false);
  });

  it("does not count when S1 was pressed before: held it is PresenceHeld, released and pressed again it counts", () => {
    const made = guarded();
    device.press("s1");
    device.wait(STILL_MS);
    expect(by(people.absent, made)).toBe("PresenceHeld");
    const again: Person = ({ press, release, wait }) => {
      expect(wait(2000)).toBe(false);
      release("s1");
      expect(wait(STILL_MS)).toBe(false);
      press("s1");
      expect(wait(STILL_MS)).toBe(true);
    };
    expect(by(again, made)).toBe("Ok");
    // the finger is still on it: the next request needs another touch
    expect(by(people.absent, made)).toBe("PresenceHeld");
    const late: Person = ({ release }) => release("s1");
    expect(by(late, made)).toBe("PresenceTimeout");
  });

  it("does not count before the switches stood still: bounces, and presses that are too short", () => {
    const made = guarded();
    const half = TOUCH_STABLE_MS / 2;
    const bouncing: Person = ({ press, release, wait }) => {
      wait(STILL_MS);
      for (let i = 0; i < 20; i++) {
        press("s1");
        expect(wait(half)).toBe(false);
        release("s1");
        expect(wait(half)).toBe(false);
      }
    };
    expect(by(bouncing, made)).toBe("PresenceTimeout");
    const thenFirm: Person = (panel) => {
      bouncing(panel);
      people.touches(panel);
    };
    expect(by(thenFirm, made)).toBe("Ok");
  });

  it("does not count when the release before it was too short", () => {
    const made = guarded();
    device.press("s1");
    device.wait(STILL_MS);
    const flicker: Person = ({ press, release, wait }) => {
      wait(STILL_MS);
      release("s1");
      wait(TOUCH_STABLE_MS / 2);
      press("s1");
      expect(wait(STILL_MS)).toBe(false);
    };
    expect(by(flicker, made)).toBe("PresenceHeld");
    device.release("s1");
  });

  it("is asked for each time with policy each, and once for session, record and command with policy cached", () => {
    talk.handshake(ADMIN, ADMIN_KEY);
    const [each, one, two] = [guarded(EACH), guarded(CACHED), guarded(CACHED)];
    addOperator(target, USER.id, 2, USER.key);
    talk.handshake(USER.id, USER.key);
    const asked = (act: () => unknown): number => {
      const before = talk.touchesAsked;
      act();
      return talk.touchesAsked - before;
    };
    const sign = (made: Uint8Array) => help.sign(target, made);
    for (let times = 0; times < 2; times++) {
      expect(asked(() => get(target, each))).toBe(1);
      expect(asked(() => sign(each))).toBe(1);
    }
    expect(asked(() => get(target, one))).toBe(1);
    expect(asked(() => get(target, one))).toBe(0);
    expect(asked(() => sign(one))).toBe(1); // another command
    expect(asked(() => sign(one))).toBe(0);
    expect(asked(() => get(target, two))).toBe(1); // another record
    expect(asked(() => get(target, one))).toBe(0);
    talk.handshake(USER.id, USER.key); // another session
    expect(asked(() => get(target, one))).toBe(1);
    expect(asked(() => get(target, one))).toBe(0);
  });

  it("that was refused is not remembered", () => {
    const made = guarded(CACHED);
    talk.handshake(USER.id, USER.key);
    expect(by(people.denies, made)).toBe("PresenceDenied");
    expect(by(people.denies, made)).toBe("PresenceDenied");
    expect(by(people.touches, made)).toBe("Ok");
    expect(by(people.absent, made)).toBe("Ok");
  });

  it(`is remembered for the last ${TOUCHES_KEPT} uses, no more`, () => {
    const made = Array.from({ length: TOUCHES_KEPT + 1 }, () => guarded(CACHED));
    talk.handshake(USER.id, USER.key);
    for (const one of made) expect(says(get(target, one))).toBe("Ok");
    const before = talk.touchesAsked;
    for (const one of made.slice(1)) expect(says(get(target, one))).toBe("Ok");
    expect(talk.touchesAsked - before).toBe(0);
    expect(says(get(target, made[0]!))).toBe("Ok");
    expect(talk.touchesAsked - before).toBe(1);
  });

  it("is not asked for when the answer would be a refusal anyway", () => {
    talk.person = () => {
      throw new Error("a touch was asked for");
    };
    const gone = guarded(4);
    const [kept, agrees] = [guarded(4), handle(help.generate(target, { usage: Usage.Agree, policy: 4 }))];
    evict(target, gone);
    for (const [expected, ask] of [
      ["NotExportable", () => get(target, kept)],
      ["NoSuchHandle", () => get(target, gone)],
      ["NoSuchHandle", () => help.sign(target, gone)],
      ["NoSuchHandle", () => setPolicy(target, gone, 1)],
      [`WrongUsage ${Usage.Agree}`, () => help.sign(target, agrees)],
      [`WrongUsage ${Usage.Raw}`, () => help.agree(target, kept)],
      [`ForeignMessage ${Usage.SshSig}`, () => help.sign(target, kept, Buffer.from("SSHSIGxyz"))],
      ["NotExportable", () => setPolicy(target, agrees, 5)],
    ] as const)
      expect(
        unchanged(target, () => says(ask())),
        expected,
      ).toBe(expected);
  });
});

describe.each(deviceTargets)("what waits for a touch on $name", (kind) => {
  /** A device that waits for the touch of a get. @returns the sealed request */
  const waiting = () => {
    const target = ready(kind, help.SMALL);
    const made = handle(put(target, { policy: EACH }));
    const request = encodeMessage(
      message([
        [Key.Command, Command.Get],
        [Key.Handle, made],
      ]),
    );
    const sealed = target.talk.session!.seal(request);
    expect(Buffer.from(target.talk.send(sealed)!.payload)[4]).toBe(BusyReason.Touch);
    target.device.wait(50);
    return { target, talk: target.talk, device: target.device, made, sealed };
  };
  /** Touches, and sees that nothing comes of it. */
  const touchInVain = (device: Device) => {
    device.press("s1");
    expect(device.wait(STILL_MS)).toHaveLength(0);
    device.release("s1");
    device.wait(STILL_MS);
    expect(isLit(device)).toBe(false);
  };

  it("is given up when the host sends something else, and a touch then does nothing", () => {
    const { target, talk, device, made } = waiting();
    expect(talk.ask(Command.Hello).get(Key.State)).toBe(State.Ready);
    expect(isLit(device)).toBe(false);
    touchInVain(device);
    talk.plant();
    expect(says(get(target, made))).toBe("Ok");
    expect(talk.touchesAsked).toBe(1);
    target.close();
  });

  it("is given up when another client takes the link", () => {
    const { target, talk, device } = waiting();
    talk.relink();
    expect(talk.ask(Command.Hello).get(Key.State)).toBe(State.Ready);
    touchInVain(device);
    target.close();
  });

  it("of a client that vanished ends with its time, and the next client is served", () => {
    const { target, talk, device } = waiting();
    device.wait(TOUCH_WAIT_MS + 1000);
    expect(isLit(device)).toBe(false);
    talk.relink();
    talk.plant();
    expect(list(target)).toHaveLength(1);
    target.close();
  });

  it("is over with a power cycle", () => {
    const { target, talk, device, made } = waiting();
    target.boot();
    expect(isLit(device)).toBe(false);
    touchInVain(device);
    talk.plant();
    expect(says(get(target, made))).toBe("Ok");
    target.close();
  });

  it("that was answered is answered the same again without another touch", () => {
    const { target, talk, device, sealed } = waiting();
    device.press("s1");
    const answer = device.wait(200);
    device.release("s1");
    expect(answer.length).toBeGreaterThan(0);
    expect(hex(encodeFrame(talk.again(sealed)!))).toBe(hex(answer));
    target.close();
  });
});

describe.each(deviceTargets)("what weakens a device on $name", (kind) => {
  const counted = (target: Bench, act: () => unknown): number => {
    const before = target.talk.touchesAsked;
    act();
    return target.talk.touchesAsked - before;
  };

  it("needs a touch: a policy that lets more out or asks for less, and no other", () => {
    const target = ready(kind, [{ units: 2, blocks: 2 }]);
    for (let from = 0; from < 6; from++)
      for (let to = 0; to < 6; to++) {
        const made = handle(put(target, { policy: from }));
        const weaker = (from & 1) < (to & 1) || from >> 1 > to >> 1;
        expect(
          counted(target, () => expect(says(setPolicy(target, made, to))).toBe("Ok")),
          `policy ${from} to ${to}`,
        ).toBe(weaker ? 1 : 0);
        evict(target, made);
      }
    target.close();
  });

  it("does not happen without it: policy and reset, denied, change nothing", () => {
    const target = ready(kind, help.SMALL);
    const made = handle(put(target, { policy: 4 }));
    target.talk.person = people.denies;
    for (const ask of [
      () => setPolicy(target, made, 5),
      () => setPolicy(target, made, 0),
      () => target.ask(Command.Reset),
    ])
      expect(unchanged(target, () => says(ask()))).toBe("PresenceDenied");
    expect(help.show(target, made).get(Key.Policy)).toBe(4);
    target.close();
  });

  it("needs a touch to accept a set that is not the one the journal vouches for, and none when there is nothing to accept", () => {
    const target = ready(kind, help.SMALL);
    const made = handle(put(target));
    expect(counted(target, () => target.ask(Command.Accept))).toBe(0);
    changeSlots(target.device, placesOf(target.device, made)[0]! + HEADER_OFF_MAC, flip);
    target.boot();
    target.talk.person = people.denies;
    expect(unchanged(target, () => says(target.ask(Command.Accept)))).toBe("PresenceDenied");
    expect(help.state(target)).toBe(State.Degraded);
    target.talk.person = people.touches;
    expect(counted(target, () => target.ask(Command.Accept))).toBe(1);
    expect(help.state(target)).toBe(State.Ready);
    target.close();
  });

  it("needs a touch to reset, which leaves a blank device", () => {
    const target = ready(kind, help.SMALL);
    expect(counted(target, () => expect(says(target.ask(Command.Reset))).toBe("Ok"))).toBe(1);
    expect(help.state(target)).toBe(State.Blank);
    expect(says(target.talk.answer(Command.List))).toBe("NotProvisioned");
    target.close();
  });
});

describe.each(engineTargets)("rescue on $name", (kind) => {
  it("asks for no touch: reset, accept and a weaker policy are refused with Rescue at once", () => {
    const target = ready(kind, help.SMALL);
    const { talk, device } = target;
    const made = handle(put(target, { policy: 4 }));
    device.boot(START_RESCUE, 7);
    talk.reset();
    talk.person = () => {
      throw new Error("a touch was asked for");
    };
    for (const ask of [
      () => target.ask(Command.Reset),
      () => target.ask(Command.Accept),
      () => setPolicy(target, made, 5),
      () => get(target, made),
    ])
      expect(unchanged(target, () => says(ask()))).toBe("Rescue");
    expect(talk.touchesAsked).toBe(0);
    target.close();
  });
});

describe.each(deviceTargets)("S1 and S2 on $name", (kind) => {
  const held = (target: Bench, ms: number, which: ("s1" | "s2")[] = ["s1", "s2"]): void => {
    for (const one of which) target.device.press(one);
    target.boot();
    target.device.wait(ms);
  };
  const letGo = (target: Bench): void => {
    target.device.release("s1");
    target.device.release("s2");
    target.device.wait(100);
  };

  it("held for ten seconds from power-up on reset the device; shorter, later or alone they do not", () => {
    const target = ready(kind, help.SMALL);
    put(target);
    held(target, 9000);
    letGo(target);
    expect(help.state(target)).toBe(State.Ready);
    held(target, 11_000, ["s1"]);
    letGo(target);
    expect(help.state(target)).toBe(State.Ready);
    target.boot();
    target.device.press("s1");
    target.device.press("s2");
    target.device.wait(11_000);
    letGo(target);
    expect([help.state(target), list(target).length]).toEqual([State.Ready, 1]);
    held(target, 11_000);
    expect(help.state(target)).toBe(State.Blank);
    letGo(target);
    target.boot();
    expect(help.state(target)).toBe(State.Blank);
    target.close();
  });

  it("held for a reset need no operator and no session: a device whose custody is damaged is blank afterwards", () => {
    const target = ready(kind, help.SMALL);
    target.device.data.preloadErased(0, 256);
    target.boot();
    expect(help.state(target)).toBe(State.CustodyDamaged);
    held(target, 11_000);
    expect(help.state(target)).toBe(State.Blank);
    letGo(target);
    target.close();
  });
});
