/** `npm run bench`: what the core costs in instructions on the virtual board, and the store in flash operations. Prints tables and writes
 *  bench/results/latest.json (schema and method: bench/README.md). Never wall time: instructions are the same on every machine.
 *  A missed target is reported; with --check it is also exit code 1. With --host only what runs on this computer is measured, by the clock:
 *  encrypted files and the claim cache, into bench/results/host.json. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { buildProbe } from "../test/probe/build.js";
import { measureCache, measureClaims } from "./bench/claims.js";
import { measureCrypto, withModule } from "./bench/crypto.js";
import { measureCurves } from "./bench/curve.js";
import { FILE_GOAL, fileSpeedText, measureFiles } from "./bench/files.js";
import { CAPACITY } from "./bench/host.js";
import { measureSessions } from "./bench/session.js";
import { measureStore, SIZES } from "./bench/store.js";
import { type Costs, type Target, targets } from "./bench/targets.js";

const options = new Command("bench")
  .description("what the core costs, in instructions and flash operations on the virtual board")
  .option("--host", "instead: encrypted files and the claim cache on this computer, by its clock", false)
  .option("--check", "exit code 1 when a target is missed", false)
  .parse()
  .opts<{ host: boolean; check: boolean }>();

const SCHEMA_VERSION = 2;
const root = fileURLToPath(new URL("../..", import.meta.url));
const RESULTS = "bench/results/latest.json";
/** At 192 MHz and 1.6 cycles an instruction, as README.md has it. */
const INSTRUCTIONS_PER_MS = 192_000 / 1.6;
const HOST_SCHEMA_VERSION = 1;
const HOST_RESULTS = "bench/results/host.json";

const identify = (bytes: Buffer) => ({ sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length });

/** One line on a terminal that says what is being done, and goes away. */
function progress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${what}`);
}

/** Rows under heads, columns aligned: the first to the left, numbers to the right. */
function table(title: string, heads: string[], rows: (string | number)[][]): void {
  const text = rows.map((row) => row.map((cell) => (typeof cell === "number" ? number(cell) : cell)));
  const widths = heads.map((head, i) => Math.max(head.length, ...text.map((row) => row[i]!.length)));
  const line = (cells: string[]) =>
    `  ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ")}`;
  console.log(`\n${title}`);
  for (const cells of [heads, ...text]) console.log(line(cells).trimEnd());
}

const number = (value: number) =>
  value.toLocaleString("en-US", {
    maximumFractionDigits: Number.isInteger(value) ? 0 : 2,
    minimumFractionDigits: Number.isInteger(value) ? 0 : 2,
  });

