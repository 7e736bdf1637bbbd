/** An image as SPEC.md §20 describes it, made from that text alone, and with whatever one wants to be wrong with it. */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { blake3 } from "@noble/hashes/blake3.js";
import type { TransportKey } from "../../host/client/answers.js";
import { randomBytes } from "../store/help.js";
import { INSTANCE } from "./help.js";

export interface Odd {
  /** Changes the header before anything is sealed under it. */
  header?: (header: Buffer) => void;
  /** The 4 bytes before the tag of an item. */
  head?: (length: number) => number;
  /** Number of an item, in its nonce. */
  number?: (item: number) => number;
  /** Bytes behind the last item. */
  behind?: number;
  context?: string;
  /** What X25519 gives; a public key of low order gives zeros to everybody. */
  agreed?: Uint8Array;
}

export function oddImage(board: TransportKey, requests: readonly Uint8Array[], odd: Odd = {}): Buffer {
  const secret = x25519.utils.randomSecretKey();
  const header = Buffer.alloc(128);
  header.write("MBSI");
  header.set([1, 1], 4);
  header.writeUInt16LE(requests.length, 6);
  header.writeUInt32LE(
    requests.reduce((sum, { length }) => sum + 20 + length, odd.behind ?? 0),
    8,
  );
  header.set(board.uniqueId, 16);
  header.set(INSTANCE, 32);
  header.set(x25519.getPublicKey(secret), 48);
  odd.header?.(header);
  const agreed = odd.agreed ?? x25519.getSharedSecret(secret, board.publicKey);
  const material = Buffer.concat([agreed, board.publicKey, header]);
  const key = blake3(material, { context: Buffer.from(odd.context ?? "mbs 2026 image") });
  const items = requests.map((request, i) => {
    const [head, nonce] = [Buffer.alloc(4), Buffer.alloc(24)];
    head.writeUInt32LE(odd.head?.(request.length) ?? request.length);
    nonce.writeUInt32LE(odd.number?.(i) ?? i);
    const sealed = xchacha20poly1305(key, nonce, head).encrypt(request);
    return Buffer.concat([head, sealed.subarray(-16), sealed.subarray(0, -16)]);
  });
  return Buffer.concat([header, ...items, randomBytes(odd.behind ?? 0)]);
}
