/** The comparison of a store with the model is seen to fail: each planted bug is found, and called by its kind. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { Origin } from "../../firmware/defs/record.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { type Message, message, type Value } from "../../host/client/message.js";
import type { Fields } from "../device/talk.js";
import { repeat, seed } from "../targets.js";
import { Driver } from "./driver.js";
import { ModelStore } from "./store.js";
import { Divergence, type DivergenceKind, Twin } from "./twin.js";

const CLASSES = [
  { units: 64, blocks: 2 },
  { units: 20, blocks: 2 },
];

/** A store that is right but for one bug: it may change an answer, or answer something else altogether. */
class Buggy extends ModelStore {
  constructor(readonly bug: (store: Buggy, command: Command, answer: () => Message, asked: Message) => Message) {
    super();
  }
  override ask(command: Command, fields: Fields = []): Message {
    const asked = message(fields);
    return this.bug(this, command, () => super.ask(command, asked as Iterable<[Key, Value]>), asked);
  }
}

const change = (
  answer: Message,
  key: Key,
  to: (value: never) => Message extends Map<number, infer V> ? V : never,
): Message => (answer.has(key) ? new Map(answer).set(key, to(answer.get(key) as never)) : answer);
const refusal = (status: Status): Message => message([[Key.Command, status]]);
const forget = (store: Buggy): void => {
  const [first] = store.records.keys();
  if (first !== undefined && store.records.size > 2) store.records.delete(first);
};

const BUGS: Record<string, [DivergenceKind[], ConstructorParameters<typeof Buggy>[0]]> = {
  "loses a record at an epoch change": [
    ["OnlyInModel"],
    (store, command, answer) => {
      if (command === Command.Epoch) forget(store);
      return answer();
    },
  ],
  "keeps a record that was evicted": [
    ["OnlyInStore"],
    (store, command, answer, asked) => {
      const handle = Buffer.from((asked.get(Key.Handle) ?? new Uint8Array()) as Uint8Array).toString("hex");
      const record = store.records.get(handle);
      const result = answer();
      if (command === Command.Evict && record !== undefined) store.records.set(handle, record);
      return result;
    },
  ],
  "changes one bit of a body": [
    ["DifferentBody"],
    (_store, command, answer) =>
      command === Command.Get
        ? change(answer(), Key.Body, (body: Uint8Array) =>
            Uint8Array.from(body, (byte, i) => (i === 0 ? byte ^ 1 : byte)),
          )
        : answer(),
  ],
  "is full one record too early": [
    ["DifferentCapacity"],
    (store, command, answer) =>
      command === Command.Put && store.live(0) + store.live(1) >= 4 ? refusal(Status.StoreFull) : answer(),
  ],
  "counts a class wrongly": [
    ["DifferentCapacity"],
    (_store, _command, answer) =>
      change(answer(), Key.Classes, (classes: Message[]) =>
        classes.map((one) => change(one, Key.Live, (n: number) => n + 1)),
      ),
  ],
  "tells another length": [
    ["DifferentValue"],
    (_store, _command, answer) =>
      change(answer(), Key.Entries, (entries: Message[]) =>
        entries.map((one) => change(one, Key.Length, (n: number) => n + 1)),
      ),
  ],
  "takes every token for a new one": [
    ["DifferentStatus", "DifferentValue", "HandleReused", "DifferentCapacity", "SequenceWentBack", "OnlyInStore"],
    (store, _command, answer) => {
      for (const record of store.records.values()) record.token = record.firstToken = "";
      return answer();
    },
  ],
  "gives a record the handle of another": [
    ["HandleReused"],
    (store, command, answer) => {
      const [first] = store.records.values();
      const got = answer();
      return command === Command.Put && first !== undefined ? change(got, Key.Handle, () => first.handle) : got;
    },
  ],
  "goes back with its sequence": [
    ["SequenceWentBack", "DifferentValue"],
    (_store, command, answer) =>
      command === Command.Put ? change(answer(), Key.Sequence, (n: number) => (n > 3 ? 1 : n)) : answer(),
  ],
  "remembers residue of records that live": [
    ["UnknownResidue"],
    (store, _command, answer) =>
      change(answer(), Key.Residue, (residue: Uint8Array[]) => [
        ...residue,
        ...[...store.records.values()].map((one) => one.handle),
      ]),
  ],
  "lets a generated key out by policy": [
    ["DifferentStatus", "DifferentValue"],
    (store, command, answer, asked) => {
      const handle = Buffer.from((asked.get(Key.Handle) ?? new Uint8Array()) as Uint8Array).toString("hex");
      const record = store.records.get(handle);
      if (command === Command.Policy && record !== undefined) record.origin = Origin.Imported;
      return answer();
    },
  ],
  "drops the keys when a chain is attached": [
    ["DifferentStatus", "DifferentValue", "DifferentBody", "OnlyInModel"],
    (_store, command, answer, asked) => {
      if (command === Command.Replace) asked.delete(Key.Keep);
      return answer();
    },
  ],
  "lets the last admin go": [
    ["DifferentStatus"],
    (_store, _command, answer) => {
      const got = answer();
      return got.get(Key.Command) === Status.LastAdmin ? refusal(Status.Ok) : got;
    },
  ],
  "takes a key for used that was not": [
    ["DifferentValue"],
    (_store, command, answer) =>
      command === Command.OperatorList
        ? change(answer(), Key.Operators, (all: Message[]) => all.map((one) => change(one, Key.Pending, () => false)))
        : answer(),
  ],
  "lets a secret out": [
    ["DifferentStatus"],
    (_store, _command, answer) => {
      const got = answer();
      return got.get(Key.Command) === Status.NotExportable ? refusal(Status.Ok) : got;
    },
  ],
};

