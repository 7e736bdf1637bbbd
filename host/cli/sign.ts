/** sign: by what the record is for. The key stays on the device, which builds or checks what it signs (SPEC.md §12). */
import { constants, createReadStream } from "node:fs";
import { access } from "node:fs/promises";
import type { Command } from "commander";
import { Usage } from "../../firmware/defs/record.js";
import { Status } from "../../firmware/defs/status.js";
import { SIGN_MAX } from "../../firmware/defs/use.js";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import type { Shown } from "../client/answers.js";
import { type Client, handleText } from "../client/client.js";
import { DeviceError, FileError, UsageError } from "../client/errors.js";
import { cannotRead, checkOutputFile, readInput } from "../files.js";
import { USAGES } from "../names.js";
import { checkKeyName, checkNoteText, signedNote } from "../note.js";
import { armorSshsig, checkNamespace, DEFAULT_NAMESPACE, sshsigDigest } from "../sshsig.js";
import type { Context } from "./context.js";
import { checkOutput, deliver, type OutputOptions, refuseTerminal } from "./output.js";
import { resolveHandle } from "./target.js";

interface SignOptions extends OutputOptions {
  namespace?: string;
  keyName?: string;
}

/** What was signed, and the form in which it is given out. */
interface Signature {
  content: Uint8Array;
  publicKey: Uint8Array;
  /** Beside FILE, when nobody says where. */
  suffix?: string;
}

export function addSign(program: Command, context: () => Context): void {
  program
    .command("sign")
    .argument("<record>", "handle or label of a key")
    .argument("[file]", "what is signed; without it, or for -, stdin")
    .description("sign on the device, in the way that the usage of the key allows")
    .option("-n, --namespace <NAME>", `sshsig: what the signature is for (default: ${DEFAULT_NAMESPACE})`)
    .option("--key-name <NAME>", "note: the name of the key (default: the record's label)")
    .option("-o, --output <FILE>", "write there, - for stdout (default for sshsig: FILE.sig)")
    .option("--hex", "raw, ssh-userauth: the 64 bytes as hexadecimal digits", false)
    .option("--base64", "the same in base64", false)
    .option("--force", "replace the output if it exists", false)
    .addHelpText("after", EXAMPLES)
    .action(async (target: string, file: string | undefined, options: SignOptions) => {
      checkOutput(options);
      if (options.namespace !== undefined) checkNamespace(options.namespace);
      if (options.keyName !== undefined) checkKeyName(options.keyName);
      const { output, force = false } = options;
      if (output !== undefined && output !== "-") await checkOutputFile(output, force);
      const named = file ?? "-";
      if (named === "-" && context().io.stdin.isTTY)
        throw new UsageError("Nothing is piped to stdin.", "Name the file that is to be signed.");
      if (named !== "-") await access(named, constants.R_OK).catch((error) => cannotRead(named, error));
      context().kept = "Nothing was signed, or the signature is lost; the device is as before.";
      const commands = [DeviceCommand.Sign, DeviceCommand.Show, DeviceCommand.Find];
      const { shown, signature } = await context().withClient({ commands }, async (client) => {
        const shown = await client.show(await resolveHandle(client, target));
        refuseForeign(shown, options);
        if (shown.usage === Usage.Raw || shown.usage === Usage.SshUserAuth) refuseTerminal(context(), options);
        const beside =
          shown.usage === Usage.SshSig && named !== "-" && output === undefined ? `${named}.sig` : undefined;
        if (beside !== undefined) await checkOutputFile(beside, force); // before somebody touches the board in vain
        return { shown, signature: await sign(context(), client, shown, named, options) };
      });
      const { content, publicKey, suffix } = signature;
      const to = output ?? (suffix !== undefined && named !== "-" ? `${named}${suffix}` : undefined);
      await deliver(
        context(),
        content,
        { ...options, ...(to !== undefined && { output: to }) },
        {
          handle: handleText(shown.handle),
          usage: USAGES.word(shown.usage),
          publicKey: Buffer.from(publicKey).toString("base64"),
        },
      );
    });
}

/** @throws UsageError for options that belong to another usage, DeviceError for a key that signs nothing */
function refuseForeign({ usage, label }: Shown, { namespace, keyName, hex, base64 }: SignOptions): void {
  const word = USAGES.word(usage);
  const refuse = (option: string, wanted: Usage) =>
    new UsageError(`${option} is for keys with usage ${USAGES.word(wanted)}; this one has ${word}.`);
  if (![Usage.Raw, Usage.SshSig, Usage.SshUserAuth, Usage.Note].includes(usage))
    throw new DeviceError(Status.WrongUsage, usage);
  if (namespace !== undefined && usage !== Usage.SshSig) throw refuse("--namespace", Usage.SshSig);
  if (keyName !== undefined && usage !== Usage.Note) throw refuse("--key-name", Usage.Note);
  if ((hex || base64) && (usage === Usage.SshSig || usage === Usage.Note)) throw refuse("--hex or --base64", Usage.Raw);
  if (usage === Usage.Note && keyName === undefined)
    try {
      checkKeyName(label ?? "");
    } catch (cause) {
      throw new UsageError("The label of the record is no key name.", "Say --key-name NAME.", { cause });
    }
}

async function sign(
  context: Context,
  client: Client,
  { usage, handle, label }: Shown,
  file: string,
  { namespace = DEFAULT_NAMESPACE, keyName }: SignOptions,
): Promise<Signature> {
  if (usage === Usage.SshSig) {
    const digest = await digestOf(context, file);
    const { publicKey, signature } = await client.sign(handle, digest, namespace);
    return { content: Buffer.from(armorSshsig(publicKey, signature, namespace)), publicKey, suffix: ".sig" };
  }
  const { name, bytes } = await readInput(context.io, file);
  if (bytes.length > SIGN_MAX)
    throw new FileError(
      `${name} has ${bytes.length} bytes; the device signs at most ${SIGN_MAX}.`,
      "Sign a hash of it, if whoever verifies agreed on that, or use a key with usage sshsig.",
    );
  if (usage === Usage.Note) checkNoteText(bytes, name);
  const { publicKey, signature } = await client.sign(handle, bytes);
  if (usage !== Usage.Note) return { content: signature, publicKey };
  return { content: signedNote(bytes, keyName ?? label!, publicKey, signature), publicKey };
}

/** A file of any size goes by in pieces. */
async function digestOf({ io }: Context, file: string): Promise<Uint8Array> {
  if (file === "-") return sshsigDigest(io.stdin);
  try {
    return await sshsigDigest(createReadStream(file));
  } catch (error) {
    return cannotRead(file, error as Error);
  }
}

const EXAMPLES = `
What comes out, by usage of the key:
  sshsig        an SSH signature, as of ssh-keygen -Y sign: FILE.sig, or stdout for stdin
  note          the text with its signature line (C2SP signed-note), on stdout
  raw           64 bytes, Ed25519 over the content, unless it is what another usage signs: text of whole lines is a note
  ssh-userauth  64 bytes over a login request; nothing else is signed
Bytes are never shown on a terminal; --hex and --base64 are.

Examples:
  mbs sign release/sign notes.tar.gz          writes notes.tar.gz.sig
  mbs sign release/sign -n git < commit
  mbs sign log/example checkpoint.txt --key-name example.com/log -o checkpoint`;
