/** Spreads a complete run of damages over worker threads. */
import { Worker } from "node:worker_threads";
import { add, type DamageCounts } from "./bits.js";

const PARTS_EACH = 4; // of a worker: the last ones end together

/** @param progress share that was done, 0…1 */
export async function runDamage(
  seed: number,
  workers: number,
  progress: (share: number) => void,
  signal?: AbortSignal,
): Promise<DamageCounts> {
  const all: DamageCounts = { cases: 0, deep: 0, idle: 0, outcomes: {}, violations: [], violated: 0 };
  const of = workers * PARTS_EACH;
  let next = 0;
  let done = 0;
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: { seed } });
      const end = (): void => void worker.terminate().then(() => resolve());
      const ask = (): void => (next < of ? worker.postMessage({ index: next++, of }) : end());
      signal?.addEventListener("abort", end, { once: true });
      worker.on("error", reject);
      worker.on("message", (told: { counts?: DamageCounts }) => {
        if (told.counts !== undefined) {
          add(all, told.counts);
          done++;
          ask();
        }
        progress(done / of);
      });
      ask();
    });
  await Promise.all(Array.from({ length: workers }, work));
  return all;
}
