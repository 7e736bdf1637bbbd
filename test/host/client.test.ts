/** The client against a mock store behind a mock device. SPEC.md §9. */
import { describe, expect, it } from "vitest";
import { Tier, Usage } from "../../firmware/defs/record.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { Client, type ClientOptions } from "../../host/client/client.js";
import { DeviceError, DisconnectedError, ProtocolError } from "../../host/client/errors.js";
import { decodeMessage, encodeMessage, type Message, message } from "../../host/client/message.js";
import { STATUS_TEXT } from "../../host/client/status-text.js";
import { readRaw } from "../../host/credentials/raw.js";
import { encodeParts } from "../../host/record.js";
import { MockDevice, MockWire } from "./mock-device.js";
import { MockStore } from "./mock-store.js";
import { VirtualTime } from "./virtual-time.js";

function setUp(options: ClientOptions = {}) {
  const time = new VirtualTime();
  const store = new MockStore();
  const around = { answer: (request: Uint8Array) => store.answer(request) };
  const device = new MockDevice(time, { answer: (request) => around.answer(request) });
  const wires: MockWire[] = [];
  const connect = async () => {
    wires.push(new MockWire(time, device));
    return wires.at(-1)!;
  };
  const client = new Client(connect, { clock: time, ...options });
  return { client, store, device, wires, around, time };
}

/** A device that answers every request with the same message. */
function answering(map: Message): Client {
  const { client, around } = setUp();
  around.answer = () => encodeMessage(map);
  return client;
}

const body = encodeParts([readRaw({ name: "test", bytes: Buffer.from("a secret") })]);
const request = { body, usage: Usage.Opaque, tier: Tier.Private, policy: 1 };

async function provisioned(options: ClientOptions = {}) {
  const all = setUp(options);
  await all.client.provisionBegin(new Uint8Array(16), [{ slotSize: 4096, blocks: 32 }]);
  await all.client.provisionFinish();
  return all;
}

