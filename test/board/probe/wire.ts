/** The probe's end of SWDIO, bit by bit, for tests: sequences, requests, answers, parity. ADIv5.2 B4. */
import { ACK } from "../../../board/virtual/probe/dp.js";
import { type Level, parity } from "../../../board/virtual/probe/swd.js";

export const JTAG_TO_SWD: [number, number] = [0xe79e, 16];
export const SWD_TO_JTAG: [number, number] = [0xe73c, 16];
export const SWD_TO_DORMANT: [number, number] = [0xe3bc, 16];
export const JTAG_TO_DORMANT: [number, number] = [0x33bbbbba, 31];
/** The selection alert, in the order of its bytes on the wire. */
export const ALERT = "92f30962952d8586e9afdde3a20ebc19";

/** DP registers. */
export const DP = { dpidr: 0x0, abort: 0x0, ctrl: 0x4, select: 0x8, buffer: 0xc };
/** AP registers of bank 0. */
export const AP = { csw: 0x0, tar: 0x4, drw: 0xc };
export const POWER_UP = 0x50000000;

export interface Answer {
  /** 1 OK, 2 WAIT, 4 FAULT, 7: nobody answered. */
  ack: number;
  data: number;
  parityHolds: boolean;
}

export class Wire {
  constructor(private readonly clock: (driven: Level | undefined) => Level) {}

  send(value: number, bits: number): void {
    for (let i = 0; i < bits; i++) this.clock(((value >>> i) & 1) as Level);
  }

  ones(count: number): void {
    for (let i = 0; i < count; i++) this.clock(1);
  }

  idle(count = 2): void {
    for (let i = 0; i < count; i++) this.clock(0);
  }

  listen(bits: number): number {
    let value = 0;
    for (let i = 0; i < bits; i++) value = (value | (this.clock(undefined) << i)) >>> 0;
    return value;
  }

  lineReset(): void {
    this.ones(50);
    this.idle();
  }

  /** A line reset, the switch from JTAG, another line reset, and DPIDR. */
  connect(): number {
    this.ones(50);
    this.send(...JTAG_TO_SWD);
    this.lineReset();
    return this.readDp(DP.dpidr).data;
  }

  /** The way out of the dormant state; `flip` names a bit of the alert to turn round. */
  wake(protocol: number, flip?: number): void {
    const alert = Buffer.from(ALERT, "hex");
    if (flip !== undefined) alert[flip >> 3]! ^= 1 << (flip & 7);
    this.ones(8);
    for (const byte of alert) this.send(byte, 8);
    this.idle(4);
    this.send(protocol, 8);
  }

  /** The request's eight bits; `flip` turns some of them round. */
  request(ap: boolean, read: boolean, address: number, flip = 0): void {
    const fields = (ap ? 1 : 0) | (read ? 2 : 0) | (address & 0xc);
    this.send((0x81 | (fields << 1) | (parity(fields) << 5)) ^ flip, 8);
  }

  read(ap: boolean, address: number, overrun = false): Answer {
    this.request(ap, true, address);
    const ack = this.listen(3);
    const hasData = ack === ACK.ok || overrun;
    const data = hasData ? this.listen(32) : 0;
    const parityHolds = hasData && this.listen(1) === parity(data);
    this.listen(2);
    return { ack, data, parityHolds };
  }

  write(ap: boolean, address: number, value: number, { overrun = false, badParity = false } = {}): number {
    this.request(ap, false, address);
    const ack = this.listen(3);
    this.listen(2);
    if (ack !== ACK.ok && !overrun) return ack;
    this.send(value, 32);
    this.send(parity(value) ^ (badParity ? 1 : 0), 1);
    return ack;
  }

  readDp(address: number): Answer {
    return this.read(false, address);
  }
  writeDp(address: number, value: number): number {
    return this.write(false, address, value);
  }
  writeAp(address: number, value: number): number {
    return this.write(true, address, value);
  }
  /** Reads of an access port are answered one transaction late: this asks RDBUFF for it. */
  readAp(address: number): number {
    this.read(true, address);
    return this.readDp(DP.buffer).data;
  }
}
