/** What tests need of an authority besides its answers: they make filekeys, ask as another computer would, see the calls and make them fail. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Authority,
  AuthorityError,
  type AuthorityFailure,
  type Delta,
  type Range,
} from "../../host/claims/authority.js";
import type { ReadHead } from "../../host/claims/deltas.js";

/** What may be made to go wrong, call by call; it runs before the call does. */
export type Before = (call: keyof Authority) => void | Promise<void>;

export abstract class TestAuthority implements Authority {
  /** Calls so far, such as "reserve 1000". */
  readonly calls: string[] = [];
  before: Before = () => {};
  /** Changes a range on its way to whoever asked. */
  twist: (range: Range) => Range = (range) => range;
  abstract readonly name: string;
  /** Reads the head of its containers. */
  abstract readonly readHead: ReadHead;

  /** Makes a filekey with its first Delta. */
  abstract create(capacity: bigint): Uint8Array;
  abstract newest(key: Uint8Array): Pick<Delta, "sequence" | "latest">;
  /** Moves the pointer, as if another computer had asked. */
  abstract take(key: Uint8Array, size: bigint): Range;

  abstract deltas(key: Uint8Array): Promise<readonly Delta[]>;
  abstract reserve(key: Uint8Array, sequence: number, size: bigint, request: Uint8Array): Promise<Range>;
  abstract renew(key: Uint8Array, expected: number, id: Uint8Array): Promise<Delta>;
  abstract forward(key: Uint8Array, sequence: number, size: bigint): Promise<bigint>;
  abstract container(key: Uint8Array, sequence: number): Promise<Uint8Array>;
  abstract open(key: Uint8Array, container: Uint8Array): Promise<Uint8Array>;

  /** To be awaited by each call before anything is done. */
  protected async called(call: keyof Authority, detail: bigint | number | string = ""): Promise<void> {
    this.calls.push(`${call} ${detail}`.trim());
    await sleep(0); // a real one does not answer at once
    await this.before(call);
  }
}

export function fail(failure: AuthorityFailure): AuthorityError {
  return new AuthorityError(failure, `The mock says ${failure}.`);
}

/** Fails one kind of call, or all. */
export function failing(failure: AuthorityFailure, ...which: (keyof Authority)[]): Before {
  return (call) => {
    if (which.length === 0 || which.includes(call)) throw fail(failure);
  };
}
