/** filekey export and import: a filekey for another board, or for another computer. */
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { Tier } from "../../firmware/defs/record.js";
import { Status } from "../../firmware/defs/status.js";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import { boardName } from "../claims/board.js";
import { type ExportedFilekey, idOf, openFilekey, sealFilekey } from "../claims/exported.js";
import { stretchScrypt } from "../claims/password.js";
import { type FilekeyName, nameOf } from "../claims/state.js";
import { handleText } from "../client/client.js";
import { DeviceError, FileError, NotFoundError, UsageError } from "../client/errors.js";
import { adviceFor } from "../client/status-text.js";
import { checkOutputFile, readInput, writeOutput } from "../files.js";
import { makePolicy, PRESENCES, readPolicy } from "../names.js";
import { askBoard, called, choose, merge, withClaims } from "./claims.js";
import type { Context } from "./context.js";
import { integer } from "./parse.js";
import { ask } from "./prompt.js";
import { printable } from "./table.js";

const VARIABLE = "MBS_FILEKEY_PASSWORD";

interface ImportOptions {
  passwordFile?: string;
  presence: string;
  class?: string;
}

export function addFilekeyFiles(filekey: Command, context: () => Context): void {
  filekey
    .command("export")
    .argument("[key]", "id, its first 8 or more digits, name, or label on the board (default: the only one)")
    .requiredOption("-o, --output <FILE>", "write there, for you alone (mode 0600)")
    .option("--password-file <FILE>", `the password, - for stdin (default: ${VARIABLE}, then you are asked)`)
    .option("--force", "replace FILE if it exists", false)
    .description("write a filekey's Alpha into a file under a password, for another board; asks for a touch")
    .addHelpText("after", EXPORT_HELP)
    .action((key: string | undefined, options: { output: string; passwordFile?: string; force: boolean }) =>
      exportKey(context(), key, options),
    );
  filekey
    .command("import")
    .argument("<file-or-key>", "a file that was exported; or a filekey of the board: its id or label")
    .option("--password-file <FILE>", `the file's password, - for stdin (default: ${VARIABLE}, then you are asked)`)
    .option(
      "--presence <WHEN>",
      `on another board: a touch before a Delta is opened: ${PRESENCES.all.join(", ")}`,
      "never",
    )
    .option("--class <NUMBER>", "on another board: slot class (default: the smallest that holds it)")
    .description("make a filekey known on this computer; from a file also on another board")
    .addHelpText("after", IMPORT_HELP)
    .action((what: string, options: ImportOptions) =>
      what.includes("/") || existsSync(what) ? importFile(context(), what, options) : importKey(context(), what),
    );
}

async function exportKey(
  context: Context,
  key: string | undefined,
  { output, passwordFile, force }: { output: string; passwordFile?: string; force: boolean },
): Promise<void> {
  await checkOutputFile(output, force);
  const told = await askBoard(context);
  if (told.why !== undefined) throw told.why;
  const known = await withClaims(context, ({ filekeys }) => filekeys.all());
  const found = choose(
    merge(known, told.filekeys).filter((one) => one.board !== undefined),
    key,
  );
  if (!readPolicy(found.board!.entry.policy).exportable) {
    // before somebody types a password and touches the board
    const hint = adviceFor(Status.NotExportable, DeviceCommand.FilekeyExport)!;
    throw new DeviceError(Status.NotExportable, undefined, { hint });
  }
  const password = await readPassword(context, passwordFile, true);
  let exported: ExportedFilekey | undefined;
  try {
    const { handle, label = "" } = found.board!.entry;
    context.kept = "Nothing was written.";
    const head = await context.withClient({ commands: [DeviceCommand.FilekeyExport] }, (client) =>
      client.filekeyExport(handle),
    );
    const here = known.find(({ id }) => nameOf(id) === nameOf(idOf({ head, name: "", authority: "" })));
    const authority = here?.authority ?? (found.board!.state === "authority" ? told.name : undefined);
    exported = { head, name: here?.name || label, authority: authority ?? "" };
    if (authority === undefined)
      throw new NotFoundError(
        `Nobody here knows which board hands out the positions of ${called(found)}. Nothing was written.`,
        "Export it from the board that it was created on.",
      );
    await writeOutput(output, await sealFilekey(exported, password, stretchScrypt), force);
    const id = nameOf(idOf(exported));
    context.result({ file: output, id, name: exported.name, authority }, [`${printable(output)}: filekey ${id}`]);
  } finally {
    password.fill(0);
    exported?.head.fill(0);
  }
}

/** The way of a second computer: everything comes from the board. */
async function importKey(context: Context, key: string): Promise<void> {
  const told = await askBoard(context);
  if (told.why !== undefined) throw told.why;
  const found = choose(merge([], told.filekeys), key);
  const { info, entry, state } = found.board!;
  if (info === undefined || state !== "authority")
    throw new UsageError(
      `${called(found)} is ${state === "imported" ? "a filekey of another board" : state} on this board. Nothing was changed.`,
      state === "imported" ? "Import it from its own board, or from its file." : "`mbs filekey list` shows the others.",
    );
  await adopt(context, { id: info.id, name: entry.label ?? "", authority: told.name! });
}

