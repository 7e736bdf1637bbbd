/** What goes wrong between mbs and a board: each with the real OpenOCD and a fault at the wire, so far as one can be provoked; what
 *  cannot be, with a mock OpenOCD that prints it. */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { explainConnect, findPermission } from "../../host/flash/errors.js";
import { parseProbe } from "../../host/flash/probe.js";
import { missing, why } from "../board/probe/openocd.js";
import type { Ended } from "../cli/run.js";
import { ELF, FlashDesk, firmware } from "./desk.js";

const DLMMON = 0x400e002c;
const PART = 0x010080f0;
const RAM = 0x20000000;
const FASTAT = 0x407fe010;

describe.skipIf(missing !== undefined)(`mbs flash when something is wrong${why}`, { timeout: 120_000 }, () => {
  let desk: FlashDesk;
  beforeAll(async () => {
    desk = await FlashDesk.open({ seed: 74 });
    await desk.runs();
  });
  afterAll(() => desk.close());
  afterEach(() => {
    desk.probe.trouble.cause({});
    desk.board.powerOn();
  });
  const write = (...more: string[]): Promise<Ended> => desk.flash(["write", ELF, ...more]);
  /** The same command once more repairs the board. */
  async function repaired(): Promise<void> {
    desk.probe.trouble.cause({});
    desk.board.powerOn();
    expect(await desk.ok(["write", ELF])).toMatchObject({ verified: true });
    expect(desk.board.peek(0, firmware().length)!.equals(firmware())).toBe(true);
    await desk.runs();
  }

  it("says that there is no probe, and how to start one", async () => {
    const { exitCode, err } = await desk.mbs(["flash", "write", ELF, "--probe", `virtual:${desk.path("nothing")}`]);
    expect([exitCode, err]).toEqual([
      3,
      expect.stringMatching(/No virtual probe was found at .*not changed.*\n.*mbs board run --probe/),
    ]);
  });

  it("takes the socket in the configuration directory when none is named", async () => {
    const { exitCode, err } = await desk.mbs(["flash", "verify", ELF, "--probe", "virtual"]);
    expect([exitCode, err]).toEqual([3, expect.stringContaining(desk.path("config/virtual.probe"))]);
  });

  it("says that another program uses the probe", async () => {
    const other = connect(desk.socket);
    await new Promise((resolve) => other.once("data", resolve));
    const { exitCode, err } = await write();
    other.destroy();
    expect([exitCode, err]).toEqual([3, expect.stringContaining("The virtual probe is used by another program.")]);
  });

  it("says that the board has no power", async () => {
    desk.board.powerOff();
    const { exitCode, err } = await write();
    expect([exitCode, err]).toEqual([3, expect.stringContaining("the board has no power")]);
  });

  it.each([
    ["another debug port", { dpidr: 0x2ba01477 }, /0x2ba01477, where that of an RA6M5 is 0x6ba02477/],
    [
      "another part number",
      { alters: { address: PART, mask: 1 } },
      /part number ".*", where that of the EK-RA6M5 begins with R7FA6M5/,
    ],
    ["life-cycle state NSECSD", { alters: { address: DLMMON, mask: 1 } }, /life-cycle state NSECSD/],
    ["life-cycle state LCK_BOOT", { alters: { address: DLMMON, mask: 4 } }, /life-cycle state LCK_BOOT/],
    ["a locked processor", { locked: true }, /life-cycle state of the part locks it/],
  ])("refuses %s and writes nothing", async (_what, plan, message) => {
    desk.probe.trouble.cause(plan);
    const { exitCode, err } = await desk.unchanged(["write", ELF]);
    expect([exitCode, err]).toEqual([1, expect.stringMatching(message)]);
    desk.probe.trouble.cause({});
    await desk.runs();
  });

  it.each([
    ["waits for ever", { waits: { from: 0 } }],
    ["answers nothing but faults", { errors: { from: 0 } }],
    ["answers with wrong parity", { parity: { from: 0 } }],
  ])("says that nobody is reached behind a probe that %s", async (_what, plan) => {
    desk.probe.trouble.cause(plan);
    const { exitCode, err } = await desk.unchanged(["write", ELF]);
    expect([exitCode, err]).toEqual([3, expect.stringMatching(/The probe is there|The debug port answers/)]);
  });

  it("does not mind one word with wrong parity", async () => {
    desk.probe.trouble.cause({ after: FASTAT, parity: { from: 0, count: 1 } });
    expect((await desk.ok(["verify", ELF])).verified).toBe(true);
  });

  it.each([
    ["while it looks at the board", { after: PART, dies: 3 }],
    ["while the loader is loaded", { after: RAM, dies: 100 }],
    ["while bytes are sent", { after: RAM + 0x4000, dies: 9000 }],
    ["while it waits for the loader", { after: RAM + 0x1004, dies: 8 }],
    ["while it reads back", { after: 0x2000, dies: 50 }],
  ])("never takes a probe that dies %s for success, and repairs the board when it is back", async (_when, plan) => {
    desk.probe.trouble.cause(plan);
    const { exitCode, err, out } = await write();
    expect([exitCode, out]).toEqual([3, ""]);
    expect(err).toMatch(/connection to the virtual probe was lost|does not answer its probe/);
    expect(err).toContain("run the same command again");
    await repaired();
  });

  it("never takes a probe that dies for success without the loader either", async () => {
    desk.probe.trouble.cause({ after: FASTAT, dies: 20_000 });
    const { exitCode, err } = await write("--no-loader");
    expect([exitCode, err]).toEqual([3, expect.stringContaining("flashed in part")]);
    await repaired();
  });

  it("says that power went, and repairs the board when it is back", async () => {
    desk.board.cutPower({ operation: 200, tear: () => true, marginal: true });
    const { exitCode, err } = await write();
    expect([exitCode, err]).toEqual([3, expect.stringContaining("flashed in part")]);
    desk.board.powerOn();
    expect(desk.board.lights).toEqual([]); // it does not run
    await repaired();
  });

  it("says where flash does not take what is programmed or erased", async () => {
    desk.board.cutPower({ operation: 3, tear: () => false, powered: true });
    const { exitCode, err } = await write();
    expect([exitCode, err]).toEqual([
      1,
      expect.stringMatching(/flash at 0x0000.{4} could not be (programmed|erased) \(.*CMDLK/),
    ]);
    await repaired();
    desk.board.cutPower({ operation: 0, tear: () => false, powered: true });
    const slow = await write("--no-loader");
    expect([slow.exitCode, slow.err]).toEqual([1, expect.stringMatching(/0x00000000 could not be erased \(.*ERSERR/)]);
    await repaired();
  });

  it("says where the board reads differently from what was written, and does not start it", async () => {
    desk.probe.trouble.cause({ alters: { address: 0x8004, mask: 0x100 } });
    const { exitCode, err } = await write();
    expect([exitCode, err]).toEqual([
      1,
      expect.stringMatching(/differs from the file at 0x00008005: it holds 0x.., the file 0x../),
    ]);
    await repaired();
  });

  it("writes by the debugger when RAM does not hold the loader, and says so", async () => {
    desk.probe.trouble.cause({ alters: { address: RAM + 0x100, mask: 1 } });
    const { exitCode, err } = await write();
    expect([exitCode, err]).toEqual([0, expect.stringContaining("The RAM loader does not run on this board")]);
    desk.probe.trouble.cause({});
    await desk.runs();
  });

  it.each([
    ["before anything changed", 0, /The board was not changed, and starts again/, true],
    ["in the middle", 300, /flashed in part.*Run the same command again/, false],
  ])("ends with 130 at Ctrl-C %s, and says what became of the board", async (_when, operation, message, runs) => {
    const { exitCode, err } = await desk.interrupted(["write", ELF], operation);
    expect([exitCode, err]).toEqual([130, expect.stringMatching(message)]);
    if (!runs) await repaired();
    await desk.runs();
  });

  it("meets no complaint of the flash sequencer in all this", () => {
    expect(desk.faults).toEqual([]);
  });
});

describe("mbs flash with another OpenOCD", () => {
  let desk: FlashDesk;
  const path = process.env.PATH;
  beforeAll(async () => {
    desk = await FlashDesk.open({ seed: 75, blank: true });
    mkdirSync(desk.path("bin"));
  });
  afterAll(() => desk.close());
  afterEach(() => {
    process.env.PATH = path;
  });

  /** Runs with a mock in place of OpenOCD. @param script undefined: there is none */
  async function write(script: string | undefined, probe = "jlink"): Promise<Ended> {
    const mock = desk.path("bin/openocd");
    rmSync(mock, { force: true });
    if (script !== undefined) writeFileSync(mock, `#!/bin/sh\n${script}\n`);
    if (script !== undefined) chmodSync(mock, 0o755);
    process.env.PATH = script === undefined ? desk.path("bin") : `${desk.path("bin")}:${path}`;
    return desk.mbs(["flash", "write", ELF, "--probe", probe]);
  }
  const VERSION = '[ "$1" = --version ] && { echo "Open On-Chip Debugger 0.12.0" >&2; exit; }';

  it.each([
    ["is not installed", undefined, /OpenOCD could not be started.*\n.*apt-get install openocd/],
    ["is too old", 'echo "Open On-Chip Debugger 0.11.0+dev" >&2', /This is OpenOCD 0\.11; mbs needs 0\.12/],
    ["is something else", "echo hello", /says nothing that OpenOCD says/],
    ["ends at once", `${VERSION}; echo "Error: something new" >&2; exit 7`, /could not connect.*\n.*something new/],
    ["answers something else", `${VERSION}; printf 'what?\\032'; cat >/dev/null`, /could not connect/],
    [
      "has no such adapter",
      `${VERSION}; echo 'Error: The specified debug interface was not found (jlink)' >&2; exit 1`,
      /built without what a J-Link needs/,
    ],
  ])("says so when it %s", async (_what, script, message) => {
    const { exitCode, err } = await write(script);
    expect([exitCode, err]).toEqual([1, expect.stringMatching(message)]);
  });

  it("prints nothing of what was read of a board, whatever else it prints of OpenOCD", async () => {
    const { err } = await write(
      `${VERSION}; printf '=0x5ec2e7' >&2; sleep 0.2; printf ' 0x5ec2e7\\nError: other\\n' >&2; exit 1`,
    );
    expect(err).toContain("other");
    expect(err).not.toContain("5ec2e7");
  });

  it.each([
    ["LIBUSB_ERROR_ACCESS", 3, /may not use the J-Link on USB.*\n.*udev rule/],
    ["Error: CMSIS-DAP: could not open device: Resource busy", 3, /used by another program/],
    ["Error: unable to find a matching CMSIS-DAP device", 3, /No J-Link was found/],
  ])("makes a sentence of %j", async (line, code, message) => {
    const { exitCode, err } = await write(`${VERSION}; echo '${line}' >&2; exit 1`);
    expect([exitCode, err]).toEqual([code, expect.stringMatching(message)]);
  });
});

describe("findPermission", () => {
  it("finds a J-Link on USB that cannot be used, and names the udev rule", async () => {
    const desk = await FlashDesk.open({ seed: 76, blank: true });
    try {
      const root = desk.path("root");
      const device = `${root}/sys/bus/usb/devices/1-2`;
      mkdirSync(device, { recursive: true });
      expect(findPermission(root)).toBeUndefined();
      for (const [file, text] of [
        ["idVendor", "1366"],
        ["busnum", "1"],
        ["devnum", "7"],
      ] as const)
        writeFileSync(`${device}/${file}`, `${text}\n`);
      const found = findPermission(root);
      expect(found?.message).toContain("dev/bus/usb/001/007");
      expect(found?.hint).toContain('ATTR{idVendor}=="1366"');
      mkdirSync(`${root}/dev/bus/usb/001`, { recursive: true });
      writeFileSync(`${root}/dev/bus/usb/001/007`, "");
      expect(findPermission(root)).toBeUndefined();
      expect(findPermission(`${root}/no`)).toBeUndefined();
    } finally {
      await desk.close();
    }
  });
});

describe("explainConnect", () => {
  it("quotes what it does not know, without the noise that every run has", async () => {
    const log = "Open On-Chip Debugger 0.12.0\nInfo : clock speed 4000 kHz\nError: what nobody has seen\n";
    const { message } = await explainConnect(log, parseProbe("jlink", undefined, "/"));
    expect(message).toContain("openocd: Error: what nobody has seen");
    expect(message).not.toContain("clock speed");
  });
});
