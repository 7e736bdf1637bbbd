/** Quick stores. Unicorn 2.0 asks at each store whether the page holds translated code, which takes 80 ns; all else takes 2. Its
 *  translation look-aside buffer marks every writable page for that question. Here the mark is taken from pages that can hold no
 *  code, because nothing may be fetched from them; stores then go straight to memory. The layout is not part of Unicorn's API: it is
 *  looked for once with a known store, tried, and where it is not found stores stay slow. Linux only. */
import { closeSync, openSync, readSync } from "node:fs";
import koffi from "koffi";

/** Where things lie, in bytes. */
export interface Layout {
  /** From the engine to the pointer to its processor. */
  cpu: bigint;
  /** From the processor to its state, which begins with r0. */
  state: bigint;
  /** From the state to size and address of the table that stores look into. */
  table: bigint;
  /** The mark in an entry's address for stores. */
  mark: number;
}

/** What a probe shows: an engine that has stored to `page`, with these registers. */
export interface Probe {
  engine: bigint;
  registers: readonly number[];
  page: number;
  memory: Buffer;
  /** Stores once more; whether it arrived. */
  again(): boolean;
}

const POINTER = 8;
const ENTRY = 32;
const ENTRY_WORDS = ENTRY / 4;
const STORE_WORD = 1;
const ENTRY_ADDEND = 16;
const IN_PAGE = 0x3ff;
const ENGINE_SEARCHED = 4096;
const CPU_SEARCHED = 0x10000;
const TABLES_SEARCHED = 0x400;
const ENTRIES_MAX = 1 << 16;

/** @returns undefined when this build keeps it differently */
export function locate({ engine, registers, page, memory, again }: Probe): Layout | undefined {
  const own = openSync("/proc/self/mem", "r");
  try {
    const read = (address: bigint, length: number): Buffer => {
      const bytes = Buffer.alloc(length);
      try {
        return bytes.subarray(0, readSync(own, bytes, 0, length, address));
      } catch {
        return bytes.subarray(0, 0); // nothing is mapped there
      }
    };
    const wanted = Buffer.alloc(4 * registers.length);
    registers.forEach((value, i) => {
      wanted.writeUInt32LE(value >>> 0, 4 * i);
    });
    const place = BigInt.asUintN(64, BigInt(koffi.address(memory)) - BigInt(page));
    const words = read(engine, ENGINE_SEARCHED);
    for (let cpu = 0; cpu + POINTER <= words.length; cpu += POINTER) {
      const address = words.readBigUInt64LE(cpu);
      if (address < 0x10000n || address >= 1n << 47n) continue;
      const state = read(address, CPU_SEARCHED).indexOf(wanted);
      if (state < TABLES_SEARCHED || state >= CPU_SEARCHED) continue;
      const before = read(address + BigInt(state - TABLES_SEARCHED), TABLES_SEARCHED);
      for (let at = 0; at + 2 * POINTER <= before.length; at += POINTER) {
        const size = before.readBigUInt64LE(at) + BigInt(ENTRY);
        if (size < 2 * ENTRY || size > ENTRIES_MAX * ENTRY || (size & (size - 1n)) !== 0n) continue;
        const table = before.readBigUInt64LE(at + POINTER);
        const entries = read(table, Number(size));
        for (let entry = 0; entry + ENTRY <= entries.length; entry += ENTRY) {
          const store = entries.readUInt32LE(entry + 4 * STORE_WORD);
          const mark = (store & IN_PAGE) >>> 0;
          if (store - mark !== page || entries.readBigUInt64LE(entry + ENTRY_ADDEND) !== place) continue;
          if (mark === 0 || (mark & (mark - 1)) !== 0) continue;
          const layout = { cpu: BigInt(cpu), state: BigInt(state), table: BigInt(at - TABLES_SEARCHED), mark };
          const stores = new Stores(engine, layout);
          return stores.quicken(() => true) > 0 && again() && stores.quicken(() => true) === 0 ? layout : undefined;
        }
      }
    }
    return undefined;
  } finally {
    closeSync(own);
  }
}

/** The table of one engine. */
export class Stores {
  readonly #head: BigUint64Array;
  readonly #mark: number;
  #address = 0n;
  #entries = new Uint32Array(0);

  constructor(engine: bigint, { cpu, state, table, mark }: Layout) {
    const processor = new BigUint64Array(koffi.view(engine + cpu, POINTER))[0]!;
    this.#head = new BigUint64Array(koffi.view(processor + state + table, 2 * POINTER));
    this.#mark = mark;
  }

  /** Takes the mark from pages that hold no code. Between slices only. @returns how many were marked */
  quicken(codeless: (page: number) => boolean): number {
    const [mask, address] = [this.#head[0]!, this.#head[1]!];
    if (address !== this.#address || this.#entries.byteLength !== Number(mask) + ENTRY) {
      this.#address = address;
      this.#entries = new Uint32Array(koffi.view(address, Number(mask) + ENTRY));
    }
    const entries = this.#entries;
    let marked = 0;
    for (let at = STORE_WORD; at < entries.length; at += ENTRY_WORDS) {
      const store = entries[at]!;
      if ((store & IN_PAGE) !== this.#mark || !codeless(store - this.#mark)) continue;
      entries[at] = store - this.#mark;
      marked++;
    }
    return marked;
  }
}
