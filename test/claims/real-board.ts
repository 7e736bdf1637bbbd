/** A board as the authority of tests: BoardAuthority through a client, over a synchronous line. */
import { PowerCut } from "../../board/virtual/supply.js";
import { Role } from "../../firmware/defs/session.js";
import { Key } from "../../firmware/defs/wire.js";
import type { Delta, Range } from "../../host/claims/authority.js";
import { BoardAuthority } from "../../host/claims/board.js";
import { readSealedHead } from "../../host/claims/sealed.js";
import { nameOf } from "../../host/claims/state.js";
import { Client } from "../../host/client/client.js";
import type { Carrier } from "../../host/client/connection.js";
import { DisconnectedError } from "../../host/client/errors.js";
import type { Bench } from "../targets.js";
import { create, data, reserve, seen } from "./device/help.js";
import { TestAuthority } from "./test-authority.js";

export class RealBoard extends TestAuthority {
  readonly readHead = readSealedHead;
  readonly name: string;
  readonly #bench: Bench;
  readonly #board: BoardAuthority;
  /** By the ids of the filekeys. */
  readonly #handles = new Map<string, Uint8Array>();

  private constructor(bench: Bench, board: BoardAuthority) {
    super();
    this.#bench = bench;
    this.#board = board;
    this.name = board.name;
  }

  /** @param bench a provisioned board
   *  @param boot brings power back that was cut within a request */
  static async over(bench: Bench, boot = () => bench.boot()): Promise<RealBoard> {
    return new RealBoard(bench, await BoardAuthority.over(new Client(carrier(bench, boot))));
  }

  create(capacity: bigint): Uint8Array {
    const made = create(this.#bench, { capacity });
    const key = made.get(Key.Filekey) as Uint8Array;
    this.#handles.set(nameOf(key), made.get(Key.Handle) as Uint8Array);
    return key;
  }

  newest(key: Uint8Array): Pick<Delta, "sequence" | "latest"> {
    const { deltas, pointer } = seen(this.#bench, this.#handle(key));
    const before = deltas.at(-1)!.start - 1n;
    return { sequence: deltas.length, latest: pointer! > before ? pointer! : before };
  }

  take(key: Uint8Array, size: bigint): Range {
    const { sequence } = this.newest(key);
    const range = data(reserve(this.#bench, this.#handle(key), size, { sequence }));
    return { start: range.readBigInt64LE(0), end: range.readBigInt64LE(8) };
  }

  async deltas(key: Uint8Array): Promise<readonly Delta[]> {
    await this.called("deltas");
    return this.#board.deltas(key);
  }

  async reserve(key: Uint8Array, sequence: number, size: bigint, request: Uint8Array): Promise<Range> {
    await this.called("reserve", size);
    return this.twist(await this.#board.reserve(key, sequence, size, request));
  }

  async renew(key: Uint8Array, expected: number, id: Uint8Array): Promise<Delta> {
    await this.called("renew", expected);
    return this.#board.renew(key, expected, id);
  }

  async forward(key: Uint8Array, sequence: number, size: bigint): Promise<bigint> {
    await this.called("forward", size);
    return this.#board.forward(key, sequence, size);
  }

  async container(key: Uint8Array, sequence: number): Promise<Uint8Array> {
    await this.called("container", sequence);
    return this.#board.container(key, sequence);
  }

  async open(key: Uint8Array, container: Uint8Array): Promise<Uint8Array> {
    await this.called("open");
    return this.#board.open(key, container);
  }

  #handle(key: Uint8Array): Uint8Array {
    return this.#handles.get(nameOf(key))!;
  }
}

/** Carries requests of a user as a connection does that repeats none. */
function carrier({ talk }: Bench, boot: () => void): Carrier {
  const answered = (ask: () => Uint8Array) => {
    talk.plant(Role.User);
    try {
      return { answer: ask(), repeated: false, renewed: false };
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      boot();
      throw new DisconnectedError("restarted", "The device restarted.");
    } finally {
      talk.session = undefined; // what tests themselves ask, they ask with every role
    }
  };
  return {
    session: undefined,
    clear: async (message) => answered(() => talk.exchange(message)),
    sealed: async (inner) => answered(() => talk.sealed(inner)),
    sealedAll: async (inners) => inners.map((inner) => answered(() => talk.sealed(inner))),
    as: () => {},
    endSession: async () => undefined,
    cancel: async () => false,
    close: async () => {},
  };
}
