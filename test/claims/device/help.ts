/** Short words for tests of the filekey commands. */

import { LISTED_DELTA } from "../../../firmware/defs/filekey.js";
import { Command, Key } from "../../../firmware/defs/wire.js";
import type { Message } from "../../../host/client/message.js";
import { token } from "../../store/help.js";
import type { Target } from "../../targets.js";

export interface Listed {
  id: string;
  start: bigint;
  end: bigint;
}

/** What FilekeyDeltas tells. */
export interface Seen {
  id: Uint8Array;
  pointer: bigint | undefined;
  deltas: Listed[];
}

/** A number of positions as messages carry it. */
export function size(positions: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(positions);
  return bytes;
}

export interface NewFilekey {
  capacity?: bigint;
  policy?: number;
  token?: Uint8Array;
  label?: string;
}

/** Makes one that may be opened, of 1,000 positions for each Delta. */
export function create(target: Target, { capacity = 1000n, policy = 1, token: made, label }: NewFilekey = {}): Message {
  return target.ask(Command.FilekeyCreate, [
    [Key.Token, made ?? token()],
    [Key.Label, label],
    [Key.Tier, 1],
    [Key.Policy, policy],
    [Key.Data, size(capacity)],
  ]);
}

export function importHead(target: Target, head: Uint8Array, made: Uint8Array = token()): Message {
  return target.ask(Command.FilekeyImport, [
    [Key.Token, made],
    [Key.Tier, 1],
    [Key.Policy, 1],
    [Key.Data, head],
  ]);
}

export function reserve(
  target: Target,
  filekey: Uint8Array,
  count: bigint,
  { sequence = 1, request = token() }: { sequence?: number; request?: Uint8Array } = {},
): Message {
  return target.ask(Command.FilekeyReserve, [
    [Key.Handle, filekey],
    [Key.Token, request],
    [Key.Sequence, sequence],
    [Key.Data, size(count)],
  ]);
}

export function renew(target: Target, filekey: Uint8Array, sequence: number, id: Uint8Array = token()): Message {
  return target.ask(Command.FilekeyRenew, [
    [Key.Handle, filekey],
    [Key.Token, id],
    [Key.Sequence, sequence],
  ]);
}

export function remove(target: Target, filekey: Uint8Array, destroy = false): Message {
  return target.ask(Command.FilekeyDelete, [
    [Key.Handle, filekey],
    [Key.Token, token()],
    [Key.Destroy, destroy],
  ]);
}

export function container(target: Target, filekey: Uint8Array, sequence: number): Message {
  return target.ask(Command.FilekeyContainer, [
    [Key.Handle, filekey],
    [Key.Sequence, sequence],
  ]);
}

export function open(target: Target, filekey: Uint8Array, sealed: Uint8Array): Message {
  return target.ask(Command.FilekeyOpen, [
    [Key.Handle, filekey],
    [Key.Data, sealed],
  ]);
}

export const exportHead = (target: Target, filekey: Uint8Array): Message =>
  target.ask(Command.FilekeyExport, [[Key.Handle, filekey]]);
export const list = (target: Target, filekey: Uint8Array): Message =>
  target.ask(Command.FilekeyDeltas, [[Key.Handle, filekey]]);

export const data = (answer: Message): Buffer => Buffer.from(answer.get(Key.Data) as Uint8Array);

/** The range of an answer to reserve, as "start…end". @throws when it is a refusal */
export function range(answer: Message): string {
  const bytes = data(answer);
  return `${bytes.readBigInt64LE(0)}…${bytes.readBigInt64LE(8)}`;
}

/** @throws when it is a refusal */
export function seen(target: Target, filekey: Uint8Array): Seen {
  const answer = list(target, filekey);
  const pointer = answer.get(Key.Pointer) as Uint8Array | undefined;
  const listed = Buffer.from(answer.get(Key.Deltas) as Uint8Array);
  return {
    id: answer.get(Key.Filekey) as Uint8Array,
    pointer: pointer && Buffer.from(pointer).readBigInt64LE(0),
    deltas: Array.from({ length: listed.length / LISTED_DELTA }, (_, i) => delta(listed, i * LISTED_DELTA)),
  };
}

export function delta(bytes: Buffer, at = 0): Listed {
  return {
    id: bytes.toString("hex", at, at + 16),
    start: bytes.readBigInt64LE(at + 16),
    end: bytes.readBigInt64LE(at + 24),
  };
}
