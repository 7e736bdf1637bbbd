/** Every scenario of the seed's claiming system by its name and line, through the claimant, in each engine over a mock of the board,
 *  and over boards (over a slow one, those that the authority serves). Capacity of a Delta: 1000 GB unless a scenario needs another one. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AuthorityError, type AuthorityFailure } from "../../host/claims/authority.js";
import type { Claimed } from "../../host/claims/claimant.js";
import { Core } from "../../host/claims/core.js";
import { ClaimError } from "../../host/claims/errors.js";
import { workDirectory } from "../host/keys.js";
import { provisioned, QUICK, ready, transplant } from "../store/help.js";
import { type Bench, deviceTargets, type Kind } from "../targets.js";
import { failing, MockAuthority } from "./authority.js";
import { ENGINES } from "./engines.js";
import { RealBoard } from "./real-board.js";
import { GB, type Left, MB, Rig, sizeOf } from "./rig.js";
import type { TestAuthority } from "./test-authority.js";

const work = workDirectory();

interface Scenario {
  name: string;
  /** Line of the seed. */
  line: number;
  left?: Left;
  /** Configured sizes; 10 GB each unless it says so. */
  performance?: bigint;
  offline?: bigint;
  capacity?: bigint;
  mode?: boolean;
  fails?: AuthorityFailure;
  request: bigint;
  /** Where the request is served from, or why not. */
  from: Claimed["from"] | ClaimError["failure"] | AuthorityFailure;
  /** Sizes that the authority was asked for. */
  reserves?: bigint[];
  /** What is left afterwards. */
  after: Left;
}