function print({ crypto, curves, sessions, claims, store }: Costs, met: Target[]): void {
  table(
    "Cryptography, instructions (in the firmware's wasm3, waits and request taken off)",
    ["operation", "bytes", "instructions", "per byte"],
    crypto.map(({ operation, length, instructions, perByte }) => [operation, length, instructions, perByte]),
  );
  table(
    "Curves, instructions",
    ["operation", "instructions"],
    curves.map(({ operation, instructions }) => [operation, instructions]),
  );
  table(
    "Sessions and keys, instructions from the first byte of the request to rest",
    ["operation", "instructions"],
    sessions.map(({ operation, instructions }) => [operation, instructions]),
  );
  table(
    "Filekeys and claims, instructions from the first byte of the request to rest, and flash time of the data sheet",
    ["operation", "instructions", "data-flash erases", "typical ms", "a second"],
    claims.map(({ operation, instructions, flash, typicalMs }) => [
      operation,
      instructions,
      flash.dataErases,
      typicalMs,
      Math.floor(1000 / (instructions / INSTRUCTIONS_PER_MS + typicalMs)),
    ]),
  );
  table(
    `Commands in a session, instructions from the first byte of the request to rest (4 KB slots, capacity ${CAPACITY})`,
    ["fill", "records", "bytes", "put", "first put", "get", "find label"],
    store.commands.map((row) => {
      const { put, firstPut, get, find } = row.instructions;
      return [`${row.fill} %`, row.records, row.size, put, firstPut, get, find];
    }),
  );
  table(
    "Boot and list, instructions",
    ["fill", "records", "boot", "list", `list, all ${SIZES[0]} bytes`, `list, all ${SIZES[2]} bytes`],
    store.fills.map((row) => [`${row.fill} %`, row.records, row.boot, row.list, row.listSmall, row.listLarge]),
  );
  table(
    "Evict one, put one, at random, at a constant fill",
    [
      "fill",
      "records",
      "bytes",
      "puts",
      "programmed per byte",
      "erases per put",
      "worst put, typical ms",
      "at most ms",
    ],
    store.churn.map((row) => [
      `${row.fill} %`,
      row.records,
      row.size,
      row.puts,
      row.programmedPerByte,
      row.erasesPerPut,
      row.worstTypicalMs,
      row.worstMostMs,
    ]),
  );
  const { worst } = store;
  table(
    "The worst put of these, right after power-up",
    ["what", "value"],
    [
      ["instructions", worst.instructions],
      ["code-flash units programmed", worst.flash.slotPrograms],
      ["code-flash blocks erased", worst.flash.slotErases],
      ["data-flash units programmed", worst.flash.dataPrograms],
      ["data-flash blocks erased", worst.flash.dataErases],
      ["flash time, typical ms", worst.typicalMs],
      ["flash time, at most ms", worst.mostMs],
    ],
  );
  table(
    "Targets",
    ["target", "limit", "value", ""],
    met.map((one) => [one.name, one.limit, one.value, one.met ? "met" : "MISSED"]),
  );
}

/** What this computer does, by its clock: the ratio means something elsewhere, the rest does not. */
async function host(): Promise<number> {
  progress("files");
  const files = await measureFiles();
  progress("claims from the cache");
  const claimsPerSecond = await measureCache();
  progress("");
  for (const line of fileSpeedText(files)) console.log(line);
  console.log(`claims from the cache, each on disk: ${claimsPerSecond.toFixed(0)} per second`);
  const result = { schemaVersion: HOST_SCHEMA_VERSION, node: process.version, ...files, claimsPerSecond };
  mkdirSync(join(root, "bench/results"), { recursive: true });
  writeFileSync(join(root, HOST_RESULTS), `${JSON.stringify(result, null, 2)}\n`);
  console.log(`\n${HOST_RESULTS}`);
  return options.check && files.speeds.some(({ ratio }) => ratio < FILE_GOAL) ? 1 : 0;
}

async function main(): Promise<number> {
  if (options.host) return host();
  const built = (name: string) => readFileSync(join(root, "build", name));
  await buildProbe(root, "bench");
  await buildProbe(root, "curve");
  const [core, elf] = [built("core.wasm"), built("ek-ra6m5.elf")];
  progress("cryptography");
  const crypto = measureCrypto(withModule(elf, core, built("bench.wasm")));
  progress("curves");
  const curves = measureCurves(withModule(elf, core, built("curve.wasm")));
  progress("sessions");
  const sessions = measureSessions();
  progress("claims");
  const claims = measureClaims();
  const store = measureStore(progress);
  progress("");
  if (!built("ek-ra6m5.elf").equals(elf))
    throw new Error("build/ek-ra6m5.elf changed meanwhile; run npm run bench again");
  const costs = { crypto, curves, sessions, claims, store };
  const met = targets(core.length, costs);
  const result = {
    schemaVersion: SCHEMA_VERSION,
    core: identify(core),
    elf: identify(elf),
    ...costs,
    targets: met,
  };
  print(costs, met);
  mkdirSync(join(root, "bench/results"), { recursive: true });
  writeFileSync(join(root, RESULTS), `${JSON.stringify(result, null, 2)}\n`);
  console.log(
    `\n${RESULTS}  core.wasm ${result.core.sha256.slice(0, 16)}…  ek-ra6m5.elf ${result.elf.sha256.slice(0, 16)}…`,
  );
  return options.check && met.some((one) => !one.met) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  progress("");
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
