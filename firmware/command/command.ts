/** Commands: one request in MESSAGE, one response in its place. SPEC.md §9 has the table and the order of refusals.
 *  Relies on: request.ts for parsing, store.ts for doing. Wipes the vault after each command. */
import * as board from "../board";
import { Region } from "../defs/boundary";
import { MESSAGE_MAX } from "../defs/link";
import { DATA_SIZE, SLOT_BLOCK, SLOT_BLOCKS } from "../defs/medium";
import {
  BODY_MAX,
  HANDLE_SIZE,
  POLICY_EXPORTABLE,
  POLICY_MAX,
  POLICY_PRESENCE_MASK,
  Tier,
  Usage,
} from "../defs/record";
import { HEADER_OFF_HANDLE, HEADER_OFF_POLICY, HEADER_OFF_SEQUENCE } from "../defs/slot";
import { Status } from "../defs/status";
import { Command, Key, State } from "../defs/wire";
import { CURRENT, FRESH, HEADER, INSTANCE, MESSAGE } from "../memory";
import * as geometry from "../store/geometry";
import * as header from "../store/header";
import * as index from "../store/index";
import * as parts from "../store/parts";
import * as state from "../store/state";
import * as store from "../store/store";
import * as time from "../store/time";
import * as vault from "../store/vault";
import * as cbor from "./cbor";
import * as entry from "./entry";
import * as info from "./info";
import * as request from "./request";

const DUMP_MAX: u32 = 4096;

function bit(key: Key): u64 {
  return (<u64>1) << key;
}

/** Milliseconds that the request in MESSAGE may keep the device deaf; 0 when it changes nothing. */
export function busyFor(length: i32): i32 {
  switch (request.peek(MESSAGE, length)) {
    case Command.Put:
    case Command.Replace:
    case Command.Relabel:
      return time.write();
    case Command.Evict:
      return request.parse(MESSAGE, length) && request.destroy ? time.destroy() : time.change();
    case Command.Epoch:
    case Command.Accept:
    case Command.ProvisionFinish:
      return time.change();
    case Command.ProvisionBegin:
      return time.provision();
    default:
      return 0;
  }
}

/** Answers the request in MESSAGE. Returns the bytes of the response there. */
export function respond(length: i32): i32 {
  store.clearDetail();
  const status = run(length);
  if (status != Status.Ok) refuse(status);
  vault.close();
  const written = cbor.written();
  memory.fill(MESSAGE + written, 0, MESSAGE_MAX - written); // what is left of the request
  return written;
}

function refuse(status: Status): void {
  const detail = store.refusalDetail();
  cbor.writeTo(MESSAGE, MESSAGE_MAX);
  cbor.writeMap(detail >= 0 ? 2 : 1);
  cbor.writeUint(Key.Command);
  cbor.writeInt(status);
  if (detail >= 0) {
    cbor.writeUint(Key.Detail);
    cbor.writeUint(<u32>detail);
  }
}

/** Starts a successful response of `pairs` pairs, the status among them. */
function accept(pairs: i32): void {
  cbor.writeTo(MESSAGE, MESSAGE_MAX);
  cbor.writeMap(pairs);
  cbor.writeUint(Key.Command);
  cbor.writeUint(Status.Ok);
}

function badArgument(key: Key): Status {
  store.setDetail(key);
  return Status.BadArgument;
}

function run(length: i32): Status {
  const command = request.peek(MESSAGE, length);
  if (command > <u32>Command.Dump || command == 0) {
    // an unknown command is named as such only if what carries it is well-formed so far
    return command == 0 ? Status.Malformed : Status.UnknownCommand;
  }
  if (!request.parse(MESSAGE, length) || !hasItsKeys(command)) return Status.Malformed;
  if (!request.hasGoodLabels()) return Status.BadLabel;
  switch (command) {
    case Command.Hello:
      cbor.writeTo(MESSAGE, MESSAGE_MAX);
      info.writeHello();
      return Status.Ok;
    case Command.Info:
      cbor.writeTo(MESSAGE, MESSAGE_MAX);
      info.writeInfo();
      return Status.Ok;
    case Command.Put:
      return put();
    case Command.Get:
      return get();
    case Command.List:
    case Command.Find:
      return list();
    case Command.Show:
      return show();
    case Command.Evict:
      return evict();
    case Command.Replace:
      return replace();
    case Command.Relabel:
      return version(
        store.relabel(
          request.HANDLE,
          request.TOKEN,
          request.LABEL_ARGUMENT,
          request.has(Key.Label) ? request.labelLength : 0,
          MESSAGE,
        ),
      );
    case Command.Epoch:
      return epoch();
    case Command.Accept:
      return acceptSet();
    case Command.ProvisionBegin:
      return provision();
    case Command.ProvisionFinish:
      return finish();
    default:
      return dump();
  }
}

