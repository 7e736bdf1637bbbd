/** Random lives of a store beside the model. The seed is printed with a failure; MBS_SEED repeats it. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { Driver } from "../model/driver.js";
import type { SlotClass } from "../model/geometry.js";
import { ModelStore } from "../model/store.js";
import { Twin } from "../model/twin.js";
import { deviceTargets, repeat, seed } from "../targets.js";

/** Steps on a slow device, fewer where records are large. */
const SLOW_STEPS = [50, 40, 30, 20, 30];
/** Few large slots, so that reclaim is all that ever happens; and the smallest, as many as there may be. */
const GEOMETRIES: SlotClass[][] = [
  [{ units: 32, blocks: 2 }],
  [{ units: 100, blocks: 3 }],
  [
    { units: 128, blocks: 3 },
    { units: 40, blocks: 2 },
  ],
  [
    { units: 64, blocks: 2 },
    { units: 256, blocks: 4 },
    { units: 30, blocks: 2 },
    { units: 64, blocks: 3 },
  ],
  [{ units: 2, blocks: 2 }],
];

describe.each(deviceTargets)("a random life on $name", (kind) => {
  it.each(GEOMETRIES.map((classes, i) => ({ classes, i })))(
    "is that of the model, geometry $i",
    ({ classes, i }) => {
      const driver = new Driver(new Twin(new ModelStore(), kind.make()), seeded(seed + i));
      try {
        driver.provision(classes);
        driver.run(kind.slow ? SLOW_STEPS[i]! : 600 * kind.share, kind.slow ? 8 : 1);
      } catch (error) {
        throw new Error(repeat, { cause: error });
      } finally {
        driver.twin.close();
      }
      expect(driver.counts.Put).toBeGreaterThan(0);
    },
    120_000,
  );
});
