/** The bytes of an encrypted file: header, segments, final segment, and how many positions they take. SPEC.md §13.
 *  Encoders and strict decoders stand next to each other; keys are made in keys.ts. */
import { createHmac, timingSafeEqual } from "node:crypto";
import {
  FILE_FINAL,
  FILE_HEADER,
  FILE_KEY_ID,
  FILE_MAGIC,
  FILE_NAME_MAX,
  FILE_OFF_KEY,
  FILE_OFF_MAC,
  FILE_OFF_MAGIC,
  FILE_OFF_SALT,
  FILE_OFF_START,
  FILE_OFF_VERSION,
  FILE_PADDING_SHARE,
  FILE_SALT,
  FILE_SEGMENT,
  FILE_VERSION,
  FINAL_OFF_HASH,
  FINAL_OFF_LENGTH,
  FINAL_OFF_NAME,
  FINAL_OFF_NAME_LENGTH,
  SEGMENT_OFF_CONTENT,
  SEGMENT_OFF_COUNT,
} from "../../firmware/defs/file.js";
import { EncryptedFileError } from "./errors.js";

/** Positions are 0 … 2⁶³−1. */
export const POSITION_MAX = 2n ** 63n - 1n;
/** Content bytes of a whole data segment. */
export const CAPACITY = FILE_SEGMENT - SEGMENT_OFF_CONTENT;

/** The most fill that a file of `size` bytes may have. */
export function paddingMax(size: bigint): bigint {
  return size / BigInt(FILE_PADDING_SHARE);
}

/** Positions that a file takes: one for each encrypted byte, that is counts, content, fill and final segment, without tags. */
export function positionsFor(size: bigint, padding: bigint): bigint {
  const bytes = size + padding;
  const segments = (bytes + BigInt(CAPACITY) - 1n) / BigInt(CAPACITY);
  return bytes + segments * BigInt(SEGMENT_OFF_CONTENT) + BigInt(FILE_FINAL);
}

export interface Header {
  /** 16 bytes. */
  readonly keyId: Uint8Array;
  readonly start: bigint;
  /** 32 bytes. */
  readonly salt: Uint8Array;
}

export function encodeHeader({ keyId, start, salt }: Header, macKey: Uint8Array): Buffer {
  const bytes = Buffer.alloc(FILE_HEADER);
  bytes.writeUInt32LE(FILE_MAGIC, FILE_OFF_MAGIC);
  bytes.writeUInt32LE(FILE_VERSION, FILE_OFF_VERSION);
  bytes.set(keyId, FILE_OFF_KEY);
  bytes.writeBigUInt64LE(start, FILE_OFF_START);
  bytes.set(salt, FILE_OFF_SALT);
  bytes.set(headerMac(bytes, macKey), FILE_OFF_MAC);
  return bytes;
}

/** Reads a header, whose key is not known yet. @param bytes may be too few, when the file ends there
 *  @param what names the file in errors  @throws EncryptedFileError not-encrypted, wrong-version, damaged */
export function decodeHeader(bytes: Buffer, what: string): Header {
  if (bytes.length < FILE_OFF_VERSION || bytes.readUInt32LE(FILE_OFF_MAGIC) !== FILE_MAGIC)
    throw new EncryptedFileError("not-encrypted", `${what} is not a file that mbs encrypted. Nothing was written.`);
  if (bytes.length < FILE_OFF_KEY) throw cutHeader(what);
  const version = bytes.readUInt32LE(FILE_OFF_VERSION);
  if (version !== FILE_VERSION)
    throw new EncryptedFileError(
      "wrong-version",
      `${what} has version ${version} of the format; this mbs reads version ${FILE_VERSION}. Nothing was written.`,
      "Use a newer mbs; if there is none, the file is damaged.",
    );
  if (bytes.length < FILE_HEADER) throw cutHeader(what);
  const start = bytes.readBigUInt64LE(FILE_OFF_START);
  if (start > POSITION_MAX)
    throw new EncryptedFileError(
      "damaged",
      `${what} is damaged: its header names a position that does not exist. Nothing was written.`,
      "Take another copy of the file.",
    );
  return {
    keyId: Uint8Array.from(bytes.subarray(FILE_OFF_KEY, FILE_OFF_KEY + FILE_KEY_ID)),
    start,
    salt: Uint8Array.from(bytes.subarray(FILE_OFF_SALT, FILE_OFF_SALT + FILE_SALT)),
  };
}

function cutHeader(what: string): EncryptedFileError {
  return new EncryptedFileError(
    "damaged",
    `${what} is damaged: it ends inside its header. Nothing was written.`,
    "Take another copy of the file.",
  );
}

/** Whether a header that decodeHeader took was made with this key. */
export function isHeaderOf(bytes: Buffer, macKey: Uint8Array): boolean {
  return timingSafeEqual(headerMac(bytes, macKey), bytes.subarray(FILE_OFF_MAC, FILE_HEADER));
}

function headerMac(bytes: Buffer, macKey: Uint8Array): Buffer {
  return createHmac("sha256", macKey).update(bytes.subarray(0, FILE_OFF_MAC)).digest();
}

const ZEROS = Buffer.alloc(FILE_SEGMENT);

function isZero(bytes: Buffer): boolean {
  return bytes.equals(ZEROS.subarray(0, bytes.length));
}

/** Content of an authenticated data segment. @returns undefined when its count is too large or its fill is not zeros */
export function decodeSegment(plain: Buffer): Buffer | undefined {
  const end = SEGMENT_OFF_CONTENT + plain.readUInt32LE(SEGMENT_OFF_COUNT);
  return end <= plain.length && isZero(plain.subarray(end)) ? plain.subarray(SEGMENT_OFF_CONTENT, end) : undefined;
}

export interface Final {
  readonly length: bigint;
  /** SHA-256 of the content. */
  readonly hash: Uint8Array;
  /** 0 … 255 bytes, as they stand in the file: name.ts says which of them a file may have. */
  readonly name: Uint8Array;
}

export function encodeFinal({ length, hash, name }: Final): Buffer {
  const plain = Buffer.alloc(FILE_FINAL);
  plain.writeBigUInt64LE(length, FINAL_OFF_LENGTH);
  plain.set(hash, FINAL_OFF_HASH);
  plain.writeUInt8(name.length, FINAL_OFF_NAME_LENGTH);
  plain.set(name, FINAL_OFF_NAME);
  return plain;
}

/** Reads an authenticated final segment. @returns undefined when its count or what follows the name is not zero */
export function decodeFinal(plain: Buffer): Final | undefined {
  const end = FINAL_OFF_NAME + plain.readUInt8(FINAL_OFF_NAME_LENGTH);
  if (!isZero(plain.subarray(SEGMENT_OFF_COUNT, FINAL_OFF_LENGTH)) || !isZero(plain.subarray(end))) return undefined;
  return {
    length: plain.readBigUInt64LE(FINAL_OFF_LENGTH),
    hash: plain.subarray(FINAL_OFF_HASH, FINAL_OFF_NAME_LENGTH),
    name: plain.subarray(FINAL_OFF_NAME, end),
  };
}

/** Whether the bytes of a name fit into a final segment. */
export function isNameLength(bytes: number): boolean {
  return bytes <= FILE_NAME_MAX;
}
