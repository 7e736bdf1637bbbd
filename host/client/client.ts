/** The device's commands as functions: typed arguments, typed answers, refusals as DeviceError. SPEC.md §9.
 *  One request at a time; a request that a restart cut off is repeated with the same token, so that it happens once. */
import { randomBytes } from "node:crypto";
import type { Region } from "../../firmware/defs/boundary.js";
import { UNIT } from "../../firmware/defs/medium.js";
import { TOKEN_SIZE } from "../../firmware/defs/record.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import {
  type Entry,
  type Hello,
  type Info,
  type Listing,
  readEntry,
  readHello,
  readInfo,
  readListing,
  readShown,
  readWritten,
  type Shown,
  type Written,
} from "./answers.js";
import { DeviceError, DisconnectedError } from "./errors.js";
import { Link, type LinkOptions } from "./link.js";
import { decodeMessage, encodeMessage, Fields, type Message, message, type Value } from "./message.js";
import type { FindRequest, Geometry, PutRequest } from "./requests.js";
import type { Transport } from "./transport.js";

export interface ClientOptions extends LinkOptions {
  /** How often a request is repeated after the device restarted or the port closed. Default 1. */
  reconnects?: number;
  /** Makes tokens, TOKEN_SIZE bytes. Default: random. */
  token?: () => Uint8Array;
}

export class Client {
  readonly #connect: () => Promise<Transport>;
  readonly #options: ClientOptions;
  #transport: Transport | undefined;
  #link: Link | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** @param connect opens the port; called at the first request, and again when the port closed. */
  constructor(connect: () => Promise<Transport>, options: ClientOptions = {}) {
    this.#connect = connect;
    this.#options = options;
  }

  /** Sends any message, as it is, and returns the answer, whatever its status. @throws DisconnectedError, ProtocolError */
  async request(map: Message): Promise<Message> {
    return decodeMessage(await this.exchange(encodeMessage(map)));
  }

  /** The same with bytes that need not be a message. */
  async exchange(bytes: Uint8Array): Promise<Uint8Array> {
    return (await this.#enqueue(bytes)).answer;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#drop();
  }

  hello(): Promise<Hello> {
    return this.#call(Command.Hello, [], readHello);
  }

  info(): Promise<Info> {
    return this.#call(Command.Info, [], readInfo);
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

  /** Opens a record. @throws DeviceError NotExportable, PresenceRequired, Corrupt */
  get(handle: Uint8Array): Promise<Entry & { body: Uint8Array }> {
    return this.#call(Command.Get, [[Key.Handle, handle]], (fields) => ({
      ...readEntry(fields),
      body: fields.bytes(Key.Body),
    }));
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

  /** Puts a new body under the same handle, with the same attributes. */
  replace(handle: Uint8Array, body: Uint8Array, token?: Uint8Array): Promise<Written> {
    const fields: [Key, Value][] = [
      [Key.Handle, handle],
      [Key.Token, this.#token(token)],
      [Key.Body, body],
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
    const { answer, repeated } = await this.#enqueue(encodeMessage(message([[Key.Command, command], ...fields])));
    const got = new Fields(decodeMessage(answer), Command[command]!.toLowerCase());
    const status: Status = got.int(Key.Command, -0x8000, 0);
    if (status !== Status.Ok) {
      const error = new DeviceError(status, got.has(Key.Detail) ? got.uint(Key.Detail) : undefined);
      if (repeated) repeats.add(error);
      throw error;
    }
    const result = read(got);
    got.end();
    return result;
  }

  /** Waits for the requests before this one, whatever became of them. */
  #enqueue(bytes: Uint8Array): Promise<{ answer: Uint8Array; repeated: boolean }> {
    const turn = this.#last.then(() => this.#exchange(bytes));
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #exchange(bytes: Uint8Array): Promise<{ answer: Uint8Array; repeated: boolean }> {
    for (let attempt = 0; ; attempt++) {
      try {
        this.#transport ??= await this.#connect();
        this.#link ??= await Link.open(this.#transport, this.#options);
        return { answer: await this.#link.exchange(bytes), repeated: attempt > 0 };
      } catch (error) {
        this.#link = undefined;
        if (!(error instanceof DisconnectedError)) throw error;
        const never = this.#transport === undefined || error.reason === "silent";
        if (error.reason === "closed") await this.#drop();
        if (never || attempt >= (this.#options.reconnects ?? 1)) throw error;
      }
    }
  }

  async #drop(): Promise<void> {
    const transport = this.#transport;
    this.#transport = undefined;
    this.#link = undefined;
    await transport?.close();
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
