/** `npm test`: four checks (dependencies, biome, sources with decorators, build with its tsc), then vitest. Arguments are handed to vitest: npm test -- defs
 *  With MBS_COMPARE=1 a fifth: no operation costs more instructions than bench/results/VERSION.json says.
 *  Every check counts as one test, so that a type error or a lint error is a failure like any other.
 *  The last line is "N passed, N failed" (", N skipped" when there are some); the exit code is 0 only with 0 failed. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkDependencies, linkCommand } from "./setup.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const count = { passed: 0, failed: 0, skipped: 0 };
const LIMIT_MINUTES = 30; // a test that computes without end cannot be timed out from inside
let child;
let stopped = false;

// in a process group of its own, so that workers of vitest that still compute end with it
const stop = (signal) => child && process.kill(-child.pid, signal);
for (const signal of ["SIGINT", "SIGTERM"])
  process.once(signal, () => {
    stopped = true;
    stop("SIGKILL");
    console.log(`stopped (${signal}); what was not done counts as failed`);
  });

function node(...args) {
  if (stopped) return Promise.resolve(1);
  return new Promise((resolve) => {
    child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"], detached: true });
    const limit = setTimeout(() => {
      console.error(`${args[0]} was stopped: it did not end within ${LIMIT_MINUTES} minutes`);
      stop("SIGKILL");
    }, LIMIT_MINUTES * 60_000);
    child.on("close", (code) => {
      clearTimeout(limit);
      child = undefined;
      resolve(code ?? 1);
    });
  });
}

function report(name, ok) {
  console.log(`check ${name}: ${ok ? "passed" : "FAILED"}`);
  count[ok ? "passed" : "failed"]++;
}

async function checks() {
  try {
    checkDependencies();
    report("dependencies", true);
  } catch (error) {
    console.error(error.message);
    report("dependencies", false);
  }
  report("biome", (await node("node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings", ".")) === 0);
  report("decorated sources", (await node("scripts/decorated.mjs")) === 0);
  report("build", (await node("scripts/build.mjs")) === 0);
  if (process.env.MBS_COMPARE) report("instructions", (await node("dist/scripts/bench.js", "--compare")) === 0);
  linkCommand();
}

async function tests() {
  const folder = mkdtempSync(join(tmpdir(), "mbs-test-"));
  const file = join(folder, "result.json");
  try {
    const vitest = ["node_modules/vitest/vitest.mjs", "run", "--reporter=default", "--reporter=json"];
    const code = await node(...vitest, `--outputFile.json=${file}`, ...process.argv.slice(2));
    let failed = 0;
    if (existsSync(file)) {
      const result = JSON.parse(readFileSync(file, "utf8"));
      count.passed += result.numPassedTests;
      count.skipped += result.numPendingTests + result.numTodoTests;
      // a file that could not be loaded has no tests to fail
      const broken = result.testResults.filter(
        (one) => one.status === "failed" && !one.assertionResults.some((test) => test.status === "failed"),
      );
      failed = result.numFailedTests + broken.length;
    }
    // no result, no tests, or an error outside of any test
    if (code !== 0 && failed === 0) failed = 1;
    count.failed += failed;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await checks();
await tests();
const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : "";
console.log(`${count.passed} passed, ${count.failed} failed${skipped}`);
process.exitCode = count.failed > 0 ? 1 : 0;
