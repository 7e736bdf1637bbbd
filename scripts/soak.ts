/** `npm run soak`: hours of virtual time of mixed load through the real client, with power cuts, line noise and reconnects, beside the
 *  reference model (test/soak). It ends after --minutes of wall clock, at a divergence (exit 1, with everything needed to look at it in
 *  build/soak) or at Ctrl-C (exit 130), and says what was done. With --seed a run is repeated exactly. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { saveFlash } from "../board/virtual/flashfile.js";
import { seedKeys } from "../test/soak/seeded.js";
import type { Numbers } from "../test/soak/soak.js";
import { type Started, start, TARGETS, type TargetName } from "../test/soak/targets.js";

const HELP = `Usage: npm run soak -- [options]

Runs mixed load through the real client against a device, with random power cuts, line noise, reconnects and
sessions that expire, and compares every answer with the reference model.

  --minutes N    how long, in minutes of wall clock (default 10)
  --commands N   ends after so many commands, if that comes first
  --target T     v8 (the core in V8, default) or virtual (the ELF on the virtual board)
  --seed N       repeats the run that printed this seed
  --json         prints the numbers as JSON
  --help         prints this

Exit code: 0 no divergence, 1 a divergence, 2 a wrong argument, 130 ended by Ctrl-C.`;

const OUT = fileURLToPath(new URL("../../build/soak", import.meta.url));
/** Milliseconds between two lines of progress on a terminal, and elsewhere. */
const PROGRESS_MS = { terminal: 500, elsewhere: 60_000 };
const number = (value: number): string => value.toLocaleString("en-US");

class UsageError extends Error {}

interface Options {
  minutes: number;
  commands: number;
  target: TargetName;
  seed: number;
  json: boolean;
}

/** @returns undefined when help was asked for */
function readOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: "string", default: "10" },
      commands: { type: "string" },
      target: { type: "string", default: "v8" },
      seed: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new UsageError(`--minutes expects a number above 0, got "${values.minutes}"`);
  const commands = values.commands === undefined ? Number.POSITIVE_INFINITY : Number(values.commands);
  if (!(commands > 0)) throw new UsageError(`--commands expects a number above 0, got "${values.commands}"`);
  const target = TARGETS.find((name) => name === values.target);
  if (target === undefined) throw new UsageError(`--target expects ${TARGETS.join(" or ")}, got "${values.target}"`);
  const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 31)
    throw new UsageError(`--seed expects an integer from 0 to ${2 ** 31 - 1}, got "${values.seed}"`);
  return { minutes, commands, target, seed, json: values.json };
}

/** Says how far it is; one line that is written over on a terminal. */
function progress({ soak }: Started, done = false): void {
  const { virtualHours, cuts, noise } = soak.numbers;
  const text = `${number(virtualHours)} virtual hours, ${number(soak.step)} commands, ${number(cuts)} cuts, ${number(sum(noise))} noise events`;
  if (!process.stderr.isTTY) {
    if (!done) process.stderr.write(`soak: ${text}\n`);
  } else process.stderr.write(`\r\x1b[2K${done ? "" : text}`);
}

const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((all, n) => all + n, 0);

function print(numbers: Numbers): void {
  const { commands, noise } = numbers;
  const kinds = (counts: Record<string, number>) =>
    Object.entries(counts)
      .sort(([, a], [, b]) => b - a)
      .map(([kind, n]) => `${kind} ${number(n)}`)
      .join(", ");
  const rows: [string, string][] = [
    ["virtual time", `${number(numbers.virtualHours)} hours, ${number(numbers.lives)} whole lives of a store`],
    ["commands", `${number(sum(commands))}, of these refused as they should be ${number(numbers.refused)}`],
    ["", kinds(commands)],
    [
      "power cuts",
      `${number(numbers.cuts)} at a flash operation, ${number(numbers.cutsWhileMounting)} of these while mounting`,
    ],
    ["power cycles", `${number(numbers.powerCycles)} at other times; ${number(numbers.powerUps)} power-ups in all`],
    ["unanswered", `${number(numbers.before)} had not happened, ${number(numbers.after)} had`],
    ["answered", `${number(numbers.answeredAcrossPowerUps)} although power failed in between`],
    ["noise", `${number(sum(noise))}: ${kinds(noise)}; ${number(numbers.split)} pieces split`],
    ["ports opened", `${number(numbers.portsOpened)}; ${number(numbers.takeovers)} times another client took over`],
    ["retransmissions", number(numbers.retransmissions)],
    ["busy waits", `${number(numbers.busyWaits)}; ${number(numbers.touches)} touches`],
    ["looks", `${number(numbers.looks)} at everything that the device shows`],
    ["divergences", number(numbers.divergences)],
  ];
  for (const [what, value] of rows) console.log(`${what.padEnd(16)} ${value}`);
}

/** Everything that is needed to look at a divergence. @returns the folder */
function keep({ soak, image }: Started, options: Options, error: unknown): string {
  const folder = join(OUT, `${options.target}-${options.seed}`);
  mkdirSync(folder, { recursive: true });
  saveFlash(join(folder, "flash"), image());
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const told = [`target ${options.target}, seed ${options.seed}, step ${soak.step}`, what, "", ...soak.history];
  writeFileSync(join(folder, "history.txt"), `${told.join("\n")}\n`);
  writeFileSync(join(folder, "keys.txt"), `${soak.keys.join("\n")}\n`);
  return folder;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    console.log(HELP);
    return 0;
  }
  const { target, seed, minutes, json } = options;
  if (!json)
    console.log(`soak of ${target === "v8" ? "the core in V8" : "the ELF on the virtual board"}, seed ${seed}`);
  let interrupted = false;
  process.once("SIGINT", () => {
    interrupted = true;
  });
  seedKeys(seed);
  const started = start(target, seed);
  const end = Date.now() + minutes * 60_000;
  const enough = () => interrupted || Date.now() >= end || started.soak.step >= options.commands;
  const every = process.stderr.isTTY ? PROGRESS_MS.terminal : PROGRESS_MS.elsewhere;
  const ticker = setInterval(() => progress(started), every);
  let failure: unknown;
  try {
    await started.soak.run(enough);
  } catch (error) {
    failure = error;
  }
  clearInterval(ticker);
  progress(started, true);
  const { numbers } = started.soak;
  if (json) console.log(JSON.stringify({ target, seed, ...numbers }, null, 2));
  else print(numbers);
  if (failure === undefined) return interrupted ? 130 : 0;
  const folder = keep(started, options, failure);
  const message = failure instanceof Error ? failure.message : String(failure);
  console.error(`soak: divergence at step ${started.soak.step}: ${message}`);
  console.error(
    `soak: flash, history and operators' keys are in ${folder}; repeat with --target ${target} --seed ${seed}`,
  );
  return 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  const usage = error instanceof UsageError || (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS");
  console.error(`soak: ${error instanceof Error ? error.message : error}${usage ? "; see --help" : ""}`);
  process.exitCode = usage ? 2 : 1;
}
