/** The virtual EK-RA6M5: the ELF that would be flashed, running on models of its peripherals and strict media.
 *  Deterministic with a seed; otherwise noise, entropy and unique id come from the host. */
import { createHash } from "node:crypto";
import { DATA_BLOCK, DATA_SIZE, DATA_UNIT, SLOT_BLOCK, UNIT } from "../../firmware/defs/medium.js";
import { type Elf, NO_ELF } from "../elf.js";
import { Agt } from "./agt.js";
import { Caches } from "./cache.js";
import { Checkpoint } from "./checkpoint.js";
import { Bus, type Chip, type Clocks, type ResetCause } from "./chip.js";
import { Cpu } from "./cpu.js";
import { Dmac } from "./dmac.js";
import { Engine } from "./engine.js";
import { Faci } from "./faci.js";
import { type Fault, FaultLog, hex } from "./faults.js";
import { loadFirmware } from "./firmware.js";
import { type FlashImage, loadFlash, type MediumShape, saveFlash } from "./flashfile.js";
import { IMAGE_BASE, Memory, SLOT_BASE } from "./memory.js";
import { Nor, PowerCut } from "./nor.js";
import { Pace, type Paced } from "./pace.js";
import { type Light, Ports, type Switch } from "./ports.js";
import { fillNoise, hostRandom, type Random, seeded } from "./prng.js";
import { Sci } from "./sci.js";
import { Scs } from "./scs.js";
import { type CutPlan, Supply } from "./supply.js";
import { ModuleStop, System, security, sramControl } from "./system.js";
import { Time } from "./time.js";
import type { NativeHook } from "./unicorn.js";
import { Watchdog } from "./wdt.js";

export interface BoardOptions {
  /** Path of the firmware, or its bytes. None: code flash holds what the flash file has of it, or nothing. */
  elf?: string | Uint8Array;
  /** Firmware that was flashed through the probe, and stands in the flash file, is kept and runs instead of the ELF. */
  keepFlashed?: boolean;
  /** Everything random follows from this number. */
  seed?: number;
  /** File that keeps the flash; read now, written by `save()`. */
  flash?: string;
  /** Setup code to flash with the firmware, 32 bytes; none: zeros, as it was built. */
  setupCode?: Uint8Array;
  /** Compiled code that watches every instruction or access; it changes nothing. */
  hooks?: readonly NativeHook[];
  /** Cycles of ICLK that each instruction takes, 1 or more; none: 1. A model of time for measurements, for real ones differ. */
  cyclesEach?: number;
}

export type BoardEvent =
  | { kind: "on" }
  | { kind: "off" }
  | { kind: "cut"; operation: number }
  | { kind: "reset"; cause: ResetCause }
  | { kind: "locked" }
  | { kind: "lights"; lights: Light[] }
  | { kind: "fault"; fault: Fault };

/** Why a synchronous run ended: the firmware waits for input; no power; CPU locked up; a debugger holds it; too many instructions. */
export type RunEnd = "idle" | "off" | "locked" | "halted" | "limit";

/** Who may hold the processor: the debug logic of a probe (probe/debug.ts). */
export interface Debugger {
  /** Before each slice: whether the processor is halted. */
  holds(): boolean;
  /** After a reset, before the first instruction. */
  wasReset(cause: ResetCause): void;
}

/** What the debug logic reaches. Between slices only. */
export interface Inside {
  readonly board: VirtualBoard;
  readonly engine: Engine;
  readonly cpu: Cpu;
  readonly scs: Scs;
  readonly bus: Bus;
  readonly memory: Memory;
  /** Runs one access, and what follows from it: a reset that it asked for, a power cut. @returns undefined without power */
  access<T>(body: () => T): T | undefined;
  /** Before it halts: gives an idle board the time that went by. */
  catchUp(): void;
  /** One instruction, and what is due after it. */
  step(): void;
  /** The processor may run again. */
  wake(): void;
}

/** What a person may want to know at start. */
export interface FlashState {
  file: string | undefined;
  /** True when the flash file was written by another firmware. */
  otherFirmware: boolean;
  /** True when the file did not exist. */
  fresh: boolean;
  /** True when the firmware is what was flashed before, and not the ELF. */
  flashed: boolean;
}

