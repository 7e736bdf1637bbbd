/** What a claim does when sizes do not fit, when others are faster, and when its authority is wrong or its disk full. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Range } from "../../host/claims/authority.js";
import { Core } from "../../host/claims/core.js";
import { workDirectory } from "../host/keys.js";
import { fail, failing, MockAuthority } from "./authority.js";
import { GB, type Left, Rig, sizeOf } from "./rig.js";

const work = workDirectory();
const core = new Core();
const sizes = { performance: 10n * GB, offline: 10n * GB };
const OFF = { performance: 0n, offline: 0n };

async function known(left: Left = {}, capacity = 1000n * GB) {
  const authority = new MockAuthority();
  const key = authority.create(capacity);
  const rig = new Rig(work, core, authority);
  await rig.know(key, left);
  return { authority, key, rig };
}

const changes = ({ calls }: MockAuthority) => calls.filter((call) => /^(reserve|renew|forward)/.test(call));

describe("a claim whose sizes do not fit", () => {
  it("is refused before anything is claimed when it is larger than a Delta", async () => {
    const { authority, key, rig } = await known({}, 100n);
    await expect(rig.claim(key, 101n, sizes)).rejects.toMatchObject({ failure: "TooLarge" });
    expect(changes(authority)).toEqual([]);
    expect((await rig.claim(key, 100n, sizes)).range).toEqual({ start: 0n, end: 99n });
  });

  it("renews once and computes its sizes anew", async () => {
    const { authority, key, rig } = await known();
    authority.take(key, 981n * GB);
    const claimed = await rig.claim(key, GB, sizes);
    expect(changes(authority)).toEqual(["renew 1", `reserve ${20n * GB}`]);
    expect(claimed).toMatchObject({ sequence: 2, range: { start: 1000n * GB, end: 1001n * GB - 1n } });
  });

  it("does not renew when the sizes just fit", async () => {
    const { authority, key, rig } = await known();
    authority.take(key, 980n * GB);
    expect((await rig.claim(key, GB, sizes)).sequence).toBe(1);
    expect(changes(authority)).toEqual([`reserve ${20n * GB}`]);
  });

  it("leaves out the offline part after that, then shrinks to the request", async () => {
    const { authority, key, rig } = await known({}, 100n);
    authority.take(key, 50n);
    expect((await rig.claim(key, 80n, sizes)).range).toEqual({ start: 100n, end: 179n });
    expect(changes(authority)).toEqual(["renew 1", "reserve 100"]);
    expect(await rig.left(key)).toEqual({ performance: [20n], offline: [] });
    const shrunk = await known({}, 99n);
    shrunk.authority.take(shrunk.key, 50n);
    expect(sizeOf(await shrunk.rig.claim(shrunk.key, 97n, sizes))).toBe(97n);
    expect(changes(shrunk.authority)).toEqual(["renew 1", "reserve 97"]);
    expect(await shrunk.rig.left(shrunk.key)).toEqual({ performance: [0n], offline: [] });
  });

  it("does not renew a Delta that nothing was given out of: the next one is no larger", async () => {
    const { authority, key, rig } = await known({}, 100n);
    expect((await rig.claim(key, 90n, sizes)).sequence).toBe(1);
    expect(changes(authority)).toEqual(["reserve 100"]);
  });

  it("fails when somebody else takes the renewed Delta as well", async () => {
    const { authority, key, rig } = await known({}, 100n);
    authority.take(key, 100n);
    authority.before = (call) => {
      if (call === "deltas" && authority.newest(key).sequence === 2) authority.take(key, 99n);
    };
    await expect(rig.claim(key, 50n, OFF)).rejects.toMatchObject({ failure: "Exhausted" });
    expect(changes(authority)).toEqual(["renew 1"]);
  });
});

describe("a claim that others overtake", () => {
  it("looks again when too little is left by the time it reserves", async () => {
    const { authority, key, rig } = await known({}, 100n);
    let first = true;
    authority.before = (call) => {
      if (call === "reserve" && first) authority.take(key, 60n);
      if (call === "reserve") first = false;
    };
    const claimed = await rig.claim(key, 50n, OFF);
    expect(changes(authority)).toEqual(["reserve 50", "renew 1", "reserve 50"]);
    expect(claimed.range).toEqual({ start: 100n, end: 149n });
  });

  it("does not use a range that came from a Delta renewed in between, and asks again", async () => {
    const { authority, key, rig } = await known({}, 100n);
    let first = true;
    authority.before = (call) => {
      if (call === "reserve" && first) authority.add(key);
      if (call === "reserve") first = false;
    };
    const claimed = await rig.claim(key, 50n, OFF);
    expect(claimed).toMatchObject({ sequence: 2, range: { start: 150n, end: 199n } });
  });

  it("gives up after some rounds", async () => {
    const { authority, key, rig } = await known({}, 100n);
    authority.before = failing("TooLarge", "reserve");
    await expect(rig.claim(key, 50n, OFF)).rejects.toMatchObject({ failure: "Exhausted" });
    expect(changes(authority).length).toBe(5);
  });

  it("asks again for the Delta that another computer made, when a board refuses the older one", async () => {
    const { authority, key, rig } = await known();
    authority.checks = true;
    let added = false;
    authority.before = (call) => {
      if (call !== "reserve" || added) return;
      added = true;
      authority.add(key);
    };
    const { sequence, range } = await rig.claim(key, 50n, OFF);
    expect([sequence, range.start]).toEqual([2, authority.newest(key).start]);
    expect(await rig.sequences(key)).toEqual([1, 2]);
  });

  it("renews only once when every renewal conflicts, and gives up after some rounds", async () => {
    const { authority, key, rig } = await known({}, 100n);
    authority.take(key, 99n);
    authority.before = failing("Conflict", "renew");
    await expect(rig.claim(key, 50n, OFF)).rejects.toMatchObject({ failure: "Exhausted" });
    expect(await rig.sequences(key)).toEqual([1]);
  });
});

describe("a claim whose authority is wrong", () => {
  const lie = async (twist: (range: Range) => Range) => {
    const made = await known({ offline: [50n * GB] });
    made.authority.twist = twist;
    const before = await made.rig.entry(made.key);
    const error = await made.rig.claim(made.key, GB, sizes).catch((error) => error);
    expect(await made.rig.entry(made.key)).toEqual(before);
    return error;
  };

  it("uses no range that starts at or below the floor, and does not fall back", async () => {
    const { authority, key, rig } = await known({ offline: [50n * GB] });
    const { floor } = await rig.entry(key);
    for (const start of [-(2n ** 64n), 0n, floor - 5n, floor]) {
      authority.twist = (range) => ({ start, end: start + range.end - range.start });
      const error = await rig.claim(key, GB, sizes).catch((error) => error);
      expect(error).toMatchObject({
        failure: "Unsafe",
        message: expect.stringContaining("they had been given before"),
      });
      expect((await rig.left(key)).offline).toEqual([50n * GB]);
    }
  });

  it("uses no range that was given before, word for word", async () => {
    const { authority, key, rig } = await known();
    const given = await rig.claim(key, 10n * GB, sizes);
    const { start } = given.range;
    authority.twist = (range) => ({ start, end: start + range.end - range.start });
    await expect(rig.claim(key, 10n * GB, sizes)).rejects.toMatchObject({ failure: "Unsafe" });
  });

  it("uses no range that others have had by the authority's own word, above the floor as it is", async () => {
    const { authority, key, rig } = await known();
    authority.take(key, 5000n);
    for (const before of [4999n, 0n]) {
      const { latest } = authority.newest(key);
      const start = latest - before;
      authority.twist = (range) => ({ start, end: start + range.end - range.start });
      const error = await rig.claim(key, GB, sizes).catch((error) => error);
      expect(error).toMatchObject({ failure: "Unsafe", message: expect.stringContaining(`up to ${latest} they`) });
    }
    expect((await rig.entry(key)).floor).toBe(-1n);
  });

  it("uses no range of an authority that was set back", async () => {
    const { authority, key, rig } = await known();
    const old = structuredClone(authority.key(key));
    await rig.claim(key, 10n * GB, sizes);
    authority.keys.set(Buffer.from(key).toString("hex"), old);
    await expect(rig.claim(key, 10n * GB, sizes)).rejects.toMatchObject({ failure: "Unsafe" });
  });

  it.each<[string, (range: Range) => Range]>([
    ["shorter", ({ start, end }) => ({ start, end: end - 1n })],
    ["longer", ({ start, end }) => ({ start, end: end + 1n })],
    ["turned round", ({ start, end }) => ({ start: end, end: start })],
    ["beyond the Delta", ({ start, end }) => ({ start: start + 1000n * GB, end: end + 1000n * GB })],
    ["over the end of the Delta", ({ start, end }) => ({ start: 1000n * GB - 1n, end: 1000n * GB + end - start - 1n })],
    ["over the end of all positions", ({ start }) => ({ start, end: 2n ** 63n })],
    ["beyond all positions", ({ start, end }) => ({ start: start + 2n ** 63n, end: end + 2n ** 63n })],
  ])("uses no range that is %s than or outside of what was asked for", async (_, twist) => {
    expect(await lie(twist)).toMatchObject({ failure: "WrongRange" });
  });
});

describe("a claim whose authority is not there", () => {
  it("falls back whatever call it is that does not get through", async () => {
    for (const call of ["deltas", "reserve"] as const) {
      const { authority, key, rig } = await known({ offline: [5n * GB] });
      authority.before = failing("Unavailable", call);
      expect(await rig.claim(key, GB, sizes)).toMatchObject({ from: "offline" });
    }
    const { authority, key, rig } = await known({ offline: [5n * GB] });
    authority.take(key, authority.newest(key).end - authority.newest(key).latest);
    authority.before = failing("Unavailable", "renew");
    expect(await rig.claim(key, GB, sizes)).toMatchObject({ from: "offline" });
  });

  it("falls back when nobody can be reached at all, and says both reasons when that does not do", async () => {
    const authority = new MockAuthority();
    const key = authority.create(1000n * GB);
    let away = false;
    const rig = new Rig(work, core, authority, async () => {
      if (away) throw fail("Unavailable");
      return authority;
    });
    await rig.know(key, { offline: [5n * GB] });
    away = true;
    expect(await rig.claim(key, GB, sizes)).toMatchObject({ from: "offline" });
    const error = await rig.claim(key, 5n * GB, sizes).catch((error) => error);
    expect(error.message).toBe(
      "The mock says Unavailable, and no single offline claim has 5000000000 positions left. Nothing was claimed.",
    );
  });

  it("never uses positions of a range whose answer was lost", async () => {
    const { authority, key, rig } = await known({ offline: [5n * GB] });
    authority.twist = () => {
      throw fail("Unavailable");
    };
    expect(await rig.claim(key, GB, sizes)).toMatchObject({ from: "offline" });
    const { latest } = authority.newest(key);
    authority.twist = (range) => range;
    expect((await rig.claim(key, GB, sizes)).range.start).toBe(latest + 1n);
  });

  it("lets an error that is none of the authority's pass", async () => {
    const { authority, key, rig } = await known({ offline: [5n * GB] });
    authority.before = () => {
      throw new TypeError("a bug");
    };
    await expect(rig.claim(key, GB, sizes)).rejects.toThrow("a bug");
    expect((await rig.left(key)).offline).toEqual([5n * GB]);
  });
});

describe("a claim that cannot be saved", () => {
  const STEPS = ["open", "write", "sync", "rename", "sync folder"];

  it.each(STEPS)("returns nothing when the disk fails at %s, and no position is given twice later", async (step) => {
    const { authority, key, rig } = await known({ performance: [100n], offline: [100n] });
    const first = await rig.claim(key, 10n, sizes);
    rig.disk.before = (now) => {
      if (now === step) throw new Error("ENOSPC: no space left on device");
    };
    for (const size of [10n, 200n]) {
      const error = await rig.claim(key, size, sizes).catch((error) => error);
      expect(error).toMatchObject({ code: "file", message: expect.stringContaining("ENOSPC") });
    }
    authority.before = failing("Unavailable");
    await expect(rig.claim(key, 100n, OFF)).rejects.toMatchObject({ code: "file" });
    authority.before = () => {};
    rig.disk.before = () => {};
    const later = [await rig.claim(key, 10n, sizes), await rig.claim(key, 200n, sizes)];
    expectApart([first, ...later].map(({ range }) => range));
    expect(later[1]!.range.start).toBeGreaterThan(2399n); // 2200 … 2399 would have been the failed claim's
  });

  it("leaves the file of before where the disk fails before the rename", async () => {
    const { key, rig } = await known({ performance: [100n] });
    const before = readFileSync(rig.cache.path);
    rig.disk.before = (now) => {
      if (now === "rename") throw new Error("EIO");
    };
    await expect(rig.claim(key, 10n, sizes)).rejects.toMatchObject({ code: "file" });
    expect(readFileSync(rig.cache.path)).toEqual(before);
    expect(existsSync(`${rig.cache.path}.new`)).toBe(false);
  });

  it("writes over what a killed program left", async () => {
    const { key, rig } = await known({ performance: [100n] });
    writeFileSync(join(`${rig.cache.path}.new`), "half a file");
    await rig.claim(key, 10n, sizes);
    expect(existsSync(`${rig.cache.path}.new`)).toBe(false);
    expect(await rig.left(key)).toEqual({ performance: [90n], offline: [] });
  });
});

describe("forward", () => {
  it("moves pointer and floor together, and uses no claim", async () => {
    const { authority, key, rig } = await known({ performance: [5n], offline: [6n] });
    const { latest } = authority.newest(key);
    expect(await rig.claimant.forward(key, 1000n)).toEqual({
      sequence: 1,
      latest: latest + 1000n,
      remaining: 1000n * GB - 1n - latest - 1000n,
    });
    expect((await rig.entry(key)).floor).toBe(latest + 1000n);
    expect(await rig.left(key)).toEqual({ performance: [5n], offline: [6n] });
    expect((await rig.claim(key, 7n, OFF)).range.start).toBe(latest + 1001n);
  });

  it("changes nothing when the authority has a newer Delta, or too little left", async () => {
    const { authority, key, rig } = await known();
    await expect(rig.claimant.forward(key, 1000n * GB + 1n)).rejects.toMatchObject({ failure: "TooLarge" });
    authority.add(key);
    await expect(rig.claimant.forward(key, 1n)).rejects.toMatchObject({
      failure: "Behind",
      hint: expect.stringContaining("delta pull"),
    });
    expect(changes(authority)).toEqual([]);
    expect((await rig.entry(key)).floor).toBe(-1n);
  });

  it("changes neither when the authority refuses, nor when the disk is full", async () => {
    const { authority, key, rig } = await known();
    authority.before = failing("Unavailable", "forward");
    await expect(rig.claimant.forward(key, 9n)).rejects.toMatchObject({ failure: "Unavailable" });
    authority.before = () => {};
    rig.disk.before = () => {
      throw new Error("ENOSPC");
    };
    await expect(rig.claimant.forward(key, 9n)).rejects.toMatchObject({ code: "file" });
    expect(authority.newest(key).latest).toBe(-1n);
    rig.disk.before = () => {};
    expect((await rig.entry(key)).floor).toBe(-1n);
  });

  it("brings an authority that was set back above what this computer reserved, and not to below it", async () => {
    const { authority, key, rig } = await known();
    const old = structuredClone(authority.key(key));
    await rig.claim(key, 10n * GB, sizes);
    authority.keys.set(Buffer.from(key).toString("hex"), old);
    const error = await rig.claimant.forward(key, 20n * GB).catch((error) => error);
    expect(error).toMatchObject({ failure: "Unsafe", hint: expect.stringContaining(`more than ${20n * GB}.`) });
    await rig.claimant.forward(key, 20n * GB + 1n);
    expect((await rig.claim(key, 20n * GB, sizes)).range.start).toBe(20n * GB + 1n);
  });

  it("counts on as far as another computer moved the pointer meanwhile", async () => {
    const { authority, key, rig } = await known();
    authority.before = (call) => {
      if (call === "forward") authority.take(key, 100n);
    };
    expect((await rig.claimant.forward(key, 9n)).latest).toBe(108n);
    expect((await rig.entry(key)).floor).toBe(108n);
  });
});

describe("a request that makes no sense", () => {
  it("is refused before anything is read", async () => {
    const { authority, key, rig } = await known();
    for (const size of [0n, -1n, 2n ** 63n]) {
      await expect(rig.claim(key, size, sizes)).rejects.toThrow("A claim has from 1 to");
      await expect(rig.claimant.forward(key, size)).rejects.toThrow("A claim has from 1 to");
    }
    await expect(rig.claim(new Uint8Array(16), 1n, sizes)).rejects.toMatchObject({ code: "not-found" });
    expect(authority.calls).toEqual([]);
  });
});

function expectApart(ranges: readonly Range[]): void {
  const sorted = [...ranges].sort((a, b) => (a.start < b.start ? -1 : 1));
  for (const [i, range] of sorted.slice(1).entries()) expect(range.start).toBeGreaterThan(sorted[i]!.end);
}
