/** What the store means, at the level of messages (SPEC.md §9, §11, §12), without medium, keys, slots, sessions or link: a map of
 *  records, the operators and a few numbers. The suite runs on it as on a device, and devices are compared with it step by step
 *  (driver.ts). Who asks has every role, and somebody touches the switch when that is awaited.
 *  It knows nothing of damage, of malformed bytes, of what keys compute, or of when dirty slots are erased. */
import { INNER_MAX, PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import {
  ALG_ED25519,
  ALG_X25519,
  LABEL_MAX,
  Origin,
  PartKind,
  POLICY_EXPORTABLE,
  POLICY_MAX,
  Tier,
  Usage,
} from "../../firmware/defs/record.js";
import { FORMAT_VERSION } from "../../firmware/defs/slot.js";
import { Status } from "../../firmware/defs/status.js";
import { KEY_SIZE } from "../../firmware/defs/use.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { type Message, message, type Value } from "../../host/client/message.js";
import { encodeParts } from "../../host/record.js";
import { ALL_ROLES } from "../device/session.js";
import { type Fields, Refusal } from "../device/talk.js";
import type { Target } from "../targets.js";
import { capacity, firstMisfit, room, type SlotClass } from "./geometry.js";
import { Operators } from "./operators.js";
import { entry, findsAll, get, isPlain, keysOf, publicParts, type Record, readParts, show } from "./record.js";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

const listing = (records: Record[]): [Key, Value][] => [
  [Key.Entries, records.map(entry)],
  [Key.Corrupt, 0],
];

export class ModelStore implements Target {
  readonly name: string = "model";
  /** By handle, in the order of creation. */
  readonly records = new Map<string, Record>();
  /** Evicted handles whose ciphertext may not be erased yet; whoever knows that it is takes them out. */
  readonly residue = new Set<string>();
  operators = new Operators();
  classes: SlotClass[] = [];
  #state = State.Blank;
  #manifest = "";
  #epoch = 0;
  #epochSet = false;
  #counted = false; // this power-up is counted in the epoch
  #sequence = 0;

  boot(): void {
    this.#counted = false;
  }
  /** What is erased meanwhile is the store's choice. */
  wait(): void {}
  close(): void {}

  admit(operator: string, key: Uint8Array): Status {
    const used = this.operators.use(operator, key);
    if (used === "first use") this.#change();
    return used === "unknown" ? Status.HandshakeRefused : Status.Ok;
  }

  ask(command: Command, fields: Fields = []): Message {
    try {
      return message([[Key.Command, Status.Ok], ...this.run(command, message(fields))]);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return message([
        [Key.Command, error.status],
        [Key.Detail, error.detail],
      ]);
    }
  }

  protected run(command: Command, asked: Message): Fields {
    checkLabels(asked);
    if (command === Command.Hello) return this.#hello();
    if (command === Command.Info) return this.#info();
    if (command === Command.ProvisionBegin) return this.#provision(asked);
    if (command === Command.TransportKey) return this.#transportKey();
    if (asked.has(Key.Operator)) Operators.check(asked);
    if (command === Command.Put || command === Command.Generate) checkAttributes(asked);
    if (command === Command.Policy && (asked.get(Key.Policy) as number) > POLICY_MAX)
      throw new Refusal(Status.BadArgument, Key.Policy);
    if (command === Command.Generate) checkGenerated(asked);
    if (asked.has(Key.Body)) {
      const parts = readParts(asked.get(Key.Body) as Uint8Array);
      if (parts === undefined || (asked.get(Key.Keep) === true && !isPlain(parts))) throw new Refusal(Status.BadRecord);
    }
    if (command === Command.Close) return [];
    if (command === Command.Reset) return this.#reset();
    if (this.#state === State.Blank) throw new Refusal(Status.NotProvisioned);
    if (command === Command.Put) return this.put(asked);
    if (command === Command.Generate) return this.#generate(asked);
    if (command === Command.List) return listing([...this.records.values()]);
    if (command === Command.Find)
      return listing([...this.records.values()].filter((record) => findsAll(record, asked)));
    if (command === Command.Epoch) return this.#setEpoch(asked.get(Key.Epoch) as number);
    if (command === Command.Accept) return [[Key.Accepted, 0]];
    if (command === Command.ProvisionFinish) return this.#finish();
    if (command === Command.Evict) return this.#evict(asked);
    if (command === Command.OperatorList) return [[Key.Operators, this.operators.list()]];
    if (asked.has(Key.Operator)) return this.#operator(command, asked);
    const record = this.records.get(hex(asked.get(Key.Handle) as Uint8Array));
    if (record === undefined) throw new Refusal(Status.NoSuchHandle);
    if (command === Command.Get) return get(record);
    if (command === Command.Show) return show(record);
    if (command === Command.Public) return publicParts(record);
    if (command === Command.Replace) return this.#replace(record, asked);
    if (command === Command.Relabel)
      return this.#renew(record, asked, { label: (asked.get(Key.Label) as string | undefined) ?? "" });
    if (command === Command.Policy) return this.#setPolicy(record, asked);
    throw new Error(`the model has no command ${command}`);
  }

  protected put(asked: Message): Fields {
    return written(this.#make(asked, Origin.Imported, asked.get(Key.Body) as Uint8Array));
  }

  /** A record that the store has not: of what was put, or of keys that it made. @throws Refusal */
  #make(asked: Message, origin: Origin, body: Uint8Array): Record {
    const named = asked.get(Key.Class) as number | undefined;
    if (named !== undefined && named >= this.classes.length) throw new Refusal(Status.BadArgument, Key.Class);
    const token = hex(asked.get(Key.Token) as Uint8Array);
    const label = (asked.get(Key.Label) as string | undefined) ?? "";
    const [usage, tier, policy] = [Key.Usage, Key.Tier, Key.Policy].map((key) => asked.get(key) as number) as [
      number,
      number,
      number,
    ];
    for (const made of this.records.values()) {
      if (made.firstToken === token && made.token !== token) {
        // generate tells a public key, and only of a key that was made here
        if (origin === Origin.Generated && made.origin !== origin) throw new Refusal(Status.TokenReused);
        return made;
      }
      if (made.token !== token) continue;
      const first = made.firstToken === token && made.usage === usage && made.tier === tier && made.policy === policy;
      const content = made.origin === origin && (origin === Origin.Generated || same(made.body, body));
      if (!first || made.label !== label || !content) throw new Refusal(Status.TokenReused);
      return made;
    }
    const slotClass = this.#choose(named, Buffer.byteLength(label), body.length);
    this.#change();
    const handle = Buffer.alloc(16);
    handle.writeUInt32LE(this.#sequence, 12);
    const versions = { token, firstToken: token, sequence: this.#sequence, created: this.#sequence };
    const parts = readParts(body)!;
    const attributes = { label, usage, tier, policy, origin, epoch: this.#epoch, slotClass };
    const record = { handle, ...attributes, body, parts, ...versions };
    this.records.set(hex(handle), record);
    return record;
  }

  /** The keys themselves are zeros here: no answer shows them. */
  #generate(asked: Message): Fields {
    const agree = asked.get(Key.Usage) === Usage.Agree;
    const [kind, algorithm] = agree ? [PartKind.Agreement, ALG_X25519] : [PartKind.Signing, ALG_ED25519];
    const parts = [true, false].map((secret) => ({ kind, secret, algorithm, content: new Uint8Array(KEY_SIZE) }));
    return written(this.#make(asked, Origin.Generated, encodeParts(parts)));
  }

  /** The class with the smallest slots that fit and are free. */
  #choose(named: number | undefined, label: number, length: number): number {
    const open = this.classes.map((slotClass, number) => ({ ...slotClass, number, room: room(slotClass) - label }));
    const asked = open.filter(({ number }) => named === undefined || number === named);
    const fitting = asked.filter((one) => one.room >= length);
    if (fitting.length === 0) throw new Refusal(Status.TooLarge, Math.max(...asked.map((one) => one.room)));
    const free = fitting.filter((one) => this.live(one.number) < capacity(one));
    if (free.length === 0) throw new Refusal(named === undefined ? Status.StoreFull : Status.ClassFull);
    return free.reduce((best, one) => (one.units < best.units ? one : best)).number;
  }

  #replace(record: Record, asked: Message): Fields {
    const given = asked.get(Key.Body) as Uint8Array;
    if (asked.get(Key.Keep) !== true) return this.#renew(record, asked, { body: given, origin: Origin.Imported });
    const keys = keysOf(record);
    // one message buffer holds the old body and the new parts, and has to when the request is repeated
    for (const most of [INNER_MAX - record.body.length, Math.floor((INNER_MAX - keys.length) / 2)])
      if (given.length > most) throw new Refusal(Status.TooLarge, most);
    const body = Buffer.concat([keys, given]);
    if (readParts(body) === undefined) throw new Refusal(Status.BadRecord);
    return this.#renew(record, asked, { body }, keys.length);
  }

  #setPolicy(record: Record, asked: Message): Fields {
    const policy = asked.get(Key.Policy) as number;
    if (record.origin === Origin.Generated && (policy & POLICY_EXPORTABLE) !== 0)
      throw new Refusal(Status.NotExportable);
    return this.#renew(record, asked, { policy });
  }

  /** A new version of a record: something changed, all else as before. @param keeps bytes of the body that were not given */
  #renew(
    record: Record,
    asked: Message,
    change: Partial<Pick<Record, "label" | "body" | "policy" | "origin">>,
    keeps = 0,
  ): Fields {
    const token = hex(asked.get(Key.Token) as Uint8Array);
    const next = { ...record, ...change };
    for (const made of this.records.values()) {
      if (made.token !== token && made.firstToken !== token) continue;
      const equal = made.label === next.label && made.policy === next.policy && same(made.body, next.body);
      if (made !== record || made.token !== token || !equal) throw new Refusal(Status.TokenReused);
      return written(made);
    }
    const largest = room(this.classes[record.slotClass]!) - Buffer.byteLength(next.label);
    if (next.body.length > largest) throw new Refusal(Status.TooLarge, Math.max(0, largest - keeps));
    this.#change();
    Object.assign(record, change, { parts: readParts(next.body), token, sequence: this.#sequence });
    return written(record);
  }

  #operator(command: Command, asked: Message): Fields {
    const operators = this.operators;
    if (command === Command.OperatorAdd && operators.add(asked)) this.#change();
    if (command === Command.OperatorRotate && operators.rotate(asked)) this.#change();
    if (command === Command.OperatorRole && operators.setRole(asked)) this.#change();
    if (command === Command.OperatorRemove) {
      operators.remove(asked);
      this.#change();
    }
    return [];
  }

  #reset(): Fields {
    this.records.clear();
    this.residue.clear();
    this.operators = new Operators();
    this.classes = [];
    this.#state = State.Blank;
    this.#sequence = this.#epoch = 0;
    this.#epochSet = this.#counted = false;
    return [];
  }

  #evict(asked: Message): Fields {
    const handle = hex(asked.get(Key.Handle) as Uint8Array);
    const destroy = asked.get(Key.Destroy) as boolean;
    if (!this.records.has(handle) && !(destroy && this.residue.has(handle))) throw new Refusal(Status.NoSuchHandle);
    this.#change();
    this.records.delete(handle);
    if (destroy) this.residue.delete(handle);
    else this.residue.add(handle);
    return [[Key.Destroyed, destroy]];
  }

  #setEpoch(epoch: number): Fields {
    if (epoch < this.#epoch) throw new Refusal(Status.EpochBack, this.#epoch);
    if (epoch !== this.#epoch || !this.#epochSet) this.#change();
    this.#epoch = epoch;
    this.#epochSet = true;
    return [[Key.Epoch, epoch]];
  }

  #provision(asked: Message): Fields {
    const classes = (asked.get(Key.Classes) as Message[]).map((one) => ({
      units: one.get(Key.SlotUnits) as number,
      blocks: one.get(Key.Blocks) as number,
    }));
    const manifest = `${hex(asked.get(Key.Manifest) as Uint8Array)} ${JSON.stringify(classes)}`;
    if (this.#state === State.Ready) throw new Refusal(Status.AlreadyProvisioned);
    if (this.#state === State.Provisioning && manifest !== this.#manifest) throw new Refusal(Status.OtherManifest);
    if (this.#state === State.Blank) {
      const misfit = firstMisfit(classes);
      if (misfit >= 0) throw new Refusal(Status.BadGeometry, misfit);
      this.#state = State.Provisioning;
      this.#manifest = manifest;
      this.classes = classes;
      this.#counted = true; // epoch 0 is the one of the power-up that provisioned
    }
    return [[Key.State, this.#state]];
  }

  /** The key itself is what the device made. */
  #transportKey(): Fields {
    if (this.#state !== State.Blank) throw new Refusal(Status.AlreadyProvisioned);
    return [];
  }

  #finish(): Fields {
    if (this.#state === State.Provisioning) {
      if (!this.operators.administered) throw new Refusal(Status.NoAdmin);
      this.#change();
    }
    this.#state = State.Ready;
    return [[Key.State, this.#state]];
  }

  /** Something durable changes: the sequence goes on, and the first change after a power-up raises the epoch. */
  #change(): void {
    this.#sequence++;
    if (!this.#counted && !this.#epochSet) this.#epoch++;
    this.#counted = true;
  }

  /** Records that a class holds. */
  live(slotClass: number): number {
    return [...this.records.values()].filter((record) => record.slotClass === slotClass).length;
  }

  #hello(): [Key, number][] {
    return [
      [Key.Protocol, PROTOCOL_VERSION],
      [Key.Format, FORMAT_VERSION],
      [Key.State, this.#state],
      [Key.TrapCode, 0],
    ];
  }

  #info(): Fields {
    if (this.#state === State.Blank) return [...this.#hello(), [Key.Role, ALL_ROLES]];
    const classes = this.classes.map((one, number) =>
      message([
        [Key.Class, number],
        [Key.SlotUnits, one.units],
        [Key.Blocks, one.blocks],
        [Key.Capacity, capacity(one)],
        [Key.Live, this.live(number)],
      ]),
    );
    return [
      ...this.#hello(),
      [Key.Manifest, Buffer.from(this.#manifest.slice(0, 32), "hex")],
      [Key.Classes, classes],
      [Key.Residue, [...this.residue].map((handle) => Buffer.from(handle, "hex"))],
      [Key.Epoch, this.#epoch],
      [Key.EpochSet, this.#epochSet],
      [Key.CustodyCopies, 2],
      [Key.Accepted, 0],
      [Key.Corrupt, 0],
      [Key.Role, ALL_ROLES],
    ];
  }
}

function checkLabels(asked: Message): void {
  for (const key of [Key.Label, Key.LabelPrefix]) {
    if (Buffer.byteLength((asked.get(key) as string | undefined) ?? "") > LABEL_MAX) throw new Refusal(Status.BadLabel);
  }
}

/** What put and generate name. */
function checkAttributes(asked: Message): void {
  const value = (key: Key): number => asked.get(key) as number;
  if (value(Key.Usage) > Usage.Certificate) throw new Refusal(Status.BadArgument, Key.Usage);
  if (value(Key.Tier) !== Tier.Private && value(Key.Tier) !== Tier.Public)
    throw new Refusal(Status.BadArgument, Key.Tier);
  if (value(Key.Policy) > POLICY_MAX) throw new Refusal(Status.BadArgument, Key.Policy);
}

const GENERATED: number[] = [Usage.Raw, Usage.SshSig, Usage.SshUserAuth, Usage.Note, Usage.Agree];

function checkGenerated(asked: Message): void {
  if (!GENERATED.includes(asked.get(Key.Usage) as number)) throw new Refusal(Status.BadArgument, Key.Usage);
  if (((asked.get(Key.Policy) as number) & POLICY_EXPORTABLE) !== 0) throw new Refusal(Status.BadArgument, Key.Policy);
}

const written = (record: Record): Fields => [
  [Key.Handle, record.handle],
  [Key.Sequence, record.sequence],
];
