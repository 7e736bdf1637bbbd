/** get: exportable records back into files or a pipe. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { Presence } from "../../firmware/defs/record.js";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import type { Entry } from "../client/answers.js";
import { type Client, handleText } from "../client/client.js";
import { DeviceError, FileError, UsageError } from "../client/errors.js";
import { EXPORTS, type Export, usualExport, writeCredential } from "../credentials/export.js";
import { usableName } from "../file/name.js";
import { checkOutputFile, refuseExisting, writeOutput } from "../files.js";
import { ALGORITHMS, KINDS, readPolicy } from "../names.js";
import { decodeParts, type Part } from "../record.js";
import type { Context } from "./context.js";
import { deliver } from "./output.js";
import { integer } from "./parse.js";
import { entryJson } from "./present.js";
import { meant, resolveHandle } from "./target.js";

interface GetOptions {
  output?: string;
  part?: string;
  as?: string;
  force: boolean;
}

export function addGet(program: Command, context: () => Context): void {
  program
    .command("get")
    .argument("<record...>", "handle, its first 8 or more digits, or label")
    .description("read exportable records")
    .option("-o, --output <FILE>", "write there, for you alone (mode 0600); of several records: a directory")
    .option("--part <NUMBER>", "only this part, as it was stored; `mbs show` numbers them")
    .option("--as <FORM>", `${EXPORTS.join(", ")} (default: what the record is)`)
    .option("--force", "replace FILE if it exists", false)
    .addHelpText(
      "after",
      "\nExamples:\n  mbs get deploy@web-1 -o id_ed25519\n  mbs get tls/web-1 tls/web-2 -o keys/\n  mbs get tls/web-1 --as pem | openssl storeutl -noout -certs /dev/stdin",
    )
    .action(async ([target = "", ...others]: string[], options: GetOptions) => {
      if (others.length > 0) return getSeveral(context(), [target, ...others], options);
      if (options.part !== undefined && options.as !== undefined)
        throw new UsageError("--part gives the bytes as they were stored; --as does not go with it.");
      if (options.output !== undefined && options.output !== "-")
        await checkOutputFile(options.output, options.force ?? false);
      const wanted = options.as === undefined ? undefined : readExport(options.as);
      const record = await context().withClient({ commands: [DeviceCommand.Get] }, async (client) =>
        client.get(await resolveHandle(client, target)),
      );
      const parts = decodeParts(record.body);
      if (context().json && options.output === undefined && wanted === undefined && options.part === undefined) {
        context().result({ ...entryJson(record), parts: parts.map(partJson) }, []);
        return;
      }
      const as = wanted ?? usualExport(parts, record.usage);
      const bytes =
        options.part === undefined ? await writeCredential(parts, as, record.label ?? "") : pick(parts, options.part);
      await deliver(context(), bytes, options, entryJson(record));
    });
}

type Opened = Entry & { body: Uint8Array };

/** One file a record, named by its label. What the device refuses is told at the end, and hinders no other. */
async function getSeveral(context: Context, targets: readonly string[], options: GetOptions): Promise<void> {
  if (options.part !== undefined) throw new UsageError("--part is a part of one record.", "Name one record.");
  const directory = options.output;
  if (directory === undefined || !(await stat(directory).catch(() => undefined))?.isDirectory())
    throw new UsageError("Several records go into a directory of yours.", "Name one that exists: -o DIRECTORY.");
  const wanted = options.as === undefined ? undefined : readExport(options.as);
  const found = await context.withClient({ commands: [DeviceCommand.Get] }, (client) =>
    openSeveral(context, client, targets),
  );
  const names = new Set<string>();
  const ready: { record: Opened; file: string; bytes: Uint8Array }[] = [];
  for (const [, record] of found) {
    if (record instanceof DeviceError) continue;
    const parts = decodeParts(record.body);
    const bytes = await writeCredential(parts, wanted ?? usualExport(parts, record.usage), record.label ?? "");
    ready.push({ record, file: join(directory, fileName(record, names)), bytes });
  }
  if (!options.force) for (const { file } of ready) await refuseExisting(file);
  await writeAll(ready, options.force);
  const files = ready.map(({ record, file, bytes }) => ({ ...entryJson(record), file, bytes: bytes.length }));
  context.result(
    { records: files },
    files.map(({ file, bytes }) => `${file}: ${bytes} bytes`),
  );
  for (const [handle, record] of found) if (record instanceof DeviceError) throw named(record, handle);
}

/** Opens records; those that may wait for a touch one by one, because a request that waits is given up by the next one.
 *  @returns in the order in which they were named, each once */
async function openSeveral(
  context: Context,
  client: Client,
  targets: readonly string[],
): Promise<(readonly [handle: string, Opened | DeviceError])[]> {
  const entries = await client.list();
  const touched = new Set(entries.filter(waits).map(({ handle }) => handleText(handle)));
  const wanted = new Map(targets.map((target) => [handleText(meant(entries, target)), target]));
  const found = new Map<string, Opened | DeviceError>();
  const others = [...wanted.keys()].filter((handle) => !touched.has(handle));
  const opened = await client.getAll(others.map((handle) => Buffer.from(handle, "hex")));
  for (const [i, handle] of others.entries()) found.set(handle, opened[i]!);
  for (const [handle, target] of wanted) {
    if (!touched.has(handle)) continue;
    context.purpose = `get ${target}`;
    found.set(handle, await client.get(Buffer.from(handle, "hex")).catch(refusal));
  }
  return [...wanted.keys()].map((handle) => [handle, found.get(handle)!] as const);
}

function refusal(error: unknown): DeviceError {
  if (error instanceof DeviceError) return error;
  throw error;
}

function waits({ policy }: Entry): boolean {
  return readPolicy(policy).presence !== Presence.Never;
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

function pick(parts: readonly Part[], text: string): Uint8Array {
  return parts[integer("--part", text, parts.length - 1)]!.content;
}

function partJson(part: Part): Record<string, unknown> {
  return {
    kind: KINDS.word(part.kind),
    algorithm: ALGORITHMS.word(part.algorithm),
    secret: part.secret,
    content: Buffer.from(part.content).toString("base64"),
  };
}

function readExport(text: string): Export {
  const found = EXPORTS.find((form) => form === text);
  if (found === undefined) throw new UsageError(`--as: expected ${EXPORTS.join(", ")}; got "${text}".`);
  return found;
}
