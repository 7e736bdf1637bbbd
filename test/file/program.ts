/** A command line with encrypt and decrypt alone, whose positions and secrets are the test's. */
import { Command } from "commander";
import { Context, type Globals } from "../../host/cli/context.js";
import { addDecrypt } from "../../host/cli/decrypt.js";
import { addEncrypt } from "../../host/cli/encrypt.js";
import { INTERRUPTED_EXIT, Interrupted, type Io } from "../../host/cli/io.js";
import { MbsError } from "../../host/client/errors.js";
import { KEY_ID, secret } from "./workbench.js";

/** What was asked of whoever has positions and secrets. */
export interface Asked {
  claims: { key: string | undefined; size: bigint }[];
  secrets: { keyId: string; start: bigint }[];
}

/** @returns the exit code */
export async function fileMain(argv: readonly string[], io: Io, asked: Asked): Promise<number> {
  const program = new Command("mbs").option("--json").exitOverride();
  program.configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) });
  const context = new Context(io, {});
  program.hook("preAction", () => void Object.assign(context.globals, program.opts<Globals>()));
  let next = 0n;
  addEncrypt(
    program,
    () => context,
    async (_, key, size) => {
      asked.claims.push({ key, size });
      const start = next;
      next += size;
      return { keyId: KEY_ID, start, end: next - 1n, secret: secret() };
    },
  );
  addDecrypt(
    program,
    () => context,
    async (_, keyId, start) => {
      asked.secrets.push({ keyId: Buffer.from(keyId).toString("hex"), start });
      return secret();
    },
  );
  try {
    await program.parseAsync(argv, { from: "user" });
    return context.exitCode;
  } catch (error) {
    if (error instanceof Interrupted) {
      context.tellInterrupted(error.message);
      return INTERRUPTED_EXIT;
    }
    if (!(error instanceof MbsError)) throw error;
    io.stderr.write(`mbs: ${error.message}\n     ${error.hint}\n`);
    return error.exitCode;
  }
}
