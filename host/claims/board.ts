/** A board as the authority of the filekeys that were created on it: firmware/command/filekeys.ts through a client. An imported filekey
 *  opens Deltas here and gives nothing else. */
import { Usage } from "../../firmware/defs/record.js";
import { Status } from "../../firmware/defs/status.js";
import type { Entry, FilekeyInfo } from "../client/answers.js";
import type { Client } from "../client/client.js";
import { DeviceError, DisconnectedError } from "../client/errors.js";
import { type Authority, AuthorityError, type AuthorityFailure, type Delta, type Range } from "./authority.js";
import { nameOf } from "./state.js";

/** A record of usage filekey. */
export interface BoardFilekey {
  readonly entry: Entry;
  /** Authority: its positions are handed out here. Imported: only opens Deltas. */
  readonly state: "authority" | "imported" | "deleted" | "damaged";
  /** Of an imported one without pointer and Deltas. */
  readonly info: FilekeyInfo | undefined;
}

/** Name of the board with an instance id (16 bytes), as caches remember an authority. */
export function boardName(instance: Uint8Array): string {
  return `${PREFIX}${nameOf(instance)}`;
}

/** Whether a name is that of a board. */
export function isBoardName(name: string): boolean {
  return name.startsWith(PREFIX);
}

const PREFIX = "board:";

/** The filekeys on a board, oldest first. @throws what the client throws */
export async function filekeysOn(client: Client): Promise<BoardFilekey[]> {
  const found: BoardFilekey[] = [];
  for (const entry of await client.find({ usage: Usage.Filekey })) found.push(await look(client, entry));
  return found;
}

async function look(client: Client, entry: Entry): Promise<BoardFilekey> {
  try {
    const info = await client.filekey(entry.handle);
    return { entry, state: info.deltas.length === 0 ? "imported" : "authority", info };
  } catch (error) {
    const state = error instanceof DeviceError ? STATES.get(error.status) : undefined;
    if (state === undefined) throw error;
    return { entry, state, info: undefined };
  }
}

/** What a record is that gives no Deltas. */
const STATES = new Map<Status, BoardFilekey["state"]>([
  [Status.Deleted, "deleted"],
  [Status.Corrupt, "damaged"],
  [Status.Unreadable, "damaged"],
]);

export class BoardAuthority implements Authority {
  readonly name: string;
  readonly #client: Client;
  /** Handles of the filekeys that are this board's, by id. */
  readonly #own = new Map<string, Uint8Array>();

  private constructor(client: Client, name: string) {
    this.#client = client;
    this.name = name;
  }

  /** @param client asks as a user. @throws what the client throws */
  static async over(client: Client): Promise<BoardAuthority> {
    const { instance } = await client.info(); // in a session: what hello says of it is not proven
    return new BoardAuthority(client, boardName(instance));
  }

  async deltas(key: Uint8Array): Promise<readonly Delta[]> {
    const known = this.#own.get(nameOf(key));
    const info = known === undefined ? await this.#find(key) : await answered(this.#client.filekey(known));
    return deltasOf(info);
  }

  async reserve(key: Uint8Array, sequence: number, size: bigint, request: Uint8Array): Promise<Range> {
    return answered(this.#client.filekeyReserve(await this.#handle(key), sequence, size, request));
  }

  async renew(key: Uint8Array, expected: number, id: Uint8Array): Promise<Delta> {
    const made = await answered(this.#client.filekeyRenew(await this.#handle(key), expected, id));
    return { ...made, latest: made.start - 1n };
  }

  /** The board knows no such command: positions are handed out, and thrown away here. */
  async forward(key: Uint8Array, sequence: number, size: bigint): Promise<bigint> {
    const { end } = await answered(this.#client.filekeyReserve(await this.#handle(key), sequence, size));
    return end;
  }

  async container(key: Uint8Array, sequence: number): Promise<Uint8Array> {
    return answered(this.#client.filekeyContainer(await this.#handle(key), sequence));
  }

  /** Also with a filekey that was imported into this board. */
  async open(key: Uint8Array, container: Uint8Array): Promise<Uint8Array> {
    const known = this.#own.get(nameOf(key));
    if (known !== undefined) return answered(this.#client.filekeyOpen(known, container));
    const all = await answered(filekeysOn(this.#client));
    const found = all.find(({ info }) => info !== undefined && Buffer.compare(info.id, key) === 0);
    if (found === undefined) throw this.#none(key);
    return answered(this.#client.filekeyOpen(found.entry.handle, container));
  }

  async #handle(key: Uint8Array): Promise<Uint8Array> {
    if (!this.#own.has(nameOf(key))) await this.#find(key);
    return this.#own.get(nameOf(key))!;
  }

  /** Looks for a filekey among all of the board. @throws AuthorityError NoSuchFilekey */
  async #find(key: Uint8Array): Promise<FilekeyInfo> {
    for (const { entry, info, state } of await answered(filekeysOn(this.#client))) {
      if (info === undefined || state !== "authority") continue;
      this.#own.set(nameOf(info.id), entry.handle);
      if (Buffer.compare(info.id, key) === 0) return info;
    }
    throw this.#none(key);
  }

  #none(key: Uint8Array): AuthorityError {
    return new AuthorityError(
      "NoSuchFilekey",
      `${this.name} does not hand out positions of the filekey ${nameOf(key)}: it was deleted, or never created there. Nothing was changed.`,
      "Look at `mbs filekey list`. Files under Deltas that are known here can still be decrypted.",
    );
  }
}

/** The Deltas of a filekey with their pointers: all of one filekey share one. */
export function deltasOf({ deltas, pointer }: FilekeyInfo): Delta[] {
  return deltas.map((delta, i) => {
    const isNewest = i === deltas.length - 1;
    // older ones are never asked for again; when the pointer is lost, so is what is left of the newest one
    if (!isNewest || pointer === undefined) return { ...delta, latest: delta.end };
    return { ...delta, latest: pointer < delta.start ? delta.start - 1n : pointer };
  });
}

/** Statuses that are more than a refusal. Only what is no answer at all is Unavailable. */
const FAILURES = new Map<Status, AuthorityFailure>([
  [Status.NotAuthority, "NotAuthority"],
  [Status.DeltaFull, "TooLarge"],
  [Status.PositionsLost, "TooLarge"], // as many as a full Delta has: the next look at the Deltas says so
  [Status.Conflict, "Conflict"],
  [Status.NotGenuine, "NotGenuine"],
  [Status.NoSuchHandle, "NoSuchFilekey"],
  [Status.Deleted, "NoSuchFilekey"],
]);

async function answered<T>(asking: Promise<T>): Promise<T> {
  try {
    return await asking;
  } catch (error) {
    throw failureOf(error);
  }
}

/** What went wrong, in the words of an authority; anything that is neither the device nor the way to it stays what it is. */
export function failureOf(error: unknown): unknown {
  if (error instanceof DisconnectedError)
    return new AuthorityError("Unavailable", error.message, error.hint, { cause: error });
  if (!(error instanceof DeviceError)) return error;
  const advice = error.status === Status.NotGenuine ? FOREIGN : [error.message, error.hint];
  return new AuthorityError(FAILURES.get(error.status) ?? "Refused", advice[0]!, advice[1], { cause: error });
}

/** The device says it of everything that it opens. */
const FOREIGN = [
  "The sealed Delta was not made for this filekey, or was changed. Nothing was kept.",
  "Get it from the device that made it: mbs delta export.",
];
