/** The seal: XChaCha20-Poly1305 in place, against its specifications, published attacks and other implementations. */
import { createCipheriv } from "node:crypto";
import { hchacha, xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { describe, expect, it } from "vitest";
import { BODY_MAX } from "../../firmware/defs/record.js";
import {
  AAD,
  ascii,
  bytes,
  core,
  DATA,
  hex,
  KEY,
  memory,
  NONCE,
  OUT,
  only,
  open,
  place,
  type Sealed,
  seal,
  source,
  TAG,
  taken,
} from "./core.js";
import { describeVectors, type WycheproofAead } from "./vectors.js";

const SUNSCREEN = ascii(
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
);
const KEY_80 = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i);
const AAD_50 = bytes("50515253c0c1c2c3c4c5c6c7");

/** ChaCha20-Poly1305 with a 12-byte nonce as RFC 8439 §2.8 puts it together, from the core's parts. */
function sealIetf(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, data: Uint8Array) {
  place(KEY, key);
  place(NONCE, nonce);
  place(AAD, aad);
  place(DATA, data);
  only(
    [
      [DATA, data.length],
      [TAG, 16],
    ],
    () => {
      core.chachaBegin(KEY, 0, NONCE);
      core.chachaBlock();
      core.polyBegin(core.STREAM.value);
      core.chachaXor(DATA, data.length);
      core.polyPadded(AAD, aad.length, OUT);
      core.polyPadded(DATA, data.length, OUT);
      core.polyEnd(aad.length, data.length, TAG);
      core.chachaEnd();
    },
  );
  return { data: taken(DATA, data.length), tag: taken(TAG, 16) };
}

/** XChaCha20-Poly1305 through OpenSSL: its ChaCha20-Poly1305 under the subkey. @returns ciphertext ‖ tag */
function openssl({ key, nonce, aad, data }: Omit<Sealed, "tag">): string {
  const words = (from: Uint8Array) => new Uint32Array(Uint8Array.from(from).buffer);
  const sigma = words(ascii("expand 32-byte k"));
  const subkey = new Uint32Array(8);
  hchacha(sigma, words(key), words(nonce.subarray(0, 16)), subkey);
  const iv = Buffer.concat([Buffer.alloc(4), nonce.subarray(16)]);
  const cipher = createCipheriv("chacha20-poly1305", new Uint8Array(subkey.buffer), iv, { authTagLength: 16 });
  cipher.setAAD(aad, { plaintextLength: data.length });
  return hex(Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]));
}

/** Seals, compares with both oracles, opens again. */
function check(given: Omit<Sealed, "tag">, shift: number, where: string): void {
  const { data, tag } = seal(given, shift);
  const oracle = xchacha20poly1305(given.key, given.nonce, given.aad).encrypt(given.data);
  expect(hex(data) + hex(tag), where).toBe(hex(oracle));
  expect(hex(data) + hex(tag), where).toBe(openssl(given));
  const opened = open({ ...given, data, tag }, shift);
  expect(opened.genuine, where).toBe(true);
  expect(hex(opened.data), where).toBe(hex(given.data));
}

describe("seal", () => {
  it("is built from parts that give the ciphertext and tag of RFC 8439 §2.8.2", () => {
    const { data, tag } = sealIetf(KEY_80, bytes("070000004041424344454647"), AAD_50, SUNSCREEN);
    expect(hex(data)).toBe(
      "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6" +
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36" +
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc" +
        "3ff4def08e4b7a9de576d26586cec64b6116",
    );
    expect(hex(tag)).toBe("1ae10b594f09e26a7e902ecbd0600691");
  });

  it("gives the ciphertext and tag of draft-irtf-cfrg-xchacha-03 appendix A.3", () => {
    const nonce = Uint8Array.from({ length: 24 }, (_, i) => 0x40 + i);
    const { data, tag } = seal({ key: KEY_80, nonce, aad: AAD_50, data: SUNSCREEN });
    expect(hex(data)).toBe(
      "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb" +
        "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452" +
        "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9" +
        "21f9664c97637da9768812f615c68b13b52e",
    );
    expect(hex(tag)).toBe("c0875924c1c7987947deafd8780acf49");
  });

  it("agrees with @noble/ciphers and OpenSSL at every length up to 300, at all alignments, and leaves no scratch behind", () => {
    const { some, seed } = source();
    for (let length = 0; length <= 300; length++) {
      const given = { key: some(32), nonce: some(24), aad: some((length * 7) % 41), data: some(length) };
      check(given, length & 7, `length ${length}, ${seed}`);
    }
  });

  it("agrees with them for associated data of 0 to 40 bytes", () => {
    const { some, seed } = source();
    for (let length = 0; length <= 40; length++) {
      for (const data of [0, 15, 16, 17, 64]) {
        const given = { key: some(32), nonce: some(24), aad: some(length), data: some(data) };
        check(given, length & 7, `associated data ${length}, ${seed}`);
      }
    }
  });

  it("agrees with them around 1,024, 2,048 and 4,096 bytes and up to the longest body", () => {
    const { some, below, seed } = source();
    const lengths = [1024, 2048, 4096].flatMap((n) => [n - 17, n - 16, n - 1, n, n + 1, n + 16, n + 64]);
    for (const length of [...lengths, BODY_MAX - 1, BODY_MAX]) {
      const given = { key: some(32), nonce: some(24), aad: some(96), data: some(length) };
      check(given, below(8), `length ${length}, ${seed}`);
    }
  });
});

