/** What all peripherals share: time, the fault log, randomness, the clocks, and the bus that they sit on. */

import type { Window } from "./engine.js";
import { type FaultLog, hex } from "./faults.js";
import type { Random } from "./prng.js";
import type { Time } from "./time.js";

/** Frequencies in Hz, derived from the clock registers. */
export interface Clocks {
  iclk: number;
  pclka: number;
  pclkb: number;
  fclk: number;
}

export interface Chip {
  readonly time: Time;
  readonly faults: FaultLog;
  readonly random: Random;
  clocks: Clocks;
  /** Ends the running slice, so that deadlines and requests are looked at. */
  endSlice(): void;
  /** The firmware waits for input and nothing is under way. */
  signalIdle(): void;
  /** A reset of the CPU and all peripherals, after the present instruction. */
  requestReset(cause: ResetCause): void;
  /** Instruction that makes the present access; 0xFFFFFFFF when a debugger does. */
  pc(): number;
}

/** Puts back what was saved, as often as it is called. */
export type Restore = () => void;

export type ResetCause = "power" | "pin" | "software" | "watchdog";

export interface Peripheral {
  readonly name: string;
  /** Where it stands, in bytes: multiples of 256. */
  readonly windows: readonly { base: number; size: number }[];
  read(address: number, size: number): number;
  write(address: number, size: number, value: number): void;
  reset(cause: ResetCause): void;
  /** Keeps its present state, but nothing of the outside world (switches) and no counts of the whole run. */
  save(): Restore;
  /** Virtual time in ns at which something must happen without an access; Infinity by default. */
  deadline?(): number;
  /** Called at the deadline or later. */
  due?(): void;
  /** A debugger held the processor for so many ns: what stops with it goes on now. */
  held?(ns: number): void;
}

/** The peripheral bus, 0x40000000 … 0x407FFFFF. */
export class Bus implements Window {
  static readonly BASE = 0x40000000;
  static readonly SIZE = 0x800000;
  readonly peripherals: Peripheral[] = [];
  readonly #pages: (Peripheral | undefined)[] = new Array(Bus.SIZE >> 8);
  /** Accesses so far; lets a model see that nothing happened between two of its own. */
  accesses = 0;

  constructor(private readonly faults: FaultLog) {}

  add<P extends Peripheral>(peripheral: P): P {
    this.peripherals.push(peripheral);
    for (const { base, size } of peripheral.windows) {
      for (let page = (base - Bus.BASE) >> 8; page < (base + size - Bus.BASE + 255) >> 8; page++) {
        this.#pages[page] = peripheral;
      }
    }
    return peripheral;
  }

  read(offset: number, size: number): number {
    this.accesses++;
    const peripheral = this.#pages[offset >> 8];
    const address = Bus.BASE + offset;
    if (peripheral !== undefined) return peripheral.read(address, size);
    this.faults.record("bus", `${size}-byte read of ${hex(address)}, where no model stands`);
    return 0;
  }

  write(offset: number, size: number, value: number): void {
    this.accesses++;
    const peripheral = this.#pages[offset >> 8];
    const address = Bus.BASE + offset;
    if (peripheral !== undefined) peripheral.write(address, size, value);
    else this.faults.record("bus", `${size}-byte write of ${hex(value)} to ${hex(address)}, where no model stands`);
  }
}
