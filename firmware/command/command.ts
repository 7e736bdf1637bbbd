/** Commands: one request in MESSAGE, one response in its place. SPEC.md §9 has the table, §11 who may, §12 what needs a touch.
 *  begin() says everything that can be said before a touch, work() does it. Relies on: request.ts for parsing, gate.ts for who may,
 *  store.ts and use.ts for doing. Wipes the vault after each step. */
import * as board from "../board";
import * as pointers from "../claim/pointers";
import { isZero, wipe } from "../crypto/bytes";
import { reveal } from "../crypto/declassify";
import { FACTS_OFF_UID, Region } from "../defs/boundary";
import { ImageState } from "../defs/image";
import { INNER_MAX } from "../defs/link";
import { DATA_SIZE, SLOT_BLOCK, SLOT_BLOCKS } from "../defs/medium";
import { BODY_MAX, Origin, POLICY_EXPORTABLE, POLICY_MAX, POLICY_PRESENCE_MASK, Usage } from "../defs/record";
import { PSK_SIZE, Role, TOUCH_WAIT_MS } from "../defs/session";
import { HEADER_OFF_ORIGIN, HEADER_OFF_POLICY, HEADER_OFF_USAGE } from "../defs/slot";
import { Status } from "../defs/status";
import { KEY_SIZE } from "../defs/use";
import { Command, Key, State } from "../defs/wire";
import * as standing from "../image/standing";
import * as transport from "../image/transport";
import { CURRENT, HEADER, INSTANCE, MESSAGE, RESULT, RESULT_SIZE } from "../memory";
import * as caller from "../operator/caller";
import * as operators from "../operator/operators";
import * as refusals from "../operator/refusals";
import * as panel from "../presence/panel";
import * as touch from "../presence/touch";
import * as geometry from "../store/geometry";
import * as header from "../store/header";
import * as index from "../store/index";
import * as parts from "../store/parts";
import * as state from "../store/state";
import * as store from "../store/store";
import * as vault from "../store/vault";
import { accept, badArgument, destroyed, done, version } from "./answer";
import * as cbor from "./cbor";
import * as duration from "./duration";
import * as entry from "./entry";
import * as filekeys from "./filekeys";
import * as gate from "./gate";
import * as info from "./info";
import * as list from "./list";
import * as making from "./making";
import * as request from "./request";
import * as use from "./use";

const DUMP_MAX: u32 = 4096;

function bit(key: Key): u64 {
  return (<u64>1) << key;
}

let asked: u32 = 0; // command of the request in hand
let verdict: Status = Status.Ok; // before the work, then of it
let touchless: bool = true; // no touch is needed, or it was given
let isAsking: bool = false; // the touch was asked for
let lasts: i32 = 0; // milliseconds of the work itself, at the most

/** Looks at the request of `length` bytes in MESSAGE. True when work() takes time(), or waits. */
export function begin(length: i32): bool {
  store.clearDetail();
  asked = request.peek(MESSAGE, length);
  verdict = look(length);
  touchless = verdict != Status.Ok || !gate.needsTouch(asked);
  isAsking = false;
  lasts = verdict == Status.Ok ? duration.atMost(asked, request.destroy) : 0;
  if (time() == 0) return false; // work() follows at once, with the vault as it is
  vault.close();
  return true;
}

/** Milliseconds that work() takes, or waits, at the most; 0 when it is quick. */
export function time(): i32 {
  if (verdict != Status.Ok) return 0;
  return lasts + (touchless ? 0 : isAsking ? touch.left() : TOUCH_WAIT_MS);
}

export function waitsForTouch(): bool {
  return !touchless;
}

/** Nobody wants an answer any more. */
export function cancel(): void {
  if (!touchless && isAsking) panel.show(0);
  touchless = true;
  vault.close();
  request.forget();
}

