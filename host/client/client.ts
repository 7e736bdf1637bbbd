/** The device's commands as functions: typed arguments, typed answers, refusals as DeviceError. SPEC.md §9, §11, §12.
 *  One request at a time; a request that a restart cut off is repeated with the same token, so that it happens once.
 *  Hello goes in clear; everything else is sealed in a session, which is made when the first request needs it. */
import { randomBytes } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import type { Region } from "../../firmware/defs/boundary.js";
import { FILEKEY_HEAD, SEALED_DELTA } from "../../firmware/defs/filekey.js";
import { UNIT } from "../../firmware/defs/medium.js";
import { TOKEN_SIZE } from "../../firmware/defs/record.js";
import { Envelope, type Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { KEY_SIZE, WRAPPED_MAX } from "../../firmware/defs/use.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import {
  type Attestation,
  type DeltaInfo,
  type Entry,
  type FilekeyInfo,
  type FilekeyWritten,
  type Generated,
  type Hello,
  type Info,
  type Listing,
  type OperatorList,
  readAttestation,
  readDelta,
  readFilekey,
  readFilekeyWritten,
  readGenerated,
  readHello,
  readInfo,
  readListing,
  readOperators,
  readRange,
  readRecord,
  readShown,
  readSigned,
  readTransportKey,
  readWritten,
  type Shown,
  type Signed,
  type TransportKey,
  type Written,
} from "./answers.js";
import { type Answered, type Carrier, Connection, type ConnectionOptions } from "./connection.js";
import { DeviceError, ProtocolError } from "./errors.js";
import { decodeAnswer, decodeMessage, encodeMessage, Fields, type Message, message, type Value } from "./message.js";
import type {
  AgreeOptions,
  FilekeyImport,
  FilekeyRequest,
  FindRequest,
  GenerateRequest,
  Geometry,
  NewOperator,
  OperatorKey,
  PutRequest,
} from "./requests.js";
import { helloMessage, type Operator } from "./session.js";
import { sshsigMessage } from "./sshsig.js";
import { adviceFor, UNCHANGED } from "./status-text.js";
import type { Transport } from "./transport.js";

export interface ClientOptions extends ConnectionOptions {
  /** Makes tokens, TOKEN_SIZE bytes. Default: random. */
  token?: () => Uint8Array;
}

export class Client {
  readonly #connection: Carrier;
  readonly #options: ClientOptions;

  /** @param connect opens the port; called at the first request, and again when the port closed. Or what carries requests instead. */
  constructor(connect: (() => Promise<Transport>) | Carrier, options: ClientOptions = {}) {
    this.#connection = typeof connect === "function" ? new Connection(connect, options) : connect;
    this.#options = options;
  }

