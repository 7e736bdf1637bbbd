/** Single damages of a medium behind the store's back, and how each is taken back. Bytes are changed in place: what the medium knows of its
 *  units stays, so that an erased unit with a flipped bit still is one that may be programmed. */
import { DATA_BLOCK, DATA_UNIT, SLOT_BLOCK, UNIT } from "../../firmware/defs/medium.js";
import type { Device } from "../device/device.js";
import type { Area } from "./areas.js";

/** Bits are all of them; bytes and units each once with zeros and once with ones; "unreadable" answers each unit with a bus fault;
 *  "whole" fills what is damaged from its begin to its end. */
export type Kind =
  | "bit"
  | "byte 00"
  | "byte ff"
  | "unit 00"
  | "unit ff"
  | "unreadable"
  | "whole 00"
  | "whole ff"
  | "whole a5";
export const KINDS: readonly Kind[] = [
  "bit",
  "byte 00",
  "byte ff",
  "unit 00",
  "unit ff",
  "unreadable",
  "whole 00",
  "whole ff",
  "whole a5",
];

export interface Harm {
  readonly kind: Kind;
  readonly medium: "slots" | "data";
  /** In the slot region or in the data flash. */
  readonly offset: number;
  readonly length: number;
  /** Of the byte, for a bit. */
  readonly bit: number;
}

const unitOf = (medium: Harm["medium"]): number => (medium === "slots" ? UNIT : DATA_UNIT);

/** How many damages of a kind an area has. */
export function harms(area: Area, kind: Kind): number {
  if (kind === "bit") return area.length * 8;
  if (kind.startsWith("byte")) return area.length;
  if (kind.startsWith("whole")) return 1;
  const unit = unitOf(area.medium);
  return Math.ceil((area.offset + area.length) / unit) - Math.floor(area.offset / unit);
}

/** The n-th of them. */
export function harm(area: Area, kind: Kind, n: number): Harm {
  const { medium, offset, length } = area;
  const bit = 0;
  if (kind === "bit") return { kind, medium, offset: offset + (n >> 3), length: 1, bit: n & 7 };
  if (kind.startsWith("byte")) return { kind, medium, offset: offset + n, length: 1, bit };
  if (kind.startsWith("whole")) return { kind, medium, offset, length, bit };
  const unit = unitOf(medium);
  return { kind, medium, offset: (Math.floor(offset / unit) + n) * unit, length: unit, bit };
}

export function describe({ kind, medium, offset, length, bit }: Harm): string {
  return kind === "bit"
    ? `bit ${bit} of ${medium} byte ${offset}`
    : `${kind} of ${length} bytes at ${medium} ${offset}`;
}

/** Whether a damage changes anything: filling 0xFF with ones does not. */
export function isIdle(device: Device, harm: Harm): boolean {
  if (harm.kind === "bit" || harm.kind === "unreadable") return false;
  const value = filling(harm.kind);
  const { bytes, from } = locate(device, harm);
  return bytes.subarray(from, from + harm.length).every((byte) => byte === value);
}

function locate(device: Device, { medium, offset }: Harm) {
  const nor = medium === "slots" ? device.slots : device.data;
  return { nor, bytes: nor.bytes, from: offset + (medium === "slots" ? device.slotsOffset : 0) };
}

const filling = (kind: Kind): number => (kind.endsWith("00") ? 0 : kind.endsWith("ff") ? 0xff : 0xa5);

/** Damages the medium. @returns what writes the old bytes back, where no others were written since */
export function inflict(device: Device, harm: Harm): () => void {
  const { nor, bytes, from } = locate(device, harm);
  if (harm.kind === "unreadable") {
    const size = harm.medium === "slots" ? SLOT_BLOCK : DATA_BLOCK;
    const block = from - (from % size);
    const image = nor.image(block, block + size);
    const old = image.unreadable.slice();
    const unit = (from - block) / nor.unit;
    image.unreadable.fill(1, unit, unit + Math.ceil(harm.length / nor.unit));
    nor.load(block, image);
    return () => nor.load(block, { ...image, unreadable: old });
  }
  const old = Buffer.from(bytes.subarray(from, from + harm.length));
  if (harm.kind === "bit") bytes[from]! ^= 1 << harm.bit;
  else bytes.fill(filling(harm.kind), from, from + harm.length);
  const left = Buffer.from(bytes.subarray(from, from + harm.length));
  return () => {
    if (bytes.subarray(from, from + harm.length).equals(left)) bytes.set(old, from);
  };
}
