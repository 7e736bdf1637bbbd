/** Claims: how a request for positions is served. First from a performance claim; then, unless offline mode is on, by the authority;
 *  from an offline claim when the authority is unavailable or not to be asked. Every change is on disk before positions are returned.
 *  The rules are the core's, firmware/claim/cache.ts; here is their order, and who is asked. Seed: end-to-end claim decision flow. */
import { randomBytes } from "node:crypto";
import { CacheAnswer } from "../../firmware/defs/claims.js";
import { ProtocolError, UsageError } from "../client/errors.js";
import { type Authority, AuthorityError, type AuthorityFailure, type Range } from "./authority.js";
import type { ClaimCache } from "./cache.js";
import type { Given, Sizes } from "./core.js";
import { compare, type Means, pull } from "./deltas.js";
import { behind, ClaimError, refusal, unsafe, wrongRange } from "./errors.js";
import { addTo, authorityOf, filekeyIn, type Reach } from "./known.js";
import { type Filekey, type FilekeyName, ID_SIZE, type LocalDelta, nameOf } from "./state.js";

/** How often an answer of the authority may be overtaken by what another computer does. */
const ROUNDS = 5;
/** How an authority says that it was. */
const OVERTAKEN: readonly AuthorityFailure[] = ["TooLarge", "Conflict"];
/** What an import claims, so that the way of a claim is gone once. */
const SYNTHETIC = 1n;

export interface Wish {
  /** 16 bytes: the filekey. */
  readonly key: Uint8Array;
  /** Positions, at least one. */
  readonly size: bigint;
  /** As configured, in bytes. */
  readonly sizes: Sizes;
  readonly offlineMode: boolean;
}

export interface Claimed {
  readonly range: Range;
  readonly sequence: number;
  readonly delta: Uint8Array;
  /** The Delta's, 32 bytes, which the caller is to wipe. */
  readonly secret: Uint8Array;
  readonly from: "performance" | "authority" | "offline";
}

export interface Forwarded {
  readonly sequence: number;
  /** The authority's pointer, and the floor here. */
  readonly latest: bigint;
  readonly remaining: bigint;
}

export class Claimant {
  readonly #cache: ClaimCache;
  readonly #means: Means;
  readonly #reach: Reach;

  constructor(cache: ClaimCache, means: Means, reach: Reach) {
    this.#cache = cache;
    this.#means = means;
    this.#reach = reach;
  }

  /** Claims positions that nobody had and nobody gets again.
   *  @throws ClaimError, AuthorityError, FileError: nothing was given; what was reserved meanwhile is lost */
  async claim(wish: Wish): Promise<Claimed> {
    checkSize(wish.size);
    return this.#cache.change((state, save) => this.#serve(filekeyIn(state, wish.key), wish, save));
  }

