/** The manifest: what a device is provisioned with. example.toml shows every field. Relies on toml.ts.
 *  Sizes and limits are those of SPEC.md §3; unknown fields are refused. */
import { SLOT_BLOCK, SLOT_BLOCKS, UNIT } from "../firmware/defs/medium.js";
import { OPERATORS_MAX } from "../firmware/defs/operator.js";
import { CLASSES_MAX, LABEL_MAX, type Presence, SLOTS_MAX, type Tier, type Usage } from "../firmware/defs/record.js";
import { Role } from "../firmware/defs/session.js";
import { isOperatorId } from "./client/answers.js";
import { UsageError } from "./client/errors.js";
import type { Geometry } from "./client/requests.js";
import { FORMATS, type Format } from "./credentials/format.js";
import { GENERATED_USAGES, PRESENCES, ROLES, TIERS, USAGES, type Words } from "./names.js";
import { parseToml, type Table } from "./toml.js";

export interface ManifestCredential {
  /** What the credential is called in this manifest; unique. The label when no name is given. */
  name: string;
  /** Raised by whoever wants a second record beside the first; see provision.ts. */
  revision: number;
  label?: string;
  /** Paths as written, relative to the manifest; none when the device makes the key. */
  files: string[];
  /** The device makes the key, and it never leaves it. */
  generate: boolean;
  format: Format;
  passphraseFile?: string;
  /** Absent: what the files are. Always there when the device makes the key. */
  usage?: Usage;
  tier: Tier;
  exportable: boolean;
  presence: Presence;
}

export interface ManifestOperator {
  id: string;
  role: Role;
}

export interface Manifest {
  name: string;
  classes: Geometry[];
  /** At least one admin among them. */
  operators: ManifestOperator[];
  credentials: ManifestCredential[];
}

const SMALLEST_SLOT = 2 * UNIT;
const DEFAULT_CLASSES: Geometry[] = [{ slotSize: 4096, blocks: SLOT_BLOCKS }];
const DEFAULT_OPERATORS: ManifestOperator[] = [
  { id: "admin", role: Role.Admin },
  { id: "user", role: Role.User },
];

/** Slots of a class that puts can take: one block stays free for reclaim, one slot for replace. SPEC.md §3 */
export function capacity({ slotSize, blocks }: Geometry): number {
  return (blocks - 1) * slotsPerBlock(slotSize) - 1;
}

function slotsPerBlock(slotSize: number): number {
  return Math.floor(SLOT_BLOCK / slotSize);
}

/** @param file names the manifest in errors. @throws FileError with line and field */
export function parseManifest(text: string, file: string): Manifest {
  const root = parseToml(text, file);
  const instance = root.table("instance");
  const name = instance.string("name");
  instance.end();
  const tables = root.tables("class");
  const classes = tables.length === 0 ? DEFAULT_CLASSES : tables.map(readClass);
  checkFits(classes, root);
  const operators = readOperators(root);
  const names = new Set<string>();
  const credentials = root.tables("credential").map((table) => {
    const credential = readCredentialTable(table);
    if (names.has(credential.name))
      throw table.error(undefined, `is the second one called "${credential.name}"`, "Give each a `name` of its own.");
    names.add(credential.name);
    return credential;
  });
  root.end();
  return { name, classes, operators, credentials };
}

function readClass(table: Table): Geometry {
  const slotSize = readSize(table);
  if (slotSize % UNIT !== 0 || slotSize < SMALLEST_SLOT || slotSize > SLOT_BLOCK) {
    throw table.error(
      "size",
      `is ${slotSize} bytes; it should be a multiple of ${UNIT} from ${SMALLEST_SLOT} to ${SLOT_BLOCK}`,
    );
  }
  if (table.has("blocks") === table.has("slots")) throw table.error(undefined, "needs either `blocks` or `slots`");
  const blocks = table.has("blocks")
    ? table.integer("blocks", 2, SLOT_BLOCKS)
    : Math.ceil((table.integer("slots", 1, SLOTS_MAX) + 1) / slotsPerBlock(slotSize)) + 1;
  table.end();
  return { slotSize, blocks };
}

/** Bytes: a number, or text such as "4K". */
function readSize(table: Table): number {
  if (!table.has("size")) throw table.error("size", 'is missing; it should be bytes, or text such as "4K"');
  const value = table.any("size");
  if (typeof value === "number" && Number.isInteger(value)) return value;
  const [, digits, kilo] = (typeof value === "string" && /^(\d{1,6})(K?)$/.exec(value)) || [];
  if (digits === undefined) throw table.error("size", 'should be bytes, or text such as "4K"');
  return Number(digits) * (kilo === "K" ? 1024 : 1);
}

