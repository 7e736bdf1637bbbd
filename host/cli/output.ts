/** Where the bytes that a command made go: a file of the user's own, JSON, or stdout, which may be a terminal. */
import { UsageError } from "../client/errors.js";
import { isText, writeOutput } from "../files.js";
import type { Context } from "./context.js";

export interface OutputOptions {
  output?: string;
  force?: boolean;
  hex?: boolean;
  base64?: boolean;
}

/** @throws UsageError for --hex with --base64 */
export function checkOutput({ hex, base64 }: OutputOptions): void {
  if (hex && base64) throw new UsageError("--hex and --base64 do not go together.");
}

/** Before somebody touches the board for bytes that cannot be shown. @throws UsageError when they would go to a terminal */
export function refuseTerminal({ io, json }: Context, { output, hex, base64 }: OutputOptions): void {
  if (io.stdout.isTTY && !json && !hex && !base64 && (output === undefined || output === "-"))
    throw new UsageError("What comes out is binary and is not shown on a terminal.", "Say --hex, --base64 or -o FILE.");
}

/** @param json what stands around the content with --json. @throws UsageError for binary on a terminal, FileError */
export async function deliver(
  context: Context,
  content: Uint8Array,
  options: OutputOptions,
  json: Record<string, unknown>,
): Promise<void> {
  const { output, force = false, hex, base64 } = options;
  const bytes = hex || base64 ? Buffer.from(`${Buffer.from(content).toString(hex ? "hex" : "base64")}\n`) : content;
  if (output !== undefined && output !== "-") {
    await writeOutput(output, bytes, force);
    context.result({ ...json, file: output, bytes: bytes.length }, [`${output}: ${bytes.length} bytes`]);
  } else if (context.json) {
    context.result({ ...json, content: Buffer.from(content).toString("base64") }, []);
  } else if (context.io.stdout.isTTY && !isText(bytes)) {
    throw new UsageError(
      "The content is binary and would upset the terminal; nothing was shown.",
      "Say -o FILE, or send it into a pipe.",
    );
  } else {
    context.io.stdout.write(bytes);
  }
}
