/** scripts/check-elf.mjs and size.mjs: each gate first shows that it can fail, then what was built passes it. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { missingTailCalls, outsideMemory, ramReachesFlash, readElf } from "../../scripts/check-elf.mjs";
import { AOT_BUDGETS, BUDGETS, measure, measureAot, overBudget } from "../../scripts/size.mjs";

const built = new URL("../../build/ek-ra6m5.elf", import.meta.url);
const disassembly = (section: string) =>
  execFileSync("arm-none-eabi-objdump", ["-d", "-j", section, built.pathname], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });

/** `count` handlers that end in a jump. */
const handlers = (count: number) =>
  Array.from(
    { length: count },
    (_, i) => `0000${(0x1000 + i).toString(16)} <op_${i}>:\n    1000:\t4718      \tbx\tr3\n`,
  );

describe("missingTailCalls", () => {
  it("refuses a handler that calls the next one through a register", () => {
    const bad = "00009000 <op_i32_Add>:\n    9000:\t4798      \tblx\tr3\n";
    expect(missingTailCalls([...handlers(250), bad].join("\n"))).toEqual([
      "op_i32_Add calls the next operation where it must jump to it",
    ]);
  });

  it("lets the handlers that must come back call", () => {
    const loop = "00009000 <op_Loop>:\n    9000:\t4798      \tblx\tr3\n";
    expect(missingTailCalls([...handlers(250), loop].join("\n"))).toEqual([]);
  });

  it("refuses a listing without handlers instead of finding nothing wrong with it", () => {
    expect(missingTailCalls("")).toEqual(["found only 0 operation handlers, expected 200"]);
  });

  it("finds every handler of the built firmware in order", () => {
    expect(missingTailCalls(disassembly(".text"))).toEqual([]);
  });
});

const inRam = new Map(
  ["faci_program", "faci_erase", "faci_blank", "trap_reset", "__data_load"].map((name) => [
    name,
    name === "__data_load" ? 0x10000 : 0x20002000,
  ]),
);

describe("ramReachesFlash", () => {
  it("refuses a veneer, which only a call into flash needs", () => {
    const bad = "20002000 <faci_erase>:\n20002000:\tbd10      \tpop\t{r4, pc}\n\n20002010 <__memset_veneer>:\n";
    expect(ramReachesFlash(bad, inRam)).toEqual(["__memset_veneer: a function in RAM calls one in flash"]);
  });

  it("refuses a jump through a register, and a constant that is a place in flash", () => {
    const bad = "20002000 <faci_erase>:\n20002000:\t4798      \tblx\tr3\n20002004:\t00001234 \t.word\t0x00001234\n";
    expect(ramReachesFlash(bad, inRam)).toEqual([
      "faci_erase jumps through a register",
      "faci_erase holds 0x00001234, a place in flash",
    ]);
  });

  it("refuses a driver that was linked into flash", () => {
    const moved = new Map([...inRam, ["faci_erase", 0x50]]);
    const fine = "20002000 <faci_program>:\n20002000:\t4770      \tbx\tlr\n";
    expect(ramReachesFlash(fine, moved)).toEqual(["faci_erase must run from RAM"]);
  });

  it("refuses a listing without functions in RAM", () => {
    expect(ramReachesFlash("00001000 <main>:\n", inRam)).toEqual(["found no function in RAM"]);
  });

  it("finds nothing in the built firmware", () => {
    expect(ramReachesFlash(disassembly(".data"), readElf(readFileSync(built)).symbols)).toEqual([]);
  });
});

describe("outsideMemory", () => {
  it("refuses sections in option-setting memory, in the slot region and beyond RAM", () => {
    const sections = [
      { name: ".option_setting_ofs", address: 0x0100a100, size: 4 },
      { name: ".slots", address: 0x00100000, size: 128 },
      { name: ".bss", address: 0x2007fff0, size: 32 },
    ];
    expect(outsideMemory({ sections, segments: [] })).toHaveLength(4);
  });

  it("refuses a segment that would be flashed into the data flash", () => {
    expect(outsideMemory({ sections: [], segments: [{ physical: 0x08000000, fileSize: 4 }] })).toHaveLength(1);
  });

  it("finds nothing in the built firmware", () => {
    const elf = readElf(readFileSync(built));
    expect(elf.sections.map((section) => section.name)).toContain(".arena");
    expect(outsideMemory(elf)).toEqual([]);
  });
});

describe("overBudget", () => {
  it("names what is one byte too large", () => {
    expect(overBudget({ ...BUDGETS, flash: BUDGETS.flash + 1 })).toEqual([
      "flash: 196609 bytes, at most 196608 allowed",
    ]);
  });

  it("refuses a size that could not be measured", () => {
    expect(overBudget({ ...BUDGETS, RAM: Number.NaN })).toHaveLength(1);
  });

  it("finds nothing in what was built", () => {
    const wasm = readFileSync(new URL("../../build/core.wasm", import.meta.url));
    expect(overBudget(measure(wasm, readFileSync(built)))).toEqual([]);
  });

  it("holds the compiled core to budgets of its own", () => {
    const sizes = measureAot(readFileSync(new URL("../../build/ek-ra6m5-aot.elf", import.meta.url)));
    expect(overBudget(sizes, AOT_BUDGETS)).toEqual([]);
    expect(overBudget({ ...sizes, "aot image": 131073 }, AOT_BUDGETS)).toEqual([
      "aot image: 131073 bytes, at most 131072 allowed",
    ]);
  });
});
