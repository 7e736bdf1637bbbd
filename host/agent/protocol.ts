/** What the agent and its clients say to each other on a Unix socket: u32 length (high byte first), then a CBOR map as in message.ts.
 *  Only programs of one user reach the socket; keys of operators go over it and nowhere else. */
import type { Socket } from "node:net";
import { BusyReason } from "../../firmware/defs/link.js";
import { OPERATOR_ID, PSK_SIZE } from "../../firmware/defs/session.js";
import type { Status } from "../../firmware/defs/status.js";
import {
  DeclinedError,
  DeviceError,
  DisconnectedError,
  FileError,
  MbsError,
  ProtocolError,
  UsageError,
} from "../client/errors.js";
import type { Busy } from "../client/link.js";
import { decodeMessage, encodeMessage, type Message, type Value } from "../client/message.js";
import type { Operator } from "../client/session.js";

/** Raised when the meaning of a byte here changes; an agent of another version is told to end. */
export const AGENT_VERSION = 1;
const SIZE_MAX = 1 << 17; // bytes of one message; the device's have fewer

/** What a client asks. */
export enum Ask {
  /** Carry bytes in clear. */
  Clear = 1,
  /** Carry a request in a session of an operator. */
  Sealed = 2,
  /** Give up this client's request that waits for a touch. */
  Cancel = 3,
  /** End the session that runs; the agent goes on. */
  End = 4,
  Status = 5,
  /** End session and agent. */
  Stop = 6,
}

/** What the agent says. */
export enum Tell {
  Answer = 1,
  /** The answer takes a while; comes before one. */
  Busy = 2,
  Failure = 3,
}

/** Keys of both. */
export enum Slot {
  Kind = 0, // Ask or Tell
  Bytes = 1,
  OperatorId = 2,
  OperatorKey = 3,
  Repeated = 4, // bool
  Given = 5, // bool: there is an answer; a touch was given up
  Milliseconds = 6,
  Reason = 7, // BusyReason
  Class = 8, // text, the error's code
  Text = 9,
  Hint = 10,
  StatusNumber = 11,
  Detail = 12,
  Why = 13, // text, why a connection ended
  Version = 14,
  Process = 15,
  Role = 16,
  Instance = 17,
  Age = 18, // seconds since the session began
  Served = 19, // requests so far
  Renewed = 20, // bool
}

export function send(socket: Socket, fields: Iterable<readonly [Slot, Value | undefined]>): void {
  const map: Message = new Map();
  for (const [slot, value] of fields) if (value !== undefined) map.set(slot, value);
  const bytes = encodeMessage(map);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  socket.write(length);
  socket.write(bytes, () => bytes.fill(0)); // a key may be among them
}

/** Cuts the stream into messages. @param take gets each; what it throws, and what is no message, ends the socket with that error */
export function receive(socket: Socket, take: (map: Message) => void): void {
  let pending = Buffer.alloc(0);
  socket.on("data", (bytes) => {
    const parts = [pending, bytes];
    pending = Buffer.concat(parts);
    for (const part of parts) part.fill(0);
    try {
      while (pending.length >= 4) {
        const length = pending.readUInt32BE(0);
        if (length > SIZE_MAX) throw new ProtocolError(`A message of ${length} bytes came from the agent's socket.`);
        if (pending.length < 4 + length) return;
        const map = decodeMessage(pending.subarray(4, 4 + length)); // what is in it are copies; whoever takes them wipes them
        pending.fill(0, 0, 4 + length);
        pending = pending.subarray(4 + length);
        take(map);
      }
    } catch (error) {
      socket.destroy(error as Error);
    }
  });
}

interface Types {
  number: number;
  string: string;
  boolean: boolean;
}

/** @throws ProtocolError when a field is missing or of another type */
export function field<T extends keyof Types>(map: Message, slot: Slot, type: T): Types[T] {
  const value: unknown = map.get(slot);
  if (typeof value !== type) throw wrong(slot);
  return value as Types[T];
}

export function bytesField(map: Message, slot: Slot): Uint8Array {
  const value = map.get(slot);
  if (!(value instanceof Uint8Array)) throw wrong(slot);
  return value;
}

export function operatorField(map: Message): Operator {
  const id = field(map, Slot.OperatorId, "string");
  const key = bytesField(map, Slot.OperatorKey);
  if (id.length > OPERATOR_ID || key.length !== PSK_SIZE) throw wrong(Slot.OperatorId);
  return { id, key };
}

export function busyField(map: Message): Busy {
  const reason = field(map, Slot.Reason, "number");
  return {
    ms: field(map, Slot.Milliseconds, "number"),
    reason: reason === BusyReason.Touch ? reason : BusyReason.Work,
  };
}

function wrong(slot: Slot): ProtocolError {
  return new ProtocolError(`A message between mbs and its agent lacks ${Slot[slot]}.`, "Run `mbs session close`.");
}

/** An error on its way to the client. */
export function failureFields(error: unknown): [Slot, Value | undefined][] {
  const known = error instanceof MbsError;
  return [
    [Slot.Kind, Tell.Failure],
    [Slot.Class, known ? error.code : "internal"],
    [Slot.Text, error instanceof Error ? error.message : String(error)],
    [Slot.Hint, known ? error.hint : ""],
    [Slot.StatusNumber, error instanceof DeviceError ? error.status : undefined],
    [Slot.Detail, error instanceof DeviceError ? error.detail : undefined],
    [Slot.Why, error instanceof DisconnectedError ? error.reason : undefined],
  ];
}

/** The error that `failureFields` wrote, of the class that it had. */
export function readFailure(map: Message): Error {
  const [message, hint] = [field(map, Slot.Text, "string"), field(map, Slot.Hint, "string")];
  switch (field(map, Slot.Class, "string")) {
    case "device": {
      const detail = map.has(Slot.Detail) ? field(map, Slot.Detail, "number") : undefined;
      const status: Status = field(map, Slot.StatusNumber, "number");
      return new DeviceError(status, detail, { message, hint });
    }
    case "disconnected": {
      const why = field(map, Slot.Why, "string");
      return new DisconnectedError(why === "restarted" || why === "silent" ? why : "closed", message, hint);
    }
    case "declined":
      return new DeclinedError(message, hint);
    case "usage":
      return new UsageError(message, hint);
    case "file":
      return new FileError(message, hint);
    case "protocol":
      return new ProtocolError(message, hint);
    default:
      return new Error(`In the agent: ${message}`);
  }
}
