/** Sizes as people write and read them, in integers. */
import { UsageError } from "../client/errors.js";
import { POSITION_MAX } from "./format.js";

const UNITS: Readonly<Record<string, bigint>> = {
  "": 1n,
  b: 1n,
  kb: 1000n,
  mb: 1000n ** 2n,
  gb: 1000n ** 3n,
  tb: 1000n ** 4n,
  kib: 1024n,
  mib: 1024n ** 2n,
  gib: 1024n ** 3n,
  tib: 1024n ** 4n,
};

/** Reads "2000000", "1.5 GB" or "64 MiB". @throws UsageError that names the argument */
export function parseSize(name: string, text: string): bigint {
  const [, whole, fraction = "", unit = ""] = /^(\d{1,19})(?:\.(\d{1,12}))? ?([a-z]*)$/i.exec(text) ?? [];
  const factor = Object.hasOwn(UNITS, unit.toLowerCase()) ? UNITS[unit.toLowerCase()] : undefined;
  if (whole !== undefined && factor !== undefined) {
    const scale = 10n ** BigInt(fraction.length);
    const scaled = BigInt(whole + fraction) * factor;
    if (scaled % scale === 0n && scaled / scale <= POSITION_MAX) return scaled / scale;
  }
  throw new UsageError(`${name}: expected a size such as 2000000, 1.5GB or 64MiB; got "${text}".`);
}

/** Three digits or so, for a line about progress. */
export function sizeText(bytes: bigint): string {
  const units = ["TB", "GB", "MB", "kB"];
  for (const [i, unit] of units.entries()) {
    const tenth = 100n * 1000n ** BigInt(units.length - 1 - i);
    if (bytes >= 10n * tenth) return `${bytes / (10n * tenth)}.${(bytes / tenth) % 10n} ${unit}`;
  }
  return `${bytes} bytes`;
}
