/** Clocks, protection, oscillators, resets and the flash-write gate of the RA6M5: SYSC, SRAM and ROM wait states.
 *  Registers: R7FA6M5BH.h of Renesas FSP; limits: facts of the part (ICLK 200 MHz, PCLKA 100, PCLKB 50, FCLK 50).
 *  Illegal settings are recorded as faults and then obeyed as far as that makes sense. */
import type { Chip, Clocks, ResetCause, Restore } from "./chip.js";
import { hex } from "./faults.js";
import { RegisterBlock } from "./registers.js";

const SCKDIVCR = 0x020;
const SCKSCR = 0x026;
const PLLCCR = 0x028;
const PLLCR = 0x02a;
const MOSCCR = 0x032;
const HOCOCR = 0x036;
const MOCOCR = 0x038;
const OSCSF = 0x03c;
const MOSCWTCR = 0x0a2;
const OPCCR = 0x0a0;
const RSTSR1 = 0x0c0;
const PRCR = 0x3fe;
const RSTSR0 = 0x410;
const RSTSR2 = 0x411;
const MOMCR = 0x413;
const FWEPROR = 0x416;
const SOSCCR = 0x480;
const LOCOCR = 0x490;

/** PRCR bits: what each protects. */
const PRC_CLOCK = 1;
const PRC_POWER = 2;
const PRC_SECURITY = 16;

const OSCSF_HOCO = 1;
const OSCSF_MOSC = 8;
const OSCSF_PLL = 32;

const SOURCE_NAMES = ["HOCO", "MOCO", "LOCO", "MOSC", "SOSC", "PLL"];
const HOCO_HZ = 20_000_000;
const MOCO_HZ = 8_000_000;
const SLOW_HZ = 32_768;
/** The crystal of the EK-RA6M5. */
const MOSC_HZ = 24_000_000;
const MOSC_START_NS = 2_000_000;
const PLL_START_NS = 100_000;
/** The sub-clock crystal has no flag: whoever starts it has to wait. */
const SOSC_START_NS = 1_000_000_000;
const RSTSR1_BITS: Partial<Record<ResetCause, number>> = { watchdog: 2, software: 4 };

export class System extends RegisterBlock {
  #moscReady = Number.POSITIVE_INFINITY;
  #pllReady = Number.POSITIVE_INFINITY;
  #soscReady = Number.POSITIVE_INFINITY;
  #resets: { power: boolean; flags: number } = { power: true, flags: 0 };
  /** Wait states, kept by other register blocks. */
  sramWait = 0;
  romWait = 0;

