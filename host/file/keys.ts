/** The two keys of one file, made of a Delta's secret, and segments under the first of them. SPEC.md §13.
 *  HKDF is RFC 5869, AES-256-GCM is NIST SP 800-38D; both from node:crypto. The salt is the file's own: no key and no nonce depends on
 *  the position alone, so that a cache that was restored from a backup and encrypts at the same positions again repeats none. */
import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { FILE_NONCE, FILE_SECRET, FILE_TAG } from "../../firmware/defs/file.js";
import type { Header } from "./format.js";

const LABEL = "mbs 2026 file";
const ALGORITHM = "aes-256-gcm";

export interface FileKeys {
  /** Of the segments, AES-256-GCM. */
  readonly aead: Uint8Array;
  /** Of the header, HMAC-SHA-256. */
  readonly mac: Uint8Array;
  wipe(): void;
}

/** @param secret 32 bytes; whoever gives it wipes it */
export function fileKeys(secret: Uint8Array, { keyId, start, salt }: Header): FileKeys {
  const info = Buffer.concat([Buffer.from(LABEL, "ascii"), keyId, Buffer.alloc(8)]);
  info.writeBigUInt64LE(start, info.length - 8);
  const both = new Uint8Array(hkdfSync("sha256", secret, salt, info, 2 * FILE_SECRET));
  return { aead: both.subarray(0, FILE_SECRET), mac: both.subarray(FILE_SECRET), wipe: () => void both.fill(0) };
}

/** @param position of the segment's first byte  @param kind SEGMENT_DATA, SEGMENT_FINAL */
function nonce(position: bigint, kind: number): Buffer {
  const bytes = Buffer.alloc(FILE_NONCE);
  bytes.writeBigUInt64LE(position, 0);
  bytes.writeUInt32LE(kind, 8);
  return bytes;
}

/** @returns ciphertext and tag, new buffers both */
export function encryptSegment(key: Uint8Array, position: bigint, kind: number, plain: Uint8Array): [Buffer, Buffer] {
  const cipher = createCipheriv(ALGORITHM, key, nonce(position, kind), { authTagLength: FILE_TAG });
  const bytes = cipher.update(plain);
  cipher.final();
  return [bytes, cipher.getAuthTag()];
}

/** @param bytes ciphertext and tag. @returns a new buffer; undefined when the tag does not fit */
export function decryptSegment(key: Uint8Array, position: bigint, kind: number, bytes: Buffer): Buffer | undefined {
  const end = bytes.length - FILE_TAG;
  const decipher = createDecipheriv(ALGORITHM, key, nonce(position, kind), { authTagLength: FILE_TAG });
  decipher.setAuthTag(bytes.subarray(end));
  const plain = decipher.update(bytes.subarray(0, end));
  try {
    decipher.final();
    return plain;
  } catch {
    plain.fill(0); // nobody sees what was not authenticated
    return undefined;
  }
}
