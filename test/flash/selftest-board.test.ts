/** `mbs board selftest` with the real OpenOCD on the virtual board: a good board passes, a bad one is told, and nothing of a store is touched. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { VirtualBoard } from "../../board/virtual/board.js";
import { tears } from "../../board/virtual/nor.js";
import { DebugProbe } from "../../board/virtual/probe/probe.js";
import { SELFTEST_CODE_AT, SELFTEST_DATA_AT } from "../../firmware/defs/selftest.js";
import type { Row } from "../../host/flash/selftest/row.js";
import { missing } from "../board/probe/openocd.js";
import { type Ended, runMbs, type Terminal } from "../cli/run.js";
import { builtPath } from "../device/built.js";

const SEED = 6;
const DATA = SELFTEST_DATA_AT & 0xffff;
const BLOCK = 0x8000;
const HELD_MS = 400;

describe.skipIf(missing !== undefined)(`mbs board selftest${missing === undefined ? "" : `: ${missing}`}`, () => {
  let folder: string;
  let board: VirtualBoard;
  let probe: DebugProbe;
  let faults: string[];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "mbs-selftest-"));
    faults = [];
    board = VirtualBoard.create({ elf: builtPath("ek-ra6m5.elf"), seed: SEED });
    board.onEvent = (event) => {
      if (event.kind === "fault") faults.push(event.fault.text);
    };
    probe = await DebugProbe.attach(board, { where: join(folder, "virtual.probe") });
    board.powerOn();
    board.start();
  });
  afterEach(async () => {
    await probe.close();
    board.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const selftest = (argv: string[], terminal?: Terminal): Promise<Ended> =>
    runMbs(["board", "selftest", "--probe", "virtual", ...argv], { MBS_CONFIG_DIR: folder }, terminal);
  async function rows(exitCode: number): Promise<Map<string, Row>> {
    const ended = await selftest(["--no-touch", "--yes", "--json"]);
    expect({ exitCode: ended.exitCode, err: ended.err }).toEqual({ exitCode, err: "" });
    const { items }: { items: Row[] } = JSON.parse(ended.out);
    return new Map(items.map((row) => [row.item, row]));
  }
  const differing = (found: Map<string, Row>): string[] =>
    [...found.values()].filter(({ verdict }) => verdict === "differs").map(({ item }) => item);

  it("finds nothing that differs, leaves all flash but its own blocks as it was and those blank, and has the firmware start again", async () => {
    board.code.program(0x100000, Buffer.alloc(128, 0x11));
    board.data.program(512, Buffer.alloc(64, 0x22));
    const [code, data] = [board.code.snapshot(), board.data.snapshot()];
    const found = await rows(0);
    expect(differing(found)).toEqual([]);
    expect([...found.values()].filter(({ verdict }) => verdict === "ok").length).toBeGreaterThan(35);
    expect(board.peek(0, code.bytes.length)!.equals(code.bytes)).toBe(true);
    const after = board.data.snapshot();
    expect(after.states).toEqual(data.states);
    expect(after.bytes.subarray(512, 576)).toEqual(data.bytes.subarray(512, 576));
    expect(faults).toEqual([expect.stringMatching(/programmed at 0x000f8000, which is not certainly erased/)]);
    board.stop();
    expect(board.run()).toBe("idle");
    expect(board.lights).toEqual(["ready"]);
  });

  it("does not touch flash that is not blank", async () => {
    board.code.program(SELFTEST_CODE_AT + BLOCK - 128, Buffer.alloc(128, 0x33));
    board.data.program(DATA + 60, Buffer.alloc(4, 0x44));
    const operations = board.supply.operations;
    const found = await rows(0);
    expect([found.get("code flash")?.verdict, found.get("data flash")?.verdict]).toEqual([
      "not checked",
      "not checked",
    ]);
    expect(board.supply.operations).toBe(operations);
  });

  it("tells what flash that fails does, and exits with 1", async () => {
    board.code.stick(SELFTEST_CODE_AT, { program: true });
    board.data.stick(DATA, { erase: true });
    const found = differing(await rows(1));
    expect(found).toContain("code flash: units that hold what was programmed");
    expect(found).toContain("data flash: erase 64 bytes, blank");
  });

  it("goes on after an access that the bus refuses", async () => {
    board.supply.tear({ tear: tears.half, unreadable: true }, () => {
      board.code.program(SELFTEST_CODE_AT, Buffer.alloc(128, 0x55));
    });
    const found = await rows(1);
    expect(differing(found)).toEqual(["code flash"]);
    expect(found.get("code flash")?.value).toMatch(/^The bus refused an access of measurement 5: CFSR 0x/);
    expect(found.get("noise: samples")?.verdict).toBe("ok");
  });

  it("runs on a board without firmware, and tells a switch that is stuck", async () => {
    board.code.preloadErased(0, 0x40000);
    board.press("s2");
    expect(differing(await rows(1))).toEqual(["S1", "S2"]);
  });

  it("asks before it begins, and needs --yes without a terminal; a no, or nobody, changes nothing", async () => {
    const operations = board.supply.operations;
    const declined = await selftest(["--no-touch"], { typed: ["n"] });
    expect(declined.err).toContain("0x000f8000 … 0x000fffff");
    expect(declined.err).toContain("0x08001f00 … 0x08001f3f");
    expect(declined.exitCode).not.toBe(0);
    const nobody = await selftest(["--no-touch"], { input: "" });
    expect(nobody.err).toContain("Say --yes");
    expect(nobody.exitCode).not.toBe(0);
    expect(board.supply.operations).toBe(operations);
    expect(probe.exchanges).toBe(0);
  });

  it("has a person look at the lights and press the switches", async () => {
    const press = (which: "s1" | "s2"): void => {
      board.press(which);
      setTimeout(() => board.release(which), HELD_MS);
    };
    const ended = selftest([], {
      typed: ["y", "y", "n", "y"],
      seen: (text) => {
        if (text.includes("Press S1")) press("s1");
        if (text.includes("Press S2")) press("s2");
      },
    });
    const { err, exitCode, out } = await ended;
    expect(err).toContain("Press S1 on the board");
    expect(out).toMatch(/^differs +green light: seen +no/m);
    expect(out).toMatch(/^ok +S1 +pressed/m);
    expect(out).toMatch(/^ok +S2 +pressed/m);
    expect(exitCode).toBe(1);
  });
});
