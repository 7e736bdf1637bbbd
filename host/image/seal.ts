/** Seals requests to the transport key of one board, as they wait in its image region: SPEC.md §20, firmware/image/image.ts. */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { blake3 } from "@noble/hashes/blake3.js";
import {
  IMAGE_BLOCK,
  IMAGE_BLOCKS,
  IMAGE_HEADER,
  IMAGE_ITEM_HEAD,
  IMAGE_ITEMS_MAX,
  IMAGE_MAGIC,
  IMAGE_OFF_FORMAT,
  IMAGE_OFF_INSTANCE,
  IMAGE_OFF_ITEMS,
  IMAGE_OFF_MAGIC,
  IMAGE_OFF_PUBLIC,
  IMAGE_OFF_SIZE,
  IMAGE_OFF_UID,
  IMAGE_OFF_VERSION,
  IMAGE_VERSION,
} from "../../firmware/defs/image.js";
import { INNER_MAX } from "../../firmware/defs/link.js";
import { FORMAT_VERSION } from "../../firmware/defs/slot.js";
import type { TransportKey } from "../client/answers.js";
import { FileError } from "../client/errors.js";

/** Bytes that an image may have, header included. */
export const IMAGE_ROOM = IMAGE_BLOCK * IMAGE_BLOCKS;
const CONTEXT = new TextEncoder().encode("mbs 2026 image");
const TAG = 16;

/** @param instance that the board is to become, 16 bytes
 *  @param requests messages without a session, in the order in which the board carries them out
 *  @returns what goes to the beginning of the image region. @throws FileError when it is too much */
export function sealImage(board: TransportKey, instance: Uint8Array, requests: readonly Uint8Array[]): Buffer {
  const size = requests.reduce((sum, request) => sum + IMAGE_ITEM_HEAD + request.length, 0);
  if (requests.length > IMAGE_ITEMS_MAX)
    throw new FileError(`${requests.length} requests are too many: an image holds ${IMAGE_ITEMS_MAX}.`);
  if (IMAGE_HEADER + size > IMAGE_ROOM)
    throw new FileError(
      `The image needs ${IMAGE_HEADER + size} bytes, and the board has room for ${IMAGE_ROOM}.`,
      "Leave credentials out, and put them later.",
    );
  const own = x25519.utils.randomSecretKey();
  const header = Buffer.alloc(IMAGE_HEADER);
  header.writeUInt32LE(IMAGE_MAGIC, IMAGE_OFF_MAGIC);
  header[IMAGE_OFF_VERSION] = IMAGE_VERSION;
  header[IMAGE_OFF_FORMAT] = FORMAT_VERSION;
  header.writeUInt16LE(requests.length, IMAGE_OFF_ITEMS);
  header.writeUInt32LE(size, IMAGE_OFF_SIZE);
  header.set(board.uniqueId, IMAGE_OFF_UID);
  header.set(instance, IMAGE_OFF_INSTANCE);
  header.set(x25519.getPublicKey(own), IMAGE_OFF_PUBLIC);
  const agreed = x25519.getSharedSecret(own, board.publicKey);
  const material = Buffer.concat([agreed, board.publicKey, header]);
  const key = blake3(material, { context: CONTEXT });
  const items = requests.map((request, index) => sealItem(key, index, request));
  for (const secret of [own, agreed, material, key]) secret.fill(0);
  return Buffer.concat([header, ...items]);
}

/** Length, zeros, tag, ciphertext. */
function sealItem(key: Uint8Array, index: number, request: Uint8Array): Buffer {
  if (request.length > INNER_MAX) throw new RangeError(`a request of ${request.length} bytes; at most ${INNER_MAX}`);
  const nonce = nonceOf(index);
  const head = Buffer.alloc(IMAGE_ITEM_HEAD);
  head.writeUInt16LE(request.length);
  const sealed = xchacha20poly1305(key, nonce, head.subarray(0, -TAG)).encrypt(request);
  head.set(sealed.subarray(-TAG), IMAGE_ITEM_HEAD - TAG);
  return Buffer.concat([head, sealed.subarray(0, -TAG)]);
}

/** The number of the item: the key is used for one image alone. */
function nonceOf(index: number): Uint8Array {
  const nonce = Buffer.alloc(24);
  nonce.writeUInt32LE(index);
  return nonce;
}
