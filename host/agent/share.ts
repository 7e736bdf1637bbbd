/** A share in the session that an agent holds: carries the requests of a client to it. Relies on protocol.ts. */
import { connect, type Socket } from "node:net";
import { BusyReason } from "../../firmware/defs/link.js";
import type { Answered, Carrier, ConnectionOptions, Proven } from "../client/connection.js";
import { DisconnectedError, FileError, UsageError } from "../client/errors.js";
import type { Message, Value } from "../client/message.js";
import { type Operator, sayHello } from "../client/session.js";
import {
  AGENT_VERSION,
  Ask,
  busyField,
  bytesField,
  field,
  readFailure,
  receive,
  Slot,
  send,
  Tell,
} from "./protocol.js";
import { isSocket } from "./where.js";

const GREETING_MS = 5000;
const QUEUE_MS = 2000; // the device answers, or says that it takes a while, long before

export interface ShareOptions extends Pick<ConnectionOptions, "operator" | "onBusy"> {
  /** Told when a request seems to wait for those of other programs. */
  onQueued?: () => void;
}

/** What an agent says of itself. */
export interface AgentStatus {
  process: number;
  /** Requests so far. */
  served: number;
  /** The session that runs; absent before the first request that needs one, and after it ended. */
  session?: Proven & { seconds: number };
}

