/** `npm run test:renode`: renode/ek-ra6m5.robot in Renode. Without Renode it counts as skipped (exit 0), or, with --required, as failed.
 *  The last line is "N passed, N failed" (", N skipped" when there are some). What they left lies in build/renode, or where --results says. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findRenode, INSTALL, NoRenode, type Renode } from "./renode/find.js";
import { countTests } from "./renode/results.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const LIMIT_MINUTES = 30;
const { values } = parseArgs({
  options: { required: { type: "boolean", default: false }, results: { type: "string" } },
});
const { required, results = `${root}build/renode` } = values;

/** What is missing, as a sentence; undefined: nothing. */
function find(): Renode | string {
  try {
    const found = findRenode(process.env);
    if (found === undefined) return INSTALL;
    return found.test === undefined ? `${found.renode} has no renode-test beside it: a release has both.` : found;
  } catch (error) {
    if (error instanceof NoRenode) return error.message;
    throw error;
  }
}

/** @returns exit code of the runner; a signal or the end of its time counts as 1 */
function run(program: string, args: string[]): Promise<number> {
  return new Promise((resolve) => {
    // in a process group of its own: Renode is a child of the runner, and ends with it
    const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"], detached: true, cwd: root });
    const stop = (): void => {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    };
    const limit = setTimeout(() => {
      console.error(`stopped: the tests in Renode did not end within ${LIMIT_MINUTES} minutes`);
      stop();
    }, LIMIT_MINUTES * 60_000);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
    child.on("error", (error) => {
      clearTimeout(limit);
      console.error(`${program} could not be started: ${error.message}`);
      resolve(1);
    });
    child.on("exit", (code) => {
      clearTimeout(limit);
      resolve(code ?? 1);
    });
  });
}

const found = find();
if (typeof found === "string") {
  console.log(found);
  console.log(required ? "0 passed, 1 failed" : "The tests in Renode are skipped.\n0 passed, 0 failed, 1 skipped");
  process.exitCode = required ? 1 : 0;
} else {
  rmSync(results, { recursive: true, force: true });
  mkdirSync(results, { recursive: true });
  const code = await run(found.test!, [
    "-r",
    results,
    "--variable",
    `NODE:${process.execPath}`,
    `${root}renode/ek-ra6m5.robot`,
  ]);
  const report = `${results}/robot_output.xml`;
  const count = existsSync(report) ? countTests(readFileSync(report, "utf8")) : { passed: 0, failed: 0, skipped: 0 };
  if (count.failed === 0 && (code !== 0 || count.passed === 0)) {
    console.log(
      "The runner failed before the tests: it says above what it misses, often pip install -r tests/requirements.txt.",
    );
    count.failed = 1;
  }
  console.log(
    `${count.passed} passed, ${count.failed} failed${count.skipped === 0 ? "" : `, ${count.skipped} skipped`}`,
  );
  process.exitCode = count.failed === 0 ? 0 : 1;
}
