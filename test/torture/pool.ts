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
}

export interface Result {
  counts: Counts[];
  failures: { scene: string; message: string }[];
}

/** Runs every wanted scene. @returns counts, one for each scene, in the order of the scenes */
export async function run(pool: PoolOptions): Promise<Result> {
  const result: Result = { counts: [], failures: [] };
  const parts: Counts[] = [];
  let queue: Ask[] | undefined;
  let order: string[] = [];
  let [total, done] = [0, 0];
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const { target, seed, signal } = pool;
      const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: { target, seed } });
      let running = 0; // cases of the part in hand
      const end = (): void => void worker.terminate().then(() => resolve());
      const next = (): void => {
        const ask = queue?.shift();
        running = 0;
        if (ask === undefined) end();
        else worker.postMessage(ask);
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
function plan(scenes: string[], { parts, options }: PoolOptions): Ask[] {
  return Array.from({ length: parts }, (_, part) =>
    scenes.map((scene) => ({ scene, options: { ...options, part: { part, of: parts } } })),
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
