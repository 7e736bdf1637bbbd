/** A wire between the real client and a device in this process, on virtual time: each frame of either direction can be lost,
 *  doubled, delayed or damaged. Frames that the device sends together arrive as several. */
import { setImmediate } from "node:timers/promises";
import { Client, type ClientOptions } from "../../host/client/client.js";
import type { Transport } from "../../host/client/transport.js";
import type { Device } from "../device/device.js";
import { VirtualTime } from "../host/virtual-time.js";

/** What happens to a frame: each item is one arrival, so many milliseconds later. [] = it is lost. */
export type Fault = (frame: Uint8Array, number: number) => { after: number; bytes: Uint8Array }[];

export const perfect: Fault = (bytes) => [{ after: 0, bytes }];

export class DeviceWire implements Transport {
  readonly name = "wire";
  readonly time = new VirtualTime();
  /** Frames that went over the wire, in both directions. */
  frames = 0;
  #receive: (bytes: Uint8Array) => void = () => {};
  #isCut = false;

  constructor(
    readonly device: Device,
    readonly fault: Fault = perfect,
  ) {}

  client(options: ClientOptions = {}): Client {
    return new Client(async () => this, { clock: this.time, ...options });
  }

  /** What is still on its way does not arrive any more. */
  cut(): void {
    this.#isCut = true;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (const sent of framesIn(bytes))
      this.#carry(sent, (arrived) => {
        for (const frame of framesIn(this.device.exchange(arrived))) this.#carry(frame, this.#receive);
      });
  }

  onData(receive: (bytes: Uint8Array) => void): void {
    this.#receive = receive;
  }
  onClose(): void {}
  async close(): Promise<void> {
    await setImmediate();
  }

  #carry(frame: Uint8Array, deliver: (bytes: Uint8Array) => void): void {
    for (const { after, bytes } of this.fault(frame, this.frames++)) {
      if (after === 0) deliver(bytes);
      else this.time.after(after, () => this.#isCut || deliver(bytes));
    }
  }
}

/** A byte stream cut behind each zero byte. */
export function framesIn(stream: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let from = 0; from < stream.length; ) {
    const zero = stream.indexOf(0, from);
    const to = zero < 0 ? stream.length : zero + 1;
    frames.push(stream.subarray(from, to));
    from = to;
  }
  return frames;
}
