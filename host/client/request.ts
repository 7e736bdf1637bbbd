/** What is on its way to the device and back: which frames to send, to send again and to ask for again. SPEC.md §8. Knows no time; link.ts does. */
import { BusyReason, FrameType, MESSAGE_MAX } from "../../firmware/defs/link.js";
import { encodeFrame, type Frame } from "./frame.js";

/** Bytes on the line that the device has not answered, when another request follows: they fit into what it receives while it computes. */
export const AHEAD_MAX = 1536;

const NOTHING = new Uint8Array(0);
const following = (sequence: number): number => (sequence + 1) & 0xffff;

/** One message, and what came of its answer. */
export class Request {
  /** Of its last frame, and of the answer. */
  readonly sequence: number;
  /** The whole answer. */
  answer: Uint8Array | undefined;
  readonly #frames: { sequence: number; bytes: Uint8Array }[] = [];
  readonly #link: number;
  readonly #fragment: number;
  readonly #parts = new Map<number, Uint8Array>();
  /** Fragments of the answer, once the last was seen. */
  #count: number | undefined;
  /** Frames that the device has taken. */
  #taken = 0;

  /** @param before sequence of the last frame before it    @param fragment bytes of payload in one frame */
  constructor(link: number, before: number, message: Uint8Array, fragment: number) {
    this.#link = link;
    this.#fragment = fragment;
    let sequence = before;
    for (let at = 0; at === 0 || at < message.length; at += fragment) {
      sequence = following(sequence);
      const payload = message.subarray(at, at + fragment);
      const more = at + fragment < message.length;
      const bytes = encodeFrame({ type: FrameType.Data, more, link, sequence, index: 0, payload });
      this.#frames.push({ sequence, bytes });
    }
    this.sequence = sequence;
  }

  /** Bytes of its frames. */
  get size(): number {
    return this.#frames.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /** Frames that the device may not have, or what asks for the answer from the first part on that is missing. */
  get missing(): Uint8Array {
    if (this.#parts.size === 0) return Buffer.concat(this.#frames.slice(this.#taken).map(({ bytes }) => bytes));
    let index = 0;
    while (this.#parts.has(index)) index++;
    const next = { type: FrameType.Next, more: false, link: this.#link, sequence: this.sequence, index };
    return encodeFrame({ ...next, payload: NOTHING });
  }

  /** Whether parts of the answer came, and the last of them, but not all. */
  get hasGap(): boolean {
    return this.#count !== undefined && this.answer === undefined;
  }

  /** @returns whether the frame says that a fragment was taken which was not known to be */
  acknowledge(sequence: number): boolean {
    const at = this.#frames.findIndex((frame) => frame.sequence === sequence);
    if (at < 0 || at === this.#frames.length - 1 || at < this.#taken) return false;
    this.#taken = at + 1;
    return true;
  }

  /** @returns whether the fragment is a new one    @throws what `broken` makes of one that cannot be */
  take(frame: Frame, broken: (what: string) => Error): boolean {
    const { index, more, payload } = frame;
    if (this.#parts.has(index) || this.answer !== undefined) return false;
    const fits = more ? payload.length === this.#fragment : payload.length <= this.#fragment;
    const whole = more ? this.#count === undefined || index < this.#count - 1 : this.#count === undefined;
    if (!fits || !whole || index * this.#fragment + payload.length > MESSAGE_MAX)
      throw broken(`fragment ${index} of ${payload.length} bytes makes the answer too long or has a wrong length`);
    this.#taken = this.#frames.length;
    this.#parts.set(index, payload);
    if (!more) this.#count = index + 1;
    if (this.#parts.size === this.#count) this.#join();
    return true;
  }

  #join(): void {
    const parts = [...this.#parts].sort(([a], [b]) => a - b).map(([, payload]) => payload);
    this.answer = Buffer.concat(parts);
  }
}

/** Requests in their order: the device answers one after the other, and keeps the last answer only. */
export class Queue {
  /** The first that may still be answered. */
  #first = 0;
  /** How many were sent. */
  #sent = 0;
  /** What came last was the end of an answer: whatever is missing of it does not come by itself. */
  #isEnd = false;

  constructor(private readonly requests: readonly Request[]) {}

  /** Nothing is awaited any more. */
  get isOver(): boolean {
    return this.#first === this.requests.length;
  }

  /** Whether a Busy counts: what waits for a touch is given up by the request behind it. */
  awaits(sequence: number, reason: BusyReason): boolean {
    const awaited = reason === BusyReason.Touch ? this.#awaited.slice(-1) : this.#awaited;
    return awaited.some((request) => request.sequence === sequence);
  }

  /** What may be sent now and was not; first of all what closes a gap in an answer. */
  next(): Uint8Array {
    const [oldest] = this.#awaited;
    if (this.#isEnd && oldest?.hasGap) return oldest.missing;
    const sending: Uint8Array[] = [];
    let ahead = this.#awaited.reduce((sum, { size }) => sum + size, 0);
    for (let request = this.requests[this.#sent]; request !== undefined; request = this.requests[this.#sent]) {
      if (ahead > 0 && ahead + request.size > AHEAD_MAX) break;
      ahead += request.size;
      sending.push(request.missing);
      this.#sent++;
    }
    return Buffer.concat(sending);
  }

  /** What is to be sent when nothing came for a while. */
  again(): Uint8Array {
    return Buffer.concat(this.#awaited.map((request) => request.missing));
  }

  /** @returns whether the frame was awaited */
  take(frame: Frame, broken: (what: string) => Error): boolean {
    const at = this.#awaited.findIndex((request) => request.sequence === frame.sequence);
    if (frame.type === FrameType.Ack) return this.#awaited.some((request) => request.acknowledge(frame.sequence));
    if (at < 0) return false;
    if (frame.type === FrameType.Overflow) throw broken("it calls the message too long");
    if (frame.type !== FrameType.Data || !this.#awaited[at]!.take(frame, broken)) return false;
    this.#isEnd = !frame.more;
    this.#first += at; // whatever the device had to say to those before, it has no more
    if (this.#awaited[0]!.answer !== undefined) this.#first++;
    return true;
  }

  get #awaited(): readonly Request[] {
    return this.requests.slice(this.#first, this.#sent);
  }
}
