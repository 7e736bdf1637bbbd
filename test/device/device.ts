/** A device as tests see it: bytes in, bytes out, power, time and switches, and the two media under it. */
import type { Nor } from "../../board/virtual/nor.js";
import type { Supply } from "../../board/virtual/supply.js";
import type { Board } from "./imports.js";

export type Switch = "s1" | "s2";

export interface Device {
  readonly name: string;
  readonly slots: Nor;
  /** Where the slot region starts in `slots`. */
  readonly slotsOffset: number;
  readonly data: Nor;
  /** Holds the image region. */
  readonly image: Nor;
  /** Where the image region starts in `image`. */
  readonly imageOffset: number;
  readonly supply: Supply;
  /** Power off and on: whatever was running ends, the store mounts. @throws PowerCut when the supply's plan fires in it */
  boot(): void;
  /** Sends bytes and runs until nothing happens any more. @returns what the device sent. @throws PowerCut */
  exchange(bytes: Uint8Array): Uint8Array;
  /** Lets time pass while nothing comes from the host. @returns what the device sent. @throws PowerCut */
  wait(ms: number): Uint8Array;
  press(which: Switch): void;
  release(which: Switch): void;
  /** What clock() would answer: microseconds since power-up. */
  now(): bigint;
  /** Linear memory of the core, as a debugger reads and writes it; offsets are those of firmware/memory.ts. */
  peek(offset: number, length: number): Uint8Array;
  poke(offset: number, bytes: Uint8Array): void;
  /** Everything that forgets when power goes: linear memory, and on a board all of its RAM. */
  ram(): Uint8Array;
  close(): void;
}

/** A device whose board is ours: core.wasm in an engine on the host, over the imports of imports.ts. */
export interface EngineDevice extends Device {
  readonly board: Board;
  /** Linear memory of the running core. */
  readonly memory: Uint8Array;
  /** Called when the core gave bytes to be sent, before it is asked for more. */
  onSent: (() => void) | undefined;
  boot(mode?: number, trapCode?: number): void;
}

/** The device's own logic stopped it: in the field it would wipe its memory and reset. */
export class TrapError extends Error {
  override name = "TrapError";
  constructor(
    readonly code: number,
    options?: ErrorOptions,
  ) {
    super(`the core trapped, code ${code}`, options);
  }
}
