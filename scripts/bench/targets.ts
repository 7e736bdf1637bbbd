/** What the measurements are held against. */
import type { ClaimCost } from "./claims.js";
import type { CryptoCost } from "./crypto.js";
import type { CurveCost } from "./curve.js";
import type { SessionCost } from "./session.js";
import type { StoreResults } from "./store.js";

/** Everything that is measured. */
export interface Costs {
  crypto: CryptoCost[];
  curves: CurveCost[];
  sessions: SessionCost[];
  claims: ClaimCost[];
  store: StoreResults;
}

export interface Target {
  name: string;
  limit: number;
  value: number;
  met: boolean;
}

const SEAL_PER_BYTE = 520; // instructions at 4 KB
const SEAL_LENGTH = 4096;
/** One use of a key. */
const CURVE_LIMITS: Record<string, number> = { x25519: 20_000_000, sign: 20_000_000 };
/** Whole requests, session and link included. */
const SESSION_LIMITS: Record<string, number> = { "hello and handshake": 45_000_000, "sign, sshsig": 20_000_000 };
/** Boot: a fixed part, compiling the module, and reading the records' headers. */
const BOOT_FIXED = 2_000_000;
const BOOT_PER_WASM_BYTE = 230;
const BOOT_PER_RECORD = 40_000;
/** A put into a full store may cost this many instructions (a millisecond and a half) more than one into an empty store, as long as no block
 *  is erased: it reads the header MACs of the block it goes to, and looks for a free slot in more blocks. */
const PUT_FULL_MORE = 200_000;
/** A list of long records may cost this much of one of short ones: only the lengths' own digits differ. */
const LIST_LONG_TO_SHORT = 1.01;
/** Finding one record may cost at most as much as listing them all: neither opens a seal, and find sends less. */
const FIND_TO_LIST = 1;

export function targets(coreBytes: number, { crypto, curves, sessions, store }: Omit<Costs, "claims">): Target[] {
  const found: Target[] = [];
  const atMost = (name: string, limit: number, value: number) =>
    found.push({ name, limit, value, met: value <= limit });
  const seal = crypto.find((one) => one.operation === "seal" && one.length === SEAL_LENGTH)!;
  atMost(`seal of ${SEAL_LENGTH} bytes, instructions per byte`, SEAL_PER_BYTE, seal.perByte);
  const limits = { ...CURVE_LIMITS, ...SESSION_LIMITS };
  for (const { operation, instructions } of [...curves, ...sessions]) {
    const limit = limits[operation];
    if (limit !== undefined) atMost(`${operation}, instructions`, limit, instructions);
  }
  for (const { records, boot } of store.fills) {
    const budget = BOOT_FIXED + BOOT_PER_WASM_BYTE * coreBytes + BOOT_PER_RECORD * records;
    atMost(`boot with ${records} records, instructions`, budget, boot);
  }
  for (const { records, listSmall, listLarge } of store.fills) {
    atMost(`list of ${records} records opens no seal: longest to shortest`, LIST_LONG_TO_SHORT, listLarge / listSmall);
  }
  for (const { records, list } of store.fills) {
    const finds = store.commands.filter((one) => one.records === records).map((one) => one.instructions.find);
    atMost(`find among ${records} records opens no seal: find to list`, FIND_TO_LIST, Math.max(...finds) / list);
  }
  const [least, most] = [store.commands.at(0)!.fill, store.commands.at(-1)!.fill];
  for (const row of store.commands.filter((one) => one.fill === most)) {
    const empty = store.commands.find((one) => one.fill === least && one.size === row.size)!;
    const growth = row.instructions.put - empty.instructions.put;
    atMost(`put of ${row.size} bytes without erase: more at ${most} % than at ${least} %`, PUT_FULL_MORE, growth);
  }
  return found;
}
