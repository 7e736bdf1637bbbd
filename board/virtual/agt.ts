/** AGT0: a 16-bit down-counter on the 32.768 kHz RC oscillator LOCO, whose period jitters, or on the sub-clock crystal. The firmware
 *  samples it against the cycle counter as its noise source, the self-test compares clocks with it. Registers: R7FA6M5BH.h (R_AGTX0), FSP r_agt.c. Jitter: about 0.4 % of a period, a guess. */
import type { Chip, ResetCause, Restore } from "./chip.js";
import { RegisterBlock } from "./registers.js";

const LOCO_HZ = 32768;
const PERIOD_NS = 1e9 / LOCO_HZ;
const AGT = 0x00;
const AGTCR = 0x08;
const AGTMR1 = 0x09;
const AGTMR2 = 0x0a;
const TSTART = 1;
const TSTOP = 4;
const TUNDF = 0x20;
const SOURCE_LOCO = 4;
const SOURCE_CRYSTAL = 6;
/** Reads of an unchanged counter before the wait for its next count is skipped. */
const POLLS_TO_SKIP = 2;
/** After a longer pause only the number of counts matters, not each one's jitter. */
const MANY = 4096;

export class Agt extends RegisterBlock {
  #count = 0xffff;
  #reload = 0xffff;
  #nextEdge = 0;
  #underflow = false;
  #polls = 0;

  constructor(
    chip: Chip,
    private readonly running: () => boolean,
    private readonly loco: () => boolean,
    private readonly crystal: () => boolean,
  ) {
    super(chip, "AGT0", 0x400e8000, 0x100);
    this.define([
      { name: "AGT", offset: AGT, size: 2, reset: 0xffff, read: () => this.#read(), write: (v) => this.#load(v) },
      { name: "AGTCMA", offset: 0x02, size: 2, reset: 0xffff },
      { name: "AGTCMB", offset: 0x04, size: 2, reset: 0xffff },
      { name: "AGTCR", offset: AGTCR, size: 1, read: (v) => this.#status(v), write: (v, old) => this.#control(v, old) },
      { name: "AGTMR1", offset: AGTMR1, size: 1, write: (v, old) => this.#mode(v, old) },
      { name: "AGTMR2", offset: AGTMR2, size: 1, write: (v, old) => this.#mode(v, old) },
      { name: "AGTIOC", offset: 0x0c, size: 1 },
      { name: "AGTISR", offset: 0x0d, size: 1 },
      { name: "AGTCMSR", offset: 0x0e, size: 1 },
      { name: "AGTIOSEL", offset: 0x0f, size: 1 },
    ]);
  }

  override reset(cause: ResetCause): void {
    super.reset(cause);
    this.#count = 0xffff;
    this.#reload = 0xffff;
    this.#underflow = false;
    this.#polls = 0;
  }

  override save(): Restore {
    const registers = super.save();
    const [count, reload, nextEdge, underflow, polls] = [
      this.#count,
      this.#reload,
      this.#nextEdge,
      this.#underflow,
      this.#polls,
    ];
    return () => {
      registers();
      this.#count = count;
      this.#reload = reload;
      this.#nextEdge = nextEdge;
      this.#underflow = underflow;
      this.#polls = polls;
    };
  }

  override read(address: number, size: number): number {
    if (!this.running()) this.complain("accessed while module stop keeps it off");
    return super.read(address, size);
  }

  override write(address: number, size: number, value: number): void {
    if (!this.running()) {
      this.complain("accessed while module stop keeps it off");
      return;
    }
    super.write(address, size, value);
  }

  get #counting(): boolean {
    return (this.value(AGTCR) & TSTART) !== 0 && (this.#source === SOURCE_CRYSTAL ? this.crystal() : this.loco());
  }

  get #source(): number {
    return (this.value(AGTMR1) >> 4) & 7;
  }

  /** One period with its jitter: four uniform draws make a bell. */
  #period(): number {
    if (this.#source === SOURCE_CRYSTAL) return PERIOD_NS * (1 << (this.value(AGTMR2) & 7));
    const word = this.chip.random();
    const bell = (word & 0xff) + ((word >>> 8) & 0xff) + ((word >>> 16) & 0xff) + (word >>> 24) - 510;
    return PERIOD_NS * (1 << (this.value(AGTMR2) & 7)) * (1 + (bell / 148) * 0.004);
  }

  #advance(): void {
    if (!this.#counting) return;
    const now = this.chip.time.ns;
    const behind = Math.floor((now - this.#nextEdge) / PERIOD_NS);
    if (behind > MANY) {
      this.#down(behind - MANY);
      this.#nextEdge += (behind - MANY) * PERIOD_NS;
    }
    while (this.#nextEdge <= now) {
      this.#down(1);
      this.#nextEdge += this.#period();
    }
  }

  #down(counts: number): void {
    if (counts > this.#count) {
      this.#underflow = true;
      this.#count = this.#reload - ((counts - this.#count - 1) % (this.#reload + 1));
    } else this.#count -= counts;
  }

  #read(): number {
    const before = this.#count;
    this.#advance();
    if (this.#count !== before) this.#polls = 0;
    else if (++this.#polls > POLLS_TO_SKIP && this.#counting) this.chip.time.skipTo(this.#nextEdge);
    return this.#count;
  }

  #load(value: number): undefined {
    this.#reload = value;
    this.#count = value;
    return undefined;
  }

  #status(stored: number): number {
    this.#advance();
    return (stored & TSTART) | (this.#counting ? 2 : 0) | (this.#underflow ? TUNDF : 0);
  }

  #control(value: number, stored: number): number {
    this.#advance();
    if ((value & TUNDF) === 0) this.#underflow = false;
    if ((value & TSTOP) !== 0) {
      this.#count = 0xffff;
      this.#reload = 0xffff;
      return 0;
    }
    if ((value & TSTART) !== 0 && (stored & TSTART) === 0) {
      if (this.#source !== SOURCE_LOCO && this.#source !== SOURCE_CRYSTAL)
        this.complain("only the count sources LOCO and sub-clock are modelled");
      this.#nextEdge = this.chip.time.ns + this.#period();
    }
    return value & TSTART;
  }

  #mode(value: number, stored: number): number {
    if ((this.value(AGTCR) & TSTART) !== 0) {
      this.complain("mode changed while the counter runs");
      return stored;
    }
    return value;
  }
}
