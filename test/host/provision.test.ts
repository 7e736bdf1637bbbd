/** Provisioning against a mock store: once, again, interrupted, changed. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { Client } from "../../host/client/client.js";
import { DeviceError } from "../../host/client/errors.js";
import type { Message } from "../../host/client/message.js";
import { type Manifest, parseManifest } from "../../host/manifest.js";
import {
  type Authority,
  credentialToken,
  type Done,
  dryRun,
  type Loaded,
  loadCredentials,
  manifestDigest,
  type OperatorKeys,
  provision,
} from "../../host/provision.js";
import { workDirectory } from "./keys.js";
import { MockDevice, MockWire } from "./mock-device.js";
import { MockStore } from "./mock-store.js";
import { VirtualTime } from "./virtual-time.js";

const directory = workDirectory();
const file = (name: string, content: string) => writeFileSync(join(directory, name), content);
const never = () => Promise.reject(new Error("nobody should ask"));

const credential = (name: string, more = "") => `[[credential]]\nlabel = "${name}"\nfile = "${name}"\n${more}`;
const manifestOf = (text: string) => parseManifest(`[instance]\nname = "test"\n${text}`, "m.toml");

async function load(text: string): Promise<[Manifest, Loaded[]]> {
  const manifest = manifestOf(text);
  return [manifest, await loadCredentials(manifest, directory, never)];
}

const named = (instance: Uint8Array, id: string) => `${Buffer.from(instance).toString("hex")} ${id}`;

/** Keys in memory, as a host that lost everything would not have them. */
class MemoryKeys implements OperatorKeys {
  readonly settled = new Map<string, Uint8Array>();
  readonly waits = new Map<string, Uint8Array>();
  /** How many are made, and settled, before this host "crashes". */
  room = Number.POSITIVE_INFINITY;
  settling = Number.POSITIVE_INFINITY;

  async get(instance: Uint8Array, id: string): Promise<Uint8Array | undefined> {
    return this.settled.get(named(instance, id));
  }

  async waiting(instance: Uint8Array, id: string): Promise<Uint8Array | undefined> {
    return this.waits.get(named(instance, id));
  }

  async make(instance: Uint8Array, id: string): Promise<Uint8Array> {
    if (this.room-- <= 0) throw new Error("the host crashed");
    const key = randomBytes(32);
    this.waits.set(named(instance, id), key);
    return key;
  }

  async settle(instance: Uint8Array, { id }: { id: string }, key: Uint8Array): Promise<void> {
    if (this.settling-- <= 0) throw new Error("the host crashed");
    this.settled.set(named(instance, id), key);
    this.waits.delete(named(instance, id));
  }

  async knows(instance: Uint8Array): Promise<boolean> {
    return [...this.settled.keys()].some((name) => name.startsWith(named(instance, "")));
  }

  get all(): Uint8Array[] {
    return [...this.settled.values(), ...this.waits.values()];
  }
}

function setUp() {
  const time = new VirtualTime();
  const store = new MockStore();
  const device = new MockDevice(time, { answer: (request) => store.answer(request) });
  const keys = new MemoryKeys();
  let asked = 0;
  const authority: Authority = {
    keys,
    setupCode: async () => {
      asked++;
      return store.session.setupCode;
    },
    admin: async ({ instance }) => {
      const key = await keys.get(instance, "admin");
      if (key === undefined) throw new Error("no admin here");
      return { id: "admin", key };
    },
  };
  const client = new Client(async () => new MockWire(time, device), { clock: time });
  const run = (manifest: Manifest, credentials: readonly Loaded[], progress?: (done: Done, count: number) => void) =>
    provision(client, manifest, credentials, authority, progress);
  const dry = (manifest: Manifest, credentials: readonly Loaded[]) => dryRun(client, manifest, credentials, authority);
  /** Asks as the admin: listings after provisioning, which may end with another operator's session. */
  const asAdmin = async () => {
    client.as(await authority.admin(await client.hello()));
    return client;
  };
  return { store, client, keys, run, dry, asAdmin, asked: () => asked };
}

