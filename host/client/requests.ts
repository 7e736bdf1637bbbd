/** What the device is asked, typed. SPEC.md §9. */
import type { Origin, Tier, Usage } from "../../firmware/defs/record.js";
import type { Role } from "../../firmware/defs/session.js";

export interface PutRequest {
  /** Parts, as `encodeParts` of record.ts makes them. */
  body: Uint8Array;
  label?: string;
  usage: Usage;
  tier: Tier;
  policy: number;
  /** Index of a slot class; absent: the smallest that fits. */
  slotClass?: number;
  token?: Uint8Array;
}

/** A key that the device makes; its secret never leaves it. */
export type GenerateRequest = Omit<PutRequest, "body">;

/** A filekey that the device makes and hands out positions of. */
export interface FilekeyRequest extends Omit<PutRequest, "body" | "usage"> {
  /** Positions of each of its Deltas, 1 … 2⁶³−1. */
  capacity: bigint;
}

/** A filekey of another device. */
export interface FilekeyImport extends Omit<PutRequest, "body" | "usage"> {
  /** What `filekeyExport` gave: FILEKEY_HEAD bytes, with the Alpha in them. */
  head: Uint8Array;
}

/** What happens to the shared secret on the device, HKDF-SHA-256 at the least. */
export interface AgreeOptions {
  /** ≤ SALT_MAX bytes. */
  salt: Uint8Array;
  /** HKDF info, ≤ CONTEXT_MAX bytes. */
  context: Uint8Array;
  /** Ciphertext and tag that the device opens with the derived key, and gives out instead of it. */
  wrapped?: Uint8Array;
}

/** A key of an operator, as the device is given it. */
export interface OperatorKey {
  id: string;
  /** PSK_SIZE bytes. */
  key: Uint8Array;
}

export interface NewOperator extends OperatorKey {
  /** Auditor, user or admin. */
  role: Role;
}

/** What must hold of an entry, all of it. */
export interface FindRequest {
  label?: string;
  labelPrefix?: string;
  usage?: Usage;
  tier?: Tier;
  origin?: Origin;
  epochMin?: number;
  epochMax?: number;
}

/** One slot class of a manifest. */
export interface Geometry {
  /** Bytes of one slot, header included: a multiple of UNIT. */
  slotSize: number;
  blocks: number;
}
