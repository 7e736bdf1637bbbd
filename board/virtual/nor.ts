/** A strict NOR flash medium: erase blocks, program units, power cuts inside any operation, marginal cells, wear counts.
 *  It refuses what hardware forgives by luck: programming a unit that is not certainly erased throws BadManners.
 *  Rules of belief: firmware/DESIGN.md §3 and SPEC.md §2. Used by the FACI model and by tests that run the core alone. */
import { fillNoise, type Random } from "./prng.js";
import { type CutPlan, Supply, type Tear } from "./supply.js";

export { type BitChoice, type CutPlan, PowerCut, Supply, type Tear, tears } from "./supply.js";

/** The caller broke a rule of the medium: a bug of whoever runs on it, never a state of the world. */
export class BadManners extends Error {
  override name = "BadManners";
}

/** A run of erase blocks of one size, in bytes. */
export interface BlockRun {
  size: number;
  count: number;
}

export interface NorOptions {
  /** Names the medium in errors. */
  name?: string;
  /** Bytes. */
  size: number;
  /** Program unit, bytes. */
  unit: number;
  /** Erase block in bytes, or runs of blocks from offset 0 that fill `size`. */
  blocks: number | readonly BlockRun[];
  /** What certainly erased cells read as: 0xFF, or noise that changes at each power-up and erase. */
  erasedReads: "ff" | "noise";
  random: Random;
  /** The supply that this medium shares with others; its own by default. */
  supply?: Supply;
  /** Called after bytes changed, with their range. */
  changed?: (offset: number, length: number) => void;
}

/** One flash operation: a piece programmed, or, without bytes, a block erased. */
export interface Operation {
  offset: number;
  bytes?: Uint8Array;
}

/** What the medium knows about one unit. Only `Erased` may be programmed. */
export enum UnitState {
  Erased = 0,
  Programmed = 1,
  /** Torn, or half erased; a blank check answers "not blank". */
  Torn = 2,
  /** Torn, or half erased; a blank check answers "blank" and is not to be believed. */
  TornBlank = 3,
  /** In flight at a marginal cut; a blank check answers either way. */
  Marginal = 4,
}

/** Cells that were in flight together at a marginal cut: those that the tear chose. Each look shows them as before, as after, or mixed. */
interface InFlight {
  offset: number;
  before: Uint8Array;
  /** Undefined: fresh noise. */
  after: Uint8Array | undefined;
}

/** One block of the medium and its counts. */
export interface BlockWear {
  offset: number;
  size: number;
  erases: number;
  /** Units programmed. */
  programs: number;
}

/** What happens at a stuck block. */
export interface Stuck {
  program?: boolean;
  erase?: boolean;
}

/** One erase block as it was at some moment; equal stamps mean equal content. */
interface BlockCopy {
  readonly stamp: number;
  readonly bytes: Uint8Array;
  readonly states: Uint8Array;
  readonly unreadable: Uint8Array;
}

/** Everything that a medium remembers, to go back to. Cheap to take and to restore: only blocks that differ are copied. */
export class NorSnapshot {
  #bytes: Buffer | undefined;
  #states: Buffer | undefined;

  constructor(
    readonly blocks: readonly BlockCopy[],
    readonly unreadableUnits: number,
    readonly inFlight: readonly InFlight[],
    readonly erases: Uint32Array,
    readonly programs: Uint32Array,
  ) {}

  /** What reads answered then. */
  get bytes(): Buffer {
    this.#bytes ??= Buffer.concat(this.blocks.map(({ bytes }) => bytes));
    return this.#bytes;
  }
  /** UnitState of every unit. */
  get states(): Uint8Array {
    this.#states ??= Buffer.concat(this.blocks.map(({ states }) => states));
    return this.#states;
  }
}

/** Plain data for a file: see flashfile.ts. */
export interface NorImage {
  bytes: Buffer;
  states: Uint8Array;
  unreadable: Uint8Array;
  inFlight: { offset: number; before: Uint8Array; after: Uint8Array | undefined }[];
  erases: number[];
  programs: number[];
}

/** Every change of a block takes a new stamp, so that equal stamps mean equal content, across snapshots too. */
let lastStamp = 0;

