/** Intel HEX (Intel, revision A, 1988), read strictly and written in one way only. Bytes that the chip has no flash for are refused here,
 *  before anything is connected; above all the option-setting memory, some bits of which lock the part for good. */
import { FileError } from "../client/errors.js";

/** Bytes from an address on. Of a file: in order, not touching each other. */
export interface Segment {
  address: number;
  bytes: Uint8Array;
}

/** The file is no Intel HEX for this chip. Nothing was done with it. */
export class HexError extends FileError {}

/** Flash of the RA6M5: start, and the first address behind it. */
export const CODE_FLASH = { start: 0, end: 0x200000 };
export const DATA_FLASH = { start: 0x08000000, end: 0x08002000 };
const OPTIONS = { start: 0x0100a100, end: 0x0100a300 };

const DATA = 0;
const END = 1;
const SEGMENT_BASE = 2;
const SEGMENT_START = 3;
const LINEAR_BASE = 4;
const LINEAR_START = 5;
/** Payload of the types that have a fixed one. Start addresses say nothing about flash. */
const LENGTHS = new Map([
  [END, 0],
  [SEGMENT_BASE, 2],
  [SEGMENT_START, 4],
  [LINEAR_BASE, 2],
  [LINEAR_START, 4],
]);
const RECORD = 32; // bytes in a record that is written
const PAGE = 0x10000;
/** Characters of a file: every byte of the chip in a record of its own would be less. */
const TEXT_MAX = 32 << 20;
const HINT = "Build or copy the file again; nothing was done with it.";

interface Line extends Segment {
  line: number;
}

/** @param name of the file, for messages. @throws HexError with the line */
export function readHex(text: string, name = "the HEX file"): Segment[] {
  const fail = (line: number, what: string): never => {
    throw new HexError(`${name}, line ${line}: ${what}.`, HINT);
  };
  if (text.length > TEXT_MAX)
    throw new HexError(`${name} has ${text.length} characters, more than any file for this chip.`);
  const lines = text.split(/\r\n|\n|\r/);
  if (lines.at(-1) === "") lines.pop();
  const found: Line[] = [];
  let base = 0;
  let ended = false;
  lines.forEach((content, i) => {
    const line = i + 1;
    if (ended) fail(line, "there is something behind the end-of-file record");
    const { type, offset, payload } = readRecord(content, (what) => fail(line, what));
    if (type === END) ended = true;
    else if (type === SEGMENT_BASE) base = ((payload[0]! << 8) | payload[1]!) * 16;
    else if (type === LINEAR_BASE) base = ((payload[0]! << 8) | payload[1]!) * PAGE;
    else if (type === DATA) {
      const address = base + offset;
      if (offset + payload.length > PAGE) fail(line, `the record at ${hex(address)} runs over a border of 64 KB`);
      const why = outside(address, payload.length);
      if (why !== undefined) fail(line, why);
      found.push({ address, bytes: payload, line });
    }
  });
  if (!ended) fail(lines.length, "the end-of-file record is missing: the file was cut short");
  return merge(found, fail);
}

/** Records in 32 bytes, the same text for the same bytes. @param segments none of which overlap */
export function writeHex(segments: readonly Segment[]): string {
  const lines: string[] = [];
  let page = 0;
  let end = 0;
  for (const { address, bytes } of [...segments].sort((a, b) => a.address - b.address)) {
    const why = outside(address, bytes.length);
    if (why !== undefined || address < end) throw new RangeError(why ?? `segments overlap at ${hex(address)}`);
    end = address + bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const to = address + at;
      if (Math.floor(to / PAGE) !== page) {
        page = Math.floor(to / PAGE);
        lines.push(record(LINEAR_BASE, 0, [page >> 8, page & 0xff]));
      }
      const length = Math.min(RECORD, bytes.length - at, PAGE - (to % PAGE));
      lines.push(record(DATA, to % PAGE, bytes.subarray(at, at + length)));
      at += length;
    }
  }
  lines.push(record(END, 0, []));
  return `${lines.join("\n")}\n`;
}

/** @returns why there is no flash for these bytes, as half a sentence; undefined: there is */
export function outside(address: number, length: number): string | undefined {
  const end = address + length;
  for (const flash of [CODE_FLASH, DATA_FLASH]) if (address >= flash.start && end <= flash.end) return undefined;
  const where = `${length} bytes at ${hex(address)}`;
  return address < OPTIONS.end && end > OPTIONS.start
    ? `${where} would write option-setting memory, which can lock the part for good`
    : `${where} are outside code flash (0 … 0x001FFFFF) and data flash (0x08000000 … 0x08001FFF)`;
}

export function hex(address: number): string {
  return `0x${address.toString(16).toUpperCase().padStart(8, "0")}`;
}

function readRecord(
  line: string,
  fail: (what: string) => never,
): { type: number; offset: number; payload: Uint8Array } {
  if (!line.startsWith(":")) fail(line === "" ? "the line is empty" : "a record begins with a colon");
  const digits = line.slice(1);
  if (!/^[0-9A-Fa-f]*$/.test(digits)) fail("there is something other than hexadecimal digits");
  if (digits.length % 2 !== 0) fail("the number of digits is odd");
  const bytes = Buffer.from(digits, "hex");
  const [length = 0, high = 0, low = 0, type = 0] = bytes;
  if (bytes.length < 5 || bytes.length !== length + 5)
    fail(`the record says ${length} bytes and has ${Math.max(0, bytes.length - 5)}`);
  const sum = bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
  if (sum !== 0) {
    const want = (bytes.at(-1)! - sum) & 0xff;
    fail(`the checksum is ${twoDigits(bytes.at(-1)!)}, expected ${twoDigits(want)}`);
  }
  const fixed = LENGTHS.get(type);
  if (type !== DATA && fixed === undefined) fail(`there is no record type ${twoDigits(type)}`);
  const payload = bytes.subarray(4, -1);
  const offset = (high << 8) | low;
  if (type === DATA ? length === 0 : length !== fixed || offset !== 0)
    fail(`a record of type ${twoDigits(type)} with ${length} bytes at offset ${offset} means nothing`);
  return { type, offset, payload };
}

function merge(lines: Line[], fail: (line: number, what: string) => never): Segment[] {
  lines.sort((a, b) => a.address - b.address || a.line - b.line);
  const runs: Line[][] = [];
  let last: Line | undefined;
  for (const one of lines) {
    const end = last === undefined ? -1 : last.address + last.bytes.length;
    if (last !== undefined && one.address < end)
      fail(
        Math.max(one.line, last.line),
        `${hex(one.address)} was given already, in line ${Math.min(one.line, last.line)}`,
      );
    if (one.address === end) runs.at(-1)!.push(one);
    else runs.push([one]);
    last = one;
  }
  return runs.map((run) => ({ address: run[0]!.address, bytes: Buffer.concat(run.map(({ bytes }) => bytes)) }));
}

function record(type: number, offset: number, payload: ArrayLike<number>): string {
  const bytes = Buffer.from([payload.length, offset >> 8, offset & 0xff, type, ...Array.from(payload)]);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  return `:${bytes.toString("hex")}${twoDigits(-sum & 0xff)}`.toUpperCase();
}

function twoDigits(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}
