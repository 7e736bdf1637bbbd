/** The memory map of the RA6M5 as the CPU sees it, and what of it answers at the moment: flash in P/E mode and cells that a
 *  power cut left unreadable refuse access. Addresses: facts of the part (FSP bsp_feature.h for ra6m5). */
import type { Restore } from "./chip.js";
import type { CoreMemory } from "./cpu.js";
import type { Engine } from "./engine.js";
import type { Nor } from "./nor.js";
import { fillNoise, type Random } from "./prng.js";

export const CODE_FLASH = 0x00000000;
export const DATA_FLASH = 0x08000000;
/** Firmware stands below this address; above it the image region, and from SLOT_BASE on the slots. */
export const IMAGE_BASE = 0x00040000;
export const SLOT_BASE = 0x00100000;

const RAM = 0x20000000;
const RAM_SIZE = 0x80000;
const STANDBY_RAM = 0x28000000;
const FACTORY = 0x01008000;
const UNIQUE_ID = 0x190;
const PART_NUMBER = 0x0f0;
/** Not the part number of the family, so that firmware knows that nothing here is secret. */
const PART_NAME = "VIRTUAL RA6M5   ";
const OPTION_MEMORY = 0x0100a000;
const PAGE = 0x1000;
/** A page of our own, where no flash is, for the instructions that reset what the engine keeps across resets. */
const RESET_STUB = 0x01f00000;
const RESET_CODE = [0x2000, 0xf380, 0x880a, 0xf380, 0x880b]; // movs r0,#0; msr msplim,r0; msr psplim,r0
const RESET_INSTRUCTIONS = 3;
const NONE = 0;
const READ = 1;
const READ_WRITE = 3;
const READ_EXECUTE = 5;
const ALL = 7;

/** Which flash is in P/E mode; "read": none. */
export type FlashMode = "read" | "code" | "data";

export class Memory implements CoreMemory {
  /** Set by the flash sequencer; takes effect with the next slice. */
  flashMode: FlashMode = "read";
  readonly #ram = Buffer.alloc(RAM_SIZE);
  readonly #standbyRam = Buffer.alloc(PAGE);
  readonly #factory = Buffer.alloc(PAGE, 0xff);
  readonly #options = Buffer.alloc(PAGE, 0xff);
  readonly #noise = Buffer.alloc(RAM_SIZE + PAGE);
  /** A debugger wrote to RAM: translations of code in it may be stale. */
  #ramChanged = false;
  #protection = "";
  /** Pages with torn cells, which the bus refuses one by one. */
  #covered: number[] = [];

