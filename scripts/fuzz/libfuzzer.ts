/** Runs of libFuzzer: a program of build.ts on one target for some seconds, or on one input; what it printed, as numbers and findings. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TargetName } from "../../test/fuzz/steps.js";

/** Bytes of the longest input. */
const LENGTH_MAX = 4096;
/** Seconds that one input may take on a machine that does other things as well; loops without end are found by the harness itself. */
const INPUT_SECONDS = 60;

export interface Finding {
  /** What does not hold. */
  what: string;
  /** The input, as a file; absent when it takes none, because the first start ends so. */
  file?: string;
}

export interface Numbers {
  executions: number;
  /** Edges of the core that were gone, and those that there are. */
  edges: number;
  edgesInAll: number;
  /** Inputs kept, and their bytes. */
  inputs: number;
  bytes: number;
}

export interface Result extends Numbers {
  finding?: Finding;
}

export interface Order {
  program: string;
  image: string;
  target: TargetName;
  /** Where inputs are read from; what is new goes into the first. */
  folders: string[];
  /** Where a finding goes. */
  findings: string;
  seconds: number;
  seed: number;
}

const running = new Set<ChildProcess>();

/** Ends what runs. */
export function stop(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** @param tell is called with each line that it prints @returns the exit code */
function run(
  program: string,
  target: TargetName,
  image: string,
  args: string[],
  tell: (line: string) => void,
): Promise<number> {
  const env = { ...process.env, MBS_FUZZ_TARGET: target, MBS_FUZZ_IMAGE: image };
  const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "pipe"] });
  running.add(child);
  let rest = "";
  child.stderr.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) tell(line);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      running.delete(child);
      resolve(code ?? 1);
    });
  });
}

/** Reads one line of libFuzzer's into the numbers. */
export function readLine(line: string, numbers: Numbers): void {
  const status = /^#(\d+)\s.*\bcov: (\d+) .*\bcorp: (\d+)\/(\d+)(b|Kb|Mb)/.exec(line);
  if (status !== null) {
    const [, executions, edges, inputs, size, unit] = status;
    numbers.executions = Number(executions);
    numbers.edges = Number(edges);
    numbers.inputs = Number(inputs);
    numbers.bytes = Number(size) * { b: 1, Kb: 1024, Mb: 1 << 20 }[unit as "b" | "Kb" | "Mb"];
  }
  const edges = /\((\d+) inline 8-bit counters\)/.exec(line);
  if (edges !== null) numbers.edgesInAll = Number(edges[1]);
  const executions = /^stat::number_of_executed_units:\s*(\d+)/.exec(line);
  if (executions !== null) numbers.executions = Number(executions[1]);
}

/** What a run found, in words. */
function reason(lines: string[]): string {
  const told = lines.find((line) => line.startsWith("FINDING: "))?.slice("FINDING: ".length);
  const summary = lines.find((line) => line.startsWith("SUMMARY: "))?.slice("SUMMARY: ".length);
  return told ?? summary ?? lines.at(-1) ?? "it ended without a word";
}

/** A name for a file, of words. */
const slug = (what: string): string =>
  what
    .replaceAll(/[^A-Za-z0-9]+/g, "-")
    .slice(0, 60)
    .replaceAll(/^-|-$/g, "");

/** Fuzzes. @param tell is called when the numbers changed */
export async function fuzz(order: Order, tell: (numbers: Numbers) => void): Promise<Result> {
  const numbers: Numbers = { executions: 0, edges: 0, edgesInAll: 0, inputs: 0, bytes: 0 };
  const lines: string[] = [];
  const artifacts = mkdtempSync(join(tmpdir(), "mbs-fuzz-"));
  try {
    const args = [
      ...[
        `-max_total_time=${order.seconds}`,
        `-seed=${order.seed}`,
        `-max_len=${LENGTH_MAX}`,
        `-timeout=${INPUT_SECONDS}`,
      ],
      ...["-reload=1", "-print_final_stats=1", "-rss_limit_mb=1024", `-artifact_prefix=${artifacts}/`],
      ...order.folders,
    ];
    const code = await run(order.program, order.target, order.image, args, (line) => {
      readLine(line, numbers);
      lines.push(line);
      if (lines.length > 400) lines.splice(0, 200);
      tell(numbers);
    });
    const [artifact] = readdirSync(artifacts);
    if (artifact === undefined) {
      if (code === 0) return numbers;
      if (lines.some((line) => line.startsWith("FINDING: "))) return { ...numbers, finding: { what: reason(lines) } };
      throw new Error(`${order.program} failed (exit ${code}): ${reason(lines)}`);
    }
    const what = reason(lines);
    mkdirSync(order.findings, { recursive: true });
    const bytes = readFileSync(join(artifacts, artifact));
    const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 8);
    const file = join(order.findings, `${slug(what)}-${hash}`);
    copyFileSync(join(artifacts, artifact), file);
    return { ...numbers, finding: { what, file } };
  } finally {
    rmSync(artifacts, { recursive: true, force: true });
  }
}

/** Runs one input. @returns what does not hold, or undefined */
export async function once(
  program: string,
  image: string,
  target: TargetName,
  file: string,
): Promise<string | undefined> {
  const lines: string[] = [];
  const code = await run(program, target, image, [file], (line) => lines.push(line));
  return code === 0 ? undefined : reason(lines);
}

/** The fewest inputs of `from` that reach what the seeds do not, into `to`; what was there goes. @returns how many, and their bytes */
export async function minimise(
  order: Pick<Order, "program" | "image" | "target">,
  seeds: string,
  from: string[],
  to: string,
): Promise<{ inputs: number; bytes: number }> {
  const folder = mkdtempSync(join(tmpdir(), "mbs-fuzz-"));
  try {
    const merged = join(folder, "merged");
    cpSync(seeds, merged, { recursive: true });
    const args = [
      "-merge=1",
      "-use_counters=0",
      `-max_len=${LENGTH_MAX}`,
      merged,
      ...from.filter((one) => existsSync(one)),
    ];
    const lines: string[] = [];
    const code = await run(order.program, order.target, order.image, args, (line) => lines.push(line));
    if (code !== 0) throw new Error(`merging failed (exit ${code}): ${reason(lines)}`);
    rmSync(to, { recursive: true, force: true });
    mkdirSync(to, { recursive: true });
    const known = new Set(readdirSync(seeds));
    let bytes = 0;
    const kept = readdirSync(merged).filter((name) => !known.has(name));
    for (const name of kept) {
      bytes += statSync(join(merged, name)).size;
      // 40 hexadecimal digits say no more than 12
      copyFileSync(join(merged, name), join(to, name.slice(0, 12)));
    }
    return { inputs: kept.length, bytes };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
