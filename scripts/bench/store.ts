/** What the store costs: instructions of commands and of boot on the virtual board, flash operations of long runs in V8.
 *  Stores are filled in V8, which is fast, and their media handed to the virtual board, which counts. */
import type { NorImage } from "../../board/virtual/nor.js";
import { seeded } from "../../board/virtual/prng.js";
import { SLOT_BLOCK, SLOT_BLOCKS, UNIT } from "../../firmware/defs/medium.js";
import { PART_HEADER, PartKind, POLICY_EXPORTABLE, Tier, Usage } from "../../firmware/defs/record.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import type { Device } from "../../test/device/device.js";
import { Talk } from "../../test/device/talk.js";
import { V8Device } from "../../test/device/v8.js";
import { VirtualDevice } from "../../test/device/virtual.js";
import { type FlashCount, flashCount, flashTime, minus, noOperations, plus, programmed } from "./flash.js";

/** Bytes of body that are stored, part header included. */
export const SIZES = [64, 512, 3900] as const;
/** Percent of the store's capacity. */
export const FILLS = [1, 50, 100] as const;
const FILLER = 512;
const UNITS = 32; // of a slot: 4 KB
const PER_BLOCK = SLOT_BLOCK / (UNITS * UNIT);
/** One class over the whole region: a spare block and a spare slot stay free (SPEC.md §3). */
export const CAPACITY = (SLOT_BLOCKS - 1) * PER_BLOCK - 1;
const CHURN = 600; // puts, each after an evict
const SEED = 1;

type Media = { slots: NorImage; data: NorImage };

/** A host that numbers its records. */
class Host {
  readonly talk: Talk;
  #next = 0;

  constructor(readonly device: Device) {
    this.talk = new Talk(device);
  }

  static provisioned(): { host: Host; device: V8Device } {
    const device = new V8Device(SEED);
    device.boot();
    const host = new Host(device);
    const classes = [
      new Map([
        [Key.SlotUnits, UNITS],
        [Key.Blocks, SLOT_BLOCKS],
      ]),
    ];
    host.talk.ask(Command.ProvisionBegin, [
      [Key.Manifest, new Uint8Array(16)],
      [Key.Classes, classes],
    ]);
    host.talk.ask(Command.ProvisionFinish);
    return { host, device };
  }

  label(): string {
    return `record-${String(this.#next).padStart(4, "0")}`;
  }

