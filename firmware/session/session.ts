/** The session layer: what comes in an envelope, who it comes from, and the envelope of the answer. SPEC.md §11.
 *  Relies on: noise.ts for handshakes, channel.ts for what they end in, command.ts for the map inside.
 *  One request at a time: begin() says whether it takes a while, work() answers it, cancel() gives it up. */

import * as board from "../board";
import * as command from "../command/command";
import * as info from "../command/info";
import { isZero, wipe } from "../crypto/bytes";
import { publish, reveal } from "../crypto/declassify";
import { INNER_MAX, PROTOCOL_VERSION } from "../defs/link";
import { NO_OPERATOR } from "../defs/operator";
import {
  CHALLENGE_SIZE,
  Envelope,
  HANDSHAKE_MS,
  NOISE_FIRST,
  NOISE_SECOND,
  OPERATOR_ID,
  PROLOGUE_SIZE,
  PSK_SIZE,
  Role,
  SEALED_EXTRA,
  SEALED_HEAD,
} from "../defs/session";
import { Status } from "../defs/status";
import { State } from "../defs/wire";
import { CANDIDATES, CHALLENGE, CURRENT, ENVELOPE, INSTANCE, MESSAGE, PROLOGUE } from "../memory";
import * as caller from "../operator/caller";
import * as operators from "../operator/operators";
import * as refusals from "../operator/refusals";
import * as setup from "../operator/setup";
import * as touches from "../presence/touches";
import * as entropy from "../store/entropy";
import * as state from "../store/state";
import { clearDetail, lifeState, mayChange, mount } from "../store/store";
import * as duration from "../store/time";
import * as vault from "../store/vault";
import * as channel from "./channel";
import { CANDIDATE, RUNNING } from "./channel";
import * as noise from "./noise";
import * as outgoing from "./outgoing";

const ID: usize = ENVELOPE + 1; // operator id in a handshake
const FIRST: usize = ID + OPERATOR_ID; // Noise message 1

let kind: i32 = Envelope.Clear; // of the answer in hand
let refusal: Status = Status.NoSession; // for an answer in clear that is not hello's
let challenged: bool = false; // CHALLENGE was not used yet
let activation: bool = false; // the session's key is used for the first time
let isWhole: bool = false; // the request is as long as a handshake

/** No session, no challenge. Called at start. */
export function reset(): void {
  endRunning();
  channel.close(CANDIDATE);
  outgoing.forget();
  challenged = false;
}

/** Whether who opened a session may still have one. */
function isWelcome(at: usize): bool {
  const place = channel.place(at);
  return place == NO_OPERATOR ? setup.isAccepted() : state.isOperator(CURRENT, place);
}

/** Ends sessions whose time is over, or whose operator is gone: their keys are not kept until somebody asks. To be called often. */
export function expire(): void {
  const now = board.clock();
  channel.expire(CANDIDATE, now);
  if (channel.isOpen(CANDIDATE) && !isWelcome(CANDIDATE)) channel.close(CANDIDATE);
  if (!channel.isOpen(RUNNING)) return;
  channel.expire(RUNNING, now);
  if (!channel.isOpen(RUNNING) || !isWelcome(RUNNING)) endRunning();
}

/** Looks at the request of `length` bytes in ENVELOPE. True when work() takes time(), or waits. */
export function begin(length: i32): bool {
  clearDetail();
  expire();
  kind = length > 0 ? load<u8>(reveal(ENVELOPE)) : -1;
  activation = false;
  isWhole = length == 1 + OPERATOR_ID + NOISE_FIRST;
  if (kind == Envelope.Handshake) return true;
  if (kind == Envelope.Sealed && length >= SEALED_EXTRA) return beginSealed(length - SEALED_EXTRA, board.clock());
  refusal = Status.NoSession;
  if (kind == Envelope.Clear && command.isHello(ENVELOPE + 1, length - 1)) refusal = Status.Ok;
  kind = Envelope.Clear;
  return false;
}

