/** Pieces of files that look like ours from outside, as far as a flasher looks. */
import {
  CUSTODY_MAGIC,
  CUSTODY_OFF_INSTANCE,
  CUSTODY_OFF_VERSION,
  CUSTODY_PLACE,
} from "../../firmware/defs/custody.js";
import { DESCRIPTOR_AT, IMAGE_HEADER } from "../../host/flash/descriptor.js";

/** A program that does nothing, with vector table and descriptor. */
export function someFirmware(
  length: number,
  { format = 1, board = 1, stack = 0x20002000, entry = 0x2001 } = {},
): Buffer {
  const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 7) & 0x7f));
  bytes.writeUInt32LE(stack, 0);
  bytes.writeUInt32LE(entry, 4);
  describeAs(bytes, { format, board });
  return bytes;
}

/** Puts a descriptor without setup code into a firmware. */
export function describeAs(bytes: Buffer, { format = 1, board = 1 }): Buffer {
  bytes.fill(0, DESCRIPTOR_AT, DESCRIPTOR_AT + 96);
  bytes.write("MBSF", DESCRIPTOR_AT);
  bytes.set([1, format, board, 1], DESCRIPTOR_AT + 4);
  return bytes;
}

/** Both custody places, with nothing behind the instance id. */
export function custodyPlace(version: number, instance = 7): Buffer {
  const bytes = Buffer.alloc(CUSTODY_PLACE);
  bytes.writeUInt32LE(CUSTODY_MAGIC, 0);
  bytes[CUSTODY_OFF_VERSION] = version;
  bytes.fill(instance, CUSTODY_OFF_INSTANCE, CUSTODY_OFF_INSTANCE + 16);
  return bytes;
}

export function imageHeader(format: number, uniqueId: string): Buffer {
  const bytes = Buffer.alloc(IMAGE_HEADER);
  bytes.write("MBSI");
  bytes.set([1, format], 4);
  bytes.write(uniqueId, 16, "hex");
  return bytes;
}
