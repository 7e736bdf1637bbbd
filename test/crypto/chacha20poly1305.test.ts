/** ChaCha20-Poly1305 with a nonce of 12 bytes, in place, against RFC 8439, published attacks and other implementations. */
import { createCipheriv } from "node:crypto";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { describe, expect, it } from "vitest";
import { MESSAGE_MAX } from "../../firmware/defs/link.js";
import { ascii, bytes, hex, type Sealed, source } from "./core.js";
import { AAD, core, DATA, KEY, NONCE, only, place, TAG, taken } from "./symmetric.js";
import { describeVectors, type WycheproofAead } from "./vectors.js";

type Plain = Omit<Sealed, "tag">;

/** Puts the inputs where they are taken from, each another few bytes off alignment. @returns the arguments of seal and open */
function arrange({ key, nonce, aad, data }: Plain, shift: number): number[] {
  return [
    place(KEY + shift, key),
    place(NONCE + ((shift * 3) & 7), nonce),
    place(AAD + ((shift * 5) & 7), aad),
    aad.length,
    place(DATA + shift, data),
    data.length,
    TAG + ((shift * 7) & 7),
  ];
}

/** Seals in place. @returns ciphertext and tag */
function seal(plain: Plain, shift = 0): { data: Uint8Array; tag: Uint8Array } {
  const inputs = arrange(plain, shift);
  const [data, tag] = [inputs[4]!, place(inputs[6]!, new Uint8Array(16).fill(0xa5))];
  only(
    [
      [data, plain.data.length],
      [tag, 16],
    ],
    () => core.seal(...inputs),
  );
  return { data: taken(data, plain.data.length), tag: taken(tag, 16) };
}

/** Opens in place. @returns whether it was accepted, and what stands in the data's place afterwards */
function open(sealed: Sealed, shift = 0): { genuine: boolean; data: Uint8Array } {
  const inputs = arrange(sealed, shift);
  const at = inputs[4]!;
  place(inputs[6]!, sealed.tag);
  const genuine = only([[at, sealed.data.length]], () => core.open(...inputs)) !== 0;
  return { genuine, data: taken(at, sealed.data.length) };
}

/** ciphertext ‖ tag by OpenSSL. */
function openssl({ key, nonce, aad, data }: Plain): string {
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
  cipher.setAAD(aad, { plaintextLength: data.length });
  return hex(Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]));
}

/** Seals, compares with both oracles, opens again. */
function check(plain: Plain, shift: number, where: string): void {
  const { data, tag } = seal(plain, shift);
  const got = hex(data) + hex(tag);
  expect(got, where).toBe(hex(chacha20poly1305(plain.key, plain.nonce, plain.aad).encrypt(plain.data)));
  expect(got, where).toBe(openssl(plain));
  const opened = open({ ...plain, data, tag }, shift);
  expect(opened.genuine, where).toBe(true);
  expect(hex(opened.data), where).toBe(hex(plain.data));
}

