/** One flash operation of a change reports an error, and power stays: not begun, done after all, or torn. What must hold (DESIGN.md
 *  §3.1): the answer is Ok or MediumFailed; the store shows the state before the change or the one after it, whole, after Ok only the
 *  latter; the next boot shows the same; a new record can be stored. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Refusal, Talk } from "../device/talk.js";
import { V8Device } from "../device/v8.js";
import { repeat, seed } from "../targets.js";
import { load, type Media as Saved } from "../torture/film.js";
import { scene } from "./changes.js";
import { type Change, failures, look, putOne } from "./look.js";

console.log(`failing flash: ${repeat}`);
const random = seeded(seed);
const device = new V8Device(seed);
const talk = new Talk(device);
const { store, put, evict, replace, relabel, policy, generate, operator, use, rotate, role, remove, ...more } = scene(
  device,
  random,
);
const { finish, epoch } = more;
const admin = [operator("admin"), use("admin")];

const MODES = failures(random);

function boot(): void {
  device.boot();
  talk.reset();
}

function outcome(change: Change): Status {
  try {
    change(talk);
    return Status.Ok;
  } catch (error) {
    if (error instanceof Refusal) return error.status;
    throw error;
  }
}

/** What a look shows, without what an attempt more makes different: sequences of what changed, and handles made from them. */
function content(shown: string, before: string): string {
  const told = (line: string): string => {
    const [handle, ...rest] = line.split(" ");
    if (before.includes(line) || !/^[0-9a-f]{32}$/.test(handle!)) return line;
    const [bytes, created, _sequence, ...attributes] = rest.reverse();
    return before.includes(handle!)
      ? [handle, created, bytes, ...attributes].join(" ")
      : ["new", bytes, ...attributes].join(" ");
  };
  return shown.split("\n").map(told).sort().join("\n");
}

/** @returns how many cases answered Ok, and MediumFailed with the state before, and after. @throws when something does not hold */
function sweep(saved: Saved, change: Change): { ok: number; before: number; after: number } {
  load(device, saved);
  boot();
  const before = look(talk);
  const start = device.supply.operations;
  change(talk);
  const operations = device.supply.operations - start;
  const after = content(look(talk), before);
  const counts = { ok: 0, before: 0, after: 0 };
  const modes = Object.entries(MODES);
  const turn = random() >>> 8; // other modes at each operation in each run
  for (let operation = 0; operation < operations; operation++) {
    // where the change is committed all of them, elsewhere one: most operations are pieces of one program
    const chosen = operation < operations - 2 ? [modes[(turn + operation) % modes.length]!] : modes;
    for (const [mode, plan] of chosen) {
      const where = `operation ${operation} of ${operations}, ${mode}`;
      load(device, saved);
      boot();
      device.supply.arm({ ...plan, operation, powered: true });
      const status = outcome(change);
      if (device.supply.armed) throw new Error(`${where}: no operation failed`);
      const shown = look(talk);
      const is = shown === before ? "before" : content(shown, before) === after ? "after" : "neither before nor after";
      if (is === "after" && status === Status.Ok) counts.ok++;
      else if (is !== "neither before nor after" && status === Status.MediumFailed) counts[is]++;
      else
        throw new Error(
          `${where}: ${Status[status]}, and shows ${is}\n${shown}\n-- before\n${before}\n-- after\n${after}`,
        );
      boot();
      const now = look(talk);
      if (now !== shown) throw new Error(`${where}: the next boot shows something else\n${now}\n-- first\n${shown}`);
      putOne(talk, random);
    }
  }
  return counts;
}

describe("a change of which one flash operation fails is done, or as if it had never begun", () => {
  const records = [put(20, "a"), put(30, "b"), put(40, "c")];
  const cases: [string, Saved, Change][] = [
    ["the first put", store(), put(300, "first")],
    ["a put into a used block", store(put(20)), put(500, "second")],
    ["a put that reclaims", store(...records, evict(0), put(60), evict(1)), put(70)],
    ["a replace", store(put(20, "old")), replace(0, 400)],
    ["a replace that reclaims", store(...records, replace(1, 40)), replace(2, 50)],
    ["a relabel", store(put(20, "old name")), relabel(0, "new name")],
    ["an evict", store(put(20), put(30)), evict(1)],
    ["a destroy", store(...records), evict(0, true)],
    ["a policy", store(put(20)), policy(0, 0)],
    ["a generated key", store(put(20)), generate(1, "key")],
    ["an operator", store(put(20), ...admin), operator("second")],
    ["a rotated key", store(put(20), ...admin), rotate("admin", 1)],
    ["another role", store(put(20), ...admin, operator("second"), use("second")), role("second", Role.User)],
    ["an operator removed", store(put(20), ...admin, operator("second")), remove("second")],
    ["finish", store(put(20), ...admin), finish],
    ["an epoch", store(put(20)), epoch],
  ];
  it.each(cases)("%s", (name, saved, change) => {
    const { ok, before, after } = sweep(saved, change);
    console.log(`${name}: ${ok} Ok, ${before} MediumFailed and not done, ${after} MediumFailed and done`);
    expect(Math.min(ok, before, after)).toBeGreaterThan(0);
  });

  it("is told from a change that stops half-way (positive control)", () => {
    const twice: Change = (to) => {
      put(20)(to);
      put(30)(to);
    };
    expect(() => sweep(store(), twice)).toThrow(/neither before nor after/);
  });
});
