/** The bench's own checks: what it puts into the ELF, and that targets can be missed. */
import { describe, expect, it } from "vitest";
import { withModule } from "../../scripts/bench/crypto.js";
import type { StoreResults } from "../../scripts/bench/store.js";
import { targets } from "../../scripts/bench/targets.js";

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

describe("targets", () => {
  /** Results in which seal, curves, sessions, boot, long list, find and full put cost `factor` times what is allowed at the least. */
  const judged = (factor: number) => {
    const flash = { slotPrograms: 0, slotErases: 0, dataPrograms: 0, dataErases: 0 };
    const command = (fill: number, put: number) => ({
      ...{ fill, records: fill, size: 64, flash },
      instructions: { firstPut: 0, put, get: 0, find: 100 * factor },
    });
    const fill = (records: number) => ({
      ...{ fill: records, records, list: 100, listSmall: 100, listLarge: 100 * factor },
      boot: (2_000_000 + 230 * 1000 + 40_000 * records) * factor,
    });
    const store: StoreResults = {
      commands: [command(1, 100), command(100, 100 + 200_000 * factor)],
      fills: [fill(1), fill(100)],
      churn: [],
      worst: { instructions: 0, flash, typicalMs: 0, mostMs: 0 },
    };
    const curves = ["x25519", "sign", "verify"].map((operation) => ({ operation, instructions: 20_000_000 * factor }));
    const sessions = [
      { operation: "hello and handshake", instructions: 45_000_000 * factor },
      { operation: "sign, sshsig", instructions: 20_000_000 * factor },
    ];
    const crypto = [{ operation: "seal" as const, length: 4096, instructions: 0, perByte: 520 * factor }];
    return targets(1000, { crypto, curves, sessions, store });
  };

  it("are all met at their limits, and all missed a fifth above", () => {
    expect(judged(1).map((one) => one.met)).toEqual(judged(1).map(() => true));
    expect(judged(1.2).map((one) => one.met)).toEqual(judged(1.2).map(() => false));
    expect(judged(1).length).toBe(12);
  });
});
