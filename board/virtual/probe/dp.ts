/** The debug port: its registers, its sticky errors, and the access ports behind it. Arm ADIv5.2 (IHI 0031) B1, B2; the answers are those
 *  of the serial wire protocol (B4.2), or of a scan (B3.2). Pushed compares and multi-drop selection are not modelled. */
import type { AccessPort } from "./ap.js";
import { Trouble } from "./trouble.js";

export const ACK = { ok: 1, wait: 2, fault: 4 } as const;
export type Ack = (typeof ACK)[keyof typeof ACK];

/** What the eight bits of a request say. B4.2.1 */
export interface Request {
  ap: boolean;
  read: boolean;
  /** 0x0, 0x4, 0x8 or 0xC. */
  address: number;
}

export const DPIDR = 0x6ba02477;
const TARGETID = 0x13600847;
const DLPIDR = 1;
const EVENTSTAT = 1; // no event
const DLCR = 0x40;

const ORUNDETECT = 1 << 0;
const STICKYORUN = 1 << 1;
const STICKYCMP = 1 << 4;
const STICKYERR = 1 << 5;
const WDATAERR = 1 << 7;
const STICKY = STICKYORUN | STICKYCMP | STICKYERR | WDATAERR;
const DEBUG_POWER_REQUEST = 1 << 28;
const SYSTEM_POWER_REQUEST = 1 << 30;
/** ABORT: which bit clears which error. B2.2.1 */
const CLEARS = [
  [1 << 1, STICKYCMP],
  [1 << 2, STICKYERR],
  [1 << 3, WDATAERR],
  [1 << 4, STICKYORUN],
] as const;

export class Dp {
  #select = 0;
  #control = 0;
  #sticky = 0;
  /** What the last read of an access port brought: reads are answered one transaction late. */
  #buffer = 0;
  #pending: Request | undefined;
  /** Data of the read that was answered with OK. */
  data = 0;

  /** @param waits whether an access port is busy: the answer to a transaction with it is WAIT */
  constructor(
    private readonly ports: readonly AccessPort[],
    private readonly waits: () => boolean = () => false,
    readonly trouble = new Trouble(),
  ) {}

  /** Power came. */
  reset(): void {
    this.#select = 0;
    this.#control = 0;
    this.#sticky = 0;
    this.#buffer = 0;
    this.#pending = undefined;
    for (const port of this.ports) port.reset();
  }

  /** Every transaction has a data phase, whatever its answer. B4.2.5 */
  get overrunDetection(): boolean {
    return (this.#control & ORUNDETECT) !== 0;
  }

  /** A line reset selects bank 0 again. B4.3.3 */
  lineReset(): void {
    this.#select &= ~0xf;
    this.#pending = undefined;
  }

  /** Decides the answer to a request; reads happen here, and `data` holds the result. Writes wait for `write()`. */
  request(request: Request): Ack {
    this.#pending = undefined;
    this.trouble.begin();
    const ack = this.#answer(request);
    if (ack !== ACK.ok) {
      if (this.overrunDetection) this.#sticky |= STICKYORUN;
    } else if (!request.read) this.#pending = request;
    else this.data = (request.ap ? this.#readPort(request.address) : this.#read(request.address)) >>> 0;
    return ack;
  }

  /** The data of a write; undefined: its parity was wrong. Counts only when the request was answered with OK. */
  write(value: number | undefined): void {
    const request = this.#pending;
    this.#pending = undefined;
    if (request === undefined) return;
    if (value === undefined) this.#sticky |= WDATAERR;
    else if (request.ap) this.#check(this.#writePort(request.address, value));
    else this.#write(request.address, value);
  }

  /** Whether a scan is answered with WAIT. */
  get busy(): boolean {
    return this.waits() || this.trouble.waitsNext;
  }

  /** The same over JTAG: errors stop only what goes through an access port, and CTRL/STAT clears them. B2.2.2, B3.2.3
   *  @param request undefined: it was refused with WAIT @returns what a read brings with the next scan */
  scan(request: Request | undefined, value: number): number | undefined {
    this.trouble.begin();
    if (request === undefined) return undefined;
    const { ap, read, address } = request;
    if (ap) {
      if ((this.#control & DEBUG_POWER_REQUEST) === 0) this.#sticky |= STICKYERR;
      if ((this.#sticky & STICKY) !== 0) return undefined;
      if (!read) this.#check(this.#writePort(address, value));
      else this.#readPort(address);
      return read ? this.#buffer : undefined;
    }
    if (read) return address === 0x8 ? this.#select : address === 0xc ? 0 : this.#read(address) >>> 0;
    if (address === 0x4 && (this.#select & 0xf) === 0) this.#sticky &= ~value;
    if (address !== 0x0) this.#write(address, value);
    return undefined;
  }

  abort(value: number): void {
    this.#write(0x0, value);
  }

  /** Errors stop everything but the ways to learn of them and to clear them. B4.2.4 */
  #answer({ ap, read, address }: Request): Ack {
    if (!ap && (read ? address <= 0x4 : address === 0x0)) return ACK.ok;
    if ((this.#sticky & STICKY) !== 0) return ACK.fault;
    if (!ap) return ACK.ok;
    if ((this.#control & DEBUG_POWER_REQUEST) === 0) {
      this.#sticky |= STICKYERR;
      return ACK.fault;
    }
    return this.waits() || this.trouble.waits ? ACK.wait : ACK.ok;
  }

  get #port(): AccessPort | undefined {
    return this.ports[this.#select >>> 24];
  }

  #register(address: number): number {
    return (this.#select & 0xf0) | address;
  }

  #check(ok: boolean): void {
    if (!ok) this.#sticky |= STICKYERR;
  }

  #writePort(address: number, value: number): boolean {
    return !this.trouble.errors && (this.#port?.write(this.#register(address), value) ?? true);
  }

  #readPort(address: number): number {
    const before = this.#buffer;
    const port = this.#port;
    const value = this.trouble.errors ? undefined : port === undefined ? 0 : port.read(this.#register(address));
    this.#check(value !== undefined);
    this.#buffer = (value ?? 0) >>> 0;
    return before;
  }

  #read(address: number): number {
    if (address === 0x0) return this.trouble.dpidr ?? DPIDR;
    if (address !== 0x4) return this.#buffer; // RDBUFF, and RESEND of the same
    const banks = [this.#status(), DLCR, TARGETID, DLPIDR, EVENTSTAT];
    return banks[this.#select & 0xf] ?? 0;
  }

  /** Power that is asked for is there at once: CSYSPWRUPACK and CDBGPWRUPACK follow their requests. B2.2.2 */
  #status(): number {
    const requests = this.#control & (DEBUG_POWER_REQUEST | SYSTEM_POWER_REQUEST);
    return this.#control | (requests << 1) | this.#sticky;
  }

  #write(address: number, value: number): void {
    if (address === 0x0) {
      for (const [bit, error] of CLEARS) if ((value & bit) !== 0) this.#sticky &= ~error;
    } else if (address === 0x4) {
      if ((this.#select & 0xf) === 0) this.#control = value & (DEBUG_POWER_REQUEST | SYSTEM_POWER_REQUEST | ORUNDETECT);
    } else if (address === 0x8) this.#select = value >>> 0;
  }
}
