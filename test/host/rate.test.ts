/** How the link goes to a faster rate, and back. SPEC.md §8. */
import { describe, expect, it } from "vitest";
import { LINE_RATE, RATE_MS } from "../../firmware/defs/link.js";
import { DisconnectedError } from "../../host/client/errors.js";
import { Link } from "../../host/client/link.js";
import { MockDevice, MockWire } from "./mock-device.js";
import { VirtualTime } from "./virtual-time.js";

const FAST = 921_600;
const text = Buffer.from("a request");

function setUp({ fastest = FAST, device: ends = 3_000_000 } = {}) {
  const time = new VirtualTime();
  const device = new MockDevice(time, { answer: (request) => request, fastest: ends });
  const wire = new MockWire(time, device);
  wire.speedUp(fastest);
  return { time, device, wire, open: () => Link.open(wire, { clock: time }) };
}

describe("the rate of a line", () => {
  it("is the fastest that the port allows, and the device's line can do", async () => {
    for (const [fastest, ends, expected] of [
      [FAST, 3_000_000, FAST],
      [FAST, 460_800, LINE_RATE],
      [LINE_RATE, 3_000_000, LINE_RATE],
    ] as const) {
      const { device, wire, open, time } = setUp({ fastest, device: ends });
      const link = await open();
      expect([wire.bitRate, device.rate]).toEqual([expected, expected]);
      expect(await link.exchange(text)).toEqual(text);
      expect(time.now).toBeLessThan(100);
    }
  });

  it("stays what it was when nothing comes through at the faster one, which takes a second and a half", async () => {
    for (const deaf of ["to device", "to host"] as const) {
      const { device, wire, open, time } = setUp();
      wire.faults = (bytes, direction) => (wire.bitRate === FAST && direction === deaf ? [] : [{ after: 0, bytes }]);
      const link = await open();
      expect([wire.bitRate, device.rate]).toEqual([LINE_RATE, LINE_RATE]);
      expect(time.now).toBeGreaterThan(RATE_MS);
      expect(time.now).toBeLessThan(1600);
      expect(await link.exchange(text)).toEqual(text);
      expect(device.requests).toHaveLength(1);
    }
  });

  it("stays what it was when the port cannot be set to the faster one", async () => {
    const { device, wire, open } = setUp();
    wire.setRate = async (bits) => {
      if (bits !== LINE_RATE) throw new Error("the adapter cannot do that");
    };
    const link = await open();
    expect([wire.bitRate, device.rate]).toEqual([LINE_RATE, LINE_RATE]);
    expect(await link.exchange(text)).toEqual(text);
  });

  it("goes back to the first one when frames are lost at the faster, and what was asked is answered once", async () => {
    for (const deaf of ["to device", "to host"] as const) {
      const { device, wire, open } = setUp();
      const link = await open();
      wire.faults = (bytes, direction) => (wire.bitRate === FAST && direction === deaf ? [] : [{ after: 0, bytes }]);
      expect(await link.exchange(text)).toEqual(text);
      expect([wire.bitRate, device.rate]).toEqual([LINE_RATE, LINE_RATE]);
      expect(await link.exchange(text)).toEqual(text);
      expect(device.requests).toHaveLength(2);
    }
  });

  it("is the faster one again with the next request, when what was lost was an accident; three times, then the line is not believed", async () => {
    const { device, wire, open } = setUp();
    const link = await open();
    for (const expected of [FAST, FAST, FAST, LINE_RATE, LINE_RATE]) {
      let lost = false;
      wire.faults = (bytes, direction) => {
        const isHit = !lost && direction === "to device" && wire.bitRate === FAST;
        lost ||= isHit;
        return isHit ? [] : [{ after: 0, bytes }];
      };
      expect(await link.exchange(text)).toEqual(text);
      expect(wire.bitRate).toBe(LINE_RATE);
      wire.faults = (bytes) => [{ after: 0, bytes }];
      expect(await link.exchange(text)).toEqual(text);
      expect([wire.bitRate, device.rate]).toEqual([expected, expected]);
    }
    expect(device.requests).toHaveLength(10);
  });

  it("is found again by who comes next, whatever the one before left", async () => {
    const { device, wire, open, time } = setUp();
    await open();
    expect(device.rate).toBe(FAST);
    wire.bitRate = LINE_RATE; // the port was closed and opened
    const before = time.now;
    expect(await (await open()).exchange(text)).toEqual(text);
    expect([wire.bitRate, device.rate, time.now - before < 100]).toEqual([FAST, FAST, true]);
  });

  it("is the first one again after a restart of the device", async () => {
    const { device, wire, open } = setUp();
    const link = await open();
    device.restart();
    await expect(link.exchange(text)).rejects.toThrow(DisconnectedError);
    expect(await (await open()).exchange(text)).toEqual(text);
    expect([wire.bitRate, device.rate]).toEqual([FAST, FAST]);
  });

  it("costs nothing where it cannot be changed", async () => {
    const { wire, open, time } = setUp();
    delete wire.setRate;
    delete wire.fastest;
    delete wire.bitRate;
    await open();
    expect([wire.sent.length, time.now]).toEqual([1, 0]);
  });
});
