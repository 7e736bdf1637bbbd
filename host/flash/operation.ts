/** What is done to flash, one step at a time, and who does it: a loader on the board, or the debugger itself. */

import { FlashError } from "./errors.js";
import { hex } from "./hex.js";

export type Operation =
  /** The block that begins at the address. */
  | { kind: "erase"; address: number }
  /** Whole units. */
  | { kind: "program"; address: number; bytes: Buffer }
  /** The cells hold these bytes. */
  | { kind: "check"; address: number; bytes: Buffer };

export interface Programmer {
  /** For people. */
  readonly name: string;
  /** Does operations in order. @param advanced is told how many are done, from time to time @throws FlashError at the first that fails,
   *  DisconnectedError */
  perform(operations: readonly Operation[], advanced: (done: number) => void): Promise<void>;
}

const DOING = { erase: "erased", program: "programmed", check: "programmed as it should be" };
const ERRORS = new Map([
  [6, "FLWEERR: writing is forbidden"],
  [12, "PRGERR"],
  [13, "ERSERR"],
  [14, "ILGLERR"],
  [20, "OTERR"],
  [21, "SECERR: the block is protected"],
  [22, "FESETERR"],
  [23, "ILGCOMERR"],
  [24 + 3, "DFAE"],
  [24 + 4, "CMDLK"],
  [24 + 7, "CFAE"],
]);

/** Flash did not do it. @param said FSTATR of the sequencer, with FASTAT in the highest byte */
export function failed({ kind, address }: Operation, said: number | string): FlashError {
  const bits =
    typeof said === "string"
      ? said
      : [...ERRORS]
          .filter(([bit]) => (said >>> bit) & 1)
          .map(([, name]) => name)
          .join(", ");
  return new FlashError(
    `The flash at ${hex(address)} could not be ${DOING[kind]}${bits === "" ? "" : ` (${bits})`}. The board is flashed in part and does not start.`,
    "Run the same command again. If it fails at the same place, the flash is worn out or protected.",
  );
}
