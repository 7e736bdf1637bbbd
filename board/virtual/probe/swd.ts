/** The wire: SWDIO, one level per clock. Line reset, the switches between JTAG, SWD and dormant, requests, answers, data and parity.
 *  Arm ADIv5.2 (IHI 0031) B4 (serial wire protocol), B5 (SWJ-DP, dormant state). SWDIO is TMS of the JTAG port (jtag.ts). */
import { ACK, type Dp, type Request } from "./dp.js";
import { Tap } from "./jtag.js";

export type Level = 0 | 1;
type Protocol = "jtag" | "swd" | "dormant";
/** deaf: after a protocol error, until a line reset. */
type Phase = "idle" | "request" | "answer" | "data" | "deaf";

/** Clocks with a high line that make a line reset. B4.3.3 */
const RESET_CLOCKS = 50;
/** Clocks with a high line that bring JTAG to its reset state. */
const JTAG_RESET_CLOCKS = 5;
/** Sequences behind a line reset, first bit lowest. B5.2, B5.3 */
const JTAG_TO_SWD = 0xe79e;
const SWD_TO_JTAG = 0xe73c;
const SWD_TO_DORMANT = 0xe3bc;
const SWITCH_BITS = 16;
const JTAG_TO_DORMANT = 0x33bbbbba;
const JTAG_TO_DORMANT_BITS = 31;
/** What a dormant port listens for: the alert, four clocks low, and which protocol to speak. B5.3.4 */
const ALERT = 0x19bc0ea2_e3ddafe9_86852d95_6209f392n;
const ALERT_BITS = 128n;
const ACTIVATION_BITS = 12;
const ACTIVATE_SWD = 0x1a0;
const ACTIVATE_JTAG = 0x0a0;

const REQUEST_BITS = 8;
const DATA_BITS = 32;
/** Nobody drives the line, and the pull-up holds it high. */
const RELEASED: Level = 1;

interface Sequence {
  bits: number;
  count: number;
  /** Its length when it is the longest. */
  most: number;
  /** It began with a line reset; otherwise JTAG alone was reset. */
  switches: boolean;
}

export class SwdPort {
  protocol: Protocol = "jtag";
  /** What the JTAG port put out at the last edge; high while another protocol is spoken. */
  tdo: Level = RELEASED;
  readonly #tap: Tap;
  #phase: Phase = "idle";
  /** Clocks in a row with a high line. */
  #ones = 0;
  /** A sequence that may switch the protocol, while one is collected. */
  #sequence: Sequence | undefined;
  /** The last 128 levels, newest highest, and the clocks since they were the alert. */
  #heard = 0n;
  #activation: { bits: number; count: number } | undefined;
  /** After a line reset the first transaction has to read DPIDR. */
  #unidentified = true;
  #bits = 0;
  #count = 0;
  /** Levels that the port puts on the line, one per clock. */
  #answer: Level[] = [];

  constructor(private readonly dp: Dp) {
    this.#tap = new Tap(dp);
  }

  /** Power came: a SWJ-DP speaks JTAG first. */
  reset(): void {
    this.protocol = "jtag";
    this.#phase = "idle";
    this.#ones = 0;
    this.#sequence = undefined;
    this.#activation = undefined;
    this.#unidentified = true;
    this.tdo = RELEASED;
    this.#tap.reset();
    this.dp.reset();
  }

  /** One rising edge of SWCLK.
   *  @param driven what the probe puts on SWDIO; undefined: it listens
   *  @param tdi for the JTAG port; SWD leaves it alone, and high @returns the level right after the edge */
  clock(driven: Level | undefined, tdi: Level = RELEASED): Level {
    const answered = this.protocol === "swd" && this.#phase === "answer" ? this.#answer.shift()! : undefined;
    const level = answered ?? driven ?? RELEASED;
    this.tdo = this.protocol === "jtag" ? this.#tap.clock(level, tdi) : RELEASED;
    if (this.protocol === "dormant") this.#listen(level);
    else {
      this.#watch(level);
      if (this.protocol === "swd") {
        if (answered === undefined) this.#receive(level);
        else if (this.#answer.length === 0) this.#answered();
      }
    }
    return level;
  }

  /** Line resets and what may follow them. */
  #watch(level: Level): void {
    if (level === 0 && this.#ones >= (this.protocol === "jtag" ? JTAG_RESET_CLOCKS : RESET_CLOCKS)) {
      const most = this.protocol === "jtag" ? JTAG_TO_DORMANT_BITS : SWITCH_BITS;
      this.#sequence = { bits: 0, count: 0, most, switches: this.#ones >= RESET_CLOCKS };
      if (this.protocol === "swd") this.#lineReset();
    }
    this.#ones = level === 1 ? this.#ones + 1 : 0;
    const sequence = this.#sequence;
    if (sequence === undefined) return;
    sequence.bits = (sequence.bits | (level << sequence.count)) >>> 0;
    sequence.count++;
    const next = this.#switch(sequence);
    if (next !== undefined) this.#speak(next);
    else if (sequence.count === sequence.most) this.#sequence = undefined;
  }

