/** What a firmware says of itself: the descriptor at a fixed place of its first block. SPEC.md, defs/image.ts. */
export const DESCRIPTOR_AT = 0x400;
export const DESCRIPTOR_SIZE = 96;
const MAGIC = 0x4653424d; // "MBSF"
const VERSION = 1;
const OFF_VERSION = 4;
const OFF_FORMAT = 5;
const OFF_BOARD = 6;
const OFF_CORE = 8;
const CORE = 32;
const OFF_SETUP = 64;
export const BOARD_EK_RA6M5 = 1;

/** Setup code of the firmware: 32 bytes, zeros for none. */
export const SETUP_AT = DESCRIPTOR_AT + OFF_SETUP;
export const SETUP_SIZE = 32;

/** Header of a sealed image, where the image region begins. */
export const IMAGE_HEADER = 128;
const IMAGE_MAGIC = 0x4953424d; // "MBSI"
const IMAGE_VERSION = 1;
const IMAGE_OFF_VERSION = 4;
const IMAGE_OFF_FORMAT = 5;
const IMAGE_OFF_UID = 16;
const UID = 16;

export interface Descriptor {
  /** FORMAT_VERSION of the stores that it keeps. */
  format: number;
  board: number;
  /** SHA-256 of core.wasm in hexadecimal digits. */
  core: string;
}

/** @param bytes that stand at DESCRIPTOR_AT @returns undefined when that is no descriptor */
export function readDescriptor(bytes: Buffer): Descriptor | undefined {
  if (bytes.length < DESCRIPTOR_SIZE || bytes.readUInt32LE(0) !== MAGIC || bytes[OFF_VERSION] !== VERSION)
    return undefined;
  return {
    format: bytes[OFF_FORMAT]!,
    board: bytes[OFF_BOARD]!,
    core: bytes.toString("hex", OFF_CORE, OFF_CORE + CORE),
  };
}

export interface ImageHeader {
  format: number;
  /** Unique id of the one board that it is for, in hexadecimal digits. */
  uniqueId: string;
}

/** @param bytes that stand where the image region begins @returns undefined when no image begins there */
export function readImageHeader(bytes: Buffer): ImageHeader | undefined {
  if (
    bytes.length < IMAGE_HEADER ||
    bytes.readUInt32LE(0) !== IMAGE_MAGIC ||
    bytes[IMAGE_OFF_VERSION] !== IMAGE_VERSION
  )
    return undefined;
  return {
    format: bytes[IMAGE_OFF_FORMAT]!,
    uniqueId: bytes.toString("hex", IMAGE_OFF_UID, IMAGE_OFF_UID + UID),
  };
}
