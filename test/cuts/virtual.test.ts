/** Power cuts on the virtual board, with the ELF that would be flashed: a sample of what cuts.test.ts does completely. A boot takes
 *  some seven million instructions here. */
import { afterAll, describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { tears } from "../../board/virtual/supply.js";
import { VirtualDevice } from "../device/virtual.js";
import { repeat, seed } from "../targets.js";
import { scene } from "./changes.js";
import { type Change, report, type Saved, sweep } from "./sweep.js";

console.log(`power cuts on the virtual board: ${repeat}`);
const random = seeded(seed);
const device = new VirtualDevice(seed);
const { store, put, evict, replace, operator, use } = scene(device, random);
afterAll(() => device.close());

describe("a cut change of the real firmware is as if it had never begun, or as if it had ended", () => {
  const records = [put(20, "a"), put(30, "b"), put(40, "c")];
  const cases: [string, Saved, Change, number][] = [
    ["a put", store(put(20)), put(300, "second"), 4],
    ["a put that reclaims", store(...records, evict(0), put(60), evict(1)), put(70), 7],
    ["a replace", store(put(20, "old")), replace(0, 400), 6],
    ["an evict", store(put(20), put(30)), evict(1), 6],
    ["an operator", store(put(20)), operator("admin"), 9],
    ["the first use of a key", store(operator("admin")), use("admin"), 9],
  ];
  it.each(cases)("%s", { timeout: 120_000 }, (name, saved, change, every) => {
    const from = random() % every; // another part of the operations in each run
    const counts = sweep(device, saved, change, {
      random,
      every,
      from,
      tears: [tears.random(random)],
      cells: ["marginal"],
    });
    report(`${name}, sampled`, counts);
    expect(counts.cases).toBeGreaterThan(4);
  });
});
