/** Runs test files of this project over another core.wasm, until one of their tests fails. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { relative } from "node:path";
import type { Check } from "../../test/mutants/mutant.js";
import { runNode } from "./children.js";

const LIMIT_MS = 20 * 60_000; // a test that computes without end cannot be timed out from inside

export interface Run {
  /** The project's folder. */
  readonly root: string;
  /** The core under test. */
  readonly core: string;
  readonly seed: number;
}

/** A test that failed. */
export interface Failure {
  readonly file: string;
  readonly test: string;
  readonly message: string;
}

interface Outcome {
  /** The first failure, none when all passed. */
  readonly failure: Failure | undefined;
  /** Full names of the tests that passed, behind their files. */
  readonly passed: readonly string[];
}

interface Result {
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[];
  }[];
}

function firstFailure(root: string, result: Result): Failure | undefined {
  const line = (text: string): string => text.split("\n")[0] ?? "";
  for (const one of result.testResults) {
    const file = relative(root, one.name);
    const failed = one.assertionResults.find((test) => test.status === "failed");
    if (failed) return { file, test: failed.fullName.trim(), message: line(failed.failureMessages[0] ?? "") };
    if (one.status === "failed") return { file, test: "(the file does not load)", message: line(one.message) };
  }
  return undefined;
}

/** @param tests texts in the names of tests that are run; none: all of them @throws Error when vitest gives no result */
async function vitest(run: Run, files: readonly string[], tests: readonly string[]): Promise<Outcome> {
  const resultFile = `${run.core}.json`;
  rmSync(resultFile, { force: true });
  const pattern = tests.map((test) => test.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  const { code, output, late } = await runNode(
    [
      "node_modules/vitest/vitest.mjs",
      ...["run", "--bail", "1", "--maxWorkers", "1", "--reporter=json", `--outputFile=${resultFile}`],
      ...(pattern === "" ? [] : ["-t", pattern]),
      ...files,
    ],
    {
      cwd: run.root,
      env: { ...process.env, MBS_CORE: run.core, MBS_TARGET: "v8", MBS_SEED: String(run.seed) },
      limitMs: LIMIT_MS,
    },
  );
  if (late) throw new Error(`${files.join(" ")}: did not end within ${LIMIT_MS / 60_000} minutes`);
  if (!existsSync(resultFile)) throw new Error(`vitest gives no result (exit ${code}):\n${output.trim()}`);
  const result = JSON.parse(readFileSync(resultFile, "utf8")) as Result;
  const failure = firstFailure(run.root, result);
  if (code !== 0 && failure === undefined) throw new Error(`vitest failed (exit ${code}):\n${output.trim()}`);
  const passed = result.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === "passed")
      .map(({ fullName }) => `${relative(run.root, name)}: ${fullName}`),
  );
  return { failure, passed };
}

/** Runs checks until one of their tests fails: files as a whole first, then single tests of others. */
export async function runChecks(run: Run, checks: readonly Check[]): Promise<Outcome> {
  const whole = [...new Set(checks.filter(({ test }) => test === undefined).map(({ file }) => file))];
  const parts = new Map<string, string[]>();
  for (const { file, test } of checks)
    if (test !== undefined && !whole.includes(file)) parts.set(file, [...(parts.get(file) ?? []), test]);
  const passed: string[] = [];
  for (const [files, tests] of [[whole, []], ...[...parts].map(([file, tests]) => [[file], tests])] as string[][][]) {
    if (files!.length === 0) continue;
    const outcome = await vitest(run, files!, tests!);
    passed.push(...outcome.passed);
    if (outcome.failure) return { failure: outcome.failure, passed };
  }
  return { failure: undefined, passed };
}
