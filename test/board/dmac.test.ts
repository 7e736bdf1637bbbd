/** SCI0 and the DMAC as firmware meets them, register by register: what goes by itself, and everything that is recorded as a fault. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Chip } from "../../board/virtual/chip.js";
import { Dmac } from "../../board/virtual/dmac.js";
import { FaultLog } from "../../board/virtual/faults.js";
import { seeded } from "../../board/virtual/prng.js";
import { Sci } from "../../board/virtual/sci.js";
import { Time } from "../../board/virtual/time.js";

const SCI = 0x40118000;
const [SMR, BRR, SCR, TDR, SSR, RDR, SEMR, FCR] = [0, 1, 2, 3, 4, 5, 7, 0x14].map((at) => SCI + at) as [
  ...[number, number, number, number, number, number, number, number],
];
const DMAST = 0x40005200;
const DELSR = (channel: number): number => 0x40006280 + 4 * channel;
const channel = (number: number, offset: number): number => 0x40005000 + 0x40 * number + offset;
const [DMSAR, DMDAR, DMCRA, DMTMD, DMINT, DMAMD, DMCNT, DMREQ, DMSTS] = [
  ...[0x00, 0x04, 0x08, 0x10, 0x13, 0x14, 0x1c, 0x1d, 0x1e],
] as [number, number, number, number, number, number, number, number, number];
const RXI = 0x180;
const TXI = 0x181;
const RAM = 0x20000000;
const ON = 0x70; // RIE, TE, RE
const TIE = 0x80;
const [ORER, FER, TEND, TDRE, RDRF] = [0x20, 0x10, 0x04, 0x80, 0x40];
const BAUD = 1e6;
const BYTE_NS = 10_000;
const BYTES = 0x2001; // normal mode, bytes, by an event
const TO_RING = 0x80 | 4; // destination rises in an area of 16 bytes
const FROM_RING = 0x8000 | (4 << 8);

let time: Time;
let faults: FaultLog;
let idle: number;
let ram: Buffer;
let dmac: Dmac;
let sci: Sci;
let running: boolean;
let secure: boolean;
let pins: boolean;

beforeEach(() => {
  time = new Time(
    () => 0,
    () => {},
  );
  time.hz = 192e6;
  faults = new FaultLog(() => ({ pc: 0, at: 0 }));
  idle = 0;
  ram = Buffer.alloc(64);
  running = secure = pins = true;
  const chip: Chip = {
    ...{ time, faults, random: seeded(1), clocks: { iclk: 192e6, pclka: 96e6, pclkb: 48e6, fclk: 48e6 } },
    endSlice: () => {},
    signalIdle: () => idle++,
    requestReset: () => {},
    pc: () => 0,
  };
  const memory = {
    byte: (at: number) => ram[at - RAM],
    setByte: (at: number, value: number): boolean => {
      if (at < RAM || at >= RAM + ram.length) return false;
      ram[at - RAM] = value;
      return true;
    },
  };
  dmac = new Dmac(
    chip,
    memory,
    () => running,
    () => secure,
  );
  sci = new Sci(chip, "SCI0", SCI, { running: () => running, txPin: () => pins, rxPin: () => pins }, dmac, seeded(2));
});

const SIZES: Record<number, number> = { [DMTMD]: 2, [DMAMD]: 2, [DMINT]: 1, [DMCNT]: 1, [DMREQ]: 1, [DMSTS]: 1 };
const sizeOf = (at: number): number =>
  at >= SCI ? (at === FCR ? 2 : 1) : at >= 0x40006000 ? 4 : at === DMAST ? 1 : (SIZES[at & 0x3f] ?? 4);
const block = (at: number): Dmac | Sci | Dmac["links"] => (at >= SCI ? sci : at >= 0x40006000 ? dmac.links : dmac);
const write = (at: number, value: number): void => block(at).write(at, sizeOf(at), value);
const read = (at: number): number => block(at).read(at, sizeOf(at));
const said = (): string[] => faults.list.map(({ part, text }) => `${part}: ${text}`);
const pass = (bytes: number): void => time.skipTo(time.ns + bytes * BYTE_NS + 1);
/** Settings of a channel, not started. */
const prepare = (number: number, event: number, from: number, to: number, count: number, mode: number): void => {
  write(DELSR(number), event);
  write(channel(number, DMAMD), mode);
  write(channel(number, DMTMD), BYTES);
  write(channel(number, DMSAR), from);
  write(channel(number, DMDAR), to);
  write(channel(number, DMCRA), count);
};
const start = (number: number): void => write(channel(number, DMCNT), 1);
const startSci = (control: number): void => {
  write(SEMR, 0x50);
  write(BRR, 11);
  write(SCR, control);
};
/** Both channels as the firmware has them, with rings of 16 bytes: received from 0 on, sent from 16 on. */
const open = (): void => {
  write(DMAST, 1);
  prepare(0, RXI, RDR, RAM, 0, TO_RING);
  start(0);
  startSci(ON);
};
const send = (from: number, count: number): void => {
  prepare(1, TXI, RAM + 16 + from, TDR, count, FROM_RING);
  start(1);
  write(SCR, ON | TIE);
};

