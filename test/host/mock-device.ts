/** A mock device for tests of the client: the device's end of the link (SPEC.md §8) over any function from request to answer,
 *  and a wire that drops, doubles, delays and damages frames when it is told to. It stores nothing and checks no message. */
import {
  BusyReason,
  FrameType,
  LINE_RATE,
  MESSAGE_MAX,
  PAYLOAD_MAX,
  PROTOCOL_VERSION,
  RATE_MS,
} from "../../firmware/defs/link.js";
import { TOUCH_WAIT_MS } from "../../firmware/defs/session.js";
import type { Clock } from "../../host/client/clock.js";
import { Deframer, encodeFrame, type Frame } from "../../host/client/frame.js";
import type { Transport } from "../../host/client/transport.js";

/** A request that waits for somebody at the board. */
export interface Awaiting {
  /** Answers it when S1 was touched, or when nobody did in time. */
  finish: (touched: boolean) => Uint8Array;
}

export interface MockOptions {
  /** Answers a whole message. */
  answer: (request: Uint8Array) => Uint8Array | Awaiting;
  /** Milliseconds until S1 is touched; undefined: nobody does. Absent: after 100. */
  touch?: () => number | undefined;
  /** Milliseconds that a request takes; more than 0: Busy is sent first. */
  work?: (request: Uint8Array) => number;
  /** Bits per second that its line can do at the most. */
  fastest?: number;
}

export class MockDevice {
  readonly #options: MockOptions;
  readonly #time: Clock;
  #deframer = new Deframer();
  #lastId = 0x5000;
  #current: { id: number; nonce: number } | undefined;
  #pending: { id: number; nonce: number } | undefined;
  #taken = 0;
  #request: Uint8Array[] = [];
  #response: Uint8Array | undefined;
  #working = false;
  /** The number of the request that waits for a touch. */
  #awaited: number | undefined;
  #count = 0;
  #power = 0;
  #heard = 0;
  /** Bits per second that it hears and speaks at. */
  rate: number = LINE_RATE;
  /** Requests that were carried out, in order. */
  readonly requests: Uint8Array[] = [];
  /** Receives frames to send. */
  send: (bytes: Uint8Array) => void = () => {};

  constructor(time: Clock, options: MockOptions) {
    this.#time = time;
    this.#options = options;
  }

  /** @param rate that they were sent at */
  receive(bytes: Uint8Array, rate = this.rate): void {
    if (rate !== this.rate) {
      this.rate = LINE_RATE; // what it reads is no frame
      return;
    }
    this.#heard++;
    this.#deframer.push(bytes, (frame) => {
      if (!this.#working) this.#onFrame(frame);
    });
  }

  /** Forgets every link, as a power cut does; what was carried out stays carried out. */
  restart(): void {
    this.rate = LINE_RATE;
    this.#power++;
    this.#deframer = new Deframer();
    this.#current = this.#pending = this.#response = undefined;
    this.#request = [];
    this.#working = false;
    this.#awaited = undefined;
  }

  #onFrame(frame: Frame): void {
    if (frame.type === FrameType.Open) {
      this.#open(frame);
      return;
    }
    if (frame.type === FrameType.Rate) {
      this.#setRate(frame);
      return;
    }
    if (this.#pending?.id === frame.link && frame.sequence === 1 && frame.type === FrameType.Data) {
      this.#current = this.#pending;
      this.#pending = this.#response = undefined;
      this.#request = [];
      this.#taken = 0;
      this.#awaited = undefined;
    }
    if (this.#current?.id !== frame.link) this.#reply(FrameType.Closed, { link: frame.link });
    else if (frame.type === FrameType.Data) this.#data(frame);
    else if (frame.type === FrameType.Next && frame.sequence === this.#taken && this.#response !== undefined) {
      this.#respond(this.#response, frame.index);
    }
  }

  /** Answers at the present rate, then changes it. */
  #setRate(frame: Frame): void {
    const wanted = Buffer.from(frame.payload).readUInt32LE(0);
    const rate = wanted <= (this.#options.fastest ?? Number.POSITIVE_INFINITY) ? wanted : this.rate;
    const payload = Buffer.alloc(4);
    payload.writeUInt32LE(rate);
    this.#reply(FrameType.Rated, { link: frame.link, payload });
    this.rate = rate;
    const power = this.#power;
    const heard = this.#heard;
    this.#time.after(RATE_MS, () => {
      if (power === this.#power && heard === this.#heard) this.rate = LINE_RATE;
    });
  }

  #open(frame: Frame): void {
    let link = [this.#current, this.#pending].find((known) => known?.nonce === frame.link);
    if (link === undefined) link = this.#pending = { id: ++this.#lastId, nonce: frame.link };
    const payload = Buffer.alloc(5);
    payload.writeUInt16LE(link.id, 0);
    payload.writeUInt16LE(PAYLOAD_MAX, 2);
    payload.writeUInt8(PROTOCOL_VERSION, 4);
    this.#reply(FrameType.Opened, { link: frame.link, payload });
  }

  #data(frame: Frame): void {
    if (frame.sequence === this.#taken) this.#repeat();
    if (frame.sequence !== ((this.#taken + 1) & 0xffff)) return;
    this.#taken = frame.sequence;
    if (this.#response !== undefined || this.#awaited !== undefined) this.#request = [];
    this.#awaited = undefined; // whatever comes next ends the wait
    this.#response = undefined;
    this.#request.push(frame.payload);
    if (frame.more) this.#reply(FrameType.Ack, {});
    else this.#work(Buffer.concat(this.#request));
  }

  #repeat(): void {
    if (this.#awaited !== undefined) this.#busy(TOUCH_WAIT_MS, BusyReason.Touch);
    else if (this.#response === undefined) this.#reply(FrameType.Ack, {});
    else this.#respond(this.#response);
  }

  #work(request: Uint8Array): void {
    if (request.length > MESSAGE_MAX) throw new Error("the client sent a message that is too long");
    const ms = this.#options.work?.(request) ?? 0;
    const power = this.#power;
    const finish = () => {
      if (power !== this.#power) return;
      this.#working = false;
      this.requests.push(request);
      const answer = this.#options.answer(request);
      if (power !== this.#power) return;
      if (answer instanceof Uint8Array) this.#finish(answer);
      else this.#await(answer);
    };
    if (ms > 0) {
      this.#busy(ms, BusyReason.Work);
      this.#working = true;
      this.#time.after(ms, finish);
    } else finish();
  }

  #await(awaiting: Awaiting): void {
    const { touch } = this.#options;
    const ms = touch === undefined ? 100 : (touch() ?? TOUCH_WAIT_MS);
    const number = ++this.#count;
    this.#awaited = number;
    this.#busy(TOUCH_WAIT_MS, BusyReason.Touch);
    this.#time.after(Math.min(ms, TOUCH_WAIT_MS), () => {
      if (this.#awaited !== number) return;
      this.#awaited = undefined;
      this.#finish(awaiting.finish(ms < TOUCH_WAIT_MS));
    });
  }

  #finish(response: Uint8Array): void {
    this.#response = response;
    this.#respond(response);
  }

  #busy(ms: number, reason: BusyReason): void {
    const payload = Buffer.alloc(5);
    payload.writeUInt32LE(ms);
    payload.writeUInt8(reason, 4);
    this.#reply(FrameType.Busy, { payload });
  }

  #respond(response: Uint8Array, first = 0): void {
    for (let index = first; index === 0 || index * PAYLOAD_MAX < response.length; index++)
      this.#fragment(response, index);
  }

  #fragment(response: Uint8Array, index: number): void {
    const from = index * PAYLOAD_MAX;
    const payload = response.subarray(from, from + PAYLOAD_MAX);
    this.#reply(FrameType.Data, { more: from + payload.length < response.length, index, payload });
  }

  #reply(type: FrameType, fields: Partial<Frame>): void {
    const link = this.#current?.id ?? 0;
    this.send(
      encodeFrame({ type, more: false, link, sequence: this.#taken, index: 0, payload: new Uint8Array(0), ...fields }),
    );
  }
}

