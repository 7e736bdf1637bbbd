/** What `npm run renode` may be told, and the command line of Renode that follows from it. */
import { isAbsolute, resolve } from "node:path";
import { parseArgs } from "node:util";

export const HELP = `Usage: npm run renode -- [options]

Runs the firmware in Renode, on models of what Renode has not: flash sequencer, clocks, caches, watchdog, noise.

  --elf F          the firmware (default build/ek-ra6m5.elf)
  --image F        an image as Intel HEX instead: firmware and what else was flashed
  --flash F        goes on with the flash that \`faci SaveFlash "F"\` kept
  --port N         TCP port of the UART on 127.0.0.1 (default 34567, 0 for a free one, which the log names)
  --pty PATH       the UART as a pty as well, PATH being a link to it
  --presence WHO   always: a simulated person touches S1 when a touch is awaited (default); never: nobody does
  --help           prints this

At Renode's prompt: port0.person Touch, port0.s2 Press, port0.s2 Release, faci FaultList, faci CutPower 3 0.5, and after a cut runMacro $power and start.
Exit code: that of Renode, 1 without Renode, 2 a wrong argument.`;

export class UsageError extends Error {}

export interface Options {
  elf: string;
  image: string;
  flash: string;
  port: number;
  pty: string;
  present: boolean;
}

/** @param cwd where relative paths begin  @returns undefined when help was asked for  @throws UsageError */
export function readOptions(args: string[], cwd: string, elf: string): Options | undefined {
  const { values } = parse(args);
  if (values.help) return undefined;
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port > 65535)
    throw new UsageError(`--port expects 0 to 65535, got "${values.port}"`);
  if (values.presence !== "always" && values.presence !== "never") {
    throw new UsageError(`--presence expects always or never, got "${values.presence}"`);
  }
  if (values.elf !== undefined && values.image !== undefined) {
    throw new UsageError("--elf and --image are both firmware; give one of them");
  }
  const path = (name: string, value: string | undefined): string => {
    if (value === undefined) return "";
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be in there
    if (/["\\\x00-\x1f]/.test(value))
      throw new UsageError(`--${name} expects a path that Renode can quote, got "${value}"`);
    return isAbsolute(value) ? value : resolve(cwd, value);
  };
  return {
    elf: path("elf", values.elf) || elf,
    image: path("image", values.image),
    flash: path("flash", values.flash),
    pty: path("pty", values.pty),
    port,
    present: values.presence === "always",
  };
}

/** Arguments of Renode: its monitor on this terminal, the board plugged in and switched on. */
export function renodeArguments(options: Options, script: string): string[] {
  const commands = [
    `$elf="${options.elf}"`,
    `$image="${options.image}"`,
    `$flash="${options.flash}"`,
    `$port=${options.port}`,
    `$pty="${options.pty}"`,
    `include @${script.replaceAll(" ", "\\ ")}`,
    `port0.person Present ${options.present}`,
    "start",
  ];
  return ["--disable-xwt", "--console", "-e", commands.join("; ")];
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        elf: { type: "string" },
        image: { type: "string" },
        flash: { type: "string" },
        port: { type: "string", default: "34567" },
        pty: { type: "string" },
        presence: { type: "string", default: "always" },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
