/** The store: fixed slots of sealed records behind handles. SPEC.md §3–§6, rules in §9; why: DESIGN.md.
 *  Relies on: journal.ts for atomicity, vault.ts for keys, space.ts for slots. A change that the medium failed mounts again.
 *  The may… functions open the vault; command.ts closes it when the command is over. */

import * as board from "../board";
import { hash, keyed } from "../crypto/blake3";
import { equal, isZero, wipe } from "../crypto/bytes";
import { publish } from "../crypto/declassify";
import * as aead from "../crypto/xchacha20poly1305";
import { FACTS_OFF_BOUND, FACTS_OFF_CUSTODY, FACTS_OFF_UID, Region } from "../defs/boundary";
import {
  CUSTODY_MAGIC,
  CUSTODY_OFF_BOARD,
  CUSTODY_OFF_CLASSES,
  CUSTODY_OFF_GEOMETRY,
  CUSTODY_OFF_INSTANCE,
  CUSTODY_OFF_KIND,
  CUSTODY_OFF_MAGIC,
  CUSTODY_OFF_MANIFEST,
  CUSTODY_OFF_ROOT,
  CUSTODY_OFF_VERSION,
  GEOMETRY_SIZE,
} from "../defs/custody";
import {
  BODY_EPOCH_SET,
  BODY_OFF_DIRTY,
  BODY_PROVISIONED,
  INTENT_SLOT,
  JOURNAL_PLACE,
  Operation,
} from "../defs/journal";
import { HANDLE_SIZE, Origin, SLOTS_MAX, TOKEN_SIZE } from "../defs/record";
import {
  FIRST_TOKEN_SIZE,
  FORMAT_VERSION,
  HEADER_MAGIC,
  HEADER_OFF_CREATED,
  HEADER_OFF_CUSTODY,
  HEADER_OFF_EPOCH,
  HEADER_OFF_FIRST_TOKEN,
  HEADER_OFF_HANDLE,
  HEADER_OFF_LABEL_HASH,
  HEADER_OFF_LABEL_LENGTH,
  HEADER_OFF_LENGTH,
  HEADER_OFF_MAGIC,
  HEADER_OFF_NONCE,
  HEADER_OFF_ORIGIN,
  HEADER_OFF_PARTS,
  HEADER_OFF_POLICY,
  HEADER_OFF_SEQUENCE,
  HEADER_OFF_TAG,
  HEADER_OFF_TIER,
  HEADER_OFF_TOKEN,
  HEADER_OFF_USAGE,
  HEADER_OFF_VERSION,
  HEADER_SIZE,
} from "../defs/slot";
import { Status } from "../defs/status";
import { State } from "../defs/wire";
import {
  BODY_STREAM,
  CURRENT,
  FRESH,
  HANDLES,
  HEADER,
  INSTANCE,
  LABEL,
  MANIFEST,
  NEXT,
  PAGE,
  TAG,
  TOKEN_HASH,
  VAULT,
} from "../memory";
import * as body from "./body";
import * as digest from "./digest";
import * as entropy from "./entropy";
import * as geometry from "./geometry";
import * as header from "./header";
import * as index from "./index";
import * as journal from "./journal";
import * as parts from "./parts";
import * as reset from "./reset";
import * as slots from "./slot";
import * as space from "./space";
import * as state from "./state";
import * as vault from "./vault";
import { KeyName, key } from "./vault";

const ATTEMPTS: i32 = 3; // slots tried when the medium fails under one

let life: State = State.Blank;
let corrupt: i32 = 0; // live slots whose header does not verify
let detail: i64 = -1;
let named: usize = 0; // the instance id that an image names
let repeated: bool = false; // the last put gave the result of an earlier one

/** Whether the last put gave the result of an earlier one with the same token. */
export function isRepeated(): bool {
  return repeated;
}
/** What the last refusal has to say besides its status; -1 = nothing. */
export function refusalDetail(): i64 {
  return detail;
}
export function clearDetail(): void {
  detail = -1;
}
export function setDetail(what: u32): void {
  detail = what;
}
function refuse(status: Status, what: u32): Status {
  detail = what;
  return status;
}

/** State of the store, as hello tells it. */
export function lifeState(): State {
  return life;
}
/** Live slots whose header does not verify. */
export function corruptSlots(): i32 {
  return corrupt;
}

