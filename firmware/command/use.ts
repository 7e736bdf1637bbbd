/** Using credentials without taking them out: generate, sign, agree, public, attest. SPEC.md §12. A record's body is opened behind the request
 *  or the response, used, and wiped. Relies on: firmware/use for what is done with keys, store.ts for records. */
import { wipe } from "../crypto/bytes";
import { INNER_MAX } from "../defs/link";
import { ALG_NONE, BODY_MAX, Origin, POLICY_EXPORTABLE } from "../defs/record";
import { HEADER_OFF_HANDLE, HEADER_OFF_ORIGIN, HEADER_OFF_USAGE } from "../defs/slot";
import { Status } from "../defs/status";
import {
  CHALLENGE_MAX,
  CHALLENGE_MIN,
  CONTEXT_MAX,
  ED25519_SIGNATURE,
  KEY_SIZE,
  SALT_MAX,
  WRAPPED_MAX,
} from "../defs/use";
import { Key } from "../defs/wire";
import { FRESH, HEADER, MESSAGE, RESULT } from "../memory";
import * as header from "../store/header";
import * as index from "../store/index";
import * as parts from "../store/parts";
import * as store from "../store/store";
import * as agreement from "../use/agree";
import * as attestation from "../use/attest";
import * as keys from "../use/keys";
import * as signing from "../use/sign";
import { accept, badArgument, version } from "./answer";
import * as cbor from "./cbor";
import * as entry from "./entry";
import * as making from "./making";
import * as request from "./request";

const PUBLIC: usize = RESULT + ED25519_SIGNATURE; // 32
const BEHIND: usize = MESSAGE + INNER_MAX - BODY_MAX; // where a body does not disturb a small response
const STATEMENT: usize = MESSAGE + 1024; // behind attest's response
const TAG: i32 = 16;

export let slot: i32 = 0; // of the record that the request is about
let room: usize = 0; // where its body is opened

/** Finds the record of the request: its header is in HEADER. Ok | NoSuchHandle | Corrupt | what the state calls for. */
export function look(): Status {
  const status = store.mayOpen();
  if (status != Status.Ok) return status;
  slot = index.find(request.HANDLE);
  return slot < 0 ? Status.NoSuchHandle : header.read(slot);
}

/** Opens the record's body, and says where. */
function open(at: usize): Status {
  room = at;
  const status = store.mayOpen();
  return status == Status.Ok ? store.openInto(slot, room) : status;
}
function bodyLength(): i32 {
  return header.bodyLength(HEADER);
}
function close(): void {
  wipe(room, bodyLength());
}
function isGenerated(): bool {
  return load<u8>(HEADER, HEADER_OFF_ORIGIN) == Origin.Generated;
}
function usage(): u32 {
  return load<u8>(HEADER, HEADER_OFF_USAGE);
}

/** Ok | NotExportable when the record that look() found holds a secret. */
export function checkPlain(): Status {
  const status = open(BEHIND);
  if (status != Status.Ok) return status;
  const isSecret = parts.hasSecret(room, bodyLength());
  close();
  return isSecret ? Status.NotExportable : Status.Ok;
}

// ---- sign

/** All that can be said before a touch about a request of `length` bytes. */
export function checkSign(length: i32): Status {
  const status = look();
  if (status != Status.Ok) return status;
  const checked = signing.check(
    usage(),
    request.data,
    request.dataLength,
    request.namespaceLength,
    request.has(Key.Namespace),
  );
  if (checked != Status.Ok) return checked;
  const left = INNER_MAX - length - bodyLength(); // data and body stand one behind the other
  room = MESSAGE + length;
  if (left >= 0) return Status.Ok;
  store.setDetail(max(0, request.dataLength + left));
  return Status.TooLarge;
}

export function sign(): Status {
  let status = open(room);
  if (status != Status.Ok) return status;
  status = signing.run(
    RESULT,
    PUBLIC,
    room,
    bodyLength(),
    isGenerated(),
    usage(),
    request.data,
    request.dataLength,
    request.namespace,
    request.namespaceLength,
  );
  close();
  if (status != Status.Ok) return status;
  accept(3);
  cbor.pairBytes(Key.Public, PUBLIC, KEY_SIZE);
  cbor.pairBytes(Key.Signature, RESULT, ED25519_SIGNATURE);
  return Status.Ok;
}

