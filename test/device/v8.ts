/** core.wasm in V8 over two strict media: the fastest of the real targets. Every boot is a fresh instance. */
import { readFileSync } from "node:fs";
import { type Random, seeded } from "../../board/virtual/prng.js";
import { PowerCut } from "../../board/virtual/supply.js";
import { RX_OFFSET, RX_SIZE, START_NORMAL, TX_OFFSET } from "../../firmware/defs/boundary.js";
import { type Device, TrapError } from "./device.js";
import { Board } from "./imports.js";
import { media } from "./media.js";

const bytes = readFileSync(new URL("../../build/core.wasm", import.meta.url));
const compiled = new WebAssembly.Module(bytes);

interface Exports {
  memory: WebAssembly.Memory;
  start(mode: number, trapCode: number): number;
  take(n: number): number;
  give(): number;
}

export class V8Device implements Device {
  readonly name = "v8";
  readonly slotsOffset = 0;
  readonly board: Board;
  #core: Exports | undefined;
  #memory = new Uint8Array(0);

  constructor(seed: number, random: Random = seeded(seed)) {
    this.board = new Board(media(random), bytes, random, () => this.#memory);
  }

  get supply() {
    return this.board.media.supply;
  }
  get slots() {
    return this.board.media.slots;
  }
  get data() {
    return this.board.media.data;
  }
  /** Linear memory of the running core. */
  get memory(): Uint8Array {
    return this.#memory;
  }

  boot(mode = START_NORMAL, trapCode = 0): void {
    this.supply.down();
    this.supply.up();
    this.board.powerUp();
    const { read, program, erase, blank, entropy, presence, clock, diag } = this.board;
    const imports = { board: { read, program, erase, blank, entropy, presence, clock, diag } };
    this.#core = new WebAssembly.Instance(compiled, imports).exports as unknown as Exports;
    this.#memory = new Uint8Array(this.#core.memory.buffer);
    this.#run((core) => core.start(mode, trapCode));
  }

  exchange(sent: Uint8Array): Uint8Array {
    const received: Uint8Array[] = [];
    for (let at = 0; at < sent.length; at += RX_SIZE) {
      const piece = sent.subarray(at, at + RX_SIZE);
      this.#memory.set(piece, RX_OFFSET);
      let n = this.#run((core) => core.take(piece.length));
      while (n > 0) {
        received.push(this.#memory.slice(TX_OFFSET, TX_OFFSET + n));
        n = this.#run((core) => core.give());
      }
    }
    return Buffer.concat(received);
  }

  close(): void {
    this.#core = undefined;
  }

  #run(call: (core: Exports) => number): number {
    if (this.#core === undefined) throw new Error("the device is off: boot() it");
    try {
      return call(this.#core);
    } catch (error) {
      this.#core = undefined;
      if (error instanceof WebAssembly.RuntimeError) throw new TrapError(this.board.code, { cause: error });
      if (error instanceof PowerCut) throw error;
      throw error;
    }
  }
}