/** Rescue: nothing is mounted and nothing written; who may ask is read from the journal. */
export function rescue(): void {
  life = State.Rescue;
  wipe(INSTANCE, 32);
  wipe(CURRENT, JOURNAL_PLACE);
  if (vault.open() == Status.Ok) {
    memory.copy(INSTANCE, vault.description() + CUSTODY_OFF_INSTANCE, 16);
    journal.look(); // for the operators alone
  }
  vault.close();
}

/** Mounts whatever the medium holds. Never touches the slot region; writes one journal record only after a cut. */
export function mount(): void {
  life = mountAs();
  vault.close();
}

function mountAs(): State {
  index.reset();
  corrupt = 0;
  wipe(INSTANCE, 32);
  wipe(CURRENT, JOURNAL_PLACE);
  if (reset.isAnnounced()) return afterReset();
  const custody = vault.open();
  if (custody == Status.WrongVersion) return State.WrongVersion;
  if (custody != Status.Ok) return journal.isAnnounced() || journal.isVirgin() ? State.Blank : State.CustodyDamaged;
  const place = vault.description();
  if (!isForBoard(place + CUSTODY_OFF_BOARD)) return State.OtherBoard;
  if (geometry.set(place + CUSTODY_OFF_GEOMETRY, load<u8>(place, CUSTODY_OFF_CLASSES)) >= 0)
    return State.CustodyDamaged;
  // a root without any record: either provisioning was cut, which had announced it, or the journal is gone
  if (journal.find() == Status.CustodyDamaged) {
    if (!journal.isAnnounced()) return State.CustodyDamaged;
    return isForImage() ? forgetTraces() : afterReset();
  }
  if (reset.isOrdered()) return afterReset();
  for (let slot = 0; slot < geometry.slotCount(); slot++) header.compare(slot);
  const found = journal.settle();
  memory.copy(INSTANCE, place + CUSTODY_OFF_INSTANCE, 16);
  memory.copy(MANIFEST, place + CUSTODY_OFF_MANIFEST, 16);
  for (let slot = 0; slot < geometry.slotCount(); slot++) {
    if (!state.isLive(CURRENT, slot)) continue;
    if (header.read(slot) == Status.Ok) index.set(slot, HEADER);
    else {
      index.setUnreadable();
      corrupt++;
    }
  }
  if (!digest.mount() || corrupt > 0 || journal.isDoubted()) return State.Degraded;
  if (found == Status.ReadOnly) return State.ReadOnly;
  return state.hasFlag(CURRENT, BODY_PROVISIONED) ? State.Ready : State.Provisioning;
}

/** Writes who this board is, as custody says it, to PAGE. Ok | Unreadable. */
function readBoard(): Status {
  const status = <Status>board.read(Region.Facts, FACTS_OFF_UID, PAGE + 32, 16);
  hash(TAG, PAGE + 32, 16);
  publish(PAGE, TAG, 8);
  return status;
}

/** Whether the 8 bytes of custody name this board, or none. */
function isForBoard(at: usize): bool {
  return isZero(at, 8) || (readBoard() == Status.Ok && equal(PAGE, at, 8));
}

/** Whether an image began the provisioning that was cut: it begins again, and the key that it is sealed to must stay. */
function isForImage(): bool {
  vault.close();
  const is = vault.transportKey() != 0;
  vault.close();
  return is;
}

/** Nothing may be left in the journal that reads as a record of this root, or as traces beside none: the next thing is that the root goes. */
function forgetTraces(): State {
  return journal.forgetTraces() == Status.Ok ? State.Blank : State.CustodyDamaged;
}

/** Goes on with a reset. */
function afterReset(): State {
  const status = reset.carryOut();
  wipe(CURRENT, JOURNAL_PLACE);
  return status == Status.Ok ? State.Blank : State.CustodyDamaged;
}

/** Whether records may be read: Ok, or the status that the state calls for. */
export function mayList(): Status {
  if (life == State.Blank) return Status.NotProvisioned;
  if (life == State.CustodyDamaged) return Status.CustodyDamaged;
  if (life == State.WrongVersion) return refuse(Status.WrongVersion, vault.otherVersion());
  if (life == State.Rescue) return Status.Rescue;
  if (life == State.OtherBoard) return Status.OtherBoard;
  return Status.Ok;
}
/** Whether seals may be opened. */
export function mayOpen(): Status {
  const status = mayList();
  if (status != Status.Ok) return status;
  return life == State.Degraded ? Status.Degraded : vault.open();
}
/** Whether the store may be changed. */
export function mayChange(): Status {
  const status = mayOpen();
  if (status != Status.Ok) return status;
  return life == State.ReadOnly ? Status.ReadOnly : Status.Ok;
}

