/** Instructions of the call of the core that answers a request, and of nothing around it: the firmware's loop turns more often at one time than at
 *  another. A debugger holds the processor where the engine is called and where it returns to. */
import type { Inside, VirtualBoard } from "../../board/virtual/board.js";
import { REG } from "../../board/virtual/unicorn.js";

/** Called with what was received. engine.h */
const TAKE = "engine_take";
/** Bytes of a request come in so many calls at the most, idle ones between them. */
const CALLS = 100;

export class Calls {
  readonly #inside: Inside;
  #stop: number | undefined;
  readonly #take: number;

  constructor(private readonly board: VirtualBoard) {
    const take = board.elf.symbol(TAKE);
    if (take === undefined) throw new Error(`the firmware does not name ${TAKE}`);
    this.#take = (take.address & ~1) >>> 0;
    this.#inside = board.attach((inside) => ({
      inside,
      holds: () => this.#stop !== undefined && inside.engine.pc === this.#stop,
      wasReset: () => {},
    })).inside;
  }

  /** Sends a request and lets it be answered. @returns what the call of the core cost that answered it, and the answer */
  ask(request: Uint8Array): { instructions: number; answer: Buffer } {
    this.board.feed(request);
    for (let calls = 0; calls < CALLS; calls++) {
      this.#runTo(this.#take);
      const before = this.board.instructions;
      this.#runTo((this.#inside.engine.reg(REG.LR) & ~1) >>> 0);
      const instructions = this.board.instructions - before;
      if (this.#inside.engine.reg(REG.R0) === 0) continue;
      this.#hold(undefined);
      this.board.run();
      return { instructions, answer: this.board.take() };
    }
    throw new Error(`a request was not answered within ${CALLS} calls of the core`);
  }

  #runTo(address: number): void {
    this.#hold(address);
    const end = this.board.run();
    if (end !== "halted") throw new Error(`the firmware did not come to ${TAKE} or back: ${end}`);
  }

  #hold(address: number | undefined): void {
    this.#stop = address;
    this.#inside.engine.stopAt = address;
  }
}
