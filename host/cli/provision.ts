/** provision: a manifest onto a device. host/provision.ts does it; here is what people see of it. */
import { dirname } from "node:path";
import type { Command } from "commander";
import { Role } from "../../firmware/defs/session.js";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import { handleText } from "../client/client.js";
import { FileError } from "../client/errors.js";
import { readInput } from "../files.js";
import { capacity, type Manifest, parseManifest } from "../manifest.js";
import { ROLES, STATES } from "../names.js";
import {
  type Authority,
  type Done,
  dryRun,
  type Loaded,
  loadCredentials,
  type Planned,
  provision,
  type Standing,
} from "../provision.js";
import type { Context } from "./context.js";
import { ask } from "./prompt.js";
import { readSetupCode } from "./setup-code.js";
import { table } from "./table.js";

export function addProvision(program: Command, context: () => Context): void {
  program
    .command("provision")
    .argument("<manifest>", "a TOML file; host/example.toml shows every field")
    .option("--dry-run", "say what would be done, and do nothing", false)
    .option(
      "--setup-code-file <FILE>",
      "the code that the device was flashed with: 64 hex digits (default: MBS_SETUP_CODE)",
    )
    .description("make the device's root, lay out its slots, add its operators, put the credentials of a manifest")
    .addHelpText("after", EXPLANATION)
    .action(async (file: string, options: { dryRun: boolean; setupCodeFile?: string }) => {
      context().setupCodeFile = options.setupCodeFile;
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
  const { state, planned } = await context.withClient({ commands }, (client) =>
    dryRun(client, manifest, credentials, authority(context)),
  );
  const credential = ({ credential, slotClass, present }: Planned) => ({
    name: credential.name,
    class: slotClass,
    bytes: credential.length,
    present: present === undefined ? null : handleText(present.handle),
  });
  const rows = planned
    .map(credential)
    .map((one) => [one.name, String(one.class), String(one.bytes), one.present ?? "would be put"]);
  const operators = manifest.operators.map(({ id, role }) => ({ operator: id, role: ROLES.word(role) }));
  const json = { classes: classesJson(manifest), operators, credentials: planned.map(credential) };
  context.result({ state: STATES.word(state), ...json }, [
    `The device is ${STATES.word(state)}. Nothing was changed.`,
    "",
    ...classLines(manifest),
    `operators: ${operators.map(({ operator, role }) => `${operator} (${role})`).join(", ")}`,
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
  const { instance, done, operators } = await context.withClient({ commands }, (client) =>
    provision(client, manifest, credentials, authority(context), ({ credential, isNew }, count) => {
      context.kept = keeps(count);
      context.progress(`[${count}/${total}] ${credential.name}${isNew ? "" : " (was there)"}`);
    }),
  );
  const json = done.map(({ credential, handle, isNew }: Done) => ({
    name: credential.name,
    handle: handleText(handle),
    new: isNew,
  }));
  const rows = done.map(({ credential, isNew }, i) => [
    credential.name,
    json[i]!.handle,
    !isNew ? "was there" : credential.generate ? "generated" : "put",
  ]);
  const who = operators.map(({ id, role, standing }) => ({ operator: id, role: ROLES.word(role), standing }));
  context.result(
    {
      instance: Buffer.from(instance).toString("hex"),
      classes: classesJson(manifest),
      operators: who,
      credentials: json,
    },
    [
      `instance ${Buffer.from(instance).toString("hex")}`,
      ...classLines(manifest),
      "",
      ...table(
        ["OPERATOR", "ROLE", ""],
        who.map((one) => [one.operator, one.role, STANDINGS[one.standing]]),
      ),
      ...(rows.length === 0 ? [] : ["", ...table(["CREDENTIAL", "HANDLE", ""], rows)]),
    ],
  );
}

/** Provisioning says itself who asks; nobody has to be chosen for it. */
const commands = [DeviceCommand.Info];

const STANDINGS: Record<Standing, string> = {
  added: "added, its key is kept on this computer",
  present: "was there",
  elsewhere: "was there, its key is not on this computer",
};

function authority(context: Context): Authority {
  const { operators } = context;
  return {
    keys: operators,
    setupCode: (hello) => readSetupCode(context, hello),
    admin: (hello) => operators.choose(hello, Role.Admin),
  };
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

const EXPLANATION = `
It may be run again at any time: it goes on where it was interrupted and puts nothing twice. The keys of the operators are made on this
computer and kept here; \`mbs operator export\` gives one out for another computer. A device that was flashed with a setup code asks for it;
one without asks for a touch of S1, and mbs asks you first (or wants --yes): whoever can change what is on the line could be it.`;