  /** Stores a record of `size` bytes. @returns its handle */
  put(size: number): Uint8Array {
    this.#next++;
    const token = Buffer.alloc(16);
    token.writeUInt32LE((this.#next * 0x9e3779b1) >>> 0, 0); // tokens of real hosts are random: no two begin alike
    token.writeUInt32LE(this.#next, 4);
    const body = Buffer.alloc(size, this.#next);
    body[0] = PartKind.Opaque;
    body[1] = 0;
    body.writeUInt16LE(size - PART_HEADER, 2);
    body.writeInt32LE(0, 4);
    const answer = this.talk.ask(Command.Put, [
      [Key.Token, token],
      [Key.Label, this.label()],
      [Key.Usage, Usage.Opaque],
      [Key.Tier, Tier.Private],
      [Key.Policy, POLICY_EXPORTABLE],
      [Key.Body, body],
    ]);
    return answer.get(Key.Handle) as Uint8Array;
  }

  /** Goes on numbering where another host stopped. */
  continue(after: number): this {
    this.#next = after;
    return this;
  }
}

function imageOf(device: Device): Media {
  return { slots: device.slots.image(device.slotsOffset), data: device.data.image() };
}

/** Media of stores with so many records, filled one after the other. */
function filled(counts: readonly number[], size: number): Map<number, Media> {
  const { host, device } = Host.provisioned();
  const images = new Map<number, Media>();
  for (let records = 0; ; records++) {
    if (counts.includes(records)) images.set(records, imageOf(device));
    if (records === Math.max(...counts)) return images;
    host.put(size);
  }
}

/** A virtual board with these media, booted. */
class CountingBoard {
  readonly device = new VirtualDevice(SEED);
  readonly host: Host;

  constructor(media: Media, records: number) {
    this.device.slots.load(this.device.slotsOffset, media.slots);
    this.device.data.load(0, media.data);
    this.host = new Host(this.device).continue(records);
    this.device.boot();
  }

  /** Instructions and flash operations of `work`. */
  count<T>(work: () => T): { instructions: number; flash: FlashCount; result: T } {
    const { board } = this.device;
    const [instructions, flash] = [board.instructions, flashCount(this.device)];
    const result = work();
    return { instructions: board.instructions - instructions, flash: minus(flashCount(this.device), flash), result };
  }

  close(): void {
    this.device.close();
  }
}

/** Costs of single commands at one fill and size. */
export interface StoreCost {
  /** Percent. */
  fill: number;
  /** Records in the store when the last command of the row was asked. */
  records: number;
  /** Bytes of body. */
  size: number;
  /** Instructions from the first byte of the request to rest after the last byte of the answer; waits for the line are skipped. */
  instructions: { firstPut: number; put: number; get: number; find: number };
  /** Flash operations of the put. */
  flash: FlashCount;
}

/** Costs that depend on how many records there are, not on one record's size. */
export interface FillCost {
  fill: number;
  records: number;
  boot: number;
  list: number;
  /** The same list over records of the smallest and of the largest size. */
  listSmall: number;
  listLarge: number;
}

export interface ChurnCost {
  fill: number;
  records: number;
  size: number;
  puts: number;
  /** Bytes programmed per byte of body stored, evicts included. */
  programmedPerByte: number;
  /** Erases of slot blocks per put. */
  erasesPerPut: number;
  /** Data-flash places erased per put, evicts included. */
  dataErasesPerPut: number;
  /** The costliest put of the run. */
  worst: FlashCount;
  worstTypicalMs: number;
  worstMostMs: number;
}

export interface WorstPut {
  /** Of the costliest put of the churn, asked right after power-up: with the start-up test of the noise source. */
  instructions: number;
  flash: FlashCount;
  typicalMs: number;
  mostMs: number;
}

const recordsAt = (fill: number): number => Math.max(3, Math.round((CAPACITY * fill) / 100));

export interface StoreResults {
  commands: StoreCost[];
  fills: FillCost[];
  churn: ChurnCost[];
  worst: WorstPut;
}

/** @param progress told of each step */
export function measureStore(progress: (what: string) => void): StoreResults {
  const counts = FILLS.map(recordsAt);
  progress("filling stores");
  const before = filled(
    counts.map((n) => n - 2),
    FILLER,
  );
  const commands: StoreCost[] = [];
  for (const fill of FILLS) {
    for (const size of SIZES) {
      progress(`commands at ${fill} %, ${size} bytes`);
      const records = recordsAt(fill);
      commands.push(measureCommands(before.get(records - 2)!, fill, records, size));
    }
  }
  const small = filled(counts, SIZES[0]);
  const filler = filled(counts, FILLER);
  const large = filled(counts, SIZES[2]);
  const fills = FILLS.map((fill) => {
    progress(`boot and list at ${fill} %`);
    const records = recordsAt(fill);
    const [one, listSmall, listLarge] = [filler, small, large].map((media) =>
      bootAndList(media.get(records)!, records),
    );
    return { fill, records, ...one!, listSmall: listSmall!.list, listLarge: listLarge!.list };
  });
  const runs = [50, 90, 100].map((fill) => {
    progress(`${CHURN} puts at ${fill} %`);
    return churn(fill, SIZES[2]);
  });
  progress("the worst put");
  const worst = runs.map((run) => run.before).reduce((a, b) => (b.ms > a.ms ? b : a));
  return { commands, fills, churn: runs.map((run) => run.cost), worst: replay(worst.media, worst.records) };
}

function measureCommands(media: Media, fill: number, records: number, size: number): StoreCost {
  const board = new CountingBoard(media, records - 2);
  try {
    const { host } = board;
    host.talk.ask(Command.Hello); // opens the link
    const first = board.count(() => host.put(size));
    const put = board.count(() => host.put(size));
    const get = board.count(() => host.talk.ask(Command.Get, [[Key.Handle, put.result]]));
    const find = board.count(() => host.talk.ask(Command.Find, [[Key.Label, host.label()]]));
    if ((find.result.get(Key.Entries) as unknown[]).length !== 1) throw new Error("find did not find the record");
    return {
      fill,
      records,
      size,
      instructions: {
        firstPut: first.instructions,
        put: put.instructions,
        get: get.instructions,
        find: find.instructions,
      },
      flash: put.flash,
    };
  } finally {
    board.close();
  }
}

function bootAndList(media: Media, records: number): { boot: number; list: number } {
  const board = new CountingBoard(media, records);
  try {
    const boot = board.count(() => board.device.boot()).instructions;
    board.host.talk.reset().ask(Command.Hello);
    const list = board.count(() => board.host.talk.ask(Command.List));
    const listed = (list.result.get(Key.Entries) as unknown[]).length;
    if (listed !== records) throw new Error(`list shows ${listed} records, expected ${records}`);
    return { boot, list: list.instructions };
  } finally {
    board.close();
  }
}

/** Evicts a random record and puts another, many times, at a constant fill. */
function churn(fill: number, size: number) {
  const { host, device } = Host.provisioned();
  const random = seeded(SEED);
  const records = recordsAt(fill);
  const handles = Array.from({ length: records }, () => host.put(size));
  let all = noOperations();
  let puts = noOperations();
  let worst = noOperations();
  let before: { ms: number; media: Media; records: number } = { ms: -1, media: imageOf(device), records };
  for (let i = 0; i < CHURN; i++) {
    const victim = random() % records;
    const start = flashCount(device);
    host.talk.ask(Command.Evict, [
      [Key.Handle, handles[victim]!],
      [Key.Destroy, false],
    ]);
    const evicted = flashCount(device);
    const media = { slots: device.slots.snapshot(), data: device.data.snapshot() };
    handles[victim] = host.put(size);
    const end = flashCount(device);
    const put = minus(end, evicted);
    all = plus(all, minus(end, start));
    puts = plus(puts, put);
    const ms = flashTime(put, "typical");
    if (ms > before.ms) {
      worst = put;
      const now = { slots: device.slots.snapshot(), data: device.data.snapshot() };
      device.slots.restore(media.slots);
      device.data.restore(media.data);
      before = { ms, media: imageOf(device), records: records + i };
      device.slots.restore(now.slots);
      device.data.restore(now.data);
    }
  }
  const cost: ChurnCost = {
    fill,
    records,
    size,
    puts: CHURN,
    programmedPerByte: programmed(all) / (CHURN * size),
    erasesPerPut: puts.slotErases / CHURN,
    dataErasesPerPut: all.dataErases / CHURN,
    worst,
    worstTypicalMs: flashTime(worst, "typical"),
    worstMostMs: flashTime(worst, "most"),
  };
  return { cost, before };
}

/** The costliest put once more, on the virtual board. */
function replay(media: Media, records: number): WorstPut {
  const board = new CountingBoard(media, records);
  try {
    board.host.talk.ask(Command.Hello);
    const { instructions, flash } = board.count(() => board.host.put(SIZES[2]));
    return { instructions, flash, typicalMs: flashTime(flash, "typical"), mostMs: flashTime(flash, "most") };
  } finally {
    board.close();
  }
}
