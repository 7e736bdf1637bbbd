/** Time for tests: it jumps to the next thing to do as soon as nothing else is going on. */
import type { Clock } from "../../host/client/clock.js";

export class VirtualTime implements Clock {
  /** Milliseconds since the test began. */
  now = 0;
  #due: { at: number; run: () => void }[] = [];
  #pumping = false;

  after(ms: number, run: () => void): () => void {
    const item = { at: this.now + ms, run };
    this.#due.push(item);
    this.#pump();
    return () => {
      this.#due = this.#due.filter((other) => other !== item);
    };
  }

  /** One thing for each turn of the event loop, so that promises settle in between. */
  #pump(): void {
    if (this.#pumping || this.#due.length === 0) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      const next = this.#due.reduce<{ at: number; run: () => void } | undefined>(
        (a, b) => (a && a.at <= b.at ? a : b),
        undefined,
      );
      if (next === undefined) return;
      this.#due = this.#due.filter((other) => other !== next);
      this.now = next.at;
      next.run();
      this.#pump();
    });
  }
}
