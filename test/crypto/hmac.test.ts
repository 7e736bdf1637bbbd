/** HMAC-SHA-256 and HKDF against RFC 4231, RFC 5869 appendix A, Wycheproof and other implementations. */
import { createHmac, hkdfSync } from "node:crypto";
import { hkdf as nobleHkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";
import { ascii, bytes, hex, source } from "./core.js";
import { core, DATA, hkdf, KEY, mac, OUT, only, place, taken } from "./symmetric.js";
import { describeVectors } from "./vectors.js";

const repeated = (byte: number, times: number) => new Uint8Array(times).fill(byte);
const counting = (from: number, to: number) => Uint8Array.from({ length: to - from + 1 }, (_, i) => from + i);
const nothing = new Uint8Array(0);

describe("mac", () => {
  const larger = "Test Using Larger Than Block-Size Key - Hash Key First";
  const both =
    "This is a test using a larger than block-size key and a larger than block-size data. " +
    "The key needs to be hashed before being used by the HMAC algorithm.";

  it.each([
    [1, repeated(0x0b, 20), ascii("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"],
    [
      2,
      ascii("Jefe"),
      ascii("what do ya want for nothing?"),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ],
    [3, repeated(0xaa, 20), repeated(0xdd, 50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"],
    [4, counting(1, 25), repeated(0xcd, 50), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"],
    [5, repeated(0x0c, 20), ascii("Test With Truncation"), "a3b6167473100ee06e0c796c2955552b"],
    [6, repeated(0xaa, 131), ascii(larger), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"],
    [7, repeated(0xaa, 131), ascii(both), "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"],
  ])("gives the MAC of RFC 4231 test case %i", (_, key, data, expected) => {
    expect(hex(mac(key, data)).slice(0, expected.length)).toBe(expected);
  });

  it("agrees with @noble/hashes and node:crypto for keys and messages of every length up to 300, at all alignments, and wipes its scratch", () => {
    const { some, below, seed } = source();
    for (let length = 0; length <= 300; length++) {
      for (const [key, data] of [
        [some(32), some(length)],
        [some(length), some(below(200))],
      ] as const) {
        const where = `key of ${key.length}, message of ${data.length}, ${seed}`;
        const got = hex(mac(key, data, length & 7));
        expect(got, where).toBe(hex(hmac(sha256, key, data)));
        expect(got, where).toBe(createHmac("sha256", key).update(data).digest("hex"));
      }
    }
  });

  it("gives another MAC for every single bit of the key", () => {
    const { some, seed } = source();
    const [key, data] = [some(64), some(40)];
    const seen = new Set([hex(mac(key, data))]);
    for (let bit = 0; bit < 512; bit++)
      seen.add(
        hex(
          mac(
            key.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte)),
            data,
          ),
        ),
      );
    expect(seen.size, seed).toBe(513);
  });

  it("may write its result over key or message", () => {
    const { some, seed } = source();
    const [key, data] = [some(32), some(50)];
    for (const out of [KEY, DATA]) {
      place(KEY, key);
      place(DATA, data);
      only([[out, 32]], () => core.mac(out, KEY, 32, DATA, 50));
      expect(hex(taken(out, 32)), seed).toBe(hex(hmac(sha256, key, data)));
    }
  });
});

describe("begin, update, end", () => {
  it("give the same MAC wherever a message is cut", () => {
    const { some, seed } = source();
    const [key, data] = [some(70), some(130)];
    place(KEY, key);
    place(DATA, data);
    for (let first = 0; first <= 130; first++) {
      only([[OUT, 32]], () => {
        core.hmacBegin(KEY, 70);
        core.hmacUpdate(DATA, first);
        core.hmacUpdate(DATA + first, 130 - first);
        core.hmacEnd(OUT);
      });
      expect(hex(taken(OUT, 32)), `${first}, ${seed}`).toBe(hex(hmac(sha256, key, data)));
    }
  });

  it("keep the key under its pad where the check for wiped scratch finds it", () => {
    const unfinished = () => core.hmacBegin(place(KEY, repeated(0x11, 32)), 32);
    expect(() => only([[KEY, 32]], unfinished)).toThrow("neither result nor wiped scratch");
    expect(hex(taken(core.HMAC.value, 32))).toBe(hex(repeated(0x11 ^ 0x36, 32)));
    core.hmacEnd(OUT);
    expect(hex(taken(core.HMAC.value, core.HMAC_SIZE.value))).toBe("00".repeat(core.HMAC_SIZE.value));
  });
});

describe("hkdf", () => {
  it.each([
    [
      "A.1",
      repeated(0x0b, 22),
      counting(0x00, 0x0c),
      counting(0xf0, 0xf9),
      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ],
    [
      "A.2",
      counting(0x00, 0x4f),
      counting(0x60, 0xaf),
      counting(0xb0, 0xff),
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09" +
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ],
    [
      "A.3",
      repeated(0x0b, 22),
      nothing,
      nothing,
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ],
  ])("gives the keys of RFC 5869 appendix %s", (_, material, salt, info, expected) => {
    expect(hex(hkdf(salt, material, info, expected.length / 2))).toBe(expected);
  });

  it("agrees with @noble/hashes and node:crypto for random lengths, and wipes its scratch", () => {
    const { some, below, seed } = source();
    for (let round = 0; round < 200; round++) {
      const [salt, material, info] = [some(below(100)), some(below(100)), some(below(100))];
      const length = 1 + below(300);
      const where = `salt ${salt.length}, material ${material.length}, info ${info.length}, ${length} bytes, ${seed}`;
      const got = hex(hkdf(salt, material, info, length));
      expect(got, where).toBe(hex(nobleHkdf(sha256, material, salt, info, length)));
      expect(got, where).toBe(hex(new Uint8Array(hkdfSync("sha256", material, salt, info, length))));
    }
  });

  it("gives as many bytes as RFC 5869 allows, 255 times 32", () => {
    const { some, seed } = source();
    const [salt, material, info] = [some(32), some(32), some(5)];
    const expected = nobleHkdf(sha256, material, salt, info, 255 * 32);
    expect(hex(hkdf(salt, material, info, 255 * 32)), seed).toBe(hex(expected));
  });
});

describe("noiseHkdf", () => {
  /** Noise revision 34 §4.3, word for word. */
  function reference(chainingKey: Uint8Array, material: Uint8Array, outputs: number): string {
    const mac = (key: Uint8Array, data: Uint8Array) => createHmac("sha256", key).update(data).digest();
    const temporary = mac(chainingKey, material);
    const output1 = mac(temporary, Uint8Array.of(1));
    const output2 = mac(temporary, Uint8Array.of(...output1, 2));
    const output3 = mac(temporary, Uint8Array.of(...output2, 3));
    return hex(Buffer.concat([output1, output2, output3].slice(0, outputs)));
  }

  it("gives two and three outputs for no, 32 and any other number of bytes, also over the chaining key or the material", () => {
    const { some, below, seed } = source();
    for (let round = 0; round < 100; round++) {
      const [chainingKey, material] = [some(32), some([0, 32, below(200)][round % 3]!)];
      for (const outputs of [2, 3]) {
        for (const out of [OUT, KEY, DATA]) {
          place(KEY, chainingKey);
          place(DATA, material);
          only([[out, outputs * 32]], () => core.noiseHkdf(out, outputs, KEY, DATA, material.length));
          const where = `${outputs} outputs of ${material.length} bytes to ${out}, ${seed}`;
          expect(hex(taken(out, outputs * 32)), where).toBe(reference(chainingKey, material, outputs));
        }
      }
    }
  });
});

interface Test {
  tcId: number;
  comment: string;
  result: "valid" | "invalid" | "acceptable";
}
interface MacTest extends Test {
  key: string;
  msg: string;
  tag: string;
}
interface HkdfTest extends Test {
  ikm: string;
  salt: string;
  info: string;
  size: number;
  okm: string;
}

describeVectors<{ testGroups: { tagSize: number; tests: MacTest[] }[] }>("wycheproof-hmac_sha256.json", (vectors) => {
  const tests = vectors.testGroups.flatMap(({ tagSize, tests }) => tests.map((test) => ({ ...test, tagSize })));

  it.each(tests)("$tcId ($result) $comment", ({ key, msg, tag, tagSize, result }) => {
    const expected = hex(mac(bytes(key), bytes(msg)).subarray(0, tagSize / 8));
    expect(expected === tag).toBe(result === "valid");
  });
});

describeVectors<{ testGroups: { tests: HkdfTest[] }[] }>("wycheproof-hkdf_sha256.json", ({ testGroups }) => {
  const tests = testGroups.flatMap((group) => group.tests);

  it.each(tests.filter((test) => test.result === "valid"))("$tcId $comment", ({ ikm, salt, info, size, okm }) => {
    expect(hex(hkdf(bytes(salt), bytes(ikm), bytes(info), size))).toBe(okm);
  });

  it("calls invalid only what asks for more than 255 outputs, which callers must not", () => {
    const refused = tests.filter((test) => test.result !== "valid");
    expect(refused.map((test) => Math.ceil(test.size / 32)).filter((count) => count <= 255)).toEqual([]);
    expect(refused.length).toBeGreaterThan(0);
  });
});
