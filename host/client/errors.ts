/** Everything that can go wrong on the host, in seven classes. Each message says what happened and what changed, `hint` what to do next. */
import { Status } from "../../firmware/defs/status.js";
import { DETAIL_TEXT, STATUS_TEXT } from "./status-text.js";

/** Base of all of ours. `code` is the class for programs, `exitCode` what the command line ends with. */
export abstract class MbsError extends Error {
  abstract readonly code: string;
  readonly exitCode: number = 1;
  readonly hint: string;

  constructor(message: string, hint = "", options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.hint = hint;
  }
}

/** The device refused or failed. `name` is the status's name, `detail` the number that came with it. */
export class DeviceError extends MbsError {
  readonly code = "device";

  /** @param more `message` and `hint` replace the general sentence and advice. */
  constructor(
    readonly status: Status,
    readonly detail?: number,
    more: { message?: string; hint?: string } = {},
  ) {
    const [sentence, hint] = STATUS_TEXT[status] ?? UNKNOWN;
    super(more.message ?? withDetail(status, sentence, detail), more.hint ?? hint);
    this.name = Status[status] ?? `Status${status}`;
  }
}

/** Says the detail at the end of the first sentence where the status gives it a meaning, and as a bare number elsewhere. */
function withDetail(status: Status, text: string, detail: number | undefined): string {
  if (detail === undefined) return text;
  const meaning = DETAIL_TEXT[status]?.(detail);
  return meaning === undefined ? `${text} Detail: ${detail}.` : text.replace(".", () => `${meaning}.`);
}

const UNKNOWN = [
  "The device answered a status that this mbs does not know.",
  "Use an mbs as new as the firmware.",
] as const;

/** There is nobody at the other end (any more). */
export class DisconnectedError extends MbsError {
  readonly code = "disconnected";
  override readonly exitCode = 3;

  /** @param reason restarted: the device forgot the link. silent: it does not answer. closed: the port is gone or cannot be opened. */
  constructor(
    readonly reason: "restarted" | "silent" | "closed",
    message: string,
    hint = "",
    options?: ErrorOptions,
  ) {
    super(message, hint, options);
  }
}

/** There was nobody at the other end to begin with: nothing was asked. */
export class UnreachedError extends DisconnectedError {}

/** The caller asked for something that makes no sense: a wrong argument, an ambiguous label. Nothing was sent. */
export class UsageError extends MbsError {
  readonly code = "usage";
  override readonly exitCode = 2;
}

/** The person at the terminal answered no, or gave up a request that waited for a touch. */
export class DeclinedError extends MbsError {
  readonly code = "declined";
}

/** No record has the handle or label that was named. Nothing changed. */
export class NotFoundError extends MbsError {
  readonly code = "not-found";
}

/** The other end broke the protocol, or speaks another version of it. */
export class ProtocolError extends MbsError {
  readonly code = "protocol";
}

/** A file or the content of a file on this computer is not what is needed. */
export class FileError extends MbsError {
  readonly code = "file";
}
