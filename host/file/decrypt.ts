/** Decrypts one file into one stream, in one pass and in bounded memory. SPEC.md §13.
 *  Nothing leaves here that was not authenticated. That the file is whole shows at its end only: an output that cannot be taken back, such
 *  as stdout, must not be used when this throws. */
import { createHash } from "node:crypto";
import {
  FILE_FINAL,
  FILE_HEADER,
  FILE_SECRET,
  FILE_SEGMENT,
  FILE_TAG,
  SEGMENT_DATA,
  SEGMENT_FINAL,
  SEGMENT_OFF_CONTENT,
} from "../../firmware/defs/file.js";
import { EncryptedFileError } from "./errors.js";
import {
  decodeFinal,
  decodeHeader,
  decodeSegment,
  type Header,
  isHeaderOf,
  POSITION_MAX,
  paddingMax,
} from "./format.js";
import { type Bytes, unlessAborted, untilAborted } from "./input.js";
import { decryptSegment, type FileKeys, fileKeys } from "./keys.js";
import { usableName } from "./name.js";
import { Batches, type Output } from "./output.js";

export interface DecryptOptions {
  readonly input: {
    /** How errors name it: a path, or "stdin". */
    readonly what: string;
    readonly stream: Bytes;
    /** For progress alone. */
    readonly size?: bigint;
  };
  /** The 32-byte secret of the Delta that a position belongs to; wiped here. Called with what the header says, before that is proven. */
  readonly secretFor: (keyId: Uint8Array, start: bigint) => Promise<Uint8Array>;
  /** Begun when the header fits the key. */
  readonly output: Output;
  readonly progress?: (bytes: bigint, of: bigint | undefined) => void;
  /** Ends it; its reason is thrown. */
  readonly signal?: AbortSignal;
}

export interface Decrypted {
  readonly keyId: Uint8Array;
  /** First and last position. */
  readonly start: bigint;
  readonly end: bigint;
  /** Bytes of content. */
  readonly size: bigint;
  /** The stored name, if a file may have it. */
  readonly name: string | undefined;
}

/** An encrypted whole data segment, and a final one. */
const WHOLE = FILE_SEGMENT + FILE_TAG;
const LAST = FILE_FINAL + FILE_TAG;

/** @throws EncryptedFileError, FileError, what secretFor() throws, the signal's reason. The output is then abandoned. */
export async function decryptFile({ input, secretFor, output, progress, signal }: DecryptOptions): Promise<Decrypted> {
  const { what, stream, size } = input;
  const batches = new Batches(output, signal);
  // always enough to know that what is in front of the last bytes is a whole data segment
  const window = Buffer.alloc(WHOLE + LAST);
  let held = 0;
  let done = 0n;
  let opened: { header: Header; keys: FileKeys; segments: Segments } | undefined;
  const open = async (): Promise<Segments> => {
    const bytes = window.subarray(0, held);
    const header = decodeHeader(bytes, what);
    const keys = await headerKeys(bytes, header, what, secretFor, signal);
    const segments = new Segments(what, keys.aead, header.start, batches);
    opened = { header, keys, segments };
    await output.begin();
    held = 0;
    return segments;
  };
  try {
    for await (const chunk of untilAborted(what, stream, signal)) {
      for (let at = 0; at < chunk.length; ) {
        const room = (opened === undefined ? FILE_HEADER : window.length) - held;
        const take = Math.min(room, chunk.length - at);
        window.set(chunk.subarray(at, at + take), held);
        held += take;
        at += take;
        if (take < room) continue;
        if (opened === undefined) {
          await open();
        } else {
          await opened.segments.data(window.subarray(0, WHOLE));
          window.copyWithin(0, WHOLE);
          held = LAST;
        }
      }
      done += BigInt(chunk.length);
      progress?.(done, size);
    }
    const segments = opened?.segments ?? (await open());
    const name = await segments.end(window.subarray(0, held));
    await batches.flush();
    await output.finish(name);
    const { keyId, start } = opened!.header;
    return { keyId, start, end: segments.position - 1n, size: segments.size, name: usableName(name) };
  } catch (error) {
    await output.abandon().catch(() => {}); // what went wrong first is what is told
    throw error;
  } finally {
    opened?.keys.wipe();
  }
}

