/** operator: who may ask. Keys are made here, kept before the device hears of them, and never shown unless somebody insists. */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import type { Command } from "commander";
import { PSK_SIZE, type Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command as DeviceCommand, State } from "../../firmware/defs/wire.js";
import type { OperatorEntry } from "../client/answers.js";
import type { Client } from "../client/client.js";
import { DeviceError, NotFoundError, UsageError } from "../client/errors.js";
import { checkOutputFile, moveOutput, writeOutput } from "../files.js";
import { formatKey, parseKey } from "../keys/text.js";
import { checkOperatorId, ROLES } from "../names.js";
import { open, refuseKnown, takes } from "../provision.js";
import type { Context } from "./context.js";
import { readKeyFile } from "./operators.js";
import { ask } from "./prompt.js";
import { table } from "./table.js";

interface KeyOptions {
  output?: string;
  force: boolean;
}

interface AddOptions extends KeyOptions {
  role: string;
  setupCodeFile?: string;
}

export function addOperator(program: Command, context: () => Context): void {
  const operator = program
    .command("operator")
    .description("who may ask: auditors look, users use, admins put and manage");
  const withFile = (command: Command) =>
    command
      .option("-o, --output <FILE>", "write the key there (mode 0600) for another computer, and do not keep it here")
      .option("--force", "replace FILE if it exists", false);

  operator
    .command("list")
    .description("the operators of the device, and whose keys are on this computer")
    .action(() => list(context()));

  withFile(operator.command("add").argument("<id>", "1 to 10 of a-z 0-9 . _ -"))
    .requiredOption("--role <ROLE>", ROLES.all.join(", "))
    .option("--setup-code-file <FILE>", "while provisioning is not over: 64 hex digits (default: MBS_SETUP_CODE)")
    .description("make a key and let whoever has it ask")
    .addHelpText("after", ADD_EXAMPLES)
    .action((id: string, options: AddOptions) => add(context(), checkOperatorId(id), options));

  withFile(operator.command("rotate").argument("<id>"))
    .description("give an operator another key; the old one works until the new one was used")
    .action((id: string, options: KeyOptions) => rotate(context(), checkOperatorId(id), options));

  operator
    .command("role")
    .argument("<id>")
    .argument("<role>", ROLES.all.join(", "))
    .description("give an operator another role")
    .action(async (id: string, word: string) => {
      const role = ROLES.number(word);
      checkOperatorId(id);
      context().kept = `${id} has its old role or the new one; \`mbs operator list\` tells which.`;
      await context().withClient({ commands: [DeviceCommand.OperatorRole] }, async (client) => {
        const { instance } = await client.info();
        await client.operatorRole(id, role);
        await context().operators.setRole(instance, id, role);
      });
      context().result({ operator: id, role: word }, [`${id} ${word}`]);
    });

  operator
    .command("remove")
    .argument("<id>")
    .description("take an operator's access away, and its key from this computer")
    .action(async (id: string) => {
      checkOperatorId(id);
      await context().confirm(`${id} will be refused from now on, and its key here will be gone. Remove it?`);
      context().kept = `${id} is either there as before or removed; \`mbs operator list\` tells which.`;
      await context().withClient({ commands: [DeviceCommand.OperatorRemove] }, async (client) => {
        const { instance } = await client.info();
        await client.operatorRemove(id);
        await context().operators.remove(instance, id);
      });
      context().result({ operator: id }, [`${id} removed`]);
    });

  operator
    .command("import")
    .argument("<id>")
    .argument("[file]", "holds the key as export writes it; - is stdin; without it you are asked")
    .description("keep the key of an operator on this computer, after the device took it")
    .action((id: string, file: string | undefined) => bringIn(context(), checkOperatorId(id), file));

  operator
    .command("export")
    .argument("<id>")
    .option("-o, --output <FILE>", "write there, for you alone (mode 0600)")
    .option("--show", "show it on the terminal", false)
    .option("--force", "replace FILE if it exists", false)
    .description("give out the key of an operator that is on this computer: a secret")
    .action((id: string, options: KeyOptions & { show: boolean }) => giveOut(context(), checkOperatorId(id), options));
}

