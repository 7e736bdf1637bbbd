/** One time for a client and its device: nothing happens between two things that are due, so hours pass in seconds. The client's timers,
 *  bytes on the line, power and the person at the board are all due here. Promises settle between two of them. */
import type { Clock } from "../../host/client/clock.js";

interface Item {
  at: number;
  run: () => void;
}

export class SoakClock implements Clock {
  /** Milliseconds since the beginning. */
  now = 0;
  /** Lets the device run for `ms` while nothing comes from outside. @returns how many passed: fewer when it sent something */
  device: (ms: number) => number = (ms) => ms;
  /** Where an error goes that is nobody's: a trap of the device, bad manners on the medium. */
  failed: (error: unknown) => void = (error) => {
    throw error;
  };
  #due: Item[] = []; // by time; of equal ones, in the order in which they came
  #turning = false;

  after(ms: number, run: () => void): () => void {
    const item = { at: this.now + Math.max(0, ms), run };
    const before = this.#due.findIndex(({ at }) => at > item.at);
    this.#due.splice(before < 0 ? this.#due.length : before, 0, item);
    this.#turn();
    return () => {
      const at = this.#due.indexOf(item);
      if (at >= 0) this.#due.splice(at, 1);
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve);
    });
  }

  /** What `run` answers. @throws Error when that takes longer than `ms` */
  async within<T>(ms: number, run: () => Promise<T>, late: () => Error): Promise<T> {
    let cancel = () => {};
    const limit = new Promise<never>((_resolve, reject) => {
      cancel = this.after(ms, () => reject(late()));
    });
    try {
      return await Promise.race([run(), limit]);
    } finally {
      cancel();
    }
  }

  /** Forgets everything that is due. */
  stop(): void {
    this.#due = [];
  }

  /** One thing for each turn of the event loop. */
  #turn(): void {
    if (this.#turning || this.#due.length === 0) return;
    this.#turning = true;
    setImmediate(() => {
      this.#turning = false;
      try {
        this.#next();
      } catch (error) {
        this.failed(error);
      }
      this.#turn();
    });
  }

  #next(): void {
    const [next] = this.#due;
    if (next === undefined) return;
    const gap = next.at - this.now;
    const passed = gap > 0 ? Math.min(gap, this.device(gap)) : 0;
    this.now = passed === gap ? next.at : this.now + passed;
    if (this.now < next.at || this.#due[0] !== next) return; // the device spoke or lost power: something else is due before
    this.#due.shift();
    next.run();
  }
}
