/** The virtual EK-RA6M5: the ELF that would be flashed, running on models of its peripherals and strict media.
 *  Deterministic with a seed; otherwise noise, entropy and unique id come from the host. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { DATA_BLOCK, DATA_SIZE, DATA_UNIT, SLOT_BLOCK, SLOT_BLOCKS, UNIT } from "../../firmware/defs/medium.js";
import { Agt } from "./agt.js";
import { Caches } from "./cache.js";
import { Bus, type Chip, type Clocks, type Peripheral, type ResetCause } from "./chip.js";
import { Cpu } from "./cpu.js";
import { BadElf, type Elf, readElf } from "./elf.js";
import { Engine } from "./engine.js";
import { CODE_FLASH, DATA_FLASH, Faci } from "./faci.js";
import { type Fault, FaultLog, hex } from "./faults.js";
import { type FlashImage, loadFlash, type MediumShape, saveFlash } from "./flashfile.js";
import { Nor, PowerCut } from "./nor.js";
import { type Light, Ports, type Switch } from "./ports.js";
import { fillNoise, hostRandom, type Random, seeded } from "./prng.js";
import { Sci } from "./sci.js";
import { Scs } from "./scs.js";
import { type CutPlan, Supply } from "./supply.js";
import { ModuleStop, System, security, sramControl } from "./system.js";
import { Time } from "./time.js";
import { Watchdog } from "./wdt.js";

export interface BoardOptions {
  /** Path of the firmware, or its bytes. */
  elf: string | Uint8Array;
  /** Everything random follows from this number. */
  seed?: number;
  /** File that keeps the flash; read now, written by `save()`. */
  flash?: string;
}

export type BoardEvent =
  | { kind: "on" }
  | { kind: "off" }
  | { kind: "cut"; operation: number }
  | { kind: "reset"; cause: ResetCause }
  | { kind: "locked" }
  | { kind: "lights"; lights: Light[] }
  | { kind: "fault"; fault: Fault };

/** Why a synchronous run ended: the firmware waits for input; no power; CPU locked up; too many instructions. */
export type RunEnd = "idle" | "off" | "locked" | "limit";

/** What a person may want to know at start. */
export interface FlashState {
  file: string | undefined;
  /** True when the flash file was written by another firmware. */
  otherFirmware: boolean;
  /** True when the file did not exist. */
  fresh: boolean;
}

const CODE_SIZE = 0x200000;
const SLOT_BASE = 0x100000;
const SMALL_BLOCKS = 0x10000;
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
/** Instructions of one slice when nothing is due sooner. */
const SLICE = 500_000;
/** Real time that passes while the firmware idles is given to it in steps of this many ms. */
const IDLE_STEP_MS = 10;
/** How long an idle board sleeps before it gives the firmware a turn. */
const IDLE_SLEEP_MS = 20;
/** A longer absence of the host (a laptop that slept) is not made up for. */
const IDLE_MOST_MS = 100;
const SCI0_PSEL = 4;

export class VirtualBoard implements Chip {
  readonly supply = new Supply();
  /** The 2 MB of code flash; the slot region is its upper half. */
  readonly code: Nor;
  readonly data: Nor;
  readonly faults: FaultLog;
  readonly time: Time;
  readonly random: Random;
  readonly uniqueId: Buffer;
  /** SHA-256 of the loaded firmware. */
  readonly firmware: Buffer;
  readonly elf: Elf;
  readonly flash: FlashState;
  clocks: Clocks = { iclk: 2e6, pclka: 2e6, pclkb: 2e6, fclk: 2e6 };
  /** Bytes that the board sent; for the asynchronous mode. */
  onSend: (bytes: Buffer) => void = () => {};
  onEvent: (event: BoardEvent) => void = () => {};
  /** Called after flash changed, at the end of a slice. */
  onFlashChanged: () => void = () => {};

