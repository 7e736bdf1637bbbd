/** Handshakes and sealed messages with changed bytes, sent again, out of order and cut short: only what is genuine is answered as such, all else
 *  is HandshakeRefused or NoSession in clear, and the running session goes on. SPEC.md §11. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Envelope, NOISE_FIRST, OPERATOR_ID } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { decodeMessage, encodeMessage, message } from "../../host/client/message.js";
import { firstMessage } from "../device/handshake.js";
import { plant, type Session } from "../device/session.js";
import { state } from "../store/help.js";
import { bytes, holds } from "./property.js";
import { ADMIN, ADMIN_KEY, fuzzStore, USER } from "./store.js";

const { bench } = fuzzStore();
const { talk, device } = bench;
const INFO = encodeMessage(message([[Key.Command, Command.Info]]));

/** The status of an answer that must be in clear. */
function inClear(answer: Uint8Array): string {
  expect(answer[0]).toBe(Envelope.Clear);
  const map = decodeMessage(answer.subarray(1));
  expect([...map.keys()]).toEqual([Key.Command]);
  return Status[map.get(Key.Command) as number] ?? "";
}

/** The running session answers, with the number that is next. */
function goesOn(session: Session): void {
  const answer = decodeMessage(session.open(talk.exchange(session.seal(INFO))));
  expect(answer.get(Key.Command)).toBe(Status.Ok);
}

/** One way to spoil a message; `other` is another genuine one. */
const spoiling = fc.oneof(
  fc.record({ how: fc.constant("byte" as const), at: fc.nat(), by: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ how: fc.constant("cut" as const), at: fc.nat(), by: fc.constant(0) }),
  fc.record({ how: fc.constant("longer" as const), at: fc.nat(40), by: fc.nat(255) }),
);
type Spoiling = { how: "byte" | "cut" | "longer"; at: number; by: number };

function spoiled(from: Uint8Array, { how, at, by }: Spoiling): Uint8Array {
  if (how === "cut") return from.subarray(0, at % from.length);
  if (how === "longer") return Buffer.concat([from, new Uint8Array(at + 1).fill(by)]);
  const changed = Uint8Array.from(from);
  changed[at % changed.length]! ^= by;
  return changed;
}

describe("a sealed message", () => {
  it("that was changed, cut or made longer is NoSession, and the session goes on with the next number", () => {
    const session = plant(device);
    holds(
      fc.property(spoiling, bytes(0, 60), (how, behind) => {
        const request = Buffer.concat([INFO, behind]);
        const wrong = spoiled(session.seal(request, session.sent), how);
        // with another envelope it is what that one says, and no session either
        const expected = wrong[0] === Envelope.Handshake ? "HandshakeRefused" : "NoSession";
        expect(inClear(talk.exchange(wrong))).toBe(expected);
        goesOn(session);
      }),
      300,
    );
  });

  it("that was sent before, or is not the next one, is NoSession", () => {
    const session = plant(device);
    const before: Uint8Array[] = [];
    holds(
      fc.property(fc.nat(), fc.bigInt({ min: 1n, max: (1n << 64n) - 1n }), (which, skip) => {
        before.push(session.seal(INFO));
        session.open(talk.exchange(before.at(-1)!));
        expect(inClear(talk.exchange(before[which % before.length]!))).toBe("NoSession");
        const later = (session.sent + skip) & ((1n << 64n) - 1n);
        if (later !== session.sent) expect(inClear(talk.exchange(session.seal(INFO, later)))).toBe("NoSession");
        goesOn(session);
      }),
      150,
    );
  });

  it("of another session is NoSession, whatever its id", () => {
    const session = plant(device);
    holds(
      fc.property(fc.nat(0xffff), bytes(16, 200), (id, sealed) => {
        const head = Uint8Array.of(Envelope.Sealed, id & 255, id >> 8);
        expect(inClear(talk.exchange(Buffer.concat([head, sealed])))).toBe("NoSession");
        goesOn(session);
      }),
      150,
    );
  });
});

describe("a handshake", () => {
  /** Refused ones in a row cost time; one that succeeds ends that. */
  const succeed = (): Session => {
    talk.handshake(ADMIN, ADMIN_KEY);
    return talk.session!;
  };

  it("that was changed, cut or made longer is HandshakeRefused, and the running session goes on", () => {
    let session = succeed();
    let tries = 0;
    holds(
      fc.property(spoiling, fc.constantFrom(ADMIN, USER.id, "nobody", ""), (how, operator) => {
        const key = operator === USER.id ? USER.key : ADMIN_KEY;
        const { bytes: good } = firstMessage(talk.ask(Command.Hello), operator, key);
        const wrong = spoiled(good, how);
        const isHandshake = wrong[0] === Envelope.Handshake;
        expect(inClear(talk.exchange(wrong))).toBe(isHandshake ? "HandshakeRefused" : "NoSession");
        goesOn(session);
        if (++tries % 3 === 0) session = succeed();
      }),
      60,
    );
  });

  it("that is made of any bytes is HandshakeRefused; so is a genuine one that comes twice", () => {
    let session = succeed();
    holds(
      fc.property(bytes(0, OPERATOR_ID + NOISE_FIRST + 2), fc.boolean(), (noise, asks) => {
        if (asks) talk.ask(Command.Hello);
        expect(inClear(talk.exchange(Buffer.concat([Uint8Array.of(Envelope.Handshake), noise])))).toBe(
          "HandshakeRefused",
        );
        goesOn(session);
        const genuine = firstMessage(talk.ask(Command.Hello), ADMIN, ADMIN_KEY);
        expect(talk.exchange(genuine.bytes)[0]).toBe(Envelope.Handshake);
        expect(inClear(talk.exchange(genuine.bytes))).toBe("HandshakeRefused");
        goesOn(session); // the one that was opened shows itself with its first message, which never comes
        session = succeed();
      }),
      40,
    );
    expect(state(bench)).toBe(State.Ready);
  });
});
