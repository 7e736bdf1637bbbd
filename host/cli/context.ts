/** What every command works with: the options that all have, the client, and the two forms of every result. */
import { stat } from "node:fs/promises";
import { BusyReason } from "../../firmware/defs/link.js";
import { Role, TOUCH_WAIT_MS } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import type { Command, State } from "../../firmware/defs/wire.js";
import { Share } from "../agent/share.js";
import { socketPath } from "../agent/where.js";
import { isOpen } from "../atomic.js";
import type { Hello } from "../client/answers.js";
import { Client } from "../client/client.js";
import { type Carrier, Connection } from "../client/connection.js";
import { DeclinedError, DeviceError, UsageError } from "../client/errors.js";
import type { Busy } from "../client/link.js";
import { rolesOf } from "../client/roles.js";
import type { Operator } from "../client/session.js";
import type { Transport } from "../client/transport.js";
import { configDirectory, readConfig } from "../config.js";
import type { Source } from "../credentials/format.js";
import { readInput } from "../files.js";
import { choosePort, openPort, type Port } from "../ports.js";
import { INTERRUPTED_EXIT, Interrupted, type Io } from "./io.js";
import { Operators } from "./operators.js";
import { ask } from "./prompt.js";
import { printable } from "./table.js";
import { TouchLine } from "./touch.js";

/** Raised when a field of any JSON output changes its meaning or goes away. */
export const SCHEMA_VERSION = 1;

export interface Globals {
  port?: string;
  json?: boolean;
  configDir?: string;
  allowRemote?: boolean;
  yes?: boolean;
  operator?: string;
  operatorKeyFile?: string;
}

export interface ClientWish {
  /** What will be asked; an operator that may ask all of it is chosen. */
  commands: readonly Command[];
  /** States in which it may be asked with the setup code. */
  setup?: readonly State[];
}

export class Context {
  /** What Ctrl-C says about the device; commands that change it say more. */
  kept = "The device was only read.";
  exitCode = 0;
  /** The port was open, so that a request may have reached the device. */
  connected = false;
  /** Ctrl-C was pressed while a client was at work. */
  interrupted = false;
  /** What is being done, for whoever has to touch the board, such as "get ssh/deploy". */
  purpose = "";
  /** --setup-code-file, where a command has it. */
  setupCodeFile: string | undefined;
  readonly operators: Operators = new Operators(this);
  readonly #warned = new Set<string>();

  constructor(
    readonly io: Io,
    readonly globals: Globals,
  ) {}

  get json(): boolean {
    return this.globals.json === true;
  }

  /** Somebody said who asks, so that nobody else will do. */
  get isOperatorNamed(): boolean {
    return this.globals.operator !== undefined || Boolean(this.io.env.MBS_OPERATOR);
  }

  /** The result of a command: one JSON object, or lines. */
  result(object: Record<string, unknown>, lines: readonly string[]): void {
    if (this.json) this.io.stdout.write(`${JSON.stringify({ schemaVersion: SCHEMA_VERSION, ...object })}\n`);
    else if (lines.length > 0) this.io.stdout.write(`${lines.join("\n")}\n`);
  }

  /** Why there is no result, for programs. */
  failure(object: { code: string; status: Status | null; message: string; hint: string }): void {
    this.io.stderr.write(`${JSON.stringify({ schemaVersion: SCHEMA_VERSION, ...object })}\n`);
  }

  /** A line for people that is no part of the result, such as why there is none. */
  note(line: string): void {
    if (!this.json) this.io.stderr.write(`${line}\n`);
  }

