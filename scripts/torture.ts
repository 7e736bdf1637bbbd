/** `npm run torture`: power is cut at every flash operation of every change from every kind of state, in every way that a flash operation
 *  can be torn; the boots that repair something are cut as well. On the core in V8, and on the virtual board with the ELF that would be
 *  flashed. Prints what was tried and what came of it, and writes bench/results/torture.json. Method: bench/README.md. */
import { createHash, randomInt } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { engineVersion } from "../board/virtual/unicorn.js";
import { runDamage } from "../test/damage/pool.js";
import { run, sum, type TargetName } from "../test/torture/pool.js";
import type { TortureOptions } from "../test/torture/sweep.js";
import { Progress } from "./torture/progress.js";
import {
  damageTable,
  grouped,
  outcomes,
  type Report,
  type Results,
  scenes,
  type Tried,
  total,
} from "./torture/report.js";

interface Options {
  target: TargetName | "damage" | "all";
  scene?: string;
  seed: number;
  jobs: number;
  quick: boolean;
  json: boolean;
  output?: string;
  continue?: string;
}

/** How much is tried: firmware/DESIGN.md §10.1. */
const DEPTH: Record<"full" | "quick", Record<TargetName, Omit<TortureOptions, "seed">>> = {
  full: {
    v8: { every: 1, singles: Number.POSITIVE_INFINITY, subsets: 4, nestedEvery: 4, putEvery: 1 },
    virtual: { every: 2, singles: 1, subsets: 1, nestedEvery: 23, putEvery: 20 },
  },
  quick: {
    v8: { every: 2, singles: 2, subsets: 1, nestedEvery: 17, putEvery: 1 },
    virtual: { every: 40, singles: 1, subsets: 1, nestedEvery: 97, putEvery: 20 },
  },
};

const RESULTS = "bench/results/torture.json";

/** Into how many parts a scene is cut in a full run. */
const PARTS = 6;

const number = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError("expected a whole number");
  return value;
};

const program = new Command("torture")
  .description("cut power at every flash operation of every change, and look at what the next boots show")
  .option("--target <NAME>", "v8, virtual, damage (every bit flipped once, in V8) or all", "all")
  .option("--scene <TEXT>", "only scenes whose name contains TEXT")
  .option("--seed <N>", "of the random subsets of bits", number, randomInt(2 ** 31))
  .option("--jobs <N>", "worker threads", number, availableParallelism())
  .option("--quick", "a sample that takes a minute or two", false)
  .option("--json", "print the results as JSON", false)
  .option(
    "--continue <FILE>",
    "keep what is done in FILE, and go on from what an interrupted run with the same seed kept there",
  )
  .option("-o, --output <FILE>", `where the results go; default: after a whole run of a target its part of ${RESULTS}`);

let told = Date.now();
/** One line a second on a terminal, one a minute elsewhere. */
function progress(line: string): void {
  if (Date.now() - told < (process.stderr.isTTY ? 1000 : 60_000)) return;
  told = Date.now();
  process.stderr.write(process.stderr.isTTY ? `\r${line} ` : `${line}\n`);
}

const sha256 = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

async function main(): Promise<void> {
  const options = program.parse().opts<Options>();
  if (!["v8", "virtual", "damage", "all"].includes(options.target))
    program.error(`--target ${options.target}: expected v8, virtual, damage or all`);
  const targets = (["v8", "virtual"] as const).filter((name) => options.target === "all" || options.target === name);
  const damages = options.scene === undefined && !options.quick && ["damage", "all"].includes(options.target);
  const say = (line: string): void => void (options.json ? process.stderr : process.stdout).write(`${line}\n`);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  say(`seed ${options.seed}; repeat with --seed ${options.seed}`);
  const kept = options.continue === undefined ? undefined : open(options.continue, options);
  const reports: Partial<Record<TargetName, Report>> = {};
  let failed = 0;
  for (const target of targets) {
    if (stop.signal.aborted) break;
    const { report, failures } = await onTarget(target, options, stop.signal, say, kept);
    for (const { scene, message } of failures) say(`FAILED ${scene}: ${message}`);
    failed += failures.length;
    if (report.cases > 0 && (report.torn === 0 || report.nested === 0)) {
      say(`FAILED ${target}: nothing was torn, or no repair was cut: that proves nothing`);
      failed++;
    }
    reports[target] = report;
    tell(target, report, say);
  }
  const results: Results = { schemaVersion: 2, targets: reports };
  if (damages && !stop.signal.aborted) {
    const counts = await runDamage(
      options.seed,
      options.jobs,
      (share) => progress(`damage: ${Math.round(100 * share)} %`),
      stop.signal,
    );
    for (const violation of counts.violations) say(`FAILED ${violation}`);
    failed += counts.violated;
    const { cases, deep, outcomes } = counts;
    results.damage = { ...tried(undefined, options), cases, deep, outcomes };
    say(`\n${damageTable(results.damage)}\n`);
  }
  const isWhole = !options.quick && options.scene === undefined && !stop.signal.aborted;
  const output = options.output ?? (isWhole && failed === 0 ? RESULTS : undefined);
  if (output !== undefined) {
    mkdirSync(dirname(output), { recursive: true });
    const kept = options.output === undefined ? renewed(results) : results;
    writeFileSync(output, `${JSON.stringify(kept, null, 2)}\n`);
    say(output);
  }
  if (options.json) process.stdout.write(`${JSON.stringify({ ...results, failed })}\n`);
  if (stop.signal.aborted)
    say(
      `interrupted: the counts are those of what was finished${kept ? `; go on with --seed ${options.seed} --continue ${kept.path}` : ""}`,
    );
  process.exitCode = stop.signal.aborted ? 130 : failed > 0 ? 1 : 0;
}

