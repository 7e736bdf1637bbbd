/** Halting debug of the Cortex-M33: the debug registers of the private peripheral bus, and the memory behind the AHB-AP. Armv8-M ARM
 *  (DDI 0553) chapter B13 (debug), D1.2 (DHCSR, DCRSR, DCRDR, DEMCR, DFSR). The rest of the memory map is the processor's own: the
 *  same memory, register models and flash sequencer.
 *  Not modelled: more than one hardware breakpoint (the part has eight), watchpoints (DWT says that it has none), registers of the FPU (MVFR0 says that there is none), the
 *  ROM table (empty), and monitor mode. While the processor is halted virtual time passes with the accesses of the debugger only. */
import type { Debugger, Inside } from "../board.js";
import { Bus, type ResetCause } from "../chip.js";
import { HARD_FAULT } from "../cpu.js";
import { REG } from "../engine.js";
import { Scs } from "../scs.js";
import type { MemoryBus } from "./ap.js";

const DWT_CTRL = 0x1000;
const FP_CTRL = 0x2000;
const FP_END = 0x3000;
const FP_COMP0 = 0x2008;
const FP_SHAPE = 0x10000010; // version 2, one comparator for code
const FP_COMP_ENABLE = 1 << 0;
const FP_ENABLE = 1 << 0;
const FP_KEY = 1 << 1;
const DFSR = 0xed30;
const ID_PFR0 = 0xed40;
const ID_END = 0xed80;
const DHCSR = 0xedf0;
const DCRSR = 0xedf4;
const DCRDR = 0xedf8;
const DEMCR = 0xedfc;
const DSCSR = 0xee08;
const DSCSR_SECURE = 1 << 16;
const MVFR0 = 0xef40;
const MVFR2 = 0xef48;
const DAUTHSTATUS = 0xefb8;
const DAUTHSTATUS_ALL = 0xff;
const ROM_TABLE = 0xfe000;
/** The last registers of each component of 4 KB say what it is. */
const COMPONENT_ID = 0xfbc;

const DBGKEY = 0xa05f;
const C_DEBUGEN = 1 << 0;
const C_HALT = 1 << 1;
const C_STEP = 1 << 2;
const C_MASKINTS = 1 << 3;
const CONTROLS = C_DEBUGEN | C_HALT | C_STEP | C_MASKINTS;
const S_REGRDY = 1 << 16;
const S_HALT = 1 << 17;
const S_LOCKUP = 1 << 19;
const S_SDE = 1 << 20;
const S_RETIRE_ST = 1 << 24;
const S_RESET_ST = 1 << 25;

const DFSR_HALTED = 1 << 0;
const DFSR_BKPT = 1 << 1;
const DFSR_VCATCH = 1 << 3;
const DFSR_ALL = 0x1f;

const VC_CORERESET = 1 << 0;
/** DEMCR bits that catch an exception: BusFault, UsageFault (no coprocessor, checks, state), HardFault. */
const CATCHES = new Map([
  [5, 1 << 8],
  [6, (1 << 5) | (1 << 6) | (1 << 7)],
  [HARD_FAULT, 1 << 10],
]);
const CATCH_ALL = 0x7f1;
const TRCENA = 1 << 24;

const REGWNR = 1 << 16;
const REGSEL = 0x7f;
const THUMB = 1 << 24;
const XPSR_FLAGS = 0xf80f0000;
const IPSR = 0x1ff;
/** An access takes a transaction of 46 clocks at 4 MHz. */
const ACCESS_NS = 11_500;
/** Where the program counter of a locked-up processor stands. */
const LOCKUP_ADDRESS = 0xeffffffe;

export class Debug implements Debugger, MemoryBus {
  halted = false;
  /** Told when power came. */
  poweredUp: () => void = () => {};
  #controls = 0;
  #catches = 0;
  #faultStatus = 0;
  #data = 0;
  #breakpointUnit = 0;
  #comparator = 0;
  /** Where the comparator stops the processor. */
  #stopAt: number | undefined;
  #wasReset = true;
  #retired = 0;
  #haltedAt = 0;

