/** csr: a certificate request for a key of the device, signed by the device. */
import type { Command } from "commander";
import { ALG_ED25519, Usage } from "../../firmware/defs/record.js";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import { handleText } from "../client/client.js";
import { ProtocolError, UsageError } from "../client/errors.js";
import { publicKey } from "../credentials/public.js";
import { makeCsr, parseAlternativeName, parseSubject } from "../csr.js";
import { checkOutputFile, writeOutput } from "../files.js";
import { USAGES } from "../names.js";
import { decodeParts } from "../record.js";
import type { Context } from "./context.js";
import { resolveHandle } from "./target.js";

interface CsrOptions {
  subject: string;
  san: string[];
  output?: string;
  force: boolean;
}

export function addCsr(program: Command, context: () => Context): void {
  program
    .command("csr")
    .argument("<record>", "handle or label of a key with usage raw")
    .description("a certificate request (PKCS#10, PEM) for a key that stays on the device")
    .requiredOption("--subject <NAME>", 'such as "CN=web-1.example,O=Example"')
    .option("--san <NAME>", "dns:NAME, ip:ADDRESS, email:ADDRESS or uri:URI; may be repeated", collect, [])
    .option("-o, --output <FILE>", "write there (default: stdout)")
    .option("--force", "replace FILE if it exists", false)
    .addHelpText("after", EXAMPLES)
    .action(async (target: string, { force, output, san, subject: text }: CsrOptions) => {
      const subject = parseSubject(text);
      const names = san.map(parseAlternativeName);
      if (output !== undefined) await checkOutputFile(output, force);
      context().kept = "The device is as before.";
      const commands = [DeviceCommand.Sign, DeviceCommand.Public, DeviceCommand.Find];
      const { handle, csr } = await context().withClient({ commands }, async (client) => {
        const record = await client.publicParts(await resolveHandle(client, target));
        const { handle, usage } = record;
        if (usage !== Usage.Raw)
          throw new UsageError(
            `A certificate request is signed by a key with usage raw; ${target} has ${USAGES.word(usage)}.`,
            "Make one: mbs generate --usage raw --label LABEL",
          );
        const key = publicKey(decodeParts(record.body), ALG_ED25519);
        const sign = async (request: Uint8Array) => {
          const signed = await client.sign(handle, request);
          if (Buffer.compare(signed.publicKey, key) !== 0)
            throw new ProtocolError("The device signed with another key than the one it showed; nothing was written.");
          return signed.signature;
        };
        return { handle, csr: await makeCsr({ subject, names, publicKey: key, sign }) };
      });
      const json = { handle: handleText(handle), csr };
      if (output === undefined) context().result(json, [csr.trimEnd()]);
      else {
        await writeOutput(output, Buffer.from(csr), force);
        context().result({ ...json, file: output }, [`${output}: ${csr.length} bytes`]);
      }
    });
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

const EXAMPLES = `
Attributes stand in the request in the order in which they are written: CN, O, OU, L, ST, C, STREET, DC, UID, SERIALNUMBER,
EMAILADDRESS, or numbers with dots. A comma in a value is written \\, .

Example:
  mbs generate --usage raw --label tls/web-1
  mbs csr tls/web-1 --subject CN=web-1.example --san dns:web-1.example -o web-1.csr
  openssl req -in web-1.csr -verify -noout -text
  mbs replace tls/web-1 --keep-keys --chain chain.pem      (when the certificate came)`;
