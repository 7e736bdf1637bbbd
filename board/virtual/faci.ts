/** The flash sequencer (RV40) and its command area, over two strict NOR media. Wrong keys, modes, clocks, lengths and addresses
 *  lock it (CMDLK) as on hardware and are recorded as faults. Operations take their typical time in virtual time.
 *  Registers and sequences: R7FA6M5BH.h (R_FACI_HP), FSP r_flash_hp.c; times: typical values at FCLK 20 … 50 MHz. */
import type { Caches } from "./cache.js";
import type { Chip, Peripheral, ResetCause, Restore } from "./chip.js";
import { hex } from "./faults.js";
import { CODE_FLASH, DATA_FLASH, type FlashMode } from "./memory.js";
import { BadManners, type Nor, tears } from "./nor.js";
import { RegisterBlock } from "./registers.js";
import type { System } from "./system.js";

const COMMAND_AREA = 0x407e0000;
const REGISTERS = 0x407fe000;
const FASTAT = 0x010;
const FSADDR = 0x030;
const FEADDR = 0x034;
const FMEPROT = 0x044;
const FSTATR = 0x080;
const FENTRYR = 0x084;
const FBCCNT = 0x0d0;
const FBCSTAT = 0x0d4;
const FPSADDR = 0x0d8;
const FPCKAR = 0x0e4;

const FASTAT_DFAE = 0x08;
const FASTAT_CMDLK = 0x10;
const FASTAT_CFAE = 0x80;
const FLWEERR = 1 << 6;
const DBFULL = 1 << 10;
const PRGERR = 1 << 12;
const ERSERR = 1 << 13;
const ILGLERR = 1 << 14;
const FRDY = 1 << 15;
const FESETERR = 1 << 22;
const ILGCOMERR = 1 << 23;

const MODE_READ = 0x00;
const MODE_CODE = 0x01;
const MODE_DATA = 0x80;

const PROGRAM = 0xe8;
const ERASE = 0x20;
const BLANK = 0x71;
const EXECUTE = 0xd0;
const CLEAR = 0x50;
const STOP = 0xb3;
const CODE_HALFWORDS = 0x40;
const DATA_HALFWORDS = [2, 4, 8];

const BUFFER_NS = 100;
const STOP_NS = 20_000;
/** Typical times of blocks with up to 100 cycles. */
export const CODE_PROGRAM_NS = 340_000;
export const CODE_ERASE_NS_PER_BYTE = 157e6 / 32768;
export const DATA_PROGRAM_NS = 160_000;
export const DATA_ERASE_NS = 1_700_000;
const BLANK_NS = 30_000;
const BLANK_NS_PER_UNIT = 500;
/** A long wait is skipped in steps, so that a firmware that feeds its watchdog meanwhile gets the chance to. */
const SKIP_NS = 1_000_000;
const POLLS_TO_SKIP = 1;

/** What the sequencer is in the middle of. */
type Phase = "idle" | "count" | "data" | "erase" | "blank" | "locked";

interface Pending {
  end: number;
  /** Applies the operation to the medium; for a cut, under a tearing plan. */
  finish: () => void;
  flash: boolean;
}

export class Faci extends RegisterBlock {
  #mode = MODE_READ;
  #phase: Phase = "idle";
  #errors = 0;
  #access = 0;
  #fifo: number[] = [];
  #expected = 0;
  #bufferFree = 0;
  #pending: Pending | undefined;
  #polls = 0;
  /** Called when flash stops or starts to answer reads: `mode` is "read", "code" or "data". */
  modeChanged: (mode: FlashMode) => void = () => {};
  readonly commandArea: Peripheral;

