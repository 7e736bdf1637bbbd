/** The body of a record: parts one behind the other. `decodeParts` takes exactly what `encodeParts` makes. SPEC.md §6. */
import {
  ALG_ED25519,
  ALG_X509_DER,
  ALG_X25519,
  BODY_MAX,
  PART_HEADER,
  PART_OFF_ALGORITHM,
  PART_OFF_FLAGS,
  PART_OFF_KIND,
  PART_OFF_LENGTH,
  PART_SECRET,
  PARTS_MAX,
  PartKind,
} from "../firmware/defs/record.js";
import { FileError } from "./client/errors.js";

export interface Part {
  kind: PartKind;
  secret: boolean;
  /** COSE algorithm number, or ALG_… */
  algorithm: number;
  content: Uint8Array;
}

/** Bytes of an Ed25519 or X25519 seed, scalar or public key. */
export const RAW_KEY_SIZE = 32;
const CHAIN_LENGTH = 4; // bytes in front of each certificate

/** @throws FileError when the parts break a limit of SPEC.md §6 */
export function encodeParts(parts: readonly Part[]): Uint8Array {
  if (parts.length < 1 || parts.length > PARTS_MAX)
    throw new FileError(`A record has 1 to ${PARTS_MAX} parts; got ${parts.length}.`);
  const size = parts.reduce((sum, part) => sum + PART_HEADER + part.content.length, 0);
  if (size > BODY_MAX)
    throw new FileError(`A record has at most ${BODY_MAX} bytes; got ${size}.`, "Store less in one record.");
  const body = new Uint8Array(size);
  const view = new DataView(body.buffer);
  let at = 0;
  for (const part of parts) {
    checkPart(part);
    view.setUint8(at + PART_OFF_KIND, part.kind);
    view.setUint8(at + PART_OFF_FLAGS, part.secret ? PART_SECRET : 0);
    view.setUint16(at + PART_OFF_LENGTH, part.content.length, true);
    view.setInt32(at + PART_OFF_ALGORITHM, part.algorithm, true);
    body.set(part.content, at + PART_HEADER);
    at += PART_HEADER + part.content.length;
  }
  return body;
}

/** @throws FileError when `body` is no sequence of well-formed parts */
export function decodeParts(body: Uint8Array): Part[] {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const parts: Part[] = [];
  for (let at = 0; at < body.length; ) {
    if (body.length - at < PART_HEADER)
      throw new FileError(`The record ends inside the header of part ${parts.length}.`);
    const flags = view.getUint8(at + PART_OFF_FLAGS);
    const from = at + PART_HEADER;
    at = from + view.getUint16(at + PART_OFF_LENGTH, true);
    if (at > body.length) throw new FileError(`The record ends inside part ${parts.length}.`);
    if ((flags & ~PART_SECRET) !== 0) throw new FileError(`Part ${parts.length} has unknown flags (${flags}).`);
    const part = {
      kind: view.getUint8(from - PART_HEADER + PART_OFF_KIND),
      secret: flags === PART_SECRET,
      algorithm: view.getInt32(from - PART_HEADER + PART_OFF_ALGORITHM, true),
      content: Uint8Array.from(body.subarray(from, at)),
    };
    checkPart(part);
    parts.push(part);
  }
  if (parts.length < 1 || parts.length > PARTS_MAX)
    throw new FileError(`A record has 1 to ${PARTS_MAX} parts; got ${parts.length}.`);
  return parts;
}

function checkPart(part: Part): void {
  const { kind, algorithm, content } = part;
  if (PartKind[kind] === undefined) throw new FileError(`There is no kind of part ${kind}.`);
  if (algorithm !== (algorithm | 0)) throw new FileError(`The algorithm ${algorithm} does not fit 32 bits.`);
  if (content.length < 1) throw new FileError("A part has at least 1 byte of content; got none.");
  if ((algorithm === ALG_ED25519 || algorithm === ALG_X25519) && content.length !== RAW_KEY_SIZE) {
    throw new FileError(`An Ed25519 or X25519 key has ${RAW_KEY_SIZE} bytes; got ${content.length}.`);
  }
  if (algorithm === ALG_X509_DER) splitChain(content);
}

/** Content of a chain part. @param certificates DER, leaf first */
export function joinChain(certificates: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    certificates.map((der) => {
      const item = Buffer.alloc(CHAIN_LENGTH + der.length);
      item.writeUInt32LE(der.length, 0);
      item.set(der, CHAIN_LENGTH);
      return item;
    }),
  );
}

/** The reverse of `joinChain`. @throws FileError when lengths and content do not fit */
export function splitChain(content: Uint8Array): Uint8Array[] {
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  const certificates: Uint8Array[] = [];
  for (let at = 0; at < content.length; ) {
    const left = content.length - at - CHAIN_LENGTH;
    const length = left >= 0 ? view.getUint32(at, true) : 0;
    if (length < 1 || length > left)
      throw new FileError(`Certificate ${certificates.length} of the chain has a wrong length.`);
    at += CHAIN_LENGTH;
    certificates.push(Uint8Array.from(content.subarray(at, at + length)));
    at += length;
  }
  return certificates;
}
