/** Inputs of the fuzzer, and what they do to a device in V8; native/fuzz.c does the same to the core in C.
 *  An input is one byte of options (bits 0–3 the session's roles, 0 = all; the rest, modulo 3: whoever is at the board touches, denies, is
 *  absent) and steps. A step is a byte, whose low three bits choose among the operations of its target, and what the operation takes:
 *    raw       u8 length, so many bytes for the line
 *    frame     u8 type, u8 link (0 the open one, 1 the one opened last, else itself), i8 step of the sequence less one, u8 index,
 *              u8 length (from 200 on 20 bytes each), u8 times more (below 64), payload, filled up with 0x5a
 *    whole     a message: u16 length, bytes; with the high bit, the last of them again up to length + 520
 *    forged    a message, behind the head of one of the running session
 *    request   a message, sealed in the running session
 *    idle      u8 hundredths of a second      switches  u8 what is pressed      power   off and on
 *  Lengths end where the input ends. */
import { FrameType, INNER_MAX, MESSAGE_MAX } from "../../firmware/defs/link.js";
import { REFUSALS_OFFSET, REFUSALS_SIZE } from "../../firmware/defs/medium.js";
import { Envelope } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { Deframer, encodeFrame, type Frame } from "../../host/client/frame.js";
import { decodeAnswer, decodeMessage, encodeMessage, message } from "../../host/client/message.js";
import { people } from "../device/person.js";
import { Talk } from "../device/talk.js";
import type { FuzzStore } from "./store.js";

export const TARGETS = ["link", "message", "session"] as const;
export type TargetName = (typeof TARGETS)[number];

/** Bytes that choose an operation; each target knows its own. */
export const Op = { Raw: 0, Frame: 1, Whole: 0, Forged: 3, Request: 0, Idle: 5, Switches: 6, Power: 7 } as const;

type Step = "raw" | "frame" | "whole" | "forged" | "request" | "idle" | "switches" | "power";
const REST = ["idle", "switches", "power"] as const;
const STEPS: Record<TargetName, readonly Step[]> = {
  link: ["raw", "frame", "frame", "frame", "frame", ...REST],
  message: ["whole", "whole", "whole", "forged", "forged", ...REST],
  session: ["request", "request", "request", "request", "request", ...REST],
};
const PEOPLE = [people.touches, people.denies, people.absent];
const CHANGES = new Set([
  Command.Put,
  Command.Evict,
  Command.Replace,
  Command.Relabel,
  Command.Policy,
  Command.Generate,
  Command.Epoch,
  Command.Accept,
  Command.ProvisionBegin,
  Command.ProvisionFinish,
  Command.OperatorAdd,
  Command.OperatorRotate,
  Command.OperatorRole,
  Command.OperatorRemove,
  Command.Reset,
  Command.FilekeyCreate,
  Command.FilekeyImport,
  Command.FilekeyDelete,
  Command.FilekeyReserve,
  Command.FilekeyRenew,
  Command.TransportKey,
]);
const REFUSED_AT_ONCE = [Status.Malformed, Status.UnknownCommand, Status.WrongRole];

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** Reads an input. */
class Reader {
  #at = 0;
  constructor(readonly bytes: Uint8Array) {}
  get isDone(): boolean {
    return this.#at >= this.bytes.length;
  }
  byte(): number {
    return this.bytes[this.#at++] ?? 0;
  }
  word(): number {
    return this.byte() | (this.byte() << 8);
  }
  take(length: number): Uint8Array {
    const taken = this.bytes.slice(this.#at, this.#at + length);
    this.#at = Math.min(this.#at + length, this.bytes.length);
    return taken;
  }
  message(most: number): Uint8Array {
    const word = this.word();
    const given = this.take(word & 0x7fff).subarray(0, most);
    if ((word & 0x8000) === 0) return given;
    const whole = new Uint8Array(Math.max(given.length, Math.min((word & 0x7fff) + 520, most))).fill(given.at(-1) ?? 0);
    whole.set(given);
    return whole;
  }
}

/** The command of a request that was done: its key is the first, and from 24 on it takes two bytes. */
const commandOf = (map: Uint8Array): Command => (map[2] === 24 ? map[3] : map[2]) as Command;

/** What a store answers, to be compared later. */
export type Records = string[];

/** Plays inputs to one device, each from the same media. */
export class Player {
  readonly #talk: Talk;
  readonly #records: Records;
  readonly #restore: () => void;
  readonly #worn: number;
  #link = 0;
  #pending = 0;
  #sequence = 0;
  #roles = 0;
  #changed = false;
  #mayReset = false;
  #pressed = 0;

  constructor(readonly store: FuzzStore) {
    const { device } = store.bench;
    this.#talk = new Talk(device);
    const [slots, data] = [device.slots.snapshot(), device.data.snapshot()];
    this.#restore = () => {
      device.slots.restore(slots);
      device.data.restore(data);
    };
    this.#worn = this.#wear();
    this.#power();
    this.#records = this.#get();
  }

  /** @throws Error that says what does not hold; TrapError; BadManners of a medium */
  play(target: TargetName, bytes: Uint8Array): void {
    const input = new Reader(bytes);
    this.#restore();
    this.#press(0);
    this.#power();
    this.#changed = false;
    this.#mayReset = false;
    const options = input.byte();
    this.#roles = options & 15 || 15;
    this.#talk.person = PEOPLE[(options >> 4) % 3]!;
    while (!input.isDone) this.#step(STEPS[target][input.byte() & 7]!, input);
    this.#check(target);
  }

  #step(step: Step, input: Reader): void {
    const { device } = this.store.bench;
    switch (step) {
      case "raw":
        this.#receive(device.exchange(input.take(input.byte())));
        break;
      case "frame":
        this.#frame(input);
        break;
      case "whole":
        this.#whole(input.message(MESSAGE_MAX + 8));
        break;
      case "forged":
        this.#forged(input.message(MESSAGE_MAX - 3));
        break;
      case "request":
        this.#request(input.message(INNER_MAX));
        break;
      case "idle":
        this.#receive(device.wait(input.byte() * 10));
        break;
      case "switches":
        this.#press(input.byte() & 3);
        break;
      case "power":
        this.#power();
    }
  }

