/** Where an encrypted or decrypted file goes, and how it gets there: the next megabyte is made while the last one is written, and no more
 *  than that waits in memory. */
import type { Writable } from "node:stream";
import { FileError } from "../client/errors.js";
import { unlessAborted } from "./input.js";

export interface Output {
  /** Before the first write. */
  begin(): Promise<void>;
  /** @param pieces nobody changes them afterwards. @returns when there is room for more */
  write(pieces: readonly Uint8Array[]): Promise<void>;
  /** All is written and right. @param name bytes of the name that the file carries; none when it is being encrypted */
  finish(name?: Uint8Array): Promise<void>;
  /** Something failed; also before begin() and after a finish() that failed. */
  abandon(): Promise<void>;
}

const BATCH = 1 << 20;

/** Collects pieces, and writes one batch while the next is made. */
export class Batches {
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    readonly output: Output,
    readonly signal: AbortSignal | undefined,
  ) {}

  async add(...pieces: readonly Uint8Array[]): Promise<void> {
    for (const piece of pieces) {
      if (piece.length > 0) this.#pieces.push(piece);
      this.#bytes += piece.length;
    }
    if (this.#bytes >= BATCH) await this.#send();
  }

  /** @returns when everything is with the output */
  async flush(): Promise<void> {
    await this.#send();
    await unlessAborted(this.#writing, this.signal);
  }

  async #send(): Promise<void> {
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#bytes = 0;
    await unlessAborted(this.#writing, this.signal);
    this.#writing = this.output.write(pieces);
    this.#writing.catch(() => {}); // it is told to whoever waits next
  }
}

/** stdout, or another stream. What went into it cannot be taken back. */
export class StreamOutput implements Output {
  /** Bytes that went out. */
  written = 0n;

  constructor(readonly stream: Writable) {}

  async begin(): Promise<void> {
    this.stream.on("error", () => {}); // each write tells it, too
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    if (pieces.length === 0) return;
    await new Promise<void>((resolve, reject) => {
      const done = (cause?: Error | null) => (cause ? reject(cannotWrite("the output", cause)) : resolve());
      for (const [i, piece] of pieces.entries()) {
        this.written += BigInt(piece.length);
        this.stream.write(piece, i === pieces.length - 1 ? done : undefined);
      }
    });
  }

  async finish(): Promise<void> {}

  async abandon(): Promise<void> {}
}

/** The error for what cannot be written. */
export function cannotWrite(what: string, cause: Error): FileError {
  const why = new Map([
    ["ENOSPC", "the disk is full"],
    ["EDQUOT", "this user's share of the disk is full"],
    ["EACCES", "this user may not"],
    ["EROFS", "the disk is read-only"],
    ["ENOENT", "there is no such directory"],
    ["ENOTDIR", "there is no such directory"],
    ["EISDIR", "it is a directory"],
    ["EPIPE", "nobody reads it any more"],
  ]);
  const code = (cause as NodeJS.ErrnoException).code ?? "";
  return new FileError(`Cannot write ${what}: ${why.get(code) ?? cause.message.replace(/\.$/, "")}.`, "", { cause });
}
