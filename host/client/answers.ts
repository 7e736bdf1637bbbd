/** What the device answers, typed: one interface and one strict reader for each. SPEC.md §9. */

import { CUSTODY_COPIES, type Custody } from "../../firmware/defs/custody.js";
import { LISTED_DELTA } from "../../firmware/defs/filekey.js";
import { ImageState } from "../../firmware/defs/image.js";
import { SLOT_BLOCKS, UNIT } from "../../firmware/defs/medium.js";
import { OPERATOR_PLACES } from "../../firmware/defs/operator.js";
import {
  BODY_MAX,
  CLASSES_MAX,
  HANDLE_SIZE,
  LABEL_MAX,
  type Origin,
  PARTS_MAX,
  type PartKind,
  POLICY_MAX,
  SLOTS_MAX,
  type Tier,
  Usage,
} from "../../firmware/defs/record.js";
import { CHALLENGE_SIZE, OPERATOR_ID, Role } from "../../firmware/defs/session.js";
import type { Status } from "../../firmware/defs/status.js";
import { CHALLENGE_MAX, ED25519_SIGNATURE, KEY_SIZE } from "../../firmware/defs/use.js";
import { Key, State } from "../../firmware/defs/wire.js";
import { type Binding, decodeBinding } from "../binding.js";
import { ProtocolError } from "./errors.js";
import { Fields, type Value } from "./message.js";

/** A record of another version may be longer. */
const BINDING_MAX = 255;

/** What hello and info both tell. */
export interface Standing {
  protocol: number;
  format: number;
  /** 16 bytes, zeros when blank. */
  instance: Uint8Array;
  state: State;
  /** 0: the firmware has not trapped. */
  trapCode: number;
  /** Handshakes that the device refused. */
  refusals: number;
}

/** What anybody may know. Nothing in it is authenticated. */
export interface Hello extends Standing {
  /** What the next handshake answers to; absent while the noise source is not ready. */
  challenge?: Uint8Array;
  /** The board was flashed with a setup code. */
  setupCode: boolean;
}

/** Bytes of an attestation statement, at the most: prefix, 14 fields, the largest challenge. */
const STATEMENT_MAX = 256 + CHALLENGE_MAX;

export interface ClassInfo {
  slotClass: number;
  /** Bytes of one slot, header included. */
  slotSize: number;
  blocks: number;
  /** Records that the class can hold, and holds. */
  capacity: number;
  live: number;
  /** Slots that await an erase. */
  dirty: number;
  leastErases: number;
  mostErases: number;
  erases: number;
  /** Puts until a block reaches its rated cycles, at the least. */
  putsLeft: number;
}

export interface Info extends Standing {
  /** Of the session that asked. */
  role: Role;
  /** Id of the operator that asked; absent for the setup code. */
  operator?: string;
  custody: Custody;
  /** SHA-256 of core.wasm. */
  coreHash: Uint8Array;
  uniqueId: Uint8Array;
  board: number;
  /** What the core was bound to; absent when the record is none that this host knows. */
  binding?: Binding;
  /** How it stands with an image. */
  image: ImageStanding;
  /** Absent while there is no mounted store: blank, damaged, rescue. */
  store?: StoreInfo;
}

export interface ImageStanding {
  state: ImageState;
  /** The item that was refused, counted from 0; 0 otherwise. */
  item: number;
  /** Why it was; Ok otherwise. */
  status: Status;
}

/** The key that images for a board are sealed to. */
export interface TransportKey {
  /** Of the board, 16 bytes. */
  uniqueId: Uint8Array;
  /** X25519, 32 bytes. */
  publicKey: Uint8Array;
}

export interface StoreInfo {
  epoch: number;
  /** An admin sets the epoch; power-ups do not count. */
  epochSet: boolean;
  /** Journal sequence: the changes that were made. */
  sequence: number;
  changesLeft: number;
  /** Digest of the manifest, 16 bytes. */
  manifest: Uint8Array;
  classes: ClassInfo[];
  /** Handles that were evicted and whose ciphertext is not erased yet. */
  residue: Uint8Array[];
  /** Custody places that verify: 2, or 1 until the next change mends the other. */
  custodyCopies: number;
  /** Degraded sets that were accepted. */
  accepted: number;
  /** Live slots whose header does not verify. */
  corrupt: number;
  /** Reserves of positions until the data flash reaches its rated cycles. */
  reservesLeft: number;
}

