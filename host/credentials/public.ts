/** What everybody may have of a record, in the forms that other programs read: public keys and certificates. Relies on node:crypto. */
import { createPublicKey } from "node:crypto";
import { ALG_ED25519, ALG_X509_DER, ALG_X25519, PartKind, Usage } from "../../firmware/defs/record.js";
import { FileError } from "../client/errors.js";
import { checkKeyName, verifierKey } from "../note.js";
import type { Part } from "../record.js";
import { opensshLine } from "../sshsig.js";
import { writeChain } from "./chain.js";

/** openssh: the line of a .pub file. pem: every public key (SPKI) and certificate. raw: the 32 bytes of the key, or the only part.
 *  note: the text by which verifiers of signed notes know the key. */
export const PUBLIC_FORMS = ["openssh", "pem", "raw", "note"] as const;
export type PublicForm = (typeof PUBLIC_FORMS)[number];

const CURVES = new Map([
  [ALG_ED25519, "Ed25519"],
  [ALG_X25519, "X25519"],
]);

/** What a record is shown as when nobody says otherwise. */
export function usualPublic(parts: readonly Part[], usage: Usage): PublicForm {
  if (usage === Usage.SshSig || usage === Usage.SshUserAuth) return "openssh";
  if (usage === Usage.Note) return "note";
  return parts.some(isPemPart) ? "pem" : "raw";
}

/** @param name comment of an OpenSSH line, key name of a note. @throws FileError when the record has nothing of that form */
export function writePublic(parts: readonly Part[], form: PublicForm, name: string): Uint8Array {
  switch (form) {
    case "openssh":
      return Buffer.from(`${opensshLine(publicKey(parts, ALG_ED25519), name)}\n`);
    case "note":
      return Buffer.from(`${verifierKey(checkKeyName(name), publicKey(parts, ALG_ED25519))}\n`);
    case "raw":
      return rawPart(parts);
    case "pem": {
      const known = parts.filter(isPemPart);
      if (known.length === 0) throw none("public key or certificate");
      return Buffer.from(known.map(partPem).join(""));
    }
  }
}

/** The first public key of an algorithm, 32 bytes. @throws FileError */
export function publicKey(parts: readonly Part[], algorithm: number): Uint8Array {
  const found = parts.find((part) => !part.secret && part.algorithm === algorithm);
  if (found === undefined) throw none(`public ${CURVES.get(algorithm)} key`);
  return found.content;
}

/** SPKI as PEM. @param raw 32 bytes */
export function publicPem(algorithm: number, raw: Uint8Array): string {
  const key = { kty: "OKP", crv: CURVES.get(algorithm)!, x: Buffer.from(raw).toString("base64url") };
  return createPublicKey({ key, format: "jwk" }).export({ type: "spki", format: "pem" }).toString();
}

function isPemPart({ algorithm, secret }: Part): boolean {
  return !secret && (CURVES.has(algorithm) || algorithm === ALG_X509_DER);
}

function partPem(part: Part): string {
  return part.kind === PartKind.Chain ? writeChain([part]) : publicPem(part.algorithm, part.content);
}

function rawPart(parts: readonly Part[]): Uint8Array {
  const keys = parts.filter(({ algorithm }) => CURVES.has(algorithm));
  const candidates = keys.length > 0 ? keys : parts;
  if (candidates.length === 1) return candidates[0]!.content;
  if (candidates.length === 0) throw none("public part");
  throw new FileError(
    `The record has ${candidates.length} public parts, and which one is meant is not clear.`,
    "Say --json for all of them.",
  );
}

function none(what: string): FileError {
  return new FileError(`The record has no ${what}.`, "`mbs show` lists its parts.");
}
