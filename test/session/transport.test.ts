/** Messages of a running session: each is taken once, in order and whole, and sessions end. SPEC.md §11. */
import { afterAll, describe, expect, it } from "vitest";
import { BODY_MAX } from "../../firmware/defs/record.js";
import { SESSION_IDLE_MS, SESSION_MAX_MS } from "../../firmware/defs/session.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { region } from "../device/map.js";
import { SESSION_OFF_MADE, SESSION_OFF_RECEIVED, SESSION_OFF_SENT, type Session } from "../device/session.js";
import { body, hex, list, put, randomBytes, says, state, unchanged } from "../store/help.js";
import { type Bench, deviceTargets, repeat } from "../targets.js";
import { ADMIN, AUDITOR, answered, askIn, open, request, staffed, USER } from "./help.js";

const NO_SESSION = "00a1003840";
const REFUSED = "00a100383f";

describe.each(deviceTargets)("a session with $name", (kind) => {
  const target = staffed(kind);
  const { talk, device } = target;
  const pokeCounter = (offset: number, value: bigint): void => {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64LE(value);
    device.poke(region("SESSIONS") + offset, counter);
  };
  afterAll(() => target.close());

  /** A session that was used once. */
  const running = (who = USER): Session => {
    const session = open(talk, who);
    expect(askIn(talk, session, Command.Info)).toBe("Ok");
    return session;
  };
  /** Whatever is not the next message is answered NoSession in clear, changes nothing, and the session goes on. */
  const dropped = (session: Session, message: Uint8Array, what = "") => {
    unchanged(target, () => expect(hex(talk.exchange(message)), what).toBe(NO_SESSION));
    expect(askIn(talk, session, Command.Info), what).toBe("Ok");
  };

  it("answers a message that comes again, one too early and one too late with NoSession, and goes on", () => {
    const session = running(AUDITOR);
    const message = session.seal(request(Command.List));
    expect(answered(session, talk.exchange(message))).toBe("Ok");
    dropped(session, message, "the same again");
    dropped(session, session.seal(request(Command.List), session.sent + 1n), "one too early");
    dropped(session, session.seal(request(Command.List), 0n), "the first again");
    dropped(session, session.seal(request(Command.List), 2n ** 64n - 1n), "the reserved counter");
  });

  it("answers two messages that changed places with NoSession for the later one only", () => {
    const session = running(AUDITOR);
    const [one, two] = [session.seal(request(Command.List)), session.seal(request(Command.Info))];
    expect(hex(talk.exchange(two))).toBe(NO_SESSION);
    expect(answered(session, talk.exchange(one))).toBe("Ok");
    expect(answered(session, talk.exchange(two))).toBe("Ok");
  });

  it("answers a change of any byte, any shorter message and a longer one with NoSession", () => {
    const session = running();
    const message = session.seal(request(Command.Info), session.sent);
    const positions = kind.slow ? [0, 1, 3, 5, message.length - 1] : [...message.keys()];
    for (const at of positions) {
      const changed = message.map((byte, i) => (i === at ? byte ^ 1 : byte));
      const answer = hex(talk.exchange(changed));
      expect([REFUSED, NO_SESSION], `byte ${at}`).toContain(answer);
    }
    for (const length of kind.slow ? [3, 18, 19, 20] : [...message.keys()].slice(1))
      expect(hex(talk.exchange(message.subarray(0, length))), `${length} bytes`).toBe(NO_SESSION);
    expect(hex(talk.exchange(Buffer.concat([message, Uint8Array.of(0)])))).toBe(NO_SESSION);
    session.sent++;
    expect(answered(session, talk.exchange(message))).toBe("Ok");
  });

  it("is not reached in clear: everything but hello is NoSession, and so is an envelope that there is not", () => {
    const session = running();
    for (const command of [Command.Info, Command.List, Command.Dump, Command.Reset, 99]) {
      const bytes = Buffer.concat([Uint8Array.of(0), request(command)]);
      dropped(session, bytes, `command ${command}`);
    }
    for (const envelope of [3, 4, 0x7f, 0xff])
      dropped(session, Uint8Array.of(envelope, 0, 0, 0), `envelope ${envelope}`);
    const hello = Buffer.concat([Uint8Array.of(0), request(Command.Hello)]);
    for (const bytes of [
      hello.subarray(0, 3),
      Buffer.concat([hello, Uint8Array.of(0)]),
      Uint8Array.of(0),
      new Uint8Array(0),
    ])
      dropped(session, bytes, hex(bytes));
    expect(talk.ask(Command.Hello).get(Key.State)).toBe(State.Ready);
  });

  it("is not reached by noise of any length, whatever its first byte", () => {
    const session = running();
    const rounds = kind.slow ? 10 : 400 * kind.share;
    for (let round = 0; round < rounds; round++) {
      const noise = Buffer.from(randomBytes(round % 120));
      if (noise.length > 0 && round % 2 === 0) noise[0] = round % 6;
      if (noise.length > 2 && round % 4 === 0) noise.writeUInt16LE(session.id, 1);
      const known = [NO_SESSION, REFUSED];
      expect(known, `${repeat}: ${hex(noise)}`).toContain(hex(talk.exchange(noise)));
    }
    expect(askIn(talk, session, Command.Info), repeat).toBe("Ok");
  });

  it("is over with Close, and nothing of it is left in RAM", () => {
    const session = running();
    expect(traces(target, session)).not.toEqual([]);
    expect(askIn(talk, session, Command.Close)).toBe("Ok");
    expect(askIn(talk, session, Command.Info)).toBe("NoSession");
    expect(traces(target, session)).toEqual([]);
  });

  it("is over after five minutes without a message, and nothing of it is left in RAM; hello does not keep it", () => {
    const session = running();
    device.wait(SESSION_IDLE_MS - 2000);
    expect(askIn(talk, session, Command.Info)).toBe("Ok");
    device.wait(SESSION_IDLE_MS - 2000);
    talk.ask(Command.Hello);
    device.wait(3000);
    expect(askIn(talk, session, Command.Info)).toBe("NoSession");
    expect(traces(target, session)).toEqual([]);
  });

  it("keeps no key in RAM when its time is over, also when nobody asks", () => {
    const session = running();
    device.wait(SESSION_IDLE_MS + 1000);
    expect(traces(target, session)).toEqual([]);
  });

  it("is over an hour after its handshake, however much it is used", () => {
    const session = running();
    const step = SESSION_IDLE_MS - 5000;
    const nearly = step * Math.floor(SESSION_MAX_MS / step);
    if (kind.slow)
      age(target, SESSION_OFF_MADE, nearly); // an hour is long there: the session is made older instead
    else
      for (let passed = 0; passed < nearly; passed += step) {
        device.wait(step);
        expect(askIn(talk, session, Command.Info)).toBe("Ok");
      }
    device.wait(SESSION_MAX_MS - nearly - 5000);
    expect(askIn(talk, session, Command.Info)).toBe("Ok");
    device.wait(10_000);
    expect(askIn(talk, session, Command.Info)).toBe("NoSession");
    expect(traces(target, session)).toEqual([]);
  });

  it("that replaced another one leaves nothing of it in RAM", () => {
    const old = running();
    running(AUDITOR);
    expect(traces(target, old)).toEqual([]);
  });

  it("that was offered and not used in five minutes cannot be used any more", () => {
    const session = open(talk, USER);
    device.wait(SESSION_IDLE_MS + 1000);
    expect(askIn(talk, session, Command.Info)).toBe("NoSession");
    expect(traces(target, session)).toEqual([]);
  });

  it("is over after a power cycle", () => {
    const session = running();
    target.boot();
    expect(askIn(talk, session, Command.Info)).toBe("NoSession");
  });

  it("is over when its numbers are used up, and never uses the reserved one", () => {
    const session = running();
    const last = 2n ** 64n - 2n;
    pokeCounter(SESSION_OFF_RECEIVED, last);
    session.sent = last;
    session.received = last;
    expect(askIn(talk, session, Command.Info)).toBe("Ok");
    expect(askIn(talk, session, Command.Info)).toBe("NoSession");
    expect(traces(target, session)).toEqual([]);
    expect(askIn(talk, open(talk, ADMIN), Command.Info)).toBe("Ok");
  });

  it("answers each request under its number, passing over what was given up, and is over rather than use one twice", () => {
    const session = running();
    pokeCounter(SESSION_OFF_RECEIVED, 40n);
    session.sent = 40n;
    session.received = 40n;
    expect(askIn(talk, session, Command.Info)).toBe("Ok");
    pokeCounter(SESSION_OFF_SENT, 42n);
    expect(askIn(talk, session, Command.Info)).toBe("NoSession");
    expect(traces(target, session)).toEqual([]);
  });

  it("carries the largest request", () => {
    talk.handshake(ADMIN.id, ADMIN.key);
    const before = list(target).length;
    expect(says(put(target, { body: body(BODY_MAX) }))).toMatch(/^TooLarge/);
    expect(list(target)).toHaveLength(before);
    expect(state(target)).toBe(State.Ready);
  });
});

/** Which of a session's keys stand in RAM. */
function traces(target: Bench, session: Session): string[] {
  const ram = Buffer.from(target.device.ram());
  const found = (name: string, key: Uint8Array) =>
    [0, 8, 16, 24].filter((at) => ram.indexOf(key.subarray(at, at + 8)) >= 0).map((at) => `${name} at ${at}`);
  return [...found("host to device", session.sendKey), ...found("device to host", session.receiveKey)];
}

/** Makes the running session older. */
function age(target: Bench, offset: number, ms: number): void {
  const at = region("SESSIONS") + offset;
  const time = Buffer.from(target.device.peek(at, 8));
  time.writeBigInt64LE(time.readBigInt64LE() - BigInt(ms) * 1000n);
  target.device.poke(at, time);
}
