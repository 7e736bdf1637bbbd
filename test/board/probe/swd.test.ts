/** The serial wire of the virtual probe, bit by bit: no OpenOCD, no board. */
import { beforeEach, describe, expect, it } from "vitest";
import type { AccessPort } from "../../../board/virtual/probe/ap.js";
import { ACK, DPIDR, Dp } from "../../../board/virtual/probe/dp.js";
import { SwdPort } from "../../../board/virtual/probe/swd.js";
import { AP, DP, JTAG_TO_DORMANT, JTAG_TO_SWD, POWER_UP, SWD_TO_DORMANT, SWD_TO_JTAG, Wire } from "./wire.js";

const SILENCE = 7;
const STOP = 0x40;
const PARK = 0x80;
const PARITY = 0x20;
const STICKYORUN = 1 << 1;
const STICKYERR = 1 << 5;
const WDATAERR = 1 << 7;
const ORUNDETECT = 1;
const CLEAR_ALL = 0x1e;

/** An access port that keeps what was written, and refuses register 0x0C when told to. */
class Port implements AccessPort {
  readonly registers = new Map<number, number>();
  readonly written: [number, number][] = [];
  refuses = false;
  resets = 0;
  reset(): void {
    this.resets++;
  }
  read(register: number): number | undefined {
    return this.refuses && register === AP.drw ? undefined : (this.registers.get(register) ?? 0);
  }
  write(register: number, value: number): boolean {
    if (this.refuses && register === AP.drw) return false;
    this.written.push([register, value]);
    this.registers.set(register, value);
    return true;
  }
}

let ports: [Port, Port];
let dp: Dp;
let swd: SwdPort;
let wire: Wire;
let busy: boolean;
beforeEach(() => {
  ports = [new Port(), new Port()];
  busy = false;
  dp = new Dp(ports, () => busy);
  swd = new SwdPort(dp);
  wire = new Wire((driven) => swd.clock(driven));
});

/** Connected, and the debug domain has power. */
function powered(): Wire {
  wire.connect();
  expect(wire.writeDp(DP.ctrl, POWER_UP)).toBe(ACK.ok);
  return wire;
}

const status = (): number => wire.readDp(DP.ctrl).data;

describe("the wire", () => {
  it("speaks JTAG after power-up: requests are not answered", () => {
    wire.lineReset();
    expect(wire.readDp(DP.dpidr).ack).toBe(SILENCE);
  });

  it("answers DPIDR after the switch from JTAG, with the right parity", () => {
    expect(wire.connect()).toBe(DPIDR);
    expect(wire.readDp(DP.dpidr)).toEqual({ ack: ACK.ok, data: 0x6ba02477, parityHolds: true });
  });

  it.each([0, 1, 3, 0x80000000, 0xffffffff, 0xfffffffe])("sends and takes %i with its parity", (value) => {
    powered();
    expect(wire.writeAp(AP.tar, value)).toBe(ACK.ok);
    wire.read(true, AP.tar);
    expect(wire.readDp(DP.buffer)).toEqual({ ack: ACK.ok, data: value, parityHolds: true });
  });

  it.each([0, 1, 5, 49])("takes the switch from JTAG after 50 clocks with a high line, not after %i", (ones) => {
    wire.ones(ones);
    wire.send(...JTAG_TO_SWD);
    expect(swd.protocol).toBe("jtag");
    wire.idle(1);
    wire.ones(50);
    wire.send(...JTAG_TO_SWD);
    expect(swd.protocol).toBe("swd");
  });

  it.each([0, 1, 49])("takes 50 clocks with a high line for a line reset, not %i", (ones) => {
    wire.connect();
    wire.request(false, true, DP.dpidr, PARITY);
    wire.idle(1);
    wire.ones(ones);
    wire.idle();
    expect(wire.readDp(DP.dpidr).ack).toBe(SILENCE);
  });

  it("wants DPIDR to be read first after a line reset, and is deaf until the next when it was not", () => {
    wire.connect();
    wire.lineReset();
    expect(wire.readDp(DP.ctrl).ack).toBe(SILENCE);
    expect(wire.readDp(DP.dpidr).ack).toBe(SILENCE);
    wire.lineReset();
    expect(wire.readDp(DP.dpidr).ack).toBe(ACK.ok);
    expect(wire.readDp(DP.ctrl).ack).toBe(ACK.ok);
  });

  it.each([
    ["parity", PARITY],
    ["stop bit", STOP],
    ["park bit", PARK],
  ])("is deaf after a request with a wrong %s, until a line reset", (_name, flip) => {
    wire.connect();
    wire.request(false, true, DP.dpidr, flip);
    expect(wire.listen(3)).toBe(SILENCE);
    wire.idle(40);
    expect(wire.readDp(DP.dpidr).ack).toBe(SILENCE);
    wire.lineReset();
    expect(wire.readDp(DP.dpidr).ack).toBe(ACK.ok);
  });

  it("takes a line reset in the middle of a transaction", () => {
    powered();
    wire.request(false, false, DP.select);
    wire.listen(5);
    wire.send(0x12345678, 20);
    wire.lineReset();
    expect(wire.readDp(DP.dpidr).data).toBe(DPIDR);
    expect(status() >>> 0).toBe(0xf0000000);
  });

  it("does not take data with 32 ones for a line reset", () => {
    powered();
    wire.writeAp(AP.tar, 0xffffffff);
    expect(wire.readAp(AP.tar)).toBe(0xffffffff);
    expect(wire.readAp(AP.tar)).toBe(0xffffffff);
  });

  it("goes back to JTAG when asked to", () => {
    wire.connect();
    wire.ones(50);
    wire.send(...SWD_TO_JTAG);
    expect(swd.protocol).toBe("jtag");
    wire.lineReset();
    expect(wire.readDp(DP.dpidr).ack).toBe(SILENCE);
    expect(wire.connect()).toBe(DPIDR);
  });

  it.each(["SWD", "JTAG"])("goes dormant from %s and wakes up with the alert only", (from) => {
    if (from === "SWD") wire.connect();
    wire.ones(50);
    wire.send(...(from === "SWD" ? SWD_TO_DORMANT : JTAG_TO_DORMANT));
    expect(swd.protocol).toBe("dormant");
    wire.ones(50);
    wire.send(...JTAG_TO_SWD);
    expect(swd.protocol).toBe("dormant");
    wire.wake(0x55);
    expect(swd.protocol).toBe("dormant");
    wire.wake(0x1a);
    wire.lineReset();
    expect(wire.readDp(DP.dpidr).data).toBe(DPIDR);
  });

  it.each([0, 63, 127])("does not wake up when bit %i of the alert is wrong", (bit) => {
    wire.connect();
    wire.ones(50);
    wire.send(...SWD_TO_DORMANT);
    wire.wake(0x1a, bit);
    expect(swd.protocol).toBe("dormant");
  });

  it("wakes up to JTAG when the alert says so", () => {
    wire.connect();
    wire.ones(50);
    wire.send(...SWD_TO_DORMANT);
    wire.wake(0x0a);
    expect(swd.protocol).toBe("jtag");
  });

  it("loses everything with the power", () => {
    powered();
    swd.reset();
    expect(ports.map((port) => port.resets)).toEqual([1, 1]);
    expect(wire.readDp(DP.dpidr).ack).toBe(SILENCE);
    wire.connect();
    expect(status()).toBe(0);
  });
});

