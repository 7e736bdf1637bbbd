/** The self-test's own judgement: what differs from what is expected is told. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as page from "../../firmware/defs/selftest.js";
import type { Identity } from "../../host/flash/board.js";
import { checkClocks, checkCodeFlash, checkDataFlash, checkPart, checkUart } from "../../host/flash/selftest/checks.js";
import { checkNoise, largestProportion, longestRun, mostCommonEstimate } from "../../host/flash/selftest/noise.js";
import { checkPanel } from "../../host/flash/selftest/panel.js";
import type { Row, Verdict } from "../../host/flash/selftest/row.js";
import type { Bench } from "../../host/flash/selftest/runner.js";

const IDENTITY: Identity = { part: "R7FA6M5BH3CFC", uniqueId: "0123456789abcdef0123456789abcdef", lifecycle: "SSD" };
const SECOND = 192_000_000;
const { SELFTEST_SAMPLES_MAX: SAMPLES } = page;

/** What a good board answers. */
const GOOD: Record<number, number[]> = {
  [page.SELFTEST_PART]: [2, 1, 2, 3, 4, 5, 1, 4, 1],
  [page.SELFTEST_CLOCKS]: [0x20011221, 5, 0x2f02, 0x28, 0, 3, 1, 0x30, 0],
  [page.SELFTEST_CRYSTAL]: [32768, SECOND],
  [page.SELFTEST_LOCO]: [32768, SECOND],
  [page.SELFTEST_CODE]: [1, SECOND / 5, 8, SECOND / 4000, SECOND / 2000, 0, 1, SECOND / 5, 32768],
  [page.SELFTEST_DATA]: [1, SECOND / 500, 8, SECOND / 8000, SECOND / 6000, SECOND / 50_000, 1, 1, SECOND / 500, 9, 1],
  [page.SELFTEST_ENTROPY]: [SAMPLES, SECOND / 2],
};
const NOISE = Buffer.from(Array.from({ length: SAMPLES }, (_, i) => (i * 73 + ((i * i * 7) >> 5)) & 0xff));

/** Answers as a good board does, but for some words of one command. */
function bench(command = 0, words: Record<number, number> = {}, samples = NOISE): Bench {
  return {
    measure: (asked, argument = 0) => {
      let good = GOOD[asked] ?? [];
      if (asked === page.SELFTEST_PANEL) good = [0, argument];
      if (asked === page.SELFTEST_UART) good = [140, (140 * SECOND * 8 * (argument + 1)) / 96_000_000];
      const answer = Array.from({ length: page.SELFTEST_WORDS }, (_, i) => good[i] ?? 0);
      if (asked === command) for (const [i, word] of Object.entries(words)) answer[Number(i)] = word;
      return Promise.resolve(answer);
    },
    samples: (count) => Promise.resolve(samples.subarray(0, count)),
  };
}

const NOBODY = "nobody";
const CHECKS: Record<string, (one: Bench) => Promise<Row[]>> = {
  part: (one) => checkPart(one, IDENTITY),
  clocks: checkClocks,
  code: checkCodeFlash,
  data: checkDataFlash,
  noise: checkNoise,
  uart: checkUart,
  panel: (one) => checkPanel(one, undefined, NOBODY),
};
const verdicts = async (check: string, one: Bench): Promise<[string, Verdict][]> =>
  (await CHECKS[check]!(one)).map(({ item, verdict }) => [item, verdict]);
const differing = async (check: string, one: Bench): Promise<string[]> =>
  (await verdicts(check, one)).filter(([, verdict]) => verdict === "differs").map(([item]) => item);

describe("BRINGUP.md", () => {
  const text = readFileSync(new URL("../../board/ek-ra6m5/BRINGUP.md", import.meta.url), "utf8");
  const cells = text
    .split("\n")
    .flatMap((line) => (/^\|.*\| (?:selftest: [^|]*) \|$/.test(line) ? [line.split(" | ").at(-1)!] : []));
  const named = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));

  it("says of each thing that the self-test measures what it settles, and names nothing else", async () => {
    const items = (await Promise.all(Object.values(CHECKS).map((check) => check(bench()))))
      .flat()
      .map(({ item }) => item);
    expect(items.filter((item) => !named.some((name) => item.includes(name)))).toEqual([]);
    const others = named.filter((name) => !items.some((item) => item.includes(name)));
    expect(others).toEqual(["mbs flash", "--json", "mbs info"]);
  });
});

