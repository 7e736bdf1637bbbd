/** The filekeys of a configuration directory, for commands: its claim cache, what is configured, and the way to the board that hands out
 *  positions, which is gone only when it is needed. */
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import type { Authority } from "../claims/authority.js";
import { AuthorityError } from "../claims/authority.js";
import { BoardAuthority, type BoardFilekey, boardName, failureOf, filekeysOn, isBoardName } from "../claims/board.js";
import { ClaimCache } from "../claims/cache.js";
import { Claimant } from "../claims/claimant.js";
import { Core, type Sizes } from "../claims/core.js";
import type { ReadHead } from "../claims/deltas.js";
import { type FilekeyStatus, Filekeys } from "../claims/filekeys.js";
import { ConfigPassword } from "../claims/password.js";
import { readSealedHead } from "../claims/sealed.js";
import { DEFAULT_GIGABYTES, parseGigabytes, parseOfflineMode } from "../claims/settings.js";
import { ID_SIZE, nameOf } from "../claims/state.js";
import { handleText } from "../client/client.js";
import { MbsError, NotFoundError, UsageError } from "../client/errors.js";
import { readConfig } from "../config.js";
import type { Context } from "./context.js";
import type { SecretFor } from "./decrypt.js";
import type { ClaimFor } from "./encrypt.js";
import { printable } from "./table.js";

export interface Claims {
  readonly claimant: Claimant;
  readonly filekeys: Filekeys;
  readonly core: Core;
  readonly readHead: ReadHead;
  /** As configured, in bytes. */
  readonly sizes: Sizes;
  readonly offlineMode: boolean;
  /** The board on the port, asked as a user; one connection for all of a command. @throws AuthorityError, what a client throws */
  board(): Promise<BoardAuthority>;
}

/** What a command may ask of an authority. */
const ASKED = [
  DeviceCommand.Info,
  DeviceCommand.Find,
  DeviceCommand.FilekeyDeltas,
  DeviceCommand.FilekeyReserve,
  DeviceCommand.FilekeyRenew,
  DeviceCommand.FilekeyContainer,
  DeviceCommand.FilekeyOpen,
];

/** Runs with the filekeys of the configuration directory; secrets and connection are gone when it ends. */
export async function withClaims<T>(context: Context, run: (claims: Claims) => Promise<T>): Promise<T> {
  const settings = await readSettings(context);
  const core = new Core();
  const password = new ConfigPassword(context.io.env);
  const link = new BoardLink(context, settings.offlineMode);
  const reach = async (name: string): Promise<Authority> => {
    if (isBoardName(name)) return link.board();
    throw new AuthorityError(
      "Refused",
      `The authority ${name} is of a kind that this mbs does not know. Nothing was changed.`,
      "Use a newer mbs.",
    );
  };
  const cache = new ClaimCache(context.configDirectory(), password, core);
  const means = { core, readHead: readSealedHead };
  context.kept = "Positions that were reserved just now are lost; no other ones are.";
  try {
    return await run({
      claimant: new Claimant(cache, means, reach),
      filekeys: new Filekeys(cache, means, reach),
      ...means,
      ...settings,
      board: () => link.board(),
    });
  } catch (error) {
    context.throwInterrupted(error);
    throw error;
  } finally {
    await link.close();
    await password.close();
  }
}

/** How much is claimed, and whether an authority is asked. */
export async function readSettings(context: Context): Promise<{ sizes: Sizes; offlineMode: boolean }> {
  const config = await readConfig(context.configDirectory());
  const size = (name: "performance-gb" | "offline-gb") => parseGigabytes(config[name] ?? DEFAULT_GIGABYTES, name);
  return {
    sizes: { performance: size("performance-gb"), offline: size("offline-gb") },
    offlineMode: parseOfflineMode(config["offline-mode"] ?? "false", "offline-mode"),
  };
}

/** The error for what needs a board while none is to be asked. */
export function offlineError(): AuthorityError {
  return new AuthorityError(
    "Refused",
    "Offline mode is on, so no board is asked. Nothing was changed.",
    "Turn it off: mbs config set offline-mode false",
  );
}

/** A connection that is made at first use and stays until `close`. */
class BoardLink {
  #board: Promise<BoardAuthority> | undefined;
  #running: Promise<void> | undefined;
  #end: () => void = () => {};

  constructor(
    readonly context: Context,
    readonly offlineMode: boolean,
  ) {}

  board(): Promise<BoardAuthority> {
    this.#board ??= new Promise((resolve, reject) => {
      if (this.offlineMode) throw offlineError();
      const ended = new Promise<void>((end) => {
        this.#end = end;
      });
      // a client lives as long as what runs with it
      this.#running = this.context
        .withClient({ commands: ASKED }, async (client) => {
          resolve(await BoardAuthority.over(client));
          await ended;
        })
        .catch((error) => reject(failureOf(error)));
    });
    return this.#board;
  }

  async close(): Promise<void> {
    this.#end();
    await this.#running;
  }
}

