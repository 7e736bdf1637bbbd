/** Ways to change a medium behind the store's back: what a debugger, failing flash or a partial restore would do. */
import { blake3 } from "@noble/hashes/blake3.js";
import {
  CUSTODY_COPIES,
  CUSTODY_OFF_MAC,
  CUSTODY_OFF_ROOT,
  CUSTODY_OFF_VERSION,
  CUSTODY_PLACE,
} from "../../firmware/defs/custody.js";
import {
  BODY_OFF_DIGEST,
  BODY_OFF_LIVE,
  BODY_OFF_MAC,
  BODY_OFF_SETTLED,
  INTENT_OFF_SEQUENCE,
  JOURNAL_PLACE,
  JOURNAL_PLACES,
} from "../../firmware/defs/journal.js";
import {
  CUSTODY_OFFSET,
  DATA_UNIT,
  JOURNAL_OFFSET,
  SLOT_BLOCK,
  SLOT_BLOCKS,
  UNIT,
} from "../../firmware/defs/medium.js";
import { HANDLE_SIZE } from "../../firmware/defs/record.js";
import { HEADER_MAGIC, HEADER_OFF_HANDLE, HEADER_OFF_MAC, HEADER_SIZE } from "../../firmware/defs/slot.js";
import type { Device } from "../device/device.js";

/** Contexts of SPEC.md §3. */
const CONTEXTS = [
  "mbs 2026 custody mac",
  "mbs 2026 seal",
  "mbs 2026 header mac",
  "mbs 2026 journal",
  "mbs 2026 handle",
  "mbs 2026 operator",
  "mbs 2026 refusals",
  "mbs 2026 identity",
];

export const derived = (root: Uint8Array, context: string): Uint8Array =>
  blake3(root, { context: new TextEncoder().encode(context) });

/** The root key as it stands in custody, and every key that is derived from it. */
export function keys(device: Device): { name: string; key: Uint8Array }[] {
  const root = Buffer.from(
    device.data.bytes.subarray(CUSTODY_OFFSET + CUSTODY_OFF_ROOT, CUSTODY_OFFSET + CUSTODY_OFF_ROOT + 32),
  );
  return [{ name: "root", key: root }, ...CONTEXTS.map((name) => ({ name, key: derived(root, name) }))];
}

/** Changes bytes of the slot region; offsets count from its start. */
export function changeSlots(device: Device, offset: number, change: (bytes: Buffer) => void, length = 1): void {
  const from = device.slotsOffset + offset - (offset % UNIT);
  const to = device.slotsOffset + Math.ceil((offset + length) / UNIT) * UNIT;
  const bytes = Buffer.from(device.slots.bytes.subarray(from, to));
  change(bytes.subarray(offset % UNIT, (offset % UNIT) + length));
  device.slots.preload(from, bytes);
}

/** Changes bytes of the data flash. */
export function changeData(device: Device, offset: number, change: (bytes: Buffer) => void, length = 1): void {
  const from = offset - (offset % DATA_UNIT);
  const to = Math.ceil((offset + length) / DATA_UNIT) * DATA_UNIT;
  const bytes = Buffer.from(device.data.bytes.subarray(from, to));
  change(bytes.subarray(offset % DATA_UNIT, (offset % DATA_UNIT) + length));
  device.data.preload(from, bytes);
}

export const flip = (bytes: Buffer): void => {
  bytes[0]! ^= 0x10;
};

/** Offsets in the slot region of all headers that name a handle, live or not. */
export function placesOf(device: Device, handle: Uint8Array): number[] {
  const bytes = device.slots.bytes.subarray(device.slotsOffset);
  const places: number[] = [];
  for (let at = 0; at < bytes.length; at += UNIT) {
    if (bytes.readUInt16LE(at) !== HEADER_MAGIC) continue;
    const named = bytes.subarray(at + HEADER_OFF_HANDLE, at + HEADER_OFF_HANDLE + HANDLE_SIZE);
    if (Buffer.compare(named, handle) === 0) places.push(at);
  }
  return places;
}