describe("SCI0 with the DMAC", () => {
  it("receives for ever into its ring, while nobody looks", () => {
    open();
    sci.feed(Buffer.from(Array.from({ length: 37 }, (_, i) => i)));
    pass(20);
    expect(read(channel(0, DMDAR)) - RAM).toBe(20 % 16);
    pass(17);
    expect(read(channel(0, DMDAR)) - RAM).toBe(37 % 16);
    expect([...ram.subarray(0, 16)]).toEqual([32, 33, 34, 35, 36, ...Array.from({ length: 11 }, (_, i) => 21 + i)]);
    expect(read(channel(0, DMCNT))).toBe(1);
    expect([sci.lost, ...said()]).toEqual([0]);
  });

  it("sends from its ring over the end of it, one byte after the other, and ends", () => {
    open();
    ram.set(Buffer.from("0123456789abcdef"), 16);
    const ends: number[] = [];
    sci.heard = (_, ns) => ends.push(ns);
    const began = time.ns;
    send(13, 5);
    write(TDR, 0x78);
    pass(3.5);
    expect(read(channel(1, DMCRA))).toBe(1);
    expect([read(SSR) & (TDRE | TEND), read(channel(1, DMCNT))]).toEqual([0, 1]);
    pass(1);
    expect([read(channel(1, DMCRA)), read(channel(1, DMCNT)), read(channel(1, DMSTS))]).toEqual([0, 0, 0x10]);
    pass(2);
    expect(sci.takeSent().toString()).toBe("xdef01");
    expect(read(SSR) & (TDRE | TEND)).toBe(TDRE | TEND);
    expect(ends.map((ns) => Math.round((ns - began) / 10))).toEqual([1, 2, 3, 4, 5, 6].map((n) => n * 1000));
    expect(read(channel(1, DMSAR)) - RAM).toBe(16 + 2);
    expect(said()).toEqual([]);
  });

  it.each([true, false])("remembers one request for a stopped channel: %s", (keeps) => {
    dmac.keepsRequests = keeps;
    open();
    ram.set(Buffer.from("abcd"), 16);
    send(0, 3);
    write(TDR, 0x78); // x moves on, a follows
    write(channel(1, DMCNT), 0);
    pass(1); // a moves on: a request
    expect(read(DELSR(1))).toBe(keeps ? 0x10000 | TXI : TXI);
    start(1);
    pass(6);
    expect(sci.takeSent().toString()).toBe(keeps ? "xabc" : "xa");
    write(DELSR(1), 0);
    expect(read(DELSR(1))).toBe(0);
    expect(said()).toEqual([]);
  });

  it("asks for a byte when TE and TIE are set together, and not when TIE comes later", () => {
    write(DMAST, 1);
    ram.set(Buffer.from("ab"), 16);
    prepare(1, TXI, RAM + 16, TDR, 2, FROM_RING);
    start(1);
    startSci(0x20);
    write(SCR, 0x20 | TIE);
    pass(3);
    expect(sci.takeSent().toString()).toBe("");
    write(SCR, 0);
    write(SCR, 0x20 | TIE);
    pass(3);
    expect(sci.takeSent().toString()).toBe("ab");
    expect(said()).toEqual([]);
  });

  it("is deaf after an overrun until RDR was read and the flag cleared", () => {
    open();
    write(channel(0, DMCNT), 0);
    dmac.keepsRequests = false;
    sci.feed(Buffer.from("abc"));
    pass(3);
    expect(read(SSR) & (ORER | RDRF)).toBe(ORER | RDRF);
    write(SSR, 0xc0);
    start(0);
    sci.feed(Buffer.from("de"));
    pass(2);
    expect(read(channel(0, DMDAR))).toBe(RAM); // RDR is still full, and it overran again
    expect(read(RDR)).toBe(0x61);
    write(SSR, 0xc0);
    sci.feed(Buffer.from("fg"));
    pass(2);
    expect(read(channel(0, DMDAR))).toBe(RAM + 2);
    expect(ram.toString("latin1", 0, 2)).toBe("fg");
    expect([sci.lost, ...said()]).toEqual([4]);
  });

  it("takes a byte with a framing error for nobody, and no other until the flag is cleared", () => {
    open();
    sci.hostRate = 115_200;
    for (let turn = 0; turn < 40 && (read(SSR) & FER) === 0; turn++) {
      sci.feed(Uint8Array.of(0)); // nine bits of a slower host: low where ours has its stop bit
      pass(10);
    }
    const at = read(channel(0, DMDAR));
    sci.hostRate = undefined;
    sci.feed(Buffer.from("abc"));
    pass(3);
    expect([read(SSR) & FER, read(channel(0, DMDAR))]).toEqual([FER, at]);
    write(SSR, 0xc0);
    sci.feed(Buffer.from("d"));
    pass(1);
    expect([read(SSR) & FER, read(channel(0, DMDAR))]).toEqual([0, RAM + ((at - RAM + 1) % 16)]);
    expect(said()).toEqual([]);
  });

  it("lets whoever waits skip the wait, and counts as idle when nothing comes", () => {
    open();
    ram.set(Buffer.from("abcdefgh"), 16);
    send(0, 8);
    write(TDR, 0x78);
    const began = time.ns;
    let looks = 0;
    for (; read(channel(1, DMCRA)) > 4; looks++);
    expect([looks < 20, Math.round((time.ns - began) / BYTE_NS)]).toEqual([true, 3]);
    for (looks = 0; sci.takeSent().length < 5 && looks < 100; looks++) {
      read(SSR);
      read(channel(0, DMDAR));
    }
    expect([looks < 10, idle, Math.round((time.ns - began) / BYTE_NS)]).toEqual([true, 0, 9]);
    for (looks = 0; idle === 0 && looks < 100; looks++) read(channel(0, DMDAR));
    expect(looks).toBeLessThan(40);
    sci.feed(Buffer.from("abc"));
    for (looks = 0; read(channel(0, DMDAR)) === RAM && looks < 100; looks++);
    expect([looks < 10, idle]).toEqual([true, 1]);
  });

  it("goes on from a restore as it was", () => {
    open();
    ram.set(Buffer.from("abcdefgh"), 16);
    send(0, 8);
    write(TDR, 0x78);
    pass(2.5);
    sci.takeSent();
    const parts = [time.save(), dmac.save(), dmac.links.save(), sci.save()];
    pass(10);
    const first = sci.takeSent().toString();
    for (const restore of parts) restore();
    pass(10);
    expect([first, sci.takeSent().toString()]).toEqual(["bcdefgh", "bcdefgh"]);
  });
});

