/** The tests' runner. Two workers: the virtual board keeps a core busy. MBS_TARGET (which targets test/targets.ts runs
 *  over) and MBS_VECTORS (folder of published test vectors) reach the tests through the environment. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/probe/build.ts",
    maxWorkers: 2,
    pool: "forks",
    testTimeout: 240_000,
    hookTimeout: 240_000,
    watch: false,
  },
});
