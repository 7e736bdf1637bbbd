/** BLAKE3 in its three modes against known answers and @noble/hashes. */
import { blake3 } from "@noble/hashes/blake3.js";
import { describe, expect, it } from "vitest";
import { BODY_MAX } from "../../firmware/defs/record.js";
import { ascii, core, DATA, derive, hash, hex, keyed, source } from "./core.js";
import { type Blake3Vectors, describeVectors } from "./vectors.js";

/** The longest input that fits in front of the core's secrets and scratch. */
const LONGEST = core.VAULT.value - DATA - 8;
const CHUNK = 1024;
/** Around blocks, chunks and complete subtrees, and the longest body. */
const LENGTHS = [
  ...Array.from({ length: 301 }, (_, i) => i),
  ...[1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 31, 32].flatMap((n) => [
    n * CHUNK - 1,
    n * CHUNK,
    n * CHUNK + 1,
    n * CHUNK + 64,
  ]),
  BODY_MAX - 1,
  BODY_MAX,
];

describe("BLAKE3", () => {
  it.each([
    ["nothing", "", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"],
    ["abc", "abc", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"],
  ])("gives b3sum's hash of %s", (_, text, expected) => {
    expect(hex(hash(ascii(text)))).toBe(expected);
  });

  it("hashes like @noble/hashes at every length up to 300 and around every tree shape, and leaves no scratch behind", () => {
    const { some, seed } = source();
    for (const length of LENGTHS) {
      const data = some(length);
      expect(hex(hash(data, length & 7)), `length ${length}, ${seed}`).toBe(hex(blake3(data)));
    }
  });

  it("hashes with a key like @noble/hashes at the same lengths, and leaves no scratch behind", () => {
    const { some, seed } = source();
    for (const length of LENGTHS) {
      const [key, data] = [some(32), some(length)];
      expect(hex(keyed(key, data, length & 7)), `length ${length}, ${seed}`).toBe(hex(blake3(data, { key })));
    }
  });

  it("derives keys like @noble/hashes from contexts and material of all small lengths, and leaves no scratch behind", () => {
    const { some, below, seed } = source();
    for (let length = 0; length <= 300; length++) {
      const [context, material] = [some(below(100)), some(length)];
      const expected = blake3(material, { context });
      expect(hex(derive(context, material, length & 7)), `length ${length}, ${seed}`).toBe(hex(expected));
    }
  });
});

describeVectors<Blake3Vectors>("blake3.json", ({ key, context_string, cases }) => {
  const input = (length: number) => Uint8Array.from({ length }, (_, i) => i % 251);
  const start = (output: string) => output.slice(0, 64);

  for (const one of cases) {
    if (one.input_len > LONGEST) {
      it.skip(`${one.input_len} bytes: skipped, they do not fit into the core's one page`, () => {});
      continue;
    }
    it(`${one.input_len} bytes: hash, keyed hash and derived key`, () => {
      const data = input(one.input_len);
      expect(hex(hash(data))).toBe(start(one.hash));
      expect(hex(keyed(ascii(key), data))).toBe(start(one.keyed_hash));
      expect(hex(derive(ascii(context_string), data))).toBe(start(one.derive_key));
    });
  }
});