/** After a failed change the truth is on the medium: mount again. Other statuses pass. */
function settle(status: Status): Status {
  if (status == Status.MediumFailed) {
    vault.close();
    mount();
  } else if (status == Status.Degraded) {
    life = State.Degraded;
  }
  return status;
}

// ---- provisioning

/** Where the 16 bytes stand that the next instance is to be called; 0 = it calls itself. */
export function nameInstance(at: usize): void {
  named = at;
}

/** Makes root, instance and journal, or resumes for the same manifest. `classes`: entries as in custody.
 *  Ok | AlreadyProvisioned | OtherManifest | BadGeometry | EntropyNotReady | MediumFailed | what the state calls for. */
export function provision(manifest: usize, classes: usize, count: i32): Status {
  if (life != State.Blank) {
    const status = mayChange();
    if (status != Status.Ok) return status;
    if (life != State.Provisioning) return Status.AlreadyProvisioned;
    const place = vault.description();
    const same = equal(MANIFEST, manifest, 16) && load<u8>(place, CUSTODY_OFF_CLASSES) == <u8>count;
    return same && equal(place + CUSTODY_OFF_GEOMETRY, classes, count * GEOMETRY_SIZE)
      ? Status.Ok
      : Status.OtherManifest;
  }
  if (named == 0) vault.leaveSecond(false); // asked for in a session: no image is opened onto what it makes
  const misfit = geometry.set(classes, count);
  if (misfit >= 0) return refuse(Status.BadGeometry, misfit);
  vault.close();
  if (entropy.random(VAULT + CUSTODY_OFF_ROOT, 32) != Status.Ok) return Status.EntropyNotReady;
  if (named != 0) memory.copy(VAULT + CUSTODY_OFF_INSTANCE, named, 16);
  else if (entropy.random(VAULT + CUSTODY_OFF_INSTANCE, 16) != Status.Ok) return Status.EntropyNotReady;
  store<u32>(VAULT, CUSTODY_MAGIC, CUSTODY_OFF_MAGIC);
  store<u8>(VAULT, FORMAT_VERSION, CUSTODY_OFF_VERSION);
  if (board.read(Region.Facts, FACTS_OFF_CUSTODY, VAULT + CUSTODY_OFF_KIND, 1) != Status.Ok) return Status.Unreadable;
  if (readBoard() != Status.Ok || board.read(Region.Facts, FACTS_OFF_BOUND, PAGE + 32, 1) != Status.Ok)
    return Status.Unreadable;
  if (load<u8>(PAGE + 32) != 0) memory.copy(VAULT + CUSTODY_OFF_BOARD, PAGE, 8);
  store<u8>(VAULT, count, CUSTODY_OFF_CLASSES);
  memory.copy(VAULT + CUSTODY_OFF_MANIFEST, manifest, 16);
  memory.copy(VAULT + CUSTODY_OFF_GEOMETRY, classes, count * GEOMETRY_SIZE);
  // in this order a cut anywhere leaves Blank behind: DESIGN.md §3.3
  let status = reset.forget(-1);
  if (status == Status.Ok) status = vault.clear();
  if (status == Status.Ok) status = journal.announce();
  if (status == Status.Ok) status = vault.create();
  if (status == Status.Ok) {
    // nothing is live, and nothing is certainly erased
    wipe(NEXT, JOURNAL_PLACE);
    memory.fill(NEXT + BODY_OFF_DIRTY, 0xff, SLOTS_MAX / 8);
    memory.copy(CURRENT, NEXT, JOURNAL_PLACE);
    digest.mount();
    digest.seal();
    status = journal.create();
  }
  vault.close();
  mount();
  const after = vault.open();
  return status == Status.Ok ? after : status;
}

/** Erases the root and everything else. Ok (the store is blank) | MediumFailed (it goes on at the next mount). */
export function erase(): Status {
  const isMounted = life == State.Ready || life == State.Provisioning || life == State.Degraded;
  let status = isMounted ? vault.open() : Status.ReadOnly;
  if (status == Status.Ok) status = reset.order();
  // where nothing can be ordered the root goes first: an announcement that was cut must not come true in a store that went on
  if (status != Status.Ok) status = vault.clear();
  if (status == Status.Ok) status = reset.carryOut();
  vault.close();
  mount();
  return status;
}

/** Ends provisioning. Ok (also when it had ended) | MediumFailed | what the state calls for. */
export function finish(): Status {
  let status = mayChange();
  if (status != Status.Ok || life == State.Ready) return status;
  status = journal.begin(Operation.Finish, 0, 0);
  if (status == Status.Ok) {
    state.setFlag(NEXT, BODY_PROVISIONED);
    status = journal.commit();
  }
  if (status == Status.Ok) life = State.Ready;
  return settle(status);
}

