/** Where operator keys are kept: their text form, files, the system keyring, the list of operators, the environment. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { withLock } from "../../host/atomic.js";
import { trustIdentity } from "../../host/cli/known-devices.js";
import { FileError, UsageError } from "../../host/client/errors.js";
import { readConfig, writeSetting } from "../../host/config.js";
import { operatorFrom, operatorIdFrom } from "../../host/keys/environment.js";
import { FileStore } from "../../host/keys/file.js";
import {
  forgetDevice,
  forgetOperator,
  type KnownOperator,
  knownOperators,
  rememberOperator,
} from "../../host/keys/index.js";
import { type Binding, KeyringError, KeyringStore } from "../../host/keys/keyring.js";
import { type KeyStore, nextOf } from "../../host/keys/keys.js";
import { AutoStore, openKeys } from "../../host/keys/open.js";
import { formatKey, parseKey } from "../../host/keys/text.js";
import { workDirectory } from "./keys.js";
import { random } from "./random.js";

const work = workDirectory();
let count = 0;
const fresh = () => join(work, `config ${count++}`);
const instance = Buffer.alloc(16, 0x15);
const hex = "15".repeat(16);
const key = (fill: number) => new Uint8Array(32).fill(fill);

describe("formatKey", () => {
  it("writes a known key in the known way", () => {
    const known = Uint8Array.from({ length: 32 }, (_, i) => i);
    const text = formatKey(known);
    expect(text).toBe("mbs1-aaaqeaye-audaocaj-bifqydio-b4ibceqt-cqkrmfyy-denbwha5-dyptfech");
  });

  it("is undone by parseKey, whatever case, spaces and grouping", () => {
    const { below, seed } = random();
    for (let i = 0; i < 200; i++) {
      const bytes = Uint8Array.from({ length: 32 }, () => below(256));
      const text = formatKey(bytes);
      for (const form of [text, text.toUpperCase(), text.replaceAll("-", ""), ` ${text.replaceAll("-", " ")}\n`])
        expect(parseKey(form, "test"), seed).toEqual(bytes);
    }
  });
});

describe("parseKey", () => {
  const text = formatKey(key(7));

  it("notices every single wrong character, and every two that changed places", () => {
    for (let at = 5; at < text.length; at++) {
      if (text[at] === "-") continue;
      const other = text[at] === "a" ? "b" : "a";
      expect(() => parseKey(text.slice(0, at) + other + text.slice(at + 1), "test")).toThrow("checksum");
      const next = text[at + 1];
      if (next === undefined || next === "-" || next === text[at]) continue;
      expect(() => parseKey(text.slice(0, at) + next + text[at] + text.slice(at + 2), "test")).toThrow("checksum");
    }
  });

  it.each([
    ["nothing", ""],
    ["another beginning", text.replace("mbs1", "mbs2")],
    ["a character too few", text.slice(0, -1)],
    ["a character too many", `${text}a`],
    ["a digit that keys do not have", `${text.slice(0, -1)}1`],
  ])("refuses %s, and repeats nothing of it", (_, wrong) => {
    let error: unknown;
    try {
      parseKey(wrong, "standard input");
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(FileError);
    const { message, hint } = error as FileError;
    expect(message).toContain("standard input");
    for (const group of text.split("-").slice(1)) expect(message + hint).not.toContain(group);
  });
});

describe.each<[string, () => KeyStore]>([
  ["FileStore", () => new FileStore(fresh())],
  ["KeyringStore", () => inMemory()],
  ["AutoStore", () => new AutoStore(inMemory(), new FileStore(fresh()), () => {})],
])("%s", (_, open) => {
  it("keeps keys apart by device and operator, replaces them and removes them", async () => {
    const store = open();
    const other = Buffer.alloc(16, 0x16);
    expect(await store.get(instance, "admin")).toBeUndefined();
    expect(await store.remove(instance, "admin")).toBe(false);
    await store.put(instance, "admin", key(1));
    await store.put(other, "admin", key(2));
    await store.put(instance, "a.b_c-d9", key(3));
    await store.put(instance, nextOf("admin"), key(4));
    await store.put(instance, "a.b_c-d9", key(5));
    expect(await store.get(instance, "admin")).toEqual(key(1));
    expect(await store.get(other, "admin")).toEqual(key(2));
    expect(await store.get(instance, "a.b_c-d9")).toEqual(key(5));
    expect(await store.get(instance, nextOf("admin"))).toEqual(key(4));
    expect(await store.remove(instance, "admin")).toBe(true);
    expect(await store.get(instance, "admin")).toBeUndefined();
    expect(await store.get(other, "admin")).toEqual(key(2));
  });

  it.each(["", "../admin", "a/b", "Admin", "elevenchars", "+next"])("refuses the id %j", async (id) => {
    await expect(open().put(instance, id, key(1))).rejects.toThrow(UsageError);
    await expect(open().get(instance, id)).rejects.toThrow(UsageError);
  });
});

describe("FileStore", () => {
  const modeOf = (path: string) => statSync(path).mode & 0o777;

  it("writes 0600 files in 0700 directories, whatever the umask, and leaves nothing else behind", async () => {
    const directory = fresh();
    const before = process.umask(0);
    try {
      await new FileStore(directory).put(instance, "admin", key(1));
      await new FileStore(directory).put(instance, "admin", key(2));
    } finally {
      process.umask(before);
    }
    expect(modeOf(join(directory, "keys"))).toBe(0o700);
    expect(modeOf(join(directory, "keys", hex))).toBe(0o700);
    expect(readdirSync(join(directory, "keys", hex))).toEqual(["admin.key"]);
    expect(modeOf(join(directory, "keys", hex, "admin.key"))).toBe(0o600);
    expect(readFileSync(join(directory, "keys", hex, "admin.key"), "utf8")).toBe(`${formatKey(key(2))}\n`);
  });

  it.each([
    ["a file that the group can read", 0o640, "admin.key", "600"],
    ["a file that everybody can read", 0o604, "admin.key", "600"],
    ["a directory that others can write", 0o702, "", "700"],
    ["a directory that others can enter", 0o710, "", "700"],
  ])("refuses %s, and says how to close it", async (_, mode, name, closed) => {
    const directory = fresh();
    const store = new FileStore(directory);
    await store.put(instance, "admin", key(1));
    const path = join(directory, "keys", hex, name);
    chmodSync(path, mode);
    await expect(store.get(instance, "admin")).rejects.toMatchObject({
      name: "FileError",
      hint: expect.stringContaining(`chmod ${closed}`),
    });
    chmodSync(path, name === "" ? 0o700 : 0o600);
    expect(await store.get(instance, "admin")).toEqual(key(1));
  });

  it("does not write into a directory that others can enter", async () => {
    const directory = fresh();
    mkdirSync(join(directory, "keys"), { recursive: true });
    chmodSync(join(directory, "keys"), 0o755);
    await expect(new FileStore(directory).put(instance, "admin", key(1))).rejects.toThrow("open to other users");
    expect(readdirSync(join(directory, "keys"))).toEqual([]);
  });

  it("does not follow a link", async () => {
    const directory = fresh();
    const store = new FileStore(directory);
    await store.put(instance, "admin", key(1));
    symlinkSync(join(directory, "keys", hex, "admin.key"), join(directory, "keys", hex, "user.key"));
    await expect(store.get(instance, "user")).rejects.toThrow(FileError);
  });

  it("refuses a file that was cut short or changed", async () => {
    const directory = fresh();
    const store = new FileStore(directory);
    await store.put(instance, "admin", key(1));
    const path = join(directory, "keys", hex, "admin.key");
    const text = readFileSync(path, "utf8");
    for (const damaged of ["", text.slice(0, 20), text.replace(/.\n$/, "q\n")]) {
      writeFileSync(path, damaged);
      await expect(store.get(instance, "admin")).rejects.toThrow("no operator key");
    }
  });

  it("shows a reader one whole key or another while two programs write", async () => {
    const directory = fresh();
    const [one, two, reader] = [new FileStore(directory), new FileStore(directory), new FileStore(directory)];
    await one.put(instance, "admin", key(1));
    let writing = true;
    const writers = Promise.all(
      [one, two].map(async (store, i) => {
        for (let round = 0; round < 30; round++) await store.put(instance, "admin", key(1 + ((round + i) % 4)));
      }),
    ).finally(() => {
      writing = false;
    });
    let reads = 0;
    for (; writing; reads++) {
      const found = await reader.get(instance, "admin");
      expect(found).toEqual(key(found![0]!));
    }
    await writers;
    expect(reads).toBeGreaterThan(5);
    expect(readdirSync(join(directory, "keys", hex))).toEqual(["admin.key"]);
  });
});

/** A keyring in memory with the shape of @napi-rs/keyring. */
function fakeKeyring() {
  const items = new Map<string, string>();
  const state = { locked: false };
  class AsyncEntry {
    readonly #name: string;
    constructor(service: string, user: string, options: { linux: { store: string } }) {
      if (options.linux.store !== "secret-service") throw new Error("the kernel's keyring forgets");
      this.#name = `${service} ${user}`;
    }
    async setPassword(text: string) {
      if (state.locked) throw new Error("unlock prompt was dismissed\nsecond line");
      items.set(this.#name, text);
    }
    async getPassword() {
      if (state.locked) throw new Error("unlock prompt was dismissed");
      return items.get(this.#name) ?? null;
    }
    async deletePassword() {
      if (state.locked) throw new Error("unlock prompt was dismissed");
      return items.delete(this.#name);
    }
  }
  const binding: Binding = { AsyncEntry };
  return { binding, items, state };
}

function inMemory(): KeyringStore {
  const { binding } = fakeKeyring();
  return new KeyringStore(async () => binding);
}

describe("KeyringStore", () => {
  it("keeps a key as text under service mbs and instance/id", async () => {
    const { binding, items } = fakeKeyring();
    expect(await new KeyringStore(async () => binding).put(instance, "admin", key(1))).toBe("keyring");
    expect([...items]).toEqual([[`mbs ${hex}/admin`, formatKey(key(1))]]);
  });

  it("says why when the keyring does not work, and what else there is", async () => {
    const { binding, state } = fakeKeyring();
    state.locked = true;
    const put = new KeyringStore(async () => binding).put(instance, "admin", key(1));
    await expect(put).rejects.toThrow(KeyringError);
    await expect(put).rejects.toMatchObject({
      message: "The system keyring does not work: unlock prompt was dismissed.",
      hint: expect.stringContaining("mbs config set keys file"),
    });
  });

  it("says so when the native package is missing, and loads nothing before a key is asked for", async () => {
    let loaded = 0;
    const store = new KeyringStore(async () => {
      loaded++;
      throw new Error("Cannot find native binding.");
    });
    expect(loaded).toBe(0);
    await expect(store.get(instance, "admin")).rejects.toThrow("is not installed");
    expect(loaded).toBe(1);
  });
});

describe("AutoStore", () => {
  const open = () => {
    const said: string[] = [];
    const keyring = fakeKeyring();
    const file = new FileStore(fresh());
    const store = new AutoStore(new KeyringStore(async () => keyring.binding), file, (text) => said.push(text));
    return { said, keyring, file, store };
  };

  it("takes the keyring while it works", async () => {
    const { said, file, store } = open();
    expect(await store.put(instance, "admin", key(1))).toBe("keyring");
    expect(await file.get(instance, "admin")).toBeUndefined();
    expect(said).toEqual([]);
  });

  it("takes files when it does not, and says so once", async () => {
    const { said, keyring, store } = open();
    keyring.state.locked = true;
    expect(await store.put(instance, "admin", key(1))).toBe("file");
    expect(await store.put(instance, "user", key(2))).toBe("file");
    expect(await store.get(instance, "nobody")).toBeUndefined();
    expect(await store.get(instance, "admin")).toEqual(key(1));
    expect(said).toEqual([expect.stringContaining("Keys are kept in files")]);
  });

  it("never gives out an older key than the one that was put last", async () => {
    const { keyring, store, file } = open();
    await store.put(instance, "admin", key(1));
    keyring.state.locked = true;
    await store.put(instance, "admin", key(2));
    keyring.state.locked = false;
    expect(await store.get(instance, "admin")).toEqual(key(2));
    await store.put(instance, "admin", key(3));
    expect(await store.get(instance, "admin")).toEqual(key(3));
    expect(await file.get(instance, "admin")).toBeUndefined();
  });

  it("does not hide a damaged key", async () => {
    const { keyring, store } = open();
    await store.put(instance, "admin", key(1));
    keyring.items.set(`mbs ${hex}/admin`, "nonsense");
    await expect(store.get(instance, "admin")).rejects.toThrow("no operator key");
  });
});

describe("openKeys", () => {
  it("opens what the setting names", async () => {
    const directory = fresh();
    expect(openKeys("file", directory, () => {})).toBeInstanceOf(FileStore);
    expect(openKeys("keyring", directory, () => {})).toBeInstanceOf(KeyringStore);
    expect(openKeys("auto", directory, () => {})).toBeInstanceOf(AutoStore);
  });

  it("is chosen by a setting that takes auto, keyring and file alone", async () => {
    const directory = fresh();
    for (const value of ["auto", "keyring", "file"]) {
      await writeSetting(directory, "keys", value);
      expect(await readConfig(directory)).toEqual({ keys: value });
    }
    await expect(writeSetting(directory, "keys", "cloud")).rejects.toThrow(UsageError);
    expect(await readConfig(directory)).toEqual({ keys: "file" });
  });
});

describe("operators.toml", () => {
  const admin: KnownOperator = { instance: hex, id: "admin", role: "admin", store: "keyring" };

  it("remembers operators by device, replaces and forgets them", async () => {
    const directory = fresh();
    expect(await knownOperators(directory)).toEqual([]);
    await rememberOperator(directory, admin);
    await rememberOperator(directory, { ...admin, id: "user", role: "user" });
    await rememberOperator(directory, { ...admin, instance: "16".repeat(16) });
    await rememberOperator(directory, { ...admin, store: "file" });
    expect(await knownOperators(directory, instance)).toEqual([
      { ...admin, store: "file" },
      { ...admin, id: "user", role: "user" },
    ]);
    await forgetOperator(directory, { instance: hex, id: "user" });
    await forgetOperator(directory, { instance: hex, id: "user" });
    expect(await knownOperators(directory)).toHaveLength(2);
    expect(await forgetDevice(directory, instance)).toEqual([{ ...admin, store: "file" }]);
    expect(await knownOperators(directory)).toEqual([{ ...admin, instance: "16".repeat(16) }]);
    expect(statSync(join(directory, "operators.toml")).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(["operators.toml"]);
  });

  it("loses nobody when many programs add at the same time", async () => {
    const directory = fresh();
    const ids = Array.from({ length: 25 }, (_, i) => `op${i}`);
    await Promise.all(ids.map((id) => rememberOperator(directory, { ...admin, id })));
    expect((await knownOperators(directory)).map(({ id }) => id).sort()).toEqual(ids.sort());
    expect(existsSync(join(directory, "operators.toml.lock"))).toBe(false);
  });

  it("takes over a lock that was left behind", async () => {
    const directory = fresh();
    await rememberOperator(directory, admin);
    const lock = join(directory, "operators.toml.lock");
    writeFileSync(lock, "");
    utimesSync(lock, 1, 1);
    await rememberOperator(directory, { ...admin, id: "user" });
    expect(await knownOperators(directory)).toHaveLength(2);
  });

  it("loses nobody when many programs find a lock that was left behind", async () => {
    for (let round = 0; round < 10; round++) {
      const directory = fresh();
      mkdirSync(directory);
      const lock = join(directory, "operators.toml.lock");
      writeFileSync(lock, "");
      utimesSync(lock, 1, 1);
      await Promise.all(Array.from({ length: 24 }, (_, i) => rememberOperator(directory, { ...admin, id: `o${i}` })));
      expect(await knownOperators(directory)).toHaveLength(24);
      expect(readdirSync(directory)).toEqual(["operators.toml"]);
    }
  });

  it("takes no folder for a lock, and gives back only its own", async () => {
    const directory = fresh();
    mkdirSync(join(directory, "operators.toml.lock"), { recursive: true });
    await expect(rememberOperator(directory, admin)).rejects.toThrow(FileError);
    const lock = join(directory, "l");
    await withLock(lock, async () => {
      rmSync(lock);
      writeFileSync(lock, "another program's");
    });
    expect(existsSync(lock)).toBe(true);
  });

  it("remembers no role that could not be read again", async () => {
    const directory = fresh();
    await expect(rememberOperator(directory, { ...admin, role: "8" as "admin" })).rejects.toThrow(FileError);
    expect(await knownOperators(directory)).toEqual([]);
  });

  it.each([
    ["a device id that is too short", 'instance = "15"\nid = "a"\nrole = "admin"\nstore = "file"', "line 2"],
    ["an id that no operator has", `instance = "${hex}"\nid = "A"\nrole = "admin"\nstore = "file"`, "line 3"],
    ["an unknown role", `instance = "${hex}"\nid = "a"\nrole = "root"\nstore = "file"`, "auditor, user, admin"],
    ["an unknown store", `instance = "${hex}"\nid = "a"\nrole = "admin"\nstore = "cloud"`, "keyring, file"],
    [
      "a field that does not belong there",
      `instance = "${hex}"\nid = "a"\nrole = "admin"\nstore = "file"\nkey = "x"`,
      "key",
    ],
  ])("refuses %s", async (_, fields, told) => {
    const directory = fresh();
    mkdirSync(directory);
    writeFileSync(join(directory, "operators.toml"), `[[operator]]\n${fields}\n`);
    await expect(knownOperators(directory)).rejects.toThrow(told);
  });
});

describe("trustIdentity", () => {
  it("forgets none of many identities that are seen at the same time", async () => {
    const directory = fresh();
    const see = (i: number, identity: Uint8Array) => trustIdentity(directory, Buffer.alloc(16, i), identity, false);
    const devices = Array.from({ length: 8 }, (_, i) => i + 1);
    await Promise.all(devices.map((i) => see(i, key(i))));
    for (const i of devices) await expect(see(i, key(0x66))).rejects.toThrow("HAS CHANGED");
  });
});

describe("operatorFrom", () => {
  it("gives id and key when both are set", () => {
    const env = { MBS_OPERATOR: "admin", MBS_OPERATOR_KEY: formatKey(key(1)) };
    expect(operatorFrom(env)).toEqual({ id: "admin", key: key(1) });
    expect(operatorIdFrom(env)).toBe("admin");
  });

  it("gives nothing when there is no key", () => {
    expect(operatorFrom({})).toBeUndefined();
    expect(operatorFrom({ MBS_OPERATOR: "admin", MBS_OPERATOR_KEY: "" })).toBeUndefined();
  });

  it("refuses a mistyped key, an impossible id, and a key of nobody, without repeating the key", () => {
    const text = formatKey(key(1));
    const wrong = `${text.slice(0, -1)}${text.endsWith("a") ? "b" : "a"}`;
    expect(() => operatorFrom({ MBS_OPERATOR: "admin", MBS_OPERATOR_KEY: wrong })).toThrow(
      "MBS_OPERATOR_KEY: this is no operator key",
    );
    expect(() => operatorFrom({ MBS_OPERATOR: "Admin", MBS_OPERATOR_KEY: text })).toThrow(UsageError);
    expect(() => operatorFrom({ MBS_OPERATOR_KEY: text })).toThrow("does not say whose key");
  });
});

describe.skipIf(process.platform !== "linux")(
  "KeyringStore without Secret Service (only Linux has another store to fall back to)",
  () => {
    beforeAll(() => {
      process.env.DBUS_SESSION_BUS_ADDRESS = "unix:path=/nonexistent/mbs-test"; // of this process, which is this file's alone
    });

    it("fails instead of taking the kernel's keyring, which forgets", async () => {
      const store = new KeyringStore();
      for (let round = 0; round < 2; round++) {
        await expect(store.put(instance, "admin", key(1))).rejects.toThrow(KeyringError);
        await expect(store.get(instance, "admin")).rejects.toThrow(KeyringError);
      }
    });

    it("leaves keys to files when the setting is auto", async () => {
      const said: string[] = [];
      const store = openKeys("auto", fresh(), (text) => said.push(text));
      expect(await store.put(instance, "admin", key(1))).toBe("file");
      expect(await store.get(instance, "admin")).toEqual(key(1));
      expect(said).toHaveLength(1);
    });
  },
);