/** 32 bytes of ciphertext of an unlabelled record behind each of its headers. */
export function ciphertexts(device: Device, handle: Uint8Array): Buffer[] {
  const bytes = device.slots.bytes.subarray(device.slotsOffset);
  return placesOf(device, handle).map((at) => Buffer.from(bytes.subarray(at + HEADER_SIZE, at + HEADER_SIZE + 32)));
}

/** A copy of one slot. @returns a function that puts it back, here or at another place */
export function slotImage(device: Device, offset: number, units: number): (to?: number) => void {
  const from = device.slotsOffset + offset;
  const image = Buffer.from(device.slots.bytes.subarray(from, from + units * UNIT));
  return (to = offset) => device.slots.preload(device.slotsOffset + to, image);
}

/** A copy of one erase block. @returns a function that puts it back */
export function blockImage(device: Device, block: number): () => void {
  const from = device.slotsOffset + block * SLOT_BLOCK;
  const image = device.slots.image(from, from + SLOT_BLOCK);
  return () => device.slots.load(from, image);
}

/** Rewrites both custody places under another format version, with the MAC that it would have. */
export function setVersion(device: Device, version: number): void {
  const key = keys(device).find(({ name }) => name === "mbs 2026 custody mac")!.key;
  for (let copy = 0; copy < CUSTODY_COPIES; copy++) {
    changeData(
      device,
      CUSTODY_OFFSET + copy * CUSTODY_PLACE,
      (place) => {
        place[CUSTODY_OFF_VERSION] = version;
        place.set(blake3(place.subarray(0, CUSTODY_OFF_MAC), { key }).subarray(0, 16), CUSTODY_OFF_MAC);
      },
      CUSTODY_PLACE,
    );
  }
}

/** Number of the journal place with the highest sequence, of those that hold something. */
export function newestPlace(device: Device): number {
  let newest = -1;
  let highest = -1;
  for (let place = 0; place < JOURNAL_PLACES; place++) {
    const at = JOURNAL_OFFSET + place * JOURNAL_PLACE;
    if (device.data.certainlyErased(at, JOURNAL_PLACE)) continue;
    const sequence = device.data.bytes.readUInt32LE(at + INTENT_OFF_SEQUENCE);
    if (sequence > highest) [newest, highest] = [place, sequence];
  }
  return newest;
}

/** The newest journal record, changed and then vouched for again: digest, MAC and settled word are made anew, as if the store
 *  had written it. SPEC.md §5. @param slotsPerBlock of the only class. @param units of one slot */
export function forgeJournal(
  device: Device,
  slotsPerBlock: number,
  change: (record: Buffer) => void,
  units = Math.floor(SLOT_BLOCK / UNIT / slotsPerBlock),
): void {
  const key = (name: string) => keys(device).find((one) => one.name === name)!.key;
  const keyed = (name: string, bytes: Uint8Array) => Buffer.from(blake3(bytes, { key: key(name) }));
  const rewrite = (record: Buffer): void => {
    change(record);
    const leaves = Buffer.alloc(SLOT_BLOCKS * 16);
    for (let block = 0; block < SLOT_BLOCKS; block++) {
      const macs: Buffer[] = [];
      for (let i = 0; i < slotsPerBlock; i++) {
        const slot = block * slotsPerBlock + i;
        if (((record[BODY_OFF_LIVE + (slot >> 3)] ?? 0) & (1 << (slot & 7))) === 0) continue;
        const at = device.slotsOffset + block * SLOT_BLOCK + i * units * UNIT + HEADER_OFF_MAC;
        macs.push(device.slots.bytes.subarray(at, at + 16));
      }
      if (macs.length > 0) keyed("mbs 2026 header mac", Buffer.concat(macs)).copy(leaves, block * 16, 0, 16);
    }
    keyed("mbs 2026 header mac", leaves).copy(record, BODY_OFF_DIGEST, 0, 16);
    keyed("mbs 2026 journal", record.subarray(0, BODY_OFF_MAC)).copy(record, BODY_OFF_MAC, 0, 16);
    keyed("mbs 2026 journal", record.subarray(BODY_OFF_MAC, BODY_OFF_SETTLED)).copy(record, BODY_OFF_SETTLED, 0, 4);
  };
  changeData(device, JOURNAL_OFFSET + newestPlace(device) * JOURNAL_PLACE, rewrite, JOURNAL_PLACE);
}
