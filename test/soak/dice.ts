/** Choices of a soak: all of them follow from one seed. */
import { type Random, seeded } from "../../board/virtual/prng.js";

export class Dice {
  readonly random: Random;

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  /** An integer from 0 to n − 1. */
  below(n: number): number {
    return Math.floor((this.random() / 2 ** 32) * n);
  }
  /** An integer from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }
  /** True in `percent` of a hundred cases; fractions count. */
  chance(percent: number): boolean {
    return this.random() / 2 ** 32 < percent / 100;
  }
  oneOf<T>(from: readonly T[]): T | undefined {
    return from[this.below(from.length)];
  }
  /** One of `from`, as often as its weight says. */
  weighted<T>(from: readonly (readonly [weight: number, value: T])[]): T {
    let at = this.below(from.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of from) {
      if (at < weight) return value;
      at -= weight;
    }
    throw new RangeError("nothing to choose from");
  }
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.random() >>> 24);
  }
}
