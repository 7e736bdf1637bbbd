/** Runs the command line in this process, at a terminal of the test's own. */
import { PassThrough } from "node:stream";
import type { Io } from "../../host/cli/io.js";
import { main } from "../../host/cli/program.js";

export interface Terminal {
  /** What is typed, one line at each question; stdin, stdout and stderr are a terminal then. */
  typed?: readonly string[];
  /** What stands on stdin. */
  input?: string;
  env?: Record<string, string>;
  /** Presses Ctrl-C when a touch is asked for. */
  interrupted?: boolean;
  /** Told what appears on stderr. */
  seen?: (text: string) => void;
}

export interface Ended {
  exitCode: number;
  out: string;
  err: string;
}

/** @param env what the command sees besides PATH; `terminal.env` comes on top of it */
export async function runMbs(
  argv: readonly string[],
  env: Record<string, string | undefined>,
  { typed = [], input, env: more = {}, interrupted = false, seen }: Terminal = {},
): Promise<Ended> {
  const isTty = input === undefined && typed.length > 0;
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  if (isTty) for (const stream of [stdin, stdout, stderr]) Object.assign(stream, { isTTY: true });
  else stdin.end(input ?? "");
  const lines = [...typed];
  const shown: Buffer[] = [];
  let interrupt = () => {};
  stderr.on("data", (bytes: Buffer) => {
    shown.push(bytes);
    seen?.(bytes.toString());
    if (interrupted && bytes.toString().includes("Touch S1")) setTimeout(() => interrupt(), 100);
    if (/[:\]] $/.test(bytes.toString()) && lines.length > 0) stdin.write(`${lines.shift()}\n`);
  });
  const io: Io = {
    env: { PATH: process.env.PATH, ...env, ...more },
    stdin,
    stdout,
    stderr,
    onInterrupt: (what) => {
      interrupt = what;
      return () => {};
    },
    exit: () => {},
  };
  const exitCode = await main(argv, io);
  return { exitCode, out: String(stdout.read() ?? ""), err: Buffer.concat(shown).toString() };
}
