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
export const BOARD_EK_RA6M5 = 1;

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
