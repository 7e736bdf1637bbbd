/** Certificate requests (PKCS#10, RFC 2986) for a key that signs elsewhere. Relies on @peculiar/asn1-*, loaded when needed.
 *  The subject is written as in RFC 4514, attributes in the order in which they shall stand in the request; one attribute per name. */
import { isIP } from "node:net";
import { FileError, UsageError } from "./client/errors.js";

const ED25519 = "1.3.101.112"; // RFC 8410
const EXTENSION_REQUEST = "1.2.840.113549.1.9.14"; // RFC 2985 §5.4.2
const SUBJECT_MAX = 256; // bytes of one value; most attributes allow 64, names of hosts more

/** Names of attributes (RFC 4519, RFC 2985) and the string type that their value takes. */
const ATTRIBUTES = new Map<string, readonly [string, "utf8String" | "printableString" | "ia5String"]>([
  ["CN", ["2.5.4.3", "utf8String"]],
  ["SERIALNUMBER", ["2.5.4.5", "printableString"]],
  ["C", ["2.5.4.6", "printableString"]],
  ["L", ["2.5.4.7", "utf8String"]],
  ["ST", ["2.5.4.8", "utf8String"]],
  ["STREET", ["2.5.4.9", "utf8String"]],
  ["O", ["2.5.4.10", "utf8String"]],
  ["OU", ["2.5.4.11", "utf8String"]],
  ["UID", ["0.9.2342.19200300.100.1.1", "utf8String"]],
  ["DC", ["0.9.2342.19200300.100.1.25", "ia5String"]],
  ["EMAILADDRESS", ["1.2.840.113549.1.9.1", "ia5String"]],
]);

