/** The host's end of the link over a Transport; whole messages in, whole messages out. SPEC.md §8.
 *  Relies on frame.ts and on request.ts, which says what is to be sent. Any failure ends the link; open a new one on the same transport to go on. */
import { randomInt } from "node:crypto";
import {
  BUSY_MAX,
  BusyReason,
  FrameType,
  LINE_RATE,
  MESSAGE_MAX,
  PAYLOAD_MAX,
  PROTOCOL_VERSION,
  RATE_MS,
} from "../../firmware/defs/link.js";
import { type Clock, systemClock } from "./clock.js";
import { DeclinedError, DisconnectedError, ProtocolError, UnreachedError } from "./errors.js";
import { Deframer, ENCODED_MAX, encodeFrame, type Frame } from "./frame.js";
import { Queue, Request } from "./request.js";
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

/** What a frame that was awaited leads to. */
interface Progress {
  isOver: boolean;
  /** To be sent now, may be nothing. */
  more: Uint8Array;
}

/** How often and how long something is tried that need not succeed. */
interface Tries {
  again: number;
  ms: number;
}

/** How often a link that had to go back to the first rate goes to the faster one again. */
const RATE_AGAIN = 3;
const RATE_TRIES: Tries = { again: 1, ms: 150 };
/** Beyond RATE_MS, for the device's clock and its loop. */
const RATE_GRACE_MS = 100;
/** To a device at any higher rate the zero has no stop bit, which is no frame to it. */
const UNREADABLE = Uint8Array.of(0x55, 0x55, 0x55, 0x55, 0);
/** Until the device has changed its rate. */
const RETURN_MS = 20;
const NOTHING = new Uint8Array(0);
const OVER: Progress = { isOver: true, more: NOTHING };
const NOBODY = { awaits: () => false };

export class Link {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #answerTime: number;
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
  /** It had to go back to the first rate, and is to try the faster one again. */
  #isSlowed = false;
  #slowed = 0;

