/** Opaque secrets: bytes that mean nothing to us, one secret part. */
import { ALG_NONE, PartKind } from "../../firmware/defs/record.js";
import { FileError } from "../client/errors.js";
import type { Part } from "../record.js";
import type { Source } from "./format.js";

export function readRaw({ name, bytes }: Source): Part {
  if (bytes.length === 0) throw new FileError(`${name} is empty; a secret has at least 1 byte.`);
  return { kind: PartKind.Opaque, secret: true, algorithm: ALG_NONE, content: bytes };
}

/** The content of the only part, or of the only secret one. @throws FileError when that is not clear */
export function writeRaw(parts: readonly Part[]): Uint8Array {
  const candidates = parts.length === 1 ? parts : parts.filter((part) => part.secret);
  if (candidates.length === 1) return candidates[0]!.content;
  throw new FileError(
    `The record has ${parts.length} parts, and which one is meant is not clear.`,
    "Name one with --part; `mbs show` lists them.",
  );
}
