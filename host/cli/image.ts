/** image build, image inspect: files that make a board with its credentials. host/image makes and reads them. */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { type Command, Option } from "commander";
import { Custody } from "../../firmware/defs/custody.js";
import { FORMAT_VERSION } from "../../firmware/defs/slot.js";
import { handleText } from "../client/client.js";
import { FileError, UsageError } from "../client/errors.js";
import { checkOutputFile, readInput, writeOutput } from "../files.js";
import type { ImageHeader } from "../flash/descriptor.js";
import { type FlashFile, inspect, readFlashFile } from "../flash/file.js";
import { hex, type Segment, writeHex } from "../flash/hex.js";
import { DATA, FIRMWARE, IMAGE, type Range, SLOTS, within } from "../flash/map.js";
import { parseBoardKey } from "../image/board-key.js";
import { buildInjected, buildSealed, type Made, type Recipe } from "../image/build.js";
import { type StoreContent, storeIn } from "../image/inspect.js";
import { derivedKeys } from "../image/keys.js";
import { formatKey } from "../keys/text.js";
import { parseManifest } from "../manifest.js";
import { CUSTODIES, ROLES, USAGES } from "../names.js";
import { builtFirmware, packageCore } from "../package.js";
import { loadCredentials } from "../provision.js";
import { type Context, SCHEMA_VERSION } from "./context.js";
import { policyText } from "./present.js";
import { ask } from "./prompt.js";
import { pairs, table } from "./table.js";

interface BuildOptions {
  output: string;
  for?: string;
  custody: "device" | "injected";
  board?: string;
  insecureSeed?: string;
  elf?: string;
  force: boolean;
}

const REGIONS: readonly (readonly [string, Range])[] = [
  ["firmware", FIRMWARE],
  ["image", IMAGE],
  ["slots", SLOTS],
  ["data", DATA],
];
const SECRET =
  "THIS FILE IS A SECRET: it holds the root key and everything sealed under it. Whoever has it has the credentials.";
const INSECURE =
  "INSECURE: everything in this file follows from a seed. It protects nothing; for tests and demonstrations alone.";

export function addImage(program: Command, context: () => Context): void {
  const image = program.command("image").description("files that make a board with its credentials");
  image
    .command("build")
    .argument("<manifest>", "a TOML file; host/example.toml shows every field")
    .requiredOption("-o, --output <FILE>", "Intel HEX; .bin of each region and a .json with hashes go beside it")
    .option("--for <BOARD.pub>", "seal to the board that gave this key: mbs info --transport-key -o BOARD.pub")
    .addOption(
      new Option("--custody <KIND>", "whose the root key is").choices(["device", "injected"]).default("device"),
    )
    .option("--board <ID>", "with injected: the one board that may mount it, 32 hex digits of its unique id")
    .option("--insecure-seed <TEXT>", "with injected: the same file each time, which protects nothing")
    .option("--elf <FILE>", "the firmware (default: the one that was built)")
    .option("--force", "replace files that exist", false)
    .description("make a file of firmware and credentials for `mbs flash write`")
    .addHelpText("after", HELP)
    .action((file: string, options: BuildOptions) => build(context(), file, options));

  image
    .command("inspect")
    .argument("<file>", "what `mbs image build` made, or a firmware")
    .description("say what is in a file, as far as it tells without a key")
    .action(async (path: string) => show(context(), await readFlashFile(path)));
}

