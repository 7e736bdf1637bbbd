/** The store that damage is done to: records in two classes, dead slots, operators of which one has a pending key, counted refusals; and
 *  what a host can see of it, as bytes, to compare. Relies on planted sessions (test/device/session.ts); no test framework. */
import type { Random } from "../../board/virtual/prng.js";
import { PART_HEADER, PART_SECRET, PartKind, Tier, Usage } from "../../firmware/defs/record.js";
import { Role } from "../../firmware/defs/session.js";
import { HEADER_MAGIC, HEADER_OFF_HANDLE } from "../../firmware/defs/slot.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, type State } from "../../firmware/defs/wire.js";
import { encodeMessage, type Message, message } from "../../host/client/message.js";
import type { Device } from "../device/device.js";
import { type Fields, Refusal, Talk } from "../device/talk.js";
import { load, type Media, save } from "../torture/film.js";

const UNIT = 128;
const BLOCK = 32768;

/** Two classes: many small slots in two blocks, a few larger ones in three. */
export const CLASSES = [
  { units: 4, blocks: 2 },
  { units: 22, blocks: 3 },
];

export { load as restore, type Media, save };

/** One place of a record in the slot region, live or dead. */
export interface Slot {
  readonly name: string;
  readonly handle: Uint8Array;
  /** Offset in the slot region, and size of the slot. */
  readonly at: number;
  readonly size: number;
  readonly live: boolean;
  readonly labelLength: number;
  readonly bodyLength: number;
  /** What opens the seal. */
  readonly question: Uint8Array;
}

export interface Operator {
  readonly id: string;
  readonly key: Uint8Array;
  readonly place: number;
  readonly pending: boolean;
}

/** What a host sees without opening a seal. */
export interface Shown {
  readonly state: State;
  readonly refusals: number;
  /** Answers to list and to the list of operators, as bytes. */
  readonly list: Buffer;
  readonly operators: Buffer;
}

export interface Scene {
  readonly media: Media;
  readonly slots: readonly Slot[];
  readonly operators: readonly Operator[];
  /** Places of operators and of refusal counts that hold something that counts no more, or nothing. */
  readonly shown: Shown;
  /** Answers to the questions of all live records, in their order. */
  readonly answers: readonly Buffer[];
  /** What was shown before the last change. */
  readonly earlier: Shown;
}

/** What was changed last, so that the newest journal record speaks of it. */
export type Last = "put" | "replace" | "evict" | "operator";
export const LASTS: readonly Last[] = ["put", "replace", "evict", "operator"];

const request = (command: Command, fields: Fields = []): Uint8Array =>
  encodeMessage(message([[Key.Command, command], ...fields]));
const LIST = request(Command.List);
const OPERATORS = request(Command.OperatorList);

export function look(talk: Talk): Shown {
  const hello = talk.ask(Command.Hello);
  return {
    state: hello.get(Key.State) as State,
    refusals: hello.get(Key.Refusals) as number,
    list: Buffer.from(talk.sealed(LIST)),
    operators: Buffer.from(talk.sealed(OPERATORS)),
  };
}

/** Asks what opens a record's seal. */
export const open = (talk: Talk, slot: Slot): Buffer => Buffer.from(talk.sealed(slot.question));

const STRANGER = { name: "", question: new Uint8Array(0), label: 0, length: 0 };

export class Fill {
  readonly talk: Talk;
  readonly #questions = new Map<string, { name: string; question: Uint8Array; label: number; length: number }>();

  constructor(
    readonly device: Device,
    readonly random: Random,
  ) {
    this.talk = new Talk(device);
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.random() >>> 24);
  }
  body(length: number): Uint8Array {
    const body = Buffer.from(this.bytes(length));
    body[0] = PartKind.Opaque;
    body[1] = PART_SECRET;
    body.writeUInt16LE(length - PART_HEADER, 2);
    body.writeInt32LE(0, 4);
    return body;
  }

  boot(): this {
    this.device.boot();
    this.talk.reset();
    return this;
  }

  put(name: string, length: number, label?: string, slotClass?: number): Uint8Array {
    const answer = this.talk.ask(Command.Put, [
      [Key.Token, this.bytes(16)],
      [Key.Label, label],
      [Key.Usage, Usage.Opaque],
      [Key.Tier, Tier.Private],
      [Key.Policy, 1],
      [Key.Class, slotClass],
      [Key.Body, this.body(length)],
    ]);
    return this.note(name, answer, Command.Get, label, length);
  }

  generate(name: string, usage: Usage, label: string): Uint8Array {
    const answer = this.talk.ask(Command.Generate, [
      [Key.Token, this.bytes(16)],
      [Key.Label, label],
      [Key.Usage, usage],
      [Key.Tier, Tier.Private],
      [Key.Policy, 0],
    ]);
    return this.note(name, answer, Command.Public, label, 2 * (PART_HEADER + 32));
  }

  note(name: string, answer: Message, command: Command, label: string | undefined, length: number): Uint8Array {
    const handle = answer.get(Key.Handle) as Uint8Array;
    const question = request(command, [[Key.Handle, handle]]);
    this.#questions.set(hex(handle), { name, question, label: label?.length ?? 0, length });
    return handle;
  }

  replace(handle: Uint8Array, length: number): void {
    this.talk.ask(Command.Replace, [
      [Key.Handle, handle],
      [Key.Token, this.bytes(16)],
      [Key.Body, this.body(length)],
    ]);
    const known = this.#questions.get(hex(handle));
    if (known !== undefined) known.length = length;
  }

  evict(handle: Uint8Array): void {
    this.talk.ask(Command.Evict, [
      [Key.Handle, handle],
      [Key.Destroy, false],
    ]);
  }

  operator(id: string, role: Role, used: boolean): void {
    this.talk.ask(Command.OperatorAdd, [
      [Key.Role, role],
      [Key.Operator, id],
      [Key.Secret, keyOf(id)],
    ]);
    if (used) this.use(id, keyOf(id));
  }
  /** The first message of a session, with which a pending key becomes the operator's own. */
  use(id: string, key: Uint8Array): void {
    this.talk.handshake(id, key);
    this.talk.ask(Command.Info);
    this.talk.session = undefined;
  }

  /** Every header in the slot region that names a record. @param live handles that list answers. @param strangers whose names and sizes are
   *  unknown here */
  slotsNow(live: readonly string[], strangers = false): Slot[] {
    const { slots, slotsOffset } = this.device;
    const found: Slot[] = [];
    let from = 0;
    for (const { units, blocks } of CLASSES) {
      const perBlock = Math.floor(BLOCK / UNIT / units);
      for (let n = 0; n < blocks * perBlock; n++) {
        const at = from + Math.floor(n / perBlock) * BLOCK + (n % perBlock) * units * UNIT;
        const bytes = slots.bytes.subarray(slotsOffset + at);
        if (bytes.readUInt16LE(0) !== HEADER_MAGIC) continue;
        const handle = Uint8Array.from(bytes.subarray(HEADER_OFF_HANDLE, HEADER_OFF_HANDLE + 16));
        const known = this.#questions.get(hex(handle)) ?? (strangers ? STRANGER : undefined);
        if (known === undefined) throw new Error(`a header at ${at} names no record of this scene`);
        const { name, question, label, length } = known;
        const kept = { name, handle, question, labelLength: label, bodyLength: length };
        found.push({ ...kept, at, size: units * UNIT, live: live.includes(hex(handle)) });
      }
      from += blocks * BLOCK;
    }
    // of several versions of a record the newest lives: the highest sequence
    const sequence = ({ at }: Slot) => slots.bytes.readUInt32LE(slotsOffset + at + 4);
    const isNewest = (slot: Slot) =>
      found.every((other) => hex(other.handle) !== hex(slot.handle) || sequence(other) <= sequence(slot));
    return found.map((slot) => ({ ...slot, live: slot.live && isNewest(slot) }));
  }
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
export const keyOf = (id: string, n = 0): Uint8Array => Buffer.alloc(32, `${id} ${n} `);

