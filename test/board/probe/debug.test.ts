/** The debug logic of the virtual board over its wire, with the firmware that would be flashed: no OpenOCD. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { VirtualBoard } from "../../../board/virtual/board.js";
import { describeFault } from "../../../board/virtual/faults.js";
import { ACK } from "../../../board/virtual/probe/dp.js";
import { connect } from "../../../board/virtual/probe/probe.js";
import { builtPath } from "../../device/built.js";
import { AP, DP, POWER_UP, Wire } from "./wire.js";

const CPUID = 0xe000ed00;
const AIRCR = 0xe000ed0c;
const DFSR = 0xe000ed30;
const DHCSR = 0xe000edf0;
const DCRSR = 0xe000edf4;
const DCRDR = 0xe000edf8;
const DEMCR = 0xe000edfc;
const FP_CTRL = 0xe0002000;
const FP_COMP0 = 0xe0002008;
const KEY = 0xa05f0000;
const RUN = KEY | 1;
const HALT = KEY | 3;
const STEP = KEY | 5;
const S_HALT = 1 << 17;
const S_LOCKUP = 1 << 19;
const S_RESET_ST = 1 << 25;
const SYSRESETREQ = 0x05fa0004;
const VC_CORERESET = 1;
const VC_HARDERR = 1 << 10;
const TRCENA = 1 << 24;
const HALTED = 1;
const BKPT = 2;
const VCATCH = 8;
const REG = { r0: 0, r1: 1, sp: 13, lr: 14, pc: 15, xpsr: 16 };
const WORD = 2;
const HALFWORD = 1;
const BYTE = 0;

const RAM = 0x20040000;
const OPTIONS = 0x0100a100;
const NOWHERE = 0x30000000;
const COMMAND_AREA = 0x407e0000;
const PRCR = 0x4001e3fe;
const SCKDIVCR = 0x4001e020;
const FWEPROR = 0x4001e416;
const FSADDR = 0x407fe030;
const FMEPROT = 0x407fe044;
const FSTATR = 0x407fe080;
const FENTRYR = 0x407fe084;
const FPCKAR = 0x407fe0e4;
const FRDY = 1 << 15;
const ERRORS = 0x00f07040;
const BLOCK = 0x000f8000; // far above the firmware, below the slots

let board: VirtualBoard;
let wire: Wire;

/** The board with its probe connected and awake. */
function attach(elf: string | Uint8Array = builtPath("ek-ra6m5.elf")): void {
  board = VirtualBoard.create({ elf, seed: 1 });
  board.powerOn();
  const { clock } = connect(board);
  wire = new Wire(clock);
  awake();
}

function awake(): void {
  wire.connect();
  wire.writeDp(DP.ctrl, POWER_UP);
}

beforeEach(() => attach());
afterEach(() => board.close());

function access(address: number, size: number): void {
  wire.writeAp(AP.csw, 0x23000000 | size);
  wire.writeAp(AP.tar, address);
}
function read(address: number, size = WORD): number {
  access(address, size);
  const value = wire.readAp(AP.drw);
  return size === WORD ? value : (value >>> (8 * (address & 3))) & (size === HALFWORD ? 0xffff : 0xff);
}
function write(address: number, value: number, size = WORD): void {
  access(address, size);
  expect(wire.writeAp(AP.drw, (value << (8 * (address & 3))) >>> 0)).toBe(ACK.ok);
}
/** Whether the last access was refused; clears the error. */
function refused(): boolean {
  const fault = wire.readDp(DP.buffer).ack === ACK.fault;
  wire.writeDp(DP.abort, 0x1e);
  return fault;
}
const register = (number: number): number => {
  write(DCRSR, number);
  return read(DCRDR);
};
const setRegister = (number: number, value: number): void => {
  write(DCRDR, value);
  write(DCRSR, (1 << 16) | number);
};
const isHalted = (): boolean => (read(DHCSR) & S_HALT) !== 0;
const resetVector = (): number => board.peek(4, 4)!.readUInt32LE(0) & ~1;
const faults = (): string[] => board.faults.list.map(describeFault);

/** Thumb code in RAM, from its first instruction on. */
function load(...halfwords: number[]): void {
  write(DHCSR, HALT);
  halfwords.forEach((halfword, i) => {
    write(RAM + 2 * i, halfword, HALFWORD);
  });
  setRegister(REG.pc, RAM);
  setRegister(REG.sp, RAM + 0x1000);
}

