/** A mock store for tests of client and command line: answers the messages of SPEC.md §9 from memory, enough of each for a host to
 *  work with. It seals nothing, loses everything when it is dropped, and is no model of the store. */
import { CLASSES_MAX, POLICY_EXPORTABLE, type Usage } from "../../firmware/defs/record.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { decodeMessage, encodeMessage, type Message, message, type Value } from "../../host/client/message.js";
import { decodeParts } from "../../host/record.js";

interface MockRecord {
  attributes: Message;
  body: Uint8Array;
  token: Uint8Array;
  firstToken: Uint8Array;
}

const same = (a: Value | undefined, b: Value | undefined) =>
  a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.compare(a, b) === 0 : a === b;

export class MockStore {
  state = State.Blank;
  records: MockRecord[] = [];
  instance = Buffer.alloc(16);
  manifest: Uint8Array = Buffer.alloc(16);
  classes: Message[] = [];
  residue: Uint8Array[] = [];
  epoch = 1;
  sequence = 0;
  /** Puts that still succeed. */
  room = Number.POSITIVE_INFINITY;

  /** Answers one whole message. */
  answer(bytes: Uint8Array): Uint8Array {
    const request = decodeMessage(bytes);
    const answer = this.#dispatch(request.get(Key.Command) as Command, request);
    return encodeMessage(
      typeof answer === "number" ? new Map([[Key.Command, answer]]) : new Map([[Key.Command, Status.Ok], ...answer]),
    );
  }