describe("the debug port", () => {
  it("acknowledges each power-up that is asked for", () => {
    wire.connect();
    expect(status()).toBe(0);
    wire.writeDp(DP.ctrl, 1 << 28);
    expect(status()).toBe(0x30000000);
    wire.writeDp(DP.ctrl, POWER_UP);
    expect(status()).toBe(0xf0000000);
  });

  it("refuses access ports without power, and says so until ABORT clears it", () => {
    wire.connect();
    expect(wire.read(true, AP.csw).ack).toBe(ACK.fault);
    expect(status()).toBe(STICKYERR);
    wire.writeDp(DP.abort, CLEAR_ALL);
    expect(status()).toBe(0);
  });

  it("shows its banks at address 4, and bank 0 again after a line reset", () => {
    powered();
    const banks = [0, 1, 2, 3, 4].map((bank) => {
      wire.writeDp(DP.select, bank);
      return wire.readDp(DP.ctrl).data;
    });
    expect(banks).toEqual([0xf0000000, 0x40, 0x13600847, 1, 1]);
    wire.lineReset();
    wire.readDp(DP.dpidr);
    expect(status()).toBe(0xf0000000);
  });

  it("answers reads of access ports one transaction late, and RDBUFF with the last", () => {
    powered();
    ports[0].registers.set(AP.csw, 0x11).set(AP.tar, 0x22);
    wire.read(true, AP.csw);
    expect(wire.read(true, AP.tar).data).toBe(0x11);
    expect(wire.readDp(DP.buffer).data).toBe(0x22);
    expect(wire.readDp(DP.buffer).data).toBe(0x22);
    expect(wire.readDp(DP.select).data).toBe(0x22); // RESEND
  });

  it("selects access port and bank with SELECT", () => {
    powered();
    wire.writeDp(DP.select, 0x010000f0);
    wire.writeAp(0xc, 5);
    wire.writeDp(DP.select, 0x00000010);
    wire.writeAp(0x4, 6);
    wire.writeDp(DP.select, 0x02000000);
    expect(wire.readAp(0xc)).toBe(0);
    expect(ports.map((port) => port.written)).toEqual([[[0x14, 6]], [[0xfc, 5]]]);
  });

  it("answers WAIT while an access port is busy, and only then nothing is done", () => {
    powered();
    busy = true;
    expect(wire.writeAp(AP.tar, 1)).toBe(ACK.wait);
    expect(wire.read(true, AP.tar).ack).toBe(ACK.wait);
    expect(wire.readDp(DP.ctrl).ack).toBe(ACK.ok);
    busy = false;
    expect(ports[0].written).toEqual([]);
    expect(wire.writeAp(AP.tar, 1)).toBe(ACK.ok);
    expect(ports[0].written).toEqual([[AP.tar, 1]]);
  });

  it.each(["read", "write"])("faults after an error of the bus in a %s, until ABORT clears it", (kind) => {
    powered();
    ports[0].refuses = true;
    expect(kind === "read" ? wire.read(true, AP.drw).ack : wire.writeAp(AP.drw, 1)).toBe(ACK.ok);
    expect(wire.readDp(DP.buffer).ack).toBe(ACK.fault);
    expect(wire.writeAp(AP.tar, 1)).toBe(ACK.fault);
    expect(wire.writeDp(DP.select, 1)).toBe(ACK.fault);
    expect(wire.writeDp(DP.ctrl, 0)).toBe(ACK.fault);
    expect(wire.readDp(DP.dpidr).ack).toBe(ACK.ok);
    expect(status()).toBe((0xf0000000 | STICKYERR) >>> 0);
    expect(ports[0].written).toEqual([]);
    wire.writeDp(DP.abort, 1 << 3);
    expect(wire.writeAp(AP.tar, 1)).toBe(ACK.fault);
    wire.writeDp(DP.abort, 1 << 2);
    expect(wire.writeAp(AP.tar, 1)).toBe(ACK.ok);
  });

  it("drops a write whose parity is wrong, and faults until ABORT clears it", () => {
    powered();
    expect(wire.write(true, AP.tar, 0x1234, { badParity: true })).toBe(ACK.ok);
    expect(ports[0].written).toEqual([]);
    expect(status()).toBe((0xf0000000 | WDATAERR) >>> 0);
    expect(wire.read(true, AP.tar).ack).toBe(ACK.fault);
    wire.writeDp(DP.abort, 1 << 3);
    expect(wire.writeAp(AP.tar, 0x1234)).toBe(ACK.ok);
    expect(ports[0].written).toEqual([[AP.tar, 0x1234]]);
  });

  it("has a data phase after WAIT and FAULT too while overruns are detected, and remembers them", () => {
    powered();
    wire.writeDp(DP.ctrl, POWER_UP | ORUNDETECT);
    busy = true;
    expect(wire.write(true, AP.tar, 0xffffffff, { overrun: true })).toBe(ACK.wait);
    busy = false;
    expect(wire.read(true, AP.tar, true)).toMatchObject({ ack: ACK.fault, data: 0xffffffff });
    expect(status()).toBe((0xf0000000 | STICKYORUN | ORUNDETECT) >>> 0);
    wire.writeDp(DP.abort, 1 << 4);
    expect(wire.writeAp(AP.tar, 7)).toBe(ACK.ok);
    expect(ports[0].written).toEqual([[AP.tar, 7]]);
  });
});

