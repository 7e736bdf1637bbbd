/** The JTAG port of the virtual probe: bit by bit without OpenOCD, and with the real one, by the same target file as SWD. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { VirtualBoard } from "../../../board/virtual/board.js";
import { describeFault } from "../../../board/virtual/faults.js";
import type { AccessPort } from "../../../board/virtual/probe/ap.js";
import { Dp } from "../../../board/virtual/probe/dp.js";
import { ABORT, APACC, DPACC, IDCODE, IDENTIFY } from "../../../board/virtual/probe/jtag.js";
import { DebugProbe } from "../../../board/virtual/probe/probe.js";
import { type Level, SwdPort } from "../../../board/virtual/probe/swd.js";
import { packagePath, parseProbe, reaching } from "../../../host/flash/probe.js";
import { builtPath } from "../../device/built.js";
import { missing, type Session } from "./openocd.js";
import { AP, DP, JTAG_TO_SWD, POWER_UP, SWD_TO_JTAG } from "./wire.js";

const BYPASS = 0xf;
const OK = 2n;
const WAIT = 1n;
const STICKYERR = 1 << 5;

class Port implements AccessPort {
  readonly registers = new Map<number, number>();
  refuses = false;
  reset(): void {}
  read(register: number): number | undefined {
    return this.refuses ? undefined : (this.registers.get(register) ?? 0);
  }
  write(register: number, value: number): boolean {
    if (!this.refuses) this.registers.set(register, value);
    return !this.refuses;
  }
}

describe("the JTAG port", () => {
  let port: Port;
  let dp: Dp;
  let swd: SwdPort;
  let busy: boolean;
  beforeEach(() => {
    port = new Port();
    busy = false;
    dp = new Dp([port], () => busy);
    swd = new SwdPort(dp);
    reset();
  });
  const step = (tms: Level, tdi: Level = 0): Level => {
    swd.clock(tms, tdi);
    return swd.tdo;
  };
  /** From any state to run-test/idle. */
  function reset(): void {
    for (let i = 0; i < 5; i++) step(1);
    step(0);
  }
  /** From idle through one register, and back. @returns what came out */
  function shift(tms: Level[], value: bigint, bits: number): bigint {
    for (const level of tms) step(level);
    let out = 0n;
    for (let i = 0; i < bits; i++) {
      const level = step(i === bits - 1 ? 1 : 0, Number((value >> BigInt(i)) & 1n) as Level);
      out |= BigInt(level) << BigInt(i);
    }
    step(1);
    step(0);
    return out;
  }
  const ir = (instruction: number): bigint => shift([1, 1, 0, 0], BigInt(instruction), 4);
  const dr = (value: bigint, bits: number): bigint => shift([1, 0, 0], value, bits);
  /** @returns answer and data of the access before */
  function access(instruction: number, read: boolean, address: number, value = 0): { ack: bigint; data: number } {
    ir(instruction);
    const out = dr((BigInt(value) << 3n) | BigInt((address >> 1) & 6) | (read ? 1n : 0n), 35);
    return { ack: out & 7n, data: Number(out >> 3n) };
  }
  const result = () => access(DPACC, true, DP.buffer);
  const status = (): number => {
    access(DPACC, true, DP.ctrl);
    return result().data;
  };
  const powered = () => access(DPACC, false, DP.ctrl, POWER_UP);

  it("identifies itself after a reset, and when it is asked", () => {
    expect(dr(0n, 32)).toBe(BigInt(IDCODE));
    ir(BYPASS);
    ir(IDENTIFY);
    expect(dr(0n, 32)).toBe(BigInt(IDCODE));
    ir(BYPASS);
    reset();
    expect(dr(0n, 32)).toBe(BigInt(IDCODE));
  });

  it("shows 0001 where an instruction goes in", () => {
    expect(ir(BYPASS)).toBe(1n);
  });

  it.each([BYPASS, 0, 5])("passes what goes in on after one bit, with instruction %i", (instruction) => {
    ir(instruction);
    expect(dr(0b1011001n, 8)).toBe(0b10110010n);
  });

  it("goes through all pauses of a scan without losing a bit", () => {
    ir(BYPASS);
    for (const level of [1, 0, 0] as const) step(level);
    const out: Level[] = [];
    out.push(step(0, 1), step(1, 1)); // two bits, then exit1, pause, exit2, shift
    for (const level of [0, 0, 1, 0] as const) step(level);
    out.push(step(0, 0), step(1, 0));
    step(1);
    expect(out).toEqual([0, 1, 1, 0]);
  });

  it("reads and writes access ports, and answers with the next scan", () => {
    powered();
    expect(access(APACC, false, AP.tar, 0xdeadbeef).ack).toBe(OK);
    expect(port.registers.get(AP.tar)).toBe(0xdeadbeef);
    access(APACC, true, AP.tar);
    expect(result()).toEqual({ ack: OK, data: 0xdeadbeef });
    access(DPACC, false, DP.select, 0xf0);
    access(DPACC, true, DP.select);
    expect(result().data).toBe(0xf0);
    port.registers.set(0xfc, 0x84770001);
    access(APACC, true, 0xc);
    expect(result().data).toBe(0x84770001);
  });

  it("does nothing with a scan that it answered with WAIT, and keeps the result of the one before", () => {
    powered();
    port.registers.set(AP.tar, 7);
    access(APACC, true, AP.tar);
    busy = true;
    expect(access(APACC, false, AP.tar, 8).ack).toBe(WAIT);
    busy = false;
    expect(port.registers.get(AP.tar)).toBe(7);
    expect(result()).toEqual({ ack: OK, data: 7 });
  });

  it("keeps an error until it is cleared, and does nothing through access ports meanwhile", () => {
    powered();
    port.refuses = true;
    access(APACC, false, AP.tar, 1);
    port.refuses = false;
    expect(status() & STICKYERR).not.toBe(0);
    access(APACC, false, AP.tar, 2);
    expect(port.registers.has(AP.tar)).toBe(false);
    access(DPACC, false, DP.ctrl, POWER_UP | STICKYERR);
    expect(status() & STICKYERR).toBe(0);
    access(APACC, false, AP.tar, 3);
    expect(port.registers.get(AP.tar)).toBe(3);
  });

  it("clears an error by ABORT as well, and has one when it is used without power", () => {
    access(APACC, true, AP.tar);
    expect(status() & STICKYERR).not.toBe(0);
    ir(ABORT);
    dr(BigInt(1 << 2) << 3n, 35);
    expect(status() & STICKYERR).toBe(0);
  });

  it("is silent while serial wire is spoken, and there again after the switch back", () => {
    const sequence = ([bits, count]: [number, number]): void => {
      for (let i = 0; i < 51; i++) swd.clock(1);
      for (let i = 0; i < count; i++) swd.clock(((bits >>> i) & 1) as Level);
    };
    sequence(JTAG_TO_SWD);
    expect(dr(0n, 32)).toBe(0xffffffffn);
    sequence(SWD_TO_JTAG);
    reset();
    expect(dr(0n, 32)).toBe(BigInt(IDCODE));
  });
});