  /** Makes a filekey known here, gets all its Deltas and claims one position, which fills the caches. After an error it is not known. */
  adopt(named: FilekeyName, sizes: Sizes): Promise<Claimed> {
    return this.#cache.change((state, save) => {
      const filekey = addTo(state, named);
      return this.#serve(filekey, { key: filekey.id, size: SYNTHETIC, sizes, offlineMode: false }, save);
    });
  }

  /** Moves the authority's pointer on, and the floor with it; no claim here is used up.
   *  @throws ClaimError Behind, TooLarge, Unsafe before anything was moved */
  async forward(key: Uint8Array, size: bigint): Promise<Forwarded> {
    checkSize(size);
    return this.#cache.change(async (state, save) => {
      const filekey = filekeyIn(state, key);
      const authority = await authorityOf(filekey, this.#reach);
      const remote = await compare(filekey, authority);
      const newest = remote.at(-1)!;
      const local = filekey.deltas.at(-1);
      if (local === undefined || remote.length > filekey.deltas.length)
        throw behind(nameOf(filekey.id), filekey.deltas.length, newest.sequence);
      if (size > newest.end - newest.latest)
        throw new ClaimError(
          "TooLarge",
          `Delta ${newest.sequence} has ${newest.end - newest.latest} positions left, fewer than ${size}. Nothing was moved.`,
          "Move it by less; or have the next Delta made: mbs delta renew.",
        );
      const expected = newest.latest + size;
      if (typeof this.#means.core.forward(local.entry, expected) === "number")
        throw new ClaimError(
          "Unsafe",
          `Position ${expected} is not above ${local.entry.floor}, which this computer reserved already. Nothing was moved.`,
          `The authority was set back. Forward it by more than ${local.entry.floor - newest.latest}.`,
        );
      await save(); // a disk that cannot be written is found before the authority moves
      const latest = await authority.forward(filekey.id, newest.sequence, size);
      const entry = this.#means.core.forward(local.entry, latest);
      if (latest < expected || typeof entry === "number")
        throw new ProtocolError(
          `${authority.name} moved its pointer to ${latest}; expected was ${expected}. The floor here was not moved.`,
          "Look what another computer does with this filekey, then try again: mbs claim status.",
        );
      local.entry = entry;
      await save();
      return { sequence: local.sequence, latest, remaining: newest.end - latest };
    });
  }

  async #serve(filekey: Filekey, wish: Wish, save: () => Promise<void>): Promise<Claimed> {
    const { core } = this.#means;
    const local = filekey.deltas.at(-1);
    const hit = local && core.hit(local.entry, wish.size, wish.sizes.performance);
    if (local !== undefined && isGiven(hit)) return finish(local, hit, "performance", save);
    if (wish.offlineMode) return this.#fallBack(filekey, wish, save);
    const trial: Filekey = { ...filekey, deltas: filekey.deltas.map((delta) => ({ ...delta })) };
    try {
      const { delta, given } = await this.#external(trial, wish);
      filekey.deltas = trial.deltas;
      return await finish(delta, given, "authority", save);
    } catch (error) {
      // what was pulled does not count, so that a fallback finds the claims of before
      if (filekey.deltas !== trial.deltas)
        for (const { secret } of trial.deltas.slice(filekey.deltas.length)) secret.fill(0);
      if (!(error instanceof AuthorityError) || error.failure !== "Unavailable") throw error;
      return this.#fallBack(filekey, wish, save, error);
    }
  }

  async #fallBack(filekey: Filekey, wish: Wish, save: () => Promise<void>, cause?: AuthorityError): Promise<Claimed> {
    const local = filekey.deltas.at(-1);
    if (local === undefined && cause !== undefined) throw cause;
    const given = local && this.#means.core.fallback(local.entry, wish.size);
    if (local !== undefined && isGiven(given)) return finish(local, given, "offline", save);
    const why = cause === undefined ? "Offline mode is on" : cause.message.replace(/\.$/, "");
    throw new ClaimError(
      "InsufficientOffline",
      `${why}, and no single offline claim has ${wish.size} positions left. Nothing was claimed.`,
      cause === undefined ? "Turn offline mode off, or encrypt a smaller file." : cause.hint,
      { cause },
    );
  }

  /** The way over the authority: reconcile, plan, renew at most once, reserve, accept. */
  async #external(filekey: Filekey, wish: Wish): Promise<{ delta: LocalDelta; given: Given }> {
    const { core } = this.#means;
    const authority = await authorityOf(filekey, this.#reach);
    let renewed = false;
    let beyond: { range: Range; sequence: number } | undefined;
    for (let round = 0; round < ROUNDS; round++) {
      const remote = await compare(filekey, authority);
      await pull(filekey, authority, remote, this.#means);
      const newest = remote.at(-1)!;
      const delta = filekey.deltas.at(-1)!;
      if (beyond?.sequence === newest.sequence) throw wrongRange(beyond.range, authority, delta.entry);
      const plan = core.plan(delta.entry, wish.size, newest.latest, wish.sizes, renewed);
      if (plan === CacheAnswer.Renew) {
        renewed = await isRenewed(authority, filekey, newest.sequence);
        continue;
      }
      if (typeof plan === "number") throw refusal(plan, wish.size, delta.entry);
      const range = await reserved(authority, filekey, newest.sequence, plan.main + plan.tail);
      if (range === undefined) continue;
      if (range.start > delta.entry.end) {
        // another computer renewed in between; what was given is lost, and looked for in no other place
        beyond = { range, sequence: newest.sequence };
        continue;
      }
      // the authority had said so itself, whoever got those positions
      if (range.start <= newest.latest) throw unsafe(range, authority, newest.latest);
      const given = core.accept(delta.entry, range, wish.size, plan, wish.sizes.performance);
      if (isGiven(given)) return { delta, given };
      if (given === CacheAnswer.Unsafe) throw unsafe(range, authority, delta.entry.floor);
      throw wrongRange(range, authority, delta.entry);
    }
    throw new ClaimError(
      "Exhausted",
      "Other computers were faster each time. Nothing was claimed.",
      "Try again; smaller caches leave more for others.",
    );
  }
}

/** Puts a claim on disk, then gives it out. */
async function finish(
  delta: LocalDelta,
  { entry, range }: Given,
  from: Claimed["from"],
  save: () => Promise<void>,
): Promise<Claimed> {
  delta.entry = entry;
  await save();
  return { range, sequence: delta.sequence, delta: delta.id, secret: Uint8Array.from(delta.secret), from };
}

/** @returns false when another computer renewed before */
async function isRenewed(authority: Authority, filekey: Filekey, expected: number): Promise<boolean> {
  try {
    // nothing of the new Delta is kept here before the authority has it: the next round pulls what counts
    await authority.renew(filekey.id, expected, randomBytes(ID_SIZE));
    return true;
  } catch (error) {
    if (error instanceof AuthorityError && error.failure === "Conflict") return false;
    throw error;
  }
}

/** @returns undefined when another computer left too little, or renewed before */
async function reserved(
  authority: Authority,
  filekey: Filekey,
  sequence: number,
  size: bigint,
): Promise<Range | undefined> {
  try {
    return await authority.reserve(filekey.id, sequence, size, randomBytes(ID_SIZE));
  } catch (error) {
    if (error instanceof AuthorityError && OVERTAKEN.includes(error.failure)) return undefined;
    throw error;
  }
}

/** What the core answered, unless it served the request. @throws Error for what no caller may bring about */
function isGiven(answer: Given | CacheAnswer | undefined): answer is Given {
  if (typeof answer === "object") return true;
  if (answer === CacheAnswer.Damaged || answer === CacheAnswer.BadArgument)
    throw new Error(`the claim core refused its argument: ${CacheAnswer[answer]}`);
  return false;
}

function checkSize(size: bigint): void {
  if (size < 1n || size >= 2n ** 63n)
    throw new UsageError(`A claim has from 1 to ${2n ** 63n - 1n} positions; got ${size}.`);
}
