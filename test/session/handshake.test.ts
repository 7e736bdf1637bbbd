/** Handshakes on every device: with the Noise of test/noise and with that of the client, and every way in which one is no handshake.
 *  SPEC.md §11. */
import { afterAll, describe, expect, it } from "vitest";
import { PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { Envelope, NOISE_FIRST, OPERATOR_ID, Role } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { decodeMessage } from "../../host/client/message.js";
import { firstMessage, operatorId, prologue } from "../device/handshake.js";
import { HandshakeState, keyPair } from "../noise/noise.js";
import { type Make, PEERS } from "../noise/peers.js";
import { hex, randomBytes, state, unchanged } from "../store/help.js";
import { deviceTargets } from "../targets.js";
import * as help from "./help.js";

const { ADMIN, askIn, AUDITOR, first, open, outcome, request, shake, STAFF, staffed, STRANGER, USER } = help;
const NOTHING = new Uint8Array(0);

describe.each(deviceTargets)("a handshake with $name", (kind) => {
  const target = staffed(kind);
  const { talk } = target;
  afterAll(() => target.close());

  /** With any Noise. @returns what a sealed Info is answered with */
  const meet = (make: Make, who: { id: string; key: Uint8Array }) => {
    const hello = talk.ask(Command.Hello);
    const [instance, challenge] = [Key.Instance, Key.Challenge].map((key) => hello.get(key) as Uint8Array);
    const terms = { protocol: PROTOCOL_VERSION, instance: instance!, challenge: challenge!, id: operatorId(who.id) };
    const peer = make("initiator", prologue(terms), who.key);
    const message1 = Buffer.concat([Uint8Array.of(Envelope.Handshake), terms.id, peer.write(NOTHING)]);
    const message2 = talk.exchange(message1);
    expect(message2[0]).toBe(Envelope.Handshake);
    const [role] = peer.read(message2.subarray(1));
    const ends = peer.split();
    const id = ends.hash.subarray(0, 2);
    const ask = Buffer.concat([Uint8Array.of(Envelope.Sealed), id, ends.send(request(Command.Info))]);
    const answer = talk.exchange(ask);
    expect(hex(answer.subarray(0, 3))).toBe(hex(Buffer.concat([Uint8Array.of(Envelope.Sealed), id])));
    return { role, info: decodeMessage(ends.receive(answer.subarray(3))) };
  };

  it.each(Object.keys(PEERS))("by the Noise called %s ends in a session that knows operator and role", (name) => {
    for (const [role, who] of STAFF) {
      const { role: told, info } = meet(PEERS[name]!, who);
      expect([told, info.get(Key.Role), info.get(Key.Operator)]).toEqual([role, role, who.id]);
    }
  });

  it("has a challenge, an ephemeral key and an id of its own each time", () => {
    const seen = Array.from({ length: 4 }, () => {
      const hello = talk.ask(Command.Hello);
      const message1 = firstMessage(hello, USER.id, USER.key);
      const message2 = talk.exchange(message1.bytes);
      return [hex(hello.get(Key.Challenge)), hex(message2.subarray(1, 33))];
    });
    expect(new Set(seen.flat()).size).toBe(8);
  });

  /** Whatever makes the first message wrong: all answers must be the same. */
  const refused = new Map<string, string>();
  const refuse = (what: string, message1: Uint8Array): void => {
    const answer = hex(talk.exchange(message1));
    refused.set(what, answer);
    // where a handshake takes a second the next test shows it
    if (!kind.slow)
      expect(
        outcome(() => open(talk, USER)),
        `the right key, after ${what}`,
      ).toBe("Ok");
  };
  const changed = (bytes: Uint8Array, at: number) => bytes.map((byte, i) => (i === at ? byte ^ 0x20 : byte));

  it("is refused for a wrong key, an unknown operator, and the key of another operator", () => {
    refuse("a wrong key", first(talk, { ...USER, key: randomBytes(32) }).bytes);
    refuse("a key of zeros", first(talk, { ...USER, key: new Uint8Array(32) }).bytes);
    refuse("an unknown operator", first(talk, STRANGER).bytes);
    refuse("another operator's key", first(talk, { id: USER.id, key: AUDITOR.key }).bytes);
    refuse("the setup code, which is zero", first(talk, { id: "", key: new Uint8Array(32) }).bytes);
    refuse("the setup code in place of a key", first(talk, { id: ADMIN.id, key: new Uint8Array(32) }).bytes);
  });

  it("is refused for a prologue of another protocol version, instance, challenge or operator: no downgrade, no relay", () => {
    for (const protocol of [0, 1, PROTOCOL_VERSION + 1])
      refuse(`protocol ${protocol}`, first(talk, USER, { protocol }).bytes);
    refuse("another instance", first(talk, USER, { instance: randomBytes(16) }).bytes);
    refuse("another challenge", first(talk, USER, { challenge: randomBytes(16) }).bytes);
    refuse("another operator in the prologue", first(talk, USER, { id: operatorId(AUDITOR.id) }).bytes);
  });

  it("is refused when its first message comes again, for the same challenge and for the next one", () => {
    const message1 = first(talk, USER);
    expect(outcome(() => shake(talk, message1))).toBe("Ok");
    refuse("the same message again", message1.bytes);
    const old = first(talk, USER);
    talk.ask(Command.Hello);
    refuse("a message for an older challenge", old.bytes);
    refuse("the same message, in the same power-up", message1.bytes);
  });

  it("is refused for a message that follows a refused one: a challenge serves one handshake", () => {
    const hello = talk.ask(Command.Hello);
    refuse("a wrong key", firstMessage(hello, USER.id, randomBytes(32)).bytes);
    const again = talk.ask(Command.Hello);
    talk.exchange(firstMessage(again, USER.id, randomBytes(32)).bytes);
    refuse("the right key for a used challenge", firstMessage(again, USER.id, USER.key).bytes);
  });

  it("is refused without a hello, after a power cycle, and for a message from before it", () => {
    const message1 = first(talk, USER);
    target.boot();
    refuse("a message without a hello", message1.bytes);
    target.boot();
    talk.ask(Command.Hello);
    refuse("a message from before the power cycle", message1.bytes);
  });

  it("is refused for any change of the first message, and any other length", () => {
    const positions = kind.slow
      ? [0, 9, 10, 41, 42, 57]
      : Array.from({ length: OPERATOR_ID + NOISE_FIRST }, (_, i) => i);
    for (const at of positions) refuse(`byte ${at} changed`, changed(first(talk, USER).bytes, 1 + at));
    for (const length of [1, 2, 11, 30, 58]) refuse(`${length} bytes`, first(talk, USER).bytes.subarray(0, length));
    refuse("a byte more", Buffer.concat([first(talk, USER).bytes, Uint8Array.of(0)]));
  });

  it("is refused for a public key of low order, from somebody who holds the operator's key", () => {
    for (const point of ["00".repeat(32), `01${"00".repeat(31)}`, `ec${"ff".repeat(30)}7f`]) {
      const hello = talk.ask(Command.Hello);
      const terms = { protocol: PROTOCOL_VERSION, instance: hello.get(Key.Instance) as Uint8Array };
      const challenge = hello.get(Key.Challenge) as Uint8Array;
      const pair = { ...keyPair(randomBytes(32)), publicKey: Buffer.from(point, "hex") };
      const id = operatorId(USER.id);
      const state = new HandshakeState(true, prologue({ ...terms, challenge, id }), USER.key, pair);
      const { message } = state.WriteMessage(NOTHING);
      refuse(`the point ${point}`, Buffer.concat([Uint8Array.of(Envelope.Handshake), id, message]));
    }
  });

  it("is refused in one way, whatever the reason", () => {
    expect(refused.size).toBeGreaterThan(25);
    expect([...new Set(refused.values())]).toEqual(["00a100383f"]);
  });

  it("goes well for a client whose predecessor vanished in the middle of one, on a link of its own", () => {
    open(talk, USER); // message 2 is never read
    first(talk, AUDITOR); // message 1 is never sent
    talk.relink();
    expect(askIn(talk, open(talk, ADMIN), Command.Info)).toBe("Ok");
  });

  it("changes nothing in flash", () => {
    unchanged(target, () => {
      expect(askIn(talk, open(talk, USER), Command.Info)).toBe("Ok");
    });
    expect(state(target)).toBe(2);
  });
});

describe.each(deviceTargets)("two clients of $name", (kind) => {
  const target = staffed(kind);
  const { talk } = target;
  afterAll(() => target.close());

  it("do not disturb each other before the new one's first message; then the old one's session is over", () => {
    const old = open(talk, USER);
    expect(askIn(talk, old, Command.Info)).toBe("Ok");
    talk.relink();
    const young = open(talk, ADMIN);
    expect(askIn(talk, old, Command.Info)).toBe("Ok");
    expect(askIn(talk, young, Command.List)).toBe("Ok");
    expect(askIn(talk, old, Command.Info)).toBe("NoSession");
    expect(askIn(talk, young, Command.List)).toBe("Ok");
  });

  it("leave the running session alone when they fail, vanish or send something else first", () => {
    const running = open(talk, USER);
    expect(askIn(talk, running, Command.Info)).toBe("Ok");
    expect(outcome(() => open(talk, { ...ADMIN, key: randomBytes(32) }))).toBe("HandshakeRefused");
    const candidate = open(talk, ADMIN);
    const message = candidate.seal(request(Command.Info), 0n);
    message[message.length - 1]! ^= 1;
    expect(help.answered(candidate, talk.exchange(message))).toBe("NoSession");
    expect(askIn(talk, running, Command.Info)).toBe("Ok");
    expect(askIn(talk, candidate, Command.Info)).toBe("Ok");
  });

  it("of which the second comes a second time: the first candidate is gone, and its session never ran", () => {
    const [one, two] = [open(talk, USER), open(talk, AUDITOR)];
    expect(askIn(talk, one, Command.Info)).toBe("NoSession");
    expect(askIn(talk, two, Command.Info)).toBe("Ok");
  });

  it("that are one client: a session that its operator replaced is over", () => {
    const [one, two] = [open(talk, USER), open(talk, USER)];
    expect(askIn(talk, two, Command.Info)).toBe("Ok");
    expect(askIn(talk, one, Command.Info)).toBe("NoSession");
    expect(Role[target.talk.handshake(USER.id, USER.key)]).toBe("User");
  });
});
