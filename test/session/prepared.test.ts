/** The device's ephemeral key pair is made while nobody asks, or by the handshake itself: it is used once, whatever becomes of the handshake, and
 *  then it is gone. SPEC.md §11, DESIGN.md §14. */
import { afterAll, describe, expect, it } from "vitest";
import { PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { Envelope, NOISE_SECOND, QUIET_MS, RESET_HOLD_MS } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { operatorId, prologue } from "../device/handshake.js";
import { region } from "../device/map.js";
import { HandshakeState, keyPair } from "../noise/noise.js";
import { hex, randomBytes, state } from "../store/help.js";
import { type Bench, deviceTargets, engineTargets } from "../targets.js";
import { ADMIN, askIn, first, open, outcome, STRANGER, shake, staffed, USER } from "./help.js";

const QUIET = QUIET_MS + 100;
const NONE = "00".repeat(64);
const pair = (target: Bench): string => hex(target.device.peek(region("EPHEMERAL"), 64));

/** Waits until the pair is there. @returns its public half */
function prepare(target: Bench): string {
  target.device.wait(2 * QUIET);
  const [scalar, point] = [pair(target).slice(0, 64), pair(target).slice(64)];
  expect(point).toBe(hex(keyPair(Buffer.from(scalar, "hex")).publicKey));
  return point;
}

describe.each(deviceTargets)("a key pair made in advance on $name", (kind) => {
  const target = staffed(kind);
  const { talk } = target;
  afterAll(() => target.close());

  it("is that of the next handshake, and is gone with it", () => {
    const point = prepare(target);
    const message1 = first(talk, USER);
    const message2 = talk.exchange(message1.bytes);
    expect(hex(message2.subarray(1, 33))).toBe(point);
    expect(pair(target)).toBe(NONE);
  });

  it("is not needed: the handshake that follows at once makes its own, and leaves none", () => {
    prepare(target);
    const sent = [0, 1].map(() => hex(talk.exchange(first(talk, USER).bytes).subarray(1, 33)));
    expect(new Set(sent).size).toBe(2);
    expect(pair(target)).toBe(NONE);
    expect(askIn(talk, open(talk, ADMIN), Command.Info)).toBe("Ok");
  });
});

describe.each(engineTargets)("a key pair made in advance on $name", (kind) => {
  const target = staffed(kind);
  const { talk, device } = target;
  afterAll(() => target.close());

  it("is never used twice, in handshakes that go well, are repeated, are refused, or are never answered", () => {
    const sent = new Set<string>();
    let handshakes = 0;
    for (let n = 0; n < 60; n++) {
      if (n % 3 !== 0) device.wait(QUIET);
      const before = pair(target);
      const message1 = first(talk, n % 5 === 4 ? STRANGER : USER);
      const message2 = talk.exchange(message1.bytes);
      if (n % 5 === 4) {
        expect([message2[0], pair(target)]).toEqual([Envelope.Clear, before]); // nothing of it was shown
        device.wait(2 * QUIET); // the pause
        continue;
      }
      expect(message2.length).toBe(1 + NOISE_SECOND);
      handshakes++;
      sent.add(hex(message2.subarray(1, 33)));
      expect(pair(target)).toBe(NONE);
      if (n % 2 === 0) continue;
      // the same message once more, on the link and as a new one
      const again = talk.again(message1.bytes);
      expect(hex(again?.payload)).toBe(hex(message2));
      expect(talk.exchange(message1.bytes)[0]).toBe(Envelope.Clear);
      expect(pair(target)).toBe(NONE);
      device.wait(2 * QUIET);
    }
    expect(handshakes).toBeGreaterThan(40);
    expect(sent.size).toBe(handshakes);
  });

  it("is used up by a handshake that is refused for a public key of low order", () => {
    const point = prepare(target);
    const hello = talk.ask(Command.Hello);
    const [instance, challenge] = [Key.Instance, Key.Challenge].map((key) => hello.get(key) as Uint8Array) as [
      Uint8Array,
      Uint8Array,
    ];
    const id = operatorId(USER.id);
    const low = { ...keyPair(randomBytes(32)), publicKey: Buffer.alloc(32) };
    const begun = new HandshakeState(
      true,
      prologue({ protocol: PROTOCOL_VERSION, instance, challenge, id }),
      USER.key,
      low,
    );
    const { message } = begun.WriteMessage(new Uint8Array(0));
    expect(talk.exchange(Buffer.concat([Uint8Array.of(Envelope.Handshake), id, message]))[0]).toBe(Envelope.Clear);
    expect(pair(target)).toBe(NONE);
    expect(prepare(target)).not.toBe(point);
  });

  it("is forgotten when a session is closed, with a reset, and when power goes", () => {
    const session = open(talk, USER);
    expect(askIn(talk, session, Command.Info)).toBe("Ok");
    prepare(target);
    expect(askIn(talk, session, Command.Close)).toBe("Ok");
    expect(pair(target)).toBe(NONE);

    const last = prepare(target);
    target.boot();
    expect(pair(target)).toBe(NONE);
    expect(prepare(target)).not.toBe(last);

    device.press("s1");
    device.press("s2");
    target.boot();
    device.wait(RESET_HOLD_MS - 100);
    const made = pair(target);
    expect(made).not.toBe(NONE);
    device.wait(200);
    expect(pair(target)).not.toBe(made); // another one, for whoever sets it up
    device.release("s1");
    device.release("s2");
  });

  it("is not made without noise, and no turn after the other tries", () => {
    const blank = kind.make();
    const { board } = blank.device;
    blank.boot();
    board.noisy = false;
    const before = board.samples;
    blank.device.wait(5 * QUIET);
    expect(pair(blank)).toBe(NONE);
    expect(board.samples - before).toBeLessThan(5 * 1024);
    expect(outcome(() => shake(blank.talk, first(blank.talk, { id: "", key: new Uint8Array(32) })))).toBe(
      "EntropyNotReady",
    );
    board.noisy = true;
    blank.device.wait(2 * QUIET);
    expect(pair(blank)).not.toBe(NONE);
    expect(state(blank)).toBe(0);
    blank.close();
  });
});
