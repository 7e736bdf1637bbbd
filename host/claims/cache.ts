/** The claim cache of a configuration root: one container with all its filekeys, <config>/claims.mbsc. A change holds the lock from
 *  reading to the file being on disk; what was changed and not saved is forgotten, and its positions with it. Nothing is remembered from
 *  one use to the next but the derived password. Relies on lock.ts, disk.ts, container.ts, state.ts. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { ContainerError, Kind, open, SALT_SIZE, saltOf, seal } from "./container.js";
import type { Core } from "./core.js";
import { Disk } from "./disk.js";
import { withExclusive } from "./lock.js";
import type { ConfigPassword } from "./password.js";
import { decodeState, encodeState, NewerStateError, type State, wipeState } from "./state.js";

const FILE_MOST = 64 * 1024 * 1024;

export class ClaimCache {
  readonly path: string;
  readonly #password: ConfigPassword;
  readonly #core: Core;
  readonly #disk: Disk;

  /** @param directory the configuration directory, which need not exist */
  constructor(directory: string, password: ConfigPassword, core: Core, disk: Disk = new Disk()) {
    this.path = join(directory, "claims.mbsc");
    this.#password = password;
    this.#core = core;
    this.#disk = disk;
  }

  /** Looks at the state without a lock: a rename shows the file before a change or after it. Secrets are wiped behind `use`. */
  async look<T>(use: (state: State) => T | Promise<T>): Promise<T> {
    const { state } = await this.#load();
    try {
      return await use(state);
    } finally {
      wipeState(state);
    }
  }

  /** Changes the state while nobody else does. Secrets are wiped behind `use`.
   *  @param use calls `save` when the state is to last; what it returns before is not on disk
   *  @throws FileError; after a failed save nothing of the change counts */
  async change<T>(use: (state: State, save: () => Promise<void>) => Promise<T>): Promise<T> {
    await this.#disk.makeFolder(this.path);
    await this.#derive(); // slow the first time, so that others need not wait for it
    return withExclusive(`${this.path}.lock`, async () => {
      const { state, salt } = await this.#load();
      try {
        return await use(state, () => this.#save(state, salt));
      } finally {
        wipeState(state);
      }
    });
  }

  /** Derives what the password comes to under the salt of the file, if there is one; it stays with the password. */
  async #derive(): Promise<void> {
    const bytes = await this.#disk.read(this.path, FILE_MOST);
    if (bytes !== undefined) await this.#password.derive(saltOf(Kind.ClaimCache, bytes, this.path));
  }

  /** @returns the state and the salt of the file; undefined: there is no file */
  async #load(): Promise<{ state: State; salt: Uint8Array | undefined }> {
    const bytes = await this.#disk.read(this.path, FILE_MOST);
    if (bytes === undefined) return { state: new Map(), salt: undefined };
    const salt = saltOf(Kind.ClaimCache, bytes, this.path);
    const content = await open(Kind.ClaimCache, bytes, (of) => this.#password.derive(of), this.path);
    try {
      return { state: decodeState(content, this.#core), salt };
    } catch (cause) {
      if (!(cause instanceof NewerStateError)) throw cause;
      throw new ContainerError(
        "version",
        `${this.path} was written by a newer mbs (content ${cause.message}). It was not changed.`,
        "Use that mbs, or a newer one.",
      );
    } finally {
      content.fill(0);
    }
  }

  async #save(state: State, salt: Uint8Array | undefined): Promise<void> {
    const content = encodeState(state);
    try {
      const isNew = salt === undefined;
      const derive = (of: Uint8Array) => this.#password.derive(of, isNew);
      const bytes = await seal(Kind.ClaimCache, content, salt ?? randomBytes(SALT_SIZE), derive);
      if (bytes.length > FILE_MOST) throw new RangeError("the claim cache is too large");
      await this.#disk.replace(this.path, bytes);
    } finally {
      content.fill(0);
    }
  }
}
