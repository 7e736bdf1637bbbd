/** Short words for tests of the store: provisioned targets, records, operators, answers in a readable form, and a look at the medium. */
import type { Nor } from "../../board/virtual/nor.js";
import { seeded } from "../../board/virtual/prng.js";
import { PART_HEADER, PART_SECRET, PartKind, Tier, Usage } from "../../firmware/defs/record.js";
import { Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { type Message, message, type Value } from "../../host/client/message.js";
import type { Device } from "../device/device.js";
import { V8Device } from "../device/v8.js";
import type { SlotClass } from "../model/geometry.js";
import { Bench, type Kind, seed, type Target } from "../targets.js";

const random = seeded(seed);

/** 31 × 8 slots of 4 KB that records may fill, one of them kept for replace. */
export const WHOLE: SlotClass[] = [{ units: 32, blocks: 32 }];
/** Three slots of 4 KB for records, in two blocks. */
export const SMALL: SlotClass[] = [{ units: 64, blocks: 2 }];

export const randomBytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => random() >>> 24);
export const token = (): Uint8Array => randomBytes(16);

/** A body of `length` bytes in one part. */
export function body(length = 64, { kind = PartKind.Opaque, secret = false } = {}): Uint8Array {
  const part = Buffer.from(randomBytes(length));
  part[0] = kind;
  part[1] = secret ? PART_SECRET : 0;
  part.writeUInt16LE(length - PART_HEADER, 2);
  return part;
}

export function geometry(classes: readonly SlotClass[]): Message[] {
  return classes.map(({ units, blocks }) =>
    message([
      [Key.SlotUnits, units],
      [Key.Blocks, blocks],
    ]),
  );
}

/** The admin of every store that `provisioned` and `ready` make, with a used key. */
export const ADMIN = "admin";
export const ADMIN_KEY: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => (37 * i + 11) & 0xff);

/** A new target with these classes, ready, in the power-up that provisioned it. */
export function provisioned<T extends Target>(kind: Kind<T>, classes: readonly SlotClass[] = WHOLE): T {
  const target = kind.make();
  begin(target, classes);
  addAdmin(target);
  const status = target.ask(Command.ProvisionFinish).get(Key.Command) as number;
  if (status !== Status.Ok) throw new Error(`ProvisionFinish answers ${Status[status]}`);
  return target;
}

/** Adds the admin that ProvisionFinish asks for. */
export function addAdmin(target: Target): void {
  const added = addOperator(target, ADMIN, Role.Admin, ADMIN_KEY);
  if (says(added) !== "Ok") throw new Error(`OperatorAdd answers ${says(added)}`);
  const admitted = target.admit(ADMIN, ADMIN_KEY);
  if (admitted !== Status.Ok) throw new Error(`the admin's session: ${Status[admitted]}`);
}

/** A new target with these classes, ready. All but the quickest get the medium that the same core provisioned in V8: provisioning
 *  needs a handshake. */
export function ready<T extends Target>(kind: Kind<T>, classes: readonly SlotClass[] = WHOLE): T {
  if (kind.share === 1) return provisioned(kind, classes);
  const target = kind.make();
  if (!(target instanceof Bench)) throw new Error("a slow target is a device");
  transplant(template(classes), target.device);
  target.boot();
  return target;
}

/** Moves what both media hold from one device to another, which has to be booted then. */
export function transplant(from: Device, to: Device): void {
  to.slots.load(to.slotsOffset, from.slots.image(from.slotsOffset));
  to.data.load(0, from.data.image());
}

const templates = new Map<string, Device>();

function template(classes: readonly SlotClass[]): Device {
  const name = JSON.stringify(classes);
  const known = templates.get(name);
  if (known !== undefined) return known;
  const made = provisioned(QUICK, classes).device;
  templates.set(name, made);
  return made;
}

/** What quickly makes a medium for slow devices. */
export const QUICK: Kind<Bench> = {
  name: "v8",
  share: 1,
  make: () => {
    const bench = new Bench(new V8Device(seed));
    bench.boot();
    return bench;
  },
};

