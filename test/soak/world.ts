/** What the store should be: the reference model (test/model), which is told what happened on the device. Handles and sequences are the
 *  device's own choice; a mapping of them grows with each record and version. Public keys are remembered beside the model, which makes none. */
import { UNIT } from "../../firmware/defs/medium.js";
import { ALG_NONE, PartKind, Tier, Usage } from "../../firmware/defs/record.js";
import type { State } from "../../firmware/defs/wire.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { type Entry, type Listing, type OperatorList, readListing, type StoreInfo } from "../../host/client/answers.js";
import { Fields, type Message, type Value } from "../../host/client/message.js";
import { encodeParts } from "../../host/record.js";
import type { Fields as Asked } from "../device/talk.js";
import { ModelStore } from "../model/store.js";

/** What a look at the device shows; without records and operators while there is no admin to ask for them. */
export interface Seen {
  state: State;
  trapCode: number;
  store?: StoreInfo | undefined;
  listing?: Listing | undefined;
  operators?: OperatorList | undefined;
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

export class World {
  readonly model = new ModelStore();
  /** Public keys of generated records, by the device's handle. */
  readonly publicKeys = new Map<string, string>();
  /** Puts that were cut off. Each may have left a header with a handle that nobody was given, residue at some boots and not at others: its
   *  cells may read differently at each look. */
  #strays = 0;
  /** Evicted records whose ciphertext was not destroyed and was not seen at the last look, by the device's handle: an erase that was cut
   *  leaves headers that read well at some boots. */
  readonly #faded = new Map<string, string>();
  /** The model's to the device's. */
  #handles = new Map<string, string>();
  #sequences = new Map<number, number>();
  #highest = 0;

  boot(): void {
    this.model.boot();
  }