const STRING_TYPES = {
  utf8String: /^[^\p{Cc}]+$/u,
  printableString: /^[A-Za-z0-9 '()+,./:=?-]+$/,
  ia5String: /^[ -~]+$/,
};

export interface SubjectAttribute {
  oid: string;
  type: "utf8String" | "printableString" | "ia5String";
  value: string;
}

/** A name that the certificate shall be good for. */
export type AlternativeName =
  | { dNSName: string }
  | { iPAddress: string }
  | { rfc822Name: string }
  | { uniformResourceIdentifier: string };

/** Reads "CN=web-1,O=Example". A backslash takes the next character as it is, or two hexadecimal digits as a byte.
 *  @throws UsageError that says what is wrong with which part */
export function parseSubject(text: string): SubjectAttribute[] {
  const wrong = (what: string) =>
    new UsageError(`--subject: ${what}.`, 'Write it as in --subject "CN=web-1.example,O=Example".');
  if (text.trim() === "") throw wrong("expected at least one attribute; got none");
  return splitAtCommas(text).map((part) => {
    const [, name, escaped] = /^\s*([A-Za-z]+|\d+(?:\.\d+)+)\s*=(.*)$/s.exec(part) ?? [];
    if (name === undefined || escaped === undefined) throw wrong(`expected NAME=VALUE; got "${part}"`);
    const known = ATTRIBUTES.get(name.toUpperCase());
    if (known === undefined && !name.includes("."))
      throw wrong(
        `there is no attribute ${name}; there is ${[...ATTRIBUTES.keys()].join(", ")}, and numbers with dots`,
      );
    if (known === undefined && !isOid(name)) throw wrong(`${name} is no object identifier`);
    if (/^\s*#/.test(escaped))
      throw wrong(`a value in hexadecimal digits is not supported: "${part}"; write \\# for "#"`);
    const [oid, type] = known ?? [name, "utf8String" as const];
    const value = readValue(escaped);
    if (value === undefined) throw wrong(`${name} ends in a backslash, or is not UTF-8`);
    if (/(?<!\\)\+\s*[A-Za-z\d.]+\s*=/.test(escaped)) throw wrong(`"+" between attributes is not supported: "${part}"`);
    if (!STRING_TYPES[type].test(value) || Buffer.byteLength(value) > SUBJECT_MAX)
      throw wrong(`${name} cannot be "${value}"`);
    if (name.toUpperCase() === "C" && value.length !== 2) throw wrong(`C is a country in two letters; got "${value}"`);
    return { oid, type, value };
  });
}

/** Two arcs or more, the first 0 to 2, the second below 40 under 0 and 1, none so large that it would lose digits. */
function isOid(text: string): boolean {
  const arcs = text.split(".").map((arc) => (/^(0|[1-9]\d*)$/.test(arc) ? Number(arc) : Number.NaN));
  const [first, second] = arcs as [number, number];
  return arcs.length > 1 && arcs.every(Number.isSafeInteger) && first <= 2 && (first === 2 || second < 40);
}

function splitAtCommas(text: string): string[] {
  return [...text.matchAll(/(?:^|,)((?:\\[\s\S]|[^,\\])*\\?)/g)].map((found) => found[1]!);
}

/** @returns undefined when it cannot be read */
function readValue(text: string): string | undefined {
  const trimmed = text.replace(/^\s+/, "").replace(/(?<!\\)\s+$/, "");
  if (/(?:^|[^\\])(?:\\\\)*\\$/.test(trimmed)) return undefined;
  const bytes = trimmed.match(/\\[0-9a-fA-F]{2}|\\?[\s\S]/gu)?.map((item) => {
    if (/^\\[0-9a-fA-F]{2}$/.test(item)) return Buffer.from(item.slice(1), "hex");
    return Buffer.from(item.startsWith("\\") ? item.slice(1) : item);
  });
  const whole = Buffer.concat(bytes ?? []);
  const read = whole.toString("utf8");
  return Buffer.compare(Buffer.from(read), whole) === 0 ? read : undefined;
}

/** Reads "dns:web-1.example", "ip:192.0.2.1", "email:…" or "uri:…". @throws UsageError */
export function parseAlternativeName(text: string): AlternativeName {
  const [, kind = "", value = ""] = /^(\w+):(.+)$/s.exec(text) ?? [];
  switch (kind.toLowerCase()) {
    case "dns":
      if (/^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*$/.test(value))
        return { dNSName: value };
      break;
    case "ip":
      if (isIP(value) !== 0 && !value.includes("%")) return { iPAddress: addressText(value) };
      break;
    case "email":
      if (/^[!-~]+@[!-~]+$/.test(value)) return { rfc822Name: value };
      break;
    case "uri":
      if (/^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$/.test(value)) return { uniformResourceIdentifier: value };
  }
  throw new UsageError(
    `--san: expected dns:NAME, ip:ADDRESS, email:ADDRESS or uri:URI; got "${text}".`,
    "Names in other letters are written in their ASCII form (xn--…).",
  );
}

/** An address in the one form that the library encodes rightly: IPv6 without an IPv4 address at its end. */
function addressText(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

export interface CsrRequest {
  subject: readonly SubjectAttribute[];
  names: readonly AlternativeName[];
  /** Ed25519, 32 bytes. */
  publicKey: Uint8Array;
  /** Signs what stands in the request, 64 bytes. */
  sign: (request: Uint8Array) => Promise<Uint8Array>;
}

/** @returns the request as PEM */
export async function makeCsr({ subject, names, publicKey, sign }: CsrRequest): Promise<string> {
  const [{ Attributes, CertificationRequest, CertificationRequestInfo }, x509, { AsnConvert, OctetString }] =
    await Promise.all([import("@peculiar/asn1-csr"), import("@peculiar/asn1-x509"), import("@peculiar/asn1-schema")]);
  const rdns = subject.map(
    ({ oid, type, value }) =>
      new x509.RelativeDistinguishedName([
        new x509.AttributeTypeAndValue({ type: oid, value: new x509.AttributeValue({ [type]: value }) }),
      ]),
  );
  const attributes = new Attributes();
  if (names.length > 0) {
    const list = new x509.SubjectAlternativeName(names.map((name) => new x509.GeneralName(name)));
    const extension = new x509.Extension({
      extnID: x509.id_ce_subjectAltName,
      critical: false,
      extnValue: new OctetString(AsnConvert.serialize(list)),
    });
    const value = AsnConvert.serialize(new x509.Extensions([extension]));
    attributes.push(new x509.Attribute({ type: EXTENSION_REQUEST, values: [value] }));
  }
  const algorithm = () => new x509.AlgorithmIdentifier({ algorithm: ED25519 });
  const info = new CertificationRequestInfo({
    subject: new x509.Name(rdns),
    subjectPKInfo: new x509.SubjectPublicKeyInfo({
      algorithm: algorithm(),
      subjectPublicKey: exactly(publicKey),
    }),
    attributes,
  });
  const signature = await sign(new Uint8Array(AsnConvert.serialize(info)));
  const der = AsnConvert.serialize(
    new CertificationRequest({
      certificationRequestInfo: info,
      signatureAlgorithm: algorithm(),
      signature: exactly(signature),
    }),
  );
  return pem("CERTIFICATE REQUEST", new Uint8Array(der));
}

/** RFC 7468. */
export function pem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString("base64")
    .match(/.{1,64}/g);
  if (lines === null) throw new FileError("There is nothing to write as PEM.");
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

/** The bytes in a buffer of their own, as the library wants them. */
function exactly(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
