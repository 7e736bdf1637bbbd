/** The command line as a whole: options that every command has, the commands, and how errors end. README and --help list the exit codes. */
import { Command, CommanderError } from "commander";
import { DeviceError, DisconnectedError, MbsError, UnreachedError, UsageError } from "../client/errors.js";
import { withoutKeys } from "../keys/text.js";
import { packageVersion } from "../package.js";
import { commandsFor } from "./commands.js";
import type { Context, Globals } from "./context.js";
import { INTERRUPTED_EXIT, Interrupted, type Io } from "./io.js";
import { printable } from "./table.js";

const HELP = `
PORT is tcp:HOST:PORT or the path of a serial port (with @BITS: the fastest rate to use on it, else 921600); without --port: MBS_PORT, then the configuration, then the only device found.
Who asks proves it with a key: \`mbs provision\` makes the first ones, \`mbs operator\` others.
A record is named by its handle, the first 8 or more digits of it, or its label.

Exit codes: 0 done, 1 the device refused or something else failed, 2 wrong usage, 3 no device or connection lost, 130 interrupted.`;

/** Runs one command. Loads what that command needs, and no other: most of the time that a short command takes on the host is loading.
 *  @param argv without program and script. @returns the exit code */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const program = new Command("mbs")
    .description("a device-bound credential store, from the host")
    .version(packageVersion(), "-V, --version")
    .option("-p, --port <PORT>", "where the device is")
    .option("--json", "results and errors as JSON")
    .option("-y, --yes", "do not ask before what cannot be undone")
    .option("--operator <ID>", "who asks (default: MBS_OPERATOR, then a known operator whose role fits)")
    .option(
      "--operator-key-file <FILE>",
      "the key of --operator, - for stdin (default: MBS_OPERATOR_KEY, then the key store)",
    )
    .option("--config-dir <DIRECTORY>", "instead of MBS_CONFIG_DIR or ~/.config/mbs")
    .option("--allow-remote", "let tcp: leave this computer")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => {} })
    .exitOverride()
    .addHelpText("after", HELP);
  let words: readonly string[] = [];
  try {
    words = program.parseOptions([...argv]).operands;
  } catch (error) {
    if (isDone(error)) return 0; // --version; a mistake is found once more below
  }
  const { Context } = await import("./context.js");
  const context = new Context(io, {});
  program.hook("preAction", (_, command) => {
    Object.assign(context.globals, program.opts<Globals>());
    context.purpose = purposeOf(command);
  });
  for (const add of await commandsFor(words[0])) add(program, () => context);
  try {
    await program.parseAsync(argv, { from: "user" });
    return context.exitCode;
  } catch (error) {
    if (isDone(error)) return 0; // --help
    return report(context, toMbsError(error, program, words), argv.includes("--json"));
  }
}

function isDone(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 0;
}

/** The command and what it is about, for whoever is to touch the board: "get ssh/deploy". */
function purposeOf(command: Command): string {
  const parents = command.parent === null || command.parent.parent === null ? [] : [command.parent.name()];
  return [...parents, command.name(), ...command.args.slice(0, 1)].join(" ");
}

/** What is thrown when a command is used wrongly comes from commander; everything else that is not ours is a bug and shown as one.
 *  @param words of the command line that are no options, nor values of those that every command has */
function toMbsError(error: unknown, program: Command, words: readonly string[]): Error {
  if (!(error instanceof CommanderError)) return error instanceof Error ? error : new Error(String(error));
  const asked = words.reduce((at, word) => at.commands.find((one) => one.name() === word) ?? at, program);
  if (error.code === "commander.help") return new UsageError(asked.helpInformation());
  const advice = asked === program ? "lists commands and options" : "explains the command";
  return new UsageError(error.message.replace(/^error: /, ""), `\`${nameOf(asked)} --help\` ${advice}.`);
}

/** As it is called: "mbs config set". */
function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

/** @returns the exit code */
function report(context: Context, error: Error, json: boolean): number {
  const { io } = context;
  if (error instanceof Interrupted) {
    context.tellInterrupted(error.message);
    return INTERRUPTED_EXIT;
  }
  const known = error instanceof MbsError;
  const {
    code,
    hint: advice,
    exitCode,
  } = known ? error : { code: "internal", hint: "This is a mistake in mbs; please report it.", exitCode: 1 };
  const kept =
    error instanceof DisconnectedError && !(error instanceof UnreachedError) && context.connected ? context.kept : "";
  const hint = [advice, kept].filter((text) => text !== "").join(" ");
  const refused = error instanceof DeviceError ? error : error.cause; // an authority tells why the device refused it
  const device = refused instanceof DeviceError ? refused : undefined;
  const status = device?.status ?? null;
  if (json) {
    const name = device === undefined ? {} : { name: device.name, detail: device.detail ?? null };
    context.failure({ code, status, ...name, message: withoutKeys(error.message), hint });
    return exitCode;
  }
  const message = withoutKeys(known ? error.message : (error.stack ?? error.message));
  const text = message.split("\n").map(printable).join("\n");
  io.stderr.write(`mbs: ${text}\n${hint === "" ? "" : `     ${printable(hint)}\n`}`);
  return exitCode;
}