  /** Whatever a device sends is frames, and of those that devices send. */
  #receive(bytes: Uint8Array): void {
    const frames: Frame[] = [];
    new Deframer().push(bytes, (frame) => frames.push(frame));
    must(frames.length === bytes.filter((byte) => byte === 0).length, "an answer is no frame");
    for (const { type, payload } of frames) {
      must(![FrameType.Open, FrameType.Next, FrameType.Rate].includes(type), "the device sends what only hosts send");
      if (type === FrameType.Opened) this.#pending = Buffer.from(payload).readUInt16LE(0);
    }
  }

  #frame(input: Reader): void {
    const [type, link, step, index, code, times] = Array.from({ length: 6 }, () => input.byte()) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const payload = new Uint8Array(code < 200 ? code : (code - 200) * 20).fill(0x5a);
    payload.set(input.take(payload.length));
    if (this.#link === 0) this.#link = this.#pending;
    const id = link === 0 ? this.#link : link === 1 ? this.#pending : link;
    for (let n = 0; n <= (times < 64 ? times : 0); n++) {
      this.#sequence = (this.#sequence + ((step << 24) >> 24) + 1) & 0xffff;
      const frame = { type: type & 0x7f, more: type > 0x7f, link: id, sequence: this.#sequence, index, payload };
      this.#receive(this.store.bench.device.exchange(encodeFrame(frame)));
    }
    if (link === 1) this.#link = this.#pending;
  }

  #whole(bytes: Uint8Array): void {
    if (bytes.length > MESSAGE_MAX) {
      must(this.#talk.send(bytes)?.type === FrameType.Overflow, "a message that does not fit is not answered Overflow");
      return;
    }
    const answer = this.#talk.exchange(bytes);
    must(answer[0] === Envelope.Clear, "a message of nobody is answered as if it were somebody's");
    const status = decodeMessage(answer.subarray(1)).get(Key.Command) as Status;
    const may = bytes[0] === Envelope.Handshake ? [Status.HandshakeRefused] : [Status.NoSession, Status.Ok];
    must(may.includes(status), `a message of nobody is answered ${Status[status]}`);
  }

  #forged(bytes: Uint8Array): void {
    const session = this.#talk.session ?? this.#talk.plant().session!;
    const head = Uint8Array.of(Envelope.Sealed, session.id & 0xff, session.id >> 8);
    const answer = this.#talk.exchange(Buffer.concat([head, bytes]));
    must(answer[0] === Envelope.Clear, "a forged message is answered as if it were genuine");
    must(decodeMessage(answer.subarray(1)).get(Key.Command) === Status.NoSession, "a forged message is not NoSession");
    if (this.#mayReset) return; // the store may be gone, and the session with its operator
    const info = session.open(this.#talk.exchange(session.seal(INFO)));
    must(decodeMessage(info).get(Key.Command) === Status.Ok, "a forged message disturbs the running session");
  }

  #request(bytes: Uint8Array): void {
    const map = this.#named(bytes);
    if (this.#talk.session === undefined) this.#talk.plant(this.#roles);
    const before = this.#operations();
    const status = decodeAnswer(this.#talk.sealed(map)).get(Key.Command) as Status;
    if (status === Status.Ok && CHANGES.has(commandOf(map))) this.#changed = true;
    if (REFUSED_AT_ONCE.includes(status)) must(this.#operations() === before, "a refused request changes flash");
  }

  /** With the handles of records where their numbers stand. */
  #named(bytes: Uint8Array): Uint8Array {
    const { handles } = this.store;
    for (let i = 0; i + 17 <= bytes.length; i++) {
      const handle = handles[bytes[i + 1]!];
      const run = bytes.subarray(i + 1, i + 17);
      if (bytes[i] === 0x50 && handle !== undefined && run.every((byte) => byte === run[0])) bytes.set(handle, i + 1);
    }
    return bytes;
  }

  #press(pressed: number): void {
    const { device } = this.store.bench;
    this.#pressed = pressed;
    for (const [bit, which] of [
      [1, "s1"],
      [2, "s2"],
    ] as const) {
      if (pressed & bit) device.press(which);
      else device.release(which);
    }
  }

  #power(): void {
    if (this.#pressed === 3) this.#mayReset = true;
    this.store.bench.device.boot();
    this.#talk.reset();
    this.#link = 0;
    this.#pending = 0;
    this.#sequence = 0;
  }

  /** The device lives, and the store is what it was, or what was asked for. */
  #check(target: TargetName): void {
    const { device } = this.store.bench;
    this.#press(0);
    device.wait(20000);
    device.exchange(Uint8Array.of(0)); // whatever stood on the line is over
    this.#talk.reset();
    this.#talk.person = people.touches;
    must(
      device.image.wear.every(({ erases }) => erases === 0),
      "a message erases what lies in the image region",
    );
    const state = this.#talk.ask(Command.Hello).get(Key.State) as State;
    if (this.#mayReset || state === State.Blank || state === State.Provisioning) {
      must(this.#mayReset || this.#changed, "the store is gone, and nobody asked for it");
      return;
    }
    must(state === State.Ready, `the store is ${State[state]}`);
    if (target !== "session") must(this.#wear() === this.#worn, "a message of nobody changes the store");
    const list = this.#list();
    this.#power();
    must(this.#list() === list, "a list is another one after a power cycle");
    if (!this.#changed)
      this.#get().forEach((record, n) => {
        must(record === this.#records[n], `record ${n} is not what it was`);
      });
  }

  #operations(): number {
    return this.store.bench.device.supply.operations;
  }

  /** Programs and erases of everything but the counters of refused handshakes. */
  #wear(): number {
    const { slots, data } = this.store.bench.device;
    const isStore = ({ offset }: { offset: number }) =>
      offset < REFUSALS_OFFSET || offset >= REFUSALS_OFFSET + REFUSALS_SIZE;
    return [...slots.wear, ...data.wear.filter(isStore)].reduce(
      (sum, { erases, programs }) => sum + erases + programs,
      0,
    );
  }

  #list(): string {
    this.#talk.session = undefined;
    return Buffer.from(this.#talk.sealed(LIST)).toString("hex");
  }

  #get(): Records {
    this.#talk.session = undefined;
    return this.store.handles.map((handle) => {
      const request = encodeMessage(
        message([
          [Key.Command, Command.Get],
          [Key.Handle, handle],
        ]),
      );
      return Buffer.from(this.#talk.sealed(request)).toString("hex");
    });
  }
}

const INFO = encodeMessage(message([[Key.Command, Command.Info]]));
const LIST = encodeMessage(message([[Key.Command, Command.List]]));