export interface Entry {
  handle: Uint8Array;
  label?: string;
  usage: Usage;
  tier: Tier;
  /** POLICY_… bits; `readPolicy` in record.ts takes them apart. */
  policy: number;
  epoch: number;
  origin: Origin;
  slotClass: number;
  /** Bytes of body. */
  length: number;
  /** Journal sequence of this version, and of the first one. */
  sequence: number;
  created: number;
  /** Number of parts. */
  parts: number;
  custody: Custody;
}

export interface PartInfo {
  kind: PartKind;
  secret: boolean;
  algorithm: number;
  length: number;
}

/** One record without the content of its parts. */
export interface Shown extends Omit<Entry, "parts"> {
  parts: PartInfo[];
}

/** A record that was made or changed: its handle, and the journal sequence of its present version. */
export interface Written {
  handle: Uint8Array;
  sequence: number;
}

/** A key that was made on the device. */
export interface Generated extends Written {
  /** KEY_SIZE bytes: Ed25519, or X25519 for usage agree. */
  publicKey: Uint8Array;
}

export interface Signed {
  publicKey: Uint8Array;
  /** Ed25519, 64 bytes. */
  signature: Uint8Array;
}

/** What the device says about itself or a record, signed; attestation.ts checks and reads it. */
export interface Attestation {
  signature: Uint8Array;
  statement: Uint8Array;
  /** The device's identity key. */
  identity: Uint8Array;
}

export interface OperatorEntry {
  id: string;
  role: Role;
  /** The key, or a rotated one beside the key in use, was not used yet. */
  pending: boolean;
  /** Refused handshakes that named this operator. */
  refusals: number;
}

export interface OperatorList {
  operators: OperatorEntry[];
  /** Places in use that cannot be read: nobody gets in with the keys that stood there. */
  corrupt: number;
}

function readStanding(fields: Fields): Standing {
  return {
    protocol: fields.uint(Key.Protocol),
    format: fields.uint(Key.Format),
    instance: fields.bytes(Key.Instance, 16),
    state: fields.uint(Key.State, State.Rescue),
    trapCode: fields.uint(Key.TrapCode),
    refusals: fields.uint(Key.Refusals),
  };
}

export function readHello(fields: Fields): Hello {
  return {
    ...readStanding(fields),
    ...(fields.has(Key.Challenge) && { challenge: fields.bytes(Key.Challenge, CHALLENGE_SIZE) }),
    setupCode: fields.bool(Key.SetupCode),
  };
}

export function readInfo(fields: Fields): Info {
  const operator = fields.has(Key.Operator) ? readOperatorId(fields) : undefined;
  return {
    ...readStanding(fields),
    role: readRole(fields, operator ?? ""),
    ...(operator !== undefined && { operator }),
    custody: fields.uint(Key.Custody, 3),
    coreHash: fields.bytes(Key.CoreHash, 32),
    uniqueId: fields.bytes(Key.UniqueId, 16),
    board: fields.uint(Key.Board, 255),
    ...readBindingRecord(fields),
    image: readImageStanding(fields),
    ...(fields.has(Key.Classes) && { store: readStore(fields) }),
  };
}

function readImageStanding(fields: Fields): ImageStanding {
  const told = fields.array(Key.Image, 3);
  const [state, item, status] = told;
  const isWhole = told.length === 3 && told.every((one): one is number => Number.isInteger(one));
  if (!isWhole || ImageState[state as number] === undefined || (item as number) < 0)
    throw new ProtocolError("The device says of its image what this version does not know.");
  return { state: state as ImageState, item: item as number, status: status as Status };
}

export function readTransportKey(fields: Fields): TransportKey {
  return { uniqueId: fields.bytes(Key.UniqueId, 16), publicKey: fields.bytes(Key.Public, KEY_SIZE) };
}

function readBindingRecord(fields: Fields): Pick<Info, "binding"> {
  const binding = decodeBinding(fields.bytes(Key.Binding, undefined, BINDING_MAX));
  return binding === undefined ? {} : { binding };
}

function readStore(fields: Fields): StoreInfo {
  return {
    epoch: fields.uint(Key.Epoch),
    epochSet: fields.bool(Key.EpochSet),
    sequence: fields.uint(Key.Sequence),
    changesLeft: fields.uint(Key.ChangesLeft),
    manifest: fields.bytes(Key.Manifest, 16),
    classes: fields.array(Key.Classes, CLASSES_MAX).map((item) => readWhole(item, "info, class", readClass)),
    residue: readHandles(fields.array(Key.Residue, SLOTS_MAX)),
    custodyCopies: fields.uint(Key.CustodyCopies, CUSTODY_COPIES),
    accepted: fields.uint(Key.Accepted),
    corrupt: fields.uint(Key.Corrupt, SLOTS_MAX),
    reservesLeft: fields.uint(Key.ReservesLeft),
  };
}