/** @returns how a life of 3,000 steps ends: in a kind of divergence, or well */
function live(store: ModelStore): DivergenceKind | "well" {
  const driver = new Driver(new Twin(new ModelStore(), store), seeded(seed));
  try {
    driver.provision(CLASSES);
    driver.run(3000);
    return "well";
  } catch (error) {
    if (error instanceof Divergence) return error.kind;
    throw error;
  }
}

describe("a random life beside the model", () => {
  it("goes well for the model itself", () => {
    expect(live(new ModelStore()), repeat).toBe("well");
  });

  it.each(Object.entries(BUGS))("finds a store that %s", (_what, [kinds, bug]) => {
    expect(kinds, repeat).toContain(live(new Buggy(bug)));
  });

  it("reaches every command and every refusal that the model knows", () => {
    const seen = new Set<string>();
    const store = new ModelStore();
    const watched = new Buggy((_self, command, answer) => {
      const got = answer();
      seen.add(Status[got.get(Key.Command) as number]!).add(Command[command]!);
      return got;
    });
    const driver = new Driver(new Twin(store, watched), seeded(seed));
    driver.provision(CLASSES);
    driver.run(3000);
    const commands = ["Put", "Get", "List", "Find", "Show", "Evict", "Replace", "Relabel", "Epoch", "Accept", "Info"];
    const later = ["Policy", "Generate", "Public", "OperatorAdd", "OperatorRotate", "OperatorRole", "OperatorRemove"];
    const statuses = [
      "NoSuchHandle",
      "TooLarge",
      "BadLabel",
      "TokenReused",
      "BadArgument",
      "BadRecord",
      "NotExportable",
      "EpochBack",
      "LastAdmin",
      "OperatorsFull",
      "OperatorExists",
      "NoSuchOperator",
      "NoAdmin",
      "ClassFull",
      "StoreFull",
    ];
    const missing = [...commands, ...later, ...statuses].filter((name) => !seen.has(name));
    expect(missing, repeat).toEqual([]);
  });
});
