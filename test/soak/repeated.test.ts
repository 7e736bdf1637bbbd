/** What the soak found in the client, each as the shortest case. */
import { describe, expect, it } from "vitest";
import { PowerCut } from "../../board/virtual/supply.js";
import { FACTS_OFF_SETUP } from "../../firmware/defs/boundary.js";
import { Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Client } from "../../host/client/client.js";
import type { Transport } from "../../host/client/transport.js";
import { V8Device } from "../device/v8.js";
import { VirtualTime } from "../host/virtual-time.js";

const SETUP = { id: "", key: Buffer.alloc(32, 0x5e) };
const ADMIN = { id: "admin", key: Buffer.alloc(32, 0xad), role: Role.Admin };
const OTHER = { id: "other", key: Buffer.alloc(32, 0x07), role: Role.User };

/** A provisioned device and its admin; power comes back when the client opens the port again. */
async function start() {
  const device = new V8Device(1);
  device.board.facts.set(SETUP.key, FACTS_OFF_SETUP);
  device.boot();
  const counts = { cuts: 0 };
  const connect = async (): Promise<Transport> => {
    let receive: (bytes: Uint8Array) => void = () => {};
    let closed: (error?: Error) => void = () => {};
    if (!device.supply.on) device.boot();
    const write = async (bytes: Uint8Array) => {
      try {
        receive(device.exchange(bytes));
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error;
        counts.cuts++;
        closed(error);
      }
    };
    const onData = (callback: typeof receive) => {
      receive = callback;
    };
    const onClose = (callback: typeof closed) => {
      closed = callback;
    };
    return { name: "v8", write, onData, onClose, close: async () => {} };
  };
  const client = new Client(connect, { clock: new VirtualTime(), operator: async () => SETUP });
  await client.provisionBegin(new Uint8Array(16), [{ slotSize: 4096, blocks: 4 }]);
  await client.operatorAdd(ADMIN);
  client.as(ADMIN);
  await client.provisionFinish();
  return { device, counts, client };
}

describe("operatorRemove", () => {
  it("is carried out once and says so, wherever power fails in it", async () => {
    const { device, counts, client } = await start();
    for (let operation = 0; operation < 60; operation++) {
      await client.operatorAdd(OTHER);
      device.supply.arm({ operation, tear: "after" });
      await client.operatorRemove(OTHER.id);
      device.supply.disarm();
      await expect(client.operatorRole(OTHER.id, Role.User)).rejects.toMatchObject({ status: Status.NoSuchOperator });
    }
    expect(counts.cuts).toBeGreaterThan(20);
  });

  it("refuses an operator that there is not", async () => {
    const { client } = await start();
    await expect(client.operatorRemove("nobody")).rejects.toMatchObject({ status: Status.NoSuchOperator });
  });
});
