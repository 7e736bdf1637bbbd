/** agree: X25519 with a key that stays on the device. With salt and context the device derives a key, or opens what was wrapped, so that
 *  the bare shared secret never leaves it. */
import { createPublicKey } from "node:crypto";
import type { Command } from "commander";
import { CONTEXT_MAX, KEY_SIZE, SALT_MAX, WRAPPED_MAX } from "../../firmware/defs/use.js";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import { handleText } from "../client/client.js";
import { FileError, UsageError } from "../client/errors.js";
import type { AgreeOptions } from "../client/requests.js";
import { checkOutputFile, readInput } from "../files.js";
import type { Context } from "./context.js";
import { checkOutput, deliver, type OutputOptions, refuseTerminal } from "./output.js";
import { hexBytes } from "./parse.js";
import { resolveHandle } from "./target.js";

const WRAPPED_MIN = 17; // a tag and one byte, SPEC.md §12

interface Options extends OutputOptions {
  peer: string;
  salt?: string;
  context?: string;
  unwrap?: string;
}

export function addAgree(program: Command, context: () => Context): void {
  program
    .command("agree")
    .argument("<record>", "handle or label of a key with usage agree")
    .description("agree on a secret with another X25519 key")
    .requiredOption("--peer <KEY>", "the other public key: a PEM file, a file of 32 bytes, or its base64 or hex digits")
    .option("--salt <HEX>", `HKDF-SHA-256 on the device: salt, at most ${SALT_MAX} bytes; may be empty`)
    .option("--context <TEXT>", `HKDF-SHA-256 on the device: info, at most ${CONTEXT_MAX} bytes; may be empty`)
    .option("--unwrap <FILE>", "with salt and context: open this with the key, ChaCha20-Poly1305 with a nonce of zeros")
    .option("-o, --output <FILE>", "write there, for you alone (mode 0600)")
    .option("--hex", "the secret as hexadecimal digits", false)
    .option("--base64", "the same in base64", false)
    .option("--force", "replace FILE if it exists", false)
    .addHelpText("after", EXAMPLES)
    .action(async (target: string, options: Options) => {
      checkOutput(options);
      const { output, force = false } = options;
      if (output !== undefined) await checkOutputFile(output, force);
      if (options.unwrap === undefined) refuseTerminal(context(), options); // what was wrapped may be text
      const derive = await readDerivation(context(), options);
      const peer = await readPeer(context(), options.peer);
      context().kept = "The device is as before.";
      const commands = [DeviceCommand.Agree, DeviceCommand.Find];
      const { handle, secret } = await context().withClient({ commands }, async (client) => {
        const handle = await resolveHandle(client, target);
        return { handle, secret: await client.agree(handle, peer, derive) };
      });
      await deliver(context(), secret, options, { handle: handleText(handle) });
    });
}

/** @throws UsageError when only some of what belongs together was given */
async function readDerivation(context: Context, options: Options): Promise<AgreeOptions | undefined> {
  const { context: info, salt, unwrap } = options;
  if (salt === undefined && info === undefined && unwrap === undefined) return undefined;
  if (salt === undefined || info === undefined)
    throw new UsageError("--salt and --context go together, and --unwrap with both.", 'An empty one is "".');
  const derive = { salt: hexBytes("--salt", salt, SALT_MAX), context: Buffer.from(info) };
  if (derive.context.length > CONTEXT_MAX)
    throw new UsageError(`--context: expected at most ${CONTEXT_MAX} bytes; got ${derive.context.length}.`);
  if (unwrap === undefined) return derive;
  const { bytes: wrapped, name } = await readInput(context.io, unwrap);
  if (wrapped.length < WRAPPED_MIN || wrapped.length > WRAPPED_MAX)
    throw new FileError(
      `${name} has ${wrapped.length} bytes; what the device opens has ${WRAPPED_MIN} to ${WRAPPED_MAX}.`,
    );
  return { ...derive, wrapped };
}

/** @throws UsageError for a text that is no key, FileError for a file that holds none */
async function readPeer(context: Context, text: string): Promise<Uint8Array> {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, "hex");
  if (/^[A-Za-z0-9+/]{43}=?$/.test(text)) return Buffer.from(text, "base64");
  const { bytes, name } = await readInput(context.io, text);
  if (bytes.length === KEY_SIZE) return bytes;
  const line = bytes.toString("latin1").trim();
  if (/^[A-Za-z0-9+/]{43}=$/.test(line)) return Buffer.from(line, "base64");
  try {
    const { crv, x = "" } = createPublicKey(bytes).export({ format: "jwk" });
    if (crv === "X25519") return Buffer.from(x, "base64url");
  } catch {
    // said below, whatever is wrong with it
  }
  throw new FileError(`${name} holds no X25519 public key.`, "Expected PEM, 32 bytes, or 44 characters of base64.");
}

const EXAMPLES = `
Without --salt and --context the shared secret itself comes out: use it as input of a key derivation only.

Examples:
  mbs agree box/key --peer other.pem --salt 00 --context "example v1" -o key.bin
  mbs agree box/key --peer "$SHARE" --salt "$SHARE_AND_OURS" --context age-encryption.org/v1/X25519 --unwrap body.bin -o filekey`;
