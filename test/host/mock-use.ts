/** What a mock store does with keys: SPEC.md §12 by @noble, without its checks of what may be signed. */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { ALG_ED25519, ALG_X25519, PartKind, Usage } from "../../firmware/defs/record.js";
import { Status } from "../../firmware/defs/status.js";
import { Key } from "../../firmware/defs/wire.js";
import { encodeMessage, type Message, message } from "../../host/client/message.js";
import { sshsigMessage } from "../../host/client/sshsig.js";
import type { Part } from "../../host/record.js";
import type { Refusal } from "./mock-session.js";

const IDENTITY = Buffer.alloc(32, 0x1d);

export const identity = {
  publicKey: ed25519.getPublicKey(IDENTITY),
  sign: (bytes: Uint8Array) => ed25519.sign(bytes, IDENTITY),
};

export function statement(facts: Message): Uint8Array {
  return Buffer.concat([Buffer.from("mbs-attest-v1\0"), encodeMessage(facts)]);
}

/** @returns secret and public part, undefined for a usage that has no such key */
export function generate(usage: Usage): Part[] | undefined {
  const agrees = usage === Usage.Agree;
  if (!agrees && (usage < Usage.Raw || usage > Usage.Note)) return undefined;
  const curve = agrees ? x25519 : ed25519;
  const secret = curve.utils.randomSecretKey();
  const kind = agrees ? PartKind.Agreement : PartKind.Signing;
  const algorithm = agrees ? ALG_X25519 : ALG_ED25519;
  return [
    { kind, algorithm, secret: true, content: secret },
    { kind, algorithm, secret: false, content: curve.getPublicKey(secret) },
  ];
}

/** The parts that are not secret, and the public keys of secret keys that have none beside them. */
export function publicParts(parts: readonly Part[]): Part[] {
  return parts.flatMap((part, i) => {
    const next = parts[i + 1];
    if (!part.secret) return [part];
    if (next?.secret === false && next.algorithm === part.algorithm) return [];
    if (part.algorithm === ALG_ED25519)
      return [{ ...part, secret: false, content: ed25519.getPublicKey(part.content) }];
    if (part.algorithm === ALG_X25519) return [{ ...part, secret: false, content: x25519.getPublicKey(part.content) }];
    return [];
  });
}

export function sign(usage: Usage, parts: readonly Part[], request: Message): Refusal | Message {
  if (usage < Usage.Raw || usage > Usage.Note) return [Status.WrongUsage, usage];
  const key = parts.find(({ secret, algorithm }) => secret && algorithm === ALG_ED25519)?.content;
  if (key === undefined) return Status.NoSuchKey;
  const data = request.get(Key.Data) as Uint8Array;
  if (usage === Usage.Raw && Buffer.from(data).subarray(0, 6).toString() === "SSHSIG")
    return [Status.ForeignMessage, Usage.SshSig];
  const signed = usage === Usage.SshSig ? sshsigMessage(request.get(Key.Namespace) as string, data) : data;
  return message([
    [Key.Public, ed25519.getPublicKey(key)],
    [Key.Signature, ed25519.sign(signed, key)],
  ]);
}

export function agree(usage: Usage, parts: readonly Part[], request: Message): Refusal | Message {
  if (usage !== Usage.Agree) return [Status.WrongUsage, usage];
  const key = parts.find(({ secret, algorithm }) => secret && algorithm === ALG_X25519)?.content;
  if (key === undefined) return Status.NoSuchKey;
  let data: Uint8Array;
  try {
    data = x25519.getSharedSecret(key, request.get(Key.Public) as Uint8Array);
  } catch {
    return Status.LowOrder;
  }
  if (request.has(Key.Salt))
    data = hkdf(sha256, data, request.get(Key.Salt) as Uint8Array, request.get(Key.Context) as Uint8Array, 32);
  try {
    if (request.has(Key.Wrapped))
      data = chacha20poly1305(data, new Uint8Array(12)).decrypt(request.get(Key.Wrapped) as Uint8Array);
  } catch {
    return Status.NotGenuine;
  }
  return message([[Key.Data, data]]);
}
