/** Ed25519 against RFC 8032, Wycheproof and other implementations, and what its verification refuses. */
import { createPrivateKey, createPublicKey, sign as nodeSign, verify as nodeVerify } from "node:crypto";
import { ed25519 as noble } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";
import { bytes, hex, source } from "./core.js";
import { core, integer, KEY, L, littleEndian, memory, OUT, P, place, publicKey, sign, taken, verify } from "./curve.js";
import { describeVectors } from "./vectors.js";

interface Wycheproof {
  numberOfTests: number;
  testGroups: {
    publicKey: { pk: string };
    tests: { tcId: number; comment: string; flags: string[]; msg: string; sig: string; result: "valid" | "invalid" }[];
  }[];
}

const LONG = bytes(`
  08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f77b1e355f6c50544e23fb1433ddf73be84d8
  79de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d658675fc6ea534e0810a4432826bf58c941efb65d57a338bbd2e26640f89ffbc
  1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4feba15452f80288a821a579116ec6dad2b3b310da903401aa62100ab5d1a36553e
  06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573cb116dbefefd75499da96bd68a8a97b928a8bbc103b6621fcde2beca1231d206be6cd9ec7
  aff6f6c94fcd7204ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed185ce81bd84359d44254d95629e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2
  d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc24554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f270
  88d78b7e883c8759d2c4f5c65adb7553878ad575f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a2cf65bd92dd597b07
  07e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128bab27af87a71314f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51a
  ddd3b75a2b1ae0784504df543af8969be3ea7082ff7fc9888c144da2af58429ec96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb7
  51fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301651339e22904cc8c42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8
  ca61783aacec57fb3d1f92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a7e08
  d78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e2ab47b57f7f7276cd419c17a3ca8e1b939ae49e4
  88acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d5011fd2dcc5600a32ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e
  6aed3fb0f9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5fb93246f6b1116398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b5
  0d334ba77c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa933a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380d
  b2eaaa707b4c4185c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8cac60c905c15fc910840b94c00a0b9d0
`);

/** RFC 8032 §7.1: name, seed, public key, message, signature. */
const RFC: [string, string, string, Uint8Array, string][] = [
  [
    "TEST 1",
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    bytes(""),
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  ],
  [
    "TEST 2",
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    bytes("72"),
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  ],
  [
    "TEST 3",
    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    bytes("af82"),
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  ],
  [
    "TEST 1024",
    "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
    "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
    LONG,
    "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03",
  ],
  [
    "TEST SHA(abc)",
    "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
    "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
    sha512(Uint8Array.from(Buffer.from("abc"))),
    "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
  ],
];

const openssl = {
  private: (seed: Uint8Array) =>
    createPrivateKey({
      key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]),
      format: "der",
      type: "pkcs8",
    }),
  public: (key: Uint8Array) =>
    createPublicKey({
      key: Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), key]),
      format: "der",
      type: "spki",
    }),
  verify: (signature: Uint8Array, key: Uint8Array, message: Uint8Array) =>
    nodeVerify(null, message, openssl.public(key), signature),
};

/** The eight points whose order divides 8. */
const SMALL = (() => {
  const torsion = noble.Point.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
  const points = [noble.Point.ZERO];
  while (points.length < 8) points.push(points.at(-1)!.add(torsion));
  return points;
})();

const { BASE } = noble.Point;
const challenge = (r: Uint8Array, key: Uint8Array, message: Uint8Array) =>
  integer(sha512(Buffer.concat([r, key, message]))) % L;
const join = (r: Uint8Array, s: bigint) => Uint8Array.from(Buffer.concat([r, littleEndian(s)]));

describe("publicKey, sign and verify", () => {
  it.each(RFC)("give what RFC 8032 §7.1 %s says", (_, seed, key, message, signature) => {
    expect(hex(publicKey(bytes(seed)))).toBe(key);
    expect(hex(sign(bytes(seed), bytes(key), message))).toBe(signature);
    expect(verify(bytes(signature), bytes(key), message)).toBe(true);
  });

  it("agree with @noble/curves and node:crypto on random seeds and messages, at all alignments, and wipe their scratch", () => {
    const { some, seed } = source();
    for (let i = 0; i < 100; i++) {
      const [secret, message] = [some(32), some(3 * i)];
      const where = `${hex(secret)} ${hex(message)}, ${seed}`;
      const key = publicKey(secret, i & 7);
      expect(hex(key), where).toBe(hex(noble.getPublicKey(secret)));
      const signature = sign(secret, key, message, i & 7);
      expect(hex(signature), where).toBe(hex(noble.sign(message, secret)));
      expect(hex(signature), where).toBe(nodeSign(null, message, openssl.private(secret)).toString("hex"));
      expect(verify(signature, key, message, i & 7), where).toBe(true);
    }
  });

  it("notice a single wrong bit in any entry of the comb", () => {
    const entries = taken(core.COMB.value, 8 * 96);
    for (let at = 5; at < entries.length; at += 32) {
      memory[core.COMB.value + at]! ^= 0x10;
      const wrong = RFC.filter(([, seed, key]) => hex(publicKey(bytes(seed))) !== key);
      memory[core.COMB.value + at]! ^= 0x10;
      expect(wrong.length, `byte ${at}`).toBeGreaterThan(0);
    }
    expect(hex(publicKey(bytes(RFC[0]![1])))).toBe(RFC[0]![2]);
  });
});

