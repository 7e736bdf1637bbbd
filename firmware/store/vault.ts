/** The vault: the one place where the root key enters linear memory, and the keys derived from it. SPEC.md §3.
 *  One key, one purpose. command.ts wipes the vault after each command, list.ts after each fragment of a list, mount after itself. */
import * as board from "../board";
import { contextKey, deriveWith, keyed } from "../crypto/blake3";
import { equal, wipe } from "../crypto/bytes";
import { context } from "../crypto/context";
import { reveal } from "../crypto/declassify";
import { Region } from "../defs/boundary";
import {
  CUSTODY_COPIES,
  CUSTODY_MAGIC,
  CUSTODY_OFF_MAC,
  CUSTODY_OFF_MAGIC,
  CUSTODY_OFF_ROOT,
  CUSTODY_OFF_VERSION,
  CUSTODY_PLACE,
} from "../defs/custody";
import { TRANSPORT_MAGIC } from "../defs/image";
import { DATA_BLOCK } from "../defs/medium";
import { FORMAT_VERSION } from "../defs/slot";
import { Status } from "../defs/status";
import { CONTEXT, CONTEXT_KEYS, KEYS, KEYS_SIZE, KNOWN_CONTEXTS, TAG, VAULT } from "../memory";
import { Trap, trap } from "../trap";

export enum KeyName {
  Custody = 0,
  Seal = 1,
  Header = 2,
  Journal = 3,
  Handle = 4,
  Operator = 5,
  Refusals = 6,
  Identity = 7,
  Claims = 8,
}

let place: usize = 0; // the readable custody place in VAULT, 0 = closed
let held: u32 = 0; // bit n: key n stands in KEYS
let places: i32 = CUSTODY_COPIES; // that a store has: one while a transport key stands in the second
let other: u32 = 0; // format version that made open() answer WrongVersion

/** The format version that open() found when it answered WrongVersion. */
export function otherVersion(): u32 {
  return other;
}

function purpose(name: KeyName): string {
  if (name == KeyName.Custody) return "custody mac";
  if (name == KeyName.Seal) return "seal";
  if (name == KeyName.Header) return "header mac";
  if (name == KeyName.Journal) return "journal";
  if (name == KeyName.Handle) return "handle";
  if (name == KeyName.Operator) return "operator";
  if (name == KeyName.Refusals) return "refusals";
  if (name == KeyName.Identity) return "identity";
  return "claims";
}

function deriveFrom(root: usize, name: KeyName, out: usize): void {
  const key = CONTEXT_KEYS + name * 32;
  const bit: u32 = 1 << name;
  const known = load<u32>(KNOWN_CONTEXTS);
  if ((known & bit) == 0) contextKey(key, CONTEXT, context(purpose(name)));
  store<u32>(KNOWN_CONTEXTS, known | bit);
  deriveWith(out, key, root, 32);
}

/** MAC of the custody place at `at` into TAG. */
function custodyMac(at: usize): void {
  const key = KEYS + KeyName.Custody * 32;
  deriveFrom(at + CUSTODY_OFF_ROOT, KeyName.Custody, key);
  keyed(TAG, key, at, CUSTODY_OFF_MAC);
  wipe(key, 32);
}

/** Whether a place with this magic was written whole, by this format version or another: magic, version, root and MAC never move. */
function isGenuine(at: usize, magic: u32): bool {
  if (load<u32>(reveal(at), CUSTODY_OFF_MAGIC) != magic) return false;
  custodyMac(at);
  return equal(TAG, at + CUSTODY_OFF_MAC, 16);
}

/** Brings custody into the vault. Ok | CustodyDamaged (no copy verifies) | WrongVersion (the first that does has another format). */
@custody
export function open(): Status {
  if (place != 0) return Status.Ok;
  for (let i = 0; i < CUSTODY_COPIES; i++) {
    const at = VAULT + i * CUSTODY_PLACE;
    if (board.read(Region.Custody, i * CUSTODY_PLACE, at, CUSTODY_PLACE) != Status.Ok || !isGenuine(at, CUSTODY_MAGIC))
      continue;
    other = load<u8>(reveal(at), CUSTODY_OFF_VERSION);
    if (other != FORMAT_VERSION) return Status.WrongVersion;
    place = at;
    return Status.Ok;
  }
  return Status.CustodyDamaged;
}

/** The open custody place: CUSTODY_PLACE bytes, valid until close(). */
export function custody(): usize {
  if (place == 0) trap(Trap.VaultClosed);
  return place;
}