// ---- agree

export function checkAgree(): Status {
  const status = look();
  if (status != Status.Ok) return status;
  if (request.saltLength > SALT_MAX) return badArgument(Key.Salt);
  if (request.contextLength > CONTEXT_MAX) return badArgument(Key.Context);
  if (request.wrapped != 0 && (request.wrappedLength <= TAG || request.wrappedLength > WRAPPED_MAX))
    return badArgument(Key.Wrapped);
  return agreement.check(usage());
}

export function agree(): Status {
  const status = open(BEHIND);
  if (status != Status.Ok) return status;
  const length = agreement.run(
    RESULT,
    request.PUBLIC,
    room,
    bodyLength(),
    request.salt,
    request.saltLength,
    request.context,
    request.contextLength,
    request.wrapped,
    request.wrappedLength,
  );
  close();
  if (length < 0) return <Status>length;
  accept(2);
  cbor.pairBytes(Key.Data, RESULT, length);
  return Status.Ok;
}

// ---- public

export function publicParts(): Status {
  let status = look();
  if (status == Status.Ok) status = open(BEHIND);
  if (status != Status.Ok) return status;
  const length = keys.keepPublic(room, bodyLength());
  cbor.writeTo(MESSAGE, INNER_MAX);
  entry.writeGet(slot, length, room);
  return Status.Ok;
}

// ---- attest

export function attest(): Status {
  if (request.challengeLength < CHALLENGE_MIN || request.challengeLength > CHALLENGE_MAX)
    return badArgument(Key.Challenge);
  const isRecord = request.has(Key.Handle);
  let status = isRecord ? look() : store.mayOpen();
  if (status != Status.Ok) return status;
  let publicKey: usize = 0;
  if (isRecord) {
    status = open(BEHIND);
    if (status != Status.Ok) return status;
    const secret = keys.firstSecret(room, bodyLength(), ALG_NONE);
    if (secret != 0) {
      status = keys.publicOf(PUBLIC, secret, room + bodyLength(), isGenerated());
      publicKey = PUBLIC;
    }
    close();
    if (status != Status.Ok) return status;
  }
  const length = attestation.write(STATEMENT, request.CHALLENGE_ARGUMENT, request.challengeLength, isRecord, publicKey);
  if (length < 0) return <Status>length;
  attestation.sign(RESULT, PUBLIC, STATEMENT, length);
  accept(4);
  cbor.pairBytes(Key.Signature, RESULT, ED25519_SIGNATURE);
  cbor.pairBytes(Key.Statement, STATEMENT, length);
  cbor.pairBytes(Key.Identity, PUBLIC, KEY_SIZE);
  return Status.Ok;
}

// ---- generate

export function generate(): Status {
  if (keys.algorithmFor(request.usage) == ALG_NONE) return badArgument(Key.Usage);
  if ((request.policy & POLICY_EXPORTABLE) != 0) return badArgument(Key.Policy);
  let status = making.checkAttributes();
  if (status == Status.Ok) status = making.checkPlace();
  if (status == Status.Ok) status = keys.generate(STATEMENT, request.usage);
  if (status != Status.Ok) return status;
  memory.copy(PUBLIC, STATEMENT + keys.GENERATED_SIZE - KEY_SIZE, KEY_SIZE);
  status = making.make(Origin.Generated, STATEMENT, keys.GENERATED_SIZE);
  wipe(STATEMENT, keys.GENERATED_SIZE);
  if (status == Status.Ok && store.isRepeated()) status = readGenerated();
  status = version(status, 1);
  if (status != Status.Ok) return status;
  cbor.pairBytes(Key.Public, PUBLIC, KEY_SIZE);
  return Status.Ok;
}

/** The public key of a record that was generated before, into PUBLIC. */
function readGenerated(): Status {
  if (load<u8>(FRESH, HEADER_OFF_ORIGIN) != Origin.Generated) return Status.TokenReused; // it made another record, changed since
  slot = index.find(FRESH + HEADER_OFF_HANDLE);
  let status = open(BEHIND);
  if (status != Status.Ok) return status;
  const secret = keys.firstSecret(room, bodyLength(), ALG_NONE);
  status = secret == 0 ? Status.NoSuchKey : keys.publicOf(PUBLIC, secret, room + bodyLength(), true);
  close();
  return status;
}
