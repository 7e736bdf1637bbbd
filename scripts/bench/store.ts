/** What the store costs: instructions of commands, asked in a session, and of boot on the virtual board, flash operations of long runs in V8. */
import { seeded } from "../../board/virtual/prng.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { createFilekey, reserve } from "./claims.js";
import type { Cost } from "./cost.js";
import { type FlashCount, flashCount, flashTime, minus, noOperations, plus, programmed } from "./flash.js";
import { CAPACITY, CountingBoard, Host, imageOf, type Media, SEED } from "./host.js";

/** Bytes of body that are stored, part header included. */
export const SIZES = [64, 512, 3900] as const;
/** Percent of the store's capacity. */
export const FILLS = [1, 50, 100] as const;
const FILLER = 512;
const CHURN = 600; // puts, each after an evict

export const recordsAt = (fill: number): number => Math.max(4, Math.round((CAPACITY * fill) / 100));
export const atFill = (what: string, fill: number): string => `${what}, ${fill} %`;
export const ofSize = (what: string, size: number, fill: number): string =>
  atFill(`${what}, ${size.toLocaleString("en-US")} bytes`, fill);

/** Media of stores with so many records, filled one after the other. The first one is a filekey. */
interface Filled {
  images: Map<number, Media>;
  filekey: Uint8Array;
}

function filled(counts: readonly number[], size: number): Filled {
  const { host, device } = Host.provisioned();
  const filekey = createFilekey(host);
  const images = new Map<number, Media>();
  for (let records = 1; ; records++) {
    if (counts.includes(records)) images.set(records, imageOf(device));
    if (records === Math.max(...counts)) return { images, filekey };
    host.put(size);
  }
}

/** Stores that every engine begins with. */
export interface Stores {
  /** Two records short of each fill. */
  before: Filled;
  /** At each fill, with records of the smallest, a middle and the largest size. */
  small: Filled;
  middle: Filled;
  large: Filled;
}

export function fillStores(fills: readonly number[] = FILLS): Stores {
  const counts = fills.map(recordsAt);
  return {
    before: filled(
      counts.map((n) => n - 2),
      FILLER,
    ),
    small: filled(counts, SIZES[0]),
    middle: filled(counts, FILLER),
    large: filled(counts, SIZES[2]),
  };
}

/** Costs of all commands at all fills. @param progress told of each step */
export function measureStore(
  elf: Buffer,
  stores: Stores,
  progress: (what: string) => void,
  fills: readonly number[] = FILLS,
): Cost[] {
  const costs: Cost[] = [];
  for (const fill of fills) {
    const records = recordsAt(fill);
    for (const size of SIZES) {
      progress(`commands at ${fill} %, ${size} bytes`);
      costs.push(...measureCommands(elf, stores.before.images.get(records - 2)!, fill, records, size));
    }
    progress(`boot and list at ${fill} %`);
    costs.push(...measureFill(elf, stores, fill, records));
  }
  return costs;
}

function measureCommands(elf: Buffer, media: Media, fill: number, records: number, size: number): Cost[] {
  const board = new CountingBoard(media, records - 2, elf);
  const costs: Cost[] = [];
  const count = <T>(what: string, work: () => T): T => {
    const { result, ...cost } = board.count(work);
    costs.push({ group: "commands", name: ofSize(what, size, fill), ...cost });
    return result;
  };
  const { host } = board;
  const { talk } = host;
  try {
    host.openAs("admin");
    count("put, the first after power-up", () => host.put(size));
    const handle = count("put", () => host.put(size));
    const label = host.label();
    host.openAs("user");
    talk.ask(Command.Info); // the first message of a session ends the one before
    count("get", () => talk.ask(Command.Get, [[Key.Handle, handle]]));
    const found = count("find", () => talk.ask(Command.Find, [[Key.Label, label]]));
    if ((found.get(Key.Entries) as unknown[]).length !== 1) throw new Error("find did not find the record");
    host.openAs("admin");
    talk.ask(Command.Info);
    count("replace", () => host.replace(handle, size));
    count("evict", () => host.evict(handle));
    return costs;
  } finally {
    board.close();
  }
}

/** What depends on how many records there are, not on one record's size. */
function measureFill(elf: Buffer, { small, middle, large }: Stores, fill: number, records: number): Cost[] {
  const one = bootAndList(elf, middle, records);
  const group = "boot and list" as const;
  return [
    { group, name: atFill("boot", fill), instructions: one.boot },
    { group, name: atFill("list", fill), ...one.list },
    { group, name: atFill(`list, all ${SIZES[0]} bytes`, fill), ...bootAndList(elf, small, records).list },
    { group, name: atFill(`list, all ${SIZES[2]} bytes`, fill), ...bootAndList(elf, large, records).list },
    { group, name: atFill("reserve", fill), ...one.reserve },
  ];
}

function bootAndList(elf: Buffer, { images, filekey }: Filled, records: number) {
  const board = new CountingBoard(images.get(records)!, records, elf);
  try {
    const { host } = board;
    const boot = board.count(() => board.device.boot()).instructions;
    host.talk.reset();
    host.openAs("user").talk.ask(Command.Info);
    const { result, ...list } = board.count(() => host.talk.ask(Command.List));
    const listed = (result.get(Key.Entries) as unknown[]).length;
    if (listed !== records) throw new Error(`list shows ${listed} records, expected ${records}`);
    reserve(host, filekey); // the first after power-up erases more
    const { result: _, ...reserved } = board.count(() => reserve(host, filekey));
    return { boot, list, reserve: reserved };
  } finally {
    board.close();
  }
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

/** The costliest put of the long runs. */
export const WORST = "the worst put, right after power-up";

/** A store just before it. */
export interface Worst {
  media: Media;
  records: number;
}

/** Long runs in V8, on no engine. */
export function measureChurn(progress: (what: string) => void): { churn: ChurnCost[]; worst: Worst } {
  const runs = [50, 90, 100].map((fill) => {
    progress(`${CHURN} puts at ${fill} %`);
    return churn(fill, SIZES[2]);
  });
  return {
    churn: runs.map((run) => run.cost),
    worst: runs.map((run) => run.before).reduce((a, b) => (b.ms > a.ms ? b : a)),
  };
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

/** The costliest put once more, on the virtual board, right after power-up: with the start-up test of the noise source. */
export function measureWorst(elf: Buffer, { media, records }: Worst): Cost {
  const board = new CountingBoard(media, records, elf);
  try {
    board.host.openAs("admin");
    const { result: _, ...cost } = board.count(() => board.host.put(SIZES[2]));
    return { group: "commands", name: WORST, ...cost };
  } finally {
    board.close();
  }
}