  #switch({ bits, count, switches }: Sequence): Protocol | undefined {
    if (switches && count === SWITCH_BITS) {
      if (bits === JTAG_TO_SWD) return "swd";
      if (bits === SWD_TO_JTAG) return "jtag";
      if (bits === SWD_TO_DORMANT) return "dormant";
    }
    return count === JTAG_TO_DORMANT_BITS && bits === JTAG_TO_DORMANT ? "dormant" : undefined;
  }

  #speak(protocol: Protocol): void {
    this.protocol = protocol;
    this.#sequence = undefined;
    this.#activation = undefined;
    this.#heard = 0n;
    this.#ones = 0;
    this.#phase = "deaf"; // SWD begins with a line reset
    if (protocol === "jtag") this.#tap.reset();
  }

  #listen(level: Level): void {
    const activation = this.#activation;
    if (activation === undefined) {
      this.#heard = (this.#heard >> 1n) | (BigInt(level) << (ALERT_BITS - 1n));
      if (this.#heard === ALERT) this.#activation = { bits: 0, count: 0 };
      return;
    }
    activation.bits |= level << activation.count;
    activation.count++;
    if (activation.count < ACTIVATION_BITS) return;
    const chosen = activation.bits === ACTIVATE_SWD ? "swd" : activation.bits === ACTIVATE_JTAG ? "jtag" : "dormant";
    this.#speak(chosen);
  }

  #lineReset(): void {
    this.#phase = "idle";
    this.#unidentified = true;
    this.dp.lineReset();
  }

  #receive(level: Level): void {
    switch (this.#phase) {
      case "idle":
        if (level === 0) return;
        this.#phase = "request";
        this.#bits = 1;
        this.#count = 1;
        return;
      case "request":
        this.#bits |= level << this.#count;
        if (++this.#count === REQUEST_BITS) this.#request(this.#bits);
        return;
      case "data":
        if (this.#count < DATA_BITS) {
          this.#bits = (this.#bits | (level << this.#count)) >>> 0;
          this.#count++;
          return;
        }
        this.#phase = "idle";
        this.dp.write(parity(this.#bits) === level ? this.#bits : undefined);
    }
  }

  /** Start, APnDP, RnW, A[2:3], parity, stop, park. B4.2.1 */
  #request(bits: number): void {
    const request: Request = { ap: (bits & 2) !== 0, read: (bits & 4) !== 0, address: (bits >> 1) & 0xc };
    const wellFormed = parity(bits & 0x3e) === 0 && (bits & 0xc0) === 0x80;
    const identifies = !request.ap && request.read && request.address === 0;
    if (!wellFormed || (this.#unidentified && !identifies)) {
      this.#phase = "deaf";
      return;
    }
    this.#unidentified = false;
    const ack = this.dp.request(request);
    const levels: Level[] = [bit(ack, 0), bit(ack, 1), bit(ack, 2)];
    const ok = ack === ACK.ok;
    const hasData = ok || this.dp.overrunDetection;
    if (request.read && hasData) {
      // without OK nobody drives the data
      for (let i = 0; i < DATA_BITS; i++) levels.push(ok ? bit(this.dp.data, i) : RELEASED);
      levels.push(ok ? this.#parity() : RELEASED);
    }
    levels.push(RELEASED, RELEASED); // the line turns round: the first answer stood at the edge of the first turnaround
    this.#answer = levels;
    this.#phase = "answer";
    this.#count = request.read || !hasData ? 0 : DATA_BITS;
  }

  #parity(): Level {
    const right = parity(this.dp.data);
    return this.dp.trouble.wrongParity ? (right === 0 ? 1 : 0) : right;
  }

  #answered(): void {
    this.#phase = this.#count === DATA_BITS ? "data" : "idle";
    this.#bits = 0;
    this.#count = 0;
  }
}

function bit(value: number, n: number): Level {
  return ((value >>> n) & 1) as Level;
}

/** 1 when the number of ones is odd. */
export function parity(value: number): Level {
  let folded = value ^ (value >>> 16);
  folded ^= folded >>> 8;
  folded ^= folded >>> 4;
  return bit(0x6996, folded & 0xf);
}
