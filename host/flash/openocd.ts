/** One run of OpenOCD, which does one Tcl command after the other over its standard input (`tcl_port pipe`) and answers each. What it
 *  prints besides is kept to explain a failure. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { explainConnect, isProbeGone, OpenOcdError, probeGone, unexpected } from "./errors.js";
import { missedBeacon, openOcdArguments, type Probe, reaching } from "./probe.js";

/** A command failed; the message is Tcl's. */
export class TclError extends Error {
  override name = "TclError";
}

const PROGRAM = "openocd";
const OLDEST = [0, 12] as const;
/** Ends commands and answers. */
const END = "\x1a";
const DONE = "=";
const FAILED = "!";
const COMMAND_MS = 20_000;
const CLOSE_MS = 3000;
/** What OpenOCD may print; a good run prints a few kilobytes besides its answers. */
const LOG_MAX = 1 << 20;

export class OpenOcd {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  #log = "";
  /** The line that is being printed. */
  #line = "";
  #answer = "";
  /** Commands that are not answered yet, the oldest first. */
  readonly #waiting: { resolve: (text: string) => void; reject: (error: Error) => void }[] = [];
  #gone: Error | undefined;
  #aborted: Error | undefined;

  private constructor(
    private readonly probe: Probe,
    command: readonly string[],
  ) {
    const [program = "", ...args] = command;
    // a process group of its own: Ctrl-C is for mbs, which ends it in order
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], detached: true });
    this.#child.stdin!.on("error", () => {}); // it ended; the end is told below
    this.#child.stdout!.setEncoding("latin1").on("data", (text: string) => this.#receive(text));
    this.#child.stderr!.setEncoding("latin1").on("data", (text: string) => this.#note(text));
    this.#ended = new Promise((resolve) => {
      this.#child.on("error", () => resolve(127));
      this.#child.on("close", (code) => resolve(code ?? 1));
    });
    void this.#ended.then((code) => this.#end(unexpected(`OpenOCD ended (exit code ${code}).`, this.#log)));
  }

  /** Starts OpenOCD and connects. @throws MbsError that says why it cannot */
  static async connect(probe: Probe): Promise<OpenOcd> {
    checkVersion();
    const pipe = ["-c", "tcl_port pipe", "-c", "noinit"];
    for (let run = 1; ; run++) {
      const openocd = new OpenOcd(probe, reaching(probe, [PROGRAM, ...openOcdArguments(probe), ...pipe]));
      try {
        await openocd.command("init");
        return openocd;
      } catch {
        await openocd.close();
        if (!missedBeacon(probe, openocd.#log, run)) throw await explainConnect(openocd.#log, probe);
      }
    }
  }

  /** All that it printed, without answers. */
  get log(): string {
    return this.#log;
  }

  /** @returns what the command results in @throws TclError when it fails, DisconnectedError when the probe went away, OpenOcdError */
  async command(tcl: string, ms = COMMAND_MS): Promise<string> {
    if (this.#gone !== undefined) throw this.#gone;
    if (this.#aborted !== undefined) throw this.#aborted;
    const answered = new Promise<string>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
    const late = unexpected(`OpenOCD did not answer within ${ms / 1000} s.`, this.#log);
    const timer = setTimeout(() => this.#end(late), ms);
    const guarded = `if {[catch {${tcl}} mbs_result]} {concat ${FAILED}$mbs_result} {concat ${DONE}$mbs_result}`;
    this.#child.stdin!.write(`${guarded}${END}`);
    try {
      const answer = await answered;
      if (isProbeGone(this.#log)) throw probeGone(this.probe);
      if (answer.startsWith(DONE)) return answer.slice(1);
      if (answer.startsWith(FAILED)) throw new TclError(answer.slice(1));
      throw unexpected("OpenOCD answered something unexpected.", this.#log);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The command that is under way fails with `error`, and so does every one until `goOn`. */
  abort(error: Error): void {
    this.#aborted = error;
    for (const one of this.#waiting) one.reject(error); // the answer is still awaited, and dropped
  }

  goOn(): void {
    this.#aborted = undefined;
  }

  /** Ends OpenOCD, by force when it does not end by itself. The board stays as it is. */
  async close(): Promise<void> {
    this.#child.stdin!.end(`shutdown${END}`);
    const timer = setTimeout(() => this.#kill(), CLOSE_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #receive(text: string): void {
    this.#answer += text;
    const at = this.#answer.indexOf(END);
    if (at < 0) return;
    const answer = this.#answer.slice(0, at);
    this.#answer = this.#answer.slice(at + 1);
    this.#waiting.shift()?.resolve(answer);
  }

  /** OpenOCD prints its answers here as well, and they hold what was read of the board: they are never kept. */
  #note(text: string): void {
    const lines = (this.#line + text).split("\n");
    this.#line = lines.pop() ?? "";
    for (const line of lines.filter((one) => !/^[=!]/.test(one))) this.#log = `${this.#log}${line}\n`.slice(-LOG_MAX);
  }

  #end(error: Error): void {
    this.#gone ??= error;
    for (const one of this.#waiting) one.reject(this.#gone);
  }

  /** The relay of a virtual probe and OpenOCD are one group. */
  #kill(): void {
    const { pid } = this.#child;
    try {
      if (pid !== undefined) process.kill(-pid, "SIGKILL");
    } catch {
      // it has ended meanwhile
    }
  }
}

/** @throws OpenOcdError */
function checkVersion(): void {
  const { error, stderr, stdout } = spawnSync(PROGRAM, ["--version"], { encoding: "latin1", timeout: COMMAND_MS });
  if (error !== undefined)
    throw new OpenOcdError(
      `OpenOCD could not be started: the program is not installed.`,
      "Install it: apt-get install openocd",
    );
  const said = `${stderr}${stdout}`;
  const found = /Open On-Chip Debugger v?(\d+)\.(\d+)/.exec(said);
  if (found === null) throw unexpected(`${PROGRAM} --version says nothing that OpenOCD says.`, said);
  const [major, minor] = [Number(found[1]), Number(found[2])];
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    throw new OpenOcdError(
      `This is OpenOCD ${major}.${minor}; mbs needs ${OLDEST.join(".")} or newer.`,
      "Debian 12 has it: apt-get install openocd",
    );
}

/** A word of Tcl that means exactly this text. */
export function tclWord(text: string): string {
  return text.replace(/[^\w./-]/g, (character) => `\\${character === "\n" ? "n" : character}`);
}
