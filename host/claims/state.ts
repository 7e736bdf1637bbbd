/** What a configuration root keeps of filekeys, and its one encoding: a CBOR list, decoded strictly. SPEC.md §15.
 *  Each Delta that is known here has its secret, its container and its cache entry; Deltas are known without gaps, from sequence 1. */
import { decode, encode, rfc8949EncodeOptions } from "cborg";
import { CACHE_CLAIMS } from "../../firmware/defs/claims.js";
import { ProtocolError } from "../client/errors.js";
import type { Claim, Core, Entry } from "./core.js";

export const ID_SIZE = 16;
export const SECRET_SIZE = 32;
export const CONTAINER_MOST = 65536; // bytes of one sealed Delta
export const NAME_MOST = 512; // characters of a name
const VERSION = 1; // raised when an item changes its meaning

export interface LocalDelta {
  readonly sequence: number;
  readonly id: Uint8Array;
  readonly container: Uint8Array;
  /** 32 bytes; wiped when the change or the look at the cache ends. */
  readonly secret: Uint8Array;
  entry: Entry;
}

/** What makes a filekey known to a configuration root. */
export interface FilekeyName {
  /** 16 bytes. */
  readonly id: Uint8Array;
  /** As people call it here; empty when it has no name. Not unique. */
  readonly name: string;
  /** Name of the one authority that hands out its positions. */
  readonly authority: string;
}

export interface Filekey extends FilekeyName {
  /** By sequence, from 1. */
  deltas: LocalDelta[];
}

/** Filekeys by id in hexadecimal. */
export type State = Map<string, Filekey>;

export function nameOf(id: Uint8Array): string {
  return Buffer.from(id).toString("hex");
}

/** Wipes the secrets of a state that is no longer used. */
export function wipeState(state: State): void {
  for (const { deltas } of state.values()) for (const { secret } of deltas) secret.fill(0);
}

/** @returns bytes with secrets in them, which the caller is to wipe */
export function encodeState(state: State): Uint8Array {
  const filekeys = [...state.keys()].sort().map((name) => {
    const { id, name: called, authority, deltas } = state.get(name)!;
    return [id, called, authority, deltas.map(deltaItem)];
  });
  return encode([VERSION, filekeys], rfc8949EncodeOptions);
}

function deltaItem({ sequence, id, container, secret, entry }: LocalDelta): unknown[] {
  const claims = (of: readonly Claim[]) => of.flatMap(({ start, end, latest }) => [start, end, latest]);
  const { start, end, floor, performance, offline } = entry;
  return [sequence, id, container, secret, start, end, floor, claims(performance), claims(offline)];
}

/** A state of a later version of mbs. */
export class NewerStateError extends Error {}

/** @param core refuses an entry that breaks an invariant. @throws ProtocolError for anything that `encodeState` would not have made */
export function decodeState(encoded: Uint8Array, core: Core): State {
  const state: State = new Map();
  try {
    const top = list(
      decode(encoded, {
        strict: true,
        allowIndefinite: false,
        allowUndefined: false,
        allowBigInt: true,
        useMaps: true,
      }),
    );
    if (typeof top[0] === "number" && top[0] > VERSION) throw new NewerStateError(String(top[0]));
    if (top[0] !== VERSION || top.length !== 2) throw new Error("it has no such version");
    for (const item of list(top[1])) {
      const filekey = filekeyFrom(list(item, 4), core);
      if (state.has(nameOf(filekey.id))) throw new Error("a filekey is there twice");
      state.set(nameOf(filekey.id), filekey);
    }
    const again = encodeState(state);
    const isSame = Buffer.compare(again, encoded) === 0;
    again.fill(0);
    if (!isSame) throw new Error("it is not encoded deterministically");
    return state;
  } catch (cause) {
    wipeState(state);
    if (cause instanceof NewerStateError) throw cause;
    throw new ProtocolError(
      `The claim cache cannot be read: ${(cause as Error).message}. It was not changed.`,
      "Put claims.mbsc away and import the filekeys again: mbs filekey import.",
    );
  }
}

function filekeyFrom(items: unknown[], core: Core): Filekey {
  const [id, name, authority, deltas] = items;
  const filekey = {
    id: bytes(id, ID_SIZE),
    name: text(name),
    authority: text(authority),
    deltas: list(deltas).map((item) => deltaFrom(list(item, 9), core)),
  };
  checkDeltas(filekey.deltas.map((delta) => ({ ...delta, start: delta.entry.start, end: delta.entry.end })));
  return filekey;
}

function deltaFrom(items: unknown[], core: Core): LocalDelta {
  const [sequence, id, container, secret, start, end, floor, performance, offline] = items;
  const entry: Entry = {
    start: integer(start),
    end: integer(end),
    floor: integer(floor),
    performance: claimsFrom(list(performance)),
    offline: claimsFrom(list(offline)),
  };
  if (!core.isSound(entry)) throw new Error("an entry contradicts itself");
  if (!(container instanceof Uint8Array) || container.length > CONTAINER_MOST)
    throw new Error("a Delta has no container");
  return {
    sequence: Number(integer(sequence)),
    id: bytes(id, ID_SIZE),
    container,
    secret: bytes(secret, SECRET_SIZE),
    entry,
  };
}

function claimsFrom(items: unknown[]): Claim[] {
  if (items.length % 3 !== 0 || items.length > 3 * CACHE_CLAIMS) throw new Error("claims are not whole");
  return Array.from({ length: items.length / 3 }, (_, i) => ({
    start: integer(items[3 * i]),
    end: integer(items[3 * i + 1]),
    latest: integer(items[3 * i + 2]),
  }));
}

/** The Deltas of a filekey, wherever they come from: sequences from 1 without gaps, no id twice, each range above the one before.
 *  @throws Error that says what is wrong */
export function checkDeltas(deltas: readonly { sequence: number; id: Uint8Array; start: bigint; end: bigint }[]): void {
  const ids = new Set<string>();
  let above = -1n;
  deltas.forEach(({ sequence, id, start, end }, i) => {
    if (sequence !== i + 1) throw new Error(`where Delta ${i + 1} should be there is ${sequence}`);
    if (id.length !== ID_SIZE || ids.has(nameOf(id))) throw new Error(`Delta ${sequence} has no id of its own`);
    if (start <= above || end < start || end >= 2n ** 63n)
      throw new Error(`the positions of Delta ${sequence} are not its own`);
    ids.add(nameOf(id));
    above = end;
  });
}

function list(value: unknown, length?: number): unknown[] {
  if (!Array.isArray(value) || (length !== undefined && value.length !== length)) throw new Error("a list is missing");
  return value;
}

function integer(value: unknown): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  throw new Error("a number is missing");
}

function text(value: unknown): string {
  if (typeof value !== "string" || value.length > NAME_MOST) throw new Error("a name is missing");
  return value;
}

/** The decoder has copied them: what they lay in may be wiped. */
function bytes(value: unknown, length: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== length) throw new Error(`${length} bytes are missing`);
  return value;
}
