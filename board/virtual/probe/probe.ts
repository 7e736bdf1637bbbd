/** The debug probe of the virtual board: what a J-Link client reaches over TCP is the board's own processor and memory. */
import type { VirtualBoard } from "../board.js";
import { AhbAp, ApbAp } from "./ap.js";
import { JLINK_PORT, startBeacon } from "./beacon.js";
import { Debug } from "./debug.js";
import { Dp } from "./dp.js";
import { type Connector, JLink, type JLinkEvents } from "./jlink.js";
import { type Level, SwdPort } from "./swd.js";
import { Trouble } from "./trouble.js";

/** Serial number of the probe; board/ek-ra6m5/openocd/virtual.cfg names the same. */
export const SERIAL = 600001;
const SUPPLY_MV = 3300;

export interface ProbeOptions {
  /** A port on 127.0.0.1, or the path of a socket. Default: the port where J-Link clients look, with a beacon for them. */
  where?: number | string;
  events?: Partial<JLinkEvents>;
}

export class DebugProbe {
  private constructor(
    private readonly jlink: JLink,
    private readonly endBeacon: () => void,
    /** What goes wrong at the wire. */
    readonly trouble: Trouble,
  ) {}

  /** Connects a probe to the board, on which no other is. @throws Error that says where it cannot listen */
  static async attach(board: VirtualBoard, { where, events }: ProbeOptions = {}): Promise<DebugProbe> {
    const all = { joined: () => {}, left: () => {}, refused: () => {}, ...events };
    const trouble = new Trouble();
    const jlink = await JLink.listen(where ?? JLINK_PORT, connect(board, trouble), all);
    return new DebugProbe(jlink, where === undefined ? startBeacon(SERIAL) : () => {}, trouble);
  }

  get port(): number {
    return this.jlink.port;
  }

  /** Ways to the probe and back so far. */
  get exchanges(): number {
    return this.jlink.exchanges;
  }

  /** The board runs on, or stays halted. */
  async close(): Promise<void> {
    this.endBeacon();
    await this.jlink.close();
  }
}

/** The board's debug connector. The debug port loses its state with the power. */
export function connect(board: VirtualBoard, trouble = new Trouble()): Connector {
  let port: SwdPort | undefined;
  const debug = board.attach((inside) => {
    const made = new Debug(inside);
    made.poweredUp = () => port?.reset();
    return made;
  });
  const ahb = new AhbAp(trouble.around(debug), () => trouble.locked);
  port = new SwdPort(new Dp([ahb, new ApbAp()], () => false, trouble));
  const wire = port;
  return {
    clock: (driven: Level | undefined): Level => (board.powered ? wire.clock(driven) : (driven ?? 1)),
    scan: (tms: Level, tdi: Level): Level => {
      if (board.powered) wire.clock(tms, tdi);
      return board.powered ? wire.tdo : 0;
    },
    release: () => board.reset(),
    unplugged: () => trouble.unplugged(),
    get millivolts() {
      return board.powered ? SUPPLY_MV : 0;
    },
  };
}
