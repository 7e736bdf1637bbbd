/** What claims cost: on the virtual board in instructions and flash operations, from the cache of a host by the clock. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { POLICY_EXPORTABLE, Tier } from "../../firmware/defs/record.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { ClaimCache } from "../../host/claims/cache.js";
import { Claimant } from "../../host/claims/claimant.js";
import { Core } from "../../host/claims/core.js";
import { ConfigPassword } from "../../host/claims/password.js";
import { MockAuthority, readHead } from "../../test/claims/authority.js";
import type { Cost } from "./cost.js";
import { CountingBoard, Host, imageOf } from "./host.js";

const CAPACITY = 10n ** 12n;
const SIZE = 10n ** 10n;

/** Commands about filekeys, each a whole exchange in a session. @throws Refusal when the core does not do what is measured */
export function measureClaims(elf: Buffer): Cost[] {
  const { host, device } = Host.provisioned();
  const handle = createFilekey(host);
  const board = new CountingBoard(imageOf(device), 1, elf);
  const costs: Cost[] = [];
  const count = <T>(name: string, work: () => T): T => {
    const { result, ...cost } = board.count(work);
    costs.push({ group: "claims", name, ...cost });
    return result;
  };
  try {
    const { talk } = board.host.openAs("user");
    talk.ask(Command.Info); // the first message of a session ends the one before
    const of = (sequence: number) => [[Key.Handle, handle] as const, [Key.Sequence, sequence] as const];
    count("Deltas of a filekey", () => talk.ask(Command.FilekeyDeltas, [[Key.Handle, handle]]));
    count("reserve, the first after power-up", () => reserve(board.host, handle));
    count("reserve", () => reserve(board.host, handle));
    const sealed = count("container", () => talk.ask(Command.FilekeyContainer, of(1))).get(Key.Data) as Uint8Array;
    count("open a Delta", () =>
      talk.ask(Command.FilekeyOpen, [
        [Key.Handle, handle],
        [Key.Data, sealed],
      ]),
    );
    count("renew", () =>
      talk.ask(Command.FilekeyRenew, [
        [Key.Handle, handle],
        [Key.Token, board.host.token()],
        [Key.Sequence, 1],
      ]),
    );
    board.host.openAs("admin");
    talk.ask(Command.Info);
    count("create a filekey", () => createFilekey(board.host));
    return costs;
  } finally {
    board.close();
  }
}

/** In an admin's session. @returns the handle */
export function createFilekey(host: Host): Uint8Array {
  const token = host.token();
  const answer = host.talk.ask(Command.FilekeyCreate, [
    [Key.Token, token],
    [Key.Label, host.label()],
    [Key.Tier, Tier.Private],
    [Key.Policy, POLICY_EXPORTABLE],
    [Key.Data, i64(CAPACITY)],
  ]);
  return answer.get(Key.Handle) as Uint8Array;
}

/** In a user's session. */
export function reserve(host: Host, handle: Uint8Array): void {
  host.talk.ask(Command.FilekeyReserve, [
    [Key.Handle, handle],
    [Key.Token, host.token()],
    [Key.Sequence, 1],
    [Key.Data, i64(SIZE)],
  ]);
}

function i64(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

/** Claims one after the other from the cache of a host, each on disk before it is given. Wall time: the disk decides.
 *  @returns claims per second */
export async function measureCache(claims = 500): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "mbs-bench-"));
  const password = new ConfigPassword({ MBS_CONFIG_PASSWORD: "bench" });
  try {
    const authority = new MockAuthority();
    const key = authority.create(CAPACITY);
    const cache = new ClaimCache(directory, password, new Core());
    const claimant = new Claimant(cache, { core: new Core(), readHead }, async () => authority);
    const sizes = { performance: SIZE, offline: 0n };
    await claimant.adopt({ id: key, name: "bench", authority: authority.name }, sizes); // derives the password, fills the cache
    const begin = process.hrtime.bigint();
    for (let i = 0; i < claims; i++) {
      const { from, secret } = await claimant.claim({ key, size: 1_000_000n, sizes, offlineMode: false });
      secret.fill(0);
      if (from !== "performance") throw new Error("a claim was not served from the cache");
    }
    return (claims * 1e9) / Number(process.hrtime.bigint() - begin);
  } finally {
    await password.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