/** Sets the creation epoch, which never goes back. Ok | EpochBack | MediumFailed | what the state calls for. */
export function setEpoch(epoch: u32): Status {
  let status = mayChange();
  if (status != Status.Ok) return status;
  if (epoch < state.epoch(CURRENT)) return refuse(Status.EpochBack, state.epoch(CURRENT));
  if (epoch == state.epoch(CURRENT) && state.hasFlag(CURRENT, BODY_EPOCH_SET)) return Status.Ok;
  status = journal.begin(Operation.Epoch, 0, 0);
  if (status == Status.Ok) {
    state.setEpoch(NEXT, epoch);
    state.setFlag(NEXT, BODY_EPOCH_SET);
    status = journal.commit();
  }
  return settle(status);
}

/** Whether another live slot has the handle of this one in a newer version, or in the same and further ahead: of copies one stays,
 *  or a handle would outlive its evict. The header of `slot` stands in HEADER. */
function isOutdone(slot: i32): bool {
  const handle = HANDLES + slot * HANDLE_SIZE;
  const sequence = load<u32>(HEADER, HEADER_OFF_SEQUENCE);
  for (let other = 0; other < geometry.slotCount(); other++) {
    if (other == slot || !state.isLive(CURRENT, other)) continue;
    if (!equal(HANDLES + other * HANDLE_SIZE, handle, HANDLE_SIZE) || header.read(other) != Status.Ok) continue;
    const found = load<u32>(HEADER, HEADER_OFF_SEQUENCE);
    if (found > sequence || (found == sequence && other < slot)) return true;
  }
  return false;
}

/** Accepts the present set of a degraded store: slots whose header does not verify, and copies, are given up. Ok | MediumFailed | … */
export function accept(): Status {
  let status = mayList();
  if (status != Status.Ok || life != State.Degraded) return status;
  status = vault.open();
  if (status == Status.Ok) status = journal.begin(Operation.Accept, 0, 0);
  if (status != Status.Ok) return settle(status);
  for (let slot = 0; slot < geometry.slotCount(); slot++) {
    if (state.isLive(CURRENT, slot) && (header.read(slot) != Status.Ok || isOutdone(slot))) state.bury(NEXT, slot);
  }
  for (let block = 0; block < geometry.blockCount(); block++) digest.update(block);
  digest.seal();
  state.countAccepted(NEXT);
  status = journal.commit();
  if (status == Status.Ok) journal.forgetLost();
  vault.close();
  mount();
  return status;
}

// ---- while nobody asks

/** After a change: erases one block that a change to come would erase. Nothing happens any more when there is none, or the medium failed,
 *  until the next change. */
export function tend(): void {
  if (mayChange() != Status.Ok || !space.eraseAhead()) journal.rest();
  vault.close();
}

// ---- reading

/** Opens the record in `slot` into `out`. Leaves its header in HEADER and its label in LABEL.
 *  Ok | Corrupt | Unreadable; on refusal `out` is wiped. */
@sealed("record")
export function openInto(slot: i32, out: usize): Status {
  let status = header.read(slot);
  if (status == Status.Ok) status = header.readLabel(slot);
  if (status == Status.Ok) status = slots.readBody(slot, out);
  if (status != Status.Ok) return status;
  const seal = key(KeyName.Seal);
  const length = header.bodyLength(HEADER);
  nonceOf(HEADER);
  return opened(aead.open(seal, PAGE, HEADER, HEADER_OFF_TAG, out, length, HEADER + HEADER_OFF_TAG), out);
}

/** The same of the record whose header stands in HEADER, but its body is decrypted by body.decrypt(), when it is wanted. Ok | Corrupt | Unreadable. */
@sealed("record")
export function openLater(slot: i32, out: usize): Status {
  const status = slots.readBody(slot, out);
  if (status != Status.Ok) return status;
  const seal = key(KeyName.Seal);
  const length = header.bodyLength(HEADER);
  nonceOf(HEADER);
  body.defer(out, length);
  const tag = HEADER + HEADER_OFF_TAG;
  return opened(aead.openLater(BODY_STREAM, seal, PAGE, HEADER, HEADER_OFF_TAG, out, length, tag), out);
}

function opened(isGenuine: bool, out: usize): Status {
  if (isGenuine) return Status.Ok;
  body.forget();
  wipe(out, header.bodyLength(HEADER));
  return Status.Corrupt;
}

