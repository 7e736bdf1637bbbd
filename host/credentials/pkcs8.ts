/** Private keys as PKCS#8 (RFC 5958, RFC 8410), PEM or DER, encrypted or not, and older PEM forms that OpenSSL reads. Relies on node:crypto. */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { ALG_ED25519, ALG_ES256, ALG_ES384, ALG_PKCS8, ALG_X25519, PartKind } from "../../firmware/defs/record.js";
import { FileError } from "../client/errors.js";
import type { Part } from "../record.js";
import type { Passphrase, Source } from "./format.js";

/** PKCS#8 in front of the 32 raw bytes (RFC 8410 §7); the object identifiers differ in one byte. */
const PREFIX = new Map([
  [ALG_ED25519, Buffer.from("302e020100300506032b657004220420", "hex")],
  [ALG_X25519, Buffer.from("302e020100300506032b656e04220420", "hex")],
]);
const CURVES = new Map([
  ["prime256v1", ALG_ES256],
  ["secp384r1", ALG_ES384],
]);
const AGREEMENT = ["x448", "dh"];

/** What OpenSSL and Node say about a key that needs a passphrase. */
const LOCKED = ["ERR_MISSING_PASSPHRASE", "ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED"];

/** @throws FileError when it is no private key or the passphrase is wrong */
export async function readPkcs8(source: Source, passphrase: Passphrase): Promise<Part[]> {
  return keyParts(parse(source) ?? parse(source, await passphrase(source.name))!);
}

/** Ed25519 and X25519 become a raw secret and a raw public part; every other key one secret part of PKCS#8 DER. */
export function keyParts(key: KeyObject): Part[] {
  const type = key.asymmetricKeyType;
  if (type === "ed25519") return rawParts(key, PartKind.Signing, ALG_ED25519);
  if (type === "x25519") return rawParts(key, PartKind.Agreement, ALG_X25519);
  const algorithm = CURVES.get(key.asymmetricKeyDetails?.namedCurve ?? "") ?? ALG_PKCS8;
  const kind = AGREEMENT.includes(type ?? "") ? PartKind.Agreement : PartKind.Signing;
  return [{ kind, secret: true, algorithm, content: key.export({ type: "pkcs8", format: "der" }) }];
}

/** @returns undefined when a passphrase is needed and none was given */
function parse({ name, bytes }: Source, passphrase?: string): KeyObject | undefined {
  const format = bytes.includes("-----BEGIN ") ? "pem" : "der";
  try {
    return createPrivateKey({ key: bytes, format, type: "pkcs8", ...(passphrase !== undefined && { passphrase }) });
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    if (passphrase === undefined && LOCKED.includes(code)) return undefined;
    if (passphrase !== undefined) {
      throw new FileError(`${name}: the passphrase is wrong, or the key is damaged.`, "Try again.", { cause });
    }
    throw new FileError(`${name}: not a readable private key.`, "See `openssl pkey -in FILE -noout`.", { cause });
  }
}

function rawParts(key: KeyObject, kind: PartKind, algorithm: number): Part[] {
  const { d = "", x = "" } = key.export({ format: "jwk" });
  return [
    { kind, secret: true, algorithm, content: Buffer.from(d, "base64url") },
    { kind, secret: false, algorithm, content: Buffer.from(x, "base64url") },
  ];
}

/** The one secret key among the parts. @throws FileError when there is none, or more than one */
export function secretKey(parts: readonly Part[]): KeyObject {
  const keys = parts.filter(
    (part) => part.secret && (part.kind === PartKind.Signing || part.kind === PartKind.Agreement),
  );
  const [part] = keys;
  if (part === undefined || keys.length > 1) {
    throw new FileError(
      `This needs a record with exactly one secret key; it has ${keys.length}.`,
      "Name one part with --part.",
    );
  }
  return makeKey(part.algorithm, part.content);
}

/** @param content 32 raw bytes for Ed25519 and X25519, else PKCS#8 DER. @throws FileError when it is no key */
export function makeKey(algorithm: number, content: Uint8Array): KeyObject {
  const key = Buffer.concat([PREFIX.get(algorithm) ?? Buffer.alloc(0), content]);
  try {
    return createPrivateKey({ key, format: "der", type: "pkcs8" });
  } catch (cause) {
    throw new FileError("The content of the key part is no private key.", "Read it as it is with --as raw.", { cause });
  }
}

/** PEM without passphrase. @throws FileError as `secretKey` */
export function writePkcs8(parts: readonly Part[]): string {
  return secretKey(parts).export({ type: "pkcs8", format: "pem" }).toString();
}