const ten = (size: bigint) => Array.from({ length: 10 }, (_, i) => size + BigInt(i));
const CASES: Scenario[] = [
  {
    name: "P1",
    line: 798,
    left: { performance: [5n * GB] },
    request: GB,
    from: "performance",
    after: { performance: [4n * GB] },
  },
  {
    name: "P2, offline low",
    line: 799,
    left: { performance: [2n * GB] },
    request: 3n * GB,
    from: "authority",
    reserves: [20n * GB],
    after: { performance: [2n * GB, 7n * GB], offline: [10n * GB] },
  },
  {
    name: "P2, offline full",
    line: 799,
    left: { performance: [2n * GB], offline: [10n * GB] },
    request: 3n * GB,
    from: "authority",
    reserves: [10n * GB],
    after: { performance: [2n * GB, 7n * GB], offline: [10n * GB] },
  },
  {
    name: "P3",
    line: 800,
    left: { offline: [10n * GB] },
    request: 23n * GB,
    from: "authority",
    reserves: [30n * GB],
    after: { performance: [7n * GB], offline: [10n * GB] },
  },
  {
    name: "P4",
    line: 801,
    performance: 0n,
    left: { offline: [10n * GB] },
    request: 3n * GB,
    from: "authority",
    reserves: [3n * GB],
    after: { offline: [10n * GB] },
  },
  {
    name: "P4, claims of before stay unused",
    line: 801,
    performance: 0n,
    left: { performance: [5n * GB], offline: [10n * GB] },
    request: 3n * GB,
    from: "authority",
    reserves: [3n * GB],
    after: { performance: [5n * GB], offline: [10n * GB] },
  },
  {
    name: "P4, authority unavailable",
    line: 801,
    performance: 0n,
    left: { performance: [5n * GB], offline: [10n * GB] },
    fails: "Unavailable",
    request: 3n * GB,
    from: "offline",
    after: { performance: [5n * GB], offline: [7n * GB] },
  },
  {
    name: "P5, one fits",
    line: 802,
    left: { performance: [700n * MB, 800n * MB, 900n * MB] },
    request: 850n * MB,
    from: "performance",
    after: { performance: [700n * MB, 800n * MB, 50n * MB] },
  },
  {
    name: "P5, none fits",
    line: 802,
    left: { performance: [700n * MB, 800n * MB, 900n * MB], offline: [10n * GB] },
    request: 950n * MB,
    from: "authority",
    reserves: [10n * GB],
    after: { performance: [700n * MB, 800n * MB, 900n * MB, 9050n * MB], offline: [10n * GB] },
  },
  {
    name: "P6",
    line: 803,
    left: { performance: ten(MB), offline: [10n * GB] },
    request: GB,
    from: "authority",
    reserves: [10n * GB],
    after: { performance: [...ten(MB).slice(1), 9n * GB], offline: [10n * GB] },
  },
  {
    name: "O1",
    line: 819,
    offline: GB,
    left: { offline: [990n * MB] },
    request: 3n * GB,
    from: "authority",
    reserves: [11n * GB],
    after: { performance: [7n * GB], offline: [990n * MB, GB] },
  },
  {
    name: "O1, not again above the target",
    line: 819,
    offline: GB,
    left: { offline: [990n * MB, GB] },
    request: 3n * GB,
    from: "authority",
    reserves: [10n * GB],
    after: { performance: [7n * GB], offline: [990n * MB, GB] },
  },
  {
    name: "O2",
    line: 820,
    offline: GB,
    left: { offline: [400n * MB, 600n * MB] },
    request: GB,
    from: "authority",
    reserves: [10n * GB],
    after: { performance: [9n * GB], offline: [400n * MB, 600n * MB] },
  },
  {
    name: "O3",
    line: 821,
    left: { performance: [5n * GB], offline: [MB] },
    request: GB,
    from: "performance",
    after: { performance: [4n * GB], offline: [MB] },
  },
  {
    name: "O4",
    line: 822,
    performance: 0n,
    left: { offline: [GB] },
    request: 3n * GB,
    from: "authority",
    reserves: [13n * GB],
    after: { offline: [GB, 10n * GB] },
  },
  {
    name: "O5",
    line: 823,
    left: { performance: [MB], offline: [5n * GB, 3n * GB, 4n * GB] },
    fails: "Unavailable",
    request: 3n * GB,
    from: "offline",
    after: { performance: [MB], offline: [5n * GB, 0n, 4n * GB] },
  },
  {
    name: "O6",
    line: 824,
    left: { offline: [600n * MB, 600n * MB] },
    fails: "Unavailable",
    request: 900n * MB,
    from: "InsufficientOffline",
    after: { offline: [600n * MB, 600n * MB] },
  },
  {
    name: "O7, no top-up",
    line: 825,
    offline: 0n,
    left: { offline: [MB] },
    request: GB,
    from: "authority",
    reserves: [10n * GB],
    after: { performance: [9n * GB], offline: [MB] },
  },
  {
    name: "O7, claims of before are used",
    line: 825,
    offline: 0n,
    left: { offline: [5n * GB] },
    fails: "Unavailable",
    request: GB,
    from: "offline",
    after: { offline: [4n * GB] },
  },
  {
    name: "O8",
    line: 826,
    left: { offline: ten(MB) },
    request: GB,
    from: "authority",
    reserves: [20n * GB],
    after: { performance: [9n * GB], offline: [...ten(MB).slice(1), 10n * GB] },
  },
  {
    name: "M1",
    line: 891,
    left: { performance: [GB] },
    request: MB,
    from: "performance",
    after: { performance: [999n * MB] },
  },
  {
    name: "M2",
    line: 900,
    mode: true,
    left: { performance: [GB], offline: [MB] },
    request: MB,
    from: "performance",
    after: { performance: [999n * MB], offline: [MB] },
  },
  {
    name: "M3",
    line: 909,
    left: { offline: [11n * GB] },
    request: GB,
    from: "authority",
    reserves: [10n * GB],
    after: { performance: [9n * GB], offline: [11n * GB] },
  },
  {
    name: "M4",
    line: 918,
    left: { performance: [MB], offline: [9n * GB] },
    request: GB,
    from: "authority",
    reserves: [20n * GB],
    after: { performance: [MB, 9n * GB], offline: [9n * GB, 10n * GB] },
  },
  {
    name: "M5, enough",
    line: 927,
    left: { performance: [MB], offline: [2n * GB] },
    fails: "Unavailable",
    request: GB,
    from: "offline",
    after: { performance: [MB], offline: [GB] },
  },
  {
    name: "M5, too little",
    line: 927,
    left: { offline: [GB - 1n] },
    fails: "Unavailable",
    request: GB,
    from: "InsufficientOffline",
    after: { offline: [GB - 1n] },
  },
  {
    name: "M6, enough",
    line: 936,
    mode: true,
    left: { offline: [GB] },
    request: GB,
    from: "offline",
    after: { offline: [0n] },
  },
  {
    name: "M6, too little",
    line: 936,
    mode: true,
    left: { offline: [GB - 1n] },
    request: GB,
    from: "InsufficientOffline",
    after: { offline: [GB - 1n] },
  },
  {
    name: "M7",
    line: 945,
    performance: 0n,
    left: { offline: [10n * GB] },
    request: GB,
    from: "authority",
    reserves: [GB],
    after: { offline: [10n * GB] },
  },
  {
    name: "M8",
    line: 954,
    performance: 0n,
    left: {},
    request: GB,
    from: "authority",
    reserves: [11n * GB],
    after: { offline: [10n * GB] },
  },
  {
    name: "M9",
    line: 963,
    performance: 0n,
    left: { offline: [2n * GB] },
    fails: "Unavailable",
    request: GB,
    from: "offline",
    after: { offline: [GB] },
  },
  {
    name: "M10",
    line: 972,
    performance: 0n,
    mode: true,
    left: { performance: [9n * GB], offline: [2n * GB] },
    request: GB,
    from: "offline",
    after: { performance: [9n * GB], offline: [GB] },
  },
  ...(["NoSuchFilekey", "NotAuthority", "Refused", "NotGenuine"] as const).map(
    (fails): Scenario => ({
      name: `M11, ${fails}`,
      line: 981,
      left: { offline: [9n * GB] },
      fails,
      request: GB,
      from: fails,
      after: { offline: [9n * GB] },
    }),
  ),
  ...([true, false] as const).map(
    (mode): Scenario => ({
      name: `M12, offline mode ${mode}`,
      line: 990,
      mode,
      fails: "Unavailable",
      left: { offline: [600n * MB, 600n * MB] },
      request: GB,
      from: "InsufficientOffline",
      after: { offline: [600n * MB, 600n * MB] },
    }),
  ),
  {
    name: "E1",
    line: 1000,
    left: { performance: [600n * MB, 600n * MB], offline: [10n * GB] },
    request: GB,
    from: "authority",
    reserves: [10n * GB],
    after: { performance: [600n * MB, 600n * MB, 9n * GB], offline: [10n * GB] },
  },
  {
    name: "E2, at the target",
    line: 1001,
    left: { offline: [10n * GB] },
    request: GB,
    from: "authority",
    reserves: [10n * GB],
    after: { performance: [9n * GB], offline: [10n * GB] },
  },
  {
    name: "E2 and E3, one below the target",
    line: 1002,
    left: { offline: [10n * GB - 1n] },
    request: GB,
    from: "authority",
    reserves: [20n * GB],
    after: { performance: [9n * GB], offline: [10n * GB - 1n, 10n * GB] },
  },
  {
    name: "E4",
    line: 1003,
    offline: 0n,
    request: 23n * GB,
    from: "authority",
    reserves: [30n * GB],
    after: { performance: [7n * GB] },
  },
  {
    name: "E5",
    line: 1004,
    capacity: 20n * GB,
    request: GB,
    from: "authority",
    reserves: [10n * GB],
    after: { performance: [4n * GB], offline: [5n * GB] },
  },
  ...([1n, 2n, 3n] as const).map(
    (capacity): Scenario => ({
      name: `E6, ${capacity} bytes`,
      line: 1005,
      capacity,
      request: 1n,
      from: "authority",
      reserves: [1n],
      after: {},
    }),
  ),
  {
    name: "E6, 4 bytes",
    line: 1005,
    capacity: 4n,
    request: 2n,
    from: "authority",
    reserves: [3n],
    after: { performance: [0n], offline: [1n] },
  },
  {
    name: "E7",
    line: 1006,
    left: { performance: ten(MB).reverse(), offline: ten(MB) },
    request: GB,
    from: "authority",
    reserves: [20n * GB],
    after: { performance: [...ten(MB).slice(1).reverse(), 9n * GB], offline: [...ten(MB).slice(1), 10n * GB] },
  },
];