async function list(context: Context): Promise<void> {
  const { listed, here } = await context.withClient({ commands: [DeviceCommand.OperatorList] }, async (client) => {
    const { instance } = await client.info();
    return { listed: await client.operators(), here: await context.operators.known(instance) };
  });
  const stores = new Map(here.map(({ id, store }) => [id, store]));
  const json = listed.operators.map(({ id, pending, refusals, role }) => ({
    operator: id,
    role: ROLES.word(role),
    pending,
    refusals,
    key: stores.get(id) ?? null,
  }));
  const rows = json.map(({ operator, role, pending, refusals, key }) => [
    operator,
    role,
    pending ? "new, not used yet" : "in use",
    String(refusals),
    key ?? "elsewhere",
  ]);
  const { corrupt } = listed;
  const damaged = corrupt === 0 ? [] : [`${corrupt} more cannot be read: add whoever is missing here anew`];
  const text = table(["OPERATOR", "ROLE", "KEY", "REFUSED", "KEPT IN"], rows, "lllrl");
  context.result({ operators: json, corrupt }, [...text, ...damaged]);
}

async function add(context: Context, id: string, options: AddOptions): Promise<void> {
  const role = ROLES.number(options.role);
  context.setupCodeFile = options.setupCodeFile;
  await checkFile(options);
  context.kept = `${id} may have been added; the same command goes on from there.`;
  const commands = [DeviceCommand.OperatorAdd];
  // in other states the device takes the setup code and no operators: whoever asks for one then is not the device
  const wish = { commands, setup: [State.Provisioning] };
  await context.withClient(wish, async (client, asBefore) => {
    const tell = (key: Uint8Array) => client.operatorAdd({ id, role, key });
    if (options.output !== undefined) return intoFile(context, options.output, options.force, tell);
    const taken = await keepHere(context, client, asBefore, id, tell);
    if (taken !== role) throw new DeviceError(Status.OperatorExists);
  });
  report(context, id, role, options);
}

async function rotate(context: Context, id: string, options: KeyOptions): Promise<void> {
  await checkFile(options);
  context.kept = `The old key of ${id} works until the new one was used; the same command goes on from there.`;
  const commands = [DeviceCommand.OperatorRotate, DeviceCommand.OperatorList];
  const role = await context.withClient({ commands }, async (client, asBefore) => {
    const { instance } = await client.info();
    const found = (await client.operators()).operators.find((entry: OperatorEntry) => entry.id === id);
    const tell = (key: Uint8Array) => client.operatorRotate({ id, key });
    const isHere = (await context.operators.known(instance)).some((one) => one.id === id);
    if (options.output !== undefined) await intoFile(context, options.output, options.force, tell);
    else if (isHere || found === undefined) await keepHere(context, client, asBefore, id, tell);
    else
      throw new UsageError(
        `The key of ${id} is not on this computer.`,
        "Say -o FILE for its new key, and bring that to where the old one is.",
      );
    return found?.role;
  });
  report(context, id, role, options, true);
}

/** Makes a key, keeps it, tells the device, and uses it once: from then on it is the operator's only one. A key that waits since a run
 *  that was cut is tried first, and never told again (host/provision.ts has the rule). @returns the role that the operator has */
async function keepHere(
  context: Context,
  client: Client,
  asBefore: () => void,
  id: string,
  tell: (key: Uint8Array) => Promise<void>,
): Promise<Role> {
  const { operators } = context;
  const { instance, operator } = await client.info();
  if (operator === undefined) await refuseKnown(operators, instance);
  const waiting = await operators.waiting(instance, id);
  const info = waiting && (await takes(client, { id, key: waiting }, instance));
  if (waiting !== undefined && info !== undefined) {
    await operators.settle(instance, { id, role: info.role }, waiting);
    waiting.fill(0);
    return info.role;
  }
  if (waiting !== undefined) asBefore();
  const key = await operators.make(instance, id);
  try {
    await tell(key);
  } catch (error) {
    if (error instanceof DeviceError) await operators.discard(instance, id);
    throw error;
  }
  const { role } = await open(client, { id, key }, instance);
  await operators.settle(instance, { id, role }, key);
  key.fill(0);
  return role;
}

