/** Spreads a torture over worker threads: each takes a part of a scene, and another one when it is done. */
import { Worker } from "node:worker_threads";
import type { Counts, TortureOptions } from "./sweep.js";

export type TargetName = "v8" | "virtual";

export interface Job {
  target: TargetName;
  seed: number;
}
/** To a worker. */
export interface Ask {
  scene: string;
  options: TortureOptions;
}
/** From a worker. */
export type Told =
  | { kind: "ready"; scenes: string[] }
  | { kind: "progress"; cases: number }
  | { kind: "done"; counts: Counts }
  | { kind: "failed"; scene: string; message: string };

export interface PoolOptions extends Job {
  options: TortureOptions;
  workers: number;
  /** Into how many parts a scene is cut. */
  parts: number;
  /** Whether a scene is wanted. */
  wanted: (scene: string) => boolean;
  progress: (cases: number, scenesDone: number, scenes: number) => void;
  /** Ends it early; what was done until then is counted. */
  signal?: AbortSignal;
  /** What an earlier run did; it is counted and not run again. */
  done?: readonly Part[];
  /** Told of each part that is done. */
  finished?: (part: Part) => void;
}

/** A part of a scene, and what was counted in it. */
export interface Part {
  part: number;
  counts: Counts;
}

export interface Result {
  counts: Counts[];
  failures: { scene: string; message: string }[];
}

/** Runs every wanted scene. @returns counts, one for each scene, in the order of the scenes */
export async function run(pool: PoolOptions): Promise<Result> {
  const result: Result = { counts: [], failures: [] };
  const earlier = pool.done ?? [];
  const parts = earlier.map(({ counts }) => counts);
  let queue: Ask[] | undefined;
  let order: string[] = [];
  let total = parts.reduce((cases, one) => cases + one.cases, 0);
  let done = parts.length / pool.parts;
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const { target, seed, signal } = pool;
      const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: { target, seed } });
      let running = 0; // cases of the part in hand
      let asked: Ask | undefined;
      const end = (): void => void worker.terminate().then(() => resolve());
      const next = (): void => {
        asked = queue?.shift();
        running = 0;
        if (asked === undefined) end();
        else worker.postMessage(asked);
      };
      signal?.addEventListener("abort", end, { once: true });
      worker.on("error", reject);
      worker.on("message", (told: Told) => {
        switch (told.kind) {
          case "ready":
            order = told.scenes;
            queue ??= plan(told.scenes.filter(pool.wanted), pool);
            return next();
          case "progress":
            total += told.cases - running;
            running = told.cases;
            return pool.progress(total, done, order.filter(pool.wanted).length);
          case "done":
            total += told.counts.cases - running;
            parts.push(told.counts);
            pool.finished?.({ part: asked?.options.part?.part ?? 0, counts: told.counts });
            break;
          case "failed":
            result.failures.push({ scene: told.scene, message: told.message });
        }
        done += 1 / pool.parts;
        pool.progress(total, done, order.filter(pool.wanted).length);
        next();
      });
    });
  await Promise.all(Array.from({ length: pool.workers }, work));
  result.counts = order
    .map((scene) => parts.filter((one) => one.scene === scene))
    .filter((some) => some.length > 0)
    .map((some) => some.reduce(sum));
  return result;
}

/** The longest scenes last would leave workers without work: parts of one scene stand apart. */
function plan(scenes: string[], { parts, options, done = [] }: PoolOptions): Ask[] {
  const isDone = (scene: string, part: number): boolean =>
    done.some((one) => one.part === part && one.counts.scene === scene);
  return Array.from({ length: parts }, (_, part) =>
    scenes
      .filter((scene) => !isDone(scene, part))
      .map((scene) => ({ scene, options: { ...options, part: { part, of: parts } } })),
  ).flat();
}

/** Counts of two parts together. */
export function sum(a: Counts, b: Counts): Counts {
  const points = structuredClone(a.points);
  for (const [point, more] of Object.entries(b.points)) {
    points[point] ??= { cases: 0, before: 0, after: 0, repaired: 0 };
    const one = points[point];
    for (const key of ["cases", "before", "after", "repaired"] as const) one[key] += more[key];
  }
  return {
    scene: a.scene,
    operations: a.operations,
    cut: a.cut + b.cut,
    cases: a.cases + b.cases,
    torn: a.torn + b.torn,
    nested: a.nested + b.nested,
    puts: a.puts + b.puts,
    points,
  };
}
