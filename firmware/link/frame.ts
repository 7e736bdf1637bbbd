/** Frames: COBS with CRC-32 on a byte stream. Decodes into FRAME as bytes come, encodes into TX. SPEC.md §8.
 *  Whatever does not decode is dropped in silence up to the next zero byte. */
import { FRAME_CRC, FRAME_HEADER, FRAME_MAX, FRAME_OFF_INDEX, FRAME_OFF_LINK, FRAME_OFF_SEQUENCE } from "../defs/link";
import { FRAME, TX } from "../memory";
import { CRC_RESIDUE, CRC_START, crcStep } from "./crc32";

let length: i32 = 0; // bytes decoded so far
let left: i32 = 0; // data bytes left in the present COBS group
let zeroDue: bool = false; // the group ends in a zero, if another group follows
let broken: bool = false; // skip up to the next delimiter
let crc: u32 = CRC_START;

/** Forgets a half-received frame. */
export function reset(): void {
  length = 0;
  left = 0;
  zeroDue = false;
  broken = false;
  crc = CRC_START;
}

function put(byte: u32): void {
  if (length == FRAME_MAX) {
    broken = true;
    return;
  }
  store<u8>(FRAME + length, byte);
  crc = crcStep(crc, byte);
  length++;
}

/** Takes one received byte. Returns the bytes of header and payload when it completes a good frame in FRAME, else 0. */
export function feed(byte: u32): i32 {
  if (byte == 0) {
    const good = !broken && left == 0 && length >= FRAME_HEADER + FRAME_CRC && crc == CRC_RESIDUE;
    const size = length - FRAME_CRC;
    reset();
    return good ? size : 0;
  }
  if (broken) return 0;
  if (left > 0) {
    left--;
    put(byte);
    return 0;
  }
  if (zeroDue) put(0);
  left = byte - 1;
  zeroDue = byte != 255;
  return 0;
}

let at: usize = 0; // where the next encoded byte goes
let group: usize = 0; // where the present group's code byte stands
let code: u32 = 0; // its value so far
let full: bool = false; // it was closed at 254 bytes; another one opens only if another byte comes
let sum: u32 = CRC_START;

function openGroup(): void {
  group = at++;
  code = 1;
  full = false;
}

function emit(byte: u32): void {
  sum = crcStep(sum, byte);
  if (full) openGroup();
  if (byte == 0) {
    store<u8>(group, code);
    openGroup();
    return;
  }
  store<u8>(at++, byte);
  code++;
  if (code == 255) {
    store<u8>(group, code);
    full = true;
  }
}

function emitU16(value: u32): void {
  emit(value & 255);
  emit((value >>> 8) & 255);
}

/** Encodes one frame into TX. Returns its encoded bytes, delimiter included. */
export function encode(type: i32, link: u32, sequence: u32, index: u32, payload: usize, size: i32): i32 {
  at = TX;
  openGroup();
  sum = CRC_START;
  emit(type);
  emitU16(link);
  emitU16(sequence);
  emitU16(index);
  for (let i = 0; i < size; i++) emit(load<u8>(payload + i));
  const crc = ~sum;
  emitU16(crc & 0xffff);
  emitU16(crc >>> 16);
  if (!full) store<u8>(group, code);
  store<u8>(at++, 0);
  return <i32>(at - TX);
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
