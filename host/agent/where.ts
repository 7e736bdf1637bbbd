/** Where the agent of a port listens: a Unix socket that only this user can reach, named after the port. */
import { createHash } from "node:crypto";
import { lstat, mkdir, realpath } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { FileError } from "../client/errors.js";
import type { Port } from "../ports.js";

const PATH_MAX = 103; // bytes of a socket's path that every system takes

type Environment = Readonly<Record<string, string | undefined>>;

/** XDG_RUNTIME_DIR when it is there and ours alone, else the configuration directory. Nothing is made here.
 *  @returns undefined when the path would be too long for a socket, so that no agent can be there */
export async function socketPath(port: Port, env: Environment, configDirectory: string): Promise<string | undefined> {
  const runtime = env.XDG_RUNTIME_DIR;
  const usable = runtime !== undefined && isAbsolute(runtime) && (await isPrivate(runtime));
  const name = createHash("sha256")
    .update(await portName(port))
    .digest("hex")
    .slice(0, 16);
  const path = join(usable ? join(runtime, "mbs") : join(configDirectory, "run"), `${name}.sock`);
  return Buffer.byteLength(path) > PATH_MAX ? undefined : path;
}

/** One text for one port, however it was written. */
async function portName(port: Port): Promise<string> {
  if (port.kind === "tcp") return `tcp:${port.host}:${port.port}`;
  return realpath(port.path).catch(() => port.path);
}

/** Makes the folder of a socket, for this user alone. @throws FileError when it is somebody else's */
export async function makeFolder(path: string): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (!(await isPrivate(folder)))
    throw new FileError(`${folder} can be used by others; no session is kept there.`, `chmod 700 ${folder}`);
}

/** Whether there is a socket. @throws FileError when it, or its folder, is not this user's alone: whoever made it could read keys */
export async function isSocket(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return false;
  if (found.isSocket() && (await isPrivate(path)) && (await isPrivate(dirname(path)))) return true;
  throw new FileError(
    `${path} is not a socket of this user alone; it is not used.`,
    "Remove it, if you know what it is.",
  );
}

/** Owned by this user, and nobody else may do anything. */
async function isPrivate(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found !== undefined && found.uid === process.getuid?.() && (found.mode & 0o077) === 0;
}