/** Handles in an answer to list. */
export function handlesIn(list: Uint8Array, decode: (bytes: Uint8Array) => Message): string[] {
  const entries = decode(list).get(Key.Entries) as Message[];
  return entries.map((entry) => hex(entry.get(Key.Handle) as Uint8Array));
}

/** Fills a blank device. @param last the change that the newest journal record speaks of */
export function fill(device: Device, random: Random, last: Last, decode: (bytes: Uint8Array) => Message): Scene {
  const to = new Fill(device, random).boot();
  const { talk } = to;
  talk.ask(Command.ProvisionBegin, [
    [Key.Manifest, new Uint8Array(16).fill(9)],
    [
      Key.Classes,
      CLASSES.map(
        ({ units, blocks }) =>
          new Map([
            [Key.SlotUnits, units],
            [Key.Blocks, blocks],
          ]),
      ),
    ],
  ]);
  to.operator("admin", Role.Admin, true);
  to.operator("user", Role.User, true);
  to.operator("waits", Role.Auditor, false);
  to.operator("gone", Role.User, true);
  talk.ask(Command.OperatorRotate, [
    [Key.Operator, "user"],
    [Key.Secret, keyOf("user", 1)],
  ]);
  talk.ask(Command.OperatorRemove, [[Key.Operator, "gone"]]);
  talk.ask(Command.ProvisionFinish);
  for (let life = 0; life < 5; life++) {
    to.boot(); // the first refusal of each power-up is written
    refused(talk);
  }
  to.put("small", 130, "small one");
  const evicted = to.put("evicted", 200, "evicted");
  const replaced = to.put("replaced", 384);
  to.generate("signing key", Usage.Raw, "signs");
  to.generate("agreement key", Usage.Agree, "agrees");
  to.put("large", 2000, "large one", 1);
  to.put("large and full", 2688, undefined, 1);
  to.put("one unit", 100, "its label is as long as a label can become 48 by", 1);
  to.replace(replaced, 384);
  to.evict(evicted);
  const earlier = look(to.boot().talk);
  const act: Record<Last, () => void> = {
    put: () => void to.put("newest", 60, "newest"),
    replace: () => to.replace(replaced, 300),
    evict: () => to.evict(replaced),
    operator: () => to.operator("late", Role.User, false),
  };
  act[last]();
  to.boot();
  const shown = look(talk);
  const slots = to.slotsNow(handlesIn(shown.list, decode));
  const answers = slots.filter(({ live }) => live).map((slot) => open(talk, slot));
  for (const answer of answers) {
    const status = decode(answer).get(Key.Command) as Status;
    if (status !== Status.Ok) throw new Error(`a record of the scene answers ${Status[status]}`);
  }
  const operators = [
    { id: "admin", key: keyOf("admin"), place: 0, pending: false },
    { id: "user", key: keyOf("user"), place: 1, pending: false },
    { id: "waits", key: keyOf("waits"), place: 2, pending: true },
    { id: "user", key: keyOf("user", 1), place: 4, pending: true },
    ...(last === "operator" ? [{ id: "late", key: keyOf("late"), place: 3, pending: true }] : []),
  ];
  return { media: save(device), slots, operators, shown, answers, earlier };
}

function refused(talk: Talk): void {
  try {
    talk.handshake("user", new Uint8Array(32));
  } catch (error) {
    if (error instanceof Refusal && error.status === Status.HandshakeRefused) return;
    throw error;
  }
  throw new Error("a wrong key was accepted");
}
