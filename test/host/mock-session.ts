/** The device's end of a session for tests of the host: real handshakes (SPEC.md §11) over the client's own Noise as responder, so that
 *  it proves nothing about Noise; operators and roles in memory. What it does not do: wait, count pauses, or expire by itself. */
import { randomBytes } from "node:crypto";
import { CHALLENGE_SIZE, Envelope, OPERATOR_ID, Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { decodeMessage, encodeMessage, type Message, message, type Value } from "../../host/client/message.js";
import { type CipherState, Handshake } from "../../host/client/noise.js";
import { rolesOf } from "../../host/client/roles.js";
import { makePrologue } from "../../host/client/session.js";
import type { Awaiting } from "./mock-device.js";

/** A status, or one with its detail. */
export type Refusal = Status | [Status, number];

/** Who asks in a session, and for which records a touch was given in it. */
export interface Asking {
  role: Role;
  operator: string;
  touched: Set<object>;
}

export interface MockOperator {
  id: string;
  role: Role;
  key: Uint8Array;
  /** A rotated key that was not used yet; the same as `key` for a new operator. */
  pending?: Uint8Array;
  refusals: number;
}

/** What answers the requests of a session. */
export interface Answerer {
  isOpenToSetup(): boolean;
  instance(): Uint8Array;
  hello(): Message;
  needsTouch(request: Message, asking: Asking): boolean;
  answer(request: Message, asking: Asking): Refusal | Message;
}

interface Running extends Asking {
  id: Uint8Array;
  send: CipherState;
  receive: CipherState;
  key: Uint8Array;
}

export class MockSession {
  operators: MockOperator[] = [];
  refusals = 0;
  /** Handshakes that were let in. */
  handshakes = 0;
  /** Requests as they were before sealing, in order. */
  readonly opened: Message[] = [];
  /** Changes an envelope before it is sent. */
  tamper: (answer: Uint8Array) => Uint8Array = (answer) => answer;
  readonly #answerer: Answerer;
  #challenge: Uint8Array | undefined;
  #running: Running | undefined;
  #candidate: Running | undefined;

  constructor(
    answerer: Answerer,
    public setupCode: Uint8Array,
  ) {
    this.#answerer = answerer;
  }

  get hasAdmin(): boolean {
    return this.operators.some(({ role, key, pending }) => role === Role.Admin && pending !== key);
  }

  /** Ends the session without a word, as expiry and restarts do. */
  expire(): void {
    this.#running = this.#candidate = this.#challenge = undefined;
  }

  answer(bytes: Uint8Array): Uint8Array | Awaiting {
    const [envelope, rest] = [bytes[0], bytes.subarray(1)];
    const answer =
      envelope === Envelope.Clear
        ? this.#hello(rest)
        : envelope === Envelope.Handshake
          ? this.#greet(rest)
          : this.#open(rest);
    return answer instanceof Uint8Array ? this.tamper(answer) : answer;
  }

  /** The operator commands. @returns undefined for any other */
  manage(command: Command, request: Message): Refusal | Message | undefined {
    const id = request.get(Key.Operator) as string;
    const found = this.operators.find((one) => one.id === id);
    const others = this.operators.filter((one) => one !== found);
    const rest = others.some(({ role, key, pending }) => role === Role.Admin && pending !== key);
    const key = Buffer.from((request.get(Key.Secret) as Uint8Array | undefined) ?? []);
    if (command === Command.OperatorList) return message([[Key.Operators, this.operators.map(entry)]]);
    if (command === Command.OperatorAdd) {
      if (found !== undefined) return Status.OperatorExists;
      this.operators.push({ id, role: request.get(Key.Role) as Role, key, pending: key, refusals: 0 });
      return message([]);
    }
    if (![Command.OperatorRotate, Command.OperatorRole, Command.OperatorRemove].includes(command)) return undefined;
    if (found === undefined) return Status.NoSuchOperator;
    if (command === Command.OperatorRotate) found.pending = key;
    else if (!rest && found.role === Role.Admin) return Status.LastAdmin;
    else if (command === Command.OperatorRole) found.role = request.get(Key.Role) as Role;
    else this.operators = others;
    return message([]);
  }

  #hello(rest: Uint8Array): Uint8Array {
    if (decodeMessage(rest).get(Key.Command) !== Command.Hello) return clear(Status.Malformed);
    this.#challenge = randomBytes(CHALLENGE_SIZE);
    const more: [Key, Value][] = [
      [Key.Command, Status.Ok],
      [Key.Challenge, this.#challenge],
      [Key.SetupCode, this.setupCode.some((byte) => byte !== 0)],
    ];
    return Buffer.concat([
      Uint8Array.of(Envelope.Clear),
      encodeMessage(new Map([...this.#answerer.hello(), ...message(more)])),
    ]);
  }

  #greet(rest: Uint8Array): Uint8Array {
    const challenge = this.#challenge;
    this.#challenge = undefined;
    const id = Buffer.from(rest.subarray(0, OPERATOR_ID)).toString("latin1").replace(/\0+$/, "");
    for (const { key, role } of challenge === undefined ? [] : this.#keysOf(id)) {
      const prologue = makePrologue({ instance: this.#answerer.instance(), challenge: challenge! }, id);
      const handshake = new Handshake({ role: "responder", psk: key, prologue });
      try {
        handshake.read(rest.subarray(OPERATOR_ID));
      } catch {
        continue;
      }
      const second = handshake.write(Uint8Array.of(role));
      const { send, receive, hash } = handshake.split();
      this.#candidate = { id: hash.slice(0, 2), send, receive, role, operator: id, key, touched: new Set() };
      return Buffer.concat([Uint8Array.of(Envelope.Handshake), second]);
    }
    this.refusals++;
    const named = this.operators.find((one) => one.id === id);
    if (named !== undefined) named.refusals++;
    return clear(Status.HandshakeRefused);
  }

  #keysOf(id: string): { key: Uint8Array; role: Role }[] {
    if (id === "") return this.#answerer.isOpenToSetup() ? [{ key: this.setupCode, role: Role.Setup }] : [];
    const found = this.operators.find((one) => one.id === id);
    if (found === undefined) return [];
    return [found.key, found.pending].flatMap((key) => (key === undefined ? [] : [{ key, role: found.role }]));
  }

  #open(rest: Uint8Array): Uint8Array | Awaiting {
    const fits = [this.#candidate, this.#running].find(
      (one) => one !== undefined && Buffer.compare(one.id, rest.subarray(0, 2)) === 0,
    );
    if (fits === undefined) return clear(Status.NoSession);
    let inner: Uint8Array;
    try {
      inner = fits.receive.decrypt(rest.subarray(2));
    } catch {
      return clear(Status.NoSession);
    }
    if (fits === this.#candidate) this.#begin(fits);
    const request = decodeMessage(inner);
    this.opened.push(request);
    const command = request.get(Key.Command) as Command;
    const seal = (answer: Refusal | Message) =>
      Buffer.concat([Uint8Array.of(Envelope.Sealed), fits.id, fits.send.encrypt(encodeAnswer(answer))]);
    if (Command[command] === undefined) return seal(Status.UnknownCommand);
    if ((rolesOf(command) & fits.role) === 0) return seal([Status.WrongRole, fits.role]);
    if (command === Command.Close) {
      this.#running = undefined;
      return seal(message([]));
    }
    const answer = () => {
      const made = this.#answerer.answer(request, fits);
      const known = this.operators.some(({ id, role }) => id === fits.operator && role === fits.role);
      if (fits.role !== Role.Setup && !known) this.#running = undefined;
      return seal(made);
    };
    if (!this.#answerer.needsTouch(request, fits)) return answer();
    return { finish: (touched) => (touched ? answer() : seal(Status.PresenceTimeout)) };
  }

  /** A session's first genuine message: it takes the place of the one before, and its key is the operator's from here on. */
  #begin(session: Running): void {
    this.#running = session;
    this.#candidate = undefined;
    this.handshakes++;
    const operator = this.operators.find(({ id }) => id === session.operator);
    if (operator?.pending !== session.key) return;
    operator.key = session.key;
    delete operator.pending;
  }
}

function entry({ id, role, pending, refusals }: MockOperator): Message {
  return message([
    [Key.Role, role],
    [Key.Operator, id],
    [Key.Pending, pending !== undefined],
    [Key.Refusals, refusals],
  ]);
}

function encodeAnswer(answer: Refusal | Message): Uint8Array {
  if (answer instanceof Map) return encodeAccepted(answer);
  const [status, detail] = typeof answer === "number" ? [answer] : answer;
  return encodeMessage(
    message([
      [Key.Command, status],
      [Key.Detail, detail],
    ]),
  );
}

/** A listing is a sequence: the status, each entry, what is known last. */
function encodeAccepted(answer: Message): Uint8Array {
  const status: Message = message([[Key.Command, Status.Ok]]);
  const entries = answer.get(Key.Entries);
  if (!Array.isArray(entries)) return encodeMessage(new Map([...status, ...answer]));
  const last = message([...answer].filter(([key]) => key !== Key.Entries));
  return Buffer.concat([status, ...entries, last].map((map) => encodeMessage(map as Message)));
}

/** A refusal that comes before a session. */
export function clear(status: Status): Uint8Array {
  return Buffer.concat([Uint8Array.of(Envelope.Clear), encodeAnswer(status)]);
}
