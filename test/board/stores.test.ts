/** Quick stores: the same bytes as slow ones, and code that is stored is the code that runs. They are opt-in (unicorn.ts), and so is this. */
import { afterEach, describe, expect, it } from "vitest";
import { Engine, REG } from "../../board/virtual/engine.js";
import { Unicorn } from "../../board/virtual/unicorn.js";

const RAM = 0x20000000;
const PAGE = 4096;
const STR_R2_R1 = 0x600a;
const ADDS_R1_4 = 0x3104;
const ADDS_R2_1 = 0x3201;
const BLX_R4 = 0x47a0;
const STRH_R2_R3 = 0x801a;
const BX_LR = 0x4770;
const ADDS_R0_1 = 0x3001;
const ADDS_R0_16 = 0x3010;
const BACK = (at: number): number => 0xe000 | (((0 - (at + 4)) >> 1) & 0x7ff);

const engine = new Engine();
const ram = Buffer.alloc(64 * PAGE);
afterEach(() => engine.close());

describe.runIf(process.env.MBS_QUICK_STORES === "1")("quick stores, where MBS_QUICK_STORES=1 asks for them", () => {
  it("stores reach memory, code memory keeps its check, and a page opened for code sees what is stored to it", () => {
    const code = Buffer.alloc(PAGE);
    const program = (halfwords: number[]): void => {
      engine.removeCache(0, PAGE);
      halfwords.forEach((word, i) => {
        code.writeUInt16LE(word, 2 * i);
      });
      engine.pc = 0;
    };
    engine.map(0, code, 5);
    engine.map(RAM, ram, 3);
    program([STR_R2_R1, ADDS_R1_4, ADDS_R2_1, BACK(6)]);
    engine.setReg(REG.R0 + 1, RAM);
    engine.setReg(REG.R0 + 2, 0);
    const words = ram.length / 4;
    while (engine.instructions < 4 * words) engine.run(Math.min(100_000, 4 * words - engine.instructions));
    expect(new Uint32Array(ram.buffer, ram.byteOffset, words)).toEqual(
      Uint32Array.from({ length: words }, (_, i) => i),
    );

    // a function in RAM that is changed by a store and called again
    engine.protect(RAM, PAGE, 7);
    ram.writeUInt16LE(BX_LR, 2);
    program([STRH_R2_R3, BLX_R4]);
    engine.setReg(REG.R0, 0);
    engine.setReg(REG.R0 + 3, RAM);
    engine.setReg(REG.R0 + 4, RAM | 1);
    for (const added of [ADDS_R0_1, ADDS_R0_16, ADDS_R0_1, ADDS_R0_16]) {
      engine.setReg(REG.R0 + 2, added);
      engine.pc = 0;
      engine.run(4);
    }
    expect(engine.reg(REG.R0)).toBe(34);
  });

  it("are available with this build of libunicorn", () => {
    const unicorn = new Unicorn();
    unicorn.map(0, Buffer.alloc(PAGE), 5);
    expect(unicorn.stores()).toBeDefined();
    unicorn.close();
  });
});
