/** The person at the board, who acts when a touch is awaited. */
import type { Switch } from "./device.js";

export interface Panel {
  press(which: Switch): void;
  release(which: Switch): void;
  /** Lets time pass. @returns whether the device has answered by now */
  wait(ms: number): boolean;
}

/** Acts once; when it returns, the host waits for the answer as long as it takes. */
export type Person = (panel: Panel) => void;

/** Long enough for a switch that stands still to count. */
export const STILL_MS = 60;

function pressAndRelease(which: Switch): Person {
  return (panel) => {
    panel.wait(STILL_MS);
    panel.press(which);
    try {
      panel.wait(STILL_MS);
    } finally {
      panel.release(which); // also when power fails meanwhile
    }
    panel.wait(STILL_MS);
  };
}

export const people = {
  touches: pressAndRelease("s1"),
  denies: pressAndRelease("s2"),
  absent: () => {},
} satisfies Record<string, Person>;
