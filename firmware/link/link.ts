/** The link: one message in, one message out, each seen once and in order by what lies above. SPEC.md §8.
 *  Relies on: frame.ts below; session/session.ts above, which takes a whole request in ENVELOPE and leaves a whole response there. */

import * as board from "../board";
import { wipe } from "../crypto/bytes";
import { expectPublic } from "../crypto/declassify";
import {
  BusyReason,
  FRAME_HEADER,
  FRAME_MORE,
  FrameType,
  LINE_RATE,
  MESSAGE_MAX,
  PAYLOAD_MAX,
  PROTOCOL_VERSION,
  RATE_MS,
} from "../defs/link";
import { Status } from "../defs/status";
import { ENVELOPE, FRAME, PAGE } from "../memory";
import * as session from "../session/session";
import { makeTable } from "./crc32";
import * as frame from "./frame";

const NONE: i32 = -1;

let current: i32 = NONE; // open link id
let pending: i32 = NONE; // link id answered to an Open, not used yet
let pendingNonce: i32 = NONE;
let offset: i32 = 0; // what the next link id adds to its nonce
let taken: u32 = 0; // sequence of the last Data frame taken
let received: i32 = 0; // bytes of the request so far
let overflow: bool = false; // the request did not fit and is being dropped
let response: i32 = 0; // bytes of the response in ENVELOPE, so far
let used: i32 = 0; // bytes of ENVELOPE in which request and response stood; the session leaves nothing secret behind them
let fragment: u32 = 0; // fragment of the response sent last
let streams: bool = false; // the fragments after it are to be sent without being asked for
let acknowledged: bool = false; // the last answer was an Ack, not a response
let waiting: bool = false; // Busy was sent; the work is done in give(), or at a later call when it waits for somebody
let rate: u32 = LINE_RATE; // bits per second on the line
let tried: bool = false; // no frame came at that rate yet
let raisedAt: i64 = 0;
let rest: usize = 0; // received bytes that nobody has looked at, up to restEnd
let restEnd: usize = 0;

/** Forgets every link; frames of an earlier life are answered Closed. */
export function reset(seed: i32): void {
  makeTable();
  frame.reset();
  fallBack();
  current = NONE;
  pending = NONE;
  pendingNonce = NONE;
  offset = seed & 0xffff;
  waiting = false;
  streams = false;
  rest = 0;
  restEnd = 0;
}

/** Takes received bytes, which must stay where they are until give() has nothing more to send. Without bytes it looks whether what waits may go
 *  on. Returns bytes to send from TX, 0 = none. */
export function take(bytes: usize, count: i32): i32 {
  if (count == 0) {
    if (tried && board.clock() - raisedAt > <i64>RATE_MS * 1000) fallBack();
    return give();
  }
  rest = bytes;
  restEnd = bytes + count;
  return look();
}

/** Called when TX was sent: the work that Busy announced, the next fragment, or the next frame that was received. Returns bytes to send, 0 = none. */
export function give(): i32 {
  if (waiting) {
    answer();
    if (response > 0) {
      waiting = false;
      return stream();
    }
  } else if (streams) {
    fragment++;
    return sendFragment();
  }
  return look();
}

/** Looks at what was received up to the first frame that is answered. */
function look(): i32 {
  while (rest < restEnd) {
    rest = frame.feed(rest, restEnd);
    if (rate != LINE_RATE && frame.isDamaged()) fallBack();
    if (frame.received() == 0) continue;
    tried = false;
    const sent = onFrame(frame.received() - FRAME_HEADER);
    if (sent > 0) return sent;
  }
  return 0;
}

function onFrame(size: i32): i32 {
  const type = frame.type();
  if (type == FrameType.Open) return onOpen(size);
  if (type == FrameType.Rate) return onRate(size);
  if ((type & ~FRAME_MORE) != FrameType.Data && type != FrameType.Next) return 0; // what only devices send, or nobody
  const known = <i32>frame.link();
  if (known != current && !(known == pending && frame.sequence() == 1)) {
    return frame.encode(FrameType.Closed, known, frame.sequence(), 0, 0, 0);
  }
  if ((type & ~FRAME_MORE) == FrameType.Data) return onData(size, (type & FRAME_MORE) != 0);
  if (type == FrameType.Next && known == current) return onNext();
  return 0;
}

