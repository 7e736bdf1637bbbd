/** Every input that the fuzzer begins with, keeps, or ever found something with, played to the core in V8. Findings are files in
 *  findings/<target>, named by what they were. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { seeds } from "./seeds.js";
import { Player, TARGETS } from "./steps.js";
import { fuzzStore } from "./store.js";

function files(folder: string): [string, Uint8Array][] {
  const url = new URL(`${folder}/`, import.meta.url);
  if (!existsSync(url)) return [];
  return readdirSync(url).map((name) => [name, readFileSync(new URL(name, url))]);
}

describe.each(TARGETS)("an input of the fuzzer's target %s", (target) => {
  const player = new Player(fuzzStore());

  it.each(Object.entries(seeds[target]))(
    "that it begins with leaves the device as it should be: %s",
    (_name, bytes) => {
      player.play(target, bytes);
    },
  );

  it.each(files(`findings/${target}`))("that found something once does so no more: %s", (_name, bytes) => {
    player.play(target, bytes);
  });

  it("that it kept leaves the device as it should be, each of them", () => {
    const kept = files(`corpus/${target}`);
    for (const [name, bytes] of kept)
      expect(() => player.play(target, bytes), `test/fuzz/corpus/${target}/${name}`).not.toThrow();
  });
});
