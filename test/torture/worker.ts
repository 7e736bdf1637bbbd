/** One worker of a torture: takes scenes, answers with counts. */
import { parentPort, workerData } from "node:worker_threads";
import { seeded } from "../../board/virtual/prng.js";
import type { Device } from "../device/device.js";
import type { Ask, Job, Told } from "./pool.js";
import { type Scene, scenesOf } from "./scenes.js";
import { torture } from "./sweep.js";

const { target, seed } = workerData as Job;

async function make(): Promise<Device> {
  if (target === "v8") return new (await import("../device/v8.js")).V8Device(seed);
  return new (await import("../device/virtual.js")).VirtualDevice(seed, { warm: true });
}

const device = await make();
const scenes: Scene[] = scenesOf(device, seeded(seed));
const tell = (told: Told): void => parentPort?.postMessage(told);

parentPort?.on("message", ({ scene: name, options }: Ask) => {
  const scene = scenes.find((one) => one.name === name);
  try {
    if (scene === undefined) throw new Error(`there is no scene ${name}`);
    tell({ kind: "done", counts: torture(device, scene, options, (cases) => tell({ kind: "progress", cases })) });
  } catch (error) {
    const { name: kind, message, stack } = error as Error;
    tell({ kind: "failed", scene: name, message: kind === "Finding" ? message : (stack ?? message) });
  }
});
tell({ kind: "ready", scenes: scenes.map(({ name }) => name) });
