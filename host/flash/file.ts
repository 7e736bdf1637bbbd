/** A file to flash, Intel HEX or ELF: read, and refused before anything is connected when it is for no board of this kind. */
import { readFile } from "node:fs/promises";
import { BadElf, readElf } from "../../board/elf.js";
import { BOARD_EK_RA6M5 } from "../../firmware/defs/boundary.js";
import { CUSTODY_MAGIC, CUSTODY_OFF_VERSION } from "../../firmware/defs/custody.js";
import { FileError } from "../client/errors.js";
import { cannotRead } from "../files.js";
import {
  DESCRIPTOR_AT,
  DESCRIPTOR_SIZE,
  type Descriptor,
  IMAGE_HEADER,
  type ImageHeader,
  readDescriptor,
  readImageHeader,
} from "./descriptor.js";
import { hex, outside, readHex, type Segment } from "./hex.js";
import { CUSTODY_PLACES, DATA, FIRMWARE, IMAGE, RAM, type Range, SLOTS, within } from "./map.js";

/** firmware: nothing else. sealed: firmware and an image that the board opens. store: firmware and a whole store. */
export type Kind = "firmware" | "sealed" | "store";

export interface FlashFile {
  path: string;
  kind: Kind;
  /** In order, not touching each other, all of them in flash. */
  segments: Segment[];
  descriptor: Descriptor;
  /** The sealed image. */
  image?: ImageHeader;
}

/** Where firmware may be; the rest of the first megabyte is the image region. */
const REGIONS: readonly Range[] = [FIRMWARE, IMAGE, SLOTS, DATA];
const HINT = "Nothing was flashed. Build the firmware with `npm run build`, an image with `mbs image build`.";

/** @throws FileError */
export async function readFlashFile(path: string): Promise<FlashFile> {
  const bytes = await readFile(path).catch((error) => cannotRead(path, error));
  const segments = isElf(bytes) ? elfSegments(bytes, path) : hexSegments(bytes, path);
  return inspect(path, segments);
}

/** What the segments of a file are. @throws FileError */
export function inspect(path: string, segments: Segment[]): FlashFile {
  const has = (range: Range): boolean => segments.some(({ address }) => within(range, address));
  if (!has(FIRMWARE)) throw new FileError(`${path} holds no firmware.`, HINT);
  const store = has(SLOTS) || has(DATA);
  if (store && has(IMAGE))
    throw new FileError(`${path} holds a sealed image and a store; no board can have both.`, HINT);
  if (has(SLOTS) !== has(DATA))
    throw new FileError(`${path} holds ${has(DATA) ? "data flash" : "slots"} alone, which is half a store.`, HINT);
  const descriptor = checkFirmware(path, segments);
  if (store) checkStore(path, segments, descriptor);
  if (has(IMAGE)) return { path, kind: "sealed", segments, descriptor, image: checkImage(path, segments, descriptor) };
  return { path, kind: store ? "store" : "firmware", segments, descriptor };
}

/** Bytes of segments, where there are some for the whole range. */
export function bytesAt(segments: readonly Segment[], address: number, length: number): Buffer | undefined {
  const one = segments.find((s) => s.address <= address && address + length <= s.address + s.bytes.length);
  if (one === undefined) return undefined;
  const from = address - one.address;
  return Buffer.from(one.bytes.subarray(from, from + length));
}

function isElf(bytes: Buffer): boolean {
  return bytes.subarray(0, 4).toString("latin1") === "\x7fELF";
}

function hexSegments(bytes: Buffer, path: string): Segment[] {
  if (!/^\s*:/.test(bytes.toString("latin1", 0, 64)))
    throw new FileError(`${path} is neither an ELF file nor Intel HEX.`, HINT);
  return split(readHex(bytes.toString("latin1"), path));
}

