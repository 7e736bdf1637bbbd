/** A real handshake, SPEC.md §11, by the Noise of test/noise: written from its specification, and of no other part of the project. */
import { PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { Envelope, NOISE_FIRST, NOISE_SECOND, OPERATOR_ID } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Key } from "../../firmware/defs/wire.js";
import { decodeMessage, type Message } from "../../host/client/message.js";
import { HandshakeState } from "../noise/noise.js";
import { accepted, Refusal } from "./refusal.js";
import { Session } from "./session.js";

/** The ten bytes that name an operator; "" is the setup code. */
export function operatorId(name: string): Uint8Array {
  const id = Buffer.alloc(OPERATOR_ID);
  if (id.write(name, "ascii") !== name.length) throw new Error(`${name} is no operator id`);
  return id;
}

/** What the first message is made of; tests change one of them at a time. */
export interface Terms {
  protocol: number;
  instance: Uint8Array;
  challenge: Uint8Array;
  id: Uint8Array;
}

export function prologue({ protocol, instance, challenge, id }: Terms): Uint8Array {
  return Buffer.concat([Uint8Array.of(protocol), instance, challenge, id]);
}

export interface First {
  state: HandshakeState;
  /** The message on the link. */
  bytes: Uint8Array;
}

/** @param hello the device's answer to Hello. @param changed terms that are not as they should be
 *  @throws Refusal with EntropyNotReady when hello has no challenge */
export function firstMessage(hello: Message, operator: string, key: Uint8Array, changed: Partial<Terms> = {}): First {
  const challenge = hello.get(Key.Challenge) as Uint8Array | undefined;
  if (challenge === undefined) throw new Refusal(Status.EntropyNotReady);
  const terms = {
    protocol: PROTOCOL_VERSION,
    instance: hello.get(Key.Instance) as Uint8Array,
    challenge,
    id: operatorId(operator),
    ...changed,
  };
  const state = new HandshakeState(true, prologue(terms), key);
  const { message } = state.WriteMessage(new Uint8Array(0));
  if (message.length !== NOISE_FIRST) throw new Error(`message 1 has ${message.length} bytes`);
  return { state, bytes: Buffer.concat([Uint8Array.of(Envelope.Handshake), operatorId(operator), message]) };
}

/** @param answer of the device to the first message. @throws Refusal; an Error when it is not genuine */
export function finish({ state }: First, answer: Uint8Array): { session: Session; role: number } {
  if (answer[0] === Envelope.Clear) accepted(decodeMessage(answer.subarray(1)));
  if (answer[0] !== Envelope.Handshake || answer.length !== 1 + NOISE_SECOND)
    throw new Error(`no message 2: ${Buffer.from(answer).toString("hex")}`);
  const { payload, finished } = state.ReadMessage(answer.subarray(1));
  if (finished === undefined || payload.length !== 1) throw new Error("message 2 does not end the handshake");
  const [toDevice, toHost] = finished.ciphers.map((cipher) => cipher.k) as [Buffer, Buffer];
  return { session: new Session(finished.h.readUInt16LE(0), toDevice, toHost), role: payload[0]! };
}
