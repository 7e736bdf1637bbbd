/** filekey create, list, show, rename, delete: what files are encrypted under. Export and import: filekey-file.ts. */
import type { Command } from "commander";
import { LABEL_MAX, Tier } from "../../firmware/defs/record.js";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import { boardName } from "../claims/board.js";
import { nameOf } from "../claims/state.js";
import { type Client, handleText } from "../client/client.js";
import { MbsError, NotFoundError, UsageError } from "../client/errors.js";
import { parseSize, sizeText } from "../file/size.js";
import { makePolicy, PRESENCES } from "../names.js";
import {
  askBoard,
  called,
  choose,
  type Found,
  knownFilekey,
  merge,
  noteBoard,
  offlineError,
  orKnown,
  readSettings,
  type Told,
  withClaims,
} from "./claims.js";
import type { Context } from "./context.js";
import { addFilekeyFiles } from "./filekey-file.js";
import { integer } from "./parse.js";
import {
  authorityOf,
  authorityStatus,
  bothDeltas,
  claimsJson,
  DELTA_ALIGN,
  DELTA_HEADINGS,
  deltaJson,
  deltaRow,
  filekeyJson,
  poolText,
} from "./present-filekey.js";
import { pairs, printable, table } from "./table.js";

const DEFAULT_CAPACITY = "1TB";

interface CreateOptions {
  capacity: string;
  deviceOnly: boolean;
  presence: string;
  class?: string;
}

export function addFilekey(program: Command, context: () => Context): void {
  const filekey = program
    .command("filekey")
    .description("keys for files: each file is encrypted under positions of one that nobody uses again");
  filekey
    .command("create")
    .argument("[name]", "what it is called, on the board and here")
    .description("have the board make a filekey, and make it known on this computer")
    .option("--capacity <SIZE>", "positions, one for a byte of a file, of each of its Deltas", DEFAULT_CAPACITY)
    .option("--device-only", "no secret of it ever leaves the board; files cannot be encrypted under it", false)
    .option("--presence <WHEN>", `ask for a touch before a Delta is opened: ${PRESENCES.all.join(", ")}`, "never")
    .option("--class <NUMBER>", "slot class (default: the smallest that holds it)")
    .addHelpText("after", CREATE_HELP)
    .action((name: string | undefined, options: CreateOptions) => create(context(), name, options));
  filekey
    .command("list")
    .description("the filekeys that are known here, and those of the board if one can be reached")
    .addHelpText("after", "\nExamples:\n  mbs filekey list\n  mbs filekey list --json")
    .action(() => list(context()));
  filekey
    .command("show")
    .argument("[key]", "id, its first 8 or more digits, or name (default: the only one)")
    .description("one filekey: its Deltas and claims here, and what the board says")
    .addHelpText("after", "\nExample:\n  mbs filekey show archive")
    .action((key: string | undefined) => show(context(), key));
  filekey
    .command("rename")
    .argument("<key>", "id, its first 8 or more digits, or name")
    .argument("<name>", "what it is called on this computer from now on")
    .description("call a filekey otherwise, on this computer alone")
    .addHelpText("after", "\nExample:\n  mbs filekey rename archive archive-2026")
    .action(async (key: string, name: string) => {
      if (name === "") throw new UsageError("name: expected a name; got an empty one.");
      const id = await withClaims(context(), async (claims) => {
        const found = await knownFilekey(claims, key);
        await claims.filekeys.rename(found.id, name);
        return nameOf(found.id);
      });
      context().result({ id, name }, [`${id} is called ${printable(name)} here`]);
    });
  filekey
    .command("delete")
    .argument("<key>", "id, its first 8 or more digits, name, or label on the board")
    .option("--local", "forget it on this computer only; the board is not asked", false)
    .option("--destroy", "return only when its sealed content on the board is erased", false)
    .description("delete a filekey for good: on the board, and what is known of it here")
    .addHelpText("after", DELETE_HELP)
    .action((key: string, options: { local: boolean; destroy: boolean }) => remove(context(), key, options));
  addFilekeyFiles(filekey, context);
}

