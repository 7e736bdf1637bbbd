/** The private peripheral bus of the Cortex-M33, 0xE0000000 … 0xE00FFFFF: cycle counter, SysTick, system control block.
 *  Armv8-M ARM (DDI 0553) D1.2. Exceptions themselves are taken in cpu.ts. No peripheral interrupts: nothing pends them here. */
import type { Chip, Restore } from "./chip.js";
import type { Window } from "./engine.js";
import { hex } from "./faults.js";

const DWT_CTRL = 0x1000;
const DWT_CYCCNT = 0x1004;
const ACTLR = 0xe008;
const SYST_CSR = 0xe010;
const SYST_RVR = 0xe014;
const SYST_CVR = 0xe018;
const NVIC_ISER = 0xe100;
const NVIC_END = 0xe600;
const CPUID = 0xed00;
const ICSR = 0xed04;
const VTOR = 0xed08;
const AIRCR = 0xed0c;
const SCR = 0xed10;
const CCR = 0xed14;
const SHPR1 = 0xed18;
const SHPR3 = 0xed20;
const SHCSR = 0xed24;
const CFSR = 0xed28;
const HFSR = 0xed2c;
const DFSR = 0xed30;
const MMFAR = 0xed34;
const BFAR = 0xed38;
const CPACR = 0xed88;
const MPU_TYPE = 0xed90;
const SAU_CTRL = 0xedd0;
const SAU_TYPE = 0xedd4;
const DHCSR = 0xedf0;
const DEMCR = 0xedfc;
const FPCCR = 0xef34;
const DEMCR_TRCENA = 1 << 24;
const CPUID_M33 = 0x410fd214;
const SYST_ENABLE = 1;
const SYST_TICKINT = 2;
const SYST_CORE_CLOCK = 4;
const SYST_COUNTFLAG = 1 << 16;

/** A firmware that only looks at the cycle counter waits: after so many looks, time passes in steps. */
const LOOKS_TO_SKIP = 64;
const SKIP_CYCLES = 1000;

export class Scs implements Window {
  static readonly BASE = 0xe0000000;
  static readonly SIZE = 0x100000;
  readonly #values = new Map<number, number>();
  #cycleBase = 0;
  #looks = 0;
  #lookedAt = -1;
  #tickBase = 0;
  #tickCounted = 0;
  #turnsSeen = 0;
  /** Exceptions that software pended: 14 PendSV, 15 SysTick. */
  readonly pended = new Set<number>();

  constructor(
    private readonly chip: Chip,
    /** Accesses of the peripheral bus so far: a change between two looks at the cycle counter means work. */
    private readonly activity: () => number,
  ) {
    this.reset();
  }

  reset(): void {
    this.#values.clear();
    this.pended.clear();
    this.set(CCR, 0x201);
    this.#cycleBase = this.chip.time.cycles;
    this.#looks = 0;
  }

