/** One program at a time, by the system's own lock (flock): it ends with the process that holds it, however that ends, and is never
 *  taken for one that was left behind. A claim may wait long for its authority, so the lock files of atomic.ts, which others take over
 *  after some seconds, would let two programs use the same positions. Relies on koffi; Linux and macOS. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { FileError } from "../client/errors.js";

const LOCK_EX = 2;
const LOCK_NB = 4;
const WAIT_MS = 120_000; // a board may be busy for long
const POLL_MS = 5;

/** Runs while no other program, and nothing else of this one, does under the same file, which stays. @throws FileError */
export async function withExclusive<T>(path: string, run: () => Promise<T>, waitMs = WAIT_MS): Promise<T> {
  const tryLock = await flock();
  const file = await openLock(path);
  try {
    for (let waited = 0; !tryLock(file.fd); waited += POLL_MS) {
      if (waited >= waitMs)
        throw new FileError(`${path} is held by another program. Nothing was changed.`, "Wait for it, or end it.");
      await sleep(POLL_MS);
    }
    return await run();
  } finally {
    await file.close(); // and with it the lock
  }
}

async function openLock(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0), 0o600);
  } catch (cause) {
    throw new FileError(`${path} cannot be made: ${(cause as Error).message}.`, "", { cause });
  }
}

/** Takes the lock of an open file. @returns false when another one has it */
type TryLock = (fd: number) => boolean;
let loaded: Promise<TryLock> | undefined;

function flock(): Promise<TryLock> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<TryLock> {
  if (process.platform !== "linux" && process.platform !== "darwin")
    throw new FileError(`Claims need the file locks of Linux or macOS; this is ${process.platform}.`);
  const { default: koffi } = await import("koffi");
  const call = koffi.load(null).func("int flock(int fd, int operation)");
  const { EAGAIN, EINTR } = koffi.os.errno;
  return (fd) => {
    if (call(fd, LOCK_EX | LOCK_NB) === 0) return true;
    const code = koffi.errno();
    if (code === EAGAIN || code === EINTR) return false;
    throw new FileError(
      `The file system gives no lock (error ${code}).`,
      "Use a configuration directory on a local disk.",
    );
  };
}
