/** What the device is asked, typed. SPEC.md §9. */
import type { Origin, Tier, Usage } from "../../firmware/defs/record.js";

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
