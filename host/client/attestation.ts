/** Attestation statements: what a device signs about itself or a record with its identity key. SPEC.md §12.
 *  Whether the identity key is the one that was seen before is for the caller to remember and compare. */
import { ed25519 } from "@noble/curves/ed25519.js";
import type { Custody } from "../../firmware/defs/custody.js";
import { HANDLE_SIZE, type Origin, POLICY_MAX, type Tier, type Usage } from "../../firmware/defs/record.js";
import { CHALLENGE_MAX, CHALLENGE_MIN, KEY_SIZE, STATEMENT_PREFIX } from "../../firmware/defs/use.js";
import { Key } from "../../firmware/defs/wire.js";
import { type Attestation, readWhole } from "./answers.js";
import { ProtocolError } from "./errors.js";
import { decodeMessage, type Fields } from "./message.js";

const PREFIX = Buffer.from("mbs-attest-v1\0", "latin1");

/** What the device says about itself. */
export interface Statement {
  instance: Uint8Array;
  custody: Custody;
  /** SHA-256 of core.wasm, as the board's firmware tells it. */
  coreHash: Uint8Array;
  uniqueId: Uint8Array;
  challenge: Uint8Array;
  /** Absent when it was asked about itself only. */
  record?: AttestedRecord;
}

export interface AttestedRecord {
  handle: Uint8Array;
  usage: Usage;
  tier: Tier;
  policy: number;
  epoch: number;
  origin: Origin;
  /** Journal sequence of this version, and of the first one. */
  sequence: number;
  created: number;
  /** Of the first Ed25519 or X25519 key; absent when there is none. */
  publicKey?: Uint8Array;
}

export interface SignedStatement extends Attestation {
  /** The one that was sent for this statement. */
  challenge: Uint8Array;
}

/** Checks and reads a statement. @throws ProtocolError when the signature, the form or the challenge is not right */
export function verifyAttestation({ statement, signature, identity, challenge }: SignedStatement): Statement {
  if (!isSigned(statement, signature, identity))
    throw wrong("its signature does not verify under the identity key that came with it");
  const prefix = statement.subarray(0, STATEMENT_PREFIX);
  if (Buffer.compare(prefix, PREFIX) !== 0) throw wrong("it is a signature over something else");
  const map = decodeMessage(statement.subarray(STATEMENT_PREFIX));
  const read = readWhole(map, "attest, statement", readStatement);
  if (Buffer.compare(read.challenge, challenge) !== 0)
    throw wrong("it answers another challenge: it may be an old one");
  return read;
}

function readStatement(fields: Fields): Statement {
  const challenge = fields.bytes(Key.Challenge, undefined, CHALLENGE_MAX);
  if (challenge.length < CHALLENGE_MIN) throw wrong(`its challenge has ${challenge.length} bytes`);
  return {
    instance: fields.bytes(Key.Instance, 16),
    custody: fields.int(Key.Custody, 1, 3),
    coreHash: fields.bytes(Key.CoreHash, 32),
    uniqueId: fields.bytes(Key.UniqueId, 16),
    challenge,
    ...(fields.has(Key.Handle) && { record: readAttested(fields) }),
  };
}

function readAttested(fields: Fields): AttestedRecord {
  return {
    handle: fields.bytes(Key.Handle, HANDLE_SIZE),
    usage: fields.uint(Key.Usage, 7),
    tier: fields.int(Key.Tier, 1, 2),
    policy: fields.uint(Key.Policy, POLICY_MAX),
    epoch: fields.uint(Key.Epoch),
    origin: fields.int(Key.Origin, 1, 2),
    sequence: fields.uint(Key.Sequence),
    created: fields.uint(Key.Created),
    ...(fields.has(Key.Public) && { publicKey: fields.bytes(Key.Public, KEY_SIZE) }),
  };
}

/** By the strict rules of RFC 8032: no other encoding of a key or signature passes. */
function isSigned(statement: Uint8Array, signature: Uint8Array, identity: Uint8Array): boolean {
  try {
    return ed25519.verify(signature, statement, identity, { zip215: false });
  } catch {
    return false; // not even a point, or of a wrong length
  }
}

function wrong(what: string): ProtocolError {
  return new ProtocolError(`The attestation is refused: ${what}.`, "Ask again; do not rely on what this one says.");
}
