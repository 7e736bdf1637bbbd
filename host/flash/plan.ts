/** What a file does to a board: decided here from what both hold, before anything is changed.
 *
 *  Blocks are written whole, whatever they hold already: a block that reads right may have been cut, and read differently tomorrow.
 *  The first block of the firmware is erased first and programmed last, its vector table at the very end, so that a board that was
 *  flashed in part does not run; running the same command again repairs it from any moment on. */
import { CUSTODY_MAGIC, CUSTODY_OFF_INSTANCE, CUSTODY_OFF_VERSION } from "../../firmware/defs/custody.js";
import { UsageError } from "../client/errors.js";
import type { Descriptor } from "./descriptor.js";
import { FlashError } from "./errors.js";
import type { FlashFile } from "./file.js";
import type { Segment } from "./hex.js";
import { blockAt, blocksOf, DATA, IMAGE, isData, SLOTS, unitAt } from "./map.js";
import type { Operation } from "./operation.js";

/** What the board holds, as far as a plan must know. */
export interface Holding {
  /** 16 bytes in hexadecimal digits. */
  uniqueId: string;
  firmware: Descriptor | undefined;
  /** The custody places: what stands before the root key; undefined where the cells cannot be read. */
  custody: readonly (Buffer | undefined)[];
}

export interface Store {
  /** 16 bytes in hexadecimal digits; undefined when it cannot be read. */
  instance: string | undefined;
  /** Of its places, the versions that they name. */
  formats: number[];
}

export interface Plan {
  operations: Operation[];
  /** Blocks that are erased. */
  blocks: number;
  /** Bytes that are programmed, whole units. */
  bytes: number;
  /** The store that is lost; undefined: none is. */
  loses: Store | undefined;
  /** The store that stays. */
  keeps: Store | undefined;
}

/** The store on a board; undefined on a blank one. */
export function storeOf({ custody }: Holding): Store | undefined {
  const places = custody.filter((place) => place?.readUInt32LE(0) === CUSTODY_MAGIC);
  if (places.length === 0 && custody.every((place) => place !== undefined)) return undefined;
  return {
    instance: places[0]?.toString("hex", CUSTODY_OFF_INSTANCE, CUSTODY_OFF_INSTANCE + 16),
    formats: places.map((place) => place![CUSTODY_OFF_VERSION]!),
  };
}

/** @throws UsageError when a store would be lost and nobody said so, FlashError when file and board do not go together */
export function planWrite(file: FlashFile, holding: Holding, { eraseStore = false } = {}): Plan {
  const store = storeOf(holding);
  const named = store?.instance === undefined ? "that cannot be read" : store.instance;
  if (file.kind === "firmware" && eraseStore)
    throw new UsageError(
      `--erase-store: ${file.path} holds firmware alone, which keeps the store on the board. Nothing was changed.`,
      "Leave it out; to empty the store: mbs reset",
    );
  if (file.image !== undefined && file.image.uniqueId !== holding.uniqueId)
    throw new FlashError(
      `${file.path} is sealed to the board with unique id ${file.image.uniqueId}; this one is ${holding.uniqueId}. Nothing was changed.`,
      "Connect that board, or build an image for this one from its transport key.",
    );
  if (file.kind === "sealed" && store !== undefined)
    throw new FlashError(
      `${file.path} holds a sealed image, which only a blank board opens; this one holds store ${named}. Nothing was changed.`,
      "Empty it with `mbs reset`, have it make a new transport key, build the image for that key, and flash it.",
    );
  if (file.kind === "store" && store !== undefined && !eraseStore)
    throw new UsageError(
      `${file.path} replaces the store of the board, ${named}, with all its records. Nothing was changed.`,
      "Say --erase-store if it may be lost. To keep it flash a file with firmware alone.",
    );
  const keeps = file.kind === "firmware" ? store : undefined;
  // a place that power tore may say anything; the other one speaks for the store then
  if (keeps !== undefined && keeps.formats.length > 0 && !keeps.formats.includes(file.descriptor.format))
    throw new FlashError(
      `The store on the board has format version ${keeps.formats[0]}, and this firmware keeps version ${file.descriptor.format}. Nothing was changed.`,
      "Flash a firmware for the version of the store; how to go on to another one: README, Upgrading.",
    );
  const operations = operationsFor(file);
  return {
    operations,
    blocks: operations.filter(({ kind }) => kind === "erase").length,
    bytes: operations.reduce((sum, one) => sum + (one.kind === "program" ? one.bytes.length : 0), 0),
    loses: file.kind === "store" ? store : undefined,
    keeps,
  };
}

