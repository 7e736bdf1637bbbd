/** The ELF that would be flashed, on the virtual board: boots without a fault, answers, survives power cuts. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { VirtualBoard } from "../../board/virtual/board.js";
import { describeFault } from "../../board/virtual/faults.js";
import { tears } from "../../board/virtual/nor.js";
import { seeded } from "../../board/virtual/prng.js";
import { FrameType, PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { Deframer, encodeFrame, type Frame } from "../../host/client/frame.js";
import { decodeMessage, encodeMessage, type Message, message, type Value } from "../../host/client/message.js";

const elf = fileURLToPath(new URL("../../build/ek-ra6m5.elf", import.meta.url));
const MANIFEST = new Uint8Array(16).fill(0x4d);

let board: VirtualBoard;
let link = 0;
let sequence = 0;

function send(frame: Partial<Frame>): Frame[] {
  const empty = { type: FrameType.Data, more: false, link, sequence: 0, index: 0, payload: new Uint8Array(0) };
  const frames: Frame[] = [];
  new Deframer().push(board.exchange(encodeFrame({ ...empty, ...frame })), (got) => frames.push(got));
  return frames;
}

function open(nonce: number): Frame | undefined {
  const opened = send({ type: FrameType.Open, link: nonce, payload: Uint8Array.of(PROTOCOL_VERSION) })[0];
  if (opened !== undefined) link = (opened.payload[0] ?? 0) | ((opened.payload[1] ?? 0) << 8);
  sequence = 0;
  return opened;
}

/** The answer to a command; undefined when power failed meanwhile. */
function ask(command: Command, fields: (readonly [Key, Value])[] = []): Message | undefined {
  const payload = encodeMessage(message([[Key.Command, command], ...fields]));
  const frames = send({ sequence: ++sequence, payload });
  const answer = frames.find((frame) => frame.type === FrameType.Data);
  return answer === undefined ? undefined : decodeMessage(answer.payload);
}

const begin = (): Message | undefined =>
  ask(Command.ProvisionBegin, [
    [Key.Manifest, MANIFEST],
    [
      Key.Classes,
      [
        new Map<number, Value>([
          [Key.SlotUnits, 32],
          [Key.Blocks, 32],
        ]),
      ],
    ],
  ]);

function boot(nonce: number): void {
  board.powerOff();
  board.powerOn();
  expect(board.run()).toBe("idle");
  expect(open(nonce)?.type).toBe(FrameType.Opened);
}

describe("the firmware on the virtual board", () => {
  beforeAll(() => {
    board = VirtualBoard.create({ elf, seed: 2 });
  });
  afterAll(() => board.close());
  const faults = (): string[] => board.faults.list.map(describeFault);

  it("boots to 192 MHz without a fault and shows that it is ready", () => {
    board.powerOn();
    expect(board.run(100e6)).toBe("idle");
    expect(board.clocks).toEqual({ iclk: 192e6, pclka: 96e6, pclkb: 48e6, fclk: 48e6 });
    expect(Math.abs(board.baud - 115200) / 115200).toBeLessThan(0.002);
    expect(board.lights).toEqual(["ready"]);
    expect(faults()).toEqual([]);
  });

  it("answers Open with Opened and the same nonce, and Hello", () => {
    expect(open(0x1234)).toMatchObject({ type: FrameType.Opened, link: 0x1234 });
    expect(ask(Command.Hello)?.get(Key.State)).toBe(State.Blank);
    expect(board.lost).toBe(0);
  });

  it("idles for a minute, and its watchdog is content", () => {
    const before = board.time.ns;
    expect(board.advance(60_000)).toBe("idle");
    expect((board.time.ns - before) / 1e9).toBeGreaterThan(60);
    expect(ask(Command.Hello)).toBeDefined();
    expect(faults()).toEqual([]);
  });

  it("begins provisioning again after power cuts inside it, until it is done", () => {
    const random = seeded(11);
    for (const operation of [0, 40, 300]) {
      board.cutPower({ operation, tear: tears.random(random), marginal: true });
      begin();
      expect(board.powered).toBe(false);
      boot(operation + 1);
      expect([State.Blank, State.Provisioning]).toContain(ask(Command.Hello)?.get(Key.State));
    }
    expect(begin()?.get(Key.Command)).toBe(0);
    expect(ask(Command.ProvisionFinish)?.get(Key.State)).toBe(State.Ready);
    boot(0x77);
    expect(ask(Command.Hello)?.get(Key.State)).toBe(State.Ready);
    expect(faults()).toEqual([]);
  });
});
