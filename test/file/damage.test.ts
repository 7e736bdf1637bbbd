/** Every kind of damaged file: a clear error, and an output that never finishes (workbench.ts looks). */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dataSegment, fileOf, finalSegment, type Segment, segmentsOf } from "./peer.js";
import { decrypt, encrypt, KEY_ID, secret, verdict } from "./workbench.js";

const WHOLE = 65_552;
const LAST = 1_040;
const HEADER = 96;
const SHORT = 3_000;
const content = randomBytes(3 * 65_532 + SHORT);
const made = async () => (await encrypt(content, { padding: 0n, start: 1_000_000n })).file;
/** Where each segment begins in that file, and its end. */
const BEGINS = [0, 1, 2, 3].map((i) => HEADER + i * WHOLE);
const FINAL = BEGINS[3]! + 4 + SHORT + 16;
const END = FINAL + LAST;
const segmentAt = (file: Buffer, i: number) => file.subarray(BEGINS[i], BEGINS[i + 1] ?? FINAL);

async function flipped(file: Buffer, at: number, bit = 1): Promise<string> {
  file[at] = file[at]! ^ bit;
  const found = await verdict(file);
  file[at] = file[at]! ^ bit;
  return found;
}

describe("a changed header", () => {
  it("is told byte by byte: magic, version, and from there on what does not fit the key", async () => {
    const file = await made();
    for (let at = 0; at < HEADER; at++) {
      for (const bit of [1, 0x80]) {
        // the top bit of the start makes a position that does not exist
        const expected =
          at < 4 ? "not-encrypted" : at < 8 ? "wrong-version" : at === 31 && bit === 0x80 ? "damaged" : "wrong-key";
        expect([at, await flipped(file, at, bit)]).toEqual([at, expected]);
      }
    }
    expect(await verdict(file)).toBe("accepted");
  });

  it("is told as a wrong key with a wrong secret, another filekey or another start, and names what the file names", async () => {
    const file = await made();
    expect(await verdict(file, () => secret().fill(1, 31))).toBe("wrong-key");
    await expect(decrypt(file, () => new Uint8Array(32))).rejects.toMatchObject({
      hint: expect.stringMatching(/a0a1a2a3.*position 1000000/),
    });
    const moved = Buffer.from(file);
    moved.writeBigUInt64LE(1_065_536n, 24);
    expect(await verdict(moved)).toBe("wrong-key");
    const other = Buffer.from(file);
    other.fill(0, 8, 24);
    expect(await verdict(other)).toBe("wrong-key");
  });

  it("cannot be taken from another file: neither whole nor without its MAC", async () => {
    const [file, second] = [await made(), await made()];
    expect(await verdict(Buffer.concat([second.subarray(0, HEADER), file.subarray(HEADER)]))).toBe("damaged");
    const salted = Buffer.from(file);
    second.copy(salted, 32, 32, 64);
    expect(await verdict(salted)).toBe("wrong-key");
  });
});

describe("changed segments", () => {
  it("are damage at any byte that begins or ends a segment or a tag", async () => {
    const file = await made();
    expect(file.length).toBe(END);
    const edges = [...BEGINS, FINAL, END].flatMap((at) => [at, at + 1, at + 4, at + 44, at - 1, at - 16, at - 17]);
    for (const at of edges.filter((at) => at >= HEADER && at < END)) {
      for (const bit of [1, 0x80]) expect([at, await flipped(file, at, bit)]).toEqual([at, "damaged"]);
    }
  });

  it("are told with the position of the segment", async () => {
    const file = await made();
    file[BEGINS[2]! + 5] = file[BEGINS[2]! + 5]! ^ 1;
    const message = expect.stringContaining(`position ${1_000_000 + 2 * 65_536}`);
    await expect(decrypt(file)).rejects.toMatchObject({ code: "damaged", message });
  });

  it("cannot be swapped, dropped, doubled or taken from another file of the same content and positions", async () => {
    const [file, second] = [await made(), await made()];
    const [header, final] = [file.subarray(0, HEADER), file.subarray(FINAL)];
    const parts = [0, 1, 2, 3].map((i) => segmentAt(file, i));
    const order = (...which: number[]) => Buffer.concat([header, ...which.map((i) => parts[i]!), final]);
    expect(order(0, 1, 2, 3).equals(file)).toBe(true);
    for (const which of [
      [1, 0, 2, 3],
      [0, 2, 1, 3],
      [2, 1, 0, 3],
      [1, 2, 3],
      [0, 2, 3],
      [0, 1, 3],
      [0, 1, 2],
      [0, 0, 1, 2, 3],
      [0, 1, 2, 2, 3],
      [0, 1, 2, 3, 3],
      [3, 0, 1, 2],
      [],
    ])
      expect([which, await verdict(order(...which))]).toEqual([which, "damaged"]);
    for (const i of [0, 1, 2, 3]) {
      const mixed = Buffer.from(file);
      segmentAt(second, i).copy(mixed, BEGINS[i]);
      expect(await verdict(mixed)).toBe("damaged");
    }
    expect(await verdict(Buffer.concat([file.subarray(0, FINAL), second.subarray(FINAL)]))).toBe("damaged");
    expect(await verdict(Buffer.concat([header, final, final]))).toBe("damaged");
    expect(await verdict(Buffer.concat([file, final]))).toBe("damaged");
    expect(await verdict(Buffer.concat([file, file]))).toBe("damaged");
  });
});