/** Nonce of a header's seal into PAGE: u64 sequence ‖ 16 random bytes. */
function nonceOf(head: usize): void {
  store<u64>(PAGE, load<u32>(head, HEADER_OFF_SEQUENCE));
  memory.copy(PAGE + 8, head + HEADER_OFF_NONCE, 16);
}

// ---- writing

/** Starts the header of a new record in FRESH. The caller has checked every value. */
export function describe(token: usize, usage: i32, tier: i32, policy: i32, origin: Origin): void {
  wipe(FRESH, HEADER_SIZE);
  store<u16>(FRESH, HEADER_MAGIC, HEADER_OFF_MAGIC);
  store<u8>(FRESH, FORMAT_VERSION, HEADER_OFF_VERSION);
  memory.copy(FRESH + HEADER_OFF_TOKEN, token, TOKEN_SIZE);
  hash(TAG, token, TOKEN_SIZE);
  publish(FRESH + HEADER_OFF_FIRST_TOKEN, TAG, FIRST_TOKEN_SIZE);
  store<u8>(FRESH, usage, HEADER_OFF_USAGE);
  store<u8>(FRESH, tier, HEADER_OFF_TIER);
  store<u8>(FRESH, origin, HEADER_OFF_ORIGIN);
  store<u8>(FRESH, policy, HEADER_OFF_POLICY);
}

/** Starts the header of a new version of the record whose header stands in HEADER. */
function describeVersion(token: usize): void {
  memory.copy(FRESH, HEADER, HEADER_SIZE);
  memory.copy(FRESH + HEADER_OFF_TOKEN, token, TOKEN_SIZE);
}

/** Completes FRESH with label and body. */
function content(label: usize, labelLength: i32, body: usize, length: i32): void {
  store<u8>(FRESH, labelLength, HEADER_OFF_LABEL_LENGTH);
  header.hashLabel(label, labelLength);
  publish(FRESH + HEADER_OFF_LABEL_HASH, TAG, 16);
  store<u16>(FRESH, length, HEADER_OFF_LENGTH);
  store<u8>(FRESH, parts.count(body, length), HEADER_OFF_PARTS);
}

/** Whether the record whose header stands in HEADER is what FRESH and `body` ask for. Uses up `body`. */
@sealed("record")
function isSame(body: usize): bool {
  if (!equal(FRESH, HEADER, HEADER_OFF_TAG)) return false;
  const seal = key(KeyName.Seal);
  const length = header.bodyLength(HEADER);
  nonceOf(HEADER);
  // sealing the same bytes once more under the same nonce gives the same tag; the ciphertext goes nowhere
  aead.seal(seal, PAGE, FRESH, HEADER_OFF_TAG, body, length, FRESH + HEADER_OFF_TAG);
  wipe(body, length);
  return equal(FRESH + HEADER_OFF_TAG, HEADER + HEADER_OFF_TAG, 16);
}

function hashToken(token: usize): void {
  hash(TAG, token, TOKEN_SIZE);
  publish(TOKEN_HASH, TAG, FIRST_TOKEN_SIZE);
}

/** Was this token used before? 0 no; 1 yes, for this very request (its result is in FRESH); negative: TokenReused.
 *  FRESH describes the request; `handle` is the record it is about, 0 for put. */
function replayed(token: usize, handle: usize, body: usize): i32 {
  hashToken(token);
  for (
    let slot = index.nextWithToken(0, token, TOKEN_HASH);
    slot >= 0;
    slot = index.nextWithToken(slot + 1, token, TOKEN_HASH)
  ) {
    if (header.read(slot) != Status.Ok) continue;
    const present = equal(HEADER + HEADER_OFF_TOKEN, token, TOKEN_SIZE);
    if (!present) {
      // only a record that was replaced since has no more than the hash of its first token
      if (load<u32>(HEADER, HEADER_OFF_SEQUENCE) == load<u32>(HEADER, HEADER_OFF_CREATED)) continue;
      if (!equal(HEADER + HEADER_OFF_FIRST_TOKEN, TOKEN_HASH, FIRST_TOKEN_SIZE)) continue;
    }
    if (handle != 0 && (!present || !equal(HEADER + HEADER_OFF_HANDLE, handle, HANDLE_SIZE))) return Status.TokenReused;
    if (present) {
      // what the store chose for that version is not part of the request
      memory.copy(FRESH + HEADER_OFF_SEQUENCE, HEADER + HEADER_OFF_SEQUENCE, HEADER_OFF_TOKEN - HEADER_OFF_SEQUENCE);
      if (handle == 0) {
        store<u8>(FRESH, load<u8>(HEADER, HEADER_OFF_CUSTODY), HEADER_OFF_CUSTODY);
        memory.copy(FRESH + HEADER_OFF_EPOCH, HEADER + HEADER_OFF_EPOCH, HEADER_OFF_FIRST_TOKEN - HEADER_OFF_EPOCH);
      }
      // a key made here is not made twice: then what the caller can know must be the same
      const isMade = handle == 0 && load<u8>(FRESH, HEADER_OFF_ORIGIN) == Origin.Generated;
      if (isMade ? !equal(FRESH, HEADER, HEADER_OFF_TAG) : !isSame(body)) return Status.TokenReused;
    }
    memory.copy(FRESH, HEADER, HEADER_SIZE);
    return 1;
  }
  return 0;
}