  /** The model carries a command out; handles in it are the device's. */
  ask(command: Command, fields: Asked = []): Message {
    const back = new Map([...this.#handles].map(([mine, theirs]) => [theirs, mine]));
    const answer = this.model.ask(
      command,
      [...fields].map(([key, value]) => [key, key === Key.Handle ? theirs(back, value) : value] as const),
    );
    if (command === Command.Reset) {
      this.#handles.clear();
      this.#sequences.clear();
      this.publicKeys.clear();
      this.#strays = 0;
      this.#faded.clear();
      this.#highest = 0;
    }
    return answer;
  }

  get epoch(): number {
    return (this.model.ask(Command.Info).get(Key.Epoch) as number | undefined) ?? 0;
  }
  get epochSet(): boolean {
    return this.model.ask(Command.Info).get(Key.EpochSet) === true;
  }

  /** Live records as the device should list them. */
  get entries(): Entry[] {
    return readListing(this.#known(this.model.ask(Command.List), "list")).entries.map((entry) => this.#mapped(entry));
  }
  /** As find should answer. */
  found(answer: Message): Entry[] {
    return readListing(this.#known(answer, "find")).entries.map((entry) => this.#mapped(entry));
  }

  /** The device made a change that nobody sees, such as moving records to make room, or erasing what a cut left behind; the first one
   *  of its power-up. */
  raise(): void {
    const { model } = this;
    model.boot();
    const [record] = model.records.values();
    const token = Buffer.from("a change unseen ");
    if (record === undefined) {
      const body = encodeParts([{ kind: PartKind.Opaque, secret: false, algorithm: ALG_NONE, content: token }]);
      const made = model.ask(Command.Put, [
        [Key.Token, token],
        [Key.Usage, Usage.Opaque],
        [Key.Tier, Tier.Private],
        [Key.Policy, 0],
        [Key.Body, body],
      ]);
      model.records.delete(hex(made.get(Key.Handle) as Uint8Array));
      return;
    }
    const saved = { ...record };
    model.ask(Command.Relabel, [
      [Key.Handle, record.handle],
      [Key.Token, token],
      [Key.Label, record.label === "" ? undefined : record.label],
    ]);
    Object.assign(record, saved);
  }

  /** A version that an answer named. @returns what is wrong with it */
  learn(answer: Message, told: { handle: Uint8Array; sequence: number }): string | undefined {
    const [mine, handle] = [hex(answer.get(Key.Handle) as Uint8Array), hex(told.handle)];
    const known = this.#handles.get(mine);
    if (known === undefined && [...this.#handles.values()].includes(handle)) return `handle ${handle} is used again`;
    if (known !== undefined && known !== handle) return `it answers handle ${handle} instead of ${known}`;
    this.#handles.set(mine, handle);
    return this.#learnSequence(answer.get(Key.Sequence) as number, told.sequence);
  }

  /** A command was carried out and its answer lost: what it made is whatever a look shows that was not known. */
  discover({ listing }: Seen): void {
    const theirs = new Map((listing?.entries ?? []).map((entry) => [hex(entry.handle), entry]));
    for (const known of this.#handles.values()) if (known !== "") theirs.delete(known);
    const mine = [...this.model.records.values()];
    const [made] = mine.filter((record) => !this.#handles.has(hex(record.handle)));
    const [shown] = theirs.values();
    if (made !== undefined && shown !== undefined) this.#handles.set(hex(made.handle), hex(shown.handle));
    for (const record of mine) {
      const entry = listing?.entries.find(({ handle }) => hex(handle) === this.#handles.get(hex(record.handle)));
      if (entry === undefined) continue;
      for (const [version, sequence] of [
        [record.created, entry.created],
        [record.sequence, entry.sequence],
      ] as const)
        if (!this.#sequences.has(version) && sequence > this.#highest) this.#learnSequence(version, sequence);
    }
  }

  /** A command that makes a record was cut off, at most so often. */
  strand(times: number): void {
    this.#strays += times;
  }

  /** What a look shows that is not so. Undefined: nothing. @param epoch whether it counts */
  differs(seen: Seen, epoch = true): string | undefined {
    const info = this.model.ask(Command.Info);
    return (
      differs("state", info.get(Key.State), seen.state) ??
      differs("trap code", 0, seen.trapCode) ??
      (seen.store && epoch ? differs("epoch", info.get(Key.Epoch), seen.store.epoch) : undefined) ??
      (seen.store && this.#infoDiffers(info, seen.store)) ??
      (seen.listing && differs("records that do not verify", 0, seen.listing.corrupt)) ??
      (seen.listing && this.entriesDiffer(this.entries, seen.listing.entries)) ??
      (seen.operators && this.#operatorsDiffer(seen.operators))
    );
  }

  entriesDiffer(mine: readonly Entry[], theirs: readonly Entry[]): string | undefined {
    const left = new Map(theirs.map((entry) => [hex(entry.handle), entry]));
    if (left.size !== theirs.length) return "two entries have one handle";
    for (const entry of mine) {
      const handle = hex(entry.handle);
      const other = left.get(handle);
      if (other === undefined) return `record ${handle || "that was just made"} (${entry.label}) is not there`;
      left.delete(handle);
      const wrong = differs(`record ${handle}`, text(entry), text(other));
      if (wrong !== undefined) return wrong;
    }
    for (const [handle, { label }] of left) return `record ${handle} (${label}) should not be there`;
    return undefined;
  }

  /** Residue that the device has erased meanwhile is none any more, unless it turns up again. */
  forget({ store }: Seen): void {
    if (store === undefined) return;
    const left = new Set(store.residue.map(hex));
    for (const mine of [...this.model.residue]) {
      const theirs = this.#handles.get(mine) ?? "";
      if (left.has(theirs)) continue;
      this.model.residue.delete(mine);
      this.#faded.set(theirs, mine);
    }
    for (const [theirs, mine] of this.#faded) {
      if (!left.has(theirs)) continue;
      this.model.residue.add(mine);
      this.#faded.delete(theirs);
    }
  }

  /** Whether what stands of a record may be found or not. */
  isFaded(handle: Uint8Array): boolean {
    return this.#faded.has(hex(handle));
  }

  isResidue(handle: Uint8Array): boolean {
    return [...this.model.residue].some((mine) => this.#handles.get(mine) === hex(handle));
  }

  #infoDiffers(info: Message, store: StoreInfo): string | undefined {
    const classes = (info.get(Key.Classes) as Message[]).map((one) =>
      [Key.SlotUnits, Key.Blocks, Key.Capacity, Key.Live].map((key) => one.get(key)).join(" "),
    );
    const told = store.classes.map(({ slotSize, blocks, capacity, live }) =>
      [slotSize / UNIT, blocks, capacity, live].join(" "),
    );
    const possible = new Set([...this.model.residue].map((mine) => this.#handles.get(mine)));
    const known = new Set(this.#handles.values());
    const others = store.residue.map(hex).filter((handle) => !possible.has(handle) && !this.#faded.has(handle));
    const strays = new Set(others.filter((handle) => !known.has(handle)));
    const residue = others.find((handle) => known.has(handle) || strays.size > this.#strays);
    return (
      differs("epoch set", info.get(Key.EpochSet), store.epochSet) ??
      differs("classes (units, blocks, capacity, live)", classes.join(", "), told.join(", ")) ??
      differs("custody copies", 2, store.custodyCopies) ??
      differs("accepted", 0, store.accepted) ??
      differs("corrupt", 0, store.corrupt) ??
      (residue && `residue of ${residue}, which was not evicted, or was destroyed`)
    );
  }

  #operatorsDiffer({ operators }: OperatorList): string | undefined {
    const lines = (all: (readonly [Value | undefined, Value | undefined, Value | undefined])[]): string =>
      all
        .map((one) => one.join(" "))
        .sort()
        .join(", ");
    return differs(
      "operators (id, role, pending)",
      lines(this.model.operators.list().map((one) => [one.get(Key.Operator), one.get(Key.Role), one.get(Key.Pending)])),
      lines(operators.map(({ id, role, pending }) => [id, role, pending])),
    );
  }

  #learnSequence(mine: number, theirs: number): string | undefined {
    const known = this.#sequences.get(mine);
    if (known !== undefined) return differs("sequence", known, theirs);
    if (theirs <= this.#highest) return `sequence ${theirs} after ${this.#highest}`;
    this.#highest = theirs;
    this.#sequences.set(mine, theirs);
    return undefined;
  }

  #known(answer: Message, where: string): Fields {
    const fields = new Map(answer);
    fields.delete(Key.Command);
    return new Fields(fields, where);
  }

  #mapped(entry: Entry): Entry {
    return {
      ...entry,
      handle: Buffer.from(this.#handles.get(hex(entry.handle)) ?? "", "hex"),
      sequence: this.#sequences.get(entry.sequence) ?? Number.NaN,
      created: this.#sequences.get(entry.created) ?? Number.NaN,
    };
  }
}

function theirs(back: Map<string, string>, value: Value | undefined): Uint8Array {
  const handle = hex(value as Uint8Array);
  return Buffer.from(back.get(handle) ?? handle, "hex");
}

/** An entry as one line; handles are compared before. */
export function text({ handle: _, ...entry }: Entry): string {
  return JSON.stringify(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function differs(what: string, mine: unknown, theirs: unknown): string | undefined {
  return mine === theirs ? undefined : `${what}: expected ${mine}, got ${theirs}`;
}