describe("is told", () => {
  const cases: [string, () => void, string][] = [
    [
      "a channel changed while it runs",
      () => {
        open();
        write(channel(0, DMDAR), RAM);
      },
      "DMAC: DMDAR of channel 0 written while it runs",
    ],
    [
      "another event under a running channel",
      () => {
        open();
        write(DELSR(0), 0x190);
      },
      "DMAC: DELSR0 links another event while channel 0 runs",
    ],
    [
      "one event for two channels",
      () => {
        open();
        write(DELSR(1), RXI);
      },
      "DMAC: DELSR1 links the event of channel 0, too",
    ],
    ["IR written", () => write(DELSR(0), 0x10000 | RXI), "DMAC: DELSR0 written with IR set"],
    [
      "a start with DMAST 0",
      () => {
        prepare(0, RXI, RDR, RAM, 0, TO_RING);
        start(0);
      },
      "DMAC: channel 0 started while DMAST is 0",
    ],
    [
      "a start without an event",
      () => {
        write(DMAST, 1);
        prepare(0, 0, RDR, RAM, 0, TO_RING);
        start(0);
      },
      "DMAC: channel 0 started without an event in its DELSR",
    ],
    [
      "a non-secure channel",
      () => {
        secure = false;
        open();
      },
      "DMAC: channel 0 started as non-secure (ICUSARC), which secure memory and peripherals do not answer",
    ],
    [
      "another mode",
      () => {
        write(DMAST, 1);
        prepare(0, RXI, RDR, RAM, 0, TO_RING);
        write(channel(0, DMTMD), 0x4001);
        start(0);
      },
      "DMAC: channel 0 started with DMTMD 0x4001, which is not modelled",
    ],
    [
      "another way of addressing",
      () => {
        write(DMAST, 1);
        prepare(0, RXI, RDR, RAM, 0, 0x40);
        start(0);
      },
      "DMAC: channel 0 started with DMAMD 0x0040, which is not modelled",
    ],
    [
      "an interrupt of the DMAC",
      () => write(channel(0, DMINT), 0x10),
      "DMAC: DMINT of channel 0 enables an interrupt; none is modelled",
    ],
    [
      "a start by software",
      () => write(channel(0, DMREQ), 1),
      "DMAC: DMREQ of channel 0: starts by software are not modelled",
    ],
    [
      "a stopped module",
      () => {
        running = false;
        write(DMAST, 1);
      },
      "DMAC: accessed while module stop keeps it off",
    ],
    [
      "a request that nobody serves",
      () => {
        startSci(ON);
        sci.feed(Buffer.from("a"));
        pass(1);
        read(SSR);
      },
      "DMAC: SCI0_RXI asks for a transfer, and no DELSR links it to a channel",
    ],
    [
      "a source outside RAM",
      () => {
        open();
        prepare(1, TXI, 0x1000, TDR, 2, FROM_RING);
        start(1);
        write(SCR, ON | TIE);
        write(TDR, 1);
      },
      "DMAC: channel 1 reads at 0x00001000, which is neither RAM nor a register that it may serve",
    ],
    [
      "a destination outside RAM",
      () => {
        write(DMAST, 1);
        prepare(0, RXI, RDR, 0x08000000, 0, TO_RING);
        start(0);
        startSci(ON);
        sci.feed(Buffer.from("a"));
        pass(1);
        read(SSR);
      },
      "DMAC: channel 0 writes to 0x08000000, which is neither RAM nor a register that it may serve",
    ],
    [
      "TDR written when it is full",
      () => {
        open();
        for (let i = 0; i < 3; i++) write(TDR, i);
      },
      "SCI0: TDR written while it holds a byte (TDRE is 0)",
    ],
    ["TDR written without TE", () => write(TDR, 1), "SCI0: data written while TE is off"],
    [
      "TE cleared too early",
      () => {
        open();
        write(TDR, 1);
        write(SCR, 0);
      },
      "SCI0: TE cleared while bytes are being sent (TEND is 0)",
    ],
    [
      "a rate changed under way",
      () => {
        open();
        write(BRR, 3);
      },
      "SCI0: BRR written while TE or RE is set",
    ],
    [
      "a mode changed under way",
      () => {
        open();
        write(SMR, 1);
      },
      "SCI0: SMR written while TE or RE is set",
    ],
    ["the FIFOs", () => write(FCR, 0xf801), "SCI0: FCR.FM set: the FIFOs are not modelled"],
    ["other interrupts", () => startSci(0x34), "SCI0: SCR enables an interrupt that is not modelled"],
    [
      "a pin that is not connected",
      () => {
        open();
        pins = false;
        write(TDR, 1);
        pass(2);
        read(SSR);
      },
      "SCI0: a byte was sent while the TX pin is not connected to the channel",
    ],
  ];
  it.each(cases)("%s", (_, act, complaint) => {
    act();
    expect(said()).toContain(complaint);
  });

  it("nothing, when all is as it should be", () => {
    open();
    expect(sci.baud).toBe(BAUD);
    expect(said()).toEqual([]);
  });
});
