/** info, list, find, show: what the device says about itself and its records. No seal is opened but by show. */
import type { Command } from "commander";
import { BOARD_EK_RA6M5 } from "../../firmware/defs/boundary.js";
import { ImageState } from "../../firmware/defs/image.js";
import { Status } from "../../firmware/defs/status.js";
import { Command as DeviceCommand, State } from "../../firmware/defs/wire.js";
import type { Binding } from "../binding.js";
import type { ClassInfo, Hello, Info, Listing, Standing, StoreInfo } from "../client/answers.js";
import { handleText } from "../client/client.js";
import { DeviceError, type MbsError, NotFoundError, UsageError } from "../client/errors.js";
import type { FindRequest } from "../client/requests.js";
import { roleText } from "../client/roles.js";
import { STATUS_TEXT } from "../client/status-text.js";
import { checkOutputFile, writeOutput } from "../files.js";
import { boardKeyText } from "../image/board-key.js";
import {
  ALGORITHMS,
  ATOMICS,
  BOUND_MEDIA,
  BOUND_TARGETS,
  CONSTANT_TIMES,
  CUSTODIES,
  ENGINES,
  ENTROPY_SOURCES,
  IMAGE_STATES,
  KINDS,
  ORIGINS,
  PRESENCE_SOURCES,
  ROLES,
  ROOT_PLACES,
  SEALINGS,
  STATES,
  TIERS,
  USAGES,
} from "../names.js";
import { packageCore } from "../package.js";
import type { Context } from "./context.js";
import { checkLabel, integer } from "./parse.js";
import { ENTRY_ALIGN, ENTRY_HEADINGS, entryJson, entryRows, policyText } from "./present.js";
import { pairs, table } from "./table.js";
import { resolveHandle } from "./target.js";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

export function addQueries(program: Command, context: () => Context): void {
  program
    .command("info")
    .option("--transport-key", "the key that an image for this board is sealed to; a blank board makes it")
    .option("-o, --output <FILE>", "with --transport-key: write it there, for `mbs image build --for FILE`")
    .option("--force", "replace FILE if it exists", false)
    .option("--setup-code-file <FILE>", "for a blank board that was flashed with one (default: MBS_SETUP_CODE)")
    .description("what the device is, how full and how worn its store is")
    .action(async (options: InfoOptions) => {
      context().setupCodeFile = options.setupCodeFile;
      if (options.transportKey) return tellTransportKey(context(), options);
      if (options.output !== undefined) throw new UsageError("-o goes with --transport-key.");
      const { hello, info } = await context().withClient({ commands: [DeviceCommand.Info] }, async (client) => {
        const hello = await client.hello();
        try {
          return { hello, info: await client.info() };
        } catch (error) {
          if (context().isOperatorNamed || !isUnknown(error)) throw error;
          context().note(`${error.message} Only what anybody may know is shown, and nothing proves it.`);
          return { hello, info: undefined };
        }
      });
      if (info === undefined) context().result({ ...helloJson(hello), ...UNTOLD }, helloLines(hello));
      else context().result({ ...helloJson(hello), ...infoJson(info) }, infoLines(info));
    });

  program
    .command("list")
    .description("all records, oldest first")
    .action(async () =>
      printListing(
        context(),
        await context().withClient({ commands: [DeviceCommand.List] }, (client) => client.listing()),
        "No records.",
      ),
    );

  program
    .command("find")
    .description("the records of which everything named holds")
    .option("--label <LABEL>", "exactly this label")
    .option("--prefix <TEXT>", "labels that begin so")
    .option("--usage <USAGE>", USAGES.all.join(", "))
    .option("--tier <TIER>", TIERS.all.join(", "))
    .option("--origin <ORIGIN>", ORIGINS.all.join(", "))
    .option("--epoch <A..B>", "creation epochs from A to B; either may be left out")
    .addHelpText("after", "\nExamples:\n  mbs find --prefix tls/ --usage raw\n  mbs find --epoch 3..5 --json")
    .action(async (options: FindOptions) => {
      const what = readFind(options);
      printListing(
        context(),
        await context().withClient({ commands: [DeviceCommand.Find] }, (client) => client.listing(what)),
        "No record matches.",
      );
    });

  program
    .command("show")
    .argument("<record>", "handle, its first 8 or more digits, or label")
    .description("one record and its parts, without their content")
    .action(async (target: string) => {
      const shown = await context().withClient({ commands: [DeviceCommand.Show] }, async (client) =>
        client.show(await resolveHandle(client, target)),
      );
      const parts = shown.parts.map((part, i) => ({
        part: i,
        kind: KINDS.word(part.kind),
        algorithm: ALGORITHMS.word(part.algorithm),
        secret: part.secret,
        length: part.length,
      }));
      const json = entryJson(shown);
      const lines = pairs([
        ...Object.entries(json).map(([name, value]): [string, string] => [name, value === null ? "" : String(value)]),
        ["policy", policyText(shown) || "stays on the device, no touch"],
      ]);
      const rows = parts.map((part) => [
        String(part.part),
        part.kind,
        part.algorithm,
        part.secret ? "secret" : "public",
        String(part.length),
      ]);
      context().result({ ...json, parts }, [
        ...lines,
        "",
        ...table(["PART", "KIND", "ALGORITHM", "", "BYTES"], rows, "llllr"),
      ]);
    });
}

