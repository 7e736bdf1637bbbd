/** A counted Cortex-M33: slices, an instruction clock that is exact inside callbacks, early stops that can be resumed.
 *  Relies on: unicorn.ts. The rules that it keeps: no uc_emu_stop inside MMIO callbacks (the instruction would run twice),
 *  always a count, mapped buffers stay referenced, no flush of translations inside a callback. */
import type { Restore } from "./chip.js";
import { type InvalidHook, type NativeHook, REG, Unicorn } from "./unicorn.js";

export { REG } from "./unicorn.js";

/** Why a slice ended. */
export type Stop =
  | { kind: "count" }
  /** WFI: nothing to do until an interrupt. */
  | { kind: "wait" }
  /** SVC, BKPT, EXC_RETURN and the like, with QEMU's exception number. */
  | { kind: "exception"; number: number }
  | { kind: "invalid-instruction" }
  /** An access that the bus refuses; pc stands on the instruction. */
  | { kind: "bus"; access: "read" | "write" | "fetch"; address: number };

const PAGE = 0x1000;
const WRITE = 2;
const PREFETCH_ABORT = 3; // QEMU's number: a fetch from a page that is no plain memory

export interface Window {
  read(offset: number, size: number): number;
  write(offset: number, size: number, value: number): void;
}

export class Engine {
  /** Instructions of finished slices. */
  #finished = 0;
  #running = false;
  #thrown: unknown;
  #stop: Stop | undefined;
  #pc = 0;
  #stopAt: number | undefined;
  #isRefused = false;
  readonly #uc = new Unicorn();
  /** Registers before the instruction whose access a covered page refused. */
  readonly #before = this.#uc.newContext();
  readonly #counters = this.#uc.counters();
  readonly #mapped: Uint8Array[] = [];
  readonly #cover: (page: number, size: number, from: number) => void;
  /** Reads of covered pages; undefined: the bus refuses, and the instruction has no effect. */
  covered: (address: number, size: number) => number | undefined = () => undefined;

