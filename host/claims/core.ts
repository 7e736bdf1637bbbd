/** The rules of the claim cache, build/claims.wasm, for one entry at a time: the entry is written into its memory, a call is made, the
 *  entry is read back. Nothing of the rules stands here. SPEC.md §15. Relies on V8, or on any engine that a caller brings. */
import { readFileSync } from "node:fs";
import {
  CACHE_CLAIMS,
  CACHE_ENTRY,
  CACHE_OFF_END,
  CACHE_OFF_FLOOR,
  CACHE_OFF_OFFLINE,
  CACHE_OFF_OFFLINE_COUNT,
  CACHE_OFF_PERFORMANCE,
  CACHE_OFF_PERFORMANCE_COUNT,
  CACHE_OFF_START,
  CACHE_RESULT,
  CACHE_SIZE,
  CACHED_OFF_END,
  CACHED_OFF_LATEST,
  CACHED_OFF_START,
  CACHED_SIZE,
  CacheAnswer,
  RESULT_OFF_FIRST,
  RESULT_OFF_SECOND,
} from "../../firmware/defs/claims.js";
import { FileError } from "../client/errors.js";
import type { Range } from "./authority.js";

/** A range that was reserved, and how far it is used. */
export interface Claim extends Range {
  /** Last position that was used; start - 1n before the first. */
  readonly latest: bigint;
}

/** What a computer keeps of one iteration of a filekey. Claims stand by start, at most CACHE_CLAIMS for each reason. */
export interface Entry extends Range {
  /** Highest position that was ever reserved here; start - 1n before the first. */
  readonly floor: bigint;
  readonly performance: readonly Claim[];
  readonly offline: readonly Claim[];
}

/** Configured sizes in bytes; what is used of them is capped by the iteration. */
export interface Sizes {
  readonly performance: bigint;
  readonly offline: bigint;
}

/** What is to be reserved: the part that the request comes from, and the part for offline work. */
export interface Plan {
  readonly main: bigint;
  readonly tail: bigint;
}

/** Positions that were given, and the entry without them. */
export interface Given {
  readonly range: Range;
  readonly entry: Entry;
}

/** The exports of claims.wasm. */
export interface ClaimsModule {
  /** Linear memory, which stays where it is. */
  readonly memory: Uint8Array;
  call(name: Exclude<ExportName, "effective">, ...args: readonly bigint[]): number;
  effective(configured: bigint): bigint;
}
export type ExportName = "accept" | "check" | "effective" | "fallback" | "forward" | "hit" | "open" | "plan";

const I64_MAX = 2n ** 63n - 1n;
const UP = ["../..", "../../.."]; // from the sources, from dist/

/** claims.wasm of this package in V8. @throws FileError when it was never built */
export function loadClaims(): ClaimsModule {
  for (const up of UP) {
    const bytes = readIfThere(new URL(`${up}/build/claims.wasm`, import.meta.url));
    if (bytes !== undefined) return inV8(bytes);
  }
  throw new FileError("build/claims.wasm is missing.", "Run: npm run build");
}

