/** The AHB access port of the virtual probe over a small memory: sizes, byte lanes, counting up, errors. */
import { beforeEach, describe, expect, it } from "vitest";
import { AhbAp, ApbAp, type MemoryBus } from "../../../board/virtual/probe/ap.js";

const CSW = 0x00;
const TAR = 0x04;
const DRW = 0x0c;
const BD = [0x10, 0x14, 0x18, 0x1c];
const BASE = 0xf8;
const IDR = 0xfc;
const SIZE = { 1: 0, 2: 1, 4: 2 } as const;
const SINGLE = 1 << 4;
const PACKED = 2 << 4;
const DEVICE_EN = 1 << 6;
const END = 0x1000;

let memory: Buffer;
let accesses: string[];
let ap: AhbAp;
beforeEach(() => {
  memory = Buffer.from(Array.from({ length: END }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
  accesses = [];
  const bus: MemoryBus = {
    read: (address, size) => {
      accesses.push(`r${size}@${address.toString(16)}`);
      return address % size === 0 && address + size <= END ? memory.readUIntLE(address, size) : undefined;
    },
    write: (address, size, value) => {
      accesses.push(`w${size}@${address.toString(16)}`);
      if (address % size !== 0 || address + size > END) return false;
      memory.writeUIntLE(value, address, size);
      return true;
    },
  };
  ap = new AhbAp(bus);
});

describe("the AHB access port", () => {
  it("says what it is", () => {
    expect([ap.read(IDR), ap.read(BASE), new ApbAp().read(IDR)]).toEqual([0x84770001, 0xe00fe003, 0x54770002]);
  });

  it("says whether it may be used", () => {
    let locked = false;
    const port = new AhbAp({ read: () => 0, write: () => true }, () => locked);
    expect((port.read(CSW) ?? 0) & DEVICE_EN).not.toBe(0);
    locked = true;
    expect((port.read(CSW) ?? 0) & DEVICE_EN).toBe(0);
  });

  it.each([1, 2, 4] as const)("reads and writes %i bytes in the lanes of their address", (size) => {
    const word = Buffer.of(0xd4, 0xc3, 0xb2, 0xa1);
    for (let address = 0x100; address < 0x108; address += size) {
      const lane = address & 3;
      ap.write(CSW, SIZE[size]);
      ap.write(TAR, address);
      expect((ap.read(DRW) ?? 0) / 2 ** (8 * lane)).toBe(memory.readUIntLE(address, size));
      const expected = Buffer.from(memory);
      word.copy(expected, address, lane, lane + size);
      expect(ap.write(DRW, word.readUInt32LE(0))).toBe(true);
      expect(memory.equals(expected)).toBe(true);
      expect(ap.read(TAR)).toBe(address);
    }
  });

  it.each([1, 2, 4] as const)("counts up by %i, and wraps inside 1 KB", (size) => {
    ap.write(CSW, SIZE[size] | SINGLE);
    ap.write(TAR, 0x800 - 2 * size);
    ap.read(DRW);
    ap.write(DRW, 0);
    expect(ap.read(TAR)).toBe(0x400);
    ap.read(DRW);
    expect(accesses).toEqual(
      [0x800 - 2 * size, 0x800 - size, 0x400].map((address, i) => `${"rwr"[i]}${size}@${address.toString(16)}`),
    );
  });

  it.each([1, 2] as const)("packs a word out of accesses of %i bytes", (size) => {
    ap.write(CSW, SIZE[size] | PACKED);
    ap.write(TAR, 0x200);
    expect(ap.read(DRW)).toBe(memory.readUInt32LE(0x200));
    expect(ap.write(DRW, 0x89abcdef)).toBe(true);
    expect(memory.readUInt32LE(0x204)).toBe(0x89abcdef);
    expect(ap.read(TAR)).toBe(0x208);
    expect(accesses).toHaveLength(8 / size);
    expect(new Set(accesses.map((access) => access[1]))).toEqual(new Set([String(size)]));
  });

  it("reaches the four words around TAR without moving it", () => {
    ap.write(TAR, 0x30c);
    expect(BD.map((register) => ap.read(register))).toEqual([0, 4, 8, 12].map((i) => memory.readUInt32LE(0x300 + i)));
    ap.write(BD[2]!, 0x5a5a5a5a);
    expect(memory.readUInt32LE(0x308)).toBe(0x5a5a5a5a);
    expect(ap.read(TAR)).toBe(0x30c);
  });

  it("keeps size and increment when it is told one that does not exist", () => {
    ap.write(CSW, SIZE[2] | SINGLE);
    const before = ap.read(CSW);
    ap.write(CSW, 0x03 | 0x30);
    expect(ap.read(CSW)).toBe(before);
  });

  it("tells errors of the bus, and does not count up past them", () => {
    ap.write(CSW, SIZE[4] | SINGLE);
    ap.write(TAR, END);
    expect(ap.read(DRW)).toBeUndefined();
    expect(ap.write(DRW, 1)).toBe(false);
    expect(ap.read(TAR)).toBe(END);
    expect(ap.read(BD[1]!)).toBeUndefined();
    expect(ap.write(BD[1]!, 1)).toBe(false);
  });

  it("starts afresh when the debug domain lost its power", () => {
    const csw = ap.read(CSW);
    ap.write(CSW, SIZE[1] | PACKED);
    ap.write(TAR, 0x123);
    ap.reset();
    expect([ap.read(CSW), ap.read(TAR)]).toEqual([csw, 0]);
  });
});
