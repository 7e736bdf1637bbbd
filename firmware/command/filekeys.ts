/** Filekeys: the device as the authority of their positions. SPEC.md §17. A filekey is a record of its own usage, whose body is opened behind
 *  requests and responses of a few hundred bytes. Relies on: firmware/claim for content, pointers and sealed Deltas, store.ts for records,
 *  command.ts for wiping what stands behind the response. */
import * as deltas from "../claim/delta";
import * as filekey from "../claim/filekey";
import * as pointers from "../claim/pointers";
import * as rate from "../claim/rate";
import { equal, isZero } from "../crypto/bytes";
import { reveal } from "../crypto/declassify";
import {
  DELTA_OFF_ID,
  DELTA_OFF_START,
  DELTA_SIZE,
  FILEKEY_HEAD,
  FILEKEY_OFF_FLAGS,
  FILEKEY_OFF_ID,
  LISTED_DELTA,
  SEALED_DELTA,
  SEALED_DELTA_OFF_SECRET,
} from "../defs/filekey";
import { INNER_MAX } from "../defs/link";
import { FILEKEYS_MAX, POINTER_OFF_LATEST, POINTER_OFF_REQUEST, POINTER_OFF_START } from "../defs/pointers";
import { BODY_MAX, Origin, PART_HEADER, PART_SECRET, PartKind, POLICY_EXPORTABLE, Usage } from "../defs/record";
import { HEADER_OFF_HANDLE, HEADER_OFF_ORIGIN, HEADER_OFF_POLICY, HEADER_OFF_USAGE } from "../defs/slot";
import { Status } from "../defs/status";
import { Command, Key } from "../defs/wire";
import { CURRENT, FRESH, HEADER, MESSAGE, PAGE, RESULT } from "../memory";
import * as geometry from "../store/geometry";
import * as header from "../store/header";
import * as index from "../store/index";
import * as state from "../store/state";
import * as records from "../store/store";
import { KeyName, key } from "../store/vault";
import { accept, badArgument, destroyed, version } from "./answer";
import * as cbor from "./cbor";
import * as making from "./making";
import * as request from "./request";
import * as use from "./use";

const BODY: usize = MESSAGE + INNER_MAX - BODY_MAX; // one part; behind any answer here
const CONTENT: usize = BODY + PART_HEADER;

/** Positions come and go as i64, little-endian. */
const RANGE: usize = RESULT; // 16: start, end

let length: i32 = 0; // bytes of the content
let slot: i32 = 0;

// ---- records

/** Whether the record whose header stands in HEADER is a filekey that this device hands out positions of. */
function isOwn(): bool {
  return load<u8>(HEADER, HEADER_OFF_USAGE) == Usage.Filekey && load<u8>(HEADER, HEADER_OFF_ORIGIN) == Origin.Generated;
}

/** Ok | WrongUsage, when the record that use.look() found is a filekey: its Alpha leaves by its own command alone, and its content changes by
 *  those alone; an own one is not evicted but deleted. */
export function checkRecord(command: u32): Status {
  if (load<u8>(HEADER, HEADER_OFF_USAGE) != Usage.Filekey || (command == Command.Evict && !isOwn())) return Status.Ok;
  return wrongUsage();
}

/** Finds the filekey of the request: its header is in HEADER. Ok | NoSuchHandle | WrongUsage | Corrupt | what the state calls for. */
function look(): Status {
  const status = use.look();
  slot = use.slot;
  return status != Status.Ok || load<u8>(HEADER, HEADER_OFF_USAGE) == Usage.Filekey ? status : wrongUsage();
}
function wrongUsage(): Status {
  records.setDetail(load<u8>(HEADER, HEADER_OFF_USAGE));
  return Status.WrongUsage;
}

/** Opens the filekey in `slot` at CONTENT. Ok | Deleted | Corrupt | Unreadable. */
function open(): Status {
  let status = records.mayOpen();
  if (status == Status.Ok) status = records.openInto(slot, BODY);
  if (status != Status.Ok) return status;
  length = header.bodyLength(HEADER) - PART_HEADER;
  if (length < FILEKEY_HEAD) return Status.Corrupt;
  if (filekey.isDeleted(CONTENT)) return Status.Deleted;
  return filekey.isSound(CONTENT, length) ? Status.Ok : Status.Corrupt;
}

/** open() of a filekey that this device hands out positions of. … | NotAuthority. */
function openOwn(): Status {
  const status = open();
  return status == Status.Ok && !filekey.isAuthority(CONTENT) ? Status.NotAuthority : status;
}

