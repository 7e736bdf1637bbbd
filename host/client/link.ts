/** The host's end of the link: stop-and-wait over a Transport; whole messages in, whole messages out. SPEC.md §8.
 *  Relies on frame.ts. Any failure ends the link; open a new one on the same transport to go on. */
import { randomInt } from "node:crypto";
import {
  BUSY_MAX,
  BusyReason,
  FrameType,
  MESSAGE_MAX,
  PAYLOAD_MAX,
  PROTOCOL_VERSION,
} from "../../firmware/defs/link.js";
import { type Clock, systemClock } from "./clock.js";
import { DeclinedError, DisconnectedError, ProtocolError, UnreachedError } from "./errors.js";
import { Deframer, ENCODED_MAX, encodeFrame, type Frame } from "./frame.js";
import type { Transport } from "./transport.js";

/** What the device says when its answer takes a while. */
export interface Busy {
  /** Milliseconds until the answer, at the most. */
  ms: number;
  /** Touch: somebody has to press S1 on the board. */
  reason: BusyReason;
}

export interface LinkOptions {
  clock?: Clock;
  /** Milliseconds that the device may take for an answer, transmission apart. Default 1000. */
  timeout?: number;
  /** How often a frame is sent again before the device counts as silent. Default 5. */
  retransmissions?: number;
  /** Makes the nonce of an Open, 16 bits. */
  nonce?: () => number;
  /** Told once for each request and reason that the answer takes a while. */
  onBusy?: (busy: Busy) => void;
  /** Told once for each frame that no answer came in time, and that it is sent again. */
  onSilent?: () => void;
}

const NOTHING = new Uint8Array(0);

export class Link {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #timeout: number;
  readonly #retransmissions: number;
  readonly #onBusy: (busy: Busy) => void;
  readonly #onSilent: () => void;
  readonly #deframer = new Deframer();
  #waiting: { frame(frame: Frame): void; fail(error: Error): void } | undefined;
  #ended: Error | undefined;
  #id: number | undefined;
  #fragment = PAYLOAD_MAX;
  #sequence = 0;
  #touchAwaited = false;