/** A filekey as a command finds it: known here, on the board, or both. */
export interface Found {
  /** 16 bytes; undefined: the board does not tell it of a filekey that was imported into it. */
  readonly id: Uint8Array | undefined;
  readonly known: FilekeyStatus | undefined;
  readonly board: BoardFilekey | undefined;
}

/** What a board answered, or why it did not. */
export interface Told {
  /** Name of the board. */
  readonly name: string | undefined;
  readonly filekeys: readonly BoardFilekey[];
  readonly status: "available" | "unavailable" | "refused" | "offline mode";
  readonly why: MbsError | undefined;
}

/** Asks the board on the port for its filekeys, as anybody who may read. What goes wrong is told, not thrown. */
export async function askBoard(context: Context): Promise<Told> {
  const { offlineMode } = await readSettings(context);
  if (offlineMode) return { name: undefined, filekeys: [], status: "offline mode", why: offlineError() };
  const commands = [DeviceCommand.Info, DeviceCommand.Find, DeviceCommand.FilekeyDeltas];
  try {
    return await context.withClient({ commands }, async (client) => {
      const { instance } = await client.info();
      return { name: boardName(instance), filekeys: await filekeysOn(client), status: "available", why: undefined };
    });
  } catch (error) {
    const why = failureOf(error);
    if (!(why instanceof MbsError)) throw why;
    const isGone = why instanceof AuthorityError && why.failure === "Unavailable";
    return { name: undefined, filekeys: [], status: isGone ? "unavailable" : "refused", why };
  }
}

/** Says that only one side is shown. */
export function noteBoard(context: Context, { why }: Told): void {
  if (why !== undefined) context.note(`${printable(why.message)} Only what this computer knows is shown.`);
}

/** Filekeys of both sides, those known here first. */
export function merge(known: readonly FilekeyStatus[], board: readonly BoardFilekey[]): Found[] {
  const rest = new Set(board);
  const here = known.map((one) => {
    const there = board.find(({ info }) => info !== undefined && nameOf(info.id) === nameOf(one.id));
    if (there !== undefined) rest.delete(there);
    return { id: one.id, known: one, board: there };
  });
  return [...here, ...[...rest].map((one) => ({ id: one.info?.id, known: undefined, board: one }))];
}

/** The filekey that is meant: by its id or the first 8 or more digits of it, its name, or handle or label of its record; the only one when
 *  nothing is said. @throws NotFoundError, UsageError when it could be several */
export function choose(all: readonly Found[], text: string | undefined): Found {
  const found = text === undefined ? all : all.filter((one) => isMeant(one, text));
  if (found.length === 1) return found[0]!;
  if (found.length > 1)
    throw new UsageError(
      `${text === undefined ? "There are" : `"${text}" means`} ${found.length} filekeys: ${found.map(called).join(", ")}.`,
      `Name one by the first digits of its id${text === undefined ? ", or by its name" : ""}.`,
    );
  throw new NotFoundError(
    text === undefined ? "No filekey is known here." : `No filekey is called "${text}" here.`,
    "`mbs filekey list` shows what there is; `mbs filekey create` makes one, `mbs filekey import` brings one of the board here.",
  );
}

/** What the only one is chosen among: those known here, unless none is. */
export function orKnown(all: readonly Found[], text: string | undefined): readonly Found[] {
  const known = all.filter((one) => one.known !== undefined);
  return text === undefined && known.length > 0 ? known : all;
}

/** Whether a filekey is called so, wherever it is known. */
export function isMeant({ id, known, board }: Found, text: string): boolean {
  const digits = text.toLowerCase();
  const isPrefix = /^[0-9a-f]{8,32}$/.test(digits);
  if (isPrefix && id !== undefined && nameOf(id).startsWith(digits)) return true;
  if (isPrefix && board !== undefined && handleText(board.entry.handle).startsWith(digits)) return true;
  return text !== "" && (known?.name === text || board?.entry.label === text);
}

/** How errors and questions name a filekey: its name, and its id as far as it is told. */
export function called({ id, known, board }: Found): string {
  const name = known?.name || board?.entry.label || "";
  const number = id === undefined ? handleText(board!.entry.handle) : nameOf(id);
  return name === "" ? number : `${name} (${number.slice(0, ID_SIZE)})`;
}

/** The filekey that is known here. @param text as `choose` */
export async function knownFilekey({ filekeys }: Claims, text: string | undefined): Promise<FilekeyStatus> {
  return choose(merge(await filekeys.all(), []), text).known!;
}

/** Positions for `mbs encrypt`. */
export const claimFor: ClaimFor = (context, key, size) =>
  withClaims(context, async (claims) => {
    const { id } = await knownFilekey(claims, key);
    const { sizes, offlineMode } = claims;
    const { range, secret, from } = await claims.claimant.claim({ key: id, size, sizes, offlineMode });
    if (from === "offline" && !offlineMode)
      context.note("The board is unavailable; the positions are from what was claimed for offline work.");
    return { keyId: id, start: range.start, end: range.end, secret };
  });

/** Secrets for `mbs decrypt`. */
export const secretFor: SecretFor = (context, keyId, start) =>
  withClaims(context, async ({ filekeys }) => (await filekeys.secretAt(keyId, start)).secret);
