/** get: exportable records back into files or a pipe. */
import type { Command } from "commander";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import { UsageError } from "../client/errors.js";
import { EXPORTS, type Export, usualExport, writeCredential } from "../credentials/export.js";
import { checkOutputFile } from "../files.js";
import { ALGORITHMS, KINDS } from "../names.js";
import { decodeParts, type Part } from "../record.js";
import type { Context } from "./context.js";
import { getSeveral } from "./get-several.js";
import { deliver } from "./output.js";
import { integer } from "./parse.js";
import { entryJson } from "./present.js";
import { resolveHandle } from "./target.js";

interface GetOptions {
  output?: string;
  part?: string;
  as?: string;
  force: boolean;
}

export function addGet(program: Command, context: () => Context): void {
  program
    .command("get")
    .argument("<record...>", "handle, its first 8 or more digits, or label")
    .description("read exportable records")
    .option("-o, --output <FILE>", "write there, for you alone (mode 0600); of several records: a directory")
    .option("--part <NUMBER>", "only this part, as it was stored; `mbs show` numbers them")
    .option("--as <FORM>", `${EXPORTS.join(", ")} (default: what the record is)`)
    .option("--force", "replace FILE if it exists", false)
    .addHelpText(
      "after",
      "\nExamples:\n  mbs get deploy@web-1 -o id_ed25519\n  mbs get tls/web-1 tls/web-2 -o keys/\n  mbs get tls/web-1 --as pem | openssl storeutl -noout -certs /dev/stdin",
    )
    .action(async ([target = "", ...others]: string[], options: GetOptions) => {
      const wanted = options.as === undefined ? undefined : readExport(options.as);
      if (others.length > 0) {
        if (options.part !== undefined) throw new UsageError("--part is a part of one record.", "Name one record.");
        const { output: directory, force } = options;
        return getSeveral(context(), [target, ...others], { directory, as: wanted, force });
      }
      if (options.part !== undefined && wanted !== undefined)
        throw new UsageError("--part gives the bytes as they were stored; --as does not go with it.");
      if (options.output !== undefined && options.output !== "-")
        await checkOutputFile(options.output, options.force ?? false);
      const record = await context().withClient({ commands: [DeviceCommand.Get] }, async (client) =>
        client.get(await resolveHandle(client, target)),
      );
      const parts = decodeParts(record.body);
      if (context().json && options.output === undefined && wanted === undefined && options.part === undefined) {
        context().result({ ...entryJson(record), parts: parts.map(partJson) }, []);
        return;
      }
      const as = wanted ?? usualExport(parts, record.usage);
      const bytes =
        options.part === undefined ? await writeCredential(parts, as, record.label ?? "") : pick(parts, options.part);
      await deliver(context(), bytes, options, entryJson(record));
    });
}

function pick(parts: readonly Part[], text: string): Uint8Array {
  return parts[integer("--part", text, parts.length - 1)]!.content;
}

function partJson(part: Part): Record<string, unknown> {
  return {
    kind: KINDS.word(part.kind),
    algorithm: ALGORITHMS.word(part.algorithm),
    secret: part.secret,
    content: Buffer.from(part.content).toString("base64"),
  };
}

function readExport(text: string): Export {
  const found = EXPORTS.find((form) => form === text);
  if (found === undefined) throw new UsageError(`--as: expected ${EXPORTS.join(", ")}; got "${text}".`);
  return found;
}