/** The keys of a file, when its header was made with them. @throws EncryptedFileError wrong-key */
async function headerKeys(
  bytes: Buffer,
  header: Header,
  what: string,
  secretFor: DecryptOptions["secretFor"],
  signal: AbortSignal | undefined,
): Promise<FileKeys> {
  const coming = secretFor(header.keyId, header.start);
  const secret = await unlessAborted(coming, signal).catch((error) => {
    coming.then((late) => late.fill(0)).catch(() => {});
    throw error;
  });
  try {
    if (secret.length !== FILE_SECRET) throw new Error(`a Delta's secret has 32 bytes, not ${secret.length}`);
    const keys = fileKeys(secret, header);
    if (isHeaderOf(bytes, keys.mac)) return keys;
    keys.wipe();
  } finally {
    secret.fill(0);
  }
  throw new EncryptedFileError(
    "wrong-key",
    `The header of ${what} does not fit the key: it was made with another one, or changed since. Nothing was written.`,
    `It names filekey ${Buffer.from(header.keyId).toString("hex")}, position ${header.start}. Is that the filekey, with this very Delta?`,
  );
}

/** Takes encrypted segments in order and hands their content on. */
class Segments {
  /** Content bytes so far. */
  size = 0n;
  readonly #hash = createHash("sha256");
  #padding = 0n;

  constructor(
    readonly what: string,
    readonly key: Uint8Array,
    /** Of the next segment's first byte. */
    public position: bigint,
    readonly batches: Batches,
  ) {}

  /** @param bytes one data segment with its tag  @param end what may be wrong besides, at the end of the file */
  async data(bytes: Buffer, end = ""): Promise<void> {
    const at = this.position;
    const content = decodeSegment(this.#decrypt(SEGMENT_DATA, bytes, end));
    if (content === undefined) throw this.#malformed(`the segment at position ${at} is not made as SPEC.md has it`);
    if (this.#padding > 0n && content.length > 0) throw this.#malformed(`content follows fill at position ${at}`);
    this.size += BigInt(content.length);
    this.#padding += BigInt(bytes.length - FILE_TAG - SEGMENT_OFF_CONTENT - content.length);
    this.#hash.update(content);
    await this.batches.add(content);
  }

  /** @param bytes what is left: a short data segment or none, and the final one. @returns the stored name */
  async end(bytes: Buffer): Promise<Uint8Array> {
    const rest = bytes.length - LAST;
    if (rest < 0 || (rest > 0 && rest <= SEGMENT_OFF_CONTENT + FILE_TAG)) throw this.#damaged(", its end is missing");
    const end = ", or its end is missing";
    if (rest > 0) await this.data(bytes.subarray(0, rest), end);
    const final = decodeFinal(this.#decrypt(SEGMENT_FINAL, bytes.subarray(rest), end));
    if (final === undefined) throw this.#malformed("its final segment is not made as SPEC.md has it");
    if (final.length !== this.size || !this.#hash.digest().equals(final.hash))
      throw this.#malformed("length or SHA-256 are not those of the content");
    if (this.#padding > paddingMax(this.size)) throw this.#malformed("it has more fill than it may");
    return final.name;
  }

  #decrypt(kind: number, bytes: Buffer, end: string): Buffer {
    const after = this.position + BigInt(bytes.length - FILE_TAG);
    if (after - 1n > POSITION_MAX) throw this.#malformed("it has positions that do not exist");
    const plain = decryptSegment(this.key, this.position, kind, bytes);
    if (plain === undefined) throw this.#damaged(` at position ${this.position}${end}`);
    this.position = after;
    return plain;
  }

  #damaged(where: string): EncryptedFileError {
    return new EncryptedFileError(
      "damaged",
      `${this.what} is damaged${where}.`,
      "The key is right. Take another copy of the file; what came out of this one must not be used.",
    );
  }

  #malformed(why: string): EncryptedFileError {
    return new EncryptedFileError(
      "malformed",
      `${this.what} was encrypted with the right key, but not as mbs does it: ${why}.`,
      "Ask whoever made it; what came out of it must not be used.",
    );
  }
}