  constructor(chip: Chip) {
    super(chip, "SYSC", 0x4001e000, 0x700);
    const clock = this.#guarded(PRC_CLOCK);
    const power = this.#guarded(PRC_POWER);
    const security = this.#guarded(PRC_SECURITY);
    this.define([
      { name: "SBYCR", offset: 0x00c, size: 2, reset: 0x4000, write: power() },
      { name: "SCKDIVCR", offset: SCKDIVCR, size: 4, reset: 0x22022222, write: clock((v) => this.#divide(v)) },
      { name: "SCKSCR", offset: SCKSCR, size: 1, reset: 1, write: clock((v) => this.#select(v)) },
      { name: "PLLCCR", offset: PLLCCR, size: 2, reset: 0x1300, write: clock((v, old) => this.#pllSettings(v, old)) },
      { name: "PLLCR", offset: PLLCR, size: 1, reset: 1, write: clock((v) => this.#pllStart(v)) },
      { name: "BCKCR", offset: 0x030, size: 1, write: clock() },
      { name: "MOSCCR", offset: MOSCCR, size: 1, reset: 1, write: clock((v) => this.#crystalStart(v)) },
      { name: "HOCOCR", offset: HOCOCR, size: 1, reset: 1, write: clock() },
      { name: "HOCOCR2", offset: 0x037, size: 1, write: clock() },
      { name: "MOCOCR", offset: MOCOCR, size: 1, write: clock() },
      { name: "OSCSF", offset: OSCSF, size: 1, read: () => this.#stable(), write: "ro" },
      { name: "OPCCR", offset: OPCCR, size: 1, write: power((v) => v & 3) },
      { name: "MOSCWTCR", offset: MOSCWTCR, size: 1, reset: 5, write: clock((v) => this.#crystalWait(v)) },
      { name: "RSTSR1", offset: RSTSR1, size: 2, write: (v, old) => v & old },
      { name: "CGFSAR", offset: 0x3c0, size: 4, reset: 0xffffffff, write: security() },
      { name: "LPMSAR", offset: 0x3c8, size: 4, reset: 0xffffffff, write: security() },
      { name: "RSTSAR", offset: 0x3cc, size: 4, reset: 0xffffffff, write: security() },
      { name: "BBFSAR", offset: 0x3d0, size: 4, reset: 0xffffffff, write: security() },
      { name: "PRCR", offset: PRCR, size: 2, write: (v) => this.#protect(v) },
      { name: "SYOCDCR", offset: 0x40e, size: 1 },
      { name: "RSTSR0", offset: RSTSR0, size: 1, write: (v, old) => v & old },
      { name: "RSTSR2", offset: RSTSR2, size: 1 },
      { name: "MOMCR", offset: MOMCR, size: 1, write: power((v) => this.#crystalDrive(v)) },
      { name: "FWEPROR", offset: FWEPROR, size: 1, reset: 2, write: (v) => v & 3 },
      { name: "SOSCCR", offset: SOSCCR, size: 1, reset: 1, write: clock((v) => this.#watchCrystalStart(v)) },
      { name: "SOMCR", offset: 0x481, size: 1, write: clock() },
      { name: "LOCOCR", offset: LOCOCR, size: 1, write: clock() },
    ]);
  }

  override reset(cause: ResetCause): void {
    super.reset(cause);
    this.#moscReady = Number.POSITIVE_INFINITY;
    this.#pllReady = Number.POSITIVE_INFINITY;
    this.#soscReady = Number.POSITIVE_INFINITY;
    this.sramWait = 0;
    this.romWait = 0;
    if (cause === "power") this.#resets = { power: true, flags: 0 };
    else this.#resets.flags |= RSTSR1_BITS[cause] ?? 0;
    this.set(RSTSR0, this.#resets.power ? 1 : 0);
    this.set(RSTSR1, this.#resets.flags);
    this.set(RSTSR2, cause === "power" ? 0 : 1);
    this.#derive();
  }

  override save(): Restore {
    const registers = super.save();
    const [moscReady, pllReady, resets] = [this.#moscReady, this.#pllReady, { ...this.#resets }];
    const soscReady = this.#soscReady;
    const { sramWait, romWait } = this;
    return () => {
      registers();
      this.#moscReady = moscReady;
      this.#pllReady = pllReady;
      this.#soscReady = soscReady;
      this.#resets = { ...resets };
      this.sramWait = sramWait;
      this.romWait = romWait;
    };
  }

  /** Whether PRCR lets security attribution registers be written, for the models that hold them. */
  get securityOpen(): boolean {
    return (this.value(PRCR) & PRC_SECURITY) !== 0;
  }

  /** FWEPROR: flash may be programmed and erased. */
  get flashWritable(): boolean {
    return (this.value(FWEPROR) & 3) === 1;
  }

  get locoRunning(): boolean {
    return (this.value(LOCOCR) & 1) === 0;
  }

  get watchCrystalRunning(): boolean {
    return this.#soscReady <= this.chip.time.ns;
  }

  /** To be called when wait states changed. */
  checkWaits(): void {
    this.#derive();
  }

  #guarded(bit: number) {
    return (apply: (value: number, stored: number) => number | undefined = (v) => v) =>
      (value: number, stored: number): number | undefined => {
        if ((this.value(PRCR) & bit) !== 0) return apply(value, stored);
        this.complain(`write of ${hex(value)} to a register that PRCR bit ${Math.log2(bit)} protects`);
        return undefined;
      };
  }

  #protect(value: number): number | undefined {
    if (value >> 8 !== 0xa5) {
      this.complain(`PRCR written without its key 0xA5: ${hex(value, 4)}`);
      return undefined;
    }
    return value & 0x1b;
  }

  #stable(): number {
    const now = this.chip.time.ns;
    const waiting = Math.min(
      this.#moscReady > now ? this.#moscReady : Infinity,
      this.#pllReady > now ? this.#pllReady : Infinity,
    );
    const flags =
      ((this.value(HOCOCR) & 1) === 0 ? OSCSF_HOCO : 0) |
      (this.#moscReady <= now ? OSCSF_MOSC : 0) |
      (this.#pllReady <= now ? OSCSF_PLL : 0);
    this.chip.time.skipTo(waiting); // whoever reads this waits
    return flags;
  }

  #crystalDrive(value: number): number | undefined {
    if ((this.value(MOSCCR) & 1) === 0) this.complain("MOMCR written while the crystal runs");
    return value;
  }

  #crystalWait(value: number): number | undefined {
    if ((this.value(MOSCCR) & 1) === 0) this.complain("MOSCWTCR written while the crystal runs");
    return value & 15;
  }

  #crystalStart(value: number): number {
    if ((value & 1) !== 0) this.#moscReady = Infinity;
    else if (this.#moscReady === Infinity) this.#moscReady = this.chip.time.ns + MOSC_START_NS;
    return value & 1;
  }

  #watchCrystalStart(value: number): number {
    if ((value & 1) !== 0) this.#soscReady = Infinity;
    else if (this.#soscReady === Infinity) this.#soscReady = this.chip.time.ns + SOSC_START_NS;
    return value & 1;
  }

  #pllSettings(value: number, stored: number): number | undefined {
    if ((this.value(PLLCR) & 1) === 0) {
      this.complain("PLLCCR written while the PLL runs");
      return stored;
    }
    return value;
  }

  #pllStart(value: number): number {
    if ((value & 1) !== 0) {
      this.#pllReady = Infinity;
      return 1;
    }
    const input = this.#pllInput();
    const output = this.#pllHz();
    if ((this.value(PLLCCR) & 0x10) === 0 && this.#moscReady > this.chip.time.ns) {
      this.complain("the PLL was started before its crystal was stable");
    }
    if (input < 8e6 || input > 24e6) this.complain(`PLL input ${input / 1e6} MHz is outside 8 … 24 MHz`);
    if (output < 120e6 || output > 200e6) this.complain(`PLL output ${output / 1e6} MHz is outside 120 … 200 MHz`);
    this.#pllReady = this.chip.time.ns + PLL_START_NS;
    return 0;
  }

  #pllInput(): number {
    const settings = this.value(PLLCCR);
    return ((settings & 0x10) === 0 ? MOSC_HZ : HOCO_HZ) / ((settings & 3) + 1);
  }

  #pllHz(): number {
    return (this.#pllInput() * (((this.value(PLLCCR) >> 8) & 0x3f) + 1)) / 2;
  }

  #divide(value: number): number {
    this.set(SCKDIVCR, value);
    this.#derive();
    return value;
  }

  #select(value: number): number | undefined {
    const source = value & 7;
    if (source >= SOURCE_NAMES.length) {
      this.complain(`SCKSCR selects source ${source}, which does not exist`);
      return undefined;
    }
    const now = this.chip.time.ns;
    if ((source === 3 && this.#moscReady > now) || (source === 5 && this.#pllReady > now)) {
      this.complain(`SCKSCR selects ${SOURCE_NAMES[source]} before it is stable`);
    }
    this.set(SCKSCR, source);
    this.#derive();
    return source;
  }

  #sourceHz(): number {
    return [HOCO_HZ, MOCO_HZ, SLOW_HZ, MOSC_HZ, SLOW_HZ, this.#pllHz()][this.value(SCKSCR)] ?? MOCO_HZ;
  }

  /** Frequencies from the registers, and the limits that they must keep. */
  #derive(): void {
    const source = this.#sourceHz();
    const divisors = this.value(SCKDIVCR);
    const at = (shift: number, name: string, limit: number): number => {
      const code = (divisors >>> shift) & 7;
      if (code > 6) this.complain(`SCKDIVCR ${hex(divisors)} has no divisor ${code}`);
      const hz = source / (1 << Math.min(code, 6));
      if (hz > limit) this.complain(`${name} would run at ${hz / 1e6} MHz, more than ${limit / 1e6} MHz`);
      return hz;
    };
    const clocks: Clocks = {
      iclk: at(24, "ICLK", 200e6),
      pclka: at(12, "PCLKA", 100e6),
      pclkb: at(8, "PCLKB", 50e6),
      fclk: at(28, "FCLK", 50e6),
    };
    at(4, "PCLKC", 50e6);
    at(0, "PCLKD", 100e6);
    at(16, "BCLK", 100e6);
    if (clocks.iclk > 100e6 && this.sramWait === 0)
      this.complain("ICLK above 100 MHz without an SRAM wait state (SRAMWTSC)");
    const needed = Math.min(3, Math.ceil(clocks.iclk / 50e6) - 1);
    if (this.romWait < needed) {
      this.complain(`ICLK ${clocks.iclk / 1e6} MHz needs ${needed} ROM wait states, FLWT has ${this.romWait}`);
    }
    this.chip.clocks = clocks;
    if (this.chip.time.hz !== clocks.iclk) {
      this.chip.time.hz = clocks.iclk;
      this.chip.endSlice();
    }
  }
}

/** SRAM wait states behind their protection register. */
export function sramControl(chip: Chip, system: System): RegisterBlock {
  const block: RegisterBlock = new RegisterBlock(chip, "SRAM", 0x40002000, 0x100, [
    { name: "PARIOAD", offset: 0x00, size: 1, write: (v, old) => (open(0x04) ? v : old) },
    { name: "SRAMPRCR", offset: 0x04, size: 1, write: (v) => key(v) },
    {
      name: "SRAMWTSC",
      offset: 0x08,
      size: 1,
      write: (v, old) => {
        if (!open(0x0c)) {
          chip.faults.record("SRAM", "SRAMWTSC written while SRAMPRCR2 protects it");
          return old;
        }
        system.sramWait = v & 1;
        system.checkWaits();
        return v & 1;
      },
    },
    { name: "SRAMPRCR2", offset: 0x0c, size: 1, write: (v) => key(v) },
  ]);
  const open = (offset: number): boolean => (block.value(offset) & 1) !== 0;
  const key = (value: number): number | undefined => {
    if (value >> 1 === 0x78) return value & 1;
    chip.faults.record("SRAM", `protection written without its key 0x78: ${hex(value, 2)}`);
    return undefined;
  };
  return block;
}

/** Module stop: 1 keeps a module stopped. */
export class ModuleStop extends RegisterBlock {
  constructor(chip: Chip) {
    super(chip, "MSTP", 0x40084000, 0x100, [
      { name: "MSTPCRA", offset: 0x00, size: 4, reset: 0xffbfff1c },
      { name: "MSTPCRB", offset: 0x04, size: 4, reset: 0xffffffff },
      { name: "MSTPCRC", offset: 0x08, size: 4, reset: 0xffffffff },
      { name: "MSTPCRD", offset: 0x0c, size: 4, reset: 0xffffffff },
      { name: "MSTPCRE", offset: 0x10, size: 4, reset: 0xffffffff },
    ]);
  }

  /** Whether module `bit` of register `letter` runs. */
  runs(letter: "A" | "B" | "C" | "D" | "E", bit: number): boolean {
    return ((this.value("ABCDE".indexOf(letter) * 4) >>> bit) & 1) === 0;
  }
}

/** Security attribution and life cycle: written by start-up code, believed by nobody here. The part is in SSD, all secure. */
export function security(chip: Chip, system: System): [RegisterBlock, RegisterBlock] {
  const guarded = (name: string, offset: number) => ({
    name,
    offset,
    size: 4 as const,
    reset: 0xffffffff,
    write: (v: number): number | undefined => {
      if (system.securityOpen) return v;
      chip.faults.record("security", `${name} written while PRCR bit 4 protects it`);
      return undefined;
    },
  });
  return [
    new RegisterBlock(chip, "PSCU", 0x400e0000, 0x100, [
      guarded("PSARB", 0x04),
      guarded("PSARC", 0x08),
      guarded("PSARD", 0x0c),
      guarded("PSARE", 0x10),
      guarded("MSSAR", 0x14),
      { name: "CFSAMONA", offset: 0x18, size: 4, write: "ro" },
      { name: "CFSAMONB", offset: 0x1c, size: 4, write: "ro" },
      { name: "DFSAMON", offset: 0x20, size: 4, write: "ro" },
      { name: "SSAMONA", offset: 0x24, size: 4, write: "ro" },
      { name: "SSAMONB", offset: 0x28, size: 4, write: "ro" },
      { name: "DLMMON", offset: 0x2c, size: 4, reset: 2, write: "ro" },
    ]),
    new RegisterBlock(chip, "CPSCU", 0x40008000, 0x700, [
      guarded("CSAR", 0x00),
      guarded("SRAMSAR", 0x10),
      guarded("STBRAMSAR", 0x14),
      guarded("DTCSAR", 0x30),
      guarded("DMACSAR", 0x34),
      guarded("ICUSARA", 0x40),
      guarded("ICUSARB", 0x44),
      guarded("ICUSARC", 0x48),
      guarded("BUSSARA", 0x100),
      guarded("BUSSARB", 0x104),
      guarded("CPUDSAR", 0x1b0),
    ]),
  ];
}
