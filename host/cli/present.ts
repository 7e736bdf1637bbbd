/** Entries as JSON and as rows of a table. */
import { Tier } from "../../firmware/defs/record.js";
import type { Entry, Shown } from "../client/answers.js";
import { handleText } from "../client/client.js";
import { CUSTODIES, ORIGINS, PRESENCES, readPolicy, TIERS, USAGES } from "../names.js";

const SHORTEST = 8; // hexadecimal digits of a handle that a person may write

/** The fields of an entry that JSON output has everywhere. */
export function entryJson(entry: Omit<Entry, "parts"> | Shown): Record<string, unknown> {
  const { exportable, presence } = readPolicy(entry.policy);
  return {
    handle: handleText(entry.handle),
    label: entry.label ?? null,
    usage: USAGES.word(entry.usage),
    tier: TIERS.word(entry.tier),
    exportable,
    presence: PRESENCES.word(presence),
    origin: ORIGINS.word(entry.origin),
    custody: CUSTODIES.word(entry.custody),
    epoch: entry.epoch,
    class: entry.slotClass,
    length: entry.length,
    sequence: entry.sequence,
    created: entry.created,
  };
}

export const ENTRY_HEADINGS = ["HANDLE", "LABEL", "USAGE", "BYTES", "PARTS", "EPOCH", "POLICY"];
export const ENTRY_ALIGN = "lllrrrl";

/** Rows for a table; handles are cut where they are still different. */
export function entryRows(entries: readonly Entry[]): string[][] {
  const handles = entries.map(({ handle }) => handleText(handle));
  let digits = SHORTEST;
  while (new Set(handles.map((handle) => handle.slice(0, digits))).size < handles.length) digits++;
  return entries.map((entry, i) => [
    handles[i]!.slice(0, digits),
    entry.label ?? "",
    USAGES.word(entry.usage),
    String(entry.length),
    String(entry.parts),
    String(entry.epoch),
    policyText(entry),
  ]);
}

/** What is not usual about a record. */
export function policyText(entry: Pick<Entry, "policy" | "tier">): string {
  const { exportable, presence } = readPolicy(entry.policy);
  const words = [exportable ? "exportable" : "", presence === 0 ? "" : `touch ${PRESENCES.word(presence)}`];
  return [...words, entry.tier === Tier.Public ? "public" : ""].filter((word) => word !== "").join(", ");
}
