/** The setup code: who may open a session before there are operators, or when nothing can tell who they are. SPEC.md §11. */
import { describe, expect, it } from "vitest";
import { START_RESCUE } from "../../firmware/defs/boundary.js";
import { CUSTODY_SIZE, JOURNAL_OFFSET, JOURNAL_SIZE } from "../../firmware/defs/medium.js";
import { Role } from "../../firmware/defs/session.js";
import { HEADER_OFF_MAC } from "../../firmware/defs/slot.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { people } from "../device/person.js";
import { changeData, changeSlots, flip, placesOf, setVersion } from "../store/damage.js";
import * as help from "../store/help.js";
import { type Bench, deviceTargets, engineTargets } from "../targets.js";
import { askIn, open, outcome, refusals } from "./help.js";

const { addAdmin, ADMIN, ADMIN_KEY, addOperator, begin, handle, list, put, ready, says, SMALL, state } = help;

const CODE = Uint8Array.from({ length: 32 }, (_, i) => (i * 59 + 3) & 0xff);
const NONE = new Uint8Array(32);
const SETUP = { id: "", key: CODE };
const isSet = (target: Bench) => target.ask(Command.Hello).get(Key.SetupCode);

describe.each(deviceTargets)("the setup code of $name", (kind) => {
  it("opens a session on a blank board, with role setup and no operator; nothing else does", () => {
    const target = kind.make(CODE);
    const { talk } = target;
    expect(isSet(target)).toBe(true);
    for (const who of [
      { id: "", key: NONE },
      { id: "", key: help.randomBytes(32) },
      { id: ADMIN, key: CODE },
    ])
      expect(outcome(() => open(talk, who))).toBe("HandshakeRefused");
    expect(talk.handshake("", CODE)).toBe(Role.Setup);
    const info = talk.ask(Command.Info);
    expect([info.get(Key.Role), info.has(Key.Operator)]).toEqual([Role.Setup, false]);
    expect(talk.touchesAsked).toBe(0);
    target.close();
  });

  it("provisions, adds the first admin, and is worth nothing once that admin has finished", () => {
    const target = kind.make(CODE);
    const { talk } = target;
    talk.handshake("", CODE);
    expect(says(begin(target, SMALL))).toBe("Ok");
    expect(says(addOperator(target, ADMIN, Role.Admin, ADMIN_KEY))).toBe("Ok");
    for (const ask of [() => put(target), () => target.ask(Command.ProvisionFinish), () => target.ask(Command.List)])
      expect(says(ask())).toBe(`WrongRole ${Role.Setup}`);
    expect(talk.handshake(ADMIN, ADMIN_KEY)).toBe(Role.Admin);
    expect(says(begin(target, SMALL))).toBe(`WrongRole ${Role.Admin}`);
    talk.handshake("", CODE);
    expect(says(begin(target, SMALL))).toBe("Ok"); // it can still be resumed
    const setup = open(talk, SETUP);
    talk.handshake(ADMIN, ADMIN_KEY);
    expect(says(target.ask(Command.ProvisionFinish))).toBe("Ok");
    expect(askIn(talk, setup, Command.Info)).toBe("NoSession");
    for (const boot of [false, true]) {
      if (boot) target.boot();
      expect(outcome(() => open(talk, SETUP))).toBe("HandshakeRefused");
    }
    expect(state(target)).toBe(State.Ready);
    target.close();
  });

  it("of a session that runs ends with provisioning", () => {
    const target = kind.make(CODE);
    const { talk } = target;
    begin(target, SMALL);
    addAdmin(target);
    const setup = open(talk, SETUP);
    expect(askIn(talk, setup, Command.Info)).toBe("Ok");
    talk.plant();
    expect(says(target.ask(Command.ProvisionFinish))).toBe("Ok");
    expect(outcome(() => open(talk, SETUP))).toBe("HandshakeRefused");
    expect(askIn(talk, setup, Command.Info)).toBe("NoSession");
    target.close();
  });

  it("opens sessions that end with provisioning and end nobody's: one that was opened before it is NoSession, the admin goes on", () => {
    const target = kind.make(CODE);
    const { talk } = target;
    begin(target, SMALL);
    addAdmin(target);
    const admin = open(talk, { id: ADMIN, key: ADMIN_KEY });
    expect(askIn(talk, admin, Command.Info)).toBe("Ok");
    const setup = open(talk, SETUP);
    expect(askIn(talk, admin, Command.ProvisionFinish)).toBe("Ok");
    expect(askIn(talk, setup, Command.Info)).toBe("NoSession");
    expect(askIn(talk, admin, Command.List)).toBe("Ok");
    target.close();
  });

  it("that is zero opens a session whose first command waits for a touch, and none after it", () => {
    const target = kind.make();
    const { talk } = target;
    expect(isSet(target)).toBe(false);
    expect(talk.handshake("", NONE)).toBe(Role.Setup);
    expect(talk.touchesAsked).toBe(0);
    expect(says(begin(target, SMALL))).toBe("Ok");
    expect(talk.touchesAsked).toBe(1);
    for (const ask of [() => begin(target, SMALL), () => addOperator(target, ADMIN, Role.Admin, ADMIN_KEY)])
      expect(says(ask())).toBe("Ok");
    expect(talk.touchesAsked).toBe(1);
    talk.handshake("", NONE);
    expect(says(help.info(target))).toBe("Ok");
    expect(talk.touchesAsked).toBe(2);
    target.close();
  });

  it("that is zero does nothing without its touch: denied or timed out, the next command asks for it again", () => {
    const target = kind.make();
    const { talk } = target;
    talk.handshake("", NONE);
    talk.person = people.denies;
    expect(says(begin(target, SMALL))).toBe("PresenceDenied");
    talk.person = people.absent;
    expect(says(begin(target, SMALL))).toBe("PresenceTimeout");
    expect(state(target)).toBe(State.Blank);
    talk.person = people.touches;
    expect(says(begin(target, SMALL))).toBe("Ok");
    expect(talk.touchesAsked).toBe(3);
    target.close();
  });
});

