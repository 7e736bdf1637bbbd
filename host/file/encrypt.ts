/** Encrypts one stream into one file, in one pass and in bounded memory. SPEC.md §13.
 *  Positions are claimed before the first byte is read, so that a failure at any later moment cannot make them free again. */
import { createHash } from "node:crypto";
import {
  FILE_KEY_ID,
  FILE_SALT,
  FILE_SECRET,
  FILE_SEGMENT,
  SEGMENT_DATA,
  SEGMENT_FINAL,
  SEGMENT_OFF_CONTENT,
  SEGMENT_OFF_COUNT,
} from "../../firmware/defs/file.js";
import { FileError, UsageError } from "../client/errors.js";
import { CAPACITY, encodeFinal, encodeHeader, POSITION_MAX, paddingMax, positionsFor } from "./format.js";
import { type Bytes, changed, unlessAborted, untilAborted } from "./input.js";
import { encryptSegment, fileKeys } from "./keys.js";
import { encodeName } from "./name.js";
import { Batches, type Output } from "./output.js";
import { type Randomness, systemRandomness } from "./random.js";

/** Positions that nobody else has or will have, and the secret of the Delta that they belong to. */
export interface FileClaim {
  /** 16 bytes. */
  readonly keyId: Uint8Array;
  /** First and last position. */
  readonly start: bigint;
  readonly end: bigint;
  /** 32 bytes; wiped here. */
  readonly secret: Uint8Array;
}

export interface PlainInput {
  /** How errors name it: a path, or "stdin". */
  readonly what: string;
  /** Base name to store; "" = none. */
  readonly name: string;
  readonly stream: Bytes;
  /** Exactly so many bytes come; without it, at most maxSize. */
  readonly size?: bigint;
  readonly maxSize?: bigint;
  /** Called when all was read. Throws when the source is not what it was. */
  readonly verify?: () => Promise<void>;
}

export interface EncryptOptions {
  readonly input: PlainInput;
  /** Gives exactly so many positions, once. Called when nothing was read or written. */
  readonly claim: (size: bigint) => Promise<FileClaim>;
  readonly output: Output;
  readonly progress?: (bytes: bigint, of: bigint | undefined) => void;
  /** Ends it; its reason is thrown. */
  readonly signal?: AbortSignal;
}

export interface Encrypted {
  readonly keyId: Uint8Array;
  /** First and last position that were used; what the claim has behind them is lost. */
  readonly start: bigint;
  readonly end: bigint;
  /** Bytes of content. */
  readonly size: bigint;
}

/** @throws UsageError, FileError, what claim() throws, the signal's reason. The output is then abandoned and the secret wiped; positions
 *  that were claimed are lost. */
export function encryptFile(options: EncryptOptions): Promise<Encrypted> {
  return encryptWith(options, systemRandomness);
}

/** The same with salt and fill from elsewhere: for known answers alone. A salt that comes twice gives everything away. */
export async function encryptWith(
  { input, claim, output, progress, signal }: EncryptOptions,
  random: Randomness,
): Promise<Encrypted> {
  const { what, name, stream, size } = input;
  const storedName = encodeName(name);
  const limit = size ?? input.maxSize;
  if (limit === undefined)
    throw new UsageError(`The size of ${what} is not known.`, "Say how much it is at the most: --max-size SIZE");
  if (size !== undefined && input.maxSize !== undefined && size > input.maxSize) throw tooLarge(what, input.maxSize);
  const padding = size === undefined ? undefined : random.below(paddingMax(size) + 1n);
  const wanted = positionsFor(limit, padding ?? paddingMax(limit));
  if (wanted - 1n > POSITION_MAX) throw new UsageError(`${what}: no filekey has so many positions.`);

  const { keyId, start, secret } = await claimed(claim, wanted, signal);
  const header = { keyId, start, salt: random.bytes(FILE_SALT) };
  let keys: ReturnType<typeof fileKeys>;
  try {
    keys = fileKeys(secret, header);
  } finally {
    secret.fill(0);
  }
  const batches = new Batches(output, signal);
  const segments = new Segments(keys.aead, start, batches);
  try {
    await output.begin();
    await batches.add(encodeHeader(header, keys.mac));
    for await (const chunk of untilAborted(what, stream, signal)) {
      await segments.add(chunk);
      if (segments.size > limit) throw size === undefined ? tooMuch(what, limit) : changed(what);
      progress?.(segments.size, size);
    }
    if (size !== undefined && segments.size !== size) throw changed(what);
    await input.verify?.();
    await segments.fill(padding ?? random.below(paddingMax(segments.size) + 1n));
    await segments.end(storedName);
    await batches.flush();
    await output.finish();
    return { keyId, start, end: segments.position - 1n, size: segments.size };
  } catch (error) {
    await output.abandon().catch(() => {}); // what went wrong first is what is told
    throw error;
  } finally {
    keys.wipe();
    segments.wipe();
  }
}