const CODE_SIZE = 0x200000;
/** Where initial stack pointer and reset vector stand, bytes from 0. */
const VECTORS = 8;
/** Below this address erase blocks are small. */
const SMALL_BLOCKS = 0x10000;
const SMALL_BLOCK = 0x2000;
/** Instructions of one slice when nothing is due sooner. */
const SLICE = 500_000;
/** Instructions within which a checkpoint must be reached. */
const CHECKPOINT_LIMIT = 1e9;
/** Virtual time that passes between two turns of an idle firmware, at most. */
const IDLE_STEP_MS = 10;
const SCI0_PSEL = 4;
const ICUSARC = 0x48;
/** While the processor is locked up, only the watchdog still counts. */
const LOCKED_STEP_NS = 1e6;
/** Where no code can stand. */
const NO_INSTRUCTION = 0xffffffff;

export class VirtualBoard implements Chip, Paced {
  readonly supply = new Supply();
  readonly dmac: Dmac;
  /** The 2 MB of code flash; the slot region is its upper half. */
  readonly code: Nor;
  readonly data: Nor;
  readonly faults: FaultLog;
  readonly time: Time;
  readonly random: Random;
  readonly uniqueId: Buffer;
  /** SHA-256 of the firmware that the board began with. */
  readonly firmware: Buffer;
  readonly elf: Elf;
  readonly flash: FlashState;
  clocks: Clocks = { iclk: 2e6, pclka: 2e6, pclkb: 2e6, fclk: 2e6 };
  /** Bytes that the board sent; for the asynchronous mode. */
  onSend: (bytes: Buffer) => void = () => {};
  onEvent: (event: BoardEvent) => void = () => {};
  /** The asynchronous mode met an error that is not the firmware's; the loop has ended. Thrown when nobody listens. */
  onFailure: (error: unknown) => void = (error) => {
    throw error;
  };
  /** Called after flash changed, at the end of a slice. */
  onFlashChanged: () => void = () => {};

  readonly #engine: Engine;
  readonly #cpu: Cpu;
  readonly #scs: Scs;
  readonly #bus: Bus;
  readonly #system: System;
  readonly #caches: Caches;
  readonly #faci: Faci;
  readonly #sci: Sci;
  readonly #ports: Ports;
  readonly #memory: Memory;
  readonly #pace = new Pace(this);
  readonly #path: string | undefined;

  #on = false;
  #idle = false;
  #reset: ResetCause | undefined;
  #flashChanged = false;
  /** Code flash below IMAGE_BASE is not what an ELF put there. */
  #flashed = false;
  #shown = "";
  #lockTold = false;
  #debugger: Debugger | undefined;
  /** The present access is a debugger's. */
  #accessing = false;

  static create(options: BoardOptions): VirtualBoard {
    return new VirtualBoard(options);
  }

