/** Cuts power at every flash operation of a change, torn in many ways, and looks at what the next boots show.
 *  What must hold after any cut (DESIGN.md §3): the store mounts; it shows the state before the change or the one after it, whole; it
 *  shows the same at every later boot; a new record can be stored; nothing else changed. */
import type { NorSnapshot } from "../../board/virtual/nor.js";
import type { Random } from "../../board/virtual/prng.js";
import { PowerCut, type Tear, tears } from "../../board/virtual/supply.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import type { Message } from "../../host/client/message.js";
import { encodeParts } from "../../host/record.js";
import type { Device } from "../device/device.js";
import { Refusal, Talk } from "../device/talk.js";

/** A change to be cut: what it asks, and nothing else. */
export type Change = (talk: Talk) => void;

/** What a host can see of a store: every entry with its body, the state, what info counts. As text, to compare. */
export function look(talk: Talk): string {
  const hello = talk.ask(Command.Hello);
  const lines = [`state ${hello.get(Key.State)} instance ${hex(hello.get(Key.Instance))}`];
  let entries: Message[] = [];
  try {
    entries = talk.ask(Command.List).get(Key.Entries) as Message[];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return `${lines[0]} ${error.message}`;
  }
  for (const entry of entries) {
    const handle = entry.get(Key.Handle) as Uint8Array;
    let body: string;
    try {
      body = hex(talk.ask(Command.Get, [[Key.Handle, handle]]).get(Key.Body));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      body = error.message;
    }
    const attributes = [Key.Origin, Key.Label, Key.Usage, Key.Tier, Key.Policy, Key.Epoch, Key.Sequence, Key.Created];
    lines.push(`${hex(handle)} ${attributes.map((key) => entry.get(key)).join(" ")} ${body}`);
  }
  for (const one of talk.ask(Command.OperatorList).get(Key.Operators) as Message[])
    lines.push(`operator ${[Key.Operator, Key.Role, Key.Pending].map((key) => one.get(key)).join(" ")}`);
  const info = talk.ask(Command.Info);
  lines.push(`epochSet ${info.get(Key.EpochSet)} accepted ${info.get(Key.Accepted)} corrupt ${info.get(Key.Corrupt)}`);
  return [lines[0], ...lines.slice(1).sort()].join("\n");
}

function hex(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value);
}

export interface Saved {
  slots: NorSnapshot;
  data: NorSnapshot;
}
export function save(device: Device): Saved {
  return { slots: device.slots.snapshot(), data: device.data.snapshot() };
}
export function load(device: Device, saved: Saved): void {
  device.slots.restore(saved.slots);
  device.data.restore(saved.data);
}

/** Stores one more record, to see that the store still takes one; evicts one first when it is full. */
export function putOne(talk: Talk, random: Random): void {
  const token = Uint8Array.from({ length: 16 }, () => random() >>> 24);
  const body = encodeParts([{ kind: 4, secret: false, algorithm: 0, content: token }]);
  const fields = [
    [Key.Token, token],
    [Key.Usage, 0],
    [Key.Tier, 1],
    [Key.Policy, 1],
    [Key.Body, body],
  ] as const;
  let handle: Uint8Array;
  try {
    handle = talk.ask(Command.Put, fields).get(Key.Handle) as Uint8Array;
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== Status.StoreFull) throw error;
    const [first] = talk.ask(Command.List).get(Key.Entries) as Message[];
    talk.ask(Command.Evict, [
      [Key.Handle, first!.get(Key.Handle)],
      [Key.Destroy, false],
    ]);
    handle = talk.ask(Command.Put, fields).get(Key.Handle) as Uint8Array;
  }
  if (hex(talk.ask(Command.Get, [[Key.Handle, handle]]).get(Key.Body)) !== hex(body))
    throw new Error("the record stored after the cut reads differently");
}

export interface Counts {
  /** Flash operations of the uncut change. */
  operations: number;
  /** Slot blocks that the uncut change erases. */
  erases: number;
  /** Journal records that it writes. */
  records: number;
  /** Cuts tried. */
  cases: number;
  /** Cases that showed the state before, and after, the change. */
  before: number;
  after: number;
  /** Cases in which the first boot after the cut wrote to flash. */
  recoveries: number;
}

export type Cells = "steady" | "marginal" | "unreadable";
const HOW = { steady: {}, marginal: { marginal: true }, unreadable: { unreadable: true } };
const ALL_CELLS: readonly Cells[] = ["steady", "marginal", "unreadable"];