async function importFile(context: Context, file: string, options: ImportOptions): Promise<void> {
  const policy = makePolicy({ exportable: true, presence: PRESENCES.number(options.presence) });
  const slotClass = options.class === undefined ? {} : { slotClass: integer("--class", options.class, 3) };
  const { bytes } = await readInput(context.io, file);
  const password = await readPassword(context, options.passwordFile, false);
  let exported: ExportedFilekey | undefined;
  try {
    exported = await openFilekey(bytes, password, stretchScrypt, file);
    const { head, name, authority } = exported;
    const named = { id: idOf(exported), name, authority };
    const here = await context.withClient({ commands: [DeviceCommand.Info] }, async (client) =>
      boardName((await client.info()).instance),
    );
    if (here === authority) return await adopt(context, named);
    context.kept = "The filekey may be on the board; `mbs filekey list` shows it.";
    const label = name === "" ? {} : { label: name };
    const request = { ...label, tier: Tier.Private, policy, head, ...slotClass };
    const handle = await context.withClient({ commands: [DeviceCommand.FilekeyImport] }, (client) =>
      client.filekeyImport(request).then(
        ({ handle }) => handleText(handle),
        (error) => {
          if (error instanceof DeviceError && error.status === Status.Conflict) return undefined; // it has it already
          throw error;
        },
      ),
    );
    await withClaims(context, ({ filekeys }) => filekeys.add(named));
    const id = nameOf(named.id);
    context.note(`The positions of ${id} are handed out by ${authority} alone; this board opens its Deltas.`);
    context.result(
      { id, name, authority, known: true, board: here, handle: handle ?? null, new: handle !== undefined },
      [
        handle === undefined ? `${id} was on this board already` : `${id} is on this board`,
        "Bring its Deltas here: mbs delta import FILE",
      ],
    );
  } finally {
    password.fill(0);
    exported?.head.fill(0);
  }
}

/** Makes a filekey of the board on the port known here, with all its Deltas. */
async function adopt(context: Context, named: FilekeyName): Promise<void> {
  await withClaims(context, async ({ claimant, sizes }) => {
    const { secret, sequence } = await claimant.adopt(named, sizes);
    secret.fill(0);
    const { name, authority } = named;
    const id = nameOf(named.id);
    const deltas = sequence === 1 ? "1 Delta" : `${sequence} Deltas`;
    context.result({ id, name, authority, known: true, deltas: sequence }, [
      `${id} ${printable(name)}`.trim(),
      `${deltas} pulled; files can be encrypted and decrypted on this computer`,
    ]);
  });
}

/** @param twice it is a new one: a typing error would be found too late. @returns bytes to be wiped */
async function readPassword(context: Context, file: string | undefined, twice: boolean): Promise<Uint8Array> {
  const { io } = context;
  const password = await (async () => {
    if (file !== undefined) return withoutNewline((await context.readSecret(file)).bytes);
    if (io.env[VARIABLE]) return Buffer.from(io.env[VARIABLE]);
    if (!io.stdin.isTTY)
      throw new UsageError(
        "The file is under a password, and nobody is there to ask for it.",
        `Say --password-file FILE, or set ${VARIABLE}.`,
      );
    const typed = await ask(io, "Password of the file: ", true);
    if (twice && typed !== (await ask(io, "Once more: ", true)))
      throw new UsageError("The two passwords are not the same. Nothing was written.", "Run the command again.");
    return Buffer.from(typed);
  })();
  if (password.length === 0) throw new FileError("The password is empty. Nothing was done.", "Choose a longer one.");
  return password;
}

function withoutNewline(bytes: Buffer): Buffer {
  const end = /\r?\n$/.exec(bytes.toString("latin1"))?.index ?? bytes.length;
  return bytes.subarray(0, end);
}

const EXPORT_HELP = `
The file has the Alpha, which opens every Delta of the filekey, those to come too; with the sealed Deltas it decrypts everything. Without
them it decrypts nothing. Another board that imports it opens Deltas and hands out no positions. A second computer at the same board needs
no file: mbs filekey import KEY.

Example:
  mbs filekey export archive --output archive.mbsk`;

const IMPORT_HELP = `
What it does depends on what is named, and on the board on the port:
  KEY               a filekey of this board becomes known on this computer: its Deltas are pulled, and some positions claimed.
                    That is the way of a second computer. No file is needed.
  FILE, same board  the same; the file says which filekey is meant.
  FILE, other board the Alpha goes to this board, which then opens Deltas that you bring as files (mbs delta import), so that files can be
                    decrypted here. Positions are handed out by the board that the filekey was created on, and by no other.
A word is a FILE when a file has that name.

Examples:
  mbs filekey import archive
  mbs filekey import ./archive.mbsk`;
