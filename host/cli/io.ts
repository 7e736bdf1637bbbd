/** What the command line touches of the process, so that tests can bring their own. */
import type { Readable, Writable } from "node:stream";

export interface Io {
  env: Readonly<Record<string, string | undefined>>;
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean };
  stderr: Writable & { isTTY?: boolean };
  /** Calls `run` once when the user presses Ctrl-C. @returns a function that ends the watch */
  onInterrupt(run: () => void): () => void;
  /** Ends the process now. */
  exit(code: number): void;
}

export const processIo: Io = {
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  onInterrupt(run) {
    process.once("SIGINT", run);
    return () => process.off("SIGINT", run);
  },
  exit: (code) => process.exit(code),
};

/** The user pressed Ctrl-C at a prompt, or while a touch was awaited. The message says what became of the device. */
export class Interrupted extends Error {
  constructor(message = "The device was not changed.") {
    super(message);
  }
}
export const INTERRUPTED_EXIT = 130;