  readonly #engine = new Engine();
  readonly #cpu: Cpu;
  readonly #scs: Scs;
  readonly #bus: Bus;
  readonly #system: System;
  readonly #caches: Caches;
  readonly #faci: Faci;
  readonly #sci: Sci;
  readonly #ports: Ports;
  readonly #ram = Buffer.alloc(RAM_SIZE);
  readonly #standbyRam = Buffer.alloc(PAGE);
  readonly #noise: Buffer;
  readonly #factory = Buffer.alloc(PAGE, 0xff);
  readonly #path: string | undefined;

  #on = false;
  #idle = false;
  #reset: ResetCause | undefined;
  #flashMode: "read" | "code" | "data" = "read";
  #protection = "";
  #opened: number[] = [];
  #flashChanged = false;
  #shown = "";
  #lockTold = false;
  #loop: { timer: NodeJS.Timeout | undefined; immediate: NodeJS.Immediate | undefined; idleSince: number } | undefined;

  static create(options: BoardOptions): VirtualBoard {
    return new VirtualBoard(options);
  }

  private constructor(options: BoardOptions) {
    const stream = (n: number): Random => (options.seed === undefined ? hostRandom() : seeded(options.seed * 4 + n));
    this.random = stream(0);
    const noise = stream(1);
    this.faults = new FaultLog(() => ({ pc: this.#engine.pc, at: this.#engine.instructions }));
    this.faults.added = (fault) => this.onEvent({ kind: "fault", fault });
    this.time = new Time(
      () => this.#engine.instructions,
      () => this.#engine.endSlice(),
    );
    const changed = (): void => {
      this.#flashChanged = true;
    };
    this.code = new Nor({
      name: "code flash",
      size: CODE_SIZE,
      unit: UNIT,
      blocks: [
        { size: 0x2000, count: SMALL_BLOCKS / 0x2000 },
        { size: SLOT_BLOCK, count: (CODE_SIZE - SMALL_BLOCKS) / SLOT_BLOCK },
      ],
      erasedReads: "ff",
      random: noise,
      supply: this.supply,
      changed,
    });
    this.data = new Nor({
      name: "data flash",
      size: DATA_SIZE,
      unit: DATA_UNIT,
      blocks: DATA_BLOCK,
      erasedReads: "noise",
      random: noise,
      supply: this.supply,
      changed,
    });
    this.#noise = Buffer.alloc(RAM_SIZE + PAGE);
    fillNoise(this.#noise, noise);

    const name = typeof options.elf === "string" ? options.elf : "the ELF";
    this.elf = readElf(typeof options.elf === "string" ? readFirmware(options.elf) : options.elf, name);
    this.firmware = this.#loadFirmware(name);
    this.#path = options.flash;
    const image = this.#path === undefined ? undefined : loadFlash(this.#path, SLOTS_SHAPE, DATA_SHAPE);
    this.flash = {
      file: this.#path,
      fresh: image === undefined,
      otherFirmware: image !== undefined && !image.firmware.equals(this.firmware),
    };
    if (image !== undefined) {
      this.code.load(SLOT_BASE, image.slots);
      this.data.load(0, image.data);
    }
    this.uniqueId = image?.uniqueId ?? Buffer.alloc(16);
    if (image === undefined) fillNoise(this.uniqueId, stream(2));
    this.uniqueId.copy(this.#factory, UNIQUE_ID);
    this.#factory.write(PART_NAME, PART_NUMBER, "latin1");
    this.#flashChanged = false;

    const stub = Buffer.alloc(PAGE);
    RESET_CODE.forEach((word, i) => {
      stub.writeUInt16LE(word, 2 * i);
    });
    const engine = this.#engine;
    engine.map(CODE_FLASH, this.code.bytes, 5);
    engine.map(DATA_FLASH, this.data.bytes, 1);
    engine.map(RAM, this.#ram, 7);
    engine.map(STANDBY_RAM, this.#standbyRam, 3);
    engine.map(FACTORY, this.#factory, 1);
    engine.map(OPTION_MEMORY, Buffer.alloc(PAGE, 0xff), 1);
    engine.map(RESET_STUB, stub, 5);
    engine.refused = (address, _size, access) => this.#refused(address, access);

    this.#bus = new Bus(this.faults);
    const bus = this.#bus;
    this.#system = bus.add(new System(this));
    bus.add(sramControl(this, this.#system));
    for (const block of security(this, this.#system)) bus.add(block);
    const modules = bus.add(new ModuleStop(this));
    this.#caches = new Caches(this, this.#system);
    bus.add(this.#caches.cpu);
    bus.add(this.#caches.rom);
    this.#ports = bus.add(new Ports(this, this.#system));
    this.#sci = bus.add(
      new Sci(this, "SCI0", 0x40118000, {
        running: () => modules.runs("B", 31),
        txPin: () => this.#ports.carries(4, 11, SCI0_PSEL),
        rxPin: () => this.#ports.carries(4, 10, SCI0_PSEL),
      }),
    );
    bus.add(
      new Agt(
        this,
        () => modules.runs("D", 3),
        () => this.#system.locoRunning,
      ),
    );
    bus.add(new Watchdog(this));
    this.#faci = bus.add(new Faci(this, this.#system, this.#caches, this.code, this.data));
    bus.add(this.#faci.commandArea);
    this.#faci.modeChanged = (mode) => {
      this.#flashMode = mode;
      this.code.redraw();
      this.data.redraw();
      engine.endSlice(); // the next slice begins with the new protection
    };
    engine.mmio(Bus.BASE, Bus.SIZE, bus);
    this.#scs = new Scs(this, () => bus.accesses);
    engine.mmio(Scs.BASE, Scs.SIZE, this.#scs);
    this.#cpu = new Cpu(
      engine,
      this.#scs,
      { readWord: (a) => this.#word(a), writeWord: (a, v) => this.#setWord(a, v) },
      this.faults,
    );
    this.#cpu.forgiven = (address) => this.#torn(address);
  }

  // --- Chip: what the peripherals ask for

  endSlice(): void {
    this.#engine.endSlice();
  }

  signalIdle(): void {
    this.#idle = true;
    this.#engine.endSlice();
  }

  requestReset(cause: ResetCause): void {
    this.#reset = cause;
    this.#engine.endSlice();
  }

  pc(): number {
    return this.#engine.pc;
  }

  // --- power

  get powered(): boolean {
    return this.#on;
  }

  /** Instructions executed since creation. */
  get instructions(): number {
    return this.#engine.instructions;
  }

  /** Power on: RAM holds noise, erased data flash reads differently, marginal cells are drawn anew. Nothing runs yet. */
  powerOn(): void {
    if (this.#on) return;
    this.supply.up();
    const from = (this.random() % (PAGE / 4)) * 4;
    this.#noise.copy(this.#ram, 0, from, from + RAM_SIZE);
    this.#noise.copy(this.#standbyRam, 0, 0, PAGE);
    this.#on = true;
    this.onEvent({ kind: "on" });
    this.#restart("power");
    this.#wake();
  }

  /** Takes the power away. A flash operation under way is torn, its cells marginal. */
  powerOff(): void {
    if (!this.#on) return;
    this.#faci.interrupt();
    this.supply.down();
    this.#on = false;
    this.#shown = "";
    this.onEvent({ kind: "off" });
  }

  /** Arms a power cut: the plan's operation counts flash operations of both flashes from now on. Survives power cycles until
   *  it fires. */
  cutPower(plan: CutPlan): void {
    this.supply.arm(plan);
  }

  /** The reset button S3: RAM keeps its bytes. */
  reset(): void {
    if (this.#on) this.#restart("pin");
  }

  // --- the outside world

  press(which: Switch): void {
    this.#ports.press(which, true);
    this.#wake();
  }

  release(which: Switch): void {
    this.#ports.press(which, false);
    this.#wake();
  }

  /** Lights that are on. */
  get lights(): Light[] {
    return this.#on ? (["touch", "ready", "fault"] as const).filter((light) => this.#ports.lit(light)) : [];
  }

  /** Bits per second of the UART as the firmware set it. */
  get baud(): number {
    return this.#sci.baud;
  }

  /** Bytes that were lost on the line since creation. */
  get lost(): number {
    return this.#sci.lost;
  }

  /** Puts bytes on the UART line; without power they are lost. */
  feed(bytes: Uint8Array): void {
    if (!this.#on) return;
    this.#passIdleTime(); // before the line moves, or its bytes would seem to have come meanwhile
    this.#sci.feed(bytes);
    this.#wake();
  }

  /** Takes what the board has sent. */
  take(): Buffer {
    return this.#sci.takeSent();
  }

  // --- synchronous mode, for tests

  /** Runs until the firmware waits for input, or for at most `limit` instructions. */
  run(limit = 4e9): RunEnd {
    const end = this.instructions + limit;
    for (;;) {
      const state = this.#slice(SLICE);
      if (state !== "ran") return state;
      if (this.instructions >= end) return "limit";
    }
  }

  /** Feeds bytes, runs until idle, answers what was sent. @throws when the board does not come to rest. */
  exchange(bytes: Uint8Array, limit = 4e9): Buffer {
    this.feed(bytes);
    const end = this.run(limit);
    if (end === "limit")
      throw new Error(`the firmware did not come to rest within ${limit} instructions, pc ${hex(this.pc())}`);
    return this.take();
  }

  /** Lets virtual time pass while the firmware idles, in steps in which it runs. */
  advance(ms: number): RunEnd {
    let end: RunEnd = this.run();
    for (let left = ms; left > 0 && end === "idle"; left -= IDLE_STEP_MS) {
      this.time.skipCycles(Math.round((Math.min(left, IDLE_STEP_MS) * this.time.hz) / 1000));
      end = this.run();
    }
    return end;
  }

  // --- asynchronous mode: runs beside the event loop

  start(): void {
    if (this.#loop !== undefined) return;
    this.#loop = { timer: undefined, immediate: undefined, idleSince: 0 };
    this.#wake();
  }

  stop(): void {
    const loop = this.#loop;
    this.#loop = undefined;
    if (loop?.timer !== undefined) clearTimeout(loop.timer);
    if (loop?.immediate !== undefined) clearImmediate(loop.immediate);
  }

  #wake(): void {
    const loop = this.#loop;
    if (loop === undefined || loop.immediate !== undefined) return;
    if (loop.timer !== undefined) clearTimeout(loop.timer);
    loop.timer = undefined;
    loop.immediate = setImmediate(() => this.#turn());
  }

  /** Gives the firmware the real time that passed while it idled. */
  #passIdleTime(): void {
    const loop = this.#loop;
    if (loop === undefined || loop.idleSince === 0) return;
    const away = Math.min(performance.now() - loop.idleSince, IDLE_MOST_MS);
    loop.idleSince = 0;
    if (this.#on) this.time.skipCycles(Math.round((away * this.time.hz) / 1000));
  }

  #turn(): void {
    const loop = this.#loop;
    if (loop === undefined) return;
    loop.immediate = undefined;
    this.#passIdleTime();
    const state = this.#slice(SLICE);
    const sent = this.take();
    if (sent.length > 0) this.onSend(sent);
    if (this.#loop === undefined) return;
    if (state === "ran") this.#wake();
    else if (state === "idle") {
      loop.idleSince = performance.now();
      loop.timer = setTimeout(() => {
        loop.timer = undefined;
        this.#wake();
      }, IDLE_SLEEP_MS);
    }
  }

  // --- persistence

  /** Writes the flash file, if there is one. */
  save(): void {
    if (this.#path === undefined) return;
    saveFlash(this.#path, this.flashImage());
  }

  /** What the flash file would hold. */
  flashImage(): FlashImage {
    return {
      uniqueId: this.uniqueId,
      firmware: this.firmware,
      slots: this.code.image(SLOT_BASE),
      data: this.data.image(),
    };
  }

  /** Frees the engine. The board cannot be used afterwards. */
  close(): void {
    this.stop();
    this.#engine.close();
  }

  /** Reads memory as a debugger would; undefined outside. For tests and reports. */
  peek(address: number, length: number): Buffer | undefined {
    for (const [base, bytes] of this.#memories()) {
      if (address >= base && address + length <= base + bytes.length) {
        return Buffer.from(bytes.subarray(address - base, address - base + length));
      }
    }
    return undefined;
  }

  // --- running

  /** One slice, and everything that is due after it. */
  #slice(most: number): RunEnd | "ran" {
    if (!this.#on) return "off";
    this.#protect();
    this.#idle = false;
    const due = this.#deadline();
    const cycles = Math.max(1, due - this.time.cycles);
    this.time.sliceEnd = due;
    let ran: "ran" | "wait" | "locked";
    try {
      ran = this.#cpu.run(Math.min(most, cycles));
      if (ran === "wait") this.#wait(due);
      else if (ran === "locked" && Number.isFinite(due)) this.time.skipTo(this.time.ns + 1e6);
      this.#settleDue();
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      return this.#lostPower(error);
    } finally {
      this.time.sliceEnd = Number.POSITIVE_INFINITY;
    }
    if (this.#flashChanged) {
      this.#flashChanged = false;
      this.onFlashChanged();
    }
    if (this.#reset !== undefined) {
      const cause = this.#reset;
      this.#reset = undefined;
      this.#restart(cause);
      return "ran";
    }
    this.#tellLights();
    if (ran === "locked" && !Number.isFinite(due)) {
      if (!this.#lockTold) this.onEvent({ kind: "locked" });
      this.#lockTold = true;
      return "locked";
    }
    return this.#idle ? "idle" : "ran";
  }

  #tellLights(): void {
    const lights = this.lights;
    const shown = lights.join();
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.onEvent({ kind: "lights", lights });
  }

  #deadline(): number {
    let due = this.#scs.tickDue;
    for (const peripheral of this.#bus.peripherals) {
      const ns = peripheral.deadline?.() ?? Number.POSITIVE_INFINITY;
      if (Number.isFinite(ns)) due = Math.min(due, this.time.cycleAt(ns));
    }
    return due;
  }

  #settleDue(): void {
    for (const peripheral of this.#bus.peripherals) (peripheral as Peripheral).due?.();
    this.#scs.tick();
    if (this.#idle && this.elf.hardFloat && !this.#scs.fpuEnabled) {
      this.faults.record("CPU", "the firmware uses the FPU and CPACR never enabled it");
    }
  }

  /** WFI: until something is due, or for input. */
  #wait(due: number): void {
    if (Number.isFinite(due)) this.time.skipCycles(due - this.time.cycles);
    else this.#idle = true;
  }

  #lostPower(cut: PowerCut): RunEnd {
    this.#on = false;
    this.#shown = "";
    this.#flashChanged = false;
    this.onFlashChanged();
    this.onEvent({ kind: "cut", operation: cut.operation });
    return "off";
  }

  #restart(cause: ResetCause): void {
    for (const peripheral of this.#bus.peripherals) (peripheral as Peripheral).reset(cause);
    this.#caches.reset();
    this.#scs.reset();
    this.#reset = undefined;
    this.#lockTold = false;
    this.#engine.removeCache(RAM, RAM + RAM_SIZE);
    this.#flashMode = "read";
    this.#protect();
    this.#engine.pc = RESET_STUB;
    this.#engine.run(RESET_INSTRUCTIONS);
    if (cause !== "power") this.onEvent({ kind: "reset", cause });
    if (!this.#cpu.reset()) this.faults.record("CPU", "there is no program at the reset vector");
  }

  // --- memory

  #loadFirmware(name: string): Buffer {
    const hash = createHash("sha256");
    for (const { address, bytes } of this.elf.segments) {
      if (address + bytes.length > SLOT_BASE) {
        throw new BadElf(
          `${name} loads ${bytes.length} bytes at ${hex(address)}; only code flash below ${hex(SLOT_BASE)} is for firmware`,
        );
      }
    }
    const image = Buffer.alloc(SLOT_BASE, 0xff);
    let end = 0;
    for (const { address, bytes } of this.elf.segments) {
      bytes.copy(image, address);
      end = Math.max(end, address + bytes.length);
      hash.update(bytes);
    }
    this.code.preload(0, image.subarray(0, Math.ceil(end / UNIT) * UNIT));
    return hash.digest();
  }

  #memories(): [number, Buffer][] {
    return [
      [CODE_FLASH, this.code.bytes],
      [DATA_FLASH, this.data.bytes],
      [RAM, this.#ram],
      [STANDBY_RAM, this.#standbyRam],
      [FACTORY, this.#factory],
    ];
  }

  #word(address: number): number | undefined {
    if (this.#flashMode === "code" && address < CODE_SIZE) return undefined;
    return this.peek(address, 4)?.readUInt32LE(0);
  }

  #setWord(address: number, value: number): boolean {
    if (address < RAM || address + 4 > RAM + RAM_SIZE) return false;
    this.#ram.writeUInt32LE(value, address - RAM);
    return true;
  }

  /** The flash of the present P/E mode answers no reads and no fetches, and neither do pages with unreadable cells. */
  #protect(): void {
    const torn = [
      ...(this.code.hasUnreadable ? this.#tornPages(CODE_FLASH, this.code) : []),
      ...(this.data.hasUnreadable ? this.#tornPages(DATA_FLASH, this.data) : []),
    ];
    const wanted = `${this.#flashMode} ${torn.join()}`;
    if (wanted === this.#protection && this.#opened.length === 0) return;
    this.#opened = [];
    this.#protection = wanted;
    this.#engine.protect(CODE_FLASH, CODE_SIZE, this.#flashMode === "code" ? 0 : 5);
    this.#engine.protect(DATA_FLASH, DATA_SIZE, this.#flashMode === "data" ? 0 : 1);
    for (const page of torn) this.#engine.protect(page, PAGE, 0);
    // translated code would run on without a fetch
    if (this.#flashMode === "code") this.#engine.removeCache(CODE_FLASH, SLOT_BASE);
  }

  #tornPages(base: number, medium: Nor): number[] {
    const pages: number[] = [];
    for (let at = 0; at < medium.size; at += PAGE) if (medium.unreadable(at, PAGE)) pages.push(base + at);
    return pages;
  }

  #torn(address: number): boolean {
    if (this.#flashMode !== "read") return false;
    if (address >= CODE_FLASH && address < CODE_SIZE) return this.code.unreadable(address, 1);
    if (address >= DATA_FLASH && address < DATA_FLASH + DATA_SIZE) return this.data.unreadable(address - DATA_FLASH, 1);
    return false;
  }

  /** A good cell in a page that is closed for a torn one: the page is opened for this instruction only. */
  #refused(address: number, access: "read" | "write" | "fetch"): boolean {
    if (access !== "read" || this.#flashMode !== "read" || this.#torn(address)) return false;
    const inCode = address < CODE_SIZE;
    const inData = address >= DATA_FLASH && address < DATA_FLASH + DATA_SIZE;
    if (!inCode && !inData) return false;
    const page = address - (address % PAGE);
    this.#engine.protect(page, PAGE, inCode ? 5 : 1);
    this.#opened.push(page);
    this.#engine.endSlice();
    return true;
  }
}

const SLOTS_SHAPE: MediumShape = {
  bytes: SLOT_BLOCK * SLOT_BLOCKS,
  units: (SLOT_BLOCK * SLOT_BLOCKS) / UNIT,
  blocks: SLOT_BLOCKS,
};
const DATA_SHAPE: MediumShape = { bytes: DATA_SIZE, units: DATA_SIZE / DATA_UNIT, blocks: DATA_SIZE / DATA_BLOCK };

function readFirmware(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BadElf(
      `cannot read the firmware ${path}: build it first (npm run build), or name another with --elf (${reason})`,
    );
  }
}
