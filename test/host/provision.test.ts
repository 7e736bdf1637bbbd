/** Provisioning against a mock store: once, again, interrupted, changed. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Status } from "../../firmware/defs/status.js";
import { State } from "../../firmware/defs/wire.js";
import { Client } from "../../host/client/client.js";
import { DeviceError } from "../../host/client/errors.js";
import { type Manifest, parseManifest } from "../../host/manifest.js";
import {
  credentialToken,
  dryRun,
  type Loaded,
  loadCredentials,
  manifestDigest,
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

function setUp() {
  const time = new VirtualTime();
  const store = new MockStore();
  const device = new MockDevice(time, { answer: (request) => store.answer(request) });
  const client = new Client(async () => new MockWire(time, device), { clock: time });
  return { store, client };
}

for (const name of ["a", "b", "c"]) file(name, `secret ${name}`);
const ABC = credential("a") + credential("b") + credential("c");

describe("provision", () => {
  it("provisions a blank device and puts every credential, in order", async () => {
    const { store, client } = setUp();
    const [manifest, credentials] = await load(ABC);
    const seen: string[] = [];
    const { done } = await provision(client, manifest, credentials, (one, count) =>
      seen.push(`${count} ${one.credential.name}`),
    );
    expect(seen).toEqual(["1 a", "2 b", "3 c"]);
    expect(done.map(({ isNew }) => isNew)).toEqual([true, true, true]);
    expect(store.state).toBe(State.Ready);
    expect((await client.list()).map(({ label }) => label)).toEqual(["a", "b", "c"]);
  });

  it("goes on where it was interrupted, and puts nothing twice", async () => {
    const { store, client } = setUp();
    const [manifest, credentials] = await load(ABC);
    store.room = 2;
    await expect(provision(client, manifest, credentials)).rejects.toMatchObject({
      status: Status.StoreFull,
      message: "c: No slot that is large enough is free. At least 2 of 3 credentials are on the device now.",
    });
    expect(store.state).toBe(State.Provisioning);
    store.room = 10;
    const { done } = await provision(client, manifest, credentials);
    expect(done.map(({ isNew }) => isNew)).toEqual([false, false, true]);
    expect(store.records).toHaveLength(3);
    expect(store.state).toBe(State.Ready);
  });

  it("changes nothing when it is run once more on a finished device, and adds what the manifest has more", async () => {
    const { store, client } = setUp();
    await provision(client, ...(await load(credential("a"))));
    const before = [await client.list(), store.sequence];
    await provision(client, ...(await load(credential("a"))));
    expect([await client.list(), store.sequence]).toEqual(before);
    const { done } = await provision(client, ...(await load(ABC)));
    expect(done.map(({ isNew }) => isNew)).toEqual([false, true, true]);
  });

  it("does not take changed content for the same record: it says so, and a raised revision makes a second one", async () => {
    const { store, client } = setUp();
    file("d", "old");
    await provision(client, ...(await load(credential("d"))));
    file("d", "new");
    const refused = provision(client, ...(await load(credential("d"))));
    await expect(refused).rejects.toMatchObject({
      status: Status.TokenReused,
      message:
        "d: the device already holds this credential with other content or attributes. At least 0 of 1 credentials are on the device now.",
      hint: expect.stringContaining("revision"),
    });
    expect(store.records).toHaveLength(1);
    await provision(client, ...(await load(credential("d", "revision = 2\n"))));
    expect(store.records).toHaveLength(2);
  });

  it("knows a record again whose content was replaced since", async () => {
    const { store, client } = setUp();
    const [manifest, credentials] = await load(credential("a"));
    const { done } = await provision(client, manifest, credentials);
    await client.replace(done[0]!.handle, credentials[0]!.body);
    expect((await provision(client, manifest, credentials)).done).toMatchObject([{ isNew: false }]);
    expect(store.records).toHaveLength(1);
  });

  it("refuses a device that another manifest is being, or was, put on", async () => {
    const { store, client } = setUp();
    const [manifest, credentials] = await load(ABC);
    store.room = 1;
    await expect(provision(client, manifest, credentials)).rejects.toThrow(DeviceError);
    const other = manifestOf('[[class]]\nsize = "8K"\nblocks = 32\n');
    await expect(provision(client, other, [])).rejects.toMatchObject({ status: Status.OtherManifest });
    store.room = 10;
    await provision(client, manifest, credentials);
    await expect(provision(client, other, [])).rejects.toMatchObject({ status: Status.AlreadyProvisioned });
  });

  it("leaves a blank device blank when a credential fits into no class", async () => {
    const { store, client } = setUp();
    file("big", "x".repeat(5000));
    await expect(provision(client, ...(await load(ABC + credential("big"))))).rejects.toThrow(
      /big needs a slot of 5139 bytes; the largest has 4096/,
    );
    expect(store.state).toBe(State.Blank);
  });

  it("names the file that cannot be read, before it asks the device anything", async () => {
    await expect(load(credential("missing"))).rejects.toThrow("missing cannot be read");
  });
});

describe("dryRun", () => {
  it("tells the class of each credential, and what is there already, and changes nothing", async () => {
    const { store, client } = setUp();
    file("large", "x".repeat(4000));
    const classes = '[[class]]\nsize = "32K"\nblocks = 3\n[[class]]\nsize = "4K"\nslots = 5\n';
    const [manifest, credentials] = await load(classes + credential("a") + credential("large"));
    const first = await dryRun(client, manifest, credentials);
    expect(first.planned.map(({ slotClass, present }) => [slotClass, present])).toEqual([
      [1, undefined],
      [0, undefined],
    ]);
    expect(store.state).toBe(State.Blank);
    await provision(client, ...(await load(classes + credential("a"))));
    const second = await dryRun(client, manifest, credentials);
    expect(second.planned.map(({ present }) => present?.label)).toEqual(["a", undefined]);
    expect(store.records).toHaveLength(1);
  });

  it("fills the small class first and goes on with a larger one", async () => {
    const { client } = setUp();
    const text = `[[class]]\nsize = "32K"\nblocks = 6\n[[class]]\nsize = "16K"\nslots = 1\n${ABC}`;
    const { planned } = await dryRun(client, ...(await load(text)));
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
