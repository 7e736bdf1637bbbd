/** The configuration password: MBS_CONFIG_PASSWORD, or 32 random bytes in the system keyring, made at first use. Each configuration root
 *  has its own, kept under the salt of its file, so that a root may be moved. What it comes to is derived once for each salt and process. */
import { randomBytes, scrypt } from "node:crypto";
import { FileError } from "../client/errors.js";
import { KeyringError, KeyringStore } from "../keys/keyring.js";
import type { KeyStore } from "../keys/keys.js";

// 32 MiB, so that eight programs at once, or a file of any size being encrypted, stay within the memory that mbs promises; three
// rounds of it (RFC 7914) are three quarters of the work of one with N = 2^17, which takes 128 MiB.
const SCRYPT = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1024 * 1024 };
const KEY_SIZE = 32;
const KEYRING_ID = "config";
const VARIABLE = "MBS_CONFIG_PASSWORD";

type Environment = Readonly<Record<string, string | undefined>>;
/** Makes 32 bytes of a password and a salt, slowly. */
export type Stretch = (password: Uint8Array, salt: Uint8Array) => Promise<Uint8Array>;

/** There is no password to be had. */
export class PasswordError extends FileError {}

export class ConfigPassword {
  readonly #env: Environment;
  readonly #keyring: KeyStore;
  readonly #stretch: Stretch;
  readonly #derived = new Map<string, Promise<Uint8Array>>();

  constructor(env: Environment, keyring: KeyStore = new KeyringStore(), stretch: Stretch = stretchScrypt) {
    this.#env = env;
    this.#keyring = keyring;
    this.#stretch = stretch;
  }

  /** What the password and a salt come to: 32 bytes that stay with this object.
   *  @param isNew nothing is under this salt yet, so a password may be made. @throws PasswordError */
  derive(salt: Uint8Array, isNew = false): Promise<Uint8Array> {
    const name = Buffer.from(salt).toString("hex");
    let made = this.#derived.get(name);
    if (made === undefined) {
      made = this.#make(salt, isNew);
      this.#derived.set(name, made);
      made.catch(() => this.#derived.delete(name)); // a keyring may be unlocked by the next time
    }
    return made;
  }

  /** Wipes what was derived. */
  async close(): Promise<void> {
    const all = [...this.#derived.values()];
    this.#derived.clear();
    for (const made of all) (await made.catch(() => undefined))?.fill(0);
  }

  async #make(salt: Uint8Array, isNew: boolean): Promise<Uint8Array> {
    const password = await this.#password(salt, isNew);
    try {
      return await this.#stretch(password, salt);
    } finally {
      password.fill(0);
    }
  }

  async #password(salt: Uint8Array, isNew: boolean): Promise<Uint8Array> {
    const text = this.#env[VARIABLE];
    if (text) return Buffer.from(text, "utf8");
    try {
      const found = await this.#keyring.get(salt, KEYRING_ID);
      if (found !== undefined) return found;
      if (isNew) {
        const made = randomBytes(KEY_SIZE);
        await this.#keyring.put(salt, KEYRING_ID, made);
        return made;
      }
    } catch (cause) {
      if (!(cause instanceof KeyringError)) throw cause;
      throw new PasswordError(
        `There is no configuration password: ${VARIABLE} is not set. ${cause.message}`,
        `Set ${VARIABLE}, or unlock the system keyring.`,
        { cause },
      );
    }
    throw new PasswordError(
      `The system keyring has no password for what is kept in this configuration directory, and ${VARIABLE} is not set.`,
      `Set ${VARIABLE} to the password that it was made with, or use the keyring of that time.`,
    );
  }
}

/** Takes a tenth of a second and 32 MiB. */
export function stretchScrypt(password: Uint8Array, salt: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, KEY_SIZE, SCRYPT, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}