/** A fresh authority each time; called within a describe. */
type Authorities = () => () => Promise<TestAuthority>;
const mocks: Authorities = () => async () => new MockAuthority();

/** One board, which each time is as provisioning left it. */
const boards =
  (kind: Kind<Bench>): Authorities =>
  () => {
    let made: { empty: Bench; bench: Bench };
    beforeAll(() => {
      made = { empty: provisioned(QUICK), bench: ready(kind) };
    });
    afterAll(() => made.bench.close());
    return () => {
      const { empty, bench } = made;
      transplant(empty.device, bench.device);
      bench.boot();
      return RealBoard.over(bench);
    };
  };

/** Those that the authority serves. */
const SERVED = CASES.filter(({ from }) => from === "authority");
const inV8 = () => new Core();

describe.each([
  ...ENGINES.map(([engine, make]) => [engine, "a mock", make, mocks, CASES] as const),
  ...deviceTargets.map(
    (kind) => ["V8", `a board (${kind.name})`, inV8, boards(kind), kind.slow ? SERVED : CASES] as const,
  ),
])("a request for positions, core in %s over %s", (_, __, make, authorities, cases) => {
  const core = make();
  const fresh = authorities();

  it.each(cases.map((one) => [one.name, one.line, one] as const))(
    "is served as %s says (seed, line %i)",
    async (_, __, one) => {
      const authority = await fresh();
      const key = authority.create(one.capacity ?? 1000n * GB);
      const rig = new Rig(work, core, authority);
      await rig.know(key, one.left);
      const { latest } = authority.newest(key);
      if (one.fails !== undefined) authority.before = failing(one.fails);
      const sizes = { performance: one.performance ?? 10n * GB, offline: one.offline ?? 10n * GB };
      const result = await rig.claim(key, one.request, sizes, one.mode).catch((error: unknown) => error);
      if (result instanceof ClaimError || result instanceof AuthorityError) expect(result.failure).toBe(one.from);
      else {
        expect(result).toMatchObject({ from: one.from });
        expect(sizeOf(result as Claimed)).toBe(one.request);
      }
      const reserves = one.reserves ?? [];
      expect(authority.calls.filter((call) => call.startsWith("reserve"))).toEqual(
        reserves.map((size) => `reserve ${size}`),
      );
      const isAsked = one.from === "authority" || one.fails !== undefined;
      if (!isAsked || one.mode) expect(authority.calls).toEqual([]);
      expect(await rig.left(key)).toEqual({ performance: [], offline: [], ...one.after });
      expect((await rig.entry(key)).floor).toBe(latest + reserves.reduce((sum, size) => sum + size, 0n));
    },
  );

  it("is served as the worked example says (seed, line 783)", async () => {
    const authority = await fresh();
    const key = authority.create(100_000_000n);
    authority.take(key, 3_000_001n); // 0 … 3000000
    const rig = new Rig(work, core, authority);
    const sizes = { performance: 1_000_000n, offline: 0n };
    await rig.know(key);
    const first = await rig.claim(key, 500_000n, sizes);
    expect(first.range).toEqual({ start: 3_000_001n, end: 3_500_000n });
    expect((await rig.entry(key)).performance).toEqual([{ start: 3_000_001n, end: 4_000_000n, latest: 3_500_000n }]);
    expect(await rig.left(key)).toEqual({ performance: [500_000n], offline: [] });
    expect((await rig.claim(key, 500_000n, sizes)).range).toEqual({ start: 3_500_001n, end: 4_000_000n });
    expect(authority.calls.filter((call) => call.startsWith("reserve"))).toEqual(["reserve 1000000"]);
  });

  it("is served as O1 says from beginning to end (seed, line 819)", async () => {
    const authority = await fresh();
    const key = authority.create(1000n * GB);
    const rig = new Rig(work, core, authority);
    const sizes = { performance: 0n, offline: GB };
    await rig.know(key);
    await rig.claim(key, MB, sizes);
    expect((await rig.left(key)).offline).toEqual([GB]);
    await rig.claim(key, 10n * MB, sizes, true);
    expect((await rig.left(key)).offline).toEqual([990n * MB]);
    await rig.claim(key, MB, sizes);
    expect((await rig.left(key)).offline).toEqual([990n * MB, GB]);
    await rig.claim(key, MB, sizes);
    expect((await rig.left(key)).offline).toEqual([990n * MB, GB]);
  });
});