export class Nor {
  readonly name: string;
  readonly size: number;
  readonly unit: number;
  readonly supply: Supply;
  /** What reads answer, zero-copy: an engine may map it. Marginal cells change in it at `redraw()` and `read()` only. */
  readonly bytes: Buffer;
  changed: ((offset: number, length: number) => void) | undefined;
  /** Called before each operation that is let through or torn. */
  begun: ((operation: Operation) => void) | undefined;
  readonly #noise: boolean;
  readonly #random: Random;
  readonly #states: Uint8Array;
  readonly #unreadable: Uint8Array;
  readonly #starts: number[] = [];
  readonly #sizes: number[] = [];
  readonly #blockOfUnit: Uint16Array;
  readonly #erases: Uint32Array;
  readonly #programs: Uint32Array;
  readonly #stamps: Float64Array;
  readonly #copies: BlockCopy[] = [];
  readonly #stuck = new Map<number, Stuck>();
  #inFlight: InFlight[] = [];
  #unreadableUnits = 0;

  constructor(options: NorOptions) {
    this.name = options.name ?? "medium";
    this.size = options.size;
    this.unit = options.unit;
    this.supply = options.supply ?? new Supply();
    this.changed = options.changed;
    this.#noise = options.erasedReads === "noise";
    this.#random = options.random;
    const runs =
      typeof options.blocks === "number"
        ? [{ size: options.blocks, count: options.size / options.blocks }]
        : options.blocks;
    let at = 0;
    for (const run of runs) {
      if (run.size % options.unit !== 0 || !Number.isInteger(run.count)) {
        throw new RangeError(
          `${this.name}: blocks of ${run.size} × ${run.count} do not hold whole units of ${options.unit}`,
        );
      }
      for (let i = 0; i < run.count; i++, at += run.size) {
        this.#starts.push(at);
        this.#sizes.push(run.size);
      }
    }
    if (at !== options.size) throw new RangeError(`${this.name}: blocks fill ${at} of ${options.size} bytes`);
    const units = options.size / options.unit;
    this.bytes = Buffer.alloc(options.size, 0xff);
    this.#states = new Uint8Array(units);
    this.#unreadable = new Uint8Array(units);
    this.#blockOfUnit = new Uint16Array(units);
    this.#starts.forEach((start, block) => {
      this.#blockOfUnit.fill(block, start / this.unit, (start + this.#sizes[block]!) / this.unit);
    });
    this.#erases = new Uint32Array(this.#starts.length);
    this.#programs = new Uint32Array(this.#starts.length);
    this.#stamps = new Float64Array(this.#starts.length);
    this.supply.attach(this);
    this.powerUp();
  }

  /** Number of erase blocks. */
  get blockCount(): number {
    return this.#starts.length;
  }

  /** Counts of every block, in order. */
  get wear(): BlockWear[] {
    return this.#starts.map((offset, i) => ({
      offset,
      size: this.#sizes[i]!,
      erases: this.#erases[i]!,
      programs: this.#programs[i]!,
    }));
  }

  get totalErases(): number {
    return this.#erases.reduce((sum, n) => sum + n, 0);
  }

  get totalPrograms(): number {
    return this.#programs.reduce((sum, n) => sum + n, 0);
  }

  /** Start and size of the erase block that holds `offset`. */
  blockAt(offset: number): { offset: number; size: number } {
    this.#inside(offset, 1);
    const block = this.#blockOf(offset);
    return { offset: this.#starts[block]!, size: this.#sizes[block]! };
  }

  stateAt(offset: number): UnitState {
    this.#inside(offset, 1);
    return this.#states[Math.floor(offset / this.unit)]!;
  }

  /** Whether any unit of the range answers reads with a bus fault. */
  unreadable(offset: number, length: number): boolean {
    this.#inside(offset, length);
    if (this.#unreadableUnits === 0 || length === 0) return false;
    const last = Math.floor((offset + length - 1) / this.unit);
    for (let u = Math.floor(offset / this.unit); u <= last; u++) if (this.#unreadable[u] !== 0) return true;
    return false;
  }

  /** True when some unit of the medium answers reads with a bus fault. */
  get hasUnreadable(): boolean {
    return this.#unreadableUnits !== 0;
  }

  /** Copies a range; marginal cells in it are drawn anew first. Undefined: a bus fault. */
  read(offset: number, length: number): Buffer | undefined {
    const into = Buffer.allocUnsafe(length);
    return this.readInto(offset, into) ? into : undefined;
  }

  /** The same into bytes that are there. @returns false: a bus fault */
  readInto(offset: number, into: Uint8Array): boolean {
    const { length } = into;
    this.#powered();
    this.#inside(offset, length);
    if (this.unreadable(offset, length)) return false;
    for (const cells of this.#inFlight) {
      if (cells.offset < offset + length && offset < cells.offset + cells.before.length) this.#draw(cells);
    }
    this.bytes.copy(into, 0, offset, offset + length);
    return true;
  }

  /** Programs whole units. `together` bytes (a multiple of the unit) are in flight at once; each such piece is one operation.
   *  @returns false when a stuck block or the supply's plan reports a program error: units are then torn.
   *  @throws BadManners on a unit that is not certainly erased, on misalignment, outside the medium, without power; PowerCut. */
  program(offset: number, bytes: Uint8Array, together = this.unit): boolean {
    this.#powered();
    this.#inside(offset, bytes.length);
    if (offset % this.unit !== 0 || bytes.length % this.unit !== 0 || bytes.length === 0) {
      throw new BadManners(
        `${this.name}: program of ${bytes.length} bytes at ${hex(offset)} is not a whole number of ${this.unit}-byte units`,
      );
    }
    if (together % this.unit !== 0 || together <= 0) {
      throw new BadManners(`${this.name}: ${together} bytes in flight are not whole units`);
    }
    for (let at = offset; at < offset + bytes.length; at += together) {
      const data = bytes.subarray(at - offset, Math.min(at - offset + together, bytes.length));
      if (!this.#programPiece(at, data)) return false;
    }
    return true;
  }

  /** Erases the block that starts at `offset`: one operation.
   *  @returns false when a stuck block or the supply's plan reports an erase error: its units are then torn.
   *  @throws BadManners when no block starts there, without power; PowerCut. */
  erase(offset: number): boolean {
    this.#powered();
    this.#inside(offset, 1);
    const block = this.#blockOf(offset);
    const size = this.#sizes[block]!;
    if (this.#starts[block] !== offset) {
      throw new BadManners(
        `${this.name}: erase at ${hex(offset)}, but the block there starts at ${hex(this.#starts[block]!)}`,
      );
    }
    this.begun?.({ offset });
    const plan = this.supply.begin();
    if (plan?.tear === "before") return this.supply.fail(plan);
    this.#erases[block]!++;
    const stuck = this.#stuck.get(block)?.erase === true;
    if (stuck || (plan !== undefined && plan.tear !== "after")) {
      const choice =
        stuck || plan === undefined ? () => (this.#random() & 1) !== 0 : (plan.tear as Exclude<Tear, string>);
      this.#tear(offset, undefined, size, choice, plan);
    } else {
      this.#forget(offset, size);
      this.#mark(offset, size, UnitState.Erased);
      this.#fillErased(offset, size);
    }
    this.#touch(block, offset, size);
    if (plan !== undefined) return this.supply.fail(plan);
    return !stuck;
  }

  /** Blank check of whole units: true when all of them look blank. Cells in flight at a marginal cut answer either way.
   *  @throws BadManners on misalignment, outside the medium, without power. */
  blank(offset: number, length: number): boolean {
    this.#powered();
    this.#inside(offset, length);
    if (offset % this.unit !== 0 || length % this.unit !== 0 || length === 0) {
      throw new BadManners(
        `${this.name}: blank check of ${length} bytes at ${hex(offset)} is not whole ${this.unit}-byte units`,
      );
    }
    let blank = true;
    for (let u = offset / this.unit; u < (offset + length) / this.unit; u++) {
      const state = this.#states[u];
      if (state === UnitState.Programmed || state === UnitState.Torn) blank = false;
      if (state === UnitState.Marginal && (this.#random() & 1) === 0) blank = false;
    }
    return blank;
  }

  /** Whether every unit of the range may be programmed: the truth, which no firmware can ask for. */
  certainlyErased(offset: number, length: number): boolean {
    this.#inside(offset, length);
    const last = Math.floor((offset + length - 1) / this.unit);
    for (let u = Math.floor(offset / this.unit); u <= last; u++) if (this.#states[u] !== UnitState.Erased) return false;
    return true;
  }

  /** Makes the block that holds `offset` fail at programming or erasing, or at neither (`{}`) again. */
  stick(offset: number, how: Stuck): void {
    this.#inside(offset, 1);
    this.#stuck.set(this.#blockOf(offset), how);
  }

  /** Bytes that are there before the story begins (an image from a programmer): no operation, no count. Whole units. */
  preload(offset: number, bytes: Uint8Array): void {
    this.#inside(offset, bytes.length);
    if (offset % this.unit !== 0 || bytes.length % this.unit !== 0) {
      throw new BadManners(`${this.name}: preload of ${bytes.length} bytes at ${hex(offset)} is not whole units`);
    }
    if (bytes.length === 0) return;
    this.#forget(offset, bytes.length);
    this.bytes.set(bytes, offset);
    this.#mark(offset, bytes.length, UnitState.Programmed);
    this.#touchRange(offset, bytes.length);
  }

  /** Makes a range of whole blocks certainly erased: no operation, no count. */
  preloadErased(offset: number, length: number): void {
    this.#inside(offset, length);
    this.#forget(offset, length);
    this.#mark(offset, length, UnitState.Erased);
    this.#fillErased(offset, length);
    this.#touchRange(offset, length);
  }

  /** Power came back (the supply calls it): erased noise and marginal cells look different. */
  powerUp(): void {
    if (this.#noise) {
      for (let u = 0; u < this.#states.length; u++) {
        if (this.#states[u] === UnitState.Erased)
          fillNoise(this.bytes, this.#random, u * this.unit, (u + 1) * this.unit);
      }
      this.#touchRange(0, this.size, false);
    }
    this.redraw();
  }

  /** Draws all marginal cells anew, for engines that read `bytes` without `read()`. */
  redraw(): void {
    for (const cells of this.#inFlight) this.#draw(cells);
  }

  snapshot(): NorSnapshot {
    this.#starts.forEach((_, block) => {
      if (this.#copies[block]?.stamp !== this.#stamps[block]) this.#copies[block] = this.#copyOf(block);
    });
    return new NorSnapshot(
      [...this.#copies],
      this.#unreadableUnits,
      [...this.#inFlight],
      this.#erases.slice(),
      this.#programs.slice(),
    );
  }

  #copyOf(block: number): BlockCopy {
    const [start, size] = [this.#starts[block]!, this.#sizes[block]!];
    const [first, last] = [start / this.unit, (start + size) / this.unit];
    return {
      stamp: this.#stamps[block]!,
      bytes: Uint8Array.prototype.slice.call(this.bytes, start, start + size),
      states: this.#states.slice(first, last),
      unreadable: this.#unreadable.slice(first, last),
    };
  }

  /** Goes back to a snapshot of this medium or of one with the same geometry. Stuck blocks, supply and plan stay as they are. */
  restore(snapshot: NorSnapshot): void {
    const size = snapshot.blocks.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (size !== this.size || snapshot.blocks.length !== this.#starts.length) {
      throw new RangeError(`${this.name}: a snapshot of ${size} bytes does not fit ${this.size}`);
    }
    const faulty = this.#unreadableUnits;
    for (const [block, { stamp, bytes, states, unreadable }] of snapshot.blocks.entries()) {
      if (this.#stamps[block] === stamp) continue;
      const start = this.#starts[block]!;
      this.bytes.set(bytes, start);
      this.#states.set(states, start / this.unit);
      this.#unreadable.set(unreadable, start / this.unit);
      this.#stamps[block] = stamp;
      this.changed?.(start, bytes.length);
    }
    if (faulty > 0 || snapshot.unreadableUnits > 0) this.#unreadableUnits = count(this.#unreadable);
    this.#inFlight = [...snapshot.inFlight];
    this.#erases.set(snapshot.erases);
    this.#programs.set(snapshot.programs);
  }

  /** Plain copy of blocks `from` … `to` (offsets at block borders), for a file. */
  image(from = 0, to = this.size): NorImage {
    const blocks = this.#blocksIn(from, to);
    return {
      bytes: Buffer.from(this.bytes.subarray(from, to)),
      states: this.#states.slice(from / this.unit, to / this.unit),
      unreadable: this.#unreadable.slice(from / this.unit, to / this.unit),
      inFlight: this.#inFlight
        .filter((cells) => cells.offset >= from && cells.offset < to)
        .map((cells) => ({ offset: cells.offset - from, before: cells.before, after: cells.after })),
      erases: blocks.map((b) => this.#erases[b]!),
      programs: blocks.map((b) => this.#programs[b]!),
    };
  }

  /** Puts an image back at `from`. Its shape must be that of `image(from, …)`. */
  load(from: number, image: NorImage): void {
    const to = from + image.bytes.length;
    const blocks = this.#blocksIn(from, to);
    const units = image.bytes.length / this.unit;
    if (image.states.length !== units || image.unreadable.length !== units || image.erases.length !== blocks.length) {
      throw new RangeError(
        `${this.name}: an image of ${image.bytes.length} bytes does not fit the blocks at ${hex(from)}`,
      );
    }
    this.#inside(from, image.bytes.length);
    this.#forget(from, image.bytes.length);
    this.bytes.set(image.bytes, from);
    this.#states.set(image.states, from / this.unit);
    this.#unreadable.set(image.unreadable, from / this.unit);
    this.#unreadableUnits = count(this.#unreadable);
    for (const cells of image.inFlight) this.#inFlight.push({ ...cells, offset: cells.offset + from });
    blocks.forEach((b, i) => {
      this.#erases[b] = image.erases[i] ?? 0;
      this.#programs[b] = image.programs[i] ?? 0;
    });
    this.#touchRange(from, image.bytes.length);
  }

  #programPiece(offset: number, data: Uint8Array): boolean {
    for (let at = offset; at < offset + data.length; at += this.unit) {
      const state = this.#states[at / this.unit]!;
      if (state !== UnitState.Erased) {
        throw new BadManners(
          `${this.name}: program at ${hex(at)}, whose unit is not certainly erased (${UnitState[state]})`,
        );
      }
    }
    const block = this.#blockOf(offset);
    this.begun?.({ offset, bytes: data });
    const plan = this.supply.begin();
    if (plan?.tear === "before") return this.supply.fail(plan);
    this.#programs[block]! += data.length / this.unit;
    const stuck = this.#stuck.get(block)?.program === true;
    if (stuck || (plan !== undefined && plan.tear !== "after")) {
      const choice =
        stuck || plan === undefined ? () => (this.#random() & 1) !== 0 : (plan.tear as Exclude<Tear, string>);
      this.#tear(offset, data, data.length, choice, plan);
    } else {
      this.bytes.set(data, offset);
      this.#mark(offset, data.length, UnitState.Programmed);
    }
    this.#touch(block, offset, data.length);
    if (plan !== undefined) return this.supply.fail(plan);
    return !stuck;
  }

  /** Applies an interrupted operation towards `target` (undefined: erased). On a noise medium every bit of the range is in
   *  flight, on the other one only the bits that differ. */
  #tear(
    offset: number,
    target: Uint8Array | undefined,
    length: number,
    choice: Exclude<Tear, string>,
    plan: CutPlan | undefined,
  ): void {
    const before = Uint8Array.from(this.bytes.subarray(offset, offset + length));
    const after = target === undefined ? this.#erasedBytes(length) : Uint8Array.from(target);
    const mask = (i: number): number => (this.#noise ? 0xff : before[i]! ^ after[i]!);
    let bits = 0;
    for (let i = 0; i < length; i++) bits += popcount(mask(i));
    let index = 0;
    const changedPerUnit = new Uint32Array(length / this.unit);
    const bitsPerUnit = new Uint32Array(length / this.unit);
    for (let i = 0; i < length; i++) {
      const flying = mask(i);
      let taken = 0;
      for (let bit = 1; bit < 0x100; bit <<= 1) {
        if ((flying & bit) === 0) continue;
        if (choice(index++, bits)) taken |= bit;
      }
      const u = Math.floor(i / this.unit);
      bitsPerUnit[u]! += popcount(flying);
      changedPerUnit[u]! += popcount(taken);
      this.bytes[offset + i] = (before[i]! & ~taken) | (after[i]! & taken);
    }
    const changed = changedPerUnit.reduce((sum, n) => sum + n, 0);
    const first = offset / this.unit;
    for (let u = 0; u < length / this.unit; u++) {
      const wasBlank = this.#states[first + u] === UnitState.Erased;
      const looksBlank =
        target === undefined
          ? wasBlank || changedPerUnit[u] === bitsPerUnit[u] // an erase: all its bits came up
          : changedPerUnit[u] === 0; // a program: not one bit went down
      this.#states[first + u] =
        plan?.marginal === true ? UnitState.Marginal : looksBlank ? UnitState.TornBlank : UnitState.Torn;
    }
    this.#inFlight = this.#inFlight.filter(
      (cells) => cells.offset + cells.before.length <= offset || cells.offset >= offset + length,
    );
    if (plan?.marginal === true) {
      // the cells that the tear chose are in flight, the others have not begun
      const torn = changed < bits ? Uint8Array.from(this.bytes.subarray(offset, offset + length)) : after;
      const fresh = target === undefined && this.#noise && changed === bits;
      this.#inFlight.push({ offset, before, after: fresh ? undefined : torn });
    }
    this.#setUnreadable(offset, length, plan?.unreadable === true);
  }

  #draw(cells: InFlight): void {
    const length = cells.before.length;
    const after = cells.after ?? this.#erasedBytes(length);
    const kind = this.#random() >>> 30;
    for (let i = 0; i < length; i++) {
      // a quarter of all looks shows the old bytes, a quarter the new ones: both are harder on firmware than a mixture
      const taken = kind === 0 ? 0 : kind === 1 ? 0xff : this.#random() >>> 24;
      this.bytes[cells.offset + i] = (cells.before[i]! & ~taken) | (after[i]! & taken);
    }
    this.#touch(this.#blockOf(cells.offset), cells.offset, length);
  }

  #erasedBytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length).fill(0xff);
    if (this.#noise) fillNoise(bytes, this.#random);
    return bytes;
  }

  #fillErased(offset: number, length: number): void {
    if (this.#noise) fillNoise(this.bytes, this.#random, offset, offset + length);
    else this.bytes.fill(0xff, offset, offset + length);
  }

  /** No cell of the range is in flight or unreadable any longer. */
  #forget(offset: number, length: number): void {
    if (this.#inFlight.length > 0) {
      this.#inFlight = this.#inFlight.filter(
        (cells) => cells.offset + cells.before.length <= offset || cells.offset >= offset + length,
      );
    }
    this.#setUnreadable(offset, length, false);
  }

  #setUnreadable(offset: number, length: number, value: boolean): void {
    if (!value && this.#unreadableUnits === 0) return;
    this.#unreadable.fill(value ? 1 : 0, offset / this.unit, (offset + length) / this.unit);
    this.#unreadableUnits = count(this.#unreadable);
  }

  #mark(offset: number, length: number, state: UnitState): void {
    this.#states.fill(state, offset / this.unit, (offset + length) / this.unit);
  }

  #touch(block: number, offset: number, length: number): void {
    this.#stamps[block] = ++lastStamp;
    this.changed?.(offset, length);
  }

  #touchRange(offset: number, length: number, tell = true): void {
    for (const block of this.#blocksIn(offset, offset + length)) this.#stamps[block] = ++lastStamp;
    if (tell) this.changed?.(offset, length);
  }

  #blocksIn(from: number, to: number): number[] {
    const blocks: number[] = [];
    this.#starts.forEach((start, b) => {
      if (start < to && from < start + this.#sizes[b]!) blocks.push(b);
    });
    return blocks;
  }

  #blockOf(offset: number): number {
    return this.#blockOfUnit[Math.floor(offset / this.unit)]!;
  }

  #inside(offset: number, length: number): void {
    if (
      !Number.isInteger(offset) ||
      !Number.isInteger(length) ||
      offset < 0 ||
      length < 0 ||
      offset + length > this.size
    ) {
      throw new BadManners(`${this.name}: ${length} bytes at ${hex(offset)} lie outside its ${hex(this.size)} bytes`);
    }
  }

  #powered(): void {
    if (!this.supply.on) throw new BadManners(`${this.name}: used without power; call supply.up() and boot again`);
  }
}

function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

function popcount(byte: number): number {
  let n = 0;
  for (let b = byte; b !== 0; b &= b - 1) n++;
  return n;
}

function count(flags: Uint8Array): number {
  let n = 0;
  for (const flag of flags) n += flag;
  return n;
}
