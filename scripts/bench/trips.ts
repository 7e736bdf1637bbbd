/** What a request costs the host: the real client over a line in this process to core.wasm in V8. The time in the core is measured apart
 *  and taken away, because a board's is another one. Wall time; the quickest of a few rounds counts. */
import { FACTS_OFF_SETUP } from "../../firmware/defs/boundary.js";
import { PartKind, POLICY_EXPORTABLE, Tier, Usage } from "../../firmware/defs/record.js";
import { PSK_SIZE, Role } from "../../firmware/defs/session.js";
import { Client } from "../../host/client/client.js";
import type { Transport } from "../../host/client/transport.js";
import { encodeParts } from "../../host/record.js";
import { V8Device } from "../../test/device/v8.js";
import { SEED } from "./host.js";

export interface Trip {
  what: string;
  /** Requests of a round, one after the other. */
  count: number;
  perSecond: number;
  /** Part of the time that passed in the core, 0 to 1. */
  device: number;
  /** Microseconds of one request that did not. */
  hostMicroseconds: number;
}

const SIZE = 3900;
const ROUNDS = 8;
const key = (fill: number) => new Uint8Array(PSK_SIZE).fill(fill);
const [SETUP, ADMIN, USER] = [
  { id: "", key: key(1) },
  { id: "admin", key: key(2) },
  { id: "user", key: key(3) },
];

/** @param count requests of each kind in a round; handshakes are fewer */
export async function measureTrips(count = 1000): Promise<Trip[]> {
  const device = new V8Device(SEED);
  device.board.facts.set(SETUP.key, FACTS_OFF_SETUP);
  device.boot();
  const line = new Line(device);
  const client = new Client(async () => line);
  const trips: Trip[] = [];
  const measure = async (what: string, times: number, ask: () => Promise<unknown>) => {
    let best: Trip | undefined;
    for (let round = 0; round < ROUNDS; round++) {
      line.spent = 0n;
      const begin = process.hrtime.bigint();
      for (let i = 0; i < times; i++) await ask();
      const all = Number(process.hrtime.bigint() - begin);
      const spent = Number(line.spent);
      const perSecond = (times * 1e9) / all;
      if (best === undefined || perSecond > best.perSecond)
        best = { what, count: times, perSecond, device: spent / all, hostMicroseconds: (all - spent) / times / 1000 };
    }
    trips.push(best!);
  };
  try {
    const handle = await provision(client);
    client.as(USER);
    await measure("hello, in clear", count, () => client.hello());
    await measure("info, in a session", count, () => client.info());
    await measure(`get of ${SIZE} bytes`, count, () => client.get(handle));
    await measure("a new session, and info in it", count / 10, () => {
      client.as(USER);
      return client.info();
    });
    return trips;
  } finally {
    await client.close();
    device.close();
  }
}

/** @returns the handle of a record of SIZE bytes */
async function provision(client: Client): Promise<Uint8Array> {
  client.as(SETUP);
  await client.provisionBegin(new Uint8Array(16), [{ slotSize: 4096, blocks: 32 }]);
  await client.operatorAdd({ ...ADMIN, role: Role.Admin });
  await client.operatorAdd({ ...USER, role: Role.User });
  client.as(ADMIN);
  await client.provisionFinish();
  const content = new Uint8Array(SIZE).fill(7);
  const body = encodeParts([{ kind: PartKind.Opaque, algorithm: 0, secret: true, content }]);
  const { handle } = await client.put({ usage: Usage.Opaque, tier: Tier.Private, policy: POLICY_EXPORTABLE, body });
  return handle;
}

/** A line that takes no time, and measures what the core takes. */
class Line implements Transport {
  readonly name = "core.wasm in V8";
  /** Nanoseconds in the core. */
  spent = 0n;
  #receive: (bytes: Uint8Array) => void = () => {};

  constructor(private readonly device: V8Device) {}

  async write(bytes: Uint8Array): Promise<void> {
    const begin = process.hrtime.bigint();
    const answer = this.device.exchange(bytes);
    this.spent += process.hrtime.bigint() - begin;
    this.#receive(answer);
  }
  onData(receive: (bytes: Uint8Array) => void): void {
    this.#receive = receive;
  }
  onClose(): void {}
  async close(): Promise<void> {}
}
