/** The link against a mock device, over good and bad wires. SPEC.md §8. */
import { describe, expect, it } from "vitest";
import { BUSY_MAX, BusyReason, FrameType, MESSAGE_MAX, PAYLOAD_MAX } from "../../firmware/defs/link.js";
import { DeclinedError, DisconnectedError, ProtocolError, UnreachedError } from "../../host/client/errors.js";
import { Deframer, encodeFrame, type Frame } from "../../host/client/frame.js";
import { type Busy, Link, type LinkOptions } from "../../host/client/link.js";
import { AHEAD_MAX } from "../../host/client/request.js";
import { type Faults, MockDevice, type MockOptions, MockWire } from "./mock-device.js";
import { random } from "./random.js";
import { VirtualTime } from "./virtual-time.js";

function setUp(options: Partial<MockOptions> = {}) {
  const time = new VirtualTime();
  const device = new MockDevice(time, {
    answer: (request) => Buffer.concat([Buffer.from("re: "), request]),
    ...options,
  });
  const wire = new MockWire(time, device);
  return { time, device, wire, open: (more: LinkOptions = {}) => Link.open(wire, { clock: time, ...more }) };
}

function frames(sent: Uint8Array[]): Frame[] {
  const got: Frame[] = [];
  const deframer = new Deframer();
  for (const bytes of sent) deframer.push(bytes, (frame) => got.push(frame));
  return got;
}

const text = (length: number) => Buffer.from(Array.from({ length }, (_, i) => i % 251));
const reply = (request: Uint8Array) => Buffer.concat([Buffer.from("re: "), request]);

/** A device that answers nothing before S1 was touched. */
const touching: Partial<MockOptions> = {
  answer: (request) => ({ finish: (touched) => (touched ? reply(request) : Buffer.from("nobody")) }),
};

describe("Link while a touch is awaited", () => {
  it("tells of it at once, and carries the answer when S1 is touched", async () => {
    const heard: (Busy & { now: number })[] = [];
    const { wire, time } = setUp({ ...touching, touch: () => 12_000 });
    const link = await Link.open(wire, { clock: time, onBusy: (busy) => heard.push({ ...busy, now: time.now }) });
    expect(await link.exchange(text(2000))).toEqual(reply(text(2000)));
    expect(heard).toEqual([{ ms: 30_000, reason: BusyReason.Touch, now: 0 }]);
    expect(time.now).toBe(12_000);
  });

  it("waits for each of several requests that were sent ahead, and sends nothing meanwhile", async () => {
    const plain = text(5);
    const { wire, open, time } = setUp({
      answer: (request) => (request.length === plain.length ? reply(request) : { finish: () => reply(request) }),
      touch: () => 12_000,
    });
    const asked: number[] = [];
    const link = await open({ onBusy: () => asked.push(time.now) });
    wire.sent.length = 0;
    const answers = await link.exchangeAll([text(9), plain, text(7)]);
    expect(answers).toEqual([undefined, reply(plain), reply(text(7))]);
    expect([wire.sent.length, time.now]).toEqual([1, 12_000]);
    expect(asked).toHaveLength(1); // not for the first, which the second gave up
  });

  it("waits until the device gives up", async () => {
    const { open, time, wire } = setUp({ ...touching, touch: () => undefined });
    const link = await open();
    wire.sent.length = 0;
    expect(await link.exchange(text(5))).toEqual(Buffer.from("nobody"));
    expect(time.now).toBe(30_000);
    expect(wire.sent).toHaveLength(1);
  });

  it("asks again when the announcement got lost, which neither ends the wait nor begins another one", async () => {
    const { wire, open, time, device } = setUp({ ...touching, touch: () => 5000 });
    const link = await open();
    let lost = 0;
    wire.faults = (bytes, direction) => {
      const busy = direction === "to host" && frames([bytes])[0]?.type === FrameType.Busy;
      return busy && lost++ < 2 ? [] : [{ after: 0, bytes }];
    };
    expect(await link.exchange(text(5))).toEqual(reply(text(5)));
    expect(device.requests).toHaveLength(1);
    expect(time.now).toBe(5000);
  });

  it("waits anew when work comes after the touch", async () => {
    const { wire, open, time } = setUp({ work: () => 10 });
    const link = await open();
    wire.faults = (bytes, direction) => {
      const [frame] = frames([bytes]);
      if (direction === "to host" || frame === undefined) return [];
      const send = (type: FrameType, payload: Uint8Array) =>
        wire.inject(encodeFrame({ ...frame, type, payload, more: false }));
      time.after(0, () => send(FrameType.Busy, Uint8Array.of(0x30, 0x75, 0, 0, 1)));
      time.after(29_000, () => send(FrameType.Busy, Uint8Array.of(0x70, 0x17, 0, 0, 0)));
      time.after(35_000, () => send(FrameType.Data, Uint8Array.of(7)));
      return [];
    };
    expect(await link.exchange(text(5))).toEqual(Buffer.of(7));
    expect(time.now).toBe(35_000);
  });

  it("gives a request up by sending another message, without waiting for the answer", async () => {
    const heard: Busy[] = [];
    const { wire, time, device } = setUp({ ...touching, touch: () => undefined });
    const link = await Link.open(wire, { clock: time, onBusy: (busy) => heard.push(busy) });
    expect(await link.cancel(text(4))).toBe(false);
    const request = link.exchange(text(5));
    const outcome = expect(request).rejects.toThrow(DeclinedError);
    await Promise.resolve();
    expect(heard).toHaveLength(1);
    expect(await link.cancel(text(4))).toBe(true);
    await outcome;
    expect(time.now).toBe(0);
    expect(device.requests).toEqual([text(5), text(4)]);
    expect(await link.cancel(text(4))).toBe(false);
    await expect(link.exchange(text(5))).rejects.toThrow(DeclinedError);
    const other = await Link.open(wire, { clock: time });
    expect(await other.exchange(text(6))).toEqual(Buffer.from("nobody"));
  });

  it("gives nothing up while the device only works", async () => {
    const { wire, open } = setUp({ work: () => 5000 });
    const link = await open();
    const request = link.exchange(text(5));
    wire.sent.length = 0;
    expect(await link.cancel(text(4))).toBe(false);
    expect(wire.sent).toHaveLength(0);
    expect(await request).toEqual(reply(text(5)));
  });
});

