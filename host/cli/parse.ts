/** Values in arguments. */
import { UsageError } from "../client/errors.js";

/** @param max the largest that is taken. @throws UsageError that names the argument */
export function integer(name: string, text: string, max = 0xffffffff): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= max)) throw new UsageError(`${name}: expected an integer from 0 to ${max}; got "${text}".`);
  return value;
}

/** @throws UsageError for an empty --label; one that is left out is fine */
export function checkLabel(label: string | undefined): void {
  if (label === "")
    throw new UsageError("--label: expected a name; got an empty one.", "Leave --label out for no label.");
}

/** @param max bytes at the most; an empty text is no bytes. @throws UsageError that names the argument */
export function hexBytes(name: string, text: string, max: number): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/i.test(text) || text.length > 2 * max)
    throw new UsageError(`${name}: expected at most ${max} bytes in hexadecimal digits; got "${text}".`);
  return Buffer.from(text, "hex");
}
