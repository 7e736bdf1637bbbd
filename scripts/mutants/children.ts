/** Child processes that end with this one: each leads a process group, and stopAll() ends them with all that they started. */
import { spawn } from "node:child_process";

const running = new Set<number>();

export interface Ended {
  /** Exit code, -1 when a signal or the limit ended it. */
  readonly code: number;
  readonly output: string;
  /** It was still at work when its time was over. */
  readonly late: boolean;
}

/** Runs Node with `args`. @param limitMs after which it is ended */
export function runNode(
  args: readonly string[],
  { cwd, env, limitMs }: { cwd: string; env?: NodeJS.ProcessEnv; limitMs: number },
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    const { pid } = child;
    if (pid !== undefined) running.add(pid);
    let output = "";
    let late = false;
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-20_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const limit = setTimeout(() => {
      late = true;
      if (pid !== undefined) stop(pid);
    }, limitMs);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(limit);
      if (pid !== undefined) running.delete(pid);
      resolve({ code: code ?? -1, output, late });
    });
  });
}

function stop(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it has ended by itself
  }
}

export function stopAll(): void {
  for (const pid of running) stop(pid);
}