/** Whether a record that still is there was created with this token. */
export function hasMade(token: usize): bool {
  hashToken(token);
  for (
    let slot = index.nextWithToken(0, token, TOKEN_HASH);
    slot >= 0;
    slot = index.nextWithToken(slot + 1, token, TOKEN_HASH)
  ) {
    if (header.read(slot) == Status.Ok && equal(HEADER + HEADER_OFF_FIRST_TOKEN, TOKEN_HASH, FIRST_TOKEN_SIZE))
      return true;
  }
  return false;
}

let chosenClass: i32 = 0;

/** The class that a new record goes to. Ok (class in `chosenClass`) | TooLarge | ClassFull | StoreFull. */
function chooseClass(named: i32, length: i32, labelLength: i32): Status {
  let best = -1;
  let fits = false;
  let largest = 0;
  for (let c = 0; c < geometry.classes(); c++) {
    if (named >= 0 && c != named) continue;
    largest = max(largest, geometry.room(c) - labelLength);
    if (geometry.room(c) < length + labelLength) continue;
    fits = true;
    if (state.liveInClass(CURRENT, c) >= geometry.capacity(c)) continue;
    if (best < 0 || geometry.units(c) < geometry.units(best)) best = c;
  }
  if (!fits) return refuse(Status.TooLarge, largest);
  if (best < 0) return named >= 0 ? Status.ClassFull : Status.StoreFull;
  chosenClass = best;
  return Status.Ok;
}

/** Stores a new record whose attributes stand in FRESH (describe()). `named`: slot class, or -1. Uses up `body`.
 *  Ok (header in FRESH) | TokenReused | TooLarge | ClassFull | StoreFull | EntropyNotReady | MediumFailed | what the state calls for. */
export function put(token: usize, named: i32, label: usize, labelLength: i32, body: usize, length: i32): Status {
  let status = mayChange();
  if (status != Status.Ok) return status;
  content(label, labelLength, body, length);
  const before = replayed(token, 0, body);
  repeated = before > 0;
  if (before != 0) return before > 0 ? Status.Ok : Status.TokenReused;
  status = chooseClass(named, length, labelLength);
  if (status != Status.Ok) return status;
  return settle(writeVersion(Operation.Put, chosenClass, label, body));
}

/** Slot of a record that may be changed; otherwise why not. */
function slotToChange(handle: usize): i32 {
  const status = mayChange();
  if (status != Status.Ok) return status;
  const slot = index.find(handle);
  return slot < 0 ? Status.NoSuchHandle : slot;
}

/** Gives the record behind a handle a new body, imported from now on. Ok (header in FRESH) | NoSuchHandle | TokenReused | TooLarge | … as put. */
export function replace(handle: usize, token: usize, body: usize, length: i32): Status {
  return revise(handle, token, body, length, Origin.Imported);
}

/** Gives the record behind a handle a new body, of that origin. As replace. */
export function revise(handle: usize, token: usize, body: usize, length: i32, origin: Origin): Status {
  const slot = slotToChange(handle);
  if (slot < 0) return slot;
  let status = header.read(slot);
  if (status == Status.Ok) status = header.readLabel(slot);
  if (status != Status.Ok) return status;
  describeVersion(token);
  store<u8>(FRESH, origin, HEADER_OFF_ORIGIN);
  return renew(slot, handle, token, LABEL, header.labelLength(HEADER), body, length);
}

/** Gives the record behind a handle other parts beside its keys, which stay. `room`: `size` bytes, in whose end the parts stand, wiped.
 *  As replace; BadRecord when keys and parts are too many. */
