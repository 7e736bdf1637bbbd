/** WDT in register-start mode: counts PCLKB down from the first refresh on; an underflow or a refresh outside the window resets.
 *  Registers: R7FA6M5BH.h (R_WDT); values: FSP r_wdt.c. */
import type { Chip, ResetCause, Restore } from "./chip.js";
import { hex } from "./faults.js";
import { RegisterBlock } from "./registers.js";

const WDTCR = 0x02;
const WDTRCR = 0x06;
const TIMEOUTS = [1024, 4096, 8192, 16384];
const DIVISORS = new Map([
  [1, 4],
  [4, 64],
  [15, 128],
  [6, 512],
  [7, 2048],
  [8, 8192],
]);
/** Window positions RPSS and RPES, in quarters of the period that are left. */
const WINDOW_START = [1, 2, 3, 4];
const WINDOW_END = [3, 2, 1, 0];

export class Watchdog extends RegisterBlock {
  #started = false;
  #primed = false;
  #endNs = Number.POSITIVE_INFINITY;
  #flags = 0;
  readonly #written = new Set<string>();

  constructor(chip: Chip) {
    super(chip, "WDT", 0x40083400, 0x100);
    this.define([
      { name: "WDTRR", offset: 0x00, size: 1, reset: 0xff, write: (v) => this.#refresh(v) },
      { name: "WDTCR", offset: WDTCR, size: 2, reset: 0x33f3, write: (v, old) => this.#once("WDTCR", v, old) },
      { name: "WDTSR", offset: 0x04, size: 2, read: () => this.#status(), write: (v) => this.#clear(v) },
      { name: "WDTRCR", offset: WDTRCR, size: 1, reset: 0x80, write: (v, old) => this.#once("WDTRCR", v, old) },
      { name: "WDTCSTPR", offset: 0x08, size: 1, reset: 0x80, write: (v, old) => this.#once("WDTCSTPR", v, old) },
    ]);
  }

  override reset(cause: ResetCause): void {
    super.reset(cause);
    this.#started = false;
    this.#primed = false;
    this.#endNs = Number.POSITIVE_INFINITY;
    this.#flags = 0;
    this.#written.clear();
  }

  override save(): Restore {
    const registers = super.save();
    const [started, primed, endNs, flags, written] = [
      this.#started,
      this.#primed,
      this.#endNs,
      this.#flags,
      [...this.#written],
    ];
    return () => {
      registers();
      this.#started = started;
      this.#primed = primed;
      this.#endNs = endNs;
      this.#flags = flags;
      this.#written.clear();
      for (const name of written) this.#written.add(name);
    };
  }

  deadline(): number {
    return this.#endNs;
  }

  /** It stops while a debugger holds the processor (R_DEBUG.DBGSTOPCR; its reset value was not verified on a board). */
  held(ns: number): void {
    this.#endNs += ns;
  }

  due(): void {
    if (this.chip.time.ns < this.#endNs) return;
    this.#endNs = Number.POSITIVE_INFINITY;
    this.#flags |= 0x4000;
    this.#expire("nobody refreshed it in time");
  }

  get #periodNs(): number {
    const settings = this.value(WDTCR);
    const divisor = DIVISORS.get((settings >> 4) & 15);
    if (divisor === undefined) this.complain(`WDTCR ${hex(settings, 4)} has a divisor that does not exist`);
    return (TIMEOUTS[settings & 3]! * (divisor ?? 8192) * 1e9) / this.chip.clocks.pclkb;
  }

  #once(name: string, value: number, stored: number): number {
    if (this.#started || this.#written.has(name)) {
      this.complain(`${name} written twice, or after the start: it takes one write after a reset`);
      return stored;
    }
    this.#written.add(name);
    return value;
  }

  #refresh(value: number): undefined {
    if (value === 0) {
      this.#primed = true;
      return undefined;
    }
    if (value !== 0xff || !this.#primed) {
      this.#primed = false;
      return undefined;
    }
    this.#primed = false;
    const settings = this.value(WDTCR);
    const period = this.#periodNs;
    const quartersLeft = ((this.#endNs - this.chip.time.ns) / period) * 4;
    const tooEarly = quartersLeft > WINDOW_START[(settings >> 12) & 3]!;
    const tooLate = quartersLeft < WINDOW_END[(settings >> 8) & 3]!;
    if (this.#started && (tooEarly || tooLate)) {
      this.#flags |= 0x8000;
      this.#expire("refreshed outside its window");
      return undefined;
    }
    if (!this.#started) this.chip.endSlice(); // the deadline is new
    this.#started = true;
    this.#endNs = this.chip.time.ns + period;
    return undefined;
  }

  #status(): number {
    if (!this.#started) return this.#flags;
    const counts = TIMEOUTS[this.value(WDTCR) & 3]!;
    const left = Math.max(0, Math.floor(((this.#endNs - this.chip.time.ns) / this.#periodNs) * counts));
    return this.#flags | Math.min(left, 0x3fff);
  }

  #clear(value: number): undefined {
    this.#flags &= value;
    return undefined;
  }

  #expire(why: string): void {
    if ((this.value(WDTRCR) & 0x80) !== 0) this.chip.requestReset("watchdog");
    else this.complain(`${why}, and its interrupt is not modelled`);
  }
}
