/** Who hands out positions of a filekey: the board first; a file or a service may come later behind the same interface.
 *  Positions are 0 … 2⁶³−1; -1n: none yet. Design: firmware/DESIGN.md §11; seed: the claiming system. */
import { MbsError } from "../client/errors.js";

/** A range of positions, both ends included. */
export interface Range {
  readonly start: bigint;
  readonly end: bigint;
}

/** One iteration of a filekey as its authority knows it. */
export interface Delta extends Range {
  /** 1, 2, … */
  readonly sequence: number;
  /** 16 bytes. */
  readonly id: Uint8Array;
  /** Last position that was handed out; start - 1n before the first. */
  readonly latest: bigint;
}

export interface Authority {
  /** As people name it; also what a cache remembers it by, so that no other one serves the same filekey. */
  readonly name: string;
  /** All Deltas of a filekey, by sequence. */
  deltas(key: Uint8Array): Promise<readonly Delta[]>;
  /** The next `size` positions of the newest Delta, durable before they are answered.
   *  @param sequence of the newest Delta that the caller knows
   *  @param request 16 random bytes: the same ones, asked again while nothing else was, get the same range
   *  @throws AuthorityError TooLarge: more than the Delta has left; Conflict: there is a newer one. Nothing was handed out. */
  reserve(key: Uint8Array, sequence: number, size: bigint, request: Uint8Array): Promise<Range>;
  /** Makes the Delta after `expected`, the newest one that the caller knows. @param id 16 random bytes, the new one's
   *  @throws AuthorityError Conflict: there is a newer one already */
  renew(key: Uint8Array, expected: number, id: Uint8Array): Promise<Delta>;
  /** Moves the pointer of the newest Delta, which is to be `sequence`, on by `size` without handing anything out. @returns the pointer */
  forward(key: Uint8Array, sequence: number, size: bigint): Promise<bigint>;
  /** The sealed container of a Delta, metadata in clear at its begin. */
  container(key: Uint8Array, sequence: number): Promise<Uint8Array>;
  /** The 32-byte secret of a Delta, from its container. @throws AuthorityError NotGenuine */
  open(key: Uint8Array, container: Uint8Array): Promise<Uint8Array>;
}

/** Why an authority did not do it. Only `Unavailable` lets a request fall back on what was claimed for offline work. */
export type AuthorityFailure =
  /** Port absent, busy or lost, timeout, no hello, Busy. It may or may not have happened. */
  | "Unavailable"
  | "NoSuchFilekey"
  /** It knows the filekey and does not hand out its positions. */
  | "NotAuthority"
  | "TooLarge"
  | "Conflict"
  | "NotGenuine"
  /** Anything else: authentication, role, presence, version, a store that is full or degraded. */
  | "Refused";

export class AuthorityError extends MbsError {
  readonly code = "authority";
  /** An authority that is not there is a device that is not there. */
  override readonly exitCode: number;

  constructor(
    readonly failure: AuthorityFailure,
    message: string,
    hint = "",
    options?: ErrorOptions,
  ) {
    super(message, hint, options);
    this.exitCode = failure === "Unavailable" ? 3 : 1;
  }
}
