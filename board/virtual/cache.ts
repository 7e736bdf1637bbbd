/** The caches in front of flash: nothing is cached here, but a firmware that would read stale bytes is told so.
 *  Registers: R7FA6M5BH.h (R_CACHE, R_FCACHE). */
import type { Chip, Restore } from "./chip.js";
import { RegisterBlock } from "./registers.js";
import type { System } from "./system.js";

const CCACTL = 0x00;
const FCACHEE = 0x100;

/** What the flash controller must know of the caches. */
export class Caches {
  readonly cpu: RegisterBlock;
  readonly rom: RegisterBlock;
  #romStale = false;
  #cpuStale = false;

  constructor(
    private readonly chip: Chip,
    system: System,
  ) {
    const flush = (v: number): number => {
      if ((v & 1) !== 0) this.#cpuStale = false;
      return 0;
    };
    const enable = (v: number): number => {
      if ((v & 1) !== 0 && this.#cpuStale) {
        this.#cpuStale = false;
        chip.faults.record("CACHE", "flash changed and the C-cache was switched on without a flush (CCAFCT)");
      }
      return v & 1;
    };
    this.cpu = new RegisterBlock(chip, "CACHE", 0x40007000, 0x300, [
      { name: "CCACTL", offset: CCACTL, size: 4, write: enable },
      { name: "CCAFCT", offset: 0x04, size: 4, write: flush },
      { name: "CCALCF", offset: 0x08, size: 4, reset: 1 },
      { name: "SCACTL", offset: 0x40, size: 4 },
      { name: "SCAFCT", offset: 0x44, size: 4, write: () => 0 },
      { name: "SCALCF", offset: 0x48, size: 4, reset: 1 },
      { name: "CAPOAD", offset: 0x200, size: 4 },
      { name: "CAPRCR", offset: 0x204, size: 4 },
    ]);
    this.rom = new RegisterBlock(chip, "FCACHE", 0x4001c000, 0x200, [
      { name: "FCACHEE", offset: FCACHEE, size: 2, write: (v) => this.#enableRom(v) },
      { name: "FCACHEIV", offset: 0x104, size: 2, write: (v) => this.#invalidateRom(v) },
      {
        name: "FLWT",
        offset: 0x11c,
        size: 1,
        write: (v) => {
          system.romWait = v & 7;
          system.checkWaits();
          return v & 7;
        },
      },
      { name: "FSAR", offset: 0x140, size: 2, reset: 0xffff },
    ]);
  }

  /** The C-cache answers reads of code and data flash. */
  get cpuOn(): boolean {
    return (this.cpu.value(CCACTL) & 1) !== 0;
  }

  reset(): void {
    this.#romStale = false;
    this.#cpuStale = false;
  }

  /** Whether something is stale; the registers are kept with their blocks. */
  save(): Restore {
    const [romStale, cpuStale] = [this.#romStale, this.#cpuStale];
    return () => {
      this.#romStale = romStale;
      this.#cpuStale = cpuStale;
    };
  }

  /** Flash changed behind the caches: the ROM cache holds code flash only, the C-cache both. */
  changed(code: boolean): void {
    if (code) this.#romStale = true;
    this.#cpuStale = true;
  }

  /** To be called when the firmware goes on as usual: no cache may be stale by now. */
  check(): void {
    if (this.#romStale) this.chip.faults.record("FCACHE", "code flash changed and FCACHEIV was not written afterwards");
    if (this.#cpuStale && this.cpuOn)
      this.chip.faults.record("CACHE", "flash changed under the C-cache, and no flush followed");
    this.#romStale = false;
  }

  #enableRom(value: number): number {
    if ((value & 1) !== 0) this.check();
    return value & 1;
  }

  #invalidateRom(value: number): number {
    if ((value & 1) !== 0) this.#romStale = false;
    return 0;
  }
}
