/** Exceptions and resets of the Cortex-M33 around the engine, which executes instructions only. Armv8-M ARM (DDI 0553) B3.
 *  Main stack only, no floating-point frame: enough for a firmware that takes faults and, at most, SysTick, PendSV and SVC. */
import type { Restore } from "./chip.js";
import { type Engine, REG, type Stop } from "./engine.js";
import type { FaultLog } from "./faults.js";
import { hex } from "./faults.js";
import type { Scs } from "./scs.js";

export const HARD_FAULT = 3;
const BUS_FAULT = 5;
const USAGE_FAULT = 6;
const SVCALL = 11;

const CFSR_IBUSERR = 1 << 8;
const CFSR_PRECISERR = 1 << 9;
const CFSR_BFARVALID = 1 << 15;
const CFSR_UNDEFINSTR = 1 << 16;
const CFSR_INVSTATE = 1 << 17;
const CFSR_NOCP = 1 << 19;
const CFSR_STKOF = 1 << 20;
const CFSR_UNALIGNED = 1 << 24;
const HFSR_FORCED = 1 << 30;
const HFSR_DEBUGEVT = 2 ** 31;
/** Return to thread mode, main stack, secure, no floating-point frame; and to handler mode. */
const EXC_RETURN_THREAD = 0xfffffff9;
const EXC_RETURN_HANDLER = 0xfffffff1;
const FRAME = 32;
/** QEMU's exception numbers as Unicorn's interrupt hook tells them. */
const EXCP = { UDEF: 1, SWI: 2, BKPT: 7, EXIT: 8, SEMIHOST: 16, NOCP: 17, INVSTATE: 18, STKOF: 19, UNALIGNED: 22 };

/** Memory that exception entry needs: stack and vector table. */
export interface CoreMemory {
  readWord(address: number): number | undefined;
  writeWord(address: number, value: number): boolean;
}

export class Cpu {
  /** Exceptions being handled, innermost last. */
  #active: number[] = [];
  /** A fault inside the HardFault handler: nothing runs until a reset. */
  lockedUp = false;
  /** Told of every fault that reaches a vector, with what happened. */
  faulted: ((exception: number, text: string) => void) | undefined;
  /** Told of BKPT; true: a debugger halts there. */
  breakpoint: () => boolean = () => false;
  /** A debugger keeps PendSV and SysTick away. */
  interruptsMasked = false;
  /** Reads that the bus refuses for reasons of the world (torn cells), which are no fault of the firmware. */
  forgiven: (address: number) => boolean = () => false;

  constructor(
    private readonly engine: Engine,
    private readonly scs: Scs,
    private readonly memory: CoreMemory,
    private readonly faults: FaultLog,
  ) {}

  /** Starts at the reset vector. @returns false when there is no program. */
  reset(): boolean {
    this.#active = [];
    this.lockedUp = false;
    const stack = this.memory.readWord(0) ?? 0xffffffff;
    const entry = this.memory.readWord(4) ?? 0xffffffff;
    if (entry === 0xffffffff || (entry & 1) === 0) {
      this.lockedUp = true;
      return false;
    }
    const { engine } = this;
    engine.setReg(REG.CONTROL, 0);
    engine.setReg(REG.PRIMASK, 0);
    engine.setReg(REG.FAULTMASK, 0);
    engine.setReg(REG.BASEPRI, 0);
    engine.setReg(REG.IPSR, 0);
    for (let i = 0; i < 13; i++) engine.setReg(REG.R0 + i, 0);
    engine.setReg(REG.LR, 0xffffffff);
    engine.setReg(REG.SP, stack & ~3);
    engine.pc = entry;
    return true;
  }

  /** Which exceptions are being handled; the registers are kept by the engine. */
  save(): Restore {
    const [active, lockedUp] = [[...this.#active], this.lockedUp];
    return () => {
      this.#active = [...active];
      this.lockedUp = lockedUp;
    };
  }

  /** Takes pended exceptions, then runs at most `count` instructions and handles what ended them.
   *  @returns "wait" when the firmware sleeps until an interrupt. */
  run(count: number): "ran" | "wait" | "locked" {
    if (this.lockedUp) return "locked";
    this.#takePended();
    const stop = this.engine.run(count);
    this.#handle(stop);
    return this.lockedUp ? "locked" : stop.kind === "wait" ? "wait" : "ran";
  }

  get handling(): boolean {
    return this.#active.length > 0;
  }

  #takePended(): void {
    if (this.interruptsMasked) return;
    if (this.scs.pended.size === 0 || this.handling || (this.engine.reg(REG.PRIMASK) & 1) !== 0) return;
    const next = this.scs.pended.has(14) ? 14 : 15;
    this.scs.pended.delete(next);
    this.#enter(next, this.engine.pc);
  }

  #handle(stop: Stop): void {
    const at = this.engine.pc;
    switch (stop.kind) {
      case "count":
      case "wait":
        return;
      case "invalid-instruction":
        this.#fault(USAGE_FAULT, CFSR_UNDEFINSTR, at, `undefined instruction at ${hex(at)}`);
        return;
      case "bus":
        this.#busFault(stop.access, stop.address, at);
        return;
      case "exception":
        this.#exception(stop.number, at);
    }
  }