function hasItsKeys(command: u32): bool {
  switch (command) {
    case Command.Put:
      return request.hasOnly(
        bit(Key.Token) | bit(Key.Usage) | bit(Key.Tier) | bit(Key.Policy) | bit(Key.Body),
        bit(Key.Label) | bit(Key.Class),
      );
    case Command.Get:
    case Command.Show:
      return request.hasOnly(bit(Key.Handle), 0);
    case Command.Find:
      return request.hasOnly(
        0,
        bit(Key.Label) |
          bit(Key.Usage) |
          bit(Key.Tier) |
          bit(Key.Origin) |
          bit(Key.LabelPrefix) |
          bit(Key.EpochMin) |
          bit(Key.EpochMax),
      );
    case Command.Evict:
      return request.hasOnly(bit(Key.Handle) | bit(Key.Destroy), 0);
    case Command.Replace:
      return request.hasOnly(bit(Key.Handle) | bit(Key.Token) | bit(Key.Body), 0);
    case Command.Relabel:
      return request.hasOnly(bit(Key.Handle) | bit(Key.Token), bit(Key.Label));
    case Command.Epoch:
      return request.hasOnly(bit(Key.Epoch), 0);
    case Command.ProvisionBegin:
      return request.hasOnly(bit(Key.Manifest) | bit(Key.Classes), 0);
    case Command.Dump:
      return request.hasOnly(bit(Key.Length) | bit(Key.Region) | bit(Key.Offset), 0);
    default:
      return request.hasOnly(0, 0);
  }
}

function put(): Status {
  if (request.usage > <u32>Usage.Certificate) return badArgument(Key.Usage);
  if (request.tier != Tier.Private && request.tier != Tier.Public) return badArgument(Key.Tier);
  if (request.policy > <u32>POLICY_MAX) return badArgument(Key.Policy);
  const named = request.has(Key.Class);
  if (parts.count(request.body, request.bodyLength) == 0) return Status.BadRecord;
  const status = store.mayChange();
  if (status != Status.Ok) return status;
  if (named && request.slotClass >= <u32>geometry.classes()) return badArgument(Key.Class);
  store.describe(request.TOKEN, request.usage, request.tier, request.policy);
  return version(
    store.put(
      request.TOKEN,
      named ? request.slotClass : -1,
      request.LABEL_ARGUMENT,
      request.has(Key.Label) ? request.labelLength : 0,
      request.body,
      request.bodyLength,
    ),
  );
}

function replace(): Status {
  if (parts.count(request.body, request.bodyLength) == 0) return Status.BadRecord;
  return version(store.replace(request.HANDLE, request.TOKEN, request.body, request.bodyLength));
}

/** The answer to what made a version: its handle and sequence, from FRESH. */
function version(status: Status): Status {
  if (status != Status.Ok) return status;
  accept(3);
  cbor.writeUint(Key.Handle);
  cbor.writeBytes(FRESH + HEADER_OFF_HANDLE, HANDLE_SIZE);
  cbor.writeUint(Key.Sequence);
  cbor.writeUint(load<u32>(FRESH, HEADER_OFF_SEQUENCE));
  return Status.Ok;
}

function get(): Status {
  let status = store.mayOpen();
  if (status != Status.Ok) return status;
  const slot = index.find(request.HANDLE);
  if (slot < 0) return Status.NoSuchHandle;
  status = header.read(slot);
  if (status == Status.Ok) status = header.readLabel(slot);
  if (status != Status.Ok) return status;
  const policy = load<u8>(HEADER, HEADER_OFF_POLICY);
  if ((policy & POLICY_PRESENCE_MASK) != 0) return Status.PresenceRequired;
  cbor.writeTo(MESSAGE, MESSAGE_MAX);
  const body = entry.writeGet(slot);
  status = store.openInto(slot, body);
  if (status != Status.Ok) return status;
  if ((policy & POLICY_EXPORTABLE) == 0 && parts.hasSecret(body, header.bodyLength(HEADER))) {
    memory.fill(body, 0, header.bodyLength(HEADER));
    return Status.NotExportable;
  }
  return Status.Ok;
}

