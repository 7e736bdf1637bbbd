/** Agreement: X25519, HKDF and unwrapping against node:crypto, @noble and the way that age wraps; and what is refused. */
import { createCipheriv, createPrivateKey, createPublicKey, diffieHellman, hkdfSync } from "node:crypto";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { describe, expect, it } from "vitest";
import { Usage } from "../../firmware/defs/record.js";
import { Status } from "../../firmware/defs/status.js";
import { CONTEXT_MAX, SALT_MAX, WRAPPED_MAX } from "../../firmware/defs/use.js";
import { bytes, hex, source } from "../crypto/core.js";
import { littleEndian, P } from "../crypto/curve.js";
import { agreementPair, agreementPublic, agreementSecret, join, opaque, signingPair, text } from "./messages.js";
import { agree, core } from "./use.js";

const SCALAR = new Uint8Array(32).fill(5);
const NONCE = new Uint8Array(12);
/** u coordinates of the points of order 8 (D. J. Bernstein, Curve25519: the list of points to refuse). */
const ORDER8 = [
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
];

/** By OpenSSL. */
function shared(scalar: Uint8Array, peer: Uint8Array): Uint8Array {
  const der = (prefix: string, key: Uint8Array) => Buffer.concat([Buffer.from(prefix, "hex"), key]);
  const privateKey = createPrivateKey({
    key: der("302e020100300506032b656e04220420", scalar),
    format: "der",
    type: "pkcs8",
  });
  const publicKey = createPublicKey({ key: der("302a300506032b656e032100", peer), format: "der", type: "spki" });
  return Uint8Array.from(diffieHellman({ privateKey, publicKey }));
}
const derived = (secret: Uint8Array, salt: Uint8Array, context: Uint8Array) =>
  new Uint8Array(hkdfSync("sha256", secret, salt, context, 32));
function wrap(key: Uint8Array, content: Uint8Array): Uint8Array {
  const cipher = createCipheriv("chacha20-poly1305", key, NONCE, { authTagLength: 16 });
  return join(cipher.update(content), cipher.final(), cipher.getAuthTag());
}

describe("agree", () => {
  it("gives the shared secret of RFC 7748 §6.1", () => {
    const alice = bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    const bob = bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    const secret = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
    expect(hex(agree(agreementSecret(alice), bob) as Uint8Array)).toBe(secret);
  });

  it("gives secrets, derived keys and opened content as OpenSSL does on random input, and leaves no secret behind", () => {
    const { below, some, seed } = source();
    for (let i = 0; i < 60; i++) {
      const [scalar, peer, salt, context] = [some(32), some(32), some(below(65)), some(below(129))];
      const body = below(2) === 0 ? agreementPair(scalar) : join(opaque(some(20)), agreementSecret(scalar));
      const secret = shared(scalar, peer);
      const key = derived(secret, salt, context);
      const content = some(1 + below(64));
      expect(agree(body, peer), seed).toEqual(secret);
      expect(agree(body, peer, { salt, context }), seed).toEqual(key);
      expect(agree(body, peer, { salt, context, wrapped: wrap(key, content) }), seed).toEqual(content);
    }
  });

  it("takes salts, contexts and wrapped content of every length that is allowed", () => {
    const { some } = source();
    const peer = x25519.getPublicKey(some(32));
    const secret = shared(SCALAR, peer);
    for (const saltLength of [0, 1, 63, SALT_MAX])
      for (const contextLength of [0, 1, 127, CONTEXT_MAX])
        for (const length of [1, 15, 16, 63, WRAPPED_MAX - 16]) {
          const [salt, context, content] = [some(saltLength), some(contextLength), some(length)];
          const wrapped = wrap(derived(secret, salt, context), content);
          expect(agree(agreementPair(SCALAR), peer, { salt, context, wrapped })).toEqual(content);
        }
  });

  it("opens the file key of an age stanza", () => {
    const { some } = source();
    const recipient = x25519.getPublicKey(SCALAR);
    const ephemeral = some(32);
    const share = x25519.getPublicKey(ephemeral);
    const fileKey = some(16);
    const [salt, context] = [join(share, recipient), text("age-encryption.org/v1/X25519")];
    const key = derived(x25519.getSharedSecret(ephemeral, recipient), salt, context);
    const wrapped = chacha20poly1305(key, NONCE).encrypt(fileKey);
    expect(agree(agreementPair(SCALAR), share, { salt, context, wrapped })).toEqual(fileKey);
  });

  it("answers NotGenuine for every changed bit of what was wrapped, and for another salt, context or peer, and gives nothing out", () => {
    const { some } = source();
    const peer = x25519.getPublicKey(some(32));
    const [salt, context, content] = [some(64), some(20), text("sixteen bytes ok")];
    const wrapped = wrap(derived(shared(SCALAR, peer), salt, context), content);
    const body = agreementPair(SCALAR);
    for (let bit = 0; bit < 8 * wrapped.length; bit++) {
      const changed = wrapped.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(agree(body, peer, { salt, context, wrapped: changed }), `bit ${bit}`).toBe(Status.NotGenuine);
    }
    expect(agree(body, peer, { salt: some(64), context, wrapped })).toBe(Status.NotGenuine);
    expect(agree(body, peer, { salt, context: some(20), wrapped })).toBe(Status.NotGenuine);
    expect(agree(body, some(32), { salt, context, wrapped })).toBe(Status.NotGenuine);
    expect(agree(body, peer, { salt, context, wrapped: wrapped.subarray(1) })).toBe(Status.NotGenuine);
    expect(agree(body, peer, { salt, context, wrapped })).toEqual(content);
  });

  it("answers LowOrder for every point of low order in every spelling, whatever is asked for, and gives nothing out", () => {
    const low = [0n, 1n, P - 1n, P, P + 1n, ...ORDER8].flatMap((u) => [u, u + 2n ** 255n]); // the last bit is ignored
    const [salt, context] = [new Uint8Array(64), text("c")];
    const key = derived(new Uint8Array(32), salt, context); // what everybody could compute
    for (const point of low.map((u) => littleEndian(u)))
      for (const asked of [{}, { salt, context }, { salt, context, wrapped: wrap(key, text("content")) }])
        expect(agree(agreementPair(SCALAR), point, asked), hex(point)).toBe(Status.LowOrder);
  });

  it("agrees with OpenSSL on the rest of the published list, which names other points once the last bit is ignored", () => {
    for (const u of [2n * P - 1n, 2n * P, 2n * P + 1n, ...ORDER8.map((one) => one + P)]) {
      const point = littleEndian(u);
      expect(agree(agreementPair(SCALAR), point), hex(point)).toEqual(shared(SCALAR, point));
    }
  });

  it("answers NoSuchKey when the record holds no secret X25519 key", () => {
    for (const body of [opaque(SCALAR), agreementPublic(SCALAR), signingPair(SCALAR)])
      expect(agree(body, littleEndian(9n))).toBe(Status.NoSuchKey);
  });

  it("agrees for usage agree alone; others are WrongUsage", () => {
    for (let usage = 0; usage < 10; usage++) {
      core.clearDetail();
      expect(core.agreeCheck(usage)).toBe(usage === Usage.Agree ? Status.Ok : Status.WrongUsage);
      expect(Number(core.refusalDetail())).toBe(usage === Usage.Agree ? -1 : usage);
    }
  });
});
