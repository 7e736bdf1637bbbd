/** provision: a manifest onto a device. host/provision.ts does it; here is what people see of it. */
import { dirname } from "node:path";
import type { Command } from "commander";
import { handleText } from "../client/client.js";
import { FileError } from "../client/errors.js";
import { capacity, type Manifest, parseManifest } from "../manifest.js";
import { STATES } from "../names.js";
import { type Done, dryRun, type Loaded, loadCredentials, type Planned, provision } from "../provision.js";
import type { Context } from "./context.js";
import { readInput } from "./files.js";
import { ask } from "./prompt.js";
import { table } from "./table.js";

export function addProvision(program: Command, context: () => Context): void {
  program
    .command("provision")
    .argument("<manifest>", "a TOML file; host/example.toml shows every field")
    .option("--dry-run", "say what would be done, and do nothing", false)
    .description("make the device's root, lay out its slots, put the credentials of a manifest")
    .addHelpText(
      "after",
      "\nIt may be run again at any time: it goes on where it was interrupted and puts nothing twice.",
    )
    .action(async (file: string, options: { dryRun: boolean }) => {
      const manifest = parseManifest((await readInput(context().io, file)).bytes.toString("utf8"), file);
      const credentials = await loadCredentials(manifest, dirname(file), async (name) => {
        if (context().io.stdin.isTTY) return ask(context().io, `Passphrase of ${name}: `, true);
        throw new FileError(
          `${name} needs a passphrase, and there is no terminal to ask on.`,
          "Give the credential a passphrase-file.",
        );
      });
      if (options.dryRun) await plan(context(), manifest, credentials);
      else await carryOut(context(), manifest, credentials);
    });
}

async function plan(context: Context, manifest: Manifest, credentials: readonly Loaded[]): Promise<void> {
  const { state, planned } = await context.withClient((client) => dryRun(client, manifest, credentials));
  const credential = ({ credential, slotClass, present }: Planned) => ({
    name: credential.name,
    class: slotClass,
    bytes: credential.body.length,
    present: present === undefined ? null : handleText(present.handle),
  });
  const rows = planned
    .map(credential)
    .map((one) => [one.name, String(one.class), String(one.bytes), one.present ?? "would be put"]);
  context.result({ state: STATES.word(state), classes: classesJson(manifest), credentials: planned.map(credential) }, [
    `The device is ${STATES.word(state)}. Nothing was changed.`,
    "",
    ...classLines(manifest),
    ...(rows.length === 0
      ? []
      : ["", ...table(["CREDENTIAL", "CLASS", "BYTES", "RECORD WITH THIS LABEL"], rows, "lrrl")]),
  ]);
}

async function carryOut(context: Context, manifest: Manifest, credentials: readonly Loaded[]): Promise<void> {
  const total = credentials.length;
  const keeps = (count: number) => {
    const next = count < total ? "; the next one was under way and may be there too" : "";
    return `The device keeps at least ${count} of ${total} credentials${next}. The same command goes on from there.`;
  };
  context.kept = keeps(0);
  const { instance, done } = await context.withClient((client) =>
    provision(client, manifest, credentials, ({ credential, isNew }, count) => {
      context.kept = keeps(count);
      context.progress(`[${count}/${total}] ${credential.name}${isNew ? "" : " (was there)"}`);
    }),
  );
  const json = done.map(({ credential, handle, isNew }: Done) => ({
    name: credential.name,
    handle: handleText(handle),
    new: isNew,
  }));
  const rows = json.map((one) => [one.name, one.handle, one.new ? "put" : "was there"]);
  context.result(
    { instance: Buffer.from(instance).toString("hex"), classes: classesJson(manifest), credentials: json },
    [
      `instance ${Buffer.from(instance).toString("hex")}`,
      ...classLines(manifest),
      ...(rows.length === 0 ? [] : ["", ...table(["CREDENTIAL", "HANDLE", ""], rows)]),
    ],
  );
}

function classesJson(manifest: Manifest): Record<string, unknown>[] {
  return manifest.classes.map((one, i) => ({
    class: i,
    slotSize: one.slotSize,
    blocks: one.blocks,
    capacity: capacity(one),
  }));
}

function classLines(manifest: Manifest): string[] {
  return manifest.classes.map(
    (one, i) => `class ${i}: slots of ${one.slotSize} bytes on ${one.blocks} blocks, room for ${capacity(one)} records`,
  );
}
