/** Inputs to begin with: one for each kind of frame, message and command. A handle that is 16 times the same small number stands for the
 *  record of that number. */
import { FRAME_MORE, FrameType, PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { PART_HEADER, PartKind } from "../../firmware/defs/record.js";
import { Envelope } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { encodeFrame } from "../../host/client/frame.js";
import { encodeMessage, message, type Value } from "../../host/client/message.js";
import { CAPTURED } from "../use/messages.js";
import { Op, type TargetName } from "./steps.js";

type Bytes = Uint8Array;
const join = (...parts: (Bytes | number[])[]): Bytes => Buffer.concat(parts.map((one) => Uint8Array.from(one)));
const filled = (length: number, value: number): Bytes => new Uint8Array(length).fill(value);
const word = (value: number): number[] => [value & 0xff, value >> 8];

/** Options: every role, a person who touches. */
const START = [0x0f];
const DENIED = [0x1f];
const ABSENT = [0x2f];

const raw = (bytes: Bytes): Bytes => join([Op.Raw, bytes.length], bytes);
const frame = (type: number, link: number, payload: Bytes = join(), { step = 0, index = 0, times = 0 } = {}): Bytes =>
  join([Op.Frame, type, link, step, index, payload.length, times], payload);
const whole = (bytes: Bytes): Bytes => join([Op.Whole], word(bytes.length), bytes);
const forged = (bytes: Bytes): Bytes => join([Op.Forged], word(bytes.length), bytes);
const padded = (op: number, bytes: Bytes, to: number): Bytes => join([op], word(0x8000 | (to - 520)), bytes);
const idle = (ms: number): Bytes => join([Op.Idle, ms / 10]);
const switches = (pressed: number): Bytes => join([Op.Switches, pressed]);
const power = (): Bytes => join([Op.Power]);

const hello = join([Envelope.Clear, 0xa1, 0, Command.Hello]);
const OPEN = Uint8Array.of(PROTOCOL_VERSION);
const opened = frame(FrameType.Open, 7, OPEN);

function link(): Record<string, Bytes> {
  const open = encodeFrame({
    type: FrameType.Open,
    more: false,
    link: 0x1234,
    sequence: 0,
    index: 0,
    payload: OPEN,
  });
  const more = FrameType.Data | FRAME_MORE;
  return {
    "open, raw": join(START, raw(open)),
    "open, in pieces": join(START, raw(open.subarray(0, 5)), raw(open.subarray(5))),
    "open twice in one piece": join(START, raw(join(open, open))),
    hello: join(START, opened, frame(FrameType.Data, 1, hello)),
    "hello, sent twice": join(
      START,
      opened,
      frame(FrameType.Data, 1, hello),
      frame(FrameType.Data, 0, hello, { step: 255 }),
    ),
    fragments: join(
      START,
      opened,
      frame(more, 1, filled(199, 1)),
      frame(more, 0, filled(99, 2)),
      frame(FrameType.Data, 0, hello),
    ),
    overflow: join(
      START,
      opened,
      frame(more, 1, hello),
      join([Op.Frame, more, 0, 0, 0, 251, 33]),
      frame(FrameType.Data, 0),
    ),
    next: join(
      START,
      opened,
      frame(FrameType.Data, 1, hello),
      frame(FrameType.Next, 0, join(), { step: 255, index: 1 }),
    ),
    "a link that is not open": join(START, frame(FrameType.Data, 99, hello), frame(FrameType.Next, 99)),
    "what devices send": join(START, ...[2, 4, 6, 7, 8].map((type) => frame(type, 0))),
    "a handshake, power and time": join(
      START,
      opened,
      frame(FrameType.Data, 1, join([1], filled(58, 0x61))),
      idle(500),
      power(),
      opened,
      idle(2000),
    ),
    "both switches from power-up on": join(START, switches(3), power(), ...Array.from({ length: 6 }, () => idle(2550))),
  };
}

function messages(): Record<string, Bytes> {
  const shake = (id: string, length = 48) =>
    join([Envelope.Handshake], Buffer.from(id.padEnd(10, "\0")), filled(length, 9));
  return {
    hello: join(START, whole(hello)),
    "hello with a byte more": join(START, whole(join(hello, [0]))),
    empty: join(START, whole(join())),
    "an info in clear": join(START, whole(join([Envelope.Clear, 0xa1, 0, Command.Info]))),
    "a put in clear": join(START, whole(join([Envelope.Clear], encodeMessage(REQUESTS.put!)))),
    "a handshake of the admin": join(START, whole(hello), whole(shake("admin"))),
    "handshakes of nobody": join(
      START,
      whole(hello),
      whole(shake("nobody")),
      whole(shake("\0")),
      whole(shake("user", 47)),
      whole(shake("user", 49)),
    ),
    "refusals in a row": join(START, ...Array.from({ length: 6 }, () => whole(shake("user")))),
    "an envelope that there is not": join(START, whole(join([3, 1, 2, 3]))),
    "sealed by nobody": join(START, whole(join([Envelope.Sealed, 1, 0], filled(40, 7)))),
    forged: join(START, forged(filled(30, 1)), forged(filled(16, 0)), forged(filled(15, 0))),
    "longer than any": join(
      START,
      padded(Op.Whole, hello, 33281),
      padded(Op.Whole, hello, 33280),
      padded(Op.Forged, join([1]), 33277),
    ),
    "switches, power and time": join(START, switches(1), idle(100), whole(hello), power(), switches(0), whole(hello)),
  };
}

const record = (n: number): Bytes => filled(16, n);
const token = (n: number): Bytes => filled(16, 0xa0 + n);
function body(length: number, kind: number = PartKind.Opaque): Bytes {
  const bytes = Buffer.alloc(PART_HEADER + length, 0x62);
  bytes.fill(0, 0, PART_HEADER);
  bytes[0] = kind;
  bytes.writeUInt16LE(length, 2);
  return bytes;
}
const request = (command: Command, ...fields: [Key, Value][]) => message([[Key.Command, command], ...fields]);
const attributes = (usage: number, policy = 0): [Key, Value][] => [
  [Key.Usage, usage],
  [Key.Tier, 1],
  [Key.Policy, policy],
];
const sign = (n: number, data: Bytes, ...more: [Key, Value][]) =>
  request(Command.Sign, [Key.Handle, record(n)], [Key.Data, data], ...more);
const POINT = join([9], filled(31, 0));

const REQUESTS = {
  info: request(Command.Info),
  put: request(Command.Put, [Key.Token, token(0)], [Key.Label, "new"], ...attributes(0, 1), [Key.Body, body(20)]),
  "put of a whole slot": request(
    Command.Put,
    [Key.Token, token(1)],
    ...attributes(7),
    [Key.Class, 0],
    [Key.Body, body(376)],
  ),
  "put of two parts": request(Command.Put, [Key.Token, token(2)], ...attributes(0), [
    Key.Body,
    join(body(3), body(9, PartKind.Chain)),
  ]),
  get: request(Command.Get, [Key.Handle, record(0)]),
  "get with a touch": request(Command.Get, [Key.Handle, record(2)]),
  list: request(Command.List),
  find: request(Command.Find, [Key.Label, "raw"]),
  "find by everything": request(
    Command.Find,
    [Key.Label, "raw"],
    [Key.Usage, 1],
    [Key.Tier, 1],
    [Key.Origin, 1],
    [Key.LabelPrefix, "r"],
    [Key.EpochMin, 0],
    [Key.EpochMax, 0xffffffff],
  ),
  show: request(Command.Show, [Key.Handle, record(8)]),
  evict: request(Command.Evict, [Key.Handle, record(0)], [Key.Destroy, false]),
  destroy: request(Command.Evict, [Key.Handle, record(1)], [Key.Destroy, true]),
  replace: request(Command.Replace, [Key.Handle, record(1)], [Key.Token, token(3)], [Key.Body, body(900)]),
  "replace the rest": request(
    Command.Replace,
    [Key.Handle, record(3)],
    [Key.Token, token(4)],
    [Key.Body, body(30, PartKind.Chain)],
    [Key.Keep, true],
  ),
  relabel: request(Command.Relabel, [Key.Handle, record(4)], [Key.Token, token(5)], [Key.Label, "é".repeat(24)]),
  "relabel to none": request(Command.Relabel, [Key.Handle, record(4)], [Key.Token, token(6)]),
  policy: request(Command.Policy, [Key.Handle, record(1)], [Key.Token, token(7)], [Key.Policy, 5]),
  epoch: request(Command.Epoch, [Key.Epoch, 70000]),
  accept: request(Command.Accept),
  "provision again": request(
    Command.ProvisionBegin,
    [Key.Manifest, filled(16, 1)],
    [
      Key.Classes,
      [
        message([
          [Key.SlotUnits, 4],
          [Key.Blocks, 2],
        ]),
      ],
    ],
  ),
  finish: request(Command.ProvisionFinish),
  dump: request(Command.Dump, [Key.Length, 300], [Key.Region, 1], [Key.Offset, 1536]),
  close: request(Command.Close),
  "operator add": request(
    Command.OperatorAdd,
    [Key.Role, 2],
    [Key.Operator, "new.one-_9"],
    [Key.Secret, filled(32, 5)],
  ),
  "operator rotate": request(Command.OperatorRotate, [Key.Operator, "user"], [Key.Secret, filled(32, 6)]),
  "operator role": request(Command.OperatorRole, [Key.Role, 1], [Key.Operator, "user"]),
  "operator remove": request(Command.OperatorRemove, [Key.Operator, "auditor"]),
  "operator list": request(Command.OperatorList),
  generate: request(Command.Generate, [Key.Token, token(8)], [Key.Label, "made"], ...attributes(1)),
  "generate for agreement": request(Command.Generate, [Key.Token, token(9)], ...attributes(6), [Key.Class, 1]),
  "sign raw": sign(3, Buffer.from("anything")),
  "sign sshsig": sign(4, filled(32, 1), [Key.Namespace, "git"]),
  "sign a long sshsig": sign(4, filled(64, 1), [Key.Namespace, "file"]),
  "sign ssh-userauth": sign(5, CAPTURED.plain),
  "sign hostbound": sign(5, CAPTURED.hostbound),
  "sign a note": sign(6, Buffer.from("example.com/log\n1\nhash\n")),
  "sign with an imported key": sign(8, Buffer.from("anything")),
  agree: request(Command.Agree, [Key.Handle, record(7)], [Key.Public, POINT]),
  "agree and derive": request(
    Command.Agree,
    [Key.Handle, record(7)],
    [Key.Public, POINT],
    [Key.Salt, filled(16, 1)],
    [Key.Context, filled(9, 2)],
  ),
  "agree and open": request(
    Command.Agree,
    [Key.Handle, record(7)],
    [Key.Public, POINT],
    [Key.Salt, filled(16, 1)],
    [Key.Context, filled(9, 2)],
    [Key.Wrapped, filled(48, 4)],
  ),
  public: request(Command.Public, [Key.Handle, record(7)]),
  attest: request(Command.Attest, [Key.Challenge, filled(32, 8)]),
  "attest a key": request(Command.Attest, [Key.Handle, record(3)], [Key.Challenge, filled(16, 8)]),
  reset: request(Command.Reset),
} as const;

/** Every command, right but for the state of the store. */
export const requests: Bytes[] = Object.values(REQUESTS).map((map) => encodeMessage(map));

function session(): Record<string, Bytes> {
  const asked = (map: Parameters<typeof encodeMessage>[0]): Bytes => {
    const bytes = encodeMessage(map);
    return join([Op.Request], word(bytes.length), bytes);
  };
  const alone = Object.fromEntries(Object.entries(REQUESTS).map(([name, map]) => [name, join(START, asked(map))]));
  const put = (n: number, length: number) =>
    asked(request(Command.Put, [Key.Token, token(n)], ...attributes(0), [Key.Body, body(length)]));
  return {
    ...alone,
    "get, denied": join(DENIED, asked(REQUESTS["get with a touch"])),
    "get, nobody there": join(ABSENT, asked(REQUESTS["get with a touch"])),
    "puts until it is full": join(START, ...[0, 1, 2, 3, 4, 5].map((n) => put(n, 17000 >> n))),
    "evict, put, power": join(START, asked(REQUESTS.destroy), put(7, 700), power(), asked(REQUESTS.list)),
    "a put of the largest size": join(
      START,
      padded(
        Op.Request,
        encodeMessage(request(Command.Put, [Key.Token, token(1)], ...attributes(0), [Key.Body, body(32632)])).subarray(
          0,
          60,
        ),
        32684,
      ),
    ),
    "reset, provision, operator": join(
      START,
      asked(REQUESTS.reset),
      asked(REQUESTS["provision again"]),
      asked(REQUESTS["operator add"]),
      asked(REQUESTS.put),
      power(),
      asked(REQUESTS.info),
    ),
    "roles of an auditor": join([1], asked(REQUESTS.put), asked(REQUESTS.list), asked(REQUESTS["sign raw"])),
    "what grows old": join(
      START,
      asked(REQUESTS.info),
      ...Array.from({ length: 4 }, () => idle(2550)),
      asked(REQUESTS.info),
    ),
  };
}

/** The inputs to begin with, by what they are. */
export const seeds: Record<TargetName, Record<string, Bytes>> = {
  link: link(),
  message: messages(),
  session: session(),
};