for (const name of ["a", "b", "c"]) file(name, `secret ${name}`);
const OPERATORS = `[[operator]]
id = "look"
role = "auditor"
[[operator]]
id = "admin"
role = "admin"
[[operator]]
id = "admin2"
role = "admin"
`;
const ABC = credential("a") + credential("b") + credential("c");

describe("provision", () => {
  it("provisions a blank device and puts every credential, in order", async () => {
    const { store, run, asAdmin } = setUp();
    const [manifest, credentials] = await load(ABC);
    const seen: string[] = [];
    const { done } = await run(manifest, credentials, (one, count) => seen.push(`${count} ${one.credential.name}`));
    expect(seen).toEqual(["1 a", "2 b", "3 c"]);
    expect(done.map(({ isNew }) => isNew)).toEqual([true, true, true]);
    expect(store.state).toBe(State.Ready);
    expect((await (await asAdmin()).list()).map(({ label }) => label)).toEqual(["a", "b", "c"]);
  });

  it("goes on where it was interrupted, and puts nothing twice", async () => {
    const { store, run } = setUp();
    const [manifest, credentials] = await load(ABC);
    store.room = 2;
    await expect(run(manifest, credentials)).rejects.toMatchObject({
      status: Status.StoreFull,
      message: "c: No slot that is large enough is free. At least 2 of 3 credentials are on the device now.",
    });
    expect(store.state).toBe(State.Provisioning);
    store.room = 10;
    const { done } = await run(manifest, credentials);
    expect(done.map(({ isNew }) => isNew)).toEqual([false, false, true]);
    expect(store.records).toHaveLength(3);
    expect(store.state).toBe(State.Ready);
  });

  it("changes nothing when it is run once more on a finished device, and adds what the manifest has more", async () => {
    const { store, run, asAdmin } = setUp();
    await run(...(await load(credential("a"))));
    const before = [await (await asAdmin()).list(), store.sequence];
    await run(...(await load(credential("a"))));
    expect([await (await asAdmin()).list(), store.sequence]).toEqual(before);
    const { done } = await run(...(await load(ABC)));
    expect(done.map(({ isNew }) => isNew)).toEqual([false, true, true]);
  });

  it("does not take changed content for the same record: it says so, and a raised revision makes a second one", async () => {
    const { store, run } = setUp();
    file("d", "old");
    await run(...(await load(credential("d"))));
    file("d", "new");
    const refused = run(...(await load(credential("d"))));
    await expect(refused).rejects.toMatchObject({
      status: Status.TokenReused,
      message:
        "d: the device already holds this credential with other content or attributes. At least 0 of 1 credentials are on the device now.",
      hint: expect.stringContaining("revision"),
    });
    expect(store.records).toHaveLength(1);
    await run(...(await load(credential("d", "revision = 2\n"))));
    expect(store.records).toHaveLength(2);
  });

  it("knows a record again whose content was replaced since", async () => {
    const { store, run, asAdmin } = setUp();
    const [manifest, credentials] = await load(credential("a"));
    const { done } = await run(manifest, credentials);
    await (await asAdmin()).replace(done[0]!.handle, credentials[0]!.body!);
    expect((await run(manifest, credentials)).done).toMatchObject([{ isNew: false }]);
    expect(store.records).toHaveLength(1);
  });

  it("refuses a device that another manifest is being, or was, put on", async () => {
    const { store, run } = setUp();
    const [manifest, credentials] = await load(ABC);
    store.room = 1;
    await expect(run(manifest, credentials)).rejects.toThrow(DeviceError);
    const other = manifestOf('[[class]]\nsize = "8K"\nblocks = 32\n');
    await expect(run(other, [])).rejects.toMatchObject({ status: Status.OtherManifest });
    store.room = 10;
    await run(manifest, credentials);
    await expect(run(other, [])).rejects.toMatchObject({ status: Status.AlreadyProvisioned });
  });

  it("leaves a blank device blank when a credential fits into no class", async () => {
    const { store, run } = setUp();
    file("big", "x".repeat(5000));
    await expect(run(...(await load(ABC + credential("big"))))).rejects.toThrow(
      /big needs a slot of 5139 bytes; the largest has 4096/,
    );
    expect(store.state).toBe(State.Blank);
  });

  it("adds the operators of the manifest, keeps each key before the device hears of it, and uses each once", async () => {
    const { store, keys, run, asked } = setUp();
    const heard: string[] = [];
    const { make } = keys;
    keys.make = (instance, id) => {
      heard.push(`${id} before ${store.session.operators.length}`);
      return make.call(keys, instance, id);
    };
    const { operators } = await run(...(await load(OPERATORS + ABC)));
    expect(operators.map(({ id, standing }) => `${id} ${standing}`)).toEqual([
      "look added",
      "admin added",
      "admin2 added",
    ]);
    expect(heard).toEqual(["admin before 0", "look before 1", "admin2 before 2"]);
    expect(store.session.operators.map(({ id, pending }) => [id, pending])).toEqual([
      ["admin", undefined],
      ["look", undefined],
      ["admin2", undefined],
    ]);
    expect(asked()).toBe(1);
  });

  it("goes on after a crash at each key that is kept, with the keys that it has, and never leaves a device without an admin", async () => {
    for (let room = 0; room < 3; room++) {
      const { store, keys, run, asked } = setUp();
      keys.room = room;
      await expect(run(...(await load(OPERATORS + ABC)))).rejects.toThrow("the host crashed");
      expect(store.state).toBe(State.Provisioning);
      const kept = keys.all;
      keys.room = 10;
      const { done } = await run(...(await load(OPERATORS + ABC)));
      expect(done).toHaveLength(3);
      expect(keys.all).toEqual(expect.arrayContaining(kept));
      expect(store.session.operators.every(({ pending }) => pending === undefined)).toBe(true);
      expect(asked()).toBe(room === 0 ? 2 : 1);
    }
  });

  it("goes on after a crash between the first session of each key and its being settled, and asks for the code once", async () => {
    for (let settling = 0; settling < 3; settling++) {
      const { keys, run, asked } = setUp();
      keys.settling = settling;
      await expect(run(...(await load(OPERATORS + ABC)))).rejects.toThrow("the host crashed");
      keys.settling = 10;
      const { operators } = await run(...(await load(OPERATORS + ABC)));
      expect(operators.map(({ standing }) => standing)).not.toContain("elsewhere");
      expect([keys.waits.size, keys.settled.size, asked()]).toEqual([0, 3, 1]);
    }
  });

  it("sends no key twice: one that did not arrive is tried in a handshake, and another one takes its place", async () => {
    const { store, keys, run } = setUp();
    const sent: Message[] = store.session.opened;
    keys.room = 1;
    await expect(run(...(await load(OPERATORS + ABC)))).rejects.toThrow("the host crashed");
    const look = Buffer.alloc(32, 7); // as if the crash had come just after it was kept
    keys.waits.set(named(store.instance, "look"), look);
    keys.room = 10;
    await run(...(await load(OPERATORS + ABC)));
    const secrets = sent.flatMap((request) =>
      request.get(Key.Command) === Command.OperatorAdd ? [Buffer.from(request.get(Key.Secret) as Uint8Array)] : [],
    );
    expect(secrets).toHaveLength(3);
    expect(secrets).not.toContainEqual(look);
    expect(keys.waits.size).toBe(0);
  });

  it("gives a board without a setup code no key that waits, nor believes that it is a device whose operators are known", async () => {
    const { store, keys, run } = setUp();
    store.session.setupCode = Buffer.alloc(32);
    const instance = Buffer.alloc(16, 0x15);
    keys.waits.set(named(instance, "admin"), Buffer.alloc(32, 7));
    keys.settled.set(named(instance, "someone"), Buffer.alloc(32, 8));
    await expect(run(...(await load(OPERATORS + ABC)))).rejects.toThrow("takes no key that is kept here");
    expect([store.session.operators, store.records]).toEqual([[], []]);
    keys.settled.clear();
    await run(...(await load(OPERATORS + ABC)));
    expect(Buffer.from(keys.settled.get(named(instance, "admin"))!)).not.toEqual(Buffer.alloc(32, 7));
  });

  it("adds another admin of the manifest when the key of the first was lost, while provisioning is not over", async () => {
    const { store, keys, run } = setUp();
    store.room = 1;
    await expect(run(...(await load(ABC)))).rejects.toThrow(DeviceError);
    keys.settled.clear();
    keys.waits.clear();
    store.room = 10;
    await expect(run(...(await load(ABC)))).rejects.toThrow("The device has admin already");
    const { operators } = await run(...(await load(OPERATORS + ABC)));
    expect(operators.map(({ id, standing }) => `${id} ${standing}`)).toEqual([
      "look added",
      "admin elsewhere",
      "admin2 added",
    ]);
    expect(store.state).toBe(State.Ready);
  });

  it("refuses an operator that has another role on the device", async () => {
    const { run } = setUp();
    await run(...(await load(credential("a"))));
    const other = '[[operator]]\nid = "admin"\nrole = "admin"\n[[operator]]\nid = "user"\nrole = "auditor"\n';
    await expect(run(...(await load(other)))).rejects.toThrow(
      "The manifest makes user auditor; on the device it is user.",
    );
  });

  it("has the device make keys, once", async () => {
    const { store, run, asAdmin } = setUp();
    const made = '[[credential]]\nlabel = "made"\ngenerate = true\nusage = "sshsig"\n';
    expect((await run(...(await load(made)))).done).toMatchObject([{ isNew: true }]);
    expect((await run(...(await load(made)))).done).toMatchObject([{ isNew: false }]);
    expect(store.records).toHaveLength(1);
    expect(await (await asAdmin()).list()).toMatchObject([{ label: "made", origin: 1, length: 80 }]);
  });

  it("names the file that cannot be read, before it asks the device anything", async () => {
    await expect(load(credential("missing"))).rejects.toThrow("missing cannot be read");
  });
});

