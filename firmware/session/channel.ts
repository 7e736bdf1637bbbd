/** One session after its handshake: two keys, two counters, who it belongs to, how long it lasts. Everything stands in SESSIONS, and is gone
 *  when it ends. SPEC.md §11; transport messages as in Noise revision 34 §5.1, §12.3. */
import { wipe } from "../crypto/bytes";
import * as aead from "../crypto/chacha20poly1305";
import { SESSION_IDLE_MS, SESSION_MAX_MS } from "../defs/session";
import { SESSION_SIZE, SESSIONS } from "../memory";
import * as noise from "./noise";
import * as outgoing from "./outgoing";

/** The session that is served, and the one whose first message is awaited. */
export const RUNNING: usize = SESSIONS;
export const CANDIDATE: usize = SESSIONS + SESSION_SIZE;

const OFF_FLAGS: usize = 0; // u32
const OFF_ID: usize = 4; // u16
const OFF_ROLE: usize = 6; // u8
const OFF_PLACE: usize = 7; // u8
const OFF_RECEIVED: usize = 8; // u64, number of the next message
const OFF_SENT: usize = 16; // u64, the least number that an answer may still have
const OFF_MADE: usize = 24; // i64, clock
const OFF_USED: usize = 32; // i64, clock
const OFF_RECEIVE_KEY: usize = 40; // 32 bytes
const OFF_SEND_KEY: usize = 72; // 32 bytes
const OFF_NONCE: usize = 104; // 12 bytes: four zeros and a counter
const OPEN: u32 = 1;
const FRESH: u32 = 2; // no request was answered yet

const NO_NONCE: u64 = u64.MAX_VALUE; // §5.1: reserved
const TAG: i32 = 16;

/** Starts a session with what the handshake in noise.ts ended in. */
export function start(at: usize, role: i32, place: i32, now: i64): void {
  wipe(at, SESSION_SIZE);
  store<u16>(at, noise.sessionId(), OFF_ID);
  noise.split(at + OFF_RECEIVE_KEY);
  store<u8>(at, role, OFF_ROLE);
  store<u8>(at, place, OFF_PLACE);
  store<i64>(at, now, OFF_MADE);
  store<i64>(at, now, OFF_USED);
  store<u32>(at, OPEN | FRESH, OFF_FLAGS);
}

export function close(at: usize): void {
  wipe(at, SESSION_SIZE);
}

/** The candidate has shown itself: it takes the place of the running session. */
export function promote(): void {
  memory.copy(RUNNING, CANDIDATE, SESSION_SIZE);
  close(CANDIDATE);
}

export function isOpen(at: usize): bool {
  return load<u32>(at, OFF_FLAGS) != 0;
}
/** Whether no request was answered yet, and that this is over. */
export function isFresh(at: usize): bool {
  return (load<u32>(at, OFF_FLAGS) & FRESH) != 0;
}
export function use(at: usize): void {
  store<u32>(at, load<u32>(at, OFF_FLAGS) & ~FRESH, OFF_FLAGS);
}
export function id(at: usize): u32 {
  return load<u16>(at, OFF_ID);
}
export function role(at: usize): u32 {
  return load<u8>(at, OFF_ROLE);
}
export function place(at: usize): i32 {
  return load<u8>(at, OFF_PLACE);
}

/** Ends a session whose time is over. */
export function expire(at: usize, now: i64): void {
  const idle = now - load<i64>(at, OFF_USED);
  const age = now - load<i64>(at, OFF_MADE);
  if (isOpen(at) && (idle > <i64>SESSION_IDLE_MS * 1000 || age > <i64>SESSION_MAX_MS * 1000)) close(at);
}

/** The nonce of the next message in one direction. */
function nonce(at: usize, counter: usize): usize {
  store<u64>(at, load<u64>(at + counter), OFF_NONCE + 4);
  return at + OFF_NONCE;
}
function count(at: usize, counter: usize): void {
  store<u64>(at + counter, load<u64>(at + counter) + 1);
}

/** Opens the transport message of `length` bytes at `message` in place. False, and nothing changed, when it is not the next one of this
 *  session; a session whose counter is used up is over. */
export function open(at: usize, message: usize, length: i32, now: i64): bool {
  if (!isOpen(at) || length < TAG) return false;
  if (load<u64>(at, OFF_RECEIVED) == NO_NONCE) {
    close(at);
    return false;
  }
  const size = length - TAG;
  if (!aead.open(at + OFF_RECEIVE_KEY, nonce(at, OFF_RECEIVED), 0, 0, message, size, message + size)) return false;
  count(at, OFF_RECEIVED);
  store<i64>(at, now, OFF_USED);
  return true;
}

/** Starts to seal the answer to the message that was opened last, `length` bytes at `message` in place, the tag behind them; outgoing.ts goes on. It
 *  stands under the number of that message, so that no answer can stand for another, and none twice. False when the session is over. */
export function seal(at: usize, message: usize, length: i32): bool {
  const next = load<u64>(at, OFF_RECEIVED);
  if (!isOpen(at) || next <= load<u64>(at, OFF_SENT)) {
    close(at);
    return false;
  }
  store<u64>(at, next - 1, OFF_SENT);
  outgoing.begin(at + OFF_SEND_KEY, nonce(at, OFF_SENT), message, length);
  count(at, OFF_SENT);
  return true;
}