describe("Link", () => {
  it.each([
    0,
    1,
    PAYLOAD_MAX - 5,
    PAYLOAD_MAX - 4,
    PAYLOAD_MAX - 3,
    PAYLOAD_MAX,
    PAYLOAD_MAX + 1,
    3 * PAYLOAD_MAX,
    MESSAGE_MAX - 4,
  ])("carries a message of %i bytes and its answer", async (length) => {
    const { device, open } = setUp();
    const link = await open();
    for (const round of [1, 2]) {
      expect(await link.exchange(text(length))).toEqual(reply(text(length)));
      expect(device.requests).toHaveLength(round);
    }
  });

  it("goes on through the wrap of the sequence number", async () => {
    const { device, open } = setUp();
    const link = await open();
    for (let round = 0; round < 0x10002; round++) await link.exchange(Uint8Array.of(round & 0xff));
    expect(device.requests).toHaveLength(0x10002);
  });

  it("carries every message once and in order over a wire that drops, doubles, delays and damages frames", async () => {
    const { below, seed } = random();
    const { device, wire, time } = setUp({ work: () => (below(4) === 0 ? 1 + below(3000) : 0) });
    const faults: Faults = (bytes) => {
      const what = below(12);
      if (what === 0) return [];
      if (what === 1)
        return [
          { after: 0, bytes },
          { after: below(2500), bytes },
        ];
      if (what === 2) return [{ after: below(2500), bytes }];
      if (what === 3) return [{ after: 0, bytes: bytes.map((byte) => (below(200) === 0 ? below(256) : byte)) }];
      return [{ after: 0, bytes }];
    };
    wire.faults = faults;
    const link = await Link.open(wire, { clock: time, retransmissions: 100 });
    const sent: Uint8Array[] = [];
    for (let round = 0; round < 300; round++) {
      const request = Buffer.concat([Buffer.from([round >> 8, round & 0xff]), text(below(4000))]);
      sent.push(request);
      expect(Buffer.compare(await link.exchange(request), reply(request)), seed).toBe(0);
    }
    expect(device.requests.length, seed).toBe(sent.length);
    expect(
      device.requests.every((request, i) => Buffer.compare(request, sent[i]!) === 0),
      seed,
    ).toBe(true);
  });

  it("sends requests ahead, as many as the device can hold, and gives the answers in their order", async () => {
    const { device, wire, open } = setUp();
    const link = await open();
    wire.sent.length = 0;
    const requests = Array.from({ length: 40 }, (_, i) => Buffer.concat([text(100 + i), Uint8Array.of(i)]));
    expect(await link.exchangeAll(requests)).toEqual(requests.map(reply));
    expect(frames(wire.sent.slice(0, 1)).length).toBeGreaterThan(10);
    expect(Math.max(...wire.sent.map(({ length }) => length))).toBeLessThanOrEqual(AHEAD_MAX);
    expect(device.requests).toEqual(requests);
    expect(await link.exchangeAll([])).toEqual([]);
    expect(await link.exchangeAll([text(5), text(9000), text(5)])).toEqual([text(5), text(9000), text(5)].map(reply));
  });

  it("asks at once for the one fragment that was lost, when the last has come", async () => {
    const { wire, open, time, device } = setUp();
    const link = await open();
    let lost = 0;
    wire.faults = (bytes, direction) =>
      direction === "to host" && frames([bytes])[0]?.index === 2 && lost++ === 0 ? [] : [{ after: 0, bytes }];
    wire.sent.length = 0;
    const request = text(4000);
    expect(await link.exchange(request)).toEqual(reply(request));
    expect([lost, time.now, device.requests.length]).toEqual([2, 0, 1]);
    expect(frames(wire.sent).map(({ type }) => type)).toEqual([3, 3, 3, 3, 5]);
  });

  it("loses no request that was sent ahead over a bad wire, and tells of each answer that was lost", async () => {
    const { below, seed } = random();
    const { device, wire, time } = setUp({ answer: (request) => Buffer.concat([request, request, request]) });
    wire.faults = (bytes) => {
      const what = below(10);
      if (what === 0) return [];
      if (what === 1) return [{ after: below(2500), bytes }];
      if (what === 2) return [{ after: 0, bytes: bytes.map((byte) => (below(200) === 0 ? below(256) : byte)) }];
      return [{ after: 0, bytes }];
    };
    const link = await Link.open(wire, { clock: time, retransmissions: 100 });
    const sent: Uint8Array[] = [];
    let lost = 0;
    for (let round = 0; round < 100; round++) {
      const requests = Array.from({ length: 1 + below(12) }, (_, i) =>
        Buffer.concat([Uint8Array.of(round, i), text(below(700))]),
      );
      sent.push(...requests);
      const answers = await link.exchangeAll(requests);
      expect(answers.at(-1), seed).toBeDefined();
      requests.forEach((request, i) => {
        if (answers[i] === undefined) lost++;
        else expect(Buffer.compare(answers[i], Buffer.concat([request, request, request])), seed).toBe(0);
      });
    }
    expect(
      device.requests.map((one) => Buffer.from(one).toString("hex")),
      seed,
    ).toEqual(sent.map((one) => Buffer.from(one).toString("hex")));
    expect(lost, seed).toBeGreaterThan(0);
    expect(lost, seed).toBeLessThan(sent.length / 2);
  });

  it("sends a lost frame again byte for byte, five times, and then calls the device silent", async () => {
    const { wire, open, time } = setUp();
    const link = await open();
    wire.sent.length = 0;
    wire.faults = () => [];
    await expect(link.exchange(text(5))).rejects.toMatchObject({
      name: "DisconnectedError",
      reason: "silent",
      exitCode: 3,
    });
    expect(wire.sent).toHaveLength(6);
    for (const bytes of wire.sent) expect(bytes).toEqual(wire.sent[0]);
    expect(time.now).toBe(6000);
    await expect(link.exchange(text(5))).rejects.toThrow(DisconnectedError);
    expect(wire.sent).toHaveLength(6);
  });

  it("says when it asks again, and that nothing was asked of who never answered", async () => {
    let silent = 0;
    const { wire, open } = setUp();
    wire.faults = () => [];
    const failed = open({ onSilent: () => silent++ });
    await expect(failed).rejects.toThrow(UnreachedError);
    await expect(failed).rejects.toThrow("nothing was asked of it");
    expect(silent).toBe(1);
  });

  it("waits as long as Busy says, and sends nothing meanwhile", async () => {
    const { wire, open, time } = setUp({ work: () => 20_000 });
    const link = await open();
    wire.sent.length = 0;
    await link.exchange(text(5));
    expect(time.now).toBe(20_000);
    expect(wire.sent).toHaveLength(1);
  });

  it("asks again after Busy when the answer got lost", async () => {
    const { wire, open, device } = setUp({ work: () => 3000 });
    const link = await open();
    let lost = false;
    wire.faults = (bytes, direction) => {
      const answer = direction === "to host" && frames([bytes])[0]?.type === FrameType.Data;
      if (!answer || lost) return [{ after: 0, bytes }];
      lost = true;
      return [];
    };
    expect(await link.exchange(text(5))).toEqual(reply(text(5)));
    expect(device.requests).toHaveLength(1);
  });

  it("believes one Busy for each time that it asked, so that nobody can hold it for ever", async () => {
    const { wire, open, time } = setUp();
    const link = await open();
    wire.faults = (bytes, direction) => {
      const [frame] = frames([bytes]);
      if (direction === "to host" || frame === undefined) return [];
      const busy = { ...frame, type: FrameType.Busy, payload: Uint8Array.of(0xe8, 3, 0, 0, 0) };
      for (let i = 1; i < 1000; i++) time.after(i * 100, () => wire.inject(encodeFrame(busy)));
      return [];
    };
    await expect(link.exchange(text(5))).rejects.toMatchObject({ reason: "silent" });
    expect(time.now).toBeLessThanOrEqual(6 * 2100);
  });

  it("waits no longer in all than one Busy may announce, however many come", async () => {
    const { wire, open, time } = setUp();
    const link = await open();
    wire.faults = (bytes, direction) => {
      const [frame] = frames([bytes]);
      if (direction === "to host" || frame === undefined) return [];
      for (const reason of [0, 1]) {
        const payload = Uint8Array.of(0xc0, 0x27, 0x09, 0, reason); // BUSY_MAX
        time.after(1, () => wire.inject(encodeFrame({ ...frame, type: FrameType.Busy, payload })));
      }
      return [];
    };
    await expect(link.exchange(text(5))).rejects.toMatchObject({ reason: "silent" });
    expect(time.now).toBeLessThanOrEqual(BUSY_MAX + 6 * 2100);
  });

  it("tells of each reason once, however often it has to ask", async () => {
    const heard: Busy[] = [];
    const { wire, time, device } = setUp({ work: () => 3000 });
    const link = await Link.open(wire, { clock: time, onBusy: (busy) => heard.push(busy) });
    let lost = 0;
    wire.faults = (bytes, direction) => {
      const answer = direction === "to host" && frames([bytes])[0]?.type === FrameType.Data;
      return answer && lost++ < 3 ? [] : [{ after: 0, bytes }];
    };
    await link.exchange(text(5));
    expect(heard).toEqual([{ ms: 3000, reason: BusyReason.Work }]);
    await link.exchange(text(5));
    expect(heard).toHaveLength(2);
    expect(device.requests).toHaveLength(2);
  });

  it("says that the device restarted when the link is not known any more, and a new link works", async () => {
    const { device, open } = setUp();
    const link = await open();
    await link.exchange(text(5));
    device.restart();
    await expect(link.exchange(text(5))).rejects.toMatchObject({ reason: "restarted" });
    const other = await open();
    expect(await other.exchange(text(7))).toEqual(reply(text(7)));
  });

  it("ends at once when the port closes", async () => {
    const { wire, open, time } = setUp({ work: () => 5000 });
    const link = await open();
    time.after(100, () => wire.cut());
    await expect(link.exchange(text(5))).rejects.toMatchObject({ reason: "closed" });
    expect(time.now).toBe(100);
  });

  it("ignores strays: other links, other sequences, other types, noise", async () => {
    const { wire, open } = setUp();
    const link = await open();
    wire.faults = (bytes, direction) => {
      const [frame] = frames([bytes]);
      if (direction === "to device" || frame === undefined) return [{ after: 0, bytes }];
      const strays: Partial<Frame>[] = [
        { link: frame.link ^ 1 },
        { link: frame.link ^ 1, type: FrameType.Closed },
        { link: frame.link ^ 1, type: FrameType.Busy, payload: new Uint8Array(99) },
        { sequence: frame.sequence - 1 },
        { type: FrameType.Opened },
        { type: 99 as FrameType },
      ];
      const noise = [text(300), Uint8Array.of(0, 0, 0)];
      const forged = strays.map((change) => encodeFrame({ ...frame, payload: Uint8Array.of(1), ...change }));
      return [...forged, ...noise, bytes].map((one) => ({ after: 0, bytes: one }));
    };
    expect(await link.exchange(text(5000))).toEqual(reply(text(5000)));
  });

  it.each<[string, (frame: Frame) => Frame]>([
    ["an answer without end", (frame) => ({ ...frame, more: true, payload: new Uint8Array(PAYLOAD_MAX) })],
    ["a fragment behind all that a message can have", (frame) => ({ ...frame, index: 40 })],
    ["a short fragment that is not the last", (frame) => ({ ...frame, more: true, payload: new Uint8Array(10) })],
    ["Busy of the wrong length", (frame) => ({ ...frame, type: FrameType.Busy, payload: new Uint8Array(4) })],
    ["Busy for a day", (frame) => ({ ...frame, type: FrameType.Busy, payload: Uint8Array.of(0, 0x5c, 0x26, 5, 0) })],
    [
      "Busy for no known reason",
      (frame) => ({ ...frame, type: FrameType.Busy, payload: Uint8Array.of(1, 0, 0, 0, 2) }),
    ],
    ["Overflow", (frame) => ({ ...frame, type: FrameType.Overflow })],
  ])("refuses %s with ProtocolError", async (_, forge) => {
    const { wire, open } = setUp();
    const link = await open();
    wire.faults = (bytes, direction) => {
      const [frame] = frames([bytes]);
      if (direction === "to host" || frame === undefined) return [];
      const index = frame.type === FrameType.Next ? frame.index : 0;
      queueMicrotask(() =>
        wire.inject(
          encodeFrame(forge({ ...frame, type: FrameType.Data, more: false, index, payload: new Uint8Array(0) })),
        ),
      );
      return [];
    };
    await expect(link.exchange(text(5))).rejects.toThrow(ProtocolError);
  });

  it("does not send a message that is longer than MESSAGE_MAX", async () => {
    const { wire, open } = setUp();
    const link = await open();
    wire.sent.length = 0;
    await expect(link.exchange(text(MESSAGE_MAX + 1))).rejects.toThrow(`longer than ${MESSAGE_MAX}`);
    expect(wire.sent).toHaveLength(0);
    expect(await link.exchange(text(5))).toEqual(reply(text(5)));
  });

  it.each<[string, Uint8Array]>([
    ["another protocol version", Uint8Array.of(1, 0, 0, 4, 1)],
    ["a payload too short", Uint8Array.of(1, 0, 0, 4)],
    ["fragments of no bytes", Uint8Array.of(1, 0, 0, 0, 2)],
    ["fragments larger than ours", Uint8Array.of(1, 0, 1, 4, 2)],
  ])("refuses an Opened with %s", async (_, payload) => {
    const { wire, open } = setUp();
    wire.faults = (bytes, direction) => {
      const [frame] = frames([bytes]);
      if (direction === "to host" && frame !== undefined)
        return [{ after: 0, bytes: encodeFrame({ ...frame, payload }) }];
      return [{ after: 0, bytes }];
    };
    await expect(open()).rejects.toThrow(ProtocolError);
  });
});