  constructor(
    private readonly engine: Engine,
    private readonly code: Nor,
    private readonly data: Nor,
    uniqueId: Buffer,
    private readonly random: Random,
  ) {
    fillNoise(this.#noise, random);
    uniqueId.copy(this.#factory, UNIQUE_ID);
    this.#factory.write(PART_NAME, PART_NUMBER, "latin1");
    const stub = Buffer.alloc(PAGE);
    RESET_CODE.forEach((word, i) => {
      stub.writeUInt16LE(word, 2 * i);
    });
    engine.map(CODE_FLASH, code.bytes, READ_EXECUTE);
    engine.map(DATA_FLASH, data.bytes, READ);
    engine.map(RAM, this.#ram, ALL);
    engine.map(STANDBY_RAM, this.#standbyRam, READ_WRITE);
    engine.map(FACTORY, this.#factory, READ);
    engine.map(OPTION_MEMORY, this.#options, READ);
    engine.map(RESET_STUB, stub, READ_EXECUTE);
    engine.covered = (address, size) => this.#good(address, size);
  }

  /** What RAM holds when power comes: noise. */
  powerUp(): void {
    const from = (this.random() % (PAGE / 4)) * 4;
    this.#noise.copy(this.#ram, 0, from, from + RAM_SIZE);
    this.#noise.copy(this.#standbyRam);
  }

  /** Flash answers again, and stack limits are gone. */
  reset(): void {
    this.flashMode = "read";
    this.protect();
    this.engine.removeCache(RAM, RAM + RAM_SIZE);
    this.engine.pc = RESET_STUB;
    this.engine.run(RESET_INSTRUCTIONS);
  }

  /** Keeps what RAM holds. Code in it must be the same at every restore: translations of it stay. */
  save(): Restore {
    const { flashMode } = this;
    const [ram, standbyRam] = [Buffer.from(this.#ram), Buffer.from(this.#standbyRam)];
    return () => {
      ram.copy(this.#ram);
      standbyRam.copy(this.#standbyRam);
      this.flashMode = flashMode;
    };
  }

  /** Brings the engine's access rights and its view of code up to date; between slices only. */
  protect(): void {
    if (this.#ramChanged) this.engine.removeCache(RAM, RAM + RAM_SIZE);
    this.#ramChanged = false;
    const torn = [...this.#tornPages(CODE_FLASH, this.code), ...this.#tornPages(DATA_FLASH, this.data)];
    const wanted = `${this.flashMode} ${torn.join()}`;
    if (wanted === this.#protection) return;
    this.#protection = wanted;
    const { engine, flashMode } = this;
    for (const page of this.#covered) if (!torn.includes(page)) this.#uncover(page);
    for (const page of torn) if (!this.#covered.includes(page)) engine.cover(page);
    this.#covered = torn;
    this.#allow(CODE_FLASH, this.code, flashMode === "code" ? NONE : READ_EXECUTE);
    this.#allow(DATA_FLASH, this.data, flashMode === "data" ? NONE : READ);
    // translated code would run on without a fetch
    if (flashMode === "code") engine.removeCache(CODE_FLASH, SLOT_BASE);
  }

  /** An aligned read of 1, 2 or 4 bytes through the debug port: what the processor would get; undefined where the bus refuses. */
  load(address: number, size: number): number | undefined {
    const flash = this.#flashAt(address);
    if (flash !== undefined) {
      const { medium, offset } = flash;
      const away = this.flashMode === (medium === this.code ? "code" : "data");
      return away || medium.unreadable(offset, size) ? undefined : medium.bytes.readUIntLE(offset, size);
    }
    const place = this.#place(address, size, true);
    return place?.bytes.readUIntLE(place.offset, size);
  }

  /** An aligned write of 1, 2 or 4 bytes through the debug port. @returns false where the bus refuses: all but RAM, as for the processor */
  store(address: number, size: number, value: number): boolean {
    const place = this.#place(address, size, false);
    place?.bytes.writeUIntLE(value, place.offset, size);
    this.#ramChanged ||= place?.bytes === this.#ram;
    return place !== undefined;
  }

  /** Whether a read there fails because a power cut tore the cells. */
  torn(address: number): boolean {
    const flash = this.flashMode === "read" ? this.#flashAt(address) : undefined;
    return flash?.medium.unreadable(flash.offset, 1) ?? false;
  }

  /** Reads memory as a debugger would; undefined outside. */
  peek(address: number, length: number): Buffer | undefined {
    const memories: [number, Buffer][] = [
      [CODE_FLASH, this.code.bytes],
      [DATA_FLASH, this.data.bytes],
      [RAM, this.#ram],
      [STANDBY_RAM, this.#standbyRam],
      [FACTORY, this.#factory],
    ];
    for (const [base, bytes] of memories) {
      const offset = address - base;
      if (offset >= 0 && offset + length <= bytes.length) return Buffer.from(bytes.subarray(offset, offset + length));
    }
    return undefined;
  }

  /** Writes RAM as a debugger would. @returns false outside */
  poke(address: number, bytes: Uint8Array): boolean {
    if (address < RAM || address + bytes.length > RAM + RAM_SIZE) return false;
    this.#ram.set(bytes, address - RAM);
    return true;
  }

  /** A byte of RAM for a bus master beside the processor; undefined outside. */
  byte(address: number): number | undefined {
    return this.#ram[address - RAM];
  }

  /** @returns false outside */
  setByte(address: number, value: number): boolean {
    if (address < RAM || address >= RAM + RAM_SIZE) return false;
    this.#ram[address - RAM] = value;
    return true;
  }

  readWord(address: number): number | undefined {
    if (this.flashMode === "code" && address < this.code.size) return undefined;
    return this.peek(address, 4)?.readUInt32LE(0);
  }

  writeWord(address: number, value: number): boolean {
    if (address < RAM || address + 4 > RAM + RAM_SIZE) return false;
    this.#ram.writeUInt32LE(value, address - RAM);
    return true;
  }

  #flashAt(address: number): { medium: Nor; offset: number } | undefined {
    if (address >= CODE_FLASH && address < CODE_FLASH + this.code.size) return { medium: this.code, offset: address };
    const offset = address - DATA_FLASH;
    return offset >= 0 && offset < this.data.size ? { medium: this.data, offset } : undefined;
  }

  #place(address: number, size: number, reading: boolean): { bytes: Buffer; offset: number } | undefined {
    const memories: [number, Buffer][] = [
      [RAM, this.#ram],
      [STANDBY_RAM, this.#standbyRam],
    ];
    if (reading) memories.push([FACTORY, this.#factory], [OPTION_MEMORY, this.#options]);
    for (const [base, bytes] of memories) {
      const offset = address - base;
      if (offset >= 0 && offset + size <= bytes.length) return { bytes, offset };
    }
    return undefined;
  }

  #tornPages(base: number, medium: Nor): number[] {
    const pages: number[] = [];
    if (!medium.hasUnreadable) return pages;
    for (let at = 0; at < medium.size; at += PAGE) if (medium.unreadable(at, PAGE)) pages.push(base + at);
    return pages;
  }

  #uncover(page: number): void {
    const { medium, offset } = this.#flashAt(page)!;
    this.engine.uncover(page, medium.bytes.subarray(offset, offset + PAGE), NONE);
  }

  /** Permissions of all pages that are not covered. */
  #allow(base: number, medium: Nor, permissions: number): void {
    let from = base;
    for (const page of [...this.#covered, base + medium.size]) {
      if (page < from || page > base + medium.size) continue;
      if (page > from) this.engine.protect(from, page - from, permissions);
      from = page + PAGE;
    }
  }

  /** What a covered page answers: torn cells nothing. */
  #good(address: number, size: number): number | undefined {
    const flash = this.flashMode === "read" ? this.#flashAt(address) : undefined;
    if (flash === undefined || flash.medium.unreadable(flash.offset, size)) return undefined;
    return flash.medium.bytes.readUIntLE(flash.offset, size);
  }
}
