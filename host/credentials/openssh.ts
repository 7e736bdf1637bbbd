/** OpenSSH private keys (OpenSSH's PROTOCOL.key), with and without passphrase. Relies on sshpk, loaded when needed. */
import { createPrivateKey } from "node:crypto";
import type { PrivateKey } from "sshpk";
import { ALG_ED25519 } from "../../firmware/defs/record.js";
import { FileError } from "../client/errors.js";
import type { Part } from "../record.js";
import type { Passphrase, Source } from "./format.js";
import { keyParts, makeKey, secretKey } from "./pkcs8.js";

/** @returns what pkcs8.ts makes of the same key: for Ed25519 a secret and a public part.
 *  @throws FileError when the file is damaged, the passphrase is wrong, or the key lives in another device (sk-…) */
export async function readOpenssh(source: Source, passphrase: Passphrase): Promise<Part[]> {
  const key = (await parse(source)) ?? (await parse(source, await passphrase(source.name)))!;
  const seed = key.parts.find(({ name }) => name === "k");
  if (key.type === "ed25519" && seed !== undefined) return keyParts(makeKey(ALG_ED25519, seed.data));
  return keyParts(createPrivateKey(key.toString("pkcs8", {})));
}

/** @returns undefined when a passphrase is needed and none was given */
async function parse({ name, bytes }: Source, passphrase?: string): Promise<PrivateKey | undefined> {
  const { default: sshpk } = await import("sshpk");
  try {
    return sshpk.parsePrivateKey(bytes, "openssh", { filename: name, ...(passphrase !== undefined && { passphrase }) });
  } catch (cause) {
    if (passphrase !== undefined)
      throw new FileError(`${name}: the passphrase is wrong, or the key is damaged.`, "Try again.", { cause });
    if (cause instanceof sshpk.KeyEncryptedError) return undefined;
    const hint = "A key that lives in a security key (sk-…) cannot be read; see `ssh-keygen -y -f FILE`.";
    throw new FileError(`${name}: not a readable OpenSSH private key.`, hint, { cause });
  }
}

/** The reverse, without passphrase. @param comment stands behind the key, as `ssh-keygen -c` sets it
 *  @throws FileError when the parts hold no key that OpenSSH knows */
export async function writeOpenssh(parts: readonly Part[], comment: string): Promise<string> {
  const { default: sshpk } = await import("sshpk");
  const pem = secretKey(parts).export({ type: "pkcs8", format: "pem" });
  try {
    const key = sshpk.parsePrivateKey(pem, "pkcs8");
    key.comment = comment;
    return key.toString("openssh", {});
  } catch (cause) {
    throw new FileError("OpenSSH has no form for a key of this kind.", "Use --as pkcs8.", { cause });
  }
}