/** Ok | NotExportable: nothing of this filekey that is secret leaves the device. */
function checkPolicy(): Status {
  return (load<u8>(HEADER, HEADER_OFF_POLICY) & POLICY_EXPORTABLE) != 0 ? Status.Ok : Status.NotExportable;
}

/** Writes the header of the one part in front of a content of `bytes`. */
function frame(bytes: i32): void {
  store<u64>(BODY, ((<u64>bytes) << 16) | ((PART_SECRET << 8) | PartKind.Opaque));
}

/** Stores the content of `bytes` as a new filekey. As store.put. */
function make(origin: Origin, bytes: i32): Status {
  frame(bytes);
  request.setUsage(Usage.Filekey);
  return making.make(origin, BODY, PART_HEADER + bytes);
}

/** Ok | BadArgument | what the state calls for: as put. */
function checkNew(): Status {
  const status = making.checkAttributes();
  return status == Status.Ok ? making.checkPlace() : status;
}

/** The answer to what made a filekey, its id in RESULT. */
function made(status: Status): Status {
  status = version(status, 1);
  if (status == Status.Ok) cbor.pairBytes(Key.Filekey, RESULT, 16);
  return status;
}

// ---- create, import, delete

/** Whether there may be another filekey of which positions are handed out. */
function isFull(): bool {
  let own = 0;
  for (let at = 0; at < geometry.slotCount(); at++) {
    if (state.isLive(CURRENT, at) && header.read(at) == Status.Ok && isOwn()) own++;
  }
  return own >= FILEKEYS_MAX;
}

/** The number of positions in the request; 0 when it is none. */
function positions(): i64 {
  return request.dataLength == 8 ? max<i64>(0, load<i64>(reveal(request.data))) : 0;
}

export function create(): Status {
  const capacity = positions();
  if (capacity == 0) return badArgument(Key.Data);
  let status = checkNew();
  if (status == Status.Ok) status = filekey.make(CONTENT, capacity);
  // the id of the first Delta is its filekey's: no other Delta of it has that one
  if (status == Status.Ok) status = filekey.add(CONTENT, FILEKEY_HEAD, CONTENT + FILEKEY_OFF_ID);
  if (status == Status.Ok) status = makeOwn(capacity);
  return made(status);
}

function makeOwn(capacity: i64): Status {
  memory.copy(RESULT, CONTENT + FILEKEY_OFF_ID, 16);
  if (isFull() && !records.hasMade(request.TOKEN)) return Status.FilekeysFull;
  const status = make(Origin.Generated, FILEKEY_HEAD + DELTA_SIZE);
  if (status != Status.Ok) return status;
  if (records.isRepeated()) return readRepeated(capacity);
  // a cut before this leaves a filekey without a pointer: nothing is handed out until it is renewed
  return pointers.append(key(KeyName.Claims), FRESH + HEADER_OFF_HANDLE, -1, 0, request.TOKEN);
}

/** The id of a filekey that was made before with the same token, into RESULT. */
function readRepeated(capacity: i64): Status {
  if (load<u8>(FRESH, HEADER_OFF_USAGE) != Usage.Filekey) return Status.TokenReused;
  slot = index.find(FRESH + HEADER_OFF_HANDLE);
  const status = open();
  if (status != Status.Ok) return status;
  const isSame =
    capacity == 0
      ? equal(CONTENT + FILEKEY_OFF_ID, RESULT, 16)
      : filekey.isAuthority(CONTENT) && filekey.capacity(CONTENT) == capacity;
  memory.copy(RESULT, CONTENT + FILEKEY_OFF_ID, 16);
  return isSame ? Status.Ok : Status.TokenReused;
}

/** Whether the filekey with the id in RESULT is here, or was. */
function isKnown(): bool {
  for (slot = 0; slot < geometry.slotCount(); slot++) {
    if (!state.isLive(CURRENT, slot) || header.read(slot) != Status.Ok) continue;
    if (load<u8>(HEADER, HEADER_OFF_USAGE) != Usage.Filekey) continue;
    const status = open();
    if (status != Status.Ok && status != Status.Deleted) continue;
    if (equal(CONTENT + FILEKEY_OFF_ID, RESULT, 16)) return true;
  }
  return false;
}

/** A filekey from another device: its Deltas can be opened here, its positions are not handed out. */
export function importOne(): Status {
  const isOne = request.dataLength == FILEKEY_HEAD && filekey.isSound(request.data, FILEKEY_HEAD);
  if (!isOne || filekey.isAuthority(request.data)) return badArgument(Key.Data);
  memory.copy(RESULT, request.data + FILEKEY_OFF_ID, 16);
  let status = checkNew();
  if (status == Status.Ok && !records.hasMade(request.TOKEN) && isKnown()) status = Status.Conflict;
  if (status != Status.Ok) return status;
  memory.copy(CONTENT, request.data, FILEKEY_HEAD);
  status = make(Origin.Imported, FILEKEY_HEAD);
  if (status == Status.Ok && records.isRepeated()) status = readRepeated(0);
  return made(status);
}