/** Sends ProvisionBegin. */
export function begin(target: Target, classes: readonly SlotClass[] = WHOLE, manifest = Buffer.alloc(16, 1)): Message {
  return target.ask(Command.ProvisionBegin, [
    [Key.Manifest, manifest],
    [Key.Classes, geometry(classes)],
  ]);
}

/** Fields of a put in the order of their keys; `undefined` leaves one out. */
export interface Put {
  token?: Uint8Array;
  label?: string;
  usage?: number;
  tier?: number;
  policy?: number;
  slotClass?: number;
  body?: Uint8Array;
}

export function put(target: Target, fields: Put = {}): Message {
  return target.ask(Command.Put, [
    [Key.Token, fields.token ?? token()],
    [Key.Label, fields.label],
    [Key.Usage, fields.usage ?? Usage.Opaque],
    [Key.Tier, fields.tier ?? Tier.Private],
    [Key.Policy, fields.policy ?? 1],
    [Key.Class, fields.slotClass],
    [Key.Body, fields.body ?? body()],
  ]);
}

/** @param keep the record's keys; left out when undefined */
export function replace(target: Target, handle: Uint8Array, content = body(), by = token(), keep?: boolean): Message {
  return target.ask(Command.Replace, [
    [Key.Handle, handle],
    [Key.Token, by],
    [Key.Body, content],
    [Key.Keep, keep],
  ]);
}

export function setPolicy(target: Target, handle: Uint8Array, policy: number, by = token()): Message {
  return target.ask(Command.Policy, [
    [Key.Handle, handle],
    [Key.Token, by],
    [Key.Policy, policy],
  ]);
}

/** Fields of a put but for the body, which is a key that the device makes. */
export function generate(target: Target, fields: Omit<Put, "body"> = {}): Message {
  return target.ask(Command.Generate, [
    [Key.Token, fields.token ?? token()],
    [Key.Label, fields.label],
    [Key.Usage, fields.usage ?? Usage.Raw],
    [Key.Tier, fields.tier ?? Tier.Private],
    [Key.Policy, fields.policy ?? 0],
    [Key.Class, fields.slotClass],
  ]);
}

export function sign(target: Target, handle: Uint8Array, data: Uint8Array = Buffer.from("signed"), namespace?: string) {
  return target.ask(Command.Sign, [
    [Key.Handle, handle],
    [Key.Data, data],
    [Key.Namespace, namespace],
  ]);
}
/** The base point as the other side's public key, unless another one is given. */
export function agree(target: Target, handle: Uint8Array, other: Uint8Array = Buffer.alloc(32).fill(9, 0, 1)): Message {
  return target.ask(Command.Agree, [
    [Key.Handle, handle],
    [Key.Public, other],
  ]);
}

export function addOperator(target: Target, id: string, role: Role, key: Uint8Array): Message {
  return target.ask(Command.OperatorAdd, [
    [Key.Role, role],
    [Key.Operator, id],
    [Key.Secret, key],
  ]);
}
export function rotateOperator(target: Target, id: string, key: Uint8Array): Message {
  return target.ask(Command.OperatorRotate, [
    [Key.Operator, id],
    [Key.Secret, key],
  ]);
}
export function setRole(target: Target, id: string, role: Role): Message {
  return target.ask(Command.OperatorRole, [
    [Key.Role, role],
    [Key.Operator, id],
  ]);
}
export const removeOperator = (target: Target, id: string): Message =>
  target.ask(Command.OperatorRemove, [[Key.Operator, id]]);
/** Keys of operators as "id role", with "pending" behind those that were not used. */
export function operators(target: Target): string[] {
  const list = target.ask(Command.OperatorList).get(Key.Operators) as Message[];
  const told = (one: Message): string =>
    `${one.get(Key.Operator)} ${Role[one.get(Key.Role) as Role]}${one.get(Key.Pending) ? " pending" : ""}`;
  return list.map(told).sort();
}

