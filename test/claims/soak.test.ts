/** Two configuration roots on one authority, at the same time: 10,000 claims that never overlap. The authority is a mock of the board, and
 *  a board. What happens follows from the seed, but for the order in which the two ask. */
import { expect, it } from "vitest";
import { tears } from "../../board/virtual/supply.js";
import { BUCKET } from "../../firmware/defs/filekey.js";
import type { Range } from "../../host/claims/authority.js";
import type { Claimed } from "../../host/claims/claimant.js";
import { Core } from "../../host/claims/core.js";
import { ClaimError } from "../../host/claims/errors.js";
import { workDirectory } from "../host/keys.js";
import { Dice } from "../soak/dice.js";
import { provisioned, QUICK } from "../store/help.js";
import { seed } from "../targets.js";
import { fail, MockAuthority } from "./authority.js";
import { RealBoard } from "./real-board.js";
import { Rig } from "./rig.js";
import type { TestAuthority } from "./test-authority.js";

const CLAIMS = 10_000;
const work = workDirectory();

it("two roots on one authority never get a position twice in 10,000 claims, renewals and outages", () =>
  soak(new MockAuthority(), () => {}));

it("two roots on one board never get a position twice either, when also its power is cut", async () => {
  const bench = provisioned(QUICK);
  const { supply } = bench.device;
  const dice = new Dice(seed + 1);
  let [calls, cuts] = [0, 0];
  const board = await RealBoard.over(bench, () => {
    cuts++;
    bench.boot();
  });
  await soak(board, (call) => {
    calls++;
    if (calls % BUCKET === 0 || dice.chance(1)) {
      // it hands out no more often than that without power-up, or hours
      supply.disarm();
      bench.boot();
    }
    if (dice.chance(call === "renew" ? 50 : 5))
      supply.arm({ operation: dice.below(30), tear: tears.random(dice.random), marginal: true });
  });
  expect(cuts).toBeGreaterThan(100);
  bench.close();
});

/** @param disturb runs before each call */
async function soak(authority: TestAuthority, disturb: TestAuthority["before"]): Promise<void> {
  const dice = new Dice(seed);
  const key = authority.create(100_000n);
  authority.before = (call) => {
    disturb(call);
    if (call === "reserve" && dice.chance(5)) throw fail("Unavailable");
  };
  authority.twist = (range) => {
    if (dice.chance(2)) throw fail("Unavailable"); // handed out, and the answer lost
    return range;
  };
  const given: (Range & { from: Claimed["from"] })[] = [];
  let insufficient = 0;
  const host = async (performance: bigint, offline: bigint) => {
    const rig = new Rig(work, new Core(), authority);
    await rig.filekeys.add({ id: key, name: "", authority: authority.name });
    while (given.length < CLAIMS) {
      const size = BigInt(dice.between(1, dice.below(8) === 0 ? 2000 : 200));
      try {
        const { range, from } = await rig.claim(key, size, { performance, offline }, dice.below(30) === 0);
        expect(range.end - range.start + 1n).toBe(size);
        given.push({ ...range, from });
      } catch (error) {
        if (!(error instanceof ClaimError)) {
          expect(error).toMatchObject({ failure: "Unavailable" }); // before its first Delta
          continue;
        }
        expect(error.failure).toBe("InsufficientOffline");
        insufficient++;
      }
    }
  };
  await Promise.all([host(2000n, 1000n), host(500n, 5000n)]);
  given.sort((a, b) => (a.start < b.start ? -1 : 1));
  for (const [i, range] of given.slice(1).entries()) expect(range.start).toBeGreaterThan(given[i]!.end);
  for (const from of ["performance", "authority", "offline"]) expect(given.some((one) => one.from === from)).toBe(true);
  expect(given.length).toBeGreaterThanOrEqual(CLAIMS);
  expect(given.at(-1)!.end).toBeLessThanOrEqual(authority.newest(key).latest);
  expect(authority.newest(key).sequence).toBeGreaterThan(10);
  expect(insufficient).toBeLessThan(CLAIMS / 10);
}
