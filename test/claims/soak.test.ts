/** Two configuration roots on one authority, at the same time: 10,000 claims that never overlap. The authority is a mock of the board. */
import { randomInt } from "node:crypto";
import { expect, it } from "vitest";
import type { Range } from "../../host/claims/authority.js";
import type { Claimed } from "../../host/claims/claimant.js";
import { Core } from "../../host/claims/core.js";
import { ClaimError } from "../../host/claims/errors.js";
import { workDirectory } from "../host/keys.js";
import { fail, MockAuthority } from "./authority.js";
import { Rig } from "./rig.js";

const CLAIMS = 10_000;
const work = workDirectory();

it("two roots on one authority never get a position twice in 10,000 claims, renewals and outages", async () => {
  const authority = new MockAuthority();
  const key = authority.create(100_000n);
  authority.before = (call) => {
    if (call === "reserve" && randomInt(20) === 0) throw fail("Unavailable");
  };
  authority.twist = (range) => {
    if (randomInt(50) === 0) throw fail("Unavailable"); // handed out, and the answer lost
    return range;
  };
  const given: (Range & { from: Claimed["from"] })[] = [];
  let insufficient = 0;
  const host = async (performance: bigint, offline: bigint) => {
    const rig = new Rig(work, new Core(), authority);
    await rig.filekeys.add({ id: key, name: "", authority: authority.name });
    while (given.length < CLAIMS) {
      const size = BigInt(1 + randomInt(randomInt(8) === 0 ? 2000 : 200));
      try {
        const { range, from } = await rig.claim(key, size, { performance, offline }, randomInt(30) === 0);
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
  expect(authority.newest(key).sequence).toBeGreaterThan(10);
  expect(insufficient).toBeLessThan(CLAIMS / 10);
});
