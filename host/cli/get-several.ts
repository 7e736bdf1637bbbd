/** get of several records: one file each in a directory, named by its label. What the device refuses is told at the end, and hinders no other. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Presence } from "../../firmware/defs/record.js";
import { Command } from "../../firmware/defs/wire.js";
import type { Entry } from "../client/answers.js";
import { type Client, handleText } from "../client/client.js";
import { DeviceError, FileError, UsageError } from "../client/errors.js";
import { type Export, usualExport, writeCredential } from "../credentials/export.js";
import { usableName } from "../file/name.js";
import { refuseExisting, writeOutput } from "../files.js";
import { readPolicy } from "../names.js";
import { decodeParts } from "../record.js";
import type { Context } from "./context.js";
import { entryJson } from "./present.js";
import { meant } from "./target.js";

type Opened = Entry & { body: Uint8Array };

/** A record that was asked for. */
interface Wanted {
  handle: string;
  /** As a person named it. */
  target: string;
  file: string;
  /** It may wait for a touch. */
  waits: boolean;
}

export interface SeveralOptions {
  directory: string | undefined;
  as: Export | undefined;
  force: boolean;
}

/** @throws UsageError, NotFoundError, FileError; DeviceError of the first record that was refused, when the others are written */
export async function getSeveral(
  context: Context,
  targets: readonly string[],
  { directory, as, force }: SeveralOptions,
): Promise<void> {
  if (directory === undefined || !(await stat(directory).catch(() => undefined))?.isDirectory())
    throw new UsageError("Several records go into a directory of yours.", "Name one that exists: -o DIRECTORY.");
  const [wanted, opened] = await context.withClient({ commands: [Command.Get] }, async (client) => {
    const chosen = choose(await client.list(), targets, directory);
    if (!force) for (const { file } of chosen) await refuseExisting(file); // before somebody touches the board in vain
    return [chosen, await openAll(context, client, chosen)] as const;
  });
  const ready: { record: Opened; file: string; bytes: Uint8Array }[] = [];
  for (const { handle, file } of wanted) {
    const record = opened.get(handle)!;
    if (record instanceof DeviceError) continue;
    const parts = decodeParts(record.body);
    const bytes = await writeCredential(parts, as ?? usualExport(parts, record.usage), record.label ?? "");
    ready.push({ record, file, bytes });
  }
  await writeAll(ready, force);
  const records = ready.map(({ record, file, bytes }) => ({ ...entryJson(record), file, bytes: bytes.length }));
  context.result(
    { records },
    records.map(({ file, bytes }) => `${file}: ${bytes} bytes`),
  );
  for (const { handle } of wanted) {
    const refused = opened.get(handle);
    if (refused instanceof DeviceError) throw named(refused, handle);
  }
}

/** What is meant by the targets, each record once. */
function choose(entries: readonly Entry[], targets: readonly string[], directory: string): Wanted[] {
  const known = new Map(entries.map((entry) => [handleText(entry.handle), entry]));
  const asked = new Map(targets.map((target) => [handleText(meant(entries, target)), target]));
  const names = new Set<string>();
  return [...asked].map(([handle, target]) => {
    const entry = known.get(handle) ?? { handle: Buffer.from(handle, "hex"), policy: 0 };
    const file = join(directory, fileName(entry, names));
    return { handle, target, file, waits: readPolicy(entry.policy).presence !== Presence.Never };
  });
}

/** Opens records; those that may wait for a touch one by one, because a request that waits is given up by the next one. @returns by handle */
async function openAll(
  context: Context,
  client: Client,
  wanted: readonly Wanted[],
): Promise<Map<string, Opened | DeviceError>> {
  const bytes = ({ handle }: Wanted) => Buffer.from(handle, "hex");
  const others = wanted.filter(({ waits }) => !waits);
  const together = await client.getAll(others.map(bytes));
  const opened = new Map<string, Opened | DeviceError>(others.map(({ handle }, i) => [handle, together[i]!]));
  for (const one of wanted) {
    if (!one.waits) continue;
    context.purpose = `get ${one.target}`;
    opened.set(one.handle, await client.get(bytes(one)).catch(refusal));
  }
  return opened;
}

function refusal(error: unknown): DeviceError {
  if (error instanceof DeviceError) return error;
  throw error;
}

/** Writes one after the other. @throws FileError that tells which were written and which were not */
async function writeAll(files: readonly { file: string; bytes: Uint8Array }[], force: boolean): Promise<void> {
  for (const [at, { file, bytes }] of files.entries())
    try {
      await writeOutput(file, bytes, force);
    } catch (cause) {
      if (!(cause instanceof FileError)) throw cause;
      const names = files.map((one) => one.file);
      const written = at === 0 ? "Nothing was written." : `Written: ${names.slice(0, at).join(", ")}.`;
      throw new FileError(
        `${cause.message} ${written} Not written: ${names.slice(at).join(", ")}.`,
        "Get those that are missing, or all of them with --force.",
        { cause },
      );
    }
}

/** A refusal that says which of several records it is about. */
function named(error: DeviceError, handle: string): DeviceError {
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  return new DeviceError(error.status, error.detail, { message: `Record ${handle}: ${error.message}`, ...hint });
}

/** The label as a name of a file; the handle when it has none, when no file may have it, when it looks like a handle, or like another
 *  record's to a file system without capitals. @param taken names so far, without capitals; this one is added */
export function fileName(
  { label = "", handle }: Pick<Entry, "label" | "handle">,
  taken: Set<string>,
  platform = process.platform,
): string {
  const name = usableName(Buffer.from(label.replace(/[^\w.@-]/g, "_").replace(/^\.|\.$/g, "_")), platform);
  if (name === undefined) return handleText(handle);
  const folded = name.toLowerCase();
  if (/^[0-9a-f]{32}$/.test(folded) || taken.has(folded)) return handleText(handle);
  taken.add(folded);
  return name;
}
