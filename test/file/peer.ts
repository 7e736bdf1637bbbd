/** Encrypted files once more, from SPEC.md alone and with @noble: nothing of host/file is used here. It writes whatever it is told to, also what
 *  the format forbids, which only somebody with the key can. */
import { gcm } from "@noble/ciphers/aes.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";

export interface Terms {
  secret: Uint8Array;
  keyId: Uint8Array;
  start: bigint;
  salt: Uint8Array;
}

export interface Segment {
  kind: number;
  plain: Uint8Array;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

export function keysOf({ secret, keyId, start, salt }: Terms): { aead: Uint8Array; mac: Uint8Array } {
  const info = Buffer.concat([Buffer.from("mbs 2026 file"), keyId, u64(start)]);
  const bytes = hkdf(sha256, secret, salt, info, 64);
  return { aead: bytes.slice(0, 32), mac: bytes.slice(32) };
}

export function headerOf(terms: Terms): Buffer {
  const clear = Buffer.concat([Buffer.from("MBSF"), u32(1), terms.keyId, u64(terms.start), terms.salt]);
  return Buffer.concat([clear, hmac(sha256, keysOf(terms).mac, clear)]);
}

/** Encrypts segments at the positions at which they come. */
export function fileOf(terms: Terms, segments: readonly Segment[]): Buffer {
  const { aead } = keysOf(terms);
  const pieces: Uint8Array[] = [headerOf(terms)];
  let position = terms.start;
  for (const { kind, plain } of segments) {
    pieces.push(gcm(aead, Buffer.concat([u64(position), u32(kind)])).encrypt(plain));
    position += BigInt(plain.length);
  }
  return Buffer.concat(pieces);
}

export function dataSegment(content: Uint8Array, fill: number, count = content.length): Segment {
  return { kind: 0, plain: Buffer.concat([u32(count), content, Buffer.alloc(fill)]) };
}

export function finalSegment(content: Uint8Array, name: Uint8Array, length = BigInt(content.length)): Segment {
  const head = Buffer.concat([u32(0), u64(length), sha256(content), Buffer.of(name.length), name]);
  return { kind: 1, plain: Buffer.concat([head, Buffer.alloc(1024 - head.length)]) };
}

/** The segments that the format has for a content and so much fill. */
export function segmentsOf(content: Uint8Array, padding: number, name: Uint8Array): Segment[] {
  const all = content.length + padding;
  const segments: Segment[] = [];
  for (let at = 0; at < all; at += 65532) {
    const piece = content.subarray(at, at + 65532);
    segments.push(dataSegment(piece, Math.min(65532, all - at) - piece.length));
  }
  return [...segments, finalSegment(content, name)];
}

/** Reads a file that is right. @throws Error for any other */
export function readFile(secret: Uint8Array, file: Buffer): { terms: Terms; content: Buffer; name: string } {
  const terms = {
    secret,
    keyId: file.subarray(8, 24),
    start: file.readBigUInt64LE(24),
    salt: file.subarray(32, 64),
  };
  if (!headerOf(terms).equals(file.subarray(0, 96))) throw new Error("header");
  const { aead } = keysOf(terms);
  const contents: Buffer[] = [];
  let position = terms.start;
  let at = 96;
  const take = (kind: number, length: number) => {
    const plain = gcm(aead, Buffer.concat([u64(position), u32(kind)])).decrypt(file.subarray(at, at + length));
    position += BigInt(plain.length);
    at += length;
    return Buffer.from(plain);
  };
  while (file.length - at > 1040) {
    const plain = take(0, Math.min(65552, file.length - at - 1040));
    contents.push(plain.subarray(4, 4 + plain.readUInt32LE()));
  }
  const final = take(1, 1040);
  const content = Buffer.concat(contents);
  if (final.readBigUInt64LE(4) !== BigInt(content.length)) throw new Error("length");
  if (!final.subarray(12, 44).equals(sha256(content))) throw new Error("hash");
  return { terms, content, name: final.subarray(45, 45 + final[44]!).toString() };
}
