/** Boards that wait for an image, images for them, and what became of it. */
import { IMAGE_BLOCK, IMAGE_BLOCKS, ImageState } from "../../firmware/defs/image.js";
import { UNIT } from "../../firmware/defs/medium.js";
import { Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import type { TransportKey } from "../../host/client/answers.js";
import { encodeMessage, type Message, message, type Value } from "../../host/client/message.js";
import { sealImage } from "../../host/image/seal.js";
import type { Device } from "../device/device.js";
import * as help from "../store/help.js";
import type { Bench, Target } from "../targets.js";

export const INSTANCE = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i);
export const USER = { id: "user", key: Uint8Array.from({ length: 32 }, (_, i) => (i * 31 + 9) & 0xff) };
/** A step takes one look of the main loop, every 10 ms; an erased block some hundred. */
const PATIENCE_MS = 20_000;

export type Fields = readonly (readonly [Key, Value])[];
export type Request = readonly [Command, Fields];

export const encode = ([command, fields]: Request): Uint8Array =>
  encodeMessage(message([[Key.Command, command], ...fields]));

/** What makes a small store with an admin, a user and `puts`. */
export function requests(puts: readonly Request[], classes = help.SMALL): Request[] {
  const operator = (id: string, role: Role, key: Uint8Array): Request => [
    Command.OperatorAdd,
    [
      [Key.Role, role],
      [Key.Operator, id],
      [Key.Secret, key],
    ],
  ];
  return [
    [
      Command.ProvisionBegin,
      [
        [Key.Manifest, Buffer.alloc(16, 3)],
        [Key.Classes, help.geometry(classes)],
      ],
    ],
    operator(help.ADMIN, Role.Admin, help.ADMIN_KEY),
    operator(USER.id, Role.User, USER.key),
    ...puts,
    [Command.ProvisionFinish, []],
  ];
}

export function put(label: string, body: Uint8Array, policy = 1): Request {
  return [
    Command.Put,
    [
      [Key.Token, help.token()],
      [Key.Label, label],
      [Key.Usage, 0],
      [Key.Tier, 1],
      [Key.Policy, policy],
      [Key.Body, body],
    ],
  ];
}

export function transportKey(target: Target): TransportKey {
  const answer = target.ask(Command.TransportKey);
  if (help.says(answer) !== "Ok") throw new Error(`TransportKey answers ${help.says(answer)}`);
  return { uniqueId: answer.get(Key.UniqueId) as Uint8Array, publicKey: answer.get(Key.Public) as Uint8Array };
}

/** Writes an image to the region, as a programmer does. */
export function flash({ image, imageOffset }: Device, bytes: Uint8Array): void {
  image.preloadErased(imageOffset, IMAGE_BLOCK * IMAGE_BLOCKS);
  const units = Buffer.alloc(Math.ceil(bytes.length / UNIT) * UNIT, 0xff);
  units.set(bytes);
  image.preload(imageOffset, units);
}

export function flashed(target: Bench, of: readonly Request[], board = transportKey(target)): Buffer {
  const bytes = sealImage(board, INSTANCE, of.map(encode));
  flash(target.device, bytes);
  return bytes;
}

/** Switches it on and waits until it answers. */
export function open(target: Bench): void {
  target.boot();
  settle(target);
}
export function settle(target: Bench): void {
  for (let ms = 0; ms < PATIENCE_MS; ms += 500) {
    target.device.wait(500);
    if (answers(target)) return;
  }
  throw new Error("the board does not answer");
}
export function answers(target: Bench): boolean {
  target.talk.reset();
  try {
    target.ask(Command.Hello);
    return true;
  } catch {
    return false;
  }
}

export interface Standing {
  state: string;
  image: string;
  item: number;
  status: string;
}
/** What info tells of store and image. */
export function standing(target: Target): Standing {
  const info = target.ask(Command.Info);
  const [image, item, status] = info.get(Key.Image) as [number, number, number];
  return {
    state: State[info.get(Key.State) as number]!,
    image: ImageState[image]!,
    item,
    status: Status[status]!,
  };
}

export const DONE: Standing = { state: "Ready", image: "None", item: 0, status: "Ok" };

/** Label and body of all records, by label. */
export function contents(target: Target): Record<string, string> {
  const entries = target.ask(Command.List).get(Key.Entries) as Message[];
  const found = entries.map((entry) => {
    const record = target.ask(Command.Get, [[Key.Handle, entry.get(Key.Handle) as Uint8Array]]);
    return [entry.get(Key.Label) as string, Buffer.from(record.get(Key.Body) as Uint8Array).toString("hex")] as const;
  });
  return Object.fromEntries(found.sort());
}