export interface SweepOptions {
  random: Random;
  tears?: readonly Tear[];
  /** What the cells in flight do afterwards: keep what the tear gave them, read differently at each look, or answer with a bus fault. */
  cells?: readonly Cells[];
  /** Cut only every n-th operation. */
  every?: number;
  /** First operation to cut. Default 0. */
  from?: number;
  /** Also cut the first boot after the cut, at every n-th of its operations; the offset moves along from case to case. */
  nested?: number;
  /** Also try a boot whose first attempt was fine, then this many more. */
  boots?: number;
}

/** The tears that every sweep tries: before and after the operation, no bit and all bits changed, one, half, and random ones. */
export function allTears(random: Random): Tear[] {
  return ["before", tears.none, tears.first, tears.half, tears.random(random), tears.allButFirst, tears.all, "after"];
}

/** Runs `change` from the saved state, cut at every operation. @throws when anything that must hold does not */
export function sweep(device: Device, saved: Saved, change: Change, options: SweepOptions): Counts {
  const talk = new Talk(device);
  const boot = () => {
    device.boot();
    talk.reset();
  };
  load(device, saved);
  boot();
  const before = look(talk);
  load(device, saved);
  boot();
  const from = device.supply.operations;
  const worn = device.slots.totalErases;
  const sequence = sequenceOf(talk);
  change(talk);
  const records = sequenceOf(talk) - sequence;
  const operations = device.supply.operations - from;
  const after = look(talk);
  const erases = device.slots.totalErases - worn;
  const counts: Counts = { operations, erases, records, cases: 0, before: 0, after: 0, recoveries: 0 };

  const settle = (where: string): void => {
    const shown = look(talk);
    const same = shown === before ? "before" : sameButFresh(shown, after) ? "after" : undefined;
    if (same === undefined)
      throw new Error(`${where}: neither before nor after\n${shown}\n-- before\n${before}\n-- after\n${after}`);
    counts[same]++;
    for (let again = 0; again < (options.boots ?? 1); again++) {
      boot();
      const now = look(talk);
      if (now !== shown)
        throw new Error(`${where}: boot ${again + 2} shows something else\n${now}\n-- first\n${shown}`);
    }
    if (!/NotProvisioned/.test(shown)) putOne(talk, options.random);
  };

  for (let operation = options.from ?? 0; operation < operations; operation += options.every ?? 1) {
    for (const [number, tear] of (options.tears ?? allTears(options.random)).entries()) {
      for (const cells of options.cells ?? ALL_CELLS) {
        const where = `cut at operation ${operation} of ${operations}, tear ${number}, ${cells}`;
        const cut = () => {
          load(device, saved);
          boot();
          device.supply.arm({ operation, tear, ...HOW[cells] });
          if (!isCut(() => change(talk))) throw new Error(`${where}: the cut did not happen`);
        };
        try {
          cut();
          const start = device.supply.operations;
          boot();
          const writes = device.supply.operations - start;
          if (writes > 0) counts.recoveries++;
          counts.cases++;
          settle(where);
          if (options.nested === undefined) continue;
          for (let second = counts.cases % options.nested; second < writes; second += options.nested) {
            cut();
            device.supply.arm({ operation: second, tear: tears.random(options.random), ...HOW[cells] });
            isCut(boot);
            device.supply.disarm();
            boot();
            counts.cases++;
            settle(`${where}, and at operation ${second} of the recovery`);
          }
        } catch (error) {
          throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
        }
      }
    }
  }
  return counts;
}

/** Sequence of the newest journal record, 0 on a blank device. */
function sequenceOf(talk: Talk): number {
  return Number(talk.ask(Command.Info).get(Key.Sequence) ?? 0);
}

/** Prints what a sweep did. */
export function report(name: string, counts: Counts): void {
  const { operations, cases, before, after, recoveries } = counts;
  console.log(
    `${name}: ${operations} operations, ${cases} cuts, ${before} before, ${after} after, ${recoveries} recoveries`,
  );
}

/** The instance id and the handles are drawn anew each time a store is made; then only their shape can be compared. */
function sameButFresh(shown: string, expected: string): boolean {
  if (shown === expected) return true;
  const mask = (text: string) => text.replace(/instance [0-9a-f]+/, "instance");
  return mask(shown) === mask(expected) && !/^[0-9a-f]{32} /m.test(shown);
}

function isCut(run: () => void): boolean {
  try {
    run();
  } catch (error) {
    if (error instanceof PowerCut) return true;
    throw error;
  }
  return false;
}
