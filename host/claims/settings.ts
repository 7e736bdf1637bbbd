/** Sizes of the claim cache as people write them: decimal gigabytes, 0 to 1000, with fractions. No floating point: 0.1 is 100,000,000. */
import { UsageError } from "../client/errors.js";

/** 1 GB in bytes. */
export const GIGABYTE = 1_000_000_000n;
const DIGITS = 9; // after the point: one byte
const MOST = 1000n;

/** What is used when nothing is set. */
export const DEFAULT_GIGABYTES = "10";

/** @param name of the setting, for errors. @returns bytes. @throws UsageError */
export function parseGigabytes(text: string, name: string): bigint {
  const parts = /^(0|[1-9][0-9]{0,3})(?:\.([0-9]{1,9}))?$/.exec(text);
  const bytes =
    parts === null ? undefined : BigInt(parts[1]!) * GIGABYTE + BigInt((parts[2] ?? "").padEnd(DIGITS, "0"));
  if (bytes !== undefined && bytes <= MOST * GIGABYTE) return bytes;
  throw new UsageError(
    `${name}: expected gigabytes from 0 to ${MOST}, such as 0.5, with at most ${DIGITS} digits after the point; got "${text}".`,
  );
}

/** The reverse of `parseGigabytes`, in the fewest digits. */
export function formatGigabytes(bytes: bigint): string {
  const part = (bytes % GIGABYTE).toString().padStart(DIGITS, "0").replace(/0+$/, "");
  return `${bytes / GIGABYTE}${part === "" ? "" : `.${part}`}`;
}

/** @param name of the setting, for errors. @throws UsageError */
export function parseOfflineMode(text: string, name: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw new UsageError(`${name}: expected true or false; got "${text}".`);
}
