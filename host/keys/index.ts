/** The operators that this person has keys of, device by device: <config>/operators.toml. It holds no secret; the keys are in a KeyStore.
 *  Relies on atomic.ts; a change locks the file, so that two programs that add at the same time both get in. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "smol-toml";
import { withLock, writeWhole } from "../atomic.js";
import { isOperatorId } from "../client/answers.js";
import { FileError } from "../client/errors.js";
import { parseToml, type Table } from "../toml.js";
import type { Place } from "./keys.js";

export interface KnownOperator {
  /** Instance id of the device, 32 hexadecimal digits. */
  instance: string;
  id: string;
  /** As far as known here; the device decides. */
  role: KnownRole;
  /** Where the key is. */
  store: Place;
}

const ROLES = ["auditor", "user", "admin"] as const;
export type KnownRole = (typeof ROLES)[number];
const PLACES: readonly Place[] = ["keyring", "file"];

/** @param instance only those of this device. @returns none when there is no list. @throws FileError with line and field */
export async function knownOperators(directory: string, instance?: Uint8Array): Promise<KnownOperator[]> {
  const all = await readList(pathIn(directory));
  const wanted = instance === undefined ? undefined : Buffer.from(instance).toString("hex");
  return all.filter((one) => wanted === undefined || one.instance === wanted);
}

/** Adds an operator, or takes the place of the entry with its instance and id. @throws FileError for what could not be read again */
export async function rememberOperator(directory: string, operator: KnownOperator): Promise<void> {
  readOne(parseToml(stringify({ ...operator }), "The operator to remember"));
  return change(directory, (all) =>
    all.some((one) => isSame(one, operator))
      ? all.map((one) => (isSame(one, operator) ? operator : one))
      : [...all, operator],
  );
}

/** Removes an entry, if there is one. */
export function forgetOperator(directory: string, which: { instance: string; id: string }): Promise<void> {
  return change(directory, (all) => all.filter((one) => !isSame(one, which)));
}

/** Removes all entries of a device, such as after a reset. @returns those that were removed, whose keys are still in their stores */
export async function forgetDevice(directory: string, instance: Uint8Array): Promise<KnownOperator[]> {
  const hex = Buffer.from(instance).toString("hex");
  let removed: KnownOperator[] = [];
  await change(directory, (all) => {
    removed = all.filter((one) => one.instance === hex);
    return all.filter((one) => one.instance !== hex);
  });
  return removed;
}

function isSame(a: { instance: string; id: string }, b: { instance: string; id: string }): boolean {
  return a.instance === b.instance && a.id === b.id;
}

function pathIn(directory: string): string {
  return join(directory, "operators.toml");
}

async function readList(path: string): Promise<KnownOperator[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return [];
    throw new FileError(`${path} cannot be read: ${(cause as Error).message}.`, "", { cause });
  }
  const table = parseToml(text, path);
  const list = table.tables("operator").map(readOne);
  table.end();
  return list;
}

function readOne(table: Table): KnownOperator {
  const one: KnownOperator = {
    instance: table.string("instance"),
    id: table.string("id"),
    role: word(table, "role", ROLES),
    store: word(table, "store", PLACES),
  };
  if (!/^[0-9a-f]{32}$/.test(one.instance)) throw table.error("instance", "should be 32 hexadecimal digits");
  if (!isOperatorId(one.id)) throw table.error("id", "should be 1 to 10 of a-z 0-9 . _ -");
  table.end();
  return one;
}

function word<T extends string>(table: Table, key: string, words: readonly T[]): T {
  const text = table.string(key);
  const found = words.find((known) => known === text);
  if (found === undefined) throw table.error(key, `should be one of ${words.join(", ")}`);
  return found;
}

async function change(directory: string, make: (all: KnownOperator[]) => KnownOperator[]): Promise<void> {
  const path = pathIn(directory);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await withLock(`${path}.lock`, async () => {
    const operator = make(await readList(path));
    await writeWhole(path, stringify({ operator }));
  });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
