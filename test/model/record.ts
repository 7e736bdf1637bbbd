/** One record of the model: its parts, whether a find request means it, and how it is told. SPEC.md §6, §9, §12. */
import { Custody } from "../../firmware/defs/custody.js";
import {
  type Origin,
  PART_HEADER,
  PART_OFF_ALGORITHM,
  PART_OFF_LENGTH,
  PART_SECRET,
  PARTS_MAX,
  PartKind,
  POLICY_EXPORTABLE,
} from "../../firmware/defs/record.js";
import { Status } from "../../firmware/defs/status.js";
import { Key } from "../../firmware/defs/wire.js";
import { type Message, message } from "../../host/client/message.js";
import { type Fields, Refusal } from "../device/talk.js";

export interface Part {
  kind: number;
  secret: boolean;
  length: number;
  algorithm: number;
  /** The part as it stands in the body, header included. */
  bytes: Uint8Array;
}

/** @returns the parts of a well-formed body, undefined for any other */
export function readParts(body: Uint8Array): Part[] | undefined {
  const view = Buffer.from(body.buffer, body.byteOffset, body.length);
  const parts: Part[] = [];
  for (let at = 0; at < body.length; ) {
    if (at + PART_HEADER > body.length) return undefined;
    const [kind, flags] = [view.readUInt8(at), view.readUInt8(at + 1)];
    const length = view.readUInt16LE(at + PART_OFF_LENGTH);
    const algorithm = view.readInt32LE(at + PART_OFF_ALGORITHM);
    const from = at;
    at += PART_HEADER + length;
    if (PartKind[kind] === undefined || flags > PART_SECRET || length === 0 || at > body.length) return undefined;
    parts.push({ kind, secret: flags === PART_SECRET, length, algorithm, bytes: body.subarray(from, at) });
  }
  return parts.length >= 1 && parts.length <= PARTS_MAX ? parts : undefined;
}

export interface Record {
  handle: Uint8Array;
  label: string;
  usage: number;
  tier: number;
  policy: number;
  origin: Origin;
  epoch: number;
  slotClass: number;
  body: Uint8Array;
  parts: Part[];
  /** Token of the present version, and of the first one. */
  token: string;
  firstToken: string;
  sequence: number;
  created: number;
}

/** Whether all conditions of a find request hold for a record. */
export function findsAll(record: Record, asked: Message): boolean {
  const is = (key: Key, value: string | number): boolean => !asked.has(key) || asked.get(key) === value;
  const bound = (key: Key, otherwise: number): number => (asked.get(key) as number | undefined) ?? otherwise;
  const prefix = (asked.get(Key.LabelPrefix) as string | undefined) ?? "";
  return (
    is(Key.Label, record.label) &&
    Buffer.from(record.label).subarray(0, Buffer.byteLength(prefix)).equals(Buffer.from(prefix)) &&
    is(Key.Usage, record.usage) &&
    is(Key.Tier, record.tier) &&
    is(Key.Origin, record.origin) &&
    record.epoch >= bound(Key.EpochMin, 0) &&
    record.epoch <= bound(Key.EpochMax, Number.POSITIVE_INFINITY)
  );
}

/** As list and find tell it. */
export function entry(record: Record): Message {
  return message([...attributes(record), [Key.Parts, record.parts.length]]);
}

function attributes(record: Record): [Key, number | string | Uint8Array | undefined][] {
  return [
    [Key.Handle, record.handle],
    [Key.Label, record.label === "" ? undefined : record.label],
    [Key.Usage, record.usage],
    [Key.Tier, record.tier],
    [Key.Policy, record.policy],
    [Key.Epoch, record.epoch],
    [Key.Origin, record.origin],
    [Key.Class, record.slotClass],
    [Key.Length, record.body.length],
    [Key.Sequence, record.sequence],
    [Key.Custody, Custody.Simulated],
    [Key.Created, record.created],
  ];
}

/** As get tells it; a touch that it asks for was given. @throws Refusal when the policy forbids */
export function get(record: Record): Fields {
  const secret = record.parts.some((part) => part.secret);
  if (secret && (record.policy & POLICY_EXPORTABLE) === 0) throw new Refusal(Status.NotExportable);
  return [...entry(record), [Key.Body, record.body]] as Fields;
}

/** As show tells it. */
export function show(record: Record): Fields {
  const parts = record.parts.map((part) =>
    message([
      [Key.Length, part.length],
      [Key.Kind, part.kind],
      [Key.Flags, part.secret ? 1 : 0],
      [Key.Algorithm, part.algorithm],
    ]),
  );
  return [...attributes(record), [Key.Parts, parts]];
}

/** Kinds of parts that hold keys. */
const KEYS = [PartKind.Signing, PartKind.Agreement] as number[];

/** Whether replace with keep may be given these parts. */
export function isPlain(given: readonly Part[]): boolean {
  return !given.some((part) => part.secret || KEYS.includes(part.kind));
}

/** The key parts of a record, one behind the other. */
export function keysOf(record: Record): Uint8Array {
  return Buffer.concat(record.parts.filter((part) => KEYS.includes(part.kind)).map((part) => part.bytes));
}

/** As public tells it: without what the model cannot know, which is how to make a public key. */
export function publicParts(record: Record): Fields {
  const open = record.parts.filter((part) => !part.secret);
  const computed = record.parts.some((part) => part.secret && KEYS.includes(part.kind));
  const body: [Key, Uint8Array][] = computed ? [] : [[Key.Body, Buffer.concat(open.map((part) => part.bytes))]];
  return [...entry(record), ...body] as Fields;
}
