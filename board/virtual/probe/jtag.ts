/** JTAG: the test access port with the instructions of a debug port behind it. IEEE 1149.1 §6 (states); Arm ADIv5.2 (IHI 0031) B3. */
import type { Dp } from "./dp.js";

type Level = 0 | 1;
type State =
  | "reset"
  | "idle"
  | "selectDr"
  | "captureDr"
  | "shiftDr"
  | "exit1Dr"
  | "pauseDr"
  | "exit2Dr"
  | "updateDr"
  | "selectIr"
  | "captureIr"
  | "shiftIr"
  | "exit1Ir"
  | "pauseIr"
  | "exit2Ir"
  | "updateIr";

/** Where TMS low and TMS high lead. */
const NEXT: Record<State, readonly [State, State]> = {
  reset: ["idle", "reset"],
  idle: ["idle", "selectDr"],
  selectDr: ["captureDr", "selectIr"],
  captureDr: ["shiftDr", "exit1Dr"],
  shiftDr: ["shiftDr", "exit1Dr"],
  exit1Dr: ["pauseDr", "updateDr"],
  pauseDr: ["pauseDr", "exit2Dr"],
  exit2Dr: ["shiftDr", "updateDr"],
  updateDr: ["idle", "selectDr"],
  selectIr: ["captureIr", "reset"],
  captureIr: ["shiftIr", "exit1Ir"],
  shiftIr: ["shiftIr", "exit1Ir"],
  exit1Ir: ["pauseIr", "updateIr"],
  pauseIr: ["pauseIr", "exit2Ir"],
  exit2Ir: ["shiftIr", "updateIr"],
  updateIr: ["idle", "selectDr"],
};

export const IDCODE = 0x6ba00477;
/** Instructions, four bits. B3.3 */
export const ABORT = 0b1000;
export const DPACC = 0b1010;
export const APACC = 0b1011;
export const IDENTIFY = 0b1110;
const IR_BITS = 4;
const IR_CAPTURE = 0b0001n;

/** RnW, A[3:2] and data; what comes out is the answer to the scan before. B3.2.2 */
const ACCESS_BITS = 35;
const DATA_SHIFT = 3n;
const OK_FAULT = 0b010n;
const WAIT = 0b001n;

export class Tap {
  #state: State = "reset";
  #instruction = IDENTIFY;
  #shift = 0n;
  #bits = 0;
  /** What the last access brought. */
  #result = 0;
  /** The scan under way was answered with WAIT: what it asks for does not happen. */
  #refused = false;

  constructor(private readonly dp: Dp) {}

  /** Power came. */
  reset(): void {
    this.#state = "reset";
    this.#instruction = IDENTIFY;
    this.#result = 0;
  }

  /** One rising edge of TCK. @returns TDO at that edge; high where nothing is shifted */
  clock(tms: Level, tdi: Level): Level {
    let out: Level = 1;
    if (this.#state === "shiftDr" || this.#state === "shiftIr") {
      out = Number(this.#shift & 1n) as Level;
      this.#shift = (this.#shift >> 1n) | (BigInt(tdi) << BigInt(this.#bits - 1));
    }
    // what a state does, it does at the edge that leaves it; updates at the one that comes to it
    if (this.#state === "captureDr") this.#captureData();
    else if (this.#state === "captureIr") this.#capture(IR_CAPTURE, IR_BITS);
    this.#state = NEXT[this.#state][tms];
    if (this.#state === "reset") this.#instruction = IDENTIFY;
    else if (this.#state === "updateIr") this.#instruction = Number(this.#shift);
    else if (this.#state === "updateDr") this.#update();
    return out;
  }

  #capture(value: bigint, bits: number): void {
    this.#shift = value;
    this.#bits = bits;
  }

  #captureData(): void {
    switch (this.#instruction) {
      case IDENTIFY:
        this.#capture(BigInt(this.dp.trouble.dpidr ?? IDCODE), 32);
        return;
      case DPACC:
      case APACC:
        this.#refused = this.dp.busy;
        this.#capture((BigInt(this.#result) << DATA_SHIFT) | (this.#refused ? WAIT : OK_FAULT), ACCESS_BITS);
        return;
      case ABORT:
        this.#capture(0n, ACCESS_BITS);
        return;
      default: // every other number is BYPASS as well
        this.#capture(0n, 1);
    }
  }

  #update(): void {
    const value = Number((this.#shift >> DATA_SHIFT) & 0xffffffffn);
    const instruction = this.#instruction;
    if (instruction === ABORT) this.dp.abort(value);
    if (instruction !== DPACC && instruction !== APACC) return;
    const fields = Number(this.#shift & 7n);
    const request = { ap: instruction === APACC, read: (fields & 1) !== 0, address: (fields & 6) << 1 };
    this.#result = this.dp.scan(this.#refused ? undefined : request, value) ?? this.#result;
  }
}