/** What is tried here. */
function tried(target: TargetName | undefined, { seed }: Options): Tried {
  const core = { core: sha256("build/core.wasm"), seed };
  if (target !== "virtual") return core;
  return { ...core, elf: sha256("build/ek-ra6m5.elf"), libunicorn: engineVersion() };
}

/** The results that are kept, with what was run now in the place of what they had of it. */
function renewed({ targets, ...rest }: Results): Results {
  const kept = existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, "utf8")) as Results) : undefined;
  if (kept?.schemaVersion !== 2) return { targets, ...rest };
  return { ...kept, ...rest, targets: { ...kept.targets, ...targets } };
}

/** The file of --continue. */
function open(path: string, { quick, seed }: Options): Progress {
  const depth = DEPTH[quick ? "quick" : "full"];
  const [core, elf] = [sha256("build/core.wasm"), sha256("build/ek-ra6m5.elf")];
  try {
    return new Progress(path, { core, elf, seed, depth, parts: quick ? 1 : PARTS });
  } catch (error) {
    return program.error(`--continue: ${(error as Error).message}`);
  }
}

async function onTarget(
  target: TargetName,
  options: Options,
  signal: AbortSignal,
  say: (line: string) => void,
  kept: Progress | undefined,
) {
  const before = kept?.minutesOf(target) ?? 0;
  const start = Date.now() - before * 60_000;
  const depth = DEPTH[options.quick ? "quick" : "full"][target];
  const { counts, failures } = await run({
    target,
    seed: options.seed,
    workers: options.jobs,
    parts: options.quick ? 1 : PARTS,
    options: { ...depth, seed: options.seed },
    wanted: (scene) => options.scene === undefined || scene.includes(options.scene),
    signal,
    ...(kept && {
      done: kept
        .doneOf(target)
        .filter(({ counts }) => options.scene === undefined || counts.scene.includes(options.scene)),
      finished: (part) => kept.add(target, part, (Date.now() - start) / 60_000),
    }),
    progress(cases, done, scenes) {
      const minutes = ((Date.now() - start) / 60_000).toFixed(1);
      progress(`${target}: ${grouped(cases)} cases, ${done.toFixed(1)} of ${scenes} scenes, ${minutes} min`);
    },
  });
  kept?.flush();
  if (process.stderr.isTTY) process.stderr.write("\n");
  if (counts.length === 0 && failures.length === 0) say(`no scene's name contains ${options.scene}`);
  const all = counts.length === 0 ? undefined : counts.reduce(sum);
  const report: Report = {
    ...tried(target, options),
    cases: all?.cases ?? 0,
    torn: all?.torn ?? 0,
    nested: all?.nested ?? 0,
    operations: counts.reduce((total, one) => total + one.operations, 0),
    puts: all?.puts ?? 0,
    minutes: Math.round((Date.now() - start) / 6000) / 10,
    jobs: options.jobs,
    scenes: counts.map(({ points: _, ...rest }) => rest),
    points: Object.fromEntries(Object.entries(all?.points ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  return { report, failures };
}

function tell(target: TargetName, report: Report, say: (line: string) => void): void {
  say(`\n${scenes(target, report)}\n\n${outcomes(target, report)}\n\n${total(target, report)}`);
}

await main();
