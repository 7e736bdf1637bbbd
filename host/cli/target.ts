/** From what a person wrote to the one record that is meant: a handle, its first 8 or more hexadecimal digits, or a label. */
import { HANDLE_SIZE, LABEL_MAX } from "../../firmware/defs/record.js";
import { type Client, handleText } from "../client/client.js";
import { NotFoundError, UsageError } from "../client/errors.js";

const PREFIX = /^[0-9a-f]{8,}$/;

/** @throws NotFoundError, UsageError when more than one record is meant */
export async function resolveHandle(client: Client, text: string): Promise<Uint8Array> {
  const digits = text.toLowerCase();
  const isPrefix = PREFIX.test(digits) && digits.length <= 2 * HANDLE_SIZE;
  if (isPrefix && digits.length === 2 * HANDLE_SIZE) return Buffer.from(digits, "hex");
  const found = new Map<string, string>();
  const add = (entries: Awaited<ReturnType<Client["list"]>>) => {
    for (const { handle, label } of entries) found.set(handleText(handle), label ?? "");
  };
  if (text !== "" && Buffer.byteLength(text) <= LABEL_MAX) add(await client.find({ label: text }));
  if (isPrefix) add((await client.list()).filter(({ handle }) => handleText(handle).startsWith(digits)));
  const [handle] = found.keys();
  if (handle === undefined)
    throw new NotFoundError(`No record has the handle or the label "${text}".`, "`mbs list` shows what there is.");
  if (found.size > 1) {
    const handles = [...found].map(([each, label]) => `${each} ${label}`.trim()).join("; ");
    throw new UsageError(`"${text}" means ${found.size} records: ${handles}.`, "Name one by its handle.");
  }
  return Buffer.from(handle, "hex");
}