async function create(context: Context, name: string | undefined, options: CreateOptions): Promise<void> {
  const capacity = parseSize("--capacity", options.capacity);
  if (capacity < 1n) throw new UsageError(`--capacity: expected at least 1; got "${options.capacity}".`);
  if (name === "" || Buffer.byteLength(name ?? "") > LABEL_MAX)
    throw new UsageError(`name: expected 1 to ${LABEL_MAX} bytes of UTF-8; got "${name}".`);
  const policy = makePolicy({ exportable: !options.deviceOnly, presence: PRESENCES.number(options.presence) });
  const slotClass = options.class === undefined ? {} : { slotClass: integer("--class", options.class, 3) };
  if ((await readSettings(context)).offlineMode) throw offlineError();
  context.kept = "The filekey may have been made; `mbs filekey list` shows it.";
  const label = name === undefined ? {} : { label: name };
  const request = { ...label, tier: Tier.Private, policy, capacity, ...slotClass };
  const { id, handle, authority } = await context.withClient(
    { commands: [DeviceCommand.FilekeyCreate] },
    async (client) => ({ ...(await client.filekeyCreate(request)), authority: boardName(client.session!.instance) }),
  );
  const json = {
    id: nameOf(id),
    handle: handleText(handle),
    name: name ?? null,
    authority,
    capacity: String(capacity),
  };
  if (options.deviceOnly) {
    context.note(DEVICE_ONLY);
    context.result({ ...json, known: false }, [json.id]);
    return;
  }
  try {
    await withClaims(context, async ({ claimant, sizes }) => {
      const { secret } = await claimant.adopt({ id, name: name ?? "", authority }, sizes);
      secret.fill(0);
    });
  } catch (error) {
    // it is there, and somebody has to know its id
    if (!(error instanceof MbsError)) throw error;
    context.result({ ...json, known: false }, [json.id]);
    context.warn(
      `The filekey is on the board, and not known on this computer: ${error.message} ${error.hint} Then: mbs filekey import ${json.id.slice(0, 8)}`,
    );
    context.exitCode = error.exitCode;
    return;
  }
  context.result({ ...json, known: true }, [json.id]);
}

const DEVICE_ONLY =
  "No Delta of this filekey is ever opened, so no file can be encrypted under it; the board hands out its positions: mbs claim reserve.";

async function list(context: Context): Promise<void> {
  const told = await askBoard(context);
  const all = await withClaims(context, async ({ filekeys }) => merge(await filekeys.all(), told.filekeys));
  noteBoard(context, told);
  if (all.length === 0) context.note("No filekeys.");
  const rows = all.map((one) => listRow(one, told));
  context.result(
    { board: told.name ?? null, boardStatus: told.status, filekeys: all.map((one) => filekeyJson(one, told)) },
    all.length === 0 ? [] : table(["ID", "NAME", "DELTAS", "LEFT", "AUTHORITY", "WHERE"], rows, "llrrll"),
  );
}

function listRow(found: Found, told: Told): string[] {
  const { id, known, board } = found;
  const there = bothDeltas(found).at(-1)?.there;
  const where = [
    ...(known === undefined ? [] : ["here"]),
    ...(board === undefined ? [] : [board.state === "authority" ? "board" : `board (${board.state})`]),
  ];
  return [
    id === undefined ? "" : nameOf(id).slice(0, 16),
    known?.name || board?.entry.label || "",
    String(bothDeltas(found).length || ""),
    there === undefined ? "" : sizeText(there.end - there.latest),
    authorityOf(found, told)?.slice(0, 22) ?? "",
    where.join(", "),
  ];
}

async function show(context: Context, key: string | undefined): Promise<void> {
  const told = await askBoard(context);
  await withClaims(context, async ({ filekeys, core, sizes }) => {
    const all = merge(await filekeys.all(), told.filekeys);
    const both = choose(orKnown(all, key), key);
    noteBoard(context, told);
    const deltas = bothDeltas(both);
    const json = {
      ...filekeyJson(both, told),
      boardStatus: told.status,
      deltas: deltas.map(deltaJson),
      claims: both.known === undefined ? null : claimsJson(both.known, core, sizes),
    };
    const rows = deltas.map(deltaRow);
    context.result(json, [
      ...showFacts(both, told),
      ...(rows.length === 0 ? [] : ["", ...table(DELTA_HEADINGS, rows, DELTA_ALIGN)]),
    ]);
  });
}