export function relabel(target: Target, handle: Uint8Array, label?: string, by = token()): Message {
  return target.ask(Command.Relabel, [
    [Key.Handle, handle],
    [Key.Token, by],
    [Key.Label, label],
  ]);
}

export const get = (target: Target, handle: Uint8Array): Message => target.ask(Command.Get, [[Key.Handle, handle]]);
export const publicParts = (target: Target, handle: Uint8Array): Message =>
  target.ask(Command.Public, [[Key.Handle, handle]]);
export const show = (target: Target, handle: Uint8Array): Message => target.ask(Command.Show, [[Key.Handle, handle]]);
export const find = (target: Target, fields: [Key, Value][]): Message[] =>
  target.ask(Command.Find, fields).get(Key.Entries) as Message[];
export const list = (target: Target): Message[] => target.ask(Command.List).get(Key.Entries) as Message[];
export const info = (target: Target): Message => target.ask(Command.Info);
export const state = (target: Target): number => target.ask(Command.Hello).get(Key.State) as number;

export function evict(target: Target, handle: Uint8Array, destroy = false): Message {
  return target.ask(Command.Evict, [
    [Key.Handle, handle],
    [Key.Destroy, destroy],
  ]);
}

/** The answer as people say it: "Ok", "TooLarge 3968". */
export function says(answer: Message): string {
  const detail = answer.get(Key.Detail);
  const status = Status[answer.get(Key.Command) as number] ?? `status ${answer.get(Key.Command)}`;
  return detail === undefined ? status : `${status} ${detail}`;
}

/** The handle in an answer that must be Ok. */
export function handle(answer: Message): Uint8Array {
  if (answer.get(Key.Command) !== Status.Ok) throw new Error(`expected Ok, got ${says(answer)}`);
  return answer.get(Key.Handle) as Uint8Array;
}

export const hex = (bytes: Value | undefined): string => Buffer.from(bytes as Uint8Array).toString("hex");
/** Handles of entries, in hexadecimal. */
export const handles = (entries: Message[]): string[] => entries.map((entry) => hex(entry.get(Key.Handle)));

/** Everything that the media of a device hold, for comparison within one power-up. */
export function medium(device: Device): { slots: Buffer; data: Buffer; operations: number } {
  return {
    slots: Buffer.from(device.slots.bytes.subarray(device.slotsOffset)),
    data: Buffer.from(device.data.bytes),
    operations: device.supply.operations,
  };
}

/** Numbers of those flash operations of a change, from 0 at its begin, that change a part of a medium. Then all is as it was before it,
 *  and the target has booted: the change can be done again, cut there. */
export function operationsAt(target: Bench, nor: Nor, offset: number, length: number, change: () => void): number[] {
  const { slots, data, supply } = target.device;
  const [oldSlots, oldData] = [slots.snapshot(), data.snapshot()];
  target.boot();
  const start = supply.operations;
  const seen = new Set<number>();
  const told = nor.changed;
  nor.changed = (from, size) => {
    told?.(from, size);
    if (from < offset + length && offset < from + size) seen.add(supply.operations - 1 - start);
  };
  change();
  nor.changed = told;
  slots.restore(oldSlots);
  data.restore(oldData);
  target.boot();
  return [...seen];
}

/** Does something that must not change the store: no flash operation, no byte, and for the model no entry. */
export function unchanged<R>(target: Target, act: () => R): R {
  const look = () => (target instanceof Bench ? medium(target.device) : list(target).map((entry) => [...entry]));
  const before = look();
  const result = act();
  const after = look();
  const equal = target instanceof Bench ? sameMedium(before as Look, after as Look) : equalText(before, after);
  if (!equal) throw new Error("it changed the store, and must not");
  return result;
}

type Look = ReturnType<typeof medium>;
const sameMedium = (a: Look, b: Look): boolean =>
  a.operations === b.operations && a.slots.equals(b.slots) && a.data.equals(b.data);
const equalText = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
