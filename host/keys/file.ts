/** Keys in files: <config>/keys/<instance>/<id>.key, mode 0600 in directories of 0700, each one line as text.ts makes it.
 *  Files and directories that other users can read are refused, not mended: nobody knows who has read them. */
import { constants } from "node:fs";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { checkPrivate, makePrivate, writeWhole } from "../atomic.js";
import { FileError } from "../client/errors.js";
import { type KeyStore, keyName, type Place } from "./keys.js";
import { formatKey, parseKey } from "./text.js";

export class FileStore implements KeyStore {
  readonly #root: string;

  /** @param directory the configuration directory */
  constructor(directory: string) {
    this.#root = join(directory, "keys");
  }

  async put(instance: Uint8Array, id: string, key: Uint8Array): Promise<Place> {
    const [device, name] = keyName(instance, id);
    await makePrivate(this.#root);
    await makePrivate(join(this.#root, device));
    await writeWhole(this.#path(device, name), `${formatKey(key)}\n`);
    return "file";
  }

  async get(instance: Uint8Array, id: string): Promise<Uint8Array | undefined> {
    const [device, name] = keyName(instance, id);
    const path = this.#path(device, name);
    const file = await openKey(path);
    if (file === undefined) return undefined;
    try {
      for (const directory of [this.#root, join(this.#root, device)])
        checkPrivate(directory, await stat(directory), "700");
      checkPrivate(path, await file.stat(), "600");
      return parseKey(await file.readFile("latin1"), path);
    } finally {
      await file.close();
    }
  }

  async remove(instance: Uint8Array, id: string): Promise<boolean> {
    try {
      await rm(this.#path(...keyName(instance, id)));
      return true;
    } catch (cause) {
      if (isMissing(cause)) return false;
      throw new FileError(`A key cannot be removed: ${(cause as Error).message}.`, "", { cause });
    }
  }

  #path(device: string, name: string): string {
    return join(this.#root, device, `${name}.key`);
  }
}

/** A link is not followed: it could lead to what another user writes. */
async function openKey(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new FileError(`${path} cannot be read: ${(cause as Error).message}.`, "", { cause });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