  constructor(
    chip: Chip,
    private readonly system: System,
    private readonly caches: Caches,
    private readonly code: Nor,
    private readonly data: Nor,
  ) {
    super(chip, "FACI", REGISTERS, 0x100);
    const keyed =
      (name: string, key: number, apply: (v: number, old: number) => number) => (v: number, old: number) => {
        if (v >> 8 === key) return apply(v & 0xff, old);
        this.complain(`${name} written without its key ${hex(key, 2)}: ${hex(v, 4)}`);
        return old;
      };
    const whenReady = (name: string) => (v: number, old: number) => {
      if (this.#pending === undefined) return v;
      this.complain(`${name} written while an operation runs`);
      return old;
    };
    this.define([
      { name: "FASTAT", offset: FASTAT, size: 1, read: () => this.#accessStatus(), write: (v) => this.#clearAccess(v) },
      { name: "FAEINT", offset: 0x014, size: 1, reset: 0x98 },
      { name: "FRDYIE", offset: 0x018, size: 1 },
      { name: "FSADDR", offset: FSADDR, size: 4, write: whenReady("FSADDR") },
      { name: "FEADDR", offset: FEADDR, size: 4, write: whenReady("FEADDR") },
      { name: "FMEPROT", offset: FMEPROT, size: 2, reset: 1, write: keyed("FMEPROT", 0xd9, (v) => v & 1) },
      { name: "FBPROT0", offset: 0x078, size: 2, write: keyed("FBPROT0", 0x78, (v) => v & 1) },
      { name: "FBPROT1", offset: 0x07c, size: 2, write: keyed("FBPROT1", 0xb1, (v) => v & 1) },
      { name: "FSTATR", offset: FSTATR, size: 4, read: () => this.#status(), write: "ro" },
      {
        name: "FENTRYR",
        offset: FENTRYR,
        size: 2,
        read: () => this.#mode,
        write: keyed("FENTRYR", 0xaa, (v) => this.#enter(v)),
      },
      { name: "FSUINITR", offset: 0x08c, size: 2, write: keyed("FSUINITR", 0x2d, (v) => this.#initialise(v)) },
      { name: "FCMDR", offset: 0x0a0, size: 2, reset: 0xffff, write: "ro" },
      { name: "FBCCNT", offset: FBCCNT, size: 1, write: (v) => v & 1 },
      { name: "FBCSTAT", offset: FBCSTAT, size: 1, write: "ro" },
      { name: "FPSADDR", offset: FPSADDR, size: 4, write: "ro" },
      { name: "FSUASMON", offset: 0x0dc, size: 4, reset: 0x8000, write: "ro" },
      { name: "FCPSR", offset: 0x0e0, size: 2, write: (v) => v & 1 },
      { name: "FPCKAR", offset: FPCKAR, size: 2, reset: 0x32, write: keyed("FPCKAR", 0x1e, (v) => v) },
    ]);
    this.commandArea = {
      name: "FACI",
      windows: [{ base: COMMAND_AREA, size: 0x100 }],
      read: (address, size) => {
        this.complain(`${size}-byte read of the command area at ${hex(address)}`);
        return 0;
      },
      write: (address, size, value) => this.#command(address, size, value),
      reset: () => {},
      save: () => () => {},
    };
  }

  override reset(cause: ResetCause): void {
    this.interrupt();
    super.reset(cause);
    this.#phase = "idle";
    this.#errors = 0;
    this.#access = 0;
    this.#polls = 0;
    if (this.#mode !== MODE_READ) {
      this.#mode = MODE_READ;
      this.modeChanged("read");
    }
  }

  /** @throws Error while an operation is under way: it belongs to the medium as it is then */
  override save(): Restore {
    if (this.#pending !== undefined) throw new Error("no checkpoint while a flash operation is under way");
    const registers = super.save();
    const [mode, phase, errors, access] = [this.#mode, this.#phase, this.#errors, this.#access];
    const [fifo, expected, bufferFree, polls] = [[...this.#fifo], this.#expected, this.#bufferFree, this.#polls];
    return () => {
      registers();
      this.#pending = undefined;
      this.#mode = mode;
      this.#phase = phase;
      this.#errors = errors;
      this.#access = access;
      this.#fifo = [...fifo];
      this.#expected = expected;
      this.#bufferFree = bufferFree;
      this.#polls = polls;
    };
  }

  /** A reset, a forced stop or the end of power meets the operation under way: its cells are torn, and marginal. */
  interrupt(): void {
    this.#advance();
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending?.flash === true) {
      this.code.supply.tear({ tear: tears.random(this.chip.random), marginal: true }, pending.finish);
    }
  }

  #advance(): void {
    const pending = this.#pending;
    if (pending === undefined || this.chip.time.ns < pending.end) return;
    this.#pending = undefined;
    pending.finish();
  }

  #status(): number {
    this.#advance();
    const now = this.chip.time.ns;
    let status = this.#errors;
    if (this.#bufferFree > now) status |= DBFULL;
    if (this.#pending === undefined) return status | FRDY;
    // whoever reads this waits: the second look without an answer lets time pass
    if (++this.#polls > POLLS_TO_SKIP) this.chip.time.skipTo(Math.min(this.#pending.end, now + SKIP_NS));
    return status;
  }

  #accessStatus(): number {
    return this.#access | (this.#phase === "locked" ? FASTAT_CMDLK : 0);
  }

  #clearAccess(value: number): undefined {
    this.#access &= value;
    return undefined;
  }

  #initialise(value: number): number {
    if ((value & 1) !== 0) this.set(FEADDR, 0);
    return value & 1;
  }

  #enter(value: number): number {
    this.#advance();
    if (this.#pending !== undefined) {
      this.complain("FENTRYR written while an operation runs");
      return 0;
    }
    const before = this.#mode;
    if (value === MODE_CODE && (this.value(FMEPROT) & 1) !== 0) {
      this.complain("code-flash P/E mode asked for while FMEPROT locks it");
      return 0;
    }
    if (value !== MODE_READ && value !== MODE_CODE && value !== MODE_DATA) {
      this.#lock(FESETERR | ILGLERR, `FENTRYR asked for mode ${hex(value, 2)}`);
      return 0;
    }
    if (value !== MODE_READ) {
      if (!this.system.flashWritable) this.complain("P/E mode entered while FWEPROR forbids it");
      if (value === MODE_CODE && this.caches.cpuOn) this.complain("code-flash P/E mode entered with the C-cache on");
      this.caches.check();
    }
    this.#mode = value;
    if (this.#mode !== before) {
      this.modeChanged(value === MODE_READ ? "read" : value === MODE_CODE ? "code" : "data");
    }
    return 0;
  }

  #lock(errors: number, why: string): void {
    this.#errors |= errors;
    this.#phase = "locked";
    this.#fifo = [];
    this.complain(why);
  }

  #command(address: number, size: number, value: number): void {
    this.#advance();
    if (address !== COMMAND_AREA || size === 4) {
      this.#lock(ILGLERR | ILGCOMERR, `${size}-byte write to the command area at ${hex(address)}`);
      return;
    }
    if (this.#mode === MODE_CODE) this.#inRam();
    if (size === 1 && value === STOP) {
      this.#forcedStop();
      return;
    }
    if (this.#mode === MODE_READ) {
      this.#lock(ILGLERR, `command ${hex(value, 2)} in read mode`);
      return;
    }
    if (this.#pending !== undefined) {
      this.#lock(ILGLERR, `command ${hex(value, 2)} while an operation runs`);
      return;
    }
    switch (this.#phase) {
      case "locked":
        if (size === 1 && value === CLEAR) this.#statusClear();
        else this.complain(`command ${hex(value, 2)} while the sequencer is locked (CMDLK)`);
        return;
      case "idle":
        this.#begin(size, value);
        return;
      case "count":
        this.#count(size, value);
        return;
      case "data":
        this.#take(size, value);
        return;
      default:
        this.#execute(size, value);
    }
  }

  /** Code flash answers no fetch now, so the program must stand elsewhere. */
  #inRam(): void {
    const pc = this.chip.pc();
    if (pc < this.code.size)
      this.complain(`a command in code-flash P/E mode comes from code flash itself, pc ${hex(pc)}`);
  }

  #begin(size: number, value: number): void {
    this.set(0x0a0, ((this.value(0x0a0) & 0xff) << 8) | (value & 0xff));
    if (size === 1 && value === PROGRAM) this.#phase = "count";
    else if (size === 1 && value === ERASE) this.#phase = "erase";
    else if (size === 1 && value === BLANK) this.#phase = "blank";
    else this.#lock(ILGLERR | ILGCOMERR, `${size}-byte write of ${hex(value, 2)} is no command`);
  }

  #count(size: number, value: number): void {
    const legal = this.#mode === MODE_CODE ? value === CODE_HALFWORDS : DATA_HALFWORDS.includes(value);
    if (size !== 1 || !legal) {
      this.#lock(ILGLERR | ILGCOMERR, `program of ${value} halfwords in this mode`);
      return;
    }
    this.#expected = value;
    this.#fifo = [];
    this.#phase = "data";
  }

  #take(size: number, value: number): void {
    if (this.#fifo.length === this.#expected) {
      this.#execute(size, value);
      return;
    }
    if (size !== 2) {
      this.#lock(ILGLERR | ILGCOMERR, "program data written as bytes instead of halfwords");
      return;
    }
    const now = this.chip.time.ns;
    if (this.#bufferFree > now) {
      this.#lock(ILGLERR, "program data written while DBFULL is set");
      return;
    }
    this.#fifo.push(value);
    this.#bufferFree = now + BUFFER_NS;
  }

  #execute(size: number, value: number): void {
    if (size !== 1 || value !== EXECUTE) {
      this.#lock(ILGLERR | ILGCOMERR, `${hex(value, 2)} where 0xD0 ends the command`);
      return;
    }
    const phase = this.#phase;
    this.#phase = "idle";
    if (!this.#mayRun()) return;
    if (phase === "data") this.#program();
    else if (phase === "erase") this.#erase();
    else this.#blankCheck();
  }

  #mayRun(): boolean {
    const mhz = this.chip.clocks.fclk / 1e6;
    if (!this.system.flashWritable) this.#lock(FLWEERR | ILGLERR, "flash command while FWEPROR forbids it");
    else if (mhz < 4 || mhz > 50) this.#lock(ILGLERR, `flash command at FCLK ${mhz} MHz, outside 4 … 50 MHz`);
    else if (this.value(FPCKAR) !== Math.ceil(mhz)) {
      this.#lock(ILGLERR, `FPCKAR says ${this.value(FPCKAR)} MHz, FCLK is ${mhz} MHz`);
    } else return true;
    return false;
  }

