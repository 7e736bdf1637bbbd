/** The filekeys that a state knows, and the way to their authorities. */
import { NotFoundError, UsageError } from "../client/errors.js";
import { type Authority, AuthorityError } from "./authority.js";
import { type Filekey, type FilekeyName, ID_SIZE, NAME_MOST, nameOf, type State } from "./state.js";

/** Finds the authority of that name. @throws AuthorityError Unavailable when it cannot be reached */
export type Reach = (name: string) => Promise<Authority>;

/** The authority of a filekey. @throws AuthorityError NotAuthority when another one answers */
export async function authorityOf({ authority: name }: Filekey, reach: Reach): Promise<Authority> {
  const authority = await reach(name);
  if (authority.name === name) return authority;
  throw new AuthorityError(
    "NotAuthority",
    `${authority.name} is not the authority of this filekey; ${name} is. Nothing was changed.`,
    "Connect the one that it was created on.",
  );
}

/** @throws NotFoundError */
export function filekeyIn(state: State, key: Uint8Array): Filekey {
  const found = state.get(nameOf(key));
  if (found !== undefined) return found;
  throw new NotFoundError(
    `This configuration directory does not know the filekey ${nameOf(key)}. Nothing was changed.`,
    "Import it first: mbs filekey import.",
  );
}

/** @throws UsageError when nothing can be called so */
export function checkNamed({ id, name, authority }: FilekeyName): void {
  if (id.length !== ID_SIZE || authority === "" || authority.length > NAME_MOST || name.length > NAME_MOST)
    throw new UsageError(
      `A filekey has an id of ${ID_SIZE} bytes and an authority, each name at most ${NAME_MOST} characters.`,
    );
}

/** Adds a filekey without Deltas, unless it is there. @throws UsageError when it is there with another authority */
export function addTo(state: State, named: FilekeyName): Filekey {
  checkNamed(named);
  const { id, name, authority } = named;
  const found = state.get(nameOf(id));
  if (found === undefined) {
    const filekey = { id: Uint8Array.from(id), name, authority, deltas: [] };
    state.set(nameOf(id), filekey);
    return filekey;
  }
  if (found.authority === authority) return found;
  throw new UsageError(
    `The filekey ${nameOf(id)} is known here with the authority ${found.authority}, not ${authority}. Nothing was changed.`,
    "A filekey has one authority from its creation on.",
  );
}
