/** The bench's own checks: what it puts into the ELF, and that targets can be missed. */
import { describe, expect, it } from "vitest";
import { VirtualBoard } from "../../board/virtual/board.js";
import { compare } from "../../scripts/bench/compare.js";
import type { Row } from "../../scripts/bench/cost.js";
import { withModule } from "../../scripts/bench/crypto.js";
import { type LineCost, measureLine } from "../../scripts/bench/line.js";
import { floorMs, modelledMs, timesFloor } from "../../scripts/bench/model.js";
import { profileCrypto } from "../../scripts/bench/profile.js";
import { atFill, FILLS, ofSize, recordsAt, SIZES } from "../../scripts/bench/store.js";
import { targets } from "../../scripts/bench/targets.js";
import { built, builtPath } from "../device/built.js";
import { buildProbe } from "./build.js";

const EMPTY = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0); // magic and version: a module with nothing in it

describe("withModule", () => {
  const elf = (core: Buffer) => Buffer.concat([Buffer.alloc(100, 1), core, Buffer.alloc(100, 2)]);

  it("replaces core.wasm by a valid module of the same length and leaves everything around it", () => {
    for (const length of [15, 16, 200, 26000]) {
      const core = Buffer.alloc(length, 3);
      const changed = withModule(elf(core), core, EMPTY);
      const module = changed.subarray(100, 100 + length);
      expect(WebAssembly.Module.exports(new WebAssembly.Module(Uint8Array.from(module)))).toEqual([]);
      expect(Buffer.concat([changed.subarray(0, 100), core, changed.subarray(100 + length)])).toEqual(elf(core));
    }
  });

  it("refuses an ELF that was built from another core.wasm, and a module that is too long", () => {
    expect(() => withModule(elf(Buffer.alloc(50, 3)), Buffer.alloc(50, 4), EMPTY)).toThrow("npm run build");
    expect(() => withModule(elf(Buffer.alloc(14, 3)), Buffer.alloc(14, 3), EMPTY)).toThrow("must fit");
  });
});

describe("profileCrypto", () => {
  it("finds the rotations of one compression of BLAKE3: seven rounds of 32, and none besides", async () => {
    await buildProbe(process.cwd(), "bench");
    const elf = withModule(built("ek-ra6m5.elf"), built("core.wasm"), built("bench.wasm"));
    const costs = profileCrypto(elf, builtPath("ek-ra6m5.elf"), "blake3", 64);
    const rotations = costs.filter((one) => one.handler.startsWith("op_u32_Rot"));
    expect(rotations.reduce((sum, one) => sum + one.calls, 0)).toBe(7 * 32);
  });
});

describe("targets", () => {
  /** Rows in which everything that has a limit costs `factor` times what is allowed. */
  const judged = (factor: number) => {
    const row = (name: string, instructions: Row["instructions"], bytes?: number): Row => ({
      ...{ group: "commands", name, bytes },
      instructions: Object.fromEntries(Object.entries(instructions).map(([engine, count]) => [engine, count * factor])),
    });
    const native = (limit: number) => ({ aot: limit * 1000, native: 1000 / factor });
    const rows = [
      row("seal, 3,900 bytes", { stock: 480, wasm3: 330, ...native(1.15) }, 1),
      row("blake3, 3,900 bytes", { stock: 270, wasm3: 175, ...native(1.7) }, 1),
      row("sha256, 3,900 bytes", { stock: 930, wasm3: 600, ...native(1.7) }, 1),
      row("x25519", { stock: 20e6, wasm3: 15e6, ...native(2) }),
      row("ed25519 sign", { stock: 15e6, wasm3: 12e6, ...native(2.2) }),
      row("hello and handshake", { stock: 45e6, wasm3: 26e6 }),
      { ...row("sign, sshsig", { wasm3: 114 * 120_000 }), line: { request: 0, answer: 0 } },
    ];
    rows.push({ group: "sessions", name: "close", instructions: { wasm3: 50_000 } });
    for (const fill of FILLS) {
      const of = (name: string, count: number) => rows.push(row(atFill(name, fill), { wasm3: count }));
      of("boot", 2_000_000 + 230 * 1000 + 40_000 * recordsAt(fill));
      rows.push({ group: "boot and list", name: atFill("list, all 64 bytes", fill), instructions: { wasm3: 1e6 } });
      of("list, all 3900 bytes", 1.01e6);
      rows.push({ group: "boot and list", name: atFill("list", fill), instructions: { wasm3: 250_000 } });
      for (const size of SIZES) {
        rows.push(row(ofSize("find", size, fill), { wasm3: 250_000 }));
        const put = 1e6 + (fill === 100 ? 200_000 * factor : 0);
        rows.push({ group: "commands", name: ofSize("put", size, fill), instructions: { wasm3: put } });
      }
    }
    const line = (operation: string, ms: number, rest: Partial<LineCost>): LineCost => ({
      ...{ operation, engine: "wasm3", baud: 923_077, ms, floorMs: 100, ...rest },
    });
    return targets(1000, rows, [
      line("get", 0, { ofLineRate: 0.78 / factor }),
      line("gets sent ahead", 0, { ofLineRate: 0.9 / factor }),
      line("put", 135 * factor, {}),
      line("put", 999, { baud: 115_200 }),
    ]);
  };

  it("are all met at their limits, and all missed a fifth above", () => {
    expect(judged(1).filter((one) => !one.met)).toEqual([]);
    expect(judged(1.2).filter((one) => one.met)).toEqual([]);
    expect(judged(1).length).toBe(34);
  });
});

