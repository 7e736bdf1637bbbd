/** One file, written so that it lasts: new file, fsync, rename, fsync of the folder. The caller holds the lock, so the new file has one
 *  name, and what a killed program left under it is written over. */
import { constants } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory } from "../atomic.js";
import { FileError } from "../client/errors.js";

/** What is about to be done; tests stop it there. */
export type Step = "open" | "write" | "sync" | "rename" | "sync folder";

export class Disk {
  readonly #before: (step: Step, path: string) => void;

  /** @param before is called before each step; what it throws is the step's failure */
  constructor(before: (step: Step, path: string) => void = () => {}) {
    this.#before = before;
  }

  /** Makes the folder of a file, for this person alone. @throws FileError */
  async makeFolder(path: string): Promise<void> {
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw new FileError(`${dirname(path)} cannot be made: ${(cause as Error).message}.`, "", { cause });
    }
  }

  /** @param most bytes that it may have. @returns undefined when there is no such file. @throws FileError */
  async read(path: string, most: number): Promise<Buffer | undefined> {
    try {
      const { size } = await stat(path);
      if (size > most) throw new Error(`it has ${size} bytes, more than ${most}`);
      return await readFile(path);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw new FileError(`${path} cannot be read: ${(cause as Error).message}.`, "", { cause });
    }
  }

  /** Puts a file of mode 0600 in place of an older one. After an error the old one or the new one is there. @throws FileError */
  async replace(path: string, content: Uint8Array): Promise<void> {
    const draft = `${path}.new`;
    try {
      this.#before("open", path);
      await rm(draft, { force: true });
      const file = await open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
      try {
        this.#before("write", path);
        await file.writeFile(content);
        this.#before("sync", path);
        await file.sync();
      } finally {
        await file.close();
      }
      this.#before("rename", path);
      await rename(draft, path);
      this.#before("sync folder", path);
      await syncDirectory(dirname(path));
    } catch (cause) {
      await rm(draft, { force: true }).catch(() => {}); // the next write does it, if this one cannot
      throw new FileError(`${path} cannot be written: ${(cause as Error).message}.`, "", { cause });
    }
  }
}
