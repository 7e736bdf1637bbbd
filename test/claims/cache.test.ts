/** The file of a configuration root, and the encoding of what is in it. */
import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode, rfc8949EncodeOptions } from "cborg";
import { describe, expect, it } from "vitest";
import { Kind, seal } from "../../host/claims/container.js";
import { Core } from "../../host/claims/core.js";
import { decodeState, encodeState, type State } from "../../host/claims/state.js";
import { workDirectory } from "../host/keys.js";
import { MockAuthority } from "./authority.js";
import { GB, Rig } from "./rig.js";

const work = workDirectory();
const core = new Core();
const sizes = { performance: 10n * GB, offline: 10n * GB };

async function known() {
  const authority = new MockAuthority();
  const key = authority.create(1000n * GB);
  const rig = new Rig(work, core, authority);
  await rig.know(key, { performance: [5n], offline: [6n, 7n] });
  return { authority, key, rig };
}

/** All that a state is made of, as the items of its encoding; `change` damages them. */
const LIMITS = 2n ** 63n - 1n;
const delta = () => [1, fill(16, 1), fill(80, 2), fill(32, 3), 0n, LIMITS, 99n, [10n, 19n, 9n], [90n, 99n, 95n]];
const fill = (size: number, byte: number) => new Uint8Array(size).fill(byte);
type Items = [number, [Uint8Array, string, string, unknown[][]][]];
const items = (): Items => [1, [[fill(16, 9), "backups", "mock", [delta()]]]];
const bytesOf = (of: unknown) => encode(of, rfc8949EncodeOptions);

describe("the state of a root", () => {
  it("is what it was after encoding and decoding, at the ends of the number range", () => {
    const bytes = bytesOf(items());
    const state = decodeState(bytes, core);
    expect(state.get("09".repeat(16))!.deltas[0]!.entry).toEqual({
      start: 0n,
      end: LIMITS,
      floor: 99n,
      performance: [{ start: 10n, end: 19n, latest: 9n }],
      offline: [{ start: 90n, end: 99n, latest: 95n }],
    });
    expect(encodeState(state)).toEqual(bytes);
    expect(decodeState(encodeState(new Map()), core).size).toBe(0);
  });

  it.each<[string, (of: Items) => unknown]>([
    ["a filekey twice", (of) => [1, [of[1][0], of[1][0]]]],
    ["a short id", () => [1, [[fill(15, 9), "backups", "mock", []]]]],
    ["an authority without a name that is text", () => [1, [[fill(16, 9), "backups", 7, []]]]],
    ["an authority with an endless name", () => [1, [[fill(16, 9), "backups", "x".repeat(513), []]]]],
    ["a name that is no text", () => [1, [[fill(16, 9), 7, "mock", []]]]],
    ["an item too many", (of) => [...of, 0]],
    ["a map in place of a list", () => new Map()],
    ["no version", (of) => [0, of[1]]],
    ["a Delta with another sequence", with1((one) => void one.splice(0, 1, 2))],
    ["a Delta with a short secret", with1((one) => void one.splice(3, 1, fill(31, 3)))],
    ["a Delta with text for a container", with1((one) => void one.splice(2, 1, "x"))],
    ["a Delta with an endless container", with1((one) => void one.splice(2, 1, fill(65537, 0)))],
    ["a number that is none", with1((one) => void one.splice(4, 1, 0.5))],
    ["a number above 2^63 - 1", with1((one) => void one.splice(5, 1, 2n ** 63n))],
    ["claims that are not whole", with1((one) => void one.splice(7, 1, [10n, 19n]))],
    [
      "eleven claims",
      with1(
        (one) =>
          void one.splice(
            7,
            1,
            Array.from({ length: 33 }, (_, i) => BigInt(i)),
          ),
      ),
    ],
    ["claims that overlap", with1((one) => void one.splice(8, 1, [19n, 99n, 95n]))],
    ["a floor below a claim", with1((one) => void one.splice(6, 1, 98n))],
    [
      "two Deltas with positions in common",
      (of) => [1, [[fill(16, 9), "backups", "mock", [of[1][0]![3][0]!, [2, fill(16, 2), ...delta().slice(2)]]]]],
    ],
  ])("is refused with %s", (_, damage) => {
    expect(() => decodeState(bytesOf(damage(items())), core)).toThrow("The claim cache cannot be read");
  });

  it("is refused in any other spelling, and with bytes behind it", () => {
    const good = bytesOf(items());
    const two = (...ids: number[]) => bytesOf([1, ids.map((id) => [fill(16, id), "", "mock", []])]);
    expect(decodeState(two(8, 9), core).size).toBe(2);
    expect(() => decodeState(two(9, 8), core)).toThrow("it is not encoded deterministically");
    expect(() => decodeState(Buffer.concat([good, Buffer.of(0)]), core)).toThrow("cannot be read");
    const long = Buffer.concat([good.subarray(0, 1), Buffer.of(0x18, 1), good.subarray(2)]); // 1 in two bytes
    expect(() => decodeState(long, core)).toThrow("cannot be read");
    for (let length = 0; length < good.length; length++)
      expect(() => decodeState(good.subarray(0, length), core)).toThrow("cannot be read");
  });
});