export class Share implements Carrier {
  /** The agent's session, as of the last answer. */
  session: Proven | undefined;
  readonly #socket: Socket;
  readonly #options: ShareOptions;
  #operator: Operator | undefined;
  #waiting: { take(map: Message): void; fail(error: Error): void } | undefined;
  #queued: NodeJS.Timeout | undefined;
  #touchAwaited = false;
  #ended: Error | undefined;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(socket: Socket, options: ShareOptions) {
    this.#socket = socket;
    this.#options = options;
    receive(socket, (map) => this.#take(map));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#ended = new DisconnectedError(
        "closed",
        "The session on this port ended; a request under way may or may not have been carried out.",
        "`mbs session open` begins another one.",
      );
      this.#waiting?.fail(this.#ended);
    });
  }

  /** @returns undefined when no agent listens at the path. @throws FileError when what listens is not to be trusted */
  static async reach(path: string, options: ShareOptions = {}): Promise<Share | undefined> {
    if (!(await isSocket(path))) return undefined;
    const socket = await new Promise<Socket | undefined>((resolve) => {
      const trying = connect(path, () => resolve(trying));
      trying.once("error", () => resolve(undefined)); // left behind by an agent that was killed
    });
    if (socket === undefined) return undefined;
    const share = new Share(socket, options);
    // the agent answers this at once, whatever it is at; one that does not is stopped or something else
    const silent = setTimeout(() => socket.destroy(), GREETING_MS);
    const version = await share
      .#ask([[Slot.Kind, Ask.Status]])
      .then((map) => map.get(Slot.Version))
      .finally(() => clearTimeout(silent));
    if (version === AGENT_VERSION) return share;
    socket.destroy();
    throw new FileError("The session on this port is held by another version of mbs.", "End it with that one.");
  }

  async status(): Promise<AgentStatus> {
    const map = await this.#turn(() => this.#ask([[Slot.Kind, Ask.Status]]));
    const session = readSession(map);
    return {
      process: field(map, Slot.Process, "number"),
      served: field(map, Slot.Served, "number"),
      ...(session !== undefined && { session: { ...session, seconds: field(map, Slot.Age, "number") } }),
    };
  }

  /** Ends session and agent. Resolves when its socket closed. */
  async stop(): Promise<void> {
    await this.#last;
    if (this.#ended !== undefined) return;
    await new Promise<void>((resolve) => {
      this.#socket.once("close", () => resolve());
      send(this.#socket, [[Slot.Kind, Ask.Stop]]);
    });
  }

  clear(message: Uint8Array): Promise<Answered> {
    return this.#turn(() => this.#clear(message));
  }

  sealed(inner: Uint8Array): Promise<Answered> {
    return this.#turn(async () => {
      const { id, key } = await this.#whoAsks();
      const map = await this.#ask([
        [Slot.Kind, Ask.Sealed],
        [Slot.OperatorId, id],
        [Slot.OperatorKey, key],
        [Slot.Bytes, inner],
      ]);
      this.session = readSession(map);
      return readAnswered(map);
    });
  }

  /** One after the other: the line is shared. */
  async sealedAll(inners: readonly Uint8Array[]): Promise<Answered[]> {
    const answers: Answered[] = [];
    for (const inner of inners) answers.push(await this.sealed(inner));
    return answers;
  }

  as(operator: Operator): void {
    const copy = { id: operator.id, key: Uint8Array.from(operator.key) };
    void this.#turn(async () => {
      this.#operator?.key.fill(0);
      this.#operator = copy;
      this.session = undefined;
    });
  }

  /** The agent says itself what ends a session. */
  endSession(): Promise<Uint8Array | undefined> {
    return this.#turn(async () => {
      const map = await this.#ask([[Slot.Kind, Ask.End]]);
      this.session = undefined;
      return field(map, Slot.Given, "boolean") ? bytesField(map, Slot.Bytes) : undefined;
    });
  }

  async cancel(): Promise<boolean> {
    if (!this.#touchAwaited || this.#ended !== undefined) return false;
    send(this.#socket, [[Slot.Kind, Ask.Cancel]]);
    return true;
  }

  /** Leaves; the agent keeps its session. */
  async close(): Promise<void> {
    await this.#last;
    this.#operator?.key.fill(0);
    this.#operator = undefined;
    this.#socket.destroy();
  }

  async #clear(message: Uint8Array): Promise<Answered> {
    return readAnswered(
      await this.#ask([
        [Slot.Kind, Ask.Clear],
        [Slot.Bytes, message],
      ]),
    );
  }

  async #whoAsks(): Promise<Operator> {
    if (this.#operator !== undefined) return this.#operator;
    if (this.#options.operator === undefined)
      throw new UsageError("The device answers only operators, and none was named.", "Name one with --operator.");
    const hello = await sayHello({ exchange: async (message) => (await this.#clear(message)).answer });
    const { id, key } = await this.#options.operator(hello);
    this.#operator = { id, key: Uint8Array.from(key) };
    return this.#operator;
  }

  #turn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(run);
    this.#last = turn.catch(() => {});
    return turn;
  }

  #ask(fields: [Slot, Value | undefined][]): Promise<Message> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise<Message>((resolve, reject) => {
      this.#queued = setTimeout(() => this.#options.onQueued?.(), QUEUE_MS).unref();
      const settle = () => {
        clearTimeout(this.#queued);
        this.#waiting = undefined;
        this.#touchAwaited = false;
      };
      this.#waiting = {
        take: (map) => {
          settle();
          try {
            if (field(map, Slot.Kind, "number") === Tell.Failure) reject(readFailure(map));
            else resolve(map);
          } catch (error) {
            reject(error);
            throw error;
          }
        },
        fail: (error) => {
          settle();
          reject(error);
        },
      };
      send(this.#socket, fields);
    });
  }

  #take(map: Message): void {
    if (field(map, Slot.Kind, "number") !== Tell.Busy) {
      this.#waiting?.take(map);
      return;
    }
    clearTimeout(this.#queued);
    const busy = busyField(map);
    this.#touchAwaited = busy.reason === BusyReason.Touch;
    this.#options.onBusy?.(busy);
  }
}

function readSession(map: Message): Proven | undefined {
  if (!map.has(Slot.OperatorId)) return undefined;
  return {
    operator: field(map, Slot.OperatorId, "string"),
    role: field(map, Slot.Role, "number"),
    hello: { instance: bytesField(map, Slot.Instance) },
  };
}

function readAnswered(map: Message): Answered {
  const [repeated, renewed] = [field(map, Slot.Repeated, "boolean"), field(map, Slot.Renewed, "boolean")];
  return { answer: bytesField(map, Slot.Bytes), repeated, renewed };
}
