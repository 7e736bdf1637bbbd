/** Messages as bytes, for those that no client would send: a small CBOR writer that does what it is told. RFC 8949 §3. */
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { decodeAnswer } from "../../host/client/message.js";
import type { Bench } from "../targets.js";
import { body, token } from "./help.js";

export type Bytes = Uint8Array;
export const join = (...parts: (Bytes | number[])[]): Bytes =>
  Buffer.concat(parts.map((part) => Uint8Array.from(part)));

/** Head of an item: major type 0…7 and argument, in the shortest form or in one of `size` bytes (0 = inside the first byte). */
export function head(major: number, value: number, size?: 0 | 1 | 2 | 4 | 8): Bytes {
  const shortest = value < 24 ? 0 : value < 0x100 ? 1 : value < 0x10000 ? 2 : 4;
  const bytes = size ?? shortest;
  const out = Buffer.alloc(1 + bytes);
  out[0] = (major << 5) | (bytes === 0 ? value : { 1: 24, 2: 25, 4: 26, 8: 27 }[bytes]);
  if (bytes === 8) out.writeBigUInt64BE(BigInt(value), 1);
  else if (bytes > 0) out.writeUIntBE(value, 1, bytes);
  return out;
}

export const uint = (value: number): Bytes => head(0, value);
export const bytes = (content: Bytes): Bytes => join(head(2, content.length), content);
export const text = (content: Bytes): Bytes => join(head(3, content.length), content);
export const array = (...items: Bytes[]): Bytes => join(head(4, items.length), ...items);
/** A map of keys in shortest form, in the order given. */
export const map = (...pairs: [Key, Bytes][]): Bytes =>
  join(head(5, pairs.length), ...pairs.flatMap(([key, value]) => [uint(key), value]));
export const request = (command: Command, ...pairs: [Key, Bytes][]): Bytes =>
  map([Key.Command, uint(command)], ...pairs);

/** A put that is right but for what is named. */
export function rawPut(fields: { label?: Bytes; usage?: Bytes; body?: Bytes; token?: Bytes } = {}): Bytes {
  const label: [Key, Bytes][] = fields.label === undefined ? [] : [[Key.Label, text(fields.label)]];
  return request(
    Command.Put,
    [Key.Token, bytes(fields.token ?? token())],
    ...label,
    [Key.Usage, fields.usage ?? uint(0)],
    [Key.Tier, uint(1)],
    [Key.Policy, uint(1)],
    [Key.Body, bytes(fields.body ?? body())],
  );
}

/** Sends bytes as a request in a session with every role. @returns the status by name, with its detail */
export function raw(target: Bench, message: Bytes): string {
  const answer = decodeAnswer(target.talk.sealed(message));
  const detail = answer.get(Key.Detail);
  const status = Status[answer.get(Key.Command) as number] ?? "";
  return detail === undefined ? status : `${status} ${detail}`;
}
