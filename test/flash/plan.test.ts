/** What `mbs flash write` decides before it changes anything. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CUSTODY_MAGIC } from "../../firmware/defs/custody.js";
import { DESCRIPTOR_AT } from "../../host/flash/descriptor.js";
import { type FlashFile, inspect } from "../../host/flash/file.js";
import type { Segment } from "../../host/flash/hex.js";
import { CUSTODY_PUBLIC } from "../../host/flash/map.js";
import type { Operation } from "../../host/flash/operation.js";
import { type Holding, planWrite, storeOf } from "../../host/flash/plan.js";
import { custodyPlace, imageHeader, someFirmware } from "./parts.js";

const UID = "0123456789abcdef0123456789abcdef";
const blank: Buffer = Buffer.alloc(CUSTODY_PUBLIC, 0x55);
const place = (version: number, instance = 7) => custodyPlace(version, instance).subarray(0, CUSTODY_PUBLIC);
const board = (...custody: (Buffer | undefined)[]): Holding => ({ uniqueId: UID, firmware: undefined, custody });

const firmware = { address: 0, bytes: someFirmware(0x5000) };
const slots = { address: 0x100000, bytes: Buffer.alloc(300, 1) };
const data = { address: 0x08000000, bytes: custodyPlace(1) };
const file = (...segments: Segment[]): FlashFile => inspect("a.hex", segments);
const erased = (operations: readonly Operation[]) =>
  operations.filter(({ kind }) => kind === "erase").map(({ address }) => address);
const programmed = (operations: readonly Operation[]) =>
  operations.flatMap((one) => (one.kind === "program" ? [[one.address, one.bytes.length]] : []));

describe("planWrite", () => {
  it("of firmware alone touches nothing but the blocks of the firmware", () => {
    const { operations, keeps, loses } = planWrite(file(firmware), board(place(1), place(1)));
    expect(erased(operations)).toEqual([0, 0x2000, 0x4000]);
    expect(Math.max(...operations.map(({ address }) => address))).toBeLessThan(0x6000);
    expect(loses).toBeUndefined();
    expect(keeps?.instance).toBe("07".repeat(16));
  });

  it("erases the first block first, and programs its vector table as the very last", () => {
    const { operations } = planWrite(file(firmware), board(blank, blank));
    expect(operations[0]).toEqual({ kind: "erase", address: 0 });
    expect(programmed(operations)).toEqual([
      [0x2000, 0x2000],
      [0x4000, 0x1000],
      [128, 0x2000 - 128],
      [0, 128],
    ]);
    expect(operations.at(-1)).toMatchObject({ kind: "check", address: 0 });
  });

  it("programs every unit once, and only bytes of the file, with ones beside them", () => {
    const odd = [firmware, { address: 0x6003, bytes: Buffer.of(1, 2) }, { address: 0x6040, bytes: Buffer.of(3) }];
    const { operations, bytes } = planWrite(file(...odd), board(blank, blank));
    const units = new Map<number, Buffer>();
    for (const one of operations) {
      if (one.kind !== "program") continue;
      for (let at = 0; at < one.bytes.length; at += 128) {
        expect(units.has(one.address + at)).toBe(false);
        units.set(one.address + at, one.bytes.subarray(at, at + 128));
      }
    }
    const unit = Buffer.alloc(128, 0xff);
    unit.set([1, 2], 3);
    unit[0x40] = 3;
    expect(units.get(0x6000)).toEqual(unit);
    expect(units.size).toBe(0x5000 / 128 + 1);
    expect(bytes).toBe(0x5000 + 128);
  });

  it("leaves units of ones out of code flash, which is so when it is erased, and not out of data flash", () => {
    const bytes = someFirmware(0x5000).fill(0xff, 0x2000, 0x2080).fill(0xff, 0x2100, 0x4000);
    const custody = Buffer.concat([custodyPlace(1), Buffer.alloc(8, 0xff)]);
    const { operations } = planWrite(
      file({ address: 0, bytes }, slots, { ...data, bytes: custody }),
      board(blank, blank),
    );
    expect(programmed(operations).slice(0, 5)).toEqual([
      [0x08000000, 64],
      [0x08000040, 64],
      [0x08000080, 8],
      [0x2080, 128],
      [0x4000, 0x1000],
    ]);
    expect(operations.filter((one) => one.kind === "check" && one.address === 0x2000)).toMatchObject([
      { bytes: { length: 0x2000 } },
    ]);
  });

  it("of a store replaces slots and data flash whole, the root key first", () => {
    const { operations, keeps, loses } = planWrite(file(firmware, slots, data), board(place(1), blank), {
      eraseStore: true,
    });
    const blocks = erased(operations);
    expect(blocks.slice(0, 3)).toEqual([0, 0x08000000, 0x08000040]);
    expect(blocks.filter((at) => at >= 0x08000000)).toHaveLength(128);
    expect(blocks.filter((at) => at >= 0x100000 && at < 0x200000)).toHaveLength(32);
    expect(programmed(operations).filter(([at]) => at! >= 0x08000000)).toEqual([
      [0x08000000, 64],
      [0x08000040, 64],
    ]);
    expect([keeps, loses?.instance]).toEqual([undefined, "07".repeat(16)]);
  });

  it("of a sealed image replaces the image region whole, and leaves data flash with its transport key", () => {
    const image = { address: 0x40000, bytes: imageHeader(1, UID) };
    const { operations } = planWrite(file(firmware, image), board(blank, blank));
    expect(erased(operations).filter((at) => at >= 0x40000)).toEqual(
      Array.from({ length: 24 }, (_, i) => 0x40000 + 0x8000 * i),
    );
  });

  it("refuses a firmware for another format version than that of the store, says both, and where to read on", () => {
    const attempt = () =>
      planWrite(file({ ...firmware, bytes: someFirmware(0x5000, { format: 2 }) }), board(place(1), place(1)));
    expect(attempt).toThrow(/format version 1, and this firmware keeps version 2/);
    expect(attempt).toThrow(expect.objectContaining({ hint: expect.stringContaining("README, Upgrading.") }));
    expect(readFileSync(new URL("../../README.md", import.meta.url), "utf8")).toContain("\n## Upgrading\n");
  });

  it("lets the good custody place speak when power tore the other", () => {
    expect(() => planWrite(file(firmware), board(place(9), place(1)))).not.toThrow();
    expect(() => planWrite(file(firmware), board(undefined, place(1)))).not.toThrow();
    expect(() => planWrite(file(firmware), board(place(9), blank))).toThrow(/version 9/);
  });

  it("refuses to replace a store, or custody that cannot be read, unless that was said", () => {
    for (const custody of [
      [place(1), blank],
      [blank, place(1)],
      [undefined, blank],
    ] as const) {
      expect(() => planWrite(file(firmware, slots, data), board(...custody))).toThrow(/replaces the store/);
      expect(planWrite(file(firmware, slots, data), board(...custody), { eraseStore: true }).loses).toBeDefined();
    }
    expect(planWrite(file(firmware, slots, data), board(blank, blank)).loses).toBeUndefined();
  });

  it("refuses --erase-store with firmware alone, which erases none", () => {
    expect(() => planWrite(file(firmware), board(place(1), place(1)), { eraseStore: true })).toThrow(
      /mbs firmware|alone/,
    );
  });

  it("refuses a sealed image for a board with a store, and for another board", () => {
    const image = { address: 0x40000, bytes: imageHeader(1, UID) };
    const other = { address: 0x40000, bytes: imageHeader(1, "ff".repeat(16)) };
    expect(() => planWrite(file(firmware, image), board(place(1), blank))).toThrow(/only a blank board/);
    expect(() => planWrite(file(firmware, other), board(blank, blank))).toThrow(
      `sealed to the board with unique id ff`,
    );
  });
});

describe("inspect", () => {
  it.each([
    ["no firmware", [slots, data], /no firmware/],
    ["slots without data flash", [firmware, slots], /half a store/],
    ["data flash without slots", [firmware, data], /half a store/],
    [
      "an image and a store",
      [firmware, slots, data, { address: 0x40000, bytes: imageHeader(1, UID) }],
      /no board can have both/,
    ],
    ["no vector table", [{ address: 0x2000, bytes: Buffer.alloc(64) }], /no vector table/],
    [
      "no descriptor",
      [{ address: 0, bytes: someFirmware(0x5000).fill(0, DESCRIPTOR_AT, DESCRIPTOR_AT + 4) }],
      /no descriptor at 0x00000400/,
    ],
    [
      "the descriptor of another board",
      [{ address: 0, bytes: someFirmware(0x5000, { board: 2 }) }],
      /for board number 2/,
    ],
    [
      "a stack where no RAM is",
      [{ address: 0, bytes: someFirmware(0x5000, { stack: 0x10001000 }) }],
      /another chip: its stack/,
    ],
    [
      "a start outside of the program",
      [{ address: 0, bytes: someFirmware(0x5000, { entry: 0x5001 }) }],
      /another chip: it starts at 0x00005001/,
    ],
    [
      "a start that is no Thumb code",
      [{ address: 0, bytes: someFirmware(0x5000, { entry: 0x2000 }) }],
      /another chip: it starts/,
    ],
    [
      "custody of another version",
      [firmware, slots, { ...data, bytes: custodyPlace(3) }],
      /store of format version 3 and firmware for version 1/,
    ],
    ["a store without custody", [firmware, slots, { ...data, bytes: Buffer.alloc(64) }], /without custody/],
    [
      "an image of another version",
      [firmware, { address: 0x40000, bytes: imageHeader(2, UID) }],
      /image of format version 2/,
    ],
    [
      "bytes in the image region",
      [firmware, { address: 0x40000, bytes: Buffer.alloc(200) }],
      /no image that this mbs knows/,
    ],
  ])("refuses a file with %s", (_what, segments, why) => {
    expect(() => file(...segments)).toThrow(why);
  });
});

describe("storeOf", () => {
  it("is undefined on a board without custody, also where erased cells read as anything", () => {
    expect(storeOf(board(blank, Buffer.alloc(CUSTODY_PUBLIC, 0xff)))).toBeUndefined();
    const transport = Buffer.alloc(CUSTODY_PUBLIC);
    transport.write("MBSX");
    expect(storeOf(board(blank, transport))).toBeUndefined();
    expect(CUSTODY_MAGIC).toBe(place(1).readUInt32LE(0));
  });
});