/** Answers the request in MESSAGE. Returns the bytes of the response there, which a list adds to as it leaves; 0 = it waits for a touch. */
export function work(): i32 {
  if (!touchless) {
    if (!isAsking) touch.begin();
    isAsking = true;
    const answer = touch.poll();
    if (answer == touch.WAITING) return 0;
    touchless = true;
    verdict = <Status>answer;
    if (verdict == Status.Ok) gate.remember(asked);
  }
  if (verdict == Status.Ok) verdict = run();
  if (verdict != Status.Ok) refuse(verdict);
  return end();
}

/** The status that the last request was answered with. */
export function outcome(): Status {
  return verdict;
}

/** Wipes everything but the response. Returns its bytes. */
function end(): i32 {
  vault.close();
  wipe(RESULT, RESULT_SIZE);
  request.forget();
  const written = cbor.written();
  memory.fill(MESSAGE + written, 0, INNER_MAX - written); // what is left of the request
  return written;
}

/** Whether bytes are a hello, the one request that is answered without a session. */
export function isHello(at: usize, length: i32): bool {
  return request.peek(at, length) == Command.Hello && request.parse(at, length) && request.hasOnly(0, 0);
}

/** Writes hello's response. Returns its bytes. */
export function hello(): i32 {
  cbor.writeTo(MESSAGE, INNER_MAX);
  info.writeHello();
  return end();
}

/** Writes a refusal. Returns its bytes. */
export function refuse(status: Status): i32 {
  const detail = store.refusalDetail();
  cbor.writeTo(MESSAGE, INNER_MAX);
  cbor.writeMap(detail >= 0 ? 2 : 1);
  cbor.writeUint(Key.Command);
  cbor.writeInt(status);
  if (detail >= 0) {
    cbor.pair(Key.Detail, <u32>detail);
  }
  return cbor.written();
}

/** Everything that can be said without doing anything. */
function look(length: i32): Status {
  if (asked == 0) return Status.Malformed;
  // an unknown command is named as such only if what carries it is well-formed so far
  if (asked > <u32>Command.TransportKey) return Status.UnknownCommand;
  if (!request.parse(MESSAGE, length) || !hasItsKeys(asked)) return Status.Malformed;
  const status = gate.admits(asked);
  if (status != Status.Ok) return status;
  if (!request.hasGoodLabels()) return Status.BadLabel;
  switch (asked) {
    case Command.Get:
      return checkGet();
    case Command.Sign:
      return use.checkSign(length);
    case Command.Agree:
      return use.checkAgree();
    case Command.Policy:
      return checkPolicy();
    case Command.Reset:
      return store.lifeState() == State.Rescue ? Status.Rescue : Status.Ok;
    case Command.Replace:
    case Command.Evict:
      return checkRecord();
    case Command.FilekeyOpen:
    case Command.FilekeyExport:
      return filekeys.checkSecret();
    default:
      return Status.Ok;
  }
}

