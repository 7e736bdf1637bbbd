/** Keys in the system keyring: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows. Relies on the package
 *  @napi-rs/keyring, which is loaded when a key is first asked for. Items: service "mbs", user "<instance>/<id>", text as text.ts makes it. */
import { FileError } from "../client/errors.js";
import { type KeyStore, keyName, type Place } from "./keys.js";
import { formatKey, parseKey } from "./text.js";

/** The part of @napi-rs/keyring that is used here. */
export interface Binding {
  AsyncEntry: new (
    service: string,
    user: string,
    // without it a Linux without Secret Service silently gets the kernel's keyring, which forgets everything at the next start
    options: { linux: { store: "secret-service" } },
  ) => {
    setPassword(text: string): Promise<void>;
    getPassword(): Promise<string | null>;
    deletePassword(): Promise<boolean>;
  };
}

/** The keyring does not work at all, whatever key is asked for. */
export class KeyringError extends FileError {}

const HINT = "Unlock the system keyring, or keep keys in files: mbs config set keys file";

export class KeyringStore implements KeyStore {
  readonly #load: () => Promise<Binding>;

  /** @param load gives the native package; tests give another one */
  constructor(load: () => Promise<Binding> = () => import("@napi-rs/keyring")) {
    this.#load = load;
  }

  async put(instance: Uint8Array, id: string, key: Uint8Array): Promise<Place> {
    const name = keyName(instance, id);
    await this.#use(name, (entry) => entry.setPassword(formatKey(key)));
    return "keyring";
  }

  async get(instance: Uint8Array, id: string): Promise<Uint8Array | undefined> {
    const name = keyName(instance, id);
    const text = await this.#use(name, (entry) => entry.getPassword());
    return text === null ? undefined : parseKey(text, `The system keyring, ${name.join("/")}`);
  }

  remove(instance: Uint8Array, id: string): Promise<boolean> {
    return this.#use(keyName(instance, id), (entry) => entry.deletePassword());
  }

  async #use<T>(
    name: readonly [string, string],
    use: (entry: InstanceType<Binding["AsyncEntry"]>) => Promise<T>,
  ): Promise<T> {
    const { AsyncEntry } = await this.#binding();
    try {
      return await use(new AsyncEntry("mbs", name.join("/"), { linux: { store: "secret-service" } }));
    } catch (cause) {
      throw new KeyringError(`The system keyring does not work: ${firstLine(cause)}.`, HINT, { cause });
    }
  }

  async #binding(): Promise<Binding> {
    try {
      return await this.#load();
    } catch (cause) {
      throw new KeyringError(
        `The system keyring cannot be used: @napi-rs/keyring for ${process.platform}-${process.arch} is not installed.`,
        "Run `npm run setup`, or keep keys in files: mbs config set keys file",
        { cause },
      );
    }
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]!.replace(/\.+$/, "");
}