function resetHalt(): void {
  write(DHCSR, RUN);
  write(DEMCR, VC_CORERESET | TRCENA);
  write(AIRCR, SYSRESETREQ);
}

describe("the debug port of the board", () => {
  it("reaches the processor's memory: identity, flash, RAM, factory data", () => {
    expect(read(CPUID)).toBe(0x410fd214);
    expect(read(0x010080f0)).toBe(board.peek(0x010080f0, 4)!.readUInt32LE(0));
    for (const at of [0, 4, 0x100, 0x1ffffc, 0x08000000]) expect(read(at)).toBe(board.peek(at, 4)!.readUInt32LE(0));
    write(RAM, 0x12345678);
    write(RAM + 1, 0xaa, BYTE);
    write(RAM + 2, 0xbbcc, HALFWORD);
    expect(board.peek(RAM, 4)!.toString("hex")).toBe("78aaccbb");
    expect([read(RAM), read(RAM + 2, HALFWORD), read(RAM + 3, BYTE)]).toEqual([0xbbccaa78, 0xbbcc, 0xbb]);
    expect(faults()).toEqual([]);
  });

  it.each([
    ["option-setting memory", OPTIONS],
    ["code flash", 0],
    ["data flash", 0x08000000],
    ["factory data", 0x010080f0],
    ["nothing", NOWHERE],
  ])("refuses plain writes to %s", (_what, address) => {
    const before = board.peek(address, 4);
    write(address, 0);
    expect(refused()).toBe(true);
    expect(board.peek(address, 4)).toEqual(before);
  });

  it("refuses reads of nothing, and unaligned accesses", () => {
    for (const [address, size] of [
      [NOWHERE, WORD],
      [RAM + 2, WORD],
      [RAM + 1, HALFWORD],
    ] as const) {
      access(address, size);
      wire.read(true, AP.drw);
      expect(refused()).toBe(true);
    }
  });

  it("is dead without power, and asks for a new connection when power comes", () => {
    board.powerOff();
    expect(wire.connect()).not.toBe(0x6ba02477);
    board.powerOn();
    expect(wire.readDp(DP.dpidr).ack).not.toBe(ACK.ok);
    awake();
    expect(read(CPUID)).toBe(0x410fd214);
  });

  it("takes one probe", () => {
    expect(() => connect(board)).toThrow(/has a debugger already/);
  });
});