  #dispatch(command: Command, request: Message): Status | Message {
    if (command === Command.Hello) return this.#hello();
    if (command === Command.Info) return this.#info();
    if (command === Command.ProvisionBegin) return this.#begin(request);
    if (this.state === State.Blank) return Status.NotProvisioned;
    if (command === Command.Put) return this.#put(request);
    if (command === Command.List || command === Command.Find) return this.#find(request);
    if (command === Command.Accept) return this.#set(() => this.#ready(), [[Key.Accepted, 1]]);
    if (command === Command.ProvisionFinish) return this.#set(() => this.#ready(), [[Key.State, State.Ready]]);
    if (command === Command.Dump) return message([[Key.Data, Buffer.alloc(request.get(Key.Length) as number, 0xa5)]]);
    if (command === Command.Epoch) return this.#setEpoch(request.get(Key.Epoch) as number);
    return this.#onRecord(command, request);
  }

  #set(change: () => void, answer: [Key, Value][]): Message {
    change();
    return message(answer);
  }

  #ready(): void {
    this.state = State.Ready;
  }

  #setEpoch(epoch: number): Status | Message {
    if (epoch < this.epoch) return Status.EpochBack;
    this.epoch = epoch;
    return message([[Key.Epoch, epoch]]);
  }

  #hello(): Message {
    return message([
      [Key.Protocol, 1],
      [Key.Format, 0],
      [Key.Instance, this.instance],
      [Key.State, this.state],
      [Key.TrapCode, 0],
    ]);
  }

  #info(): Message {
    const facts = message([
      [Key.Custody, 3],
      [Key.CoreHash, Buffer.alloc(32, 0xcc)],
      [Key.UniqueId, Buffer.alloc(16, 0x1d)],
      [Key.Board, 1],
    ]);
    const store = message([
      [Key.Epoch, this.epoch],
      [Key.Sequence, this.sequence],
      [Key.Manifest, this.manifest],
      [Key.Classes, this.classes],
      [Key.ChangesLeft, 1_600_000],
      [Key.Residue, this.residue],
      [Key.CustodyCopies, 2],
      [Key.Accepted, 0],
      [Key.EpochSet, false],
      [Key.Corrupt, 0],
    ]);
    return new Map([...this.#hello(), ...facts, ...(this.state === State.Blank ? [] : store)]);
  }

  #begin(request: Message): Status | Message {
    const manifest = request.get(Key.Manifest) as Uint8Array;
    if (this.state !== State.Blank) {
      if (this.state !== State.Provisioning) return Status.AlreadyProvisioned;
      if (!same(manifest, this.manifest)) return Status.OtherManifest;
    }
    this.state = State.Provisioning;
    this.manifest = manifest;
    this.instance = Buffer.alloc(16, 0x15);
    const counts = [Key.Live, Key.Dirty, Key.EraseMin, Key.EraseMax, Key.EraseTotal] as const;
    this.classes = (request.get(Key.Classes) as Message[]).slice(0, CLASSES_MAX).map((one, i) => {
      const capacity = ((one.get(Key.Blocks) as number) - 1) * Math.floor(256 / (one.get(Key.SlotUnits) as number)) - 1;
      const zeros = counts.map((key): [Key, number] => [key, 0]);
      return new Map([...one, ...message([[Key.Class, i], [Key.Capacity, capacity], [Key.PutsLeft, 9999], ...zeros])]);
    });
    return message([
      [Key.Instance, this.instance],
      [Key.State, this.state],
    ]);
  }

  #put(request: Message): Status | Message {
    const [token, body] = [request.get(Key.Token), request.get(Key.Body)] as [Uint8Array, Uint8Array];
    const known = this.records.find((record) => same(record.token, token));
    if (known !== undefined) {
      const keys = [Key.Label, Key.Usage, Key.Tier, Key.Policy];
      const equal = same(known.body, body) && keys.every((key) => same(known.attributes.get(key), request.get(key)));
      return equal ? this.#written(known) : Status.TokenReused;
    }
    const replaced = this.records.find((record) => same(record.firstToken, token));
    if (replaced !== undefined) return this.#written(replaced);
    if (this.room-- <= 0) return Status.StoreFull;
    const created = ++this.sequence;
    const handle = Buffer.alloc(16, 0xab);
    handle.writeUInt32LE(created * 0x01010101, 0);
    const attributes = message([
      [Key.Handle, handle],
      [Key.Label, request.get(Key.Label)],
      [Key.Usage, request.get(Key.Usage)],
      [Key.Tier, request.get(Key.Tier)],
      [Key.Policy, request.get(Key.Policy)],
      [Key.Epoch, this.epoch],
      [Key.Origin, 2],
      [Key.Class, request.get(Key.Class) ?? 0],
      [Key.Length, body.length],
      [Key.Sequence, created],
      [Key.Parts, decodeParts(body).length],
      [Key.Custody, 3],
      [Key.Created, created],
    ]);
    this.records.unshift({ attributes, body, token, firstToken: token }); // newest first: a client has to sort
    return this.#written(this.records[0]!);
  }

  #find(request: Message): Message {
    const fits = ({ attributes }: MockRecord) => {
      const label = (attributes.get(Key.Label) as string | undefined) ?? "";
      const epoch = attributes.get(Key.Epoch) as Usage;
      const equal = [Key.Label, Key.Usage, Key.Tier, Key.Origin].every(
        (key) => !request.has(key) || same(request.get(key), attributes.get(key)),
      );
      const prefix = request.get(Key.LabelPrefix) as string | undefined;
      const [min, max] = [request.get(Key.EpochMin) ?? 0, request.get(Key.EpochMax) ?? epoch] as [number, number];
      return equal && label.startsWith(prefix ?? "") && epoch >= min && epoch <= max;
    };
    return message([
      [Key.Entries, this.records.filter(fits).map(({ attributes }) => attributes)],
      [Key.Corrupt, 0],
    ]);
  }

  #onRecord(command: Command, request: Message): Status | Message {
    const record = this.records.find(({ attributes }) => same(attributes.get(Key.Handle), request.get(Key.Handle)));
    if (record === undefined) return Status.NoSuchHandle;
    const parts = decodeParts(record.body);
    switch (command) {
      case Command.Get:
        if (
          ((record.attributes.get(Key.Policy) as number) & POLICY_EXPORTABLE) === 0 &&
          parts.some(({ secret }) => secret)
        )
          return Status.NotExportable;
        return new Map([...record.attributes, [Key.Body, record.body]]);
      case Command.Show: {
        const shown = parts.map((part) =>
          message([
            [Key.Length, part.content.length],
            [Key.Kind, part.kind],
            [Key.Flags, part.secret ? 1 : 0],
            [Key.Algorithm, part.algorithm],
          ]),
        );
        return new Map([...record.attributes, [Key.Parts, shown]]);
      }
      case Command.Evict:
        this.records = this.records.filter((other) => other !== record);
        if (request.get(Key.Destroy) === false) this.residue.push(request.get(Key.Handle) as Uint8Array);
        return message([[Key.Destroyed, request.get(Key.Destroy)]]);
      case Command.Replace:
        record.body = request.get(Key.Body) as Uint8Array;
        record.attributes.set(Key.Length, record.body.length).set(Key.Parts, decodeParts(record.body).length);
        return this.#changed(record, request);
      case Command.Relabel:
        if (request.has(Key.Label)) record.attributes.set(Key.Label, request.get(Key.Label)!);
        else record.attributes.delete(Key.Label);
        return this.#changed(record, request);
      default:
        return Status.UnknownCommand;
    }
  }

  #changed(record: MockRecord, request: Message): Message {
    record.token = request.get(Key.Token) as Uint8Array;
    record.attributes.set(Key.Sequence, ++this.sequence);
    return this.#written(record);
  }

  #written({ attributes }: MockRecord): Message {
    return message([
      [Key.Handle, attributes.get(Key.Handle)],
      [Key.Sequence, attributes.get(Key.Sequence)],
    ]);
  }
}
