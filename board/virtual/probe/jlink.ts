/** A J-Link on TCP, as libjaylink 0.3 speaks it (transport_tcp.c, protocol/): raw bits of SWD or JTAG, one client at a time.
 *  Numbers are little-endian. */
import { createServer, type Server, type Socket } from "node:net";
import { listenAlone } from "./socket.js";

/** What hangs on the probe's connector. */
export interface Connector {
  /** One clock; what the probe drives, or undefined while it listens. @returns the level of SWDIO after the edge */
  clock(driven: 0 | 1 | undefined): 0 | 1;
  /** One clock of JTAG. @returns TDO */
  scan(tms: 0 | 1, tdi: 0 | 1): 0 | 1;
  /** The reset line goes up. */
  release(): void;
  /** Whether the probe was unplugged meanwhile. */
  unplugged(): boolean;
  /** Supply of the target in mV. */
  readonly millivolts: number;
}

export interface JLinkEvents {
  joined(): void;
  left(): void;
  /** The client sent what the probe does not know, and was sent away. */
  refused(why: string): void;
}

const CLIENT = 0x07;
/** Hello: accepted, protocol version 1, length and name. */
const HELLO = Buffer.concat([Buffer.of(0x00, 1, 0, 7), Buffer.from("virtual")]);
const VERSION = Buffer.from("J-Link virtual EK-RA6M5\0", "latin1");
const CAPABILITY_HARDWARE_VERSION = 1 << 1;
const CAPABILITY_SPEEDS = 1 << 9;
const CAPABILITY_FREE_MEMORY = 1 << 11;
const CAPABILITY_SELECT_INTERFACE = 1 << 17;
const CAPABILITIES =
  CAPABILITY_HARDWARE_VERSION | CAPABILITY_SPEEDS | CAPABILITY_FREE_MEMORY | CAPABILITY_SELECT_INTERFACE;
const HARDWARE_VERSION = 10000; // 1.0.0
const BASE_HZ = 4_000_000;
/** More makes OpenOCD send commands over 2,048 bytes, of which each waits 40 ms for a TCP acknowledgement. */
const FREE_MEMORY = 2058;
const INTERFACES = 0b11;
const ALL_INTERFACES = 0xff;
const JTAG = 0;
const SWD = 1;

/** Command numbers of the J-Link protocol. */
const COMMAND = {
  version: 0x01,
  speed: 0x05,
  status: 0x07,
  speeds: 0xc0,
  selectInterface: 0xc7,
  /** JTAG alone, without a status. */
  oldIo: 0xce,
  io: 0xcf,
  freeMemory: 0xd4,
  resetLow: 0xdc,
  resetHigh: 0xdd,
  trstLow: 0xde,
  trstHigh: 0xdf,
  capabilities: 0xe8,
  hardwareVersion: 0xf0,
};

export class JLink {
  /** Exchanges of bits so far: each is a way to the probe and back. */
  exchanges = 0;
  readonly #server: Server;
  #client: Socket | undefined;
  #input: Buffer = Buffer.alloc(0);
  #resetLow = false;
  #interface = JTAG;
  #removeSocket: () => void = () => {};

  private constructor(
    private readonly connector: Connector,
    private readonly events: JLinkEvents,
  ) {
    this.#server = createServer({ noDelay: true }, (socket) => this.#arrive(socket));
  }

