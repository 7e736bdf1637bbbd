/** The real OpenOCD on the virtual board: attaches, halts, reads, writes, steps, resets; the firmware lives on. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { VirtualBoard } from "../../../board/virtual/board.js";
import { describeFault } from "../../../board/virtual/faults.js";
import { DebugProbe } from "../../../board/virtual/probe/probe.js";
import { Command, Key, State } from "../../../firmware/defs/wire.js";
import { Talk } from "../../device/talk.js";
import { VirtualDevice } from "../../device/virtual.js";
import { missing, Namespace } from "./openocd.js";

const SEED = 3;
const RAM = 0x20040000;
const FIRST_RUN_MS = 200;

describe.skipIf(missing !== undefined)(
  `OpenOCD on the virtual board${missing === undefined ? "" : `: ${missing}`}`,
  () => {
    let device: VirtualDevice;
    let board: VirtualBoard;
    let probe: DebugProbe;
    let namespace: Namespace;
    const complaints: string[] = [];
    beforeAll(async () => {
      device = new VirtualDevice(SEED);
      device.boot();
      board = device.board;
      namespace = new Namespace();
      const events = { refused: (why: string) => complaints.push(why) };
      probe = await DebugProbe.attach(board, { where: namespace.socket, events });
      board.start();
    });
    afterAll(async () => {
      await probe.close();
      board.stop();
      namespace.remove();
      device.close();
    });

    /** One session, which must succeed. @returns what OpenOCD said */
    async function session(...commands: string[]): Promise<string> {
      const { code, log } = await namespace.run(...commands);
      expect(log).not.toMatch(/^Error/m);
      expect({ code, log, complaints }).toEqual({ code: 0, log, complaints: [] });
      return log;
    }
    const word = (address: number): string => board.peek(address, 4)!.readUInt32LE(0).toString(16).padStart(8, "0");

    it("finds a Cortex-M33, and halts and resumes it", async () => {
      const log = await session("halt", "mdw 0xE000ED00", "mdw 0x010080F0", "resume");
      expect(log).toContain("SWD DPIDR 0x6ba02477");
      expect(log).toContain("Cortex-M33 r0p4 processor detected");
      expect(log).toContain("0xe000ed00: 410fd214");
      expect(log).toContain(`0x010080f0: ${word(0x010080f0)}`);
    });

    it("reads the firmware that was linked out of flash, byte for byte", async () => {
      const { segments } = board.elf;
      const files = segments.map((_, i) => join(namespace.folder, `segment${i}`));
      await session(
        "halt",
        ...segments.map((s, i) => `dump_image ${files[i]} ${s.address} ${s.bytes.length}`),
        "resume",
      );
      segments.forEach(({ bytes }, i) => {
        expect(readFileSync(files[i]!).equals(bytes)).toBe(true);
      });
    });

    it("writes and reads RAM in words, halfwords and bytes", async () => {
      const at = (offset: number): string => `0x${(RAM + offset).toString(16)}`;
      const log = await session(
        "halt",
        `mww ${at(0)} 0x12345678`,
        `mwh ${at(4)} 0xabcd`,
        `mwb ${at(7)} 0xef`,
        `mwb ${at(6)} 0x01`,
        `mdw ${at(0)} 2`,
        `mww ${at(0x100)} 0x5a5a5a5a 1024`,
        "resume",
      );
      expect(log).toContain(`${at(0)}: 12345678 ef01abcd`);
      expect(board.peek(RAM + 0x100, 4096)!.equals(Buffer.alloc(4096, 0x5a))).toBe(true);
    });

    it("catches a reset, stops at main, steps from there", async () => {
      const main = board.elf.symbol("main")!.address & ~1;
      const hexOf = (address: number): string => `0x${address.toString(16).padStart(8, "0")}`;
      const log = await session(
        "reset halt",
        "reg pc",
        `bp ${main} 2 hw`,
        "resume",
        "wait_halt 5000",
        "reg pc",
        `rbp ${main}`,
        "step",
        "resume",
      );
      expect(log).toContain(`pc (/32): ${hexOf(board.peek(4, 4)!.readUInt32LE(0) & ~1)}`);
      expect(log).toContain(`pc (/32): ${hexOf(main)}`);
      expect(log).toMatch(/halted due to single-step/);
    });

    // the error of a posted write shows at the next transaction only, and OpenOCD 0.12 recovers from it without a word to the command
    it("does not change option-setting memory, whatever OpenOCD makes of the refusal", async () => {
      await namespace.run("halt", "mww 0x0100A100 0");
      expect(await session("halt", "mdw 0x0100A100", "resume")).toContain("0x0100a100: ffffffff");
    });

    it("resets the board, which answers over its UART afterwards", async () => {
      const resets: string[] = [];
      board.onEvent = (event) => {
        if (event.kind === "reset") resets.push(event.cause);
      };
      await session("halt", "reset run", `sleep ${FIRST_RUN_MS}`);
      expect(resets).toEqual(["software"]);
      board.stop();
      expect(board.run()).toBe("idle");
      expect(board.lights).toEqual(["ready"]);
      expect(new Talk(device).ask(Command.Hello).get(Key.State)).toBe(State.Blank);
      expect(board.faults.list.map(describeFault)).toEqual([]);
    });

    it("finds no target when the board has no power", async () => {
      board.powerOff();
      const { code, log } = await namespace.run("halt");
      expect(code).not.toBe(0);
      expect(log).toContain("VTarget = 0.000 V");
    });
  },
);
