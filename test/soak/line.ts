/** The line between a client and its device: bytes arrive in order and late, and in bad weather not as they were sent. Every transport
 *  that is open on it hears everything, as two programs on one port would. It knows frames only by the zero byte at their end. */
import { DisconnectedError } from "../../host/client/errors.js";
import type { Transport } from "../../host/client/transport.js";
import type { SoakClock } from "./clock.js";
import type { Dice } from "./dice.js";

/** Pieces of a hundred that something happens to. */
const WEATHER: readonly (readonly [weight: number, hits: number])[] = [
  [66, 0],
  [28, 3],
  [6, 25],
];
/** Milliseconds that the weather lasts. */
const WEATHER_MS = 60_000;
const NOISE = ["dropped", "doubled", "flipped", "stray", "lost", "cut short", "said twice"] as const;

export type Noise = (typeof NOISE)[number];

type Direction = "device" | "host";

interface Port {
  receive: (bytes: Uint8Array) => void;
  closed: (error?: Error) => void;
  open: boolean;
}

export class Line {
  /** Bytes for the device arrive here. */
  deliver: (bytes: Uint8Array) => void = () => {};
  readonly noise: Record<Noise, number> = Object.fromEntries(NOISE.map((kind) => [kind, 0])) as Record<Noise, number>;
  /** Pieces that were handed on in several. */
  split = 0;
  /** Frames that a host sent again. */
  retransmissions = 0;
  /** Ports opened so far. */
  opened = 0;
  /** Nothing happens to bytes while this is set. */
  calm = false;
  #hits = 0;
  #weatherEnds = 0;
  #ports: Port[] = [];
  readonly #free: { device: number; host: number } = { device: 0, host: 0 }; // when the last piece will have arrived

  constructor(
    readonly clock: SoakClock,
    readonly dice: Dice,
  ) {}

  /** Opens the port once more; those that are open stay so. */
  open(): Transport {
    const port: Port = { receive: () => {}, closed: () => {}, open: true };
    this.#ports.push(port);
    this.opened++;
    let last: Uint8Array = new Uint8Array(0);
    return {
      name: "soak",
      write: async (bytes) => {
        if (!port.open) throw new DisconnectedError("closed", "The port is closed.");
        if (Buffer.compare(bytes, last) === 0) this.retransmissions++;
        last = Uint8Array.from(bytes);
        this.#carry("device", last, 0);
      },
      onData: (receive) => {
        port.receive = receive;
      },
      onClose: (closed) => {
        port.closed = closed;
        if (!port.open) closed();
      },
      close: async () => {
        port.closed = () => {};
        this.#close(port);
      },
    };
  }

  /** The cable is pulled: all ports close. */
  pull(): void {
    for (const port of [...this.#ports]) {
      this.#close(port);
      port.closed(new Error("the cable was pulled"));
    }
  }

  /** The device sends. @param delay milliseconds until the first byte leaves */
  say(bytes: Uint8Array, delay: number): void {
    this.#carry("host", bytes, delay);
  }

  #close(port: Port): void {
    port.open = false;
    this.#ports = this.#ports.filter((other) => other !== port);
  }

  #carry(to: Direction, bytes: Uint8Array, delay: number): void {
    const whole = this.#hit() ? this.#damage(bytes) : bytes;
    const pieces = whole.length > 2 && this.dice.chance(10) ? this.#cut(whole) : [whole];
    let wait = delay;
    for (const piece of pieces) {
      if (piece.length === 0) continue;
      wait += this.dice.chance(2) ? this.dice.between(1, 900) : this.dice.between(0, 3);
      const at = Math.max(this.#free[to], this.clock.now + wait);
      this.#free[to] = at;
      this.clock.after(at - this.clock.now, () => this.#arrive(to, piece));
    }
  }

  #arrive(to: Direction, bytes: Uint8Array): void {
    if (to === "device") this.deliver(bytes);
    else for (const port of [...this.#ports]) port.receive(bytes);
  }

  #hit(): boolean {
    if (this.calm) return false;
    if (this.clock.now >= this.#weatherEnds) {
      this.#weatherEnds = this.clock.now + this.dice.below(2 * WEATHER_MS);
      this.#hits = this.dice.weighted(WEATHER);
    }
    return this.dice.chance(this.#hits);
  }

  /** Two to four pieces. */
  #cut(bytes: Uint8Array): Uint8Array[] {
    this.split++;
    const cuts = Array.from({ length: this.dice.between(1, 3) }, () => this.dice.below(bytes.length)).sort(
      (a, b) => a - b,
    );
    return [0, ...cuts].map((from, i) => bytes.subarray(from, cuts[i] ?? bytes.length));
  }

  #damage(bytes: Uint8Array): Uint8Array {
    const { dice } = this;
    const kind = dice.oneOf(NOISE)!;
    this.noise[kind]++;
    const at = dice.below(bytes.length);
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
    if (kind === "dropped") return Buffer.concat([before, after.subarray(1)]);
    if (kind === "doubled") return Buffer.concat([before, after.subarray(0, 1), after]);
    if (kind === "flipped") return bytes.map((byte, i) => (i === at ? byte ^ (1 << dice.below(8)) : byte));
    if (kind === "stray") return Buffer.concat([before, dice.bytes(dice.between(1, 5)), after]);
    if (kind === "lost") return new Uint8Array(0);
    return kind === "cut short" ? before : Buffer.concat([bytes, bytes]);
  }
}
