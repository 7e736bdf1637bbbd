/** Everything that crosses the line, provisioning included: hello, handshakes and ciphertext, and nothing of what is asked and answered.
 *  Every byte is recorded as it passes between host and device; every plaintext as it is sealed and opened at the host. */
import { describe, expect, it } from "vitest";
import { FrameType } from "../../firmware/defs/link.js";
import { Envelope, NOISE_FIRST, NOISE_SECOND, OPERATOR_ID } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { decodeFrame, type Frame } from "../../host/client/frame.js";
import { decodeAnswer, decodeMessage } from "../../host/client/message.js";
import type { Device } from "../device/device.js";
import { Session } from "../device/session.js";
import { framesIn } from "../link/wire.js";
import * as help from "../store/help.js";
import { deviceTargets } from "../targets.js";
import { CODE, life } from "./life.js";

const WINDOW = 8; // bytes of a plaintext that must not be seen

interface Trace {
  /** What went each way, as it was on the line. */
  sent: Uint8Array[];
  received: Uint8Array[];
  /** What was inside of sealed messages. */
  plaintexts: Uint8Array[];
}

/** Records from now on. */
function record(device: Device): Trace {
  const trace: Trace = { sent: [], received: [], plaintexts: [] };
  const { exchange, wait } = { exchange: device.exchange.bind(device), wait: device.wait.bind(device) };
  device.exchange = (bytes) => {
    trace.sent.push(Uint8Array.from(bytes));
    const received = exchange(bytes);
    trace.received.push(received);
    return received;
  };
  device.wait = (ms) => {
    const received = wait(ms);
    trace.received.push(received);
    return received;
  };
  return trace;
}

/** Runs with every sealed message noted. */
function noting<T>(trace: Trace, run: () => T): T {
  const { seal, open } = Session.prototype;
  Session.prototype.seal = function (plain, counter) {
    trace.plaintexts.push(Uint8Array.from(plain));
    return counter === undefined ? seal.call(this, plain) : seal.call(this, plain, counter);
  };
  Session.prototype.open = function (message) {
    const plain = open.call(this, message);
    trace.plaintexts.push(plain);
    return plain;
  };
  try {
    return run();
  } finally {
    Object.assign(Session.prototype, { seal, open });
  }
}

const frames = (pieces: Uint8Array[]): Frame[] =>
  framesIn(Buffer.concat(pieces)).map((bytes) => {
    const frame = decodeFrame(bytes.subarray(0, -1));
    if (frame === undefined) throw new Error(`no frame: ${help.hex(bytes)}`);
    return frame;
  });

/** Whole messages out of frames of one direction. */
function messages(from: Frame[]): Uint8Array[] {
  const found: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  for (const frame of from.filter(({ type }) => type === FrameType.Data)) {
    parts.push(frame.payload);
    if (frame.more) continue;
    found.push(Buffer.concat(parts));
    parts = [];
  }
  return found;
}

/** Windows of a plaintext that stand in a haystack and in no message that may be read. */
function seen(plain: Uint8Array, haystack: Buffer, open: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at + WINDOW <= plain.length; at++) {
    const window = plain.subarray(at, at + WINDOW);
    if (haystack.indexOf(window) >= 0 && open.indexOf(window) < 0) found.push(help.hex(window));
  }
  return found;
}

describe.each(deviceTargets)("a trace of the line of $name, through every command", (kind) => {
  const target = kind.make(CODE);
  const trace = record(target.device);
  const secrets = noting(trace, () => life(target));
  target.close();
  const [sent, received] = [frames(trace.sent), frames(trace.received)];
  const [asked, answered] = [messages(sent), messages(received)];
  const payloads = Buffer.concat([...sent, ...received].map(({ payload }) => payload));
  const line = Buffer.concat([...trace.sent, ...trace.received]);
  // hello and its answers, and who asks for a handshake
  const open = Buffer.concat([...asked, ...answered].filter(([envelope]) => envelope !== Envelope.Sealed));

  it("holds every command, sealed but for hello", () => {
    const commands = new Set(trace.plaintexts.map((plain) => decodeAnswer(plain).get(Key.Command) as number));
    for (const [name, command] of Object.entries(Command))
      if (typeof command === "number" && command !== Command.Hello) expect(commands.has(command), name).toBe(true);
  });

  it("shows hello, handshakes and ciphertext, and nothing else", () => {
    for (const message of asked) {
      const [envelope] = message;
      if (envelope === Envelope.Clear) expect(help.hex(message)).toBe("00a10001");
      else if (envelope === Envelope.Handshake) expect(message.length).toBe(1 + OPERATOR_ID + NOISE_FIRST);
      else expect(envelope).toBe(Envelope.Sealed);
    }
    for (const message of answered) {
      const [envelope] = message;
      if (envelope === Envelope.Handshake) expect(message.length).toBe(1 + NOISE_SECOND);
      else if (envelope === Envelope.Clear) {
        const keys = [...decodeMessage(message.subarray(1)).keys()];
        if (keys.length > 1) expect(keys).toEqual([0, 20, 21, 22, 23, 40, 63, 65, 66]);
        else expect(help.hex(message)).toBe("00a100383f");
      } else expect(envelope).toBe(Envelope.Sealed);
    }
    const other = [...sent, ...received].filter(({ type }) => type !== FrameType.Data);
    expect(Math.max(...other.map(({ payload }) => payload.length))).toBeLessThanOrEqual(5);
  });

  it("shows no eight bytes of any plaintext: requests, responses, labels, bodies, keys, signatures, handles", () => {
    expect(trace.plaintexts.length).toBeGreaterThan(60);
    for (const plain of [...trace.plaintexts, ...secrets])
      for (const haystack of [payloads, line]) expect(seen(plain, haystack, open)).toEqual([]);
  });

  it("would show them: the search finds what hello tells, and a plaintext that is put there", () => {
    const instance = answered
      .filter(([envelope]) => envelope === Envelope.Clear)
      .map((message) => decodeMessage(message.subarray(1)).get(Key.Instance) as Uint8Array)
      .find((one) => one?.some((byte) => byte !== 0))!;
    expect(seen(instance, payloads, Buffer.alloc(0)).length).toBeGreaterThan(0);
    const plain = trace.plaintexts.find(({ length }) => length > 1000)!;
    expect(seen(plain, Buffer.concat([payloads, plain.subarray(500, 520)]), open).length).toBeGreaterThan(0);
  });
});
