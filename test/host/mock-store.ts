/** A mock store for tests of client and command line: answers the messages of SPEC.md §9 and §12 from memory, enough of each for a
 *  host to work with, in sessions as mock-session.ts makes them. It seals no record, loses everything when it is dropped, and is no
 *  model of the store. */
import {
  Atomic,
  BoundMedium,
  ConstantTime,
  Engine,
  EntropySource,
  PresenceSource,
  RootPlace,
  Sealing,
  Target,
} from "../../firmware/defs/binding.js";
import { ImageState } from "../../firmware/defs/image.js";
import { PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import {
  CLASSES_MAX,
  Origin,
  POLICY_EXPORTABLE,
  POLICY_PRESENCE_MASK,
  Presence,
  type Usage,
} from "../../firmware/defs/record.js";
import { Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { type Binding, encodeBinding } from "../../host/binding.js";
import { type Message, message, type Value } from "../../host/client/message.js";
import type { Operator } from "../../host/client/session.js";
import { decodeParts, encodeParts } from "../../host/record.js";
import type { Awaiting } from "./mock-device.js";
import { MockFilekeys } from "./mock-filekeys.js";
import { type Asking, MockSession, type Refusal } from "./mock-session.js";
import { agree, generate, identity, publicParts, sign, statement } from "./mock-use.js";

const BOUND: Binding = {
  ...{ target: Target.EkRa6m5, engine: Engine.Wasm3, constantTime: ConstantTime.Proven },
  ...{ core: Buffer.alloc(32, 0xcc), manifest: Buffer.alloc(32, 0x3f) },
  ...{ slots: BoundMedium.CodeFlash, data: BoundMedium.DataFlash, atomic: Atomic.SettledWord, unit: 4 },
  ...{ sealing: Sealing.Core, custody: RootPlace.DataFlash },
  ...{ entropy: EntropySource.ClockJitter, presence: PresenceSource.Switches },
};

const UNIQUE_ID = Buffer.alloc(16, 0x1d);
const TRANSPORT_PUBLIC = Buffer.alloc(32, 0x7b);

/** What an operator of a mock holds. */
export const SETUP: Operator = { id: "", key: Buffer.alloc(32, 0x5e) };
export const ADMIN: Operator = { id: "admin", key: Buffer.alloc(32, 0xad) };
export const USER: Operator = { id: "user", key: Buffer.alloc(32, 0x05) };
export const AUDITOR: Operator = { id: "auditor", key: Buffer.alloc(32, 0xa0) };

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
  readonly #filekeys = new MockFilekeys();
  residue: Uint8Array[] = [];
  /** The binding record, as info tells it: of an EK-RA6M5 in everything. */
  binding = encodeBinding(BOUND);
  /** How it stands with an image, as info tells it. */
  image = ImageState.None;
  epoch = 1;
  sequence = 0;
  /** Puts that still succeed. */
  room = Number.POSITIVE_INFINITY;

  /** Who may ask, and the session that runs. */
  readonly session = new MockSession(
    {
      isOpenToSetup: () => [State.Blank, State.Provisioning, State.CustodyDamaged].includes(this.state),
      instance: () => this.instance,
      hello: () => this.#hello(),
      needsTouch: (request, asking) => this.#needsTouch(request, asking),
      answer: (request, asking) => this.#dispatch(request.get(Key.Command) as Command, request, asking),
    },
    SETUP.key,
  );

  /** Answers one whole message of the link. */
  answer(bytes: Uint8Array): Uint8Array | Awaiting {
    return this.session.answer(bytes);
  }

  /** What a device is after provisioning: ready, with one operator of each role. */
  makeReady(): this {
    this.state = State.Ready;
    this.instance = Buffer.alloc(16, 0x15);
    this.session.operators = [
      { ...ADMIN, role: Role.Admin, refusals: 0 },
      { ...USER, role: Role.User, refusals: 0 },
      { ...AUDITOR, role: Role.Auditor, refusals: 0 },
    ];
    return this;
  }

  #dispatch(command: Command, request: Message, asking: Asking): Refusal | Message {
    if (command === Command.Info) return this.#info(asking);
    if (command === Command.ProvisionBegin) return this.#begin(request);
    if (command === Command.TransportKey) return this.#transportKey();
    if (command === Command.Attest && !request.has(Key.Handle)) return this.#attest(request);
    if (this.state === State.Blank) return Status.NotProvisioned;
    const operators = this.session.manage(command, request);
    if (operators !== undefined) return operators;
    if (command === Command.Put) return this.#put(request, Origin.Imported, request.get(Key.Body) as Uint8Array);
    if (command === Command.Generate) return this.#generate(request);
    if (command === Command.List || command === Command.Find) return this.#find(request);
    if (command === Command.Accept) return this.#set(() => this.#ready(), [[Key.Accepted, 1]]);
    if (command === Command.ProvisionFinish)
      return this.session.hasAdmin ? this.#set(() => this.#ready(), [[Key.State, State.Ready]]) : Status.NoAdmin;
    if (command === Command.Dump) return message([[Key.Data, Buffer.alloc(request.get(Key.Length) as number, 0xa5)]]);
    if (command === Command.Epoch) return this.#setEpoch(request.get(Key.Epoch) as number);
    if (command === Command.Reset) return this.#reset();
    const filekeys = this.#filekeys.answer(command, request);
    if (filekeys !== undefined) return filekeys;
    return this.#onRecord(command, request, asking);
  }

  /** SPEC.md §12, without the rule that a cached touch belongs to one command. */
  #needsTouch(request: Message, { touched }: Asking): boolean {
    const command = request.get(Key.Command);
    if (command === Command.Reset) return true;
    const record = this.#record(request);
    if (record === undefined) return false;
    const policy = record.attributes.get(Key.Policy) as number;
    if (command === Command.Policy) return isWeaker(request.get(Key.Policy) as number, policy);
    if (command !== Command.Get && command !== Command.Sign && command !== Command.Agree) return false;
    const presence = (policy & POLICY_PRESENCE_MASK) >> 1;
    return presence === Presence.Each || (presence === Presence.Cached && !touched.has(record));
  }

  #record(request: Message): MockRecord | undefined {
    return this.records.find(({ attributes }) => same(attributes.get(Key.Handle), request.get(Key.Handle)));
  }

  #transportKey(): Refusal | Message {
    if (this.state !== State.Blank) return Status.AlreadyProvisioned;
    this.image = ImageState.Awaited;
    return message([
      [Key.UniqueId, UNIQUE_ID],
      [Key.Public, TRANSPORT_PUBLIC],
    ]);
  }

  #reset(): Message {
    this.state = State.Blank;
    this.records = [];
    this.instance = Buffer.alloc(16);
    this.session.operators = [];
    return message([]);
  }

  #generate(request: Message): Refusal | Message {
    const parts = generate(request.get(Key.Usage) as Usage);
    if (parts === undefined) return [Status.BadArgument, Key.Usage];
    const known = this.records.find((record) => same(record.token, request.get(Key.Token)));
    const written =
      known === undefined ? this.#put(request, Origin.Generated, encodeParts(parts)) : this.#written(known);
    if (!(written instanceof Map)) return written;
    const record = this.records.find(({ attributes }) => same(attributes.get(Key.Handle), written.get(Key.Handle)))!;
    return new Map([...written, [Key.Public, decodeParts(record.body)[1]!.content]]);
  }

  #attest(request: Message, record?: MockRecord): Message {
    const facts = message([
      [Key.Instance, this.instance],
      [Key.Custody, 3],
      [Key.CoreHash, Buffer.alloc(32, 0xcc)],
      [Key.UniqueId, UNIQUE_ID],
      [Key.Challenge, request.get(Key.Challenge)],
    ]);
    const told = [Key.Handle, Key.Usage, Key.Tier, Key.Policy, Key.Epoch, Key.Origin, Key.Sequence, Key.Created];
    for (const key of record === undefined ? [] : told) facts.set(key, record!.attributes.get(key)!);
    const key = record && publicParts(decodeParts(record.body)).find(({ content }) => content.length === 32);
    if (key !== undefined) facts.set(Key.Public, key.content);
    const bytes = statement(facts);
    return message([
      [Key.Signature, identity.sign(bytes)],
      [Key.Statement, bytes],
      [Key.Identity, identity.publicKey],
    ]);
  }

  #set(change: () => void, answer: [Key, Value][]): Message {
    change();
    return message(answer);
  }

  #ready(): void {
    this.state = State.Ready;
  }

  #setEpoch(epoch: number): Refusal | Message {
    if (epoch < this.epoch) return [Status.EpochBack, this.epoch];
    this.epoch = epoch;
    return message([[Key.Epoch, epoch]]);
  }

  #hello(): Message {
    return message([
      [Key.Protocol, PROTOCOL_VERSION],
      [Key.Format, 0],
      [Key.Instance, this.instance],
      [Key.State, this.state],
      [Key.TrapCode, 0],
      [Key.Refusals, this.session.refusals],
    ]);
  }

  #info({ role, operator }: Asking): Message {
    const facts = message([
      [Key.Custody, 3],
      [Key.CoreHash, Buffer.alloc(32, 0xcc)],
      [Key.UniqueId, UNIQUE_ID],
      [Key.Board, 1],
      [Key.Role, role],
      [Key.Operator, operator === "" ? undefined : operator],
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
      [Key.ReservesLeft, 2_400_000],
    ]);
    const binding = message([
      [Key.Binding, this.binding],
      [Key.Image, [this.image, 0, Status.Ok]],
    ]);
    return new Map([...this.#hello(), ...facts, ...(this.state === State.Blank ? [] : store), ...binding]);
  }

  #begin(request: Message): Refusal | Message {
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

  #put(request: Message, origin: Origin, body: Uint8Array): Refusal | Message {
    const token = request.get(Key.Token) as Uint8Array;
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
      [Key.Origin, origin],
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

  #onRecord(command: Command, request: Message, asking: Asking): Refusal | Message {
    const record = this.#record(request);
    if (record === undefined) return Status.NoSuchHandle;
    asking.touched.add(record); // whoever gets here was touched for, or needed no touch
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
      case Command.Public: {
        const body = encodeParts(publicParts(parts));
        return new Map([...record.attributes, [Key.Body, body]]);
      }
      case Command.Sign:
        return sign(record.attributes.get(Key.Usage) as Usage, parts, request);
      case Command.Agree:
        return agree(record.attributes.get(Key.Usage) as Usage, parts, request);
      case Command.Attest:
        return this.#attest(request, record);
      case Command.Policy:
        record.attributes.set(Key.Policy, request.get(Key.Policy)!);
        return this.#changed(record, request);
      case Command.Replace:
        record.body = request.get(Key.Body) as Uint8Array;
        if (request.get(Key.Keep) === true)
          record.body = encodeParts([...parts.filter(({ kind }) => kind <= 2), ...decodeParts(record.body)]);
        else record.attributes.set(Key.Origin, Origin.Imported);
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

/** Whether a policy lets out more, or asks for fewer touches, than another one. */
function isWeaker(policy: number, than: number): boolean {
  const more = (policy & POLICY_EXPORTABLE) > (than & POLICY_EXPORTABLE);
  return more || (policy & POLICY_PRESENCE_MASK) < (than & POLICY_PRESENCE_MASK);
}