async function build(context: Context, file: string, options: BuildOptions): Promise<void> {
  checkOptions(options);
  const { output, force, insecureSeed } = options;
  const manifest = parseManifest((await readInput(context.io, file)).bytes.toString("utf8"), file);
  const firmware = await readFirmware(context, options.elf ?? builtFirmware());
  for (const name of [...REGIONS.map(([region]) => `${region}.bin`), "hex", "json"])
    await checkOutputFile(name === "hex" ? output : beside(output, name), force);
  const credentials = await loadCredentials(manifest, dirname(file), async (name) => {
    if (context.io.stdin.isTTY) return ask(context.io, `Passphrase of ${name}: `, true);
    throw new FileError(
      `${name} needs a passphrase, and there is no terminal to ask on.`,
      "Give the credential a passphrase-file.",
    );
  });
  const keys = insecureSeed === undefined ? context.operators : derivedKeys(insecureSeed);
  const made = await make(context, { manifest, credentials, keys }, options);
  const whole = inspect(
    output,
    [...firmware.segments, ...made.segments].sort((a, b) => a.address - b.address),
  );
  const warning = insecureSeed !== undefined ? INSECURE : options.custody === "injected" ? SECRET : null;
  const files = await writeRegions(whole.segments, options);
  const about = {
    warning,
    ...contentJson(whole),
    operators: manifest.operators.map(({ id, role }) => ({ operator: id, role: ROLES.word(role) })),
    credentials: credentials.map(({ name, label, usage, generate }) => ({
      name,
      label: label ?? null,
      usage: USAGES.word(usage),
      generated: generate,
    })),
    files,
  };
  const json = JSON.stringify({ schemaVersion: SCHEMA_VERSION, ...about }, null, 2);
  await writeOutput(beside(output, "json"), Buffer.from(`${json}\n`), force);
  let where = "kept on this computer";
  if (insecureSeed !== undefined) {
    where = `in ${beside(output, "ID.key")}`;
    for (const { id } of manifest.operators) {
      const key = formatKey(await keys.make(made.instance, id));
      await writeOutput(beside(output, `${id}.key`), Buffer.from(`${key}\n`), force);
    }
  }
  await writeOutput(output, Buffer.from(writeHex(whole.segments)), force); // last: what is there is whole
  if (warning !== null) context.note(warning);
  const rows = files.map((one) => [one.file, String(one.bytes), one.sha256]);
  context.result({ file: output, ...about }, [
    ...contentLines(whole),
    "",
    ...table(["FILE", "BYTES", "SHA-256"], rows, "lrl"),
    "",
    `The keys of its operators are ${where}. Flash it:  mbs flash write ${output}`,
  ]);
}

/** The firmware that goes into the file. @throws FileError when stores that are made here are not for it */
async function readFirmware(context: Context, path: string): Promise<FlashFile> {
  const firmware = await readFlashFile(path);
  const { format, core } = firmware.descriptor;
  if (firmware.kind !== "firmware") throw new FileError(`${path} holds more than firmware.`, "Say --elf FILE.");
  if (format !== FORMAT_VERSION)
    throw new FileError(
      `${path} keeps stores of format version ${format}; what is made here has version ${FORMAT_VERSION}.`,
      "Use the mbs that the firmware was built with.",
    );
  if (core !== packageCore())
    context.warn(`${path} runs core ${core}; the credentials were tried out with ${packageCore()}.`);
  return firmware;
}

async function make(context: Context, recipe: Recipe, options: BuildOptions): Promise<Made> {
  if (options.for !== undefined) {
    const { bytes, name } = await readInput(context.io, options.for);
    return buildSealed(parseBoardKey(bytes.toString("latin1"), name), recipe);
  }
  return buildInjected(recipe, {
    ...(options.board !== undefined && { uniqueId: Buffer.from(options.board, "hex") }),
    ...(options.insecureSeed !== undefined && { insecureSeed: options.insecureSeed }),
  });
}

/** @throws UsageError */
function checkOptions({ custody, for: board, board: uniqueId, insecureSeed, output }: BuildOptions): void {
  if (custody === "device" && (uniqueId !== undefined || insecureSeed !== undefined))
    throw new UsageError(
      "--board and --insecure-seed go with --custody injected.",
      "A sealed image names its board by --for.",
    );
  if (custody === "device" && board === undefined)
    throw new UsageError(
      "Which board is it for? A board makes its root key itself, and the image is sealed to it.",
      "Connect the board, run `mbs info --transport-key -o BOARD.pub`, then say --for BOARD.pub. Or --custody injected, for a file that is a secret.",
    );
  if (custody === "injected" && board !== undefined)
    throw new UsageError(
      "--for seals to a board, and an injected image is sealed to none.",
      "Leave out one of the two; --board ID names a board.",
    );
  if (uniqueId !== undefined && !/^[0-9a-f]{32}$/i.test(uniqueId))
    throw new UsageError("--board: expected 32 hex digits, the unique id that `mbs info` shows.");
  if (insecureSeed === "") throw new UsageError("--insecure-seed: expected a text.");
  const word = insecureSeed !== undefined ? "insecure" : custody === "injected" ? "secret" : "";
  if (!output.toLowerCase().includes(word))
    throw new UsageError(
      `The name of such a file has to say what it is: "${word}" in it.`,
      `For example: -o ${beside(output, `${word.toUpperCase()}.hex`)}`,
    );
}

