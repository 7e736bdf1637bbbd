/** decrypt: the file that was encrypted, under the name that it had. The format: SPEC.md §13. */
import type { Command } from "commander";
import { UsageError } from "../client/errors.js";
import { type Decrypted, decryptFile, type DecryptOptions as Job } from "../file/decrypt.js";
import { Draft } from "../file/draft.js";
import { openInput } from "../file/input.js";
import { storedName } from "../file/name.js";
import { StreamOutput } from "../file/output.js";
import { ProgressLine } from "../file/progress.js";
import type { Context } from "./context.js";
import { Interrupted } from "./io.js";
import { printable } from "./table.js";

/** The 32-byte secret of the Delta that has the position. What it is given comes from a file that nothing has proven yet. */
export type SecretFor = (context: Context, keyId: Uint8Array, start: bigint) => Promise<Uint8Array>;

interface DecryptOptions {
  output?: string;
  force: boolean;
}

export function addDecrypt(program: Command, context: () => Context, secretFor: SecretFor): void {
  program
    .command("decrypt")
    .argument("<file>", "what mbs encrypted; - is stdin")
    .description("decrypt a file; it stays as it is")
    .option("-o, --output <FILE>", "write there, - for stdout (default: here, under the name that it had)")
    .option("--force", "replace the output if it exists", false)
    .addHelpText("after", HELP)
    .action(async (file: string, options: DecryptOptions) => {
      const output = await chooseOutput(context(), options);
      if (file === "-") {
        if (context().io.stdin.isTTY) throw new UsageError("Nothing is piped to stdin.", "Name a file.");
        const input = { what: "stdin", stream: context().io.stdin };
        report(context(), await run(context(), input, output, secretFor), output);
        return;
      }
      const { size, stream, close } = await openInput(file);
      try {
        const input = { what: file, stream, ...(size !== undefined && { size }) };
        report(context(), await run(context(), input, output, secretFor), output);
      } finally {
        await close();
      }
    });
}

async function run(
  context: Context,
  input: Job["input"],
  output: Draft | StreamOutput,
  secretFor: SecretFor,
): Promise<Decrypted> {
  const { io, json } = context;
  const interrupt = new AbortController();
  let unwatch = () => {};
  const line = new ProgressLine(io.stderr.isTTY && !json ? io.stderr : undefined, "decrypting");
  try {
    return await decryptFile({
      input,
      output,
      signal: interrupt.signal,
      progress: (bytes, of) => line.update(bytes, of),
      secretFor: async (keyId, start) => {
        const secret = await secretFor(context, keyId, start);
        // only now: until here whoever gets the secret answers Ctrl-C
        unwatch = io.onInterrupt(() =>
          interrupt.abort(new Interrupted(output instanceof StreamOutput ? CUT_SHORT : GIVEN_UP)),
        );
        return secret;
      },
    });
  } catch (error) {
    line.end();
    if (output instanceof StreamOutput && output.written > 0n)
      context.warn("What came out before this error is not the whole file and must not be used.");
    throw error;
  } finally {
    unwatch();
    line.end();
  }
}

const GIVEN_UP = "There is no output.";
const CUT_SHORT = "The output is cut short.";

/** Says early what would fail at the end. @throws UsageError, FileError */
async function chooseOutput(
  { io, json }: Context,
  { output: to, force }: DecryptOptions,
): Promise<Draft | StreamOutput> {
  if (to === "-") {
    if (json) throw new UsageError("--json and --output - do not go together: both need stdout.");
    if (io.stdout.isTTY)
      throw new UsageError(
        "A file's content is not shown on a terminal.",
        "Say --output FILE, or send it into a pipe.",
      );
    return new StreamOutput(io.stdout);
  }
  const path = to ?? { folder: ".", name: storedName };
  const draft = new Draft({ path, force, advice: "Say --output with another name, or --force to replace it." });
  await draft.check();
  return draft;
}

function report(context: Context, { keyId, start, end, size, name }: Decrypted, output: Draft | StreamOutput): void {
  if (output instanceof StreamOutput) return;
  const file = output.path!;
  context.result(
    {
      file,
      name: name ?? null,
      filekey: Buffer.from(keyId).toString("hex"),
      start: String(start),
      end: String(end),
      size: String(size),
    },
    [`${printable(file)}: ${size} bytes decrypted`],
  );
}

const HELP = `
The output appears when the whole file proved genuine, for you alone (mode 0600). A wrong key and a damaged file are different errors.
With --output - it goes out piece by piece, each one genuine; that the file is whole shows at its end. Whoever reads it must look at the
exit code, and must not use what came before an error.

Examples:
  mbs decrypt 2f1d0a9e-7c51-4e0e-9a44-0b8a4f5f5a10.mbs
  mbs decrypt backup.mbs --output restored.tar
  mbs decrypt project.mbs --output - > project.tar && tar x < project.tar`;
