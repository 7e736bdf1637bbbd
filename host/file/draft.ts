/** A file that gets its name when it is whole and right. Until then it is a draft in the same folder, of mode 0600; after a failure it is
 *  gone. Without `force` nothing is overwritten, also not what appears in the meantime. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import * as system from "node:fs/promises";
import { dirname, join } from "node:path";
import { FileError } from "../client/errors.js";
import { cannotWrite, type Output } from "./output.js";

/** What a draft asks of the file system; tests bring disks that are full. */
export type Disk = Pick<typeof system, "access" | "open" | "link" | "rename" | "rm" | "lstat">;

export interface DraftOptions {
  /** Where the file will be. A function: in the folder that stands here, under what the function makes of the file's stored name. */
  readonly path: string | { readonly folder: string; name(stored: Uint8Array): string };
  /** Takes the place of a file that is there. */
  readonly force: boolean;
  /** What to do when the name is taken. */
  readonly advice: string;
}

export class Draft implements Output {
  /** The final name, once the file has it. */
  path: string | undefined;
  readonly #options: DraftOptions;
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #draft: string;
  #file: system.FileHandle | undefined;
  #isClosed = false;

  constructor(options: DraftOptions, disk: Disk = system) {
    this.#options = options;
    this.#disk = disk;
    this.#folder = typeof options.path === "string" ? dirname(options.path) : options.path.folder;
    this.#draft = join(this.#folder, `.mbs-${randomBytes(6).toString("hex")}.new`);
  }

  /** Says early what finish() would say at the end. @throws FileError */
  async check(): Promise<void> {
    const { path, force } = this.#options;
    await this.#disk.access(this.#folder, constants.W_OK).catch((cause) => {
      throw cannotWrite(`into ${this.#folder}`, cause);
    });
    if (typeof path !== "string") return;
    if (path === "" || path.endsWith("/")) throw noFile(path);
    const found = await this.#disk.lstat(path).catch((cause) => {
      if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cannotWrite(path, cause);
    });
    if (found?.isDirectory()) throw noFile(path);
    if (found && !force) throw this.#exists(path);
  }

  async begin(): Promise<void> {
    try {
      this.#file = await this.#disk.open(this.#draft, "wx", 0o600);
    } catch (cause) {
      throw cannotWrite(`into ${this.#folder}`, cause as Error);
    }
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    let rest = [...pieces];
    try {
      while (rest.length > 0) {
        const { bytesWritten } = await this.#file!.writev(rest);
        rest = without(rest, bytesWritten);
      }
    } catch (cause) {
      throw cannotWrite(this.#target, cause as Error);
    }
  }

  async finish(name: Uint8Array = new Uint8Array(0)): Promise<void> {
    const { path, force } = this.#options;
    const target = typeof path === "string" ? path : join(path.folder, path.name(name));
    try {
      await this.#file!.sync();
      await this.#close();
      if (force) await this.#disk.rename(this.#draft, target);
      else await this.#publish(target);
    } catch (cause) {
      if (cause instanceof FileError) throw cause;
      throw cannotWrite(target, cause as Error);
    }
    this.path = target;
    await this.#keep(target);
  }

  async abandon(): Promise<void> {
    if (this.#file === undefined) return;
    await this.#close().catch(() => {});
    if (this.path === undefined) await this.#disk.rm(this.#draft, { force: true });
  }

  /** Errors name the file that was to be, not the draft. */
  get #target(): string {
    const { path } = this.#options;
    return typeof path === "string" ? path : `into ${path.folder}`;
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#file!.close();
  }

  #exists(path: string): FileError {
    return new FileError(`${path} exists already and was left as it is.`, this.#options.advice);
  }

  /** A second name for the draft fails when the name is taken, whoever took it and when; then the first name goes. */
  async #publish(target: string): Promise<void> {
    try {
      await this.#disk.link(this.#draft, target);
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? "";
      if (code === "EEXIST") throw this.#exists(target);
      if (!NO_LINKS.has(code)) throw cause;
      return this.#publishByRename(target);
    }
    await this.#disk.rm(this.#draft, { force: true }).catch(() => {});
  }

  /** Where files have one name only: an empty file takes the name, and the draft its place. */
  async #publishByRename(target: string): Promise<void> {
    try {
      await (await this.#disk.open(target, "wx", 0o600)).close();
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "EEXIST") throw this.#exists(target);
      throw cause;
    }
    try {
      await this.#disk.rename(this.#draft, target);
    } catch (cause) {
      await this.#disk.rm(target, { force: true });
      throw cause;
    }
  }

  /** Makes the name last through a power cut, where the system can do that. */
  async #keep(target: string): Promise<void> {
    if (process.platform === "win32") return;
    try {
      const folder = await this.#disk.open(this.#folder, "r");
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    } catch (cause) {
      if (NO_SYNC.has((cause as NodeJS.ErrnoException).code ?? "")) return;
      throw new FileError(
        `${target} is written in full, but the disk does not confirm that it keeps its name.`,
        "Look at the disk before you rely on the file.",
        { cause },
      );
    }
  }
}

const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);
const NO_SYNC = new Set(["EINVAL", "ENOTSUP", "EACCES"]);

function noFile(path: string): FileError {
  return new FileError(`Cannot write "${path}": it is no name of a file.`, "Name a file.");
}

/** The pieces without their first `bytes` bytes: a disk may take less than it is given. */
function without(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const rest = [...pieces];
  let left = bytes;
  while (rest.length > 0 && left >= rest[0]!.length) left -= rest.shift()!.length;
  if (left > 0) rest[0] = rest[0]!.subarray(left);
  return rest;
}