describe("dryRun", () => {
  it("tells the class of each credential, and what is there already, and changes nothing", async () => {
    const { store, run, dry } = setUp();
    file("large", "x".repeat(4000));
    const classes = '[[class]]\nsize = "32K"\nblocks = 3\n[[class]]\nsize = "4K"\nslots = 5\n';
    const [manifest, credentials] = await load(classes + credential("a") + credential("large"));
    const first = await dry(manifest, credentials);
    expect(first.planned.map(({ slotClass, present }) => [slotClass, present])).toEqual([
      [1, undefined],
      [0, undefined],
    ]);
    expect(store.state).toBe(State.Blank);
    await run(...(await load(classes + credential("a"))));
    const second = await dry(manifest, credentials);
    expect(second.planned.map(({ present }) => present?.label)).toEqual(["a", undefined]);
    expect(store.records).toHaveLength(1);
  });

  it("fills the small class first and goes on with a larger one", async () => {
    const { dry } = setUp();
    const text = `[[class]]\nsize = "32K"\nblocks = 6\n[[class]]\nsize = "16K"\nslots = 1\n${ABC}`;
    const { planned } = await dry(...(await load(text)));
    expect(planned.map(({ slotClass }) => slotClass)).toEqual([1, 0, 0]);
  });
});

describe("manifestDigest", () => {
  it("follows from name and classes and nothing else", () => {
    const digest = (text: string) => Buffer.from(manifestDigest(manifestOf(text))).toString("hex");
    expect(digest("")).toBe(digest(ABC));
    expect(digest("")).toBe(digest('[[class]]\nsize = "4K"\nblocks = 32\n'));
    expect(digest("")).not.toBe(digest('[[class]]\nsize = "4K"\nblocks = 31\n'));
    expect(manifestDigest({ ...manifestOf(""), name: "other" })).not.toEqual(manifestDigest(manifestOf("")));
  });
});

describe("credentialToken", () => {
  it("differs by instance, name and revision, and tells nothing about the content", async () => {
    const [, [one]] = await load(credential("a"));
    file("a", "another secret");
    const [, [changed]] = await load(credential("a"));
    file("a", "secret a");
    const instance = Buffer.alloc(16, 1);
    expect(credentialToken(instance, changed!)).toEqual(credentialToken(instance, one!));
    expect(credentialToken(Buffer.alloc(16, 2), one!)).not.toEqual(credentialToken(instance, one!));
    expect(credentialToken(instance, { ...one!, name: "b" })).not.toEqual(credentialToken(instance, one!));
    expect(credentialToken(instance, { ...one!, revision: 2 })).not.toEqual(credentialToken(instance, one!));
    expect(credentialToken(instance, one!)).toHaveLength(16);
  });
});
