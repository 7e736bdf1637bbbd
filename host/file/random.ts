/** Randomness of an encrypted file: its salt and the length of its fill. Known answers bring their own. */
import { randomBytes } from "node:crypto";

export interface Randomness {
  bytes(count: number): Uint8Array;
  /** Uniform from 0 to `limit` − 1; limit is 1 … 2⁶⁴. */
  below(limit: bigint): bigint;
}

export const systemRandomness: Randomness = { bytes: randomBytes, below: (limit) => uniform(limit, randomBytes) };

const WORDS = 2n ** 64n;

/** Draws again what would make some numbers likelier than others. */
export function uniform(limit: bigint, bytes: (count: number) => Uint8Array): bigint {
  const end = WORDS - (WORDS % limit);
  for (;;) {
    const word = Buffer.from(bytes(8)).readBigUInt64LE();
    if (word < end) return word % limit;
  }
}
