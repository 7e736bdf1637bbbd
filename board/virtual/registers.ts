/** A block of named registers with reset values and, where needed, behaviour. Other widths and unknown offsets are faults. */
import type { Chip, Peripheral, ResetCause, Restore } from "./chip.js";
import { hex } from "./faults.js";

export interface Register {
  name: string;
  offset: number;
  /** Bytes: the only width that software may use. */
  size: 1 | 2 | 4;
  reset?: number;
  /** Value that software sees; default: what is stored. */
  read?: (stored: number) => number;
  /** Value to store, undefined: nothing changes. Default: stores what was written. "ro": writing is a fault. */
  write?: ((value: number, stored: number) => number | undefined) | "ro";
}

export class RegisterBlock implements Peripheral {
  readonly windows: readonly { base: number; size: number }[];
  readonly #registers: (Register | undefined)[] = [];
  readonly #values: number[] = [];

  constructor(
    protected readonly chip: Chip,
    readonly name: string,
    readonly base: number,
    size: number,
    registers: readonly Register[] = [],
  ) {
    this.windows = [{ base, size }];
    this.define(registers);
  }

  protected define(registers: readonly Register[]): void {
    for (const register of registers) {
      this.#registers[register.offset] = register;
      this.#values[register.offset] = register.reset ?? 0;
    }
  }

  /** What is stored at `offset`. */
  value(offset: number): number {
    return this.#values[offset] ?? 0;
  }

  set(offset: number, value: number): void {
    this.#values[offset] = value >>> 0;
  }

  /** Every register takes its reset value; models with more state add to this. */
  reset(_cause: ResetCause): void {
    for (const register of this.#registers)
      if (register !== undefined) this.#values[register.offset] = register.reset ?? 0;
  }

  /** Keeps every register; models with more state add to this. */
  save(): Restore {
    const values = this.#values.slice();
    return () =>
      values.forEach((value, offset) => {
        this.#values[offset] = value;
      });
  }

  read(address: number, size: number): number {
    const offset = address - this.base;
    const register = this.#registers[offset];
    if (register === undefined || register.size !== size) {
      this.complain(`${size}-byte read of ${hex(address)}, ${this.#nearest(offset)}`);
      return 0;
    }
    const stored = this.#values[offset]!;
    return register.read === undefined ? stored : register.read(stored) >>> 0;
  }

  write(address: number, size: number, value: number): void {
    const offset = address - this.base;
    const register = this.#registers[offset];
    if (register === undefined || register.size !== size) {
      this.complain(`${size}-byte write of ${hex(value)} to ${hex(address)}, ${this.#nearest(offset)}`);
      return;
    }
    if (register.write === "ro") {
      this.complain(`write of ${hex(value)} to read-only ${register.name}`);
      return;
    }
    const next = register.write === undefined ? value : register.write(value, this.#values[offset]!);
    if (next !== undefined) this.#values[offset] = next >>> 0;
  }

  protected complain(text: string): void {
    this.chip.faults.record(this.name, text);
  }

  #nearest(offset: number): string {
    for (const at of [offset, offset & ~1, offset & ~3]) {
      const register = this.#registers[at];
      if (register !== undefined) return `where ${register.name} has ${register.size} bytes`;
    }
    return "a register that the model does not know";
  }
}