/** Makes a key for somebody else. It is in a file beside FILE before the device hears of it, and becomes FILE when the device took it:
 *  a refusal leaves an older FILE as it was, whose key may be the one that counts. */
async function intoFile(
  context: Context,
  path: string,
  force: boolean,
  tell: (key: Uint8Array) => Promise<void>,
): Promise<void> {
  const draft = `${path}.new`;
  const key = randomBytes(PSK_SIZE);
  await writeOutput(draft, Buffer.from(`${formatKey(key)}\n`), force);
  context.kept = `Its key is in ${draft}, if the device took it: \`mbs operator list\` tells.`;
  try {
    await tell(key);
  } catch (error) {
    if (error instanceof DeviceError) await rm(draft, { force: true });
    throw error;
  } finally {
    key.fill(0);
  }
  await moveOutput(draft, path, force);
}

async function checkFile({ output, force }: KeyOptions): Promise<void> {
  if (output === "-") throw new UsageError("A key goes into a file: name one with -o.");
  if (output === undefined) return;
  await checkOutputFile(output, force);
  await checkOutputFile(`${output}.new`, force);
}

function report(context: Context, id: string, role: Role | undefined, { output }: KeyOptions, isRotated = false): void {
  const word = role === undefined ? "" : ROLES.word(role);
  const key = isRotated ? "its new key" : "its key";
  const old = !isRotated ? "" : output === undefined ? "; the old one counts no more" : "; until then the old one does";
  context.result({ operator: id, role: word, file: output ?? null, pending: output !== undefined }, [
    output === undefined
      ? `${id} ${word}, ${key} is kept on this computer${old}`
      : `${id} ${word}, ${key} is in ${output} and counts from its first use on${old}: mbs operator import ${id} ${output}`,
  ]);
}

async function bringIn(context: Context, id: string, file: string | undefined): Promise<void> {
  const key =
    file === undefined
      ? parseKey(await ask(context.io, `Key of ${id} (not shown): `, true), "the key")
      : await readKeyFile(context, file);
  context.kept = "The key may have been kept; `mbs operator list` tells.";
  const role = await context.withClient({ commands: [] }, async (client) => {
    client.as({ id, key });
    const { instance, role } = await client.info();
    await context.operators.settle(instance, { id, role }, key);
    return role;
  });
  key.fill(0);
  context.result({ operator: id, role: ROLES.word(role) }, [
    `${id} ${ROLES.word(role)}, its key is kept on this computer`,
  ]);
}

async function giveOut(context: Context, id: string, options: KeyOptions & { show: boolean }): Promise<void> {
  const { output, force, show } = options;
  if (output === undefined && context.io.stdout.isTTY && !show)
    throw new UsageError(
      "A key is a secret and is not shown on a terminal.",
      "Say -o FILE, send it into a pipe, or say --show when nobody looks on.",
    );
  if (output !== undefined) await checkOutputFile(output, force);
  // hello may name any device: the key is given out when the device there shows that it has it too
  const { instance, key } = await context.withClient({ commands: [] }, async (client) => {
    const { instance } = await client.hello();
    const key = await context.operators.get(instance, id);
    if (key === undefined) throw new NotFoundError(`There is no key of ${id} of this device on this computer.`);
    await open(client, { id, key }, instance);
    return { instance: Buffer.from(instance).toString("hex"), key };
  });
  const text = formatKey(key);
  key.fill(0);
  context.note(
    `This is a secret: whoever has it may do what ${id} may on device ${instance}. \`mbs operator rotate ${id}\` makes it worthless.`,
  );
  if (output === undefined) context.result({ operator: id, instance, key: text }, [text]);
  else {
    await writeOutput(output, Buffer.from(`${text}\n`), force);
    context.result({ operator: id, instance, file: output }, [output]);
  }
}

const ADD_EXAMPLES = `
The key is kept on this computer, or goes into a file for another one.

Examples:
  mbs operator add deploy --role user
  mbs operator add audit --role auditor -o audit.key      (there: mbs operator import audit audit.key)`;