  save(): Restore {
    const [values, pended] = [[...this.#values], [...this.pended]];
    const [cycleBase, looks, lookedAt] = [this.#cycleBase, this.#looks, this.#lookedAt];
    const [tickBase, tickCounted, turnsSeen] = [this.#tickBase, this.#tickCounted, this.#turnsSeen];
    return () => {
      this.#values.clear();
      for (const [offset, value] of values) this.#values.set(offset, value);
      this.pended.clear();
      for (const exception of pended) this.pended.add(exception);
      this.#cycleBase = cycleBase;
      this.#looks = looks;
      this.#lookedAt = lookedAt;
      this.#tickBase = tickBase;
      this.#tickCounted = tickCounted;
      this.#turnsSeen = turnsSeen;
    };
  }

  get(offset: number): number {
    return this.#values.get(offset) ?? 0;
  }

  set(offset: number, value: number): void {
    this.#values.set(offset, value >>> 0);
  }

  get vectorTable(): number {
    return this.get(VTOR);
  }

  get fpuEnabled(): boolean {
    return (this.get(CPACR) & (0xf << 20)) === 0xf << 20;
  }

  /** Whether SHCSR lets exception 4, 5 or 6 be taken as itself. */
  faultEnabled(exception: number): boolean {
    return exception >= 4 && exception <= 6 && (this.get(SHCSR) & (1 << (exception + 12))) !== 0;
  }

  recordFault(cfsr: number, hfsr: number, address?: number): void {
    this.set(CFSR, this.get(CFSR) | cfsr);
    this.set(HFSR, this.get(HFSR) | hfsr);
    if (address !== undefined) {
      this.set(BFAR, address);
      this.set(MMFAR, address);
    }
  }

  /** Cycle at which SysTick asks for its exception; Infinity when it never does. */
  get tickDue(): number {
    const control = this.get(SYST_CSR);
    if ((control & (SYST_ENABLE | SYST_TICKINT)) !== (SYST_ENABLE | SYST_TICKINT)) return Number.POSITIVE_INFINITY;
    return this.#tickBase + (this.#tickCounted + 1) * this.#tickPeriod;
  }

  /** SysTick has reached zero: pends its exception. */
  tick(): void {
    if (this.chip.time.cycles < this.tickDue) return;
    this.#tickCounted = Math.floor((this.chip.time.cycles - this.#tickBase) / this.#tickPeriod);
    this.pended.add(15);
  }

  read(offset: number, size: number): number {
    const word = this.#readWord(offset & ~3);
    if (size === 4) return word;
    return (word >>> (8 * (offset & 3))) & (size === 2 ? 0xffff : 0xff);
  }

  write(offset: number, size: number, value: number): void {
    if (size === 4) {
      this.#writeWord(offset, value);
      return;
    }
    const narrow = (offset >= SHPR1 && offset < SHCSR) || (offset >= CFSR && offset < HFSR);
    if (!narrow) {
      this.#complain(`${size}-byte write to ${hex(Scs.BASE + offset)}`);
      return;
    }
    const shift = 8 * (offset & 3);
    const mask = (size === 2 ? 0xffff : 0xff) << shift;
    const clears = offset >= CFSR; // CFSR is cleared by writing ones: the other bytes must not be
    const rest = clears ? 0 : this.get(offset & ~3) & ~mask;
    this.#writeWord(offset & ~3, rest | ((value << shift) & mask));
  }

  get #tickPeriod(): number {
    return Math.max(1, this.get(SYST_RVR) + 1);
  }

  #cycleCounter(): number {
    if ((this.get(DEMCR) & DEMCR_TRCENA) === 0) this.#complain("DWT read while DEMCR.TRCENA is clear");
    if ((this.get(DWT_CTRL) & 1) === 0) return (this.#cycleBase * -1) >>> 0;
    const activity = this.activity();
    this.#looks = activity === this.#lookedAt ? this.#looks + 1 : 0;
    this.#lookedAt = activity;
    if (this.#looks > LOOKS_TO_SKIP) this.chip.time.skipCycles(SKIP_CYCLES);
    return (this.chip.time.cycles - this.#cycleBase) >>> 0;
  }

  #readWord(offset: number): number {
    switch (offset) {
      case DWT_CYCCNT:
        return this.#cycleCounter();
      case DWT_CTRL:
        return 0x40000000 | this.get(DWT_CTRL);
      case SYST_CSR: {
        const control = this.get(SYST_CSR);
        const turns = Math.floor((this.chip.time.cycles - this.#tickBase) / this.#tickPeriod);
        const flag = (control & SYST_ENABLE) !== 0 && turns > this.#turnsSeen;
        if (flag) this.#turnsSeen = turns;
        return control | (flag ? SYST_COUNTFLAG : 0);
      }
      case SYST_CVR:
        return this.get(SYST_RVR) - ((this.chip.time.cycles - this.#tickBase) % this.#tickPeriod);
      case CPUID:
        return CPUID_M33;
      case ICSR:
        return (this.pended.has(15) ? 1 << 26 : 0) | (this.pended.has(14) ? 1 << 28 : 0);
      case AIRCR:
        return 0xfa050000 | (this.get(AIRCR) & 0x700);
      case MPU_TYPE:
        return 0x800;
      case SAU_TYPE:
        return 8;
      case DHCSR:
        return 0;
      case ACTLR:
      case SYST_RVR:
      case VTOR:
      case SCR:
      case CCR:
      case SHCSR:
      case CFSR:
      case HFSR:
      case DFSR:
      case MMFAR:
      case BFAR:
      case CPACR:
      case SAU_CTRL:
      case DEMCR:
      case FPCCR:
        return this.get(offset);
    }
    if (offset >= SHPR1 && offset <= SHPR3) return this.get(offset);
    if (offset >= NVIC_ISER && offset < NVIC_END) return 0;
    this.#complain(`read of ${hex(Scs.BASE + offset)}, a register that the model does not know`);
    return 0;
  }

  #writeWord(offset: number, value: number): void {
    switch (offset) {
      case DWT_CYCCNT:
        this.#cycleBase = this.chip.time.cycles - value;
        return;
      case DWT_CTRL:
        if ((this.get(DEMCR) & DEMCR_TRCENA) === 0) this.#complain("DWT written while DEMCR.TRCENA is clear");
        this.set(DWT_CTRL, value & 1);
        return;
      case SYST_CSR:
        if ((value & SYST_ENABLE) !== 0 && (value & SYST_CORE_CLOCK) === 0) {
          this.#complain("SysTick on an external clock is not modelled");
        }
        if ((value & SYST_ENABLE) !== 0 && (this.get(SYST_CSR) & SYST_ENABLE) === 0) this.#restartTick();
        this.set(SYST_CSR, value & 7);
        this.chip.endSlice();
        return;
      case SYST_RVR:
        this.set(SYST_RVR, value & 0xffffff);
        return;
      case SYST_CVR:
        this.#restartTick();
        return;
      case ICSR:
        if ((value & (1 << 28)) !== 0) this.pended.add(14);
        if ((value & (1 << 27)) !== 0) this.pended.delete(14);
        if ((value & (1 << 26)) !== 0) this.pended.add(15);
        if ((value & (1 << 25)) !== 0) this.pended.delete(15);
        this.chip.endSlice();
        return;
      case AIRCR:
        if (value >>> 16 !== 0x05fa) this.#complain(`AIRCR written without its key 0x05FA: ${hex(value)}`);
        else if ((value & 4) !== 0) this.chip.requestReset("software");
        else this.set(AIRCR, value & 0x700);
        return;
      case CFSR:
      case HFSR:
      case DFSR:
        this.set(offset, this.get(offset) & ~value);
        return;
      case VTOR:
        this.set(VTOR, value & ~0x7f);
        return;
      case ACTLR:
      case SCR:
      case CCR:
      case SHCSR:
      case MMFAR:
      case BFAR:
      case CPACR:
      case SAU_CTRL:
      case DEMCR:
      case FPCCR:
        this.set(offset, value);
        return;
    }
    if (offset >= SHPR1 && offset <= SHPR3) this.set(offset, value);
    else if (offset >= NVIC_ISER && offset < NVIC_ISER + 0x80 && value !== 0) {
      this.#complain("a peripheral interrupt was enabled; none is modelled");
    } else if (offset < NVIC_ISER || offset >= NVIC_END) {
      this.#complain(`write of ${hex(value)} to ${hex(Scs.BASE + offset)}, a register that the model does not know`);
    }
  }

  #restartTick(): void {
    this.#tickBase = this.chip.time.cycles;
    this.#tickCounted = 0;
    this.#turnsSeen = 0;
    this.chip.endSlice();
  }

  #complain(text: string): void {
    this.chip.faults.record("PPB", text);
  }
}