export function replaceRest(handle: usize, token: usize, length: i32, room: usize, size: i32): Status {
  const slot = slotToChange(handle);
  if (slot < 0) return slot;
  let status = header.read(slot);
  if (status != Status.Ok) return status;
  const old = header.bodyLength(HEADER);
  if (old + length > size) return refuse(Status.TooLarge, size - old);
  status = openInto(slot, room);
  if (status == Status.Ok) status = renewRest(slot, handle, token, room, parts.keepKeys(room, old), length, size);
  wipe(room, size);
  return status;
}

/** The keys, `kept` bytes, stand at the beginning of `room`, the other parts at its end. */
function renewRest(slot: i32, handle: usize, token: usize, room: usize, kept: i32, length: i32, size: i32): Status {
  if (kept + 2 * length > size) return refuse(Status.TooLarge, (size - kept) / 2); // or it could not be repeated
  memory.copy(room + kept, room + size - length, length);
  if (parts.count(room, kept + length) == 0) return Status.BadRecord;
  describeVersion(token);
  const status = renew(slot, handle, token, LABEL, header.labelLength(HEADER), room, kept + length);
  if (status == Status.TooLarge) detail = max<i64>(0, detail - kept);
  return status;
}

/** Gives the record behind a handle another label (length 0: none). `room`: BODY_MAX bytes for its body, wiped. As replace. */
export function relabel(handle: usize, token: usize, label: usize, labelLength: i32, room: usize): Status {
  return amend(handle, token, label, labelLength, -1, room);
}

/** Gives the record behind a handle another policy. `room` as in relabel. As replace. */
export function setPolicy(handle: usize, token: usize, policy: u32, room: usize): Status {
  return amend(handle, token, 0, 0, policy, room);
}

/** @param label 0: it stays    @param policy below 0: it stays */
function amend(handle: usize, token: usize, label: usize, labelLength: i32, policy: i32, room: usize): Status {
  const slot = slotToChange(handle);
  if (slot < 0) return slot;
  let status = openInto(slot, room);
  if (status != Status.Ok) return status;
  const length = header.bodyLength(HEADER);
  describeVersion(token);
  if (policy >= 0) store<u8>(FRESH, policy, HEADER_OFF_POLICY);
  const keeps = label == 0;
  status = renew(
    slot,
    handle,
    token,
    keeps ? LABEL : label,
    keeps ? header.labelLength(HEADER) : labelLength,
    room,
    length,
  );
  wipe(room, length);
  return status;
}

/** Writes the version that FRESH begins to describe. */
function renew(
  slot: i32,
  handle: usize,
  token: usize,
  label: usize,
  labelLength: i32,
  body: usize,
  length: i32,
): Status {
  content(label, labelLength, body, length);
  const before = replayed(token, handle, body);
  if (before != 0) return before > 0 ? Status.Ok : Status.TokenReused;
  const c = geometry.classOfSlot(slot);
  if (labelLength + length > geometry.room(c)) return refuse(Status.TooLarge, geometry.room(c) - labelLength);
  return settle(writeVersion(Operation.Replace, c, label, body));
}

/** Seals FRESH and `body` into a free slot of class c and commits. The old version, if it is a replace, is found by its handle. */
@sealed("record")
function writeVersion(operation: Operation, c: i32, label: usize, body: usize): Status {
  const length = header.bodyLength(FRESH);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (entropy.nonce(FRESH + HEADER_OFF_NONCE, 16) != Status.Ok) return Status.EntropyNotReady;
    let status = space.provide(c);
    if (status != Status.Ok) return status;
    const slot = space.chosen();
    const old = operation == Operation.Replace ? index.find(FRESH + HEADER_OFF_HANDLE) : -1;
    if (!digest.stands(geometry.blockOfSlot(slot))) return Status.Degraded;
    if (old >= 0 && !digest.stands(geometry.blockOfSlot(old))) return Status.Degraded;
    status = journal.begin(operation, slot, INTENT_SLOT);
    if (status != Status.Ok) return status;
    sealFresh(operation, body, length);
    if (slots.write(slot, FRESH, label, body) == Status.Ok) return commitVersion(slot, old);
    if (journal.abandon() != Status.Ok) return Status.MediumFailed;
    const seal = key(KeyName.Seal);
    nonceOf(FRESH);
    aead.open(seal, PAGE, FRESH, HEADER_OFF_TAG, body, length, FRESH + HEADER_OFF_TAG); // back to plaintext for the next slot
  }
  return Status.MediumFailed;
}