/** A claim that is one. Its secret is wiped when it is not used, also when it comes after nobody waits any more. */
async function claimed(
  claim: (size: bigint) => Promise<FileClaim>,
  size: bigint,
  signal: AbortSignal | undefined,
): Promise<FileClaim> {
  signal?.throwIfAborted();
  const coming = claim(size);
  const got = await unlessAborted(coming, signal).catch((error) => {
    coming.then(({ secret }) => secret.fill(0)).catch(() => {});
    throw error;
  });
  const isClaim =
    got.keyId.length === FILE_KEY_ID &&
    got.secret.length === FILE_SECRET &&
    got.start >= 0n &&
    got.end <= POSITION_MAX &&
    got.end - got.start + 1n === size;
  if (isClaim) return got;
  got.secret.fill(0);
  throw new Error(`claim() gave ${got.start}..${got.end} for ${size} positions, or a key that is none`);
}

function tooLarge(what: string, limit: bigint): FileError {
  return new FileError(`${what} has more than ${limit} bytes. Nothing was claimed or written.`, TOO_LARGE_HINT);
}

function tooMuch(what: string, limit: bigint): FileError {
  return new FileError(
    `${what} has more than ${limit} bytes. Nothing was written; the positions that were claimed are not used again.`,
    TOO_LARGE_HINT,
  );
}

const TOO_LARGE_HINT = "Say a larger --max-size.";

/** Cuts content into segments, encrypts each under its position, and hands them on. */
class Segments {
  /** Content bytes so far. */
  size = 0n;
  readonly #hash = createHash("sha256");
  readonly #plain = Buffer.alloc(FILE_SEGMENT);
  #filled = 0;

  constructor(
    readonly key: Uint8Array,
    /** Of the next segment's first byte. */
    public position: bigint,
    readonly batches: Batches,
  ) {}

  async add(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const take = Math.min(CAPACITY - this.#filled, chunk.length - at);
      this.#plain.set(chunk.subarray(at, at + take), SEGMENT_OFF_CONTENT + this.#filled);
      this.#filled += take;
      at += take;
      if (this.#filled === CAPACITY) await this.#put(0);
    }
    this.size += BigInt(chunk.length);
  }

  /** Ends the content. @param padding bytes of fill behind it */
  async fill(padding: bigint): Promise<void> {
    for (let left = padding; left > 0n || this.#filled > 0; ) {
      const room = CAPACITY - this.#filled;
      const take = left < BigInt(room) ? Number(left) : room;
      left -= BigInt(take);
      await this.#put(take);
    }
  }

  async end(name: Uint8Array): Promise<void> {
    const plain = encodeFinal({ length: this.size, hash: this.#hash.digest(), name });
    await this.#encrypt(SEGMENT_FINAL, plain);
    plain.fill(0);
  }

  wipe(): void {
    this.#plain.fill(0);
  }

  /** A data segment of the content that there is, and `fill` zeros. */
  async #put(fill: number): Promise<void> {
    const end = SEGMENT_OFF_CONTENT + this.#filled;
    this.#plain.writeUInt32LE(this.#filled, SEGMENT_OFF_COUNT);
    this.#plain.fill(0, end, end + fill);
    this.#hash.update(this.#plain.subarray(SEGMENT_OFF_CONTENT, end));
    this.#filled = 0;
    await this.#encrypt(SEGMENT_DATA, this.#plain.subarray(0, end + fill));
  }

  async #encrypt(kind: number, plain: Uint8Array): Promise<void> {
    const pieces = encryptSegment(this.key, this.position, kind, plain);
    this.position += BigInt(plain.length);
    await this.batches.add(...pieces);
  }
}
