/** Poly1305. The core takes zero-padded inputs and ends with two lengths, as the AEAD needs it. So a reference in big integers is
 *  checked against the RFC first, and the core against the reference, mostly where carries and reductions are at their limits. */
import { poly1305 as noble } from "@noble/ciphers/_poly1305.js";
import { describe, expect, it } from "vitest";
import { ascii, bytes, core, DATA, hex, KEY, only, place, source, TAG, taken } from "./core.js";

const P = 2n ** 130n - 5n;
const CLAMP = 0x0ffffffc0ffffffc0ffffffc0fffffffn;

function integer(littleEndian: Uint8Array): bigint {
  return BigInt(`0x0${hex(Uint8Array.from(littleEndian).reverse())}`);
}

/** RFC 8439 §2.5.1, word for word. */
function reference(key: Uint8Array, message: Uint8Array): string {
  const r = integer(key.subarray(0, 16)) & CLAMP;
  let accumulator = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = Uint8Array.of(...message.subarray(at, at + 16), 1);
    accumulator = ((accumulator + integer(block)) * r) % P;
  }
  const tag = (accumulator + integer(key.subarray(16))) & (2n ** 128n - 1n);
  return hex(bytes(tag.toString(16).padStart(32, "0")).reverse());
}

/** The core's tag over data, padded with zeros, and two lengths. They are sign-extended, so that −1 stands for 16 … FF. */
function tagOf(key: Uint8Array, data: Uint8Array, first = data.length, second = 0, shift = 0): string {
  place(KEY + shift, key);
  place(DATA + shift, data);
  only([[TAG + shift, 16]], () => {
    core.polyBegin(KEY + shift);
    core.polyPadded(DATA + shift, data.length, TAG + shift);
    core.polyEnd(first, second, TAG + shift);
  });
  return hex(taken(TAG + shift, 16));
}

/** The message that tagOf() authenticates. */
function asMessage(data: Uint8Array, first = data.length, second = 0): Uint8Array {
  const message = Buffer.alloc(((data.length + 15) & ~15) + 16);
  message.set(data);
  message.writeBigInt64LE(BigInt(first), message.length - 16);
  message.writeBigInt64LE(BigInt(second), message.length - 8);
  return message;
}

const FF = "ff".repeat(16);
/** Key (r, s), message, tag. */
const A3: [string, string, string, string, string][] = [
  ["#5: partial reduction modulo 2^130", `02${"00".repeat(15)}`, "00".repeat(16), FF, `03${"00".repeat(15)}`],
  ["#6: the sum with s overflows", `02${"00".repeat(15)}`, FF, `02${"00".repeat(15)}`, `03${"00".repeat(15)}`],
  [
    "#7: a carry into the last limb",
    `01${"00".repeat(15)}`,
    "00".repeat(16),
    `${FF}f0${"ff".repeat(15)}11${"00".repeat(15)}`,
    `05${"00".repeat(15)}`,
  ],
  [
    "#8: exactly 2^130 − 5",
    `01${"00".repeat(15)}`,
    "00".repeat(16),
    `${FF}fb${"fe".repeat(15)}${"01".repeat(16)}`,
    "00".repeat(16),
  ],
  ["#9: exactly 2^130 − 6", `02${"00".repeat(15)}`, "00".repeat(16), `fd${"ff".repeat(15)}`, `fa${"ff".repeat(15)}`],
  [
    "#10: 5·H + L reduces late",
    `0100000000000000${"04"}${"00".repeat(7)}`,
    "00".repeat(16),
    "e33594d7505e43b900000000000000003394d7505e4379cd01000000000000000000000000000000000000000000000001000000000000000000000000000000",
    `14${"00".repeat(7)}55${"00".repeat(7)}`,
  ],
  [
    "#11: the same without the last block",
    `0100000000000000${"04"}${"00".repeat(7)}`,
    "00".repeat(16),
    "e33594d7505e43b900000000000000003394d7505e4379cd010000000000000000000000000000000000000000000000",
    `13${"00".repeat(15)}`,
  ],
];

describe("the reference", () => {
  it("gives the tag of RFC 8439 §2.5.2", () => {
    const key = bytes("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b");
    expect(reference(key, ascii("Cryptographic Forum Research Group"))).toBe("a8061dc1305136c6c22b8baf0c0127a9");
  });

  it.each(A3)("gives the tag of RFC 8439 appendix A.3 %s", (_, r, s, message, tag) => {
    expect(reference(bytes(r + s), bytes(message))).toBe(tag);
  });
});

describe("Poly1305", () => {
  it("gives the tag of RFC 8439 appendix A.3 #5, whose only block is 16 times FF", () => {
    expect(tagOf(bytes(`02${"00".repeat(31)}`), new Uint8Array(0), -1, -1)).toBe(`03${"00".repeat(15)}`);
  });

  it.each(A3)("agrees with the reference behind the message of RFC 8439 appendix A.3 %s", (_, r, s, message) => {
    const [key, data] = [bytes(r + s), bytes(message)];
    expect(tagOf(key, data)).toBe(reference(key, asMessage(data)));
    expect(tagOf(key, data, -1, -1)).toBe(reference(key, asMessage(data, -1, -1)));
  });

  it("agrees with the reference where all limbs are at their limits", () => {
    const { some, below, seed } = source();
    const extreme = [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff];
    const pick = (length: number) => {
      if (below(4) === 0) return some(length);
      const filler = below(2) === 0 ? 0xff : 0x00;
      return Uint8Array.from({ length }, (_, i) =>
        i % 16 === 0 || below(12) === 0 ? extreme[below(extreme.length)]! : filler,
      );
    };
    for (let i = 0; i < 3000; i++) {
      const [key, data] = [pick(32), pick(16 * below(6))];
      const ends = [-1, 0, 1, 0x7fffffff, -0x80000000, below(2 ** 31)];
      const [first, second] = [ends[below(ends.length)]!, ends[below(ends.length)]!];
      const expected = reference(key, asMessage(data, first, second));
      expect(tagOf(key, data, first, second), `key ${hex(key)}, data ${hex(data)}, ${first}, ${second}, ${seed}`).toBe(
        expected,
      );
    }
  });

  it("agrees with @noble/ciphers at every length up to 300 and at all alignments, and wipes its state", () => {
    const { some, seed } = source();
    for (let length = 0; length <= 300; length++) {
      const [key, data] = [some(32), some(length)];
      const expected = hex(noble(asMessage(data, length, 7), key));
      expect(tagOf(key, data, length, 7, length & 7), `length ${length}, ${seed}`).toBe(expected);
    }
  });
});
