/** Virtual time: one instruction is one cycle of ICLK, or so many as asked for, and waiting is skipped instead of executed. Goes back only to where a
 *  checkpoint was taken. */
import type { Restore } from "./chip.js";

export class Time {
  #skipped = 0;
  #hz = 2_000_000;
  #baseCycles = 0;
  #baseNs = 0;
  /** Cycle at which the running slice has to end; a skip beyond it ends the slice. */
  sliceEnd = Number.POSITIVE_INFINITY;

  constructor(
    private readonly instructions: () => number,
    private readonly endSlice: () => void,
    /** Of one instruction. */
    readonly cyclesEach = 1,
  ) {}

  /** Cycles since creation: instructions and skipped time. */
  get cycles(): number {
    return this.#executed() + this.#skipped;
  }

  #executed(): number {
    return Math.floor(this.instructions() * this.cyclesEach);
  }

  /** Nanoseconds since creation. */
  get ns(): number {
    return this.#baseNs + ((this.cycles - this.#baseCycles) * 1e9) / this.#hz;
  }

  /** ICLK in Hz. */
  get hz(): number {
    return this.#hz;
  }

  set hz(hz: number) {
    this.#baseNs = this.ns;
    this.#baseCycles = this.cycles;
    this.#hz = hz;
  }

  /** First cycle that is not before `ns`. */
  cycleAt(ns: number): number {
    return this.#baseCycles + Math.ceil(((ns - this.#baseNs) * this.#hz) / 1e9);
  }

  /** Lets time pass until `ns`; does nothing when that is over. */
  skipTo(ns: number): void {
    if (!Number.isFinite(ns)) return;
    this.skipCycles(this.cycleAt(ns) - this.cycles);
  }

  /** Keeps what time it is. Instructions are not taken back: what is skipped may become negative. */
  save(): Restore {
    const { cycles } = this;
    const [hz, baseCycles, baseNs] = [this.#hz, this.#baseCycles, this.#baseNs];
    return () => {
      this.#skipped = cycles - this.#executed();
      this.#hz = hz;
      this.#baseCycles = baseCycles;
      this.#baseNs = baseNs;
    };
  }

  skipCycles(cycles: number): void {
    if (cycles <= 0) return;
    this.#skipped += cycles;
    if (this.cycles >= this.sliceEnd) this.endSlice();
  }
}