@sealed("record")
function sealFresh(operation: Operation, body: usize, length: i32): void {
  const sequence = state.sequence(NEXT);
  store<u32>(FRESH, sequence, HEADER_OFF_SEQUENCE);
  if (operation == Operation.Put) {
    store<u8>(FRESH, load<u8>(vault.description(), CUSTODY_OFF_KIND), HEADER_OFF_CUSTODY);
    store<u32>(FRESH, state.epoch(NEXT), HEADER_OFF_EPOCH);
    store<u32>(FRESH, sequence, HEADER_OFF_CREATED);
    store<u32>(PAGE, sequence);
    memory.copy(PAGE + 4, INSTANCE, 16);
    keyed(TAG, key(KeyName.Handle), PAGE, 20);
    publish(FRESH + HEADER_OFF_HANDLE, TAG, HANDLE_SIZE);
  }
  const seal = key(KeyName.Seal);
  nonceOf(FRESH);
  aead.seal(seal, PAGE, FRESH, HEADER_OFF_TAG, body, length, FRESH + HEADER_OFF_TAG);
  header.authenticate(FRESH);
}

function commitVersion(slot: i32, old: i32): Status {
  state.bear(NEXT, slot);
  if (old >= 0) {
    state.bury(NEXT, old);
    digest.update(geometry.blockOfSlot(old));
  }
  digest.update(geometry.blockOfSlot(slot));
  digest.seal();
  const status = journal.commit();
  if (status != Status.Ok) return status;
  if (old >= 0) index.clear(old);
  index.set(slot, FRESH);
  return Status.Ok;
}

// ---- evicting

/** Makes the record behind a handle unreachable; with `destroy` also erases its ciphertext, all copies of it, before answering.
 *  Ok | NoSuchHandle | Degraded | MediumFailed | what the state calls for. */
export function evict(handle: usize, destroy: bool): Status {
  let status = mayChange();
  if (status != Status.Ok) return status;
  const slot = index.find(handle);
  if (slot >= 0) {
    const block = geometry.blockOfSlot(slot);
    if (!digest.stands(block)) return settle(Status.Degraded);
    status = journal.begin(Operation.Evict, 0, 0);
    if (status == Status.Ok) {
      state.bury(NEXT, slot);
      digest.update(block);
      digest.seal();
      status = journal.commit();
    }
    if (status != Status.Ok) return settle(status);
    index.clear(slot);
  }
  const known = slot >= 0 || (destroy && hasResidue(handle)) ? Status.Ok : Status.NoSuchHandle;
  if (!destroy) return known;
  status = destroyResidue(handle);
  return status == Status.Ok ? known : status; // NoSuchHandle only now: an erase that was cut may have left ciphertext without a header
}

/** Erases what is left of old versions of a record. Ok | MediumFailed | … The vault is open. */
export function destroyResidue(handle: usize): Status {
  // reclaiming a block copies nothing of this handle, so one round over the blocks is enough
  let destroyed = -1;
  for (let block = 0; block < geometry.blockCount(); block++) {
    if (!holdsResidue(block, handle)) continue;
    const status = space.destroy(block);
    if (status != Status.Ok) return settle(status);
    destroyed = block;
  }
  // what was asked is done: that levelling fails is not the caller's matter
  if (destroyed >= 0) settle(space.level(geometry.classOfBlock(destroyed)));
  return Status.Ok;
}

/** Header of a slot that is not live but may still hold ciphertext, into HEADER. */
export function readResidue(slot: i32): bool {
  return state.isDirty(CURRENT, slot) && !state.isLive(CURRENT, slot) && header.read(slot) == Status.Ok;
}

/** Whether a block may still hold ciphertext of this handle: a header that names it, or a slot cut short before its header. */
function holdsResidue(block: i32, handle: usize): bool {
  const from = geometry.slotOfBlock(block);
  const n = geometry.perBlock(geometry.classOfBlock(block));
  for (let slot = from; slot < from + n; slot++) {
    if (!state.isDirty(CURRENT, slot) || state.isLive(CURRENT, slot)) continue;
    if (header.read(slot) == Status.Ok) {
      if (equal(HEADER + HEADER_OFF_HANDLE, handle, HANDLE_SIZE)) return true;
    } else if (state.erases(CURRENT, block) > 0) {
      return true; // a block never erased by this store was never written by it either
    }
  }
  return false;
}

function hasResidue(handle: usize): bool {
  for (let slot = 0; slot < geometry.slotCount(); slot++) {
    if (readResidue(slot) && equal(HEADER + HEADER_OFF_HANDLE, handle, HANDLE_SIZE)) return true;
  }
  return false;
}