/** Whether anything is left of the filekey depends on `destroy`, as with evict; its id and its last position are. */
export function remove(): Status {
  let status = look();
  if (status == Status.Ok) status = records.mayChange();
  if (status == Status.Ok) status = openOwn();
  if (status == Status.Ok) {
    filekey.bury(CONTENT, length);
    frame(FILEKEY_HEAD);
    status = records.replace(request.HANDLE, request.TOKEN, BODY, PART_HEADER + FILEKEY_HEAD);
  } else if (status == Status.Deleted) {
    status = Status.Ok; // a moment ago
  } else if (status == Status.Corrupt) {
    status = records.evict(request.HANDLE, false);
  }
  if (status == Status.Ok) pointers.forget(key(KeyName.Claims), request.HANDLE);
  if (status == Status.Ok && request.destroy) status = records.destroyResidue(request.HANDLE);
  return destroyed(status, request.destroy);
}

// ---- positions

/** Brings the pointer of the filekey into PAGE. False: it has none. */
function findPointer(): bool {
  return pointers.find(key(KeyName.Claims), request.HANDLE);
}

/** Ok | Conflict: the newest Delta is another one than the request names. */
function checkSequence(): Status {
  const newest = filekey.deltas(length);
  if (request.sequence == <u32>newest) return Status.Ok;
  records.setDetail(newest);
  return Status.Conflict;
}

/** Ok, and one entry less | RateLimited. */
function pay(): Status {
  const seconds = rate.wait();
  if (seconds > 0) {
    records.setDetail(seconds);
    return Status.RateLimited;
  }
  rate.spend();
  return Status.Ok;
}

/** Tells a filekey without its secrets; of an imported one its id alone. */
export function list(): Status {
  let status = look();
  if (status == Status.Ok) status = open();
  if (status == Status.Ok) {
    const hasPointer = findPointer();
    const n = filekey.deltas(length);
    accept(hasPointer ? 4 : 3);
    cbor.pairBytes(Key.Filekey, CONTENT + FILEKEY_OFF_ID, 16);
    if (hasPointer) cbor.pairBytes(Key.Pointer, PAGE + POINTER_OFF_LATEST, 8);
    cbor.writeUint(Key.Deltas);
    const at = cbor.writeBytesLater(n * LISTED_DELTA);
    for (let i = 0; i < n; i++) writeDelta(at + i * LISTED_DELTA, i + 1);
  }
  return status;
}

/** id, start and end of a Delta. The list stands in front of the Deltas that it is made of, and never reaches what is still to be read. */
function writeDelta(out: usize, sequence: i32): void {
  const delta = filekey.delta(CONTENT, sequence);
  memory.copy(out, delta + DELTA_OFF_ID, 16);
  memory.copy(out + 16, delta + DELTA_OFF_START, 16);
}

/** Hands out the next positions of the newest Delta. The same request again, while nothing else was handed out, gets the same ones. */
export function reserve(): Status {
  const size = positions();
  if (size == 0) return badArgument(Key.Data);
  let status = look();
  if (status == Status.Ok) status = records.mayChange();
  if (status == Status.Ok) status = openOwn();
  if (status == Status.Ok) status = checkSequence();
  if (status == Status.Ok) status = reserveFrom(size);
  if (status != Status.Ok) return status;
  accept(2);
  cbor.pairBytes(Key.Data, RANGE, 16);
  return Status.Ok;
}

/** Whether the pointer in PAGE is what this request made. */
function isRepeated(size: i64, first: i64): bool {
  if (load<i64>(PAGE, POINTER_OFF_START) < first) return false;
  const span = load<i64>(PAGE, POINTER_OFF_LATEST) - load<i64>(PAGE, POINTER_OFF_START);
  return span == size - 1 && equal(PAGE + POINTER_OFF_REQUEST, request.TOKEN, 8);
}