describe("trouble", () => {
  it("is counted from when it was planned, lasts as long as it says, and ends when another is planned", () => {
    const { trouble } = dp;
    powered();
    trouble.cause({ waits: { from: 1, count: 2 } });
    expect([0, 1, 2, 3].map(() => wire.read(true, AP.tar).ack)).toEqual([ACK.ok, ACK.wait, ACK.wait, ACK.ok]);
    trouble.cause({ waits: { from: 0 } });
    expect([0, 1, 2].map(() => wire.read(true, AP.tar).ack)).toEqual([ACK.wait, ACK.wait, ACK.wait]);
    trouble.cause({});
    expect(wire.read(true, AP.tar).ack).toBe(ACK.ok);
  });

  it("makes a read or a write of an access port an error, which is sticky", () => {
    powered();
    for (const act of [() => wire.read(true, AP.tar), () => wire.writeAp(AP.tar, 1)]) {
      dp.trouble.cause({ errors: { from: 0, count: 1 } });
      act();
      expect(wire.read(true, AP.tar).ack).toBe(ACK.fault);
      expect(status() & STICKYERR).not.toBe(0);
      wire.writeDp(DP.abort, CLEAR_ALL);
    }
    expect(ports[0].written).toEqual([]);
  });

  it("turns the parity of a read round", () => {
    powered();
    dp.trouble.cause({ parity: { from: 0, count: 1 } });
    expect(wire.readDp(DP.dpidr)).toEqual({ ack: ACK.ok, data: DPIDR, parityHolds: false });
    expect(wire.readDp(DP.dpidr).parityHolds).toBe(true);
  });

  it("tells once that the probe was unplugged", () => {
    powered();
    dp.trouble.cause({ dies: 1 });
    expect(dp.trouble.unplugged()).toBe(false);
    wire.readDp(DP.dpidr);
    expect(dp.trouble.unplugged()).toBe(false);
    wire.readDp(DP.dpidr);
    expect([dp.trouble.unplugged(), dp.trouble.unplugged()]).toEqual([true, false]);
  });
});
