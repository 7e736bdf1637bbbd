/** What every command works with: the options that all have, the client, and the two forms of every result. */
import { Client } from "../client/client.js";
import { DeclinedError, UsageError } from "../client/errors.js";
import { configDirectory, readConfig } from "../config.js";
import { choosePort, openPort } from "../ports.js";
import { INTERRUPTED_EXIT, type Io } from "./io.js";
import { ask } from "./prompt.js";
import { printable } from "./table.js";

/** Raised when a field of any JSON output changes its meaning or goes away. */
export const SCHEMA_VERSION = 1;

export interface Globals {
  port?: string;
  json?: boolean;
  configDir?: string;
  allowRemote?: boolean;
  yes?: boolean;
}

export class Context {
  /** What Ctrl-C says about the device; commands that change it say more. */
  kept = "The device was only read.";
  exitCode = 0;
  /** The port was open, so that a request may have reached the device. */
  connected = false;
  readonly #warned = new Set<string>();

  constructor(
    readonly io: Io,
    readonly globals: Globals,
  ) {}

  get json(): boolean {
    return this.globals.json === true;
  }

  /** The result of a command: one JSON object, or lines. */
  result(object: Record<string, unknown>, lines: readonly string[]): void {
    if (this.json) this.io.stdout.write(`${JSON.stringify({ schemaVersion: SCHEMA_VERSION, ...object })}\n`);
    else if (lines.length > 0) this.io.stdout.write(`${lines.join("\n")}\n`);
  }

  /** A line for people that is no part of the result, such as why there is none. */
  note(line: string): void {
    if (!this.json) this.io.stderr.write(`${line}\n`);
  }

  /** A line about what is going on, for a person who waits at a terminal. */
  progress(line: string): void {
    if (this.io.stderr.isTTY && !this.json) this.io.stderr.write(`${printable(line)}\n`);
  }

  warn = (text: string): void => {
    if (!this.#warned.has(text)) this.io.stderr.write(`mbs: ${printable(text)}\n`);
    this.#warned.add(text);
  };

  configDirectory(): string {
    return configDirectory(this.globals.configDir, this.io.env, this.warn);
  }

  /** Runs with a client on the chosen port, and closes it. Ctrl-C ends the process with 130 and `kept`. */
  async withClient<T>(run: (client: Client) => Promise<T>): Promise<T> {
    const { port: option, allowRemote } = this.globals;
    const config = option === undefined ? (await readConfig(this.configDirectory())).port : undefined;
    const port = await choosePort({ option, environment: this.io.env.MBS_PORT, config, warn: this.warn });
    const client = new Client(async () => {
      const transport = await openPort(port, allowRemote);
      this.connected = true;
      return transport;
    });
    const unwatch = this.io.onInterrupt(() => {
      this.io.stderr.write(`\nmbs: interrupted. ${this.kept}\n`);
      this.io.exit(INTERRUPTED_EXIT);
    });
    try {
      return await run(client);
    } finally {
      unwatch();
      await client.close();
    }
  }

  /** Asks before something that cannot be undone. @throws DeclinedError when the answer is no, UsageError when nobody can be asked */
  async confirm(question: string): Promise<void> {
    if (this.globals.yes) return;
    if (!this.io.stdin.isTTY)
      throw new UsageError(`${question} Nobody is there to answer.`, "Say --yes to do it without asking.");
    const answer = await ask(this.io, `${printable(question)} [y/N] `, false);
    if (!/^y(es)?$/i.test(answer.trim())) throw new DeclinedError("Nothing was changed.");
  }
}