  private constructor(transport: Transport, options: LinkOptions) {
    this.#transport = transport;
    this.#clock = options.clock ?? systemClock;
    this.#answerTime = options.timeout ?? 1000;
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
    await link.#callBack(); // who was here before may have left it at another rate
    await link.#converse(
      () => sent,
      (frame) => {
        if (frame.type !== FrameType.Opened || frame.link !== nonce) return undefined;
        link.#readOpened(frame.payload);
        return OVER;
      },
      NOBODY,
    );
    await link.#speedUp();
    return link;
  }

  /** Goes to the fastest rate that the transport allows, if the device's line can do it and a frame comes through. */
  async #speedUp(): Promise<void> {
    const { fastest } = this.#transport;
    if (fastest === undefined || fastest === this.#transport.bitRate) return;
    if ((await this.#askRate(fastest)) !== fastest) return;
    const isSet = await this.#transport.setRate!(fastest).then(
      () => true,
      () => false, // not every adapter can
    );
    if (isSet && (await this.#askRate(fastest, RATE_TRIES)) === fastest) return;
    await this.#transport.setRate!(LINE_RATE);
    await this.#pause(RATE_MS + RATE_GRACE_MS); // by then the device has given it up as well
  }

  /** @param tries how often, when silence is an answer    @returns the rate from here on; undefined when nothing came */
  async #askRate(bits: number, tries?: Tries): Promise<number | undefined> {
    const payload = Buffer.alloc(4);
    payload.writeUInt32LE(bits);
    let rate: number | undefined;
    const frame = encodeFrame({ ...EMPTY, type: FrameType.Rate, link: this.#id!, payload });
    await this.#converse(
      () => frame,
      (got) => {
        if (got.type !== FrameType.Rated || got.link !== this.#id) return undefined;
        if (got.payload.length !== 4) throw this.#broken(`Rated carries ${got.payload.length} bytes instead of 4`);
        rate = Buffer.from(got.payload).readUInt32LE(0);
        return OVER;
      },
      NOBODY,
      tries,
    );
    return rate;
  }

  /** Brings a device that hears at another rate back to the first one: what it cannot read is no frame, and it returns. */
  async #callBack(): Promise<void> {
    if (this.#transport.setRate === undefined) return;
    if (this.#transport.bitRate !== LINE_RATE) await this.#transport.setRate(LINE_RATE);
    await this.#transport.write(UNREADABLE);
    await this.#pause(RETURN_MS + this.#onWire(UNREADABLE.length));
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(ms, resolve));
  }

  /** Sends one message and returns the answer. One call at a time.
   *  @throws DisconnectedError (the request may have been carried out), ProtocolError. The link is over after either. */
  async exchange(message: Uint8Array): Promise<Uint8Array> {
    const [answer] = await this.exchangeAll([message]);
    return answer!;
  }

  /** Sends messages that change nothing, the next ones while the device still answers the first, and returns their answers. One call at a time.
   *  @returns undefined for an answer that was lost, and that the device has no more; never for the last one
   *  @throws as exchange */
  async exchangeAll(messages: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    for (const { length } of messages)
      if (length > MESSAGE_MAX)
        throw new ProtocolError(`A message of ${length} bytes is longer than ${MESSAGE_MAX}; nothing was sent.`);
    if (messages.length === 0) return [];
    if (this.#isSlowed) {
      this.#isSlowed = false;
      await this.#speedUp();
    }
    const requests = messages.map((message) => {
      const request = new Request(this.#id!, this.#sequence, message, this.#fragment);
      this.#sequence = request.sequence;
      return request;
    });
    const queue = new Queue(requests);
    await this.#converse(
      (again) => (again ? queue.again() : queue.next()),
      (frame) => {
        if (!this.#isMine(frame) || !queue.take(frame, (what) => this.#broken(what))) return undefined;
        return { isOver: queue.isOver, more: queue.next() };
      },
      queue,
    );
    return requests.map(({ answer }) => answer);
  }

  /** Gives up a request that waits for a touch: sends another message, which ends the wait, and does not wait for its answer.
   *  The request's `exchange` fails with DeclinedError and the link is over. @returns false when nothing waits for a touch */
  async cancel(message: Uint8Array): Promise<boolean> {
    if (!this.#touchAwaited || this.#ended !== undefined) return false;
    if (message.length > this.#fragment)
      throw new ProtocolError("What gives up a request has to fit one frame; it was not sent.");
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const frame = { ...EMPTY, link: this.#id!, sequence: this.#sequence, payload: message };
    this.#end(
      new DeclinedError(
        "The request was given up while it waited for a touch. It was not carried out, unless S1 was pressed just then.",
        "Run the command again when somebody is at the board.",
      ),
    );
    await this.#transport.write(encodeFrame(frame));
    return true;
  }

  /** Whether a frame belongs to this link. @throws DisconnectedError when the device knows the link no more */
  #isMine(frame: Frame): boolean {
    if (frame.link !== this.#id) return false;
    if (frame.type === FrameType.Closed)
      throw new DisconnectedError(
        "restarted",
        "The device restarted; it may or may not have carried out the last request.",
        "Look at `mbs info`: it has the trap code, if there was a trap.",
      );
    return true;
  }

  /** Sends, and again after each timeout, until `accept` has all it waits for.
   *  @param bytes what to send at first, or again    @param accept undefined: a stray; otherwise what else is to be sent now
   *  @param awaited whether a Busy belongs to something awaited */
  #converse(
    bytes: (again: boolean) => Uint8Array,
    accept: (frame: Frame) => Progress | undefined,
    awaited: { awaits(sequence: number, reason: BusyReason): boolean },
    tries?: Tries,
  ): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise<void>((resolve, reject) => {
      let sent = 0; // times without an answer
      let believed = 0; // reasons of Busy since the last sending or progress, bits
      let left = BUSY_MAX; // milliseconds that Busy may still take, however often it comes
      let told = 0; // reasons since the last progress
      let wire = 0; // milliseconds that what was sent last takes on the line
      let cancel = () => {};
      const silent = () => {
        if (sent <= (tries?.again ?? this.#retransmissions)) send(true);
        else if (tries === undefined) this.#end(this.#silent(sent));
        else done();
      };
      const arm = (ms: number) => {
        cancel();
        cancel = this.#clock.after(ms, silent);
      };
      const done = () => {
        cancel();
        this.#waiting = undefined;
        resolve();
      };
      // the timer first: the answer may be there before write() returns
      const write = (sending: Uint8Array) => {
        if (sending.length > 0) wire = this.#onWire(sending.length);
        arm((tries?.ms ?? this.#answerTime) + wire + this.#onWire(ENCODED_MAX));
        if (sending.length === 0) return;
        this.#transport.write(sending).catch((error: Error) => this.#end(this.#closed(error)));
      };
      const send = (again: boolean) => {
        sent++;
        believed = 0;
        if (sent === 2 && tries === undefined) this.#onSilent();
        const isFast = this.#transport.setRate !== undefined && this.#transport.bitRate !== LINE_RATE;
        if (!again || !isFast || tries !== undefined) write(bytes(again));
        else {
          this.#isSlowed = this.#slowed++ < RATE_AGAIN;
          this.#callBack().then(
            () => this.#waiting?.frame === frame && write(bytes(again)),
            (error: Error) => this.#end(this.#closed(error)),
          );
        }
      };
      const frame = (got: Frame) => {
        try {
          if (got.type === FrameType.Busy && got.link === this.#id) {
            const busy = this.#readBusy(got.payload);
            if (!awaited.awaits(got.sequence, busy.reason)) return;
            const bit = 1 << busy.reason;
            if ((believed & bit) === 0) {
              // once for each sending or progress and BUSY_MAX in all, so that nobody can hold us for long
              const ms = Math.min(busy.ms, left);
              left -= ms;
              arm(ms + this.#answerTime + this.#onWire(ENCODED_MAX));
            }
            believed |= bit;
            this.#touchAwaited = busy.reason === BusyReason.Touch;
            if ((told & bit) === 0) this.#onBusy(busy);
            told |= bit;
            return;
          }
          const progress = accept(got);
          if (progress === undefined) return;
          this.#touchAwaited = false;
          if (progress.isOver) {
            done();
            return;
          }
          sent = 1;
          believed = 0;
          told = 0;
          arm(this.#answerTime + wire + this.#onWire(ENCODED_MAX));
          // not from within: more frames may stand behind this one
          if (progress.more.length > 0) queueMicrotask(() => this.#waiting?.frame === frame && write(progress.more));
        } catch (error) {
          this.#end(error as Error);
        }
      };
      const fail = (error: Error) => {
        cancel();
        reject(error);
      };
      this.#waiting = { frame, fail };
      send(false);
    });
  }

  /** Milliseconds that so many bytes take on the line. */
  #onWire(bytes: number): number {
    const { bitRate } = this.#transport;
    return bitRate === undefined ? 0 : Math.ceil((bytes * 10 * 1000) / bitRate);
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
const EMPTY = { type: FrameType.Data, more: false, link: 0, sequence: 0, index: 0, payload: NOTHING };
