/** SCI0 as an asynchronous UART without its FIFOs; RXI and TXI are requests to the DMAC. Bytes take their time on the line, in virtual
 *  time, also while the firmware computes; one that nobody takes in time is lost (ORER). Waiting is skipped, so the wall clock sees no
 *  line at all. The other end may have another bit rate: each end then hears garbage.
 *  Registers and behaviour: R7FA6M5BH.h (R_SCI0), FSP r_sci_uart.c; baud formula as in the facts of Zephyr's driver. */
import type { Chip, ResetCause, Restore } from "./chip.js";
import type { Dmac } from "./dmac.js";
import type { Random } from "./prng.js";
import { RegisterBlock } from "./registers.js";

const SCR_TIE = 0x80;
const SCR_RIE = 0x40;
const SCR_TE = 0x20;
const SCR_RE = 0x10;
const SSR_TDRE = 0x80;
const SSR_RDRF = 0x40;
const SSR_ORER = 0x20;
const SSR_FER = 0x10;
const SSR_TEND = 0x04;
const SSR_ERRORS = SSR_ORER | SSR_FER | 0x08;
const SSR_RESET = SSR_TDRE | SSR_TEND;
const SMR = 0x00;
const BRR = 0x01;
const SCR = 0x02;
const TDR = 0x03;
const RDR = 0x05;
const SCMR = 0x06;
const SEMR = 0x07;
const FCR = 0x14;
/** Events of the ELC: bsp_elc.h of ra6m5. */
const RXI = 0x180;
const TXI = 0x181;
/** Start bit, eight data bits, stop bit. */
const BITS = 10;
/** Looks without any news before the wait is skipped, and before the firmware counts as idle. */
const LOOKS_TO_SKIP = 2;
const LOOKS_TO_IDLE = 24;
/** A skipped wait for input lasts until so many bytes have come, so that no byte costs a turn of its own. */
const SKIP_BYTES = 8;
/** Rates that differ by less understand each other. */
const TOLERANCE = 0.03;
/** Bytes that one byte of a slower end can look like, at the most. */
const GARBAGE_MAX = 5;

/** Looks since something happened: at SSR, at what the DMAC received, at what it has to send. */
const NO_LOOKS = { status: 0, input: 0, output: 0 };

export interface Wiring {
  /** Module stop lets the channel run. */
  running(): boolean;
  txPin(): boolean;
  rxPin(): boolean;
}

export class Sci extends RegisterBlock {
  /** Bits per second of the other end; undefined: always those of this one. */
  hostRate: number | undefined;
  /** Called for each byte that the other end hears, with the time of its stop bit's end in ns. */
  heard: ((byte: number, ns: number) => void) | undefined;
  /** Bytes that left on the line since `takeSent`. */
  #sent: number[] = [];
  readonly #line: number[] = [];
  #lineHead = 0;
  /** When the byte at the head of the line is complete. */
  #arrival = 0;
  #rdr = 0;
  /** In TDR, and in the shift register. */
  #waiting: number | undefined;
  #shifting: number | undefined;
  #shiftEnd = 0;
  #flags = SSR_RESET;
  #looks = NO_LOOKS;
  #lost = 0;
  /** Garbage that is owed to the other end, in bytes. */
  #owed = 0;
  /** A byte that began at another rate than ours, as far as it was seen. */
  #misreading: { start: number; seen: number[] } | undefined;
  /** Until here the line was read as the byte before. */
  #quietUntil = 0;

