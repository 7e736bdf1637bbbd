/** generate: a key that the device makes and never gives out. */
import type { Command } from "commander";
import { ALG_ED25519, Usage } from "../../firmware/defs/record.js";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import { handleText } from "../client/client.js";
import { UsageError } from "../client/errors.js";
import { publicPem } from "../credentials/public.js";
import { GENERATED_USAGES, makePolicy, PRESENCES, TIERS, USAGES } from "../names.js";
import { opensshLine } from "../sshsig.js";
import type { Context } from "./context.js";
import { checkLabel, integer } from "./parse.js";

interface GenerateOptions {
  label?: string;
  usage: string;
  tier: string;
  presence: string;
  class?: string;
}

const WORDS = GENERATED_USAGES.map((usage) => USAGES.word(usage));

export function addGenerate(program: Command, context: () => Context): void {
  program
    .command("generate")
    .description("have the device make a key, which never leaves it; prints handle and public key")
    .requiredOption("--usage <USAGE>", `what it is for: ${WORDS.join(", ")}`)
    .option("--label <LABEL>", "a name to find it by; stands in clear on the device")
    .option("--tier <TIER>", TIERS.all.join(", "), "private")
    .option("--presence <WHEN>", `ask for a touch: ${PRESENCES.all.join(", ")}`, "never")
    .option("--class <NUMBER>", "slot class (default: the smallest that holds it)")
    .addHelpText("after", EXAMPLES)
    .action(async (options: GenerateOptions) => {
      const { label } = options;
      checkLabel(label);
      const usage = USAGES.number(options.usage);
      if (!GENERATED_USAGES.includes(usage))
        throw new UsageError(`--usage: a key is made for ${WORDS.join(", ")}; got "${options.usage}".`);
      const request = {
        ...(label !== undefined && { label }),
        usage,
        tier: TIERS.number(options.tier),
        policy: makePolicy({ exportable: false, presence: PRESENCES.number(options.presence) }),
        ...(options.class !== undefined && { slotClass: integer("--class", options.class, 3) }),
      };
      context().kept = "The key may have been made; `mbs list` shows it.";
      const { handle, sequence, publicKey } = await context().withClient(
        { commands: [DeviceCommand.Generate] },
        (client) => client.generate(request),
      );
      const algorithm = usage === Usage.Agree ? "X25519" : "Ed25519";
      const json = {
        handle: handleText(handle),
        sequence,
        algorithm,
        publicKey: Buffer.from(publicKey).toString("base64"),
      };
      context().result(json, [handleText(handle), publicText(usage, publicKey, label ?? "")]);
    });
}

/** The public key as those who need it read it. */
function publicText(usage: Usage, publicKey: Uint8Array, comment: string): string {
  if (usage === Usage.SshSig || usage === Usage.SshUserAuth) return opensshLine(publicKey, comment);
  if (usage === Usage.Agree) return Buffer.from(publicKey).toString("base64");
  return publicPem(ALG_ED25519, publicKey).trimEnd();
}

const EXAMPLES = `
The public key: a line for authorized_keys or allowed_signers (sshsig, ssh-userauth), PEM (raw, note), 32 bytes in base64 (agree).
\`mbs public\` shows it again, in other forms too.

Examples:
  mbs generate --usage sshsig --label release/sign --presence each
  mbs generate --usage raw --label tls/web-1      (then: mbs csr tls/web-1 --subject CN=web-1.example)`;
