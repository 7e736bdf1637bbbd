/** One worker of a complete run of damages on the core in V8: takes a part, answers with counts. */
import { parentPort, workerData } from "node:worker_threads";
import { V8Device } from "../device/v8.js";
import { damage } from "./bits.js";

const { seed } = workerData as { seed: number };

parentPort?.on("message", (part: { index: number; of: number }) => {
  const progress = (done: number): void => parentPort?.postMessage({ done });
  parentPort?.postMessage({ counts: damage({ make: () => new V8Device(seed), seed, part, progress }) });
});
