/** A store and the model side by side: every command goes to both, and what they answer must be the same. Handles and sequences
 *  are the store's own choice: they are compared through a mapping that grows with each record and version. */
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import type { Message, Value } from "../../host/client/message.js";
import type { Fields } from "../device/talk.js";
import type { Target } from "../targets.js";
import type { ModelStore } from "./store.js";

/** The ways to be wrong. */
export type DivergenceKind =
  | "OnlyInStore" // a record that should not be there (any more)
  | "OnlyInModel" // a record is lost
  | "DifferentStatus"
  | "DifferentCapacity" // full too early or too late
  | "DifferentBody"
  | "DifferentValue" // any other field
  | "HandleReused"
  | "SequenceWentBack"
  | "UnknownResidue"; // the store remembers what was never evicted, or was erased

export class Divergence extends Error {
  override name = "Divergence";
  constructor(
    readonly kind: DivergenceKind,
    what: string,
  ) {
    super(`${kind}: ${what}`);
  }
}

const hex = (bytes: Value | undefined): string => Buffer.from(bytes as Uint8Array).toString("hex");
/** Commands whose answer names a version of a record. */
const WRITES = new Set([Command.Put, Command.Generate, Command.Replace, Command.Relabel, Command.Policy]);
const FULL = new Set([Status.StoreFull, Status.ClassFull]);

export class Twin implements Target {
  readonly name: string;
  /** Handles in hexadecimal, and sequences: the model's to the store's. */
  readonly #handles = new Map<string, string>();
  readonly #sequences = new Map<number, number>();
  #highest = 0;

  constructor(
    readonly model: ModelStore,
    readonly store: Target,
  ) {
    this.name = `${model.name} and ${store.name}`;
  }

  boot(): void {
    this.model.boot();
    this.store.boot();
  }

  admit(operator: string, key: Uint8Array): Status {
    const [model, store] = [this.model.admit(operator, key), this.store.admit(operator, key)];
    const what = `a session of ${operator}: the model answers ${Status[model]}, the store ${Status[store]}`;
    if (model !== store) throw new Divergence("DifferentStatus", what);
    return model;
  }

  wait(ms: number): void {
    this.model.wait();
    this.store.wait(ms);
  }

  close(): void {
    this.model.close();
    this.store.close();
  }

