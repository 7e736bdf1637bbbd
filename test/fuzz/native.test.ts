/** The fuzzer's half in C: what it begins with and what it kept, played to the core as it is fuzzed, with a gap before each region and every
 *  access watched; a harness that has not followed the protocol shows here. corpus.test.ts plays the same to the core in V8. Without the headers of OpenSSL it is skipped. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildPlayer } from "../../scripts/fuzz/build.js";
import { SPACED, type Variant } from "../../scripts/fuzz/core.js";
import { PLANTED } from "../../scripts/fuzz/planted.js";
import { seeds } from "./seeds.js";
import { TARGETS, type TargetName } from "./steps.js";
import { fuzzStore, image } from "./store.js";

const root = new URL("../..", import.meta.url).pathname;
const isPossible = existsSync("/usr/include/openssl/evp.h");
if (!isPossible) console.log("skipped: the fuzzer's half in C needs libssl-dev");

/** Frames that are longer than any are decoded past their buffer. */
const SPOILT: Variant = { ...SPACED, name: "spoilt", patches: [PLANTED[0]!.patch] };

// a package of Debian that nothing else here needs; .ci/run installs it, so that CI does not skip this
describe.skipIf(!isPossible)("the fuzzer's half in C", () => {
  const folder = mkdtempSync(join(tmpdir(), "mbs-fuzz-"));
  const store = join(folder, "store.image");
  let program = "";
  beforeAll(async () => {
    writeFileSync(store, image(fuzzStore()));
    program = await buildPlayer(root, SPACED, join(folder, "spaced"));
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  /** @throws Error with what does not hold */
  function play(player: string, target: TargetName, files: string[]): void {
    const env = { ...process.env, MBS_FUZZ_TARGET: target, MBS_FUZZ_IMAGE: store };
    execFileSync(player, files, { env, stdio: ["ignore", "ignore", "pipe"], encoding: "utf8", maxBuffer: 1 << 26 });
  }

  const inputsOf = (target: TargetName): string[] => {
    const begun = join(folder, target);
    mkdirSync(begun, { recursive: true });
    for (const [i, bytes] of Object.values(seeds[target]).entries()) writeFileSync(join(begun, `${i}`), bytes);
    const known = ["corpus", "findings"].map((name) => join(root, "test/fuzz", name, target));
    const folders = [begun, ...known].filter((one) => existsSync(one));
    return folders.flatMap((one) => readdirSync(one).map((name) => join(one, name)));
  };

  it.each(TARGETS)("plays all inputs of %s without a finding", (target) => {
    play(program, target, inputsOf(target));
  });

  it("finds a planted bug", async () => {
    const spoilt = await buildPlayer(root, SPOILT, join(folder, "spoilt"));
    expect(() => play(spoilt, "link", inputsOf("link"))).toThrow(/FINDING: the core writes/);
  }, 300_000);
});