function run(): Status {
  switch (asked) {
    case Command.Info:
      cbor.writeTo(MESSAGE, INNER_MAX);
      info.writeInfo();
      return Status.Ok;
    case Command.Put:
      return put();
    case Command.Get:
      return get();
    case Command.List:
    case Command.Find:
      return list.begin();
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
        0,
      );
    case Command.Policy:
      return version(store.setPolicy(request.HANDLE, request.TOKEN, request.policy, MESSAGE), 0);
    case Command.Generate:
      return use.generate();
    case Command.Sign:
      return use.sign();
    case Command.Agree:
      return use.agree();
    case Command.Public:
      return use.publicParts();
    case Command.Attest:
      return use.attest();
    case Command.Epoch:
      return epoch();
    case Command.Accept:
      return acceptSet();
    case Command.ProvisionBegin:
      return provision();
    case Command.ProvisionFinish:
      return finish();
    case Command.Dump:
      return dump();
    case Command.Close:
      caller.end();
      return done(Status.Ok);
    case Command.Reset:
      return reset();
    case Command.OperatorList:
      return listOperators();
    case Command.FilekeyCreate:
      return filekeys.create();
    case Command.FilekeyDeltas:
      return filekeys.list();
    case Command.FilekeyReserve:
      return filekeys.reserve();
    case Command.FilekeyRenew:
      return filekeys.renew();
    case Command.FilekeyContainer:
      return filekeys.container();
    case Command.FilekeyOpen:
      return filekeys.openDelta();
    case Command.FilekeyExport:
      return filekeys.exportOne();
    case Command.FilekeyImport:
      return filekeys.importOne();
    case Command.FilekeyDelete:
      return filekeys.remove();
    case Command.TransportKey:
      return transportKey();
    default:
      return changeOperators();
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
    case Command.Public:
    case Command.FilekeyDeltas:
    case Command.FilekeyExport:
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
      return request.hasOnly(bit(Key.Handle) | bit(Key.Token) | bit(Key.Body), bit(Key.Keep));
    case Command.Relabel:
      return request.hasOnly(bit(Key.Handle) | bit(Key.Token), bit(Key.Label));
    case Command.Epoch:
      return request.hasOnly(bit(Key.Epoch), 0);
    case Command.ProvisionBegin:
      return request.hasOnly(bit(Key.Manifest) | bit(Key.Classes), 0);
    case Command.Dump:
      return request.hasOnly(bit(Key.Length) | bit(Key.Region) | bit(Key.Offset), 0);
    case Command.OperatorAdd:
      return request.hasOnly(bit(Key.Role) | bit(Key.Operator) | bit(Key.Secret), 0);
    case Command.OperatorRotate:
      return request.hasOnly(bit(Key.Operator) | bit(Key.Secret), 0);
    case Command.OperatorRole:
      return request.hasOnly(bit(Key.Role) | bit(Key.Operator), 0);
    case Command.OperatorRemove:
      return request.hasOnly(bit(Key.Operator), 0);
    case Command.Policy:
      return request.hasOnly(bit(Key.Handle) | bit(Key.Token) | bit(Key.Policy), 0);
    case Command.Generate:
      return request.hasOnly(
        bit(Key.Token) | bit(Key.Usage) | bit(Key.Tier) | bit(Key.Policy),
        bit(Key.Label) | bit(Key.Class),
      );
    case Command.Sign:
      return request.hasOnly(bit(Key.Handle) | bit(Key.Data), bit(Key.Namespace));
    case Command.Agree:
      return (
        request.hasOnly(bit(Key.Handle) | bit(Key.Public), 0) ||
        request.hasOnly(bit(Key.Handle) | bit(Key.Public) | bit(Key.Salt) | bit(Key.Context), bit(Key.Wrapped))
      );
    case Command.Attest:
      return request.hasOnly(bit(Key.Challenge), bit(Key.Handle));
    case Command.FilekeyCreate:
    case Command.FilekeyImport:
      return request.hasOnly(
        bit(Key.Token) | bit(Key.Tier) | bit(Key.Policy) | bit(Key.Data),
        bit(Key.Label) | bit(Key.Class),
      );
    case Command.FilekeyReserve:
      return request.hasOnly(bit(Key.Handle) | bit(Key.Token) | bit(Key.Sequence) | bit(Key.Data), 0);
    case Command.FilekeyRenew:
      return request.hasOnly(bit(Key.Handle) | bit(Key.Token) | bit(Key.Sequence), 0);
    case Command.FilekeyContainer:
      return request.hasOnly(bit(Key.Handle) | bit(Key.Sequence), 0);
    case Command.FilekeyOpen:
      return request.hasOnly(bit(Key.Handle) | bit(Key.Data), 0);
    case Command.FilekeyDelete:
      return request.hasOnly(bit(Key.Handle) | bit(Key.Token) | bit(Key.Destroy), 0);
    default:
      return request.hasOnly(0, 0);
  }
}

