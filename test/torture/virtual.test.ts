/** A sample of what `npm run torture` does on the virtual board, with the ELF that would be flashed, and with that of the compiled core. */
import { afterAll, describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { AheadOfTimeDevice, VirtualDevice } from "../device/virtual.js";
import { repeat, seed } from "../targets.js";
import { scenesOf } from "./scenes.js";
import { torture } from "./sweep.js";

console.log(`torture on the virtual board: ${repeat}`);
const SCENES = [
  "half: put",
  "in use: put that reclaims",
  "half: replace",
  "half: evict",
  "ready: an operator",
  "a rotated key: its first use",
  "ready: reset",
];

describe.each([
  ["interpreter", new VirtualDevice(seed, { warm: true }), SCENES],
  ["compiled core", new AheadOfTimeDevice(seed, { warm: true }), SCENES.slice(0, 3)],
] as const)(
  "a cut change of the real firmware, %s, is as if it had never begun, or as if it had ended",
  (_, device, names) => {
    const scenes = scenesOf(device, seeded(seed));
    afterAll(() => device.close());

    it.each(names)("%s", (name) => {
      const scene = scenes.find((one) => one.name === name)!;
      const options = { seed, every: 40, singles: 1, subsets: 1, nestedEvery: 499, putEvery: 7 };
      const { cases, torn, points } = torture(device, scene, options);
      console.log(`${name}, sampled: ${cases} cases`);
      expect(torn).toBeGreaterThan(cases / 2);
      expect(Object.keys(points).length).toBeGreaterThan(1);
    });
  },
);