function list(): Status {
  let status = store.mayList();
  if (status == Status.Ok) status = vault.open();
  if (status != Status.Ok) return status;
  accept(3);
  cbor.writeUint(Key.Entries);
  const items = cbor.beginArray();
  let n = 0;
  let corrupt = 0;
  for (let slot = 0; slot < geometry.slotCount(); slot++) {
    if (!state.isLive(CURRENT, slot)) continue;
    if (!entry.look(slot)) {
      corrupt++;
    } else if (entry.passes()) {
      entry.writeEntry(slot);
      n++;
    }
  }
  cbor.endArray(items, n);
  cbor.writeUint(Key.Corrupt);
  cbor.writeUint(corrupt);
  return Status.Ok;
}

function show(): Status {
  let status = store.mayOpen();
  if (status != Status.Ok) return status;
  const slot = index.find(request.HANDLE);
  if (slot < 0) return Status.NoSuchHandle;
  const body = MESSAGE + MESSAGE_MAX - BODY_MAX; // behind anything that show writes
  status = store.openInto(slot, body);
  if (status != Status.Ok) return status;
  const length = header.bodyLength(HEADER);
  cbor.writeTo(MESSAGE, MESSAGE_MAX - BODY_MAX);
  entry.writeShow(slot);
  cbor.writeArray(parts.count(body, length));
  for (let part = body; part < body + length; part = parts.next(part)) {
    cbor.writeMap(4);
    cbor.writeUint(Key.Length);
    cbor.writeUint(parts.contentLength(part));
    cbor.writeUint(Key.Kind);
    cbor.writeUint(parts.kind(part));
    cbor.writeUint(Key.Flags);
    cbor.writeUint(parts.flags(part));
    cbor.writeUint(Key.Algorithm);
    cbor.writeInt(parts.algorithm(part));
  }
  entry.writeShowEnd();
  memory.fill(body, 0, length);
  return Status.Ok;
}

function evict(): Status {
  const status = store.evict(request.HANDLE, request.destroy);
  if (status != Status.Ok) return status;
  accept(2);
  cbor.writeUint(Key.Destroyed);
  cbor.writeBool(request.destroy);
  return Status.Ok;
}

function epoch(): Status {
  const status = store.setEpoch(request.epoch);
  if (status != Status.Ok) return status;
  accept(2);
  cbor.writeUint(Key.Epoch);
  cbor.writeUint(state.epoch(CURRENT));
  return Status.Ok;
}

function acceptSet(): Status {
  const status = store.accept();
  if (status != Status.Ok) return status;
  accept(2);
  cbor.writeUint(Key.Accepted);
  cbor.writeUint(state.accepted(CURRENT));
  return Status.Ok;
}

function provision(): Status {
  const status = store.provision(request.DIGEST, request.GEOMETRY, request.classes);
  if (status != Status.Ok) return status;
  accept(3);
  cbor.writeUint(Key.Instance);
  cbor.writeBytes(INSTANCE, 16);
  cbor.writeUint(Key.State);
  cbor.writeUint(store.lifeState());
  return Status.Ok;
}

function finish(): Status {
  const status = store.finish();
  if (status != Status.Ok) return status;
  accept(2);
  cbor.writeUint(Key.State);
  cbor.writeUint(store.lifeState());
  return Status.Ok;
}

/** Bytes as they stand on the medium: sealed slots and the journal; never custody. */
function dump(): Status {
  if (request.length == 0 || request.length > DUMP_MAX) return badArgument(Key.Length);
  if (request.region != Region.Slots && request.region != Region.Data) return badArgument(Key.Region);
  const size: u32 = request.region == Region.Slots ? SLOT_BLOCK * SLOT_BLOCKS : DATA_SIZE;
  if (request.offset >= size || request.length > size - request.offset) return badArgument(Key.Offset);
  if (store.lifeState() == State.Blank) return Status.NotProvisioned;
  accept(2);
  cbor.writeUint(Key.Data);
  const at = cbor.writeBytesLater(request.length);
  return <Status>board.read(request.region, request.offset, at, request.length);
}
