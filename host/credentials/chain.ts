/** Certificate chains: PEM (RFC 7468) or one DER certificate, leaf first. Relies on node:crypto. Dates and trust are not judged here. */
import { type KeyObject, X509Certificate } from "node:crypto";
import { ALG_X509_DER, PartKind } from "../../firmware/defs/record.js";
import { FileError } from "../client/errors.js";
import { joinChain, type Part, splitChain } from "../record.js";
import type { Source } from "./format.js";

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** SubjectPublicKeyInfo in front of the 32 bytes of an Ed25519 key (RFC 8410 §4). */
const SPKI_ED25519 = Buffer.from("302a300506032b6570032100", "hex");

/** @throws FileError when a certificate is unreadable or not signed by the next */
export function readChain({ name, bytes }: Source): Part {
  const blocks = bytes.toString("latin1").match(BLOCK) ?? [bytes];
  const chain = blocks.map((block, i) => parse(block, name, i));
  checkOrder(chain, name);
  return {
    kind: PartKind.Chain,
    secret: false,
    algorithm: ALG_X509_DER,
    content: joinChain(chain.map((one) => one.raw)),
  };
}

function parse(block: string | Buffer, name: string, index: number): X509Certificate {
  try {
    return new X509Certificate(block);
  } catch (cause) {
    const why = (cause as Error).message;
    throw new FileError(
      `${name}: certificate ${index + 1} cannot be read (${why}).`,
      "See `openssl x509 -in FILE -noout -text`.",
      { cause },
    );
  }
}

function checkOrder(chain: readonly X509Certificate[], name: string): void {
  for (let i = 0; i + 1 < chain.length; i++) {
    const [one, next] = [chain[i]!, chain[i + 1]!];
    if (signed(one, next)) continue;
    const turned = signed(next, one);
    throw new FileError(
      `${name}: certificate ${i + 1} (${subject(one)}) is not signed by certificate ${i + 2} (${subject(next)}).`,
      turned
        ? "It is the other way round: write the leaf first."
        : "Write the leaf first and behind each certificate its issuer.",
    );
  }
}

function signed(one: X509Certificate, issuer: X509Certificate): boolean {
  return one.checkIssued(issuer) && one.verify(issuer.publicKey);
}

function subject(certificate: X509Certificate): string {
  return certificate.subject.replaceAll("\n", ", ") || "no subject";
}

/** @throws FileError when the leaf of the chain was not made for the key */
export function checkLeaf(chain: Part, key: KeyObject, name: string): void {
  const leaf = new X509Certificate(splitChain(chain.content)[0]!);
  if (leaf.checkPrivateKey(key)) return;
  throw new FileError(
    `${name}: the certificate (${subject(leaf)}) is for another key.`,
    "Give the key and the chain that belong together.",
  );
}

/** The same for a key of which only the public half is known. @param publicKey Ed25519, 32 bytes */
export function checkLeafKey(chain: Part, publicKey: Uint8Array): void {
  const leaf = new X509Certificate(splitChain(chain.content)[0]!);
  const wanted = Buffer.concat([SPKI_ED25519, publicKey]);
  if (Buffer.compare(leaf.publicKey.export({ type: "spki", format: "der" }), wanted) === 0) return;
  throw new FileError(
    `The certificate (${subject(leaf)}) is for another key than the record's. Nothing changed.`,
    "Have it made from a request of this record: mbs csr RECORD --subject CN=…",
  );
}

/** @returns the certificates as PEM, leaf first. @throws FileError when there is no chain among the parts */
export function writeChain(parts: readonly Part[]): string {
  const chains = parts.filter((part) => part.kind === PartKind.Chain && part.algorithm === ALG_X509_DER);
  if (chains.length === 0) throw new FileError("The record has no certificate chain.", "`mbs show` lists its parts.");
  return chains
    .flatMap((part) => splitChain(part.content))
    .map((der) => new X509Certificate(der).toString())
    .join("");
}
