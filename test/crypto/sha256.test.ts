/** SHA-256 against FIPS 180-4's examples, RFC 6234 §8.5 and other implementations. */
import { createHash } from "node:crypto";
import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";
import { ascii, bytes, hex, source } from "./core.js";
import { core, DATA, hash, memory, OUT, only, place, taken } from "./symmetric.js";

/** The hash of a message that comes in pieces. */
function pieces(...parts: Uint8Array[]): string {
  const length = Math.max(0, ...parts.map((part) => part.length));
  only(
    [
      [DATA, length],
      [OUT, 32],
    ],
    () => {
      core.shaBegin();
      for (const part of parts) core.shaUpdate(place(DATA, part), part.length);
      core.shaEnd(OUT);
    },
  );
  return hex(taken(OUT, 32));
}

/** Around one and two blocks, all that is short, and the lengths of records. */
const LENGTHS = [...Array.from({ length: 301 }, (_, i) => i), 1023, 1024, 1025, 4095, 4096, 4097];

describe("hash", () => {
  it.each([
    ["nothing", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["RFC 6234's TEST1, one block", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "RFC 6234's TEST2_1, padding in a second block",
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
    [
      "FIPS 180's message of 896 bits",
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
    ],
    [
      "RFC 6234's TEST4, ten blocks",
      "0123456701234567012345670123456701234567012345670123456701234567".repeat(10),
      "594847328451bdfa85056225462cc1d867d877fb388df0ce35f25ab5562bfbb5",
    ],
  ])("gives the hash of %s", (_, text, expected) => {
    expect(hex(hash(ascii(text)))).toBe(expected);
  });

  it.each([
    ["TEST8", "19", "68aa2e2ee5dff96e3355e6c7ee373e3d6a4e17f75f9518d843709c0c9bc3e3d4"],
    ["TEST10", "e3d72570dcdd787ce3887ab2cd684652", "175ee69b02ba9b58e2b0a5fd13819cea573f3940a94f825128cf4209beabb4e8"],
  ])("gives the hash of RFC 6234's %s", (_, message, expected) => {
    expect(hex(hash(bytes(message)))).toBe(expected);
  });

  it("agrees with @noble/hashes and node:crypto at every length up to 300 and around long ones, at all alignments, and wipes its scratch", () => {
    const { some, seed } = source();
    for (const length of LENGTHS) {
      const data = some(length);
      const got = hex(hash(data, length & 7));
      expect(got, `length ${length}, ${seed}`).toBe(hex(sha256(data)));
      expect(got, `length ${length}, ${seed}`).toBe(createHash("sha256").update(data).digest("hex"));
    }
  });

  it("may write its result over the message", () => {
    const { some, seed } = source();
    const data = some(100);
    place(DATA, data);
    only([[DATA, 32]], () => core.hash(DATA, DATA, 100));
    expect(hex(taken(DATA, 32)), seed).toBe(hex(sha256(data)));
  });
});

describe("begin, update, end", () => {
  it("give the hash of RFC 6234's TEST3, a million times the letter a, in pieces of 1,000", () => {
    const piece = ascii("a".repeat(1000));
    expect(pieces(...Array.from({ length: 1000 }, () => piece))).toBe(
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    );
  });

  it("give the same hash wherever a message is cut into two or three", () => {
    const { some, below, seed } = source();
    for (const length of [1, 55, 56, 63, 64, 65, 119, 128, 200]) {
      const data = some(length);
      const expected = hex(sha256(data));
      for (let first = 0; first <= length; first++) {
        const second = first + below(length - first + 1);
        expect(pieces(data.subarray(0, first), data.subarray(first)), `${first} of ${length}, ${seed}`).toBe(expected);
        expect(
          pieces(data.subarray(0, first), data.subarray(first, second), data.subarray(second)),
          `${first} and ${second} of ${length}, ${seed}`,
        ).toBe(expected);
      }
    }
  });

  it("agree with @noble/hashes for random pieces, empty ones among them", () => {
    const { some, below, seed } = source();
    for (let round = 0; round < 200; round++) {
      const parts = Array.from({ length: below(12) }, () => some(below(3) === 0 ? 64 * below(3) : below(150)));
      expect(pieces(...parts), `lengths ${parts.map((part) => part.length)}, ${seed}`).toBe(
        hex(sha256(Buffer.concat(parts))),
      );
    }
  });

  it("forget a message that was never ended when the next one begins", () => {
    const { some, seed } = source();
    core.shaBegin();
    core.shaUpdate(place(DATA, some(77)), 77);
    core.shaBegin();
    core.shaEnd(OUT);
    expect(hex(taken(OUT, 32)), seed).toBe(hex(sha256(new Uint8Array(0))));
    expect(hex(taken(core.SHA.value, core.SHA_SIZE.value))).toBe("00".repeat(core.SHA_SIZE.value));
  });

  it("keep a message in hand where the check for wiped scratch finds it", () => {
    core.shaBegin();
    const unfinished = () => core.shaUpdate(place(DATA, ascii("secret")), 6);
    expect(() => only([[DATA, 6]], unfinished)).toThrow("neither result nor wiped scratch");
    expect(Buffer.from(memory.subarray(core.SHA.value, core.SHA.value + core.SHA_SIZE.value)).includes("secret")).toBe(
      true,
    );
    core.shaEnd(OUT);
  });
});
