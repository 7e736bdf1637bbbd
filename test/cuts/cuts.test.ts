/** Power cuts at every flash operation of every change, on the core in V8. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import type { Message } from "../../host/client/message.js";
import { encodeParts } from "../../host/record.js";
import { Talk } from "../device/talk.js";
import { V8Device } from "../device/v8.js";
import { allTears, type Change, type Counts, load, type Saved, save, sweep } from "./sweep.js";

const seed = Number(process.env.MBS_SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`power cuts: MBS_SEED=${seed}`);
const random = seeded(seed);
const device = new V8Device(seed);
const talk = new Talk(device);

const bytes = (n: number) => Uint8Array.from({ length: n }, () => random() >>> 24);
const body = (n: number) => encodeParts([{ kind: 4, secret: true, algorithm: 0, content: bytes(n) }]);

function put(length: number, label: string | undefined = undefined): Change {
  const fields = [
    [Key.Token, bytes(16)],
    [Key.Label, label],
    [Key.Usage, 0],
    [Key.Tier, 1],
    [Key.Policy, 1],
    [Key.Body, body(length)],
  ] as const;
  return (to) => void to.ask(Command.Put, fields);
}

function handles(of: Talk): Uint8Array[] {
  return (of.ask(Command.List).get(Key.Entries) as Message[]).map((entry) => entry.get(Key.Handle) as Uint8Array);
}

/** Three blocks of two slots: every fourth change reclaims. */
const provision: Change = (to) =>
  void to.ask(Command.ProvisionBegin, [
    [Key.Manifest, new Uint8Array(16).fill(7)],
    [
      Key.Classes,
      [
        new Map([
          [Key.SlotUnits, 86],
          [Key.Blocks, 3],
        ]),
      ],
    ],
  ]);

function run(...changes: Change[]): Saved {
  device.boot();
  talk.reset();
  for (const change of changes) change(talk);
  return save(device);
}

/** Starts from what lies on the medium now. */
const first = run();
function store(...changes: Change[]): Saved {
  load(device, first);
  return run(provision, ...changes);
}
function onHandle(n: number, change: (handle: Uint8Array) => Change): Change {
  return (to) => change(handles(to)[n]!)(to);
}
const evict = (n: number, destroy = false): Change =>
  onHandle(
    n,
    (handle) => (to) =>
      void to.ask(Command.Evict, [
        [Key.Handle, handle],
        [Key.Destroy, destroy],
      ]),
  );
const replace = (n: number, length: number): Change => {
  const fields = [
    [Key.Token, bytes(16)],
    [Key.Body, body(length)],
  ] as const;
  return onHandle(n, (handle) => (to) => void to.ask(Command.Replace, [[Key.Handle, handle], ...fields]));
};
const relabel = (n: number, label: string): Change => {
  const token = bytes(16);
  return onHandle(
    n,
    (handle) => (to) =>
      void to.ask(Command.Relabel, [
        [Key.Handle, handle],
        [Key.Token, token],
        [Key.Label, label],
      ]),
  );
};
const finish: Change = (to) => void to.ask(Command.ProvisionFinish);
const epoch: Change = (to) => void to.ask(Command.Epoch, [[Key.Epoch, 40]]);

function report(name: string, counts: Counts): void {
  console.log(
    `${name}: ${counts.operations} operations, ${counts.cases} cuts, ${counts.before} before, ${counts.after} after, ${counts.recoveries} recoveries`,
  );
  expect(counts.before).toBeGreaterThan(0);
  expect(counts.after).toBeGreaterThan(0);
}

describe("a cut change is as if it had never begun, or as if it had ended", () => {
  const records = [put(20, "a"), put(30, "b"), put(40, "c")];
  // name, state, change, slot blocks that the uncut change erases, journal records that it writes
  const cases: [string, Saved, Change, number, number][] = [
    ["the first put", store(), put(300, "first"), 1, 2],
    ["a put into a used block", store(put(20)), put(500, "second"), 0, 1],
    ["a put after a finished provisioning", store(put(20), finish), put(50), 0, 1],
    ["a put that reclaims", store(...records, evict(0), put(60), evict(1)), put(70), 1, 2],
    [
      "a put that reclaims into an erased spare",
      store(...records, evict(0, true), put(50), evict(0), put(60), evict(1)),
      put(70),
      0,
      2,
    ],
    ["a replace", store(put(20, "old")), replace(0, 400), 0, 1],
    ["a replace in a full store", store(...records), replace(1, 40), 0, 1],
    ["a replace that reclaims", store(...records, replace(1, 40)), replace(2, 50), 1, 2],
    ["a relabel", store(put(20, "old name")), relabel(0, "new name"), 0, 1],
    ["an evict", store(put(20), put(30)), evict(1), 0, 1],
    ["a destroy", store(...records), evict(0, true), 2, 3],
    ["a destroy of a lone record", store(put(20)), evict(0, true), 1, 2],
    ["finish", store(put(20)), finish, 0, 1],
    ["an epoch", store(put(20)), epoch, 0, 1],
  ];
  it.each(cases)("%s", (name, saved, change, erases, journalRecords) => {
    const counts = sweep(device, saved, change, { random, nested: 13 });
    report(name, counts);
    expect([counts.erases, counts.records]).toEqual([erases, journalRecords]);
  });

  it("is told from a change that stops half-way (positive control)", () => {
    const twice: Change = (to) => {
      put(20)(to);
      put(30)(to);
    };
    expect(() => sweep(device, store(), twice, { random, every: 9 })).toThrow(/neither before nor after/);
  });
});

describe("provisioning", () => {
  it("cut anywhere leaves a blank device or a provisioned one, and can be repeated", () => {
    load(device, first);
    const saved = save(device);
    const counts = sweep(device, saved, provision, { random, tears: allTears(random).slice(0, 6), every: 7 });
    report("provision", counts);
  });
});
