/** Cuts one scene at every flash operation, in every way, boots, and judges; then cuts the boots that repaired something as well.
 *  What must hold after any cut (firmware/DESIGN.md §3): the store mounts; it shows the state before the change or the one after it,
 *  whole; what it shows stands on certain cells and opens; it shows the same at the next boot; and it takes another record. */
import { type Random, seeded } from "../../board/virtual/prng.js";
import { State } from "../../firmware/defs/wire.js";
import { putOne } from "../cuts/look.js";
import type { Device } from "../device/device.js";
import { Talk } from "../device/talk.js";
import { cut, film, load, type Media, type Step, save, stills } from "./film.js";
import { isMounted, mustBeSame, openMoved, sideOf, type View, view } from "./judge.js";
import { pointOf } from "./points.js";
import type { Scene } from "./scenes.js";
import { type Cut, changingBits, cutsOf, type TearOptions } from "./tears.js";

export interface TortureOptions extends TearOptions {
  seed: number;
  /** Of the ways to cut one operation every n-th is tried, others at the next one; of a change with many operations fewer. */
  every: number;
  /** The repair after an operation that was cut with all its bits marginal, which can read as anything, is cut at every n-th of its own
   *  operations; 0 = not at all. */
  nestedEvery: number;
  /** Another record is stored after every n-th case. */
  putEvery: number;
  /** Only steps s with s % of === part, so that several workers share a scene. */
  part?: { part: number; of: number };
}

/** What happened at one kind of crash point. */
export interface Outcome {
  cases: number;
  before: number;
  after: number;
  /** Cases in which the first boot wrote to flash. */
  repaired: number;
}

export interface Counts {
  scene: string;
  /** Flash operations of the uncut change. */
  operations: number;
  /** Operations that were cut here, of the change and of repairs. */
  cut: number;
  cases: number;
  /** Of the cases, those in which bits of a cell were torn. */
  torn: number;
  /** Of the cases, those in which the repair was cut as well. */
  nested: number;
  puts: number;
  points: Record<string, Outcome>;
}

/** A case that went wrong: says where, and with which numbers it can be repeated. */
export class Finding extends Error {
  override name = "Finding";
}

/** @throws Finding */
export function torture(device: Device, scene: Scene, options: TortureOptions, told?: (cases: number) => void): Counts {
  return new Sweep(device, scene, options, told).run();
}

class Sweep {
  readonly #talk: Talk;
  readonly #counts: Counts;
  #before: View | undefined;
  #after: View | undefined;
  /** Cuts that were looked at, tried or not. */
  #nth: number;

  constructor(
    readonly device: Device,
    readonly scene: Scene,
    readonly options: TortureOptions,
    readonly told: (cases: number) => void = () => {},
  ) {
    this.#talk = new Talk(device);
    this.#nth = options.seed % 1000;
    const none = { operations: 0, cut: 0, cases: 0, torn: 0, nested: 0, puts: 0 };
    this.#counts = { scene: scene.name, ...none, points: {} };
  }

  run(): Counts {
    const { device, options } = this;
    load(device, this.scene.state());
    this.#boot();
    const media = save(device);
    this.#before = view(device, this.#talk);
    const steps = film(device, () => this.scene.change(this.#talk));
    this.#after = view(device, this.#talk);
    this.#counts.operations = steps.length;
    const { part = 0, of = 1 } = options.part ?? {};
    for (const [number, step, still] of stills(device, media, steps)) {
      if (number % of !== part) continue;
      this.#counts.cut++;
      this.#step(number, step, still);
    }
    return this.#counts;
  }

  #step(number: number, step: Step, still: Media): void {
    const random = seeded(this.options.seed * 1000 + number);
    load(this.device, still);
    const bits = changingBits(this.device, step);
    const point = pointOf(step);
    const isLong = this.#counts.operations > MANY;
    const every = isLong && this.options.every > 1 ? 4 * this.options.every : this.options.every;
    const singles = isLong ? Math.min(LONG_SINGLES, this.options.singles) : this.options.singles;
    for (const one of cutsOf(bits, number === 0, random, { ...this.options, singles })) {
      if (this.#nth++ % every !== 0) continue;
      const where = `step ${number} of ${this.#counts.operations} (${point}), ${one.name}`;
      this.#guard(where, () => {
        cut(this.device, still, step, one.plan);
        this.#count(point, one, this.#judge());
      });
      if (one.name === REPAIRED && this.options.nestedEvery > 0)
        this.#repairs(where, point, still, step, one, random, number);
    }
  }

  /** Cuts the boot after a cut at its own operations. */
  #repairs(where: string, point: string, still: Media, step: Step, one: Cut, random: Random, offset: number): void {
    const { device, options } = this;
    cut(device, still, step, one.plan);
    const media = save(device);
    const repair = film(device, () => this.#boot());
    for (const [number, second, between] of stills(device, media, repair)) {
      if ((number + offset) % options.nestedEvery !== 0) continue;
      this.#counts.cut++;
      for (const other of cutsOf(changingBits(device, second), false, random, { singles: 0, subsets: 0 })) {
        if (!REPAIR_CUTS.has(other.name)) continue; // two are enough: the same operations are cut in every way as a change's own
        this.#guard(`${where}; then step ${number} of ${repair.length} of the repair, ${other.name}`, () => {
          cut(device, between, second, other.plan);
          this.#counts.nested++;
          this.#count(point, other, this.#judge());
        });
      }
    }
  }

  #guard(where: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      const { message } = error as Error;
      throw new Finding(`${this.scene.name}, ${where}: ${message}\nseed ${this.options.seed}`, { cause: error });
    }
  }

  #boot(): void {
    this.device.boot();
    this.#talk.reset();
  }

  /** Boots, and looks at everything that must hold. @returns what was shown, and whether the boot wrote */
  #judge(): { side: "before" | "after"; repaired: boolean } {
    const { supply } = this.device;
    const operations = supply.operations;
    this.#boot();
    const repaired = supply.operations > operations;
    const seen = view(this.device, this.#talk);
    const side = sideOf(seen, this.#before!, this.#after!);
    openMoved(this.#talk, seen, this.#before!);
    this.#boot();
    const again = view(this.device, this.#talk);
    mustBeSame(seen, again);
    sideOf(again, this.#before!, this.#after!);
    if (this.#counts.cases % this.options.putEvery === 0) this.#takesAnother(seen);
    return { side, repaired };
  }

  #takesAnother(seen: View): void {
    if (!isMounted(seen) || seen.state === State.Degraded) return;
    putOne(this.#talk, seeded(PUTS + this.#counts.cases));
    this.#counts.puts++;
  }

  #count(point: string, { plan }: Cut, { side, repaired }: { side: "before" | "after"; repaired: boolean }): void {
    const counts = this.#counts;
    counts.cases++;
    if (typeof plan.tear !== "string") counts.torn++;
    counts.points[point] ??= { cases: 0, before: 0, after: 0, repaired: 0 };
    const outcome = counts.points[point];
    outcome.cases++;
    outcome[side]++;
    if (repaired) outcome.repaired++;
    if (counts.cases % 1000 === 0) this.told(counts.cases);
  }
}

const MANY = 150; // operations: provisioning, reset and destroys do much the same many times
const LONG_SINGLES = 16; // single bits tried of each operation of those
const PUTS = 0x40000000; // seeds of the records that are put afterwards: not those of a scene
const REPAIRED = "all bits, marginal";
const REPAIR_CUTS = new Set(["lower half", "all bits, marginal"]);
