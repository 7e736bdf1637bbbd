/** Attestation statements as verifyAttestation reads them. SPEC.md §12. */
import { ed25519 } from "@noble/curves/ed25519.js";
import { describe, expect, it } from "vitest";
import { Custody } from "../../firmware/defs/custody.js";
import { Origin, Tier, Usage } from "../../firmware/defs/record.js";
import { STATEMENT_PREFIX } from "../../firmware/defs/use.js";
import { Key } from "../../firmware/defs/wire.js";
import { verifyAttestation } from "../../host/client/attestation.js";
import { ProtocolError } from "../../host/client/errors.js";
import { encodeMessage, type Message, message } from "../../host/client/message.js";

const secret = new Uint8Array(32).fill(1);
const identity = ed25519.getPublicKey(secret);
const challenge = new Uint8Array(32).fill(2);
const PREFIX = Buffer.from("mbs-attest-v1\0");

const device = () =>
  message([
    [Key.Instance, new Uint8Array(16).fill(3)],
    [Key.Custody, Custody.Device],
    [Key.CoreHash, new Uint8Array(32).fill(4)],
    [Key.UniqueId, new Uint8Array(16).fill(5)],
    [Key.Challenge, challenge],
  ]);

const record = () =>
  new Map([
    ...device(),
    ...message([
      [Key.Handle, new Uint8Array(16).fill(6)],
      [Key.Usage, Usage.SshSig],
      [Key.Tier, Tier.Private],
      [Key.Policy, 4],
      [Key.Epoch, 7],
      [Key.Origin, Origin.Generated],
      [Key.Sequence, 9],
      [Key.Created, 8],
      [Key.Public, new Uint8Array(32).fill(7)],
    ]),
  ]);

/** Signs whatever bytes are given as a statement. */
function signed(statement: Uint8Array, by = secret) {
  return { statement, signature: ed25519.sign(statement, by), identity, challenge };
}

const without = (map: Message, field: Key): Message => new Map([...map].filter(([key]) => key !== field));

const made = (map: Message) => signed(Buffer.concat([PREFIX, encodeMessage(map)]));

describe("verifyAttestation", () => {
  it("reads what a device says of itself", () => {
    expect(PREFIX).toHaveLength(STATEMENT_PREFIX);
    expect(verifyAttestation(made(device()))).toEqual({
      instance: new Uint8Array(16).fill(3),
      custody: Custody.Device,
      coreHash: new Uint8Array(32).fill(4),
      uniqueId: new Uint8Array(16).fill(5),
      challenge,
    });
  });

  it("reads what it says of a record, with and without a key", () => {
    const expected = {
      handle: new Uint8Array(16).fill(6),
      usage: Usage.SshSig,
      tier: Tier.Private,
      policy: 4,
      epoch: 7,
      origin: Origin.Generated,
      sequence: 9,
      created: 8,
    };
    expect(verifyAttestation(made(without(record(), Key.Public))).record).toEqual(expected);
    expect(verifyAttestation(made(record())).record).toEqual({ ...expected, publicKey: new Uint8Array(32).fill(7) });
  });

  it("refuses a signature by another key, over other bytes, or with one bit changed", () => {
    const good = made(record());
    expect(() => verifyAttestation(signed(good.statement, new Uint8Array(32).fill(9)))).toThrow(ProtocolError);
    for (const field of ["statement", "signature", "identity"] as const) {
      for (let bit = 0; bit < 8 * good[field].length; bit += 37) {
        const changed = {
          ...good,
          [field]: good[field].map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte)),
        };
        expect(() => verifyAttestation(changed), `${field}, bit ${bit}`).toThrow("signature does not verify");
      }
      expect(() => verifyAttestation({ ...good, [field]: good[field].subarray(1) })).toThrow(
        "signature does not verify",
      );
    }
  });

  it("refuses signatures and keys that only the lax rules of ZIP 215 let pass", () => {
    // small-order key, and a signature of the neutral element with s = 0: genuine for every message under ZIP 215
    const point = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0));
    const forged = { ...made(device()), identity: point, signature: Buffer.concat([point, new Uint8Array(32)]) };
    expect(ed25519.verify(forged.signature, forged.statement, forged.identity, { zip215: true })).toBe(true);
    expect(() => verifyAttestation(forged)).toThrow("signature does not verify");
  });

  it("refuses the answer to another challenge", () => {
    expect(() => verifyAttestation({ ...made(device()), challenge: new Uint8Array(32) })).toThrow("another challenge");
    expect(() => verifyAttestation({ ...made(device()), challenge: challenge.subarray(1) })).toThrow(
      "another challenge",
    );
  });

  it("refuses what was signed for another purpose", () => {
    for (const prefix of ["mbs-attest-v2\0", "mbs-attest-v1\n", "SSHSIG\0\0\0\0\0\0\0\0", ""]) {
      const statement = Buffer.concat([Buffer.from(prefix), encodeMessage(device())]);
      expect(() => verifyAttestation(signed(statement)), prefix).toThrow("something else");
    }
  });

  it.each<[string, (map: Message) => Message]>([
    ["a field missing", (map) => without(map, Key.CoreHash)],
    ["a field too many", (map) => map.set(Key.Label, "x")],
    ["a field of a record without its handle", (map) => map.set(Key.Usage, 1)],
    ["a record's field missing", () => without(record(), Key.Created)],
    ["a wrong type", (map) => map.set(Key.Custody, "device")],
    ["a custody that there is not", (map) => map.set(Key.Custody, 4)],
    ["a short instance", (map) => map.set(Key.Instance, new Uint8Array(15))],
    ["a short challenge", (map) => map.set(Key.Challenge, new Uint8Array(15))],
  ])("refuses a genuine statement with %s", (_, change) => {
    expect(() => verifyAttestation(made(change(device())))).toThrow(ProtocolError);
  });

  it("refuses a genuine statement in any other encoding", () => {
    const bytes = Buffer.from(encodeMessage(device()));
    const others = [
      Buffer.concat([bytes, Buffer.of(0)]),
      bytes.subarray(0, -1),
      Buffer.concat([Buffer.of(0xb8, 5), bytes.subarray(1)]), // length of the map not in its shortest form
      Buffer.concat([Buffer.of(0xbf), bytes.subarray(1), Buffer.of(0xff)]), // indefinite
      Buffer.concat([Buffer.of(0xa6), bytes.subarray(1), Buffer.of(0, 0)]), // keys out of order
    ];
    for (const other of others)
      expect(() => verifyAttestation(signed(Buffer.concat([PREFIX, other]))), other.toString("hex")).toThrow(
        ProtocolError,
      );
  });
});
