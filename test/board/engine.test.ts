/** The counted engine: exact clock, resumable stops, faults; and its calibration. */
import { afterEach, describe, expect, it } from "vitest";
import { Engine, REG, type Window } from "../../board/virtual/engine.js";
import { locateCounter, Unicorn } from "../../board/virtual/unicorn.js";

const RAM = 0x20000000;
const IO = 0x40000000;
const R0 = REG.R0;
const R1 = REG.R0 + 1;
const R2 = REG.R0 + 2;

let engine: Engine;
afterEach(() => engine.close());

/** An engine with Thumb halfwords at 0 and RAM. */
function load(halfwords: number[], io?: Window): void {
  engine = new Engine();
  const code = Buffer.alloc(4096);
  halfwords.forEach((word, i) => {
    code.writeUInt16LE(word, 2 * i);
  });
  engine.map(0, code, 5);
  engine.map(RAM, Buffer.alloc(4096), 7);
  if (io !== undefined) engine.mmio(IO, 0x1000, io);
  engine.pc = 0;
}

const ADDS_R0_1 = 0x3001;
const STR_R0_R1 = 0x6008;
const LDR_R2_R1 = 0x680a;
const BACK_TO_0 = (at: number): number => 0xe000 | (((0 - (at + 4)) >> 1) & 0x7ff);

describe("Engine", () => {
  it("counts instructions exactly, whatever the slices", () => {
    const states = [1, 3, 7, 1000].map((slice) => {
      load([ADDS_R0_1, ADDS_R0_1, BACK_TO_0(4)]);
      while (engine.instructions < 3000) engine.run(Math.min(slice, 3000 - engine.instructions));
      const state = [engine.instructions, engine.reg(R0), engine.pc].join();
      engine.close();
      return state;
    });
    expect(new Set(states)).toEqual(new Set(["3000,2000,0"]));
    load([ADDS_R0_1]);
  });

  it("does each access once when a callback ends the slice, and goes on behind it", () => {
    const seen: number[] = [];
    const write = (_offset: number, _size: number, value: number): void => {
      seen.push(value, engine.instructions);
      engine.endSlice();
    };
    load([ADDS_R0_1, STR_R0_R1, BACK_TO_0(4)], { read: () => 0, write });
    engine.setReg(R1, IO);
    for (let i = 0; i < 3; i++) expect(engine.run(1000)).toEqual({ kind: "count" });
    expect(seen).toEqual([1, 2, 2, 5, 3, 8]);
  });

  it("tells the instruction of a callback, and throws what it threw after the slice", () => {
    const read = (): number => {
      throw new Error(`at ${engine.pc}`);
    };
    load([ADDS_R0_1, LDR_R2_R1, ADDS_R0_1], { read, write: () => {} });
    engine.setReg(R1, IO);
    expect(() => engine.run(100)).toThrow("at 2");
    expect(engine.pc).toBe(4);
  });

  it("stands on the instruction that the bus refused", () => {
    load([ADDS_R0_1, LDR_R2_R1]);
    engine.setReg(R1, 0x30000000);
    expect(engine.run(100)).toEqual({ kind: "bus", access: "read", address: 0x30000000 });
    expect(engine.pc).toBe(2);
  });

  it("asks for each read of a covered page, and takes back an instruction of which one was refused", () => {
    const LDM_R1_R2_R3_R4 = 0xc91c; // ldmia r1!, {r2, r3, r4}
    load([ADDS_R0_1, LDM_R1_R2_R3_R4, LDM_R1_R2_R3_R4, ADDS_R0_1, BACK_TO_0(8)]);
    const memory = Buffer.alloc(4096);
    engine.map(IO, memory, 1);
    memory.writeUInt32LE(7, 4);
    engine.setReg(R1, IO);
    engine.run(2); // reads it as plain memory first
    expect(engine.reg(R2)).toBe(0);
    engine.setReg(R1, IO);
    engine.pc = 0;
    let torn = IO + 16;
    engine.covered = (address) => (address === torn ? undefined : address & 0xff);
    engine.cover(IO);
    expect(engine.run(100)).toEqual({ kind: "bus", access: "read", address: torn });
    expect([engine.pc, engine.reg(R0), engine.reg(R1)]).toEqual([4, 2, IO + 12]);
    expect(engine.run(100)).toEqual({ kind: "bus", access: "read", address: torn }); // as often as it is tried
    torn = IO;
    expect(engine.run(2)).toEqual({ kind: "count" });
    expect([engine.reg(R2), engine.reg(R2 + 1), engine.reg(R1), engine.reg(R0)]).toEqual([12, 16, IO + 24, 3]);
    engine.pc = 0;
    engine.setReg(R1, IO);
    engine.uncover(IO, memory, 1);
    expect(engine.run(2)).toEqual({ kind: "count" });
    expect([engine.reg(R2), engine.reg(R2 + 1)]).toEqual([0, 7]);
  });

  it("does not fetch from a covered page, nor write to it", () => {
    load([ADDS_R0_1, STR_R0_R1, ADDS_R0_1]);
    engine.map(IO, Buffer.alloc(4096), 7);
    engine.cover(IO);
    engine.setReg(R1, IO + 8);
    expect(engine.run(100)).toEqual({ kind: "bus", access: "write", address: IO + 8 });
    expect(engine.pc).toBe(2);
    engine.pc = IO;
    expect(engine.run(100)).toMatchObject({ kind: "bus", access: "fetch" });
  });

  it("does not read what was closed, even when it was read before", () => {
    load([LDR_R2_R1, LDR_R2_R1]);
    engine.map(IO, Buffer.alloc(8192), 1);
    engine.setReg(R1, IO);
    expect(engine.run(1)).toEqual({ kind: "count" });
    engine.protect(IO, 8192, 0);
    expect(engine.run(1)).toEqual({ kind: "bus", access: "read", address: IO });
  });

  it("does not fetch from closed memory, not even code that was translated before", () => {
    load([ADDS_R0_1, BACK_TO_0(2)]);
    expect(engine.run(100)).toEqual({ kind: "count" });
    engine.protect(0, 4096, 0);
    engine.removeCache(0, 4096);
    expect(engine.run(100)).toMatchObject({ kind: "bus", access: "fetch" });
    engine.protect(0, 4096, 5);
    expect(engine.run(100)).toEqual({ kind: "count" });
  });

  it("waits at WFI and tells exceptions", () => {
    load([0xbf30, 0xdf00, 0xde00]); // WFI, SVC, UDF
    expect(engine.run(100)).toEqual({ kind: "wait" });
    expect(engine.run(100)).toEqual({ kind: "exception", number: 2 });
    expect(engine.run(100)).toEqual({ kind: "invalid-instruction" });
  });
});

describe("locateCounter", () => {
  it("finds the one place, and fails loudly when there is none or more than one", () => {
    load([ADDS_R0_1]);
    expect(locateCounter(() => new Unicorn())).toBeGreaterThan(0n);
    const blind = (words: bigint[]) => (): Unicorn =>
      Object.assign(new Unicorn(), { raw: () => BigUint64Array.from(words).buffer });
    expect(() => locateCounter(blind([1n, 2n, 3n]))).toThrow(
      "no instruction counter where it can be found (0 candidates)",
    );
  });
});
