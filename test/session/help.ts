/** Short words for tests of sessions: devices with one operator of each role, handshakes by hand, and what hello and refusals say. */
import { Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { decodeAnswer, encodeMessage, message } from "../../host/client/message.js";
import { type First, finish, firstMessage, type Terms } from "../device/handshake.js";
import { Refusal } from "../device/refusal.js";
import type { Session } from "../device/session.js";
import type { Talk } from "../device/talk.js";
import * as help from "../store/help.js";
import type { Bench, Kind } from "../targets.js";

/** Who a device of `staffed` knows, besides the admin: their ids and keys. */
export const AUDITOR = { id: "auditor", key: keyLike(1) };
export const USER = { id: "user", key: keyLike(2) };
export const ADMIN = { id: help.ADMIN, key: help.ADMIN_KEY };
export const STRANGER = { id: "stranger", key: keyLike(3) };
export const STAFF = new Map([
  [Role.Auditor, AUDITOR],
  [Role.User, USER],
  [Role.Admin, ADMIN],
]);

function keyLike(n: number): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => (n * 83 + i * 151 + 7) & 0xff);
}

/** A ready device with an auditor, a user and an admin, whose keys were used. */
export function staffed<T extends Bench>(kind: Kind<T>): T {
  const target = help.ready(kind, help.SMALL);
  for (const [role, { id, key }] of STAFF) {
    if (role !== Role.Admin) {
      must(help.says(help.addOperator(target, id, role, key)), "Ok");
      must(Status[target.admit(id, key)]!, "Ok");
    }
  }
  return target;
}

function must(got: string, expected: string): void {
  if (got !== expected) throw new Error(`expected ${expected}, got ${got}`);
}

/** Says hello and makes message 1. */
export function first(talk: Talk, who: { id: string; key: Uint8Array }, changed: Partial<Terms> = {}): First {
  return firstMessage(talk.ask(Command.Hello), who.id, who.key, changed);
}

/** Sends message 1. @returns the session of the host, which the device keeps as its candidate @throws Refusal */
export function shake(talk: Talk, message1: First): Session {
  return finish(message1, talk.exchange(message1.bytes)).session;
}

/** A handshake whose session is not used yet. */
export function open(talk: Talk, who: { id: string; key: Uint8Array }): Session {
  return shake(talk, first(talk, who));
}

/** Asks in a session. @returns the status as people say it; of an answer in clear too */
export function askIn(talk: Talk, session: Session, command: Command, fields: readonly [Key, never][] = []): string {
  return answered(session, talk.exchange(session.seal(request(command, fields))));
}

export function request(command: Command, fields: readonly [Key, never][] = []): Uint8Array {
  return encodeMessage(message([[Key.Command, command], ...fields]));
}

/** What an answer says, sealed or in clear. */
export function answered(session: Session, answer: Uint8Array): string {
  return help.says(decodeAnswer(answer[0] === 0 ? answer.subarray(1) : session.open(answer)));
}

/** What an attempt ends in, by name. */
export function outcome(attempt: () => unknown): string {
  try {
    attempt();
    return "Ok";
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.message;
  }
}

/** Refused handshakes as hello tells them. */
export const refusals = (talk: Talk): number => talk.ask(Command.Hello).get(Key.Refusals) as number;