function put(): Status {
  if (request.usage > <u32>Usage.Certificate) return badArgument(Key.Usage);
  let status = making.checkAttributes();
  if (status != Status.Ok) return status;
  if (parts.count(request.body, request.bodyLength) == 0) return Status.BadRecord;
  status = making.checkPlace();
  if (status != Status.Ok) return status;
  return version(making.make(Origin.Imported, request.body, request.bodyLength), 0);
}

function replace(): Status {
  const length = request.bodyLength;
  if (parts.count(request.body, length) == 0) return Status.BadRecord;
  if (!request.keep) return version(store.replace(request.HANDLE, request.TOKEN, request.body, length), 0);
  if (!parts.isPlain(request.body, length)) return Status.BadRecord;
  memory.copy(MESSAGE + INNER_MAX - length, request.body, length);
  return version(store.replaceRest(request.HANDLE, request.TOKEN, length, MESSAGE, INNER_MAX), 0);
}

function checkPolicy(): Status {
  if (request.policy > <u32>POLICY_MAX) return badArgument(Key.Policy);
  let status = store.mayChange();
  if (status == Status.Ok) status = use.look();
  if (status != Status.Ok) return status;
  const isKept =
    load<u8>(HEADER, HEADER_OFF_ORIGIN) == Origin.Generated || load<u8>(HEADER, HEADER_OFF_USAGE) == Usage.Filekey;
  return isKept && (request.policy & POLICY_EXPORTABLE) != 0 ? Status.NotExportable : Status.Ok;
}

/** A filekey is not replaced, and evicted only where it is a copy. What else is wrong is said later, in its order. */
function checkRecord(): Status {
  const status = use.look();
  if (status == Status.Ok) return filekeys.checkRecord(asked);
  // a header that cannot be read now, and can a moment later, must not let a filekey be replaced
  const isUnknown = asked == Command.Replace && (status == Status.Unreadable || status == Status.Corrupt);
  return isUnknown ? status : Status.Ok;
}

/** A record that a touch would not let out either is refused before it. */
function checkGet(): Status {
  let status = use.look();
  if (status == Status.Ok) status = filekeys.checkRecord(asked);
  if (status != Status.Ok) return status;
  const policy = load<u8>(HEADER, HEADER_OFF_POLICY);
  if ((policy & POLICY_EXPORTABLE) != 0 || (policy & POLICY_PRESENCE_MASK) == 0) return Status.Ok;
  return use.checkPlain();
}

function get(): Status {
  let status = store.mayOpen();
  if (status != Status.Ok) return status;
  const slot = index.find(request.HANDLE);
  if (slot < 0) return Status.NoSuchHandle;
  status = header.read(slot);
  if (status == Status.Ok) status = header.readLabel(slot);
  if (status != Status.Ok) return status;
  cbor.writeTo(MESSAGE, INNER_MAX);
  const body = entry.writeGet(slot, header.bodyLength(HEADER), 0);
  if ((load<u8>(HEADER, HEADER_OFF_POLICY) & POLICY_EXPORTABLE) != 0) return store.openLater(slot, body);
  status = store.openInto(slot, body);
  if (status == Status.Ok && parts.hasSecret(body, header.bodyLength(HEADER))) {
    memory.fill(body, 0, header.bodyLength(HEADER));
    status = Status.NotExportable;
  }
  return status;
}

function show(): Status {
  let status = store.mayOpen();
  if (status != Status.Ok) return status;
  const slot = index.find(request.HANDLE);
  if (slot < 0) return Status.NoSuchHandle;
  const body = MESSAGE + INNER_MAX - BODY_MAX; // behind anything that show writes
  status = store.openInto(slot, body);
  if (status != Status.Ok) return status;
  const length = header.bodyLength(HEADER);
  cbor.writeTo(MESSAGE, INNER_MAX - BODY_MAX);
  entry.writeShow(slot);
  cbor.writeArray(parts.count(body, length));
  for (let part = body; part < body + length; part = parts.next(part)) {
    cbor.writeMap(4);
    cbor.pair(Key.Length, parts.contentLength(part));
    cbor.pair(Key.Kind, parts.kind(part));
    cbor.pair(Key.Flags, parts.flags(part));
    cbor.writeUint(Key.Algorithm);
    cbor.writeInt(parts.algorithm(part));
  }
  entry.writeShowEnd();
  memory.fill(body, 0, length);
  return Status.Ok;
}

