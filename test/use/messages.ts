/** What keys sign, built here from the specifications alone, and bodies of records to sign with. */
import { createHash } from "node:crypto";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { ALG_ED25519, ALG_X25519, PART_HEADER, PART_SECRET, PartKind } from "../../firmware/defs/record.js";

export const text = (content: string) => Uint8Array.from(Buffer.from(content));
export const join = (...pieces: (Uint8Array | number)[]) =>
  Uint8Array.from(Buffer.concat(pieces.map((one) => (typeof one === "number" ? Uint8Array.of(one) : one))));

/** A string of RFC 4251 §5. */
export function string(content: Uint8Array | string): Uint8Array {
  const bytes = typeof content === "string" ? text(content) : content;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return join(length, bytes);
}

/** A public key on SSH's wire (RFC 8709 §4). */
export const keyBlob = (key: Uint8Array, type = "ssh-ed25519") => join(string(type), string(key));

/** The fields of RFC 4252 §7; `hostKey` makes it OpenSSH's hostbound variant. */
export interface UserAuth {
  session?: Uint8Array;
  type?: number;
  user?: string;
  service?: string;
  method?: string;
  hasSignature?: number;
  algorithm?: string;
  blob?: Uint8Array;
  hostKey?: Uint8Array;
  behind?: Uint8Array;
}

export function userAuth(key: Uint8Array, fields: UserAuth = {}): Uint8Array {
  const { hostKey, session = new Uint8Array(32).fill(7), behind = new Uint8Array() } = fields;
  return join(
    string(session),
    fields.type ?? 50,
    string(fields.user ?? "git"),
    string(fields.service ?? "ssh-connection"),
    string(fields.method ?? (hostKey ? "publickey-hostbound-v00@openssh.com" : "publickey")),
    fields.hasSignature ?? 1,
    string(fields.algorithm ?? "ssh-ed25519"),
    string(fields.blob ?? keyBlob(key)),
    hostKey ? string(hostKey) : new Uint8Array(),
    behind,
  );
}

/** OpenSSH's PROTOCOL.sshsig, "signed data". */
export function sshsig(namespace: Uint8Array | string, digest: Uint8Array): Uint8Array {
  const hash = { 32: "sha256", 64: "sha512" }[digest.length]!;
  return join(text("SSHSIG"), string(namespace), string(""), string(hash), string(digest));
}

export const digest = (hash: "sha256" | "sha512", message: Uint8Array | string) =>
  Uint8Array.from(createHash(hash).update(message).digest());

/** One part of a body (SPEC.md §6). */
export function part(kind: PartKind, algorithm: number, content: Uint8Array, isSecret = false): Uint8Array {
  const header = Buffer.alloc(PART_HEADER);
  header[0] = kind;
  header[1] = isSecret ? PART_SECRET : 0;
  header.writeUInt16LE(content.length, 2);
  header.writeInt32LE(algorithm, 4);
  return join(header, content);
}

export const signingSecret = (seed: Uint8Array) => part(PartKind.Signing, ALG_ED25519, seed, true);
export const signingPublic = (key: Uint8Array) => part(PartKind.Signing, ALG_ED25519, key);
export const agreementSecret = (scalar: Uint8Array) => part(PartKind.Agreement, ALG_X25519, scalar, true);
export const agreementPublic = (key: Uint8Array) => part(PartKind.Agreement, ALG_X25519, key);
export const signingPair = (seed: Uint8Array) => join(signingSecret(seed), signingPublic(ed25519.getPublicKey(seed)));
export const agreementPair = (scalar: Uint8Array) =>
  join(agreementSecret(scalar), agreementPublic(x25519.getPublicKey(scalar)));
export const opaque = (content: Uint8Array, isSecret = true) => part(PartKind.Opaque, 0, content, isSecret);

/** Requests that OpenSSH 9.2p1 made with its server 9.2p1, which let the user in for the signatures. The seed is SHA-256 of "capture". */
export const CAPTURED = {
  seed: digest("sha256", "capture"),
  plain: Uint8Array.from(
    Buffer.from(
      "00000040db4b4bda9e3c3cf09cfd10502037e17c4ab90aa1c5894c187c0ee791523121f19ce003506101c4419b0e5971f881a9c9251d88295c28d813b9a0ab83" +
        "d17875b53200000004726f6f740000000e7373682d636f6e6e656374696f6e000000097075626c69636b6579010000000b7373682d6564323535313900000033" +
        "0000000b7373682d6564323535313900000020cdf17e679dde3847117b84789435a3b0b5812c30bfe40c32f44485a483cfc4c7",
      "hex",
    ),
  ),
  hostbound: Uint8Array.from(
    Buffer.from(
      "00000040b9dbc9dc2823c3df424f59daa7302b18d994928d9b537895b69275b97320b4ba926a738262f5e6af91e9de0989a7c694a26f76256c4764e02e335c70" +
        "551f255b3200000004726f6f740000000e7373682d636f6e6e656374696f6e000000237075626c69636b65792d686f7374626f756e642d763030406f70656e73" +
        "73682e636f6d010000000b7373682d65643235353139000000330000000b7373682d6564323535313900000020cdf17e679dde3847117b84789435a3b0b5812c" +
        "30bfe40c32f44485a483cfc4c7000000330000000b7373682d65643235353139000000209231b160cb1388bf7f17b597fc1c063dcac64352884d40c4e3f3c64a" +
        "c484d758",
      "hex",
    ),
  ),
};
