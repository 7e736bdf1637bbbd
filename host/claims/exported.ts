/** A filekey as a file under a password of its own: its Alpha, its name and its authority, for a board that is to open its Deltas.
 *  One container of kind Filekey; its content is a CBOR list, [1, head (64 bytes), name, authority]. Relies on container.ts. */
import { randomBytes } from "node:crypto";
import { decode, encode, rfc8949EncodeOptions } from "cborg";
import { FILEKEY_HEAD, FILEKEY_OFF_ID } from "../../firmware/defs/filekey.js";
import { FileError } from "../client/errors.js";
import { ContainerError, Kind, open, SALT_SIZE, seal } from "./container.js";
import type { Stretch } from "./password.js";
import { ID_SIZE, NAME_MOST } from "./state.js";

const VERSION = 1; // raised when an item changes its meaning

export interface ExportedFilekey {
  /** What `filekeyExport` of a client gives: FILEKEY_HEAD bytes, with the Alpha in them. To be wiped. */
  readonly head: Uint8Array;
  /** As it is called where it was exported; may be empty. */
  readonly name: string;
  /** Of the one that hands out its positions. */
  readonly authority: string;
}

/** Id of the filekey, 16 bytes. */
export function idOf({ head }: ExportedFilekey): Uint8Array {
  return head.slice(FILEKEY_OFF_ID, FILEKEY_OFF_ID + ID_SIZE);
}

/** @param password not empty; the caller wipes it. @param stretch what the password comes to, slowly */
export async function sealFilekey(
  { head, name, authority }: ExportedFilekey,
  password: Uint8Array,
  stretch: Stretch,
): Promise<Uint8Array> {
  const content = encode([VERSION, head, name, authority], rfc8949EncodeOptions);
  try {
    return await derived(password, stretch, (derive) => seal(Kind.Filekey, content, randomBytes(SALT_SIZE), derive));
  } finally {
    content.fill(0);
  }
}

/** Runs with what a password comes to, and wipes that. */
async function derived<T>(
  password: Uint8Array,
  stretch: Stretch,
  run: (derive: (salt: Uint8Array) => Promise<Uint8Array>) => Promise<T>,
): Promise<T> {
  let key: Uint8Array | undefined;
  try {
    return await run(async (salt) => {
      key = await stretch(password, salt);
      return key;
    });
  } finally {
    key?.fill(0);
  }
}

/** @param file its name, for errors. @throws ContainerError, FileError */
export async function openFilekey(
  bytes: Uint8Array,
  password: Uint8Array,
  stretch: Stretch,
  file: string,
): Promise<ExportedFilekey> {
  const content = await derived(password, stretch, (derive) => open(Kind.Filekey, bytes, derive, file));
  try {
    const items: unknown = decode(content, { strict: true, allowIndefinite: false, allowUndefined: false });
    const [version, head, name, authority, ...more] = Array.isArray(items) ? (items as unknown[]) : [];
    if (typeof version === "number" && version > VERSION)
      throw new ContainerError("version", `${file} was written by a newer mbs. Nothing was changed.`, "Use that mbs.");
    const isText = (text: unknown): text is string => typeof text === "string" && text.length <= NAME_MOST;
    const isHead = head instanceof Uint8Array && head.length === FILEKEY_HEAD;
    if (version !== VERSION || !isHead || !isText(name) || !isText(authority) || more.length > 0)
      throw new Error("it is no filekey");
    return { head, name, authority };
  } catch (cause) {
    if (cause instanceof ContainerError) throw cause;
    throw new FileError(
      `${file} opens with the password and holds no filekey: ${(cause as Error).message}. Nothing was changed.`,
      "Export the filekey again: mbs filekey export.",
      { cause },
    );
  } finally {
    content.fill(0);
  }
}