function evict(): Status {
  return destroyed(store.evict(request.HANDLE, request.destroy), request.destroy);
}

function epoch(): Status {
  const status = store.setEpoch(request.epoch);
  if (status != Status.Ok) return status;
  accept(2);
  cbor.pair(Key.Epoch, state.epoch(CURRENT));
  return Status.Ok;
}

function acceptSet(): Status {
  const status = store.accept();
  if (status != Status.Ok) return status;
  accept(2);
  cbor.pair(Key.Accepted, state.accepted(CURRENT));
  return Status.Ok;
}

function provision(): Status {
  const status = store.provision(request.DIGEST, request.GEOMETRY, request.classes);
  if (status != Status.Ok) return status;
  accept(3);
  cbor.pairBytes(Key.Instance, INSTANCE, 16);
  cbor.pair(Key.State, store.lifeState());
  return Status.Ok;
}

function transportKey(): Status {
  const status = transport.provide(RESULT);
  if (status != Status.Ok) return status;
  const read = board.read(Region.Facts, FACTS_OFF_UID, HEADER, 16);
  if (read != Status.Ok) return <Status>read;
  accept(3);
  cbor.pairBytes(Key.UniqueId, HEADER, 16);
  cbor.pairBytes(Key.Public, reveal(RESULT), KEY_SIZE);
  return Status.Ok;
}

function finish(): Status {
  let status = store.mayChange();
  if (status == Status.Ok && store.lifeState() == State.Provisioning && !operators.hasAdmin(CURRENT))
    return Status.NoAdmin;
  if (status == Status.Ok) status = store.finish();
  if (status != Status.Ok) return status;
  accept(2);
  cbor.pair(Key.State, store.lifeState());
  return Status.Ok;
}

function reset(): Status {
  const status = store.erase();
  standing.set(ImageState.None, 0, Status.Ok);
  refusals.reset();
  pointers.reset();
  return done(status);
}

function listOperators(): Status {
  let status = store.mayList();
  if (status == Status.Ok) status = vault.open();
  if (status != Status.Ok) return status;
  cbor.writeTo(MESSAGE, INNER_MAX);
  info.writeOperators();
  return Status.Ok;
}

/** Add, rotate, role, remove. */
function changeOperators(): Status {
  const needsRole = asked == Command.OperatorAdd || asked == Command.OperatorRole;
  if (needsRole && request.role != Role.Auditor && request.role != Role.User && request.role != Role.Admin)
    return badArgument(Key.Role);
  if (!operators.isId(request.OPERATOR_ARGUMENT)) return badArgument(Key.Operator);
  if (request.has(Key.Secret) && isZero(request.SECRET, PSK_SIZE)) return badArgument(Key.Secret);
  let status = store.mayChange();
  if (status != Status.Ok) return status;
  caller.changeOperators();
  if (asked == Command.OperatorAdd) status = operators.add(request.OPERATOR_ARGUMENT, request.role, request.SECRET);
  else if (asked == Command.OperatorRotate) status = operators.rotate(request.OPERATOR_ARGUMENT, request.SECRET);
  else if (asked == Command.OperatorRole) status = operators.setRole(request.OPERATOR_ARGUMENT, request.role);
  else status = operators.remove(request.OPERATOR_ARGUMENT);
  operators.forget();
  if (status == Status.MediumFailed) store.mount();
  return done(status);
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
  // the region is written out, so that the build can see that custody is none of them
  const status =
    request.region == Region.Slots
      ? board.read(Region.Slots, request.offset, at, request.length)
      : board.read(Region.Data, request.offset, at, request.length);
  return <Status>status;
}