describe("a cut or a longer file", () => {
  it("is damage wherever it is cut: at every boundary, beside it, and inside", async () => {
    const file = await made();
    const marks = [HEADER, ...BEGINS, FINAL, END].flatMap((at) =>
      [-LAST, -100, -17, -16, -5, -1, 0, 1, 4, 16, 20, 21, 22, 500, LAST, LAST + 20, LAST + 21].map((by) => at + by),
    );
    for (const at of new Set(marks.filter((at) => at >= HEADER && at < END)))
      expect([at, await verdict(file.subarray(0, at))]).toEqual([at, "damaged"]);
    for (let at = 0; at < HEADER; at++)
      expect([at, await verdict(file.subarray(0, at))]).toEqual([at, at < 4 ? "not-encrypted" : "damaged"]);
  });

  it("is damage with anything behind it, and with anything in front it is no such file", async () => {
    const file = await made();
    for (const more of [1, 16, 20, 21, LAST, WHOLE - LAST - 1, WHOLE, WHOLE + LAST])
      expect([more, await verdict(Buffer.concat([file, Buffer.alloc(more)]))]).toEqual([more, "damaged"]);
    expect(await verdict(Buffer.concat([Buffer.alloc(1), file]))).toBe("not-encrypted");
  });

  it("is damage for the smallest file, too", async () => {
    const { file } = await encrypt(Buffer.alloc(0));
    expect(file.length).toBe(HEADER + LAST);
    for (let at = HEADER; at < file.length; at += 7) expect(await verdict(file.subarray(0, at))).toBe("damaged");
    for (const more of [1, 20, 21, 1000])
      expect(await verdict(Buffer.concat([file, randomBytes(more)]))).toBe("damaged");
  });
});

