/** Programming without a program on the board: the debugger writes the registers of the flash sequencer (openocd/flash.tcl). Slow, and
 *  independent of everything but the debug port. */
import type { FlashBoard } from "./board.js";
import { isData, unitAt } from "./map.js";
import { TclError } from "./openocd.js";
import { failed, type Operation, type Programmer } from "./operation.js";

/** Units in one command to OpenOCD. */
const UNITS = 16;

export class Debugger implements Programmer {
  readonly name = "debugger";
  #mode: "code" | "data" | undefined;

  /** @param board was reset and is halted */
  constructor(private readonly board: FlashBoard) {}

  async perform(operations: readonly Operation[], advanced: (done: number) => void): Promise<void> {
    for (const [i, one] of operations.entries()) {
      await this.#perform(one);
      await this.board.alive();
      advanced(i + 1);
    }
    await this.#enter(undefined);
  }

  async #perform(one: Operation): Promise<void> {
    try {
      if (one.kind === "check") {
        await this.#enter(undefined);
        const found = await this.board.readMemory(one.address, one.bytes.length);
        if (!found.equals(one.bytes)) throw failed(one, "it reads differently");
        return;
      }
      await this.#enter(isData(one.address) ? "data" : "code");
      if (one.kind === "erase") await this.board.tcl(`ra6m5_erase ${one.address} 1`);
      else await this.#program(one.address, one.bytes);
    } catch (error) {
      if (!(error instanceof TclError)) throw error;
      await this.board.alive();
      throw failed(one, error.message.replace(/^ra6m5: /, ""));
    }
  }

  async #program(address: number, bytes: Buffer): Promise<void> {
    const unit = unitAt(address);
    const commands: string[] = [];
    for (let at = 0; at < bytes.length; at += unit) {
      const part = bytes.subarray(at, at + unit);
      // erased code flash reads as ones; erased data flash reads as anything
      if (!isData(address) && part.every((byte) => byte === 0xff)) continue;
      const halfwords = Array.from({ length: unit / 2 }, (_, i) => part.readUInt16LE(2 * i));
      commands.push(`ra6m5_program ${address + at} {${halfwords.join(" ")}}`);
    }
    for (let at = 0; at < commands.length; at += UNITS) await this.board.tcl(commands.slice(at, at + UNITS).join("; "));
  }

  async #enter(mode: "code" | "data" | undefined): Promise<void> {
    if (mode === this.#mode) return;
    if (this.#mode !== undefined) await this.board.tcl("ra6m5_leave");
    if (mode !== undefined) await this.board.tcl(`ra6m5_enter ${mode}`);
    this.#mode = mode;
  }
}
