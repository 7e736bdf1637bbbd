/** Frames of the link: header, payload and CRC-32 inside COBS, ended by one zero byte. SPEC.md §8. */
import {
  FRAME_CRC,
  FRAME_HEADER,
  FRAME_MAX,
  FRAME_MORE,
  FRAME_OFF_INDEX,
  FRAME_OFF_LINK,
  FRAME_OFF_SEQUENCE,
  FRAME_OFF_TYPE,
  type FrameType,
} from "../../firmware/defs/link.js";
import { cobsDecode, cobsEncode } from "./cobs.js";
import { crc32 } from "./crc.js";

export interface Frame {
  type: FrameType;
  /** Another fragment of the same message follows. */
  more: boolean;
  link: number;
  sequence: number;
  index: number;
  payload: Uint8Array;
}

/** Most bytes between two zero bytes that can be a frame. */
export const ENCODED_MAX = FRAME_MAX + Math.floor(FRAME_MAX / 254) + 1;

/** @returns the bytes to send, the ending zero included. */
export function encodeFrame(frame: Frame): Uint8Array {
  const end = FRAME_HEADER + frame.payload.length;
  const bytes = new Uint8Array(end + FRAME_CRC);
  const view = new DataView(bytes.buffer);
  view.setUint8(FRAME_OFF_TYPE, frame.type | (frame.more ? FRAME_MORE : 0));
  view.setUint16(FRAME_OFF_LINK, frame.link, true);
  view.setUint16(FRAME_OFF_SEQUENCE, frame.sequence, true);
  view.setUint16(FRAME_OFF_INDEX, frame.index, true);
  bytes.set(frame.payload, FRAME_HEADER);
  view.setUint32(end, crc32(bytes.subarray(0, end)), true);
  const encoded = cobsEncode(bytes);
  const sent = new Uint8Array(encoded.length + 1);
  sent.set(encoded);
  return sent;
}

/** @param encoded what stood between two zero bytes. @returns the frame, or undefined when it is none. */
export function decodeFrame(encoded: Uint8Array): Frame | undefined {
  const bytes = cobsDecode(encoded);
  if (bytes === undefined || bytes.length < FRAME_HEADER + FRAME_CRC || bytes.length > FRAME_MAX) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = bytes.length - FRAME_CRC;
  if (view.getUint32(end, true) !== crc32(bytes.subarray(0, end))) return undefined;
  const type = view.getUint8(FRAME_OFF_TYPE);
  return {
    type: type & ~FRAME_MORE,
    more: (type & FRAME_MORE) !== 0,
    link: view.getUint16(FRAME_OFF_LINK, true),
    sequence: view.getUint16(FRAME_OFF_SEQUENCE, true),
    index: view.getUint16(FRAME_OFF_INDEX, true),
    payload: bytes.slice(FRAME_HEADER, end),
  };
}

/** Cuts a byte stream into frames; what is no frame is dropped, however long it is. */
export class Deframer {
  readonly #bytes = new Uint8Array(ENCODED_MAX);
  #length = 0;

  /** Takes received bytes. @param frames is called for each good frame, in order. */
  push(bytes: Uint8Array, frames: (frame: Frame) => void): void {
    for (const byte of bytes) {
      if (byte !== 0) {
        if (this.#length < ENCODED_MAX) this.#bytes[this.#length] = byte;
        this.#length++;
        continue;
      }
      const length = this.#length;
      this.#length = 0;
      const frame = length <= ENCODED_MAX ? decodeFrame(this.#bytes.subarray(0, length)) : undefined;
      if (frame !== undefined) frames(frame);
    }
  }
}