function showFacts(found: Found, told: Told): string[] {
  const { id, known, board } = found;
  const entry = known?.deltas.at(-1)?.entry;
  return pairs([
    ["id", id === undefined ? "not told by the board" : nameOf(id)],
    ["name", known?.name || board?.entry.label || ""],
    ["authority", `${authorityOf(found, told) ?? "not told by the board"}, ${authorityStatus(found, told)}`],
    ["here", known === undefined ? "not known" : count(known.deltas.length)],
    ["board", board === undefined ? "not there" : `${board.state}, record ${handleText(board.entry.handle)}`],
    ...(entry === undefined
      ? []
      : ([
          ["performance", poolText(entry.performance)],
          ["offline", poolText(entry.offline)],
        ] as const)),
  ]);
}

const count = (deltas: number) => (deltas === 1 ? "1 Delta" : `${deltas} Deltas`);

async function remove(context: Context, key: string, options: { local: boolean; destroy: boolean }): Promise<void> {
  if (options.local) {
    if (options.destroy) throw new UsageError("--destroy erases on the board; --local does not go with it.");
    await withClaims(context, async (claims) => {
      const { id, name } = await knownFilekey(claims, key);
      await context.confirm(`${name || nameOf(id)}: claims and Deltas will be forgotten on this computer. Forget it?`);
      await claims.filekeys.forget(id);
      context.result({ id: nameOf(id), forgotten: true, deleted: false, destroyed: false }, [
        `${nameOf(id)} forgotten`,
      ]);
    });
    return;
  }
  const told = await askBoard(context);
  if (told.why !== undefined) throw told.why;
  await withClaims(context, async ({ filekeys }) => {
    const found = choose(merge(await filekeys.all(), told.filekeys), key);
    const { id, known, board } = found;
    if (board === undefined)
      throw new NotFoundError(
        `${called(found)} is not on the board ${told.name}. Nothing was changed.`,
        "Connect its board; or forget it on this computer only: --local",
      );
    const isOwn = board.state === "authority";
    await context.confirm(
      isOwn
        ? `${called(found)} will be gone for good, here and on the board: nobody can decrypt what was encrypted under it, except where its Deltas are known. Delete it?`
        : `${called(found)} (${board.state}) will be gone from this board. Delete it?`,
    );
    context.kept = "The filekey is either there as before or deleted; `mbs filekey list` tells which.";
    const command = isOwn ? DeviceCommand.FilekeyDelete : DeviceCommand.Evict;
    const erase = (client: Client) =>
      isOwn
        ? client.filekeyDelete(board.entry.handle, options.destroy)
        : client.evict(board.entry.handle, options.destroy);
    const { destroyed } = await context.withClient({ commands: [command] }, erase);
    const forgotten = isOwn && known !== undefined && (await filekeys.forget(known.id));
    const number = id === undefined ? null : nameOf(id);
    const tail = destroyed ? "deleted, sealed content erased" : "deleted";
    context.result({ id: number, forgotten, deleted: true, destroyed }, [
      `${called(found)} ${tail}${forgotten ? ", and forgotten here" : ""}`,
    ]);
  });
}

const CREATE_HELP = `
Prints the id, which is the same wherever the filekey is known. The board that makes it hands out its positions for ever. When a Delta is
used up the next one is made by itself. A Delta's secret then lies on this computer, under the configuration password
(MBS_CONFIG_PASSWORD, or the system keyring); the root that seals it, the Alpha, stays on the board.

Examples:
  mbs filekey create archive
  mbs filekey create camera --capacity 50GB --presence cached
  mbs encrypt report.pdf --key archive`;

const DELETE_HELP = `
The board keeps the id and the last position, so that no filekey is taken for it. One that was imported into this board is evicted; what is
known of it here stays.

Examples:
  mbs filekey delete archive
  mbs filekey delete archive --local`;