describe("the self-test", () => {
  it.each(Object.keys(CHECKS))("finds nothing wrong with the %s of a good board", async (check) => {
    const rows = await CHECKS[check]!(bench());
    expect(rows.filter(({ verdict }) => verdict === "differs")).toEqual([]);
    expect(rows.some(({ verdict }) => verdict === "ok")).toBe(true);
    for (const { item, value, expected, source } of rows)
      expect([item, value, expected, source].every((text) => text.length > 0)).toBe(true);
  });

  const wrong: [string, string, number, Record<number, number>][] = [
    ["reset by the debugger", "part", page.SELFTEST_PART, { 7: 0 }],
    ["SCKDIVCR", "clocks", page.SELFTEST_CLOCKS, { 0: 0x22022222 }],
    ["SCKSCR, the PLL", "clocks", page.SELFTEST_CLOCKS, { 1: 1 }],
    ["PLLCCR, crystal / 3 * 24", "clocks", page.SELFTEST_CLOCKS, { 2: 0x1300 }],
    ["OSCSF, crystal and PLL stable", "clocks", page.SELFTEST_CLOCKS, { 3: 0x08 }],
    ["OPCCR, high speed", "clocks", page.SELFTEST_CLOCKS, { 4: 3 }],
    ["FLWT, wait states of the ROM", "clocks", page.SELFTEST_CLOCKS, { 5: 0 }],
    ["SRAMWTSC, wait state of the RAM", "clocks", page.SELFTEST_CLOCKS, { 6: 0 }],
    ["FPCKAR, the flash clock in MHz", "clocks", page.SELFTEST_CLOCKS, { 7: 0x32 }],
    ["ICLK by the sub-clock crystal", "clocks", page.SELFTEST_CRYSTAL, { 1: 0 }],
    ["ICLK by the sub-clock crystal", "clocks", page.SELFTEST_CRYSTAL, { 1: SECOND * 1.001 }],
    ["LOCO by the cycle counter", "clocks", page.SELFTEST_LOCO, { 1: SECOND * 1.2 }],
    ["LOCO by the cycle counter", "clocks", page.SELFTEST_LOCO, { 1: 0 }],
    ["code flash: erase 32 KB, blank", "code", page.SELFTEST_CODE, { 1: SECOND }],
    ["code flash: erase 32 KB, blank", "code", page.SELFTEST_CODE, { 1: 0 }],
    ["code flash: program 128 bytes", "code", page.SELFTEST_CODE, { 4: SECOND / 100 }],
    ["code flash: units that hold what was programmed", "code", page.SELFTEST_CODE, { 2: 7 }],
    ["code flash: program a programmed unit", "code", page.SELFTEST_CODE, { 5: 1 }],
    ["code flash: program a programmed unit", "code", page.SELFTEST_CODE, { 6: 0 }],
    ["code flash: erase 32 KB, programmed", "code", page.SELFTEST_CODE, { 7: 0 }],
    ["code flash: erased bytes that read 0xFF", "code", page.SELFTEST_CODE, { 8: 32767 }],
    ["data flash: erase 64 bytes, blank", "data", page.SELFTEST_DATA, { 1: SECOND / 50 }],
    ["data flash: program 4 bytes", "data", page.SELFTEST_DATA, { 4: SECOND / 100 }],
    ["data flash: units that hold what was programmed", "data", page.SELFTEST_DATA, { 2: 0 }],
    ["data flash: units that hold what was programmed", "data", page.SELFTEST_DATA, { 7: 0 }],
    ["data flash: blank check of 4 bytes", "data", page.SELFTEST_DATA, { 5: SECOND / 1000 }],
    ["data flash: blank check tells blank from programmed", "data", page.SELFTEST_DATA, { 6: 0 }],
    ["data flash: blank check tells blank from programmed", "data", page.SELFTEST_DATA, { 10: 0 }],
    ["data flash: erase 64 bytes, programmed", "data", page.SELFTEST_DATA, { 8: 0 }],
    ["noise: samples", "noise", page.SELFTEST_ENTROPY, { 0: SAMPLES - 1 }],
    ["blue light: pins", "panel", page.SELFTEST_PANEL, { 1: 3 }],
    ["S1", "panel", page.SELFTEST_PANEL, { 0: 1 }],
    ["UART at 115200, BRR 103", "uart", page.SELFTEST_UART, { 1: 0 }],
    ["UART at 3000000, BRR 3", "uart", page.SELFTEST_UART, { 0: 141 }],
  ];
  it.each(wrong)("tells that this differs: %s (%s, command %i, words %j)", async (item, check, command, words) => {
    expect(await differing(check, bench(command, words))).toContain(item);
  });

  it.each([
    ["another part", { part: "R7FA4M2AD3CFP" }, "part number"],
    ["an id that is no id", { uniqueId: "ff".repeat(16) }, "unique id"],
    ["another life cycle", { lifecycle: "CM" }, "life cycle"],
  ])("tells that %s differs", async (_what, change, item) => {
    const rows = await checkPart(bench(), { ...IDENTITY, ...change });
    expect(rows.find((row) => row.item === item)?.verdict).toBe("differs");
  });

  it("does not judge the name of a model", async () => {
    const rows = await checkPart(bench(), { ...IDENTITY, part: "VIRTUAL RA6M5" });
    expect(rows[0]?.verdict).toBe("not checked");
  });

  it("does not check flash that is not blank", async () => {
    expect(await verdicts("code", bench(page.SELFTEST_CODE, { 0: 0 }))).toEqual([["code flash", "not checked"]]);
    expect(await verdicts("data", bench(page.SELFTEST_DATA, { 0: 0 }))).toEqual([["data flash", "not checked"]]);
  });

  it("tells that a source which is stuck differs, by all three measures", async () => {
    expect(await differing("noise", bench(0, {}, Buffer.alloc(SAMPLES, 0x5a)))).toEqual([
      "noise: longest run",
      "noise: same value in 512 samples",
      "noise: min-entropy by the most common value",
      "noise: min-entropy of the differences",
    ]);
  });

  it("tells that samples which follow from each other differ, however even they are", async () => {
    const regular = Buffer.from(Array.from({ length: SAMPLES }, (_, i) => (i * 227) & 0xff));
    expect(await differing("noise", bench(0, {}, regular))).toEqual(["noise: min-entropy of the differences"]);
  });

  it("believes a person who says that a light is dark, and tells a switch that is the wrong one", async () => {
    let asked = 0;
    const person = { confirms: () => Promise.resolve(++asked !== 2), told: () => {} };
    let looked = 0;
    const crossed: Bench = {
      ...bench(),
      // lights out, then of each switch: not pressed before it is asked for, then S2, which is let go before anybody looks
      measure: (command, argument = 0) =>
        argument !== 0 || command !== page.SELFTEST_PANEL
          ? bench().measure(command, argument)
          : Promise.resolve([0, 0, ++looked % 2 === 1 && looked > 1 ? 2 : 0]),
    };
    const rows = await checkPanel(crossed, person, NOBODY);
    const verdict = (item: string) => rows.find((row) => row.item === item)?.verdict;
    expect(["blue", "green", "red"].map((colour) => verdict(`${colour} light: seen`))).toEqual(["ok", "differs", "ok"]);
    expect([verdict("S1"), verdict("S2")]).toEqual(["differs", "ok"]);
  });
});

