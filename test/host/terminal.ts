/** Commands of the command line, run in this process at a terminal of the test's own, against a mock store behind a TCP port. */
import { rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, expect } from "vitest";
import { Role } from "../../firmware/defs/session.js";
import type { Io } from "../../host/cli/io.js";
import { main } from "../../host/cli/program.js";
import { systemClock } from "../../host/client/clock.js";
import { writeSetting } from "../../host/config.js";
import { FileStore } from "../../host/keys/file.js";
import { forgetDevice, rememberOperator } from "../../host/keys/index.js";
import { ROLES } from "../../host/names.js";
import { MockDevice } from "./mock-device.js";
import { ADMIN, AUDITOR, MockStore, SETUP, USER } from "./mock-store.js";

export interface Terminal {
  /** stdin, stdout and stderr are a terminal. */
  tty?: boolean;
  /** What stands on stdin; a list is typed, one line at each question. */
  input?: string | string[];
  env?: Record<string, string>;
  /** Given what Ctrl-C does, when a command watches for it. */
  onWatch?: (interrupt: () => void) => void;
}

export interface Ended {
  exitCode: number;
  bytes: Buffer;
  out: string;
  err: string;
  /** Codes that the command wanted to end the process with. */
  exits: number[];
}

/** One mock device, and one person's configuration in `directory`/config. */
export class Desk {
  store = new MockStore();
  /** Milliseconds that every request takes. */
  work = 0;
  /** Milliseconds until S1 is touched; undefined: nobody does. */
  touch: number | undefined = 1;
  port = "";
  readonly server: Server;
  readonly config: string;

  constructor(readonly directory: string) {
    this.config = join(directory, "config");
    this.server = createServer((socket: Socket) => {
      const device = new MockDevice(systemClock, {
        answer: (request) => this.store.answer(request),
        work: () => this.work,
        touch: () => this.touch,
      });
      device.send = (bytes) => void socket.write(bytes);
      socket.on("data", (bytes) => device.receive(bytes)).on("error", () => {});
    });
    beforeAll(async () => {
      await this.listen();
      await writeSetting(this.config, "keys", "file");
    });
    afterAll(() => void this.server.close());
  }

  path = (name: string) => join(this.directory, name);

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.port = `tcp:127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** A new device that nobody has provisioned. */
  async blank(): Promise<void> {
    this.store = new MockStore();
    await forgetDevice(this.config, new MockStore().makeReady().instance); // every mock gets the same instance id
    await rm(join(this.config, "keys"), { recursive: true, force: true });
  }

  /** A new device that was provisioned; this person has the keys of its three operators. */
  async ready(): Promise<void> {
    await this.blank();
    this.store.makeReady();
    this.work = 0;
    this.touch = 1;
    for (const [operator, role] of [
      [ADMIN, Role.Admin],
      [USER, Role.User],
      [AUDITOR, Role.Auditor],
    ] as const) {
      const { instance } = this.store;
      const store = await new FileStore(this.config).put(instance, operator.id, operator.key);
      const word = ROLES.word(role) as "admin" | "user" | "auditor";
      await rememberOperator(this.config, { instance: instance.toString("hex"), id: operator.id, role: word, store });
    }
  }

  get env(): Record<string, string> {
    return {
      MBS_PORT: this.port,
      MBS_CONFIG_DIR: this.config,
      MBS_SETUP_CODE: Buffer.from(SETUP.key).toString("hex"),
      HOME: this.directory,
      PATH: process.env.PATH ?? "",
    };
  }

  /** Runs one command. */
  mbs = async (argv: readonly string[], terminal: Terminal = {}): Promise<Ended> => {
    const { tty = false, input, env = {}, onWatch } = terminal;
    const stream = () => Object.assign(new PassThrough(), tty && { isTTY: true });
    const [stdin, stdout, stderr] = [stream(), stream(), stream()];
    if (typeof input === "string") stdin.end(input);
    const shown: Buffer[] = [];
    const exits: number[] = [];
    const lines = Array.isArray(input) ? [...input] : [];
    stderr.on("data", (bytes: Buffer) => {
      shown.push(bytes);
      if (/[:\]] $/.test(bytes.toString()) && lines.length > 0) stdin.write(`${lines.shift()}\n`);
    });
    const io: Io = {
      env: { ...this.env, ...env },
      stdin,
      stdout,
      stderr,
      onInterrupt: (run) => {
        onWatch?.(run);
        return () => {};
      },
      exit: (code) => void exits.push(code),
    };
    const exitCode = await main(argv, io);
    const bytes: Buffer = stdout.read() ?? Buffer.alloc(0);
    return { exitCode, bytes, out: bytes.toString(), err: Buffer.concat(shown).toString(), exits };
  };

  /** Runs one command that has to succeed. @returns stdout */
  ok = async (argv: readonly string[], terminal?: Terminal): Promise<string> => {
    const { exitCode, out, err } = await this.mbs(argv, terminal);
    expect([exitCode, err]).toEqual([0, ""]);
    return out;
  };

  /** The JSON object that one command has to print. */
  json = async (argv: readonly string[], terminal?: Terminal) =>
    JSON.parse(await this.ok([...argv, "--json"], terminal));
}
