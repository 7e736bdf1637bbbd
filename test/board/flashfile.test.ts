/** Flash files: what is kept, and what is refused and left alone. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BadFlashFile } from "../../board/virtual/flashfile.js";
import { PowerCut, tears } from "../../board/virtual/nor.js";
import { Probe } from "./probe/probe.js";

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
  board.code.erase(SLOTS + 0x8000);
  board.data.program(64, Buffer.from([1, 2, 3, 4]));
  board.supply.arm({ operation: 0, tear: tears.half, marginal: true });
  expect(() => board.data.program(128, Buffer.from([0, 0, 0, 0]))).toThrow(PowerCut);
  board.save();
  board.close();
  return { id: board.uniqueId.toString("hex") };
}

describe("flash file", () => {
  it("keeps slots, data flash, what is known of each unit, counts and unique id", () => {
    const { id } = write();
    const { board } = Probe.start({ flash: file, seed: 4 });
    expect(board.flash).toEqual({ file, fresh: false, otherFirmware: false });
    expect(board.uniqueId.toString("hex")).toBe(id);
    expect(board.code.read(SLOTS, 128)).toEqual(Buffer.alloc(128, 0x5a));
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
      /has version 99, expected 1/,
    ],
    [
      "is for another geometry",
      (bytes) => {
        bytes.writeUInt32LE(4096, 16);
        return bytes;
      },
      /holds 1048576 \+ 4096 bytes of flash, expected 1048576 \+ 8192/,
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
