/** Why there is no claim, when neither the authority nor a file is the reason. */
import { CacheAnswer } from "../../firmware/defs/claims.js";
import { MbsError } from "../client/errors.js";
import type { Authority, Range } from "./authority.js";
import type { Entry } from "./core.js";

export type ClaimFailure =
  /** No offline claim has that much left, and the authority is not there or is not to be asked. */
  | "InsufficientOffline"
  /** More than a whole Delta has. */
  | "TooLarge"
  /** Renewed for this request, and still too little left; or others were faster each time. */
  | "Exhausted"
  /** The authority gave positions that were given before. */
  | "Unsafe"
  /** The authority gave something else than what was asked for. */
  | "WrongRange"
  /** This computer and the authority have different Deltas of one sequence. */
  | "Conflict"
  /** The authority has a Delta that this computer does not have. */
  | "Behind";

export class ClaimError extends MbsError {
  readonly code = "claim";

  constructor(
    readonly failure: ClaimFailure,
    message: string,
    hint = "",
    options?: ErrorOptions,
  ) {
    super(message, hint, options);
  }
}

/** What the core refused to plan. @param size that was asked for */
export function refusal(answer: CacheAnswer, size: bigint, entry: Entry): Error {
  if (answer === CacheAnswer.TooLarge)
    return new ClaimError(
      "TooLarge",
      `A Delta of this filekey has ${entry.end - entry.start + 1n} positions, and ${size} were asked for. Nothing was claimed.`,
      "Split the file, or use a filekey with larger Deltas.",
    );
  if (answer === CacheAnswer.Exhausted)
    return new ClaimError(
      "Exhausted",
      `The Delta was renewed, and less than ${size} positions are left of it. Nothing was claimed.`,
      "Another computer was faster. Try again.",
    );
  return new Error(`the claim core refused its argument: ${CacheAnswer[answer]}`);
}

/** A range that starts at or below what was given before. @param floor here, or the authority's own pointer */
export function unsafe(range: Range, authority: Authority, floor: bigint): ClaimError {
  return new ClaimError(
    "Unsafe",
    `${authority.name} gave the positions ${range.start} to ${range.end}, and up to ${floor} they had been given before. They were not used.`,
    "The authority was set back to an older state, or its answers are replayed. Find out which before anything is encrypted with " +
      `this filekey; then move it above ${floor}: mbs claim fast-forward.`,
  );
}

/** A range of another size, or outside of the Delta. */
export function wrongRange(range: Range, authority: Authority, entry: Entry): ClaimError {
  return new ClaimError(
    "WrongRange",
    `${authority.name} gave the positions ${range.start} to ${range.end}, which are not what was asked for in ${entry.start} to ${entry.end}. They were not used.`,
    "Compare the versions of mbs and of the authority.",
  );
}

/** A Delta is missing here. @param key in hexadecimal  @param local, newest sequences */
export function behind(key: string, local: number, newest: number): ClaimError {
  return new ClaimError(
    "Behind",
    `The authority has Delta ${newest}, and the newest one here is ${local}. Nothing was moved.`,
    `Pull it first: mbs delta pull ${key}`,
  );
}
