/** From what a person wrote to the one record that is meant: a handle, its first 8 or more hexadecimal digits, or a label. */
import { HANDLE_SIZE, LABEL_MAX } from "../../firmware/defs/record.js";
import type { Entry } from "../client/answers.js";
import { type Client, handleText } from "../client/client.js";
import { NotFoundError, UsageError } from "../client/errors.js";

const PREFIX = /^[0-9a-f]{8,}$/;

/** Asks the device. @throws NotFoundError, UsageError when more than one record is meant */
export async function resolveHandle(client: Client, text: string): Promise<Uint8Array> {
  const entries: Entry[] = [];
  if (wholeHandle(text) === undefined) {
    if (text !== "" && Buffer.byteLength(text) <= LABEL_MAX) entries.push(...(await client.find({ label: text })));
    if (PREFIX.test(text.toLowerCase())) entries.push(...(await client.list()));
  }
  return meant(entries, text);
}

/** @returns the handle of the one that is meant; a whole handle is meant even if none of them has it
 *  @throws NotFoundError, UsageError when more than one is meant */
export function meant(entries: readonly Entry[], text: string): Uint8Array {
  const whole = wholeHandle(text);
  if (whole !== undefined) return whole;
  const digits = text.toLowerCase();
  const isMeant = ({ handle, label }: Entry) =>
    (text !== "" && label === text) || (PREFIX.test(digits) && handleText(handle).startsWith(digits));
  const found = new Map(entries.filter(isMeant).map(({ handle, label }) => [handleText(handle), label ?? ""]));
  const [handle] = found.keys();
  if (handle === undefined)
    throw new NotFoundError(`No record has the handle or the label "${text}".`, "`mbs list` shows what there is.");
  if (found.size > 1) {
    const handles = [...found].map(([each, label]) => `${each} ${label}`.trim()).join("; ");
    throw new UsageError(`"${text}" means ${found.size} records: ${handles}.`, "Name one by its handle.");
  }
  return Buffer.from(handle, "hex");
}

function wholeHandle(text: string): Uint8Array | undefined {
  const isWhole = PREFIX.test(text.toLowerCase()) && text.length === 2 * HANDLE_SIZE;
  return isWhole ? Buffer.from(text, "hex") : undefined;
}