  /** @returns the model's answer @throws Divergence */
  ask(command: Command, fields: Fields = []): Message {
    const asked = [...fields];
    // when residue is erased, and with that whether it can be destroyed, is the store's choice
    if (command === Command.Evict && asked.some(([key, value]) => key === Key.Destroy && value === true))
      this.ask(Command.Info);
    const model = this.model.ask(command, asked);
    const store = this.store.ask(
      command,
      asked.map(([key, value]) => [key, key === Key.Handle ? this.#translate(value) : value] as const),
    );
    this.#compareStatus(command, model, store);
    if (model.has(Key.Sequence) && WRITES.has(command)) this.#learn(model, store);
    this.#compare(Command[command] ?? `command ${command}`, model, store);
    return model;
  }

  #translate(handle: Value | undefined): Uint8Array {
    return Buffer.from(this.#handles.get(hex(handle)) ?? hex(handle), "hex");
  }

  #compareStatus(command: Command, model: Message, store: Message): void {
    const [mine, theirs] = [model, store].map((one) => one.get(Key.Command) as Status) as [Status, Status];
    if (mine === theirs) return;
    const what = `${Command[command]}: the model answers ${Status[mine]}, the store ${Status[theirs]}`;
    if (FULL.has(mine) || FULL.has(theirs)) throw new Divergence("DifferentCapacity", what);
    if (theirs === Status.NoSuchHandle) throw new Divergence("OnlyInModel", what);
    if (mine === Status.NoSuchHandle) throw new Divergence("OnlyInStore", what);
    throw new Divergence("DifferentStatus", what);
  }

  /** A version was made, or named again: its handle and sequence are known from now on. */
  #learn(model: Message, store: Message): void {
    if (model.get(Key.Command) !== Status.Ok) return;
    const [mine, theirs] = [hex(model.get(Key.Handle)), hex(store.get(Key.Handle))];
    if (!this.#handles.has(mine)) {
      if ([...this.#handles.values()].includes(theirs)) throw new Divergence("HandleReused", theirs);
      this.#handles.set(mine, theirs);
    }
    const [version, sequence] = [model, store].map((one) => one.get(Key.Sequence) as number) as [number, number];
    if (this.#sequences.has(version)) return;
    if (sequence <= this.#highest) throw new Divergence("SequenceWentBack", `${sequence} after ${this.#highest}`);
    this.#highest = sequence;
    this.#sequences.set(version, sequence);
  }

  /** Every field that the model knows. */
  #compare(where: string, model: Message, store: Message): void {
    for (const [key, mine] of model) {
      const theirs = store.get(key);
      const place = `${where}, ${Key[key]}`;
      if (theirs === undefined) throw new Divergence("DifferentValue", `${place}: the store does not tell it`);
      if (key === Key.Handle) this.#same("DifferentValue", place, this.#handles.get(hex(mine)), hex(theirs));
      else if (key === Key.Sequence && where === "Info")
        continue; // the store's journal counts more than versions
      else if (key === Key.Sequence || key === Key.Created)
        this.#same("DifferentValue", place, this.#sequences.get(mine as number), theirs);
      else if (key === Key.Entries) this.#compareEntries(where, mine as Message[], theirs as Message[]);
      else if (key === Key.Residue) this.#compareResidue(theirs as Uint8Array[]);
      else if (key === Key.Operators) this.#compareItems(place, byId(mine), byId(theirs));
      else if (Array.isArray(mine)) this.#compareItems(place, mine as Message[], theirs as Message[]);
      else if (key === Key.Body) this.#sameBody(place, mine as Uint8Array, theirs as Uint8Array);
      else if (mine instanceof Uint8Array) this.#same("DifferentValue", place, hex(mine), hex(theirs));
      else this.#same(isCapacity(key) ? "DifferentCapacity" : "DifferentValue", place, mine, theirs);
    }
  }

  #same(kind: DivergenceKind, what: string, mine: unknown, theirs: unknown): void {
    if (mine !== theirs) throw new Divergence(kind, `${what}: the model has ${mine}, the store ${theirs}`);
  }

  #sameBody(what: string, mine: Uint8Array, theirs: Uint8Array): void {
    if (Buffer.compare(mine, theirs) === 0) return;
    const first = mine.findIndex((byte, i) => byte !== theirs[i]);
    const told = `the store has ${theirs.length} bytes, the model ${mine.length}; the first other one is number ${first}`;
    throw new Divergence("DifferentBody", `${what}: ${told}`);
  }

  #compareEntries(where: string, model: Message[], store: Message[]): void {
    const left = new Map(store.map((entry) => [hex(entry.get(Key.Handle)), entry]));
    this.#same("HandleReused", `${where}: entries with one handle`, left.size, store.length);
    for (const mine of model) {
      const handle = this.#handles.get(hex(mine.get(Key.Handle))) ?? "";
      const theirs = left.get(handle);
      if (theirs === undefined) throw new Divergence("OnlyInModel", `${where}: ${handle}`);
      this.#compare(where, mine, theirs);
      left.delete(handle);
    }
    for (const handle of left.keys()) throw new Divergence("OnlyInStore", `${where}: ${handle}`);
  }

  #compareItems(where: string, model: Message[], store: Message[]): void {
    this.#same("DifferentValue", `${where}, number`, model.length, store.length);
    model.forEach((mine, i) => {
      this.#compare(where, mine, store[i]!);
    });
  }

  /** Residue may only become less than what the model thinks possible. */
  #compareResidue(store: Uint8Array[]): void {
    const told = new Set(store.map(hex));
    const possible = new Map([...this.model.residue].map((handle) => [this.#handles.get(handle), handle]));
    for (const handle of told) if (!possible.has(handle)) throw new Divergence("UnknownResidue", handle);
    for (const [theirs, mine] of possible) if (!told.has(theirs!)) this.model.residue.delete(mine);
  }
}

/** Operators stand in the order of their places, which are the store's choice. */
function byId(operators: Value): Message[] {
  const id = (one: Message): string => `${one.get(Key.Operator)} ${one.get(Key.Pending)}`;
  return [...(operators as Message[])].sort((a, b) => (id(a) < id(b) ? -1 : 1));
}

function isCapacity(key: number): boolean {
  return key === Key.Capacity || key === Key.Live;
}
