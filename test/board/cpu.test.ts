/** CPU, resets, power and memory of the virtual board, driven by a monitor firmware. */
import { afterEach, describe, expect, it } from "vitest";
import { Probe, ProbeFault } from "./probe/probe.js";

const RAM = 0x20010000;
const AIRCR = 0xe000ed0c;
const NOWHERE = 0x30000000;
const PRECISE_WITH_ADDRESS = 0x8200;

let probe: Probe;
afterEach(() => probe.board.close());

describe("memory", () => {
  it("is read and written by the firmware without a fault", () => {
    probe = Probe.start();
    probe.write32(RAM, 0x12345678);
    expect(probe.read16(RAM + 2)).toBe(0x1234);
    expect(probe.read8(RAM)).toBe(0x78);
    expect(probe.faults).toEqual([]);
  });

  it("holds the part number of a model and a unique id that follows from the seed", () => {
    probe = Probe.start({ seed: 5 });
    expect(probe.read32(0x010080f0)).toBe(Buffer.from("VIRT").readUInt32LE());
    const id = probe.read32(0x01008190);
    probe.board.close();
    probe = Probe.start({ seed: 5 });
    expect(probe.read32(0x01008190)).toBe(id);
    probe.board.close();
    probe = Probe.start({ seed: 6 });
    expect(probe.read32(0x01008190)).not.toBe(id);
  });

  it("refuses plain stores to flash", () => {
    probe = Probe.start();
    for (const address of [0x00100000, 0x08000000, 0x0100a100]) {
      expect(() => probe.write32(address, 0)).toThrow(ProbeFault);
    }
    expect(probe.faults.length).toBe(3);
  });
});

describe("exceptions", () => {
  it("delivers a precise bus fault with a stacked frame, from which the firmware returns", () => {
    probe = Probe.start();
    let fault: unknown;
    try {
      probe.read32(NOWHERE);
    } catch (error) {
      fault = error;
    }
    expect(fault).toBeInstanceOf(ProbeFault);
    expect((fault as ProbeFault).cfsr & PRECISE_WITH_ADDRESS).toBe(PRECISE_WITH_ADDRESS);
    expect(probe.read32(0xe000ed38)).toBe(NOWHERE);
    expect(probe.faults).toEqual(["CPU: bus refused a read at 0x30000000"]);
    probe.write32(RAM, 7);
    expect(probe.read32(RAM)).toBe(7);
  });

  it("locks up when a fault has no vector, and says so", () => {
    probe = Probe.start();
    probe.write32(0xe000ed08, 0x20030000); // VTOR into empty memory
    for (let at = 0; at < 64; at += 4) probe.write32(0x20030000 + at, 0);
    probe.send(1, NOWHERE, 0);
    expect(probe.board.run()).toBe("locked");
    expect(probe.faults.at(-1)).toContain("locked up");
    probe.board.reset();
    expect(probe.board.run()).toBe("idle");
  });
});

describe("resets and power", () => {
  it("keeps RAM over a software reset and the reset button, and fills it with noise at power-up", () => {
    probe = Probe.start();
    probe.write32(RAM, 0x600df00d);
    probe.send(4, AIRCR, 0x05fa0004);
    expect(probe.read32(RAM)).toBe(0x600df00d);
    expect(probe.read16(0x4001e0c0) & 4).toBe(4); // RSTSR1.SWRF
    probe.board.reset();
    probe.board.run();
    expect(probe.read32(RAM)).toBe(0x600df00d);
    probe.board.powerOff();
    probe.board.powerOn();
    probe.board.run();
    expect(probe.read32(RAM)).not.toBe(0x600df00d);
    expect(probe.read16(0x4001e0c0)).toBe(0);
    expect(probe.faults).toEqual([]);
  });

  it("resets a firmware that does not feed its watchdog", () => {
    probe = Probe.start();
    probe.write16(0x40083402, 0x3313); // 16,384 counts of PCLKB/4 at 2 MHz: 33 ms
    probe.write8(0x40083400, 0x00);
    probe.write8(0x40083400, 0xff);
    probe.board.advance(20);
    expect(probe.read16(0x4001e0c0)).toBe(0);
    probe.board.advance(40);
    expect(probe.read16(0x4001e0c0) & 2).toBe(2); // RSTSR1.WDTRF
    expect(probe.faults).toEqual([]);
  });

  it("runs the same with the same seed", () => {
    const run = (): string => {
      probe = Probe.start({ seed: 9 });
      const seen = [probe.read32(RAM), probe.read32(0x08000100), probe.board.instructions, probe.board.time.ns];
      probe.board.close();
      return seen.join();
    };
    expect(run()).toBe(run());
  });
});