interface FindOptions {
  label?: string;
  prefix?: string;
  usage?: string;
  tier?: string;
  origin?: string;
  epoch?: string;
}

function readFind(options: FindOptions): FindRequest {
  if (Object.keys(options).length === 0)
    throw new UsageError("Say what to find.", "`mbs list` shows everything; `mbs find --help` what can be said.");
  const { label, prefix, usage, tier, origin, epoch } = options;
  checkLabel(label);
  return {
    ...(label !== undefined && { label }),
    ...(prefix !== undefined && { labelPrefix: prefix }),
    ...(usage !== undefined && { usage: USAGES.number(usage) }),
    ...(tier !== undefined && { tier: TIERS.number(tier) }),
    ...(origin !== undefined && { origin: ORIGINS.number(origin) }),
    ...(epoch !== undefined && readEpochs(epoch)),
  };
}

function readEpochs(text: string): Pick<FindRequest, "epochMin" | "epochMax"> {
  const [, min, max] = /^(\d*)\.\.(\d*)$/.exec(text) ?? /^(?=(\d+)$)(\d+)$/.exec(text) ?? [];
  if (!min && !max) throw new UsageError(`--epoch: expected A..B, A.., ..B or one number; got "${text}".`);
  return { ...(min && { epochMin: integer("--epoch", min) }), ...(max && { epochMax: integer("--epoch", max) }) };
}

/** @param none said when there is nothing to print */
function printListing(context: Context, { entries, corrupt }: Listing, none: string): void {
  const json = entries.map((entry) => ({ ...entryJson(entry), parts: entry.parts }));
  if (corrupt > 0)
    context.warn(`${corrupt} records do not verify and are not shown; \`mbs info\` and \`mbs dump\` look closer.`);
  if (entries.length === 0) context.note(none);
  context.result(
    { entries: json, corrupt },
    entries.length === 0 ? [] : table(ENTRY_HEADINGS, entryRows(entries), ENTRY_ALIGN),
  );
}

/** Nobody here may ask the device more than hello, which is no reason to tell nothing. */
function isUnknown(error: unknown): error is MbsError {
  const states: Status[] = [Status.NotProvisioned, Status.CustodyDamaged, Status.WrongVersion, Status.OtherBoard];
  return error instanceof NotFoundError || (error instanceof DeviceError && states.includes(error.status));
}

interface InfoOptions {
  transportKey?: boolean;
  output?: string;
  force: boolean;
  setupCodeFile?: string;
}