describe("what somebody with the key can write, and mbs does not", () => {
  const terms = { secret: secret(), keyId: KEY_ID, start: 5n, salt: randomBytes(32) };
  const name = Buffer.from("name");
  const write = (segments: readonly Segment[], start = 5n) => verdict(fileOf({ ...terms, start }, segments));
  const text = Buffer.alloc(1000, 65);
  const SHAPE = "the segment at position 5 is";
  const LAST_SHAPE = "its final segment is";
  const changed = (segment: Segment, at: number, byte: number): Segment => {
    const plain = Buffer.from(segment.plain);
    plain[at] = byte;
    return { ...segment, plain };
  };

  it("is accepted when it is right: the writer of these tests can do that", async () => {
    expect(await write(segmentsOf(text, 50, name))).toBe("accepted");
    expect(await write(segmentsOf(Buffer.alloc(200_000), 9_000, name))).toBe("accepted");
    expect(await write(segmentsOf(Buffer.alloc(0), 0, Buffer.alloc(0)))).toBe("accepted");
  });

  it.each<[string, string, Segment[]]>([
    ["fill that is not zeros", SHAPE, [changed(dataSegment(text, 50), 1053, 1), finalSegment(text, name)]],
    ["one byte of such fill in front", SHAPE, [changed(dataSegment(text, 50), 1004, 1), finalSegment(text, name)]],
    ["a count beyond the segment", SHAPE, [dataSegment(text, 0, 1001), finalSegment(text, name)]],
    ["a count beyond all numbers", SHAPE, [dataSegment(text, 0, 0xffffffff), finalSegment(text, name)]],
    ["a count that hides content", SHAPE, [dataSegment(text, 0, 999), finalSegment(text.subarray(1), name)]],
    ["more fill than 5 %", "more fill", [dataSegment(text, 51), finalSegment(text, name)]],
    ["fill where nothing is", "more fill", [dataSegment(Buffer.alloc(0), 1), finalSegment(Buffer.alloc(0), name)]],
    [
      "content behind fill",
      "content follows fill",
      [
        dataSegment(Buffer.alloc(65_531), 1),
        dataSegment(text, 0),
        finalSegment(Buffer.concat([Buffer.alloc(65_531), text]), name),
      ],
    ],
    ["another length", "length or SHA-256", [dataSegment(text, 0), finalSegment(text, name, 999n)]],
    ["another hash", "length or SHA-256", [dataSegment(text, 0), changed(finalSegment(text, name), 12, 0)]],
    ["a count in the final segment", LAST_SHAPE, [dataSegment(text, 0), changed(finalSegment(text, name), 0, 1)]],
    ["bytes behind the name", LAST_SHAPE, [dataSegment(text, 0), changed(finalSegment(text, name), 49, 1)]],
    ["bytes at the end", LAST_SHAPE, [dataSegment(text, 0), changed(finalSegment(text, name), 1023, 1)]],
  ])("is refused as malformed: %s", async (_, why, segments) => {
    const done = decrypt(fileOf(terms, segments));
    await expect(done).rejects.toMatchObject({ code: "malformed", message: expect.stringContaining(why) });
  });

  it.each<[string, Segment[]]>([
    ["no final segment", [dataSegment(Buffer.alloc(1020), 0)]],
    ["a final segment of data", [dataSegment(text, 0), { ...finalSegment(text, name), kind: 0 }]],
    ["data as a final segment", [{ ...dataSegment(text, 0), kind: 1 }, finalSegment(text, name)]],
    ["two final segments", [finalSegment(text, name), finalSegment(text, name)]],
    ["another kind", [dataSegment(text, 0), { ...finalSegment(text, name), kind: 2 }]],
    ["an empty data segment", [dataSegment(Buffer.alloc(0), 0), finalSegment(Buffer.alloc(0), name)]],
    ["short segments in front", [dataSegment(text, 0), dataSegment(text, 0), finalSegment(text, name)]],
  ])("is refused as damaged: %s", async (_, segments) => {
    expect(await write(segments)).toBe("damaged");
  });

  it("is refused as malformed when it goes beyond the last position", async () => {
    const last = 2n ** 63n - 1n;
    expect(await write(segmentsOf(Buffer.alloc(0), 0, name), last - 1023n)).toBe("accepted");
    expect(await write(segmentsOf(Buffer.alloc(0), 0, name), last - 1022n)).toBe("malformed");
    expect(await write(segmentsOf(text, 0, name), last - 100n)).toBe("malformed");
  });
});

describe("any other change", () => {
  const file = encrypt(randomBytes(70_000), { padding: 100n });
  const edit = fc.oneof(
    fc.record({
      kind: fc.constant("set" as const),
      at: fc.nat(),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    }),
    fc.record({ kind: fc.constant("cut" as const), at: fc.nat(), length: fc.integer({ min: 1, max: 70_000 }) }),
    fc.record({
      kind: fc.constant("add" as const),
      at: fc.nat(),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    }),
    fc.record({
      kind: fc.constant("copy" as const),
      at: fc.nat(),
      from: fc.nat(),
      length: fc.integer({ min: 1, max: 70_000 }),
    }),
  );

  it("is never accepted (property over random edits, several at once)", async () => {
    const { file: right } = await file;
    let changes = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        let bytes = Buffer.from(right);
        for (const one of edits) {
          const at = one.at % (bytes.length + 1);
          const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
          if (one.kind === "set") bytes = Buffer.concat([before, one.bytes, after.subarray(one.bytes.length)]);
          else if (one.kind === "cut") bytes = Buffer.concat([before, after.subarray(one.length)]);
          else if (one.kind === "add") bytes = Buffer.concat([before, one.bytes, after]);
          else {
            const from = one.from % (bytes.length + 1);
            const piece = bytes.subarray(from, from + one.length);
            bytes = Buffer.concat([before, piece, after.subarray(piece.length)]);
          }
        }
        const isChanged = !bytes.equals(right);
        changes += isChanged ? 1 : 0;
        const found = await verdict(bytes);
        const refused = ["not-encrypted", "wrong-version", "wrong-key", "damaged"];
        expect(isChanged ? refused : ["accepted"]).toContain(found);
      }),
      { numRuns: 400 },
    );
    expect(changes).toBeGreaterThan(300);
  });
});