/** What happens to each frame on the wire: when and with which bytes it arrives; [] = never. */
export type Faults = (bytes: Uint8Array, direction: "to device" | "to host") => { after: number; bytes: Uint8Array }[];

export const perfect: Faults = (bytes) => [{ after: 0, bytes }];

/** A wire between a client and a mock device. */
export class MockWire implements Transport {
  readonly name = "mock";
  bitRate?: number;
  fastest?: number;
  setRate?: (bits: number) => Promise<void>;
  readonly #time: Clock;
  readonly #device: MockDevice;
  #receive: (bytes: Uint8Array) => void = () => {};
  #closed: (error?: Error) => void = () => {};
  faults: Faults = perfect;
  /** Every frame that the host sent. */
  readonly sent: Uint8Array[] = [];
  isClosed = false;

  constructor(time: Clock, device: MockDevice) {
    this.#time = time;
    this.#device = device;
    device.send = (bytes) => {
      const { rate } = device;
      this.#carry(bytes, "to host", (got) => (this.bitRate ?? rate) === rate && this.#receive(got));
    };
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.isClosed) throw new Error("the mock wire is closed");
    this.sent.push(bytes);
    const rate = this.bitRate;
    this.#carry(bytes, "to device", (got) => this.#device.receive(got, rate));
  }

  /** From here on its rate can be changed, up to this one. */
  speedUp(fastest: number): void {
    this.bitRate = LINE_RATE;
    this.fastest = fastest;
    this.setRate = async (bits) => {
      this.bitRate = bits;
    };
  }

  onData(receive: (bytes: Uint8Array) => void): void {
    this.#receive = receive;
  }

  onClose(closed: (error?: Error) => void): void {
    this.#closed = closed;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  /** Pulls the cable out. */
  cut(): void {
    this.isClosed = true;
    this.#closed(new Error("the mock cable was pulled out"));
  }

  /** Gives the host bytes that no device sent. */
  inject(bytes: Uint8Array): void {
    this.#receive(bytes);
  }

  #carry(bytes: Uint8Array, direction: "to device" | "to host", deliver: (bytes: Uint8Array) => void): void {
    for (const item of this.faults(bytes, direction)) {
      if (item.after === 0) deliver(item.bytes);
      else this.#time.after(item.after, () => this.isClosed || deliver(item.bytes));
    }
  }
}
