/** What the measurements are held against: limits, and goals that are reached or not. */
import type { CoreEngine, Engine, Row } from "./cost.js";
import { primitive } from "./crypto.js";
import type { LineCost } from "./line.js";
import { modelledMs, TARGET_BAUD } from "./model.js";
import { atFill, FILLS, ofSize, recordsAt, SIZES } from "./store.js";

export interface Target {
  name: string;
  /** Who it is about; "aot/native" for a ratio. */
  engine: CoreEngine | "aot/native" | "V8";
  limit: number;
  goal?: number;
  value: number;
  /** The value is within the limit; and within the goal. */
  met: boolean;
  reached?: boolean;
}

/** A limit, and a goal. */
type Bounds = readonly [limit: number, goal?: number];

/** Instructions of one operation, per byte where it has bytes, and of ahead-of-time code those of native C once. */
const OPERATIONS: Record<string, Partial<Record<"stock" | "wasm3" | "aot/native", Bounds>>> = {
  [primitive("seal", 3900)]: { stock: [480, 400], wasm3: [330, 280], "aot/native": [1.15, 1.05] },
  [primitive("blake3", 3900)]: { stock: [270, 220], wasm3: [175, 150], "aot/native": [1.7, 1.3] },
  [primitive("sha256", 3900)]: { stock: [930, 600], wasm3: [600, 450], "aot/native": [1.7, 1.3] },
  x25519: { stock: [20e6, 15e6], wasm3: [15e6, 12e6], "aot/native": [2, 1.3] },
  "ed25519 sign": { stock: [15e6, 11e6], wasm3: [12e6, 9e6], "aot/native": [2.2, 1.5] },
  "hello and handshake": { stock: [45e6], wasm3: [26e6] },
};
/** A key's use in an open session: less than a YubiHSM 2 takes. */
const SIGN = "sign, sshsig";
const SIGN_MS = 114;
/** Percent of the line rate, bytes of bodies alone, and a put's time in those of line and flash. */
const GETS_RATE = 90;
const GET_RATE = 78;
const PUT_TO_FLOOR = 1.35;
/** Boot: a fixed part, compiling the module, and reading the records' headers. */
const BOOT_FIXED = 2_000_000;
const BOOT_PER_WASM_BYTE = 230;
const BOOT_PER_RECORD = 40_000;
/** Finding one record among all. */
const FIND_FULL = 200_000;
/** A put into a full store may cost this many instructions (a millisecond and a half) more than one into an empty store, as long as no block
 *  is erased: it reads the header MACs of the block it goes to, and looks for a free slot in more blocks. */
const PUT_FULL_MORE = 200_000;
/** A list of long records may cost this much of one of short ones: only the lengths' own digits differ. */
const LIST_LONG_TO_SHORT = 1.01;
/** Finding one record may cost at most as much as listing them all: neither opens a seal, and find sends less. */
const FIND_TO_LIST = 1;

/** @param coreBytes size of core.wasm; what was not measured has no target */
export function targets(coreBytes: number, rows: readonly Row[], line: readonly LineCost[]): Target[] {
  const found: Target[] = [];
  const atMost = (name: string, engine: Target["engine"], [limit, goal]: Bounds, value: number | undefined) => {
    if (value === undefined || Number.isNaN(value)) return;
    found.push({
      name,
      engine,
      limit,
      goal,
      value,
      met: value <= limit,
      reached: goal === undefined ? undefined : value <= goal,
    });
  };
  const atLeast = (name: string, engine: Target["engine"], limit: number, value: number) =>
    found.push({ name: `${name}, at least`, engine, limit, value, met: value >= limit });
  const row = (name: string) => rows.find((one) => one.name === name);
  const cost = (name: string, engine: Engine) => row(name)?.instructions[engine];
  for (const [name, bounds] of Object.entries(OPERATIONS)) {
    const bytes = row(name)?.bytes;
    const what = `${name}, instructions${bytes === undefined ? "" : " per byte"}`;
    for (const engine of ["stock", "wasm3"] as const) {
      const value = cost(name, engine);
      const limit = bounds[engine];
      if (limit !== undefined && value !== undefined) atMost(what, engine, limit, value / (bytes ?? 1));
    }
    if (bounds["aot/native"] !== undefined)
      atMost(name, "aot/native", bounds["aot/native"], ratio(cost(name, "aot"), cost(name, "native")));
  }
  const sign = row(SIGN);
  if (sign !== undefined)
    atMost(
      `${SIGN}, ms in the model at ${TARGET_BAUD.toLocaleString("en-US")} baud`,
      "wasm3",
      [SIGN_MS],
      modelledMs(sign, "wasm3", TARGET_BAUD),
    );
  for (const { operation, engine, baud, ms, floorMs, ofLineRate } of line) {
    if (Math.abs(baud / TARGET_BAUD - 1) > 0.01) continue;
    if (operation.startsWith("put"))
      atMost(`${operation}, times the floor at 921,600 baud`, engine, [PUT_TO_FLOOR], ms / floorMs);
    else if (ofLineRate !== undefined)
      atLeast(
        `${operation}, % of line rate at 921,600 baud`,
        engine,
        operation.includes("ahead") ? GETS_RATE : GET_RATE,
        100 * ofLineRate,
      );
  }
  for (const fill of FILLS) {
    const records = recordsAt(fill);
    const boot = BOOT_FIXED + BOOT_PER_WASM_BYTE * coreBytes + BOOT_PER_RECORD * records;
    atMost(`boot with ${records} records, instructions`, "wasm3", [boot], cost(atFill("boot", fill), "wasm3"));
  }
  const [shortest, longest] = [SIZES[0], SIZES.at(-1)!].map((size) => `list, all ${size} bytes`);
  for (const fill of FILLS) {
    const of = (what: string) => cost(atFill(what, fill), "wasm3");
    atMost(
      `list of ${recordsAt(fill)} records opens no seal: longest to shortest`,
      "wasm3",
      [LIST_LONG_TO_SHORT],
      ratio(of(longest!), of(shortest!)),
    );
  }
  for (const fill of FILLS) {
    const find = Math.max(...SIZES.map((size) => cost(ofSize("find", size, fill), "wasm3") ?? Number.NaN));
    if (fill === FILLS.at(-1))
      atMost(
        `find among ${recordsAt(fill)} records, less the smallest request (close), instructions`,
        "wasm3",
        [FIND_FULL],
        find - (cost("close", "wasm3") ?? Number.NaN),
      );
    atMost(
      `find among ${recordsAt(fill)} records opens no seal: find to list`,
      "wasm3",
      [FIND_TO_LIST],
      ratio(find, cost(atFill("list", fill), "wasm3")),
    );
  }
  const [least, most] = [FILLS[0], FILLS.at(-1)!];
  for (const size of SIZES) {
    const [empty, full] = [least, most].map((fill) => cost(ofSize("put", size, fill), "wasm3") ?? Number.NaN);
    atMost(
      `put of ${size} bytes without erase: more at ${most} % than at ${least} %, instructions`,
      "wasm3",
      [PUT_FULL_MORE],
      full! - empty!,
    );
  }
  return found;
}

const ratio = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a / b;