describe("the model", () => {
  const row: Row = {
    ...{ group: "commands", name: "put", instructions: { wasm3: 1_200_000, aot: 120_000 } },
    ...{
      line: { request: 900, answer: 252 },
      flash: { slotPrograms: 10, slotErases: 0, dataPrograms: 10, dataErases: 1 },
    },
  };

  it("has a floor of line and flash, and above it the processor", () => {
    expect(floorMs(row, 115_200)).toBeCloseTo(100 + 4.1 + 1.6 + 1.7);
    expect(modelledMs(row, "wasm3", 115_200)).toBeCloseTo(107.4 + 10);
    expect(timesFloor(row, "aot", 921_600)).toBeCloseTo((19.9 + 0.8125) / 19.9);
  });

  it("is what virtual time follows: with 1.6 cycles each, instructions take so much longer", () => {
    const board = VirtualBoard.create({ elf: builtPath("ek-ra6m5.elf"), seed: 1, cyclesEach: 1.6 });
    try {
      board.powerOn();
      board.run();
      expect(board.time.cycles).toBeGreaterThanOrEqual(Math.floor(1.6 * board.instructions));
      expect(board.faults.list).toEqual([]);
    } finally {
      board.close();
    }
  });
});

describe("measureLine", () => {
  it("brings bodies at nearly the line's rate when gets are sent ahead, and is never above it", () => {
    const costs = measureLine(built("ek-ra6m5-aot.elf"), "aot", 921_600);
    const rates = costs.flatMap(({ ofLineRate }) => ofLineRate ?? []);
    expect(costs.every(({ baud }) => Math.round(baud) === 923_077)).toBe(true);
    expect(rates.length).toBe(2);
    expect(rates.every((rate) => rate > 0.5 && rate < 1)).toBe(true);
    expect(rates[1]!).toBeGreaterThan(rates[0]!);
  });
});

describe("compare", () => {
  const rows = (seal: number, get: number): Row[] => [
    { group: "primitives", name: "seal", instructions: { wasm3: seal } },
    { group: "commands", name: "get", instructions: { wasm3: get, aot: 1000 } },
  ];
  const committed = rows(1000, 1000);

  it("names what costs more than three percent more, and says what costs less", () => {
    const found = compare(committed, rows(1031, 999));
    expect(found.worse).toEqual([{ row: "seal", engine: "wasm3", before: 1000, now: 1031 }]);
    expect(found.better.map(({ row }) => row)).toEqual(["get"]);
    expect(compare(committed, rows(1030, 1000)).worse).toEqual([]);
  });

  it("names rows that the committed result does not have, and lets one miss that was not measured", () => {
    const more: Row[] = [{ group: "commands", name: "new", instructions: { aot: 1 } }];
    expect(compare(committed, more).unknown).toEqual(["new (aot)"]);
    expect(compare(committed, []).worse).toEqual([]);
  });
});
