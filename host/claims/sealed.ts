/** The clear begin of a sealed Delta, as boards make them: SPEC.md §16. What it says is proven only when the container is opened. */
import {
  SEALED_DELTA,
  SEALED_DELTA_MAGIC,
  SEALED_DELTA_OFF_END,
  SEALED_DELTA_OFF_ID,
  SEALED_DELTA_OFF_KEY,
  SEALED_DELTA_OFF_MAGIC,
  SEALED_DELTA_OFF_SEQUENCE,
  SEALED_DELTA_OFF_START,
  SEALED_DELTA_OFF_VERSION,
  SEALED_DELTA_VERSION,
} from "../../firmware/defs/filekey.js";
import { FileError } from "../client/errors.js";
import type { DeltaHead } from "./deltas.js";
import { ID_SIZE } from "./state.js";

/** @throws FileError when the bytes are no sealed Delta, or one of a later version */
export function readSealedHead(container: Uint8Array): DeltaHead {
  const bytes = Buffer.from(container.buffer, container.byteOffset, container.length);
  if (bytes.length !== SEALED_DELTA || bytes.readUInt32LE(SEALED_DELTA_OFF_MAGIC) !== SEALED_DELTA_MAGIC)
    throw new FileError("This is no sealed Delta. Nothing was changed.", "Name a file that `mbs delta export` wrote.");
  const version = bytes.readUInt32LE(SEALED_DELTA_OFF_VERSION);
  const sequence = bytes.readBigUInt64LE(SEALED_DELTA_OFF_SEQUENCE);
  const start = bytes.readBigInt64LE(SEALED_DELTA_OFF_START);
  const end = bytes.readBigInt64LE(SEALED_DELTA_OFF_END);
  if (version !== SEALED_DELTA_VERSION)
    throw new FileError(`This is a sealed Delta of version ${version}. Nothing was changed.`, "Use a newer mbs.");
  if (sequence < 1n || sequence > BigInt(Number.MAX_SAFE_INTEGER) || start < 0n || end < start)
    throw new FileError("This sealed Delta is damaged. Nothing was changed.", "Take another copy of it.");
  const id = (offset: number) => Uint8Array.from(bytes.subarray(offset, offset + ID_SIZE));
  return { key: id(SEALED_DELTA_OFF_KEY), sequence: Number(sequence), id: id(SEALED_DELTA_OFF_ID), start, end };
}
