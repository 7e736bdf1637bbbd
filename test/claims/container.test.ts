/** Files under the configuration password: what opens them, what is told apart, and where the password comes from. */
import { describe, expect, it } from "vitest";
import {
  CONTAINER_EXTRA,
  ContainerError,
  HEADER_SIZE,
  Kind,
  open,
  SALT_SIZE,
  seal,
} from "../../host/claims/container.js";
import { ConfigPassword } from "../../host/claims/password.js";
import { KeyringError, KeyringStore } from "../../host/keys/keyring.js";
import type { KeyStore } from "../../host/keys/keys.js";
import { noKeyring, quick } from "./rig.js";

const salt = new Uint8Array(SALT_SIZE).fill(7);
const content = Buffer.from("what nobody else should read");
const right = new ConfigPassword({ MBS_CONFIG_PASSWORD: "right" }, noKeyring, quick);
const wrong = new ConfigPassword({ MBS_CONFIG_PASSWORD: "wrong" }, noKeyring, quick);
const by = (password: ConfigPassword) => (of: Uint8Array) => password.derive(of);
const sealed = () => seal(Kind.ClaimCache, content, salt, by(right));
const opened = (bytes: Uint8Array, password = right) => open(Kind.ClaimCache, bytes, by(password), "FILE");

async function reason(bytes: Uint8Array, password = right): Promise<string> {
  const error = await opened(bytes, password).catch((error: unknown) => error);
  if (!(error instanceof ContainerError)) throw new Error("it was opened");
  expect(error.message).toMatch(/^FILE .*not changed\.$/);
  return error.reason;
}

describe("a container", () => {
  it("gives back what was sealed, nothing at all included", async () => {
    expect(await opened(await sealed())).toEqual(content);
    const empty = await seal(Kind.ClaimCache, new Uint8Array(0), salt, by(right));
    expect(empty.length).toBe(CONTAINER_EXTRA);
    expect((await opened(empty)).length).toBe(0);
  });

  it("is never the same twice, in its header behind the salt and in its content", async () => {
    const [one, two] = [await sealed(), await sealed()];
    expect(one.subarray(0, 24)).toEqual(two.subarray(0, 24));
    expect(one.subarray(24, 56)).not.toEqual(two.subarray(24, 56));
    expect(one.subarray(HEADER_SIZE)).not.toEqual(two.subarray(HEADER_SIZE));
    expect(one.includes(content.subarray(0, 8))).toBe(false);
  });

  it("tells the wrong password from damage, whichever bit it is", async () => {
    const good = await sealed();
    expect(await reason(good, wrong)).toBe("password");
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bad = Buffer.from(good);
      bad[bit >> 3]! ^= 1 << (bit & 7);
      const isVersion = bit >> 3 === 4 && bad[4]! > 1;
      expect(await reason(bad), `bit ${bit}`).toBe(isVersion ? "version" : "damaged");
      // the header is looked at before the password, the content behind it
      if (bit >> 3 >= HEADER_SIZE) expect(await reason(bad, wrong)).toBe("password");
    }
  });

  it("is damaged when it is cut or longer anywhere, without reading beyond it", async () => {
    const good = await sealed();
    for (let length = 0; length < good.length; length++)
      expect(await reason(good.subarray(0, length)), `${length} bytes`).toBe("damaged");
    expect(await reason(Buffer.concat([good, Buffer.of(0)]))).toBe("damaged");
  });

  it("is refused as another kind, and as one of a newer version", async () => {
    const other = await seal(2 as Kind, content, salt, by(right));
    expect(await reason(other)).toBe("damaged");
    const newer = await sealed();
    newer[4] = 2;
    expect(await reason(newer)).toBe("version");
  });
});

