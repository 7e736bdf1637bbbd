/** The ELF that would be flashed, on the virtual board: boots without a fault, answers, survives power cuts, keeps its stacks, and obeys the
 *  switches. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { describeFault } from "../../board/virtual/faults.js";
import { PowerCut, tears } from "../../board/virtual/nor.js";
import { seeded } from "../../board/virtual/prng.js";
import { FrameType, PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { PSK_SIZE, RESET_HOLD_MS } from "../../firmware/defs/session.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { CountingBoard, Host, imageOf } from "../../scripts/bench/host.js";
import { useEverything } from "../../scripts/bench/session.js";
import { Talk } from "../device/talk.js";
import { VirtualDevice } from "../device/virtual.js";
import { deviceWith } from "./device.js";

const RAM = 0x20000000;
const C_STACK = 8192;
const NO_CODE = new Uint8Array(PSK_SIZE);

describe("the firmware on the virtual board", () => {
  let device: VirtualDevice;
  let talk: Talk;
  beforeAll(() => {
    device = new VirtualDevice(2);
    talk = new Talk(device);
  });
  afterAll(() => device.close());
  const faults = (): string[] => device.board.faults.list.map(describeFault);
  const state = (): unknown => talk.ask(Command.Hello).get(Key.State);
  const begin = (): void => {
    talk.handshake("", NO_CODE);
    talk.ask(Command.ProvisionBegin, [
      [Key.Manifest, new Uint8Array(16).fill(0x4d)],
      [
        Key.Classes,
        [
          new Map([
            [Key.SlotUnits, 32],
            [Key.Blocks, 32],
          ]),
        ],
      ],
    ]);
  };

  it("boots to 192 MHz without a fault and shows that it is ready", () => {
    device.boot();
    const { board } = device;
    expect(board.clocks).toEqual({ iclk: 192e6, pclka: 96e6, pclkb: 48e6, fclk: 48e6 });
    expect(Math.abs(board.baud - 115200) / 115200).toBeLessThan(0.002);
    expect(board.lights).toEqual(["ready"]);
    expect(faults()).toEqual([]);
  });

  it("answers Open with Opened and the same nonce, and Hello", () => {
    const [opened] = talk.frames({ type: FrameType.Open, link: 0x12, payload: Uint8Array.of(PROTOCOL_VERSION) });
    expect(opened).toMatchObject({ type: FrameType.Opened, link: 0x12 });
    expect(state()).toBe(State.Blank);
    expect(device.board.lost).toBe(0);
  });

  it("idles for a minute, and its watchdog is content", () => {
    const before = device.now();
    device.wait(60_000);
    expect(Number(device.now() - before) / 1e6).toBeGreaterThan(60);
    expect(talk.ask(Command.Hello).get(Key.TrapCode)).toBe(0);
    expect(faults()).toEqual([]);
  });

  it("begins provisioning again after power cuts inside it, until it is done", () => {
    const random = seeded(11);
    for (const operation of [0, 40, 300]) {
      device.board.cutPower({ operation, tear: tears.random(random), marginal: true });
      expect(begin).toThrow(PowerCut);
      device.boot();
      talk.reset();
      expect([State.Blank, State.Provisioning]).toContain(state());
    }
    begin();
    expect(state()).toBe(State.Provisioning);
    device.boot();
    talk.reset();
    expect(state()).toBe(State.Provisioning);
    expect(faults()).toEqual([]);
  });
});

describe("the firmware with a store", () => {
  let device: VirtualDevice;
  afterEach(() => device.close());
  const store = imageOf(Host.provisioned().device);

  it("is reset by S1 and S2 held for 10 s from power-up on, and by nothing less", () => {
    const board = new CountingBoard(store, 0);
    device = board.device;
    const state = (): unknown => new Talk(device).ask(Command.Hello).get(Key.State);
    const hold = (ms: number): void => {
      for (const which of ["s1", "s2"] as const) device.press(which);
      device.boot();
      expect(device.board.lights).toContain("ready");
      device.wait(ms);
      for (const which of ["s1", "s2"] as const) device.release(which);
      device.wait(1000);
    };
    hold(RESET_HOLD_MS - 100);
    expect(device.board.lights).toEqual(["ready"]);
    expect(state()).toBe(State.Ready);
    hold(RESET_HOLD_MS + 100);
    expect(state()).toBe(State.Blank);
    expect(device.board.faults.list).toEqual([]);
  });

  it("leaves a quarter of the C stack untouched, whatever is asked", () => {
    const board = new CountingBoard(store, 0);
    device = board.device;
    device.board.powerOff();
    device.board.powerOn();
    const noise = Buffer.from(device.board.peek(RAM, C_STACK)!);
    device.board.run();
    useEverything(board.host.continue(100), (_operation, work) => work());
    const used = device.board.peek(RAM, C_STACK)!;
    const untouched = used.findIndex((byte, i) => byte !== noise[i]);
    expect(untouched).toBeGreaterThan(C_STACK / 4);
  });
});

describe("the setup code", () => {
  let device: VirtualDevice;
  afterEach(() => device.close());
  const start = (setupCode?: Uint8Array): Talk => {
    device = deviceWith(setupCode === undefined ? {} : { setupCode });
    device.boot();
    return new Talk(device);
  };

  it("is zero as built, and what was flashed otherwise", () => {
    expect(start().ask(Command.Hello).get(Key.SetupCode)).toBe(false);
    const built = device.board.firmware;
    device.close();
    const code = new Uint8Array(PSK_SIZE).fill(9);
    const talk = start(code);
    expect(device.board.firmware).toEqual(built);
    expect(talk.ask(Command.Hello).get(Key.SetupCode)).toBe(true);
    expect(() => talk.handshake("", NO_CODE)).toThrow("HandshakeRefused");
    talk.handshake("", code);
    talk.ask(Command.Info);
    expect(talk.touchesAsked).toBe(0);
  });
});
