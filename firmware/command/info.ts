/** What hello and info tell. SPEC.md §9. Opens no seal. */
import * as board from "../board";
import * as pointers from "../claim/pointers";
import { BINDING_SIZE } from "../defs/binding";
import {
  FACTS_OFF_BINDING,
  FACTS_OFF_BOARD,
  FACTS_OFF_CORE,
  FACTS_OFF_CUSTODY,
  FACTS_OFF_SETUP,
  FACTS_OFF_UID,
  Region,
} from "../defs/boundary";
import { CUSTODY_OFF_KIND } from "../defs/custody";
import { BODY_EPOCH_SET, JOURNAL_PLACES } from "../defs/journal";
import { PROTOCOL_VERSION } from "../defs/link";
import { DATA_CYCLES, SLOT_CYCLES } from "../defs/medium";
import { NO_OPERATOR, OPERATOR_PLACES } from "../defs/operator";
import { POINTER_PLACES } from "../defs/pointers";
import { HANDLE_SIZE } from "../defs/record";
import { CHALLENGE_SIZE } from "../defs/session";
import { FORMAT_VERSION, HEADER_OFF_HANDLE } from "../defs/slot";
import { Status } from "../defs/status";
import { Key } from "../defs/wire";
import * as standing from "../image/standing";
import { CHALLENGE, CURRENT, HEADER, INSTANCE, MANIFEST, PAGE } from "../memory";
import * as caller from "../operator/caller";
import * as operators from "../operator/operators";
import * as refusals from "../operator/refusals";
import * as setup from "../operator/setup";
import * as entropy from "../store/entropy";
import * as geometry from "../store/geometry";
import * as index from "../store/index";
import { WEAR_SPREAD } from "../store/space";
import * as state from "../store/state";
import * as store from "../store/store";
import * as vault from "../store/vault";
import * as cbor from "./cbor";

let trapCode: i32 = 0;
let fresh: bool = false; // CHALLENGE is the last hello's

/** Notes the trap that the board recorded before this start. */
export function setTrapCode(code: i32): void {
  trapCode = code;
}

/** Facts of the board into PAGE, zeros when they cannot be read. */
function readFacts(offset: i32, length: i32): void {
  memory.fill(PAGE, 0, length);
  board.read(Region.Facts, offset, PAGE, length);
}

/** Whether the last hello had a challenge, in CHALLENGE: not when the entropy source has none to give. */
export function hasChallenge(): bool {
  return fresh;
}

/** Hello: what anybody may know, and a challenge for one handshake. */
export function writeHello(): void {
  fresh = entropy.nonce(CHALLENGE, CHALLENGE_SIZE) == Status.Ok;
  cbor.writeMap(fresh ? 9 : 8);
  cbor.pair(Key.Command, Status.Ok);
  cbor.pair(Key.Protocol, PROTOCOL_VERSION);
  cbor.pair(Key.Format, FORMAT_VERSION);
  cbor.pairBytes(Key.Instance, INSTANCE, 16);
  cbor.pair(Key.State, store.lifeState());
  cbor.pair(Key.TrapCode, trapCode);
  if (fresh) cbor.pairBytes(Key.Challenge, CHALLENGE, CHALLENGE_SIZE);
  cbor.pair(Key.Refusals, refusals.total());
  cbor.writeUint(Key.SetupCode);
  cbor.writeBool(setup.isSet());
}

/** Puts that a class takes at the least before one of its blocks reaches the rated cycles: each costs one erase at most, one in
 *  WEAR_SPREAD one more, and the other blocks may stay WEAR_SPREAD behind. */
function putsLeft(c: i32): u32 {
  let left = 0;
  for (let b = 0; b < geometry.blocks(c); b++) {
    left += max(0, SLOT_CYCLES - WEAR_SPREAD - 1 - state.erases(CURRENT, geometry.firstBlock(c) + b));
  }
  return left - left / WEAR_SPREAD;
}

function writeClass(c: i32): void {
  let dirty = 0;
  let least = i32.MAX_VALUE;
  let most = 0;
  let total = 0;
  for (let b = 0; b < geometry.blocks(c); b++) {
    const block = geometry.firstBlock(c) + b;
    const erases = state.erases(CURRENT, block);
    dirty += state.deadInBlock(CURRENT, block);
    least = min(least, erases);
    most = max(most, erases);
    total += erases;
  }
  cbor.writeMap(10);
  cbor.pair(Key.Class, c);
  cbor.pair(Key.SlotUnits, geometry.units(c));
  cbor.pair(Key.Blocks, geometry.blocks(c));
  cbor.pair(Key.Capacity, geometry.capacity(c));
  cbor.pair(Key.Live, state.liveInClass(CURRENT, c));
  cbor.pair(Key.Dirty, dirty);
  cbor.pair(Key.EraseMin, least);
  cbor.pair(Key.EraseMax, most);
  cbor.pair(Key.EraseTotal, total);
  cbor.pair(Key.PutsLeft, putsLeft(c));
}