async function writeRegions(segments: readonly Segment[], { output, force }: BuildOptions) {
  const regions: { region: string; file: string; address: string; bytes: number; sha256: string }[] = [];
  for (const [region, range] of REGIONS) {
    const bytes = filled(segments, range);
    if (bytes === undefined) continue;
    const file = beside(output, `${region}.bin`);
    await writeOutput(file, bytes, force);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    regions.push({ region, file, address: hex(range.start), bytes: bytes.length, sha256 });
  }
  return regions;
}

/** The bytes of a region from its start to the last that is given, with ones between. */
function filled(segments: readonly Segment[], range: Range): Buffer | undefined {
  const inside = segments.filter(({ address }) => within(range, address));
  const last = inside.at(-1);
  if (last === undefined) return undefined;
  const bytes = Buffer.alloc(last.address + last.bytes.length - range.start, 0xff);
  for (const one of inside) bytes.set(one.bytes, one.address - range.start);
  return bytes;
}

/** device.hex and "json": device.json */
function beside(output: string, ending: string): string {
  return `${output.replace(/\.hex$/i, "")}.${ending}`;
}

function show(context: Context, file: FlashFile): void {
  context.result({ file: file.path, ...contentJson(file) }, contentLines(file));
}

function contentJson(file: FlashFile): Record<string, unknown> {
  const { kind, image } = file;
  const store = storeIn(file);
  return {
    kind,
    firmware: { format: file.descriptor.format, core: file.descriptor.core },
    sealed: image === undefined ? null : sealedJson(image),
    store: store === undefined ? null : storeJson(store),
  };
}

function sealedJson({ uniqueId, instance, items, bytes }: ImageHeader): Record<string, unknown> {
  return { uniqueId, instance, items, bytes };
}

function storeJson(store: StoreContent): Record<string, unknown> {
  return {
    custody: CUSTODIES.word(store.custody),
    insecure: store.custody === Custody.Simulated,
    instance: text(store.instance),
    board: store.board === undefined ? null : text(store.board),
    classes: store.classes,
    records: store.records.map(({ handle, label, usage, length, slotClass }) => ({
      handle: handleText(handle),
      label: label ?? null,
      usage: USAGES.word(usage),
      length,
      class: slotClass,
    })),
  };
}

const KINDS: Record<FlashFile["kind"], string> = {
  firmware: "firmware alone",
  sealed: "firmware and an image sealed to one board",
  store: "firmware and a whole store with its root key",
};

function contentLines(file: FlashFile): string[] {
  const { image } = file;
  const store = storeIn(file);
  const lines = pairs([
    ["holds", KINDS[file.kind]],
    ["firmware", `format ${file.descriptor.format}, core ${file.descriptor.core}`],
    ...(image === undefined ? [] : sealedFacts(image)),
    ...(store === undefined ? [] : storeFacts(store)),
  ]);
  if (store === undefined || store.records.length === 0) return lines;
  const rows = store.records.map((one) => [
    handleText(one.handle).slice(0, 8),
    one.label ?? "",
    USAGES.word(one.usage),
    String(one.length),
    policyText(one),
  ]);
  return [...lines, "", ...table(["HANDLE", "LABEL", "USAGE", "BYTES", ""], rows, "lllr")];
}

function sealedFacts({ uniqueId, instance, items, bytes }: ImageHeader): (readonly [string, string])[] {
  return [
    ["board", `unique id ${uniqueId}, and no other`],
    ["instance", instance],
    ["sealed", `${items} requests, ${bytes} bytes; only the board can open them`],
  ];
}

function storeFacts(store: StoreContent): (readonly [string, string])[] {
  return [
    ["custody", `${CUSTODIES.word(store.custody)}${store.custody === Custody.Simulated ? "  INSECURE" : ""}`],
    ["board", store.board === undefined ? "any" : `the one whose unique id has the hash ${text(store.board)}…`],
    ["instance", text(store.instance)],
    ["records", `${store.records.length}; nothing here can tell whether they are genuine`],
  ];
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const HELP = `
Sealed (the default): the board made its root key, or will; the file is opened once, by that board, and is no secret.
  mbs flash write build/ek-ra6m5.elf            the firmware alone
  mbs info --transport-key -o board.pub         the key that images for this board are sealed to
  mbs image build manifest.toml --for board.pub -o device.hex
  mbs flash write device.hex

Injected: this computer makes the root key, and the file is a secret for ever.
  mbs image build manifest.toml --custody injected --board ID -o device.SECRET.hex`;
