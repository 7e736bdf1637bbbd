/** Speed of encrypted files against node:crypto doing the same AEAD and SHA-256 in one thread, in the same run. Both work in turns on
 *  slices of a gigabyte that streams through memory, and medians count, so that what else the computer does disturbs little.
 *  Wall time: only the ratio means anything on another machine. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { FILE_NONCE, FILE_SECRET, FILE_SEGMENT } from "../../firmware/defs/file.js";
import { decryptFile } from "../../host/file/decrypt.js";
import { encryptFile } from "../../host/file/encrypt.js";
import type { Output } from "../../host/file/output.js";
import { median } from "./startup.js";

export interface FileSpeed {
  what: "encrypt" | "decrypt";
  bytes: number;
  /** Megabytes per second, of the median slice. */
  mbs: number;
  node: number;
  /** mbs / node; the goal is FILE_GOAL or more. */
  ratio: number;
}

export const FILE_GOAL = 0.8;
const SLICES = 64;
const CHUNK = 1 << 20;
const KEY_ID = new Uint8Array(16).fill(7);
const secret = () => new Uint8Array(FILE_SECRET).fill(9);

/** Milliseconds of each slice. */
interface Times {
  own: number[];
  node: number[];
}
const newTimes = (): Times => ({ own: [], node: [] });

/** @param bytes in all, for each way and each of the two. @returns speeds, and the largest resident set while encrypting, in bytes */
export async function measureFiles(bytes = 1e9): Promise<{ speeds: FileSpeed[]; resident: number }> {
  const size = Math.floor(bytes / SLICES);
  const [encrypt, decrypt] = [newTimes(), newTimes()];
  let resident = 0;
  for (let i = 0; i < SLICES; i++) {
    encrypt.node.push(await time(async () => nodeEncrypt(size)));
    encrypt.own.push(await time(() => mbsEncrypt(size, new Discard())));
    resident = Math.max(resident, process.memoryUsage.rss());
  }
  const kept = new Keep();
  await mbsEncrypt(size, kept);
  for (let i = 0; i < SLICES; i++) {
    decrypt.node.push(await time(async () => nodeDecrypt(size)));
    decrypt.own.push(await time(() => mbsDecrypt(kept.pieces)));
  }
  const speed = (what: FileSpeed["what"], times: Times): FileSpeed => {
    const [own, node] = [median(times.own), median(times.node)];
    return { what, bytes: size * SLICES, mbs: size / own / 1000, node: size / node / 1000, ratio: node / own };
  };
  return { speeds: [speed("encrypt", encrypt), speed("decrypt", decrypt)], resident };
}

/** Milliseconds. */
async function time(work: () => Promise<unknown>): Promise<number> {
  const begin = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - begin) / 1e6;
}

/** Content of a size, a megabyte at a time. */
async function* content(size: number): AsyncGenerator<Uint8Array> {
  const chunk = Buffer.alloc(CHUNK, 0x6d);
  for (let left = size; left > 0; left -= CHUNK) yield chunk.subarray(0, Math.min(CHUNK, left));
}

class Discard implements Output {
  async begin() {}
  async write(_: readonly Uint8Array[]) {}
  async finish() {}
  async abandon() {}
}

class Keep extends Discard {
  readonly pieces: Uint8Array[] = [];
  override async write(pieces: readonly Uint8Array[]) {
    this.pieces.push(Buffer.concat(pieces));
  }
}

function mbsEncrypt(size: number, output: Output): Promise<unknown> {
  return encryptFile({
    input: { what: "bench", name: "bench", stream: content(size), size: BigInt(size) },
    claim: async (positions) => ({ keyId: KEY_ID, start: 0n, end: positions - 1n, secret: secret() }),
    output,
  });
}

function mbsDecrypt(pieces: readonly Uint8Array[]): Promise<unknown> {
  const stream = (async function* () {
    yield* pieces;
  })();
  return decryptFile({ input: { what: "bench", stream }, secretFor: async () => secret(), output: new Discard() });
}

/** What has to be done at least: the AEAD in pieces of a segment, and SHA-256. */
function nodeEncrypt(size: number): void {
  const [key, hash, piece] = [randomBytes(FILE_SECRET), createHash("sha256"), Buffer.alloc(FILE_SEGMENT, 0x6d)];
  for (let left = size, i = 0; left > 0; left -= FILE_SEGMENT, i++) {
    const plain = piece.subarray(0, Math.min(left, FILE_SEGMENT));
    const cipher = createCipheriv("aes-256-gcm", key, nonce(i));
    hash.update(plain);
    cipher.update(plain);
    cipher.final();
    cipher.getAuthTag();
  }
  hash.digest();
}

function nodeDecrypt(size: number): void {
  const [key, hash, piece] = [randomBytes(FILE_SECRET), createHash("sha256"), Buffer.alloc(FILE_SEGMENT, 0x6d)];
  const cipher = createCipheriv("aes-256-gcm", key, nonce(0));
  const sealed = Buffer.concat([cipher.update(piece), cipher.final()]);
  const tag = cipher.getAuthTag();
  for (let left = size; left > 0; left -= FILE_SEGMENT) {
    const decipher = createDecipheriv("aes-256-gcm", key, nonce(0), { authTagLength: tag.length });
    decipher.setAuthTag(tag);
    const plain = decipher.update(sealed);
    decipher.final();
    hash.update(plain);
  }
  hash.digest();
}

function nonce(i: number): Buffer {
  const bytes = Buffer.alloc(FILE_NONCE);
  bytes.writeUInt32LE(i);
  return bytes;
}