  constructor(private readonly inside: Inside) {
    const { cpu } = inside;
    cpu.breakpoint = () => this.#breakpoint();
    cpu.faulted = (exception) => {
      if (this.#enabled && ((CATCHES.get(exception) ?? 0) & this.#catches) !== 0) this.#halt(DFSR_VCATCH);
    };
  }

  /** Power loss clears everything; any reset clears what the debugger asked of the processor, and lets it run unless it is to be caught. */
  wasReset(cause: ResetCause): void {
    this.#wasReset = true;
    this.#controls = cause === "power" ? 0 : this.#controls & C_DEBUGEN;
    if (cause === "power") {
      this.#catches = 0;
      this.#faultStatus = 0;
      this.#breakpointUnit = 0;
      this.#comparator = 0;
      this.#compare();
      this.poweredUp();
    }
    this.inside.cpu.interruptsMasked = false;
    this.halted = false;
    if (this.#enabled && (this.#catches & VC_CORERESET) !== 0) this.#halt(DFSR_VCATCH);
  }

  holds(): boolean {
    if (!this.halted && this.#enabled && this.inside.engine.pc === this.#stopAt) this.#halt(DFSR_BKPT);
    return this.halted;
  }

  read(address: number, size: number): number | undefined {
    if (address % size !== 0) return undefined;
    const { inside } = this;
    return this.#access(() => {
      if (within(address, Scs.BASE, Scs.SIZE)) return this.#readPpb(address - Scs.BASE, size);
      if (within(address, Bus.BASE, Bus.SIZE)) return inside.bus.read(address - Bus.BASE, size) >>> 0;
      return inside.memory.load(address, size);
    });
  }

  write(address: number, size: number, value: number): boolean {
    if (address % size !== 0) return false;
    const { inside } = this;
    const done = this.#access(() => {
      if (within(address, Scs.BASE, Scs.SIZE)) this.#writePpb(address - Scs.BASE, size, value);
      else if (within(address, Bus.BASE, Bus.SIZE)) inside.bus.write(address - Bus.BASE, size, value);
      else return inside.memory.store(address, size, value);
      return true;
    });
    return done ?? false;
  }

  #access<T>(body: () => T): T | undefined {
    const { time } = this.inside.board;
    if (this.halted) time.skipTo(time.ns + ACCESS_NS);
    return this.inside.access(body);
  }

  get #enabled(): boolean {
    return (this.#controls & C_DEBUGEN) !== 0;
  }

  /** The processor's own registers of the private peripheral bus are those of the model that it reads itself (scs.ts). */
  #readPpb(offset: number, size: number): number {
    const word = this.#readDebug(offset & ~3);
    if (word === undefined) return this.inside.scs.read(offset, size) >>> 0;
    return (word >>> (8 * (offset & 3))) & (size === 4 ? -1 : (1 << (8 * size)) - 1);
  }

  #readDebug(offset: number): number | undefined {
    switch (offset) {
      case DHCSR:
        return this.#status();
      case DCRSR:
      case DWT_CTRL:
        return 0;
      case DCRDR:
        return this.#data;
      case DEMCR:
        return this.#catches | (this.inside.scs.get(DEMCR) & TRCENA);
      case DFSR:
        return this.#faultStatus;
      case DSCSR:
        return DSCSR_SECURE;
      case DAUTHSTATUS:
        return DAUTHSTATUS_ALL;
      case FP_CTRL:
        return FP_SHAPE | this.#breakpointUnit;
      case FP_COMP0:
        return this.#comparator;
    }
    return absent(offset) ? 0 : undefined;
  }

  #writePpb(offset: number, size: number, value: number): void {
    switch (offset) {
      case DHCSR:
        if (size === 4 && value >>> 16 === DBGKEY) this.#control(value & CONTROLS);
        return;
      case DCRSR:
        if (this.halted) this.#transfer(value);
        return;
      case DCRDR:
        this.#data = value >>> 0;
        return;
      case DEMCR:
        this.#catches = value & CATCH_ALL;
        this.inside.scs.write(DEMCR, 4, value & TRCENA);
        return;
      case DFSR:
        this.#faultStatus &= ~value & DFSR_ALL;
        return;
      case FP_CTRL:
        if ((value & FP_KEY) !== 0) this.#breakpointUnit = value & FP_ENABLE;
        this.#compare();
        return;
      case FP_COMP0:
        this.#comparator = value;
        this.#compare();
        return;
      case DSCSR:
      case DWT_CTRL:
        return;
    }
    if (!absent(offset)) this.inside.scs.write(offset, size, value);
  }

  #status(): number {
    const { cpu, engine } = this.inside;
    let status = this.#controls | S_REGRDY | S_SDE;
    if (this.halted) status |= S_HALT;
    else if (cpu.lockedUp) status |= S_LOCKUP;
    if (this.#wasReset) status |= S_RESET_ST;
    if (engine.instructions !== this.#retired) status |= S_RETIRE_ST;
    this.#wasReset = false;
    this.#retired = engine.instructions;
    return status;
  }

  /** C_STEP counts when a halted processor is let go; without C_DEBUGEN nothing holds it. */
  #control(controls: number): void {
    this.#controls = (controls & C_DEBUGEN) === 0 ? 0 : controls;
    this.inside.cpu.interruptsMasked = (this.#controls & C_MASKINTS) !== 0;
    if ((this.#controls & C_HALT) !== 0) this.#halt(DFSR_HALTED);
    else if (this.halted) {
      this.halted = false;
      const ns = this.inside.board.time.ns - this.#haltedAt;
      for (const peripheral of this.inside.bus.peripherals) peripheral.held?.(ns);
      if ((this.#controls & C_STEP) === 0) this.inside.wake();
      else {
        this.inside.step();
        if (!this.halted && this.#enabled) this.#halt(DFSR_HALTED);
      }
    }
  }

  #halt(reason: number): void {
    if (this.halted) return;
    const { cpu, engine } = this.inside;
    this.inside.catchUp();
    this.halted = true;
    this.#haltedAt = this.inside.board.time.ns;
    this.#controls |= C_HALT;
    this.#faultStatus |= reason;
    if (!cpu.lockedUp) return;
    cpu.lockedUp = false;
    engine.pc = LOCKUP_ADDRESS;
  }

  /** The program counter stands on the breakpoint, and stays there. */
  #breakpoint(): boolean {
    if (!this.#enabled) return false;
    this.#halt(DFSR_BKPT);
    return true;
  }

  /** The engine ends its slice there; holds() sees why. */
  #compare(): void {
    const on = (this.#breakpointUnit & FP_ENABLE & this.#comparator & FP_COMP_ENABLE) !== 0;
    const stopAt = on ? (this.#comparator & ~1) >>> 0 : undefined;
    if (stopAt === this.#stopAt) return;
    this.#stopAt = stopAt;
    this.inside.engine.stopAt = stopAt;
  }

  #transfer(selector: number): void {
    const register = selector & REGSEL;
    if ((selector & REGWNR) !== 0) this.#setRegister(register, this.#data);
    else this.#data = this.#register(register) >>> 0;
  }

  /** Numbers of DCRSR.REGSEL. Only the main stack is modelled, and the engine does not tell stack limits: they read as zero. */
  #register(register: number): number {
    const { engine } = this.inside;
    if (register <= 12) return engine.reg(REG.R0 + register);
    switch (register) {
      case 13:
        return engine.reg(REG.SP);
      case 14:
        return engine.reg(REG.LR);
      case 15:
        return engine.pc;
      case 16:
        return engine.reg(REG.XPSR) | THUMB;
      case 17:
      case 0x1a:
        return engine.reg(REG.MSP);
      case 18:
      case 0x1b:
        return engine.reg(REG.PSP);
      case 20:
      case 0x22: {
        const bytes = [REG.PRIMASK, REG.BASEPRI, REG.FAULTMASK, REG.CONTROL];
        return bytes.reduce((word, special, i) => word | ((engine.reg(special) & 0xff) << (8 * i)), 0);
      }
    }
    return 0;
  }

  #setRegister(register: number, value: number): void {
    const { engine } = this.inside;
    if (register <= 12) engine.setReg(REG.R0 + register, value);
    switch (register) {
      case 13:
        engine.setReg(REG.SP, value & ~3);
        return;
      case 14:
        engine.setReg(REG.LR, value);
        return;
      case 15:
        engine.pc = value;
        return;
      case 16:
        engine.setReg(REG.XPSR, (value & XPSR_FLAGS) | THUMB | (engine.reg(REG.IPSR) & IPSR));
        return;
      case 17:
      case 0x1a:
        engine.setReg(REG.MSP, value & ~3);
        return;
      case 18:
      case 0x1b:
        engine.setReg(REG.PSP, value & ~3);
        return;
      case 20:
      case 0x22:
        [REG.PRIMASK, REG.BASEPRI, REG.FAULTMASK, REG.CONTROL].forEach((special, i) => {
          engine.setReg(special, (value >>> (8 * i)) & 0xff);
        });
    }
  }
}

function within(address: number, base: number, size: number): boolean {
  return address >= base && address < base + size;
}

/** Registers that debuggers ask for and that say: nothing is here. */
function absent(offset: number): boolean {
  return (
    (offset >= FP_CTRL && offset < FP_END) ||
    (offset >= ID_PFR0 && offset < ID_END) ||
    (offset >= MVFR0 && offset <= MVFR2) ||
    offset >= ROM_TABLE ||
    (offset & 0xfff) >= COMPONENT_ID
  );
}
