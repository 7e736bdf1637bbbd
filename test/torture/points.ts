/** Names for crash points: which kind of flash operation a step is. For tables. SPEC.md §2, §5. */
import { BODY_OFF_SETTLED, INTENT_SIZE, JOURNAL_PLACE } from "../../firmware/defs/journal.js";
import {
  CLAIMS_OFFSET,
  CLAIMS_SIZE,
  CUSTODY_SIZE,
  JOURNAL_OFFSET,
  JOURNAL_SIZE,
  OPERATORS_OFFSET,
  OPERATORS_SIZE,
  REFUSALS_OFFSET,
  REFUSALS_SIZE,
  RESET_OFFSET,
  RESET_SIZE,
} from "../../firmware/defs/medium.js";
import { HEADER_MAGIC } from "../../firmware/defs/slot.js";
import type { Step } from "./film.js";

export function pointOf({ medium, offset, bytes }: Step): string {
  const does = bytes === undefined ? "erase" : "program";
  if (medium === "slots") return bytes === undefined ? "erase of a slot block" : `program of a ${unit(bytes)} unit`;
  if (offset < CUSTODY_SIZE) return `${does} of custody`;
  if (within(offset, OPERATORS_OFFSET, OPERATORS_SIZE)) return `${does} of an operator place`;
  if (within(offset, REFUSALS_OFFSET, REFUSALS_SIZE)) return `${does} of a refusal place`;
  if (within(offset, RESET_OFFSET, RESET_SIZE)) return `${does} of a reset place`;
  if (within(offset, CLAIMS_OFFSET, CLAIMS_SIZE)) return `${does} of a pointer`;
  if (!within(offset, JOURNAL_OFFSET, JOURNAL_SIZE)) return `${does} of another area`;
  if (bytes === undefined) return "erase of a journal place";
  const at = (offset - JOURNAL_OFFSET) % JOURNAL_PLACE;
  return `program of the journal's ${at < INTENT_SIZE ? "intent" : at < BODY_OFF_SETTLED ? "body" : "settled word"}`;
}

const within = (offset: number, from: number, size: number): boolean => offset >= from && offset < from + size;
const unit = (bytes: Uint8Array): string => ((bytes[0]! | (bytes[1]! << 8)) === HEADER_MAGIC ? "header" : "sealed");
