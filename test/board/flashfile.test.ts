/** Flash files: what is kept, and what is refused and left alone. */

import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { VirtualBoard } from "../../board/virtual/board.js";
import { BadFlashFile, loadFlash, saveFlash } from "../../board/virtual/flashfile.js";
import { PowerCut, tears } from "../../board/virtual/nor.js";
import { Probe, probeElf } from "./probe/probe.js";

const IMAGE = 0x00040000;
const SLOTS = 0x00100000;
let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mbs-flash-"));
  file = join(folder, "flash");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A board with something in each part of its flash, saved. */
function write(): { id: string } {
  const { board } = Probe.start({ flash: file, seed: 3 });
  board.code.program(SLOTS, Buffer.alloc(128, 0x5a));
  board.code.program(IMAGE, Buffer.alloc(128, 0xa5));
  board.code.erase(SLOTS + 0x8000);
  board.data.program(64, Buffer.from([1, 2, 3, 4]));
  board.supply.arm({ operation: 0, tear: tears.half, marginal: true });
  expect(() => board.data.program(128, Buffer.from([0, 0, 0, 0]))).toThrow(PowerCut);
  board.save();
  board.close();
  return { id: board.uniqueId.toString("hex") };
}

const DATA = { bytes: 8192, units: 2048, blocks: 128 };
function shapeFrom(from: number) {
  expect(from).toBe(IMAGE);
  return { bytes: 0x1c0000, units: 0x1c0000 / 128, blocks: 56 };
}

/** The same without the field that version 2 added, under a checksum that fits. */
function versionOne(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(1, 8);
  const body = Buffer.concat([bytes.subarray(0, 68), bytes.subarray(72, bytes.length - 32)]);
  return Buffer.concat([body, createHash("sha256").update(body).digest()]);
}

describe("flash file", () => {
  it("keeps image region, slots, data flash, what is known of each unit, counts and unique id", () => {
    const { id } = write();
    const { board } = Probe.start({ flash: file, seed: 4 });
    expect(board.flash).toEqual({ file, fresh: false, otherFirmware: false, flashed: false });
    expect(board.uniqueId.toString("hex")).toBe(id);
    expect(board.code.read(SLOTS, 128)).toEqual(Buffer.alloc(128, 0x5a));
    expect(board.code.read(IMAGE, 128)).toEqual(Buffer.alloc(128, 0xa5));
    expect(board.code.wear.find((block) => block.offset === SLOTS + 0x8000)?.erases).toBe(1);
    expect(board.data.read(64, 4)).toEqual(Buffer.from([1, 2, 3, 4]));
    expect(board.data.certainlyErased(64, 4)).toBe(false);
    const looks = new Set(Array.from({ length: 32 }, () => board.data.read(128, 4)?.toString("hex")));
    expect(looks.size).toBeGreaterThan(2);
    board.close();
  });

  it("is written whole or not at all, and for its owner only", () => {
    write();
    expect(readdirSync(folder)).toEqual(["flash"]);
  });

  it("says when another firmware wrote it", () => {
    write();
    const changed = readFileSync(file);
    const { board } = Probe.start({ flash: file });
    board.firmware[0]! ^= 1;
    board.save();
    board.close();
    expect(readFileSync(file).equals(changed)).toBe(false);
    const again = Probe.start({ flash: file });
    expect(again.board.flash.otherFirmware).toBe(true);
    again.board.close();
  });

  it("is read as version 1 wrote it, which held the slot region alone", () => {
    const { id } = write();
    const second = loadFlash(file, shapeFrom, DATA)!;
    const slots = Probe.start({ flash: file }).board.code.image(SLOTS);
    saveFlash(file, { ...second, from: SLOTS, code: slots });
    writeFileSync(file, versionOne(readFileSync(file)));
    const { board } = Probe.start({ flash: file });
    expect(board.flash).toMatchObject({ fresh: false, flashed: false });
    expect(board.uniqueId.toString("hex")).toBe(id);
    expect(board.code.read(SLOTS, 128)).toEqual(Buffer.alloc(128, 0x5a));
    expect(board.code.certainlyErased(IMAGE, 128)).toBe(true);
    expect(board.data.read(64, 4)).toEqual(Buffer.from([1, 2, 3, 4]));
    board.close();
  });

  describe("of a board whose firmware was flashed", () => {
    const flashed = Buffer.alloc(0x2000, 0x77);
    beforeEach(() => {
      const { board } = Probe.start({ flash: file, seed: 5 });
      board.code.erase(0);
      board.code.program(0, flashed, 128);
      board.save();
      board.close();
    });

    it("brings that firmware back, and no ELF over it", () => {
      const board = VirtualBoard.create({ elf: probeElf(), keepFlashed: true, flash: file });
      expect(board.flash).toEqual({ file, fresh: false, otherFirmware: false, flashed: true });
      expect(board.peek(0, flashed.length)).toEqual(flashed);
      board.close();
    });

    it("gives way to an ELF that is asked for, and does not come back", () => {
      const { board } = Probe.start({ flash: file });
      expect(board.flash).toEqual({ file, fresh: false, otherFirmware: true, flashed: false });
      expect(board.peek(0, 16)!.equals(flashed.subarray(0, 16))).toBe(false);
      expect(board.code.certainlyErased(0x2000, 0x2000)).toBe(true);
      board.save();
      board.close();
      const again = VirtualBoard.create({ elf: probeElf(), keepFlashed: true, flash: file });
      expect(again.flash.flashed).toBe(false);
      again.close();
    });
  });

  it("of a board without firmware keeps that there is none", () => {
    for (let turn = 0; turn < 2; turn++) {
      const board = VirtualBoard.create({ flash: file, seed: 6 });
      expect(board.flash).toEqual({ file, fresh: turn === 0, otherFirmware: false, flashed: true });
      expect(board.code.certainlyErased(0, 0x40000)).toBe(true);
      board.powerOn();
      expect(board.run()).toBe("locked");
      expect(board.faults.list).toEqual([]);
      board.save();
      board.close();
    }
  });

  const damages: [string, (bytes: Buffer) => Buffer, RegExp][] = [
    [
      "is something else",
      () => Buffer.from("not a flash file at all, but somebody's notes\n".repeat(9)),
      /does not start with/,
    ],
    ["is empty", () => Buffer.alloc(0), /does not start with/],
    ["was cut short", (bytes) => bytes.subarray(0, bytes.length - 100), /checksum is wrong/],
    [
      "was changed",
      (bytes) => {
        bytes[5000]! ^= 1;
        return bytes;
      },
      /checksum is wrong/,
    ],
    [
      "has another version",
      (bytes) => {
        bytes.writeUInt32LE(99, 8);
        return bytes;
      },
      /has version 99, expected 2 or 1/,
    ],
    [
      "is for another geometry",
      (bytes) => {
        bytes.writeUInt32LE(4096, 16);
        return bytes;
      },
      /holds 1835008 \+ 4096 bytes of flash, expected 1835008 \+ 8192/,
    ],
  ];
  it.each(damages)("is refused and left as it is when it %s", (_name, damage, text) => {
    write();
    const bytes = damage(readFileSync(file));
    writeFileSync(file, bytes);
    expect(() => Probe.start({ flash: file })).toThrow(BadFlashFile);
    expect(() => Probe.start({ flash: file })).toThrow(text);
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });
});
