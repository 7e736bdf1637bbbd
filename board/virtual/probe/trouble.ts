/** What may go wrong between a debugger and the part, for tests: switched on by a plan, and counted in transactions of the debug port. */
import type { MemoryBus } from "./ap.js";

/** Transactions from number `from` on, counted from 0; for good unless it says how many. */
export interface Span {
  from: number;
  count?: number;
}

export interface Plan {
  /** Transactions are counted from the first access to this address on; otherwise from `cause()` on. */
  after?: number;
  /** The probe is unplugged at this transaction; a new client finds it again. */
  dies?: number;
  /** Transactions with an access port are answered WAIT. */
  waits?: Span;
  /** Transactions with an access port meet an error of the bus: FAULT from the next one on, until it is cleared. */
  errors?: Span;
  /** Reads are answered with the wrong parity, on serial wire. */
  parity?: Span;
  /** Another identity of the debug port. */
  dpidr?: number;
  /** Reads of the word that holds this address bring other bits, those of the mask. */
  alters?: { address: number; mask: number };
  /** The part refuses access to its memory, as a closed life-cycle state would: the access port is there and disabled (ADIv5.2 C2.6.4).
   *  What the part itself does then was never seen. */
  locked?: boolean;
}

export class Trouble {
  /** Transactions since creation. */
  transactions = 0;
  #plan: Plan = {};
  #since = 0;
  #gone = false;

  /** Replaces what was planned before; `{}` ends all trouble. */
  cause(plan: Plan): void {
    this.#plan = plan;
    this.#since = plan.after === undefined ? this.transactions : Number.POSITIVE_INFINITY;
    this.#gone = false;
  }

  /** A transaction begins. */
  begin(): void {
    if (this.transactions++ - this.#since === this.#plan.dies) this.#gone = true;
  }

  /** Whether the probe was unplugged since this was asked last. */
  unplugged(): boolean {
    const gone = this.#gone;
    this.#gone = false;
    return gone;
  }

  get waits(): boolean {
    return this.#now(this.#plan.waits);
  }
  /** The same of the transaction that comes next. */
  get waitsNext(): boolean {
    return this.#in(this.#plan.waits, this.transactions);
  }
  get errors(): boolean {
    return this.#now(this.#plan.errors);
  }
  get wrongParity(): boolean {
    return this.#now(this.#plan.parity);
  }
  get locked(): boolean {
    return this.#plan.locked === true;
  }
  get dpidr(): number | undefined {
    return this.#plan.dpidr;
  }

  /** The memory as it seems to be. */
  around(bus: MemoryBus): MemoryBus {
    return {
      read: (address, size) => {
        this.#accessed(address);
        const value = this.locked ? undefined : bus.read(address, size);
        return value === undefined ? undefined : (value ^ this.#altered(address, size)) >>> 0;
      },
      write: (address, size, value) => {
        this.#accessed(address);
        return !this.locked && bus.write(address, size, value);
      },
    };
  }

  #accessed(address: number): void {
    if (address === this.#plan.after) this.#since = Math.min(this.#since, this.transactions);
  }

  #altered(address: number, size: number): number {
    const { alters } = this.#plan;
    if (alters === undefined || address >>> 2 !== alters.address >>> 2) return 0;
    return (alters.mask >>> (8 * (address & 3))) & (size === 4 ? -1 : (1 << (8 * size)) - 1);
  }

  /** The transaction under way is the last one that began. */
  #now(span: Span | undefined): boolean {
    return this.#in(span, this.transactions - 1);
  }

  #in(span: Span | undefined, transaction: number): boolean {
    if (span === undefined) return false;
    const n = transaction - this.#since - span.from;
    return n >= 0 && n < (span.count ?? Number.POSITIVE_INFINITY);
  }
}
