/** Traces of the virtual board: trace.c hashes every program counter and every data address while the firmware computes. Where two traces
 *  part is told by the core's function, the interpreter's handler and the address. */
import { execFileSync } from "node:child_process";
import { existsSync, renameSync, statSync } from "node:fs";
import koffi from "koffi";
import { readElf } from "../../board/elf.js";
import { HOOK_CODE, HOOK_MEM, type NativeHook } from "../../board/virtual/unicorn.js";
import { RX_SIZE, TX_SIZE } from "../../firmware/defs/boundary.js";
import { builtPath } from "../device/built.js";
import { region } from "../device/map.js";
import type { VirtualDevice } from "../device/virtual.js";

/** As trace.c has them. */
const PIECE = 1 << 14;
const STRETCH = 24;
const EVENT = 72;
const FUNCTIONS = 15;
/** Events of a short stretch. */
const SHORT = { interpreted: 30_000, compiled: 3000 };

/** What decides what the firmware does and may: received bytes and the CRC of what the link carries, which are ciphertext, and the health tests
 *  that compare raw samples of noise. The trace is cut there. firmware/memory.ts */
const MARKS = [
  { name: "RX", size: RX_SIZE },
  { name: "TX", size: TX_SIZE },
  { name: "CRC_TABLE", size: 1024 },
  { name: "NOISE", size: 64 },
];
/** So are the rings that it passes on its way, whose places follow from how long what came before was. sci.c */
const RINGS = "ring";
/** And at the timer that gives the noise: how often the firmware looks at it depends on when it begins. board/MEMORY.md */
const TIMER = { at: 0x400e8000, size: 16 };

/** Makes trace.so when it is missing or old. @returns its path */
function compiled(): string {
  const source = new URL("trace.c", import.meta.url).pathname;
  const path = builtPath("trace.so");
  if (existsSync(path) && statSync(path).mtimeMs > statSync(source).mtimeMs) return path;
  const draft = `${path}.${process.pid}`;
  execFileSync("gcc", ["-shared", "-O2", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", draft, source, "-ldl"]);
  renameSync(draft, path);
  return path;
}

const lib = koffi.load(compiled());
const native = {
  open: lib.func("int trace_open(uint32_t entry, uint32_t shortEvents)"),
  mark: lib.func("void trace_mark(uint32_t which, uint32_t from, uint32_t to)"),
  start: lib.func("void trace_start(uint32_t which, uint64_t first)"),
  stop: lib.func("uint32_t trace_stop()"),
  stretches: lib.func("void *trace_stretches()"),
  pieces: lib.func("void *trace_pieces()"),
  logged: lib.func("uint32_t trace_logged()"),
  events: lib.func("void *trace_events()"),
};

/** For the options of a board that is to be traced. */
export const hooks: readonly NativeHook[] = [
  { type: HOOK_CODE, callback: lib.symbol("trace_code") },
  { type: HOOK_MEM, callback: lib.symbol("trace_memory") },
];

/** What was done between two marks. Short ones are left out: there the link waits for bytes and handles each. */
export interface Stretch {
  events: number;
  hash: bigint;
  /** A hash of everything up to each PIECE events. */
  pieces: bigint[];
}

export interface Event {
  kind: "runs" | "reads" | "writes";
  address: number;
  /** Where the processor was. */
  pc: number;
  /** Where the code of the running functions lies in flash, the innermost first. */
  functions: number[];
}

/** A part of a trace that is to be logged: of which stretch, and from which event on. */
export interface Part {
  stretch: number;
  first: number;
}

const view = (pointer: unknown, length: number): Buffer =>
  length === 0 ? Buffer.alloc(0) : Buffer.from((koffi.view(pointer, length) as ArrayBuffer).slice(0));

/** Traces what the device does during `work`. @param part what is logged */
export function trace(
  device: VirtualDevice,
  elf: Uint8Array,
  work: () => void,
  part?: Part,
): { stretches: Stretch[]; log: Event[] } {
  const { symbol } = readElf(elf);
  const [entry, page, rings] = [symbol("op_Entry"), symbol("core_page"), symbol(RINGS)];
  if (rings === undefined) throw new Error(`the ELF names no ${RINGS}`);
  if (entry === undefined && page === undefined)
    throw new Error("the ELF names neither op_Entry nor core_page: it must be one that npm run build makes");
  if (native.open(entry?.address ?? 0, entry === undefined ? SHORT.compiled : SHORT.interpreted) === 0)
    throw new Error("trace.so finds no libunicorn.so.2: install libunicorn2");
  MARKS.forEach(({ name, size }, i) => {
    const at = device.address(region(name));
    native.mark(i, at, at + size);
  });
  native.mark(MARKS.length, TIMER.at, TIMER.at + TIMER.size);
  native.mark(MARKS.length + 1, rings.address, rings.address + rings.size);
  native.start(part?.stretch ?? 0xffffffff, part?.first ?? 0);
  let kept = 0;
  try {
    work();
  } finally {
    kept = native.stop();
  }
  if (kept === 0) throw new Error("the trace has no long stretch, or more of them than trace.c has room for");
  const stretches = view(native.stretches(), kept * STRETCH);
  const found = Array.from({ length: kept }, (_, i) => {
    const at = i * STRETCH;
    const events = Number(stretches.readBigUInt64LE(at + 8));
    const first = Number(stretches.readBigUInt64LE(at + 16));
    const count = Math.floor(events / PIECE);
    const hashes = view(native.pieces(), 8 * (first + count)).subarray(8 * first);
    const pieces = Array.from({ length: count }, (_, k) => hashes.readBigUInt64LE(8 * k));
    return { events, hash: stretches.readBigUInt64LE(at), pieces };
  });
  const log = view(native.events(), native.logged() * EVENT);
  const events = Array.from({ length: log.length / EVENT }, (_, i) => readEvent(log.subarray(i * EVENT)));
  return { stretches: found, log: events };
}

function readEvent(bytes: Buffer): Event {
  const what = bytes.readBigUInt64LE(0);
  const functions = Array.from({ length: FUNCTIONS }, (_, i) => bytes.readUInt32LE(12 + 4 * i));
  return {
    kind: (["runs", "reads", "writes"] as const)[Number(what >> 40n)]!,
    address: Number(what & 0xffffffffn),
    pc: bytes.readUInt32LE(8),
    functions: functions.filter((one) => one !== 0),
  };
}

/** Where two traces part: a piece that holds the place; undefined when they are the same. */
export function parting(a: readonly Stretch[], b: readonly Stretch[]): Part | undefined {
  for (let stretch = 0; stretch < Math.max(a.length, b.length); stretch++) {
    const [one, other] = [a[stretch], b[stretch]];
    if (one === undefined || other === undefined) return { stretch, first: 0 };
    if (one.hash === other.hash && one.events === other.events) continue;
    const piece = one.pieces.findIndex((hash, k) => hash !== other.pieces[k]);
    return { stretch, first: (piece < 0 ? one.pieces.length : piece) * PIECE };
  }
  return undefined;
}

/** Where two logs part. */
export function firstDifference(a: readonly Event[], b: readonly Event[]): [Event | undefined, Event | undefined] {
  const differs = a.findIndex((event, i) => event.kind !== b[i]?.kind || event.address !== b[i]?.address);
  return differs < 0 ? [undefined, b[a.length]] : [a[differs], b[differs]];
}
