/** X25519 against RFC 7748, Wycheproof and other implementations. */
import { createPrivateKey, createPublicKey, diffieHellman } from "node:crypto";
import { x25519 as noble } from "@noble/curves/ed25519.js";
import { describe, expect, it } from "vitest";
import { bytes, hex, source } from "./core.js";
import { core, KEY, L, littleEndian, OUT, P, POINT, place, taken, x25519, x25519Base } from "./curve.js";
import { describeVectors } from "./vectors.js";

interface Wycheproof {
  numberOfTests: number;
  testGroups: {
    tests: { tcId: number; comment: string; flags: string[]; public: string; private: string; shared: string }[];
  }[];
}

/** Shared secret by OpenSSL, which refuses points of low order. */
function openssl(scalar: Uint8Array, point: Uint8Array): string {
  const der = (prefix: string, key: Uint8Array) => Buffer.concat([Buffer.from(prefix, "hex"), key]);
  const privateKey = createPrivateKey({
    key: der("302e020100300506032b656e04220420", scalar),
    format: "der",
    type: "pkcs8",
  });
  const publicKey = createPublicKey({ key: der("302a300506032b656e032100", point), format: "der", type: "spki" });
  return diffieHellman({ privateKey, publicKey }).toString("hex");
}

const NINE = littleEndian(9n);
/** RFC 7748 §6.1. */
const ALICE = bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
const BOB = bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
const ALICE_PUBLIC = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
const BOB_PUBLIC = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
const SHARED = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";

