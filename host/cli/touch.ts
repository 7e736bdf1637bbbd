/** What people see while a touch is awaited: a line with a countdown on a terminal, one plain line elsewhere, nothing with --json. */
import type { Io } from "./io.js";
import { printable } from "./table.js";

export class TouchLine {
  readonly #io: Io;
  #ticking: NodeJS.Timeout | undefined;

  constructor(io: Io) {
    this.#io = io;
  }

  /** @param what the touch is for, such as "get ssh/deploy"  @param ms how long the device waits */
  begin(what: string, ms: number): void {
    this.end();
    const { stderr } = this.#io;
    const ends = Date.now() + ms;
    const seconds = () => Math.max(Math.ceil((ends - Date.now()) / 1000), 0);
    const text = `Touch S1 on the board: ${printable(what)}`;
    if (!stderr.isTTY) {
      stderr.write(`${text} (within ${seconds()} s)\n`);
      return;
    }
    const show = () => stderr.write(`\r\x1b[2K${text} ... ${seconds()} s`);
    show();
    this.#ticking = setInterval(show, 1000);
    this.#ticking.unref();
  }

  /** The answer came, or nobody waits any more. */
  end(): void {
    if (this.#ticking === undefined) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
    this.#io.stderr.write("\r\x1b[2K");
  }
}
