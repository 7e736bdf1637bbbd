/** Files for this person alone, written whole or not at all: a reader sees the old content or the new one, whoever else writes.
 *  And locks, for what is read, changed and written. */
import { randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FileError } from "./client/errors.js";

/** Whether other users can read or change what `stat` found. Windows has other means. */
export function isOpen({ mode }: { mode: number }): boolean {
  return process.platform !== "win32" && (mode & 0o077) !== 0;
}

/** Makes a directory that only this person may enter; one that others may enter is refused. */
export async function makePrivate(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new FileError(`${directory} cannot be made: ${(cause as Error).message}.`, "", { cause });
  }
  checkPrivate(directory, await stat(directory), "700");
}

/** @throws FileError when others can read or change it, or when it belongs to another user. Windows has other means. */
export function checkPrivate(path: string, found: { mode: number; uid: number }, mode: string): void {
  if (process.platform === "win32") return;
  if (found.uid !== process.getuid?.())
    throw new FileError(`${path} belongs to another user and is not used.`, "Keys belong to who uses them.");
  if (isOpen(found)) throw new FileError(`${path} is open to other users.`, `Run: chmod ${mode} ${path}`);
}

/** Writes a file of mode 0600 in place of an older one. @throws FileError */
export async function writeWhole(path: string, content: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString("hex")}.new`;
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    await rm(draft, { force: true });
    throw new FileError(`${path} cannot be written: ${(cause as Error).message}.`, "", { cause });
  }
}

/** Makes a rename last through a power cut, where the system can do that. */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const LOCK_MS = 5000; // a lock that is older was left behind

/** Runs while no other program of this person does under the same lock file. @throws FileError when that cannot be had */
export async function withLock<T>(path: string, run: () => Promise<T>): Promise<T> {
  const own = await lock(path);
  try {
    return await run();
  } finally {
    // somebody may have taken it for one that was left behind: then it is theirs
    if (isSameFile(await find(path), own)) await rm(path, { force: true });
  }
}

/** Whether two looks at a path saw one file. Inodes are used again, the time tells those apart. */
export function isSameFile(a: Stats | undefined, b: Stats | undefined): boolean {
  return a !== undefined && a.ino === b?.ino && a.mtimeMs === b.mtimeMs;
}

/** Takes a lock file, waits for it, or takes over one that was left behind. */
async function lock(path: string): Promise<Stats> {
  for (let waited = 0; waited <= 2 * LOCK_MS; waited += 20) {
    const own = await create(path);
    if (own !== undefined) return own;
    const found = await find(path);
    if (found?.isFile() === false)
      throw new FileError(`${path} is no lock file.`, "Remove it, if you know what it is.");
    if (isStale(found)) await takeAway(path);
    else await sleep(20);
  }
  throw new FileError(`${path} is held by another program.`, `Wait for it, or remove that file and ${path}.old.`);
}

/** Removes a lock that was left behind. Of several programs that find it one does so, under a second lock file, and looks once more
 *  there: by then another one may have removed it, and the next lock is somebody's. */
async function takeAway(path: string): Promise<void> {
  const guard = `${path}.old`;
  if ((await create(guard)) === undefined) return void (await sleep(20));
  try {
    if (isStale(await find(path))) await rm(path, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

/** @returns undefined when there is something already */
async function create(path: string): Promise<Stats | undefined> {
  try {
    const file = await open(path, "wx", 0o600);
    try {
      return await file.stat();
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") return undefined;
    throw new FileError(`${path} cannot be made: ${(cause as Error).message}.`, "", { cause });
  }
}

async function find(path: string): Promise<Stats | undefined> {
  return stat(path).catch(() => undefined);
}

function isStale(found: Stats | undefined): boolean {
  return found !== undefined && Date.now() - found.mtimeMs > LOCK_MS;
}
