/** A session as tests hold it: an id, two keys and two counters. Sealing is node:crypto's ChaCha20-Poly1305 with the nonces of the
 *  Noise specification §12.3. A session either comes from a real handshake (test/noise), or it is planted: written into the core's
 *  linear memory as the core itself would keep it (firmware/memory.ts, SESSIONS). Planting needs the memory of a device that a
 *  debugger could reach as well; the product has no way around a handshake. */
import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import { BODY_OFF_OPERATORS } from "../../firmware/defs/journal.js";
import { NO_OPERATOR, OPERATOR_PLACES } from "../../firmware/defs/operator.js";
import { Envelope } from "../../firmware/defs/session.js";
import type { Device } from "./device.js";
import { region } from "./map.js";

const TAG = 16;
const CIPHER = "chacha20-poly1305";
const OPTIONS = { authTagLength: TAG };

// one session in SESSIONS
export const SESSION_OFF_FLAGS = 0; // u32
export const SESSION_OFF_ID = 4; // u16
export const SESSION_OFF_ROLE = 6; // u8
export const SESSION_OFF_PLACE = 7; // u8, NO_OPERATOR = the setup code
export const SESSION_OFF_RECEIVED = 8; // u64
export const SESSION_OFF_SENT = 16; // u64
export const SESSION_OFF_MADE = 24; // i64, microseconds
export const SESSION_OFF_USED = 32; // i64
export const SESSION_OFF_RECEIVE_KEY = 40; // 32 bytes, host to device
export const SESSION_OFF_SEND_KEY = 72; // 32 bytes
export const SESSION_OPEN = 1;
export const ALL_ROLES = 15;

export class Session {
  /** Messages sealed and opened so far. */
  sent = 0n;
  received = 0n;

  constructor(
    readonly id: number,
    readonly sendKey: Uint8Array,
    readonly receiveKey: Uint8Array,
    readonly planted = false,
  ) {}

  /** @returns the message on the link: envelope, id, transport message */
  seal(plain: Uint8Array, counter = this.sent++): Uint8Array {
    const cipher = createCipheriv(CIPHER, this.sendKey, nonce(counter), OPTIONS);
    const sealed = [cipher.update(plain), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat([Uint8Array.of(Envelope.Sealed, this.id & 0xff, this.id >> 8), ...sealed]);
  }

  /** The key stream of the next message from the device. */
  stream(length: number): Uint8Array {
    return createCipheriv(CIPHER, this.receiveKey, nonce(this.received), OPTIONS).update(Buffer.alloc(length));
  }

  /** @param message as it came over the link    @param number of the request that it answers; the next one by itself
   *  @throws Error when it is not that one of this session */
  open(message: Uint8Array, number = this.received): Uint8Array {
    const [envelope, low = 0, high = 0] = message;
    if (envelope !== Envelope.Sealed || (low | (high << 8)) !== this.id)
      throw new Error(`not a message of session ${this.id}: ${Buffer.from(message.subarray(0, 16)).toString("hex")}`);
    const end = message.length - TAG;
    this.received = number + 1n;
    const decipher = createDecipheriv(CIPHER, this.receiveKey, nonce(number), OPTIONS);
    decipher.setAuthTag(message.subarray(end));
    return Buffer.concat([decipher.update(message.subarray(3, end)), decipher.final()]);
  }
}

function nonce(counter: bigint): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeBigUInt64LE(counter, 4);
  return bytes;
}

let planted = 0;
/** Begins with the first session again: for devices of which each shall hear the same. */
export function repeatSessions(): void {
  planted = 0;
}

/** The first operator place in use, as the device knows it; NO_OPERATOR when there is none. */
export function anyOperator(device: Device): number {
  const bits = device.peek(region("CURRENT") + BODY_OFF_OPERATORS, 3);
  for (let place = 0; place < OPERATOR_PLACES; place++) if ((bits[place >> 3]! >> (place & 7)) & 1) return place;
  return NO_OPERATOR;
}

/** Writes a session into a device that runs. @param roles bits of Role. @param place of the operator: a device ends sessions of
 *  operators that it has not */
export function plant(device: Device, roles = ALL_ROLES, place = anyOperator(device)): Session {
  const number = ++planted;
  const key = (end: string) => createHash("sha256").update(`planted session ${number}, ${end}`).digest();
  const session = new Session(number & 0xffff, key("host to device"), key("device to host"), true);
  const bytes = Buffer.alloc(region("SESSION_SIZE"));
  bytes.writeUInt32LE(SESSION_OPEN, SESSION_OFF_FLAGS);
  bytes.writeUInt16LE(session.id, SESSION_OFF_ID);
  bytes.writeUInt8(roles, SESSION_OFF_ROLE);
  bytes.writeUInt8(place, SESSION_OFF_PLACE);
  bytes.writeBigInt64LE(device.now(), SESSION_OFF_MADE);
  bytes.writeBigInt64LE(device.now(), SESSION_OFF_USED);
  bytes.set(session.sendKey, SESSION_OFF_RECEIVE_KEY);
  bytes.set(session.receiveKey, SESSION_OFF_SEND_KEY);
  device.poke(region("SESSIONS"), bytes);
  return session;
}