/** Milliseconds that work() takes, or waits, at the most. */
export function time(): i32 {
  if (kind == Envelope.Handshake) return refusals.pause() + HANDSHAKE_MS + duration.refusals();
  return command.time() + (activation ? duration.operators() : 0);
}

/** Whether the request waits for a touch. */
export function waitsForTouch(): bool {
  return kind == Envelope.Sealed && command.waitsForTouch();
}

/** Whether a request waits for a touch or for the end of a pause. */
export function isWaiting(): bool {
  return waitsForTouch() || refusals.pause() > 0;
}

/** Answers the request. Returns the bytes of the answer in ENVELOPE, so far; 0 = not yet. */
export function work(): i32 {
  if (kind == Envelope.Handshake) return refusals.pause() > 0 ? 0 : handshake();
  if (kind == Envelope.Sealed) return sealed();
  if (refusal != Status.Ok) return inClear(command.refuse(refusal));
  return inClear(hello());
}

/** Sees to it that the answer is longer than `length` bytes, or whole. Returns by how many bytes it grew. */
export function extend(length: i32): i32 {
  return outgoing.extend(ENVELOPE + length);
}

/** Sees to it that the first `length` bytes of the answer may leave. */
export function prepare(length: i32): void {
  outgoing.advance(ENVELOPE + length);
}

/** Nobody wants the answer any more, or what is left of it. */
export function cancel(): void {
  outgoing.forget();
  if (kind == Envelope.Sealed) command.cancel();
}

/** Moves the map in MESSAGE, `length` bytes, into a clear envelope. */
function inClear(length: i32): i32 {
  store<u8>(ENVELOPE, Envelope.Clear);
  memory.copy(ENVELOPE + 1, MESSAGE, length);
  return 1 + length;
}

function hello(): i32 {
  const length = command.hello();
  challenged = info.hasChallenge();
  return length;
}

// ---- handshake

/** PROLOGUE: protocol version ‖ instance ‖ challenge ‖ operator id. */
function writePrologue(): void {
  store<u8>(PROLOGUE, PROTOCOL_VERSION);
  memory.copy(PROLOGUE + 1, INSTANCE, 16);
  memory.copy(PROLOGUE + 17, CHALLENGE, CHALLENGE_SIZE);
  publish(PROLOGUE + 33, ID, OPERATOR_ID);
}

/** Wipes what a handshake knew and refuses it; counted unless nobody is to blame. */
function refuseHandshake(status: Status, place: i32, counts: bool): i32 {
  wipe(CANDIDATES, 2 * PSK_SIZE);
  noise.end();
  // rescue writes nothing
  if (counts && refusals.count(place) && lifeState() != State.Rescue && vault.open() == Status.Ok) refusals.write();
  vault.close();
  return inClear(command.refuse(status));
}

/** Two keys are tried, whatever the operator: the used one and the pending one, random bytes in their place when there is none. All that comes
 *  before the refusal takes the same time for every operator and key. */
function handshake(): i32 {
  const fresh = challenged;
  challenged = false;
  if (!isWhole) return refuseHandshake(Status.HandshakeRefused, -1, true);
  if (entropy.random(CANDIDATES, PSK_SIZE) != Status.Ok || entropy.random(CANDIDATES + PSK_SIZE, PSK_SIZE) != Status.Ok)
    return refuseHandshake(Status.EntropyNotReady, -1, false);
  let used = -1;
  let pending = -1;
  if (setup.isAccepted() && isZero(ID, OPERATOR_ID)) {
    used = setup.read(CANDIDATES) == Status.Ok ? NO_OPERATOR : -1;
  } else if (vault.open() == Status.Ok) {
    used = operators.candidate(ID, false, CANDIDATES);
    pending = operators.candidate(ID, true, CANDIDATES + PSK_SIZE);
  }
  writePrologue();
  const withPending = noise.readFirst(CANDIDATES + PSK_SIZE, PROLOGUE, PROLOGUE_SIZE, FIRST);
  const withUsed = noise.readFirst(CANDIDATES, PROLOGUE, PROLOGUE_SIZE, FIRST);
  const place = withUsed ? used : withPending ? pending : -1;
  if (!fresh || place < 0) return refuseHandshake(Status.HandshakeRefused, max(used, pending), true);
  if (!withUsed) noise.readFirst(CANDIDATES + PSK_SIZE, PROLOGUE, PROLOGUE_SIZE, FIRST);
  return succeed(place);
}