  #busFault(access: "read" | "write" | "fetch", address: number, at: number): void {
    const text = `bus refused a ${access} at ${hex(address)}`;
    if (access === "fetch") this.#fault(BUS_FAULT, CFSR_IBUSERR, at, text);
    else {
      const forgiven = access === "read" && this.forgiven(address);
      this.#fault(BUS_FAULT, CFSR_PRECISERR | CFSR_BFARVALID, at, text, address, forgiven);
    }
  }

  #exception(number: number, at: number): void {
    switch (number) {
      case EXCP.EXIT:
        this.#leave();
        return;
      case EXCP.SWI:
        this.#enter(SVCALL, at);
        return;
      case EXCP.BKPT:
      case EXCP.SEMIHOST:
        if (this.breakpoint()) return;
        this.scs.recordFault(0, HFSR_DEBUGEVT);
        this.#fault(HARD_FAULT, 0, at, `breakpoint at ${hex(at)} without a debugger`);
        return;
      case EXCP.NOCP:
        this.#fault(USAGE_FAULT, CFSR_NOCP, at, `coprocessor instruction at ${hex(at)} while CPACR denies it`);
        return;
      case EXCP.INVSTATE:
        this.#fault(USAGE_FAULT, CFSR_INVSTATE, at, `branch out of Thumb state to ${hex(at)}`);
        return;
      case EXCP.STKOF:
        this.#fault(USAGE_FAULT, CFSR_STKOF, at, `stack below its limit at ${hex(at)}`);
        return;
      case EXCP.UNALIGNED:
        this.#fault(USAGE_FAULT, CFSR_UNALIGNED, at, `unaligned access at ${hex(at)}`);
        return;
      default:
        this.#fault(USAGE_FAULT, CFSR_UNDEFINSTR, at, `exception ${number} of the engine at ${hex(at)}`);
    }
  }

  /** A synchronous fault: itself when enabled and not masked, HardFault otherwise, lock-up inside HardFault. */
  #fault(exception: number, cfsr: number, at: number, text: string, address?: number, forgiven = false): void {
    if (!forgiven) this.faults.record("CPU", text);
    const masked = (this.engine.reg(REG.PRIMASK) & 1) !== 0 || this.handling;
    const taken = exception !== HARD_FAULT && this.scs.faultEnabled(exception) && !masked ? exception : HARD_FAULT;
    this.scs.recordFault(cfsr, taken === HARD_FAULT && exception !== HARD_FAULT ? HFSR_FORCED : 0, address);
    if (this.#active.includes(HARD_FAULT)) {
      this.lockedUp = true;
      this.faults.record("CPU", `locked up: a fault inside HardFault (${text})`);
      return;
    }
    this.faulted?.(taken, text);
    this.#enter(taken, at, (cfsr & CFSR_STKOF) !== 0);
  }

  /** Stacks r0–r3, r12, lr, return address, xPSR and goes to the vector. A stack overflow stacks nothing. */
  #enter(exception: number, returnTo: number, withoutFrame = false): void {
    const { engine, memory } = this;
    if ((engine.reg(REG.CONTROL) & 2) !== 0) {
      this.lockedUp = true;
      this.faults.record("CPU", "the process stack is in use; only the main stack is modelled");
      return;
    }
    const xpsr = engine.reg(REG.XPSR);
    const before = engine.reg(REG.SP);
    const padded = (before & 4) !== 0 ? 1 : 0;
    const sp = (before - FRAME - padded * 4) >>> 0;
    if (!withoutFrame) {
      const frame = [0, 1, 2, 3].map((i) => engine.reg(REG.R0 + i));
      frame.push(engine.reg(REG.R12), engine.reg(REG.LR), returnTo);
      frame.push((xpsr & 0xf80f0000) | 0x01000000 | (padded << 9) | (this.#active.at(-1) ?? 0));
      const stacked = frame.every((word, i) => memory.writeWord(sp + 4 * i, word >>> 0));
      if (!stacked) {
        this.lockedUp = true;
        this.faults.record("CPU", `locked up: no memory for an exception frame at ${hex(sp)}`);
        return;
      }
      engine.setReg(REG.SP, sp);
    }
    const vector = memory.readWord(this.scs.vectorTable + 4 * exception) ?? 0;
    if ((vector & 1) === 0) {
      this.lockedUp = true;
      this.faults.record("CPU", `locked up: vector ${exception} is ${hex(vector)}`);
      return;
    }
    engine.setReg(REG.LR, this.handling ? EXC_RETURN_HANDLER : EXC_RETURN_THREAD);
    this.#active.push(exception);
    engine.setReg(REG.IPSR, exception);
    engine.pc = vector;
  }

  #leave(): void {
    const { engine, memory } = this;
    const sp = engine.reg(REG.SP);
    const words = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => memory.readWord(sp + 4 * i));
    const finished = this.#active.pop();
    if (finished === undefined || words.some((word) => word === undefined)) {
      this.lockedUp = true;
      this.faults.record("CPU", `locked up: exception return without an exception frame at ${hex(sp)}`);
      return;
    }
    const frame = words as number[];
    for (let i = 0; i < 4; i++) engine.setReg(REG.R0 + i, frame[i]!);
    engine.setReg(REG.R12, frame[4]!);
    engine.setReg(REG.LR, frame[5]!);
    const xpsr = frame[7]!;
    engine.setReg(REG.SP, sp + FRAME + ((xpsr & 0x200) !== 0 ? 4 : 0));
    engine.setReg(REG.IPSR, this.#active.at(-1) ?? 0);
    engine.setReg(REG.XPSR, (xpsr & 0xf80f0000) | 0x01000000 | (this.#active.at(-1) ?? 0));
    engine.pc = frame[6]!;
  }
}
