/** `npm run mutants`: plants each bug of test/mutants/ in a copy of firmware/, builds core.wasm from it and runs the checks of `npm test`
 *  against that core in V8 until one fails. The unchanged core, in other bytes, passes the same checks, or nothing counts as caught.
 *  Exit code 0 only when every bug is caught. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { mutants } from "../test/mutants/all.js";
import { checks } from "../test/mutants/checks.js";
import { type Check, changesOf, type Mutant } from "../test/mutants/mutant.js";
import buildProbes from "../test/probe/build.js";
import { stopAll } from "./mutants/children.js";
import { Undeclared, Workshop, withSection } from "./mutants/core.js";
import { type Failure, type Run, runChecks } from "./mutants/tests.js";

const HELP = `npm run mutants -- [options]

Plants each bug of test/mutants/ in a copy of firmware/, builds core.wasm and runs the checks of npm test against it.

  --only NAME   this bug alone; may be given again
  --list        names what there is, and what each of them breaks; runs nothing
  --json        the result as JSON on standard output, nothing else there
  --jobs N      bugs at a time, 1 or 2 (default 2)
  --seed N      seed of the checks' random choices (default: drawn and printed)
  --help        this text

Exit codes: 0 all caught; 1 one survived, or something failed; 2 wrong usage; 130 stopped.
`;
const MAX_JOBS = 2;
const GROWTH = 1024; // bytes that a planted bug may add to core.wasm: it is a slip, not a feature

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The command line is wrong. */
class UsageError extends Error {}

interface Options {
  chosen: readonly Mutant[];
  list: boolean;
  json: boolean;
  jobs: number;
  seed: number;
}

function readOptions(argv: string[]): Options | "help" {
  const { values } = (() => {
    try {
      return parseArgs({
        args: argv,
        options: {
          only: { type: "string", multiple: true },
          list: { type: "boolean", default: false },
          json: { type: "boolean", default: false },
          jobs: { type: "string", default: String(MAX_JOBS) },
          seed: { type: "string" },
          help: { type: "boolean", default: false },
        },
      });
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  })();
  if (values.help) return "help";
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > MAX_JOBS)
    throw new UsageError(`--jobs: expected 1 to ${MAX_JOBS}, came ${values.jobs}`);
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 31)
    throw new UsageError(`--seed: expected a number below 2147483648, came ${values.seed}`);
  for (const name of values.only ?? [])
    if (!mutants.some((one) => one.name === name))
      throw new UsageError(`--only: there is no ${name}; --list names all`);
  const chosen = values.only === undefined ? mutants : mutants.filter(({ name }) => values.only?.includes(name));
  return { chosen, list: values.list, json: values.json, jobs, seed };
}

type Verdict = { name: string; breaks: string } & (
  | { verdict: "caught"; by: Failure; isRefused: boolean }
  | { verdict: "survived"; passed: number }
  | { verdict: "broken"; why: string }
);