/** Whoever comes next, and whoever is heard no more, finds the device at the rate that it starts with. */
function fallBack(): void {
  board.rate(LINE_RATE);
  rate = LINE_RATE;
  tried = false;
}

function onRate(size: i32): i32 {
  if (size != 4) return 0;
  const wanted = load<u32>(FRAME + FRAME_HEADER);
  if (board.rate(wanted) == Status.Ok) {
    rate = wanted;
    tried = rate != LINE_RATE;
    raisedAt = board.clock();
  }
  store<u32>(PAGE, rate);
  return frame.encode(FrameType.Rated, frame.link(), frame.sequence(), 0, PAGE, 4);
}

function onOpen(size: i32): i32 {
  if (size != 1) return 0;
  const nonce = <i32>frame.link();
  let id = pending;
  if (nonce != pendingNonce) {
    // the host's nonce makes the id one that no frame of another connection or an earlier life is likely to carry
    offset++;
    id = (nonce + offset) & 0xffff;
    if (id == current) id = (id + 1) & 0xffff;
    pending = id;
    pendingNonce = nonce;
  }
  store<u16>(PAGE, id);
  store<u16>(PAGE, PAYLOAD_MAX, 2);
  store<u8>(PAGE, PROTOCOL_VERSION, 4);
  return frame.encode(FrameType.Opened, nonce, 0, 0, PAGE, 5);
}

function onData(size: i32, more: bool): i32 {
  const id = <i32>frame.link();
  if (id != current) {
    current = pending;
    pending = NONE;
    pendingNonce = NONE;
    taken = 0;
    response = 0;
    acknowledged = false;
    overflow = false;
    giveUp();
  } else if (frame.sequence() == taken) {
    return repeat();
  }
  if (frame.sequence() != ((taken + 1) & 0xffff)) return 0;
  taken = frame.sequence();
  if (!acknowledged) {
    // the first fragment of a new message: the old response is no longer needed
    giveUp();
    wipe(ENVELOPE, used);
    used = 0;
    received = 0;
    overflow = false;
  }
  if (received + size > MESSAGE_MAX) overflow = true;
  else {
    memory.copy(ENVELOPE + received, FRAME + FRAME_HEADER, size);
    received += size;
    used = received;
  }
  acknowledged = more;
  return finish();
}

/** What a taken Data frame is answered with. */
function finish(): i32 {
  if (acknowledged) return frame.encode(FrameType.Ack, current, taken, 0, 0, 0);
  response = 0;
  if (overflow) return frame.encode(FrameType.Overflow, current, taken, 0, 0, 0);
  if (session.begin(received)) {
    waiting = true;
    return sendBusy();
  }
  answer();
  return stream();
}

function answer(): void {
  response = session.work();
  used = max(used, response);
}

function sendBusy(): i32 {
  store<u32>(PAGE, session.time());
  store<u8>(PAGE, session.waitsForTouch() ? BusyReason.Touch : BusyReason.Work, 4);
  return frame.encode(FrameType.Busy, current, taken, 0, PAGE, 5);
}

/** The host has something else to ask: what waits for somebody is not done. */
function giveUp(): void {
  session.cancel();
  waiting = false;
  streams = false;
}

function repeat(): i32 {
  if (acknowledged) return frame.encode(FrameType.Ack, current, taken, 0, 0, 0);
  if (overflow) return frame.encode(FrameType.Overflow, current, taken, 0, 0, 0);
  if (waiting) return sendBusy();
  return response > 0 ? stream() : 0;
}

function onNext(): i32 {
  if (acknowledged || waiting || frame.sequence() != taken) return 0;
  const wanted = frame.index();
  if (<i32>wanted * PAYLOAD_MAX >= response) return 0;
  fragment = wanted;
  return sendFragment();
}

/** The whole response, fragment after fragment. */
function stream(): i32 {
  fragment = 0;
  return sendFragment();
}

function sendFragment(): i32 {
  const from = <i32>fragment * PAYLOAD_MAX;
  response += session.extend(from + PAYLOAD_MAX);
  used = max(used, response);
  const size = min(response - from, PAYLOAD_MAX);
  session.prepare(from + size);
  streams = from + size < response;
  const more = streams ? FRAME_MORE : 0;
  return frame.encode(FrameType.Data | more, current, taken, fragment, expectPublic(ENVELOPE + from), size);
}