describe("the counters of SP 800-90B", () => {
  it("find the longest run, wherever it is", () => {
    expect(longestRun(Uint8Array.of())).toBe(0);
    expect(longestRun(Uint8Array.of(1, 2, 2, 3))).toBe(2);
    expect(longestRun(Uint8Array.of(1, 3, 3, 3))).toBe(3);
    expect(longestRun(Uint8Array.of(7, 7, 7, 7, 1))).toBe(4);
  });

  it("count the first sample of each window of 512, and no other", () => {
    const samples = new Uint8Array(1024).fill(9);
    samples[0] = 1;
    samples.fill(8, 600, 1024);
    samples[512] = 8;
    expect(largestProportion(samples)).toBe(425);
    expect(largestProportion(samples.subarray(0, 512))).toBe(1);
  });

  it("estimate eight bits for even samples less what 99 % confidence takes, one for two values, none for one", () => {
    const even = mostCommonEstimate(Uint8Array.from({ length: 65536 }, (_, i) => i & 0xff));
    expect(even).toBeGreaterThan(7.7);
    expect(even).toBeLessThan(8);
    expect(mostCommonEstimate(Uint8Array.from({ length: 65536 }, (_, i) => i & 1))).toBeCloseTo(1, 1);
    expect(mostCommonEstimate(new Uint8Array(100))).toBe(0);
  });
});
