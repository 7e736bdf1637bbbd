/** Several programs on one cache, and programs that are killed: no position is given twice. The authority is a mock in a file. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import type { Range } from "../../host/claims/authority.js";
import { ClaimCache } from "../../host/claims/cache.js";
import { Core } from "../../host/claims/core.js";
import { Filekeys } from "../../host/claims/filekeys.js";
import { withExclusive } from "../../host/claims/lock.js";
import { ConfigPassword } from "../../host/claims/password.js";
import { builtPath } from "../device/built.js";
import { workDirectory } from "../host/keys.js";
import { readHead } from "./authority.js";
import { compiled } from "./compiled.js";
import { FileAuthority } from "./file-authority.js";

const work = workDirectory();
const env = { ...process.env, MBS_CONFIG_PASSWORD: "correct horse" };
let child = "";
let made = 0;

beforeAll(() => {
  child = compiled("child.ts");
});

/** A root that knows one filekey, whose Deltas are small enough to be renewed often. */
async function root() {
  const directory = join(work, `root-${made++}`);
  mkdirSync(directory);
  const authority = new FileAuthority(join(directory, "authority.json"));
  const key = await authority.create(5000n);
  const password = new ConfigPassword(env);
  const core = new Core();
  const cache = new ClaimCache(join(directory, "config"), password, core);
  const filekeys = new Filekeys(cache, { core, readHead }, async () => authority);
  await filekeys.add({ id: key, name: "", authority: authority.name });
  let logs = 0;
  const start = (
    count: number,
    kill?: number,
  ): { process: ChildProcess; ended: Promise<number | string | null>; log: string } => {
    const log = join(directory, `log-${logs++}`);
    const args = [cache.path.replace(/\/[^/]*$/, ""), authority.path, builtPath("claims.wasm")];
    args.push(Buffer.from(key).toString("hex"), String(count), log, ...(kill === undefined ? [] : [String(kill)]));
    const started = spawn(process.execPath, [child, ...args], { env, stdio: ["ignore", "ignore", "inherit"] });
    const ended = new Promise<number | string | null>((resolve) => {
      started.once("exit", (code, signal) => resolve(signal ?? code));
    });
    return { process: started, ended, log };
  };
  /** Every range that any program was given. */
  const given = () =>
    Array.from({ length: logs }, (_, i) => join(directory, `log-${i}`))
      .filter((log) => existsSync(log))
      .flatMap((log) => rangesOf(readFileSync(log, "utf8")));
  return { start, given, filekeys };
}

function linesOf(log: string): number {
  return existsSync(log) ? readFileSync(log, "utf8").split("\n").length - 1 : 0;
}

function rangesOf(text: string): Range[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const [start, end, size] = line.split(" ").map(BigInt) as [bigint, bigint, bigint];
    expect(end - start + 1n).toBe(size);
    return { start, end };
  });
}

function overlaps(ranges: readonly Range[]): Range[] {
  const sorted = [...ranges].sort((a, b) => (a.start < b.start ? -1 : 1));
  return sorted.filter((range, i) => i > 0 && range.start <= sorted[i - 1]!.end);
}

describe("programs on one cache", () => {
  it("never give a position twice, eight at once", async () => {
    const { start, given } = await root();
    const all = Array.from({ length: 8 }, () => start(40));
    expect(await Promise.all(all.map(({ ended }) => ended))).toEqual(all.map(() => 0));
    expect(given().length).toBe(320);
    expect(overlaps(given())).toEqual([]);
  });

  it("never give a position twice when they are killed at any moment", async () => {
    const { start, given, filekeys } = await root();
    const life = async () => {
      for (let i = 0; i < 5; i++) {
        const { process, ended, log } = start(1000);
        const lines = Math.floor(Math.random() * 15);
        while (linesOf(log) < lines && process.exitCode === null) await sleep(2);
        await sleep(Math.random() * 10);
        process.kill("SIGKILL");
        expect(await ended).toBe("SIGKILL");
      }
    };
    await Promise.all(Array.from({ length: 4 }, life));
    expect(await start(5).ended).toBe(0);
    expect(given().length).toBeGreaterThan(5);
    expect(overlaps(given())).toEqual([]);
    expect((await filekeys.all()).length).toBe(1);
  });

  it("never give a position twice when they are killed before any step of a write", async () => {
    const { start, given } = await root();
    // two claims are ten steps
    for (let kill = 0; kill < 10; kill++) expect(await start(2, kill).ended).toBe("SIGKILL");
    expect(await start(4).ended).toBe(0);
    expect(given().length).toBe(4 + 5); // half of those that were killed had saved once
    expect(overlaps(given())).toEqual([]);
  });

  it("would be found out: two positions given twice are seen", () => {
    expect(
      overlaps([
        { start: 5n, end: 9n },
        { start: 0n, end: 4n },
      ]),
    ).toEqual([]);
    expect(
      overlaps([
        { start: 5n, end: 9n },
        { start: 0n, end: 5n },
      ]),
    ).toEqual([{ start: 5n, end: 9n }]);
  });
});

describe("withExclusive", () => {
  it("lets one in at a time, in one program", async () => {
    let inside = 0;
    const path = join(work, "one.lock");
    const run = () =>
      withExclusive(path, async () => {
        expect(++inside).toBe(1);
        await sleep(2);
        inside--;
      });
    await Promise.all(Array.from({ length: 10 }, run));
  });

  it("waits for another one however long it takes, and gives up in the end with an error that names the file", async () => {
    const path = join(work, "held.lock");
    let done = () => {};
    const wait = new Promise<void>((resolve) => {
      done = resolve;
    });
    const held = withExclusive(path, () => wait);
    await sleep(20);
    await expect(withExclusive(path, async () => {}, 50)).rejects.toThrow(`${path} is held by another program`);
    done();
    await held;
    expect(await withExclusive(path, async () => 7, 50)).toBe(7);
  });

  it("is free again after an error", async () => {
    const path = join(work, "failed.lock");
    await expect(withExclusive(path, () => Promise.reject(new Error("inside")))).rejects.toThrow("inside");
    expect(await withExclusive(path, async () => 7, 50)).toBe(7);
  });
});
