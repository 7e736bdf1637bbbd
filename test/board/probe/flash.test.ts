/** flash.tcl with the real OpenOCD: what is programmed is there, and what is no flash is refused before anything connects. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { VirtualBoard } from "../../../board/virtual/board.js";
import { describeFault } from "../../../board/virtual/faults.js";
import { seeded } from "../../../board/virtual/prng.js";
import { DebugProbe } from "../../../board/virtual/probe/probe.js";
import { builtPath } from "../../device/built.js";
import { missing, Namespace } from "./openocd.js";

const SEED = 4;
const FREE = 0x000f0000; // between the firmware and the slots
const DATA = 0x08000000;

describe.skipIf(missing !== undefined)(`ra6m5_flash${missing === undefined ? "" : `: ${missing}`}`, () => {
  const random = seeded(SEED);
  let board: VirtualBoard;
  let probe: DebugProbe;
  let namespace: Namespace;
  let joined = 0;
  beforeAll(async () => {
    board = VirtualBoard.create({ elf: builtPath("ek-ra6m5.elf"), seed: SEED });
    board.powerOn();
    namespace = new Namespace();
    probe = await DebugProbe.attach(board, { where: namespace.socket, events: { joined: () => joined++ } });
    board.start();
  });
  afterAll(async () => {
    await probe.close();
    board.close();
    namespace.remove();
  });

  function file(length: number): { path: string; bytes: Buffer } {
    const path = join(namespace.folder, `image${length}`);
    const bytes = Buffer.from(Array.from({ length }, () => random() & 0xff));
    writeFileSync(path, bytes);
    return { path, bytes };
  }
  const flash = (path: string, address: number) => namespace.script("flash.tcl", `ra6m5_flash ${path} ${address}`);

  it.each([
    ["code flash, over what was there", FREE, 33_001],
    ["code flash again", FREE, 1000],
    ["data flash", DATA + 64, 333],
  ])("programs and verifies %s", async (_what, address, length) => {
    const { path, bytes } = file(length);
    const { code, log } = await flash(path, address);
    expect(log).toContain(`${length} bytes at 0x${address.toString(16).toUpperCase().padStart(8, "0")} programmed`);
    expect(code).toBe(0);
    expect(board.peek(address, length)!.equals(bytes)).toBe(true);
    const rest = -length & 0xf; // of the last unit, in both flashes
    expect(board.peek(address + length, rest)!.equals(Buffer.alloc(rest, 0xff))).toBe(true);
    expect(board.faults.list.map(describeFault)).toEqual([]);
  });

  it.each([
    ["option-setting memory", 0x0100a100, 16, /not all in code flash/],
    ["RAM", 0x20000000, 16, /not all in code flash/],
    ["the end of code flash", 0x001fff80, 129, /not all in code flash/],
    ["the end of data flash", 0x08001ff0, 17, /not all in code flash/],
    ["an address inside a unit", FREE + 2, 16, /no multiple of 128/],
    ["nothing", FREE, 0, /nothing to program/],
  ])("refuses %s before it connects", async (_what, address, length, why) => {
    const before = joined;
    const { code, log } = await flash(file(length).path, address);
    expect(log).toMatch(why);
    expect(code).toBe(1);
    expect(joined).toBe(before);
  });

  it("fails when power fails while it programs, and succeeds when it is done again", async () => {
    const { path, bytes } = file(2000);
    let changes = 0;
    board.onFlashChanged = () => {
      if (++changes === 5) board.powerOff();
    };
    const { code, log } = await flash(path, FREE);
    expect(log).toMatch(/^Error/m);
    expect(code).toBe(1);
    board.powerOn();
    expect((await flash(path, FREE)).code).toBe(0);
    expect(board.peek(FREE, bytes.length)!.equals(bytes)).toBe(true);
  });

  it("leaves a firmware that boots", () => {
    board.stop();
    board.reset();
    board.powerOff();
    board.powerOn();
    expect(board.run()).toBe("idle");
    expect(board.lights).toEqual(["ready"]);
    expect(board.faults.list.map(describeFault)).toEqual([]);
  });
});
