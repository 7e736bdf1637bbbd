/** Deterministic CBOR (RFC 8949 §4.2): one bounded reader and one bounded writer, the only code that walks messages.
 *  The reader takes unsigned integers up to 2^32−1, byte and text strings, arrays, maps and booleans, in shortest form with definite lengths;
 *  anything else makes it unfit, and it stays so. */
import { reveal } from "../crypto/declassify";
import { Trap, trap } from "../trap";

const UNSIGNED: u32 = 0;
const NEGATIVE: u32 = 1;
const BYTES: u32 = 2;
const TEXT: u32 = 3;
const ARRAY: u32 = 4;
const MAP: u32 = 5;
const FALSE: u32 = 0xf4;
const TRUE: u32 = 0xf5;
const HEAD_MAX: i32 = 5; // bytes of the longest head

let cursor: usize = 0;
let end: usize = 0;
let fit: bool = false;
let string: usize = 0;

/** Starts reading `length` bytes. */
export function readFrom(at: usize, length: i32): void {
  cursor = at;
  end = at + length;
  fit = true;
}

/** Whether everything so far was well-formed. */
export function isFit(): bool {
  return fit;
}
/** Whether everything was well-formed and nothing is left. */
export function isDone(): bool {
  return fit && cursor == end;
}

function readByte(): u32 {
  if (cursor >= end) {
    fit = false;
    return 0;
  }
  return load<u8>(reveal(cursor++));
}

function readHead(major: u32): u32 {
  const first = readByte();
  const info = first & 31;
  if (first >>> 5 != major || info > 26) {
    fit = false;
    return 0;
  }
  if (info < 24) return info;
  let value = readByte();
  if (info == 24) {
    if (value < 24) fit = false;
    return value;
  }
  value = (value << 8) | readByte();
  if (info == 25) {
    if (value < 0x100) fit = false;
    return value;
  }
  value = (value << 8) | readByte();
  value = (value << 8) | readByte();
  if (value < 0x10000) fit = false;
  return value;
}

/** Number of pairs of a map; 0 when unfit. */
export function readMap(): i32 {
  return readCount(MAP);
}
/** Number of items of an array; 0 when unfit. */
export function readArray(): i32 {
  return readCount(ARRAY);
}
function readCount(major: u32): i32 {
  const n = readHead(major);
  if (n > <u32>(end - cursor)) fit = false; // each item takes a byte at least
  return fit ? n : 0;
}

/** The next key of a map: an unsigned integer above the previous one (-1 before the first). */
export function readKey(previous: i32): i32 {
  const key = readHead(UNSIGNED);
  if (key > 0xffff || <i32>key <= previous) fit = false;
  return fit ? key : 0;
}

export function readUint(): u32 {
  return readHead(UNSIGNED);
}

export function readBool(): bool {
  const byte = readByte();
  if (byte != TRUE && byte != FALSE) fit = false;
  return byte == TRUE;
}

function readString(major: u32): i32 {
  const length = readHead(major);
  if (length > <u32>(end - cursor)) fit = false;
  if (!fit) return 0;
  string = cursor;
  cursor += length;
  return length;
}
/** Length of a byte string; its content is at stringAt(). */
export function readBytes(): i32 {
  return readString(BYTES);
}
/** Length of a text string in bytes, unchecked; its content is at stringAt(). */
export function readText(): i32 {
  return readString(TEXT);
}
export function stringAt(): usize {
  return string;
}

/** Whether `length` bytes are UTF-8 as RFC 3629 has it: shortest forms, no surrogates, up to U+10FFFF. */
export function isUtf8(at: usize, length: i32): bool {
  const last = at + length;
  while (at < last) {
    const first: u32 = load<u8>(at++);
    if (first < 0x80) continue;
    let more = 0;
    let value: u32 = 0;
    let least: u32 = 0;
    if (first >>> 5 == 6) {
      more = 1;
      value = first & 31;
      least = 0x80;
    } else if (first >>> 4 == 14) {
      more = 2;
      value = first & 15;
      least = 0x800;
    } else if (first >>> 3 == 30) {
      more = 3;
      value = first & 7;
      least = 0x10000;
    } else return false;
    for (; more > 0; more--) {
      if (at == last) return false;
      const byte: u32 = load<u8>(at++);
      if (byte >>> 6 != 2) return false;
      value = (value << 6) | (byte & 63);
    }
    if (value < least || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return false;
  }
  return true;
}

let out: usize = 0;
let start: usize = 0;
let limit: usize = 0;

/** Starts writing at `at`, at most `room` bytes; writing past them is a trap. */
export function writeTo(at: usize, room: i32): void {
  start = at;
  out = at;
  limit = at + room;
}
/** Bytes written so far. */
export function written(): i32 {
  return <i32>(out - start);
}

function reserve(length: i32): void {
  if (<usize>length > limit - out) trap(Trap.WriterOverflow);
}

function writeHead(major: u32, value: u32): void {
  reserve(HEAD_MAX);
  major <<= 5;
  if (value < 24) {
    store<u8>(out++, major | value);
  } else if (value < 0x100) {
    store<u8>(out++, major | 24);
    store<u8>(out++, value);
  } else if (value < 0x10000) {
    store<u8>(out++, major | 25);
    store<u16>(out, bswap<u16>(<u16>value));
    out += 2;
  } else {
    store<u8>(out++, major | 26);
    store<u32>(out, bswap<u32>(value));
    out += 4;
  }
}

export function writeMap(pairs: i32): void {
  writeHead(MAP, pairs);
}
export function writeArray(items: i32): void {
  writeHead(ARRAY, items);
}
/** Begins an array whose items are counted while they are written; endArray() gives it its shortest head. */
export function beginArray(): usize {
  reserve(HEAD_MAX);
  out += HEAD_MAX;
  return out;
}
/** Ends the array whose items begin at `items` with their number. */
export function endArray(items: usize, count: i32): void {
  const length = <i32>(out - items);
  out = items - HEAD_MAX;
  writeHead(ARRAY, count);
  memory.copy(out, items, length);
  out += length;
}
export function writeUint(value: u32): void {
  writeHead(UNSIGNED, value);
}
/** Any i32. */
export function writeInt(value: i32): void {
  if (value >= 0) writeHead(UNSIGNED, value);
  else writeHead(NEGATIVE, -1 - value);
}
export function writeBool(value: bool): void {
  reserve(1);
  store<u8>(out++, value ? TRUE : FALSE);
}
export function writeBytes(from: usize, length: i32): void {
  writeString(BYTES, from, length);
}
export function writeText(from: usize, length: i32): void {
  writeString(TEXT, from, length);
}
function writeString(major: u32, from: usize, length: i32): void {
  writeHead(major, length);
  reserve(length);
  memory.copy(out, from, length);
  out += length;
}
/** Writes a key and its value, an integer or a byte string. */
export function pair(key: i32, value: u32): void {
  writeUint(key);
  writeUint(value);
}
export function pairBytes(key: i32, at: usize, length: i32): void {
  writeUint(key);
  writeBytes(at, length);
}
/** Writes the head of a byte string and leaves `length` bytes to be filled in at the returned address. */
export function writeBytesLater(length: i32): usize {
  writeHead(BYTES, length);
  reserve(length);
  const at = out;
  out += length;
  return at;
}
