/** Attestation: the statement decoded and checked by other libraries, and the signature by strict verification. */
import { ed25519 } from "@noble/curves/ed25519.js";
import { blake3 } from "@noble/hashes/blake3.js";
import * as cborg from "cborg";
import { beforeEach, describe, expect, it } from "vitest";
import { HANDLE_SIZE, Origin, Tier, Usage } from "../../firmware/defs/record.js";
import {
  HEADER_OFF_CREATED,
  HEADER_OFF_EPOCH,
  HEADER_OFF_HANDLE,
  HEADER_OFF_ORIGIN,
  HEADER_OFF_POLICY,
  HEADER_OFF_SEQUENCE,
  HEADER_OFF_TIER,
  HEADER_OFF_USAGE,
  HEADER_SIZE,
} from "../../firmware/defs/slot.js";
import { Status } from "../../firmware/defs/status.js";
import { CHALLENGE_MAX, CHALLENGE_MIN, STATEMENT_PREFIX } from "../../firmware/defs/use.js";
import { Key } from "../../firmware/defs/wire.js";
import { hex, source } from "../crypto/core.js";
import { join, text } from "./messages.js";
import { BODY, board, core, memory, OUT, only, place, taken } from "./use.js";

const PREFIX = join(text("mbs-attest-v1"), 0);
const INSTANCE = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i);
const ROOM = core.STATEMENT_MAX.value;
const [CHALLENGE, PUBLIC, SIGNATURE, IDENTITY] = [BODY, BODY + 128, BODY + 256, BODY + 384];

interface Header {
  handle: Uint8Array;
  usage: number;
  tier: number;
  policy: number;
  epoch: number;
  origin: number;
  sequence: number;
  created: number;
}
const RECORD: Header = {
  handle: Uint8Array.from({ length: HANDLE_SIZE }, (_, i) => i),
  usage: Usage.SshSig,
  tier: Tier.Private,
  policy: 4,
  epoch: 3,
  origin: Origin.Generated,
  sequence: 300,
  created: 25,
};
const LARGEST = {
  ...RECORD,
  ...{ handle: new Uint8Array(16).fill(0xff), usage: 255, tier: 255, policy: 255, origin: 255 },
  ...{ epoch: 0xffffffff, sequence: 0xffffffff, created: 0xffffffff },
};

/** Puts a header where the store leaves that of the record in hand. */
function header(record: Header): void {
  const bytes = Buffer.alloc(HEADER_SIZE);
  bytes.set(record.handle, HEADER_OFF_HANDLE);
  bytes[HEADER_OFF_USAGE] = record.usage;
  bytes[HEADER_OFF_TIER] = record.tier;
  bytes[HEADER_OFF_POLICY] = record.policy;
  bytes[HEADER_OFF_ORIGIN] = record.origin;
  bytes.writeUInt32LE(record.epoch, HEADER_OFF_EPOCH);
  bytes.writeUInt32LE(record.sequence, HEADER_OFF_SEQUENCE);
  bytes.writeUInt32LE(record.created, HEADER_OFF_CREATED);
  place(core.HEADER.value, bytes);
}

function write(challenge: Uint8Array, record?: Header, publicKey?: Uint8Array): Uint8Array | Status {
  memory.fill(0xee, OUT, OUT + ROOM + 16);
  place(core.INSTANCE.value, INSTANCE);
  place(CHALLENGE, challenge);
  if (record) header(record);
  const key = publicKey ? place(PUBLIC, publicKey) : 0;
  const length = core.attestWrite(OUT, CHALLENGE, challenge.length, Number(record !== undefined), key);
  expect(taken(OUT + ROOM, 16)).toEqual(new Uint8Array(16).fill(0xee));
  return length > 0 ? taken(OUT, length) : length;
}

