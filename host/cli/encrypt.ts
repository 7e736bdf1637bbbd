/** encrypt: a file, or stdin, under positions of a filekey that nobody uses again. The format: SPEC.md §13. */
import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { UsageError } from "../client/errors.js";
import { Draft } from "../file/draft.js";
import { type Encrypted, encryptFile, type FileClaim, type PlainInput } from "../file/encrypt.js";
import { openInput } from "../file/input.js";
import { type Output, StreamOutput } from "../file/output.js";
import { ProgressLine } from "../file/progress.js";
import { parseSize } from "../file/size.js";
import type { Context } from "./context.js";
import { Interrupted } from "./io.js";
import { printable } from "./table.js";

/** Claims exactly `size` positions. @param key --key: what names the filekey; undefined: the only one */
export type ClaimFor = (context: Context, key: string | undefined, size: bigint) => Promise<FileClaim>;

interface EncryptOptions {
  key?: string;
  output?: string;
  maxSize?: string;
}

export function addEncrypt(program: Command, context: () => Context, claimFor: ClaimFor): void {
  program
    .command("encrypt")
    .argument("<file>", "what is encrypted; - is stdin, which needs --max-size")
    .description("encrypt a file under a filekey; it stays as it is")
    .option("-k, --key <KEY>", "the filekey, its id or name (default: the only one)")
    .option("-o, --output <FILE>", "write there, - for stdout (default: a random name that ends in .mbs)")
    .option("--max-size <SIZE>", "the most that comes, such as 500MB or 2GiB: positions for so much are claimed")
    .addHelpText("after", HELP)
    .action(async (file: string, options: EncryptOptions) => {
      const maxSize = options.maxSize === undefined ? undefined : parseSize("--max-size", options.maxSize);
      const limit = maxSize === undefined ? {} : { maxSize };
      const { output, name } = await chooseOutput(context(), options.output);
      if (file === "-") {
        if (context().io.stdin.isTTY) throw new UsageError("Nothing is piped to stdin.", "Name a file.");
        const input = { what: "stdin", name: "", stream: context().io.stdin, ...limit };
        report(context(), await run(context(), input, options.key, output, claimFor), name);
        return;
      }
      const { size, close, ...found } = await openInput(file);
      try {
        // what has no size is a pipe or a device, whose name says nothing about what comes
        const known = size === undefined ? { name: "" } : { size };
        const input = { ...found, what: file, ...limit, ...known };
        report(context(), await run(context(), input, options.key, output, claimFor), name);
      } finally {
        await close();
      }
    });
}

async function run(
  context: Context,
  input: PlainInput,
  key: string | undefined,
  output: Output,
  claimFor: ClaimFor,
): Promise<Encrypted> {
  const { io, json } = context;
  const interrupt = new AbortController();
  let unwatch = () => {};
  const line = new ProgressLine(io.stderr.isTTY && !json ? io.stderr : undefined, "encrypting");
  try {
    return await encryptFile({
      input,
      output,
      signal: interrupt.signal,
      progress: (bytes, of) => line.update(bytes, of),
      claim: async (size) => {
        const claim = await claimFor(context, key, size);
        // only now: until here whoever claims answers Ctrl-C
        unwatch = io.onInterrupt(() =>
          interrupt.abort(new Interrupted(output instanceof StreamOutput ? CUT_SHORT : GIVEN_UP)),
        );
        return claim;
      },
    });
  } finally {
    unwatch();
    line.end();
  }
}

const GIVEN_UP = "There is no output; the positions that were claimed are not used again.";
const CUT_SHORT =
  "The output is cut short and cannot be decrypted; the positions that were claimed are not used again.";

/** Says early what would fail at the end. @throws UsageError, FileError */
async function chooseOutput({ io, json }: Context, to: string | undefined): Promise<{ output: Output; name: string }> {
  if (to === "-") {
    if (json) throw new UsageError("--json and --output - do not go together: both need stdout.");
    if (io.stdout.isTTY)
      throw new UsageError("What comes out is binary and is not shown on a terminal.", "Say --output FILE.");
    return { output: new StreamOutput(io.stdout), name: to };
  }
  const name = to ?? `${randomUUID()}.mbs`;
  const draft = new Draft({ path: name, force: false, advice: "Say --output with another name." });
  await draft.check();
  return { output: draft, name };
}

function report(context: Context, { keyId, start, end, size }: Encrypted, file: string): void {
  if (file === "-") return;
  context.result(
    {
      file,
      filekey: Buffer.from(keyId).toString("hex"),
      start: String(start),
      end: String(end),
      size: String(size),
    },
    [`${printable(file)}: ${size} bytes encrypted, positions ${start} to ${end}`],
  );
}

const HELP = `
The output holds name, length and content, readable with the filekey alone; in clear stand the filekey's id and the first position.
Up to 5 % are added, so that the exact length does not show. When it fails there is no output, and its positions are not used again.

Examples:
  mbs encrypt report.pdf
  mbs encrypt backup.tar --key archive --output /mnt/backup.mbs
  tar c project | mbs encrypt - --max-size 20GB --output project.mbs`;
