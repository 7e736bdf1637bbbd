/** A bounded soak (`npm run soak` goes on for as long as one likes), and bugs that it has to notice. */
import { describe, expect, it } from "vitest";
import { repeat, seed } from "../targets.js";
import { seedKeys } from "./seeded.js";
import type { Mistake, Numbers } from "./soak.js";
import { start, type TargetName } from "./targets.js";

/** Runs for so many commands. @returns the numbers, and what went wrong */
async function soak(target: TargetName, commands: number, mistake?: Mistake, from = seed) {
  const unseed = seedKeys(from);
  const { soak: run, close } = start(target, from, mistake);
  let wrong = "";
  try {
    await run.run(() => run.step >= commands);
  } catch (error) {
    wrong = error instanceof Error ? error.message : String(error);
  } finally {
    close();
    unseed();
  }
  return { numbers: run.numbers, wrong, history: run.history };
}

/** That a run was what it says: power failed, the line made noise, and cut commands were found on both sides. */
function happened({ numbers }: { numbers: Numbers }): void {
  const noise = Object.values(numbers.noise).reduce((sum, n) => sum + n, 0);
  const { cuts, powerCycles, retransmissions, before, answeredAcrossPowerUps, takeovers } = numbers;
  for (const [what, n] of Object.entries({ cuts, powerCycles, retransmissions, before, noise, takeovers }))
    expect(n, what).toBeGreaterThan(0);
  expect(answeredAcrossPowerUps, "answered across power-ups").toBeGreaterThan(0);
}

describe("a soak of the core", () => {
  it("goes well for 1,200 commands with cuts, noise, reconnects and sessions that expire", async () => {
    const run = await soak("v8", 1200);
    expect(run.wrong, `${repeat}\n${run.history.slice(-20).join("\n")}`).toBe("");
    happened(run);
    expect(run.numbers.virtualHours).toBeGreaterThan(1);
  });

  it("is the same run again with the same seed", async () => {
    const [once, again] = [await soak("v8", 150, undefined, 7), await soak("v8", 150, undefined, 7)];
    expect(again.history).toEqual(once.history);
    expect(again.numbers).toEqual(once.numbers);
    expect((await soak("v8", 150, undefined, 8)).history).not.toEqual(once.history);
  });

  it.each<[Mistake, RegExp]>([
    ["a put is repeated with a new token", /should not be there|StoreFull|ClassFull|live/],
    ["the last commit is forgotten", /expected|not there|neither|should not/],
    ["the line dies", /^hangs|never/],
    ["the core traps", /trapped, code 7/],
  ])("notices when %s", async (mistake, expected) => {
    const { wrong, numbers } = await soak("v8", 3000, mistake);
    expect(wrong, repeat).toMatch(expected);
    expect(numbers.divergences, repeat).toBe(1);
  });
});

describe("a soak of the ELF on the virtual board", () => {
  it("goes well for 40 commands", async () => {
    const run = await soak("virtual", 40);
    expect(run.wrong, `${repeat}\n${run.history.slice(-20).join("\n")}`).toBe("");
  });
});
