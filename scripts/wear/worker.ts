/** One life in a thread of its own: tells how far it is, then what came out. */
import { createHash } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { seeded } from "../../board/virtual/prng.js";
import { SLOT_BLOCKS, SLOT_CYCLES } from "../../firmware/defs/medium.js";
import { CORE } from "../../test/device/engine.js";
import { type Life, live } from "./life.js";
import { LOADS, type LoadName } from "./loads.js";
import { Store } from "./store.js";

/** What a worker is asked. */
export interface Order {
  load: LoadName;
  seed: number;
  /** Undefined: the whole life. */
  changes: number | undefined;
}

/** What a worker says: how far it is, many times, and at the end the life and the hash of the core that lived it. */
export type Report =
  | { load: LoadName; changes: number; mostErases: number }
  | { load: LoadName; life: Life; coreSha256: string };

/** One class over the whole region: slots of 4 KB, as the board's default manifest has it. */
const UNITS = 32;
/** Changes between two power cycles. */
const PERIOD = 2500;

const { load, seed, changes } = workerData as Order;
const say = (report: Report): void => parentPort?.postMessage(report);
const store = new Store({ units: UNITS, blocks: SLOT_BLOCKS }, seeded(seed));
const life = live(store, LOADS[load], {
  rated: SLOT_CYCLES,
  changes,
  period: PERIOD,
  progress: (done, mostErases) => say({ load, changes: done, mostErases }),
});
store.close();
say({ load, life, coreSha256: createHash("sha256").update(CORE).digest("hex") });
