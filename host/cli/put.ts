/** put, replace: credentials into the store. Secrets come from files, from stdin, or from a prompt without echo; never from arguments. */
import type { Command } from "commander";
import { ALG_ED25519, PartKind } from "../../firmware/defs/record.js";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import { type Client, handleText } from "../client/client.js";
import { FileError, UsageError } from "../client/errors.js";
import { checkLeafKey, readChain } from "../credentials/chain.js";
import { type Credential, readCredential } from "../credentials/detect.js";
import { FORMATS, type Format, type Passphrase } from "../credentials/format.js";
import { readInput } from "../files.js";
import { makePolicy, PRESENCES, TIERS, USAGES } from "../names.js";
import { firstLine } from "../provision.js";
import { decodeParts, encodeParts, type Part } from "../record.js";
import type { Context } from "./context.js";
import { checkLabel, integer } from "./parse.js";
import { ask } from "./prompt.js";
import { resolveHandle } from "./target.js";

interface ReadOptions {
  format: string;
  passphraseFile?: string;
}

interface ReplaceOptions extends ReadOptions {
  keepKeys: boolean;
  chain?: string;
}

interface PutOptions extends ReadOptions {
  label?: string;
  usage?: string;
  tier: string;
  exportable: boolean;
  presence: string;
  class?: string;
}

export function addPut(program: Command, context: () => Context): void {
  reading(program.command("put").argument("[files...]", "key, chain or secret; - is stdin; without any you are asked"))
    .description("store a credential in a new record")
    .option("--label <LABEL>", "a name to find it by; stands in clear on the device")
    .option("--usage <USAGE>", `what it is for: ${USAGES.all.join(", ")} (default: what the file is)`)
    .option("--tier <TIER>", TIERS.all.join(", "), "private")
    .option("--exportable", "let its secrets be read back", false)
    .option("--presence <WHEN>", `ask for a touch: ${PRESENCES.all.join(", ")}`, "never")
    .option("--class <NUMBER>", "slot class (default: the smallest that holds it)")
    .addHelpText("after", PUT_EXAMPLES)
    .action(async (files: string[], options: PutOptions) => {
      const { label } = options;
      checkLabel(label);
      const policy = makePolicy({ exportable: options.exportable, presence: PRESENCES.number(options.presence) });
      const tier = TIERS.number(options.tier);
      const wanted = options.usage === undefined ? undefined : USAGES.number(options.usage);
      const slotClass = options.class === undefined ? undefined : integer("--class", options.class, 3);
      const credential = await readFiles(context(), files, options);
      context().kept = "The record may have been put; `mbs list` shows it.";
      const { handle, sequence } = await context().withClient({ commands: [DeviceCommand.Put] }, (client) =>
        client.put({
          body: encodeParts(credential.parts),
          ...(label !== undefined && { label }),
          usage: wanted ?? credential.usage,
          tier,
          policy,
          ...(slotClass !== undefined && { slotClass }),
        }),
      );
      context().result({ handle: handleText(handle), sequence }, [handleText(handle)]);
    });

  reading(program.command("replace").argument("<record>", "handle or label").argument("[files...]", "as for put"))
    .description("give a record new content; handle, label and policy stay")
    .option("--keep-keys", "the keys stay as they are, and what is given takes the place of everything else", false)
    .option("--chain <FILE>", "with --keep-keys: the certificate chain of the key, leaf first")
    .addHelpText("after", REPLACE_EXAMPLES)
    .action(async (target: string, files: string[], options: ReplaceOptions) => {
      const { chain, keepKeys } = options;
      if (chain !== undefined && !keepKeys)
        throw new UsageError("--chain goes with --keep-keys.", "To replace key and chain, name both as files.");
      const parts = chain === undefined ? [] : [readChain(await readInput(context().io, chain))];
      if (chain === undefined || files.length > 0) parts.push(...(await readFiles(context(), files, options)).parts);
      if (keepKeys && parts.some(({ secret }) => secret))
        throw new UsageError("With --keep-keys nothing secret is given: the device keeps the keys that it has.");
      if (!keepKeys) await context().confirm(`The present content of ${target} will be gone. Replace it?`);
      context().kept = "The record has its old content or its new one; `mbs show` tells which.";
      const commands = [DeviceCommand.Replace, DeviceCommand.Find, DeviceCommand.Public];
      const { handle, sequence } = await context().withClient({ commands }, async (client) => {
        const found = await resolveHandle(client, target);
        if (keepKeys) await checkChain(client, found, parts);
        return client.replace(found, encodeParts(parts), keepKeys ? { keep: true } : {});
      });
      context().result({ handle: handleText(handle), sequence }, [handleText(handle)]);
    });
}

/** @throws FileError when the chain was made for another key than the record's */
async function checkChain(client: Client, handle: Uint8Array, parts: readonly Part[]): Promise<void> {
  const chain = parts.find(({ kind }) => kind === PartKind.Chain);
  if (chain === undefined) return;
  const kept = decodeParts((await client.publicParts(handle)).body).find(
    ({ algorithm, secret }) => !secret && algorithm === ALG_ED25519,
  );
  if (kept !== undefined) checkLeafKey(chain, kept.content);
}

const REPLACE_EXAMPLES = `
Examples:
  mbs replace tls/web-1 new.key new-chain.pem --yes
  mbs replace tls/web-2 --keep-keys --chain chain.pem     (a key that the device made, and what a CA made of its request)`;

const PUT_EXAMPLES = `
Examples:
  mbs put ~/.ssh/id_ed25519 --label deploy@web-1
  mbs put leaf.key chain.pem --label tls/web-1 --exportable
  pass show api-token | mbs put - --label api-token
  mbs put --label recovery-phrase        (asks, without echo)`;

function reading(command: Command): Command {
  return command
    .option("--format <FORMAT>", FORMATS.join(", "), "auto")
    .option("--passphrase-file <FILE>", "first line: passphrase of an encrypted key (default: you are asked)");
}

async function readFiles(context: Context, files: readonly string[], options: ReadOptions): Promise<Credential> {
  const { io } = context;
  const format = readFormat(options.format);
  const { passphraseFile } = options;
  const passphrase: Passphrase = async (file) => {
    if (passphraseFile !== undefined) return firstLine((await readInput(io, passphraseFile)).bytes);
    if (!io.stdin.isTTY)
      throw new FileError(
        `${file} needs a passphrase, and there is no terminal to ask on.`,
        "Say --passphrase-file FILE.",
      );
    return ask(io, `Passphrase of ${file}: `, true);
  };
  if (files.length > 0) {
    const sources = [];
    for (const file of files) sources.push(await readInput(io, file));
    return readCredential(sources, format, passphrase);
  }
  if (!io.stdin.isTTY) throw new UsageError("Name a file, or - for stdin.");
  const secret = await ask(io, "Secret (not shown): ", true);
  if (secret !== (await ask(io, "The same again: ", true)))
    throw new UsageError("The two are not the same; nothing was stored.");
  return readCredential([{ name: "the secret", bytes: Buffer.from(secret) }], "raw", passphrase);
}

function readFormat(text: string): Format {
  const found = FORMATS.find((format) => format === text);
  if (found === undefined) throw new UsageError(`--format: expected ${FORMATS.join(", ")}; got "${text}".`);
  return found;
}
