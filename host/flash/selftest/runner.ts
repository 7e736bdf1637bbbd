/** The self-test of board/ek-ra6m5/selftest on a board: loads it into RAM, runs it, and has it measure one thing after the other. */
import { readFile } from "node:fs/promises";
import {
  SELFTEST_BASE,
  SELFTEST_CLOCK,
  SELFTEST_DONE,
  SELFTEST_FAULT,
  SELFTEST_HELLO,
  SELFTEST_LOST,
  SELFTEST_OFF_ANSWERED,
  SELFTEST_OFF_COMMAND,
  SELFTEST_OFF_REQUEST,
  SELFTEST_OFF_RESULT,
  SELFTEST_OFF_WORDS,
  SELFTEST_PAGE,
  SELFTEST_SAMPLES,
  SELFTEST_STACK_TOP,
  SELFTEST_WORDS,
} from "../../../firmware/defs/selftest.js";
import type { FlashBoard } from "../board.js";
import { FlashError } from "../errors.js";
import { hex } from "../hex.js";
import { packagePath } from "../probe.js";

const HELLO_MS = 5000;
/** The longest measurement takes 2 s on a board. */
const ANSWER_MS = 30_000;
const LOOK_MS = 20;

/** What measures: the program on a board. */
export interface Bench {
  /** @returns the words of the command */
  measure(command: number, argument?: number): Promise<number[]>;
  /** Bytes that the noise source gave for the last command. */
  samples(count: number): Promise<Buffer>;
}

export class SelfTest implements Bench {
  #request = 0;

  private constructor(private readonly board: FlashBoard) {}

  /** The board was reset and is halted. @throws FlashError when the program does not run there */
  static async start(board: FlashBoard): Promise<SelfTest> {
    const program = await readFile(packagePath("build/arm/selftest.bin"));
    await board.writeMemory(SELFTEST_BASE, program);
    await board.writeMemory(SELFTEST_PAGE, Buffer.alloc(SELFTEST_OFF_WORDS));
    if (!(await board.readMemory(SELFTEST_BASE, program.length)).equals(program))
      throw new FlashError("RAM does not hold what was written to it.", "Try again; a bad cable does this too.");
    await board.tcl(`reg sp ${SELFTEST_STACK_TOP}; resume ${program.readUInt32LE(4) & ~1}`);
    const test = new SelfTest(board);
    const end = performance.now() + HELLO_MS;
    for (;;) {
      const page = await board.readMemory(SELFTEST_PAGE, SELFTEST_OFF_WORDS);
      if (page.readUInt32LE(0) === SELFTEST_HELLO) return test;
      if (page.readUInt32LE(SELFTEST_OFF_RESULT) === SELFTEST_CLOCK)
        throw new FlashError("The 24 MHz crystal or the PLL does not become stable.", "The board may be damaged.");
      if (performance.now() > end) throw new FlashError("The self-test does not run on this board.");
      await board.pause(LOOK_MS);
    }
  }

  async measure(command: number, argument = 0): Promise<number[]> {
    const { board } = this;
    await board.writeMemory(SELFTEST_PAGE + SELFTEST_OFF_COMMAND, words(command, argument));
    await board.writeMemory(SELFTEST_PAGE + SELFTEST_OFF_REQUEST, words(++this.#request));
    const end = performance.now() + ANSWER_MS;
    for (;;) {
      await board.pause(LOOK_MS);
      const page = await board.readMemory(SELFTEST_PAGE, SELFTEST_OFF_WORDS + 4 * SELFTEST_WORDS);
      if (page.readUInt32LE(0) !== SELFTEST_HELLO) await board.alive();
      if (page.readUInt32LE(SELFTEST_OFF_ANSWERED) === this.#request) return answer(page, command);
      if (performance.now() > end)
        throw new FlashError(`Measurement ${command} did not end within ${ANSWER_MS / 1000} s.`);
    }
  }

  samples(count: number): Promise<Buffer> {
    return this.board.readMemory(SELFTEST_SAMPLES, count);
  }
}

function answer(page: Buffer, command: number): number[] {
  const result = page.readUInt32LE(SELFTEST_OFF_RESULT);
  const found = Array.from({ length: SELFTEST_WORDS }, (_, i) => page.readUInt32LE(SELFTEST_OFF_WORDS + 4 * i));
  if (result === SELFTEST_DONE) return found;
  if (result === SELFTEST_FAULT)
    throw new FlashError(`The bus refused an access of measurement ${command}: CFSR ${hex(found[0]!)}.`);
  if (result === SELFTEST_LOST) throw new FlashError("The flash sequencer does not go back to read mode.");
  throw new FlashError(`Measurement ${command} ended with ${hex(result)}.`);
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => {
    bytes.writeUInt32LE(value >>> 0, 4 * i);
  });
  return bytes;
}
