/** What the users of a soaked store do: random commands to the real client, each with what the model is asked and how the answers are
 *  compared. Everything follows from the dice and from what the model holds. */
import { x25519 } from "@noble/curves/ed25519.js";
import { ALG_NONE, Origin, PartKind, Presence, Tier, TOKEN_SIZE, Usage } from "../../firmware/defs/record.js";
import { PSK_SIZE, Role } from "../../firmware/defs/session.js";
import type { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import type { Entry } from "../../host/client/answers.js";
import { verifyAttestation } from "../../host/client/attestation.js";
import type { Client } from "../../host/client/client.js";
import type { Message } from "../../host/client/message.js";
import type { FindRequest } from "../../host/client/requests.js";
import { rolesOf } from "../../host/client/roles.js";
import { encodeParts, type Part } from "../../host/record.js";
import type { Fields } from "../device/talk.js";
import { room } from "../model/geometry.js";
import type { Dice } from "./dice.js";
import { differs, hex, text, type World } from "./world.js";

/** One command, as the client is asked and as the model is. */
export interface Task<T = unknown> {
  command: Command;
  /** What the model is asked: mostly the same. */
  model: Command;
  /** Handles are the device's. */
  fields: Fields;
  call(client: Client): Promise<T>;
  /** The model said Ok, and so did the device: @returns what is wrong with its answer. */
  check?(answer: Message, told: T): string | undefined;
  /** It was carried out. `told` is undefined when nobody heard the answer. */
  done?(told: T | undefined): void;
  /** It may end or refuse the session that asks. */
  endsSession?: boolean;
  /** No look shows whether it was carried out, so it is asked when nothing disturbs. */
  unseen?: boolean;
}

/** Keys of operators, as their owners keep them. */
export interface Keys {
  used?: Uint8Array | undefined;
  pending?: Uint8Array | undefined;
}

const GENERATED = [Usage.Raw, Usage.SshSig, Usage.SshUserAuth, Usage.Note, Usage.Agree];
const LABELS = ["a", "key", "key 2", "ключ", "a label of exactly forty-eight bytes, not one more", "🔑".repeat(12)];
/** Operators that stay as they are: one to look with, and one for the second client. */
export const STAYS = ["admin", "second"];

export class Tasks {
  readonly keys = new Map<string, Keys>();
  #tokens: Uint8Array[] = [];
  #dead: Uint8Array[] = [];

  constructor(
    readonly world: World,
    readonly dice: Dice,
  ) {}

  /** What somebody with this role may ask; now and then something else. */
  next(role: Role): Task {
    for (;;) {
      const task = this.#any();
      if (this.isAllowed(task, role) || this.dice.chance(2)) return task;
    }
  }

  isAllowed(task: Task, role: Role): boolean {
    return (rolesOf(task.command) & role) !== 0;
  }

  /** A record as its user reads it, or its public parts. */
  read(handle: Uint8Array, exportable: boolean): Task {
    return exportable ? this.#get(handle) : this.#public(handle);
  }

  #any(): Task {
    const { dice } = this;
    return dice.weighted<() => Task>([
      [20, () => this.#put()],
      [7, () => this.#generate()],
      [8, () => this.#replace()],
      [3, () => this.#attach()],
      [5, () => this.#relabel()],
      [5, () => this.#policy()],
      [12, () => this.#evict()],
      [10, () => this.#get()],
      [5, () => this.#sign()],
      [3, () => this.#agree()],
      [3, () => this.#attest()],
      [4, () => this.#public()],
      [3, () => this.#show()],
      [4, () => this.#find()],
      [4, () => this.#list()],
      [6, () => this.#operator()],
      [1, () => this.#epoch()],
      [1, () => plain(Command.Accept, [], (client) => client.accept())],
    ])();
  }

  #entry(which: (entry: Entry) => boolean = () => true): Entry | undefined {
    return this.dice.oneOf(this.world.entries.filter(which));
  }
  /** Mostly a record that is there; sometimes one that was; seldom one that never was. */
  #handle(which?: (entry: Entry) => boolean): Uint8Array {
    const live = this.dice.chance(93) ? this.#entry(which)?.handle : this.dice.oneOf(this.#dead);
    return live ?? this.dice.bytes(16);
  }
  #token(): Uint8Array {
    const used = this.dice.chance(4) ? this.dice.oneOf(this.#tokens.slice(-12)) : undefined;
    const token = used ?? this.dice.bytes(TOKEN_SIZE);
    this.#tokens = [...this.#tokens.slice(-20), token];
    return token;
  }
  #label(): string | undefined {
    return this.dice.chance(25) ? undefined : this.dice.oneOf(LABELS);
  }
  /** Of a length that is small, near what a class holds, or anything. */
  #body(): Uint8Array {
    const { dice } = this;
    const rooms = this.world.model.classes.map(room);
    const most = Math.min(Math.max(...rooms) + 10, 30_000);
    const near = Math.min((dice.oneOf(rooms) ?? most) - dice.below(70), most);
    const length = dice.weighted([
      [6, dice.between(12, 300)],
      [3, Math.max(12, near)],
      [1, dice.between(12, most)],
    ]);
    const first = length > 40 && dice.chance(40) ? dice.between(10, length - 20) : length;
    return encodeParts([first, length - first].filter((size) => size > 0).map((size) => this.#part(size)));
  }
  #part(
    size: number,
    kind = this.dice.between(PartKind.Signing, PartKind.Opaque),
    secret = this.dice.chance(50),
  ): Part {
    return { kind, secret, algorithm: ALG_NONE, content: this.dice.bytes(Math.max(1, size - 8)) };
  }
  #presence(): number {
    return this.dice.chance(75) ? 0 : this.dice.oneOf([Presence.Cached, Presence.Each])! << 1;
  }

  #put(): Task {
    const { dice } = this;
    const request = {
      token: this.#token(),
      label: this.#label(),
      usage: dice.below(8) as Usage,
      tier: dice.between(Tier.Private, Tier.Public) as Tier,
      policy: Number(dice.chance(70)) + this.#presence(),
      slotClass: dice.chance(15) ? dice.below(this.world.model.classes.length) : undefined,
      body: this.#body(),
    };
    const fields: Fields = [...attributes(request), [Key.Body, request.body]];
    return this.#writing(Command.Put, fields, (client) => client.put(defined(request)));
  }

  #generate(): Task {
    const { dice } = this;
    const request = {
      token: this.#token(),
      label: this.#label(),
      usage: dice.oneOf(GENERATED)!,
      tier: Tier.Private,
      policy: this.#presence(),
      slotClass: undefined,
    };
    return this.#writing(Command.Generate, attributes(request), (client) => client.generate(defined(request)));
  }

  #replace(): Task {
    const [handle, token, body] = [this.#handle(), this.#token(), this.#body()];
    const fields: Fields = [
      [Key.Handle, handle],
      [Key.Token, token],
      [Key.Body, body],
    ];
    return this.#writing(Command.Replace, fields, (client) => client.replace(handle, body, { token }));
  }

  #attach(): Task {
    const { dice } = this;
    const size = dice.chance(80) ? dice.between(10, 600) : dice.between(10, 20_000);
    const [handle, token] = [this.#handle(({ origin }) => origin === Origin.Generated), this.#token()];
    const body = encodeParts([this.#part(size, dice.between(PartKind.Chain, PartKind.Opaque), false)]);
    const fields: Fields = [
      [Key.Handle, handle],
      [Key.Token, token],
      [Key.Body, body],
      [Key.Keep, true],
    ];
    return this.#writing(Command.Replace, fields, (client) => client.replace(handle, body, { token, keep: true }));
  }

  #relabel(): Task {
    const [handle, token, label] = [this.#handle(), this.#token(), this.#label()];
    const fields: Fields = [
      [Key.Handle, handle],
      [Key.Token, token],
      [Key.Label, label],
    ];
    return this.#writing(Command.Relabel, fields, (client) => client.relabel(handle, label, token));
  }

  #policy(): Task {
    const [handle, token] = [this.#handle(), this.#token()];
    const policy = Number(this.dice.chance(60)) + this.#presence();
    const fields: Fields = [
      [Key.Handle, handle],
      [Key.Token, token],
      [Key.Policy, policy],
    ];
    return this.#writing(Command.Policy, fields, (client) => client.policy(handle, policy, token));
  }

  /** A command that makes a version of a record. */
  #writing(
    command: Command,
    fields: Fields,
    call: (client: Client) => Promise<{ handle: Uint8Array; sequence: number; publicKey?: Uint8Array }>,
  ): Task {
    const { world } = this;
    const task: Task<Awaited<ReturnType<typeof call>>> = {
      ...plain(command, fields, call),
      check: (answer, told) => {
        const wrong = world.learn(answer, told);
        if (wrong !== undefined || told.publicKey === undefined) return wrong;
        const known = world.publicKeys.get(hex(told.handle));
        world.publicKeys.set(hex(told.handle), hex(told.publicKey));
        return known === undefined ? undefined : differs("public key", known, hex(told.publicKey));
      },
    };
    return task as Task;
  }

  #evict(): Task {
    const [handle, destroy] = [this.#handle(), this.dice.chance(40)];
    const fields: Fields = [
      [Key.Handle, handle],
      [Key.Destroy, destroy],
    ];
    return {
      ...plain(Command.Evict, fields, (client) => client.evict(handle, destroy)),
      check: (_answer, told: { destroyed: boolean }) => differs("destroyed", destroy, told.destroyed),
      done: () => {
        this.#dead = [...this.#dead.slice(-20), handle];
      },
    } as Task;
  }

  #get(handle = this.#handle()): Task {
    return {
      ...plain(Command.Get, [[Key.Handle, handle]], (client) => client.get(handle)),
      check: (answer, told: Entry & { body: Uint8Array }) => this.#isRecord(answer, handle, told),
    } as Task;
  }

  #public(handle = this.#handle()): Task {
    return {
      ...plain(Command.Public, [[Key.Handle, handle]], (client) => client.publicParts(handle)),
      check: (answer, told: Entry & { body: Uint8Array }) => this.#isRecord(answer, handle, told),
    } as Task;
  }

  #isRecord(answer: Message, handle: Uint8Array, { body, ...entry }: Entry & { body: Uint8Array }): string | undefined {
    const mine = this.world.entries.find((one) => hex(one.handle) === hex(handle));
    const content = answer.get(Key.Body) as Uint8Array | undefined;
    return (
      differs("entry", mine && text(mine), text(entry)) ??
      (content && this.#isKnown(handle) ? differs("body", hex(content), hex(body)) : undefined)
    );
  }
  /** The model has zeros in the place of keys that the device made. */
  #isKnown(handle: Uint8Array): boolean {
    return this.world.entries.some((one) => hex(one.handle) === hex(handle) && one.origin === Origin.Imported);
  }

  #show(): Task {
    const handle = this.#handle();
    return {
      ...plain(Command.Show, [[Key.Handle, handle]], (client) => client.show(handle)),
      check: (answer, told: Awaited<ReturnType<Client["show"]>>) =>
        differs("parts", (answer.get(Key.Parts) as Message[]).length, told.parts.length) ??
        differs("label", answer.get(Key.Label), told.label),
    } as Task;
  }

  #list(): Task {
    return {
      ...plain(Command.List, [], (client) => client.list()),
      check: (_answer, told: Entry[]) => this.world.entriesDiffer(this.world.entries, told),
    } as Task;
  }

  #find(): Task {
    const { dice } = this;
    const what: FindRequest = {};
    if (dice.chance(25)) what.label = dice.oneOf(LABELS)!;
    if (dice.chance(40)) what.usage = dice.below(8) as Usage;
    if (dice.chance(30)) what.origin = dice.between(Origin.Generated, Origin.Imported) as Origin;
    if (dice.chance(30)) what.labelPrefix = dice.oneOf(["", "key", "ключ"])!;
    if (dice.chance(20)) what.epochMin = dice.below(40);
    const fields: Fields = [
      [Key.Label, what.label],
      [Key.Usage, what.usage],
      [Key.Origin, what.origin],
      [Key.LabelPrefix, what.labelPrefix],
      [Key.EpochMin, what.epochMin],
    ];
    return {
      ...plain(Command.Find, fields, (client) => client.find(what)),
      check: (answer, told: Entry[]) => this.world.entriesDiffer(this.world.found(answer), told),
    } as Task;
  }

  /** With a key that the device made. The client checks the signature. */
  #sign(): Task {
    const entry = this.#entry(({ origin, usage }) => origin === Origin.Generated && usage === Usage.Raw);
    if (entry === undefined) return this.#generate();
    const data = this.dice.bytes(this.dice.chance(90) ? this.dice.between(1, 300) : this.dice.between(1, 20_000));
    data[0] = 0; // no message of another class begins so
    return {
      ...plain(Command.Sign, [[Key.Handle, entry.handle]], (client) => client.sign(entry.handle, data)),
      model: Command.Show,
      check: (_answer, told: Awaited<ReturnType<Client["sign"]>>) => {
        const known = this.world.publicKeys.get(hex(entry.handle));
        return known === undefined ? undefined : differs("public key", known, hex(told.publicKey));
      },
    } as Task;
  }

  #agree(): Task {
    const entry = this.#entry(({ origin, usage }) => origin === Origin.Generated && usage === Usage.Agree);
    if (entry === undefined) return this.#generate();
    const mine = this.dice.bytes(32);
    return {
      ...plain(Command.Agree, [[Key.Handle, entry.handle]], (client) =>
        client.agree(entry.handle, x25519.getPublicKey(mine)),
      ),
      model: Command.Show,
      check: (_answer, told: Uint8Array) => {
        const known = this.world.publicKeys.get(hex(entry.handle));
        if (known === undefined) return undefined;
        return differs("shared secret", hex(x25519.getSharedSecret(mine, Buffer.from(known, "hex"))), hex(told));
      },
    } as Task;
  }

  #attest(): Task {
    const entry = this.#entry(({ origin }) => origin === Origin.Generated);
    if (entry === undefined) return this.#generate();
    const challenge = this.dice.bytes(this.dice.between(16, 64));
    return {
      ...plain(Command.Attest, [[Key.Handle, entry.handle]], (client) => client.attest(challenge, entry.handle)),
      model: Command.Show,
      check: (_answer, told: Awaited<ReturnType<Client["attest"]>>) => {
        const { record } = verifyAttestation({ challenge, ...told });
        const said = [record?.usage, record?.policy, record?.epoch, record?.sequence, record?.created].join(" ");
        const { usage, policy, epoch, sequence, created } = entry;
        return differs("attestation", [usage, policy, epoch, sequence, created].join(" "), said);
      },
    } as Task;
  }

  #epoch(): Task {
    const epoch = this.world.epoch + this.dice.between(-1, 3);
    if (epoch < 0 || this.dice.chance(70)) return this.#list();
    return {
      ...plain(Command.Epoch, [[Key.Epoch, epoch]], (client) => client.epoch(epoch)),
      check: (_answer, told: number) => differs("epoch", epoch, told),
    } as Task;
  }

  /** An operator comes, changes or goes. Using a pending key is asked by the soak itself. */
  #operator(): Task {
    const { dice, world } = this;
    const others = world.model.operators.ids.filter((id) => !STAYS.includes(id));
    const known = (dice.chance(85) ? dice.oneOf(others) : undefined) ?? `id-${dice.below(18)}`;
    const key = dice.bytes(PSK_SIZE);
    const role = dice.oneOf([Role.Auditor, Role.User, Role.User, Role.Admin])!;
    return dice.weighted<() => Task>([
      [8, () => this.add(dice.chance(90) ? `id-${dice.below(18)}` : known, role, key)],
      [5, () => this.rotate(dice.chance(25) ? "admin" : known, key)],
      [3, () => this.#role(known, role)],
      [4, () => this.#remove(known)],
    ])();
  }

  add(id: string, role: Role, key: Uint8Array): Task {
    const fields: Fields = [
      [Key.Role, role],
      [Key.Operator, id],
      [Key.Secret, key],
    ];
    const done = () => {
      this.keys.set(id, { pending: key });
    };
    return { ...plain(Command.OperatorAdd, fields, (client) => client.operatorAdd({ id, role, key })), done };
  }

  rotate(id: string, key: Uint8Array): Task {
    const fields: Fields = [
      [Key.Operator, id],
      [Key.Secret, key],
    ];
    const done = () => {
      this.keys.set(id, { ...this.keys.get(id), pending: key });
    };
    const unseen = this.keys.get(id)?.pending !== undefined; // one pending key looks like another
    return { ...plain(Command.OperatorRotate, fields, (client) => client.operatorRotate({ id, key })), done, unseen };
  }

  #role(id: string, role: Role): Task {
    const fields: Fields = [
      [Key.Role, role],
      [Key.Operator, id],
    ];
    return { ...plain(Command.OperatorRole, fields, (client) => client.operatorRole(id, role)), endsSession: true };
  }

  #remove(id: string): Task {
    const call = (client: Client) => client.operatorRemove(id);
    const done = () => {
      this.keys.delete(id);
    };
    return { ...plain(Command.OperatorRemove, [[Key.Operator, id]], call), done, endsSession: true };
  }

  begin(): Task {
    const { dice } = this;
    const classes = dice.oneOf([
      [{ slotSize: 4096, blocks: 9 }],
      [
        { slotSize: 1024, blocks: 3 },
        { slotSize: 4096, blocks: 8 },
      ],
      [
        { slotSize: 512, blocks: 2 },
        { slotSize: 32_768, blocks: 6 },
      ],
      [
        { slotSize: 8192, blocks: 4 },
        { slotSize: 2048, blocks: 2 },
        { slotSize: 4096, blocks: 3 },
      ],
    ])!;
    const manifest = dice.bytes(16);
    const maps = classes.map(
      ({ slotSize, blocks }): Message =>
        new Map<number, number>([
          [Key.SlotUnits, slotSize / 128],
          [Key.Blocks, blocks],
        ]),
    );
    const fields: Fields = [
      [Key.Manifest, manifest],
      [Key.Classes, maps],
    ];
    return plain(Command.ProvisionBegin, fields, (client) => client.provisionBegin(manifest, classes));
  }

  finish(): Task {
    return {
      ...plain(Command.ProvisionFinish, [], (client) => client.provisionFinish()),
      check: (_answer, told: { state: State }) => differs("state", State.Ready, told.state),
    } as Task;
  }

  reset(): Task {
    const done = () => {
      this.keys.clear();
      this.#dead = [];
    };
    return { ...plain(Command.Reset, [], (client) => client.reset()), done, endsSession: true };
  }
}

function plain<T>(command: Command, fields: Fields, call: (client: Client) => Promise<T>): Task<T> {
  return { command, model: command, fields: [...fields], call };
}

function attributes(request: {
  token: Uint8Array;
  label: string | undefined;
  usage: number;
  tier: number;
  policy: number;
  slotClass: number | undefined;
}): Fields {
  return [
    [Key.Token, request.token],
    [Key.Label, request.label],
    [Key.Usage, request.usage],
    [Key.Tier, request.tier],
    [Key.Policy, request.policy],
    [Key.Class, request.slotClass],
  ];
}

/** Without what is undefined. */
function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

export const statusOf = (answer: Message): Status => answer.get(Key.Command) as Status;