describe("registers", () => {
  it("records what no model knows, in other widths too", () => {
    probe = Probe.start();
    probe.read32(0x40050000);
    probe.read16(0x407fe080);
    probe.write8(0x4001e416, 1);
    expect(probe.faults).toEqual([
      "bus: 4-byte read of 0x40050000, where no model stands",
      "FACI: 2-byte read of 0x407fe080, where FSTATR has 4 bytes",
    ]);
  });

  it("keeps clock registers behind PRCR and its key", () => {
    probe = Probe.start();
    probe.write32(0x4001e020, 0);
    expect(probe.read32(0x4001e020)).toBe(0x22022222);
    probe.write16(0x4001e3fe, 0x0001);
    expect(probe.faults.length).toBe(2);
    probe.write16(0x4001e3fe, 0xa501);
    probe.write32(0x4001e020, 0);
    expect(probe.read32(0x4001e020)).toBe(0);
    expect(probe.board.clocks.fclk).toBe(8e6);
    expect(probe.faults.length).toBe(2);
  });

  it("complains about clocks above their limits and too few wait states", () => {
    probe = Probe.start();
    probe.write16(0x4001e3fe, 0xa503);
    probe.write8(0x4001e032, 0); // crystal
    while ((probe.read8(0x4001e03c) & 8) === 0);
    probe.write16(0x4001e028, 0x3102); // 200 MHz
    probe.write8(0x4001e02a, 0);
    while ((probe.read8(0x4001e03c) & 32) === 0);
    expect(probe.faults).toEqual([]);
    probe.write8(0x4001e026, 5); // divided by 4, as after reset
    expect(probe.faults).toEqual([]);
    probe.write32(0x4001e020, 0);
    expect(probe.faults.join()).toContain("ROM wait states");
    expect(probe.faults.join()).toContain("FCLK would run at 200 MHz");
    expect(probe.faults.join()).toContain("SRAM wait state");
  });

  it("locks pin functions behind PWPR", () => {
    probe = Probe.start();
    probe.write8(0x40080d03, 0);
    probe.write8(0x40080d03, 0x80);
    probe.write32(0x40080918, 4);
    expect(probe.faults).toEqual(["PORT: P406PFS written while PWPR keeps it locked"]);
  });

  it("shows switches and lights on port 0", () => {
    probe = Probe.start();
    expect(probe.read16(0x40080006) & 0x30).toBe(0x30);
    probe.board.press("s1");
    expect(probe.read16(0x40080006) & 0x30).toBe(0x10);
    probe.board.release("s1");
    probe.board.press("s2");
    expect(probe.read16(0x40080006) & 0x30).toBe(0x20);
    probe.write16(0x40080002, 0x1c0);
    probe.write16(0x4008000a, 0x080);
    expect(probe.board.lights).toEqual(["ready"]);
  });

  it("counts LOCO with jitter on AGT0, once it is switched on", () => {
    probe = Probe.start();
    probe.read16(0x400e8000);
    expect(probe.faults).toEqual(["AGT0: accessed while module stop keeps it off"]);
    probe.write32(0x4008400c, 0xfffffff7);
    probe.write8(0x400e8009, 0x40);
    probe.write16(0x400e8000, 0xffff);
    probe.write8(0x400e8008, 1);
    probe.board.advance(100);
    const counted = 0xffff - probe.read16(0x400e8000);
    expect(counted).toBeGreaterThan(3200);
    expect(counted).toBeLessThan(3600);
  });

  it("loses the bytes that a busy firmware does not read in time", () => {
    probe = Probe.start();
    probe.board.feed(Buffer.from([10, 0, 0, 0, 0, 0, 0, 0, 0])); // works for ever
    probe.board.run(1e5);
    probe.board.feed(Buffer.alloc(40, 1));
    expect(probe.board.run(1e6)).toBe("limit");
    expect(probe.board.lost).toBe(39);
  });

  it("sends nothing through a pin that is not handed over", () => {
    probe = Probe.start();
    probe.send(4, 0x4008092c, 0x04000000);
    expect(probe.board.lost).toBeGreaterThan(0);
    expect(probe.faults).toContain("SCI0: a byte was sent while the TX pin is not connected to the channel");
  });
});
