/** How long a process of `mbs` takes that asks no device, beside a Node that does nothing: each in turns, medians. Wall time: what the
 *  programs take beyond Node's own start is mostly the loading of modules, and says how many a command needs. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

export interface Startup {
  what: string;
  /** Median, milliseconds from start to end of the process. */
  ms: number;
  /** ms / that of the bare Node, and how much more. */
  ratio: number;
  difference: number;
}

const ROUNDS = 21;
const BARE = "node -e 0";

/** @param root of the package. @throws Error when a command fails */
export function measureStartup(root: string): Startup[] {
  const program = join(root, "dist/host/cli/main.js");
  const commands = [
    { what: BARE, argv: ["-e", "0"] },
    { what: "mbs --version", argv: [program, "--version"] },
    { what: "mbs --help", argv: [program, "--help"] },
    { what: "mbs list --help", argv: [program, "list", "--help"] },
  ];
  const times = new Map<string, number[]>(commands.map(({ what }) => [what, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const { what, argv } of commands) {
      const ms = run(argv);
      if (round > 0) times.get(what)!.push(ms); // the first one brings the files into memory
    }
  }
  const bare = median(times.get(BARE)!);
  return [...times].map(([what, all]) => {
    const ms = median(all);
    return { what, ms, ratio: ms / bare, difference: ms - bare };
  });
}

/** @returns milliseconds */
function run(argv: string[]): number {
  const begin = process.hrtime.bigint();
  const { status, error, stderr } = spawnSync(process.execPath, argv, { stdio: ["ignore", "ignore", "pipe"] });
  const ms = Number(process.hrtime.bigint() - begin) / 1e6;
  if (status !== 0) throw error ?? new Error(`${argv.join(" ")} ended with ${status}: ${stderr}`);
  return ms;
}

/** The middle one; sorts them. */
export function median(all: number[]): number {
  return all.sort((a, b) => a - b)[Math.floor(all.length / 2)]!;
}
