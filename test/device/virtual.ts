/** The very ELF that would be flashed, on the virtual board: slowest of the targets, and nearest to the real one. */
import { createHash } from "node:crypto";
import { type BoardOptions, VirtualBoard } from "../../board/virtual/board.js";
import type { Checkpoint } from "../../board/virtual/checkpoint.js";
import { describeFault } from "../../board/virtual/faults.js";
import { PowerCut } from "../../board/virtual/supply.js";
import { IMAGE_ADDRESS } from "../../firmware/defs/image.js";
import { SLOT_BLOCK, SLOT_BLOCKS } from "../../firmware/defs/medium.js";
import { built, builtPath } from "./built.js";
import type { Device, Switch } from "./device.js";

const RAM = 0x20000000; // board/MEMORY.md
const RAM_SIZE = 512 * 1024;
const CORE = "core"; // struct core of engine_wasm3.c
const CORE_OFF_RUNTIME = 4; // IM3Runtime, wasm3_glue.h
const RUNTIME_SEARCHED = 8192; // bytes from struct M3Runtime on in which it points to the memory, m3_env.h
const MEMORY_HEADER = 12; // M3MemoryHeader, m3_core.h: runtime, end of the memory, its length
const PAGE = 65536;

/** Linear memory of an image whose core was compiled ahead of time, engine_aot.c. */
const PAGE_SYMBOL = "core_page";

/** Called right before the core's export start, which is the first to look at the media. engine.h */
const MOUNT = "engine_start";

/** What is flashed, and how it boots. */
export interface Firmware {
  elf?: string | Uint8Array;
  setupCode?: Uint8Array;
  /** The first boot runs from power-on as always; the later ones go on from the moment in it when the core was loaded and nothing of
   *  the media had been read. Saves nine tenths of a boot. RAM that the firmware had not written by then holds the same noise each time. */
  warm?: boolean;
  hooks?: BoardOptions["hooks"];
  cyclesEach?: BoardOptions["cyclesEach"];
}

export class VirtualDevice implements Device {
  readonly name: string = "virtual";
  readonly board: VirtualBoard;
  readonly slotsOffset: number;
  #cut = 0;
  #poweredAt = 0;
  #linear: number | undefined;
  readonly #warm: boolean;
  #loaded: Checkpoint | undefined;

  /** @param elf other firmware than the one that was built */
  constructor(seed: number, { elf = builtPath("ek-ra6m5.elf"), setupCode, warm = false, ...rest }: Firmware = {}) {
    this.#warm = warm;
    this.board = VirtualBoard.create({ elf, seed, setupCode, ...rest });
    this.slotsOffset = this.board.code.size - SLOT_BLOCK * SLOT_BLOCKS;
    this.board.onEvent = (event) => {
      if (event.kind === "cut") this.#cut = event.operation;
    };
  }

  get slots() {
    return this.board.code;
  }
  get image() {
    return this.board.code;
  }
  readonly imageOffset = IMAGE_ADDRESS;
  get data() {
    return this.board.data;
  }
  get supply() {
    return this.board.supply;
  }

  boot(): void {
    if (this.#loaded !== undefined) this.board.resume(this.#loaded);
    else this.#start();
    const end = this.board.run();
    this.#check(end === "off");
    this.board.take();
  }

  exchange(bytes: Uint8Array): Uint8Array {
    const sent = this.board.exchange(bytes);
    this.#check(!this.board.powered);
    return sent;
  }

  wait(ms: number): Uint8Array {
    const end = this.board.advance(ms);
    this.#check(end === "off");
    return this.board.take();
  }

  press(which: Switch): void {
    this.board.press(which);
  }
  release(which: Switch): void {
    this.board.release(which);
  }
  /** A little more than clock(), which begins when the firmware starts its timer; a reset without power loss is not counted. */
  now(): bigint {
    return BigInt(Math.round((this.board.time.ns - this.#poweredAt) / 1000));
  }

  peek(offset: number, length: number): Uint8Array {
    return this.#read(this.#linearMemory() + offset, length);
  }
  poke(offset: number, bytes: Uint8Array): void {
    if (!this.board.poke(this.#linearMemory() + offset, bytes)) throw new Error("linear memory is not in RAM");
  }

  /** Where a byte of linear memory lies on the bus. */
  address(offset: number): number {
    return this.#linearMemory() + offset;
  }

  ram(): Uint8Array {
    return this.board.peek(RAM, RAM_SIZE)!;
  }

  close(): void {
    this.board.close();
  }

  #start(): void {
    this.board.powerOff();
    this.#poweredAt = this.board.time.ns; // a checkpoint puts the time back, so it stays true for the boots that go on from there
    if (this.#warm) this.#loaded = this.board.checkpoint(this.#symbol(MOUNT));
    else this.board.powerOn();
  }

  /** Where linear memory lies: at a symbol, if the core was compiled ahead of time; else in wasm3's arena. Its runtime has a pointer to a header
   *  that points back and tells the length of one page, and linear memory lies behind that header. It is there again at the same place after
   *  each start of the same firmware. */
  #linearMemory(): number {
    const page = this.board.elf.symbol(PAGE_SYMBOL);
    if (page !== undefined) return page.address;
    if (this.#linear !== undefined && this.#isMemory(this.#linear)) return this.#linear;
    const runtime = this.#runtime();
    const words = this.#read(runtime, RUNTIME_SEARCHED);
    for (let at = 0; at < RUNTIME_SEARCHED; at += 4) {
      const linear = words.readUInt32LE(at) + MEMORY_HEADER;
      if (!this.#isMemory(linear)) continue;
      this.#linear = linear;
      return linear;
    }
    throw new Error("wasm3 has no linear memory");
  }

  #runtime(): number {
    return this.#read(this.#symbol(CORE) + CORE_OFF_RUNTIME, 4).readUInt32LE();
  }

  #symbol(name: string): number {
    const symbol = this.board.elf.symbol(name);
    if (symbol === undefined) throw new Error(`the firmware has no symbol ${name}`);
    return symbol.address;
  }

  #isMemory(linear: number): boolean {
    const header = this.board.peek(linear - MEMORY_HEADER, MEMORY_HEADER);
    return header !== undefined && header.readUInt32LE(0) === this.#runtime() && header.readUInt32LE(8) === PAGE;
  }

  #read(address: number, length: number): Buffer {
    const bytes = this.board.peek(address, length);
    if (bytes === undefined) throw new Error(`nothing can be read at 0x${address.toString(16)}`);
    return bytes;
  }

  /** @throws PowerCut, or an Error when the firmware did what hardware would not forgive */
  #check(off: boolean): void {
    const faults = this.board.faults.list;
    if (faults.length > 0) throw new Error(faults.map(describeFault).join("; "));
    if (off) throw new PowerCut(this.#cut);
  }
}

/** Firmware of the same core, which C made of it runs in the place of the interpreter. */
export class AheadOfTimeDevice extends VirtualDevice {
  override readonly name = "aot";

  constructor(seed: number, firmware: Omit<Firmware, "elf"> = {}) {
    const elf = built("ek-ra6m5-aot.elf");
    const core = createHash("sha256").update(built("core.wasm")).digest();
    if (!elf.includes(core)) throw new Error("build/ek-ra6m5-aot.elf is of another core.wasm; run: npm run build");
    super(seed, { ...firmware, elf });
  }
}
