/** A device of test/targets.ts behind a TCP port, in real time: what clients and the command line reach as a board. S1 is touched whenever
 *  that is awaited, unless nobody is there. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { BusyReason, FrameType } from "../../firmware/defs/link.js";
import { Deframer } from "../../host/client/frame.js";
import type { Device } from "./device.js";
import { STILL_MS } from "./person.js";

const STEP_MS = 10;

export class DevicePort {
  /** Somebody touches S1. */
  present = true;
  /** Touches that were asked for. */
  touches = 0;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #timer: NodeJS.Timeout | undefined;
  #last = performance.now();
  #pressing = 0;
  #number = 0;

  constructor(readonly device: Device) {}

  /** As --port takes it. */
  get port(): string {
    return `tcp:127.0.0.1:${this.#number}`;
  }

  /** Listens, again on the port of before. */
  async plug(): Promise<void> {
    const server = createServer((socket) => this.#serve(socket));
    await new Promise<void>((resolve) => server.listen(this.#number, "127.0.0.1", resolve));
    this.#server = server;
    this.#number = (server.address() as AddressInfo).port;
    this.#last = performance.now();
    this.#timer = setInterval(() => this.#pass(), STEP_MS);
  }

  /** Takes the cable away. */
  async unplug(): Promise<void> {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => (this.#server === undefined ? resolve(undefined) : this.#server.close(resolve)));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket)).on("error", () => {});
    socket.on("data", (bytes) => this.#say(this.device.exchange(bytes)));
  }

  #say(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    new Deframer().push(bytes, ({ type, payload }) => {
      if (type === FrameType.Busy && payload[4] === BusyReason.Touch && this.#pressing === 0) this.#touch();
    });
    for (const socket of this.#sockets) socket.write(bytes);
  }

  #touch(): void {
    this.touches++;
    if (!this.present) return;
    // released for a while, pressed for a while, released
    this.#pressing = (2 * STILL_MS) / STEP_MS;
  }

  #pass(): void {
    const now = performance.now();
    const ms = Math.min(1000, Math.round(now - this.#last));
    this.#last = now;
    if (this.#pressing > 0) {
      this.#pressing--;
      if (this.#pressing === Math.ceil(STILL_MS / STEP_MS)) this.device.press("s1");
      if (this.#pressing === 0) this.device.release("s1");
    }
    this.#say(this.device.wait(Math.max(ms, STEP_MS)));
  }
}
