/** `npm run bench -- --host`: what the host tools take on this computer, by its clock. Ratios mean something on another one, the rest does
 *  not. Prints tables and writes bench/results/host.json (schema: bench/README.md). */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { measureCache } from "./claims.js";
import { FILE_GOAL, type FileSpeed, measureFiles } from "./files.js";
import { type HashSpeed, measureHashes } from "./hashes.js";
import { table } from "./report.js";
import { measureStartup, type Startup } from "./startup.js";
import { measureTrips, type Trip } from "./trips.js";

const SCHEMA_VERSION = 2;
const RESULTS = "bench/results/host.json";

interface ComputerResult {
  schemaVersion: typeof SCHEMA_VERSION;
  node: string;
  speeds: FileSpeed[];
  /** Largest resident set while encrypting, bytes. */
  resident: number;
  hashes: HashSpeed[];
  startup: Startup[];
  trips: Trip[];
  claimsPerSecond: number;
}

/** @returns whether files reach their goal */
export async function measureComputer(root: string, progress: (what: string) => void): Promise<boolean> {
  progress("files");
  const { speeds, resident } = await measureFiles(); // first, while this process holds nothing else
  progress("hashes");
  const hashes = await measureHashes();
  progress("start-up");
  const startup = measureStartup(root);
  progress("requests");
  const trips = await measureTrips();
  progress("claims from the cache");
  const claimsPerSecond = await measureCache();
  progress("");
  const result: ComputerResult = {
    schemaVersion: SCHEMA_VERSION,
    node: process.version,
    speeds,
    resident,
    hashes,
    startup,
    trips,
    claimsPerSecond,
  };
  print(result);
  mkdirSync(join(root, "bench/results"), { recursive: true });
  writeFileSync(join(root, RESULTS), `${JSON.stringify(result, null, 2)}\n`);
  console.log(`\n${RESULTS}`);
  return speeds.every(({ ratio }) => ratio >= FILE_GOAL);
}

function print({ speeds, resident, hashes, startup, trips, claimsPerSecond }: ComputerResult): void {
  table(
    `Encrypted files, megabytes per second beside node:crypto alone (goal of the ratio: ${FILE_GOAL})`,
    ["operation", "bytes", "mbs", "node", "ratio"],
    speeds.map(({ what, bytes, mbs, node, ratio }) => [what, bytes, mbs, node, ratio]),
  );
  console.log(`  largest resident set while encrypting: ${(resident / 1e6).toFixed(0)} MB`);
  table(
    "Hashes, megabytes per second beside node:crypto",
    ["hash", "bytes", "mbs", "node", "of node", "ratio"],
    hashes.map(({ what, message, mbs, node, nodeHash, ratio }) => [what, message, mbs, node, nodeHash, ratio]),
  );
  table(
    "Start of a process, milliseconds (medians)",
    ["process", "ms", "ratio", "difference"],
    startup.map(({ what, ms, ratio, difference }) => [what, ms, ratio, difference]),
  );
  table(
    "Requests of the client to core.wasm in V8, one after the other",
    ["request", "per second", "in the core", "µs on the host"],
    trips.map(({ what, perSecond, device, hostMicroseconds }) => [
      what,
      Math.round(perSecond),
      `${(device * 100).toFixed(0)} %`,
      hostMicroseconds,
    ]),
  );
  console.log(`\nclaims from the cache, each on disk: ${claimsPerSecond.toFixed(0)} per second`);
}