describe("halting debug", () => {
  it("halts the firmware, which goes on later as if nothing had been", () => {
    board.run(10_000);
    write(DHCSR, HALT);
    expect(isHalted()).toBe(true);
    const before = board.instructions;
    expect(board.run()).toBe("halted");
    expect(board.instructions).toBe(before);
    expect(read(DFSR)).toBe(HALTED);
    write(DHCSR, RUN);
    expect(isHalted()).toBe(false);
    expect(board.run()).toBe("idle");
    expect(board.lights).toEqual(["ready"]);
    expect(faults()).toEqual([]);
  });

  it("stops the watchdog with the processor", () => {
    board.run();
    const resets: string[] = [];
    board.onEvent = (event) => {
      if (event.kind === "reset") resets.push(event.cause);
    };
    write(DHCSR, HALT);
    board.time.skipTo(board.time.ns + 60e9);
    write(DHCSR, RUN);
    expect(board.run()).toBe("idle");
    expect(resets).toEqual([]);
  });

  it("ignores DHCSR without its key, and halting without C_DEBUGEN", () => {
    write(DHCSR, 3);
    expect(isHalted()).toBe(false);
    write(DHCSR, KEY | 2);
    expect(board.run(1000)).not.toBe("halted");
  });

  it("lets the processor go when C_DEBUGEN is cleared", () => {
    write(DHCSR, HALT);
    write(DHCSR, KEY);
    expect(board.run(1000)).toBe("limit");
  });

  it("catches a reset before the first instruction", () => {
    board.run();
    resetHalt();
    expect(isHalted()).toBe(true);
    expect(read(DFSR) & VCATCH).toBe(VCATCH);
    expect([register(REG.pc), register(REG.sp)]).toEqual([resetVector(), board.peek(0, 4)!.readUInt32LE(0)]);
    expect(register(REG.xpsr) & (1 << 24)).not.toBe(0);
    write(DEMCR, TRCENA);
    write(AIRCR, SYSRESETREQ);
    expect(board.run()).toBe("idle");
    expect(board.lights).toEqual(["ready"]);
    expect(faults()).toEqual([]);
  });

  it("says once that there was a reset", () => {
    read(DHCSR);
    expect(read(DHCSR) & S_RESET_ST).toBe(0);
    board.reset();
    expect(read(DHCSR) & S_RESET_ST).not.toBe(0);
    expect(read(DHCSR) & S_RESET_ST).toBe(0);
  });

  it("steps one instruction at a time, and reads and writes registers", () => {
    load(0x3001, 0x3102, 0xbe00); // adds r0, #1; adds r1, #2; bkpt
    setRegister(REG.r0, 41);
    setRegister(REG.r1, 0xfffffffe);
    write(DHCSR, STEP);
    expect([isHalted(), register(REG.pc), register(REG.r0), register(REG.r1)]).toEqual([true, RAM + 2, 42, 0xfffffffe]);
    write(DHCSR, STEP);
    expect([register(REG.pc), register(REG.r1), register(REG.xpsr) >>> 28]).toEqual([RAM + 4, 0, 0x6]);
  });

  it("halts at BKPT with the program counter on it", () => {
    load(0x2005, 0xbe00, 0xbe00); // movs r0, #5; bkpt; bkpt
    write(DFSR, 0x1f);
    write(DHCSR, RUN);
    expect(board.run(1000)).toBe("halted");
    expect([read(DFSR), register(REG.pc), register(REG.r0)]).toEqual([BKPT, RAM + 2, 5]);
    setRegister(REG.pc, RAM + 4);
    write(DHCSR, RUN);
    expect(board.run(1000)).toBe("halted");
    expect(register(REG.pc)).toBe(RAM + 4);
    expect(faults()).toEqual([]);
  });

  it("runs what was written over code that ran before", () => {
    load(0x2005, 0xbe00);
    write(DHCSR, RUN);
    board.run(1000);
    load(0x2007, 0xbe00);
    write(DHCSR, RUN);
    board.run(1000);
    expect(register(REG.r0)).toBe(7);
  });

  it("stops in flash at the hardware breakpoint, and not when the unit is off", () => {
    resetHalt();
    const main = board.elf.symbol("main")!.address & ~1;
    write(FP_COMP0, main | 1);
    write(FP_CTRL, 3);
    expect(read(FP_CTRL)).toBe(0x10000011);
    write(DHCSR, RUN);
    expect(board.run()).toBe("halted");
    expect(register(REG.pc)).toBe(main);
    write(FP_CTRL, 2);
    write(DHCSR, RUN);
    expect(board.run()).toBe("idle");
    expect(board.lights).toEqual(["ready"]);
  });

  it("catches a HardFault at its vector when asked to", () => {
    load(0x4800, 0x6800, 0x0000, 0x3000); // ldr r0, =0x30000000; ldr r0, [r0]
    write(DEMCR, VC_HARDERR);
    write(DHCSR, RUN);
    expect(board.run(1000)).toBe("halted");
    expect(register(REG.pc)).toBe(board.peek(4 * 3, 4)!.readUInt32LE(0) & ~1);
    expect(read(DFSR) & VCATCH).toBe(VCATCH);
  });

  it("leaves BKPT to the firmware while nobody debugs it", () => {
    load(0xbe00);
    write(DHCSR, KEY);
    board.run(100);
    expect(faults()[0]).toMatch(/breakpoint at .* without a debugger/);
  });

  it("halts a processor that is locked up", () => {
    board.close();
    const blank = Buffer.from(minimalElf());
    attach(blank);
    expect(read(DHCSR) & S_LOCKUP).toBe(S_LOCKUP);
    write(DHCSR, HALT);
    expect(read(DHCSR) & (S_HALT | S_LOCKUP)).toBe(S_HALT);
    load(0x2009, 0xbe00);
    write(DHCSR, RUN);
    board.run(1000);
    expect(register(REG.r0)).toBe(9);
  });
});

