/** session: one session for many commands. An agent in the background holds port and session (host/agent); later commands find it. */
import { spawn } from "node:child_process";
import { existsSync, openSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import { Agent } from "../agent/agent.js";
import { type AgentStatus, Share } from "../agent/share.js";
import { makeFolder, socketPath } from "../agent/where.js";
import { withLock } from "../atomic.js";
import { Client } from "../client/client.js";
import { FileError, NotFoundError, UsageError } from "../client/errors.js";
import { rolesOf } from "../client/roles.js";
import { ROLES } from "../names.js";
import type { Port } from "../ports.js";
import type { Context } from "./context.js";
import { integer } from "./parse.js";
import { pairs } from "./table.js";

const IDLE_MINUTES = 15;
const START_MS = 5000; // an agent that does not listen by then has failed

export function addSession(program: Command, context: () => Context): void {
  const session = program.command("session").description("one session for many commands, so that each is quick");
  const idle = ["--idle <MINUTES>", "end after so long without a command", String(IDLE_MINUTES)] as const;
  session
    .command("open")
    .option(...idle)
    .description("hold the port and a session in the background, for all programs of this user")
    .addHelpText("after", EXPLANATION)
    .action((options: { idle: string }) => open(context(), minutes(options.idle)));
  session
    .command("status")
    .description("whether a session is open on the port, and whose")
    .action(() => status(context()));
  session
    .command("close")
    .description("end the session and give the port back")
    .action(() => close(context()));
  session
    .command("agent", { hidden: true })
    .option(...idle)
    .description("what open starts in the background")
    .action((options: { idle: string }) => serve(context(), minutes(options.idle)));
}

function minutes(text: string): number {
  const count = integer("--idle", text, 24 * 60);
  if (count === 0) throw new UsageError("--idle: expected at least 1 minute; got 0.");
  return count;
}

async function where(context: Context): Promise<{ port: Port; path: string }> {
  if (process.platform === "win32") throw new UsageError("Sessions in the background are not supported on Windows.");
  const port = await context.port();
  const path = await socketPath(port, context.io.env, context.configDirectory());
  if (path === undefined)
    throw new FileError(
      `${context.configDirectory()} is too long a path for a socket.`,
      "Name a shorter --config-dir, or set XDG_RUNTIME_DIR.",
    );
  return { port, path };
}

async function find(context: Context): Promise<{ port: Port; path: string; share: Share | undefined }> {
  const { path, port } = await where(context);
  const share = await Share.reach(path, {
    operator: (hello) => context.operators.choose(hello, rolesOf(DeviceCommand.Info)),
  });
  return { port, path, share };
}

async function open(context: Context, idle: number): Promise<void> {
  const { path, port } = await where(context);
  await makeFolder(path);
  // of two that open at once the second finds the agent of the first, and starts none that would come too late
  const { share, isNew } = await withLock(path.replace(/\.sock$/, ".opening"), async () => {
    const { share: present } = await find(context);
    return { share: present ?? (await start(context, port, path, idle)), isNew: present === undefined };
  });
  try {
    await new Client(share).info(); // makes the session now, and says now what is wrong
  } catch (error) {
    if (isNew) await share.stop();
    throw error;
  }
  const state = await share.status();
  await share.close();
  tell(context, port, state);
}

/** Starts an agent, and waits until it listens. */
async function start(context: Context, port: Port, path: string, idle: number): Promise<Share> {
  const log = openSync(logPath(path), "a", 0o600);
  // the agent is given keys by those who ask, and needs none of its own
  const { MBS_OPERATOR_KEY: _key, MBS_SETUP_CODE: _code, ...env } = context.io.env;
  const { allowRemote } = context.globals;
  const argv = [
    ...["session", "agent", "--idle", String(idle), "--port", portText(port) + rateText(port)],
    ...["--config-dir", context.configDirectory()],
    ...(allowRemote ? ["--allow-remote"] : []),
  ];
  const child = spawn(process.execPath, [program(), ...argv], {
    cwd: "/",
    detached: true,
    env,
    stdio: ["ignore", log, log],
  });
  child.unref();
  for (let waited = 0; waited < START_MS; waited += 50) {
    const { share } = await find(context);
    if (share !== undefined) return share;
    if (child.exitCode !== null || child.signalCode !== null) break;
    await sleep(50);
  }
  throw new FileError("The agent did not start.", `Its log: ${logPath(path)}`);
}

function logPath(path: string): string {
  return path.replace(/\.sock$/, ".log");
}

/** The program as it was built, also when this runs from the sources. */
function program(): string {
  const places = ["main.js", "../../dist/host/cli/main.js"].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  return places.find((place) => existsSync(place)) ?? places[0]!;
}

function portText(port: Port): string {
  if (port.kind === "serial") return resolve(port.path);
  return `tcp:${port.host.includes(":") ? `[${port.host}]` : port.host}:${port.port}`;
}

/** The fastest rate, as the port was named with it. */
function rateText(port: Port): string {
  return port.kind === "serial" && port.fastest !== undefined ? `@${port.fastest}` : "";
}

async function status(context: Context): Promise<void> {
  const { port, share } = await find(context);
  const state = await share?.status();
  await share?.close();
  tell(context, port, state);
}

function tell(context: Context, port: Port, state: AgentStatus | undefined): void {
  const name = portText(port);
  if (state === undefined) {
    context.note(`No session is open on ${name}.`);
    context.result({ port: name, open: false }, []);
    return;
  }
  const { process: pid, served, session } = state;
  const role = session === undefined ? null : ROLES.word(session.role);
  context.result(
    {
      port: name,
      open: true,
      process: pid,
      requests: served,
      operator: session?.operator ?? null,
      role,
      instance: session === undefined ? null : Buffer.from(session.hello.instance).toString("hex"),
      seconds: session?.seconds ?? null,
    },
    pairs([
      ["port", name],
      ["session", session === undefined ? "begins with the next command" : `${session.operator}, ${role}`],
      ...(session === undefined ? [] : [["since", `${session.seconds} s`] as const]),
      ["agent", `process ${pid}, ${served} requests so far`],
    ]),
  );
}

async function close(context: Context): Promise<void> {
  const { port, share } = await find(context);
  if (share === undefined) throw new NotFoundError(`No session is open on ${portText(port)}.`);
  await share.stop();
  await share.close();
  context.result({ port: portText(port), open: false }, ["The session is closed."]);
}

/** The agent itself, in the process that `start` makes. */
async function serve(context: Context, idle: number): Promise<void> {
  const { path, port } = await where(context);
  process.umask(0o077);
  const agent = await Agent.listen(path, () => context.openPort(port), {
    idle: idle * 60_000,
    log: (text) => context.io.stderr.write(`${new Date().toISOString()} ${text}\n`),
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => void agent.stop());
  await agent.done;
}

const EXPLANATION = `
The agent holds the port; every mbs command of this user on this port goes through it, in turn, until it is closed. It keeps no keys of
its own: each command brings the key of its operator, as without it. A touch that is remembered ("cached") counts for all of them. The
device ends a session after 5 minutes without a command and after an hour; the next command then makes a new one.`;