describe("the configuration password", () => {
  /** A keyring in memory. */
  function memory(): KeyStore & { kept: Map<string, Uint8Array> } {
    const kept = new Map<string, Uint8Array>();
    const name = (instance: Uint8Array, id: string) => `${Buffer.from(instance).toString("hex")}/${id}`;
    return {
      kept,
      put: async (instance, id, key) => {
        kept.set(name(instance, id), Uint8Array.from(key));
        return "keyring";
      },
      get: async (instance, id) => {
        const found = kept.get(name(instance, id));
        return found && Uint8Array.from(found);
      },
      remove: async (instance, id) => kept.delete(name(instance, id)),
    };
  }

  it("is MBS_CONFIG_PASSWORD where that is set, and no keyring is asked", async () => {
    expect(await right.derive(salt)).toEqual(await quick(Buffer.from("right"), salt));
  });

  it("is made of 32 random bytes at first use, kept in the keyring under the salt, and found there again", async () => {
    const keyring = memory();
    const first = await new ConfigPassword({ MBS_CONFIG_PASSWORD: "" }, keyring, quick).derive(salt, true);
    expect([...keyring.kept.keys()]).toEqual([`${"07".repeat(16)}/config`]);
    const [made] = [...keyring.kept.values()];
    expect(made!.length).toBe(32);
    expect(first).toEqual(await quick(made!, salt));
    expect(await new ConfigPassword({}, keyring, quick).derive(salt)).toEqual(first);
  });

  it("is in the system keyring under service mbs and the salt, as text of a key", async () => {
    const items = new Map<string, string>();
    class AsyncEntry {
      readonly #name: string;
      constructor(service: string, user: string) {
        this.#name = `${service} ${user}`;
      }
      setPassword = async (text: string) => void items.set(this.#name, text);
      getPassword = async () => items.get(this.#name) ?? null;
      deletePassword = async () => items.delete(this.#name);
    }
    const keyring = new KeyringStore(async () => ({ AsyncEntry }));
    const made = await new ConfigPassword({}, keyring, quick).derive(salt, true);
    expect([...items.keys()]).toEqual([`mbs ${"07".repeat(16)}/config`]);
    expect(await new ConfigPassword({}, keyring, quick).derive(salt)).toEqual(made);
  });

  it("is not made up for a file that there is", async () => {
    const keyring = memory();
    await expect(new ConfigPassword({}, keyring, quick).derive(salt)).rejects.toThrow(
      "has no password for what is kept",
    );
    expect(keyring.kept.size).toBe(0);
  });

  it("is an error that names both ways when there is neither, and is tried again later", async () => {
    let broken = true;
    const keyring = memory();
    const get = keyring.get;
    keyring.get = async (instance, id) => {
      if (broken) throw new KeyringError("The system keyring does not work: no bus.");
      return get(instance, id);
    };
    const password = new ConfigPassword({}, keyring, quick);
    const error = await password.derive(salt, true).catch((error) => error);
    expect(error).toMatchObject({
      code: "file",
      message:
        "There is no configuration password: MBS_CONFIG_PASSWORD is not set. The system keyring does not work: no bus.",
      hint: "Set MBS_CONFIG_PASSWORD, or unlock the system keyring.",
    });
    broken = false;
    expect((await password.derive(salt, true)).length).toBe(32);
  });

  it("is stretched once for each salt, however many ask, and wiped at the end", async () => {
    let stretched = 0;
    const password = new ConfigPassword({ MBS_CONFIG_PASSWORD: "right" }, noKeyring, async (text, of) => {
      stretched++;
      return quick(text, of);
    });
    const all = await Promise.all([1, 2, 3].map(() => password.derive(salt)));
    expect(stretched).toBe(1);
    await password.derive(new Uint8Array(SALT_SIZE));
    expect(stretched).toBe(2);
    await password.close();
    for (const made of all) expect(made.every((byte) => byte === 0)).toBe(true);
  });

  it("is stretched by scrypt with N = 32768, r = 8, p = 3", async () => {
    // openssl kdf -keylen 32 -kdfopt pass:right -kdfopt hexsalt:07…07 -kdfopt n:32768 -kdfopt r:8 -kdfopt p:3 SCRYPT
    const made = await new ConfigPassword({ MBS_CONFIG_PASSWORD: "right" }, noKeyring).derive(salt);
    expect(Buffer.from(made).toString("hex")).toBe(KNOWN);
  });
});

const KNOWN = "459221a97bc6a0073fdcc729fb4f4d1f3166677017d164f22be092db39c30cf5";
