/** public: what everybody may have of a record. */
import type { Command } from "commander";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import { NotFoundError, UsageError } from "../client/errors.js";
import { PUBLIC_FORMS, type PublicForm, usualPublic, writePublic } from "../credentials/public.js";
import { ALGORITHMS, KINDS } from "../names.js";
import { decodeParts } from "../record.js";
import type { Context } from "./context.js";
import { deliver, type OutputOptions } from "./output.js";
import { entryJson } from "./present.js";
import { resolveHandle } from "./target.js";

const FORMATS = [...PUBLIC_FORMS, "json"];

interface PublicOptions extends OutputOptions {
  format?: string;
  keyName?: string;
}

export function addPublic(program: Command, context: () => Context): void {
  program
    .command("public")
    .argument("<record>", "handle, its first 8 or more digits, or label")
    .description("the public keys and certificates of a record")
    .option("--format <FORM>", `${FORMATS.join(", ")} (default: what the record is for)`)
    .option("--key-name <NAME>", "note: the name of the key; openssh: the comment (default: the record's label)")
    .option("-o, --output <FILE>", "write there (mode 0600)")
    .option("--force", "replace FILE if it exists", false)
    .addHelpText(
      "after",
      "\nExamples:\n  mbs public ssh/deploy >> authorized_keys\n  mbs public tls/web-1 --format pem | openssl pkey -pubin -text -noout",
    )
    .action(async (target: string, options: PublicOptions) => {
      const wanted = readFormat(options.format);
      if (wanted === "json") context().globals.json = true;
      const commands = [DeviceCommand.Public, DeviceCommand.Find];
      const record = await context().withClient({ commands }, async (client) =>
        client.publicParts(await resolveHandle(client, target)),
      );
      if (record.body.length === 0)
        throw new NotFoundError(`${target} has no public part.`, "`mbs show` lists its parts.");
      const parts = decodeParts(record.body);
      if (context().json && options.output === undefined && (wanted === undefined || wanted === "json")) {
        const json = parts.map(({ algorithm, content, kind }) => ({
          kind: KINDS.word(kind),
          algorithm: ALGORITHMS.word(algorithm),
          content: Buffer.from(content).toString("base64"),
        }));
        context().result({ ...entryJson(record), parts: json }, []);
        return;
      }
      const form = wanted === undefined || wanted === "json" ? usualPublic(parts, record.usage) : wanted;
      const content = writePublic(parts, form, options.keyName ?? record.label ?? "");
      await deliver(context(), content, options, entryJson(record));
    });
}

function readFormat(text: string | undefined): PublicForm | "json" | undefined {
  if (text === undefined || text === "json") return text;
  const found = PUBLIC_FORMS.find((form) => form === text);
  if (found === undefined) throw new UsageError(`--format: expected ${FORMATS.join(", ")}; got "${text}".`);
  return found;
}