/** Handles of evicted records whose ciphertext still stands somewhere: as an array, each handle as often as it is found. */
function writeResidue(): void {
  const items = cbor.beginArray();
  let n = 0;
  for (let slot = 0; slot < geometry.slotCount(); slot++) {
    if (!isResidue(slot)) continue;
    cbor.writeBytes(HEADER + HEADER_OFF_HANDLE, HANDLE_SIZE);
    n++;
  }
  cbor.endArray(items, n);
}
function isResidue(slot: i32): bool {
  return store.readResidue(slot) && index.find(HEADER + HEADER_OFF_HANDLE) < 0;
}

function writeOperatorId(): void {
  cbor.writeUint(Key.Operator);
  cbor.writeText(operators.id(), operators.idLength());
}

/** The operators: as an array, in order of place; places that do not verify are counted. The vault must be open. */
export function writeOperators(): void {
  let corrupt = 0;
  for (let place = 0; place < OPERATOR_PLACES; place++)
    if (state.isOperator(CURRENT, place) && operators.read(place) != Status.Ok) corrupt++;
  cbor.writeMap(corrupt > 0 ? 3 : 2);
  cbor.pair(Key.Command, Status.Ok);
  if (corrupt > 0) cbor.pair(Key.Corrupt, corrupt);
  cbor.writeUint(Key.Operators);
  const items = cbor.beginArray();
  let n = 0;
  for (let place = 0; place < OPERATOR_PLACES; place++) {
    if (!state.isOperator(CURRENT, place) || operators.read(place) != Status.Ok) continue;
    cbor.writeMap(4);
    cbor.pair(Key.Role, operators.role());
    writeOperatorId();
    cbor.writeUint(Key.Pending);
    cbor.writeBool(state.isPending(CURRENT, place));
    cbor.pair(Key.Refusals, refusals.naming(place));
    n++;
  }
  operators.forget();
  cbor.endArray(items, n);
}

/** Info: everything about the instance. The vault is opened if the state has one. */
export function writeInfo(): void {
  const mounted = store.mayList() == Status.Ok && vault.open() == Status.Ok;
  const changes = state.sequence(CURRENT);
  readFacts(0, FACTS_OFF_SETUP); // not the setup code
  const named =
    caller.operator() != NO_OPERATOR && vault.open() == Status.Ok && operators.read(caller.operator()) == Status.Ok;
  cbor.writeMap((mounted ? 25 : 14) + (named ? 1 : 0));
  cbor.pair(Key.Command, Status.Ok);
  if (mounted) {
    cbor.pair(Key.Epoch, state.epoch(CURRENT));
    cbor.pair(Key.Sequence, changes);
  }
  cbor.pair(Key.Protocol, PROTOCOL_VERSION);
  cbor.pair(Key.Format, FORMAT_VERSION);
  cbor.pairBytes(Key.Instance, INSTANCE, 16);
  cbor.pair(Key.State, store.lifeState());
  cbor.pair(Key.Custody, mounted ? load<u8>(vault.description(), CUSTODY_OFF_KIND) : load<u8>(PAGE, FACTS_OFF_CUSTODY));
  if (mounted) {
    cbor.pairBytes(Key.Manifest, MANIFEST, 16);
    cbor.writeUint(Key.Classes);
    cbor.writeArray(geometry.classes());
    for (let c = 0; c < geometry.classes(); c++) writeClass(c);
  }
  cbor.pairBytes(Key.CoreHash, PAGE + FACTS_OFF_CORE, 32);
  cbor.pairBytes(Key.UniqueId, PAGE + FACTS_OFF_UID, 16);
  if (mounted) cbor.pair(Key.CustodyCopies, vault.hasSecond() ? 2 : 1);
  const boardNumber: u32 = load<u8>(PAGE, FACTS_OFF_BOARD);
  if (mounted) {
    const budget: u32 = DATA_CYCLES * JOURNAL_PLACES;
    cbor.pair(Key.ChangesLeft, budget > changes ? budget - changes : 0);
    cbor.writeUint(Key.Residue);
    writeResidue(); // uses PAGE
  }
  cbor.pair(Key.TrapCode, trapCode);
  if (mounted) {
    cbor.pair(Key.Accepted, state.accepted(CURRENT));
    cbor.writeUint(Key.EpochSet);
    cbor.writeBool(state.hasFlag(CURRENT, BODY_EPOCH_SET));
  }
  cbor.pair(Key.Board, boardNumber);
  if (mounted) cbor.pair(Key.Corrupt, store.corruptSlots());
  cbor.pair(Key.Role, caller.role());
  if (named) writeOperatorId();
  operators.forget();
  cbor.pair(Key.Refusals, refusals.total());
  if (mounted) {
    const written = <i32>pointers.count(vault.key(vault.KeyName.Claims)); // uses PAGE
    cbor.pair(Key.ReservesLeft, max(0, DATA_CYCLES * POINTER_PLACES - written));
  }
  readFacts(FACTS_OFF_BINDING, BINDING_SIZE);
  cbor.pairBytes(Key.Binding, PAGE, BINDING_SIZE);
  cbor.writeUint(Key.Image);
  cbor.writeArray(3);
  cbor.writeUint(standing.state());
  cbor.writeUint(standing.item());
  cbor.writeInt(standing.status());
}