describe("Client", () => {
  it("provisions, puts, finds, shows, gets, relabels, replaces and evicts", async () => {
    const { client } = setUp();
    expect((await client.hello()).state).toBe(State.Blank);
    expect((await client.provisionBegin(new Uint8Array(16), [{ slotSize: 4096, blocks: 32 }])).state).toBe(
      State.Provisioning,
    );
    const { handle } = await client.put({ ...request, label: "one" });
    await client.put({ ...request, label: "two" });
    expect((await client.provisionFinish()).state).toBe(State.Ready);
    expect((await client.list()).map(({ label }) => label)).toEqual(["one", "two"]);
    expect((await client.find({ labelPrefix: "tw" })).map(({ label }) => label)).toEqual(["two"]);
    expect((await client.show(handle)).parts).toMatchObject([{ secret: true, length: 8 }]);
    expect((await client.get(handle)).body).toEqual(new Uint8Array(body));
    await client.relabel(handle, undefined);
    expect(await client.list()).toMatchObject([{ handle }, { label: "two" }]);
    expect((await client.replace(handle, body)).handle).toEqual(handle);
    expect(await client.epoch(9)).toBe(9);
    expect(await client.accept()).toBe(1);
    expect(await client.dump(0, 128, 300)).toHaveLength(300);
    expect(await client.evict(handle)).toEqual({ destroyed: false });
    const info = await client.info();
    expect(info.state).toBe(State.Ready);
    expect(info.store).toMatchObject({ epoch: 9, residue: [handle], classes: [{ slotSize: 4096, capacity: 247 }] });
    await client.close();
  });

  it("turns a refusal into a DeviceError with status, name, sentence and advice", async () => {
    const { client } = setUp();
    const refused = client.list();
    await expect(refused).rejects.toThrow(DeviceError);
    await expect(refused).rejects.toMatchObject({
      status: Status.NotProvisioned,
      name: "NotProvisioned",
      code: "device",
      exitCode: 1,
    });
    const detailed = answering(
      message([
        [Key.Command, Status.TooLarge],
        [Key.Detail, 3960],
      ]),
    ).list();
    await expect(detailed).rejects.toMatchObject({
      status: Status.TooLarge,
      detail: 3960,
      message: expect.stringContaining("3960"),
    });
  });

  it("runs requests one after the other, in the order in which they were made", async () => {
    const { client, store } = await provisioned();
    const labels = Array.from({ length: 20 }, (_, i) => `record ${i}`);
    await Promise.all(labels.map((label) => client.put({ ...request, label })));
    expect((await client.list()).map(({ label }) => label)).toEqual(labels);
    expect(store.records).toHaveLength(20);
  });

  it("goes on after a request that failed", async () => {
    const { client } = await provisioned();
    const results = await Promise.allSettled([client.get(new Uint8Array(16)), client.list(), client.put(request)]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
  });

  it("repeats a put that a restart cut off with the same token, so that there is one record", async () => {
    const { client, store, device, around } = await provisioned();
    let cut = true;
    around.answer = (bytes) => {
      const answer = store.answer(bytes);
      if (cut) device.restart();
      cut = false;
      return answer;
    };
    const { handle } = await client.put(request);
    expect(store.records).toHaveLength(1);
    expect((await client.list())[0]!.handle).toEqual(handle);
  });

  it("opens the port again when it closed, and repeats there", async () => {
    const { client, store, wires, around } = await provisioned();
    around.answer = (bytes) => {
      around.answer = (again) => store.answer(again);
      const answer = store.answer(bytes);
      wires[0]!.cut();
      return answer;
    };
    await client.put(request);
    expect(store.records).toHaveLength(1);
    expect(wires).toHaveLength(2);
  });

  it("takes an evict that a restart cut off as done, and knows from info whether the ciphertext is gone", async () => {
    for (const destroy of [false, true]) {
      const { client, store, device, around } = await provisioned();
      const { handle } = await client.put(request);
      around.answer = (bytes) => {
        around.answer = (again) => store.answer(again);
        const answer = store.answer(bytes);
        device.restart();
        return answer;
      };
      expect(await client.evict(handle, destroy)).toEqual({ destroyed: destroy });
    }
    const { client } = await provisioned();
    await expect(client.evict(new Uint8Array(16))).rejects.toMatchObject({ status: Status.NoSuchHandle });
  });

  it("gives up when the device restarts again and again", async () => {
    const { client, device, around } = await provisioned();
    around.answer = () => {
      device.restart();
      return new Uint8Array(0);
    };
    await expect(client.list()).rejects.toThrow(DisconnectedError);
  });

  it("repeats nothing when it was told so", async () => {
    const { client, device } = await provisioned({ reconnects: 0 });
    device.restart();
    await expect(client.list()).rejects.toMatchObject({ reason: "restarted" });
    expect(await client.list()).toEqual([]);
  });

  it("gives a raw answer as it is, refusals too", async () => {
    const { client } = setUp();
    expect(await client.request(message([[Key.Command, Command.List]]))).toEqual(new Map([[0, Status.NotProvisioned]]));
  });

  it.each<[string, Message]>([
    ["without what belongs there", message([[Key.Command, 0]])],
    [
      "with a field that does not belong there",
      message([
        [Key.Command, 0],
        [Key.Entries, []],
        [Key.Body, new Uint8Array(1)],
        [Key.Corrupt, 0],
      ]),
    ],
    [
      "with a wrong type",
      message([
        [Key.Command, 0],
        [Key.Entries, 7],
      ]),
    ],
    [
      "with an entry that is no map",
      message([
        [Key.Command, 0],
        [Key.Entries, [7]],
      ]),
    ],
    [
      "with more entries than slots",
      message([
        [Key.Command, 0],
        [Key.Entries, Array.from({ length: 257 }, () => 0)],
      ]),
    ],
    ["with a positive status", message([[Key.Command, 1]])],
  ])("refuses an answer %s with ProtocolError", async (_, map) => {
    await expect(answering(map).list()).rejects.toThrow(ProtocolError);
  });
});

describe("decodeMessage", () => {
  it.each([
    ["nothing", ""],
    ["a number", "01"],
    ["a text key", "a1616101"],
    ["a negative key", "a12001"],
    ["keys out of order", "a202000100"],
    ["a key twice", "a200000000"],
    ["a number that is not in its shortest form", "a1001800"],
    ["a length that is not in its shortest form", "a100580100"],
    ["an indefinite map", "bf0000ff"],
    ["an indefinite text", "a1007f6161ff"],
    ["a float", "a100f93c00"],
    ["null", "a100f6"],
    ["undefined", "a100f7"],
    ["a tag", "a100c100"],
    ["a number over 2^53", "a1001b0020000000000001"],
    ["trailing bytes", "a1000000"],
    ["text that is not UTF-8", "a10061ff"],
    ["a map that ends too early", "a20000"],
    ["arrays in arrays without end", `a100${"81".repeat(30000)}`],
  ])("refuses %s", (_, hex) => {
    expect(() => decodeMessage(Buffer.from(hex, "hex"))).toThrow(ProtocolError);
  });

  it("undoes encodeMessage, which sorts the keys", () => {
    const map = message([
      [Key.Body, Uint8Array.of(1)],
      [Key.Command, -5],
      [Key.Label, "ü"],
      [Key.Region, 70000],
      [Key.Parts, [true, false]],
    ]);
    const bytes = encodeMessage(map);
    expect(Buffer.from(bytes).toString("hex")).toBe("a500240362c3bc0a41010d82f5f4182e1a00011170");
    expect(decodeMessage(bytes)).toEqual(map);
  });
});

describe("STATUS_TEXT", () => {
  it("has a sentence for every status, and advice for every refusal", () => {
    for (const status of Object.values(Status).filter((value) => typeof value === "number")) {
      const [sentence, advice] = STATUS_TEXT[status];
      expect(sentence).toMatch(/^[A-Z].*\.$/);
      if (status !== Status.Ok) expect(advice, Status[status]).toMatch(/\.$/);
    }
  });
});
