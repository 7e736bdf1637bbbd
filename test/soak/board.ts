/** The board of a soak: a device at one end of the line, its power, and the person in front of it. Power fails at flash operations that
 *  were chosen before (any tear, any cells) and at any other time, and comes back by itself; mounting may be cut as well.
 *  In V8 work takes no time, so the line says what follows a Busy frame later, and the device is deaf until then, as on the board. */
import { PowerCut, type Tear, tears } from "../../board/virtual/supply.js";
import type { Device, Switch } from "../device/device.js";
import type { SoakClock } from "./clock.js";
import type { Dice } from "./dice.js";
import type { Line } from "./line.js";

/** Steps in which an idle device is looked at. */
const LOOK_MS = 100;
/** Power-ups in a row that are cut, at the most: after some fourteen no journal place is left to write to. */
const CUT_BOOTS = 3;

export class SoakBoard {
  on = false;
  /** Power-ups so far. */
  boots = 0;
  /** Power failures at a flash operation, those while it mounted among them, and at any other time. */
  cuts = 0;
  cutBoots = 0;
  cycles = 0;
  /** Told before power comes back: what a planted bug does to the flash. */
  tamper: () => void = () => {};
  #deafUntil = 0;
  #bootsInARow = 0;
  /** Milliseconds that the device has run already and the clock has not. */
  #ahead = 0;

  constructor(
    readonly device: Device,
    readonly clock: SoakClock,
    readonly line: Line,
    readonly dice: Dice,
    /** The device's work takes time by itself. */
    readonly timed: boolean,
  ) {
    line.deliver = (bytes) => this.#receive(bytes);
    clock.device = (ms) => this.#rest(ms);
  }

  /** Power will fail at one of the next flash operations, unless fewer are done before `disarm`. */
  arm(): void {
    const { dice } = this;
    const choices: Tear[] = [
      "before",
      "after",
      tears.none,
      tears.all,
      tears.first,
      tears.allButFirst,
      tears.half,
      tears.random(dice.random),
    ];
    const cells = dice.oneOf([{}, { marginal: true }, { unreadable: true }])!;
    // a record is some fifty operations, moving a block a few hundred
    const most = dice.weighted([
      [4, 8],
      [6, 60],
      [2, 300],
    ]);
    this.device.supply.arm({ operation: dice.below(most), tear: dice.oneOf(choices)!, ...cells });
  }
  disarm(): void {
    this.device.supply.disarm();
  }

  /** Takes the power away; it comes back after a while. */
  cycle(): void {
    if (!this.on) return;
    this.cycles++;
    this.#fail();
  }

  /** Power comes, and may fail again while the device mounts. */
  powerUp(): void {
    if (this.on) return;
    this.boots++;
    this.on = true;
    this.tamper();
    if (this.#bootsInARow >= CUT_BOOTS) this.disarm();
    else if (this.dice.chance(15)) this.arm();
    this.#bootsInARow++;
    if (!this.#run(() => this.#mount())) {
      this.cutBoots++;
      return;
    }
    this.#bootsInARow = 0;
  }

  /** Somebody presses a switch for a while. */
  touch(which: Switch): void {
    this.clock.after(this.dice.between(60, 3000), () => {
      this.device.press(which);
      this.clock.after(this.dice.between(60, 500), () => this.device.release(which));
    });
  }

  #mount(): Uint8Array {
    this.device.boot();
    return new Uint8Array(0);
  }

  #receive(bytes: Uint8Array): void {
    if (this.on && this.clock.now >= this.#deafUntil) this.#run(() => this.device.exchange(bytes));
  }

  #rest(ms: number): number {
    let passed = Math.min(ms, this.#ahead);
    this.#ahead -= passed;
    while (passed < ms) {
      const step = Math.min(LOOK_MS, ms - passed);
      if (!this.on) return ms;
      passed += step;
      let spoke = false;
      this.#run(() => {
        const sent = this.device.wait(step);
        spoke = sent.length > 0;
        return sent;
      });
      if (spoke || !this.on) return passed;
    }
    return ms;
  }

  /** @returns false when power failed */
  #run(answer: () => Uint8Array): boolean {
    const from = this.device.now();
    try {
      const sent = answer();
      const took = this.timed ? Math.max(0, Number(this.device.now() - from) / 1000) : 0;
      this.#ahead += took;
      this.#say(sent, took);
      return true;
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.cuts++;
      this.#fail();
      return false;
    }
  }

  /** One frame after the other. What follows the first is the answer after Busy, which takes a while. */
  #say(sent: Uint8Array, took: number): void {
    let [from, delay] = [0, 0];
    for (let at = 0; at < sent.length; at++) {
      if (sent[at] !== 0 && at < sent.length - 1) continue;
      if (from > 0 && !this.timed) {
        delay = this.line.calm || this.dice.chance(97) ? this.dice.between(5, 800) : this.dice.between(800, 20_000);
        this.#deafUntil = this.clock.now + delay;
      }
      this.line.say(sent.subarray(from, at + 1), delay + (from > 0 ? took : 0));
      from = at + 1;
    }
  }

  #fail(): void {
    this.on = false;
    this.#deafUntil = 0;
    this.#ahead = 0;
    if (this.dice.chance(40)) this.line.pull();
    const away = this.dice.chance(80) ? this.dice.between(1, 3000) : this.dice.between(3000, 40_000);
    this.clock.after(away, () => this.powerUp());
  }
}
