/** The DMAC and the ICU's links from events to its channels, as far as the firmware uses them: normal mode, single bytes, fixed and rising
 *  addresses, extended repeat areas, started by events of a peripheral. Everything else is recorded as a fault, and so is what the
 *  manual of its kin forbids: settings changed under a running channel, requests that nobody serves.
 *  Registers: R7FA6M5BH.h (R_DMAC0, R_DMA, R_ICU); order: FSP r_dmac.c. */
import type { Chip } from "./chip.js";
import { hex } from "./faults.js";
import { RegisterBlock } from "./registers.js";

const CHANNELS = 8;
const STRIDE = 0x40;
const DMSAR = 0x00;
const DMDAR = 0x04;
const DMCRA = 0x08;
const DMCRB = 0x0c;
const DMTMD = 0x10;
const DMINT = 0x13;
const DMAMD = 0x14;
const DMOFR = 0x18;
const DMCNT = 0x1c;
const DMREQ = 0x1d;
const DMSTS = 0x1e;
const DMAST = 0x200;
const DTE = 1;
const DTIF = 0x10;
const NORMAL_BYTES_BY_EVENT = 0x2001;
const RISING = 2;
const LINKS = 0x40006200;
const DELSR = 0x80;
const IR = 1 << 16;

/** A register of a peripheral that channels read from or write to. */
export interface DmaPort {
  /** Everything that happened until now has asked for its transfers. */
  settle(): void;
  /** Software looks how far a running channel is that serves this register, and may be waiting. */
  looked(): void;
  read?(): number;
  write?(byte: number): void;
}

/** The RAM that channels reach: false and undefined outside. */
export interface DmaMemory {
  byte(address: number): number | undefined;
  setByte(address: number, value: number): boolean;
}

export class Dmac extends RegisterBlock {
  /** DELSR0 … 7 in the ICU. */
  readonly links: RegisterBlock;
  /** Whether a request that meets a channel at rest waits (IR) until it runs. Nobody says it of this part; firmware must do with both. */
  keepsRequests = true;
  readonly #ports = new Map<number, DmaPort>();

  /** @param running module stop lets it run
   *  @param secure security attribution of a channel: the peripherals of this firmware are secure */
  constructor(
    chip: Chip,
    private readonly memory: DmaMemory,
    private readonly running: () => boolean,
    private readonly secure: (channel: number) => boolean,
  ) {
    super(chip, "DMAC", 0x40005000, 0x300);
    for (let channel = 0; channel < CHANNELS; channel++) this.#defineChannel(channel);
    this.define([{ name: "DMAST", offset: DMAST, size: 1, write: (v) => v & 1 }]);
    const link = (channel: number) => ({
      name: `DELSR${channel}`,
      offset: DELSR + 4 * channel,
      size: 4 as const,
      read: (): number => {
        this.#settle();
        return this.links.value(DELSR + 4 * channel);
      },
      write: (value: number): number => this.#link(channel, value),
    });
    this.links = new RegisterBlock(
      chip,
      "ICU",
      LINKS,
      0x100,
      Array.from({ length: CHANNELS }, (_, channel) => link(channel)),
    );
  }

  /** Names a register that channels may serve. */
  attach(address: number, port: DmaPort): void {
    this.#ports.set(address, port);
  }

