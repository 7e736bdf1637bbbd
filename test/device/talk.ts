/** A synchronous host for in-process devices: whole messages over the link of SPEC.md §8, sealed in a session (§11), with a person at
 *  the board. For sweeps that ask thousands of times; the real client has tests of its own.
 *  The session is planted (session.ts) when the first sealed message needs one, so that a boot costs no handshake; `handshake` makes a
 *  real one, and what follows is asked in that one. */
import { BusyReason, FrameType, PAYLOAD_MAX, PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { NO_OPERATOR } from "../../firmware/defs/operator.js";
import { Envelope } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { Deframer, encodeFrame, type Frame } from "../../host/client/frame.js";
import {
  decodeAnswer,
  decodeMessage,
  encodeMessage,
  type Message,
  message,
  type Value,
} from "../../host/client/message.js";
import type { Device } from "./device.js";
import { finish, firstMessage } from "./handshake.js";
import { type Panel, type Person, people } from "./person.js";
import { accepted } from "./refusal.js";
import { plant, type Session } from "./session.js";

export { Refusal } from "./refusal.js";

/** What a request has besides its command. */
export type Fields = Iterable<readonly [Key, Value | undefined]>;

/** Nonces differ among all hosts of one device; those up to 0xff are left to tests that write their own frames. */
const FIRST_NONCE = 0xff;
let lastNonce = FIRST_NONCE;
/** Begins with the first nonce again: for devices of which each shall hear the same. */
export function repeatNonces(): void {
  lastNonce = FIRST_NONCE;
}
/** Milliseconds between two looks at a device that is busy, and those that it may take longer than it said. */
const LOOK_MS = 10;
const GRACE_MS = 2000;

export class Talk {
  /** The session that sealed messages belong to; undefined: one is planted when the next one is sent. */
  session: Session | undefined;
  /** Busy frames that asked for a touch. */
  touchesAsked = 0;
  #link: number | undefined;
  #sequence = 0;
  /** Of the last answer, behind its first. */
  #fragments: Frame[] = [];

  constructor(
    readonly device: Device,
    /** Who answers when a touch is awaited. */
    public person: Person = people.touches,
  ) {}

  /** Forgets link and session: call after each boot. */
  reset(): this {
    this.#link = undefined;
    this.session = undefined;
    return this;
  }

  /** Forgets the link alone: another client on the same line would find the session still running. */
  relink(): this {
    this.#link = undefined;
    return this;
  }

  /** Sends one frame. @returns the frames that came back */
  frames(frame: Partial<Frame>): Frame[] {
    const whole = {
      type: FrameType.Data,
      more: false,
      link: this.#link ?? 0,
      sequence: 0,
      index: 0,
      payload: new Uint8Array(0),
    };
    return framesOf(this.device.exchange(encodeFrame({ ...whole, ...frame })));
  }

  /** Sends one message as bytes, envelope included. @returns the bytes of the answer */
  exchange(bytes: Uint8Array): Uint8Array {
    let answer = this.send(bytes);
    if (answer?.type === FrameType.Busy) answer = this.#wait(answer);
    return this.#answer(answer);
  }

  /** Sends one message as bytes. @returns what came back at once: the answer's first frame, Busy, or none */
  send(bytes: Uint8Array): Frame | undefined {
    this.#open();
    let answer: Frame | undefined;
    for (let at = 0; at === 0 || at < bytes.length; at += PAYLOAD_MAX) {
      this.#sequence = (this.#sequence + 1) & 0xffff;
      const more = at + PAYLOAD_MAX < bytes.length;
      answer = this.#first(
        this.frames({ more, sequence: this.#sequence, payload: bytes.subarray(at, at + PAYLOAD_MAX) }),
      );
      if (more && answer?.type !== FrameType.Ack) throw unexpected(FrameType.Ack, answer);
    }
    return answer;
  }

  /** Sends the last frame of a message once more, as a host does that heard nothing. @returns as send */
  again(bytes: Uint8Array): Frame | undefined {
    const last = Math.floor((bytes.length - 1) / PAYLOAD_MAX) * PAYLOAD_MAX;
    return this.#first(this.frames({ sequence: this.#sequence, payload: bytes.subarray(last) }));
  }

  /** Sends one request as bytes in the session. @returns the bytes of the response; of one that comes in clear, without its envelope */
  sealed(plain: Uint8Array): Uint8Array {
    const planted = this.session === undefined || this.session.planted;
    let response = this.#ask(plain);
    // a planted one is over after a restart, when it grew old and when its operator is gone: another one is asked instead
    for (const place of [undefined, NO_OPERATOR]) {
      if (!planted || !isNoSession(response)) break;
      this.plant(undefined, place);
      response = this.#ask(plain);
    }
    return response;
  }

  /** Sends one command, Hello in clear and all others in the session. @returns the answer, whatever its status */
  answer(command: Command, fields: Fields = []): Message {
    const request = encodeMessage(message([[Key.Command, command], ...fields]));
    return command === Command.Hello ? decodeMessage(this.clear(request)) : decodeAnswer(this.sealed(request));
  }

  /** Sends one request as bytes in clear. @returns the bytes of the response, without its envelope */
  clear(plain: Uint8Array): Uint8Array {
    return withoutEnvelope(this.exchange(Buffer.concat([Uint8Array.of(Envelope.Clear), plain])));
  }

  /** Sends one command. @throws Refusal */
  ask(command: Command, fields: Fields = []): Message {
    return accepted(this.answer(command, fields));
  }

  /** Writes a session with these roles into the device; what follows is asked in it. */
  plant(roles?: number, place?: number): this {
    this.session = plant(this.device, roles, place);
    return this;
  }

  /** A real handshake; what follows is asked in its session. @param operator its id, "" = the setup code. @returns the role
   *  @throws Refusal */
  handshake(operator: string, key: Uint8Array): number {
    const first = firstMessage(this.ask(Command.Hello), operator, key);
    const { session, role } = finish(first, this.exchange(first.bytes));
    this.session = session;
    return role;
  }

  #ask(plain: Uint8Array): Uint8Array {
    this.#open();
    this.session ??= plant(this.device);
    const { session } = this;
    const number = session.sent; // a request that was given up before it has no answer
    const answer = this.exchange(session.seal(plain));
    return answer[0] === Envelope.Sealed ? session.open(answer, number) : withoutEnvelope(answer);
  }

  /** What comes after Busy: the person acts if a touch is awaited, and time passes. */
  #wait(busy: Frame): Frame | undefined {
    const bytes = Buffer.from(busy.payload);
    if (bytes.length !== 5) throw new Error(`Busy has ${bytes.length} bytes`);
    const end = this.device.now() + BigInt(1000 * (bytes.readUInt32LE(0) + GRACE_MS));
    const received: Frame[] = [];
    const panel: Panel = {
      press: (which) => this.device.press(which),
      release: (which) => this.device.release(which),
      wait: (ms) => {
        for (let left = ms; left > 0; left -= LOOK_MS)
          received.push(...framesOf(this.device.wait(Math.min(left, LOOK_MS))));
        return received.length > 0;
      },
    };
    if (bytes[4] === BusyReason.Touch) {
      this.touchesAsked++;
      this.person(panel);
    }
    while (received.length === 0 && this.device.now() < end) panel.wait(LOOK_MS);
    const answer = this.#first(received);
    return answer?.type === FrameType.Busy ? this.#wait(answer) : answer;
  }

  /** What counts of the frames that came at once; the fragments after it are kept. */
  #first(frames: Frame[]): Frame | undefined {
    const at = frames.findIndex(({ type }) => type === FrameType.Data);
    this.#fragments = at < 0 ? [] : frames.slice(at + 1);
    return frames.at(at);
  }

  /** All fragments of an answer whose first one came. */
  #answer(first: Frame | undefined): Uint8Array {
    if (first?.type !== FrameType.Data) throw unexpected(FrameType.Data, first);
    const all = [first, ...this.#fragments];
    all.forEach(({ index, more }, i) => {
      if (index !== i || more !== i + 1 < all.length) throw new Error(`fragment ${i} did not come`);
    });
    return Buffer.concat(all.map(({ payload }) => payload));
  }

  #open(): void {
    if (this.#link !== undefined) return;
    const nonce = ++lastNonce & 0xffff;
    const [opened] = this.frames({ type: FrameType.Open, link: nonce, payload: Uint8Array.of(PROTOCOL_VERSION) });
    if (opened?.type !== FrameType.Opened || opened.link !== nonce) throw new Error("Open was not answered");
    this.#link = (opened.payload[0] ?? 0) | ((opened.payload[1] ?? 0) << 8);
    this.#sequence = 0;
  }
}

function framesOf(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  new Deframer().push(bytes, (frame) => frames.push(frame));
  return frames;
}

function unexpected(expected: FrameType, got: Frame | undefined): Error {
  return new Error(`expected ${FrameType[expected]}, got ${got ? FrameType[got.type] : "silence"}`);
}

function withoutEnvelope(answer: Uint8Array): Uint8Array {
  if (answer[0] !== Envelope.Clear) throw new Error(`envelope ${answer[0]}, where one in clear was expected`);
  return answer.subarray(1);
}

const NO_SESSION = encodeMessage(message([[Key.Command, Status.NoSession]]));
const isNoSession = (response: Uint8Array): boolean => Buffer.compare(response, NO_SESSION) === 0;
