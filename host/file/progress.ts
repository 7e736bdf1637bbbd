/** A line on a terminal that says how far something is, from the second second on, and goes away at the end. */
import { sizeText } from "./size.js";

const FIRST_MS = 1000;
const EACH_MS = 200;

export class ProgressLine {
  #next: number;
  #shown = false;

  /** @param terminal undefined: nobody watches. @param verb such as "encrypting". @param now milliseconds, never backwards */
  constructor(
    readonly terminal: { write(text: string): unknown } | undefined,
    readonly verb: string,
    readonly now: () => number = () => performance.now(),
  ) {
    this.#next = now() + FIRST_MS;
  }

  /** @param total undefined when nobody knows */
  update(done: bigint, total?: bigint): void {
    if (this.terminal === undefined || this.now() < this.#next) return;
    this.#next = this.now() + EACH_MS;
    this.#shown = true;
    const of = total === undefined || total === 0n ? "" : ` of ${sizeText(total)} (${(done * 100n) / total} %)`;
    this.terminal.write(`\r\x1b[2K${this.verb}: ${sizeText(done)}${of}`);
  }

  end(): void {
    if (this.#shown) this.terminal?.write("\r\x1b[2K");
    this.#shown = false;
  }
}
