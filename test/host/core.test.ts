/** The client on the real core: what it asks for happens once, however often power fails in between. */
import { describe, expect, it } from "vitest";
import { PowerCut, tears } from "../../board/virtual/supply.js";
import { Tier, Usage } from "../../firmware/defs/record.js";
import { Client } from "../../host/client/client.js";
import type { Transport } from "../../host/client/transport.js";
import { readRaw } from "../../host/credentials/raw.js";
import { encodeParts } from "../../host/record.js";
import { V8Device } from "../device/v8.js";
import { random } from "./random.js";
import { VirtualTime } from "./virtual-time.js";

/** A line to a device in this process; it closes when power fails. */
function line(device: V8Device): Transport {
  let receive: (bytes: Uint8Array) => void = () => {};
  let closed: (error?: Error) => void = () => {};
  return {
    name: "v8",
    async write(bytes) {
      try {
        receive(device.exchange(bytes));
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error;
        closed(error);
      }
    },
    onData: (callback) => {
      receive = callback;
    },
    onClose: (callback) => {
      closed = callback;
    },
    close: async () => {},
  };
}

const body = (text: string) => encodeParts([readRaw({ name: "test", bytes: Buffer.from(text) })]);
const request = { usage: Usage.Opaque, tier: Tier.Private, policy: 1 };

describe("Client on the core", () => {
  it("puts, replaces, relabels and evicts exactly once each while power fails at random", async () => {
    const { below, seed } = random();
    const device = new V8Device(below(2 ** 31));
    let cuts = 0;
    const connect = async () => {
      if (!device.supply.on) {
        cuts++;
        device.boot();
      }
      return line(device);
    };
    device.boot();
    const client = new Client(connect, { clock: new VirtualTime(), reconnects: 10 });
    await client.provisionBegin(new Uint8Array(16), [{ slotSize: 4096, blocks: 32 }]);
    await client.provisionFinish();
    const expected = new Map<string, { handle: Uint8Array; text: string }>();
    for (let round = 0; round < 150; round++) {
      if (below(3) === 0)
        device.supply.arm({ operation: below(40), tear: tears.random(() => below(2 ** 31)), marginal: true });
      const labels = [...expected.keys()];
      const label = labels[below(labels.length)];
      const record = expected.get(label ?? "");
      const what = record === undefined ? 0 : below(6);
      const text = `content ${round}`;
      if (what < 3 || label === undefined || record === undefined) {
        const { handle } = await client.put({ ...request, label: `record ${round}`, body: body(text) });
        expected.set(`record ${round}`, { handle, text });
      } else if (what === 3) {
        await client.replace(record.handle, body(text));
        expected.set(label, { ...record, text });
      } else if (what === 4) {
        await client.relabel(record.handle, `record ${round}`);
        expected.delete(label);
        expected.set(`record ${round}`, record);
      } else {
        await client.evict(record.handle, below(2) === 0);
        expected.delete(label);
      }
      device.supply.disarm();
    }
    expect(cuts, seed).toBeGreaterThan(10);
    const entries = await client.list();
    expect(entries.map(({ label }) => label).sort(), seed).toEqual([...expected.keys()].sort());
    for (const { handle, label } of entries) {
      expect((await client.get(handle)).body, seed).toEqual(new Uint8Array(body(expected.get(label!)!.text)));
    }
  });

  it("reads whatever state the core is in", async () => {
    const device = new V8Device(1);
    device.boot();
    const client = new Client(async () => line(device), { clock: new VirtualTime() });
    expect((await client.info()).store).toBeUndefined();
    await client.provisionBegin(new Uint8Array(16), [{ slotSize: 8192, blocks: 32 }]);
    const { handle } = await client.put({ ...request, body: body("x") });
    expect((await client.show(handle)).parts).toMatchObject([{ secret: true, length: 1 }]);
    expect(await client.find({ usage: Usage.Opaque, tier: Tier.Private, labelPrefix: "", epochMin: 0 })).toHaveLength(
      1,
    );
    expect(await client.find({ usage: Usage.Note })).toEqual([]);
    expect((await client.info()).store).toMatchObject({ classes: [{ slotSize: 8192, live: 1 }] });
    expect(await client.epoch(3)).toBe(3);
    expect(await client.accept()).toBe(0);
    expect(await client.dump(0, 0, 4096)).toHaveLength(4096);
  });
});