/** The first message was genuine: answers it, and keeps the session until its first message. */
function succeed(place: i32): i32 {
  let role: u32 = Role.Setup;
  if (place != NO_OPERATOR) role = operators.read(place) == Status.Ok ? operators.role() : 0;
  operators.forget();
  vault.close();
  if (noise.prepare() != Status.Ok) return refuseHandshake(Status.EntropyNotReady, -1, false);
  if (!noise.writeSecond(ENVELOPE + 1, FIRST, <u8>role)) return refuseHandshake(Status.HandshakeRefused, place, true);
  wipe(CANDIDATES, 2 * PSK_SIZE);
  store<u8>(ENVELOPE, Envelope.Handshake);
  channel.start(CANDIDATE, role, place, board.clock());
  refusals.end();
  return 1 + NOISE_SECOND;
}

// ---- sealed requests

/** Opens the request and hands it to the commands. `length`: bytes of the map in it. */
function beginSealed(length: i32, now: i64): bool {
  const wanted = load<u16>(reveal(ENVELOPE), 1);
  const sealedLength = length + SEALED_EXTRA - SEALED_HEAD;
  let genuine = channel.id(RUNNING) == wanted && channel.open(RUNNING, MESSAGE, sealedLength, now);
  if (!genuine && channel.id(CANDIDATE) == wanted && channel.open(CANDIDATE, MESSAGE, sealedLength, now)) {
    channel.promote();
    touches.clear();
    genuine = true;
  }
  if (!genuine) {
    kind = Envelope.Clear;
    refusal = Status.NoSession;
    return false;
  }
  const place = channel.place(RUNNING);
  caller.set(channel.role(RUNNING), place);
  activation =
    channel.isFresh(RUNNING) && place != NO_OPERATOR && state.isPending(CURRENT, place) && mayChange() == Status.Ok;
  vault.close();
  if (command.begin(length)) return true;
  if (activation) vault.close(); // work() comes later
  return activation;
}

function endRunning(): void {
  channel.close(RUNNING);
  noise.forget();
  touches.clear();
}

/** The session ended while its request waited, or cannot send any more. */
function overNow(length: i32): i32 {
  outgoing.forget();
  wipe(MESSAGE, length);
  return inClear(command.refuse(Status.NoSession));
}

function sealed(): i32 {
  if (!channel.isOpen(RUNNING)) {
    command.cancel();
    return overNow(INNER_MAX);
  }
  channel.use(RUNNING);
  const length = activate() ? command.work() : failed();
  if (length == 0) return 0;
  if (caller.hasChangedOperators()) channel.close(CANDIDATE);
  if (!channel.seal(RUNNING, MESSAGE, length)) return overNow(length);
  if (caller.isOver()) endRunning();
  expire();
  return length + SEALED_EXTRA;
}

/** The key that the session was made with is pending no more, if it was. False when the medium failed: then it still is. */
function activate(): bool {
  if (!activation) return true;
  activation = false;
  const status = vault.open() == Status.Ok ? operators.activate(channel.place(RUNNING)) : Status.Ok;
  vault.close();
  return status != Status.MediumFailed;
}

/** The request is not carried out: mounting again uses its bytes. */
function failed(): i32 {
  wipe(MESSAGE, INNER_MAX);
  mount();
  clearDetail(); // what mounting, or looking at the request, had to say
  return command.refuse(Status.MediumFailed);
}
