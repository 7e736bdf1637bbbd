/** A session with the device: hello in clear, one Noise handshake, then every request and answer sealed. SPEC.md §11.
 *  Relies on noise.ts for the cryptography and on a link for whole messages. Keeps its keys in memory until `close` wipes them. */
import { INNER_MAX, PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import {
  CHALLENGE_SIZE,
  Envelope,
  NOISE_SECOND,
  OPERATOR_ID,
  PROLOGUE_SIZE,
  PSK_SIZE,
  type Role,
  SEALED_HEAD,
} from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { type Hello, isOperatorId, isRoleOf, readHello } from "./answers.js";
import { DeviceError, ProtocolError, UsageError } from "./errors.js";
import { decodeMessage, encodeMessage, Fields, message } from "./message.js";
import { type CipherState, Handshake, NoiseError } from "./noise.js";

/** Who asks: an id and a key that the device knows too. */
export interface Operator {
  /** 1 to 10 of a-z 0-9 . _ -; "" stands for the setup code. */
  id: string;
  /** PSK_SIZE bytes. */
  key: Uint8Array;
}

/** What a session needs of a link. */
export interface Exchange {
  exchange(message: Uint8Array): Promise<Uint8Array>;
  /** Of each message in turn; undefined: the answer was lost. */
  exchangeAll(messages: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
}

const HELLO = Uint8Array.of(Envelope.Clear, ...encodeMessage(message([[Key.Command, Command.Hello]])));

/** The message that asks for hello, envelope included. It is the only request that goes in clear. */
export function helloMessage(): Uint8Array {
  return HELLO.slice();
}

/** Asks what anybody may know; a challenge that was told before is void from here on. @throws DeviceError, ProtocolError (another protocol version
 *  among them) */
export async function sayHello(link: Pick<Exchange, "exchange">): Promise<Hello> {
  const { status, fields } = readClear(await link.exchange(helloMessage()), "hello");
  if (status !== Status.Ok) throw refusal(status, fields);
  const hello = readHello(fields);
  fields.end();
  if (hello.protocol !== PROTOCOL_VERSION)
    throw new ProtocolError(
      `The device speaks protocol ${hello.protocol}, this client ${PROTOCOL_VERSION}.`,
      "Use an mbs that fits the firmware.",
    );
  return hello;
}

export class Session {
  readonly #link: Exchange;
  readonly #id: Uint8Array;
  readonly #send: CipherState;
  readonly #receive: CipherState;

  private constructor(
    link: Exchange,
    made: { send: CipherState; receive: CipherState; hash: Uint8Array },
    /** What the device said before the handshake; instance and challenge are authenticated by it. */
    readonly hello: Hello,
    readonly operator: string,
    readonly role: Role,
  ) {
    this.#link = link;
    this.#id = made.hash.slice(0, 2);
    this.#send = made.send;
    this.#receive = made.receive;
  }

  /** Says hello and makes a session.
   *  @param operator who asks, or what says so when it has seen hello; the key stays the caller's
   *  @throws DeviceError HandshakeRefused, EntropyNotReady; ProtocolError when the other end does not hold the key */
  static async open(link: Exchange, operator: Operator | ((hello: Hello) => Promise<Operator>)): Promise<Session> {
    const hello = await sayHello(link);
    const { challenge } = hello;
    if (challenge === undefined) throw new DeviceError(Status.EntropyNotReady);
    const { id, key } = typeof operator === "function" ? await operator(hello) : operator;
    checkOperator(id, key);
    const handshake = new Handshake({
      role: "initiator",
      psk: key,
      prologue: makePrologue({ ...hello, challenge }, id),
    });
    try {
      const first = Buffer.concat([Uint8Array.of(Envelope.Handshake), idBytes(id), handshake.write()]);
      const answer = await link.exchange(first);
      if (answer[0] !== Envelope.Handshake) throw readRefused(answer, hello, id);
      const role = readSecond(handshake, answer.subarray(1), id);
      return new Session(link, handshake.split(), hello, id, role);
    } finally {
      handshake.wipe();
    }
  }

  /** Sends one request sealed and opens its answer. After any failure the session is over, except for a request that is too long.
   *  @throws DeviceError NoSession when the device knows the session no more: nothing changed, a new one is needed */
  async exchange(inner: Uint8Array): Promise<Uint8Array> {
    const [answer] = await this.exchangeAll([inner]);
    return answer!;
  }

  /** The same for requests that change nothing: the next ones are sent while the device still answers the first. One whose answer is lost is sent
   *  again, by itself. @throws as exchange */
  async exchangeAll(inners: readonly Uint8Array[]): Promise<Uint8Array[]> {
    for (const { length } of inners)
      if (length > INNER_MAX)
        throw new ProtocolError(`A request of ${length} bytes is longer than ${INNER_MAX}; it was not sent.`);
    try {
      const head = [Uint8Array.of(Envelope.Sealed), this.#id];
      const first = this.#send.next; // an answer has the number of its request
      const answers = await this.#link.exchangeAll(
        inners.map((one) => Buffer.concat([...head, this.#send.encrypt(one)])),
      );
      const opened = answers.map((answer, i) => answer && this.#open(answer, first + BigInt(i)));
      const whole: Uint8Array[] = [];
      for (const [i, inner] of inners.entries()) whole.push(opened[i] ?? (await this.exchange(inner)));
      return whole;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Wipes the keys. The device ends its side after five minutes, or when it is asked to (Command.Close). */
  close(): void {
    this.#send.wipe();
    this.#receive.wipe();
  }

  /** @param number of the request that it answers */
  #open(answer: Uint8Array, number: bigint): Uint8Array {
    if (answer[0] === Envelope.Sealed) {
      if (answer.length < SEALED_HEAD || Buffer.compare(answer.subarray(1, SEALED_HEAD), this.#id) !== 0)
        throw new ProtocolError("The device answered for another session.", ANSWER_LOST);
      return this.#receive.decrypt(answer.subarray(SEALED_HEAD), undefined, number);
    }
    // what comes in clear anybody can have made: the one thing that it may say costs a handshake and no more
    const { status, fields } = readClear(answer, "a sealed request");
    if (status === Status.NoSession) throw refusal(status, fields);
    throw new ProtocolError("The device answered a sealed request in clear.", ANSWER_LOST);
  }
}

const ANSWER_LOST =
  "The request may or may not have been carried out. Something on the line may have changed the answer.";

/** u8 protocol version ‖ instance id ‖ challenge ‖ operator id. */
export function makePrologue(
  { instance, challenge }: { instance: Uint8Array; challenge: Uint8Array },
  id: string,
): Uint8Array {
  const prologue = Buffer.concat([Uint8Array.of(PROTOCOL_VERSION), instance, challenge, idBytes(id)]);
  if (challenge.length !== CHALLENGE_SIZE || prologue.length !== PROLOGUE_SIZE)
    throw new ProtocolError(`A prologue has ${PROLOGUE_SIZE} bytes; got ${prologue.length}.`);
  return prologue;
}

function idBytes(id: string): Uint8Array {
  const bytes = Buffer.alloc(OPERATOR_ID);
  bytes.write(id, "latin1");
  return bytes;
}

function checkOperator(id: string, key: Uint8Array): void {
  if (id !== "" && !isOperatorId(id))
    throw new UsageError(`An operator id is 1 to ${OPERATOR_ID} of a-z 0-9 . _ -; got "${id}".`);
  if (key.length !== PSK_SIZE)
    throw new UsageError(`The key of an operator has ${PSK_SIZE} bytes; this one has ${key.length}.`);
}

/** Reads Noise message 2. @returns the role that the device gives to this session */
function readSecond(handshake: Handshake, second: Uint8Array, id: string): Role {
  let payload: Uint8Array;
  try {
    if (second.length !== NOISE_SECOND)
      throw new NoiseError(`Noise message 2 has ${NOISE_SECOND} bytes, not ${second.length}`);
    payload = handshake.read(second);
  } catch (cause) {
    if (!(cause instanceof NoiseError)) throw cause;
    throw new NoiseError(
      `What answers does not hold the key of ${operatorText(id)}. Nothing was asked of it.`,
      "Is it the right device? Something on the line may have changed the answer.",
      { cause },
    );
  }
  const role = payload[0]!;
  if (!isRoleOf(role, id))
    throw new ProtocolError(`The device gives ${operatorText(id)} a role that it cannot have (${role}).`);
  return role;
}

function readRefused(answer: Uint8Array, hello: Hello, id: string): Error {
  const { status, fields } = readClear(answer, "a handshake");
  if (status === Status.Ok) return new ProtocolError("The device answered a handshake with neither yes nor no.");
  if (status !== Status.HandshakeRefused) return refusal(status, fields);
  const instance = hello.instance.some((byte) => byte !== 0)
    ? `device ${Buffer.from(hello.instance).toString("hex")}`
    : "blank device";
  const hint =
    id === ""
      ? "The setup code counts only until provisioning is over; then an operator has to ask. Compare it with the one that was flashed."
      : "Check id and key; `mbs operator import` keeps another key. After a rotation the old key works until the new one was used.";
  return new DeviceError(status, undefined, {
    message: `The ${instance} refused ${operatorText(id)}. It does not tell why: ${id === "" ? "the code is another one, or counts no more" : "it may not know the operator, or the key is another one"}. Nothing changed.`,
    hint,
  });
}

function operatorText(id: string): string {
  return id === "" ? "the setup code" : `operator "${id}"`;
}

/** Reads an answer in clear. @throws ProtocolError when it is none */
function readClear(answer: Uint8Array, where: string): { status: Status; fields: Fields } {
  if (answer[0] !== Envelope.Clear)
    throw new ProtocolError(`The answer to ${where} has an unexpected envelope (${answer[0] ?? "none"}).`);
  const fields = new Fields(decodeMessage(answer.subarray(1)), where);
  return { status: fields.int(Key.Command, -0x8000, 0), fields };
}

function refusal(status: Status, fields: Fields): DeviceError {
  const error = new DeviceError(status, fields.has(Key.Detail) ? fields.uint(Key.Detail) : undefined);
  fields.end();
  return error;
}
