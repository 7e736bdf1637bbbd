/** Signed notes (C2SP signed-note): a text, an empty line, and signature lines; Ed25519 signatures only. The device checks the text once more. */
import { createHash } from "node:crypto";
import { FileError, UsageError } from "./client/errors.js";

const ED25519 = 0x01; // type of the signature, C2SP signed-note
const DASH = "\u2014";

/** @throws UsageError for a name that no note may carry */
export function checkKeyName(name: string): string {
  if (name === "" || /[\p{White_Space}+\p{Cc}\p{Cf}]/u.test(name))
    throw new UsageError(
      `--key-name: expected a name without spaces, invisible characters and "+"; got "${name}".`,
      "The usual name is a URL without its scheme, such as example.com/log.",
    );
  return name;
}

/** @throws FileError for bytes that are no note text: not UTF-8, a control character but LF, or no LF at the end */
export function checkNoteText(bytes: Uint8Array, name: string): Uint8Array {
  const text = Buffer.from(bytes).toString("utf8");
  const why =
    Buffer.compare(Buffer.from(text), bytes) !== 0
      ? "it is not UTF-8"
      : // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the format forbids
        /[\x00-\x09\x0b-\x1f]/.test(text)
        ? "it has control characters"
        : text.endsWith("\n")
          ? undefined
          : "it does not end with a line break";
  if (why !== undefined)
    throw new FileError(`${name} is no note text: ${why}.`, "A note is UTF-8 text of whole lines.");
  return bytes;
}

/** First four bytes of SHA-256 over name, LF, type and key. */
export function noteKeyId(name: string, publicKey: Uint8Array): Uint8Array {
  const hash = createHash("sha256").update(`${name}\n`).update(Uint8Array.of(ED25519)).update(publicKey);
  return hash.digest().subarray(0, 4);
}

/** The text by which verifiers know a key: name, key id, type and key. */
export function verifierKey(name: string, publicKey: Uint8Array): string {
  const key = Buffer.concat([Uint8Array.of(ED25519), publicKey]).toString("base64");
  return `${name}+${Buffer.from(noteKeyId(name, publicKey)).toString("hex")}+${key}`;
}

/** The text with its signature line behind it. @param text as it was signed, its last LF included */
export function signedNote(text: Uint8Array, name: string, publicKey: Uint8Array, signature: Uint8Array): Buffer {
  const blob = Buffer.concat([noteKeyId(name, publicKey), signature]).toString("base64");
  return Buffer.concat([text, Buffer.from(`\n${DASH} ${name} ${blob}\n`)]);
}
