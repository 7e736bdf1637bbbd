/** Speed of the hashes that the host computes, each as the host computes it, beside node:crypto over the same bytes in the same run and in
 *  turns, of which the quickest counts: what else the computer does can only add. Wall time: only the ratio means anything on another
 *  machine. node:crypto has no BLAKE3; SHA-256 stands in its place. */
import { createHash } from "node:crypto";
import { blake3 } from "@noble/hashes/blake3.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { FILE_SEGMENT } from "../../firmware/defs/file.js";
import { sshsigDigest } from "../../host/sshsig.js";

export interface HashSpeed {
  what: string;
  /** Bytes of one message. */
  message: number;
  /** Megabytes per second. */
  mbs: number;
  node: number;
  nodeHash: string;
  /** mbs / node. */
  ratio: number;
}

interface Case {
  what: string;
  message: number;
  /** Messages in one turn: enough to be long against the clock. */
  count: number;
  nodeHash: "sha256" | "sha512";
  own(bytes: Buffer): Promise<unknown> | unknown;
}

const TURNS = 16;
const CONTEXT = Buffer.from("mbs bench");

const CASES: readonly Case[] = [
  { what: "SHA-256 of a file's content", message: 32 << 20, count: 1, nodeHash: "sha256", own: inSegments },
  { what: "SHA-512 of a file to sign", message: 32 << 20, count: 1, nodeHash: "sha512", own: asItIsRead },
  // an image from a seed hashes all that it holds
  { what: "BLAKE3 of an image", message: 1 << 20, count: 8, nodeHash: "sha256", own: derive },
  { what: "BLAKE3 of a key", message: 32, count: 20_000, nodeHash: "sha256", own: derive },
  { what: "SHA-256 in a handshake", message: 64, count: 20_000, nodeHash: "sha256", own: (bytes) => sha256(bytes) },
];

export async function measureHashes(): Promise<HashSpeed[]> {
  const speeds: HashSpeed[] = [];
  for (const { what, message, count, nodeHash, own } of CASES) {
    const bytes = Buffer.alloc(message, 0x6d);
    const least = { own: Number.POSITIVE_INFINITY, node: Number.POSITIVE_INFINITY };
    for (let turn = 0; turn < TURNS; turn++) {
      least.node = Math.min(least.node, await time(count, () => createHash(nodeHash).update(bytes).digest()));
      least.own = Math.min(least.own, await time(count, () => own(bytes)));
    }
    const all = message * count;
    const [mbs, node] = [all / least.own / 1000, all / least.node / 1000];
    speeds.push({ what, message, mbs, node, nodeHash, ratio: mbs / node });
  }
  return speeds;
}

/** Milliseconds. */
async function time(count: number, work: () => unknown): Promise<number> {
  const begin = process.hrtime.bigint();
  for (let i = 0; i < count; i++) {
    const made = work();
    if (made instanceof Promise) await made; // waiting for what is there would cost more than a short hash
  }
  return Number(process.hrtime.bigint() - begin) / 1e6;
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += FILE_SEGMENT) yield bytes.subarray(at, at + FILE_SEGMENT);
}

/** As host/file does while it encrypts and decrypts. */
function inSegments(bytes: Buffer): Buffer {
  const hash = createHash("sha256");
  for (const piece of pieces(bytes)) hash.update(piece);
  return hash.digest();
}

/** As `mbs sign` does with a key for SSH signatures; a file comes in pieces of as many bytes as a segment has. */
function asItIsRead(bytes: Buffer): Promise<Uint8Array> {
  const stream = async function* () {
    yield* pieces(bytes);
  };
  return sshsigDigest(stream());
}

/** As keys and tokens are derived and checked. */
function derive(bytes: Buffer): Uint8Array {
  return blake3(bytes, { context: CONTEXT });
}
