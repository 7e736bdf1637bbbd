/** The agent: holds a port and a session, and serves the programs of one user over a Unix socket, one request at a time, in the order in
 *  which they come. Whoever asks brings the operator's key along, so that the agent opens nothing to programs that could not open it
 *  themselves. Relies on protocol.ts and on the client's Connection. Design: a handshake costs a fifth of a second, a request little. */
import { randomBytes, timingSafeEqual } from "node:crypto";
import type { Stats } from "node:fs";
import { chmod, lstat, rename, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { Command, Key } from "../../firmware/defs/wire.js";
import { isSameFile, withLock } from "../atomic.js";
import { type Answered, Connection } from "../client/connection.js";
import { DeclinedError, DisconnectedError, FileError, ProtocolError } from "../client/errors.js";
import type { Busy } from "../client/link.js";
import { encodeMessage, type Message, message, type Value } from "../client/message.js";
import type { Operator } from "../client/session.js";
import type { Transport } from "../client/transport.js";
import {
  AGENT_VERSION,
  Ask,
  bytesField,
  failureFields,
  field,
  operatorField,
  receive,
  Slot,
  send,
  Tell,
} from "./protocol.js";
import { Share } from "./share.js";
import { makeFolder } from "./where.js";

export interface AgentOptions {
  /** Milliseconds without a request after which the agent ends. */
  idle: number;
  /** Told what happens, never what is in it. */
  log: (text: string) => void;
}

/** One program at the socket. */
interface Peer {
  socket: Socket;
  /** Its request under way or in the queue was given up. */
  givenUp: boolean;
}

const ENDING = "The session on this port is being closed; the request was not sent.";
const CLOSE = encodeMessage(message([[Key.Command, Command.Close]]));

export class Agent {
  /** Resolves when the agent has ended: port closed, keys wiped, socket gone. */
  readonly done: Promise<void>;
  readonly #path: string;
  readonly #options: AgentOptions;
  readonly #server: Server;
  readonly #connection: Connection;
  readonly #peers = new Set<Peer>();
  #finish: () => void = () => {};
  #operator: Operator | undefined;
  #socket: Stats | undefined;
  #active: Peer | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #idle: NodeJS.Timeout | undefined;
  #sessionBegan = 0;
  #served = 0;
  #ending: Promise<void> | undefined;

  private constructor(path: string, connect: () => Promise<Transport>, options: AgentOptions) {
    this.#path = path;
    this.#options = options;
    this.#connection = new Connection(connect, { onBusy: (busy) => this.#tellBusy(busy) });
    this.#server = createServer((socket) => this.#welcome(socket));
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** Begins to listen, in the place of a socket that an agent left behind. @throws FileError when an agent listens there already */
  static async listen(path: string, connect: () => Promise<Transport>, options: AgentOptions): Promise<Agent> {
    await makeFolder(path);
    const agent = new Agent(path, connect, options);
    await withLock(`${path}.lock`, async () => {
      const present = await Share.reach(path);
      await present?.close();
      if (present !== undefined) throw new FileError("A session is open on this port already.");
      // Node removes the path that it listened on, whoever's it is by then: so it gets one of its own
      const own = join(dirname(path), `${process.pid}.${randomBytes(4).toString("hex")}`);
      await new Promise<void>((resolve, reject) => {
        agent.#server.once("error", reject);
        agent.#server.listen(own, resolve);
      });
      await chmod(own, 0o600); // its folder is closed to others already
      agent.#socket = await lstat(own);
      await rename(own, path);
    });
    agent.#rest();
    options.log(`listening on ${path}`);
    return agent;
  }

  /** Ends session, port and socket; a second call waits for the first. */
  stop(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idle);
    this.#server.close();
    if (isSameFile(await lstat(this.#path).catch(() => undefined), this.#socket)) await rm(this.#path, { force: true });
    await this.#last; // no request gets behind it any more
    await this.#connection.endSession(CLOSE).catch((error: Error) => this.#options.log(error.message));
    await this.#connection.close();
    this.#operator?.key.fill(0);
    for (const { socket } of this.#peers) socket.destroySoon();
    this.#options.log("ended");
    this.#finish();
  }

  #rest(): void {
    clearTimeout(this.#idle);
    if (this.#ending !== undefined) return;
    this.#idle = setTimeout(() => {
      this.#options.log(`no request for ${this.#options.idle / 1000} s`);
      void this.stop();
    }, this.#options.idle);
  }

  #welcome(socket: Socket): void {
    const peer: Peer = { socket, givenUp: false };
    this.#peers.add(peer);
    socket.on("error", (error) => this.#options.log(`a client was sent away: ${error.message}`));
    socket.on("close", () => {
      this.#peers.delete(peer);
      this.#giveUp(peer); // nobody would get what a touch gives out
    });
    receive(socket, (map) => this.#take(peer, map));
  }

  #take(peer: Peer, map: Message): void {
    this.#rest();
    const ask: Ask = field(map, Slot.Kind, "number");
    switch (ask) {
      case Ask.Clear: {
        const bytes = bytesField(map, Slot.Bytes);
        this.#serve(peer, () => this.#connection.clear(bytes));
        return;
      }
      case Ask.Sealed: {
        const [operator, bytes] = [operatorField(map), bytesField(map, Slot.Bytes)];
        this.#serve(peer, () => this.#sealed(operator, bytes));
        return;
      }
      case Ask.End: // needs no key, so that the agent says itself what ends a session
        this.#serve(peer, async () => {
          const answer = await this.#connection.endSession(CLOSE);
          return answer && { answer, repeated: false, renewed: false };
        });
        return;
      case Ask.Cancel:
        this.#giveUp(peer);
        return;
      case Ask.Status:
        this.#tellStatus(peer);
        return;
      case Ask.Stop:
        this.#options.log("told to end");
        void this.stop();
        return;
      default:
        throw new ProtocolError(`A client asked what there is not (${ask}).`);
    }
  }

  /** Runs one request when its turn comes, and sends what came of it. */
  #serve(peer: Peer, run: () => Promise<Answered | undefined>): void {
    peer.givenUp = false;
    if (this.#ending !== undefined) {
      send(
        peer.socket,
        failureFields(new DisconnectedError("closed", ENDING, "`mbs session open` begins another one.")),
      );
      return;
    }
    this.#last = this.#last.then(async () => {
      if (peer.givenUp) {
        const error = new DeclinedError("The request was given up before it was sent. Nothing changed.");
        if (!peer.socket.destroyed) send(peer.socket, failureFields(error));
        return;
      }
      this.#active = peer;
      try {
        const found = await run();
        this.#served++;
        if (peer.socket.destroyed) return;
        send(peer.socket, [
          [Slot.Kind, Tell.Answer],
          [Slot.Given, found !== undefined],
          [Slot.Bytes, found?.answer],
          [Slot.Repeated, found?.repeated ?? false],
          [Slot.Renewed, found?.renewed ?? false],
          ...this.#sessionFields(),
        ]);
        found?.answer.fill(0); // a copy of it is on its way
      } catch (error) {
        if (!peer.socket.destroyed) send(peer.socket, failureFields(error));
      } finally {
        this.#active = undefined;
        this.#rest();
      }
    });
  }

  async #sealed(operator: Operator, bytes: Uint8Array): Promise<Answered> {
    const known = this.#operator;
    if (known === undefined || known.id !== operator.id || !timingSafeEqual(known.key, operator.key)) {
      known?.key.fill(0);
      this.#operator = { id: operator.id, key: Uint8Array.from(operator.key) };
      this.#connection.as(operator);
      this.#options.log(`requests of ${operator.id === "" ? "the setup code" : `operator ${operator.id}`}`);
    }
    const before = this.#connection.session;
    try {
      return await this.#connection.sealed(bytes);
    } catch (error) {
      this.#forget();
      throw error;
    } finally {
      operator.key.fill(0);
      bytes.fill(0);
      if (this.#connection.session !== before) this.#sessionBegan = Date.now();
    }
  }

  /** After a failure the next request says anew who asks, so that a wrong key is not tried again on another's request. */
  #forget(): void {
    this.#operator?.key.fill(0);
    this.#operator = undefined;
  }

  #giveUp(peer: Peer): void {
    peer.givenUp = true;
    if (this.#active === peer) this.#connection.cancel().catch((error: Error) => this.#options.log(error.message));
  }

  #tellBusy(busy: Busy): void {
    if (this.#active?.givenUp) this.#giveUp(this.#active); // it left before there was anything to cancel
    const socket = this.#active?.socket;
    if (socket === undefined || socket.destroyed) return;
    send(socket, [
      [Slot.Kind, Tell.Busy],
      [Slot.Milliseconds, busy.ms],
      [Slot.Reason, busy.reason],
    ]);
  }

  #sessionFields(): [Slot, Value | undefined][] {
    const session = this.#connection.session;
    return [
      [Slot.OperatorId, session?.operator],
      [Slot.Role, session?.role],
      [Slot.Instance, session?.hello.instance],
    ];
  }

  #tellStatus({ socket }: Peer): void {
    const session = this.#connection.session;
    send(socket, [
      [Slot.Kind, Tell.Answer],
      [Slot.Version, AGENT_VERSION],
      [Slot.Process, process.pid],
      [Slot.Served, this.#served],
      ...this.#sessionFields(),
      [Slot.Age, session && Math.floor((Date.now() - this.#sessionBegan) / 1000)],
    ]);
  }
}
