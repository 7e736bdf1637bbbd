/** COBS, CRC-32 and frames against values worked out elsewhere, and against each other. */
import { crc32 as zlibCrc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { FRAME_MAX, FrameType, PAYLOAD_MAX } from "../../firmware/defs/link.js";
import { cobsDecode, cobsEncode } from "../../host/client/cobs.js";
import { crc32 } from "../../host/client/crc.js";
import { Deframer, decodeFrame, ENCODED_MAX, encodeFrame, type Frame } from "../../host/client/frame.js";
import { random } from "./random.js";

const bytes = (...values: number[]) => Uint8Array.from(values);
const counting = (length: number) => Uint8Array.from({ length }, (_, i) => (i % 255) + 1);

describe("cobsEncode", () => {
  it.each([
    [bytes(), bytes(1)],
    [bytes(0), bytes(1, 1)],
    [bytes(0, 0), bytes(1, 1, 1)],
    [bytes(0x11, 0x22, 0, 0x33), bytes(3, 0x11, 0x22, 2, 0x33)],
    [bytes(0x11, 0, 0, 0), bytes(2, 0x11, 1, 1, 1)],
    [counting(254), bytes(255, ...counting(254))],
    [bytes(0, ...counting(254)), bytes(1, 255, ...counting(254))],
    [bytes(...counting(254), 0), bytes(255, ...counting(254), 1, 1)],
    [bytes(...counting(254), 7), bytes(255, ...counting(254), 2, 7)],
  ])("encodes example %# minimally, and cobsDecode gives it back", (plain, encoded) => {
    expect(cobsEncode(plain)).toEqual(encoded);
    expect(cobsDecode(encoded)).toEqual(plain);
  });

  it("never leaves a zero byte and is undone by cobsDecode, at every length up to 800", () => {
    const { below, seed } = random();
    for (let length = 0; length <= 800; length++) {
      const plain = Uint8Array.from({ length }, () => (below(100) === 0 ? 0 : below(256)));
      const encoded = cobsEncode(plain);
      expect(encoded.includes(0), seed).toBe(false);
      expect(cobsDecode(encoded), seed).toEqual(plain);
    }
  });
});

describe("cobsDecode", () => {
  it.each([
    ["nothing", bytes()],
    ["a zero inside", bytes(3, 1, 0)],
    ["a zero as code", bytes(0)],
    ["a block that runs past the end", bytes(3, 1)],
    ["an empty block after a full one at the end", bytes(255, ...counting(254), 1)],
  ])("refuses %s", (_, encoded) => {
    expect(cobsDecode(encoded)).toBeUndefined();
  });
});

describe("crc32", () => {
  it("gives 0xCBF43926 for the digits 1 to 9", () => {
    expect(crc32(Buffer.from("123456789"))).toBe(0xcbf43926);
  });

  it("agrees with zlib", () => {
    const { below, seed } = random();
    for (let length = 0; length < 300; length++) {
      const data = Uint8Array.from({ length }, () => below(256));
      expect(crc32(data), seed).toBe(zlibCrc32(data));
    }
  });
});

describe("Deframer", () => {
  const frame: Frame = {
    type: FrameType.Data,
    more: true,
    link: 0x1234,
    sequence: 0xffff,
    index: 3,
    payload: counting(PAYLOAD_MAX),
  };

  it("gives back every frame, wherever the stream is cut", () => {
    const small = { ...frame, more: false, payload: bytes(0, 1, 0) };
    const stream = Buffer.concat([encodeFrame(small), encodeFrame({ ...small, payload: bytes() }), encodeFrame(small)]);
    for (let cut = 0; cut <= stream.length; cut++) {
      const got: Frame[] = [];
      const deframer = new Deframer();
      deframer.push(stream.subarray(0, cut), (one) => got.push(one));
      deframer.push(stream.subarray(cut), (one) => got.push(one));
      expect(got).toEqual([small, { ...small, payload: bytes() }, small]);
    }
  });

  it("takes the largest frame, and drops what is longer without growing", () => {
    const got: Frame[] = [];
    const deframer = new Deframer();
    const largest = encodeFrame(frame);
    expect(largest.length).toBeLessThanOrEqual(ENCODED_MAX + 1);
    deframer.push(new Uint8Array(100_000).fill(1), () => expect.unreachable());
    deframer.push(bytes(0), () => expect.unreachable());
    deframer.push(encodeFrame({ ...frame, payload: counting(PAYLOAD_MAX + 1) }), () => expect.unreachable());
    deframer.push(largest, (one) => got.push(one));
    expect(got).toEqual([frame]);
    expect(FRAME_MAX).toBe(largest.length - 1 - 5); // five COBS codes
  });

  it("drops a frame in which any one bit was flipped", () => {
    const encoded = encodeFrame({ ...frame, payload: bytes(1, 2, 3) });
    for (let bit = 0; bit < 8 * (encoded.length - 1); bit++) {
      const damaged = encoded.slice(0, -1);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(decodeFrame(damaged)).toBeUndefined();
    }
  });
});
