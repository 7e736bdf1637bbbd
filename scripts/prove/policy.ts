/** What is secret in the core, and what is not: the assumptions of the constant-time check, in one place. firmware/PROOFS.md explains them.
 *  A byte of memory is secret unless it is named here. */
import { FACTS_OFF_SETUP, Region as Medium } from "../../firmware/defs/boundary.js";
import { PSK_SIZE } from "../../firmware/defs/session.js";
import type { ImportRule, Known, Policy, Region } from "./secrets.js";
import type { Module } from "./wasm.js";

/** Regions of firmware/memory.ts in which nothing secret stands, ever. */
const PUBLIC: readonly string[] = [
  ...["RX", "TX", "FRAME", "CRC_TABLE", "FIELDS"],
  ...["HANDLES", "TOKENS", "FIRST_TOKENS", "LABEL_HASHES", "ATTRIBUTES", "LEAVES", "LEAF_INPUT"],
  ...["CURRENT", "NEXT", "PLACE", "HEADER", "FRESH", "PAGE", "LABEL", "FILTER"],
  ...[
    "INSTANCE",
    "MANIFEST",
    "CLASSES",
    "ARGUMENTS",
    "TOKEN_HASH",
    "CHALLENGE",
    "TOUCHES",
    "REFUSALS",
    "IMAGE_OPEN",
    "PROLOGUE",
    "CONTEXT",
    "KNOWN_CONTEXTS",
  ],
];

/** Public parts of regions that hold secrets too: bytes from and to. */
const PUBLIC_PARTS: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  // of both: flags, id, role, place, counters, times; nonce
  SESSIONS: [
    [0, 40],
    [104, 168],
    [232, 256],
  ],
};

/** Static data that is constant, or worked out from constants and public keys alone. */
const PUBLIC_STATICS: readonly string[] = [
  ...["blake3/IV", "sha256/INITIAL", "sha256/K", "sha512/IV", "sha512/K"],
  ...["comb25519/COMB", "comb25519/CURVE_D", "comb25519/ROOT_OF_MINUS_ONE", "comb25519/HALF", "comb25519/HALF_OF_ALL"],
  "scalar25519/EXCESS",
].map((name) => `firmware/crypto/${name}`);
const CONSTANTS = ["attest/PREFIX", "sshsig/MAGIC", "sshsig/SHA256", "sshsig/SHA512"]
  .concat(["userauth/SERVICE", "userauth/PLAIN", "userauth/HOSTBOUND", "userauth/ED25519"])
  .map((name) => `firmware/use/${name}`);

/** Names in memory.ts that are a number or lie in another region. */
const NO_REGIONS: readonly string[] = ["MESSAGE", "MEMORY_USED", "STATIC_BASE", "CLASS_ENTRY", "TOUCH_ENTRY"];

const mayBe = (one: readonly number[] | undefined, ...numbers: number[]) =>
  one === undefined || one.some((choice) => numbers.includes(choice));

/** Whether what is read from a medium is secret: custody, and the setup code among the facts. */
function isSecretRead(args: Known): boolean {
  const [medium, offset, , length] = args;
  if (mayBe(medium, Medium.Custody)) return true;
  if (!mayBe(medium, Medium.Facts)) return false;
  if (offset === undefined || length === undefined) return true;
  return offset.some((at) => at < FACTS_OFF_SETUP + PSK_SIZE && at + Math.max(...length) > FACTS_OFF_SETUP);
}

/** The imports. */
const IMPORTS: Readonly<Record<string, ImportRule>> = {
  "board.read": { writes: { pointer: 2, length: 3, isSecret: isSecretRead } },
  "board.program": {
    takes: {
      pointer: 2,
      length: 3,
      mayBeSecret: ([medium]) => medium?.every((one) => one === Medium.Custody) ?? false,
    },
  },
  "board.erase": {},
  "board.blank": {},
  "board.entropy": { writes: { pointer: 0, length: 1, isSecret: () => true } },
  "board.presence": {},
  "board.clock": {},
  "board.diag": {},
  "board.rate": {},
};

/** Where the regions of a core begin, as the build writes them. */
export interface MemoryMap {
  /** build/memory.json: the constants of firmware/memory.ts. */
  memory: Readonly<Record<string, number>>;
  /** build/statics.json. */
  statics: Readonly<Record<string, number>>;
}

const TEXTS = "texts";

/** The regions of linear memory with their cells. */
export function regionsOf({ memory, statics }: MemoryMap, data: Module["data"]): Region[] {
  const base = memory.STATIC_BASE as number;
  const named = Object.entries(memory).filter(([name]) => !NO_REGIONS.includes(name) && !name.endsWith("_SIZE"));
  const found = [...named, ...Object.entries(statics)].sort((a, b) => a[1] - b[1]);
  const isPublic = (name: string) =>
    name === TEXTS || PUBLIC.includes(name) || PUBLIC_STATICS.includes(name) || CONSTANTS.includes(name);
  for (const name of [...PUBLIC, ...Object.keys(PUBLIC_PARTS), ...PUBLIC_STATICS, ...CONSTANTS])
    if (!found.some(([other]) => other === name)) throw new Error(`the policy names ${name}, which there is not`);
  // texts stand behind everything that has a name
  const last = found.at(-1) as [string, number];
  const texts = Math.min(...data.map(({ offset }) => offset).filter((offset) => offset > last[1]), 65536);
  found.push([TEXTS, texts & ~15]);
  return found.map(([name, at], i) => {
    const next = found[i + 1]?.[1] ?? 65536;
    const size = (at < base ? Math.min(next, base) : next) - at;
    return { name, at, size, cells: cellsOf(name, at, size, isPublic(name)) };
  });
}

function cellsOf(name: string, at: number, size: number, isPublic: boolean): Region["cells"] {
  const cells: Region["cells"] = [];
  let from = 0;
  const add = (to: number, open: boolean) => {
    if (to > from) cells.push({ name, at: at + from, size: to - from, isPublic: open });
    from = to;
  };
  for (const [first, end] of PUBLIC_PARTS[name] ?? []) {
    add(first, isPublic);
    add(end, true);
  }
  add(size, isPublic);
  return cells;
}

/** Counters of the health tests, which must look at every raw sample: store/entropy.ts. */
const SECRET_GLOBALS = ["firmware/store/entropy/gather", "firmware/store/entropy/healthy"];

export function policyFor(module: Module, map: MemoryMap, forbidden: ReadonlyMap<string, string>): Policy {
  return {
    regions: regionsOf(map, module.data),
    imports: IMPORTS,
    forbidden,
    secretGlobals: SECRET_GLOBALS,
    declassify: map.memory.DECLASSIFIED,
    reveal: map.memory.REVEALED,
    expect: map.memory.EXPECTED,
  };
}
