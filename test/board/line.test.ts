/** The line of the firmware (sci.c, dmac.c, main.c) on the virtual board, under a core that says and asks what a test wants. */
import binaryen from "assemblyscript/binaryen";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeFault } from "../../board/virtual/faults.js";
import { RX_OFFSET, RX_SIZE, TX_OFFSET, TX_SIZE } from "../../firmware/defs/boundary.js";
import { FrameType, PROTOCOL_VERSION, RATE_MS } from "../../firmware/defs/link.js";
import { Status } from "../../firmware/defs/status.js";
import { Deframer, encodeFrame, type Frame } from "../../host/client/frame.js";
import { withModule } from "../../scripts/bench/crypto.js";
import { built } from "../device/built.js";
import { CORE } from "../device/engine.js";
import type { VirtualDevice } from "../device/virtual.js";
import { deviceWith } from "./device.js";

/** What the core is to do when bytes come: words of its memory that tests write. */
const FRAMES = 0; // so many frames of SIZE bytes are said: 0, 1, … 250, 0, …
const TURNS = 4; // turns of a loop before each frame but the first, and before it returns
const RATE = 8; // board.rate of this
const ERASE = 12; // board.erase of the first block of the slots
const ANSWER = 16; // of rate or erase
const SAID = 20;
const HEARD = 24; // bytes so far, kept from LOG on
const SIZE = 28; // of a frame
const LOG = 4096;
const CORE_TEXT = `(module
  (import "board" "rate" (func $rate (param i32) (result i32)))
  (import "board" "erase" (func $erase (param i32 i32) (result i32)))
  (memory (export "memory") 1 1)
  (func $spin (local $i i32)
    (local.set $i (i32.load (i32.const ${TURNS})))
    (block $out (loop $turn
      (br_if $out (i32.eqz (local.get $i)))
      (local.set $i (i32.sub (local.get $i) (i32.const 1)))
      (br $turn))))
  (func $frame (result i32) (local $i i32)
    (if (i32.eqz (i32.load (i32.const ${FRAMES}))) (then (return (i32.const 0))))
    (i32.store (i32.const ${FRAMES}) (i32.sub (i32.load (i32.const ${FRAMES})) (i32.const 1)))
    (loop $byte
      (i32.store8 offset=${TX_OFFSET} (local.get $i) (i32.rem_u (i32.load (i32.const ${SAID})) (i32.const 251)))
      (i32.store (i32.const ${SAID}) (i32.add (i32.load (i32.const ${SAID})) (i32.const 1)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $byte (i32.lt_u (local.get $i) (i32.load (i32.const ${SIZE})))))
    (i32.load (i32.const ${SIZE})))
  (func (export "start") (param i32 i32) (result i32)
    (i32.store (i32.const ${SIZE}) (i32.const ${TX_SIZE}))
    (i32.const 0))
  (func (export "take") (param $n i32) (result i32) (local $i i32)
    (if (i32.eqz (local.get $n)) (then (return (i32.const 0))))
    (loop $byte
      (i32.store8 offset=${LOG} (i32.load (i32.const ${HEARD})) (i32.load8_u offset=${RX_OFFSET} (local.get $i)))
      (i32.store (i32.const ${HEARD}) (i32.add (i32.load (i32.const ${HEARD})) (i32.const 1)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $byte (i32.lt_u (local.get $i) (local.get $n))))
    (if (i32.load (i32.const ${RATE})) (then
      (i32.store (i32.const ${ANSWER}) (call $rate (i32.load (i32.const ${RATE}))))
      (i32.store (i32.const ${RATE}) (i32.const 0))))
    (if (i32.load (i32.const ${ERASE})) (then
      (i32.store (i32.const ${ERASE}) (i32.const 0))
      (i32.store (i32.const ${ANSWER}) (call $erase (i32.const 0) (i32.const 0)))))
    (if (i32.load (i32.const ${FRAMES})) (then (return (call $frame))))
    (call $spin)
    (i32.const 0))
  (func (export "give") (result i32) (call $spin) (call $frame)))`;

const RATES = [115_200, 230_400, 460_800, 921_600, 1_000_000, 2_000_000, 3_000_000];
const RING = 2048; // of what was received
const BYTE_BITS = 10;

const module = binaryen.parseText(CORE_TEXT);
const elf = withModule(built("ek-ra6m5.elf"), CORE, module.emitBinary());

let device: VirtualDevice;
/** Bytes that the board said, each with the time of its end in ns. */
let said: [byte: number, ns: number][];

beforeEach(() => {
  device = deviceWith({ elf });
  device.boot();
  said = [];
  device.board.onByte = (byte, ns) => said.push([byte, ns]);
});
afterEach(() => {
  const faults = device.board.faults.list.map(describeFault);
  device.close();
  expect(faults).toEqual([]);
});

