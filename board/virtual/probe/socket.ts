/** A Unix socket that only its owner can reach, from its first moment on, in the place of one that a killed process left behind. */
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync, type Stats, statSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname, join } from "node:path";

/** Bytes of a socket's path that every system takes. */
const PATH_MAX = 103;
/** What is added while the socket is made. */
const MAKING = ".XXXXXX/s";

/** @returns what removes the socket, which Node would look for elsewhere @throws Error that says why it cannot listen there */
export async function listenAlone(server: Server, path: string): Promise<() => void> {
  if (Buffer.byteLength(path) + MAKING.length > PATH_MAX)
    throw new Error(`cannot listen on ${path}: ${PATH_MAX - MAKING.length} bytes are the most for a socket's path`);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined) {
    if (!found.isSocket()) throw new Error(`cannot listen on ${path}: it is there and no socket; name another path`);
    if (await answers(path)) throw new Error(`cannot listen on ${path}: another process does; end it, or name another`);
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(`${path}.`); // for the owner alone, whatever the folder around it is
  try {
    const own = join(folder, "s");
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(new Error(`cannot listen on ${path}: ${error.message}`)));
      server.listen(own, resolve);
    });
    chmodSync(own, 0o600);
    renameSync(own, path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const made = statSync(path);
  return () => {
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there !== undefined && same(there, made)) rmSync(path, { force: true });
  };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function same(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}
