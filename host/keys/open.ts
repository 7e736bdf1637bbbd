/** Opens the store of operator keys that the setting `keys` names. */
import { FileStore } from "./file.js";
import { KeyringError, KeyringStore } from "./keyring.js";
import { isNext, type KeySetting, type KeyStore, type Place } from "./keys.js";

/** @param directory the configuration directory  @param warn is told once when the keyring does not work and files are used instead */
export function openKeys(setting: KeySetting, directory: string, warn: (text: string) => void): KeyStore {
  const file = new FileStore(directory);
  if (setting === "file") return file;
  const keyring = new KeyringStore();
  return setting === "keyring" ? keyring : new AutoStore(keyring, file, warn);
}

/** The keyring when it works, files otherwise. A key is in one of them: what a put leaves in the file is newer than the keyring's. */
export class AutoStore implements KeyStore {
  readonly #keyring: KeyStore;
  readonly #file: KeyStore;
  readonly #warn: (text: string) => void;
  #warned = false;

  constructor(keyring: KeyStore, file: KeyStore, warn: (text: string) => void) {
    this.#keyring = keyring;
    this.#file = file;
    this.#warn = warn;
  }

  async put(instance: Uint8Array, id: string, key: Uint8Array): Promise<Place> {
    const done = await this.#try(() => this.#keyring.put(instance, id, key));
    if (done === undefined) return this.#file.put(instance, id, key);
    await this.#file.remove(instance, id);
    return done;
  }

  async get(instance: Uint8Array, id: string): Promise<Uint8Array | undefined> {
    const isSought = !isNext(id); // a key that waits is looked for in passing, and is not missed
    const fromFile = await this.#file.get(instance, id);
    return fromFile ?? (await this.#try(() => this.#keyring.get(instance, id), isSought));
  }

  async remove(instance: Uint8Array, id: string): Promise<boolean> {
    const fromFile = await this.#file.remove(instance, id);
    const fromKeyring = await this.#try(() => this.#keyring.remove(instance, id), false);
    return fromFile || fromKeyring === true;
  }

  /** @returns undefined when the keyring does not work, which is said once */
  async #try<T>(use: () => Promise<T>, isTold = true): Promise<T | undefined> {
    try {
      return await use();
    } catch (error) {
      if (!(error instanceof KeyringError)) throw error;
      if (isTold && !this.#warned) {
        this.#warned = true;
        this.#warn(`${error.message} Keys are kept in files that only you can read. (mbs config set keys file)`);
      }
      return undefined;
    }
  }
}