  /** An event happened that starts a transfer. @param name for complaints */
  request(event: number, name: string): void {
    const channel = this.#linked(event);
    if (channel === undefined) {
      this.complain(`${name} asks for a transfer, and no DELSR links it to a channel`);
      return;
    }
    if (this.#enabled(channel)) this.#transfer(channel);
    else if (this.keepsRequests) this.links.set(DELSR + 4 * channel, event | IR);
  }

  /** Transfers that the running channel of an event still has to do; 0 when there is none, or no end. */
  left(event: number): number {
    const channel = this.#linked(event);
    return channel !== undefined && this.#enabled(channel) ? this.#of(channel, DMCRA) : 0;
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
    this.#settle();
    super.write(address, size, value);
  }

  #defineChannel(channel: number): void {
    const at = channel * STRIDE;
    const stopped = (name: string) => (value: number) => {
      if (this.#enabled(channel)) this.complain(`${name} of channel ${channel} written while it runs`);
      return value;
    };
    const moving = (name: string, offset: number, size: 1 | 4) => ({
      ...{ name, offset: at + offset, size },
      read: () => {
        if (size === 4 && this.#enabled(channel)) this.#looked(channel);
        else this.#settle();
        return this.#of(channel, offset);
      },
    });
    this.define([
      { ...moving("DMSAR", DMSAR, 4), write: stopped("DMSAR") },
      { ...moving("DMDAR", DMDAR, 4), write: stopped("DMDAR") },
      { ...moving("DMCRA", DMCRA, 4), write: stopped("DMCRA") },
      { name: "DMCRB", offset: at + DMCRB, size: 4, write: stopped("DMCRB") },
      { name: "DMTMD", offset: at + DMTMD, size: 2, write: stopped("DMTMD") },
      { name: "DMINT", offset: at + DMINT, size: 1, write: (v) => this.#interrupts(channel, v) },
      { name: "DMAMD", offset: at + DMAMD, size: 2, write: stopped("DMAMD") },
      { name: "DMOFR", offset: at + DMOFR, size: 4, write: stopped("DMOFR") },
      { ...moving("DMCNT", DMCNT, 1), write: (v, old) => this.#enable(channel, v & DTE, old) },
      { name: "DMREQ", offset: at + DMREQ, size: 1, write: (v) => this.#software(channel, v) },
      { ...moving("DMSTS", DMSTS, 1), write: (v, old) => v & old },
    ]);
  }

  #of(channel: number, offset: number): number {
    return this.value(channel * STRIDE + offset);
  }

  #enabled(channel: number): boolean {
    return this.#of(channel, DMCNT) === DTE && this.value(DMAST) === 1;
  }

  #event(channel: number): number {
    return this.links.value(DELSR + 4 * channel) & 0x1ff;
  }

  #linked(event: number): number | undefined {
    for (let channel = 0; channel < CHANNELS; channel++) if (this.#event(channel) === event) return channel;
    return undefined;
  }

  #settle(): void {
    for (const port of this.#ports.values()) port.settle();
  }

  #looked(channel: number): void {
    for (const offset of [DMSAR, DMDAR]) this.#ports.get(this.#of(channel, offset))?.looked();
  }

  /** Written 0, IR forgets a request. */
  #link(channel: number, value: number): number {
    this.#settle();
    if ((value & IR) !== 0) this.complain(`DELSR${channel} written with IR set`);
    const other = this.#linked(value & 0x1ff);
    if ((value & 0x1ff) === 0) return 0;
    if (this.#enabled(channel)) this.complain(`DELSR${channel} links another event while channel ${channel} runs`);
    if (other !== undefined && other !== channel)
      this.complain(`DELSR${channel} links the event of channel ${other}, too`);
    return value & 0x1ff;
  }

  #interrupts(channel: number, value: number): number {
    if (value !== 0) this.complain(`DMINT of channel ${channel} enables an interrupt; none is modelled`);
    return value;
  }

  #software(channel: number, value: number): number {
    if (value !== 0) this.complain(`DMREQ of channel ${channel}: starts by software are not modelled`);
    return 0;
  }

  #enable(channel: number, value: number, old: number): undefined {
    this.set(channel * STRIDE + DMCNT, value);
    if (value === 0 || old === value) return;
    const no = (text: string): void => this.complain(`channel ${channel} started ${text}`);
    if (this.value(DMAST) === 0) no("while DMAST is 0");
    if (!this.secure(channel)) no("as non-secure (ICUSARC), which secure memory and peripherals do not answer");
    if (this.#event(channel) === 0) no("without an event in its DELSR");
    const mode = this.#of(channel, DMTMD);
    if (mode !== NORMAL_BYTES_BY_EVENT) no(`with DMTMD ${hex(mode, 4)}, which is not modelled`);
    const addresses = this.#of(channel, DMAMD);
    for (const side of [addresses >> 8, addresses & 0xff]) {
      const [step, area] = [side >> 6, side & 0x1f];
      if ((step !== 0 && step !== RISING) || (side & 0x20) !== 0 || area > 27 || (step === 0 && area !== 0))
        no(`with DMAMD ${hex(addresses, 4)}, which is not modelled`);
    }
    this.set(channel * STRIDE + DMSTS, 0);
    if ((this.links.value(DELSR + 4 * channel) & IR) !== 0) this.#transfer(channel);
  }

  #transfer(channel: number): void {
    const [from, to] = [this.#of(channel, DMSAR), this.#of(channel, DMDAR)];
    this.links.set(DELSR + 4 * channel, this.#event(channel)); // accepted
    const addresses = this.#of(channel, DMAMD);
    this.set(channel * STRIDE + DMSAR, next(from, addresses >> 8));
    this.set(channel * STRIDE + DMDAR, next(to, addresses & 0xff));
    const count = this.#of(channel, DMCRA);
    if (count > 0) this.set(channel * STRIDE + DMCRA, count - 1);
    if (count === 1) {
      this.set(channel * STRIDE + DMCNT, 0);
      this.set(channel * STRIDE + DMSTS, DTIF);
    }
    const source = this.#ports.get(from)?.read;
    const byte = source !== undefined ? source() : this.memory.byte(from);
    if (byte === undefined) {
      this.complain(`channel ${channel} reads at ${hex(from)}, which is neither RAM nor a register that it may serve`);
      return;
    }
    const target = this.#ports.get(to)?.write;
    if (target !== undefined) target(byte);
    else if (!this.memory.setByte(to, byte))
      this.complain(`channel ${channel} writes to ${hex(to)}, which is neither RAM nor a register that it may serve`);
  }
}

/** The address after one byte. @param side half of DMAMD */
function next(address: number, side: number): number {
  if (side >> 6 !== RISING) return address;
  const area = 2 ** (side & 0x1f);
  if (area === 1) return address + 1; // no area
  return address - (address % area) + ((address + 1) % area);
}