const set = (word: number, value: number): void => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  device.poke(word, bytes);
};
const get = (word: number): number => Buffer.from(device.peek(word, 4)).readInt32LE();
const heard = (): Buffer => Buffer.from(device.peek(LOG, get(HEARD)));
const counted = (length: number, from = 0): Buffer => Buffer.from(Array.from({ length }, (_, i) => (from + i) % 251));
const ask = (byte = 1): Uint8Array => device.exchange(Uint8Array.of(byte));
const setRate = (bits: number): number => {
  set(RATE, bits);
  ask();
  return get(ANSWER);
};
/** Bit times between the ends of bytes that follow each other, without those of the byte itself. */
const gaps = (): number[] =>
  said.slice(1).map(([, ns], i) => ((ns - said[i]![1]) * device.board.baud) / 1e9 - BYTE_BITS);

describe("what the core says", () => {
  it.each(RATES)("leaves without a gap at %i baud, however much it is", (rate) => {
    expect(setRate(rate)).toBe(Status.Ok);
    set(FRAMES, 40); // five times as much as the ring holds
    expect(Buffer.from(ask()).equals(counted(40 * TX_SIZE))).toBe(true);
    expect(said.length).toBe(40 * TX_SIZE);
    expect(Math.max(...gaps())).toBeLessThan(0.001);
  });

  it("leaves while the core computes, and what follows joins it", () => {
    setRate(921_600);
    set(FRAMES, 3);
    set(TURNS, 100_000); // some 17 ms, where a frame takes 12
    const began = device.board.time.ns;
    expect(Buffer.from(ask()).equals(counted(3 * TX_SIZE))).toBe(true);
    const frame = (TX_SIZE * BYTE_BITS * 1e9) / device.board.baud;
    expect((said[TX_SIZE - 1]![1] - began) / frame).toBeLessThan(1.2);
    expect(gaps().flatMap((gap, i) => (gap > 0.001 ? [i + 1] : []))).toEqual([TX_SIZE, 2 * TX_SIZE]);
  });

  it("does not keep the main loop from hearing", () => {
    const seen: number[] = [];
    device.board.onByte = () => seen.push(get(HEARD));
    set(FRAMES, 6);
    device.exchange(Uint8Array.of(1, 2)); // the second byte comes while the first frame leaves
    expect(seen.length).toBe(6 * TX_SIZE);
    expect(seen.indexOf(2)).toBeLessThan(2 * TX_SIZE);
  });

  it.each([
    ["waits", true],
    ["is lost", false],
  ])(
    "is whole and in order, whenever it joins what is leaving, if a request that meets a paused channel %s",
    (_, keeps) => {
      device.board.dmac.keepsRequests = keeps;
      setRate(1_000_000); // a frame takes longer to leave than to make
      for (let size = 1; size <= 24; size++) {
        for (let turns = 0; turns < 50; turns += 2) {
          set(SIZE, size);
          set(TURNS, turns);
          set(FRAMES, 5);
          set(SAID, 0);
          const got = Buffer.from(ask()).toString("hex");
          expect([size, turns, got]).toEqual([size, turns, counted(5 * size).toString("hex")]);
        }
      }
    },
  );
});

describe("what the host says", () => {
  it("is heard in order, in pieces of at most the core's window", () => {
    const bytes = counted(5 * RING + 77);
    device.exchange(bytes);
    expect(heard().equals(bytes)).toBe(true);
    expect(device.board.lost).toBe(0);
    expect(RX_SIZE).toBeLessThan(RING);
  });

  it("while flash is erased is heard afterwards", () => {
    set(ERASE, 1);
    device.board.feed(Uint8Array.of(1));
    while (get(ERASE) === 1) device.board.run(1000);
    device.board.feed(counted(1000)); // 87 ms, and the erase takes 157
    device.board.run();
    expect(get(ANSWER)).toBe(Status.Ok);
    expect(heard().subarray(1).equals(counted(1000))).toBe(true);
    expect(device.board.lost).toBe(0);
  });

  it.each([1, RING - 1, RING, RING + 1, 2 * RING + 5])(
    "while the core computes is kept, all but whole rings: %i bytes",
    (count) => {
      setRate(3_000_000);
      set(HEARD, 0);
      set(TURNS, 120_000); // some 20 ms, in which 6 KB come
      device.board.feed(Uint8Array.of(1));
      while (get(HEARD) === 0) device.board.run(100);
      set(TURNS, 0); // has been read
      const bytes = counted(count);
      device.board.feed(bytes);
      device.board.run();
      expect(
        heard()
          .subarray(1)
          .equals(bytes.subarray(count - (count % RING))),
      ).toBe(true);
      ask(99); // and nothing is out of step
      expect(heard().at(-1)).toBe(99);
    },
  );
});

