/** Intel HEX: what is written is read back, and what is not exactly a file for this chip is refused with the line. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readElf } from "../../board/elf.js";
import { seeded } from "../../board/virtual/prng.js";
import { HexError, readHex, type Segment, writeHex } from "../../host/flash/hex.js";
import { builtPath } from "../device/built.js";

const END = ":00000001FF";
const random = seeded(20261121);
const below = (n: number) => random() % n;
const noise = (length: number) => Uint8Array.from({ length }, () => random() & 0xff);

/** A record with the right checksum. */
function line(type: number, offset: number, ...payload: number[]): string {
  const bytes = [payload.length, offset >> 8, offset & 0xff, type, ...payload];
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  return `:${Buffer.from([...bytes, -sum & 0xff]).toString("hex")}`;
}
const plain = (segments: readonly Segment[]) =>
  segments.map(({ address, bytes }) => [address, Buffer.from(bytes).toString("hex")]);

/** Every byte of a file that some line gives, with no checks at all: what a reader that believes everything would flash. */
function believed(text: string): Map<number, number> {
  const cells = new Map<number, number>();
  let base = 0;
  for (const one of text.split(/[\r\n]+/).filter((content) => content !== "")) {
    const bytes = Buffer.from(one.slice(1), "hex");
    const value = (bytes[4]! << 8) | bytes[5]!;
    if (bytes[3] === 4) base = value * 65536;
    else if (bytes[3] === 2) base = value * 16;
    else if (bytes[3] === 0)
      for (let i = 0; i < bytes[0]!; i++) cells.set(base + bytes.readUInt16BE(1) + i, bytes[4 + i]!);
  }
  return cells;
}

