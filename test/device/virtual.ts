/** The very ELF that would be flashed, on the virtual board: slowest of the targets, and nearest to the real one. */
import { VirtualBoard } from "../../board/virtual/board.js";
import { describeFault } from "../../board/virtual/faults.js";
import { PowerCut } from "../../board/virtual/supply.js";
import { SLOT_BLOCK, SLOT_BLOCKS } from "../../firmware/defs/medium.js";
import type { Device } from "./device.js";
import { builtPath } from "./engine.js";

const RAM = 0x20000000; // board/MEMORY.md
const RAM_SIZE = 512 * 1024;

export class VirtualDevice implements Device {
  readonly name = "virtual";
  readonly board: VirtualBoard;
  readonly slotsOffset: number;
  #cut = 0;

  constructor(seed: number) {
    this.board = VirtualBoard.create({ elf: builtPath("ek-ra6m5.elf"), seed });
    this.slotsOffset = this.board.code.size - SLOT_BLOCK * SLOT_BLOCKS;
    this.board.onEvent = (event) => {
      if (event.kind === "cut") this.#cut = event.operation;
    };
  }

  get slots() {
    return this.board.code;
  }
  get data() {
    return this.board.data;
  }
  get supply() {
    return this.board.supply;
  }

  boot(): void {
    this.board.powerOff();
    this.board.powerOn();
    const end = this.board.run();
    this.#check(end === "off");
    this.board.take();
  }

  exchange(bytes: Uint8Array): Uint8Array {
    const sent = this.board.exchange(bytes);
    this.#check(!this.board.powered);
    return sent;
  }

  ram(): Uint8Array {
    return this.board.peek(RAM, RAM_SIZE)!;
  }

  close(): void {
    this.board.close();
  }

  /** @throws PowerCut, or an Error when the firmware did what hardware would not forgive */
  #check(off: boolean): void {
    const faults = this.board.faults.list;
    if (faults.length > 0) throw new Error(faults.map(describeFault).join("; "));
    if (off) throw new PowerCut(this.#cut);
  }
}