function elfSegments(bytes: Buffer, path: string): Segment[] {
  let segments: Segment[];
  try {
    segments = readElf(bytes, path).segments.sort((a, b) => a.address - b.address);
  } catch (cause) {
    if (!(cause instanceof BadElf)) throw cause;
    throw new FileError(`${cause.message}.`, HINT, { cause });
  }
  let end = 0;
  for (const { address, bytes: content } of segments) {
    const why = outside(address, content.length);
    if (why !== undefined) throw new FileError(`${path}: ${why}.`, HINT);
    if (address < end) throw new FileError(`${path}: two segments overlap at ${hex(address)}.`, HINT);
    end = address + content.length;
  }
  return split(segments);
}

/** Regions that touch in a file are still several things. */
function split(segments: readonly Segment[]): Segment[] {
  return segments.flatMap(({ address, bytes }) =>
    REGIONS.map(({ start, end }) => {
      const [from, to] = [Math.max(address, start), Math.min(address + bytes.length, end)];
      return { address: from, bytes: bytes.subarray(from - address, Math.max(from, to) - address) };
    }).filter((part) => part.bytes.length > 0),
  );
}

/** @throws FileError for a program that this board cannot start, or that is no firmware of ours */
function checkFirmware(path: string, segments: readonly Segment[]): Descriptor {
  const vectors = bytesAt(segments, FIRMWARE.start, 8);
  if (vectors === undefined) throw new FileError(`${path} has no vector table at ${hex(FIRMWARE.start)}.`, HINT);
  const [stack, entry] = [vectors.readUInt32LE(0), vectors.readUInt32LE(4)];
  if (stack % 8 !== 0 || stack <= RAM.start || stack > RAM.end)
    throw new FileError(`${path} is for another chip: its stack would begin at ${hex(stack)}, where no RAM is.`, HINT);
  if (entry % 2 !== 1 || bytesAt(segments, entry - 1, 2) === undefined || !within(FIRMWARE, entry))
    throw new FileError(`${path} is for another chip: it starts at ${hex(entry)}, where it has no program.`, HINT);
  const descriptor = readDescriptor(bytesAt(segments, DESCRIPTOR_AT, DESCRIPTOR_SIZE) ?? Buffer.alloc(0));
  if (descriptor === undefined)
    throw new FileError(
      `${path} is no firmware of mbs, or an old one: it has no descriptor at ${hex(DESCRIPTOR_AT)}.`,
      HINT,
    );
  if (descriptor.board !== BOARD_EK_RA6M5)
    throw new FileError(
      `${path} is for board number ${descriptor.board}; the EK-RA6M5 has number ${BOARD_EK_RA6M5}.`,
      HINT,
    );
  return descriptor;
}

/** @throws FileError when the image is none, or not for this firmware */
function checkImage(path: string, segments: readonly Segment[], { format }: Descriptor): ImageHeader {
  const image = readImageHeader(bytesAt(segments, IMAGE.start, IMAGE_HEADER) ?? Buffer.alloc(0));
  if (image === undefined)
    throw new FileError(`${path} has bytes in the image region and no image that this mbs knows.`, HINT);
  if (image.format !== format)
    throw new FileError(
      `${path} holds an image of format version ${image.format} and firmware for version ${format}.`,
      HINT,
    );
  return image;
}

/** @throws FileError when firmware and store of one file do not fit together */
function checkStore(path: string, segments: readonly Segment[], { format }: Descriptor): void {
  const places = CUSTODY_PLACES.map((at) => bytesAt(segments, at, 8)).filter(
    (place) => place !== undefined && place.readUInt32LE(0) === CUSTODY_MAGIC,
  );
  const other = places.map((place) => place![CUSTODY_OFF_VERSION]!).find((version) => version !== format);
  if (places.length === 0) throw new FileError(`${path} holds a store without custody, which no board can open.`, HINT);
  if (other !== undefined)
    throw new FileError(`${path} holds a store of format version ${other} and firmware for version ${format}.`, HINT);
}
