/** The flash sequencer as firmware meets it: sequences that work, and everything that must lock it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BadManners, PowerCut, tears, UnitState } from "../../board/virtual/nor.js";
import { Probe, ProbeFault } from "./probe/probe.js";

const COMMAND = 0x407e0000;
const FACI = 0x407fe000;
const FASTAT = FACI + 0x10;
const FSADDR = FACI + 0x30;
const FEADDR = FACI + 0x34;
const FMEPROT = FACI + 0x44;
const FSTATR = FACI + 0x80;
const FENTRYR = FACI + 0x84;
const FBCCNT = FACI + 0xd0;
const FBCSTAT = FACI + 0xd4;
const FPSADDR = FACI + 0xd8;
const FPCKAR = FACI + 0xe4;
const FWEPROR = 0x4001e416;
const FCACHEIV = 0x4001c104;
const FRDY = 0x8000;
const ILGLERR = 0x4000;
const PRGERR = 0x1000;
const CMDLK = 0x10;
const DATA = 0x08000000;
const SLOTS = 0x00100000;

let probe: Probe;

beforeEach(() => {
  probe = Probe.start();
  probe.write16(0x4001e3fe, 0xa501);
  probe.write32(0x4001e020, 0); // all clocks 8 MHz
  probe.write8(FWEPROR, 1);
  probe.write16(FPCKAR, 0x1e08);
});
afterEach(() => probe.board.close());

const enterData = (): number => probe.write16(FENTRYR, 0xaa80);
const enterCode = (): void => {
  probe.write16(FMEPROT, 0xd900);
  probe.write16(FENTRYR, 0xaa01);
};
const leave = (): void => {
  probe.write16(FENTRYR, 0xaa00);
  probe.write16(FCACHEIV, 1);
};
const wait = (): number => {
  for (let turn = 0; turn < 2000; turn++) {
    const status = probe.read32(FSTATR);
    if ((status & FRDY) !== 0) return status;
  }
  throw new Error("the sequencer does not get ready");
};
const command = (...bytes: number[]): void => {
  for (const byte of bytes) probe.write8(COMMAND, byte);
};
const program = (address: number, halfwords: number[]): number => {
  probe.write32(FSADDR, address);
  command(0xe8, halfwords.length);
  for (const halfword of halfwords) probe.write16(COMMAND, halfword);
  command(0xd0);
  return wait();
};
const erase = (address: number): number => {
  probe.write32(FSADDR, address);
  command(0x20, 0xd0);
  return wait();
};
const blank = (from: number, to: number): boolean => {
  probe.write8(FBCCNT, 0);
  probe.write32(FSADDR, from);
  probe.write32(FEADDR, to);
  command(0x71, 0xd0);
  expect(wait()).toBe(FRDY);
  return (probe.read8(FBCSTAT) & 1) === 0;
};
const locked = (): boolean => (probe.read8(FASTAT) & CMDLK) !== 0;
const halfwords = (count: number, first = 1): number[] => Array.from({ length: count }, (_, i) => first + i);

describe("data flash", () => {
  it("is programmed, blank-checked and erased without a fault", () => {
    enterData();
    expect(blank(DATA + 64, DATA + 127)).toBe(true);
    expect(program(DATA + 64, [0x2211, 0x4433])).toBe(FRDY);
    expect(program(DATA + 80, halfwords(8))).toBe(FRDY);
    expect(blank(DATA + 64, DATA + 127)).toBe(false);
    expect(probe.read32(FPSADDR)).toBe(64);
    expect(blank(DATA + 68, DATA + 79)).toBe(true);
    leave();
    expect(probe.read32(DATA + 64)).toBe(0x44332211);
    enterData();
    expect(erase(DATA + 64)).toBe(FRDY);
    expect(blank(DATA + 64, DATA + 127)).toBe(true);
    leave();
    expect(probe.faults).toEqual([]);
    expect(probe.board.data.totalErases).toBe(1);
    expect(probe.board.data.totalPrograms).toBe(5);
  });

  it("answers no read in P/E mode", () => {
    enterData();
    expect(() => probe.read32(DATA)).toThrow(ProbeFault);
    leave();
    probe.read32(DATA);
    expect(probe.faults).toEqual(["CPU: bus refused a read at 0x08000000"]);
  });

  it("refuses a second program of a unit with PRGERR", () => {
    enterData();
    program(DATA, [1, 2]);
    expect(program(DATA, [1, 2]) & PRGERR).toBe(PRGERR);
    expect(locked()).toBe(true);
    expect(probe.faults).toEqual(["FACI: data flash programmed at 0x00000000, which is not certainly erased"]);
    command(0xb3);
    expect(wait()).toBe(FRDY);
    expect(locked()).toBe(false);
  });

  it("takes its time: an operation is under way until its typical time is over", () => {
    enterData();
    probe.write32(FSADDR, DATA);
    const before = probe.board.time.ns;
    command(0x20, 0xd0);
    expect(probe.read32(FSTATR) & FRDY).toBe(0);
    wait();
    const ms = (probe.board.time.ns - before) / 1e6;
    expect(ms).toBeGreaterThan(1.5);
    expect(ms).toBeLessThan(8);
  });
});

describe("code flash", () => {
  it("is erased and programmed from RAM without a fault", () => {
    enterCode();
    expect(erase(SLOTS)).toBe(FRDY);
    expect(program(SLOTS + 128, halfwords(64))).toBe(FRDY);
    leave();
    expect(probe.read32(SLOTS + 128)).toBe(0x00020001);
    expect(probe.read32(SLOTS)).toBe(0xffffffff);
    expect(probe.faults).toEqual([]);
  });

  it("answers neither reads nor fetches in P/E mode", () => {
    const resetHandler = probe.read32(4);
    enterCode();
    expect(() => probe.read32(0)).toThrow(ProbeFault);
    expect(() => probe.call(resetHandler)).toThrow(ProbeFault);
    leave();
    expect(probe.faults).toEqual([
      "CPU: bus refused a read at 0x00000000",
      `CPU: bus refused a fetch at 0x${(resetHandler - 1).toString(16).padStart(8, "0")}`,
    ]);
  });

  it("wants the ROM cache invalidated before the next stay", () => {
    enterCode();
    program(SLOTS, halfwords(64));
    probe.write16(FENTRYR, 0xaa00);
    enterCode();
    expect(probe.faults).toEqual(["FCACHE: code flash changed and FCACHEIV was not written afterwards"]);
  });

  it("reports a stuck block as an error of the hardware, not as a fault of the firmware", () => {
    probe.board.code.stick(SLOTS, { program: true });
    enterCode();
    expect(program(SLOTS, halfwords(64)) & PRGERR).toBe(PRGERR);
    expect(locked()).toBe(true);
    command(0xb3);
    wait();
    leave();
    expect(probe.faults).toEqual([]);
    expect(probe.board.code.stateAt(SLOTS)).not.toBe(UnitState.Erased);
  });
});

describe("what locks the sequencer", () => {
  const mistakes: [string, () => void, RegExp][] = [
    ["a command in read mode", () => command(0x20), /in read mode/],
    [
      "a wrong count of halfwords",
      () => {
        enterData();
        command(0xe8, 3);
      },
      /program of 3 halfwords/,
    ],
    [
      "the count of the other flash",
      () => {
        enterCode();
        command(0xe8, 2);
      },
      /program of 2 halfwords/,
    ],
    [
      "program data as bytes",
      () => {
        enterData();
        command(0xe8, 2, 1, 2, 0xd0);
      },
      /bytes instead of halfwords/,
    ],
    [
      "a misaligned program",
      () => {
        enterData();
        program(DATA + 4, halfwords(4));
      },
      /outside the flash of this mode or misaligned/,
    ],
    [
      "an address of the other flash",
      () => {
        enterData();
        program(SLOTS, [1, 2]);
      },
      /outside the flash of this mode/,
    ],
    [
      "an erase inside a block",
      () => {
        enterData();
        erase(DATA + 4);
      },
      /where no block begins/,
    ],
    [
      "FWEPROR",
      () => {
        enterData();
        probe.write8(FWEPROR, 2);
        erase(DATA);
      },
      /while FWEPROR forbids it/,
    ],
    [
      "FPCKAR that does not say FCLK",
      () => {
        probe.write16(FPCKAR, 0x1e32);
        enterData();
        erase(DATA);
      },
      /FPCKAR says 50 MHz, FCLK is 8 MHz/,
    ],
    [
      "an FCLK that is too slow",
      () => {
        probe.write32(0x4001e020, 0x20000000);
        enterData();
        erase(DATA);
      },
      /FCLK 2 MHz/,
    ],
    [
      "an unknown command",
      () => {
        enterData();
        command(0x40);
      },
      /is no command/,
    ],
    [
      "a missing 0xD0",
      () => {
        enterData();
        command(0x20, 0x20);
      },
      /where 0xD0 ends the command/,
    ],
    [
      "a word in the command area",
      () => {
        enterData();
        probe.write32(COMMAND, 0x20);
      },
      /4-byte write to the command area/,
    ],
  ];
  it.each(mistakes)("%s", (_name, mistake, text) => {
    mistake();
    expect(probe.read32(FSTATR) & ILGLERR).toBe(ILGLERR);
    expect(locked()).toBe(true);
    expect(probe.faults.join()).toMatch(text);
    probe.read8(FASTAT);
    probe.write8(FASTAT, 0);
    command(0xb3);
    wait();
    expect(locked()).toBe(false);
    expect(probe.board.supply.operations).toBe(0);
  });

  it("nothing, but keeps out of P/E mode without keys and unlocks", () => {
    probe.write16(FENTRYR, 0x0080);
    expect(probe.read16(FENTRYR)).toBe(0);
    probe.write16(FENTRYR, 0xaa01); // FMEPROT is still closed
    expect(probe.read16(FENTRYR)).toBe(0);
    expect(probe.faults.length).toBe(2);
  });
});

describe("power", () => {
  it("fails inside the operation that a plan names, and the board stands still", () => {
    enterData();
    probe.board.cutPower({ operation: 1, tear: tears.half });
    program(DATA, [0, 0]);
    probe.write32(FSADDR, DATA + 4);
    command(0xe8, 2);
    probe.write16(COMMAND, 0);
    probe.write16(COMMAND, 0);
    probe.send(6, COMMAND, 0xd0);
    for (let i = 0; i < 3 && probe.board.powered; i++) probe.send(1, FSTATR, 0);
    expect(probe.board.powered).toBe(false);
    expect(probe.board.data.stateAt(4)).toBe(UnitState.Torn);
    expect(() => probe.board.data.read(0, 4)).toThrow(BadManners);
    probe.board.powerOn();
    expect(probe.board.run()).toBe("idle");
    expect(probe.read32(DATA)).toBe(0);
  });

  it("torn away in the middle of an erase leaves its block marginal", () => {
    enterCode();
    probe.write32(FSADDR, SLOTS);
    command(0x20, 0xd0);
    probe.board.powerOff();
    expect(probe.board.code.stateAt(SLOTS + 128)).toBe(UnitState.Marginal);
    probe.board.powerOn();
    probe.board.run();
    expect(probe.faults).toEqual([]);
  });

  it("makes torn cells that cannot be read a bus fault, and nothing around them", () => {
    const { data, supply } = probe.board;
    data.program(4, Buffer.from([1, 2, 3, 4]));
    supply.arm({ operation: 0, tear: tears.half, unreadable: true });
    expect(() => data.program(8, Buffer.from([0, 0, 0, 0]))).toThrow(PowerCut);
    probe.board.powerOff();
    probe.board.powerOn();
    probe.board.run();
    expect(probe.read32(DATA + 4)).toBe(0x04030201);
    expect(() => probe.read32(DATA + 8)).toThrow(ProbeFault);
    expect(probe.read32(DATA + 4)).toBe(0x04030201);
    expect(probe.faults).toEqual([]); // the world's doing, not the firmware's
    data.erase(0);
    probe.read32(DATA + 8);
    expect(probe.faults).toEqual([]);
  });
});