describe("writeHex and readHex", () => {
  it("are inverses for segments in both flashes, over borders of 64 KB", () => {
    for (let round = 0; round < 50; round++) {
      const segments: Segment[] = [];
      for (let at = below(200); at < 0x200000; at += 1 + below(0x80000)) {
        const bytes = noise(1 + below(round % 10 === 0 ? 0x11000 : 300));
        if (at + bytes.length > 0x200000) break;
        segments.push({ address: at, bytes });
        at += bytes.length;
      }
      segments.push({ address: 0x08000000 + below(8000), bytes: noise(1 + below(190)) });
      const text = writeHex(segments);
      expect(plain(readHex(text))).toEqual(plain(segments));
      expect(writeHex(readHex(text))).toBe(text);
    }
  });

  it("writes 32 bytes a record, an address record for each 64 KB, and the end", () => {
    expect(writeHex([{ address: 0x1fff0, bytes: new Uint8Array(34).fill(1) }]).split("\n")).toEqual([
      ":020000040001F9",
      `:10FFF000${"01".repeat(16)}F1`,
      ":020000040002F8",
      `:12000000${"01".repeat(18)}DC`,
      END,
      "",
    ]);
  });

  it("refuses to write segments that overlap or have no flash", () => {
    const bytes = new Uint8Array(4);
    expect(() =>
      writeHex([
        { address: 2, bytes },
        { address: 0, bytes },
      ]),
    ).toThrow(/overlap at 0x00000002/);
    expect(() => writeHex([{ address: 0x1ffffe, bytes }])).toThrow(/outside/);
    expect(() => writeHex([{ address: 0x0100a100, bytes }])).toThrow(/option-setting/);
  });

  it("reads what objcopy writes of the firmware", () => {
    const folder = mkdtempSync(join(tmpdir(), "mbs-hex-"));
    try {
      const elf = builtPath("ek-ra6m5.elf");
      execFileSync("arm-none-eabi-objcopy", ["-O", "ihex", elf, join(folder, "hex")]);
      const cells = new Map<number, number>();
      for (const { address, bytes } of readElf(readFileSync(elf)).segments)
        bytes.forEach((byte, i) => {
          cells.set(address + i, byte);
        });
      const read = readHex(readFileSync(join(folder, "hex"), "latin1"));
      expect(read.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBe(cells.size);
      for (const { address, bytes } of read)
        expect(bytes.every((byte, i) => cells.get(address + i) === byte)).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("readHex", () => {
  const good = line(0, 0x100, 1, 2, 3);

  it.each([["\n"], ["\r\n"], ["\r"]])("takes lines that end with %j, with and without one at the end", (ending) => {
    for (const text of [[good, END].join(ending), [good, END, ""].join(ending)])
      expect(plain(readHex(text))).toEqual([[0x100, "010203"]]);
  });

  it("sorts records, joins those that touch, and takes digits in either case", () => {
    const text = [line(0, 0x104, 0xab), line(0, 0x103, 0xcd), good, line(0, 0x106, 9), END].join("\n");
    const want = [
      [0x100, "010203cdab"],
      [0x106, "09"],
    ];
    expect(plain(readHex(text))).toEqual(want);
    expect(plain(readHex(text.toUpperCase()))).toEqual(want);
  });

  it("takes segment addresses, and start addresses that say nothing about flash", () => {
    const text = [line(2, 0, 0x10, 0x01), line(0, 2, 7), line(3, 0, 0, 0, 0, 1), line(5, 0, 0, 0, 0, 1), END];
    expect(plain(readHex(text.join("\n")))).toEqual([[0x10012, "07"]]);
  });

  it.each([
    ["a wrong checksum", [`${good.slice(0, -2)}00`, END], 1, /checksum is 00, expected F6/],
    ["an odd number of digits", [good, `${good}0`, END], 2, /odd/],
    ["a record that is cut short", [good.slice(0, -2), END], 1, /says 3 bytes and has 2/],
    ["a line that is no record", [good, "hello", END], 2, /colon/],
    ["an empty line", [good, "", END], 2, /empty/],
    ["blanks at the end of a line", [`${good} `, END], 1, /other than hexadecimal/],
    ["no end", [good], 1, /cut short/],
    ["nothing at all", [], 0, /cut short/],
    ["two ends", [good, END, END], 3, /behind the end/],
    ["data behind the end", [END, good], 2, /behind the end/],
    ["bytes given twice", [good, line(0, 0x102, 3), END], 2, /0x00000102 was given already, in line 1/],
    ["an unknown type", [line(6, 0, 1), END], 1, /no record type 06/],
    ["an end with bytes", [line(1, 0, 1)], 1, /means nothing/],
    ["an address record of three bytes", [line(4, 0, 0, 0, 0), END], 1, /means nothing/],
    ["data without bytes", [line(0, 0), END], 1, /means nothing/],
    ["a record over a border of 64 KB", [line(0, 0xffff, 1, 2), END], 1, /border/],
    [
      "the end of code flash",
      [line(4, 0, 0, 0x1f), line(0, 0xfffe, 1, 2), line(4, 0, 0, 0x20), line(0, 0, 1), END],
      4,
      /outside/,
    ],
    ["behind data flash", [line(4, 0, 8, 0), line(0, 0x1fff, 1, 2), END], 2, /outside/],
    ["RAM", [line(4, 0, 0x20, 0), line(0, 0, 1), END], 2, /outside code flash/],
    ["option-setting memory", [line(4, 0, 1, 0), line(0, 0xa200, 1), END], 2, /lock the part for good/],
  ])("refuses %s with the line", (_what, lines, at, why) => {
    const attempt = () => readHex(lines.join("\n"), "a.hex");
    expect(attempt).toThrow(HexError);
    expect(attempt).toThrow(why);
    expect(attempt).toThrow(`a.hex, line ${at}: `);
  });

  it("refuses a file that is larger than any for this chip", () => {
    expect(() => readHex(" ".repeat((32 << 20) + 1))).toThrow(HexError);
  });

  it("of damaged files takes none but those that mean exactly what they say", () => {
    const whole = writeHex([
      { address: 0xffe0, bytes: noise(100) },
      { address: 0x100000, bytes: noise(70) },
      { address: 0x08000010, bytes: noise(33) },
    ]);
    const digits = "0123456789ABCDEF:\n\r g";
    let taken = 0;
    for (let round = 0; round < 6000; round++) {
      let text = whole;
      for (let n = 1 + below(3); n > 0; n--) {
        const [from, to] = [below(text.length), below(text.length)].sort((a, b) => a - b) as [number, number];
        const cut = text.slice(from, Math.min(to, from + 1 + below(90)));
        const kind = below(5);
        if (kind === 0) text = text.slice(0, from) + digits[below(digits.length)] + text.slice(from + 1);
        else if (kind === 1) text = text.slice(0, from) + text.slice(from + cut.length);
        else if (kind === 2) text = text.slice(0, to) + cut + text.slice(to);
        else if (kind === 3) text = text.slice(0, from);
        else {
          const lines = text.split("\n"); // whole lines change places, which their checksums do not see
          const one = below(lines.length);
          const other = below(lines.length);
          [lines[one], lines[other]] = [lines[other]!, lines[one]!];
          text = lines.join("\n");
        }
      }
      let read: Segment[];
      try {
        read = readHex(text);
      } catch (error) {
        expect(error).toBeInstanceOf(HexError);
        continue;
      }
      taken++;
      const cells = believed(text);
      expect(read.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBe(cells.size);
      for (const { address, bytes } of read)
        expect(bytes.every((byte, i) => cells.get(address + i) === byte)).toBe(true);
    }
    expect(taken).toBeGreaterThan(20); // such as two lines that changed places
  });
});