  /** @param where a port on 127.0.0.1, 0 for a free one, or the path of a socket, for its owner alone
   *  @throws Error that says where it cannot listen */
  static async listen(where: number | string, connector: Connector, events: JLinkEvents): Promise<JLink> {
    const jlink = new JLink(connector, events);
    const server = jlink.#server;
    if (typeof where === "string") {
      jlink.#removeSocket = await listenAlone(server, where);
      return jlink;
    }
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(new Error(`cannot listen on 127.0.0.1:${where}: ${error.message}`)));
      server.listen(where, "127.0.0.1", resolve);
    });
    return jlink;
  }

  /** The TCP port; 0 for a socket with a path. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    this.#removeSocket();
    this.#client?.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #arrive(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    if (this.#client !== undefined) {
      socket.destroy();
      this.events.refused("another client is there");
      return;
    }
    this.#client = socket;
    this.#input = Buffer.alloc(0);
    this.#resetLow = false;
    this.#interface = JTAG;
    socket.on("data", (bytes) => this.#received(socket, bytes));
    socket.on("close", () => {
      this.#client = undefined;
      this.events.left();
    });
    socket.write(HELLO);
    this.events.joined();
  }

  #received(socket: Socket, bytes: Buffer): void {
    this.#input = Buffer.concat([this.#input, bytes]);
    for (;;) {
      const input = this.#input;
      if (input.length < 2) return;
      const length = commandLength(input);
      if (input[0] !== CLIENT || length === undefined) {
        this.events.refused(`a command that the probe does not know: ${input.subarray(0, 2).toString("hex")}`);
        socket.destroy();
        return;
      }
      if (input.length < length) return;
      this.#input = input.subarray(length);
      const answer = this.#answer(input[1]!, input.subarray(2, length));
      if (this.connector.unplugged()) {
        socket.destroy();
        return;
      }
      socket.write(answer);
    }
  }

  #answer(command: number, payload: Buffer): Buffer {
    switch (command) {
      case COMMAND.version:
        return Buffer.concat([u16(VERSION.length), VERSION]);
      case COMMAND.capabilities:
        return u32(CAPABILITIES);
      case COMMAND.hardwareVersion:
        return u32(HARDWARE_VERSION);
      case COMMAND.freeMemory:
        return u32(FREE_MEMORY);
      case COMMAND.status: // supply, then the levels of TCK, TDI, TDO, TMS, reset, TRST
        return Buffer.concat([u16(this.connector.millivolts), Buffer.of(0, 0, 0, 0, this.#resetLow ? 0 : 1, 1)]);
      case COMMAND.speeds:
        return Buffer.concat([u32(BASE_HZ), u16(1)]);
      case COMMAND.selectInterface: // what there is, or what was selected before
        return u32(this.#select(payload[0]!));
      case COMMAND.resetLow:
        this.#resetLow = true;
        return NOTHING;
      case COMMAND.resetHigh:
        if (this.#resetLow) this.connector.release();
        this.#resetLow = false;
        return NOTHING;
      case COMMAND.io:
        return this.#clock(payload);
      case COMMAND.oldIo:
        return this.#clock(payload).subarray(0, -1);
    }
    return NOTHING; // every speed is right, and there is no TRST
  }

  #select(wanted: number): number {
    if (wanted === ALL_INTERFACES) return INTERFACES;
    const before = this.#interface;
    if (wanted === JTAG || wanted === SWD) this.#interface = wanted;
    return before;
  }

  /** SWD: directions, then levels to drive; JTAG: TMS, then TDI. @returns the levels that were there, and a status byte: 0 is good */
  #clock(payload: Buffer): Buffer {
    this.exchanges++;
    const bits = payload.readUInt16LE(1);
    const bytes = (bits + 7) >> 3;
    const first = payload.subarray(3, 3 + bytes);
    const levels = payload.subarray(3 + bytes);
    const seen = Buffer.alloc(bytes + 1);
    for (let i = 0; i < bits; i++) {
      const at = i >> 3;
      const mask = 1 << (i & 7);
      const driven = (levels[at]! & mask) !== 0 ? 1 : 0;
      const set = (first[at]! & mask) !== 0;
      const level =
        this.#interface === JTAG
          ? this.connector.scan(set ? 1 : 0, driven)
          : this.connector.clock(set ? driven : undefined);
      if (level === 1) seen[at]! |= mask;
    }
    return seen;
  }
}

const NOTHING = Buffer.alloc(0);

/** Length of the command that begins the input, with its prefix; more than there is while it is not clear; undefined: unknown. */
function commandLength(input: Buffer): number | undefined {
  switch (input[1]) {
    case COMMAND.speed:
      return 4;
    case COMMAND.selectInterface:
      return 3;
    case COMMAND.io:
    case COMMAND.oldIo:
      return input.length < 5 ? 5 : 5 + 2 * ((input.readUInt16LE(3) + 7) >> 3);
  }
  return Object.values(COMMAND).includes(input[1]!) ? 2 : undefined;
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}
