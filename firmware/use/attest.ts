/** Attestation: a statement about the device, and if wanted about one of its records, under the device's identity key. SPEC.md §12.
 *  Relies on cbor.ts' writer, which a response uses as well: write the statement first. The identity key signs nothing else. */
import * as board from "../board";
import * as cbor from "../command/cbor";
import * as ed25519 from "../crypto/ed25519";
import { FACTS_OFF_CORE, FACTS_OFF_UID, Region } from "../defs/boundary";
import { CUSTODY_OFF_KIND } from "../defs/custody";
import { HANDLE_SIZE } from "../defs/record";
import {
  HEADER_OFF_CREATED,
  HEADER_OFF_EPOCH,
  HEADER_OFF_HANDLE,
  HEADER_OFF_ORIGIN,
  HEADER_OFF_POLICY,
  HEADER_OFF_SEQUENCE,
  HEADER_OFF_TIER,
  HEADER_OFF_USAGE,
} from "../defs/slot";
import { Status } from "../defs/status";
import { KEY_SIZE, STATEMENT_PREFIX } from "../defs/use";
import { Key } from "../defs/wire";
import { HEADER, INSTANCE, PAGE } from "../memory";
import * as vault from "../store/vault";

/** "mbs-attest-v1" and a zero byte. */
export const PREFIX: usize = memory.data<u8>([
  0x6d, 0x62, 0x73, 0x2d, 0x61, 0x74, 0x74, 0x65, 0x73, 0x74, 0x2d, 0x76, 0x31, 0,
]);
/** Room for the longest statement. */
export const STATEMENT_MAX: i32 = 256;
const FACTS: i32 = FACTS_OFF_UID + 16; // bytes of facts that are read

/** Writes a statement to `out`, which has room for STATEMENT_MAX and overlaps nothing else. The vault must be open. `isRecord`: about the
 *  record whose header stands in HEADER; `publicKey`: its public key, 32 bytes, 0 when it holds none. Uses PAGE.
 *  @returns its bytes, or Unreadable */
export function write(out: usize, challenge: usize, challengeLength: i32, isRecord: bool, publicKey: usize): i32 {
  if (board.read(Region.Facts, 0, PAGE, FACTS) != Status.Ok) return Status.Unreadable;
  memory.copy(out, PREFIX, STATEMENT_PREFIX);
  cbor.writeTo(out + STATEMENT_PREFIX, STATEMENT_MAX - STATEMENT_PREFIX);
  cbor.writeMap(isRecord ? (publicKey != 0 ? 14 : 13) : 5);
  if (isRecord) {
    cbor.pairBytes(Key.Handle, HEADER + HEADER_OFF_HANDLE, HANDLE_SIZE);
    cbor.pair(Key.Usage, load<u8>(HEADER, HEADER_OFF_USAGE));
    cbor.pair(Key.Tier, load<u8>(HEADER, HEADER_OFF_TIER));
    cbor.pair(Key.Policy, load<u8>(HEADER, HEADER_OFF_POLICY));
    cbor.pair(Key.Epoch, load<u32>(HEADER, HEADER_OFF_EPOCH));
    cbor.pair(Key.Origin, load<u8>(HEADER, HEADER_OFF_ORIGIN));
    cbor.pair(Key.Sequence, load<u32>(HEADER, HEADER_OFF_SEQUENCE));
  }
  cbor.pairBytes(Key.Instance, INSTANCE, 16);
  cbor.pair(Key.Custody, load<u8>(vault.description(), CUSTODY_OFF_KIND)); // a record's own is the same: only this root opens it
  cbor.pairBytes(Key.CoreHash, PAGE + FACTS_OFF_CORE, 32);
  cbor.pairBytes(Key.UniqueId, PAGE + FACTS_OFF_UID, 16);
  if (isRecord) {
    cbor.pair(Key.Created, load<u32>(HEADER, HEADER_OFF_CREATED));
    if (publicKey != 0) cbor.pairBytes(Key.Public, publicKey, KEY_SIZE);
  }
  cbor.pairBytes(Key.Challenge, challenge, challengeLength);
  return STATEMENT_PREFIX + cbor.written();
}

/** Signs a statement of `length` bytes: 64 bytes to `signature`, the identity key's public half, 32 bytes, to `identity`. */
export function sign(signature: usize, identity: usize, statement: usize, length: i32): void {
  const seed = vault.key(vault.KeyName.Identity);
  ed25519.publicKey(identity, seed);
  ed25519.sign(signature, seed, identity, statement, length);
}
