/** What the store costs: instructions of commands, asked in a session, and of boot on the virtual board, flash operations of long runs in V8. */
import { seeded } from "../../board/virtual/prng.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { type FlashCount, flashCount, flashTime, minus, noOperations, plus, programmed } from "./flash.js";
import { CAPACITY, CountingBoard, Host, imageOf, type Media, SEED } from "./host.js";

/** Bytes of body that are stored, part header included. */
export const SIZES = [64, 512, 3900] as const;
/** Percent of the store's capacity. */
export const FILLS = [1, 50, 100] as const;
const FILLER = 512;
const CHURN = 600; // puts, each after an evict

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
    host.openAs("admin");
    const first = board.count(() => host.put(size));
    const put = board.count(() => host.put(size));
    host.openAs("user");
    host.talk.ask(Command.Info); // the first message of a session ends the one before
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
    board.host.talk.reset();
    board.host.openAs("user").talk.ask(Command.Info);
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
    board.host.openAs("admin");
    const { instructions, flash } = board.count(() => board.host.put(SIZES[2]));
    return { instructions, flash, typicalMs: flashTime(flash, "typical"), mostMs: flashTime(flash, "most") };
  } finally {
    board.close();
  }
}
