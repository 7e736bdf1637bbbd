/** The core of this package, run here on empty flash: what becomes of it is what would become of a board. SPEC.md §1 has the imports.
 *  It provisions the stores that images carry, and tries out those that a board will make. */
import { readFileSync } from "node:fs";
import {
  BOARD_EK_RA6M5,
  FACTS_OFF_BOARD,
  FACTS_OFF_BOUND,
  FACTS_OFF_CORE,
  FACTS_OFF_CUSTODY,
  FACTS_OFF_SETUP,
  FACTS_OFF_UID,
  FACTS_SIZE,
  Region,
  RX_OFFSET,
  RX_SIZE,
  START_NORMAL,
  TX_OFFSET,
} from "../../firmware/defs/boundary.js";
import type { Custody } from "../../firmware/defs/custody.js";
import { IMAGE_BLOCK, IMAGE_BLOCKS } from "../../firmware/defs/image.js";
import {
  CUSTODY_SIZE,
  DATA_BLOCK,
  DATA_SIZE,
  DATA_UNIT,
  SLOT_BLOCK,
  SLOT_BLOCKS,
  UNIT,
} from "../../firmware/defs/medium.js";
import { Status } from "../../firmware/defs/status.js";
import { FileError } from "../client/errors.js";
import type { Transport } from "../client/transport.js";
import { packageCore } from "../package.js";
import { Medium } from "./medium.js";

const UP = ["../..", "../../.."]; // from the sources, from dist/
const IDLE_MS = 2;

export interface TwinOptions {
  /** Who the board says it is, 16 bytes. */
  uniqueId: Uint8Array;
  custody: Custody;
  /** The store is for the board with this unique id alone. */
  bound: boolean;
  /** 32 bytes. */
  setupCode: Uint8Array;
  /** Raw samples for the core's DRBG. */
  random(length: number): Uint8Array;
}

interface Exports {
  memory: WebAssembly.Memory;
  start(mode: number, trapCode: number): number;
  take(n: number): number;
  give(): number;
}

export class Twin {
  readonly slots = new Medium(SLOT_BLOCK * SLOT_BLOCKS, UNIT, SLOT_BLOCK);
  readonly data = new Medium(DATA_SIZE, DATA_UNIT, DATA_BLOCK);
  readonly image = new Medium(IMAGE_BLOCK * IMAGE_BLOCKS, UNIT, IMAGE_BLOCK);
  readonly #facts = Buffer.alloc(FACTS_SIZE);
  readonly #random: TwinOptions["random"];
  #core: Exports | undefined;
  #memory = new Uint8Array(0);
  #microseconds = 0n;

  constructor({ uniqueId, custody, bound, setupCode, random }: TwinOptions) {
    this.#random = random;
    this.#facts.write(packageCore() ?? "", FACTS_OFF_CORE, "hex");
    this.#facts.set(uniqueId, FACTS_OFF_UID);
    this.#facts[FACTS_OFF_CUSTODY] = custody;
    this.#facts[FACTS_OFF_BOUND] = Number(bound);
    this.#facts[FACTS_OFF_BOARD] = BOARD_EK_RA6M5;
    this.#facts.set(setupCode, FACTS_OFF_SETUP);
  }

  /** Switches it on. */
  boot(): void {
    const imports = {
      read: this.#read,
      program: this.#program,
      erase: (region: Region, offset: number) =>
        this.#medium(region, offset >>> 0, 1)?.erase(offset >>> 0) ? Status.Ok : Status.MediumFailed,
      blank: (region: Region, offset: number, length: number) => {
        const medium = region === Region.Slots ? undefined : this.#medium(region, offset >>> 0, length >>> 0);
        return medium === undefined ? Status.MediumFailed : Number(medium.blank(offset >>> 0, length >>> 0));
      },
      entropy: (pointer: number, length: number) => {
        this.#inside(pointer, length).set(this.#random(length));
        return length;
      },
      presence: () => 0,
      clock: () => {
        this.#microseconds += 10n;
        return this.#microseconds;
      },
      diag: () => {},
      rate: () => Status.Ok,
    };
    const module = new WebAssembly.Module(coreBytes());
    this.#core = new WebAssembly.Instance(module, { board: imports }).exports as unknown as Exports;
    this.#memory = new Uint8Array(this.#core.memory.buffer);
    this.#core.start(START_NORMAL, 0);
  }

  /** The main loop goes round `times` times, with nothing on the line. */
  idle(times: number): void {
    for (let i = 0; i < times; i++) {
      this.#microseconds += BigInt(IDLE_MS * 1000);
      this.#exchange(0, () => {});
    }
  }

  /** A line to it. */
  connect(): Transport {
    let receive: (bytes: Uint8Array) => void = () => {};
    return {
      name: "the core of this package",
      write: async (bytes) => {
        for (let at = 0; at < bytes.length; at += RX_SIZE) {
          const piece = bytes.subarray(at, at + RX_SIZE);
          this.#memory.set(piece, RX_OFFSET);
          const answers: Uint8Array[] = [];
          this.#exchange(piece.length, (answer) => answers.push(answer));
          for (const answer of answers) setImmediate(() => receive(answer));
        }
      },
      onData: (receiver) => {
        receive = receiver;
      },
      onClose: () => {},
      close: async () => {},
    };
  }

  #exchange(count: number, answered: (bytes: Uint8Array) => void): void {
    if (this.#core === undefined) throw new Error("the core was not started: boot()");
    let length = this.#core.take(count);
    while (length > 0) {
      answered(this.#memory.slice(TX_OFFSET, TX_OFFSET + length));
      length = this.#core.give();
    }
  }

  #inside(pointer: number, length: number): Uint8Array {
    return this.#memory.subarray(pointer >>> 0, (pointer >>> 0) + (length >>> 0));
  }

  #medium(region: Region, offset: number, length: number): Medium | undefined {
    if (region === Region.Slots) return this.slots;
    if (region === Region.Image) return this.image;
    const isCustody = offset + length <= CUSTODY_SIZE;
    if (region === Region.Custody) return isCustody ? this.data : undefined;
    return region === Region.Data && offset >= CUSTODY_SIZE ? this.data : undefined;
  }

  #read = (region: Region, offset: number, pointer: number, length: number): Status => {
    const medium = this.#medium(region, offset >>> 0, length >>> 0);
    const from = region === Region.Facts ? this.#facts : medium?.holds(offset, length) ? medium.bytes : undefined;
    if (from === undefined || offset + length > from.length) return Status.Unreadable;
    this.#inside(pointer, length).set(from.subarray(offset, offset + length));
    return Status.Ok;
  };

  #program = (region: Region, offset: number, pointer: number, length: number): Status => {
    const medium = region === Region.Image ? undefined : this.#medium(region, offset >>> 0, length >>> 0);
    return medium?.program(offset >>> 0, this.#inside(pointer, length)) ? Status.Ok : Status.MediumFailed;
  };
}

/** @throws FileError when it was never built */
function coreBytes(): Uint8Array<ArrayBuffer> {
  for (const up of UP) {
    const url = new URL(`${up}/build/core.wasm`, import.meta.url);
    try {
      return Uint8Array.from(readFileSync(url));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw new FileError("build/core.wasm is missing.", "Run: npm run build");
}