describe("signPieces", () => {
  it("gives the signature of the whole message wherever it is cut", () => {
    const { some, seed } = source();
    const [secret, message] = [some(32), some(150)];
    const key = publicKey(secret);
    const expected = hex(sign(secret, key, message));
    for (let cut = 0; cut <= message.length; cut += 5)
      expect(hex(sign(secret, key, message, cut & 7, cut)), `cut at ${cut}, ${seed}`).toBe(expected);
  });
});

describe("verify", () => {
  const { some, seed } = source();
  const secret = some(32);
  const key = noble.getPublicKey(secret);
  const message = some(40);
  const signature = noble.sign(message, secret);
  const { scalar } = noble.utils.getExtendedPublicKey(secret);

  it("refuses a signature, a message and a key with any single bit changed", () => {
    const flipped = (data: Uint8Array, bit: number) =>
      data.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    for (let bit = 0; bit < 512; bit++)
      expect(verify(flipped(signature, bit), key, message), `${bit}, ${seed}`).toBe(false);
    for (let bit = 0; bit < 256; bit++)
      expect(verify(signature, flipped(key, bit), message), `${bit}, ${seed}`).toBe(false);
    for (let bit = 0; bit < 320; bit++)
      expect(verify(signature, key, flipped(message, bit)), `${bit}, ${seed}`).toBe(false);
    expect(verify(signature, key, message)).toBe(true);
  });

  it("refuses S + L and further multiples, which satisfy the equation as well", () => {
    const s = integer(signature.subarray(32));
    for (let more = L; s + more < 2n ** 256n; more += L)
      expect(verify(join(signature.subarray(0, 32), s + more), key, message), seed).toBe(false);
  });

  it("refuses every public key of small order, also where the equation holds", () => {
    for (const point of SMALL) {
      const small = point.toBytes();
      // k · A is one of the eight points: one R of them fits S = 0 for some messages
      for (let i = 0; i < 16; i++) {
        for (const r of SMALL) {
          const forged = join(r.toBytes(), 0n);
          expect(verify(forged, small, Uint8Array.of(i))).toBe(false);
        }
      }
    }
    const forged = join(SMALL[0]!.toBytes(), 0n);
    expect(openssl.verify(forged, SMALL[0]!.toBytes(), message), "OpenSSL takes it, so the equation holds").toBe(true);
  });

  it("refuses R of small order where the equation holds", () => {
    const r = SMALL[0]!.toBytes();
    const forged = join(r, (challenge(r, key, message) * scalar) % L);
    expect(openssl.verify(forged, key, message), "OpenSSL takes it, so the equation holds").toBe(true);
    expect(verify(forged, key, message)).toBe(false);
    const mixed = BASE.multiply(scalar).add(SMALL[1]!).toBytes();
    let found = 0;
    for (let i = 0; i < 64; i++) {
      for (const point of SMALL.slice(1)) {
        const [small, text] = [point.toBytes(), Uint8Array.of(i)];
        const other = join(small, (challenge(small, mixed, text) * scalar) % L);
        if (!openssl.verify(other, mixed, text)) continue;
        found++;
        expect(verify(other, mixed, text)).toBe(false);
      }
    }
    expect(found).toBeGreaterThan(0);
  });

  it("takes no cofactor: with a key of mixed order only signatures are good whose challenge cancels the small part", () => {
    const mixed = BASE.multiply(scalar).add(SMALL[1]!).toBytes();
    const results = new Map<boolean, number>();
    for (let i = 0; i < 128; i++) {
      const text = Uint8Array.of(i);
      const nonce = BigInt(1000 + i);
      const r = BASE.multiply(nonce).toBytes();
      const k = challenge(r, mixed, text);
      const made = join(r, (nonce + k * scalar) % L);
      expect(noble.verify(made, text, mixed, { zip215: true }), "with cofactor it is good").toBe(true);
      expect(verify(made, mixed, text)).toBe(k % 8n === 0n);
      results.set(k % 8n === 0n, 1);
    }
    expect(results.size, "both cases occurred").toBe(2);
  });

  it("refuses keys that are not canonical, and keys that are on no point", () => {
    const accepts = (y: bigint, sign: bigint) => {
      place(KEY, littleEndian(y | (sign << 255n)));
      const good = core.decode(KEY) !== 0;
      core.wipePoint();
      return good;
    };
    let lenient = 0;
    for (let y = 0n; y < 60n; y++) {
      for (const sign of [0n, 1n]) {
        const spelled = littleEndian(y | (sign << 255n));
        let expected = true;
        try {
          noble.Point.fromBytes(spelled, false);
        } catch {
          expected = false;
        }
        expect(accepts(y, sign), `${y} ${sign}`).toBe(expected);
        if (y >= 19n) continue;
        expect(accepts(P + y, sign), `p + ${y} ${sign}`).toBe(false);
        if (expected) lenient++;
      }
    }
    expect(lenient, "some of them are points, read modulo p").toBeGreaterThan(10);
  });

  it("refuses R that is written in another way than the equation's result", () => {
    // R = (0, 1) has the spellings 1, p + 1 and both with the sign of −0; each gets the S that its own challenge needs
    for (const spelled of [1n, P + 1n, 1n + 2n ** 255n, P + 1n + 2n ** 255n].map((y) => littleEndian(y))) {
      const forged = join(spelled, (challenge(spelled, key, message) * scalar) % L);
      expect(verify(forged, key, message)).toBe(false);
    }
  });
});

