/** scripts/starts.ts: the gate first shows that it can fail, then what was built passes it. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { EngineMissing } from "../../board/virtual/unicorn.js";
import { BUDGETS } from "../../scripts/size.mjs";
import { start, startAll } from "../../scripts/starts.js";

const ELF = "build/ek-ra6m5.elf";
const folder = mkdtempSync(join(tmpdir(), "mbs-starts-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("start", () => {
  it("refuses firmware whose interpreter does not take the core, by the trap it ends in", () => {
    const bytes = readFileSync(ELF);
    const core = bytes.indexOf(Buffer.from("\0asm\x01\0\0\0", "latin1"));
    expect(core).toBeGreaterThan(0);
    bytes[core + 1] = 0;
    const spoilt = join(folder, "spoilt.elf");
    writeFileSync(spoilt, bytes);
    expect(() => start(spoilt)).toThrow(/spoilt\.elf does not start: trap 6, .*ARENA/);
  });

  it("takes both firmwares that were built, and says how much of the arena the interpreter uses", () => {
    const { instructions, arenaUsed } = start(ELF);
    expect(instructions).toBeGreaterThan(1e6);
    expect(arenaUsed).toBeGreaterThan(BUDGETS.arena / 2);
    expect(arenaUsed).toBeLessThanOrEqual(BUDGETS.arena);
    expect(start("build/ek-ra6m5-aot.elf").arenaUsed).toBeUndefined();
  });
});

describe("startAll", () => {
  const elf = join(folder, "some.elf");
  const failing = (error: Error) => () => {
    writeFileSync(elf, "some");
    startAll([elf], () => {
      throw error;
    });
  };

  it("deletes firmware that does not start", () => {
    expect(failing(new Error("does not start"))).toThrow("does not start");
    expect(existsSync(elf)).toBe(false);
  });

  it("leaves firmware alone that cannot be started here, without libunicorn", () => {
    expect(failing(new EngineMissing("no libunicorn"))).toThrow("no libunicorn");
    expect(existsSync(elf)).toBe(true);
  });
});
