/** The filekeys that a configuration root knows: adding and forgetting them, pulling and importing Deltas, and finding the Delta of a
 *  position. Positions are claimed in claimant.ts. */
import { randomBytes } from "node:crypto";
import { NotFoundError } from "../client/errors.js";
import type { Authority } from "./authority.js";
import type { ClaimCache } from "./cache.js";
import type { Entry } from "./core.js";
import { compare, deltaAt, importDelta, type Means, pull } from "./deltas.js";
import { addTo, authorityOf, checkNamed, filekeyIn, type Reach } from "./known.js";
import { type FilekeyName, ID_SIZE, type LocalDelta, nameOf } from "./state.js";

/** A Delta without its secret. */
export interface DeltaStatus {
  readonly sequence: number;
  readonly id: Uint8Array;
  readonly entry: Entry;
}

export interface FilekeyStatus extends FilekeyName {
  readonly deltas: readonly DeltaStatus[];
}

export interface DeltaSecret {
  readonly sequence: number;
  readonly id: Uint8Array;
  /** 32 bytes, which the caller is to wipe. */
  readonly secret: Uint8Array;
}

export class Filekeys {
  readonly #cache: ClaimCache;
  readonly #means: Means;
  readonly #reach: Reach;

  constructor(cache: ClaimCache, means: Means, reach: Reach) {
    this.#cache = cache;
    this.#means = means;
    this.#reach = reach;
  }

  /** All filekeys known here, with their claims. */
  all(): Promise<FilekeyStatus[]> {
    return this.#cache.look((state) =>
      [...state.values()].map(({ deltas, ...named }) => ({ ...named, deltas: deltas.map(withoutSecret) })),
    );
  }

  /** Makes a filekey known, without Deltas. @throws UsageError when it is known with another authority */
  add(named: FilekeyName): Promise<void> {
    return this.#cache.change(async (state, save) => {
      addTo(state, named);
      await save();
    });
  }

  /** Calls a filekey otherwise on this computer. */
  rename(key: Uint8Array, name: string): Promise<void> {
    return this.#cache.change(async (state, save) => {
      const renamed = { ...filekeyIn(state, key), name };
      checkNamed(renamed);
      state.set(nameOf(key), renamed);
      await save();
    });
  }

  /** Makes the next Delta at the authority, and pulls it. Of the one before nothing more is claimed. @returns its sequence
   *  @throws AuthorityError Conflict: another computer was faster */
  renew(key: Uint8Array): Promise<number> {
    return this.#cache.change(async (state, save) => {
      const filekey = filekeyIn(state, key);
      const authority = await authorityOf(filekey, this.#reach);
      const { sequence } = (await compare(filekey, authority)).at(-1)!;
      await authority.renew(filekey.id, sequence, randomBytes(ID_SIZE));
      await pull(filekey, authority, await compare(filekey, authority), this.#means);
      await save();
      return sequence + 1;
    });
  }

  /** Forgets a filekey, its claims, its floor and the secrets of its Deltas. @returns whether it was known */
  forget(key: Uint8Array): Promise<boolean> {
    return this.#cache.change(async (state, save) => {
      const found = state.get(nameOf(key));
      if (found === undefined) return false;
      for (const { secret } of found.deltas) secret.fill(0);
      state.delete(nameOf(key));
      await save();
      return true;
    });
  }

  /** Gets all Deltas that the authority has and that are missing here. @returns their sequences */
  pull(key: Uint8Array): Promise<number[]> {
    return this.#cache.change(async (state, save) => {
      const filekey = filekeyIn(state, key);
      const authority = await authorityOf(filekey, this.#reach);
      const pulled = await pull(filekey, authority, await compare(filekey, authority), this.#means);
      if (pulled.length > 0) await save();
      return pulled;
    });
  }

  /** The secret of the Delta that a position belongs to; what is missing up to that Delta is pulled. @throws NotFoundError when none has it */
  async secretAt(key: Uint8Array, position: bigint): Promise<DeltaSecret> {
    const found = await this.#cache.look((state) => secretIn(filekeyIn(state, key).deltas, position));
    if (found !== undefined) return found;
    return this.#cache.change(async (state, save) => {
      const filekey = filekeyIn(state, key);
      const authority = await authorityOf(filekey, this.#reach);
      const remote = await compare(filekey, authority);
      const target = deltaAt(remote, position);
      if (target === undefined)
        throw new NotFoundError(
          `No Delta of ${nameOf(key)} has the position ${position}. Nothing was changed.`,
          "The file is of another filekey, or its authority was set back.",
        );
      await pull(filekey, authority, remote, this.#means, target.sequence);
      await save();
      return secretIn(filekey.deltas, position)!;
    });
  }

  /** The sealed container of a Delta that is known here. @throws NotFoundError */
  container(key: Uint8Array, sequence: number): Promise<Uint8Array> {
    return this.#cache.look((state) => {
      const found = filekeyIn(state, key).deltas[sequence - 1];
      if (found !== undefined) return found.container;
      throw new NotFoundError(`Delta ${sequence} of ${nameOf(key)} is not known here.`, "Pull it: mbs delta pull");
    });
  }

  /** Adds a sealed Delta from a file. Its filekey must be known here; the authority is not asked what it has.
   *  @param opener a device that has the Alpha. @throws NotFoundError, ClaimError, AuthorityError NotGenuine */
  import(container: Uint8Array, opener: Pick<Authority, "name" | "open">): Promise<DeltaStatus & { isNew: boolean }> {
    const { key } = this.#means.readHead(container);
    return this.#cache.change(async (state, save) => {
      const { delta, isNew } = await importDelta(filekeyIn(state, key), opener, container, this.#means);
      if (isNew) await save();
      return { ...withoutSecret(delta), isNew };
    });
  }
}

function withoutSecret({ sequence, id, entry }: LocalDelta): DeltaStatus {
  return { sequence, id, entry };
}

function secretIn(deltas: readonly LocalDelta[], position: bigint): DeltaSecret | undefined {
  const found = deltas.find(({ entry }) => deltaAt([entry], position) !== undefined);
  return found && { sequence: found.sequence, id: found.id, secret: Uint8Array.from(found.secret) };
}
