/** What a firmware and an image say of themselves, at fixed places. defs/image.ts, SPEC.md §20. */
import {
  DESCRIPTOR_ADDRESS,
  DESCRIPTOR_MAGIC,
  DESCRIPTOR_OFF_BOARD,
  DESCRIPTOR_OFF_CORE,
  DESCRIPTOR_OFF_ENGINE,
  DESCRIPTOR_OFF_FORMAT,
  DESCRIPTOR_OFF_SETUP,
  DESCRIPTOR_OFF_VERSION,
  DESCRIPTOR_SIZE,
  DESCRIPTOR_VERSION,
  IMAGE_HEADER,
  IMAGE_MAGIC,
  IMAGE_OFF_FORMAT,
  IMAGE_OFF_INSTANCE,
  IMAGE_OFF_ITEMS,
  IMAGE_OFF_SIZE,
  IMAGE_OFF_UID,
  IMAGE_OFF_VERSION,
  IMAGE_VERSION,
} from "../../firmware/defs/image.js";

export { DESCRIPTOR_SIZE, IMAGE_HEADER };
export const DESCRIPTOR_AT = DESCRIPTOR_ADDRESS;
/** Setup code of the firmware: 32 bytes, zeros for none. */
export const SETUP_AT = DESCRIPTOR_ADDRESS + DESCRIPTOR_OFF_SETUP;
export const SETUP_SIZE = 32;
const CORE = 32;
const ID = 16;

export interface Descriptor {
  /** FORMAT_VERSION of the stores that it keeps. */
  format: number;
  board: number;
  /** What runs the core: Engine of defs/binding.ts. */
  engine: number;
  /** SHA-256 of core.wasm in hexadecimal digits. */
  core: string;
}

/** @param bytes that stand at DESCRIPTOR_AT @returns undefined when that is no descriptor */
export function readDescriptor(bytes: Buffer): Descriptor | undefined {
  if (
    bytes.length < DESCRIPTOR_SIZE ||
    bytes.readUInt32LE(0) !== DESCRIPTOR_MAGIC ||
    bytes[DESCRIPTOR_OFF_VERSION] !== DESCRIPTOR_VERSION
  )
    return undefined;
  return {
    format: bytes[DESCRIPTOR_OFF_FORMAT]!,
    board: bytes[DESCRIPTOR_OFF_BOARD]!,
    engine: bytes[DESCRIPTOR_OFF_ENGINE]!,
    core: bytes.toString("hex", DESCRIPTOR_OFF_CORE, DESCRIPTOR_OFF_CORE + CORE),
  };
}

export interface ImageHeader {
  format: number;
  /** Unique id of the one board that it is for, in hexadecimal digits. */
  uniqueId: string;
  /** The instance that it makes, likewise. */
  instance: string;
  /** Requests in it. */
  items: number;
  /** Of the whole image. */
  bytes: number;
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
    uniqueId: bytes.toString("hex", IMAGE_OFF_UID, IMAGE_OFF_UID + ID),
    instance: bytes.toString("hex", IMAGE_OFF_INSTANCE, IMAGE_OFF_INSTANCE + ID),
    items: bytes.readUInt16LE(IMAGE_OFF_ITEMS),
    bytes: IMAGE_HEADER + bytes.readUInt32LE(IMAGE_OFF_SIZE),
  };
}
