/** delta list, pull, renew, export, import: the iterations of a filekey. They come by themselves; this is for looking and for files. */
import type { Command } from "commander";
import { nameOf } from "../claims/state.js";
import { checkOutputFile, readInput, writeOutput } from "../files.js";
import { askBoard, choose, knownFilekey, merge, noteBoard, orKnown, withClaims } from "./claims.js";
import type { Context } from "./context.js";
import { integer } from "./parse.js";
import { authorityStatus, bothDeltas, DELTA_ALIGN, DELTA_HEADINGS, deltaJson, deltaRow } from "./present-filekey.js";
import { printable, table } from "./table.js";

const KEY = "id, its first 8 or more digits, or name (default: the only one)";

export function addDelta(program: Command, context: () => Context): void {
  const delta = program.command("delta").description("the iterations of a filekey, each with a range of positions");
  delta
    .command("list")
    .argument("[key]", KEY)
    .description("the Deltas of a filekey, here and on the board")
    .addHelpText("after", "\nExample:\n  mbs delta list archive")
    .action((key: string | undefined) => list(context(), key));
  delta
    .command("pull")
    .argument("[key]", KEY)
    .description("get all Deltas that the board has and that are missing here")
    .addHelpText("after", PULL_HELP)
    .action((key: string | undefined) => pull(context(), key));
  delta
    .command("renew")
    .argument("[key]", KEY)
    .description("have the board make the next Delta now")
    .addHelpText("after", RENEW_HELP)
    .action((key: string | undefined) => renew(context(), key));
  delta
    .command("export")
    .argument("<key>", "id, its first 8 or more digits, or name")
    .argument("<sequence>", "1, 2, …; `mbs delta list` shows them")
    .requiredOption("-o, --output <FILE>", "write there, for you alone (mode 0600)")
    .option("--force", "replace FILE if it exists", false)
    .description("write a sealed Delta that is known here into a file")
    .addHelpText("after", EXPORT_HELP)
    .action((key: string, sequence: string, options: { output: string; force: boolean }) =>
      exportOne(context(), key, sequence, options),
    );
  delta
    .command("import")
    .argument("<file>", "what `mbs delta export` wrote; - is stdin")
    .option("--force", "do not ask", false)
    .description("recovery: add a sealed Delta from a file, without asking the board that hands out positions")
    .addHelpText("after", IMPORT_HELP)
    .action((file: string, options: { force: boolean }) => importOne(context(), file, options.force));
}

async function list(context: Context, key: string | undefined): Promise<void> {
  const told = await askBoard(context);
  const found = await withClaims(context, async ({ filekeys }) =>
    choose(orKnown(merge(await filekeys.all(), told.filekeys), key), key),
  );
  noteBoard(context, told);
  const deltas = bothDeltas(found);
  if (deltas.length === 0) context.note("No Deltas.");
  context.result(
    {
      id: found.id === undefined ? null : nameOf(found.id),
      authorityStatus: authorityStatus(found, told),
      deltas: deltas.map(deltaJson),
    },
    deltas.length === 0 ? [] : table(DELTA_HEADINGS, deltas.map(deltaRow), DELTA_ALIGN),
  );
}

async function pull(context: Context, key: string | undefined): Promise<void> {
  await withClaims(context, async (claims) => {
    const { id } = await knownFilekey(claims, key);
    const pulled = await claims.filekeys.pull(id);
    context.result({ id: nameOf(id), pulled }, [
      pulled.length === 0 ? "No Delta was missing." : `Deltas pulled: ${pulled.join(", ")}`,
    ]);
  });
}

async function renew(context: Context, key: string | undefined): Promise<void> {
  await withClaims(context, async (claims) => {
    const { id, name } = await knownFilekey(claims, key);
    await context.confirm(
      `${printable(name) || nameOf(id)}: nothing more is claimed of its newest Delta, and what is claimed is left. Renew it?`,
    );
    context.kept = "The next Delta was made or not; `mbs delta list` tells which.";
    const sequence = await claims.filekeys.renew(id);
    context.result({ id: nameOf(id), sequence }, [`Delta ${sequence}`]);
  });
}

async function exportOne(
  context: Context,
  key: string,
  text: string,
  { output, force }: { output: string; force: boolean },
): Promise<void> {
  await checkOutputFile(output, force);
  const sequence = integer("sequence", text);
  await withClaims(context, async (claims) => {
    const { id } = await knownFilekey(claims, key);
    const container = await claims.filekeys.container(id, sequence);
    await writeOutput(output, container, force);
    context.result({ id: nameOf(id), sequence, file: output, bytes: container.length }, [
      `${printable(output)}: Delta ${sequence} of ${nameOf(id)}, sealed`,
    ]);
  });
}

async function importOne(context: Context, file: string, force: boolean): Promise<void> {
  const { bytes } = await readInput(context.io, file);
  if (!force)
    await context.confirm(
      `The board that hands out positions is not asked whether the Delta in ${file} is its own; a wrong one makes this computer and the board differ, which has to be mended by hand. Import it?`,
    );
  await withClaims(context, async (claims) => {
    const { key } = claims.readHead(bytes);
    const { sequence, id, entry, isNew } = await claims.filekeys.import(bytes, await claims.board());
    context.result(
      {
        filekey: nameOf(key),
        sequence,
        id: nameOf(id),
        start: String(entry.start),
        end: String(entry.end),
        new: isNew,
      },
      [
        `Delta ${sequence} of ${nameOf(key)} ${isNew ? "imported" : "was known here already"}`,
        `positions ${entry.start} to ${entry.end}, id ${nameOf(id)}`,
      ],
    );
  });
}

const PULL_HELP = `
Encrypting and decrypting pull what they need by themselves; this is for a computer that will be without its board.

Examples:
  mbs delta pull
  mbs delta pull archive --json`;

const RENEW_HELP = `
Encrypting renews by itself when a Delta is used up. It is needed by hand when the board no longer knows which position it handed out last.

Example:
  mbs delta renew archive`;

const EXPORT_HELP = `
The file is sealed under the Alpha: whoever has neither the board nor the exported filekey can do nothing with it.

Example:
  mbs delta export archive 1 --output archive-1.mbsd`;

const IMPORT_HELP = `
Its filekey must be known here, and the board on the port must have its Alpha: the one that it was created on, or one that imported it.
Only the next Delta is taken. Differences show as soon as the board is asked again: mbs delta list.

Example:
  mbs delta import archive-2.mbsd`;