describe("the cache file", () => {
  it("is there for this person alone, and holds no secret in clear", async () => {
    const { authority, key, rig } = await known();
    expect(statSync(rig.cache.path).mode & 0o777).toBe(0o600);
    expect(statSync(rig.directory).mode & 0o777).toBe(0o700);
    expect(statSync(`${rig.cache.path}.lock`).mode & 0o777).toBe(0o600);
    const bytes = readFileSync(rig.cache.path);
    expect(bytes.includes(Buffer.from(authority.secret(key, authority.sealed(key, 1))))).toBe(false);
    expect(bytes.includes(Buffer.from(key))).toBe(false);
  });

  it("is not replaced when it is damaged, under another password, or newer", async () => {
    const { key, rig } = await known();
    const good = readFileSync(rig.cache.path);
    const bad = Buffer.from(good);
    bad[100]! ^= 1;
    const derive = (salt: Uint8Array) => rig.password.derive(salt);
    const newer = await seal(Kind.ClaimCache, bytesOf([2, []]), good.subarray(8, 24), derive);
    const other = await seal(Kind.ClaimCache, bytesOf([1, []]), good.subarray(8, 24), async () => fill(32, 1));
    const unsound = await seal(Kind.ClaimCache, bytesOf([1, [1]]), good.subarray(8, 24), derive);
    for (const [bytes, reason] of [
      [bad, "damaged"],
      [other, "password"],
      [newer, "version"],
      [unsound, undefined],
    ] as const) {
      writeFileSync(rig.cache.path, bytes);
      const error = await rig.claim(key, 1n, sizes).catch((error) => error);
      expect(error.reason).toBe(reason);
      await expect(rig.filekeys.all()).rejects.toThrow();
      expect(readFileSync(rig.cache.path)).toEqual(bytes);
    }
    writeFileSync(rig.cache.path, good);
    expect((await rig.claim(key, 1n, sizes)).from).toBe("performance");
  });

  it("keeps its salt from one write to the next, so that a program derives once", async () => {
    const { key, rig } = await known();
    const salt = readFileSync(rig.cache.path).subarray(8, 24);
    await rig.claim(key, 1n, sizes);
    expect(readFileSync(rig.cache.path).subarray(8, 24)).toEqual(salt);
  });

  it("gives out no secret that is wiped later, and wipes those it looked at", async () => {
    const { authority, key, rig } = await known();
    const claimed = await rig.claim(key, 1n, sizes);
    let seen: State = new Map();
    await rig.cache.look((state) => {
      seen = state;
    });
    expect([...seen.values()][0]!.deltas[0]!.secret).toEqual(fill(32, 0));
    expect(claimed.secret).toEqual(Uint8Array.from(authority.secret(key, authority.sealed(key, 1))));
  });

  it("is no claim when no file can be written beside it", async () => {
    const { key, rig } = await known();
    mkdirSync(`${rig.cache.path}.new/full`, { recursive: true });
    await expect(rig.claim(key, 1n, sizes)).rejects.toMatchObject({ code: "file" });
    expect((await rig.left(key)).performance).toEqual([5n]);
  });

  it("is read by no program that cannot have its lock", async () => {
    const { key, rig } = await known();
    symlinkSync("/dev/null", join(rig.directory, "link"));
    rmSync(`${rig.cache.path}.lock`);
    symlinkSync("link", `${rig.cache.path}.lock`);
    await expect(rig.claim(key, 1n, sizes)).rejects.toMatchObject({ code: "file" });
  });
});

/** Changes the one Delta. */
function with1(change: (one: unknown[]) => void): (of: Items) => Items {
  return (of) => {
    change(of[1][0]![3][0]!);
    return of;
  };
}
