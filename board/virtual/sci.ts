/** SCI0 as an asynchronous UART with and without its 16-byte FIFOs. Bytes take their time on the line, in virtual time; a
 *  firmware that does not read in time loses them (ORER). Waiting for a byte is skipped, so the wall clock sees no line at all.
 *  Registers and behaviour: R7FA6M5BH.h (R_SCI0), FSP r_sci_uart.c; baud formula as in the facts of Zephyr's driver. */
import type { Chip, ResetCause, Restore } from "./chip.js";
import { RegisterBlock } from "./registers.js";

const SCR_TE = 0x20;
const SCR_RE = 0x10;
const SSR_TDRE = 0x80;
const SSR_RDRF = 0x40;
const SSR_ORER = 0x20;
const SSR_TEND = 0x04;
const SSR_DR = 0x01;
const SSR_RESET = SSR_TDRE | SSR_TEND;
const SCMR = 0x06;
const SMR = 0x00;
const BRR = 0x01;
const SCR = 0x02;
const SEMR = 0x07;
const FCR = 0x14;
const FIFO_STAGES = 16;
/** Start bit, eight data bits, stop bit. */
const BITS = 10;
/** RDF's little brother DR rises when nothing came for this many bit times. */
const DR_BITS = 15;
/** Status reads without any progress before the wait is skipped, and before the firmware counts as idle. */
const POLLS_TO_SKIP = 2;
const POLLS_TO_IDLE = 24;
/** A skipped wait for input lasts until so many bytes have come: half the FIFO, so that no byte costs a turn of its own. */
const SKIP_BYTES = 8;

export interface Wiring {
  /** Module stop lets the channel run. */
  running(): boolean;
  txPin(): boolean;
  rxPin(): boolean;
}

export class Sci extends RegisterBlock {
  /** Bytes that left on the line since `takeSent`. */
  #sent: number[] = [];
  readonly #line: number[] = [];
  #lineHead = 0;
  /** When the byte at the head of the line is complete. */
  #arrival = 0;
  #rx: number[] = [];
  #rdr = 0;
  #lastArrival = 0;
  #tx: number[] = [];
  #shifting: number | undefined;
  #shiftEnd = 0;
  #flags = SSR_RESET;
  #polls = 0;
  #lost = 0;

