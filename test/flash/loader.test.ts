/** The RAM loader: the firmware's flash driver under a debugger. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import * as defs from "../../firmware/defs/loader.js";
import { crc32 } from "../../host/client/crc.js";
import { FlashBoard } from "../../host/flash/board.js";
import { Loader } from "../../host/flash/loader.js";
import type { Operation } from "../../host/flash/operation.js";
import { parseProbe } from "../../host/flash/probe.js";
import { missing, why } from "../board/probe/openocd.js";
import { built } from "../device/built.js";
import { FlashDesk } from "./desk.js";

const SEED = 77;
const ROUND_TRIPS = 200;
const LOADER_MAX = 4096;
const FREE = 0x00080000;
const DATA = 0x08000000;
const TCL = readFileSync(new URL("../../board/ek-ra6m5/openocd/loader.tcl", import.meta.url), "latin1");

describe("loader.bin", () => {
  it("has at most 4 KB, and a vector table that begins with its stack", () => {
    const loader = built("arm/loader.bin");
    expect(loader.length).toBeLessThanOrEqual(LOADER_MAX);
    expect(loader.readUInt32LE(0)).toBe(defs.LOADER_STACK_TOP);
    expect(loader.readUInt32LE(4) % 2).toBe(1);
    expect(loader.readUInt32LE(4)).toBeLessThan(defs.LOADER_BASE + loader.length);
  });

  it("is where the OpenOCD script looks for it", () => {
    const set = (name: string) => Number(new RegExp(`set ${name} +(\\S+)`).exec(TCL)?.[1]);
    expect(set("RA6M5_LOADER")).toBe(defs.LOADER_BASE);
    expect(set("RA6M5_MAILBOX")).toBe(defs.LOADER_MAILBOX);
    expect(set("RA6M5_OPERATIONS")).toBe(defs.LOADER_OPERATIONS);
    expect(set("RA6M5_STACK")).toBe(defs.LOADER_STACK_TOP);
    expect(set("RA6M5_HELLO")).toBe(defs.LOADER_HELLO);
  });

  it("knows no result that a probe without a board could read", () => {
    const { LOADER_DONE, LOADER_REFUSED, LOADER_ERASE, LOADER_PROGRAM, LOADER_DIFFERS } = defs;
    const { LOADER_FAULT, LOADER_LOST, LOADER_CLOCK } = defs;
    const results = [LOADER_DONE, LOADER_REFUSED, LOADER_ERASE, LOADER_PROGRAM, LOADER_DIFFERS];
    for (const value of [...results, LOADER_FAULT, LOADER_LOST, LOADER_CLOCK])
      expect([0, 0xffffffff]).not.toContain(value);
  });
});

describe.skipIf(missing !== undefined)(`the RAM loader on the virtual board${why}`, { timeout: 60_000 }, () => {
  const random = seeded(SEED);
  const noise = (length: number) => Buffer.from(Array.from({ length }, () => random() & 0xff));
  let desk: FlashDesk;
  let board: FlashBoard;
  let loader: Loader;
  beforeAll(async () => {
    desk = await FlashDesk.open({ seed: SEED });
    board = await FlashBoard.connect(parseProbe(`virtual:${desk.socket}`, undefined, "/"));
    loader = (await Loader.start(board))!;
  });
  afterAll(async () => {
    await board.close();
    await desk.close();
  });
  const perform = (...operations: Operation[]) => loader.perform(operations, () => {});

  it(`programs 100 KB with at most ${ROUND_TRIPS} ways to the probe and back, its own start among them`, async () => {
    await board.resetHalted();
    const before = desk.probe.exchanges;
    loader = (await Loader.start(board))!;
    const bytes = noise(102_400);
    const operations: Operation[] = [];
    for (let at = 0; at < bytes.length; at += 0x8000) {
      const part = bytes.subarray(at, at + 0x8000);
      operations.push({ kind: "erase", address: FREE + at });
      operations.push(
        { kind: "program", address: FREE + at, bytes: part },
        { kind: "check", address: FREE + at, bytes: part },
      );
    }
    await perform(...operations);
    const trips = desk.probe.exchanges - before;
    expect(desk.board.peek(FREE, bytes.length)!.equals(bytes)).toBe(true);
    expect(trips).toBeLessThanOrEqual(ROUND_TRIPS);
    expect(trips).toBeGreaterThan(bytes.length / 1021); // or the probe does not count
  });

  it("programs data flash in its units", async () => {
    const bytes = noise(96);
    await perform(
      { kind: "erase", address: DATA + 512 },
      { kind: "erase", address: DATA + 576 },
      { kind: "program", address: DATA + 516, bytes },
      { kind: "check", address: DATA + 516, bytes },
    );
    expect(desk.board.peek(DATA + 516, 96)!.equals(bytes)).toBe(true);
    expect(desk.board.data.blank(512, 4)).toBe(true);
  });

  it("leaves units of ones of code flash as they were erased", async () => {
    const bytes = Buffer.concat([noise(128), Buffer.alloc(256, 0xff), noise(128)]);
    const programs = desk.board.code.totalPrograms;
    await perform({ kind: "erase", address: FREE }, { kind: "program", address: FREE, bytes });
    expect(desk.board.code.totalPrograms - programs).toBe(2);
  });

  it("does as many operations as there are, in batches of what fits", async () => {
    const bytes = noise(0x28000);
    const blocks = Array.from({ length: 5 }, (_, i): Operation => ({ kind: "erase", address: FREE + 0x8000 * i }));
    const checks = Array.from({ length: defs.LOADER_OPERATIONS_MAX }, (_, i): Operation => {
      return { kind: "check", address: FREE + 128 * i, bytes: bytes.subarray(128 * i, 128 * i + 128) };
    });
    const seen: number[] = [];
    const halves = [0, 0x14000].map(
      (at): Operation => ({ kind: "program", address: FREE + at, bytes: bytes.subarray(at, at + 0x14000) }),
    );
    await loader.perform([...blocks, ...halves, ...checks], (done) => seen.push(done));
    expect(seen.at(-1)).toBe(507);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(desk.board.peek(FREE, bytes.length)!.equals(bytes)).toBe(true);
  });

  it("says where cells do not hold what they should", async () => {
    const bytes = noise(256);
    await expect(perform({ kind: "check", address: FREE + 256, bytes })).rejects.toThrow(
      /0x00080100 could not be programmed as it should be \(its CRC/,
    );
    expect(crc32(Buffer.from("123456789"))).toBe(0xcbf43926);
  });

  it.each([
    ["RAM", { kind: "program", address: 0x20010000, bytes: Buffer.alloc(128) }],
    ["option-setting memory", { kind: "program", address: 0x0100a100, bytes: Buffer.alloc(128) }],
    ["option-setting memory", { kind: "erase", address: 0x0100a100 }],
    ["the end of code flash", { kind: "program", address: 0x1fff80, bytes: Buffer.alloc(256) }],
    ["the end of data flash", { kind: "program", address: DATA + 0x1ffc, bytes: Buffer.alloc(8) }],
    ["the end of the address space", { kind: "check", address: 0xfffffffc, bytes: Buffer.alloc(8) }],
    ["an address inside a unit", { kind: "program", address: FREE + 64, bytes: Buffer.alloc(128) }],
    ["half a unit", { kind: "program", address: FREE, bytes: Buffer.alloc(64) }],
    ["an address inside a block", { kind: "erase", address: FREE + 0x2000 }],
  ] as [string, Operation][])("refuses %s, whoever asks", async (_what, operation) => {
    const before = [desk.board.code.totalErases, desk.board.code.totalPrograms, desk.board.data.totalPrograms];
    await expect(perform(operation)).rejects.toThrow(/the RAM loader refused it, 0x0BADF101/);
    expect([desk.board.code.totalErases, desk.board.code.totalPrograms, desk.board.data.totalPrograms]).toEqual(before);
  });

  it("refuses bytes from outside of its buffer", async () => {
    for (const source of [0x20003f80, defs.LOADER_BUFFER + defs.LOADER_BUFFER_SIZE - 64, 0xfffffff0]) {
      await board.tcl(`ra6m5_loader_ask {${defs.LOADER_OP_PROGRAM} ${FREE} 128 ${source}}`);
      await board.pause(100);
      expect((await board.tcl("ra6m5_loader_look")).split(" ").map(Number)[0]).toBe(defs.LOADER_REFUSED);
    }
  });

  it("tells what the sequencer said when an operation fails, and goes on afterwards", async () => {
    desk.board.cutPower({ operation: 0, tear: () => false, powered: true });
    await expect(perform({ kind: "erase", address: FREE })).rejects.toThrow(/could not be erased \(ERSERR, CMDLK\)/);
    desk.board.cutPower({ operation: 1, tear: () => false, powered: true });
    const bytes = noise(128);
    const erase: Operation = { kind: "erase", address: FREE };
    await expect(perform(erase, { kind: "program", address: FREE, bytes })).rejects.toThrow(
      /programmed \(PRGERR, CMDLK\)/,
    );
    await perform(erase, { kind: "program", address: FREE, bytes }, { kind: "check", address: FREE, bytes });
  });

  it("tells of a fault of its own, where cells that were torn refuse to be read", async () => {
    desk.board.cutPower({ operation: 1, tear: () => true, powered: true, unreadable: true });
    const bytes = noise(128);
    const operations: Operation[] = [
      { kind: "erase", address: FREE },
      { kind: "program", address: FREE, bytes },
    ];
    await expect(perform(...operations)).rejects.toThrow(/PRGERR/);
    await expect(perform({ kind: "check", address: FREE, bytes })).rejects.toThrow(/the bus refused it, CFSR/);
    await board.resetHalted();
    loader = (await Loader.start(board))!;
    await perform(...operations);
  });

  it("gives the sequencer no reason to complain in all this", () => {
    expect(desk.faults).toEqual([]);
  });
});
