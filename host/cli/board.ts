/** board run: the virtual board in the foreground. board/virtual does it, loaded only here. */
import type { Command } from "commander";
import { FileError } from "../client/errors.js";
import type { Context } from "./context.js";
import { integer } from "./parse.js";

interface RunOptions {
  elf?: string;
  flash?: string;
  tcp?: string;
  pty?: string;
  seed?: string;
}

export function addBoard(program: Command, context: () => Context): void {
  const board = program.command("board").description("boards that need no hardware");
  board
    .command("run")
    .option("--elf <FILE>", "the firmware (default: the one that was built)")
    .option("--flash <FILE>", "keeps the flash between runs; without it the board forgets everything at exit")
    .option("--tcp <PORT>", "TCP port on 127.0.0.1; 0 picks a free one")
    .option("--pty <LINK>", "a pseudo-terminal, under this name")
    .option("--seed <NUMBER>", "makes everything random follow from it: for tests; such keys are no secrets")
    .description("run the firmware on the virtual board, until `quit` or Ctrl-C")
    .addHelpText(
      "after",
      "\nExample:\n  mbs board run --flash board.img --tcp 7420 &\n  MBS_PORT=tcp:127.0.0.1:7420 mbs info",
    )
    .action(async (options: RunOptions) => {
      const { elf, flash, pty, tcp, seed } = options;
      const { runBoard } = await import("../../board/virtual/run.js");
      const running = runBoard({
        ...(elf !== undefined && { elf }),
        ...(flash !== undefined && { flash }),
        ...(pty !== undefined && { pty }),
        ...(tcp !== undefined && { tcp: integer("--tcp", tcp, 0xffff) }),
        ...(seed !== undefined && { seed: integer("--seed", seed) }),
        input: context().io.stdin,
        output: context().io.stdout,
      });
      context().exitCode = await running.catch((cause: Error) => {
        // plain errors are an option that cannot be met, in words for people; anything else is a bug
        throw cause instanceof TypeError || cause instanceof RangeError
          ? cause
          : new FileError(cause.message, "", { cause });
      });
    });
}
