/** Where things lie in the flash of the EK-RA6M5, and its erase blocks and program units. board/MEMORY.md. */
import { CUSTODY_OFF_INSTANCE, CUSTODY_PLACE } from "../../firmware/defs/custody.js";
import { FIRMWARE_SIZE, IMAGE_ADDRESS, IMAGE_BLOCK, IMAGE_BLOCKS } from "../../firmware/defs/image.js";
import { DATA_BLOCK, DATA_UNIT, SLOT_BLOCK, UNIT } from "../../firmware/defs/medium.js";
import { CODE_FLASH, DATA_FLASH } from "./hex.js";

export interface Range {
  start: number;
  /** The first address behind it. */
  end: number;
}

export const FIRMWARE: Range = { start: 0, end: FIRMWARE_SIZE };
/** A sealed image waits here until the board opened it. */
export const IMAGE: Range = { start: IMAGE_ADDRESS, end: IMAGE_ADDRESS + IMAGE_BLOCK * IMAGE_BLOCKS };
export const SLOTS: Range = { start: IMAGE.end, end: CODE_FLASH.end };
export const DATA: Range = DATA_FLASH;
export const RAM: Range = { start: 0x20000000, end: 0x20080000 };

/** Below this address erase blocks are small. */
const SMALL_BLOCKS = 0x10000;
const SMALL_BLOCK = 0x2000;

/** Of a custody place no more than this is read, but by `flash read`: the root key lies behind it. */
export const CUSTODY_PUBLIC = CUSTODY_OFF_INSTANCE + 16;
export const CUSTODY_PLACES = [DATA.start, DATA.start + CUSTODY_PLACE];

export const isData = (address: number): boolean => address >= DATA.start;
export const unitAt = (address: number): number => (isData(address) ? DATA_UNIT : UNIT);

export function within({ start, end }: Range, address: number): boolean {
  return address >= start && address < end;
}

/** Size of the erase block at an address. */
export function blockAt(address: number): number {
  if (isData(address)) return DATA_BLOCK;
  return address < SMALL_BLOCKS ? SMALL_BLOCK : SLOT_BLOCK;
}

export function blockStart(address: number): number {
  return address - (address % blockAt(address));
}

/** Starts of the blocks that a range touches. */
export function blocksOf({ start, end }: Range): number[] {
  const blocks: number[] = [];
  for (let at = blockStart(start); at < end; at += blockAt(at)) blocks.push(at);
  return blocks;
}
