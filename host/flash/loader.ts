/** Programming through the RAM loader (board/ek-ra6m5/loader): bytes go into its buffer, operations into its table, and it does them all
 *  while nothing but its mailbox is looked at. */

import {
  LOADER_BUFFER,
  LOADER_BUFFER_SIZE,
  LOADER_CLOCK,
  LOADER_DIFFERS,
  LOADER_DONE,
  LOADER_ERASE,
  LOADER_FAULT,
  LOADER_LOST,
  LOADER_OP_CHECK,
  LOADER_OP_ERASE,
  LOADER_OP_PROGRAM,
  LOADER_OPERATIONS_MAX,
  LOADER_PROGRAM,
} from "../../firmware/defs/loader.js";
import { crc32 } from "../client/crc.js";
import type { FlashBoard } from "./board.js";
import { FlashError } from "./errors.js";
import { hex } from "./hex.js";
import { blockAt, isData } from "./map.js";
import { TclError, tclWord } from "./openocd.js";
import { failed, type Operation, type Programmer } from "./operation.js";
import { packagePath } from "./probe.js";

/** Typical times of the part at FCLK 48 MHz, for when to look first; only patience depends on them. */
const ERASE_MS_PER_KB = 5;
const PROGRAM_MS_PER_KB = 2.8;
const DATA_ERASE_MS = 1.7;
const DATA_PROGRAM_MS_PER_BYTE = 0.04;
/** Without any progress for so long the loader is given up; the longest operation takes 1 s. */
const STILL_MS = 10_000;
const LOOK_MS = { least: 5, most: 250 };

export class Loader implements Programmer {
  readonly name = "RAM loader";

  private constructor(private readonly board: FlashBoard) {}

  /** The board was reset and is halted. @returns undefined when the loader does not run there @throws DisconnectedError */
  static async start(board: FlashBoard): Promise<Loader | undefined> {
    try {
      await board.tcl(`ra6m5_loader_start ${tclWord(packagePath("build/arm/loader.bin"))}`);
      return new Loader(board);
    } catch (error) {
      if (!(error instanceof TclError)) throw error;
      await board.resetHalted(); // and throws when it is the board that does not answer
      return undefined;
    }
  }

  async perform(operations: readonly Operation[], advanced: (done: number) => void): Promise<void> {
    for (let from = 0; from < operations.length; ) {
      const batch = batchFrom(operations, from);
      const before = from;
      await this.#ask(batch);
      await this.#finish(batch, (done) => advanced(before + done));
      from += batch.length;
    }
  }

  async #ask(batch: readonly Operation[]): Promise<void> {
    const pieces: Buffer[] = [];
    const table: number[] = [];
    let at = LOADER_BUFFER;
    for (const one of batch) {
      if (one.kind === "erase") table.push(LOADER_OP_ERASE, one.address, 0, 0);
      else if (one.kind === "check") table.push(LOADER_OP_CHECK, one.address, one.bytes.length, crc32(one.bytes));
      else {
        table.push(LOADER_OP_PROGRAM, one.address, one.bytes.length, at);
        pieces.push(one.bytes);
        at += one.bytes.length;
      }
    }
    if (pieces.length > 0) await this.board.writeMemory(LOADER_BUFFER, Buffer.concat(pieces));
    await this.board.tcl(`ra6m5_loader_ask {${table.join(" ")}}`);
  }

  async #finish(batch: readonly Operation[], advanced: (done: number) => void): Promise<void> {
    let wait = batch.reduce((ms, one) => ms + typicalMs(one), 0);
    let seen = 0;
    let still = performance.now();
    for (;;) {
      await this.board.pause(Math.min(Math.max(wait, LOOK_MS.least), LOOK_MS.most));
      wait = Math.max(wait - LOOK_MS.most, wait / 2);
      const words = (await this.board.tcl("ra6m5_loader_look")).split(" ");
      const [result = 0, done = 0, detail = 0] = words.map(Number);
      if (words[0] !== "busy") {
        await this.board.alive();
        if (result === LOADER_DONE) return advanced(batch.length);
        throw this.#failure(batch[done], result, detail >>> 0);
      }
      if (done !== seen) still = performance.now();
      seen = done;
      advanced(done);
      if (performance.now() - still > STILL_MS) throw failed(batch[done] ?? batch[0]!, "the loader came to no end");
    }
  }

  #failure(one: Operation | undefined, result: number, detail: number): Error {
    if (one === undefined) return new FlashError(`The RAM loader ended with ${hex(result)}, which means nothing.`);
    if (result === LOADER_ERASE || result === LOADER_PROGRAM) return failed(one, detail);
    if (result === LOADER_DIFFERS) return failed(one, `its CRC is ${hex(detail)}`);
    if (result === LOADER_FAULT) return failed(one, `the bus refused it, CFSR ${hex(detail)}`);
    if (result === LOADER_LOST) return failed(one, "the flash sequencer does not go back to read mode");
    if (result === LOADER_CLOCK) return failed(one, "the board has no stable clock");
    return failed(one, `the RAM loader refused it, ${hex(result)}`);
  }
}

/** As many operations as fit into buffer and table. */
function batchFrom(operations: readonly Operation[], from: number): Operation[] {
  let room = LOADER_BUFFER_SIZE;
  let end = from;
  for (; end < operations.length && end - from < LOADER_OPERATIONS_MAX; end++) {
    const one = operations[end]!;
    if (one.kind === "program" && one.bytes.length > room) break;
    if (one.kind === "program") room -= one.bytes.length;
  }
  return operations.slice(from, end);
}

function typicalMs(one: Operation): number {
  const data = isData(one.address);
  if (one.kind === "erase") return data ? DATA_ERASE_MS : (blockAt(one.address) / 1024) * ERASE_MS_PER_KB;
  if (one.kind === "program") return one.bytes.length * (data ? DATA_PROGRAM_MS_PER_BYTE : PROGRAM_MS_PER_KB / 1024);
  return 0;
}
