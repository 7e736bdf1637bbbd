/** Gets requests to the device one after the other: opens port, link and session when they are needed, and again when they end.
 *  Relies on link.ts and session.ts. A request that a restart cut off, or whose session was over, is sent again as it was. */
import { Status } from "../../firmware/defs/status.js";
import type { Hello } from "./answers.js";
import { DeviceError, DisconnectedError, UnreachedError, UsageError } from "./errors.js";
import { Link, type LinkOptions } from "./link.js";
import { helloMessage, type Operator, Session } from "./session.js";
import type { Transport } from "./transport.js";

export interface ConnectionOptions extends LinkOptions {
  /** Says who asks. Called once, before the first request that needs a session; without it only hello works.
   *  The key is copied; the copy is wiped when the client is closed. */
  operator?: (hello: Hello) => Promise<Operator>;
  /** How often a request is repeated after the device restarted or the port closed. Default 1. */
  reconnects?: number;
}

export interface Answered {
  answer: Uint8Array;
  /** An earlier attempt was cut off, and may have been carried out. */
  repeated: boolean;
  /** An earlier attempt was answered NoSession, which comes in clear: anybody may have put it in the place of the true answer. */
  renewed: boolean;
}

/** Whatever carries the requests of a client: a connection of its own, or a share in one that another program holds (host/agent). */
export type Carrier = Pick<Connection, "clear" | "sealed" | "sealedAll" | "as" | "endSession" | "cancel" | "close"> & {
  /** What the handshake of the running session proved; undefined when none runs. */
  readonly session: Proven | undefined;
};

/** Who asks in a session, with which role, and of which device. */
export type Proven = Pick<Session, "operator" | "role"> & { hello: Pick<Hello, "instance"> };

export class Connection {
  readonly #connect: () => Promise<Transport>;
  readonly #options: ConnectionOptions;
  #transport: Transport | undefined;
  #link: Link | undefined;
  #session: Session | undefined;
  #operator: Operator | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(connect: () => Promise<Transport>, options: ConnectionOptions) {
    this.#connect = connect;
    this.#options = options;
  }

  /** The running session, undefined before the first sealed request. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** Sends one message in clear, envelope included. */
  async clear(message: Uint8Array): Promise<Answered> {
    return this.#queue(() => this.#attempt((link) => link.exchange(message)));
  }

  /** Seals one request, and opens its answer. @throws UsageError when nobody says who asks; nothing was sent then */
  async sealed(inner: Uint8Array): Promise<Answered> {
    const [answered] = await this.sealedAll([inner]);
    return answered!;
  }

  /** The same for requests that change nothing: the next ones are on their way while the device answers the first. */
  async sealedAll(inners: readonly Uint8Array[]): Promise<Answered[]> {
    const { answer: answers, ...attempts } = await this.#queue(() => {
      if (this.#operator === undefined && this.#options.operator === undefined)
        throw new UsageError("The device answers only operators, and none was named.", "Name one with --operator.");
      return this.#attempt(async (link, begin) => {
        this.#session ??= await Session.open(link, (hello) => this.#whoAsks(hello));
        begin();
        return this.#session.exchangeAll(inners);
      });
    });
    return answers.map((answer) => ({ answer, ...attempts }));
  }

  /** Requests from here on are asked by another operator, in a session of its own. The key is copied. */
  as(operator: Operator): void {
    const copy = copyOf(operator);
    void this.#queue(async () => {
      this.#endSession();
      this.#forgetOperator();
      this.#operator = copy;
    });
  }

  /** Sends a last request in the running session, and ends it. @returns its answer, undefined when no session runs (any more) */
  endSession(inner: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#queue(async () => {
      try {
        return await this.#session?.exchange(inner);
      } catch (error) {
        if (!isOver(error)) this.#endLink();
        if (isOver(error) || (error instanceof DisconnectedError && error.reason === "restarted")) return undefined;
        throw error;
      } finally {
        this.#endSession();
      }
    });
  }

  /** Gives up the request that waits for a touch; the others go on. @returns false when none does */
  async cancel(): Promise<boolean> {
    return (await this.#link?.cancel(helloMessage())) ?? false;
  }

  /** Waits for the requests so far, wipes all keys and closes the port. */
  async close(): Promise<void> {
    await this.#last;
    this.#forgetOperator();
    await this.#closePort();
  }

  /** Waits for the requests before this one, whatever became of them. */
  #queue<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(run);
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** @param send is to call `begin` when what it sends from there on may be carried out */
  async #attempt<T>(
    send: (link: Link, begin: () => void) => Promise<T>,
  ): Promise<Omit<Answered, "answer"> & { answer: T }> {
    let reconnects = this.#options.reconnects ?? 1;
    let renewed = false;
    let begun = false;
    let earlier: Error | undefined; // says that the request may have been carried out
    for (;;) {
      const repeated: boolean = begun;
      try {
        this.#transport ??= await this.#connect();
        this.#link ??= await Link.open(this.#transport, this.#options);
        const answer = await send(this.#link, () => {
          begun = true;
        });
        return { answer, repeated, renewed };
      } catch (error) {
        if (error instanceof DeviceError) {
          this.#endSession();
          if (!isOver(error) || renewed) throw error;
          renewed = true;
          begun = repeated; // as far as it can be believed, the device did not take it
          continue;
        }
        this.#endLink();
        if (!(error instanceof DisconnectedError)) throw error;
        const never = this.#transport === undefined || error.reason === "silent";
        if (error.reason === "closed") await this.#closePort();
        if (begun && !(error instanceof UnreachedError)) earlier = error;
        if (never || reconnects-- <= 0) throw earlier ?? error;
      }
    }
  }

  async #whoAsks(hello: Hello): Promise<Operator> {
    this.#operator ??= copyOf(await this.#options.operator!(hello));
    return this.#operator;
  }

  #forgetOperator(): void {
    this.#operator?.key.fill(0);
    this.#operator = undefined;
  }

  #endSession(): void {
    this.#session?.close();
    this.#session = undefined;
  }

  #endLink(): void {
    this.#endSession();
    this.#link = undefined;
  }

  async #closePort(): Promise<void> {
    const transport = this.#transport;
    this.#endLink();
    this.#transport = undefined;
    await transport?.close();
  }
}

/** slice() of a Buffer would be a view of the caller's key, and wiping it would wipe that. */
function copyOf({ id, key }: Operator): Operator {
  return { id, key: Uint8Array.from(key) };
}

/** Whether a request met a session that is over. */
function isOver(error: unknown): boolean {
  return error instanceof DeviceError && error.status === Status.NoSession;
}
