/** `npm run controls`: what shows that the check of secrets can fail, at a length that tests have no time for. Plants leaks in a copy of firmware/,
 *  each alone, and holds the check against random programs. Exit code 1: a leak was accepted, or told in the wrong place. */
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { leaks } from "../test/prove/leaks.js";
import { readBuild } from "./prove/built.js";
import { fuzz } from "./prove/fuzz.js";
import { audit } from "./prove/handlers.js";
import { Planter, tryEach } from "./prove/planted.js";
import type { Built } from "./prove/proof.js";
import type { Policy } from "./prove/secrets.js";

type Forbidden = Policy["forbidden"];

const root = fileURLToPath(new URL("../..", import.meta.url));
const BATCH = 500;

/** Plants each leak of test/prove/leaks.ts. @returns whether all were told */
async function plantLeaks({ map }: Built, forbidden: Forbidden): Promise<boolean> {
  const planter = new Planter(root, map.memory, forbidden);
  try {
    const wrong = await tryEach(planter, leaks, ({ name }, [first], mistake) => {
      const found = first ? `refused, ${first.function}: ${first.what}` : "accepted";
      console.log(mistake === undefined ? `right  ${name}  ${found}` : `WRONG  ${name}  ${mistake}`);
    });
    console.log(`${leaks.length - wrong}/${leaks.length} right`);
    return wrong === 0;
  } finally {
    planter.close();
  }
}

/** @returns whether nothing leaked that was accepted */
function fuzzChecker(programs: number, seed: number, forbidden: Forbidden): boolean {
  console.log(`seed ${seed} (again with --seed ${seed})`);
  const sum = { accepted: 0, refusedSame: 0, refusedDifferent: 0 };
  for (let done = 0; done < programs; done += BATCH) {
    const tally = fuzz(Math.min(BATCH, programs - done), seed + done, forbidden);
    sum.accepted += tally.accepted;
    sum.refusedSame += tally.refusedSame;
    sum.refusedDifferent += tally.refusedDifferent;
    for (const { program, why, text } of tally.holes)
      console.log(`HOLE: program ${done + program} is accepted and leaks: ${why}\n${text}`);
    if (tally.holes.length > 0) return false;
  }
  console.log(
    `${programs} programs: ${sum.accepted} accepted, and none of them leaks; ${sum.refusedDifferent} refused that leak, ${sum.refusedSame} that showed nothing`,
  );
  return true;
}

function count(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new InvalidArgumentError("expected a number from 1 on");
  return n;
}

async function main(): Promise<number> {
  const options = new Command("npm run controls --")
    .description("Shows that the check of secrets refuses what leaks: leaks planted in firmware/, and random programs.")
    .option("--leaks", "the planted leaks alone")
    .option("--fuzz <programs>", "so many random programs alone", count)
    .option("--seed <number>", "of the random programs", count)
    .exitOverride()
    .parse()
    .opts<{ leaks?: boolean; fuzz?: number; seed?: number }>();
  const built = readBuild(root);
  const { forbidden } = audit(built.disassembly, built.compiler);
  const both = options.leaks === undefined && options.fuzz === undefined;
  const seed = options.seed ?? randomInt(1, 2 ** 31);
  const isFuzzed = both || options.fuzz !== undefined ? fuzzChecker(options.fuzz ?? 4 * BATCH, seed, forbidden) : true;
  const isPlanted = both || options.leaks ? await plantLeaks(built, forbidden) : true;
  return isFuzzed && isPlanted ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(`controls: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