  constructor(hooks: readonly NativeHook[] = []) {
    for (const hook of hooks) this.#uc.onNative(hook);
    this.#uc.onInterrupt((number) => {
      this.#stop =
        number === PREFETCH_ABORT ? { kind: "bus", access: "fetch", address: this.pc } : { kind: "exception", number };
      this.#uc.stop();
    });
    this.#uc.onInvalidInstruction(() => {
      this.#stop = { kind: "invalid-instruction" };
      return false;
    });
    const invalid: InvalidHook = (type, address) => {
      // uc_mem_type: 19 read, 20 write, 21 fetch unmapped; 22 write, 23 read, 24 fetch protected
      const access = type === 21 || type === 24 ? "fetch" : type === 20 || type === 22 ? "write" : "read";
      this.#stop = { kind: "bus", access, address: address >>> 0 };
    };
    this.#uc.onInvalidAccess(invalid);
    this.#cover = this.#uc.device(
      (address, size) => {
        let value: number | undefined = 0;
        this.#guard(() => {
          if (this.#stop === undefined) value = this.covered(address, size);
          if (value === undefined) this.#refuse("read", address);
        });
        return (value ?? 0) >>> 0;
      },
      (address) => this.#refuse("write", address),
    );
  }

  /** Instructions executed since creation, exact also inside callbacks (the present one counts). */
  get instructions(): number {
    return this.#running ? this.#finished + this.#counters[0]! : this.#finished;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Maps plain memory, zero-copy. Multiples of 4 KB. Permissions: 1 read, 2 write, 4 execute. */
  map(address: number, memory: Uint8Array, permissions: number): void {
    this.#mapped.push(memory); // a collected buffer would crash the process
    this.#uc.map(address, memory, permissions);
  }

  /** Between slices only. */
  protect(address: number, size: number, permissions: number): void {
    this.#uc.protect(address, size, permissions ^ WRITE); // only a change of this one empties the TLB, which keeps what was allowed
    this.#uc.protect(address, size, permissions);
  }

  mmio(address: number, size: number, window: Window): void {
    const map = this.#uc.device(
      (offset, width) => {
        let value = 0;
        this.#guard(() => {
          value = window.read(offset, width);
        });
        return value >>> 0;
      },
      (offset, width, value) => this.#guard(() => window.write(offset, width, value)),
    );
    map(address, size, 0);
  }

  /** Takes a mapped page out of plain memory: `covered` answers its reads one by one, and nothing is written to it or executed from it.
   *  Between slices only. */
  cover(page: number): void {
    this.#uc.unmap(page, PAGE);
    this.#cover(page, PAGE, page);
  }

  /** Makes it plain memory again. */
  uncover(page: number, memory: Uint8Array, permissions: number): void {
    this.#uc.unmap(page, PAGE);
    this.#uc.map(page, memory, permissions);
  }

  reg(register: number): number {
    return this.#uc.reg(register);
  }

  setReg(register: number, value: number): void {
    this.#uc.setReg(register, value);
  }

  /** Where the next slice goes on; inside a callback, the instruction that made the access. */
  get pc(): number {
    return this.#running ? (this.#uc.reg(REG.PC) & ~1) >>> 0 : this.#pc;
  }

  set pc(address: number) {
    this.#pc = (address & ~1) >>> 0;
  }

  /** Ends the slice after the present instruction; the next one goes on behind it. For callbacks. */
  endSlice(): void {
    if (this.#running) this.#counters[2] = this.#counters[0]!;
  }

  /** Forgets translations of changed code; safe anywhere. */
  removeCache(from: number, to: number): void {
    this.#uc.removeCache(from, to);
  }

  /** Makes slices end before the instruction at this address; undefined: nowhere. Between slices only. */
  set stopAt(address: number | undefined) {
    for (const at of [this.#stopAt, address])
      if (at !== undefined) this.removeCache(at - (at % PAGE), at - (at % PAGE) + PAGE);
    this.#stopAt = address;
  }

  /** Keeps the processor's registers and where it goes on. Memory and counts are not among it. Between slices only. */
  save(): Restore {
    const pc = this.#pc;
    const context = this.#uc.newContext();
    this.#uc.saveContext(context);
    return () => {
      this.#uc.restoreContext(context);
      this.#pc = pc;
    };
  }

  /** Runs at most `count` instructions. @throws what a callback threw, after the slice. */
  run(count: number): Stop {
    this.#stop = undefined;
    this.#thrown = undefined;
    this.#running = true;
    const error = this.#uc.start(this.#pc, Math.max(1, Math.floor(count)), this.#stopAt);
    this.#running = false;
    if (this.#isRefused) this.#uc.restoreContext(this.#before);
    this.#isRefused = false;
    this.#pc = (this.#uc.reg(REG.PC) & ~1) >>> 0;
    // the counter stands one above the limit when the limit ended the slice
    const counter = this.#counters[0]!;
    const limited = counter > this.#counters[2]!;
    this.#finished += limited ? counter - 1 : counter;
    this.#counters[0] = 0;
    if (this.#thrown !== undefined) throw this.#thrown;
    const stop: Stop | undefined = this.#stop;
    if (stop !== undefined) return stop;
    if (error !== 0) throw new Error(`libunicorn stopped at 0x${this.#pc.toString(16)}: ${this.#uc.reason(error)}`);
    return limited || this.#pc === this.#stopAt ? { kind: "count" } : { kind: "wait" };
  }

  close(): void {
    this.#uc.close();
    this.#mapped.length = 0;
  }

  /** A covered page cannot stop the instruction: it ends, the slice with it, and run() takes it back. */
  #refuse(access: "read" | "write", address: number): void {
    if (this.#stop !== undefined) return;
    this.#stop = { kind: "bus", access, address };
    this.#isRefused = true;
    this.#uc.saveContext(this.#before);
    this.endSlice();
  }

  /** An exception must not pass through native frames: it is kept and thrown again after the slice. */
  #guard(body: () => void): void {
    try {
      body();
    } catch (error) {
      this.#thrown ??= error;
      this.endSlice();
    }
  }
}
