/** From credential files to the parts of a record: finds out by content what each file is, and refuses what only looks like a key. */
import { PartKind, Usage } from "../../firmware/defs/record.js";
import { FileError } from "../client/errors.js";
import type { Part } from "../record.js";
import { checkLeaf, readChain } from "./chain.js";
import type { Format, Passphrase, Source } from "./format.js";
import { readOpenssh } from "./openssh.js";
import { readPkcs8, secretKey } from "./pkcs8.js";
import { readRaw } from "./raw.js";

export interface Credential {
  parts: Part[];
  /** What the key is for when nobody says otherwise. */
  usage: Usage;
}

const OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----";
const PRIVATE_KEY = /-----BEGIN (?:(?:RSA|EC|DSA|ENCRYPTED) )?PRIVATE KEY-----/;
const CERTIFICATE = "-----BEGIN CERTIFICATE-----";

/** What a file may look like that is none of ours, and what to do about it. */
const STRANGERS: readonly (readonly [RegExp, string, string])[] = [
  [/^(ssh-|ecdsa-|sk-)\S+ AAAA/, "an OpenSSH public key", "Name the private key, without .pub."],
  [/-----BEGIN (RSA )?PUBLIC KEY-----/, "a public key", "Name the private key."],
  [/---- BEGIN SSH2 PUBLIC KEY ----/, "a public key", "Name the private key."],
  [/^PuTTY-User-Key-File-/, "a PuTTY key", "Convert it: puttygen FILE -O private-openssh-new -o NEW."],
  [
    /-----BEGIN (NEW )?CERTIFICATE REQUEST-----/,
    "a certificate request",
    "Name the certificate that was made from it.",
  ],
  [/-----BEGIN PGP /, "an OpenPGP file", "To store it as it is, say --format raw."],
  [
    /-----BEGIN [A-Z0-9 ]+-----/,
    "a PEM file of a kind that is not known here",
    "To store it as it is, say --format raw.",
  ],
];

/** Reads the files of one credential, in order, and checks that key and chain belong together.
 *  @throws FileError that names the file */
export async function readCredential(
  sources: readonly Source[],
  format: Format,
  passphrase: Passphrase,
): Promise<Credential> {
  const parts: Part[] = [];
  let usage: Usage | undefined;
  for (const source of sources) {
    const found = await readSource(source, format, passphrase);
    parts.push(...found.parts);
    usage ??= found.usage;
  }
  const chain = parts.find((part) => part.kind === PartKind.Chain);
  const keys = parts.filter((part) => part.secret && part.kind !== PartKind.Opaque);
  if (chain !== undefined && keys.length === 1)
    checkLeaf(chain, secretKey(keys), sources.map(({ name }) => name).join(", "));
  // a chain says what its key is for, wherever it stands
  if (chain !== undefined && keys.length > 0) usage = Usage.Certificate;
  return { parts, usage: usage ?? Usage.Opaque };
}

async function readSource(source: Source, format: Format, passphrase: Passphrase): Promise<Credential> {
  const text = source.bytes.toString("latin1");
  switch (format) {
    case "raw":
      return { parts: [readRaw(source)], usage: Usage.Opaque };
    case "openssh":
      if (!text.includes(OPENSSH)) throw notA("an OpenSSH private key", source);
      return { parts: await readOpenssh(source, passphrase), usage: Usage.SshUserAuth };
    case "pkcs8":
      if (!PRIVATE_KEY.test(text) && !isDer(source.bytes)) throw notA("a PKCS#8 private key", source);
      return keyed(await readPkcs8(source, passphrase));
    case "pem-chain":
      if (!text.includes(CERTIFICATE) && !isDer(source.bytes)) throw notA("a certificate chain", source);
      return { parts: [readChain(source)], usage: Usage.Certificate };
    case "auto":
      return detect(source, text, passphrase);
  }
}

async function detect(source: Source, text: string, passphrase: Passphrase): Promise<Credential> {
  if (text.includes(OPENSSH)) return readSource(source, "openssh", passphrase);
  if (PRIVATE_KEY.test(text)) {
    const key = keyed(await readPkcs8(source, passphrase));
    return text.includes(CERTIFICATE) ? { ...key, parts: [...key.parts, readChain(source)] } : key;
  }
  if (text.includes(CERTIFICATE)) return readSource(source, "pem-chain", passphrase);
  if (isDer(source.bytes)) {
    const formats = ["pkcs8", "pem-chain"] as const;
    for (const format of formats) {
      const found = await readSource(source, format, passphrase).catch((error) => {
        if (error instanceof FileError) return undefined;
        throw error;
      });
      if (found !== undefined) return found;
    }
  }
  const stranger = STRANGERS.find(([pattern]) => pattern.test(text));
  if (stranger !== undefined)
    throw new FileError(`${source.name} looks like ${stranger[1]}, not like a credential.`, stranger[2]);
  return readSource(source, "raw", passphrase);
}

function keyed(parts: Part[]): Credential {
  return { parts, usage: parts[0]?.kind === PartKind.Agreement ? Usage.Agree : Usage.Raw };
}

/** One ASN.1 sequence that fills the file exactly. */
function isDer(bytes: Buffer): boolean {
  if (bytes.length < 2 || bytes[0] !== 0x30) return false;
  const first = bytes[1]!;
  if (first < 0x80) return bytes.length === 2 + first;
  const digits = first & 0x7f;
  return (
    digits >= 1 &&
    digits <= 4 &&
    bytes.length >= 2 + digits &&
    bytes.length === 2 + digits + bytes.readUIntBE(2, digits)
  );
}

function notA(expected: string, source: Source): FileError {
  return new FileError(
    `${source.name} is not ${expected}: it looks like ${describe(source.bytes)}.`,
    "Name the right file, or another --format.",
  );
}

/** What a file looks like, in words. */
function describe(bytes: Buffer): string {
  if (bytes.length === 0) return "an empty file";
  const text = bytes.toString("latin1");
  if (text.includes(OPENSSH)) return "an OpenSSH private key";
  if (PRIVATE_KEY.test(text)) return "a private key in PEM";
  if (text.includes(CERTIFICATE)) return "a certificate";
  const stranger = STRANGERS.find(([pattern]) => pattern.test(text));
  if (stranger !== undefined) return stranger[1];
  return /^[\t\n\r -~]*$/.test(text) ? "plain text" : `${bytes.length} bytes of binary data`;
}
