/** A synchronous host for in-process devices: whole messages over the link of SPEC.md §8, without timers. For sweeps that ask
 *  thousands of times; the real client has tests of its own. */
import { FrameType, PAYLOAD_MAX, PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { Status } from "../../firmware/defs/status.js";
import { type Command, Key } from "../../firmware/defs/wire.js";
import { Deframer, encodeFrame, type Frame } from "../../host/client/frame.js";
import { decodeMessage, encodeMessage, type Message, message, type Value } from "../../host/client/message.js";
import type { Device } from "./device.js";

/** What a request has besides its command. */
export type Fields = Iterable<readonly [Key, Value | undefined]>;

/** A refusal of the device. */
export class Refusal extends Error {
  override name = "Refusal";
  constructor(
    readonly status: Status,
    readonly detail?: Value,
  ) {
    super(Status[status]);
  }
}

/** Nonces differ among all hosts of one device; those up to 0xff are left to tests that write their own frames. */
let lastNonce = 0xff;

export class Talk {
  #link: number | undefined;
  #sequence = 0;

  constructor(readonly device: Pick<Device, "exchange">) {}

  /** Forgets the link: call after each boot. */
  reset(): this {
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
    const frames: Frame[] = [];
    new Deframer().push(this.device.exchange(encodeFrame({ ...whole, ...frame })), (got) => frames.push(got));
    return frames;
  }

  /** Sends one message as bytes. @returns the bytes of the answer */
  exchange(bytes: Uint8Array): Uint8Array {
    this.#open();
    let answer: Frame | undefined;
    for (let at = 0; at === 0 || at < bytes.length; at += PAYLOAD_MAX) {
      this.#sequence = (this.#sequence + 1) & 0xffff;
      const more = at + PAYLOAD_MAX < bytes.length;
      answer = this.frames({ more, sequence: this.#sequence, payload: bytes.subarray(at, at + PAYLOAD_MAX) }).at(-1);
      const expected = more ? FrameType.Ack : FrameType.Data;
      if (answer?.type !== expected)
        throw new Error(`expected ${FrameType[expected]}, got ${answer ? FrameType[answer.type] : "silence"}`);
    }
    const parts: Uint8Array[] = [];
    for (let index = 0; ; index++) {
      if (answer?.type !== FrameType.Data || answer.index !== index) throw new Error(`fragment ${index} did not come`);
      parts.push(answer.payload);
      if (!answer.more) return Buffer.concat(parts);
      answer = this.frames({ type: FrameType.Next, sequence: this.#sequence, index: index + 1 }).at(-1);
    }
  }

  /** Sends one command. @returns the answer, whatever its status */
  answer(command: Command, fields: Fields = []): Message {
    return decodeMessage(this.exchange(encodeMessage(message([[Key.Command, command], ...fields]))));
  }

  /** Sends one command. @throws Refusal */
  ask(command: Command, fields: Fields = []): Message {
    const answer = this.answer(command, fields);
    const status = answer.get(Key.Command) as Status;
    if (status !== Status.Ok) throw new Refusal(status, answer.get(Key.Detail));
    return answer;
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
