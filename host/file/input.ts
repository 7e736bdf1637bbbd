/** Where bytes come from: a file of the user's own, or a stream such as stdin. What was read is used before the next is asked for, so that
 *  two buffers do for a file of any size. */
import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { FileError, MbsError } from "../client/errors.js";

/** Chunks; each stays as it is until the next one is asked for. */
export type Bytes = AsyncIterable<Uint8Array>;

export interface OpenFile {
  /** Base name. */
  readonly name: string;
  /** undefined: a pipe or a device, whose size nobody knows. */
  readonly size: bigint | undefined;
  readonly stream: Bytes;
  /** To be called when all was read. @throws FileError when the file changed since it was opened */
  verify(): Promise<void>;
  close(): Promise<void>;
}

const CHUNK = 1 << 20;

/** @throws FileError */
export async function openInput(path: string): Promise<OpenFile> {
  const file = await open(path, constants.O_RDONLY).catch((cause) => cannotRead(path, cause));
  try {
    const found = await file.stat({ bigint: true });
    if (found.isDirectory()) throw new FileError(`Cannot read ${path}: it is a directory.`);
    return {
      name: basename(path),
      size: found.isFile() ? found.size : undefined,
      stream: readAhead(file),
      verify: async () => {
        if (found.isFile() && !isSame(found, await file.stat({ bigint: true }))) throw changed(path);
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs;
}

/** The error for a source that is not what it was. */
export function changed(what: string): FileError {
  return new FileError(
    `${what} changed while it was read. Nothing was written.`,
    "Wait until nothing writes to it, then try again. The positions that were claimed are not used again.",
  );
}

/** Reads one chunk while the one before is used. */
async function* readAhead(file: FileHandle): AsyncGenerator<Uint8Array> {
  const buffers = [Buffer.alloc(CHUNK), Buffer.alloc(CHUNK)] as const;
  const read = (buffer: Buffer) => {
    const coming = file.read(buffer, 0, CHUNK, null);
    coming.catch(() => {}); // whoever stops reading does not wait for it
    return coming;
  };
  for (let turn = 0, coming = read(buffers[0]); ; turn ^= 1) {
    const { bytesRead } = await coming;
    if (bytesRead === 0) return;
    coming = read(buffers[turn ^ 1]!);
    yield buffers[turn]!.subarray(0, bytesRead);
  }
}

function cannotRead(path: string, cause: Error): never {
  if (cause instanceof MbsError) throw cause;
  const code = (cause as NodeJS.ErrnoException).code;
  const why =
    code === "ENOENT" ? "there is no such file" : code === "EACCES" ? "this user may not" : withoutDot(cause.message);
  throw new FileError(`Cannot read ${path}: ${why}.`, "", { cause });
}

function withoutDot(text: string): string {
  return text.replace(/\.$/, "");
}

/** Waits for a promise, but not once the signal says so. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  promise.catch(() => {});
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The same chunks, until the signal says otherwise: also while a source gives nothing. @throws FileError that names the source */
export async function* untilAborted(what: string, stream: Bytes, signal: AbortSignal | undefined): Bytes {
  const chunks = stream[Symbol.asyncIterator]();
  let isOver = false;
  try {
    for (;;) {
      const next = chunks.next().catch((cause) => cannotRead(what, cause));
      const { done, value } = await unlessAborted(next, signal);
      if (done) {
        isOver = true;
        return;
      }
      yield value;
    }
  } finally {
    // an iterator that waits for a chunk ends when that comes: a pipe would keep the process alive, and nobody waits for the others
    if (stream instanceof Readable) stream.destroy();
    else if (!isOver) chunks.return?.().then(undefined, () => {});
  }
}
