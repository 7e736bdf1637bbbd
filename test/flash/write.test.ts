/** `mbs flash` with the real OpenOCD on the virtual board: what is flashed runs, what is to be kept is kept, and the rest is refused. */

import { readFileSync, statSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DATA_BLOCK, DATA_UNIT } from "../../firmware/defs/medium.js";
import { SETUP_AT } from "../../host/flash/descriptor.js";
import type { Segment } from "../../host/flash/hex.js";
import { DATA, SLOTS } from "../../host/flash/map.js";
import { missing, why } from "../board/probe/openocd.js";
import { builtPath } from "../device/built.js";
import { ELF, FlashDesk, firmware, nextFirmware } from "./desk.js";
import { describeAs, imageHeader } from "./parts.js";

const SETUP_CODE = Buffer.alloc(32, 0x5e);

describe.skipIf(missing !== undefined)(`mbs flash write to a blank board${why}`, () => {
  let desk: FlashDesk;
  beforeAll(async () => {
    desk = await FlashDesk.open({ seed: 71, blank: true });
  });
  afterAll(() => desk.close());

  it.each([["with the RAM loader"], ["by the debugger alone", "--no-loader"]])(
    "brings it to life %s",
    async (_how, ...more) => {
      const result = await desk.ok(["write", ELF, ...more]);
      const by = more.length > 0 ? "debugger" : "RAM loader";
      expect(result).toMatchObject({ kind: "firmware", verified: true, lost: null, kept: null, by });
      expect(desk.board.peek(0, firmware().length)!.equals(firmware())).toBe(true);
      expect(JSON.parse((await desk.mbs(["info", "--json"])).out).state).toBe("blank");
      expect(desk.faults).toEqual([]);
    },
  );

  it("gets a setup code with its firmware, which it asks for from then on and keeps", async () => {
    writeFileSync(desk.path("code"), `${SETUP_CODE.toString("hex")}\n`, { mode: 0o600 });
    expect(await desk.ok(["write", ELF, "--setup-code-file", desk.path("code")])).toMatchObject({ setupCode: "file" });
    expect(desk.board.peek(SETUP_AT, 32)!.equals(SETUP_CODE)).toBe(true);
    expect(JSON.parse((await desk.mbs(["info", "--json"])).out).setupCode).toBe(true);
    expect(await desk.ok(["write", ELF])).toMatchObject({ setupCode: "board" });
    writeFileSync(desk.path("code"), "no code\n");
    const ended = await desk.unchanged(["write", ELF, "--setup-code-file", desk.path("code")]);
    expect(ended).toMatchObject({ exitCode: 1, err: expect.stringContaining("is no setup code") });
  });

  it("puts a sealed image into its region, and leaves the transport key beside it", async () => {
    const key = Buffer.from("MBSX".padEnd(128, "k"));
    desk.board.data.preload(128, key);
    const image = Buffer.concat([imageHeader(1, desk.board.uniqueId.toString("hex")), Buffer.alloc(40_000, 0x1a)]);
    const file = desk.hex("sealed.hex", { address: 0, bytes: firmware() }, { address: 0x40000, bytes: image });
    expect(await desk.ok(["write", file])).toMatchObject({ kind: "sealed", verified: true, lost: null });
    expect(desk.board.peek(0x40000, image.length)!.equals(image)).toBe(true);
    expect(desk.board.peek(DATA.start + 128, 128)!.equals(key)).toBe(true);
  });

  it("refuses an image that is sealed to another board, and changes nothing", async () => {
    const image = { address: 0x40000, bytes: imageHeader(1, "ab".repeat(16)) };
    const ended = await desk.unchanged(["write", desk.hex("other.hex", { address: 0, bytes: firmware() }, image)]);
    expect(ended).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining(`unique id ${"ab".repeat(16)}; this one is`),
    });
  });
});

