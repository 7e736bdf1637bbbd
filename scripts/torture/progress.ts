/** What a torture that may be interrupted has done so far, in a file: the next run goes on from there. It counts for one core, one ELF, one
 *  seed and one depth. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Part, TargetName } from "../../test/torture/pool.js";

/** What must be the same in both runs. */
export interface Conditions {
  core: string;
  elf: string;
  seed: number;
  depth: unknown;
  parts: number;
}

interface Kept extends Conditions {
  /** Minutes of the runs so far, and what they did. */
  minutes: Partial<Record<TargetName, number>>;
  done: Partial<Record<TargetName, Part[]>>;
}

export class Progress {
  readonly #kept: Kept;
  #written = Date.now();

  /** @throws Error when the file is of a run under other conditions, or is none */
  constructor(
    readonly path: string,
    conditions: Conditions,
  ) {
    this.#kept = { ...conditions, minutes: {}, done: {} };
    if (!existsSync(path)) return;
    const kept = JSON.parse(readFileSync(path, "utf8")) as Kept;
    for (const key of ["core", "elf", "seed", "depth", "parts"] as const)
      if (JSON.stringify(kept[key]) !== JSON.stringify(conditions[key]))
        throw new Error(`${path}: ${key} is ${JSON.stringify(kept[key])}, here ${JSON.stringify(conditions[key])}`);
    this.#kept = kept;
  }

  doneOf(target: TargetName): Part[] {
    return this.#kept.done[target] ?? [];
  }
  minutesOf(target: TargetName): number {
    return this.#kept.minutes[target] ?? 0;
  }

  /** One part more; written every few seconds, and by flush(). */
  add(target: TargetName, part: Part, minutes: number): void {
    this.#kept.done[target] = [...this.doneOf(target), part];
    this.#kept.minutes[target] = Math.round(10 * minutes) / 10;
    if (Date.now() - this.#written > 5000) this.flush();
  }

  flush(): void {
    writeFileSync(`${this.path}.new`, `${JSON.stringify(this.#kept)}\n`);
    renameSync(`${this.path}.new`, this.path);
    this.#written = Date.now();
  }
}