describe.skipIf(missing !== undefined)(`OpenOCD over JTAG${missing === undefined ? "" : `: ${missing}`}`, () => {
  const AT = 0x000f0000;
  let board: VirtualBoard;
  let probe: DebugProbe;
  let folder: string;
  let socket: string;
  beforeAll(async () => {
    board = VirtualBoard.create({ elf: builtPath("ek-ra6m5.elf"), seed: 8 });
    folder = mkdtempSync(join(tmpdir(), "mbs-jtag-"));
    socket = join(folder, "virtual.probe");
    probe = await DebugProbe.attach(board, { where: socket });
    board.powerOn();
    board.start();
  });
  afterAll(async () => {
    await probe.close();
    board.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** One run of OpenOCD, whose last command it is to leave. */
  function openocd(files: string[], ...commands: string[]): Promise<Session> {
    const adapter = fileURLToPath(new URL("jtag.cfg", import.meta.url));
    const options = ["-s", packagePath("board/ek-ra6m5/openocd")];
    for (const file of [adapter, "ek-ra6m5.cfg", ...files]) options.push("-f", file);
    for (const command of [...commands, "shutdown"]) options.push("-c", command);
    const [program = "", ...args] = reaching(parseProbe(`virtual:${socket}`, undefined, ""), ["openocd", ...options]);
    return new Promise((resolve) => {
      const child = execFile(program, args, (_error, out, err) =>
        resolve({ code: child.exitCode ?? 1, log: out + err }),
      );
    });
  }

  it("finds the part, halts it, and reads and writes memory", async () => {
    const { code, log } = await openocd(
      [],
      "init",
      "halt",
      "mdw 0xE000ED00",
      "mww 0x20040000 0x12345678",
      "mwb 0x20040001 0xab",
      "mdw 0x20040000",
      "resume",
    );
    expect(log).toContain("JTAG tap: ra6m5.cpu tap/device found: 0x6ba00477");
    expect(log).toContain("0xe000ed00: 410fd214");
    expect(log).toContain("0x20040000: 1234ab78");
    expect(log).not.toMatch(/^Error/m);
    expect(code).toBe(0);
  });

  it("tells another part, which over SWD passes", async () => {
    probe.trouble.cause({ dpidr: 0x4ba00477 });
    const { log } = await openocd([], "init", "halt");
    probe.trouble.cause({});
    expect(log).toContain("JTAG tap: ra6m5.cpu       UNEXPECTED: 0x4ba00477");
  });

  it("programs and verifies flash", async () => {
    const file = join(folder, "image");
    const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 7) & 0xff));
    writeFileSync(file, bytes);
    const { code, log } = await openocd(["flash.tcl"], `ra6m5_flash ${file} ${AT}`);
    expect(log).toContain("1000 bytes at 0x000F0000 programmed and verified");
    expect(code).toBe(0);
    expect(board.peek(AT, bytes.length)!.equals(bytes)).toBe(true);
    expect(board.faults.list.map(describeFault)).toEqual([]);
  });
});
