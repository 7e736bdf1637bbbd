/** The device's side of the bit rate: SPEC.md §8. What the board does with it: test/board/line.test.ts. */
import { describe, expect, it } from "vitest";
import { FrameType, LINE_RATE, PROTOCOL_VERSION, RATE_MS } from "../../firmware/defs/link.js";
import { decodeFrame, encodeFrame, type Frame } from "../../host/client/frame.js";
import type { EngineDevice } from "../device/device.js";
import { ready, SMALL } from "../store/help.js";
import { engineTargets } from "../targets.js";
import { framesIn } from "./wire.js";

const EMPTY: Frame = { type: FrameType.Rate, more: false, link: 5, sequence: 7, index: 0, payload: new Uint8Array(0) };
const OPEN = encodeFrame({ ...EMPTY, type: FrameType.Open, payload: Uint8Array.of(PROTOCOL_VERSION) });
const FAST = 921_600;

const rateOf = (bits: number): Uint8Array => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32LE(bits);
  return payload;
};

/** @returns the rate that the device names */
function ask(device: EngineDevice, bits: number): number | undefined {
  const [bytes] = framesIn(device.exchange(encodeFrame({ ...EMPTY, payload: rateOf(bits) })));
  const frame = bytes && decodeFrame(bytes.subarray(0, -1));
  if (frame === undefined) return undefined;
  expect([frame.type, frame.link, frame.sequence, frame.payload.length]).toEqual([FrameType.Rated, 5, 7, 4]);
  return Buffer.from(frame.payload).readUInt32LE(0);
}

describe.each(engineTargets)("the bit rate of $name", (kind) => {
  const { device } = ready(kind, SMALL);

  it("is the first one after each start, and what was asked for when the line can do it", () => {
    for (const bits of [FAST, 3_000_000, 230_400, LINE_RATE]) {
      expect(ask(device, bits)).toBe(bits);
      expect(device.board.bits).toBe(bits);
    }
    ask(device, FAST);
    device.boot();
    expect(device.board.bits).toBe(LINE_RATE);
  });

  it("stays as it is when the line cannot do another one, or the request is none", () => {
    ask(device, FAST);
    for (const bits of [0, 9600, 4_000_000, 0xffffffff]) expect(ask(device, bits)).toBe(FAST);
    expect(device.exchange(encodeFrame({ ...EMPTY, payload: new Uint8Array(3) })).length).toBe(0);
    expect(device.board.bits).toBe(FAST);
  });

  it("is the first one again when no frame comes in time at a faster one, and stays when one came", () => {
    ask(device, FAST);
    device.wait(RATE_MS - 100);
    expect(device.board.bits).toBe(FAST);
    device.wait(200);
    expect(device.board.bits).toBe(LINE_RATE);
    ask(device, FAST);
    expect(device.exchange(OPEN).length).toBeGreaterThan(0);
    device.wait(10 * RATE_MS);
    expect(device.board.bits).toBe(FAST);
  });

  it("is the first one again after anything that is no frame, but not after nothing", () => {
    const changed = OPEN.map((byte, i) => (i === 3 ? byte ^ 1 : byte));
    const junk = [
      Uint8Array.of(0x80, 0x80, 0),
      Uint8Array.of(5, 0),
      new Uint8Array(2000).fill(7),
      changed,
      OPEN.subarray(3),
    ];
    for (const bytes of junk) {
      ask(device, FAST);
      device.exchange(OPEN);
      device.exchange(Uint8Array.of(0, 0, 0));
      expect(device.board.bits).toBe(FAST);
      device.exchange(bytes);
      device.exchange(Uint8Array.of(0));
      expect(device.board.bits).toBe(LINE_RATE);
      expect(device.exchange(OPEN).length).toBeGreaterThan(0);
    }
  });
});