function checkFits(classes: readonly Geometry[], root: Table): void {
  const blocks = classes.reduce((sum, one) => sum + one.blocks, 0);
  const slots = classes.reduce((sum, one) => sum + one.blocks * slotsPerBlock(one.slotSize), 0);
  if (classes.length > CLASSES_MAX)
    throw root.error("class", `stands there ${classes.length} times; at most ${CLASSES_MAX} classes fit`);
  if (blocks > SLOT_BLOCKS)
    throw root.error(
      "class",
      `tables take ${blocks} blocks, spare ones included; the device has ${SLOT_BLOCKS}`,
      "Take fewer or smaller slots.",
    );
  if (slots > SLOTS_MAX)
    throw root.error(
      "class",
      `tables make ${slots} slots, spare ones included; the device keeps track of ${SLOTS_MAX}`,
      "Take fewer blocks or larger slots.",
    );
}

function readOperators(root: Table): ManifestOperator[] {
  const tables = root.tables("operator");
  if (tables.length === 0) return DEFAULT_OPERATORS;
  if (tables.length > OPERATORS_MAX)
    throw root.error("operator", `stands there ${tables.length} times; a device knows at most ${OPERATORS_MAX}`);
  const operators: ManifestOperator[] = [];
  for (const table of tables) {
    const id = table.string("id");
    if (!isOperatorId(id)) throw table.error("id", "should be 1 to 10 of a-z 0-9 . _ -");
    if (operators.some((other) => other.id === id)) throw table.error("id", `is the second operator "${id}"`);
    operators.push({ id, role: word(table, "role", ROLES) });
    table.end();
  }
  if (operators.every(({ role }) => role !== Role.Admin))
    throw root.error("operator", "names no admin", "Without one nobody could put anything.");
  return operators;
}

function readCredentialTable(table: Table): ManifestCredential {
  const generate = optional(table, "generate", (key) => table.boolean(key)) ?? false;
  const sources = [generate, table.has("file"), table.has("files")].filter((given) => given);
  if (sources.length !== 1) throw table.error(undefined, "needs either `file`, `files` or `generate = true`");
  const label = optional(table, "label", (key) => table.string(key));
  if (label !== undefined && Buffer.byteLength(label) > LABEL_MAX)
    throw table.error("label", `is longer than ${LABEL_MAX} bytes`);
  if (label === undefined && !table.has("name")) throw table.error(undefined, "needs a `label` or a `name`");
  const name = optional(table, "name", (key) => table.string(key)) ?? label!;
  const passphraseFile = optional(table, "passphrase-file", (key) => table.string(key));
  const usage = optional(table, "usage", (key) => word(table, key, USAGES));
  const credential: ManifestCredential = {
    name,
    revision: optional(table, "revision", (key) => table.integer(key, 1, 0xffff)) ?? 1,
    ...(label !== undefined && { label }),
    files: generate ? [] : table.has("file") ? [table.string("file")] : table.strings("files"),
    generate,
    format: optional(table, "format", (key) => readFormat(table, key)) ?? "auto",
    ...(passphraseFile !== undefined && { passphraseFile }),
    ...(usage !== undefined && { usage }),
    tier: optional(table, "tier", (key) => word(table, key, TIERS)) ?? TIERS.number("private"),
    exportable: optional(table, "exportable", (key) => table.boolean(key)) ?? false,
    presence: optional(table, "presence", (key) => word(table, key, PRESENCES)) ?? PRESENCES.number("never"),
  };
  if (generate) checkGenerated(table, credential);
  table.end();
  return credential;
}

function checkGenerated(table: Table, { exportable, format, passphraseFile, usage }: ManifestCredential): void {
  if (usage === undefined || !GENERATED_USAGES.includes(usage))
    throw table.error(
      "usage",
      `should be one of ${GENERATED_USAGES.map((one) => USAGES.word(one)).join(", ")} for a key that the device makes`,
    );
  if (exportable) throw table.error("exportable", "cannot be true: a key that the device makes never leaves it");
  if (format !== "auto" || passphraseFile !== undefined)
    throw table.error("generate", "goes without `format` and `passphrase-file`: there is no file");
}

function optional<T>(table: Table, key: string, read: (key: string) => T): T | undefined {
  return table.has(key) ? read(key) : undefined;
}

function readFormat(table: Table, key: string): Format {
  const value = table.string(key);
  const found = FORMATS.find((format) => format === value);
  if (found === undefined) throw table.error(key, `should be one of ${FORMATS.join(", ")}`);
  return found;
}

function word<T extends number>(table: Table, key: string, words: Words<T>): T {
  const value = table.string(key);
  try {
    return words.number(value);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw table.error(key, `should be one of ${words.all.join(", ")}`);
  }
}
