/** The store in a file for a board, as far as it tells without a key: no seal is opened. */
import { blake3 } from "@noble/hashes/blake3.js";
import {
  CUSTODY_OFF_BOARD,
  CUSTODY_OFF_CLASSES,
  CUSTODY_OFF_GEOMETRY,
  CUSTODY_OFF_INSTANCE,
  CUSTODY_OFF_KIND,
  type Custody,
  GEOMETRY_SIZE,
} from "../../firmware/defs/custody.js";
import { SLOT_BLOCK, UNIT } from "../../firmware/defs/medium.js";
import { CLASSES_MAX, HANDLE_SIZE, LABEL_MAX, type Origin, type Tier, type Usage } from "../../firmware/defs/record.js";
import {
  HEADER_MAGIC,
  HEADER_OFF_HANDLE,
  HEADER_OFF_LABEL_LENGTH,
  HEADER_OFF_LENGTH,
  HEADER_OFF_MAGIC,
  HEADER_OFF_ORIGIN,
  HEADER_OFF_POLICY,
  HEADER_OFF_TIER,
  HEADER_OFF_USAGE,
  HEADER_SIZE,
} from "../../firmware/defs/slot.js";
import { FileError } from "../client/errors.js";
import type { Geometry } from "../client/requests.js";
import { bytesAt, type FlashFile } from "../flash/file.js";
import { CUSTODY_PUBLIC, DATA, SLOTS } from "../flash/map.js";

export interface StoreContent {
  custody: Custody;
  instance: Buffer;
  /** 8 bytes, the start of the hash of the one board's unique id; undefined: any board. */
  board?: Buffer;
  classes: Geometry[];
  records: StoredRecord[];
}

export interface StoredRecord {
  handle: Buffer;
  label?: string;
  usage: Usage;
  tier: Tier;
  origin: Origin;
  policy: number;
  length: number;
  slotClass: number;
}

/** The store in a file, as its headers describe it; whether they are genuine nobody can tell without the root key. */
export function storeIn({ path, kind, segments }: FlashFile): StoreContent | undefined {
  if (kind !== "store") return undefined;
  const custody = bytesAt(segments, DATA.start, CUSTODY_PUBLIC);
  const geometry = bytesAt(segments, DATA.start + CUSTODY_OFF_GEOMETRY, CLASSES_MAX * GEOMETRY_SIZE);
  const tag = bytesAt(segments, DATA.start + CUSTODY_OFF_BOARD, 8);
  if (custody === undefined || geometry === undefined || tag === undefined)
    throw new FileError(`${path} holds a store whose custody is not whole.`, "Build it again.");
  const classes = Array.from({ length: Math.min(custody[CUSTODY_OFF_CLASSES]!, CLASSES_MAX) }, (_, c) => ({
    slotSize: geometry.readUInt16LE(c * GEOMETRY_SIZE) * UNIT,
    blocks: geometry[c * GEOMETRY_SIZE + 2]!,
  }));
  return {
    custody: custody[CUSTODY_OFF_KIND]! as Custody,
    instance: custody.subarray(CUSTODY_OFF_INSTANCE, CUSTODY_OFF_INSTANCE + 16),
    ...(tag.some((byte) => byte !== 0) && { board: tag }),
    classes,
    records: recordsIn(segments, classes),
  };
}

/** What custody says of a board that a store is for. */
export function boardTag(uniqueId: Uint8Array): Uint8Array {
  return blake3(uniqueId).subarray(0, 8);
}

function recordsIn(segments: FlashFile["segments"], classes: readonly Geometry[]): StoredRecord[] {
  const records: StoredRecord[] = [];
  let block = SLOTS.start;
  classes.forEach(({ slotSize, blocks }, slotClass) => {
    for (const end = block + blocks * SLOT_BLOCK; block < end; block += SLOT_BLOCK) {
      for (let slot = block; slotSize > 0 && slot + slotSize <= block + SLOT_BLOCK; slot += slotSize) {
        const record = readRecord(segments, slot, slotClass);
        if (record !== undefined) records.push(record);
      }
    }
  });
  return records;
}

function readRecord(segments: FlashFile["segments"], slot: number, slotClass: number): StoredRecord | undefined {
  const header = bytesAt(segments, slot, HEADER_SIZE);
  if (header?.readUInt16LE(HEADER_OFF_MAGIC) !== HEADER_MAGIC) return undefined;
  const labelLength = Math.min(header[HEADER_OFF_LABEL_LENGTH]!, LABEL_MAX);
  const label = labelLength === 0 ? undefined : bytesAt(segments, slot + HEADER_SIZE, labelLength);
  return {
    handle: header.subarray(HEADER_OFF_HANDLE, HEADER_OFF_HANDLE + HANDLE_SIZE),
    ...(label !== undefined && { label: label.toString("utf8") }),
    usage: header[HEADER_OFF_USAGE]!,
    tier: header[HEADER_OFF_TIER]!,
    origin: header[HEADER_OFF_ORIGIN]!,
    policy: header[HEADER_OFF_POLICY]!,
    length: header.readUInt16LE(HEADER_OFF_LENGTH),
    slotClass,
  };
}