function readClass(fields: Fields): ClassInfo {
  return {
    slotClass: fields.uint(Key.Class, CLASSES_MAX - 1),
    slotSize: fields.uint(Key.SlotUnits, SLOTS_MAX) * UNIT,
    blocks: fields.uint(Key.Blocks, SLOT_BLOCKS),
    capacity: fields.uint(Key.Capacity, SLOTS_MAX),
    live: fields.uint(Key.Live, SLOTS_MAX),
    dirty: fields.uint(Key.Dirty, SLOTS_MAX),
    leastErases: fields.uint(Key.EraseMin),
    mostErases: fields.uint(Key.EraseMax),
    erases: fields.uint(Key.EraseTotal),
    putsLeft: fields.uint(Key.PutsLeft),
  };
}

export function readEntry(fields: Fields): Entry {
  return { ...readAttributes(fields), parts: fields.int(Key.Parts, 1, PARTS_MAX) };
}

/** An entry without what show and the others tell differently: its parts. */
function readAttributes(fields: Fields): Omit<Entry, "parts"> {
  return {
    handle: fields.bytes(Key.Handle, HANDLE_SIZE),
    ...(fields.has(Key.Label) && { label: fields.text(Key.Label, LABEL_MAX) }),
    usage: fields.uint(Key.Usage, Usage.Filekey),
    tier: fields.int(Key.Tier, 1, 2),
    policy: fields.uint(Key.Policy, POLICY_MAX),
    epoch: fields.uint(Key.Epoch),
    origin: fields.int(Key.Origin, 1, 2),
    slotClass: fields.uint(Key.Class, CLASSES_MAX - 1),
    length: fields.uint(Key.Length, BODY_MAX),
    sequence: fields.uint(Key.Sequence),
    created: fields.uint(Key.Created),
    custody: fields.int(Key.Custody, 1, 3),
  };
}

/** The answer to show: what the parts are, instead of how many. */
export function readShown(fields: Fields): Shown {
  const parts = fields.array(Key.Parts, PARTS_MAX).map((item) => readWhole(item, "show, part", readPart));
  return { ...readAttributes(fields), parts };
}

export interface Listing {
  /** Oldest record first. */
  entries: Entry[];
  /** Live records that do not verify and are therefore not among them. */
  corrupt: number;
}

export function readListing(fields: Fields): Listing {
  const entries = fields.array(Key.Entries, SLOTS_MAX).map((item) => readWhole(item, fields.where, readEntry));
  return { entries: entries.sort((a, b) => a.created - b.created), corrupt: fields.uint(Key.Corrupt, SLOTS_MAX) };
}

function readPart(fields: Fields): PartInfo {
  return {
    kind: fields.int(Key.Kind, 1, 4),
    secret: fields.uint(Key.Flags, 1) === 1,
    algorithm: fields.int(Key.Algorithm, -0x80000000, 0x7fffffff),
    length: fields.int(Key.Length, 1, BODY_MAX),
  };
}

export function readWritten(fields: Fields): Written {
  return { handle: fields.bytes(Key.Handle, HANDLE_SIZE), sequence: fields.uint(Key.Sequence) };
}

export function readGenerated(fields: Fields): Generated {
  return { ...readWritten(fields), publicKey: fields.bytes(Key.Public, KEY_SIZE) };
}

export function readSigned(fields: Fields): Signed {
  return {
    publicKey: fields.bytes(Key.Public, KEY_SIZE),
    signature: fields.bytes(Key.Signature, ED25519_SIGNATURE),
  };
}

/** The answer to get and to public: an entry and its parts. */
export function readRecord(fields: Fields): Entry & { body: Uint8Array } {
  return { ...readEntry(fields), body: fields.bytes(Key.Body, undefined, BODY_MAX) };
}

export function readAttestation(fields: Fields): Attestation {
  return {
    signature: fields.bytes(Key.Signature, ED25519_SIGNATURE),
    statement: fields.bytes(Key.Statement, undefined, STATEMENT_MAX),
    identity: fields.bytes(Key.Identity, KEY_SIZE),
  };
}

/** @returns the operators in the order of their ids: places change when keys are rotated */
export function readOperators(fields: Fields): OperatorList {
  const operators = fields
    .array(Key.Operators, OPERATOR_PLACES)
    .map((item) => readWhole(item, "operator list, operator", readOperator))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  return { operators, corrupt: fields.has(Key.Corrupt) ? fields.uint(Key.Corrupt, OPERATOR_PLACES) : 0 };
}

