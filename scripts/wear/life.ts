/** One life: a load on a store until one of its blocks has reached the cycles that it is rated for, with power cycles and power cuts.
 *  What was changed is read back at once, and every record before and after each power cycle.
 *  A change is a put or a replace: what takes a slot. An evict takes none. */
import { DATA_CYCLES } from "../../firmware/defs/medium.js";
import type { Load } from "./loads.js";
import type { SlotClass, Store, Told } from "./store.js";

export interface LifeOptions {
  /** Erases that end the life when one block has reached them. */
  rated: number;
  /** Ends the life earlier: after so many changes. */
  changes?: number;
  /** Changes between two power cycles. */
  period: number;
  /** Told of after each period. */
  progress?: (changes: number, mostErases: number) => void;
}

/** Counts over blocks or places. */
export interface Spread {
  each: number[];
  least: number;
  mean: number;
  most: number;
  maxToMean: number;
}

export interface Life {
  geometry: SlotClass & { capacity: number };
  records: number;
  hotRecords: number;
  /** Through the protocol, counted from the first change on. */
  operations: { puts: number; replaces: number; evicts: number; total: number };
  /** Puts and replaces. */
  changes: number;
  powerCycles: number;
  /** Power cycles in the midst of a replace. */
  cuts: number;
  /** Records read back and found to be what was stored last. */
  readBack: number;
  /** Whether a block reached the rated erases. */
  worn: boolean;
  erases: Spread & { perChange: number };
  /** Erases of the journal's places in data flash. */
  journal: Spread & {
    /** Journal records written. */
    records: number;
    /** "Changes left" of info before the first change: journal records. */
    promised: number;
    /** Changes until a place had reached its rated erases; null: none has. */
    wornAfter: number | null;
  };
  /** "Puts left" of info. */
  promise: {
    atStart: number;
    /** Changes until a block had reached the rated erases; null: none has. */
    reached: number | null;
    /** atStart ÷ reached: 1 is exact, above it the promise was broken. */
    share: number | null;
    /** How often the promise was read, and whether it never was more than what was reached from there. */
    looks: number;
    kept: boolean | null;
  };
}

interface Record {
  handle: Uint8Array;
  body: Uint8Array;
}

/** Of four changes three replace a record, one evicts it and puts another. */
const EVICTS_ONE_IN = 4;
/** Flash operations among which a cut is drawn: those of a replace, and of the reclaim that some have. */
const CUT_WITHIN = 110;

/** Fills an empty store and wears it out. @throws Error when a record is not what was stored last */
export function live(store: Store, load: Load, options: LifeOptions): Life {
  const { random } = store;
  const { capacity } = store.told();
  const count = load.records(capacity);
  const hot = load.hot(count);
  const records: Record[] = Array.from({ length: count }, () => {
    const body = store.body();
    return { handle: store.put(body), body };
  });
  const operations = { puts: 0, replaces: 0, evicts: 0, total: 0 };
  let [changes, powerCycles, cuts, readBack] = [0, 0, 0, 0];
  let journalWornAfter: number | null = null;
  const looks: { changes: number; promised: number }[] = [];

  /** What info tells now; each time it is a promise that must hold. */
  const look = (): Told => {
    const told = store.told();
    if (told.live !== count) throw new Error(`after ${changes} changes ${told.live} of ${count} records are there`);
    looks.push({ changes, promised: told.putsLeft });
    return told;
  };
  const pick = (): Record => {
    const isHot = hot === count || random() % 100 < load.hotPercent;
    return records[isHot ? random() % hot : hot + (random() % (count - hot))]!;
  };
  const check = ({ handle, body }: Record): void => {
    if (!equal(store.get(handle), body)) throw new Error(`after ${changes} changes a record is not what was stored`);
    readBack++;
  };
  const change = (): void => {
    const record = pick();
    const body = store.body();
    if (random() % EVICTS_ONE_IN === 0) {
      store.evict(record.handle);
      record.handle = store.put(body);
      operations.evicts++;
      operations.puts++;
    } else {
      store.replace(record.handle, body);
      operations.replaces++;
    }
    record.body = body;
    changes++;
    check(record);
  };
  /** A power cut in a replace, if it does not come too late: the record is the old one or the new one, and stays that. */
  const cut = (): void => {
    const record = pick();
    const body = store.body();
    const old = record.body;
    operations.replaces++;
    changes++;
    record.body = body;
    if (!store.replaceCut(record.handle, body, random() % CUT_WITHIN)) return;
    cuts++;
    if (equal(store.get(record.handle), old)) record.body = old;
  };
  const readAll = (): void => {
    for (const record of records) check(record);
  };
  const most = (): number => Math.max(...store.blockErases());

  const start = look();
  const erasesBefore = sum(store.blockErases());
  let seen = -1;
  let worn = false;
  while (!worn && changes < (options.changes ?? Number.POSITIVE_INFINITY)) {
    change();
    if (changes % options.period === 0) {
      readAll(); // as this power-up has it in RAM
      powerCycles++;
      if (powerCycles % 2 === 0) cut();
      else store.powerCycle();
      readAll();
      look();
      if (journalWornAfter === null && Math.max(...store.placeErases()) >= DATA_CYCLES) journalWornAfter = changes;
      options.progress?.(changes, most());
    }
    const { totalErases } = store.device.slots;
    if (totalErases === seen) continue;
    seen = totalErases;
    worn = most() >= options.rated;
  }
  const end = store.told();
  readAll();

  const blocks = store.blockErases();
  const reached = worn ? changes : null;
  operations.total = operations.puts + operations.replaces + operations.evicts;
  return {
    geometry: { ...store.slotClass, capacity },
    records: count,
    hotRecords: hot,
    operations,
    changes,
    powerCycles,
    cuts,
    readBack,
    worn,
    erases: { ...spread(blocks), perChange: (sum(blocks) - erasesBefore) / changes },
    journal: {
      ...spread(store.placeErases()),
      records: end.sequence - start.sequence,
      promised: start.changesLeft,
      wornAfter: journalWornAfter,
    },
    promise: {
      atStart: start.putsLeft,
      reached,
      share: reached === null ? null : start.putsLeft / reached,
      looks: looks.length,
      kept: reached === null ? null : looks.every((one) => one.changes + one.promised <= reached),
    },
  };
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);

function spread(each: number[]): Spread {
  const [least, most, mean] = [Math.min(...each), Math.max(...each), sum(each) / each.length];
  return { each, least, mean, most, maxToMean: mean === 0 ? 1 : most / mean };
}