  /** A line about why nothing happens, unless it was said. */
  sayOnce(line: string): void {
    if (!this.#warned.has(line)) this.note(line);
    this.#warned.add(line);
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

  /** The port that was named, or the only one. */
  async port(): Promise<Port> {
    const { port: option } = this.globals;
    const config = option === undefined ? (await readConfig(this.configDirectory())).port : undefined;
    return choosePort({ option, environment: this.io.env.MBS_PORT, config, warn: this.warn });
  }

  /** Opens a port, and remembers that a request may have reached a device. */
  async openPort(port: Port): Promise<Transport> {
    const transport = await openPort(port, this.globals.allowRemote);
    this.connected = true;
    return transport;
  }

  /** Runs with a client on the chosen port, and closes it: by the session that is open there, or by a connection of its own. A touch that
   *  is awaited is told. Ctrl-C ends the process with 130 and `kept`, or gives up what waits for a touch.
   *  @param run is given what makes the client ask as the chosen operator again */
  async withClient<T>(
    { commands, setup = [] }: ClientWish,
    run: (client: Client, asBefore: () => void) => Promise<T>,
  ): Promise<T> {
    const port = await this.port();
    const path = await socketPath(port, this.io.env, this.configDirectory());
    const roles = commands.reduce((all, command) => all & rolesOf(command), setup.length > 0 ? ~0 : ~Role.Setup);
    const touch = new TouchLine(this.io);
    let asked: { hello: Hello; operator: Operator } | undefined;
    const options = {
      operator: async (hello: Hello) => {
        const operator = await this.operators.choose(hello, roles, setup);
        asked = { hello, operator };
        return operator;
      },
      onBusy: (busy: Busy) => {
        if (busy.reason === BusyReason.Touch && !this.json) touch.begin(this.purpose, Math.min(busy.ms, TOUCH_WAIT_MS));
      },
    };
    const onSilent = () => this.sayOnce("The device does not answer; asking again.");
    const onQueued = () => this.sayOnce("Another program's request is under way in the open session; waiting for it.");
    const share = path === undefined ? undefined : await Share.reach(path, { ...options, onQueued });
    if (share !== undefined) this.connected = true;
    const carrier = watched(share ?? new Connection(() => this.openPort(port), { ...options, onSilent }), touch);
    const client = new Client(carrier);
    const asBefore = () => {
      if (asked !== undefined) client.as(asked.operator);
    };
    const unwatch = this.io.onInterrupt(() => {
      this.interrupted = true;
      void this.#interrupted(carrier, touch);
    });
    try {
      return await run(client, asBefore).catch(async (error) => {
        this.throwInterrupted(error);
        if (asked === undefined || !isRefusedHandshake(error)) throw error;
        // a rotation may have been cut between the first use of the new key and its being kept
        const { hello, operator } = asked;
        const recovered = await this.operators.recover(client, hello.instance, operator.id).catch(() => undefined);
        if (recovered === undefined) throw error;
        operator.key.fill(0);
        asked = { hello, operator: recovered };
        return run(client, asBefore);
      });
    } finally {
      unwatch();
      touch.end();
      asked?.operator.key.fill(0);
      await client.close();
    }
  }

  /** Gives up what waits for a touch, whose request then fails; with nothing to give up the process ends. */
  async #interrupted(carrier: Carrier, touch: TouchLine): Promise<void> {
    touch.end();
    if (await carrier.cancel().catch(() => false)) return;
    this.tellInterrupted(this.kept);
    this.io.exit(INTERRUPTED_EXIT);
  }

  /** Throws what Ctrl-C comes to, when that is why a request was given up. */
  throwInterrupted(error: unknown): void {
    if (this.interrupted && error instanceof DeclinedError) throw new Interrupted(GIVEN_UP);
  }

  /** @param kept what became of the device */
  tellInterrupted(kept: string): void {
    if (this.json) this.failure({ code: "interrupted", status: null, message: kept, hint: "" });
    else this.io.stderr.write(`\nmbs: interrupted. ${kept}\n`);
  }

  /** Reads a file that holds a secret, and says so when others can read it as well. */
  async readSecret(file: string): Promise<Source> {
    const found = file === "-" ? undefined : await stat(file).catch(() => undefined);
    if (found !== undefined && isOpen(found)) this.warn(`${file} can be read by other users. Run: chmod 600 ${file}`);
    return readInput(this.io, file);
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

const GIVEN_UP = "The touch is no longer awaited; nothing was done, unless S1 was touched just then.";

/** The same carrier; a line about a touch goes away with the answer that it was about. */
function watched(carrier: Carrier, touch: TouchLine): Carrier {
  return {
    get session() {
      return carrier.session;
    },
    clear: (message) => carrier.clear(message),
    sealed: (inner) => carrier.sealed(inner).finally(() => touch.end()),
    sealedAll: (inners) => carrier.sealedAll(inners).finally(() => touch.end()),
    as: (operator) => carrier.as(operator),
    endSession: (inner) => carrier.endSession(inner),
    cancel: () => carrier.cancel(),
    close: () => carrier.close(),
  };
}

function isRefusedHandshake(error: unknown): boolean {
  return error instanceof DeviceError && error.status === Status.HandshakeRefused;
}
