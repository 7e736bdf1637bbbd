/** board run: the virtual board in the foreground. board/virtual does it, loaded only here. */
import { join } from "node:path";
import { type Command, Option } from "commander";
import { FileError } from "../client/errors.js";
import type { Context } from "./context.js";
import { integer } from "./parse.js";
import { addSelftest } from "./selftest.js";
import { readSetupCodeFile } from "./setup-code.js";

/** Where `--probe` and `mbs flash --probe virtual` meet. */
export const PROBE = "virtual.probe";

interface RunOptions {
  elf?: string;
  blank?: true;
  probe?: string | true;
  flash?: string;
  tcp?: string;
  pty?: string;
  seed?: string;
  presence?: "always" | "never" | "ask";
  setupCodeFile?: string;
}

export function addBoard(program: Command, context: () => Context): void {
  const board = program.command("board").description("boards: one that needs no hardware, and the self-test of any");
  addSelftest(board, context);
  board
    .command("run")
    .option("--elf <FILE>", "the firmware (default: what was flashed before, else the one that was built)")
    .addOption(
      new Option("--blank", "begin without firmware, to be flashed through the probe").conflicts([
        "elf",
        "setupCodeFile",
      ]),
    )
    .option("--flash <FILE>", "keeps the flash between runs; without it the board forgets everything at exit")
    .option("--probe [PATH]", `a debug probe on a socket, by default ${PROBE} in the configuration directory`)
    .option("--tcp <PORT>", "TCP port on 127.0.0.1; 0 picks a free one")
    .option("--pty <LINK>", "a pseudo-terminal, under this name")
    .option("--seed <NUMBER>", "makes everything random follow from it: for tests; such keys are no secrets")
    .addOption(
      new Option("--presence <WHO>", "who touches s1 (default: ask on a terminal, otherwise never)").choices([
        "always",
        "never",
        "ask",
      ]),
    )
    .option("--setup-code-file <FILE>", "setup code to flash with the firmware: 64 hex digits")
    .description("run the firmware on the virtual board, until `quit` or Ctrl-C")
    .addHelpText("after", HELP)
    .action(async (options: RunOptions) => {
      const { blank, elf, flash, presence, probe, pty, tcp, seed, setupCodeFile } = options;
      const { io } = context();
      const setupCode = setupCodeFile === undefined ? undefined : await readSetupCodeFile(context(), setupCodeFile);
      const { runBoard } = await import("../../board/virtual/run.js");
      const running = runBoard({
        ...(elf !== undefined && { elf }),
        ...(blank !== undefined && { blank }),
        ...(probe !== undefined && { probe: probe === true ? join(context().configDirectory(), PROBE) : probe }),
        ...(flash !== undefined && { flash }),
        ...(pty !== undefined && { pty }),
        ...(tcp !== undefined && { tcp: integer("--tcp", tcp, 0xffff) }),
        ...(seed !== undefined && { seed: integer("--seed", seed) }),
        ...(presence !== undefined && { presence }),
        ...(setupCode !== undefined && { setupCode }),
        input: io.stdin,
        output: io.stdout,
      });
      context().exitCode = await running.catch((cause: Error) => {
        // plain errors are an option that cannot be met, in words for people; anything else is a bug
        throw cause instanceof TypeError || cause instanceof RangeError
          ? cause
          : new FileError(cause.message, "", { cause });
      });
    });
}

const HELP = `
Presence, when the blue light asks for a touch:
  always  a simulated person touches s1 after 300 ms: for tests and demonstrations, such touches prove nothing
  never   nobody does
  ask     the log says so; type  press s1  to touch, or  press s2  to deny
On a terminal the board obeys commands, help lists them. A factory reset: power off, then  power on with s1 s2.

Examples:
  mbs board run --flash board.img --tcp 7420 &
  MBS_PORT=tcp:127.0.0.1:7420 mbs info

  mbs board run --blank --probe --flash board.img &
  mbs flash write firmware.hex --probe virtual`;