function operationsFor({ kind, segments }: FlashFile): Operation[] {
  const runs = wholeUnits(segments);
  const blocks = new Set(
    runs.flatMap(({ address, bytes }) => blocksOf({ start: address, end: address + bytes.length })),
  );
  // what is replaced is replaced whole: nothing old may be left beside it
  const replaced = kind === "store" ? [DATA, SLOTS] : kind === "sealed" ? [IMAGE] : [];
  for (const range of replaced) for (const block of blocksOf(range)) blocks.add(block);
  // data flash first: the root key of a store goes before its records
  const order = [...blocks].sort((a, b) => Number(a < DATA.start) - Number(b < DATA.start) || a - b);
  const first = order.filter((block) => block === 0);
  const others = order.filter((block) => block !== 0);
  return [
    ...first.map((address): Operation => ({ kind: "erase", address })),
    ...others.flatMap((address) => [{ kind: "erase", address } as Operation, ...contentOf(runs, address)]),
    ...first.flatMap((address) => vectorsLast(contentOf(runs, address))),
  ];
}

/** What is programmed into a block, and checked. */
function contentOf(runs: readonly Segment[], block: number): Operation[] {
  const end = block + blockAt(block);
  return runs.flatMap(({ address, bytes }) => {
    const [from, to] = [Math.max(address, block), Math.min(address + bytes.length, end)];
    if (from >= to) return [];
    return written(from, Buffer.from(bytes.subarray(from - address, to - address)));
  });
}

/** Erased code flash reads as ones, so that units of ones are left out; erased data flash reads as anything. */
function written(address: number, bytes: Buffer): Operation[] {
  const unit = unitAt(address);
  const operations: Operation[] = [];
  let begin: number | undefined;
  for (let at = 0; at <= bytes.length; at += unit) {
    const end =
      at === bytes.length || (!isData(address) && bytes.subarray(at, at + unit).every((byte) => byte === 0xff));
    if (!end) begin ??= at;
    if (!end || begin === undefined) continue;
    operations.push({ kind: "program", address: address + begin, bytes: bytes.subarray(begin, at) });
    begin = undefined;
  }
  return [...operations, { kind: "check", address, bytes }];
}

/** The same with the first unit, in which the vector table is, behind the rest. */
function vectorsLast(operations: readonly Operation[]): Operation[] {
  const unit = unitAt(0);
  const between = (from: number, to: number) => operations.flatMap((one) => partOf(one, from, to));
  return [...between(unit, blockAt(0)), ...between(0, unit)];
}

function partOf(one: Operation, start: number, end: number): Operation[] {
  if (one.kind === "erase") return [];
  const [from, to] = [Math.max(one.address, start), Math.min(one.address + one.bytes.length, end)];
  return from < to ? [{ ...one, address: from, bytes: one.bytes.subarray(from - one.address, to - one.address) }] : [];
}

/** The same bytes in whole program units, each unit in one run; what the file does not give of a unit is ones. */
function wholeUnits(segments: readonly Segment[]): Segment[] {
  const runs: Segment[] = [];
  for (const { address, bytes } of segments) {
    const unit = unitAt(address);
    const from = address - (address % unit);
    const to = Math.ceil((address + bytes.length) / unit) * unit;
    const last = runs.at(-1);
    const end = last === undefined ? -1 : last.address + last.bytes.length;
    if (last === undefined || end < from) runs.push({ address: from, bytes: filled(to - from) });
    else last.bytes = Buffer.concat([last.bytes, filled(Math.max(0, to - end))]);
    const run = runs.at(-1)!;
    run.bytes.set(bytes, address - run.address);
  }
  return runs;
}

const filled = (length: number): Buffer => Buffer.alloc(length, 0xff);
