/** `npm run bench`: what the core costs in instructions on the virtual board under each engine, beside native C, and the store in flash operations.
 *  Prints tables and writes bench/results/VERSION.json (schema and method: bench/README.md). Never wall time: instructions are the same on every
 *  machine. A missed target is reported; with --check it is also exit code 1. With --compare rows that do not take long are measured and held
 *  against that file. With --host only what runs on this computer is measured, by the clock: files, hashes,
 *  start-up, requests and the claim cache, into bench/results/host.json. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import { buildProbe } from "../test/probe/build.js";
import { compare, printComparison } from "./bench/compare.js";
import { measureComputer } from "./bench/computer.js";
import { type CoreEngine, type Cost, rowsOf } from "./bench/cost.js";
import { CRYPTO_OPERATIONS, type CryptoOperation, withModule } from "./bench/crypto.js";
import { measureLine } from "./bench/line.js";
import { measureCore, measureQuick } from "./bench/measure.js";
import { BAUDS, CYCLES, MHZ } from "./bench/model.js";
import { LIBRARIES, measureNative, NoNative, quickest } from "./bench/native.js";
import { picture } from "./bench/picture.js";
import { profileCrypto } from "./bench/profile.js";
import { printChurn, printLine, printRows, printTargets, printTimes, table } from "./bench/report.js";
import { type Result, SCHEMA_VERSION } from "./bench/result.js";
import { fillStores, measureChurn } from "./bench/store.js";
import { targets } from "./bench/targets.js";

const options = new Command("bench")
  .description("what the core costs, in instructions and flash operations on the virtual board")
  .option(
    "--host",
    "instead: files, hashes, start-up, requests and the claim cache on this computer, by its clock",
    false,
  )
  .option("--check", "exit code 1 when a target is missed", false)
  .option("--no-native", "without C of other libraries, which are downloaded; the figures of the last result stay")
  .option("--compare", "instead: exit code 1 when a row costs more than the committed result says", false)
  .addOption(
    new Option("--profile <operation>", "instead: which handlers of the interpreter it runs, over 4,000 bytes").choices(
      CRYPTO_OPERATIONS,
    ),
  )
  .parse()
  .opts<{ host: boolean; check: boolean; native: boolean; compare: boolean; profile?: CryptoOperation }>();

const root = fileURLToPath(new URL("../..", import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
/** One for each release. */
const RESULTS = `bench/results/${version}.json`;
const PICTURE = "bench/pictures/engines.svg";
/** Bytes over which an operation is profiled. */
const PROFILED = 4000;

const identify = (bytes: Buffer) => ({ sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length });

/** One line on a terminal that says what is being done, and goes away. */
function progress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${what}`);
}

/** Where the instructions of one operation go. */
async function profile(operation: CryptoOperation): Promise<number> {
  const built = (name: string) => readFileSync(join(root, "build", name));
  await buildProbe(root, "bench");
  const elf = withModule(built("ek-ra6m5.elf"), built("core.wasm"), built("bench.wasm"));
  const costs = profileCrypto(elf, join(root, "build/ek-ra6m5.elf"), operation, PROFILED);
  table(
    `${operation} of ${PROFILED} bytes, the request included: handlers, and instructions per byte`,
    ["handler", "calls", "instructions each", "per byte"],
    costs
      .filter((one) => one.instructions >= PROFILED / 10)
      .map(({ handler, calls, instructions }) => [
        handler,
        calls,
        instructions / (calls || 1),
        instructions / PROFILED,
      ]),
  );
  return 0;
}

/** The result that is there; undefined when it is of another schema or there is none. */
function lastResult(): Result | undefined {
  if (!existsSync(join(root, RESULTS))) return undefined;
  const result = JSON.parse(readFileSync(join(root, RESULTS), "utf8")) as Result;
  return result.schemaVersion === SCHEMA_VERSION ? result : undefined;
}

/** C of other libraries; where they cannot be had, or are not wanted, the figures of the last result. */
function native(): { costs: Cost[]; all: Result["native"] } {
  if (options.native) {
    try {
      progress("native C");
      const costs = measureNative(root);
      return { costs: quickest(costs), all: { libraries: LIBRARIES, costs } };
    } catch (error) {
      if (!(error instanceof NoNative)) throw error;
      progress("");
      console.error(`bench: native C is not measured, the figures of ${RESULTS} stay: ${error.message}`);
    }
  }
  const all = lastResult()?.native ?? { libraries: [], costs: [] };
  return { costs: quickest(all.costs), all };
}

async function compared(): Promise<number> {
  const last = lastResult();
  if (last === undefined) throw new Error(`${RESULTS} is not there, or of another schema; run: npm run bench`);
  for (const target of ["bench", "curve"]) await buildProbe(root, target);
  const rows = rowsOf({ wasm3: measureQuick(root, "wasm3", progress), aot: measureQuick(root, "aot", progress) });
  progress("");
  return printComparison(compare(last.rows, rows), rows.length, RESULTS);
}

async function main(): Promise<number> {
  if (options.host) return (await measureComputer(root, progress)) || !options.check ? 0 : 1;
  if (options.profile !== undefined) return profile(options.profile);
  if (options.compare) return compared();
  const built = (name: string) => readFileSync(join(root, "build", name));
  for (const target of ["bench", "curve"]) await buildProbe(root, target);
  const core = built("core.wasm");
  progress("filling stores");
  const stores = fillStores();
  const { churn, worst } = measureChurn(progress);
  const of = (engine: CoreEngine) => measureCore(root, engine, { stores, worst }, progress);
  const [wasm3, aot, stock] = [of("wasm3"), of("aot"), of("stock")];
  const { costs, all } = native();
  const line = (["wasm3", "aot"] as const).flatMap((engine) =>
    BAUDS.flatMap((baud) => {
      progress(`${engine}: line at ${baud} baud`);
      return measureLine({ wasm3, aot }[engine].elf, engine, baud);
    }),
  );
  progress("");
  if (!built("core.wasm").equals(core)) throw new Error("build/core.wasm changed meanwhile; run npm run bench again");
  const rows = rowsOf({ wasm3: wasm3.costs, aot: aot.costs, stock: stock.costs, native: costs });
  const met = targets(core.length, rows, line);
  const result: Result = {
    schemaVersion: SCHEMA_VERSION,
    core: identify(core),
    firmware: { stock: identify(stock.elf), wasm3: identify(wasm3.elf), aot: identify(aot.elf) },
    model: { mhz: MHZ, cycles: CYCLES },
    rows,
    line,
    churn,
    native: all,
    targets: met,
  };
  printRows(rows);
  printTimes(rows);
  printLine(line);
  printChurn(churn, rows);
  printTargets(met);
  for (const path of ["bench/results", "bench/pictures"]) mkdirSync(join(root, path), { recursive: true });
  writeFileSync(join(root, RESULTS), `${JSON.stringify(result, null, 2)}\n`);
  if (all.costs.length > 0) writeFileSync(join(root, PICTURE), picture(rows));
  const said = Object.entries(result.firmware).map(([engine, { sha256 }]) => `${engine} ${sha256.slice(0, 16)}…`);
  console.log(`\n${RESULTS}  core.wasm ${result.core.sha256.slice(0, 16)}…  firmware ${said.join("  ")}`);
  return options.check && met.some((one) => !one.met) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  progress("");
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
