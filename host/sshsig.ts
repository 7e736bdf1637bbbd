/** OpenSSH's forms of an Ed25519 key and of a signature over a file (OpenSSH PROTOCOL.sshsig; RFC 4253 §6.6, RFC 8709).
 *  The device builds and signs the preamble itself from digest and namespace; here is what stands around its signature. */
import { createHash } from "node:crypto";
import { NAMESPACE_MAX } from "../firmware/defs/use.js";
import { UsageError } from "./client/errors.js";
import { sshString } from "./client/sshsig.js";

/** What the message is hashed with; the device tells the algorithm from the digest's length. */
const HASH = "sha512";
const TYPE = "ssh-ed25519";
const MAGIC = Buffer.from("SSHSIG");
const VERSION = 1;
const LINE = 70; // characters of base64 in a line, as ssh-keygen breaks them

/** What is signed when nobody says otherwise; git uses "git". */
export const DEFAULT_NAMESPACE = "file";

/** @returns SHA-512 of all that comes */
export async function sshsigDigest(message: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const hash = createHash(HASH);
  for await (const chunk of message) hash.update(chunk);
  return hash.digest();
}

/** @throws UsageError for a namespace that the device would refuse */
export function checkNamespace(namespace: string): string {
  const length = Buffer.byteLength(namespace);
  if (length < 1 || length > NAMESPACE_MAX)
    throw new UsageError(`--namespace: expected 1 to ${NAMESPACE_MAX} bytes; got ${length}.`);
  return namespace;
}

/** @returns the armored signature, as `ssh-keygen -Y sign` writes it
 *  @param publicKey 32 bytes @param signature 64 bytes, over the preamble that SPEC.md §12 names */
export function armorSshsig(publicKey: Uint8Array, signature: Uint8Array, namespace: string): string {
  const blob = Buffer.concat([
    MAGIC,
    uint32(VERSION),
    sshString(keyBlob(publicKey)),
    sshString(namespace),
    sshString(""),
    sshString(HASH),
    sshString(signatureBlob(signature)),
  ]);
  const lines = blob.toString("base64").match(new RegExp(`.{1,${LINE}}`, "g")) ?? [];
  return ["-----BEGIN SSH SIGNATURE-----", ...lines, "-----END SSH SIGNATURE-----", ""].join("\n");
}

/** A line of authorized_keys, of a .pub file, and behind a principal of allowed_signers. */
export function opensshLine(publicKey: Uint8Array, comment: string): string {
  // a line break in a comment would begin another entry
  const words = comment.replace(/\p{Cc}+/gu, " ").trim();
  return `${TYPE} ${keyBlob(publicKey).toString("base64")}${words === "" ? "" : ` ${words}`}`;
}

/** Type and key, as SSH writes a public key on the wire. */
export function keyBlob(publicKey: Uint8Array): Buffer {
  return Buffer.concat([sshString(TYPE), sshString(publicKey)]);
}

/** Type and signature, as SSH writes a signature on the wire. */
export function signatureBlob(signature: Uint8Array): Buffer {
  return Buffer.concat([sshString(TYPE), sshString(signature)]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