  private constructor(options: BoardOptions) {
    this.#engine = new Engine(options.hooks);
    const stream = (n: number): Random => (options.seed === undefined ? hostRandom() : seeded(options.seed * 4 + n));
    this.random = stream(0);
    const noise = stream(1);
    this.faults = new FaultLog(() => ({ pc: this.#engine.pc, at: this.#engine.instructions }));
    this.faults.added = (fault) => this.onEvent({ kind: "fault", fault });
    this.time = new Time(
      () => this.#engine.instructions,
      () => this.#engine.endSlice(),
      options.cyclesEach,
    );
    const changed = (): void => {
      this.#flashChanged = true;
    };
    this.code = new Nor({
      name: "code flash",
      size: CODE_SIZE,
      unit: UNIT,
      blocks: [
        { size: SMALL_BLOCK, count: SMALL_BLOCKS / SMALL_BLOCK },
        { size: SLOT_BLOCK, count: (CODE_SIZE - SMALL_BLOCKS) / SLOT_BLOCK },
      ],
      erasedReads: "ff",
      random: noise,
      supply: this.supply,
      changed: (offset) => {
        changed();
        if (offset < IMAGE_BASE) this.#flashed = true;
      },
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
    this.#path = options.flash;
    const image = this.#path === undefined ? undefined : loadFlash(this.#path, codeShape, DATA_SHAPE);
    if (image !== undefined) {
      this.code.load(image.from, image.code);
      this.data.load(0, image.data);
    }
    const kept = options.elf === undefined || (options.keepFlashed === true && image?.from === 0);
    if (options.elf === undefined || kept) {
      this.elf = NO_ELF;
      this.firmware = this.#firmwareHash();
    } else {
      if (image?.from === 0) this.code.preloadErased(0, IMAGE_BASE);
      const { elf, hash } = loadFirmware(options.elf, this.code, options.setupCode);
      this.elf = elf;
      this.firmware = hash;
    }
    this.flash = {
      file: this.#path,
      fresh: image === undefined,
      otherFirmware: image !== undefined && !kept && !image.firmware.equals(this.firmware),
      flashed: kept,
    };
    this.uniqueId = image?.uniqueId ?? Buffer.alloc(16);
    if (image === undefined) fillNoise(this.uniqueId, stream(2));
    const engine = this.#engine;
    this.#memory = new Memory(engine, this.code, this.data, this.uniqueId, noise);
    this.#flashChanged = false;
    this.#flashed = kept;

    this.#bus = new Bus(this.faults);
    const bus = this.#bus;
    this.#system = bus.add(new System(this));
    bus.add(sramControl(this, this.#system));
    const [psar, cpsar] = security(this, this.#system);
    bus.add(psar);
    bus.add(cpsar);
    const modules = bus.add(new ModuleStop(this));
    this.#caches = new Caches(this, this.#system);
    bus.add(this.#caches.cpu);
    bus.add(this.#caches.rom);
    this.#ports = bus.add(new Ports(this, this.#system));
    this.dmac = bus.add(
      new Dmac(
        this,
        this.#memory,
        () => modules.runs("A", 22),
        (channel) => ((cpsar.value(ICUSARC) >> channel) & 1) === 0,
      ),
    );
    bus.add(this.dmac.links);
    const wiring = {
      running: () => modules.runs("B", 31),
      txPin: () => this.#ports.carries(4, 11, SCI0_PSEL),
      rxPin: () => this.#ports.carries(4, 10, SCI0_PSEL),
    };
    this.#sci = bus.add(new Sci(this, "SCI0", 0x40118000, wiring, this.dmac, stream(3)));
    bus.add(
      new Agt(
        this,
        () => modules.runs("D", 3),
        () => this.#system.locoRunning,
        () => this.#system.watchCrystalRunning,
      ),
    );
    bus.add(new Watchdog(this));
    this.#faci = bus.add(new Faci(this, this.#system, this.#caches, this.code, this.data));
    bus.add(this.#faci.commandArea);
    this.#faci.modeChanged = (mode) => {
      this.#memory.flashMode = mode;
      this.code.redraw();
      this.data.redraw();
      engine.endSlice(); // the next slice begins with the new protection
    };
    engine.mmio(Bus.BASE, Bus.SIZE, bus);
    this.#scs = new Scs(this, () => bus.accesses);
    engine.mmio(Scs.BASE, Scs.SIZE, this.#scs);
    this.#cpu = new Cpu(engine, this.#scs, this.#memory, this.faults);
    this.#cpu.forgiven = (address) => this.#memory.torn(address);
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
    return this.#accessing ? NO_INSTRUCTION : this.#engine.pc;
  }

  // --- power

  get powered(): boolean {
    return this.#on;
  }

  /** A debugger holds the processor. */
  get held(): boolean {
    return this.#on && this.#debugger?.holds() === true;
  }

  /** Instructions executed since creation. */
  get instructions(): number {
    return this.#engine.instructions;
  }

  /** Power on: RAM holds noise, erased data flash reads differently, marginal cells are drawn anew. Nothing runs yet. */
  powerOn(): void {
    if (this.#on) return;
    this.supply.up();
    this.#memory.powerUp();
    this.#on = true;
    this.onEvent({ kind: "on" });
    this.#restart("power");
    this.#pace.wake();
  }

  /** Power off and on; runs until the processor is about to execute the instruction at `address` for the first time, and keeps the
   *  machine as it stands there. It may run on. @throws Error when the firmware does not come there */
  checkpoint(address: number): Checkpoint {
    this.powerOff();
    this.powerOn();
    const engine = this.#engine;
    const target = (address & ~1) >>> 0; // symbols of functions carry the Thumb bit
    const begin = this.instructions;
    engine.stopAt = target;
    try {
      while (engine.pc !== target) {
        const state = this.#slice(SLICE);
        const late = this.instructions - begin > CHECKPOINT_LIMIT;
        if (state !== "ran" || late)
          throw new Error(`the firmware did not come to ${hex(target)}: ${late ? "limit" : state}`);
      }
    } finally {
      engine.stopAt = undefined;
    }
    this.#sci.settle();
    const { clocks } = this;
    const own = (): void => {
      this.clocks = clocks;
    };
    const parts = [engine, this.#cpu, this.#memory, this.time, this.#scs, this.#caches, ...this.#bus.peripherals];
    return new Checkpoint(this, this.instructions - begin, [own, ...parts.map((part) => part.save())]);
  }

  /** Power off, and on again at a checkpoint of this board: erased data flash reads differently, marginal cells are drawn anew, the
   *  media are as they are now, and RAM is as it was at the checkpoint. Nothing runs yet. The firmware must not have looked at the
   *  media before the checkpoint, and the program in code flash must be the same. */
  resume(checkpoint: Checkpoint): void {
    if (checkpoint.machine !== this) throw new Error("the checkpoint was taken on another board");
    this.powerOff();
    this.supply.up();
    checkpoint.restore();
    this.#reset = undefined;
    this.#lockTold = false;
    this.#on = true;
    this.onEvent({ kind: "on" });
    this.#pace.wake();
  }

  /** Takes the power away. A flash operation under way is torn, its cells marginal. */
  powerOff(): void {
    if (!this.#on) return;
    this.#sci.settle();
    if (!this.#survives(() => this.#faci.interrupt())) return;
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
    if (this.#on && this.#survives(() => this.#restart("pin"))) this.#pace.wake();
  }

  // --- the outside world

  press(which: Switch): void {
    this.#pace.catchUp();
    this.#ports.press(which, true);
    this.#pace.wake();
  }

  release(which: Switch): void {
    this.#pace.catchUp();
    this.#ports.press(which, false);
    this.#pace.wake();
  }

  /** Lights that are on. */
  get lights(): Light[] {
    return this.#on ? (["touch", "ready", "fault"] as const).filter((light) => this.#ports.lit(light)) : [];
  }

  /** Bits per second of the UART as the firmware set it. */
  get baud(): number {
    return this.#sci.baud;
  }

  /** Bits per second of whoever is at the other end of the line; undefined, as at first: always those of the board. */
  get lineRate(): number | undefined {
    return this.#sci.hostRate;
  }

  set lineRate(bits: number | undefined) {
    this.#sci.settle();
    this.#sci.hostRate = bits;
  }

  /** Called for each byte that the board sent, with the virtual time in ns at which it was complete. */
  set onByte(heard: ((byte: number, ns: number) => void) | undefined) {
    this.#sci.heard = heard;
  }

  /** Bytes that were lost on the line since creation. */
  get lost(): number {
    return this.#sci.lost;
  }

  /** Puts bytes on the UART line; without power they are lost. */
  feed(bytes: Uint8Array): void {
    if (!this.#on) return;
    this.#pace.catchUp(); // before the line moves, or its bytes would seem to have come meanwhile
    this.#sci.feed(bytes);
    this.#pace.wake();
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
      this.passed(Math.min(left, IDLE_STEP_MS));
      end = this.run();
    }
    return end;
  }

  // --- asynchronous mode: runs beside the event loop

  start(): void {
    this.#pace.start();
  }

  stop(): void {
    this.#pace.stop();
  }

  /** For the pace: one slice, and what the board sent meanwhile. */
  turn(): "more" | "nap" | "sleep" {
    try {
      const state = this.#slice(SLICE);
      const sent = this.take();
      if (sent.length > 0) this.onSend(sent);
      return state === "ran" ? "more" : state === "idle" ? "nap" : "sleep";
    } catch (error) {
      this.stop();
      this.onFailure(error);
      return "sleep";
    }
  }

  /** For the pace: the firmware idled while real time went by. */
  passed(ms: number): void {
    if (this.#on) this.time.skipCycles(Math.round((ms * this.time.hz) / 1000));
  }

  // --- persistence

  /** Writes the flash file, if there is one. */
  save(): void {
    if (this.#path === undefined) return;
    saveFlash(this.#path, this.flashImage());
  }

  /** What the flash file would hold. */
  flashImage(): FlashImage {
    const from = this.#flashed ? 0 : IMAGE_BASE;
    return {
      uniqueId: this.uniqueId,
      firmware: this.#flashed ? this.#firmwareHash() : this.firmware,
      from,
      code: this.code.image(from),
      data: this.data.image(),
    };
  }

  #firmwareHash(): Buffer {
    return createHash("sha256").update(this.code.bytes.subarray(0, IMAGE_BASE)).digest();
  }

  /** Frees the engine. The board cannot be used afterwards. */
  close(): void {
    this.stop();
    this.#engine.close();
  }

  /** Reads memory as a debugger would; undefined outside. For tests and reports. */
  peek(address: number, length: number): Buffer | undefined {
    return this.#memory.peek(address, length);
  }

  /** Writes RAM as a debugger would; false outside. For tests. */
  poke(address: number, bytes: Uint8Array): boolean {
    return this.#memory.poke(address, bytes);
  }

  /** Connects debug logic to the processor, for the board's life. */
  attach<D extends Debugger>(make: (inside: Inside) => D): D {
    if (this.#debugger !== undefined) throw new Error("the board has a debugger already");
    const made = make({
      board: this,
      engine: this.#engine,
      cpu: this.#cpu,
      scs: this.#scs,
      bus: this.#bus,
      memory: this.#memory,
      access: (body) => this.#access(body),
      catchUp: () => this.#pace.catchUp(),
      step: () => this.#slice(1),
      wake: () => this.#pace.wake(),
    });
    this.#debugger = made;
    return made;
  }

  #access<T>(body: () => T): T | undefined {
    let result: T | undefined;
    const whole = (): void => {
      this.#accessing = true;
      try {
        result = body();
      } finally {
        this.#accessing = false;
      }
      if (this.#reset === undefined) return;
      this.#restart(this.#reset);
      this.#pace.wake();
    };
    if (!this.#on || !this.#survives(whole)) return undefined;
    this.#memory.protect();
    this.#tellFlash();
    return result;
  }

  // --- running

  /** One slice, and everything that is due after it. */
  #slice(most: number): RunEnd | "ran" {
    if (!this.#on) return "off";
    if (this.#debugger?.holds() === true) return "halted";
    this.#memory.protect();
    this.#idle = false;
    const due = this.#deadline();
    const cycles = Math.max(1, due - this.time.cycles);
    this.time.sliceEnd = due;
    let ran = "ran" as ReturnType<Cpu["run"]>;
    const survived = this.#survives(() => {
      ran = this.#cpu.run(Math.min(most, Math.ceil(cycles / this.time.cyclesEach)));
      if (ran === "wait") this.#wait(due);
      else if (ran === "locked" && Number.isFinite(due)) this.time.skipTo(this.time.ns + LOCKED_STEP_NS);
      this.#settleDue();
    });
    this.time.sliceEnd = Number.POSITIVE_INFINITY;
    if (!survived) return "off";
    this.#tellFlash();
    if (this.#reset !== undefined) {
      const cause = this.#reset;
      return this.#survives(() => this.#restart(cause)) ? "ran" : "off";
    }
    this.#tellLights();
    if (ran === "locked" && !Number.isFinite(due)) {
      if (!this.#lockTold) this.onEvent({ kind: "locked" });
      this.#lockTold = true;
      return "locked";
    }
    return this.#idle ? "idle" : "ran";
  }

  #tellFlash(): void {
    if (!this.#flashChanged) return;
    this.#flashChanged = false;
    this.onFlashChanged();
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
    for (const peripheral of this.#bus.peripherals) peripheral.due?.();
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

  /** Runs what may end in a power cut. @returns false when it did. */
  #survives(body: () => void): boolean {
    try {
      body();
      return true;
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.#sci.settle();
      this.#on = false;
      this.#shown = "";
      this.#flashChanged = false;
      this.onFlashChanged();
      this.onEvent({ kind: "cut", operation: error.operation });
      return false;
    }
  }

  #restart(cause: ResetCause): void {
    if (cause !== "power") this.#sci.settle();
    for (const peripheral of this.#bus.peripherals) peripheral.reset(cause);
    this.#caches.reset();
    this.#scs.reset();
    this.#reset = undefined;
    this.#lockTold = false;
    this.#memory.reset();
    if (cause !== "power") this.onEvent({ kind: "reset", cause });
    // a part that was never flashed locks up, and that is no fault of a firmware
    if (!this.#cpu.reset() && !this.code.certainlyErased(0, VECTORS)) {
      this.faults.record("CPU", "there is no program at the reset vector");
    }
    this.#debugger?.wasReset(cause);
  }
}

/** Code flash from an address on that files may begin at. */
function codeShape(from: number): MediumShape | undefined {
  if (from !== 0 && from !== IMAGE_BASE && from !== SLOT_BASE) return undefined;
  const bytes = CODE_SIZE - from;
  const small = from === 0 ? SMALL_BLOCKS : 0;
  return { bytes, units: bytes / UNIT, blocks: small / SMALL_BLOCK + (bytes - small) / SLOT_BLOCK };
}
const DATA_SHAPE: MediumShape = { bytes: DATA_SIZE, units: DATA_SIZE / DATA_UNIT, blocks: DATA_SIZE / DATA_BLOCK };
