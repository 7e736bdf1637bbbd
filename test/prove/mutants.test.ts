/** Leaks planted in the core's own sources, many in one core: the check of secrets tells each. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mistake, Planter } from "../../scripts/prove/planted.js";
import type { Finding } from "../../scripts/prove/secrets.js";
import { built } from "../device/built.js";
import { forbidden } from "./forbidden.js";
import { type Leak, leaks } from "./leaks.js";

const root = new URL("../..", import.meta.url).pathname;

/** One leak of each function: several can be told apart in one core. */
const planted = leaks.filter(
  ({ told }, i) => told.length > 0 && leaks.findIndex((other) => other.told[0] === told[0]) === i,
);
const harmless = leaks.filter(({ told }) => told.length === 0);

describe("the check of secrets", () => {
  const planter = new Planter(root, JSON.parse(built("memory.json").toString("utf8")), forbidden);
  let findings: Finding[] = [];
  beforeAll(async () => {
    findings = await planter.findings(planted);
  });
  afterAll(() => planter.close());

  it.each(planted.map((leak): [string, Leak] => [leak.name, leak]))(
    "tells %s in the function that does it",
    (_, leak) => {
      expect(mistake(leak, findings)).toBeUndefined();
    },
  );

  it("accepts what is written with care: masks, selects of 32 bits, divisions by powers of two", async () => {
    expect(harmless.length).toBeGreaterThan(2);
    expect((await planter.findings(harmless)).map((one) => `${one.function}: ${one.what}`)).toEqual([]);
  });

  it("has at least fifteen leaks to tell, each under its own name", () => {
    expect(leaks.length - harmless.length).toBeGreaterThanOrEqual(15);
    expect(new Set(leaks.map(({ name }) => name)).size).toBe(leaks.length);
  });
});
