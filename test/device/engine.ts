/** What all engines on the host share: core.wasm over two strict media and the imports of imports.ts. Each boot is a fresh
 *  instance. An engine only says how an instance is made. */
import { readFileSync } from "node:fs";
import type { Random } from "../../board/virtual/prng.js";
import type { Engine as EngineNumber } from "../../firmware/defs/binding.js";
import { RX_OFFSET, RX_SIZE, START_NORMAL, SWITCH_S1, SWITCH_S2, TX_OFFSET } from "../../firmware/defs/boundary.js";
import { built } from "./built.js";
import type { EngineDevice, Switch } from "./device.js";
import { Board } from "./imports.js";
import { media } from "./media.js";

/** Milliseconds between two calls of an idle board's main loop. */
const IDLE_MS = 10;
const SWITCHES = { s1: SWITCH_S1, s2: SWITCH_S2 };

/** One instance of the core. Its exports throw PowerCut when power fails in them, and TrapError. */
export interface Core {
  /** Linear memory, which stays where it is. */
  readonly memory: Uint8Array;
  start(mode: number, trapCode: number): number;
  take(n: number): number;
  give(): number;
  free?(): void;
}

/** The core that every engine on the host runs: MBS_CORE names another one than the one that was built. */
export const CORE = process.env.MBS_CORE === undefined ? built("core.wasm") : readFileSync(process.env.MBS_CORE);

export abstract class Engine implements EngineDevice {
  abstract readonly name: string;
  readonly slotsOffset = 0;
  readonly board: Board;
  onSent: (() => void) | undefined;
  #core: Core | undefined;
  #memory: Uint8Array = new Uint8Array(0);

  constructor(random: Random, engine: EngineNumber) {
    this.board = new Board(media(random), CORE, engine, random, () => this.#memory);
  }

  /** Makes an instance. */
  protected abstract load(): Core;

  get supply() {
    return this.board.media.supply;
  }
  get slots() {
    return this.board.media.slots;
  }
  get data() {
    return this.board.media.data;
  }
  readonly imageOffset = 0;
  get image() {
    return this.board.media.image;
  }
  get memory(): Uint8Array {
    return this.#memory;
  }
  ram(): Uint8Array {
    return this.#memory;
  }

  boot(mode = START_NORMAL, trapCode = 0): void {
    this.close();
    this.supply.down();
    this.supply.up();
    this.board.powerUp();
    this.#core = this.load();
    this.#memory = this.#core.memory;
    this.#run((core) => core.start(mode, trapCode));
  }

  exchange(sent: Uint8Array): Uint8Array {
    const received: Uint8Array[] = [];
    for (let at = 0; at < sent.length; at += RX_SIZE) {
      const piece = sent.subarray(at, at + RX_SIZE);
      this.#memory.set(piece, RX_OFFSET);
      this.#take(piece.length, received);
    }
    return Buffer.concat(received);
  }

  wait(ms: number): Uint8Array {
    const received: Uint8Array[] = [];
    for (let left = ms; left > 0; left -= IDLE_MS) {
      this.board.pass(Math.min(left, IDLE_MS));
      this.#take(0, received);
    }
    return Buffer.concat(received);
  }

  press(which: Switch): void {
    this.board.switches |= SWITCHES[which];
  }
  release(which: Switch): void {
    this.board.switches &= ~SWITCHES[which];
  }
  now(): bigint {
    return this.board.now;
  }
  peek(offset: number, length: number): Uint8Array {
    return this.#memory.slice(offset, offset + length);
  }
  poke(offset: number, bytes: Uint8Array): void {
    this.#memory.set(bytes, offset);
  }

  close(): void {
    this.#core?.free?.();
    this.#core = undefined;
  }

  /** Gives the core n received bytes and takes all that it has to send. */
  #take(n: number, received: Uint8Array[]): void {
    let length = this.#run((core) => core.take(n));
    while (length > 0) {
      received.push(this.#memory.slice(TX_OFFSET, TX_OFFSET + length));
      this.onSent?.();
      length = this.#run((core) => core.give());
    }
  }

  #run(call: (core: Core) => number): number {
    if (this.#core === undefined) throw new Error("the device is off: boot() it");
    try {
      return call(this.#core);
    } catch (error) {
      this.#memory = Uint8Array.from(this.#memory); // as it was left; the instance is gone
      this.close();
      throw error;
    }
  }
}