  constructor(
    chip: Chip,
    name: string,
    base: number,
    private readonly wiring: Wiring,
    private readonly dmac: Dmac,
    private readonly garbage: Random,
  ) {
    super(chip, name, base, 0x100);
    const stopped = (register: string) => (value: number) => {
      if ((this.value(SCR) & (SCR_TE | SCR_RE)) !== 0) this.complain(`${register} written while TE or RE is set`);
      return value;
    };
    this.define([
      { name: "SMR", offset: SMR, size: 1, write: stopped("SMR") },
      { name: "BRR", offset: BRR, size: 1, reset: 0xff, write: stopped("BRR") },
      { name: "SCR", offset: SCR, size: 1, write: (v) => this.#control(v) },
      { name: "TDR", offset: TDR, size: 1, reset: 0xff, write: (v) => this.#transmit(v) },
      { name: "SSR", offset: 0x04, size: 1, read: () => this.#status(), write: (v) => this.#clear(v) },
      { name: "RDR", offset: RDR, size: 1, read: () => this.#receiveByte(), write: "ro" },
      { name: "SCMR", offset: SCMR, size: 1, reset: 0xf2, write: stopped("SCMR") },
      { name: "SEMR", offset: SEMR, size: 1, write: stopped("SEMR") },
      { name: "SNFR", offset: 0x08, size: 1, write: stopped("SNFR") },
      { name: "SIMR1", offset: 0x09, size: 1 },
      { name: "SIMR2", offset: 0x0a, size: 1 },
      { name: "SIMR3", offset: 0x0b, size: 1 },
      { name: "SPMR", offset: 0x0d, size: 1 },
      { name: "MDDR", offset: 0x12, size: 1, reset: 0xff, write: stopped("MDDR") },
      { name: "DCCR", offset: 0x13, size: 1, reset: 0x40 },
      { name: "FCR", offset: FCR, size: 2, reset: 0xf800, write: (v) => this.#fifoControl(v) },
      { name: "SPTR", offset: 0x1c, size: 1, reset: 3 },
      { name: "ACTR", offset: 0x1d, size: 1 },
    ]);
    const settle = (): void => this.settle();
    dmac.attach(base + RDR, { settle, looked: () => this.#looked("input"), read: () => this.#receiveByte() });
    dmac.attach(base + TDR, { settle, looked: () => this.#looked("output"), write: (byte) => this.#transmit(byte) });
  }

  override reset(cause: ResetCause): void {
    super.reset(cause);
    this.#waiting = undefined;
    this.#shifting = undefined;
    this.#flags = SSR_RESET;
    this.#news();
    this.#line.length = 0;
    this.#lineHead = 0;
  }

  /** What is on the line towards the board belongs to the outside world: a restore empties it, as a reset does. */
  override save(): Restore {
    const registers = super.save();
    const sent = [...this.#sent];
    const [rdr, flags, looks] = [this.#rdr, this.#flags, this.#looks];
    const [next, shifting, shiftEnd] = [this.#waiting, this.#shifting, this.#shiftEnd];
    return () => {
      registers();
      this.#sent = [...sent];
      this.#rdr = rdr;
      this.#flags = flags;
      this.#looks = looks;
      this.#waiting = next;
      this.#shifting = shifting;
      this.#shiftEnd = shiftEnd;
      this.#line.length = 0;
      this.#lineHead = 0;
    };
  }

  /** Bits per second that the registers give; 0 while the channel is stopped. */
  get baud(): number {
    const semr = this.value(SEMR);
    const abcs = (semr & 0x10) !== 0;
    const bgdm = (semr & 0x40) !== 0;
    const clocks = (semr & 0x08) !== 0 ? 6 : abcs && bgdm ? 8 : abcs || bgdm ? 16 : 32;
    const prescale = 1 << (2 * (this.value(SMR) & 3));
    const modulation = (semr & 0x04) !== 0 ? this.value(0x12) / 256 : 1;
    return (this.chip.clocks.pclka * modulation) / (clocks * prescale * (this.value(BRR) + 1));
  }

  /** Puts bytes on the line towards the board, one behind the other. */
  feed(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.settle();
    if (this.#lineHead === this.#line.length) {
      this.#line.length = 0;
      this.#lineHead = 0;
      this.#arrival = this.chip.time.ns + this.#incomingTime();
    }
    for (const byte of bytes) this.#line.push(byte);
    this.#news();
  }

  /** Takes what the board has sent. */
  takeSent(): Buffer {
    this.settle();
    if (this.#sent.length === 0) return EMPTY;
    const bytes = Buffer.from(this.#sent);
    this.#sent = [];
    return bytes;
  }

  /** Bytes lost since creation: overrun, receiver off, or pins not connected. */
  get lost(): number {
    this.settle();
    return this.#lost;
  }

  /** Everything that happened on the line until now. */
  settle(): void {
    const now = this.chip.time.ns;
    while (this.#shifting !== undefined && this.#shiftEnd <= now) this.#shiftedOut();
    while (this.#lineHead < this.#line.length && this.#arrival <= now) {
      const byte = this.#line[this.#lineHead++]!;
      if (this.#agree()) this.#arrive(byte, 0);
      else this.#misread(byte);
      this.#arrival += this.#incomingTime();
    }
  }

  override read(address: number, size: number): number {
    if (!this.wiring.running()) this.complain("accessed while module stop keeps it off");
    this.settle();
    return super.read(address, size);
  }

  override write(address: number, size: number, value: number): void {
    if (!this.wiring.running()) {
      this.complain("accessed while module stop keeps it off");
      return;
    }
    this.settle();
    super.write(address, size, value);
  }

  #byteTime(): number {
    return (BITS * 1e9) / this.baud;
  }

  #incomingTime(): number {
    return (BITS * 1e9) / (this.hostRate ?? this.baud);
  }

  #agree(): boolean {
    return this.hostRate === undefined || Math.abs(this.hostRate / this.baud - 1) < TOLERANCE;
  }

  /** How many bytes one of this end looks like to the other. */
  #garbageBytes(): number {
    this.#owed += Math.min(this.hostRate! / this.baud, GARBAGE_MAX);
    const count = Math.floor(this.#owed);
    this.#owed -= count;
    return count;
  }

  /** Reads the line as a receiver does that has another rate than who sends: a low level begins a byte, and each bit is looked at in its middle. */
  #misread(byte: number): void {
    const [theirs, ours] = [this.#incomingTime() / BITS, this.#byteTime() / BITS];
    const began = this.#arrival - BITS * theirs;
    const bits = (0x200 | (byte << 1)) >>> 0; // the start bit first
    const isLast = this.#lineHead === this.#line.length;
    const level = (at: number): number =>
      at < began || at >= this.#arrival ? 1 : (bits >> Math.floor((at - began) / theirs)) & 1;
    for (;;) {
      this.#misreading ??= this.#firstLow(bits, began, theirs);
      if (this.#misreading === undefined) return;
      const { start, seen } = this.#misreading;
      for (let at = start + (seen.length + 0.5) * ours; seen.length < BITS; at += ours) {
        if (at >= this.#arrival && !isLast) return; // the byte behind it goes on
        seen.push(level(at));
      }
      this.#quietUntil = start + (BITS - 0.5) * ours;
      this.#misreading = undefined;
      const data = seen.slice(1, -1).reduce((sum, bit, i) => sum | (bit << i), 0);
      if (seen[0] === 0) this.#arrive(data, seen[BITS - 1] === 0 ? SSR_FER : 0);
    }
  }

  #firstLow(bits: number, began: number, theirs: number): { start: number; seen: number[] } | undefined {
    for (let bit = 0; bit < BITS; bit++) {
      if (((bits >> bit) & 1) !== 0 || began + (bit + 1) * theirs <= this.#quietUntil) continue;
      return { start: Math.max(began + bit * theirs, this.#quietUntil), seen: [] };
    }
    return undefined;
  }

  #shiftedOut(): void {
    const byte = this.#shifting!;
    this.#news();
    if (!this.wiring.txPin()) {
      this.#lost++;
      this.complain("a byte was sent while the TX pin is not connected to the channel");
    } else if (this.#agree()) this.#say(byte);
    else {
      for (let left = this.#garbageBytes(); left > 0; left--) {
        const draw = this.garbage();
        this.#say((draw & 0x300) === 0 ? 0 : draw & 0xff);
      }
    }
    this.#shifting = undefined;
    if (this.#waiting === undefined) this.#flags |= SSR_TEND;
    else this.#shift(this.#shiftEnd);
  }

  #say(byte: number): void {
    this.#sent.push(byte);
    this.heard?.(byte, this.#shiftEnd);
  }

  /** TDR moves into the shift register. */
  #shift(from: number): void {
    this.#shifting = this.#waiting;
    this.#waiting = undefined;
    this.#shiftEnd = from + this.#byteTime();
    this.#flags |= SSR_TDRE;
    if ((this.value(SCR) & SCR_TIE) !== 0) this.dmac.request(TXI, `${this.name}_TXI`);
  }

  /** @param error a flag of SSR that comes with the byte */
  #arrive(byte: number, error: number): void {
    this.#news();
    const listening = (this.value(SCR) & SCR_RE) !== 0 && this.wiring.rxPin() && (this.#flags & SSR_ERRORS) === 0;
    if (!listening) {
      this.#lost++;
      return;
    }
    if ((this.#flags & SSR_RDRF) !== 0) {
      this.#lost++;
      this.#flags |= SSR_ORER;
      return;
    }
    this.#rdr = byte;
    if (error !== 0) {
      this.#lost++;
      this.#flags |= error; // the byte stands in RDR, and nobody is told
      return;
    }
    this.#flags |= SSR_RDRF;
    if ((this.value(SCR) & SCR_RIE) !== 0) this.dmac.request(RXI, `${this.name}_RXI`);
  }

  #status(): number {
    if ((this.#flags & SSR_RDRF) === 0) this.#looked("status");
    return this.#flags;
  }

  #news(): void {
    this.#looks = NO_LOOKS;
  }

  /** A look that finds nothing new: waiting is skipped, and in the end the firmware counts as idle. Who waits for input looks at the
   *  status as well, and does not wait for what that tells. */
  #looked(at: keyof typeof NO_LOOKS): void {
    this.settle();
    const looks = this.#looks[at] + 1;
    this.#looks = { ...this.#looks, status: 0, [at]: looks };
    if (looks <= LOOKS_TO_SKIP) return;
    const next = this.#next(at);
    if (next !== Number.POSITIVE_INFINITY) {
      this.chip.time.skipTo(next);
      this.settle();
    } else if (looks > LOOKS_TO_IDLE && at !== "output") {
      this.#looks = { ...this.#looks, [at]: LOOKS_TO_SKIP };
      this.chip.signalIdle();
    }
  }

  /** When what somebody waits for happens. */
  #next(at: keyof typeof NO_LOOKS): number {
    const coming = Math.min(this.#line.length - this.#lineHead, at === "input" ? SKIP_BYTES : 1);
    const arrived = coming > 0 ? this.#arrival + (coming - 1) * this.#incomingTime() : Number.POSITIVE_INFINITY;
    const shifted = this.#shifting === undefined ? Number.POSITIVE_INFINITY : this.#shiftEnd;
    if (at === "output") return shifted;
    if (at === "status") return Math.min(arrived, shifted);
    const behind = (this.#waiting === undefined ? 0 : 1) + this.dmac.left(TXI);
    return Math.min(arrived, shifted + behind * this.#byteTime());
  }

  /** Error flags are cleared by writing 0 to them; the others follow the state. */
  #clear(value: number): undefined {
    this.#flags &= value | ~SSR_ERRORS;
    return undefined;
  }

  #control(value: number): number {
    const before = this.value(SCR);
    if ((before & ~value & SCR_TE) !== 0) {
      if ((this.#flags & SSR_TEND) === 0) this.complain("TE cleared while bytes are being sent (TEND is 0)");
      this.#waiting = undefined;
      this.#shifting = undefined;
      this.#flags |= SSR_RESET;
    }
    if ((value & 0x0c) !== 0) this.complain("SCR enables an interrupt that is not modelled");
    this.set(SCR, value);
    const both = SCR_TE | SCR_TIE;
    if ((value & both) === both && (before & both) === 0) this.dmac.request(TXI, `${this.name}_TXI`);
    return value;
  }

  #fifoControl(value: number): number {
    if ((value & 1) !== 0) this.complain("FCR.FM set: the FIFOs are not modelled");
    return value & ~6;
  }

  #transmit(byte: number): undefined {
    this.#news();
    if ((this.value(SCR) & SCR_TE) === 0) {
      this.complain("data written while TE is off");
      return undefined;
    }
    if (this.#waiting !== undefined) {
      this.#lost++;
      this.complain("TDR written while it holds a byte (TDRE is 0)");
      return undefined;
    }
    this.#waiting = byte;
    this.#flags &= ~(SSR_TDRE | SSR_TEND);
    if (this.#shifting === undefined) this.#shift(this.chip.time.ns);
    return undefined;
  }

  #receiveByte(): number {
    this.#news();
    this.#flags &= ~SSR_RDRF;
    return this.#rdr;
  }
}

const EMPTY = Buffer.alloc(0);
