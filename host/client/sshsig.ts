/** What an SSH signature signs (OpenSSH PROTOCOL.sshsig): the bytes that the device builds from namespace and digest. SPEC.md §12. */
import { UsageError } from "./errors.js";

/** Hash name by bytes of digest. */
const HASHES: ReadonlyMap<number, string> = new Map([
  [32, "sha256"],
  [64, "sha512"],
]);

/** @param digest of the message: SHA-256 or SHA-512. @throws UsageError for a digest of another length */
export function sshsigMessage(namespace: string, digest: Uint8Array): Uint8Array {
  const hash = HASHES.get(digest.length);
  if (hash === undefined)
    throw new UsageError(`A digest for an SSH signature has 32 or 64 bytes; got ${digest.length}.`);
  return Buffer.concat([Buffer.from("SSHSIG"), ...[namespace, "", hash, digest].map(sshString)]);
}

/** A string of the SSH protocol (RFC 4251 §5): its length in 32 bits, high byte first, and its bytes. */
export function sshString(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
