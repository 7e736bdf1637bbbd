/** Broken own logic: leaves a code with the board and stops. The board wipes linear memory and resets. */
import * as board from "./board";

export enum Trap {
  WriterOverflow = 1,
  VaultClosed = 2,
  NoSpare = 3,
  JournalUnmounted = 4,
  LabelTooLong = 5,
}

export function trap(code: Trap): void {
  board.diag(code);
  unreachable();
}
