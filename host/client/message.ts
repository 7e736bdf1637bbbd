/** Messages: deterministic CBOR maps with small integer keys. Decoding accepts only what encoding makes. SPEC.md §9, RFC 8949 §4.2. */
import { decodeFirst, encode, rfc8949EncodeOptions } from "cborg";
import { Status } from "../../firmware/defs/status.js";
import { Key } from "../../firmware/defs/wire.js";
import { ProtocolError } from "./errors.js";

export type Value = number | boolean | string | Uint8Array | Value[] | Message;
export type Message = Map<number, Value>;

/** Builds a message; fields that are undefined are left out. */
export function message(fields: Iterable<readonly [Key, Value | undefined]>): Message {
  const map: Message = new Map();
  for (const [key, value] of fields) if (value !== undefined) map.set(key, value);
  return map;
}

/** @returns the one deterministic encoding. */
export function encodeMessage(map: Message): Uint8Array {
  return encode(map, rfc8949EncodeOptions);
}

/** @throws ProtocolError for anything that `encodeMessage` would not have made. */
export function decodeMessage(bytes: Uint8Array): Message {
  const [map, ...more] = decodeSequence(bytes);
  if (more.length > 0) throw unreadable(bytes, "more follows the first map");
  return map!;
}

/** Reads what a request is answered with: one map, or a sequence of them, which is how List and Find say their entries: the status, a map for each
 *  entry, then how many records could not be read. @returns all of it as one map, the entries under Key.Entries
 *  @throws ProtocolError */
export function decodeAnswer(bytes: Uint8Array): Message {
  const [first, ...entries] = decodeSequence(bytes);
  const last = entries.pop();
  if (first!.has(Key.Entries)) throw unreadable(bytes, "its entries stand in a map");
  if (last === undefined) return first!;
  if (first!.size !== 1 || first!.get(Key.Command) !== Status.Ok)
    throw unreadable(bytes, "its first map is not how a list begins");
  if (last.size !== 1 || !last.has(Key.Corrupt)) throw unreadable(bytes, "its last map is not how a list ends");
  return new Map([...first!, [Key.Entries, entries], ...last]);
}

/** A CBOR sequence (RFC 8742) of one map or more. */
function decodeSequence(bytes: Uint8Array): Message[] {
  const maps: Message[] = [];
  try {
    let rest = bytes;
    do {
      const [item, left] = decodeFirst(rest, DETERMINISTIC);
      const map = value(item);
      if (!(map instanceof Map)) throw new Error("it is not a map");
      const again = encodeMessage(map);
      const isSame = Buffer.compare(again, rest.subarray(0, rest.length - left.length)) === 0;
      again.fill(0); // there may be a key in it
      if (!isSame) throw new Error("it is not encoded deterministically");
      maps.push(map);
      rest = left;
    } while (rest.length > 0);
  } catch (error) {
    throw unreadable(bytes, (error as Error).message);
  }
  return maps;
}

const DETERMINISTIC = {
  useMaps: true,
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowBigInt: false,
} as const;

function unreadable({ length }: Uint8Array, why: string): ProtocolError {
  return new ProtocolError(
    `A message of ${length} bytes cannot be read: ${why}.`,
    "Compare client and firmware versions.",
  );
}

/** Checks that CBOR gave only the types that our messages have. */
function value(from: unknown): Value {
  if (typeof from === "boolean" || typeof from === "string" || from instanceof Uint8Array) return from;
  if (typeof from === "number" && Number.isSafeInteger(from)) return from;
  if (Array.isArray(from)) return from.map(value);
  if (!(from instanceof Map)) throw new Error("it holds a type that no message has");
  const map: Message = new Map();
  for (const [key, item] of from) {
    if (!Number.isSafeInteger(key) || key < 0) throw new Error("it has a key that is no unsigned integer");
    map.set(key, value(item));
  }
  return map;
}

/** Reads the fields of one map, each exactly once, each with its type and bounds; `end` refuses what was not asked for. */
export class Fields {
  readonly #left: Message;

  /** @param where names the map in errors, such as "info" */
  constructor(
    map: Value,
    readonly where: string,
  ) {
    if (!(map instanceof Map)) throw new ProtocolError(`In the answer to ${where}: expected a map.`);
    this.#left = new Map(map);
  }

  has(key: Key): boolean {
    return this.#left.has(key);
  }

  int(key: Key, min: number, max: number): number {
    return this.#take(
      key,
      `an integer from ${min} to ${max}`,
      (value): value is number => typeof value === "number" && value >= min && value <= max,
    );
  }

  uint(key: Key, max = 0xffffffff): number {
    return this.int(key, 0, max);
  }

  bool(key: Key): boolean {
    return this.#take(key, "true or false", (value): value is boolean => typeof value === "boolean");
  }

  /** @param size exact length; absent: at most `max` bytes. @returns a copy */
  bytes(key: Key, size?: number, max = 0xffff): Uint8Array {
    const is = (value: Value): value is Uint8Array =>
      value instanceof Uint8Array && (size === undefined ? value.length <= max : value.length === size);
    return new Uint8Array(this.#take(key, `${size ?? `at most ${max}`} bytes`, is));
  }

  text(key: Key, max: number): string {
    return this.#take(
      key,
      `at most ${max} bytes of text`,
      (value): value is string => typeof value === "string" && Buffer.byteLength(value) <= max,
    );
  }

  array(key: Key, max: number): Value[] {
    return this.#take(
      key,
      `at most ${max} items`,
      (value): value is Value[] => Array.isArray(value) && value.length <= max,
    );
  }

  /** @throws ProtocolError when a field was not asked for. */
  end(): void {
    for (const key of this.#left.keys()) throw this.#wrong(key, "nothing");
  }

  #take<T extends Value>(key: Key, expected: string, is: (value: Value) => value is T): T {
    const value = this.#left.get(key);
    if (value === undefined || !is(value)) throw this.#wrong(key, expected);
    this.#left.delete(key);
    return value;
  }

  #wrong(key: number, expected: string): ProtocolError {
    const found = this.#left.has(key) ? "something else" : "nothing";
    return new ProtocolError(
      `In the answer to ${this.where}: field ${key} (${Key[key] ?? "unknown"}) should be ${expected}, and is ${found}.`,
      "Compare client and firmware versions.",
    );
  }
}