describe.skipIf(missing !== undefined)(`mbs flash of a board with a store${why}`, { timeout: 300_000 }, () => {
  let desk: FlashDesk;
  let instance: string;
  let records: unknown;
  beforeAll(async () => {
    desk = await FlashDesk.open({ seed: 72, setupCode: SETUP_CODE });
    instance = await desk.provision();
    records = await desk.records();
  });
  afterAll(() => desk.close());

  it("keeps slots, data flash and setup code when firmware is written, and every record reads as before", async () => {
    const next = nextFirmware(1);
    const file = desk.hex("next.hex", { address: 0, bytes: next });
    const before = desk.store();
    const { exitCode, out } = await desk.flash(["write", file, "--json"], { typed: ["nothing is asked"] });
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ kept: instance, lost: null, setupCode: "board", verified: true });
    expect(desk.store().equals(before)).toBe(true);
    expect(desk.board.peek(0x1000, next.length - 0x1000)!.equals(next.subarray(0x1000))).toBe(true);
    expect(desk.board.peek(SETUP_AT, 32)!.equals(SETUP_CODE)).toBe(true);
    expect(await desk.records()).toEqual(records);
    expect(desk.faults).toEqual([]);
  });

  it("changes what runs the core and back again, says so, and every record reads as before", async () => {
    const compiled = await desk.ok(["write", builtPath("ek-ra6m5-aot.elf")]);
    expect(compiled).toMatchObject({ engine: "ahead-of-time code", before: { engine: "wasm3" }, kept: instance });
    expect(await desk.records()).toEqual(records);
    const { exitCode, out } = await desk.flash(["write", builtPath("ek-ra6m5.elf")]);
    expect([exitCode, out]).toEqual([
      0,
      expect.stringContaining("is run by wasm3 now, and was by ahead-of-time code."),
    ]);
    expect(await desk.records()).toEqual(records);
    expect(desk.faults).toEqual([]);
    await desk.ok(["write", desk.path("next.hex")]);
  });

  it("verifies what is there, apart from a setup code of the board's own, and says where a file differs", async () => {
    const file = desk.path("next.hex");
    expect(await desk.ok(["verify", file])).toMatchObject({ verified: true });
    const other = nextFirmware(1);
    other[0x1235] = ~other[0x1235]! & 0xff;
    const { exitCode, err } = await desk.flash(["verify", desk.hex("other.hex", { address: 0, bytes: other })]);
    expect(exitCode).toBe(1);
    expect(err).toContain("The board differs from the file at 0x00001235: it holds 0x");
    await desk.runs();
  });

  it("reads all flash into files of this user alone, and overwrites none", async () => {
    const folder = desk.path("forensics");
    const { files, unreadable } = await desk.ok(["read", "-o", folder]);
    expect(files.map((one: { bytes: number }) => one.bytes)).toEqual([0x40000, 0xc0000, 0x100000, 0x2000]);
    expect(unreadable).toEqual([]);
    for (const { path, address, bytes } of files) {
      expect(statSync(path).mode & 0o777).toBe(0o600);
      if (address < DATA.start)
        expect(readFileSync(path).equals(desk.board.code.bytes.subarray(address, address + bytes))).toBe(true);
    }
    const custody = readFileSync(`${folder}/data.bin`).subarray(0, 256);
    expect(custody.toString("hex", 8, 24)).toBe(instance);
    const again = await desk.flash(["read", "-o", folder]);
    expect(again).toMatchObject({ exitCode: 1, err: expect.stringContaining("firmware.bin exists already") });
  });

  it("refuses a firmware for another format version, and says both", async () => {
    const file = desk.hex("v2.hex", { address: 0, bytes: describeAs(firmware(), { format: 2 }) });
    const { exitCode, err } = await desk.unchanged(["write", file]);
    expect(exitCode).toBe(1);
    expect(err).toContain("The store on the board has format version 1, and this firmware keeps version 2.");
    await desk.runs();
  });

  it("refuses a sealed image, which needs a blank board, and says what to do", async () => {
    const image = { address: 0x40000, bytes: imageHeader(1, desk.board.uniqueId.toString("hex")) };
    const file = desk.hex("sealed.hex", { address: 0, bytes: firmware() }, image);
    const { exitCode, err } = await desk.unchanged(["write", file]);
    expect(exitCode).toBe(1);
    expect(err).toContain(`only a blank board opens; this one holds store ${instance}`);
    expect(err).toContain("mbs reset");
  });

  describe("a file with a store", () => {
    let file: string;
    beforeAll(() => {
      file = desk.hex("store.hex", { address: 0, bytes: firmware() }, ...store(desk));
    });

    it("is refused without --erase-store", async () => {
      const { exitCode, err } = await desk.unchanged(["write", file]);
      expect(exitCode).toBe(2);
      expect(err).toContain(`replaces the store of the board, ${instance}`);
      expect(err).toContain("--erase-store");
    });

    it("is refused where nobody can type the instance id and nobody said --yes", async () => {
      const { exitCode, err } = await desk.unchanged(["write", file, "--erase-store"]);
      expect(exitCode).toBe(2);
      expect(err).toContain("--yes");
    });

    it.each([
      ["another id", "00".repeat(16)],
      ["too few digits", "7"],
      ["y", "y"],
    ])("is refused when %s is typed", async (_what, typed) => {
      const { exitCode, err } = await desk.unchanged(["write", file, "--erase-store"], { typed: [typed] });
      expect([exitCode, err]).toEqual([1, expect.stringContaining("Nothing was changed.")]);
    });

    it("replaces the store when the instance id is typed", async () => {
      await desk.put("later", "a record that the file does not have");
      const { exitCode, out, err } = await desk.flash(["write", file, "--erase-store"], {
        typed: [instance.slice(0, 8)],
      });
      expect([exitCode, err]).toEqual([0, expect.stringContaining(`Store ${instance} will be lost`)]);
      expect(out).toContain(`Store ${instance} is gone.`);
      expect(await desk.records()).toEqual(records);
      expect(desk.faults).toEqual([]);
    });

    it("replaces it without a question when --yes is said", async () => {
      const result = await desk.ok(["write", file, "--erase-store", "--yes"]);
      expect(result).toMatchObject({ kind: "store", lost: instance, kept: null });
      expect(await desk.records()).toEqual(records);
    });
  });

  it("refuses --erase-store with a file of firmware alone", async () => {
    const { exitCode, err } = await desk.unchanged(["write", desk.path("next.hex"), "--erase-store"]);
    expect([exitCode, err]).toEqual([2, expect.stringContaining("mbs reset")]);
  });

  it("shows nothing of the root key, whatever it says", () => {
    const root = desk.board.peek(DATA.start + 24, 32)!;
    for (const said of desk.said) {
      expect(said.includes(root.toString("hex"))).toBe(false);
      for (let at = 0; at < 32; at += 4) expect(said).not.toContain(root.readUInt32LE(at).toString(16));
    }
    expect(desk.said.length).toBeGreaterThan(10);
  });
});