describe("seal", () => {
  it("gives the ciphertext and tag of RFC 8439 §2.8.2", () => {
    const { data, tag } = seal({
      key: Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i),
      nonce: bytes("070000004041424344454647"),
      aad: bytes("50515253c0c1c2c3c4c5c6c7"),
      data: ascii(
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
      ),
    });
    expect(hex(data)).toBe(
      "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6" +
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36" +
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc" +
        "3ff4def08e4b7a9de576d26586cec64b6116",
    );
    expect(hex(tag)).toBe("1ae10b594f09e26a7e902ecbd0600691");
  });

  it("agrees with @noble/ciphers and OpenSSL at every length up to 300, at all alignments, and leaves no scratch behind", () => {
    const { some, seed } = source();
    for (let length = 0; length <= 300; length++) {
      const plain = { key: some(32), nonce: some(12), aad: some((length * 7) % 41), data: some(length) };
      check(plain, length & 7, `length ${length}, ${seed}`);
    }
  });

  it("agrees with them for associated data of 0 to 64 bytes, and up to the longest message", () => {
    const { some, seed } = source();
    for (let length = 0; length <= 64; length++) {
      const plain = { key: some(32), nonce: some(12), aad: some(length), data: some(length % 19) };
      check(plain, length & 7, `associated data ${length}, ${seed}`);
    }
    for (const length of [1023, 1024, 1025, 4096, MESSAGE_MAX - 16, MESSAGE_MAX]) {
      check({ key: some(32), nonce: some(12), aad: some(0), data: some(length) }, 0, `length ${length}, ${seed}`);
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

  it("gives the text of RFC 8439 appendix A.5", () => {
    const sealed = {
      key: bytes("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0"),
      nonce: bytes("000000000102030405060708"),
      aad: bytes("f33388860000000000004e91"),
      data: bytes(
        "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0" +
          "bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855" +
          "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e9" +
          "9040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a" +
          "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130" +
          "305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709b",
      ),
      tag: bytes("eead9d67890cbb22392336fea1851f38"),
    };
    const { genuine, data } = open(sealed);
    expect(genuine).toBe(true);
    expect(Buffer.from(data).toString("utf8")).toBe(
      "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or obsoleted by " +
        "other documents at any time. It is inappropriate to use Internet-Drafts as reference material or to cite them " +
        "other than as /“work in progress./”",
    );
  });

  it("refuses every single wrong bit of tag, nonce, key, associated data and ciphertext, and leaves the ciphertext as it was", () => {
    const { some, seed } = source();
    const plain = { key: some(32), nonce: some(12), aad: some(20), data: some(70) };
    const sealed = { ...plain, ...seal(plain) };
    expect(open(sealed).genuine, seed).toBe(true);
    for (const part of ["tag", "nonce", "key", "aad", "data"] as const) {
      for (let bit = 0; bit < sealed[part].length * 8; bit++)
        refuse({ ...sealed, [part]: flipped(sealed[part], bit) }, `bit ${bit} of ${part}, ${seed}`);
    }
  });

  it("refuses a ciphertext that was cut or lengthened, and bytes moved between associated data and ciphertext", () => {
    const { some, seed } = source();
    const plain = { key: some(32), nonce: some(12), aad: some(16), data: some(48) };
    const sealed = { ...plain, ...seal(plain) };
    for (let length = 0; length < 48; length++) refuse({ ...sealed, data: sealed.data.slice(0, length) }, seed);
    refuse({ ...sealed, data: Uint8Array.of(...sealed.data, 0) }, seed);
    refuse({ ...sealed, aad: sealed.aad.slice(0, 15) }, seed);
    const moved = { aad: Uint8Array.of(...sealed.aad, ...sealed.data.slice(0, 16)), data: sealed.data.slice(16) };
    refuse({ ...sealed, ...moved }, seed);
  });

  it("takes a message without data, which only the tag authenticates, and refuses an all-zero tag", () => {
    const { some, seed } = source();
    const plain = { key: some(32), nonce: some(12), aad: some(32), data: some(0) };
    expect(open({ ...plain, ...seal(plain) }).genuine, seed).toBe(true);
    refuse({ ...plain, tag: new Uint8Array(16) }, seed);
  });
});

describeVectors<WycheproofAead>("wycheproof-chacha20_poly1305.json", ({ testGroups }) => {
  const fitting = testGroups.filter((group) => group.ivSize === 96).flatMap((group) => group.tests);

  it.each(fitting)("$tcId ($result) $comment", (test) => {
    const given = { key: bytes(test.key), nonce: bytes(test.iv), aad: bytes(test.aad) };
    const [plain, data, tag] = [bytes(test.msg), bytes(test.ct), bytes(test.tag)];
    const opened = open({ ...given, data, tag });
    expect(opened.genuine).toBe(test.result === "valid");
    expect(hex(opened.data)).toBe(test.result === "valid" ? test.msg : test.ct);
    if (test.result === "valid") expect(seal({ ...given, data: plain })).toEqual({ data, tag });
  });

  it("names no nonce of another size that it calls valid: the core takes 12 bytes only", () => {
    const others = testGroups.filter((group) => group.ivSize !== 96).flatMap((group) => group.tests);
    expect(others.map((test) => test.result)).not.toContain("valid");
  });
});
