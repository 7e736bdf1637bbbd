/** Files of the user: what is read whole, and what is written for the user alone. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, type FileHandle, lstat, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import { FileError, UsageError } from "./client/errors.js";
import type { Source } from "./credentials/format.js";

const INPUT_MAX = 1 << 20; // bytes; far more than any record, far less than a disk image given by mistake

/** @param file a path, or "-" for stdin. @throws FileError, UsageError for a terminal as stdin */
export async function readInput({ stdin }: { stdin: Readable & { isTTY?: boolean } }, file: string): Promise<Source> {
  if (file !== "-")
    return { name: file, bytes: limited(file, await readFile(file).catch((error) => cannot("read", file, error))) };
  if (stdin.isTTY)
    throw new UsageError("Nothing is piped to stdin.", "Name a file, or leave it out to be asked without echo.");
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    chunks.push(Buffer.from(chunk));
    length += chunk.length;
    if (length > INPUT_MAX) break;
  }
  return { name: "stdin", bytes: limited("stdin", Buffer.concat(chunks)) };
}

function limited(name: string, bytes: Buffer): Buffer {
  if (bytes.length > INPUT_MAX) throw new FileError(`${name} has more than ${INPUT_MAX} bytes, which no record holds.`);
  return bytes;
}

/** Writes a file that only its owner may read. @param force replaces an existing one, in one step. @throws FileError */
export async function writeOutput(path: string, bytes: Uint8Array, force: boolean): Promise<void> {
  const target = force ? `${path}.${randomBytes(4).toString("hex")}` : path;
  let file: FileHandle;
  try {
    file = await open(target, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") return cannot("write", path, error as Error);
    throw exists(path);
  }
  try {
    await file.writeFile(bytes);
    await file.sync();
    await file.close();
    if (force) await rename(target, path);
  } catch (error) {
    await file.close().catch(() => {});
    await rm(target, { force: true });
    return cannot("write", path, error as Error);
  }
}

/** Gives a written file its name. @param force replaces an existing one. @throws FileError, and the file keeps the name it had */
export async function moveOutput(from: string, to: string, force: boolean): Promise<void> {
  if (!force) await refuseExisting(to);
  await rename(from, to).catch((error) => cannot("write", to, error));
}

/** Says early what `writeOutput` would say at the end, when somebody touched the board for nothing. @throws FileError */
export async function checkOutputFile(path: string, force: boolean): Promise<void> {
  if (!force) await refuseExisting(path);
  await access(dirname(path), constants.W_OK).catch((error) => cannot("write", path, error));
}

/** @throws FileError when something has the name */
export async function refuseExisting(path: string): Promise<void> {
  if ((await lstat(path).catch(() => undefined)) !== undefined) throw exists(path);
}

function exists(path: string): FileError {
  return new FileError(`${path} exists already and was left as it is.`, "Choose another name, or say --force.");
}

/** @throws FileError that says why a file cannot be read */
export function cannotRead(path: string, cause: Error): never {
  return cannot("read", path, cause);
}

function cannot(what: "read" | "write", path: string, cause: Error): never {
  const code = (cause as NodeJS.ErrnoException).code;
  const why = new Map([
    ["ENOENT", "there is no such file or directory"],
    ["EACCES", "this user may not"],
    ["EISDIR", "it is a directory"],
  ]);
  throw new FileError(`Cannot ${what} ${path}: ${why.get(code ?? "") ?? cause.message}.`, "", { cause });
}

/** Whether a terminal can show the bytes as they are: UTF-8 without control characters. */
export function isText(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes).toString("utf8");
  return Buffer.compare(Buffer.from(text), bytes) === 0 && !/\p{Cc}/u.test(text.replace(/[\t\n\r]/g, ""));
}
