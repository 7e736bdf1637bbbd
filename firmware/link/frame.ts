/** Frames: COBS with CRC-32 on a byte stream. Decodes into FRAME as bytes come, encodes into TX. SPEC.md §8.
 *  Whatever does not decode is dropped in silence up to the next zero byte. */
import {
  FRAME_CRC,
  FRAME_HEADER,
  FRAME_MAX,
  FRAME_OFF_INDEX,
  FRAME_OFF_LINK,
  FRAME_OFF_SEQUENCE,
  FRAME_OFF_TYPE,
} from "../defs/link";
import { FIELDS, FRAME, TX } from "../memory";
import { CRC_RESIDUE, CRC_START, crcStep } from "./crc32";

let length: i32 = 0; // bytes decoded so far
let left: i32 = 0; // data bytes left in the present COBS group
let zeroDue: bool = false; // the group ends in a zero, if another group follows
let broken: bool = false; // skip up to the next delimiter
let crc: u32 = CRC_START;
let complete: i32 = 0; // bytes of header and payload of a good frame in FRAME, 0 = none
let damaged: bool = false; // what ended last was no frame, and not nothing

/** Forgets a half-received frame. */
export function reset(): void {
  length = 0;
  left = 0;
  zeroDue = false;
  broken = false;
  crc = CRC_START;
}

/** Bytes of header and payload of the frame that feed() completed in FRAME; 0 = it did not. */
export function received(): i32 {
  return complete;
}

/** Whether feed() met the end of something that was no frame. */
export function isDamaged(): bool {
  return damaged;
}

/** Takes received bytes from `at` up to the end of a frame, or to `end`. Returns where the next ones stand. */
export function feed(at: usize, end: usize): usize {
  complete = 0;
  damaged = false;
  while (at < end) {
    if (left > 0 && !broken) {
      at = takeRun(at, min(left, <i32>(end - at)));
      if (at == end || left == 0) continue;
    }
    const byte: u32 = load<u8>(at++);
    if (byte == 0) {
      finish();
      return at;
    }
    if (broken) continue;
    if (zeroDue) {
      if (length == FRAME_MAX) broken = true;
      else {
        store<u8>(FRAME + length, 0);
        crc = crcStep(crc, 0);
        length++;
      }
    }
    left = byte - 1;
    zeroDue = byte != 255;
  }
  return at;
}

/** Takes up to `count` data bytes of a group; stops at a zero, which can only be a delimiter. Returns where it stopped. */
function takeRun(at: usize, count: i32): usize {
  if (count > FRAME_MAX - length) broken = true;
  if (broken) return at;
  const end = at + count;
  let to: usize = FRAME + length;
  let sum = crc;
  for (; at < end; at++) {
    const byte: u32 = load<u8>(at);
    if (byte == 0) break;
    store<u8>(to++, byte);
    sum = crcStep(sum, byte);
  }
  crc = sum;
  const taken = <i32>(to - FRAME) - length;
  length += taken;
  left -= taken;
  return at;
}

function finish(): void {
  if (!broken && left == 0 && length >= FRAME_HEADER + FRAME_CRC && crc == CRC_RESIDUE) complete = length - FRAME_CRC;
  else damaged = broken || length > 0 || left > 0;
  reset();
}

let out: usize = 0; // where the next encoded byte goes
let group: usize = 0; // where the present group's code byte stands
let sum: u32 = CRC_START;

/** Encodes `count` bytes behind what was encoded so far. A group that is closed at 254 bytes opens a new one only if another byte comes. */
function emit(from: usize, count: i32): void {
  const end = from + count;
  let to = out;
  let code = group;
  let running = sum;
  for (; from < end; from++) {
    const byte: u32 = load<u8>(from);
    running = crcStep(running, byte);
    if (to - code == 255) {
      store<u8>(code, 255);
      code = to++;
    }
    if (byte == 0) {
      store<u8>(code, to - code);
      code = to++;
    } else {
      store<u8>(to++, byte);
    }
  }
  out = to;
  group = code;
  sum = running;
}

/** Encodes one frame into TX. Returns its encoded bytes, delimiter included. */
export function encode(type: i32, link: u32, sequence: u32, index: u32, payload: usize, size: i32): i32 {
  group = TX;
  out = TX + 1;
  sum = CRC_START;
  store<u8>(FIELDS, type, FRAME_OFF_TYPE);
  store<u16>(FIELDS, link, FRAME_OFF_LINK);
  store<u16>(FIELDS, sequence, FRAME_OFF_SEQUENCE);
  store<u16>(FIELDS, index, FRAME_OFF_INDEX);
  emit(FIELDS, FRAME_HEADER);
  emit(payload, size);
  store<u32>(FIELDS, ~sum);
  emit(FIELDS, FRAME_CRC);
  store<u8>(group, out - group);
  store<u8>(out++, 0);
  return <i32>(out - TX);
}

/** The received frame's fields. */
export function type(): i32 {
  return load<u8>(FRAME);
}
export function link(): u32 {
  return load<u16>(FRAME, FRAME_OFF_LINK);
}
export function sequence(): u32 {
  return load<u16>(FRAME, FRAME_OFF_SEQUENCE);
}
export function index(): u32 {
  return load<u16>(FRAME, FRAME_OFF_INDEX);
}
