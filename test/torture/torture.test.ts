/** Power is cut at every flash operation of every change, from every kind of state: a bounded part of what `npm run torture` does, on the
 *  core in V8. */
import { afterAll, describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { tears } from "../../board/virtual/supply.js";
import type { Talk } from "../device/talk.js";
import { V8Device } from "../device/v8.js";
import { repeat, seed } from "../targets.js";
import { load, save } from "./film.js";
import { sum } from "./pool.js";
import { scenesOf } from "./scenes.js";
import { type Counts, torture } from "./sweep.js";

console.log(`torture: ${repeat}`);
const device = new V8Device(seed);
const scenes = scenesOf(device, seeded(seed));
const OPTIONS = { seed, every: 2, singles: 1, subsets: 1, nestedEvery: 13, putEvery: 4 };
const done: Counts[] = [];
const named = (name: string) => scenes.find((scene) => scene.name === name)!;

describe("a cut change is as if it had never begun, or as if it had ended", () => {
  it.each(scenes.map((scene) => [scene.name, scene] as const))("%s", (_name, scene) => {
    const counts = torture(device, scene, OPTIONS);
    done.push(counts);
    // a sweep that tore nothing, or saw one side of the change alone, proves nothing
    const { cases, torn, points } = counts;
    const sides = Object.values(points).reduce((all, { before, after }) => [all[0]! + before, all[1]! + after], [0, 0]);
    expect(torn).toBeGreaterThan(cases / 2);
    if (!/refused handshake/.test(scene.name)) expect(Math.min(...sides)).toBeGreaterThan(0);
  });
  afterAll(() => {
    const { operations, cases, torn, nested, puts } = done.reduce(sum);
    console.log(
      `${cases} cases over ${operations} operations, ${torn} torn, ${nested} with a cut repair, ${puts} puts`,
    );
  });
});

describe("the sweep notices", () => {
  const half = named("half: put");

  it("a change that stops half-way", () => {
    const empty = named("empty: put");
    const change = (talk: Talk) => {
      empty.change(talk);
      named("empty: generate").change(talk);
    };
    expect(() => torture(device, { ...empty, change }, { ...OPTIONS, every: 9 })).toThrow(/neither before nor after/);
  });

  it("a live slot on cells that were torn, though they read well", () => {
    const state = () => {
      const media = half.state();
      const at = device.slotsOffset + device.slots.bytes.subarray(device.slotsOffset).indexOf("MB");
      const unit = Buffer.from(device.slots.bytes.subarray(at, at + 128));
      load(device, media);
      device.slots.preloadErased(at, 128);
      device.supply.tear({ tear: tears.all }, () => device.slots.program(at, unit));
      return save(device);
    };
    expect(() => torture(device, { ...half, state }, OPTIONS)).toThrow(/was not programmed whole/);
  });
});
