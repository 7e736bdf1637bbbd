/** `npm run fuzz`: coverage-guided fuzzing of the core: core.wasm as C by wasm2c, under libFuzzer, with every access to linear memory watched
 *  (scripts/fuzz/, test/fuzz/native/). New inputs gather in build/fuzz/corpus/; findings go to build/fuzz/findings/, each with the command that
 *  repeats it, and make exit code 1. */
import { createHash, randomInt } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { buildFuzzer } from "./fuzz/build.js";
import { EXACT, SPACED, type Variant } from "./fuzz/core.js";
import { type Finding, fuzz, minimise, type Numbers, once, type Result, stop } from "./fuzz/libfuzzer.js";
import { PLANTED } from "./fuzz/planted.js";
import { needTools, ToolsError } from "./fuzz/tools.js";

process.env.MBS_TARGET = "v8"; // the one engine that the store is made in
const { TARGETS } = await import("../test/fuzz/steps.js");
type TargetName = (typeof TARGETS)[number];

const SCHEMA_VERSION = 1;
const root = fileURLToPath(new URL("../..", import.meta.url));
const BUILT = join(root, "build/fuzz");
const KEPT = join(root, "test/fuzz/corpus");
const IMAGE = join(BUILT, "store.image");
const PLANTED_SECONDS = 60;
const INTERRUPTED = 130;

interface Options {
  seconds: number;
  target?: TargetName;
  jobs: number;
  seed: number;
  exact?: boolean;
  input?: string;
  keep?: boolean;
  planted?: boolean;
  json?: boolean;
}

function positive(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value === 0)
    throw new InvalidArgumentError("Expected a whole number from 1 on.");
  return value;
}

function readOptions(): Options {
  return new Command("npm run fuzz --")
    .description("Fuzzes the core: bytes on the link, whole messages, and requests in a session.")
    .option("--seconds <n>", "in all, shared by the targets", positive, 60)
    .addOption(new Option("--target <name>", "one target only").choices(TARGETS))
    .option("--jobs <n>", "processes for each target", positive, 1)
    .option(
      "--seed <n>",
      "of the mutations; with more than one job a run is not the same again",
      positive,
      randomInt(1, 2 ** 31),
    )
    .option("--exact", "the bytes that are flashed, instead of the same sources compiled with gaps between regions")
    .option("--input <file>", "run this one input on --target, and say what it finds")
    .option("--keep", "afterwards, take the fewest new inputs over into test/fuzz/corpus")
    .option(
      "--planted",
      `instead, put known bugs into copies of the core and find each within ${PLANTED_SECONDS} seconds`,
    )
    .option("--json", "print the results as JSON")
    .exitOverride()
    .parse()
    .opts<Options>();
}

const isTerminal = Boolean(process.stderr.isTTY);

/** One line on a terminal that says what is being done, and goes away. */
function progress(what: string): void {
  if (isTerminal) process.stderr.write(`\r\x1b[2K${what}`);
}

const count = (value: number): string => value.toLocaleString("en-US");

function told(target: string, { executions, edges, edgesInAll, inputs, bytes }: Numbers): string {
  const part = edgesInAll > 0 ? `, ${Math.round((100 * edges) / edgesInAll)} %` : "";
  return `${target}: ${count(executions)} executions, ${count(edges)} edges of ${count(edgesInAll)}${part}, ${count(inputs)} inputs of ${count(bytes)} bytes`;
}

/** What the run was about and has done so far, for when it is interrupted. */
const done: string[] = [];

function say(line: string): void {
  progress("");
  done.push(line);
  console.error(line);
}

const from = (path: string): string => relative(root, path);

/** The seeds as files, and the store that inputs start from. */
async function writeSeeds(): Promise<void> {
  const { seeds } = await import("../test/fuzz/seeds.js");
  const { fuzzStore, image } = await import("../test/fuzz/store.js");
  for (const target of TARGETS) {
    const folder = join(BUILT, "seeds", target);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const [name, bytes] of Object.entries(seeds[target]))
      writeFileSync(join(folder, name.replaceAll(/[^a-z0-9]+/g, "-")), bytes);
  }
  writeFileSync(IMAGE, image(fuzzStore()));
}

const seedsOf = (target: TargetName): string => join(BUILT, "seeds", target);

/** Fuzzes one target with so many processes, which share what they find. */
async function fuzzTarget(program: string, target: TargetName, seconds: number, { seed, jobs, exact }: Options) {
  const corpus = join(BUILT, "corpus", target);
  const kept = join(KEPT, target);
  mkdirSync(corpus, { recursive: true });
  const order = {
    program,
    image: IMAGE,
    target,
    folders: [corpus, ...[kept, seedsOf(target)].filter((one) => existsSync(one))],
    findings: join(BUILT, "findings", target),
    seconds,
  };
  const results = await Promise.all(
    Array.from({ length: jobs }, (_, n) =>
      fuzz({ ...order, seed: seed + n }, (numbers) => {
        if (n === 0) progress(told(target, numbers));
      }),
    ),
  );
  const most = results.reduce((a, b) => (b.edges > a.edges ? b : a));
  const all: Result = { ...most, executions: results.reduce((sum, one) => sum + one.executions, 0) };
  const findings = results.flatMap(({ finding }) => (finding === undefined ? [] : [finding]));
  say(told(target, all));
  for (const finding of findings) tellFinding(finding, target, exact === true);
  return { target, ...all, finding: undefined, findings };
}

