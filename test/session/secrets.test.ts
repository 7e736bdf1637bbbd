/** What a handshake leaves in RAM: the session's two keys in their place, and nothing that they were made from; and what is left when
 *  the session's operator is gone. */
import { createPublicKey, diffieHellman, type KeyObject } from "node:crypto";
import { afterAll, describe, expect, it } from "vitest";
import { Role } from "../../firmware/defs/session.js";
import { Command } from "../../firmware/defs/wire.js";
import { type First, finish } from "../device/handshake.js";
import { region } from "../device/map.js";
import type { Session } from "../device/session.js";
import { addOperator, randomBytes, removeOperator, says, setRole } from "../store/help.js";
import { type Bench, deviceTargets } from "../targets.js";
import { askIn, first, open, STAFF, staffed, USER } from "./help.js";

const X25519 = Buffer.from("302a300506032b656e032100", "hex"); // RFC 8410 §4

/** What only the state of a handshake knows. */
function inside({ state }: First) {
  return state as unknown as { symmetric: { ck: Buffer; cipher: { k: Buffer } }; e: { privateKey: KeyObject } };
}

describe.each(deviceTargets)("RAM after a handshake with $name", (kind) => {
  const target = staffed(kind);
  const { talk, device } = target;
  afterAll(() => target.close());

  /** Names of those secrets of which eight bytes stand somewhere in RAM. */
  const traces = (secrets: Record<string, Uint8Array>): string[] => {
    const ram = Buffer.from(device.ram());
    return Object.entries(secrets).flatMap(([name, secret]) =>
      [0, 8, 16, 24].filter((at) => ram.indexOf(secret.subarray(at, at + 8)) >= 0).map((at) => `${name}[${at}]`),
    );
  };
  const keys = ({ sendKey, receiveKey }: Session) => ({ "host to device": sendKey, "device to host": receiveKey });
  const operators = Object.fromEntries([...STAFF.values()].map(({ id, key }) => [`key of ${id}`, key]));

  /** A handshake, and what both ends computed in it. */
  const shaken = () => {
    const message1 = first(talk, USER);
    const early = { "key of message 1": Buffer.from(inside(message1).symmetric.cipher.k) };
    const answer = talk.exchange(message1.bytes);
    const { session } = finish(message1, answer);
    const theirs = createPublicKey({
      key: Buffer.concat([X25519, answer.subarray(1, 33)]),
      format: "der",
      type: "spki",
    });
    const shared = diffieHellman({ privateKey: inside(message1).e.privateKey, publicKey: theirs });
    const { ck, cipher } = inside(message1).symmetric;
    return { session, secrets: { ...early, shared, "chaining key": ck, "key of message 2": Buffer.from(cipher.k) } };
  };

  it("holds no key of an operator, no shared secret, no chaining or handshake key; the session's own keys it does", () => {
    const { session, secrets } = shaken();
    expect(traces({ ...secrets, ...operators })).toEqual([]);
    expect(traces(keys(session))).toHaveLength(8);
    expect(askIn(talk, session, Command.Info)).toBe("Ok");
    expect(traces({ ...secrets, ...operators })).toEqual([]);
    expect(traces(keys(session))).toHaveLength(8);
  });

  it("holds the keys of two sessions at the most, and each of them once", () => {
    const one = shaken();
    expect(askIn(talk, one.session, Command.Info)).toBe("Ok");
    const [two, three] = [shaken(), shaken()];
    expect(traces(keys(two.session))).toEqual([]);
    for (const { session } of [one, three])
      for (const key of Object.values(keys(session))) {
        const ram = Buffer.from(device.ram());
        const at = ram.indexOf(key);
        expect(at).toBeGreaterThanOrEqual(0);
        expect(ram.indexOf(key, at + 1)).toBe(-1);
      }
    expect(askIn(talk, three.session, Command.Info)).toBe("Ok");
    expect(traces({ ...keys(one.session), ...one.secrets, ...three.secrets })).toEqual([]);
  });

  it("holds nothing of one that was refused: keys, challenge response, half-made state", () => {
    const wrong = randomBytes(32);
    const message1 = first(talk, { ...USER, key: wrong });
    const early = Buffer.from(inside(message1).symmetric.cipher.k);
    talk.exchange(message1.bytes);
    expect(traces({ wrong, early, ...operators })).toEqual([]);
    const state = device.peek(region("NOISE_STATE"), region("NOISE_STATE_SIZE"));
    expect([...state].every((byte) => byte === 0)).toBe(true);
  });

  it("holds no operator's key after a start, and after operators were listed", () => {
    target.ask(Command.OperatorList);
    expect(traces(operators)).toEqual([]);
    target.boot();
    expect(traces(operators)).toEqual([]);
  });
});

describe.each(deviceTargets)("RAM of $name when an operator is gone", (kind) => {
  it.each<[string, (target: Bench) => string]>([
    ["removed itself", (target) => says(removeOperator(target, "boss"))],
    ["gave itself another role", (target) => says(setRole(target, "boss", Role.User))],
    ["reset the device", (target) => says(target.ask(Command.Reset))],
  ])("that %s holds neither the keys of its session nor what is asked in that", (_how, leave) => {
    const target = staffed(kind);
    const { talk, device } = target;
    const has = (bytes: Uint8Array) => Buffer.from(device.ram()).indexOf(bytes) >= 0;
    const boss = randomBytes(32);
    addOperator(target, "boss", Role.Admin, boss);
    target.admit("boss", boss);
    const session = open(talk, { id: "boss", key: boss });
    talk.session = session;
    expect(says(talk.answer(Command.Info))).toBe("Ok");
    expect([session.sendKey, session.receiveKey].map(has)).toEqual([true, true]);
    expect(leave(target)).toBe("Ok");
    expect([session.sendKey, session.receiveKey].map(has)).toEqual([false, false]);
    const secret = randomBytes(32);
    expect(says(addOperator(target, "x", Role.Admin, secret))).toBe("NoSession");
    expect([secret, session.sendKey, session.receiveKey].map(has)).toEqual([false, false, false]);
    target.close();
  });
});
