/** Keys in a record's body: which one is taken, what generate makes, and what a body's public parts are. SPEC.md §6, §12. */
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { describe, expect, it } from "vitest";
import {
  ALG_ED25519,
  ALG_ES256,
  ALG_NONE,
  ALG_X25519,
  PART_HEADER,
  PartKind,
  Usage,
} from "../../firmware/defs/record.js";
import { Status } from "../../firmware/defs/status.js";
import { hex, source } from "../crypto/core.js";
import {
  agreementPair,
  agreementPublic,
  agreementSecret,
  join,
  opaque,
  part,
  signingPair,
  signingPublic,
  signingSecret,
  text,
} from "./messages.js";
import { BODY, board, core, DATA, memory, OUT, only, place, taken } from "./use.js";

const seed = (n: number) => new Uint8Array(32).fill(n);
const ed = (n: number) => ed25519.getPublicKey(seed(n));
const x = (n: number) => x25519.getPublicKey(seed(n));
const chain = part(PartKind.Chain, -65538, new Uint8Array(100).fill(0x30));
/** Parts that look like keys but are none that the device uses. */
const strange = join(
  part(PartKind.Signing, ALG_ES256, new Uint8Array(32).fill(0xee), true),
  part(PartKind.Signing, ALG_ED25519, new Uint8Array(31).fill(0xee), true),
  part(PartKind.Signing, ALG_ED25519, new Uint8Array(64).fill(0xee), true),
  part(PartKind.Signing, ALG_X25519, new Uint8Array(32).fill(0xee), true),
  part(PartKind.Agreement, ALG_ED25519, new Uint8Array(32).fill(0xee), true),
  part(PartKind.Opaque, ALG_ED25519, new Uint8Array(32).fill(0xee), true),
  part(PartKind.Chain, ALG_X25519, new Uint8Array(32).fill(0xee), true),
  part(PartKind.Opaque, ALG_NONE, new Uint8Array(32).fill(0xee), true),
);

/** The secret, by its first byte, of the key that is taken. */
function taking(body: Uint8Array, algorithm: number): number | undefined {
  place(BODY, body);
  const at = only([], () => core.firstSecret(BODY, body.length, algorithm));
  return at === 0 ? undefined : taken(at + PART_HEADER, 1)[0];
}

describe("firstSecret", () => {
  it("takes the first secret key of the algorithm, or of either", () => {
    const body = join(signingPublic(ed(9)), agreementPair(seed(1)), signingPair(seed(2)), signingSecret(seed(3)));
    expect(taking(body, ALG_ED25519)).toBe(2);
    expect(taking(body, ALG_X25519)).toBe(1);
    expect(taking(body, ALG_NONE)).toBe(1);
    expect(taking(join(chain, opaque(seed(4)), signingSecret(seed(5))), ALG_NONE)).toBe(5);
  });

  it("passes over parts of another kind, algorithm or length, and over public ones", () => {
    for (const body of [strange, join(signingPublic(ed(1)), agreementPublic(x(1))), chain])
      for (const algorithm of [ALG_ED25519, ALG_X25519, ALG_NONE]) expect(taking(body, algorithm)).toBeUndefined();
    expect(taking(join(strange, signingSecret(seed(6))), ALG_ED25519)).toBe(6);
    expect(taking(join(strange, agreementSecret(seed(7))), ALG_X25519)).toBe(7);
  });
});

/** The public key of the first secret one. */
function publicOf(body: Uint8Array, isGenerated: boolean): Uint8Array | Status {
  const secret = core.firstSecret(place(BODY, body), body.length, ALG_NONE);
  const status = only([[OUT, 32]], () => core.publicOf(OUT, secret, BODY + body.length, Number(isGenerated)));
  return status === Status.Ok ? taken(OUT, 32) : status;
}

describe("publicOf", () => {
  it("computes the public key of an imported record, whether one is stored or not", () => {
    for (const [pair, secret, key] of [
      [signingPair(seed(1)), signingSecret(seed(1)), ed(1)],
      [agreementPair(seed(1)), agreementSecret(seed(1)), x(1)],
    ] as const)
      for (const body of [pair, secret, join(strange, secret), join(secret, strange), join(secret, chain)])
        expect(publicOf(body, false)).toEqual(key);
  });

  it("answers KeyMismatch when an imported record's public key is that of another secret, wherever behind it that stands", () => {
    expect(publicOf(join(signingSecret(seed(1)), signingPublic(ed(2))), false)).toBe(Status.KeyMismatch);
    expect(publicOf(join(signingSecret(seed(1)), chain, strange.subarray(0, 40), signingPublic(ed(2))), false)).toBe(
      Status.KeyMismatch,
    );
    expect(publicOf(join(agreementSecret(seed(1)), agreementPublic(ed(1))), false)).toBe(Status.KeyMismatch);
    for (let bit = 0; bit < 256; bit += 7) {
      const key = ed(1);
      key[bit >> 3]! ^= 1 << (bit & 7);
      expect(publicOf(join(signingSecret(seed(1)), signingPublic(key)), false), `bit ${bit}`).toBe(Status.KeyMismatch);
    }
  });

  it("counts a public part to the nearest secret one of its algorithm before it", () => {
    expect(publicOf(join(signingSecret(seed(1)), signingPair(seed(2))), false)).toEqual(ed(1));
    expect(publicOf(join(signingSecret(seed(1)), agreementPair(seed(2)), signingPublic(ed(1))), false)).toEqual(ed(1));
    expect(publicOf(join(signingPublic(ed(9)), signingPair(seed(2))), false)).toEqual(ed(2));
  });

  it("takes that of a generated record as it is stored, and computes it when there is none", () => {
    expect(publicOf(join(signingSecret(seed(1)), signingPublic(ed(2))), true)).toEqual(ed(2));
    expect(publicOf(signingSecret(seed(1)), true)).toEqual(ed(1));
  });
});