/** The statement as SPEC.md §12 describes it, encoded by another library. */
function expected(challenge: Uint8Array, record?: Header, publicKey?: Uint8Array): Uint8Array {
  const about: [Key, unknown][] = record
    ? [
        ...([
          [Key.Handle, record.handle],
          [Key.Usage, record.usage],
          [Key.Tier, record.tier],
          [Key.Policy, record.policy],
          [Key.Epoch, record.epoch],
          [Key.Origin, record.origin],
          [Key.Sequence, record.sequence],
          [Key.Created, record.created],
        ] as [Key, unknown][]),
        ...(publicKey ? [[Key.Public, publicKey] as [Key, unknown]] : []),
      ]
    : [];
  const all: [Key, unknown][] = [
    ...about,
    [Key.Instance, INSTANCE],
    [Key.Custody, board.custody],
    [Key.CoreHash, board.core],
    [Key.UniqueId, board.uniqueId],
    [Key.Challenge, challenge],
  ];
  return join(PREFIX, cborg.encode(new Map(all.sort(([a], [b]) => a - b))));
}

beforeEach(() => {
  core.closeVault();
  expect(core.openVault()).toBe(Status.Ok);
});

describe("write", () => {
  const challenge = new Uint8Array(CHALLENGE_MIN).fill(0xc4);
  const key = new Uint8Array(32).fill(0xbb);

  it.each<[string, Header | undefined, Uint8Array | undefined]>([
    ["the device alone", undefined, undefined],
    ["a record with a key", RECORD, key],
    ["a record without a key", RECORD, undefined],
    ["a record with the largest values", LARGEST, key],
  ])("states what the specification says about %s", (_, record, publicKey) => {
    for (const size of [CHALLENGE_MIN, 23, 24, 55, CHALLENGE_MAX]) {
      const asked = new Uint8Array(size).fill(size);
      expect(hex(write(asked, record, publicKey) as Uint8Array)).toBe(hex(expected(asked, record, publicKey)));
    }
  });

  it("has room for the longest", () => {
    const longest = write(new Uint8Array(CHALLENGE_MAX), LARGEST, key) as Uint8Array;
    expect(longest.length).toBeLessThanOrEqual(ROOM);
    expect(longest.subarray(0, STATEMENT_PREFIX)).toEqual(PREFIX);
  });

  it("names the custody of the root that is there", () => {
    for (board.custody of [1, 2, 3]) {
      core.closeVault();
      core.openVault();
      expect(write(challenge)).toEqual(expected(challenge));
    }
  });

  it("states nothing when the board's facts cannot be read", () => {
    board.readable = false;
    expect(write(challenge, RECORD, key)).toBe(Status.Unreadable);
    board.readable = true;
  });
});

describe("sign", () => {
  /** Signs a statement. @returns signature and identity key */
  function sign(statement: Uint8Array): { signature: Uint8Array; identity: Uint8Array } {
    place(OUT, statement);
    core.attestSign(SIGNATURE, IDENTITY, OUT, statement.length); // derives the identity key
    const before = { signature: hex(taken(SIGNATURE, 64)), identity: hex(taken(IDENTITY, 32)) };
    const results = [
      [SIGNATURE, 64],
      [IDENTITY, 32],
    ] as const;
    only(results, () => core.attestSign(SIGNATURE, IDENTITY, OUT, statement.length));
    expect({ signature: hex(taken(SIGNATURE, 64)), identity: hex(taken(IDENTITY, 32)) }).toEqual(before);
    return { signature: taken(SIGNATURE, 64), identity: taken(IDENTITY, 32) };
  }

  it("signs with the identity key of SPEC.md §3, and strict verification accepts it", () => {
    const { some } = source();
    for (let i = 0; i < 5; i++) {
      board.root = some(32);
      core.closeVault();
      core.openVault();
      const challenge = some(32);
      const statement = write(challenge, RECORD, some(32)) as Uint8Array;
      const { signature, identity } = sign(statement);
      const seed = blake3(board.root, { context: text("mbs 2026 identity") });
      expect(hex(identity)).toBe(hex(ed25519.getPublicKey(seed)));
      expect(ed25519.verify(signature, statement, identity, { zip215: false })).toBe(true);
      statement[statement.length - 1]! ^= 1;
      expect(ed25519.verify(signature, statement, identity, { zip215: false })).toBe(false);
    }
  });

  it("leaves no identity key behind when the vault is closed", () => {
    sign(write(new Uint8Array(16)) as Uint8Array);
    core.closeVault();
    const seed = blake3(board.root, { context: text("mbs 2026 identity") });
    for (let i = 0; i + 8 <= 32; i++)
      expect(Buffer.from(memory).includes(Buffer.from(seed.subarray(i, i + 8)))).toBe(false);
  });
});
