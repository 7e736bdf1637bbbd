/** Runs a board beside the event loop: slice after slice while there is work, a nap while the firmware idles. Real time that
 *  passes in a nap is given to the board, so that its clock keeps up with people. */

/** How long an idle board sleeps before it gets a turn: as often as its main loop asks the core what to do (main.c), so that
 *  switches are seen as they are on a real board. */
const NAP_MS = 10;
/** A longer absence of the host (a laptop that slept) is not made up for. */
const ABSENCE_MS = 100;

export interface Paced {
  /** One slice. @returns what to do next: go on, nap, or sleep until `wake()` */
  turn(): "more" | "nap" | "sleep";
  /** Real time went by. */
  passed(ms: number): void;
}

export class Pace {
  #running = false;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #napSince = 0;

  constructor(private readonly board: Paced) {}

  start(): void {
    this.#running = true;
    this.wake();
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#immediate = undefined;
    this.#napSince = 0;
  }

  /** There is something to do: ends a nap. */
  wake(): void {
    if (!this.#running || this.#immediate !== undefined) return;
    clearTimeout(this.#timer);
    this.#immediate = setImmediate(() => this.#turn());
  }

  /** Gives the board the time of the present nap; before its outside world changes, so that the change comes after it. */
  catchUp(): void {
    if (this.#napSince === 0) return;
    const ms = Math.min(performance.now() - this.#napSince, ABSENCE_MS);
    this.#napSince = 0;
    this.board.passed(ms);
  }

  #turn(): void {
    this.#immediate = undefined;
    this.catchUp();
    const next = this.board.turn();
    if (!this.#running) return;
    if (next === "more") this.wake();
    else if (next === "nap") {
      this.#napSince = performance.now();
      this.#timer = setTimeout(() => this.wake(), NAP_MS);
    }
  }
}