function tellFinding({ what, file }: Finding, target: TargetName, exact: boolean): void {
  say(`FOUND in ${target}: ${what}`);
  if (file === undefined) {
    say("  without any input: the first start ends so");
    return;
  }
  say(`  repeat with: npm run fuzz -- --target ${target}${exact ? " --exact" : ""} --input ${from(file)}`);
  say(`  once it is mended, move it to test/fuzz/findings/${target}/: npm test plays it from then on`);
}

async function fuzzAll(options: Options, variant: Variant): Promise<number> {
  const program = await buildFuzzer(root, variant, progress);
  const targets = options.target === undefined ? [...TARGETS] : [options.target];
  const seconds = Math.max(1, Math.round(options.seconds / targets.length));
  say(
    `seed ${options.seed}, core ${variant.name}, ${seconds} s for each target, ${options.jobs} process${options.jobs > 1 ? "es" : ""}`,
  );
  const results = [];
  for (const target of targets) results.push(await fuzzTarget(program, target, seconds, options));
  const found = results.reduce((sum, one) => sum + one.findings.length, 0);
  const executions = results.reduce((sum, one) => sum + one.executions, 0);
  say(`${count(executions)} executions, ${found} finding${found === 1 ? "" : "s"}`);
  if (options.keep) {
    for (const target of targets) {
      const to = join(KEPT, target);
      const merged = await minimise(
        { program, image: IMAGE, target },
        seedsOf(target),
        [to, join(BUILT, "corpus", target)],
        to,
      );
      say(`test/fuzz/corpus/${target}: ${merged.inputs} inputs of ${count(merged.bytes)} bytes kept`);
    }
  }
  if (options.json) {
    const core = createHash("sha256")
      .update(readFileSync(join(root, "build/core.wasm")))
      .digest("hex");
    const { seed, jobs } = options;
    console.log(
      JSON.stringify(
        {
          schemaVersion: SCHEMA_VERSION,
          core,
          variant: variant.name,
          seed,
          jobs,
          seconds,
          executions,
          targets: results,
        },
        null,
        2,
      ),
    );
  }
  return found > 0 ? 1 : 0;
}

async function tryOne(options: Options, variant: Variant, input: string): Promise<number> {
  if (options.target === undefined)
    throw new InvalidArgumentError("--input needs --target, which says how it is read.");
  if (!existsSync(input)) throw new InvalidArgumentError(`${input} does not exist.`);
  const program = await buildFuzzer(root, variant, progress);
  const what = await once(program, IMAGE, options.target, input);
  say(what === undefined ? "nothing is found with it" : `FOUND: ${what}`);
  return what === undefined ? 0 : 1;
}

/** Each planted bug, from the seeds alone. */
async function findPlanted({ seed, target, json }: Options): Promise<number> {
  const chosen = PLANTED.filter((one) => target === undefined || one.target === target);
  const results = [];
  for (const { name, what, target, patch } of chosen) {
    const variant = { name: `planted-${name}`, isSpaced: true, patches: [patch] };
    const program = await buildFuzzer(root, variant, progress);
    const corpus = join(BUILT, variant.name, "corpus");
    rmSync(corpus, { recursive: true, force: true });
    mkdirSync(corpus, { recursive: true });
    const folders = [corpus, seedsOf(target)];
    const findings = join(BUILT, variant.name, "findings");
    const began = Date.now();
    const order = { program, image: IMAGE, target, folders, findings, seconds: PLANTED_SECONDS, seed };
    const { executions, finding } = await fuzz(order, (numbers) => progress(told(name, numbers)));
    const seconds = Math.round((Date.now() - began) / 1000);
    say(
      `${name} (${what}): ${finding === undefined ? "NOT FOUND" : `found, "${finding.what}"`}, ${count(executions)} executions, ${seconds} s`,
    );
    results.push({ name, target, executions, seconds, found: finding?.what });
  }
  const found = results.filter((one) => one.found !== undefined).length;
  say(`${found} of ${results.length} planted bugs found`);
  if (json) console.log(JSON.stringify({ schemaVersion: SCHEMA_VERSION, seed, planted: results }, null, 2));
  return found === results.length ? 0 : 1;
}

async function main(): Promise<number> {
  const options = readOptions();
  await needTools(root, say);
  progress("making the store that inputs start from");
  await writeSeeds();
  if (options.planted) return findPlanted(options);
  const variant = options.exact ? EXACT : SPACED;
  if (options.input !== undefined) return tryOne(options, variant, options.input);
  return fuzzAll(options, variant);
}

for (const [signal, code] of [
  ["SIGINT", INTERRUPTED],
  ["SIGTERM", 143],
] as const) {
  process.once(signal, () => {
    stop();
    progress("");
    console.error(
      `fuzz: stopped (${signal}); ${done.length > 0 ? "what was done stands above" : "nothing was done"}. New inputs stay in build/fuzz/corpus/.`,
    );
    process.exit(code);
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  progress("");
  if (error instanceof CommanderError && error.exitCode === 0) process.exitCode = 0;
  else {
    if (!(error instanceof CommanderError) || error instanceof InvalidArgumentError)
      console.error(`fuzz: ${error instanceof ToolsError || error instanceof Error ? error.message : error}`);
    process.exitCode = error instanceof CommanderError ? 2 : 1;
  }
}