describe("x25519", () => {
  it.each([
    [
      "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
      "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
      "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
    ],
    [
      "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
      "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
      "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
    ],
  ])("gives the result of RFC 7748 §5.2 for the scalar %s", (scalar, point, expected) => {
    expect(hex(x25519(bytes(scalar), bytes(point))!)).toBe(expected);
  });

  it("gives the results of RFC 7748 §5.2 after one and after 1,000 iterations", () => {
    let [scalar, point] = [NINE, NINE];
    for (let i = 1; i <= 1000; i++) {
      const next = x25519(scalar, point)!;
      [scalar, point] = [next, scalar];
      if (i === 1) expect(hex(next)).toBe("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
    expect(hex(scalar)).toBe("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
  });

  it("agrees on the secret of RFC 7748 §6.1, from either side", () => {
    expect(hex(x25519(ALICE, bytes(BOB_PUBLIC))!)).toBe(SHARED);
    expect(hex(x25519(BOB, bytes(ALICE_PUBLIC))!)).toBe(SHARED);
  });

  it("agrees with @noble/curves and node:crypto on random scalars and points, at all alignments, and wipes its scratch", () => {
    const { some, seed } = source();
    for (let i = 0; i < 100; i++) {
      const [scalar, point] = [some(32), some(32)];
      const got = hex(x25519(scalar, point, i & 7)!);
      expect(got, `${hex(scalar)} ${hex(point)}, ${seed}`).toBe(hex(noble.getSharedSecret(scalar, point)));
      expect(got, `${hex(scalar)} ${hex(point)}, ${seed}`).toBe(openssl(scalar, point));
    }
  });

  it("agrees with @noble/curves on scalars and points of long runs of ones and zeros", () => {
    const { below, some, seed } = source();
    const runs = () => {
      const result = some(32).fill(below(2) === 0 ? 0xff : 0);
      for (let n = below(4); n > 0; n--) result[below(32)] = below(256);
      return result;
    };
    for (let i = 0; i < 200; i++) {
      const [scalar, point] = [runs(), runs()];
      const got = x25519(scalar, point);
      const where = `${hex(scalar)} ${hex(point)}, ${seed}`;
      if (got === undefined) expect(() => noble.getSharedSecret(scalar, point), where).toThrow();
      else expect(hex(got), where).toBe(hex(noble.getSharedSecret(scalar, point)));
    }
  });

  it("refuses every point of low order with any scalar, and leaves only zeros", () => {
    const { some, seed } = source();
    const order8 = [
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ].map(bytes);
    const low = [0n, 1n, P - 1n, P, P + 1n].map((u) => littleEndian(u)).concat(order8);
    for (const point of low) {
      for (const high of [0, 0x80]) {
        const spelled = point.map((byte, i) => (i === 31 ? byte | high : byte));
        expect(x25519(some(32), spelled), `${hex(spelled)}, ${seed}`).toBeUndefined();
      }
    }
  });

  it("takes points that are not canonical as the numbers that they are modulo p (RFC 7748 §5)", () => {
    const { some, seed } = source();
    for (let u = 2n; u < 19n; u++) {
      const scalar = some(32);
      const expected = hex(x25519(scalar, littleEndian(u))!);
      expect(hex(x25519(scalar, littleEndian(P + u))!), `${u}, ${seed}`).toBe(expected);
      expect(hex(x25519(scalar, littleEndian(u + 2n ** 255n))!), `${u}, ${seed}`).toBe(expected);
    }
  });

  it("ignores the five bits of the scalar that are fixed", () => {
    const { some, seed } = source();
    const [scalar, point] = [some(32), some(32)];
    const expected = hex(x25519(scalar, point)!);
    for (const [byte, bit] of [
      [0, 1],
      [0, 2],
      [0, 4],
      [31, 0x40],
      [31, 0x80],
    ] as const) {
      const other = scalar.map((value, i) => (i === byte ? value ^ bit : value));
      expect(hex(x25519(other, point)!), seed).toBe(expected);
    }
  });

  it("gives another secret for every other bit of the scalar", () => {
    const { some, seed } = source();
    const [scalar, point] = [some(32), some(32)];
    const seen = new Set([hex(x25519(scalar, point)!)]);
    for (let bit = 3; bit < 254; bit++) {
      const other = scalar.map((value, i) => (i === bit >> 3 ? value ^ (1 << (bit & 7)) : value));
      seen.add(hex(x25519(other, point)!));
    }
    expect(seen.size, seed).toBe(252);
  });

  it("may write its result over the scalar or the point", () => {
    const expected = SHARED;
    for (const out of [KEY, POINT]) {
      place(KEY, ALICE);
      place(POINT, bytes(BOB_PUBLIC));
      expect(core.x25519(out, KEY, POINT)).toBe(1);
      expect(hex(taken(out, 32))).toBe(expected);
    }
  });
});

describe("x25519Base", () => {
  it("gives the public keys of RFC 7748 §6.1", () => {
    expect(hex(x25519Base(ALICE))).toBe(ALICE_PUBLIC);
    expect(hex(x25519Base(BOB))).toBe(BOB_PUBLIC);
  });

  it("gives what the ladder gives for u = 9, at all alignments, and wipes its scratch", () => {
    const { some, seed } = source();
    for (let i = 0; i < 200; i++) {
      const scalar = some(32);
      expect(hex(x25519Base(scalar, i & 7)), `${hex(scalar)}, ${seed}`).toBe(hex(x25519(scalar, NINE)!));
    }
  });

  it("gives what the ladder gives for the smallest and largest scalars and for those next to multiples of L", () => {
    const scalars = [0n, 2n ** 256n - 1n];
    for (let multiple = 0n; multiple < 16n; multiple++)
      scalars.push(multiple * L, multiple * L + 8n, (multiple + 1n) * L - 1n);
    for (const scalar of scalars.filter((one) => one < 2n ** 256n).map((one) => littleEndian(one)))
      expect(hex(x25519Base(scalar)), hex(scalar)).toBe(hex(x25519(scalar, NINE)!));
  });

  it("may write its result over the scalar", () => {
    place(OUT, ALICE);
    core.x25519Base(OUT, OUT);
    expect(hex(taken(OUT, 32))).toBe(ALICE_PUBLIC);
  });
});

describe("Wycheproof, x25519", () => {
  // "acceptable" leaves it to us: points on the twist and not canonical ones are taken (RFC 7748 §5), a secret of zero is refused (§6.1)
  describeVectors<Wycheproof>("wycheproof-x25519.json", ({ numberOfTests, testGroups }) => {
    const tests = testGroups.flatMap((group) => group.tests);
    it(`holds ${numberOfTests} tests, 31 of them with a secret of zero`, () => {
      expect(tests.length).toBe(numberOfTests);
      expect(tests.filter((one) => one.flags.includes("ZeroSharedSecret")).length).toBe(31);
    });
    it.each(tests)("$tcId: $comment $flags", (one) => {
      const got = x25519(bytes(one.private), bytes(one.public));
      if (one.flags.includes("ZeroSharedSecret")) expect(got).toBeUndefined();
      else expect(hex(got!)).toBe(one.shared);
    });
  });
});