  /** Sends any message, as it is, and returns the answer, whatever its status. @throws DisconnectedError, ProtocolError */
  async request(map: Message): Promise<Message> {
    const bytes = encodeMessage(map);
    const isHello = map.get(Key.Command) === Command.Hello;
    const { answer } = await (isHello ? this.#connection.clear(withEnvelope(bytes)) : this.#connection.sealed(bytes));
    return isHello ? decodeMessage(answer.subarray(1)) : decodeAnswer(answer);
  }

  /** Seals bytes that need not be a message, and returns what the answer held. */
  async exchange(bytes: Uint8Array): Promise<Uint8Array> {
    return (await this.#connection.sealed(bytes)).answer;
  }

  /** Who asks in the running session; undefined before the first request that needs one. */
  get session(): { operator: string; role: Role; instance: Uint8Array } | undefined {
    const session = this.#connection.session;
    return session && { operator: session.operator, role: session.role, instance: session.hello.instance };
  }

  /** Asks as another operator from here on: the next request makes a session of its own, on the same link. The key is copied. */
  as(operator: Operator): void {
    this.#connection.as(operator);
  }

  /** Ends the session on both sides; the next request makes a new one. */
  async endSession(): Promise<void> {
    const answer = await this.#connection.endSession(encodeMessage(message([[Key.Command, Command.Close]])));
    if (answer !== undefined) readAnswer(Command.Close, { answer, repeated: false, renewed: false }, readNothing);
  }

  /** Gives up a request that waits for a touch; it then fails with DeclinedError. @returns false when none waits */
  cancel(): Promise<boolean> {
    return this.#connection.cancel();
  }

  /** Waits for the requests so far, wipes session and operator keys, and closes the port. */
  close(): Promise<void> {
    return this.#connection.close();
  }

  /** What anybody may know. The answer is not authenticated. */
  async hello(): Promise<Hello> {
    const { answer, ...attempts } = await this.#connection.clear(helloMessage());
    if (answer[0] !== Envelope.Clear) throw new ProtocolError("The answer to hello did not come in clear.");
    return readAnswer(Command.Hello, { answer: answer.subarray(1), ...attempts }, readHello);
  }

  /** @throws ProtocolError when the device takes the session for another operator's, or itself for another instance */
  async info(): Promise<Info> {
    const info = await this.#call(Command.Info, [], readInfo);
    const { session } = this;
    const { instance, operator = "", role } = info;
    if (session === undefined) return info; // ended since
    const isBegun = operator === "" && session.instance.every((byte) => byte === 0); // blank at the handshake
    const isSame = isBegun || Buffer.compare(instance, session.instance) === 0;
    if (operator === session.operator && role === session.role && isSame) return info;
    throw new ProtocolError("The device says of its session what the handshake did not say.", "Open another session.");
  }

  /** Stores a record. @throws DeviceError TokenReused when `request.token` made another record */
  put(request: PutRequest): Promise<Written> {
    const { body, label, usage, tier, policy, slotClass } = request;
    const fields: [Key, Value | undefined][] = [
      [Key.Token, this.#token(request.token)],
      [Key.Label, label],
      [Key.Usage, usage],
      [Key.Tier, tier],
      [Key.Policy, policy],
      [Key.Class, slotClass],
      [Key.Body, body],
    ];
    return this.#call(Command.Put, fields, readWritten);
  }

  /** Makes a key on the device. @throws DeviceError TokenReused when `request.token` made another record */
  generate(request: GenerateRequest): Promise<Generated> {
    const { label, usage, tier, policy, slotClass } = request;
    const fields: [Key, Value | undefined][] = [
      [Key.Token, this.#token(request.token)],
      [Key.Label, label],
      [Key.Usage, usage],
      [Key.Tier, tier],
      [Key.Policy, policy],
      [Key.Class, slotClass],
    ];
    return this.#call(Command.Generate, fields, readGenerated);
  }

  /** Opens a record. May wait for a touch. @throws DeviceError NotExportable, Corrupt */
  get(handle: Uint8Array): Promise<Entry & { body: Uint8Array }> {
    return this.#call(Command.Get, [[Key.Handle, handle]], readRecord);
  }

  /** Opens records, the next one while the one before is on the line. @returns each in its place, or why not */
  async getAll(handles: readonly Uint8Array[]): Promise<((Entry & { body: Uint8Array }) | DeviceError)[]> {
    const requests = handles.map((handle) =>
      message([
        [Key.Command, Command.Get],
        [Key.Handle, handle],
      ]),
    );
    const answers = await this.#connection.sealedAll(requests.map(encodeMessage));
    return answers.map((answered) => {
      try {
        return readAnswer(Command.Get, answered, readRecord);
      } catch (error) {
        if (error instanceof DeviceError) return error;
        throw error;
      } finally {
        answered.answer.fill(0);
      }
    });
  }

  /** A record without its secrets; the public keys of its secret keys stand in their place. */
  publicParts(handle: Uint8Array): Promise<Entry & { body: Uint8Array }> {
    return this.#call(Command.Public, [[Key.Handle, handle]], readRecord);
  }

  /** Signs with the record's Ed25519 key, and checks the signature. May wait for a touch.
   *  @param data what is signed, as SPEC.md §12 has it for each usage: with `namespace` the digest of the message
   *  @param namespace for usage sshsig, and only for it
   *  @throws DeviceError WrongUsage, ForeignMessage, BadMessage, NoSuchKey, KeyMismatch; ProtocolError for a signature that is none */
  async sign(handle: Uint8Array, data: Uint8Array, namespace?: string): Promise<Signed> {
    const signed = namespace === undefined ? data : sshsigMessage(namespace, data);
    const fields: [Key, Value | undefined][] = [
      [Key.Handle, handle],
      [Key.Data, data],
      [Key.Namespace, namespace],
    ];
    const answer = await this.#call(Command.Sign, fields, readSigned);
    if (!isSigned(answer, signed))
      throw new ProtocolError(
        "The device answered a signature that does not verify; it was thrown away.",
        "Look at `mbs info`; a fault in the device can give a key away through wrong signatures.",
      );
    return answer;
  }

  /** Agrees on a secret with the record's X25519 key. May wait for a touch.
   *  @param publicKey of the other side  @returns the shared secret (32 bytes); with `options` the key that HKDF makes of it, or what was wrapped
   *  @throws DeviceError LowOrder, NotGenuine, WrongUsage, NoSuchKey */
  agree(handle: Uint8Array, publicKey: Uint8Array, options?: AgreeOptions): Promise<Uint8Array> {
    const fields: [Key, Value | undefined][] = [
      [Key.Handle, handle],
      [Key.Public, publicKey],
      [Key.Salt, options?.salt],
      [Key.Context, options?.context],
      [Key.Wrapped, options?.wrapped],
    ];
    const wrapped = options?.wrapped;
    return this.#call(Command.Agree, fields, (answer) =>
      wrapped === undefined
        ? answer.bytes(Key.Data, KEY_SIZE)
        : answer.bytes(Key.Data, Math.min(wrapped.length, WRAPPED_MAX) - TAG),
    );
  }

  /** Has the device say what it is, or what a record is, signed with its identity key. `verifyAttestation` reads it.
   *  @param challenge CHALLENGE_MIN…CHALLENGE_MAX random bytes, so that no old statement will do */
  attest(challenge: Uint8Array, handle?: Uint8Array): Promise<Attestation> {
    const fields: [Key, Value | undefined][] = [
      [Key.Handle, handle],
      [Key.Challenge, challenge],
    ];
    return this.#call(Command.Attest, fields, readAttestation);
  }

  /** All entries, oldest record first. */
  async list(): Promise<Entry[]> {
    return (await this.listing()).entries;
  }

  /** The entries of which all that is named holds, oldest record first. */
  async find(what: FindRequest): Promise<Entry[]> {
    return (await this.listing(what)).entries;
  }

  /** Entries as list gives them, or find, and the number of records that cannot be among them. */
  listing(what?: FindRequest): Promise<Listing> {
    if (what === undefined) return this.#call(Command.List, [], readListing);
    const fields: [Key, Value | undefined][] = [
      [Key.Label, what.label],
      [Key.Usage, what.usage],
      [Key.Tier, what.tier],
      [Key.Origin, what.origin],
      [Key.LabelPrefix, what.labelPrefix],
      [Key.EpochMin, what.epochMin],
      [Key.EpochMax, what.epochMax],
    ];
    return this.#call(Command.Find, fields, readListing);
  }

  /** One entry, and what its parts are, without their content. */
  show(handle: Uint8Array): Promise<Shown> {
    return this.#call(Command.Show, [[Key.Handle, handle]], readShown);
  }

  /** Makes a record unreachable; with `destroy` its ciphertext is erased before the answer comes.
   *  @returns whether the ciphertext is erased */
  async evict(handle: Uint8Array, destroy = false): Promise<{ destroyed: boolean }> {
    const fields: [Key, Value][] = [
      [Key.Handle, handle],
      [Key.Destroy, destroy],
    ];
    try {
      return await this.#call(Command.Evict, fields, (answer) => ({ destroyed: answer.bool(Key.Destroyed) }));
    } catch (error) {
      // cut off and repeated: the first one had been carried out, and info knows what is left of it
      if (!(error instanceof DeviceError && error.status === Status.NoSuchHandle && repeats.has(error))) throw error;
      const { store } = await this.info();
      return { destroyed: store?.residue.some((left) => Buffer.compare(left, handle) === 0) === false };
    }
  }

  /** Puts a new body under the same handle, with the same attributes.
   *  @param options.keep the record's keys stay, and `body` takes the place of its other parts */
  replace(
    handle: Uint8Array,
    body: Uint8Array,
    options: { token?: Uint8Array; keep?: boolean } = {},
  ): Promise<Written> {
    const fields: [Key, Value | undefined][] = [
      [Key.Handle, handle],
      [Key.Token, this.#token(options.token)],
      [Key.Body, body],
      [Key.Keep, options.keep],
    ];
    return this.#call(Command.Replace, fields, readWritten);
  }

  /** Gives a record another label, or none. */
  relabel(handle: Uint8Array, label: string | undefined, token?: Uint8Array): Promise<Written> {
    const fields: [Key, Value | undefined][] = [
      [Key.Handle, handle],
      [Key.Token, this.#token(token)],
      [Key.Label, label],
    ];
    return this.#call(Command.Relabel, fields, readWritten);
  }

  /** Gives a record another policy. Weakening it waits for a touch. @throws DeviceError NotExportable for a generated key */
  policy(handle: Uint8Array, policy: number, token?: Uint8Array): Promise<Written> {
    const fields: [Key, Value][] = [
      [Key.Handle, handle],
      [Key.Token, this.#token(token)],
      [Key.Policy, policy],
    ];
    return this.#call(Command.Policy, fields, readWritten);
  }

  /** Gives an operator access; its key is pending until its first session. @throws DeviceError OperatorExists, OperatorsFull */
  operatorAdd({ id, role, key }: NewOperator): Promise<void> {
    const fields: [Key, Value][] = [
      [Key.Role, role],
      [Key.Operator, id],
      [Key.Secret, key],
    ];
    return this.#call(Command.OperatorAdd, fields, readNothing);
  }

  /** Gives an operator another key; the old one works until the new one was used. @throws DeviceError NoSuchOperator */
  operatorRotate({ id, key }: OperatorKey): Promise<void> {
    const fields: [Key, Value][] = [
      [Key.Operator, id],
      [Key.Secret, key],
    ];
    return this.#call(Command.OperatorRotate, fields, readNothing);
  }

  /** Gives an operator another role, and ends its session. @throws DeviceError LastAdmin, NoSuchOperator */
  operatorRole(id: string, role: Role): Promise<void> {
    const fields: [Key, Value][] = [
      [Key.Role, role],
      [Key.Operator, id],
    ];
    return this.#call(Command.OperatorRole, fields, readNothing);
  }

  /** Takes an operator's access away, and ends its session. @throws DeviceError LastAdmin, NoSuchOperator */
  async operatorRemove(id: string): Promise<void> {
    try {
      await this.#call(Command.OperatorRemove, [[Key.Operator, id]], readNothing);
    } catch (error) {
      // cut off and repeated: the first one had been carried out
      if (!(error instanceof DeviceError && error.status === Status.NoSuchOperator && repeats.has(error))) throw error;
    }
  }

  /** All operators. */
  operators(): Promise<OperatorList> {
    return this.#call(Command.OperatorList, [], readOperators);
  }

  /** Erases root, operators and journal, after a touch: no record can be opened any more. The session ends with the answer. */
  reset(): Promise<void> {
    return this.#call(Command.Reset, [], readNothing);
  }

  /** Makes a filekey whose positions the device hands out. @throws DeviceError FilekeysFull */
  filekeyCreate({ capacity, ...request }: FilekeyRequest): Promise<FilekeyWritten> {
    return this.#call(Command.FilekeyCreate, this.#filekeyFields(request, size(capacity)), readFilekeyWritten);
  }

  /** Has the device open Deltas of another device's filekey. @throws DeviceError Conflict: it has that filekey, or had it */
  filekeyImport({ head, ...request }: FilekeyImport): Promise<FilekeyWritten> {
    return this.#call(Command.FilekeyImport, this.#filekeyFields(request, head), readFilekeyWritten);
  }

  #filekeyFields(request: Omit<PutRequest, "body" | "usage">, data: Uint8Array): [Key, Value | undefined][] {
    return [
      [Key.Token, this.#token(request.token)],
      [Key.Label, request.label],
      [Key.Tier, request.tier],
      [Key.Policy, request.policy],
      [Key.Class, request.slotClass],
      [Key.Data, data],
    ];
  }

  /** A filekey's pointer and Deltas. @throws DeviceError NotAuthority, Deleted */
  filekey(handle: Uint8Array): Promise<FilekeyInfo> {
    return this.#call(Command.FilekeyDeltas, [[Key.Handle, handle]], readFilekey);
  }

  /** Hands out the next positions of the newest Delta, durable before they are answered.
   *  @param sequence of the newest Delta that is known  @param token the same one again, while nothing else was handed out, gets the same range
   *  @throws DeviceError Conflict, DeltaFull, RateLimited, PositionsLost, NotAuthority */
  async filekeyReserve(
    handle: Uint8Array,
    sequence: number,
    count: bigint,
    token?: Uint8Array,
  ): Promise<{ start: bigint; end: bigint }> {
    const fields: [Key, Value][] = [
      [Key.Handle, handle],
      [Key.Token, this.#token(token)],
      [Key.Sequence, sequence],
      [Key.Data, size(count)],
    ];
    const range = await this.#call(Command.FilekeyReserve, fields, readRange);
    if (range.end - range.start === count - 1n) return range;
    throw new ProtocolError("The device handed out another number of positions than was asked for; they are not used.");
  }

  /** Makes the Delta after `sequence`, the newest one that is known. @param id 16 random bytes, the new one's. @throws DeviceError Conflict */
  filekeyRenew(handle: Uint8Array, sequence: number, id?: Uint8Array): Promise<DeltaInfo> {
    const fields: [Key, Value][] = [
      [Key.Handle, handle],
      [Key.Token, this.#token(id)],
      [Key.Sequence, sequence],
    ];
    return this.#call(Command.FilekeyRenew, fields, readDelta);
  }

  /** A sealed Delta, SEALED_DELTA bytes. */
  filekeyContainer(handle: Uint8Array, sequence: number): Promise<Uint8Array> {
    const fields: [Key, Value][] = [
      [Key.Handle, handle],
      [Key.Sequence, sequence],
    ];
    return this.#call(Command.FilekeyContainer, fields, (answer) => answer.bytes(Key.Data, SEALED_DELTA));
  }

  /** The 32-byte secret of a sealed Delta. May wait for a touch. @throws DeviceError NotGenuine, NotExportable */
  filekeyOpen(handle: Uint8Array, container: Uint8Array): Promise<Uint8Array> {
    const fields: [Key, Value][] = [
      [Key.Handle, handle],
      [Key.Data, container],
    ];
    return this.#call(Command.FilekeyOpen, fields, (answer) => answer.bytes(Key.Secret, 32));
  }

  /** A filekey for another device, its Alpha in it. Waits for a touch. @throws DeviceError NotExportable */
  filekeyExport(handle: Uint8Array): Promise<Uint8Array> {
    return this.#call(Command.FilekeyExport, [[Key.Handle, handle]], (answer) => answer.bytes(Key.Data, FILEKEY_HEAD));
  }

  /** Erases Alpha and Deltas of a filekey that the device hands out positions of; its id and last position stay. As evict. */
  filekeyDelete(handle: Uint8Array, destroy = false, token?: Uint8Array): Promise<{ destroyed: boolean }> {
    const fields: [Key, Value][] = [
      [Key.Handle, handle],
      [Key.Token, this.#token(token)],
      [Key.Destroy, destroy],
    ];
    return this.#call(Command.FilekeyDelete, fields, (answer) => ({ destroyed: answer.bool(Key.Destroyed) }));
  }

  /** Sets the creation epoch, which never goes back. @returns the epoch now */
  epoch(epoch: number): Promise<number> {
    return this.#call(Command.Epoch, [[Key.Epoch, epoch]], (fields) => fields.uint(Key.Epoch));
  }

  /** Takes the present records of a degraded store as right. @returns how often that was done */
  accept(): Promise<number> {
    return this.#call(Command.Accept, [], (fields) => fields.uint(Key.Accepted));
  }

  /** Makes the root and lays out the slots; repeats, with the same arguments, until `provisionFinish`.
   *  @param manifest digest of the manifest, 16 bytes */
  provisionBegin(manifest: Uint8Array, classes: readonly Geometry[]): Promise<{ instance: Uint8Array; state: State }> {
    const geometry = classes.map(({ slotSize, blocks }) =>
      message([
        [Key.SlotUnits, slotSize / UNIT],
        [Key.Blocks, blocks],
      ]),
    );
    const fields: [Key, Value][] = [
      [Key.Manifest, manifest],
      [Key.Classes, geometry],
    ];
    return this.#call(Command.ProvisionBegin, fields, (answer) => ({
      instance: answer.bytes(Key.Instance, 16),
      state: readState(answer),
    }));
  }

  /** The key that an image for this board is sealed to; a board without a store makes it when it has none. */
  transportKey(): Promise<TransportKey> {
    return this.#call(Command.TransportKey, [], readTransportKey);
  }

  /** Ends provisioning; also fine when it had ended. */
  provisionFinish(): Promise<{ state: State }> {
    return this.#call(Command.ProvisionFinish, [], (fields) => ({ state: readState(fields) }));
  }

  /** Reads sealed bytes of the medium. @param length 1…4096 */
  dump(region: Region, offset: number, length: number): Promise<Uint8Array> {
    const fields: [Key, Value][] = [
      [Key.Region, region],
      [Key.Offset, offset],
      [Key.Length, length],
    ];
    return this.#call(Command.Dump, fields, (answer) => answer.bytes(Key.Data, length));
  }

  #token(given?: Uint8Array): Uint8Array {
    return given ?? this.#options.token?.() ?? randomBytes(TOKEN_SIZE);
  }

  async #call<T>(
    command: Command,
    fields: (readonly [Key, Value | undefined])[],
    read: (fields: Fields) => T,
  ): Promise<T> {
    const bytes = encodeMessage(message([[Key.Command, command], ...fields]));
    try {
      const answered = await this.#connection.sealed(bytes);
      try {
        return readAnswer(command, answered, read);
      } finally {
        answered.answer.fill(0);
      }
    } finally {
      bytes.fill(0);
    }
  }
}

const TAG = 16; // bytes that wrapping adds

/** Reads one answer. @throws DeviceError for a refusal, ProtocolError for what is no answer to this command */
function readAnswer<T>(command: Command, { answer, repeated, renewed }: Answered, read: (fields: Fields) => T): T {
  const got = new Fields(decodeAnswer(answer), Command[command]!.toLowerCase());
  const status: Status = got.int(Key.Command, -0x8000, 0);
  if (status !== Status.Ok) {
    const detail = got.has(Key.Detail) ? got.uint(Key.Detail) : undefined;
    got.end();
    const hint = adviceFor(status, command);
    const advice = hint === undefined ? {} : { hint };
    const plain = new DeviceError(status, detail, advice);
    const message = plain.message.replace(
      UNCHANGED,
      "An earlier attempt was not answered, and may have been carried out.",
    );
    const error = renewed ? new DeviceError(status, detail, { ...advice, message }) : plain;
    if (repeated) repeats.add(error);
    throw error;
  }
  const result = read(got);
  got.end();
  return result;
}

function readNothing(): void {}

/** A number of positions as messages carry it: i64, little-endian. */
function size(positions: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(positions);
  return bytes;
}

function withEnvelope(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(Envelope.Clear), bytes]);
}

/** By the strict rules of RFC 8032: no other encoding of a key or signature passes. */
function isSigned({ publicKey, signature }: Signed, data: Uint8Array): boolean {
  try {
    return ed25519.verify(signature, data, publicKey, { zip215: false });
  } catch {
    return false; // not even a point
  }
}

/** Refusals that came to a repeated request: the first one may have done what was asked. */
const repeats = new WeakSet<DeviceError>();

function readState(fields: Fields): State {
  return fields.uint(Key.State, State.Rescue);
}

/** @returns the handle as people read it, in hexadecimal */
export function handleText(handle: Uint8Array): string {
  return Buffer.from(handle).toString("hex");
}
