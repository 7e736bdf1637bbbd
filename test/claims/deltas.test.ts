/** Which Deltas are pulled when, by the seed's examples D1 to D8 and E8, and what is refused. The authority is a mock of the board. */
import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Core } from "../../host/claims/core.js";
import { ProtocolError } from "../../host/client/errors.js";
import { workDirectory } from "../host/keys.js";
import { fail, failing, MockAuthority, readHead } from "./authority.js";
import { GB, Rig } from "./rig.js";

const work = workDirectory();
const core = new Core();
const sizes = { performance: 10n * GB, offline: 10n * GB };
const id = () => Uint8Array.from(randomBytes(16));

/** A filekey of which this computer knows the first `known` Deltas, and whose authority has `remote`. */
async function known(known: number, remote = known) {
  const authority = new MockAuthority();
  const key = authority.create(1000n * GB);
  while (authority.newest(key).sequence < known) authority.add(key);
  const rig = new Rig(work, core, authority);
  await rig.know(key);
  while (authority.newest(key).sequence < remote) authority.add(key);
  return { authority, key, rig };
}

const pulled = ({ calls }: MockAuthority) =>
  calls.filter((call) => call.startsWith("container")).map((call) => Number(call.split(" ")[1]));

describe("a claim", () => {
  it("pulls everything newer before it goes on, and nothing twice (D1; seed, line 1062)", async () => {
    const { authority, key, rig } = await known(4, 7);
    const claimed = await rig.claim(key, GB, sizes);
    expect(pulled(authority)).toEqual([5, 6, 7]);
    expect(authority.calls.at(-1)).toBe(`reserve ${20n * GB}`);
    expect(claimed).toMatchObject({ sequence: 7, range: { start: 6000n * GB } });
    expect(await rig.sequences(key)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(claimed.secret).toEqual(Uint8Array.from(authority.secret(key, authority.sealed(key, 7))));
    await rig.claim(key, 9n * GB + 1n, sizes);
    expect(pulled(authority)).toEqual([5, 6, 7]);
  });

  it("starts an iteration with a cache of its own, and mixes none with the one before", async () => {
    const { authority, key, rig } = await known(1);
    await rig.claim(key, GB, sizes);
    expect((await rig.left(key)).performance).toEqual([9n * GB]);
    authority.add(key);
    expect((await rig.claim(key, 9n * GB + 1n, sizes)).sequence).toBe(2);
    expect(await rig.left(key)).toEqual({ performance: [GB - 1n], offline: [10n * GB] });
    const [filekey] = await rig.filekeys.all();
    expect(filekey!.deltas[0]!.entry.performance).toEqual([{ start: 0n, end: 10n * GB - 1n, latest: GB - 1n }]);
  });

  it("fails at once where the authority has another Delta of the same sequence, and says what to do (D2; seed, line 1063)", async () => {
    const { authority, key, rig } = await known(7);
    await rig.know(key, { offline: [5n * GB] });
    authority.newest(key).id = id();
    const error = await rig.claim(key, GB, sizes).catch((error) => error);
    expect(error).toMatchObject({
      failure: "Conflict",
      message: expect.stringMatching(/^Delta 7 of [0-9a-f]{32} is /),
    });
    expect(error.hint).toMatch(/export it first.*The authority decides/);
    expect(authority.calls).toEqual(["deltas"]);
    expect((await rig.left(key)).offline).toEqual([5n * GB]);
  });

  it("fails as well where the authority has no such Delta any more, or one with other positions", async () => {
    const lost = await known(3);
    lost.authority.key(lost.key).deltas.pop();
    await expect(lost.rig.claim(lost.key, GB, sizes)).rejects.toMatchObject({ failure: "Conflict" });
    const moved = await known(3);
    moved.authority.newest(moved.key).end += 1n;
    await expect(moved.rig.claim(moved.key, GB, sizes)).rejects.toMatchObject({ failure: "Conflict" });
    expect([...lost.authority.calls, ...moved.authority.calls]).toEqual(["deltas", "deltas"]);
  });

  it("asks nobody and pulls nothing when the cache serves it (D3; seed, line 1064)", async () => {
    const { authority, key, rig } = await known(2);
    await rig.know(key, { performance: [GB] });
    authority.add(key);
    expect(await rig.claim(key, GB, sizes)).toMatchObject({ from: "performance", sequence: 2 });
    expect(authority.calls).toEqual([]);
  });

  it("keeps nothing of a renewal that came second, and pulls the one that counts (D6; seed, line 1067)", async () => {
    const { authority, key, rig } = await known(7);
    authority.take(key, 999n * GB);
    let theirs: Uint8Array | undefined;
    authority.before = (call) => {
      if (call === "renew" && theirs === undefined) theirs = authority.add(key).id;
    };
    const claimed = await rig.claim(key, GB, sizes);
    expect(authority.calls.filter((call) => call.startsWith("renew"))).toEqual(["renew 7"]);
    expect(claimed).toMatchObject({ sequence: 8, delta: theirs });
    expect(await rig.sequences(key)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(authority.newest(key).sequence).toBe(8);
  });

  it("keeps no Delta of a pull that broke off, and serves what it can from the claims of before", async () => {
    const { authority, key, rig } = await known(2);
    await rig.know(key, { offline: [5n * GB] });
    authority.add(key);
    authority.add(key);
    authority.before = (call) => {
      if (call === "container" && authority.calls.includes("container 4")) throw fail("Unavailable");
    };
    expect(await rig.claim(key, GB, sizes)).toMatchObject({ from: "offline", sequence: 2 });
    expect(await rig.sequences(key)).toEqual([1, 2]);
  });

  it("falls back on the claims of before, also when it pulled all that is newer and could not reserve", async () => {
    const { authority, key, rig } = await known(2);
    await rig.know(key, { offline: [5n * GB] });
    authority.add(key);
    authority.before = failing("Unavailable", "reserve");
    expect(await rig.claim(key, GB, sizes)).toMatchObject({ from: "offline", sequence: 2 });
    expect(await rig.sequences(key)).toEqual([1, 2]);
  });

  it("uses no container that names another filekey, even if it can be opened", async () => {
    const { authority, key, rig } = await known(1, 2);
    const sealed = Buffer.from(authority.sealed(key, 2));
    sealed[0]! ^= 1;
    authority.sealed = () => sealed;
    authority.secret = () => new Uint8Array(32);
    await expect(rig.claim(key, GB, sizes)).rejects.toThrow("it is of another filekey");
    authority.sealed = MockAuthority.prototype.sealed;
    authority.secret = () => new Uint8Array(31);
    await expect(rig.claim(key, GB, sizes)).rejects.toThrow("its secret has another length");
  });

  it.each<[string, (authority: MockAuthority, key: Uint8Array) => void]>([
    ["has a gap", (authority, key) => void authority.key(key).deltas.splice(0, 1)],
    ["is empty", (authority, key) => void authority.key(key).deltas.splice(0)],
    [
      "has an id twice",
      (authority, key) => {
        authority.newest(key).id = authority.key(key).deltas[0]!.id;
      },
    ],
    [
      "has a short id",
      (authority, key) => {
        authority.newest(key).id = new Uint8Array(15);
      },
    ],
    [
      "has positions twice",
      (authority, key) => {
        authority.newest(key).start -= 1n;
      },
    ],
    [
      "has positions above 2^63",
      (authority, key) => {
        authority.newest(key).end = 2n ** 63n;
      },
    ],
    [
      "has a pointer behind its end",
      (authority, key) => {
        authority.newest(key).latest = 3000n * GB;
      },
    ],
    [
      "has a pointer before its start",
      (authority, key) => {
        authority.newest(key).latest = 0n;
      },
    ],
  ])("believes no list of Deltas that %s", async (_, damage) => {
    const { authority, key, rig } = await known(1, 3);
    damage(authority, key);
    const error = await rig.claim(key, GB, sizes).catch((error) => error);
    expect(error).toBeInstanceOf(ProtocolError);
    expect(authority.calls).toEqual(["deltas"]);
  });

  it.each<[string, (container: Uint8Array, other: Uint8Array) => Uint8Array]>([
    ["is of another Delta", (_, other) => other],
    ["is damaged", (container) => Buffer.concat([container.subarray(0, -1), Buffer.of(container.at(-1)! ^ 1)])],
    ["is cut short", (container) => container.subarray(0, -1)],
    ["is longer than any", () => new Uint8Array(65537)],
  ])("uses no container that %s", async (_, change) => {
    const { authority, key, rig } = await known(1, 3);
    const [third, second] = [authority.sealed(key, 3), authority.sealed(key, 2)];
    authority.sealed = (_, sequence) => (sequence === 3 ? change(third, second) : second);
    await expect(rig.claim(key, GB, sizes)).rejects.toMatchObject({ failure: "NotGenuine" });
    expect(await rig.sequences(key)).toEqual([1]);
  });
});

describe("secretAt", () => {
  it("pulls up to the Delta that has the position and no further (D4; seed, line 1065)", async () => {
    const { authority, key, rig } = await known(1, 8);
    const found = await rig.filekeys.secretAt(key, 2500n * GB);
    expect(found.sequence).toBe(3);
    expect(found.secret).toEqual(Uint8Array.from(authority.secret(key, authority.sealed(key, 3))));
    expect(pulled(authority)).toEqual([2, 3]);
    expect(await rig.sequences(key)).toEqual([1, 2, 3]);
  });

  it("asks nobody when the Delta is here", async () => {
    const { authority, key, rig } = await known(2, 3);
    authority.before = failing("Unavailable");
    expect((await rig.filekeys.secretAt(key, 1000n * GB)).sequence).toBe(2);
    expect((await rig.filekeys.secretAt(key, 1000n * GB - 1n)).sequence).toBe(1);
    expect(authority.calls).toEqual([]);
    await expect(rig.filekeys.secretAt(key, 2000n * GB)).rejects.toMatchObject({ failure: "Unavailable" });
  });

  it("says so when no Delta has the position, and pulls none", async () => {
    const { authority, key, rig } = await known(1, 3);
    await expect(rig.filekeys.secretAt(key, 3000n * GB)).rejects.toMatchObject({ code: "not-found" });
    expect(pulled(authority)).toEqual([]);
  });
});

describe("adopt", () => {
  it("pulls all Deltas and fills the caches by one small claim (D5 and E8; seed, lines 1066 and 1007)", async () => {
    const authority = new MockAuthority();
    const key = authority.create(1000n * GB);
    while (authority.newest(key).sequence < 6) authority.add(key);
    const rig = new Rig(work, core, authority);
    await rig.claimant.adopt({ id: key, name: "", authority: "mock" }, sizes);
    expect(pulled(authority)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await rig.left(key)).toEqual({ performance: [10n * GB - 1n], offline: [10n * GB] });
  });

  it("makes no claims of its own where both caches are off", async () => {
    const authority = new MockAuthority();
    const key = authority.create(1000n * GB);
    const rig = new Rig(work, core, authority);
    await rig.claimant.adopt({ id: key, name: "", authority: "mock" }, { performance: 0n, offline: 0n });
    expect(await rig.left(key)).toEqual({ performance: [], offline: [] });
    expect((await rig.entry(key)).floor).toBe(0n);
  });

  it("knows nothing of a filekey whose authority did not answer, or does not know it", async () => {
    for (const failure of ["Unavailable", "NoSuchFilekey", "NotAuthority"] as const) {
      const authority = new MockAuthority();
      const key = authority.create(1000n * GB);
      authority.before = failing(failure);
      const rig = new Rig(work, core, authority);
      await expect(rig.claimant.adopt({ id: key, name: "", authority: "mock" }, sizes)).rejects.toMatchObject({
        failure,
      });
      expect(await rig.filekeys.all()).toEqual([]);
    }
  });

  it("gives no filekey a second authority, and uses no other one that answers", async () => {
    const { key, rig } = await known(1);
    await expect(rig.claimant.adopt({ id: key, name: "", authority: "another" }, sizes)).rejects.toMatchObject({
      code: "usage",
    });
    const other = new Rig(work, core, new MockAuthority("another"));
    await other.filekeys.add({ id: key, name: "", authority: "mock" });
    await expect(other.claim(key, GB, sizes)).rejects.toMatchObject({ failure: "NotAuthority" });
    await expect(other.filekeys.pull(key)).rejects.toMatchObject({ failure: "NotAuthority" });
    expect(other.authority.calls).toEqual([]);
  });
});

describe("pull", () => {
  it("gets all that the authority has in one run (D7; seed, line 1068)", async () => {
    const { authority, key, rig } = await known(1, 4);
    expect(await rig.filekeys.pull(key)).toEqual([2, 3, 4]);
    expect(await rig.filekeys.pull(key)).toEqual([]);
    expect(pulled(authority)).toEqual([2, 3, 4]);
  });

  it("fails at once on another Delta of the same sequence", async () => {
    const { authority, key, rig } = await known(3);
    authority.key(key).deltas[1]!.id = id();
    authority.add(key);
    await expect(rig.filekeys.pull(key)).rejects.toMatchObject({ failure: "Conflict" });
    expect(await rig.sequences(key)).toEqual([1, 2, 3]);
  });
});

describe("import", () => {
  it("adds the next Delta from a file, without asking what the authority has (D8; seed, line 1069)", async () => {
    const { authority, key, rig } = await known(1, 4);
    const before = authority.before;
    authority.before = failing("Unavailable", "deltas", "reserve", "renew", "container", "forward");
    expect(await rig.filekeys.import(authority.sealed(key, 2), authority)).toMatchObject({ sequence: 2, isNew: true });
    expect(authority.calls).toEqual(["open"]);
    expect(await rig.entry(key)).toEqual(core.open({ start: 1000n * GB, end: 2000n * GB - 1n }));
    authority.before = before;
    expect((await rig.claim(key, GB, sizes)).sequence).toBe(4);
  });

  it("does nothing when that Delta is here, and refuses one that is not the next", async () => {
    const { authority, key, rig } = await known(2, 4);
    expect(await rig.filekeys.import(authority.sealed(key, 1), authority)).toMatchObject({ sequence: 1, isNew: false });
    expect(authority.calls).toEqual([]);
    await expect(rig.filekeys.import(authority.sealed(key, 4), authority)).rejects.toMatchObject({ failure: "Behind" });
    expect(await rig.sequences(key)).toEqual([1, 2]);
  });

  it("refuses another Delta of a sequence that is here, one of no known filekey, and a forged one", async () => {
    const { authority, key, rig } = await known(2, 3);
    const foreign = new MockAuthority();
    foreign.create(1000n * GB, key);
    foreign.add(key);
    await expect(rig.filekeys.import(foreign.sealed(key, 2), authority)).rejects.toMatchObject({ failure: "Conflict" });
    foreign.add(key);
    await expect(rig.filekeys.import(foreign.sealed(key, 3), authority)).rejects.toMatchObject({
      failure: "NotGenuine",
    });
    const unknown = foreign.create(GB);
    await expect(rig.filekeys.import(foreign.sealed(unknown, 1), foreign)).rejects.toMatchObject({ code: "not-found" });
    const sealed = authority.sealed(key, 3);
    sealed[20]! ^= 1;
    await expect(rig.filekeys.import(sealed, authority)).rejects.toMatchObject({ failure: "NotGenuine" });
    expect(await rig.sequences(key)).toEqual([1, 2]);
  });

  it("refuses one with sequence 0, and one whose positions are another Delta's", async () => {
    const { authority, key, rig } = await known(1, 2);
    authority.newest(key).start = 999n * GB;
    await expect(rig.filekeys.import(authority.sealed(key, 2), authority)).rejects.toMatchObject({
      failure: "NotGenuine",
    });
    authority.newest(key).sequence = 0;
    const none = Buffer.from(authority.sealed(key, 2));
    none.writeUInt32LE(0, 16);
    await expect(rig.filekeys.import(none, authority)).rejects.toThrow();
    expect(await rig.sequences(key)).toEqual([1]);
  });

  it("brings in what is noticed when the authority is there again: a Delta that it does not have", async () => {
    const { authority, key, rig } = await known(1);
    const twin = new MockAuthority();
    twin.create(1000n * GB, key);
    twin.keys.set(Buffer.from(key).toString("hex"), structuredClone(authority.key(key)));
    twin.add(key);
    authority.add(key);
    await rig.filekeys.import(twin.sealed(key, 2), twin);
    expect(readHead(await rig.filekeys.container(key, 2)).sequence).toBe(2);
    await expect(rig.claim(key, GB, sizes)).rejects.toMatchObject({ failure: "Conflict" });
  });
});

describe("forget", () => {
  it("removes a filekey with its claims and Deltas, and says whether it was known", async () => {
    const { key, rig } = await known(2);
    expect(await rig.filekeys.forget(key)).toBe(true);
    expect(await rig.filekeys.all()).toEqual([]);
    expect(await rig.filekeys.forget(key)).toBe(false);
    await expect(rig.claim(key, GB, sizes)).rejects.toMatchObject({ code: "not-found" });
  });
});