describe("the flash sequencer behind the debug port", () => {
  const ready = (): number => {
    for (let i = 0; i < 10_000; i++) {
      const status = read(FSTATR);
      if ((status & FRDY) !== 0) return status & ERRORS;
    }
    throw new Error("the flash sequencer does not become ready");
  };
  const enter = (): void => {
    write(PRCR, 0xa501, HALFWORD);
    write(SCKDIVCR, 0);
    write(PRCR, 0xa500, HALFWORD);
    write(FWEPROR, 1, BYTE);
    write(FPCKAR, 0x1e08, HALFWORD);
    write(FMEPROT, 0xd900, HALFWORD);
    write(FENTRYR, 0xaa01, HALFWORD);
  };
  const program = (address: number, halfword: number): number => {
    write(FSADDR, address);
    write(COMMAND_AREA, 0xe8, BYTE);
    write(COMMAND_AREA, 0x40, BYTE);
    for (let i = 0; i < 64; i++) write(COMMAND_AREA, halfword, HALFWORD);
    write(COMMAND_AREA, 0xd0, BYTE);
    return ready();
  };

  it("programs code flash while the processor is halted, and flash answers again afterwards", () => {
    resetHalt();
    enter();
    access(BLOCK, WORD);
    wire.read(true, AP.drw);
    expect(refused()).toBe(true);
    expect(program(BLOCK, 0x1234)).toBe(0);
    write(FENTRYR, 0xaa00, HALFWORD);
    expect(read(BLOCK)).toBe(0x12341234);
    expect(read(BLOCK + 128)).toBe(0xffffffff);
    expect(faults()).toEqual([]);
  });

  it("runs what was programmed over code that ran before, and tells that flash changed", () => {
    let changes = 0;
    board.onFlashChanged = () => changes++;
    resetHalt();
    for (const value of [5, 7]) {
      enter();
      write(FSADDR, BLOCK);
      write(COMMAND_AREA, 0x20, BYTE);
      write(COMMAND_AREA, 0xd0, BYTE);
      expect(ready()).toBe(0);
      expect(program(BLOCK, 0x2000 | value)).toBe(0); // movs r0, #value
      expect(program(BLOCK + 128, 0xbe00)).toBe(0);
      write(FENTRYR, 0xaa00, HALFWORD);
      setRegister(REG.pc, BLOCK);
      expect(changes).toBeGreaterThan(0);
      changes = 0;
      write(DHCSR, RUN);
      expect(board.run(1000)).toBe("halted");
      expect([register(REG.r0), register(REG.pc)]).toEqual([value, BLOCK + 128]);
    }
  });

  it("is as strict as it is with the firmware: clock, keys, overwriting, option-setting memory", () => {
    resetHalt();
    write(FENTRYR, 0xa501, HALFWORD);
    expect(read(FENTRYR, HALFWORD)).toBe(0);
    enter();
    expect(program(BLOCK, 0x5555)).toBe(0);
    expect(program(BLOCK, 0x4444)).not.toBe(0);
    write(COMMAND_AREA, 0xb3, BYTE);
    ready();
    expect(program(OPTIONS, 0)).not.toBe(0);
    write(FENTRYR, 0xaa00, HALFWORD);
    expect(read(OPTIONS)).toBe(0xffffffff);
    expect(faults().some((fault) => /FENTRYR written without its key/.test(fault))).toBe(true);
  });

  it("locks at the clock of the reset", () => {
    resetHalt();
    write(FWEPROR, 1, BYTE);
    write(FMEPROT, 0xd900, HALFWORD);
    write(FENTRYR, 0xaa01, HALFWORD);
    expect(program(BLOCK, 0x5555)).not.toBe(0);
    expect(faults().some((fault) => /FCLK 2 MHz/.test(fault))).toBe(true);
  });
});

/** An ELF whose vectors are erased flash. */
function minimalElf(): Buffer {
  const elf = Buffer.alloc(52 + 32 + 128, 0xff);
  elf.fill(0, 0, 52 + 32);
  elf.write("7f454c46010101", 0, "hex");
  elf.writeUInt16LE(2, 16);
  elf.writeUInt16LE(40, 18);
  elf.writeUInt32LE(52, 28);
  elf.writeUInt16LE(32, 42);
  elf.writeUInt16LE(1, 44);
  elf.writeUInt32LE(1, 52);
  elf.writeUInt32LE(84, 56);
  elf.writeUInt32LE(128, 52 + 16);
  elf.writeUInt32LE(128, 52 + 20);
  return elf;
}