  constructor(
    chip: Chip,
    name: string,
    base: number,
    private readonly wiring: Wiring,
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
      { name: "TDR", offset: 0x03, size: 1, reset: 0xff, write: (v) => this.#transmit(v, false) },
      { name: "SSR", offset: 0x04, size: 1, read: () => this.#status(), write: (v) => this.#clear(v) },
      { name: "RDR", offset: 0x05, size: 1, read: () => this.#receiveByte(false), write: "ro" },
      { name: "SCMR", offset: SCMR, size: 1, reset: 0xf2, write: stopped("SCMR") },
      { name: "SEMR", offset: SEMR, size: 1, write: stopped("SEMR") },
      { name: "SNFR", offset: 0x08, size: 1, write: stopped("SNFR") },
      { name: "SIMR1", offset: 0x09, size: 1 },
      { name: "SIMR2", offset: 0x0a, size: 1 },
      { name: "SIMR3", offset: 0x0b, size: 1 },
      { name: "SPMR", offset: 0x0d, size: 1 },
      { name: "FTDRHL", offset: 0x0e, size: 2, reset: 0xffff, write: (v) => this.#transmit(v & 0xff, true) },
      { name: "FTDRL", offset: 0x0f, size: 1, reset: 0xff, write: (v) => this.#transmit(v, true) },
      {
        name: "FRDRHL",
        offset: 0x10,
        size: 2,
        read: () => this.#receiveByte(true) | ((this.#ssr() & 0x79) << 8),
        write: "ro",
      },
      { name: "FRDRL", offset: 0x11, size: 1, read: () => this.#receiveByte(true), write: "ro" },
      { name: "MDDR", offset: 0x12, size: 1, reset: 0xff, write: stopped("MDDR") },
      { name: "DCCR", offset: 0x13, size: 1, reset: 0x40 },
      { name: "FCR", offset: FCR, size: 2, reset: 0xf800, write: (v) => this.#fifoControl(v) },
      { name: "FDR", offset: 0x16, size: 2, read: () => this.#fill(), write: "ro" },
      { name: "LSR", offset: 0x18, size: 2, read: () => (this.#flags & SSR_ORER) >> 5, write: "ro" },
      { name: "SPTR", offset: 0x1c, size: 1, reset: 3 },
      { name: "ACTR", offset: 0x1d, size: 1 },
    ]);
  }

  override reset(cause: ResetCause): void {
    super.reset(cause);
    this.#rx = [];
    this.#tx = [];
    this.#shifting = undefined;
    this.#flags = SSR_RESET;
    this.#polls = 0;
    this.#line.length = 0;
    this.#lineHead = 0;
  }

  /** What is on the line towards the board belongs to the outside world: a restore empties it, as a reset does. */
  override save(): Restore {
    const registers = super.save();
    const [sent, rx, tx] = [[...this.#sent], [...this.#rx], [...this.#tx]];
    const [rdr, lastArrival, flags, polls] = [this.#rdr, this.#lastArrival, this.#flags, this.#polls];
    const [shifting, shiftEnd] = [this.#shifting, this.#shiftEnd];
    return () => {
      registers();
      this.#sent = [...sent];
      this.#rx = [...rx];
      this.#tx = [...tx];
      this.#rdr = rdr;
      this.#lastArrival = lastArrival;
      this.#flags = flags;
      this.#polls = polls;
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
    if (this.#lineHead === this.#line.length) {
      this.#line.length = 0;
      this.#lineHead = 0;
      this.#arrival = this.chip.time.ns + this.#byteTime();
    }
    for (const byte of bytes) this.#line.push(byte);
    this.#polls = 0;
  }

  /** Takes what the board has sent. */
  takeSent(): Buffer {
    this.#advance();
    if (this.#sent.length === 0) return EMPTY;
    const bytes = Buffer.from(this.#sent);
    this.#sent = [];
    return bytes;
  }

  /** Bytes lost since creation: overrun, receiver off, or pins not connected. */
  get lost(): number {
    this.#advance();
    return this.#lost;
  }

  override read(address: number, size: number): number {
    if (!this.wiring.running()) this.complain("accessed while module stop keeps it off");
    this.#advance();
    return super.read(address, size);
  }

  override write(address: number, size: number, value: number): void {
    if (!this.wiring.running()) {
      this.complain("accessed while module stop keeps it off");
      return;
    }
    this.#advance();
    super.write(address, size, value);
  }

  get #fifo(): boolean {
    return (this.value(FCR) & 1) !== 0;
  }

  #byteTime(): number {
    return (BITS * 1e9) / this.baud;
  }

  /** Everything that happened on the line until now. */
  #advance(): void {
    const now = this.chip.time.ns;
    while (this.#shifting !== undefined && this.#shiftEnd <= now) this.#shiftedOut();
    while (this.#lineHead < this.#line.length && this.#arrival <= now) {
      const byte = this.#line[this.#lineHead++]!;
      this.#arrive(byte, this.#arrival);
      this.#arrival += this.#byteTime();
    }
  }

  #shiftedOut(): void {
    const byte = this.#shifting!;
    if (this.wiring.txPin()) this.#sent.push(byte);
    else {
      this.#lost++;
      this.complain("a byte was sent while the TX pin is not connected to the channel");
    }
    this.#shifting = undefined;
    this.#shiftNext(this.#shiftEnd);
  }

  #shiftNext(from: number): void {
    const next = this.#tx.shift();
    if (next === undefined) {
      this.#flags |= SSR_TEND;
      return;
    }
    this.#shifting = next;
    this.#shiftEnd = from + this.#byteTime();
    if (this.#tx.length <= (this.#fifo ? (this.value(FCR) >> 4) & 15 : 0)) this.#flags |= SSR_TDRE;
  }

  #arrive(byte: number, at: number): void {
    const listening = (this.value(SCR) & SCR_RE) !== 0 && this.wiring.rxPin() && (this.#flags & SSR_ORER) === 0;
    const room = this.#fifo ? this.#rx.length < FIFO_STAGES : (this.#flags & SSR_RDRF) === 0;
    if (!listening) this.#lost++;
    else if (!room) {
      this.#lost++;
      this.#flags |= SSR_ORER;
    } else if (this.#fifo) {
      this.#rx.push(byte);
      this.#lastArrival = at;
      this.#raiseReceived();
    } else {
      this.#rdr = byte;
      this.#flags |= SSR_RDRF;
    }
  }

  #raiseReceived(): void {
    if (this.#rx.length >= Math.max(1, (this.value(FCR) >> 8) & 15)) this.#flags |= SSR_RDRF;
  }

  #ssr(): number {
    let flags = this.#flags;
    if (this.#fifo && this.#rx.length > 0 && (flags & SSR_RDRF) === 0) {
      const silent = this.chip.time.ns - this.#lastArrival >= (DR_BITS * 1e9) / this.baud;
      if (silent) flags |= SSR_DR;
    }
    return flags;
  }

  #status(): number {
    const flags = this.#ssr();
    this.#polled();
    return flags;
  }

  #fill(): number {
    const answer = (this.#tx.length << 8) | this.#rx.length;
    this.#polled();
    return answer;
  }

  /** A status read that finds nothing new: waiting is skipped, and in the end the firmware counts as idle. */
  #polled(): void {
    if (this.#fifo ? this.#rx.length > 0 && this.#tx.length < FIFO_STAGES : (this.#flags & SSR_RDRF) !== 0) return;
    if (++this.#polls <= POLLS_TO_SKIP) return;
    const coming = Math.min(this.#line.length - this.#lineHead, this.#fifo ? SKIP_BYTES : 1);
    const arrival = coming > 0 ? this.#arrival + (coming - 1) * this.#byteTime() : Number.POSITIVE_INFINITY;
    const shifted = this.#shifting !== undefined ? this.#shiftEnd : Number.POSITIVE_INFINITY;
    const next = Math.min(arrival, shifted);
    if (next !== Number.POSITIVE_INFINITY) this.chip.time.skipTo(next);
    else if (this.#polls > POLLS_TO_IDLE) {
      this.#polls = POLLS_TO_SKIP;
      this.chip.signalIdle();
    }
  }

  #clear(value: number): number | undefined {
    // flags are cleared by writing 0 to them; TEND and the empty flag of the FIFO follow the state
    let clearable = SSR_ORER | 0x18;
    if (this.#fifo) clearable |= SSR_RDRF | SSR_DR | SSR_TDRE;
    this.#flags &= value | ~clearable;
    if (this.#fifo) {
      this.#raiseReceived();
      if (this.#tx.length <= ((this.value(FCR) >> 4) & 15)) this.#flags |= SSR_TDRE;
    }
    return undefined;
  }

  #control(value: number): number {
    const off = this.value(SCR) & ~value;
    if ((off & SCR_TE) !== 0) {
      this.#tx = [];
      this.#shifting = undefined;
      this.#flags |= SSR_RESET;
    }
    if ((value & 0xc4) !== 0) this.complain("SCR enables an interrupt; none is modelled");
    return value;
  }

  #fifoControl(value: number): number {
    if (((value ^ this.value(FCR)) & 1) !== 0 && (this.value(SCR) & (SCR_TE | SCR_RE)) !== 0) {
      this.complain("FCR.FM changed while TE or RE is set");
    }
    if ((value & 2) !== 0) {
      this.#rx = [];
      this.#flags &= ~SSR_RDRF;
    }
    if ((value & 4) !== 0) this.#tx = [];
    return value & ~6;
  }

  #transmit(byte: number, fifo: boolean): undefined {
    this.#polls = 0;
    if (fifo !== this.#fifo) {
      this.complain(fifo ? "FTDR written without FIFO mode" : "TDR written in FIFO mode");
      return undefined;
    }
    if ((this.value(SCR) & SCR_TE) === 0) {
      this.complain("data written while TE is off");
      return undefined;
    }
    if (this.#tx.length >= (fifo ? FIFO_STAGES : 1)) {
      this.#lost++;
      this.complain("data written to a full transmit buffer");
      return undefined;
    }
    this.#tx.push(byte);
    this.#flags &= ~SSR_TEND;
    if (this.#shifting === undefined) this.#shiftNext(this.chip.time.ns);
    const trigger = fifo ? (this.value(FCR) >> 4) & 15 : 0;
    if (this.#tx.length > trigger) this.#flags &= ~SSR_TDRE;
    return undefined;
  }

  #receiveByte(fifo: boolean): number {
    this.#polls = 0;
    if (fifo !== this.#fifo) {
      this.complain(fifo ? "FRDR read without FIFO mode" : "RDR read in FIFO mode");
      return 0;
    }
    if (!fifo) {
      this.#flags &= ~SSR_RDRF;
      return this.#rdr;
    }
    const byte = this.#rx.shift();
    if (byte === undefined) this.complain("FRDR read while the FIFO is empty");
    return byte ?? 0;
  }
}

const EMPTY = Buffer.alloc(0);