/** The same, for what stands there beside the root: none of it is secret. */
export function description(): usize {
  return reveal(custody());
}

/** One derived key, 32 bytes, valid until close(). The vault must be open. */
export function key(name: KeyName): usize {
  const at = KEYS + name * 32;
  const bit: u32 = 1 << name;
  if ((held & bit) == 0) {
    deriveFrom(custody() + CUSTODY_OFF_ROOT, name, at);
    held |= bit;
  }
  return at;
}

/** Wipes root and keys, and the last MAC made with one. */
export function close(): void {
  wipe(VAULT, CUSTODY_COPIES * CUSTODY_PLACE);
  wipe(KEYS, KEYS_SIZE);
  wipe(TAG, 32);
  place = 0;
  held = 0;
}

/** From now on the second place is left as it is: a transport key stands there until its image is opened. */
export function leaveSecond(left: bool): void {
  places = left ? 1 : CUSTODY_COPIES;
}

/** Whether the second place is left as it is. */
export function isSecondLeft(): bool {
  return places < CUSTODY_COPIES;
}

/** Erases the places, but one that is left: what they held was never a store's. Ok | MediumFailed. */
@custody
export function clear(): Status {
  for (let at = 0; at < places * CUSTODY_PLACE; at += DATA_BLOCK) {
    if (board.erase(Region.Custody, at) != Status.Ok) return Status.MediumFailed;
  }
  return Status.Ok;
}

/** Writes the place at `from` as copy n and reads it back into the other half of VAULT. Ok | MediumFailed. */
@custody
function writeCopy(n: i32, from: usize): Status {
  const offset = n * CUSTODY_PLACE;
  const back = from == VAULT ? VAULT + CUSTODY_PLACE : VAULT;
  for (let block = 0; block < CUSTODY_PLACE; block += DATA_BLOCK) {
    if (board.erase(Region.Custody, offset + block) != Status.Ok) return Status.MediumFailed;
  }
  if (board.program(Region.Custody, offset, from, CUSTODY_PLACE) != Status.Ok) return Status.MediumFailed;
  if (board.read(Region.Custody, offset, back, CUSTODY_PLACE) != Status.Ok) return Status.MediumFailed;
  return equal(from, back, CUSTODY_PLACE) ? Status.Ok : Status.MediumFailed;
}

/** Writes the custody place prepared at VAULT to both copies, first to second, but one that is left. Ok (the vault is open) | MediumFailed. */
export function create(): Status {
  custodyMac(VAULT);
  memory.copy(VAULT + CUSTODY_OFF_MAC, TAG, 16);
  for (let n = 0; n < places; n++) {
    if (writeCopy(n, VAULT) != Status.Ok) return Status.MediumFailed;
  }
  close();
  return open();
}

/** Whether the copy that open() did not take verifies too. The vault must be open. */
@custody
export function hasSecond(): bool {
  const n = custody() == VAULT ? 1 : 0;
  const at = VAULT + n * CUSTODY_PLACE;
  return board.read(Region.Custody, n * CUSTODY_PLACE, at, CUSTODY_PLACE) == Status.Ok && isGenuine(at, CUSTODY_MAGIC);
}

/** Brings the transport key, 32 bytes, into the vault, which must be closed. Returns where, 0 = there is none. */
@custody
export function transportKey(): usize {
  const at = VAULT + CUSTODY_PLACE;
  const status = board.read(Region.Custody, CUSTODY_PLACE, at, CUSTODY_PLACE);
  return status == Status.Ok && isGenuine(at, TRANSPORT_MAGIC) ? at + CUSTODY_OFF_ROOT : 0;
}

/** Writes a transport key, whose 32 bytes stand where transportKey() has them, to the second place. Ok | MediumFailed. */
export function keepTransportKey(): Status {
  const at = VAULT + CUSTODY_PLACE;
  store<u32>(at, TRANSPORT_MAGIC, CUSTODY_OFF_MAGIC);
  store<u8>(at, FORMAT_VERSION, CUSTODY_OFF_VERSION);
  custodyMac(at);
  memory.copy(at + CUSTODY_OFF_MAC, TAG, 16);
  return writeCopy(1, at);
}

/** Writes a damaged copy anew from the good one, which is not touched: a cut in between leaves what was there. */
export function mend(): void {
  if (!isSecondLeft() && !hasSecond()) writeCopy(custody() == VAULT ? 1 : 0, custody());
}