async function tellTransportKey(context: Context, { output, force }: InfoOptions): Promise<void> {
  if (output !== undefined) await checkOutputFile(output, force);
  context.kept = "The board has a transport key, or will make one when it is asked again; nothing else changed.";
  const wish = { commands: [DeviceCommand.TransportKey], setup: [State.Blank] };
  const key = await context.withClient(wish, async (client) => {
    const { state } = await client.hello();
    if (state !== State.Blank)
      throw new UsageError(
        `Only a blank board takes an image, and this one is ${STATES.word(state)}.`,
        "A board with a store takes credentials by `mbs put` and `mbs provision`; `mbs reset` makes it blank.",
      );
    return client.transportKey();
  });
  const text = boardKeyText(key);
  const json = { uniqueId: hex(key.uniqueId), publicKey: hex(key.publicKey) };
  if (output === undefined) return context.result(json, [text.trimEnd()]);
  await writeOutput(output, Buffer.from(text), force);
  context.result({ ...json, file: output }, [`${output}: images sealed to it are for board ${json.uniqueId} alone`]);
}

function standingJson(told: Standing): Record<string, unknown> {
  return {
    state: STATES.word(told.state),
    instance: hex(told.instance),
    protocol: told.protocol,
    format: told.format,
    trapCode: told.trapCode,
    refusals: told.refusals,
  };
}

/** Nothing proves it: what info says as well takes its place. */
function helloJson(hello: Hello): Record<string, unknown> {
  return { ...standingJson(hello), setupCode: hello.setupCode };
}

/** The fields of info that need a session. */
const UNTOLD = {
  operator: null,
  role: null,
  custody: null,
  board: null,
  uniqueId: null,
  coreHash: null,
  binding: null,
  image: null,
  store: null,
};

function helloLines(hello: Hello): string[] {
  return pairs([
    ["state", STATES.word(hello.state)],
    ["firmware", `protocol ${hello.protocol}, format ${hello.format}`],
    ...(hello.instance.some((byte) => byte !== 0) ? [["instance", hex(hello.instance)] as const] : []),
    ...trapFacts(hello.trapCode),
    ["setup code", hello.setupCode ? "flashed with the firmware" : "none: S1 has to be touched instead"],
    ["refused", refusalsText(hello.refusals)],
  ]);
}

function trapFacts(code: number): (readonly [string, string])[] {
  return code === 0 ? [] : [["trap", `the firmware trapped, code ${code}`]];
}

function refusalsText(count: number): string {
  return count === 1 ? "1 handshake" : `${count} handshakes`;
}

function infoJson(info: Info): Record<string, unknown> {
  const { store } = info;
  return {
    ...standingJson(info),
    operator: info.operator ?? null,
    role: info.operator === undefined ? "setup" : ROLES.word(info.role),
    custody: CUSTODIES.word(info.custody),
    board: info.board,
    uniqueId: hex(info.uniqueId),
    coreHash: hex(info.coreHash),
    binding: info.binding === undefined ? null : bindingJson(info.binding),
    image: imageJson(info),
    store: store === undefined ? null : storeJson(store),
  };
}

function imageJson({ image }: Info) {
  const { state, item, status } = image;
  return { state: IMAGE_STATES.word(state), ...(state === ImageState.Stopped && { item, status }) };
}

function imageFacts({ image }: Info): (readonly [string, string])[] {
  const { state, item, status } = image;
  if (state === ImageState.None) return [];
  const [why] = STATUS_TEXT[status] ?? ["The firmware trapped before."];
  return [["image", `${IMAGE_STATES.word(state)}${state === ImageState.Stopped ? ` at item ${item}: ${why}` : ""}`]];
}

function storeJson(store: StoreInfo): Record<string, unknown> {
  return {
    ...store,
    manifest: hex(store.manifest),
    residue: store.residue.map(handleText),
    classes: store.classes.map(({ slotClass, ...rest }) => ({ class: slotClass, ...rest })),
  };
}

