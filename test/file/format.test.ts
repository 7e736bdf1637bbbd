/** The format against SPEC.md: tables, positions, encoders and decoders. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as defs from "../../firmware/defs/file.js";
import {
  CAPACITY,
  decodeFinal,
  decodeHeader,
  decodeSegment,
  encodeFinal,
  encodeHeader,
  isHeaderOf,
  POSITION_MAX,
  paddingMax,
  positionsFor,
} from "../../host/file/format.js";
import { random } from "../host/random.js";
import { encrypt } from "./workbench.js";

const spec = readFileSync(new URL("../../firmware/SPEC.md", import.meta.url), "utf8");
const section = spec.split(/^## /m).find((part) => /^\d+\. Encrypted files/.test(part)) ?? "";
const rows = [...section.matchAll(/^\| ([\d,]+) \| ([\d,]+) \| `(\w+)` \|/gm)].map(([, offset, size, name]) => ({
  offset: Number(offset!.replace(",", "")),
  size: Number(size!.replace(",", "")),
  name: name!,
}));

describe.each([
  { prefix: "FILE_OFF_", size: defs.FILE_HEADER },
  { prefix: "SEGMENT_OFF_", size: defs.FILE_SEGMENT },
  { prefix: "FINAL_OFF_", size: defs.FILE_FINAL },
])("the table of SPEC with $prefix", ({ prefix, size }) => {
  const table = rows.filter(({ name }) => name.startsWith(prefix));

  it("has every offset of defs/file.ts with its value, and no other", () => {
    const offsets = Object.entries(defs).filter(([name]) => name.startsWith(prefix));
    expect(Object.fromEntries(table.map(({ name, offset }) => [name, offset]))).toEqual(Object.fromEntries(offsets));
  });

  it("leaves no gap and no overlap, and ends with the last byte", () => {
    expect([0, ...table.map((row) => row.offset + row.size)]).toEqual([...table.map((row) => row.offset), size]);
  });
});

describe("positionsFor", () => {
  it("is one position for each encrypted byte, whatever size and fill", () => {
    const far = 2n ** 62n;
    fc.assert(
      fc.property(fc.bigInt(0n, far), fc.bigInt(0n, far / 20n), (size, padding) => {
        const bytes = size + padding;
        const whole = bytes / BigInt(CAPACITY);
        const rest = bytes % BigInt(CAPACITY);
        const segments = whole * 65536n + (rest === 0n ? 0n : rest + 4n);
        expect(positionsFor(size, padding)).toBe(segments + 1024n);
      }),
    );
    expect([0n, 1n, 65532n, 65533n].map((size) => positionsFor(size, 0n))).toEqual([1024n, 1029n, 66560n, 66565n]);
  });

  it("is what a file takes: claimed, used and written, for files and for streams that fill their limit", async () => {
    for (const size of [0, 1, 19, 20, 65532, 65533, 131064, 200_000]) {
      const { file, result, claimed } = await encrypt(Buffer.alloc(size, 1), { start: 1000n });
      const tags = BigInt(Math.ceil((file.length - 96 - 1040) / 65552) + 1) * 16n;
      expect([result.end - result.start + 1n, BigInt(file.length)]).toEqual([claimed, 96n + claimed + tags]);
      const most = { maxSize: BigInt(size), padding: paddingMax(BigInt(size)), start: 1000n };
      const stream = await encrypt(Buffer.alloc(size, 1), most);
      expect(stream.result.end - stream.result.start + 1n).toBe(stream.claimed);
    }
  });

  it("never falls with more content or more fill, so that a limit's positions do for anything below it", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 12n), fc.bigInt(0n, 10n ** 6n), (size, less) => {
        const smaller = size > less ? size - less : 0n;
        expect(positionsFor(smaller, paddingMax(smaller)) <= positionsFor(size, paddingMax(size))).toBe(true);
      }),
    );
  });
});

describe("paddingMax", () => {
  it("is five in a hundred, rounded down", () => {
    expect([0n, 19n, 20n, 39n, 40n, 1_000_000n].map(paddingMax)).toEqual([0n, 0n, 1n, 1n, 2n, 50_000n]);
  });
});

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

describe("decodeHeader", () => {
  it("gives back what encodeHeader was given, which fits its key and no other", () => {
    fc.assert(
      fc.property(bytes(16), fc.bigInt(0n, POSITION_MAX), bytes(32), bytes(32), (keyId, start, salt, mac) => {
        const header = encodeHeader({ keyId, start, salt }, mac);
        expect(decodeHeader(header, "x")).toEqual({ keyId, start, salt });
        const other = Uint8Array.from(mac, (byte, i) => (i === 31 ? byte ^ 1 : byte));
        expect([header.length, isHeaderOf(header, mac), isHeaderOf(header, other)]).toEqual([96, true, false]);
      }),
    );
  });

  it("tells what is no such file, what is another version and what is cut", () => {
    const header = encodeHeader({ keyId: Buffer.alloc(16), start: 0n, salt: Buffer.alloc(32) }, Buffer.alloc(32));
    const why = (bytes: Buffer) => {
      try {
        return decodeHeader(bytes, "x");
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    for (let length = 0; length < 96; length++)
      expect([length, why(header.subarray(0, length))]).toEqual([length, length < 4 ? "not-encrypted" : "damaged"]);
    const newer = Buffer.from(header);
    newer.writeUInt32LE(2, 4);
    expect([why(newer), why(newer.subarray(0, 8))]).toEqual(["wrong-version", "wrong-version"]);
    const far = Buffer.from(header);
    far.writeBigUInt64LE(2n ** 63n, 24);
    expect([why(far), why(Buffer.from("not at all"))]).toEqual(["damaged", "not-encrypted"]);
    expect(why(header)).not.toBeTypeOf("string");
  });
});

describe("decodeFinal", () => {
  it("gives back what encodeFinal was given, and takes no byte that means nothing", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, POSITION_MAX), bytes(32), fc.uint8Array({ maxLength: 255 }), (length, hash, name) => {
        const plain = encodeFinal({ length, hash, name });
        const back = decodeFinal(plain)!;
        expect([back.length, Uint8Array.from(back.hash), Uint8Array.from(back.name)]).toEqual([length, hash, name]);
        for (const at of [0, 3, 45 + name.length, 1023]) {
          const changed = Buffer.from(plain);
          changed[at] = 1;
          expect(decodeFinal(changed)).toBeUndefined();
        }
      }),
    );
  });
});

describe("decodeSegment", () => {
  it("gives the content, and refuses fill that is not zeros and counts beyond the end", () => {
    const { below } = random();
    const plain = Buffer.alloc(100);
    plain.fill(7, 4, 50);
    plain.writeUInt32LE(46);
    expect(decodeSegment(plain)).toEqual(Buffer.alloc(46, 7));
    for (const count of [97, 65536, 2 ** 32 - 1, 45]) {
      plain.writeUInt32LE(count);
      expect(decodeSegment(plain)).toBeUndefined();
    }
    plain.writeUInt32LE(46);
    plain[50 + below(50)] = 1;
    expect(decodeSegment(plain)).toBeUndefined();
  });
});