describe("board.rate", () => {
  it.each(RATES)("sets %i baud within a fifth of a percent, after the answer has left", (rate) => {
    const before = device.board.baud;
    set(RATE, rate);
    set(FRAMES, 1);
    expect(Buffer.from(ask()).equals(counted(TX_SIZE))).toBe(true);
    expect(get(ANSWER)).toBe(Status.Ok);
    expect(Math.abs(device.board.baud / rate - 1)).toBeLessThan(0.002);
    const bits = ((said.at(-1)![1] - said[0]![1]) * before) / 1e9 / (TX_SIZE - 1);
    expect(Math.abs(bits - BYTE_BITS)).toBeLessThan(0.001); // still at the old rate
    set(FRAMES, 3);
    expect(Buffer.from(ask()).equals(counted(3 * TX_SIZE, TX_SIZE))).toBe(true);
  });

  it.each([0, 1, 9600, 57_600, 115_199, 800_000 + 17_000, 3_000_001, 12_000_000, 0xffffffff])(
    "refuses %i with BadArgument and changes nothing",
    (rate) => {
      const before = device.board.baud;
      setRate(460_800);
      expect(setRate(rate)).toBe(rate === 0 ? Status.Ok : Status.BadArgument);
      expect(device.board.baud / before).toBeCloseTo(4, 5);
    },
  );

  it("asked for twice in one call takes the last", () => {
    for (const rate of RATES) expect(setRate(rate)).toBe(Status.Ok);
    for (const rate of RATES.toReversed()) expect(setRate(rate)).toBe(Status.Ok);
    set(FRAMES, 1);
    expect(Buffer.from(ask()).equals(counted(TX_SIZE))).toBe(true);
  });

  it("is back to the first after a reset", () => {
    setRate(2_000_000);
    device.board.reset();
    device.board.run();
    expect(Math.abs(device.board.baud / 115_200 - 1)).toBeLessThan(0.002);
  });
});

describe("a host that knows of no rate", () => {
  const EMPTY: Frame = {
    type: FrameType.Open,
    more: false,
    link: 5,
    sequence: 0,
    index: 0,
    payload: new Uint8Array(0),
  };
  const OPEN = Buffer.from([0, ...encodeFrame({ ...EMPTY, payload: Uint8Array.of(PROTOCOL_VERSION) })]);

  it.each(RATES)("is heard by the firmware at %i at its second Open at the latest", (bits) => {
    device = deviceWith({});
    const { board } = device;
    device.boot();
    const payload = Buffer.alloc(4);
    payload.writeUInt32LE(bits);
    board.lineRate = 115_200;
    expect(device.exchange(encodeFrame({ ...EMPTY, type: FrameType.Rate, payload })).length).toBeGreaterThan(0);
    board.lineRate = bits;
    expect(device.exchange(OPEN).length).toBeGreaterThan(0); // a raised rate at which a frame came stays
    device.wait(2 * RATE_MS);
    expect(Math.abs(board.baud / bits - 1)).toBeLessThan(0.01);
    board.lineRate = 115_200;
    device.exchange(Uint8Array.of(0x55, 0x55, 0x55, 0x55, 0));
    device.wait(20);
    let answer = device.exchange(OPEN);
    if (answer.length === 0) answer = device.exchange(OPEN);
    const frames: Frame[] = [];
    new Deframer().push(answer, (frame) => frames.push(frame));
    expect(frames.map(({ type }) => type)).toEqual([FrameType.Opened]);
  });
});

describe("a host at another rate", () => {
  it.each(RATES.slice(1))(
    "that calls the board back from %i is heard as what is no frame, at the second call at the latest",
    (board) => {
      setRate(board);
      set(HEARD, 0);
      device.board.lineRate = 115_200;
      for (let call = 0; call < 2; call++) device.exchange(Uint8Array.of(0x55, 0x55, 0x55, 0x55, 0));
      const got = heard();
      let ended: { at: number; broken: boolean } = { at: -1, broken: false };
      got.forEach((byte, i) => {
        if (byte === 0) ended = { at: i, broken: ended.broken || i > ended.at + 1 };
      });
      expect(ended.broken, got.toString("hex")).toBe(true);
    },
  );

  it.each([
    [115_200, 921_600],
    [921_600, 115_200],
    [460_800, 1_000_000],
  ])("is garbage to the board and hears garbage: %i against %i baud", (board, host) => {
    setRate(board);
    set(HEARD, 0);
    device.board.lineRate = host;
    device.exchange(counted(250, 1)); // without a zero
    const got = heard();
    expect(got.includes(counted(20, 1))).toBe(false);
    if (board !== 115_200) expect(got.includes(0)).toBe(true);
    set(FRAMES, 1);
    const answer = Buffer.from(ask());
    expect(answer.includes(counted(20, 1))).toBe(false);
    device.board.lineRate = undefined;
    set(FRAMES, 1);
    set(SAID, 0);
    expect(Buffer.from(ask()).equals(counted(TX_SIZE))).toBe(true);
  });

  it("is understood when it is a little fast or slow", () => {
    for (const host of [113_000, 118_000]) {
      device.board.lineRate = host;
      set(HEARD, 0);
      device.exchange(counted(100));
      expect(heard().equals(counted(100))).toBe(true);
    }
  });
});