function infoLines(info: Info): string[] {
  const lines = pairs([
    ["state", STATES.word(info.state)],
    ["custody", CUSTODIES.word(info.custody)],
    ["firmware", `protocol ${info.protocol}, format ${info.format}, core ${hex(info.coreHash)}`],
    ...(packageCore() === hex(info.coreHash) ? [] : [["", "which is not the core of this package"] as const]),
    ...bindingFacts(info),
    ["board", `${info.board === BOARD_EK_RA6M5 ? "EK-RA6M5" : info.board}, unique id ${hex(info.uniqueId)}`],
    ...imageFacts(info),
    ...trapFacts(info.trapCode),
    ["session", `${info.operator ?? "setup code"}, ${roleText(info.role)}`],
    ["refused", refusalsText(info.refusals)],
    ...(info.store === undefined ? [] : [["instance", hex(info.instance)] as const, ...storeFacts(info.store)]),
  ]);
  if (info.store === undefined) return lines;
  const headings = ["CLASS", "SLOT", "BLOCKS", "RECORDS", "OF", "TO ERASE", "ERASES", "PUTS LEFT"];
  return [...lines, "", ...table(headings, info.store.classes.map(classRow), "rrrrrrrr")];
}

/** In words, apart from hashes and sizes. */
function bindingJson(binding: Binding) {
  return {
    target: BOUND_TARGETS.word(binding.target),
    engine: ENGINES.word(binding.engine),
    constantTime: CONSTANT_TIMES.word(binding.constantTime),
    core: hex(binding.core),
    manifest: hex(binding.manifest),
    slots: BOUND_MEDIA.word(binding.slots),
    data: BOUND_MEDIA.word(binding.data),
    atomic: ATOMICS.word(binding.atomic),
    unit: binding.unit,
    sealing: SEALINGS.word(binding.sealing),
    custody: ROOT_PLACES.word(binding.custody),
    entropy: ENTROPY_SOURCES.word(binding.entropy),
    presence: PRESENCE_SOURCES.word(binding.presence),
  };
}

function bindingFacts({ binding, coreHash }: Info): (readonly [string, string])[] {
  if (binding === undefined) return [["bound to", "something that this version does not know"]];
  const to = bindingJson(binding);
  return [
    ["bound to", `${to.target}, run by ${to.engine}, constant time ${to.constantTime}`],
    [
      "",
      `slots in ${to.slots}; journal and logs in ${to.data}, a change settled by a ${to.atomic} in units of ${to.unit}`,
    ],
    ["", `sealed by the ${to.sealing}; root in ${to.custody}; entropy from ${to.entropy}; presence by ${to.presence}`],
    ["", `target.json ${to.manifest}`],
    ...(to.core === hex(coreHash) ? [] : [["", `but that was core ${to.core}`] as const]),
  ];
}

function storeFacts(store: StoreInfo): (readonly [string, string])[] {
  const waiting = store.residue.map(handleText);
  return [
    ["epoch", `${store.epoch}${store.epochSet ? ", set by hand" : ""}`],
    ["changes", `${store.sequence} made, ${store.changesLeft} left`],
    ["reserves", `${store.reservesLeft} left`],
    ...(waiting.length === 0 ? [] : [["evicted", `${waiting.length} not erased yet: ${waiting.join(", ")}`] as const]),
    ...(store.custodyCopies === 2
      ? []
      : [["root", "one of its two copies is damaged; the next change mends it"] as const]),
    ...(store.corrupt === 0 ? [] : [["corrupt", `${store.corrupt} records do not verify`] as const]),
    ...(store.accepted === 0 ? [] : [["accepted", `${store.accepted} degraded sets were accepted`] as const]),
  ];
}

function classRow(one: ClassInfo): string[] {
  const { slotClass, slotSize, blocks, live, capacity, dirty, erases, leastErases, mostErases, putsLeft } = one;
  const spread = leastErases === mostErases ? "" : ` (${leastErases} to ${mostErases} a block)`;
  return [slotClass, slotSize, blocks, live, capacity, dirty, `${erases}${spread}`, putsLeft].map(String);
}