describe("generate", () => {
  const size = core.GENERATED_SIZE.value;
  const make = (usage: Usage) => {
    const status = core.generate(place(BODY, new Uint8Array(size + 16).fill(0xaa)), usage);
    expect(taken(BODY + size, 16)).toEqual(new Uint8Array(16).fill(0xaa));
    return { status, body: taken(BODY, size) };
  };

  it.each([
    [Usage.Raw, signingPair],
    [Usage.SshSig, signingPair],
    [Usage.SshUserAuth, signingPair],
    [Usage.Note, signingPair],
    [Usage.Agree, agreementPair],
  ])("makes for usage %i a secret and the public key that belongs to it, another one each time", (usage, pair) => {
    const seen = new Set<string>();
    for (let i = 0; i < 5; i++) {
      const { status, body } = make(usage);
      expect(status).toBe(Status.Ok);
      const secret = body.slice(PART_HEADER, PART_HEADER + 32);
      expect(hex(body)).toBe(hex(pair(secret)));
      expect(core.count(BODY, size)).toBe(2);
      seen.add(hex(secret));
    }
    expect(seen.size).toBe(5);
  });

  it("leaves the secret nowhere else in memory", () => {
    make(Usage.Raw);
    const secret = taken(BODY + PART_HEADER, 32);
    memory.fill(0, BODY, BODY + size);
    const all = Buffer.from(memory);
    for (let i = 0; i + 8 <= 32; i++) expect(all.includes(Buffer.from(secret.subarray(i, i + 8)))).toBe(false);
  });

  it("answers EntropyNotReady and makes no secret when the noise fails its tests", () => {
    board.noisy = false;
    const { status, body } = make(Usage.Raw);
    board.noisy = true;
    expect(status).toBe(Status.EntropyNotReady);
    expect(body.subarray(PART_HEADER, PART_HEADER + 32)).toEqual(new Uint8Array(32).fill(0xaa));
    make(Usage.Raw);
  });
});

/** The public body; what was behind it must be zero. */
function keepPublic(body: Uint8Array): Uint8Array {
  const length = only([[DATA, body.length]], () => core.keepPublic(place(DATA, body), body.length));
  expect(taken(DATA + length, body.length - length).every((byte) => byte === 0)).toBe(true);
  return taken(DATA, length);
}

describe("keepPublic", () => {
  it.each([
    ["leaves a body without secrets as it is", join(chain, signingPublic(ed(1)), opaque(text("x"), false)), undefined],
    ["leaves nothing of opaque secrets", opaque(new Uint8Array(500).fill(1)), new Uint8Array()],
    ["leaves nothing of keys that the device does not use", strange, new Uint8Array()],
    ["leaves the public part of a pair", signingPair(seed(1)), signingPublic(ed(1))],
    ["puts the public part in the place of a signing key", signingSecret(seed(1)), signingPublic(ed(1))],
    ["puts the public part in the place of an agreement key", agreementSecret(seed(1)), agreementPublic(x(1))],
    [
      "keeps the order of parts, also where one goes before others",
      join(opaque(text("secret")), agreementSecret(seed(2)), chain, signingPair(seed(1)), opaque(text("s")), chain),
      join(agreementPublic(x(2)), chain, signingPublic(ed(1)), chain),
    ],
    [
      "computes what the first of two keys lacks",
      join(signingSecret(seed(1)), signingPair(seed(2))),
      join(signingPublic(ed(1)), signingPublic(ed(2))),
    ],
    [
      "gives a public part that is stored further behind once only",
      join(signingSecret(seed(1)), chain, signingPublic(ed(1))),
      join(chain, signingPublic(ed(1))),
    ],
  ])("%s", (_, body, expected) => {
    expect(hex(keepPublic(body))).toBe(hex(expected ?? body));
  });

  it("gives the non-secret parts and derived keys of random bodies, in order, and no byte of any secret", () => {
    const { below, some, seed: where } = source();
    for (let i = 0; i < 150; i++) {
      const parts: Uint8Array[] = [];
      const expected: Uint8Array[] = [];
      for (let n = 1 + below(10); n > 0; n--) {
        const secret = some(32);
        const noise = opaque(some(1 + below(300)), below(2) === 0);
        const kinds: [Uint8Array, Uint8Array][] = [
          [signingSecret(secret), signingPublic(ed25519.getPublicKey(secret))],
          [signingPair(secret), signingPublic(ed25519.getPublicKey(secret))],
          [agreementSecret(secret), agreementPublic(x25519.getPublicKey(secret))],
          [agreementPair(secret), agreementPublic(x25519.getPublicKey(secret))],
          [noise, noise[1] === 0 ? noise : new Uint8Array()],
        ];
        const [given, left] = kinds[below(kinds.length)]!;
        parts.push(given);
        expected.push(left);
      }
      expect(hex(keepPublic(join(...parts))), where).toBe(hex(join(...expected)));
    }
  });
});