describe("open", () => {
  /** Opens what must be refused and looks at what is left in place. */
  function refuse(sealed: Sealed, where: string): void {
    const { genuine, data } = open(sealed);
    expect(genuine, where).toBe(false);
    expect(hex(data), where).toBe(hex(sealed.data));
  }

  const flipped = (from: Uint8Array, bit: number) =>
    from.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));

  it("refuses every single wrong bit of tag, nonce, key and associated data, and leaves the ciphertext as it was", () => {
    const { some, seed } = source();
    const plain = { key: some(32), nonce: some(24), aad: some(20), data: some(70) };
    const sealed = { ...plain, ...seal(plain) };
    expect(open(sealed).genuine, seed).toBe(true);
    for (const part of ["tag", "nonce", "key", "aad"] as const) {
      for (let bit = 0; bit < sealed[part].length * 8; bit++) {
        refuse({ ...sealed, [part]: flipped(sealed[part], bit) }, `bit ${bit} of ${part}, ${seed}`);
      }
    }
  });

  it("refuses every single wrong bit of the ciphertext and leaves it as it was", () => {
    const { some, seed } = source();
    for (const length of [1, 15, 16, 17, 64, 100]) {
      const plain = { key: some(32), nonce: some(24), aad: some(3), data: some(length) };
      const sealed = { ...plain, ...seal(plain) };
      for (let bit = 0; bit < length * 8; bit++)
        refuse({ ...sealed, data: flipped(sealed.data, bit) }, `bit ${bit} of ${length}, ${seed}`);
    }
  });

  it("refuses a ciphertext that was cut or lengthened, and bytes moved between associated data and ciphertext", () => {
    const { some, seed } = source();
    const plain = { key: some(32), nonce: some(24), aad: some(16), data: some(48) };
    const sealed = { ...plain, ...seal(plain) };
    for (let length = 0; length < 48; length++) refuse({ ...sealed, data: sealed.data.slice(0, length) }, seed);
    refuse({ ...sealed, data: Uint8Array.of(...sealed.data, 0) }, seed);
    refuse({ ...sealed, aad: Uint8Array.of(...sealed.aad, 0) }, seed);
    refuse({ ...sealed, aad: sealed.aad.slice(0, 15) }, seed);
    refuse(
      { ...sealed, aad: Uint8Array.of(...sealed.aad, ...sealed.data.slice(0, 16)), data: sealed.data.slice(16) },
      seed,
    );
  });

  it("refuses an all-zero tag and never writes its own tag to the caller's", () => {
    const { some, seed } = source();
    const plain = { key: some(32), nonce: some(24), aad: some(0), data: some(33) };
    refuse({ ...plain, data: seal(plain).data, tag: new Uint8Array(16) }, seed);
    expect(hex(memory.subarray(TAG, TAG + 16))).toBe("00".repeat(16));
  });
});

describeVectors<WycheproofAead>("wycheproof-xchacha20_poly1305.json", ({ testGroups }) => {
  const fitting = testGroups.filter((group) => group.ivSize === 192).flatMap((group) => group.tests);

  it.each(fitting)("$tcId ($result) $comment", (test) => {
    const given = { key: bytes(test.key), nonce: bytes(test.iv), aad: bytes(test.aad) };
    const [plain, data, tag] = [bytes(test.msg), bytes(test.ct), bytes(test.tag)];
    const opened = open({ ...given, data, tag });
    expect(opened.genuine).toBe(test.result === "valid");
    expect(hex(opened.data)).toBe(test.result === "valid" ? test.msg : test.ct);
    if (test.result !== "valid") return;
    expect(seal({ ...given, data: plain })).toEqual({ data, tag });
  });

  it("names no nonce of another size that it calls valid: the core takes 24 bytes only", () => {
    const others = testGroups.filter((group) => group.ivSize !== 192).flatMap((group) => group.tests);
    expect(others.map((test) => test.result)).not.toContain("valid");
  });
});

describeVectors<WycheproofAead>("wycheproof-chacha20_poly1305.json", ({ testGroups }) => {
  const fitting = testGroups.filter((group) => group.ivSize === 96).flatMap((group) => group.tests);

  it.each(fitting)("$tcId ($result) $comment", (test) => {
    const { data, tag } = sealIetf(bytes(test.key), bytes(test.iv), bytes(test.aad), bytes(test.msg));
    expect(hex(data) + hex(tag) === test.ct + test.tag).toBe(test.result === "valid");
  });
});