describe("the scalars", () => {
  const edges = [0n, 1n, L - 1n, L, L + 1n, 2n * L - 1n, 2n ** 252n - 1n, 2n ** 252n, 15n * L, 2n ** 256n - 1n];

  it("are reduced modulo L, at the edges and at random", () => {
    const { some, below, seed } = source();
    const numbers = edges.flatMap((low) => [low, low + 2n ** 256n * L, low + 2n ** 511n, 2n ** 512n - 1n - low]);
    const runs = () => some(64).fill(below(2) === 0 ? 0xff : 0, below(32), 32 + below(33));
    for (let i = 0; i < 2000; i++) numbers.push(integer(runs()));
    for (const number of numbers) {
      place(KEY, littleEndian(number, 64));
      core.reduce(OUT, KEY);
      expect(integer(taken(OUT, 32)), `${number}, ${seed}`).toBe(number % L);
    }
  });

  it("are multiplied and added modulo L, at the edges and at random", () => {
    const { some, below, seed } = source();
    const pick = () => (below(2) === 0 ? edges[below(edges.length)]! : integer(some(32)));
    for (let i = 0; i < 2000; i++) {
      const [a, b, c] = [pick(), pick(), pick()];
      place(KEY, Buffer.concat([a, b, c].map((one) => littleEndian(one))));
      core.multiplyAdd(OUT, KEY, KEY + 32, KEY + 64);
      expect(integer(taken(OUT, 32)), `${a} ${b} ${c}, ${seed}`).toBe((a * b + c) % L);
    }
  });

  it("count as reduced below L only", () => {
    for (const edge of edges) {
      place(KEY, littleEndian(edge));
      expect(core.isReduced(KEY) !== 0, `${edge}`).toBe(edge < L);
    }
  });
});

describe("Wycheproof, Ed25519", () => {
  // every result is as published: "valid" is accepted, "invalid" refused. Other lengths than 64 bytes never reach verify.
  describeVectors<Wycheproof>("wycheproof-ed25519.json", ({ numberOfTests, testGroups }) => {
    const tests = testGroups.flatMap((group) => group.tests.map((one) => ({ ...one, key: group.publicKey.pk })));
    const whole = tests.filter((one) => one.sig.length === 128);
    it(`holds ${numberOfTests} tests; the ${numberOfTests - whole.length} signatures of another length are all invalid`, () => {
      expect(tests.length).toBe(numberOfTests);
      for (const one of tests) if (one.sig.length !== 128) expect(one.result).toBe("invalid");
    });
    it.each(whole)("$tcId: $result $comment $flags", (one) => {
      expect(verify(bytes(one.sig), bytes(one.key), bytes(one.msg))).toBe(one.result === "valid");
    });
  });
});