describe.each(deviceTargets)("the setup code of $name, provisioned,", (kind) => {
  /** A ready device with one record that was flashed with the code. */
  const filled = () => {
    const target = kind.make(CODE);
    const made = ready(kind, SMALL);
    const record = handle(put(made));
    help.transplant(made.device, target.device);
    target.boot();
    made.close();
    return { target, record };
  };
  const opens = (target: Bench) => outcome(() => open(target.talk, SETUP));

  it("opens nothing in Ready and Degraded", () => {
    const { target, record } = filled();
    expect([State[state(target)], opens(target)]).toEqual(["Ready", "HandshakeRefused"]);
    changeSlots(target.device, placesOf(target.device, record)[0]! + HEADER_OFF_MAC, flip);
    target.boot();
    expect([State[state(target)], opens(target)]).toEqual(["Degraded", "HandshakeRefused"]);
    target.close();
  });

  it.each([
    ["CustodyDamaged", (target: Bench) => target.device.data.preloadErased(0, CUSTODY_SIZE)],
    [
      "CustodyDamaged",
      (target: Bench) => changeData(target.device, JOURNAL_OFFSET, (bytes) => bytes.fill(0x5a), JOURNAL_SIZE),
    ],
    ["WrongVersion", (target: Bench) => setVersion(target.device, 3)],
  ])("opens a session in %s that may look, dump and reset, and operators cannot", (name, damage) => {
    const { target } = filled();
    const { talk } = target;
    damage(target);
    target.boot();
    expect(State[state(target)]).toBe(name);
    expect(outcome(() => open(talk, { id: ADMIN, key: ADMIN_KEY }))).toBe("HandshakeRefused");
    expect(talk.handshake("", CODE)).toBe(Role.Setup);
    expect(says(help.info(target))).toBe("Ok");
    const dump: [Key, number][] = [
      [Key.Length, 64],
      [Key.Region, 0],
      [Key.Offset, 0],
    ];
    expect(says(target.ask(Command.Dump, dump))).toBe("Ok");
    expect(says(put(target))).toBe(`WrongRole ${Role.Setup}`);
    expect(says(target.ask(Command.Reset))).toBe("Ok");
    expect(talk.touchesAsked).toBe(1);
    target.boot();
    expect(state(target)).toBe(State.Blank);
    talk.handshake("", CODE);
    expect(says(begin(target, SMALL))).toBe("Ok");
    target.close();
  });
});

describe.each(engineTargets)("rescue on $name", (kind) => {
  it("opens sessions for operators with a used key, not for the setup code, and changes nothing", () => {
    const target = ready(kind, SMALL);
    const { talk, device } = target;
    addOperator(target, "pending", Role.Admin, CODE);
    device.board.facts.fill(0x77, 64, 96);
    device.boot(START_RESCUE, 9);
    talk.reset();
    help.unchanged(target, () => {
      expect(talk.handshake(ADMIN, ADMIN_KEY)).toBe(Role.Admin);
      const info = talk.ask(Command.Info);
      expect([info.get(Key.State), info.get(Key.Operator)]).toEqual([State.Rescue, ADMIN]);
      expect(says(put(target))).toBe("Rescue");
      talk.handshake("pending", CODE);
      expect(talk.ask(Command.Info).get(Key.Operator)).toBe("pending");
      expect(says(talk.answer(Command.Close))).toBe("Ok");
      expect(says(talk.answer(Command.Info))).toBe("NoSession");
    });
    expect(outcome(() => open(talk, { id: "", key: new Uint8Array(32).fill(0x77) }))).toBe("HandshakeRefused");
    target.boot();
    expect(help.operators(target)).toEqual(["admin Admin", "pending Admin pending"]);
    expect(list(target)).toEqual([]);
    target.close();
  });

  it("writes nothing for a refused handshake, which it counts", () => {
    const target = ready(kind, SMALL);
    const { talk, device } = target;
    device.boot(START_RESCUE, 9);
    talk.reset();
    help.unchanged(target, () => {
      for (const who of [ADMIN, "nobody", ""])
        expect(outcome(() => open(talk, { id: who, key: help.randomBytes(32) }))).toBe("HandshakeRefused");
    });
    expect([refusals(talk), state(target)]).toEqual([3, State.Rescue]);
    target.boot();
    expect([refusals(talk), state(target)]).toEqual([0, State.Ready]);
    target.close();
  });
});