function reserveFrom(size: i64): Status {
  // a repeated request is answered from what is there at the next boot as well
  let status = pointers.settle(key(KeyName.Claims));
  if (status != Status.Ok) return status;
  if (!findPointer()) return Status.PositionsLost;
  const newest = filekey.delta(CONTENT, filekey.deltas(length));
  const first = filekey.start(newest);
  const end = filekey.end(newest);
  if (!isRepeated(size, first)) {
    const latest = load<i64>(PAGE, POINTER_OFF_LATEST);
    if (latest >= end) return Status.DeltaFull; // the last position that there is has none behind it
    const start = max(latest + 1, first);
    if (size - 1 > end - start) return Status.DeltaFull;
    status = pay();
    if (status == Status.Ok)
      status = pointers.append(key(KeyName.Claims), request.HANDLE, start + (size - 1), start, request.TOKEN);
    if (status != Status.Ok) return status;
  }
  store<i64>(RANGE, load<i64>(PAGE, POINTER_OFF_START));
  store<i64>(RANGE, load<i64>(PAGE, POINTER_OFF_LATEST), 8);
  return Status.Ok;
}

/** Makes the next Delta, if the newest one is what the request says; its id is the token. */
export function renew(): Status {
  let status = look();
  if (status == Status.Ok) status = records.mayChange();
  if (status == Status.Ok) status = openOwn();
  if (status == Status.Ok) {
    const n = filekey.deltas(length);
    const isMade = request.sequence + 1 == <u32>n && equal(filekey.delta(CONTENT, n) + DELTA_OFF_ID, request.TOKEN, 16);
    if (isMade) writeDelta(RESULT, n);
    else status = checkSequence();
    if (status == Status.Ok && !isMade) status = addDelta(n);
  }
  if (status != Status.Ok) return status;
  accept(3);
  cbor.pair(Key.Sequence, request.sequence + 1);
  cbor.pairBytes(Key.Data, RESULT, LISTED_DELTA);
  return Status.Ok;
}

/** Whether a Delta of the filekey has the id that the request gives to a new one, or it is none. */
function isTaken(n: i32): bool {
  for (let i = 1; i <= n; i++) if (equal(filekey.delta(CONTENT, i) + DELTA_OFF_ID, request.TOKEN, 16)) return true;
  return isZero(request.TOKEN, 16);
}

function addDelta(n: i32): Status {
  if (isTaken(n)) return badArgument(Key.Token);
  if (PART_HEADER + length + DELTA_SIZE > BODY_MAX) return Status.TooLarge;
  const isLost = !findPointer();
  let status: Status = filekey.add(CONTENT, length, request.TOKEN);
  if (status == Status.Ok) status = pay();
  if (status != Status.Ok) return status;
  const start = filekey.start(filekey.delta(CONTENT, n + 1));
  writeDelta(RESULT, n + 1);
  frame(length + DELTA_SIZE);
  status = records.revise(request.HANDLE, request.TOKEN, BODY, PART_HEADER + length + DELTA_SIZE, Origin.Generated);
  if (status != Status.Ok || !isLost) return status;
  // the positions of this Delta are new, so a pointer may begin here
  return pointers.append(key(KeyName.Claims), request.HANDLE, start - 1, start, request.TOKEN);
}

// ---- what leaves the device

/** A sealed Delta, by its sequence. */
export function container(): Status {
  let status = look();
  if (status == Status.Ok) status = openOwn();
  if (status == Status.Ok) {
    const n = filekey.deltas(length);
    if (request.sequence < 1 || request.sequence > <u32>n) {
      status = badArgument(Key.Sequence);
    } else {
      accept(2);
      cbor.writeUint(Key.Data);
      const out = cbor.writeBytesLater(SEALED_DELTA);
      const delta = filekey.delta(CONTENT, request.sequence);
      deltas.seal(out, CONTENT, delta, request.sequence);
    }
  }
  return status;
}

/** What can be said before a touch of a request that takes a secret out. */
export function checkSecret(): Status {
  if (request.data != 0 && request.dataLength != SEALED_DELTA) return badArgument(Key.Data);
  const status = look();
  return status == Status.Ok ? checkPolicy() : status;
}

/** The secret of a sealed Delta. */
export function openDelta(): Status {
  let status = open();
  const sealed = request.data; // in the request, which stands in front of the body
  if (status == Status.Ok) status = deltas.open(sealed, CONTENT);
  if (status == Status.Ok) memory.copy(RESULT, sealed + SEALED_DELTA_OFF_SECRET, 32);
  if (status != Status.Ok) return status;
  accept(2);
  cbor.pairBytes(Key.Secret, RESULT, 32);
  return Status.Ok;
}

/** The head of a filekey, its Alpha in it, as another device imports it. */
export function exportOne(): Status {
  let status = open();
  if (status == Status.Ok) {
    store<u8>(CONTENT, 0, FILEKEY_OFF_FLAGS);
    accept(2);
    cbor.pairBytes(Key.Data, CONTENT, FILEKEY_HEAD);
  }
  return status;
}
