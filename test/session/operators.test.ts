/** Operators: added, rotated, given another role, removed; which of their keys opens a session, and that an admin is always left.
 *  SPEC.md §11. Under power cuts: test/cuts/operators.test.ts. */
import { describe, expect, it } from "vitest";
import { FrameType, PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { OPERATORS_OFFSET } from "../../firmware/defs/medium.js";
import { OPERATOR_OFF_KEY, OPERATOR_PLACE, OPERATOR_PLACES, OPERATORS_MAX } from "../../firmware/defs/operator.js";
import { Usage } from "../../firmware/defs/record.js";
import { Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { encodeFrame } from "../../host/client/frame.js";
import type { Message } from "../../host/client/message.js";
import { changeData, flip } from "../store/damage.js";
import * as help from "../store/help.js";
import { deviceTargets, engineTargets, type Target, targets } from "../targets.js";
import { askIn, open, outcome, refusals, request, STRANGER, staffed, USER } from "./help.js";

const { ADMIN, ADMIN_KEY, addOperator, operators, randomBytes, ready, removeOperator, rotateOperator, says } = help;
const { body, generate, handle, handles, list, put, setRole, sign, SMALL, unchanged } = help;

const [ONE, TWO, THREE] = [1, 2, 3].map((n) => new Uint8Array(32).fill(n)) as [Uint8Array, Uint8Array, Uint8Array];
const admits = (target: Target, id: string, key: Uint8Array) => Status[target.admit(id, key)];

describe.each(targets)("operators on $name", (kind) => {
  it("are added with a pending key, which its first session makes the used one, and kept over power cycles", () => {
    const target = ready(kind, SMALL);
    expect(operators(target)).toEqual(["admin Admin"]);
    expect(says(addOperator(target, "a.b-c_9", Role.User, ONE))).toBe("Ok");
    expect(operators(target)).toEqual(["a.b-c_9 User pending", "admin Admin"]);
    target.boot();
    expect(admits(target, "a.b-c_9", TWO)).toBe("HandshakeRefused");
    expect(operators(target)).toEqual(["a.b-c_9 User pending", "admin Admin"]);
    expect(admits(target, "a.b-c_9", ONE)).toBe("Ok");
    expect(operators(target)).toEqual(["a.b-c_9 User", "admin Admin"]);
    target.boot();
    expect(admits(target, "a.b-c_9", ONE)).toBe("Ok");
    target.close();
  });

  it("are added once: the same again changes nothing, anything else is OperatorExists", () => {
    const target = ready(kind, SMALL);
    addOperator(target, "a", Role.User, ONE);
    expect(unchanged(target, () => says(addOperator(target, "a", Role.User, ONE)))).toBe("Ok");
    expect(unchanged(target, () => says(addOperator(target, "a", Role.Admin, ONE)))).toBe("OperatorExists");
    expect(unchanged(target, () => says(addOperator(target, "a", Role.User, TWO)))).toBe("OperatorExists");
    admits(target, "a", ONE);
    expect(unchanged(target, () => says(addOperator(target, "a", Role.User, ONE)))).toBe("Ok");
    target.close();
  });

  it("keep their old key until the rotated one is used, and then only that one opens a session", () => {
    const target = ready(kind, SMALL);
    addOperator(target, "a", Role.User, ONE);
    admits(target, "a", ONE);
    expect(says(rotateOperator(target, "a", TWO))).toBe("Ok");
    expect(unchanged(target, () => says(rotateOperator(target, "a", TWO)))).toBe("Ok");
    expect(operators(target)).toEqual(["a User", "a User pending", "admin Admin"]);
    target.boot();
    expect(admits(target, "a", ONE)).toBe("Ok");
    expect(admits(target, "a", TWO)).toBe("Ok");
    expect(operators(target)).toEqual(["a User", "admin Admin"]);
    expect(admits(target, "a", ONE)).toBe("HandshakeRefused");
    target.close();
  });

  it("survive a rotated key that was mistyped: the old one works, and rotating again replaces the pending one", () => {
    const target = ready(kind, SMALL);
    expect(says(rotateOperator(target, ADMIN, ONE))).toBe("Ok"); // nobody has this key
    expect(says(rotateOperator(target, ADMIN, TWO))).toBe("Ok");
    expect(admits(target, ADMIN, ADMIN_KEY)).toBe("Ok");
    expect(admits(target, ADMIN, ONE)).toBe("HandshakeRefused");
    expect(admits(target, ADMIN, TWO)).toBe("Ok");
    expect(admits(target, ADMIN, ADMIN_KEY)).toBe("HandshakeRefused");
    expect(operators(target)).toEqual(["admin Admin"]);
    target.close();
  });

  it("whose first key was never used can be rotated as well", () => {
    const target = ready(kind, SMALL);
    addOperator(target, "a", Role.User, ONE);
    expect(says(rotateOperator(target, "a", TWO))).toBe("Ok");
    expect(operators(target)).toEqual(["a User pending", "admin Admin"]);
    expect([admits(target, "a", ONE), admits(target, "a", TWO)]).toEqual(["HandshakeRefused", "Ok"]);
    target.close();
  });

  it("of whom one is the last admin with a used key cannot lose it: LastAdmin for remove and for another role", () => {
    const target = ready(kind, SMALL);
    const last = () => {
      expect(unchanged(target, () => says(removeOperator(target, ADMIN)))).toBe("LastAdmin");
      for (const role of [Role.User, Role.Auditor])
        expect(unchanged(target, () => says(setRole(target, ADMIN, role)))).toBe("LastAdmin");
    };
    last();
    addOperator(target, "other", Role.Admin, ONE);
    last(); // that key may be a mistake
    rotateOperator(target, ADMIN, TWO);
    last();
    admits(target, "other", ONE);
    expect(says(setRole(target, ADMIN, Role.Auditor))).toBe("Ok");
    expect(unchanged(target, () => says(removeOperator(target, "other")))).toBe("LastAdmin");
    expect(says(setRole(target, ADMIN, Role.Admin))).toBe("Ok");
    expect(says(removeOperator(target, "other"))).toBe("Ok");
    last();
    target.close();
  });

  it("take another role with both their keys", () => {
    const target = ready(kind, SMALL);
    addOperator(target, "a", Role.User, ONE);
    admits(target, "a", ONE);
    rotateOperator(target, "a", TWO);
    expect(says(setRole(target, "a", Role.Auditor))).toBe("Ok");
    expect(operators(target)).toEqual(["a Auditor", "a Auditor pending", "admin Admin"]);
    expect(unchanged(target, () => says(setRole(target, "a", Role.Auditor)))).toBe("Ok");
    target.boot();
    expect([admits(target, "a", ONE), admits(target, "a", TWO)]).toEqual(["Ok", "Ok"]);
    expect(operators(target)).toEqual(["a Auditor", "admin Admin"]);
    target.close();
  });

  it("that are removed are gone with all their keys, and their id may come again", () => {
    const target = ready(kind, SMALL);
    addOperator(target, "a", Role.User, ONE);
    admits(target, "a", ONE);
    rotateOperator(target, "a", TWO);
    expect(says(removeOperator(target, "a"))).toBe("Ok");
    target.boot();
    expect([admits(target, "a", ONE), admits(target, "a", TWO)]).toEqual(["HandshakeRefused", "HandshakeRefused"]);
    expect(says(addOperator(target, "a", Role.Auditor, THREE))).toBe("Ok");
    expect(operators(target)).toEqual(["a Auditor pending", "admin Admin"]);
    target.close();
  });

  it("that nobody knows are NoSuchOperator", () => {
    const target = ready(kind, SMALL);
    for (const ask of [
      () => rotateOperator(target, "a", ONE),
      () => setRole(target, "a", Role.Admin),
      () => removeOperator(target, "a"),
      () => removeOperator(target, "admi"),
      () => removeOperator(target, "admin1"),
    ])
      expect(unchanged(target, () => says(ask()))).toBe("NoSuchOperator");
    target.close();
  });

  it(`are ${OPERATORS_MAX} at the most, with ${OPERATOR_PLACES} keys; OperatorsFull says so, and nobody is lost`, () => {
    const target = ready(kind, SMALL);
    const ids = Array.from({ length: OPERATORS_MAX - 1 }, (_, i) => `op-${i}`);
    for (const id of ids) expect(says(addOperator(target, id, Role.User, ONE))).toBe("Ok");
    expect(unchanged(target, () => says(addOperator(target, "more", Role.User, ONE)))).toBe("OperatorsFull");
    const rotated = ids.slice(0, OPERATOR_PLACES - OPERATORS_MAX);
    for (const id of rotated) {
      admits(target, id, ONE);
      expect(says(rotateOperator(target, id, TWO))).toBe("Ok");
    }
    expect(unchanged(target, () => says(rotateOperator(target, ADMIN, TWO)))).toBe("OperatorsFull");
    expect(operators(target)).toHaveLength(OPERATOR_PLACES);
    target.boot();
    expect(admits(target, rotated[0]!, TWO)).toBe("Ok");
    expect(says(rotateOperator(target, ADMIN, TWO))).toBe("Ok");
    expect(says(removeOperator(target, ids[7]!))).toBe("Ok");
    expect(says(removeOperator(target, ids[8]!))).toBe("Ok");
    expect(says(addOperator(target, "more", Role.User, ONE))).toBe("Ok");
    target.close();
  });
});

describe.each(deviceTargets)("keys of operators on $name", (kind) => {
  it("that wait are taken back by rotating to the key in use, which is the only one then", () => {
    const target = staffed(kind);
    expect(says(rotateOperator(target, USER.id, ONE))).toBe("Ok");
    expect(says(rotateOperator(target, USER.id, USER.key))).toBe("Ok");
    for (const boot of [false, true]) {
      if (boot) target.boot();
      expect(operators(target)).toEqual(["admin Admin", "auditor Auditor", "user User"]);
      expect(admits(target, USER.id, ONE)).toBe("HandshakeRefused");
      expect(admits(target, USER.id, USER.key)).toBe("Ok");
    }
    expect(unchanged(target, () => says(rotateOperator(target, USER.id, USER.key)))).toBe("Ok");
    target.close();
  });

  it("take another role, both of them, when the first free places of the medium are worn", () => {
    const target = staffed(kind);
    const { data } = target.device;
    rotateOperator(target, USER.id, ONE);
    const places = Array.from({ length: OPERATOR_PLACES }, (_, i) => OPERATORS_OFFSET + i * OPERATOR_PLACE);
    const [free] = places.filter((at) => data.certainlyErased(at, OPERATOR_PLACE));
    data.stick(free!, { program: true, erase: true });
    for (const role of [Role.Auditor, Role.User, Role.Auditor]) {
      expect(says(setRole(target, USER.id, role))).toBe("Ok");
      expect(operators(target)).toContain(`user ${Role[role]}`);
      expect(operators(target)).toContain(`user ${Role[role]} pending`);
    }
    target.boot();
    expect([admits(target, USER.id, USER.key), admits(target, USER.id, ONE)]).toEqual(["Ok", "Ok"]);
    expect(operators(target)).toEqual(["admin Admin", "auditor Auditor", "user Auditor"]);
    target.close();
  });

  it("stay pending when their first use cannot be made durable: the request is MediumFailed and not carried out", () => {
    const target = ready(kind, SMALL);
    const { talk, device } = target;
    const made = handle(generate(target, { usage: Usage.Raw }));
    const asked = [
      () => sign(target, made, Buffer.alloc(1000, "not to be signed")),
      () => put(target, { body: body(500) }),
      () => addOperator(target, "newer", Role.Admin, TWO),
      () => help.evict(target, made),
    ];
    addOperator(target, "new", Role.Admin, ONE);
    for (const [i, operation] of (kind.slow ? [20, 36] : [20, 22, 24, 26, 30, 32, 34, 36]).entries()) {
      talk.session = open(talk, { id: "new", key: ONE });
      device.supply.arm({ operation, tear: "before", powered: true });
      const answer = asked[i % asked.length]!();
      device.supply.disarm();
      expect(Status[answer.get(Key.Command) as Status], `operation ${operation}`).toBe("MediumFailed");
      expect([Key.Signature, Key.Public, Key.Handle].filter((key) => answer.has(key))).toEqual([]);
      talk.session = undefined;
      expect(operators(target)).toEqual(["admin Admin", "new Admin pending"]);
      expect(handles(list(target))).toEqual([help.hex(made)]);
    }
    target.boot();
    expect(operators(target)).toEqual(["admin Admin", "new Admin pending"]);
    expect(admits(target, "new", ONE)).toBe("Ok");
    expect(operators(target)).toEqual(["admin Admin", "new Admin"]);
    target.close();
  });
});

describe.each(engineTargets)("keys of operators on $name", (kind) => {
  it("are used also by a session whose first message is overtaken by the second", () => {
    const target = ready(kind, SMALL);
    const { talk, device } = target;
    addOperator(target, "a", Role.User, ONE);
    const session = open(talk, { id: "a", key: ONE });
    const opened = talk.frames({ type: FrameType.Open, link: 7, payload: Uint8Array.of(PROTOCOL_VERSION) });
    const link = Buffer.from(opened.at(-1)!.payload).readUInt16LE(0);
    const whole = { type: FrameType.Data, more: false, link, index: 0 };
    const both = [1, 2].map((sequence) =>
      encodeFrame({ ...whole, sequence, payload: session.seal(request(Command.Info)) }),
    );
    device.exchange(Buffer.concat(both));
    talk.reset();
    expect(operators(target)).toEqual(["a User", "admin Admin"]);
    target.close();
  });
});

describe.each(deviceTargets)("sessions and operators on $name", (kind) => {
  it("end for an operator that is removed, and for one whose role changes, with the next message", () => {
    for (const change of [
      (target: Target) => removeOperator(target, USER.id),
      (target: Target) => setRole(target, USER.id, Role.Auditor),
    ]) {
      const target = staffed(kind);
      const { talk } = target;
      const candidate = open(talk, USER);
      talk.plant();
      expect(says(change(target))).toBe("Ok");
      expect(askIn(talk, candidate, Command.Info)).toBe("NoSession");
      target.close();
    }
  });

  it("end for an admin who removes or demotes itself, behind the answer", () => {
    const target = ready(kind, SMALL);
    const { talk } = target;
    addOperator(target, "other", Role.Admin, ONE);
    target.admit("other", ONE);
    talk.handshake(ADMIN, ADMIN_KEY);
    expect(says(setRole(target, ADMIN, Role.Auditor))).toBe("Ok");
    expect(says(talk.answer(Command.Info))).toBe("NoSession");
    talk.handshake("other", ONE);
    expect(says(setRole(target, ADMIN, Role.Admin))).toBe("Ok");
    expect(says(removeOperator(target, "other"))).toBe("Ok");
    expect(says(talk.answer(Command.Info))).toBe("NoSession");
    expect(outcome(() => open(talk, { id: "other", key: ONE }))).toBe("HandshakeRefused");
    target.close();
  });

  it("go on for an operator whose key is rotated, until the new one is used", () => {
    const target = ready(kind, SMALL);
    const { talk } = target;
    talk.handshake(ADMIN, ADMIN_KEY);
    expect(says(rotateOperator(target, ADMIN, ONE))).toBe("Ok");
    expect(says(target.ask(Command.List))).toBe("Ok");
    talk.handshake(ADMIN, ONE);
    expect(says(target.ask(Command.List))).toBe("Ok");
    expect(operators(target)).toEqual(["admin Admin"]);
    target.close();
  });

  it("do not begin with a key whose place on the medium was changed, and do with every other", () => {
    const target = staffed(kind);
    const places = Array.from({ length: OPERATOR_PLACES }, (_, i) => OPERATORS_OFFSET + i * OPERATOR_PLACE);
    const id = Buffer.from(USER.id.padEnd(10, "\0"));
    const place = places.find((at) => target.device.data.bytes.subarray(at + 6, at + 16).equals(id))!;
    changeData(target.device, place + OPERATOR_OFF_KEY, flip);
    target.boot();
    expect(outcome(() => open(target.talk, USER))).toBe("HandshakeRefused");
    expect(admits(target, ADMIN, ADMIN_KEY)).toBe("Ok");
    expect(says(removeOperator(target, USER.id))).toBe("Ok");
    expect(says(addOperator(target, USER.id, Role.User, USER.key))).toBe("Ok");
    expect(admits(target, USER.id, USER.key)).toBe("Ok");
    target.close();
  });

  it("are not mixed up in the counts of refusals: a new operator begins at zero", () => {
    const target = ready(kind, SMALL);
    const { talk } = target;
    const count = () =>
      (target.ask(Command.OperatorList).get(Key.Operators) as Message[])
        .filter((one) => one.get(Key.Operator) !== ADMIN)
        .map((one) => one.get(Key.Refusals));
    addOperator(target, USER.id, Role.User, USER.key);
    outcome(() => open(talk, { ...USER, key: randomBytes(32) }));
    expect([count(), refusals(talk)]).toEqual([[1], 1]);
    removeOperator(target, USER.id);
    addOperator(target, STRANGER.id, Role.User, STRANGER.key);
    expect([count(), refusals(talk)]).toEqual([[0], 1]);
    target.boot();
    expect(count()).toEqual([0]);
    target.close();
  });
});
