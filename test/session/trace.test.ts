/** Everything that crosses the line, provisioning included: hello, handshakes and ciphertext, and nothing of what is asked and answered.
 *  Every byte is recorded as it passes between host and device; every plaintext as it is sealed and opened at the host. */
import { describe, expect, it } from "vitest";
import { FrameType } from "../../firmware/defs/link.js";
import { ALG_X25519, PartKind, Usage } from "../../firmware/defs/record.js";
import { Envelope, NOISE_FIRST, NOISE_SECOND, OPERATOR_ID, Role } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { decodeFrame, type Frame } from "../../host/client/frame.js";
import { decodeMessage } from "../../host/client/message.js";
import { encodeParts } from "../../host/record.js";
import * as claims from "../claims/device/help.js";
import type { Device } from "../device/device.js";
import { Session } from "../device/session.js";
import { framesIn } from "../link/wire.js";
import * as help from "../store/help.js";
import { type Bench, deviceTargets } from "../targets.js";
import { ADMIN, AUDITOR, outcome, STRANGER, USER } from "./help.js";

const WINDOW = 8; // bytes of a plaintext that must not be seen
const CODE = Uint8Array.from({ length: 32 }, (_, i) => (i * 41 + 5) & 0xff);

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

/** Every command in sessions of those who may, from a blank board on. @returns secrets that were in no message */
function life(target: Bench): Uint8Array[] {
  const { talk } = target;
  const as = ({ id, key }: { id: string; key: Uint8Array }) => talk.handshake(id, key);
  const ok = (answer: ReturnType<Bench["ask"]>) => {
    expect(help.says(answer)).toBe("Ok");
    return answer;
  };
  as({ id: "", key: CODE });
  help.info(target);
  ok(help.begin(target, [{ units: 32, blocks: 2 }], Buffer.from(help.randomBytes(16))));
  ok(help.addOperator(target, ADMIN.id, Role.Admin, ADMIN.key));
  as(ADMIN);
  ok(target.ask(Command.ProvisionFinish));
  for (const [role, who] of [
    [Role.User, USER],
    [Role.Auditor, AUDITOR],
  ] as const)
    ok(help.addOperator(target, who.id, role, who.key));
  const content = help.body(2500, { secret: true });
  const label = "a label that stands in clear on the medium only";
  const made = help.handle(ok(help.put(target, { label, body: content, usage: Usage.Raw })));
  const signs = help.handle(ok(help.generate(target, { label: "signs what it is given" })));
  const secret = help.randomBytes(32);
  const parts = [{ kind: PartKind.Agreement, secret: true, algorithm: ALG_X25519, content: secret }];
  const agrees = help.handle(ok(help.put(target, { usage: Usage.Agree, policy: 2, body: encodeParts(parts) })));
  ok(help.replace(target, made, help.body(900, { secret: true })));
  ok(help.relabel(target, made, "another label, as long as it may be"));
  ok(help.setPolicy(target, agrees, 4));
  const filekey = help.handle(ok(claims.create(target, { label: "for files" })));
  const head = claims.data(ok(claims.exportHead(target, filekey)));
  const foreign = Buffer.concat([Buffer.alloc(8), help.randomBytes(48), claims.size(12_345_678n)]);
  ok(claims.importHead(target, foreign));
  ok(target.ask(Command.Epoch, [[Key.Epoch, 0x7fedcba9]]));
  ok(target.ask(Command.Accept));
  ok(help.rotateOperator(target, AUDITOR.id, STRANGER.key));
  ok(help.setRole(target, AUDITOR.id, Role.Auditor));
  ok(target.ask(Command.OperatorList));
  ok(
    target.ask(Command.Dump, [
      [Key.Length, 1500],
      [Key.Region, 0],
      [Key.Offset, 0],
    ]),
  );
  as({ id: AUDITOR.id, key: STRANGER.key });
  ok(target.ask(Command.List));
  ok(target.ask(Command.Find, [[Key.LabelPrefix, "another label"]]));
  ok(help.show(target, made));
  ok(help.publicParts(target, signs));
  expect(help.says(help.get(target, made))).toMatch("WrongRole");
  expect(outcome(() => as({ id: USER.id, key: STRANGER.key }))).toBe("HandshakeRefused");
  as(USER);
  ok(help.get(target, made));
  ok(help.sign(target, signs, Buffer.from("what is signed is nobody's business either")));
  ok(help.agree(target, agrees));
  ok(
    target.ask(Command.Attest, [
      [Key.Handle, signs],
      [Key.Challenge, help.randomBytes(32)],
    ]),
  );
  const sealed = claims.data(ok(claims.container(target, filekey, 1)));
  const delta = ok(claims.open(target, filekey, sealed)).get(Key.Secret) as Uint8Array;
  ok(claims.reserve(target, filekey, 77n));
  ok(claims.renew(target, filekey, 1));
  ok(claims.list(target, filekey));
  ok(target.ask(Command.Close));
  as(ADMIN);
  ok(claims.remove(target, filekey, true));
  ok(help.evict(target, made, true));
  ok(help.removeOperator(target, AUDITOR.id));
  ok(target.ask(Command.Reset));
  return [
    content,
    secret,
    head.subarray(24, 56),
    foreign.subarray(24, 56),
    delta,
    CODE,
    ADMIN.key,
    USER.key,
    AUDITOR.key,
    STRANGER.key,
    Buffer.from(label),
  ];
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
    const commands = new Set(trace.plaintexts.map((plain) => decodeMessage(plain).get(Key.Command) as number));
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
