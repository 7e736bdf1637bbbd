/** A configuration root with its claim cache, on a directory that goes away, and the authority of its filekeys. */
import { createHash } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { ClaimCache } from "../../host/claims/cache.js";
import { Claimant, type Claimed, type Wish } from "../../host/claims/claimant.js";
import type { Claim, Core, Entry, Sizes } from "../../host/claims/core.js";
import { Disk } from "../../host/claims/disk.js";
import { Filekeys } from "../../host/claims/filekeys.js";
import type { Reach } from "../../host/claims/known.js";
import { ConfigPassword, type Stretch } from "../../host/claims/password.js";
import { nameOf } from "../../host/claims/state.js";
import type { KeyStore } from "../../host/keys/keys.js";
import type { TestAuthority } from "./test-authority.js";

export const GB = 1_000_000_000n;
export const MB = 1_000_000n;

/** In place of scrypt, which is slow on purpose. */
export const quick: Stretch = async (password, salt) => createHash("sha256").update(salt).update(password).digest();

/** No keyring on this computer. */
export const noKeyring: KeyStore = {
  put: () => Promise.reject(new Error("no keyring")),
  get: () => Promise.reject(new Error("no keyring")),
  remove: () => Promise.reject(new Error("no keyring")),
};

/** What is left of each claim. */
export interface Left {
  performance?: readonly bigint[];
  offline?: readonly bigint[];
}

export class Rig {
  readonly directory: string;
  readonly disk: { before: (step: string) => void } = { before: () => {} };
  readonly cache: ClaimCache;
  readonly claimant: Claimant;
  readonly filekeys: Filekeys;
  readonly password: ConfigPassword;

  /** @param work a directory in which the root gets one of its own */
  constructor(
    work: string,
    readonly core: Core,
    readonly authority: TestAuthority,
    reach: Reach = async () => authority,
  ) {
    this.directory = join(mkdtempSync(join(work, "root-")), "config");
    this.password = new ConfigPassword({ MBS_CONFIG_PASSWORD: "correct horse" }, noKeyring, quick);
    this.cache = new ClaimCache(this.directory, this.password, core, new Disk((step) => this.disk.before(step)));
    const means = { core, readHead: authority.readHead };
    this.claimant = new Claimant(this.cache, means, reach);
    this.filekeys = new Filekeys(this.cache, means, reach);
  }

  claim(key: Uint8Array, size: bigint, sizes: Sizes, offlineMode = false): Promise<Claimed> {
    return this.claimant.claim({ key, size, sizes, offlineMode } satisfies Wish);
  }

  /** Makes a filekey known with all its Deltas, and claims of the newest one as if requests had left so much of them. */
  async know(key: Uint8Array, left: Left = {}): Promise<void> {
    await this.filekeys.add({ id: key, name: "backups", authority: this.authority.name });
    await this.filekeys.pull(key);
    await this.cache.change(async (state, save) => {
      const delta = state.get(nameOf(key))!.deltas.at(-1)!;
      const { performance: fast = [], offline: kept = [] } = left;
      const all = [...fast, ...kept].reduce((sum, remaining) => sum + remaining + USED, 0n);
      let start = all === 0n ? 0n : this.authority.take(key, all).start;
      const make = (remaining: bigint): Claim => {
        const claim = { start, end: start + USED + remaining - 1n, latest: start + USED - 1n };
        start = claim.end + 1n;
        return claim;
      };
      const [performance, offline] = [fast.map(make), kept.map(make)];
      delta.entry = { ...delta.entry, performance, offline, floor: this.authority.newest(key).latest };
      await save();
    });
    this.authority.calls.length = 0;
  }

  /** The entry of the newest Delta. */
  async entry(key: Uint8Array): Promise<Entry> {
    const found = (await this.filekeys.all()).find(({ id }) => nameOf(id) === nameOf(key));
    return found!.deltas.at(-1)!.entry;
  }

  /** What is left of each claim of the newest Delta. */
  async left(key: Uint8Array): Promise<Required<Left>> {
    const { performance, offline } = await this.entry(key);
    const leftOf = (claims: readonly Claim[]) => claims.map(({ end, latest }) => end - latest);
    return { performance: leftOf(performance), offline: leftOf(offline) };
  }

  /** Sequences of the Deltas known here. */
  async sequences(key: Uint8Array): Promise<number[]> {
    const found = (await this.filekeys.all()).find(({ id }) => nameOf(id) === nameOf(key));
    return found!.deltas.map(({ sequence }) => sequence);
  }
}

const USED = 1000n;

export function sizeOf({ range }: Claimed): bigint {
  return range.end - range.start + 1n;
}