function readIfThere(url: URL): Uint8Array | undefined {
  try {
    return readFileSync(url);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The part of WebAssembly that is used here: Node has it, its types do not say so. */
interface Wasm {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (
    module: object,
  ) => {
    exports: Record<ExportName, (...args: (bigint | number)[]) => number | bigint> & {
      memory: { buffer: ArrayBuffer };
    };
  };
}

/** A module in V8. */
export function inV8(bytes: Uint8Array): ClaimsModule {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;
  const { exports } = new Instance(new Module(bytes));
  return {
    memory: new Uint8Array(exports.memory.buffer),
    // the last argument of plan is a flag, i32
    call: (name, ...args) =>
      Number(exports[name](...(name === "plan" ? [...args.slice(0, 4), Number(args[4])] : args))),
    effective: (configured) => BigInt(exports.effective(configured)),
  };
}

/** The rules. What a call answers other than Done changes nothing; firmware/defs/claims.ts says what each means. */
export class Core {
  readonly #module: ClaimsModule;
  readonly #view: DataView;

  constructor(module: ClaimsModule = loadClaims()) {
    this.#module = module;
    this.#view = new DataView(module.memory.buffer, module.memory.byteOffset, module.memory.byteLength);
  }

  /** The entry of an iteration that nothing was reserved of. @returns undefined when no such iteration can be */
  open({ start, end }: Range): Entry | undefined {
    if (!isI64(start, end) || this.#module.call("open", start, end) !== CacheAnswer.Done) return undefined;
    return this.#read();
  }

  /** Whether an entry keeps every invariant. */
  isSound(entry: Entry): boolean {
    return this.#write(entry) && this.#module.call("check") === CacheAnswer.Done;
  }

  /** What a configured size comes to in this iteration. */
  effective(entry: Entry, configured: bigint): bigint {
    if (!isSize(configured) || !this.isSound(entry)) return 0n;
    return this.#module.effective(configured);
  }

  /** A request served from a performance claim. */
  hit(entry: Entry, request: bigint, performance: bigint): Given | CacheAnswer {
    return this.#give(entry, [request, performance], "hit");
  }

  /** A request served from an offline claim. */
  fallback(entry: Entry, request: bigint): Given | CacheAnswer {
    return this.#give(entry, [request], "fallback");
  }

  /** What to reserve for a request that missed. @param latest the authority's pointer  @param renewed for this request already */
  plan(entry: Entry, request: bigint, latest: bigint, sizes: Sizes, renewed: boolean): Plan | CacheAnswer {
    const args = [request, latest, sizes.performance, sizes.offline, renewed ? 1n : 0n];
    const answer = this.#call(entry, args, "plan");
    return answer === CacheAnswer.Done ? { main: this.#first(), tail: this.#second() } : answer;
  }

  /** A reserved range, and the request served out of it. */
  accept(entry: Entry, range: Range, request: bigint, plan: Plan, performance: bigint): Given | CacheAnswer {
    if (!isI64(range.start, range.end)) return CacheAnswer.WrongRange;
    return this.#give(entry, [range.start, range.end, request, plan.main, plan.tail, performance], "accept");
  }

  /** The floor raised to where the authority's pointer was moved. */
  forward(entry: Entry, position: bigint): Entry | CacheAnswer {
    const answer = this.#call(entry, [position], "forward");
    return answer === CacheAnswer.Done ? this.#read() : answer;
  }

  #give(entry: Entry, args: readonly bigint[], name: "hit" | "fallback" | "accept"): Given | CacheAnswer {
    const answer = this.#call(entry, args, name);
    if (answer !== CacheAnswer.Done) return answer;
    return { range: { start: this.#first(), end: this.#second() }, entry: this.#read() };
  }

  #call(entry: Entry, args: readonly bigint[], name: Exclude<ExportName, "effective" | "open" | "check">): CacheAnswer {
    if (!isI64(...args)) return CacheAnswer.BadArgument; // bits above would be dropped on the way
    if (!this.#write(entry)) return CacheAnswer.Damaged;
    return this.#module.call(name, ...args);
  }

  #first(): bigint {
    return this.#view.getBigInt64(CACHE_RESULT + RESULT_OFF_FIRST, true);
  }
  #second(): bigint {
    return this.#view.getBigInt64(CACHE_RESULT + RESULT_OFF_SECOND, true);
  }

  /** @returns false when the entry does not fit into its place */
  #write(entry: Entry): boolean {
    const { performance, offline } = entry;
    if (performance.length > CACHE_CLAIMS || offline.length > CACHE_CLAIMS) return false;
    if (!isI64(entry.start, entry.end, entry.floor)) return false;
    if (![...performance, ...offline].every((claim) => isI64(claim.start, claim.end, claim.latest))) return false;
    this.#module.memory.fill(0, CACHE_ENTRY, CACHE_ENTRY + CACHE_SIZE);
    const view = this.#view;
    view.setBigInt64(CACHE_ENTRY + CACHE_OFF_START, entry.start, true);
    view.setBigInt64(CACHE_ENTRY + CACHE_OFF_END, entry.end, true);
    view.setBigInt64(CACHE_ENTRY + CACHE_OFF_FLOOR, entry.floor, true);
    view.setUint32(CACHE_ENTRY + CACHE_OFF_PERFORMANCE_COUNT, performance.length, true);
    view.setUint32(CACHE_ENTRY + CACHE_OFF_OFFLINE_COUNT, offline.length, true);
    this.#writeClaims(CACHE_OFF_PERFORMANCE, performance);
    this.#writeClaims(CACHE_OFF_OFFLINE, offline);
    return true;
  }

  #writeClaims(offset: number, claims: readonly Claim[]): void {
    claims.forEach((claim, i) => {
      const at = CACHE_ENTRY + offset + i * CACHED_SIZE;
      this.#view.setBigInt64(at + CACHED_OFF_START, claim.start, true);
      this.#view.setBigInt64(at + CACHED_OFF_END, claim.end, true);
      this.#view.setBigInt64(at + CACHED_OFF_LATEST, claim.latest, true);
    });
  }

  #read(): Entry {
    const at = (offset: number) => this.#view.getBigInt64(CACHE_ENTRY + offset, true);
    return {
      start: at(CACHE_OFF_START),
      end: at(CACHE_OFF_END),
      floor: at(CACHE_OFF_FLOOR),
      performance: this.#readClaims(CACHE_OFF_PERFORMANCE_COUNT, CACHE_OFF_PERFORMANCE),
      offline: this.#readClaims(CACHE_OFF_OFFLINE_COUNT, CACHE_OFF_OFFLINE),
    };
  }

  #readClaims(counted: number, offset: number): Claim[] {
    const length = this.#view.getUint32(CACHE_ENTRY + counted, true);
    return Array.from({ length }, (_, i) => {
      const at = (field: number) => this.#view.getBigInt64(CACHE_ENTRY + offset + i * CACHED_SIZE + field, true);
      return { start: at(CACHED_OFF_START), end: at(CACHED_OFF_END), latest: at(CACHED_OFF_LATEST) };
    });
  }
}

function isI64(...values: readonly bigint[]): boolean {
  return values.every((value) => value >= -I64_MAX - 1n && value <= I64_MAX);
}

function isSize(value: bigint): boolean {
  return value >= 0n && value <= I64_MAX;
}