  private constructor(transport: Transport, options: LinkOptions) {
    this.#transport = transport;
    this.#clock = options.clock ?? systemClock;
    const wire = transport.bitRate === undefined ? 0 : (2 * ENCODED_MAX * 10 * 1000) / transport.bitRate; // there and back
    this.#timeout = Math.ceil((options.timeout ?? 1000) + wire);
    this.#retransmissions = options.retransmissions ?? 5;
    this.#onBusy = options.onBusy ?? (() => {});
    this.#onSilent = options.onSilent ?? (() => {});
    transport.onData((bytes) => this.#deframer.push(bytes, (frame) => this.#waiting?.frame(frame)));
    transport.onClose((error) => this.#end(this.#closed(error)));
  }

  /** Opens a link. @throws DisconnectedError when nobody answers, ProtocolError when the device speaks another version. */
  static async open(transport: Transport, options: LinkOptions = {}): Promise<Link> {
    const link = new Link(transport, options);
    const nonce = options.nonce?.() ?? randomInt(0x10000);
    const open = encodeFrame({ ...EMPTY, type: FrameType.Open, link: nonce, payload: Uint8Array.of(PROTOCOL_VERSION) });
    const sent = new Uint8Array(open.length + 1); // a zero byte first: it ends whatever half a frame the device may hold
    sent.set(open, 1);
    const opened = await link.#step(sent, (frame) =>
      frame.type === FrameType.Opened && frame.link === nonce ? frame : undefined,
    );
    link.#readOpened(opened.payload);
    return link;
  }

  /** Sends one message and returns the answer. One call at a time.
   *  @throws DisconnectedError (the request may have been carried out), ProtocolError. The link is over after either. */
  async exchange(message: Uint8Array): Promise<Uint8Array> {
    if (message.length > MESSAGE_MAX)
      throw new ProtocolError(`A message of ${message.length} bytes is longer than ${MESSAGE_MAX}; it was not sent.`);
    let first: Frame | undefined;
    for (let at = 0; first === undefined; at += this.#fragment) {
      const more = at + this.#fragment < message.length;
      this.#sequence = (this.#sequence + 1) & 0xffff;
      const payload = message.subarray(at, at + this.#fragment);
      const frame = { type: FrameType.Data, more, link: this.#id!, sequence: this.#sequence, index: 0, payload };
      const expected = more ? FrameType.Ack : FrameType.Data;
      const answer = await this.#step(encodeFrame(frame), (got) => this.#answer(got, expected, 0));
      if (!more) first = answer;
    }
    return this.#collect(first);
  }

  /** Gives up a request that waits for a touch: sends another message, which ends the wait, and does not wait for its answer.
   *  The request's `exchange` fails with DeclinedError and the link is over. @returns false when nothing waits for a touch */
  async cancel(message: Uint8Array): Promise<boolean> {
    if (!this.#touchAwaited || this.#ended !== undefined) return false;
    if (message.length > this.#fragment)
      throw new ProtocolError("What gives up a request has to fit one frame; it was not sent.");
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const frame = { ...EMPTY, type: FrameType.Data, link: this.#id!, sequence: this.#sequence, payload: message };
    this.#end(
      new DeclinedError(
        "The request was given up while it waited for a touch. It was not carried out, unless S1 was pressed just then.",
        "Run the command again when somebody is at the board.",
      ),
    );
    await this.#transport.write(encodeFrame(frame));
    return true;
  }

  /** Fetches what follows the first fragment of an answer. */
  async #collect(first: Frame): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (let frame = first; ; ) {
      const whole = frame.more ? frame.payload.length === this.#fragment : frame.payload.length <= this.#fragment;
      length += frame.payload.length;
      if (!whole || length > MESSAGE_MAX)
        throw this.#broken(
          `fragment ${frame.index} of ${frame.payload.length} bytes makes the answer too long or has a wrong length`,
        );
      parts.push(frame.payload);
      if (!frame.more) return Buffer.concat(parts, length);
      const index = frame.index + 1;
      const next = encodeFrame({ ...EMPTY, type: FrameType.Next, link: this.#id!, sequence: this.#sequence, index });
      frame = await this.#step(next, (got) => this.#answer(got, FrameType.Data, index));
    }
  }

  /** The frame when it is the awaited one, undefined when it is a stray. */
  #answer(frame: Frame, type: FrameType, index: number): Frame | undefined {
    if (frame.link !== this.#id) return undefined;
    if (frame.type === FrameType.Closed) {
      throw new DisconnectedError(
        "restarted",
        "The device restarted; it may or may not have carried out the last request.",
        "Look at `mbs info`: it has the trap code, if there was a trap.",
      );
    }
    if (frame.sequence !== this.#sequence) return undefined;
    if (frame.type === FrameType.Overflow) throw this.#broken("it calls the message too long");
    return frame.type === type && frame.index === index ? frame : undefined;
  }

  /** Sends `bytes`, again after each timeout, until `accept` takes a frame. */
  #step(bytes: Uint8Array, accept: (frame: Frame) => Frame | undefined): Promise<Frame> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise<Frame>((resolve, reject) => {
      let sent = 0;
      let believed = 0; // reasons of Busy since the last sending, bits
      let left = BUSY_MAX; // milliseconds that Busy may still take, however often it comes
      let told = 0; // reasons since the first
      let cancel = () => {};
      const arm = (ms: number) => {
        cancel();
        cancel = this.#clock.after(ms, () => (sent > this.#retransmissions ? this.#end(this.#silent(sent)) : send()));
      };
      const send = () => {
        sent++;
        believed = 0;
        if (sent === 2) this.#onSilent();
        arm(this.#timeout);
        this.#transport.write(bytes).catch((error: Error) => this.#end(this.#closed(error)));
      };
      const frame = (got: Frame) => {
        try {
          if (got.type === FrameType.Busy && got.link === this.#id && got.sequence === this.#sequence) {
            const busy = this.#readBusy(got.payload);
            const bit = 1 << busy.reason;
            if ((believed & bit) === 0) {
              // once for each sending and BUSY_MAX in all, so that nobody can hold us for long
              const ms = Math.min(busy.ms, left);
              left -= ms;
              arm(ms + this.#timeout);
            }
            believed |= bit;
            this.#touchAwaited = busy.reason === BusyReason.Touch;
            if ((told & bit) === 0) this.#onBusy(busy);
            told |= bit;
            return;
          }
          const taken = accept(got);
          if (taken === undefined) return;
          cancel();
          this.#waiting = undefined;
          this.#touchAwaited = false;
          resolve(taken);
        } catch (error) {
          this.#end(error as Error);
        }
      };
      const fail = (error: Error) => {
        cancel();
        reject(error);
      };
      this.#waiting = { frame, fail };
      send();
    });
  }

  #end(error: Error): void {
    this.#ended ??= error;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#touchAwaited = false;
    waiting?.fail(this.#ended);
  }

  #readOpened(payload: Uint8Array): void {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    if (payload.length !== 5) throw this.#broken(`Opened carries ${payload.length} bytes instead of 5`);
    const version = view.getUint8(4);
    if (version !== PROTOCOL_VERSION)
      throw this.#broken(`it speaks protocol ${version}, this client ${PROTOCOL_VERSION}`);
    this.#id = view.getUint16(0, true);
    this.#fragment = view.getUint16(2, true);
    if (this.#fragment === 0 || this.#fragment > PAYLOAD_MAX)
      throw this.#broken(`it names ${this.#fragment} bytes as its largest payload`);
  }

  #readBusy(payload: Uint8Array): Busy {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    if (payload.length !== 5) throw this.#broken(`Busy carries ${payload.length} bytes instead of 5`);
    const [ms, reason] = [view.getUint32(0, true), view.getUint8(4)];
    if (ms > BUSY_MAX) throw this.#broken(`Busy names ${ms} ms, at most ${BUSY_MAX} are believed`);
    if (BusyReason[reason] === undefined) throw this.#broken(`Busy names reason ${reason}, which there is not`);
    return { ms, reason };
  }

  #closed(cause?: Error): Error {
    if (cause instanceof DisconnectedError) return cause;
    const why = cause === undefined ? "" : ` (${cause.message})`;
    const { name } = this.#transport;
    if (this.#id === undefined)
      return new UnreachedError(
        "closed",
        `The connection to ${name} ended${why} before the device answered; nothing was asked of it.`,
        "Is another program using it? Wait for that one, or share one session: mbs session open",
        { cause },
      );
    return new DisconnectedError("closed", `The connection to ${name} ended${why}; ${MAYBE}`, "Reconnect the device.", {
      cause,
    });
  }

  #silent(times: number): Error {
    const text = `The device on ${this.#transport.name} does not answer (asked ${times} times)`;
    const hint = "Check power, cable, and that the port is the right one.";
    return this.#id === undefined
      ? new UnreachedError("silent", `${text}; nothing was asked of it.`, hint)
      : new DisconnectedError("silent", `${text}; ${MAYBE}`, hint);
  }

  #broken(what: string): ProtocolError {
    const error = new ProtocolError(
      `The device on ${this.#transport.name} broke the protocol: ${what}.`,
      "Is it an mbs device, and does its firmware fit this mbs?",
    );
    this.#ended ??= error;
    return error;
  }
}

const MAYBE = "a request under way may or may not have been carried out.";
const EMPTY = { type: FrameType.Next, more: false, link: 0, sequence: 0, index: 0, payload: NOTHING };
