/** A machine at rest before one instruction, to go on from as often as wanted: processor, RAM, time, every peripheral. Not the media,
 *  not the switches, no counts of the whole run, and not the random streams: noise and jitter differ in each life that begins here.
 *  RAM that the firmware has not written by then holds the same noise each time. */
import type { Restore } from "./chip.js";

export class Checkpoint {
  /** @param machine that was saved, the only one that can go on from here
   *  @param instructions that it took to come here from power-on */
  constructor(
    readonly machine: object,
    readonly instructions: number,
    private readonly saved: readonly Restore[],
  ) {}

  restore(): void {
    for (const part of this.saved) part();
  }
}