const isTerminal = process.stderr.isTTY === true;
let shown = false;
/** One line on a terminal that says what is being done, and goes away. */
function progress(text: string): void {
  if (!isTerminal || (text === "" && !shown)) return;
  process.stderr.write(`\r\x1b[2K${text.slice(0, (process.stderr.columns || 80) - 1)}`);
  shown = text !== "";
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

class Session {
  readonly folder = mkdtempSync(join(tmpdir(), "mbs-mutants-"));
  readonly verdicts: Verdict[] = [];
  readonly #files = checks(root);
  readonly #working = new Set<string>();
  /** Files, and tests of files, that the unchanged core passes. */
  readonly #known = new Set<string>();
  #core: Buffer = Buffer.alloc(0);
  #unchanged: Run | undefined;

  constructor(readonly options: Options) {}

  say(text: string): void {
    progress("");
    if (!this.options.json) console.log(text);
    this.#show();
  }

  #show(): void {
    if (this.#working.size === 0) return;
    progress(
      `${this.verdicts.length} of ${this.options.chosen.length} done; at work: ${[...this.#working].join(", ")}`,
    );
  }

  async #at<R>(what: string, work: () => Promise<R>): Promise<R> {
    this.#working.add(what);
    this.#show();
    try {
      return await work();
    } finally {
      this.#working.delete(what);
      progress("");
    }
  }

  #write(name: string, wasm: Buffer): Run {
    const core = join(this.folder, `${name}.wasm`);
    writeFileSync(core, wasm);
    return { root, core, seed: this.options.seed };
  }

  /** Builds the unchanged core, which must pass what is expected to catch the planted bugs. @throws Error when it does not */
  async control(workshop: Workshop): Promise<void> {
    await buildProbes(); // once, not by each vitest
    this.#core = await this.#at("the unchanged core", () => workshop.build([]));
    this.#unchanged = this.#write("unchanged", withSection(this.#core, "unchanged"));
    const expected = this.options.chosen.flatMap(({ caughtBy }) => caughtBy);
    const passed = await this.#at("control: the unchanged core", () => this.#mustPass(expected));
    this.say(`control: the unchanged core passes the ${passed} tests that are expected to catch the bugs`);
  }

  /** The unchanged core must pass what catches a bug. It comes in other bytes, with the same code: a check that merely sees that core.wasm
   *  is another file would catch anything. @returns how many tests passed @throws Error when it does not */
  async #mustPass(wanted: readonly Check[]): Promise<number> {
    const open = wanted.filter(({ file, test }) => !this.#known.has(file) && !this.#known.has(`${file}: ${test}`));
    if (open.length === 0) return 0;
    const { failure, passed } = await runChecks(this.#unchanged!, open);
    if (failure) throw new Error(`the unchanged core fails ${failure.file}: ${failure.test}\n  ${failure.message}`);
    for (const { file, test } of open) {
      if (!passed.some((name) => name.startsWith(`${file}: `) && name.includes(test ?? "")))
        throw new Error(`${file} has no test that is named ${test ?? "anything"}`);
      this.#known.add(test === undefined ? file : `${file}: ${test}`);
    }
    return passed.length;
  }

  async try(mutant: Mutant, workshop: Workshop): Promise<void> {
    const verdict = await this.#at(mutant.name, () => this.#judge(mutant, workshop));
    const known = { name: mutant.name, breaks: mutant.breaks };
    this.verdicts.push({ ...known, ...verdict });
    if (verdict.verdict === "caught") {
      const also = verdict.isRefused ? " (and the build refuses it)" : "";
      this.say(`caught    ${mutant.name}  ${verdict.by.file}: ${verdict.by.test}${also}`);
    } else if (verdict.verdict === "survived") this.say(`SURVIVED  ${mutant.name}  ${verdict.passed} tests passed`);
    else this.say(`BROKEN    ${mutant.name}  ${verdict.why}`);
  }

  async #judge(mutant: Mutant, workshop: Workshop) {
    const broken = (why: string) => ({ verdict: "broken", why }) as const;
    try {
      const changes = changesOf(mutant);
      let isRefused = false;
      const wasm = await workshop.build(changes).catch((error) => {
        if (!(error instanceof Undeclared)) throw error;
        isRefused = true; // what the tests say to it all the same
        return workshop.build(changes, [], process.env, false);
      });
      if (wasm.equals(this.#core)) return broken("the core is the same as without it");
      if (wasm.length > this.#core.length + GROWTH)
        return broken(`the core grows by ${wasm.length - this.#core.length} bytes, more than ${GROWTH}`);
      const run = this.#write(mutant.name, wasm);
      const tried = mutant.caughtBy.filter(({ test }) => test === undefined).map(({ file }) => file);
      const others = (files: string[]): Check[] =>
        files.filter((file) => !tried.includes(file)).map((file) => ({ file }));
      let passed = 0;
      for (const next of [mutant.caughtBy, others(this.#files.quick), others(this.#files.slow)]) {
        const outcome = await runChecks(run, next);
        if (outcome.failure) {
          const { file } = outcome.failure;
          await this.#mustPass(next.filter((check) => check.file === file));
          return { verdict: "caught", by: outcome.failure, isRefused } as const;
        }
        passed += outcome.passed.length;
      }
      return { verdict: "survived", passed } as const;
    } catch (error) {
      return broken((error as Error).message);
    }
  }

  get caught(): number {
    return this.verdicts.filter(({ verdict }) => verdict === "caught").length;
  }

  async run(): Promise<number> {
    const { chosen, jobs, seed, json } = this.options;
    this.say(`seed ${seed} (again with --seed ${seed})`);
    const workshops = Array.from({ length: jobs }, (_, i) => new Workshop(root, join(this.folder, `firmware-${i}`)));
    await this.control(workshops[0]!);
    const queue = [...chosen];
    const work = async (workshop: Workshop): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift()) await this.try(next, workshop);
    };
    await Promise.all(workshops.map(work));
    const core = { sha256: sha256(this.#core), bytes: this.#core.length };
    const result = { seed, core, caught: this.caught, total: chosen.length, mutants: this.verdicts };
    if (json) console.log(JSON.stringify(result, null, 2));
    else console.log(`${this.caught}/${chosen.length} caught`);
    return this.caught === chosen.length ? 0 : 1;
  }

  end(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === "help") {
    process.stdout.write(HELP);
    return 0;
  }
  if (options.list) {
    const rows = options.chosen.map(({ name, file, breaks }) => ({ name, file, breaks }));
    if (options.json) console.log(JSON.stringify(rows, null, 2));
    else for (const { name, file, breaks } of rows) console.log(`${name}  (${file})\n  ${breaks}`);
    return 0;
  }
  process.chdir(root);
  const session = new Session(options);
  const stop = (signal: "SIGINT" | "SIGTERM"): void => {
    progress("");
    stopAll();
    session.end();
    const done = `${session.verdicts.length} of ${options.chosen.length} tried, ${session.caught} caught`;
    console.error(`mutants: stopped (${signal}); ${done}`);
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  try {
    return await session.run();
  } finally {
    session.end();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  progress("");
  console.error(`mutants: ${error instanceof Error ? error.message : error}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