  /** Offset in the medium of the present mode, or undefined after an access error. */
  #target(address: number, length: number, alignment: number): { medium: Nor; offset: number } | undefined {
    const medium = this.#mode === MODE_CODE ? this.code : this.data;
    const offset = address - (this.#mode === MODE_CODE ? CODE_FLASH : DATA_FLASH);
    if (offset >= 0 && offset + length <= medium.size && offset % alignment === 0) return { medium, offset };
    this.#access |= this.#mode === MODE_CODE ? FASTAT_CFAE : FASTAT_DFAE;
    this.#lock(ILGLERR, `flash command at ${hex(address)}, which is outside the flash of this mode or misaligned`);
    return undefined;
  }

  #program(): void {
    const length = this.#expected * 2;
    const target = this.#target(this.value(FSADDR), length, length);
    if (target === undefined) return;
    const { medium, offset } = target;
    const bytes = new Uint8Array(length);
    this.#fifo.forEach((halfword, i) => {
      bytes[2 * i] = halfword & 0xff;
      bytes[2 * i + 1] = halfword >> 8;
    });
    if (!medium.certainlyErased(offset, length)) {
      this.#lock(PRGERR, `${medium.name} programmed at ${hex(offset)}, which is not certainly erased`);
      return;
    }
    const code = medium === this.code;
    this.#start(code ? CODE_PROGRAM_NS : DATA_PROGRAM_NS * (0.5 + length / 8), () => {
      if (!this.#kept(() => medium.program(offset, bytes, length))) this.#fail(PRGERR);
      this.caches.changed(code);
    });
  }

  #erase(): void {
    const address = this.value(FSADDR);
    const target = this.#target(address, 1, 1);
    if (target === undefined) return;
    const { medium, offset } = target;
    const block = medium.blockAt(offset);
    if (block.offset !== offset) {
      this.#access |= medium === this.code ? FASTAT_CFAE : FASTAT_DFAE;
      this.#lock(ILGLERR, `erase at ${hex(address)}, where no block begins`);
      return;
    }
    const code = medium === this.code;
    this.#start(code ? block.size * CODE_ERASE_NS_PER_BYTE : DATA_ERASE_NS, () => {
      if (!this.#kept(() => medium.erase(offset))) this.#fail(ERSERR);
      this.caches.changed(code);
    });
  }

  #blankCheck(): void {
    const from = this.value(FSADDR);
    const to = (this.value(FEADDR) | 3) + 1;
    if (this.#mode !== MODE_DATA) {
      this.#lock(ILGLERR, "blank check outside data-flash P/E mode");
      return;
    }
    if ((this.value(FBCCNT) & 1) !== 0) this.complain("blank check downwards (FBCCNT) is not modelled");
    const target = this.#target(from, to - from, this.data.unit);
    if (target === undefined) return;
    if (to <= from) {
      this.#lock(ILGLERR, `blank check from ${hex(from)} to ${hex(to)}`);
      return;
    }
    const units = (to - from) / this.data.unit;
    const finish = (): void => {
      this.set(FBCSTAT, 0);
      for (let at = target.offset; at < target.offset + (to - from); at += this.data.unit) {
        if (this.data.blank(at, this.data.unit)) continue;
        this.set(FBCSTAT, 1);
        this.set(FPSADDR, at);
        return;
      }
    };
    this.#start(BLANK_NS + units * BLANK_NS_PER_UNIT, finish, false);
  }

  #start(ns: number, finish: () => void, flash = true): void {
    const spread = 0.9 + ((this.chip.random() & 0xff) / 255) * 0.2;
    this.#pending = { end: this.chip.time.ns + ns * spread, finish, flash };
    this.#polls = 0;
  }

  /** False when the medium reports an error; bad manners that a model of the firmware could not see are recorded. */
  #kept(operation: () => boolean): boolean {
    try {
      return operation();
    } catch (error) {
      if (!(error instanceof BadManners)) throw error;
      this.complain(error.message);
      return false;
    }
  }

  /** The hardware failed, not the firmware: locked without a fault. */
  #fail(errors: number): void {
    this.#errors |= errors;
    this.#phase = "locked";
  }

  #statusClear(): void {
    this.#errors = 0;
    if (this.#access === 0) this.#phase = "idle";
  }

  #forcedStop(): void {
    this.interrupt();
    this.#errors = 0;
    this.#phase = "idle";
    this.#fifo = [];
    if (this.#access !== 0) this.#phase = "locked";
    this.#start(STOP_NS, () => {}, false);
  }
}
