/** Checkpoints of the virtual board: a boot that goes on from the moment before the mount is the same boot as one from power-on, on
 *  whatever media lie under it by then. Entropy is the board's jitter; where two boots are compared bit by bit, both get the same. */
import { readdirSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { VirtualBoard } from "../../board/virtual/board.js";
import type { Checkpoint } from "../../board/virtual/checkpoint.js";
import { Engine, REG } from "../../board/virtual/engine.js";
import { describeFault } from "../../board/virtual/faults.js";
import type { Nor } from "../../board/virtual/nor.js";
import { seeded } from "../../board/virtual/prng.js";
import { PowerCut, tears } from "../../board/virtual/supply.js";
import { INTENT_SIZE } from "../../firmware/defs/journal.js";
import { REFUSAL_PLACE } from "../../firmware/defs/operator.js";
import { RESET_HOLD_MS } from "../../firmware/defs/session.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { Host, imageOf, type Media } from "../../scripts/bench/host.js";
import { look } from "../cuts/look.js";
import { builtPath } from "../device/built.js";
import { region } from "../device/map.js";
import { Talk } from "../device/talk.js";
import { VirtualDevice } from "../device/virtual.js";

const SEED = 3;
const RECORDS = 6;
const PAGE = 65536;

/** A store with some records, and the handle of one. */
function store(): { media: Media; handle: Uint8Array } {
  const { host, device } = Host.provisioned();
  const handles = Array.from({ length: RECORDS }, (_, i) => host.put(100 * (i + 1)));
  const media = imageOf(device);
  device.close();
  return { media, handle: handles[2]! };
}
const { media, handle } = store();

function insert(device: VirtualDevice, { slots, data }: Media): void {
  device.slots.load(device.slotsOffset, slots);
  device.data.load(0, data);
}

/** Lets each boot of a device hear the same jitter from power-on on, also when it goes on from a checkpoint. */
function withTape(device: VirtualDevice): VirtualDevice {
  const { board } = device;
  const source = seeded(17);
  const words: number[] = [];
  let at = 0;
  let mark = 0;
  const [powerOn, checkpoint, resume] = [
    board.powerOn.bind(board),
    board.checkpoint.bind(board),
    board.resume.bind(board),
  ];
  Object.assign(board, {
    random: () => {
      if (at === words.length) words.push(source());
      return words[at++]!;
    },
    powerOn: () => {
      at = 0;
      powerOn();
    },
    checkpoint: (address: number) => {
      const made = checkpoint(address);
      mark = at;
      return made;
    },
    resume: (from: Checkpoint) => {
      resume(from);
      at = mark;
    },
  });
  return device;
}

/** Flash operations from now on: medium, kind, place, bytes. */
function flashLog(device: VirtualDevice): string[] {
  const log: string[] = [];
  for (const nor of [device.slots, device.data] as Nor[]) {
    const [program, erase] = [nor.program.bind(nor), nor.erase.bind(nor)];
    nor.program = (offset, bytes, together) => {
      log.push(`${nor.name} program ${offset} ${Buffer.from(bytes).toString("hex")}`);
      return program(offset, bytes, together);
    };
    nor.erase = (offset) => {
      log.push(`${nor.name} erase ${offset}`);
      return erase(offset);
    };
  }
  return log;
}

const CALLS = ["exchange", "wait", "press", "release", "poke"] as const;
interface Step {
  call: (typeof CALLS)[number];
  given: unknown[];
  answered: unknown;
}
type Calls = Record<Step["call"], (...given: unknown[]) => unknown>;

/** What a host does to a device from now on, to be done to another one. */
function record(device: VirtualDevice): Step[] {
  const steps: Step[] = [];
  for (const call of CALLS) {
    const own = (device as unknown as Calls)[call].bind(device);
    Object.assign(device, {
      [call]: (...given: unknown[]) => {
        const answered = own(...given);
        steps.push({ call, given, answered });
        return answered;
      },
    });
  }
  return steps;
}
function repeat(device: VirtualDevice, steps: readonly Step[]): Step[] {
  return steps.map(({ call, given }) => ({ call, given, answered: (device as unknown as Calls)[call](...given) }));
}

/** Regions that hold what mount read last of the refusal places (refusals.ts) and its authenticator, and of the reset places. Erased data flash reads differently
 *  at each power-up, so the last place, which is erased, leaves other bytes. Nothing else differs: no clock, and with the same
 *  jitter no entropy. */
const OF_ERASED_CELLS = [
  { at: region("PAGE"), size: REFUSAL_PLACE },
  { at: region("PLACE"), size: INTENT_SIZE }, // a reset place, erased
  { at: region("TAG"), size: 32 },
];
/** The core's memory but for those regions. */
function linear(device: VirtualDevice): Buffer {
  const bytes = Buffer.from(device.peek(0, PAGE));
  for (const { at, size } of OF_ERASED_CELLS) bytes.fill(0, at, at + size);
  return bytes;
}
/** Where two of them differ, for a short message. */
const differences = (a: Buffer, b: Buffer): number[] => [...a.keys()].filter((i) => a[i] !== b[i]).slice(0, 20);

const part = (device: VirtualDevice, from: string, to: string): string =>
  Buffer.from(device.peek(region(from), region(to) - region(from))).toString("hex");
/** The settled journal record that counts. */
const journal = (device: VirtualDevice): string => part(device, "CURRENT", "NEXT");
const faults = (device: VirtualDevice): string[] => device.board.faults.list.map(describeFault);

describe("a boot that goes on from a checkpoint", () => {
  let cold: VirtualDevice;
  let warm: VirtualDevice;
  let mounted: Buffer;
  let steps: Step[];
  let operations: string[];

  beforeAll(() => {
    cold = withTape(new VirtualDevice(SEED));
    insert(cold, media);
    operations = flashLog(cold);
    cold.boot();
    mounted = linear(cold);
    steps = record(cold);
    const host = new Host(cold).continue(RECORDS);
    host.talk.ask(Command.Hello);
    host.talk.ask(Command.List);
    host.talk.ask(Command.Get, [[Key.Handle, handle]]);
    host.put(300);
    warm = withTape(new VirtualDevice(SEED, { warm: true }));
    warm.boot(); // of blank media: this one makes the checkpoint
  });
  beforeEach(() => insert(warm, media));
  afterEach(() => expect([...faults(warm), ...faults(cold)]).toEqual([]));
  afterAll(() => {
    cold.close();
    warm.close();
  });

  it("leaves the same linear memory as one from power-on", () => {
    warm.boot();
    expect(differences(linear(warm), mounted)).toEqual([]);
    expect(warm.now()).toBeGreaterThan(0n);
  });

  it("is followed by the same flash operations and the same answers, byte by byte", () => {
    const log = flashLog(warm);
    warm.boot();
    expect(repeat(warm, steps)).toEqual(steps);
    expect(log.length).toBeGreaterThan(20);
    expect(log).toEqual(operations);
  });

  it("takes a fifth of the instructions at the most", () => {
    const instructions = (device: VirtualDevice): number => {
      const before = device.board.instructions;
      device.boot();
      return device.board.instructions - before;
    };
    expect(instructions(warm)).toBeLessThan(0.2 * instructions(cold));
  });

  it("has entropy of its own: no two boots show the same challenge", () => {
    const other = new VirtualDevice(SEED, { warm: true });
    const challenges = [1, 2, 3, 4].map(() => {
      other.boot();
      return Buffer.from(new Talk(other).ask(Command.Hello).get(Key.Challenge) as Uint8Array).toString("hex");
    });
    expect(new Set(challenges).size).toBe(challenges.length);
    other.close();
  });

  it("feels switches that are held by then, and those alone", () => {
    const both = ["s1", "s2"] as const;
    const state = (): unknown => new Talk(warm).ask(Command.Hello).get(Key.State);
    for (const which of both) warm.press(which);
    warm.boot();
    warm.wait(RESET_HOLD_MS + 100);
    for (const which of both) warm.release(which);
    warm.wait(1000);
    expect(state()).toBe(State.Blank);
    insert(warm, media);
    warm.boot();
    warm.wait(RESET_HOLD_MS + 100);
    expect(state()).toBe(State.Ready);
  });

  it("recovers from a cut in a put as one from power-on does: same journal, same records", () => {
    const journals = new Set<string>();
    for (let operation = 0; operation < operations.length; operation += 5) {
      insert(warm, media);
      warm.boot();
      warm.supply.arm({ operation, tear: operation % 2 === 0 ? tears.half : "after" });
      expect(() => repeat(warm, steps)).toThrow(PowerCut);
      const left = imageOf(warm);
      warm.boot();
      const found = [journal(warm), look(new Talk(warm))];
      const again = new VirtualDevice(operation);
      insert(again, left);
      again.boot();
      expect([journal(again), look(new Talk(again))]).toEqual(found);
      journals.add(found[0]!);
      expect(faults(again)).toEqual([]);
      again.close();
    }
    expect(journals.size).toBeGreaterThan(1);
  });

  it("goes on after a cut in the mount itself, and from a board that is reset or left running", () => {
    warm.boot();
    warm.supply.arm({ operation: 12, tear: tears.half, marginal: true });
    expect(() => repeat(warm, steps)).toThrow(PowerCut);
    warm.supply.arm({ operation: 0, tear: "before" }); // of the recovery, if it writes
    try {
      warm.boot();
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
    warm.supply.disarm();
    warm.boot();
    expect(look(new Talk(warm))).toContain("state");
    warm.board.feed(Buffer.alloc(100, 0x55));
    warm.board.run(1000);
    warm.board.reset();
    warm.board.run(5_000_000); // in the middle of loading the core
    insert(warm, media);
    warm.boot();
    expect(differences(linear(warm), mounted)).toEqual([]);
    expect(repeat(warm, steps)).toEqual(steps);
  });

  it("leaves nothing behind, 200 times in a row", () => {
    const open = (): number => readdirSync("/proc/self/fd").length;
    const boots = (n: number): void => {
      for (let i = 0; i < n; i++) warm.boot();
    };
    boots(20);
    const [rss, files] = [process.memoryUsage.rss(), open()];
    boots(200);
    expect(open()).toBe(files);
    expect(process.memoryUsage.rss() - rss).toBeLessThan(32e6); // 200 copies of RAM alone would be 100 MB
  });
});

describe("checkpoint", () => {
  let board: VirtualBoard;
  afterEach(() => board.close());
  const make = (): VirtualBoard => VirtualBoard.create({ elf: builtPath("ek-ra6m5.elf"), seed: SEED });
  const mount = (): number => board.elf.symbol("engine_start")!.address;

  it("stands before the instruction, on a board that ran it before too, and runs on from there", () => {
    board = make();
    board.powerOn();
    board.run();
    const { instructions } = board.checkpoint(mount());
    expect(board.pc()).toBe(mount() & ~1);
    expect(board.checkpoint(mount()).instructions).toBe(instructions);
    expect(board.run()).toBe("idle");
    expect(board.lights).toEqual(["ready"]);
  });

  it("says so when the firmware never comes there, and leaves a board that works", () => {
    board = make();
    expect(() => board.checkpoint(0x00fffff0)).toThrow("did not come to 0x00fffff0: idle");
    board.powerOff();
    board.powerOn();
    expect(board.run()).toBe("idle");
  });

  it("belongs to its board", () => {
    board = make();
    const other = make();
    expect(() => other.resume(board.checkpoint(mount()))).toThrow("another board");
    other.close();
  });
});

describe("the engine's save", () => {
  it("keeps registers that have no number: stack limit and FPU", () => {
    const MSR_MSPLIM_R0 = [0xf380, 0x880a];
    const MRS_R1_MSPLIM = [0xf3ef, 0x810a];
    const VMOV_S0_R0 = [0xee00, 0x0a10];
    const VMOV_R2_S0 = [0xee10, 0x2a10];
    const code = Buffer.alloc(4096);
    [...MSR_MSPLIM_R0, ...VMOV_S0_R0, ...MRS_R1_MSPLIM, ...VMOV_R2_S0].forEach((word, i) => {
      code.writeUInt16LE(word, 2 * i);
    });
    const engine = new Engine();
    engine.map(0, code, 5);
    const set = (value: number): void => {
      engine.setReg(REG.R0, value);
      engine.pc = 0;
      engine.run(2);
    };
    set(0x20000100);
    const restore = engine.save();
    set(0x20000400);
    restore();
    engine.run(2);
    expect([engine.reg(REG.R0), engine.reg(REG.R0 + 1), engine.reg(REG.R0 + 2)]).toEqual(Array(3).fill(0x20000100));
    engine.close();
  });
});
