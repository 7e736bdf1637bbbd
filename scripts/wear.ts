/** `npm run wear`: lifetimes of a store under three loads, from the first change until a block has the erases that it is rated for, with the
 *  real core.wasm in V8 over the strict media. Prints tables; a run of all whole lives also writes bench/results/wear.json and
 *  bench/pictures/wear-*.svg (schema and method: bench/README.md). Exit code 1: a record was lost, or a limit of wear/verdict.ts is broken. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { DATA_CYCLES, SLOT_CYCLES } from "../firmware/defs/medium.js";
import { CORE } from "../test/device/engine.js";
import { LOADS, type LoadName } from "./wear/loads.js";
import { picture } from "./wear/picture.js";
import { type Lives, report } from "./wear/report.js";
import { faults, MAX_TO_MEAN } from "./wear/verdict.js";
import type { Order, Report } from "./wear/worker.js";

const SCHEMA_VERSION = 1;
const root = fileURLToPath(new URL("../..", import.meta.url));
const RESULTS = "bench/results/wear.json";
const PICTURES = "bench/pictures";
/** Lives at a time. */
const WORKERS = Math.min(2, availableParallelism());
/** In the order in which they are begun: the longest first, so that all end early. */
const NAMES: LoadName[] = ["hot", "half", "full"];
const INTERRUPTED = 130;

interface Options {
  load?: LoadName;
  changes?: number;
  seed: number;
  json?: boolean;
}

function whole(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError("Expected a whole number.");
  return value;
}
function positive(text: string): number {
  const value = whole(text);
  if (value === 0) throw new InvalidArgumentError("Expected a whole number from 1 on.");
  return value;
}

function readOptions(): Options {
  return new Command("npm run wear --")
    .description(
      `Wears stores out under three loads and reports how evenly, and how long they lasted. Whole lives take 5 to 20 minutes on ${WORKERS} threads; all of them together write ${RESULTS}.`,
    )
    .addOption(new Option("--load <name>", "one load only").choices(Object.keys(LOADS)))
    .option("--changes <n>", "stop each life after n puts and replaces", positive)
    .option("--seed <n>", "of all random choices", whole, 1)
    .option("--json", "print the results as JSON")
    .exitOverride()
    .parse()
    .opts<Options>();
}

const started = Date.now();
const seconds = (): string => `${Math.round((Date.now() - started) / 1000)} s`;
const number = (value: number): string => value.toLocaleString("en-US");

/** How far each life is, for the progress line and for whoever stops early. */
const done = new Map<LoadName, string>();

/** One line on a terminal that says what is being done, and goes away. */
function progress(): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${state()}`);
}
const state = (): string => [...done].map(([name, text]) => `${name} ${text}`).join("   ");
function clear(): void {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[2K");
}

/** Lives one life in a thread. */
function live(order: Order): Promise<Extract<Report, { life: unknown }>> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./wear/worker.js", import.meta.url), { workerData: order });
    worker.on("message", (said: Report) => {
      if ("life" in said) return resolve(said);
      const share = order.changes === undefined ? said.mostErases / SLOT_CYCLES : said.changes / order.changes;
      done.set(said.load, `${number(said.changes)} changes, ${Math.min(100, Math.floor(100 * share))} %`);
      progress();
    });
    worker.on("error", (error) => reject(new Error(`${order.load}: ${error.message}`, { cause: error })));
    worker.on("exit", (code) => reject(new Error(`${order.load}: the thread ended with ${code}`))); // too late when it had resolved
  });
}

async function main(): Promise<number> {
  const { load, changes, seed, json } = readOptions();
  const names = load === undefined ? [...NAMES] : [load];
  const coreSha256 = createHash("sha256").update(CORE).digest("hex");
  if (!json) console.log(`wear: seed ${seed}, core.wasm ${coreSha256.slice(0, 16)}…`);
  const found: Lives = {};
  const next = async (): Promise<void> => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      const said = await live({ load: name, seed, changes });
      if (said.coreSha256 !== coreSha256) throw new Error("build/core.wasm changed meanwhile; run npm run wear again");
      found[name] = said.life;
      clear();
      done.set(name, `${number(said.life.changes)} changes, done`);
      console.error(`${name}: ${number(said.life.changes)} changes, after ${seconds()}`);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, next));

  const lives: Lives = {};
  for (const name of Object.keys(LOADS) as LoadName[]) if (found[name] !== undefined) lives[name] = found[name];
  const wrong = (Object.keys(lives) as LoadName[]).flatMap((name) =>
    faults(lives[name]!).map((fault) => `${name}: ${fault}`),
  );
  const result = {
    schemaVersion: SCHEMA_VERSION,
    core: { sha256: coreSha256, bytes: CORE.length },
    seed,
    rated: { block: SLOT_CYCLES, place: DATA_CYCLES },
    limits: { maxToMean: MAX_TO_MEAN },
    loads: lives,
    faults: wrong,
  };
  const text = `${JSON.stringify(result, null, 2)}\n`;
  if (json) process.stdout.write(text);
  else for (const line of report(lives)) console.log(line);
  if (load === undefined && changes === undefined) {
    for (const path of ["bench/results", PICTURES]) mkdirSync(join(root, path), { recursive: true });
    writeFileSync(join(root, RESULTS), text);
    for (const [name, life] of Object.entries(lives) as [LoadName, (typeof lives)["half"] & object][])
      writeFileSync(join(root, PICTURES, `wear-${name}.svg`), picture(LOADS[name].title, life, SLOT_CYCLES));
    if (!json) console.log(`\n${RESULTS}, ${PICTURES}/wear-{half,full,hot}.svg`);
  } else if (!json) {
    console.log(`\nNothing was written: ${RESULTS} takes whole lives under all loads.`);
  }
  for (const fault of wrong) console.error(`wear: ${fault}`);
  return wrong.length === 0 ? 0 : 1;
}

process.once("SIGINT", () => {
  clear();
  console.error(`wear: stopped after ${seconds()}; nothing was written. ${state()}`);
  process.exit(INTERRUPTED);
});

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  clear();
  console.error(`wear: ${error instanceof Error ? error.message : error}`);
  process.exit(1); // other lives may still go on
}
