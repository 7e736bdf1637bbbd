/** The binding record: what a core was bound to when its image was built. SPEC.md §19, firmware/defs/binding.ts. */
import {
  type Atomic,
  BINDING_MAGIC,
  BINDING_OFF_ATOMIC,
  BINDING_OFF_CONSTANT_TIME,
  BINDING_OFF_CORE,
  BINDING_OFF_CUSTODY,
  BINDING_OFF_DATA,
  BINDING_OFF_ENGINE,
  BINDING_OFF_ENTROPY,
  BINDING_OFF_MAGIC,
  BINDING_OFF_MANIFEST,
  BINDING_OFF_PRESENCE,
  BINDING_OFF_SEALING,
  BINDING_OFF_SLOTS,
  BINDING_OFF_TARGET,
  BINDING_OFF_UNIT,
  BINDING_OFF_VERSION,
  BINDING_SIZE,
  BINDING_VERSION,
  type BoundMedium,
  type ConstantTime,
  type Engine,
  type EntropySource,
  type PresenceSource,
  type RootPlace,
  type Sealing,
  type Target,
} from "../firmware/defs/binding.js";

export interface Binding {
  target: Target;
  engine: Engine;
  constantTime: ConstantTime;
  /** SHA-256 of core.wasm. */
  core: Uint8Array;
  /** SHA-256 of target.json. */
  manifest: Uint8Array;
  slots: BoundMedium;
  data: BoundMedium;
  atomic: Atomic;
  /** Bytes that the medium of `atomic` programs at a time. */
  unit: number;
  sealing: Sealing;
  custody: RootPlace;
  entropy: EntropySource;
  presence: PresenceSource;
}

/** The fields of one byte. */
const BYTES = {
  target: BINDING_OFF_TARGET,
  engine: BINDING_OFF_ENGINE,
  constantTime: BINDING_OFF_CONSTANT_TIME,
  slots: BINDING_OFF_SLOTS,
  data: BINDING_OFF_DATA,
  atomic: BINDING_OFF_ATOMIC,
  unit: BINDING_OFF_UNIT,
  sealing: BINDING_OFF_SEALING,
  custody: BINDING_OFF_CUSTODY,
  entropy: BINDING_OFF_ENTROPY,
  presence: BINDING_OFF_PRESENCE,
} as const;
const HASH = 32;

/** @returns BINDING_SIZE bytes */
export function encodeBinding(binding: Binding): Uint8Array {
  const bytes = Buffer.alloc(BINDING_SIZE);
  bytes.writeUInt32LE(BINDING_MAGIC, BINDING_OFF_MAGIC);
  bytes.writeUInt8(BINDING_VERSION, BINDING_OFF_VERSION);
  for (const name of names()) bytes.writeUInt8(binding[name], BYTES[name]);
  bytes.set(binding.core, BINDING_OFF_CORE);
  bytes.set(binding.manifest, BINDING_OFF_MANIFEST);
  return bytes;
}

/** @returns undefined for bytes that are no record of this version: firmware may be older or newer than its host. Numbers that this host
 *  does not know stay numbers. */
export function decodeBinding(bytes: Uint8Array): Binding | undefined {
  if (bytes.length !== BINDING_SIZE) return undefined;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.readUInt32LE(BINDING_OFF_MAGIC) !== BINDING_MAGIC || view[BINDING_OFF_VERSION] !== BINDING_VERSION)
    return undefined;
  const numbers = Object.fromEntries(names().map((name) => [name, view.readUInt8(BYTES[name])]));
  return {
    ...(numbers as Record<keyof typeof BYTES, number>),
    core: bytes.slice(BINDING_OFF_CORE, BINDING_OFF_CORE + HASH),
    manifest: bytes.slice(BINDING_OFF_MANIFEST, BINDING_OFF_MANIFEST + HASH),
  };
}

function names(): (keyof typeof BYTES)[] {
  return Object.keys(BYTES) as (keyof typeof BYTES)[];
}