function readOperator(fields: Fields): OperatorEntry {
  const id = readOperatorId(fields);
  return {
    id,
    role: readRole(fields, id),
    pending: fields.bool(Key.Pending),
    refusals: fields.uint(Key.Refusals),
  };
}

/** @param id of whose role it is, "" for the setup code */
function readRole(fields: Fields, id: string): Role {
  const role = fields.uint(Key.Role, Role.Setup);
  if (!isRoleOf(role, id)) throw new ProtocolError(`In the answer to ${fields.where}: nobody there has role ${role}.`);
  return role;
}

/** Whether somebody can have a role: Setup is the setup code's, whose id is "", and the others are an operator's. */
export function isRoleOf(role: number, id: string): role is Role {
  return id === "" ? role === Role.Setup : [Role.Auditor, Role.User, Role.Admin].includes(role);
}

function readOperatorId(fields: Fields): string {
  const id = fields.text(Key.Operator, OPERATOR_ID);
  if (!isOperatorId(id)) throw new ProtocolError(`In the answer to ${fields.where}: an operator has an impossible id.`);
  return id;
}

/** Whether a text can be the id of an operator. The setup code has none. */
export function isOperatorId(id: string): boolean {
  return new RegExp(`^[a-z0-9._-]{1,${OPERATOR_ID}}$`).test(id);
}

/** @returns each handle once, however often it was found */
function readHandles(items: Value[]): Uint8Array[] {
  const each = new Map<string, Uint8Array>();
  for (const item of items) {
    const handle = new Fields(new Map([[Key.Handle, item]]), "info, residue").bytes(Key.Handle, HANDLE_SIZE);
    each.set(handle.join(), handle);
  }
  return [...each.values()];
}

/** Reads one map whole: fields that `read` does not ask for are refused. */
export function readWhole<T>(item: Value, where: string, read: (fields: Fields) => T): T {
  const fields = new Fields(item, where);
  const result = read(fields);
  fields.end();
  return result;
}

/** A Delta of a filekey on its authority. */
export interface DeltaInfo {
  sequence: number;
  /** 16 bytes. */
  id: Uint8Array;
  /** Its positions, both included. */
  start: bigint;
  end: bigint;
}

/** A filekey on its authority. */
export interface FilekeyInfo {
  /** 16 bytes, the same on every device that has it. */
  id: Uint8Array;
  /** Last position that was handed out, -1n before the first; undefined: not known any more, so that it must be renewed. */
  pointer: bigint | undefined;
  /** By sequence, from 1. */
  deltas: DeltaInfo[];
}

export interface FilekeyWritten extends Written {
  /** 16 bytes: the filekey. */
  id: Uint8Array;
}

export function readFilekeyWritten(fields: Fields): FilekeyWritten {
  return { ...readWritten(fields), id: fields.bytes(Key.Filekey, 16) };
}

export function readFilekey(fields: Fields): FilekeyInfo {
  const id = fields.bytes(Key.Filekey, 16);
  const pointer = fields.has(Key.Pointer) ? position(fields.bytes(Key.Pointer, 8), 0, -1n) : undefined;
  const listed = fields.bytes(Key.Deltas);
  if (listed.length % LISTED_DELTA !== 0) throw new ProtocolError("The device's list of Deltas is not whole.");
  const deltas = Array.from({ length: listed.length / LISTED_DELTA }, (_, i) =>
    deltaFrom(listed.subarray(i * LISTED_DELTA, (i + 1) * LISTED_DELTA), i + 1),
  );
  return { id, pointer, deltas };
}

export function readRange(fields: Fields): { start: bigint; end: bigint } {
  const data = fields.bytes(Key.Data, 16);
  return rangeFrom(data, 0);
}

export function readDelta(fields: Fields): DeltaInfo {
  const sequence = fields.uint(Key.Sequence);
  return deltaFrom(fields.bytes(Key.Data, LISTED_DELTA), sequence);
}

function deltaFrom(listed: Uint8Array, sequence: number): DeltaInfo {
  return { sequence, id: listed.slice(0, 16), ...rangeFrom(listed, 16) };
}

function rangeFrom(bytes: Uint8Array, at: number): { start: bigint; end: bigint } {
  const start = position(bytes, at, 0n);
  return { start, end: position(bytes, at + 8, start) };
}

/** @throws ProtocolError for one below `least` */
function position(bytes: Uint8Array, at: number, least: bigint): bigint {
  const found = new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(at, true);
  if (found >= least) return found;
  throw new ProtocolError(
    `The device answered position ${found}, which cannot be.`,
    "Compare client and firmware versions.",
  );
}