describe.skipIf(missing !== undefined)(`a file that is for no such board${why}`, () => {
  let desk: FlashDesk;
  beforeAll(async () => {
    desk = await FlashDesk.open({ seed: 73 });
  });
  afterAll(() => desk.close());

  it.each([
    ["there is none", undefined, /there is no such file/],
    ["it is neither ELF nor HEX", "hello", /neither an ELF file nor Intel HEX/],
    ["a checksum is wrong", ":0100000001FF\n:00000001FF\n", /line 1: the checksum is FF/],
    [
      "it would write option-setting memory",
      ":020000040100F9\n:01A1000000 5E\n".replace(" ", ""),
      /lock the part for good/,
    ],
    ["it was cut short", ":0100000001FE\n", /cut short/],
    ["it holds no firmware", ":020000040010EA\n:0100000001FE\n:00000001FF\n", /holds no firmware/],
    [
      "it is an ELF file of this computer",
      readFileSync(process.execPath).subarray(0, 5000),
      /not a 32-bit little-endian Arm ELF/,
    ],
  ])("is refused before anything connects: %s", async (what, content, message) => {
    const path = desk.path(`${what.replace(/\W/g, "-")}.file`);
    if (content !== undefined) writeFileSync(path, content);
    for (const verb of ["write", "verify"]) {
      const { exitCode, err } = await desk.flash([verb, path]);
      expect([exitCode, err]).toEqual([1, expect.stringMatching(message)]);
    }
    expect(desk.joined).toBe(0);
  });

  it.each([
    [["write", ELF, "--probe", "stlink"], /expected jlink, cmsis-dap, virtual/],
    [["write", ELF, "--probe-serial", "1; shutdown", "--probe", "jlink"], /expected letters and digits/],
    [["read"], /-o, --output/],
  ])("says what is wrong with %j", async (argv, message) => {
    const { exitCode, err } = await desk.mbs(["flash", ...argv]);
    expect([exitCode, err]).toEqual([2, expect.stringMatching(message)]);
    expect(desk.joined).toBe(0);
  });
});

/** The store of a board as a file would bring it: the slots, and what is programmed of the data flash. */
function store({ board }: FlashDesk): Segment[] {
  const segments: Segment[] = [{ address: SLOTS.start, bytes: board.peek(SLOTS.start, SLOTS.end - SLOTS.start)! }];
  for (let at = 0; at < DATA.end - DATA.start; at += DATA_UNIT) {
    if (board.data.blank(at, DATA_UNIT)) continue;
    const last = segments.at(-1)!;
    const bytes = board.peek(DATA.start + at, DATA_UNIT)!;
    const touches = last.address + last.bytes.length === DATA.start + at && at % DATA_BLOCK !== 0;
    if (touches) last.bytes = Buffer.concat([last.bytes, bytes]);
    else segments.push({ address: DATA.start + at, bytes });
  }
  return segments;
}
