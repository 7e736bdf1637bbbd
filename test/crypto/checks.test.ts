/** Checks that are no cryptography and stand in front of it: constant-time comparison, CRC-32 of the link, UTF-8. */
import { crc32 } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { ascii, core, DATA, OUT, place, source } from "./core.js";

describe("equal", () => {
  it("sees every single bit of 16 bytes, wherever they stand", () => {
    const { some, seed } = source();
    const reference = some(16);
    place(OUT, reference);
    for (let shift = 0; shift < 8; shift++) {
      place(DATA + shift, reference);
      expect(core.equal(OUT, DATA + shift, 16), seed).toBe(1);
      for (let bit = 0; bit < 128; bit++) {
        place(
          DATA + shift,
          reference.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte)),
        );
        expect(core.equal(OUT, DATA + shift, 16), `bit ${bit}, ${seed}`).toBe(0);
      }
    }
  });

  it("looks at no byte past the length", () => {
    place(DATA, ascii("abcX"));
    place(OUT, ascii("abcY"));
    expect(core.equal(DATA, OUT, 3)).toBe(1);
    expect(core.equal(DATA, OUT, 4)).toBe(0);
    expect(core.equal(DATA, OUT, 0)).toBe(1);
  });
});

describe("isZero", () => {
  it("sees every single bit", () => {
    for (let bit = 0; bit < 128; bit++) {
      place(
        DATA,
        Uint8Array.from({ length: 16 }, (_, i) => (i === bit >> 3 ? 1 << (bit & 7) : 0)),
      );
      expect(core.isZero(DATA, 16)).toBe(0);
    }
    place(DATA, new Uint8Array(16));
    expect(core.isZero(DATA, 16)).toBe(1);
  });
});

describe("CRC-32", () => {
  beforeAll(() => void core.makeTable());
  const sum = (data: Uint8Array) =>
    ~data.reduce((running, byte) => core.crcStep(running, byte), core.CRC_START.value) >>> 0;

  it("gives 0xCBF43926 for the digits 1 to 9", () => {
    expect(sum(ascii("123456789"))).toBe(0xcbf43926);
  });

  it("agrees with zlib, and leaves its residue behind data and CRC", () => {
    const { some, seed } = source();
    for (let length = 0; length <= 300; length++) {
      const data = some(length);
      expect(sum(data), seed).toBe(crc32(data));
      const end = Buffer.alloc(4);
      end.writeUInt32LE(sum(data));
      const residue = [...data, ...end].reduce((running, byte) => core.crcStep(running, byte), core.CRC_START.value);
      expect(residue, seed).toBe(core.CRC_RESIDUE.value);
    }
  });
});

describe("isUtf8", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const decodes = (data: Uint8Array) => {
    try {
      strict.decode(data);
      return true;
    } catch {
      return false;
    }
  };
  const judge = (...data: number[]) => {
    place(DATA, Uint8Array.from(data));
    return core.isUtf8(DATA, data.length) !== 0;
  };

  it("agrees with TextDecoder on every sequence of one and two bytes", () => {
    for (let a = 0; a < 256; a++) {
      expect(judge(a), `${a}`).toBe(decodes(Uint8Array.of(a)));
      for (let b = 0; b < 256; b++) if (judge(a, b) !== decodes(Uint8Array.of(a, b))) expect.unreachable(`${a} ${b}`);
    }
  });

  it("agrees with TextDecoder on sequences of three and four bytes at the edges of every range", () => {
    const edges = [
      0x00, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
      0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff,
    ];
    for (const a of edges) {
      for (const b of edges) {
        for (const c of edges) {
          if (judge(a, b, c) !== decodes(Uint8Array.of(a, b, c))) expect.unreachable(`${a} ${b} ${c}`);
          if (a < 0xf0) continue;
          for (const d of edges)
            if (judge(a, b, c, d) !== decodes(Uint8Array.of(a, b, c, d))) expect.unreachable(`${a} ${b} ${c} ${d}`);
        }
      }
    }
  });

  it("agrees with TextDecoder on random text, whole and damaged", () => {
    const { below, seed } = source();
    for (let i = 0; i < 2000; i++) {
      const text = Array.from({ length: below(16) }, () =>
        String.fromCodePoint([below(0x80), below(0x800), below(0xd800), 0x10000 + below(0x100000)][below(4)]!),
      );
      const data = Uint8Array.from(Buffer.from(text.join("")));
      expect(judge(...data), seed).toBe(true);
      if (data.length === 0) continue;
      data[below(data.length)] = below(256);
      expect(judge(...data), `${data}, ${seed}`).toBe(decodes(data));
    }
  });
});
