/** What keys sign and agree on, called directly in V8 through build/use.wasm. Operations that touch secrets go through one place that looks
 *  at the whole linear memory before and after: nothing but the results may change, and scratch must be zero again. */
import { readFileSync } from "node:fs";
import { blake3 } from "@noble/hashes/blake3.js";
import { FACTS_OFF_CORE, FACTS_OFF_UID, Region } from "../../firmware/defs/boundary.js";
import {
  CUSTODY_MAGIC,
  CUSTODY_OFF_KIND,
  CUSTODY_OFF_MAC,
  CUSTODY_OFF_ROOT,
  CUSTODY_OFF_VERSION,
  CUSTODY_PLACE,
} from "../../firmware/defs/custody.js";
import { FORMAT_VERSION } from "../../firmware/defs/slot.js";
import { Status } from "../../firmware/defs/status.js";
import { source } from "../crypto/core.js";
import { watch } from "../crypto/memory.js";

type Call = (...numbers: number[]) => number;
type Functions =
  | "agree"
  | "agreeCheck"
  | "attestSign"
  | "attestWrite"
  | "beginsAsRequest"
  | "clearDetail"
  | "closeVault"
  | "count"
  | "firstSecret"
  | "generate"
  | "isNote"
  | "keepPublic"
  | "keyOf"
  | "openVault"
  | "publicOf"
  | "sign"
  | "signCheck"
  | "sshsigBuild";
type Addresses = "GENERATED_SIZE" | "HEADER" | "HEAP" | "INSTANCE" | "MESSAGE" | "SSHSIG_MAX" | "STATEMENT_MAX";
type Exports = Record<Functions, Call> &
  Record<Addresses, { value: number }> & { refusalDetail: () => bigint; memory: WebAssembly.Memory };

/** What the board under the module answers. */
export const board = {
  root: Uint8Array.from({ length: 32 }, (_, i) => i),
  custody: 3,
  core: new Uint8Array(32).fill(0xc0),
  uniqueId: new Uint8Array(16).fill(0x1d),
  readable: true,
  noisy: true,
};

/** The custody place of SPEC.md §3, as far as the vault looks at it. */
function custodyPlace(): Uint8Array {
  const place = Buffer.alloc(CUSTODY_PLACE);
  place.writeUInt32LE(CUSTODY_MAGIC);
  place[CUSTODY_OFF_VERSION] = FORMAT_VERSION;
  place[CUSTODY_OFF_KIND] = board.custody;
  place.set(board.root, CUSTODY_OFF_ROOT);
  const key = blake3(board.root, { context: Buffer.from("mbs 2026 custody mac") });
  place.set(blake3(place.subarray(0, CUSTODY_OFF_MAC), { key }).subarray(0, 16), CUSTODY_OFF_MAC);
  return place;
}

const noise = source();
const imports = {
  read(region: Region, offset: number, pointer: number, length: number): Status {
    if (!board.readable) return Status.Unreadable;
    const facts = Buffer.alloc(96);
    facts.set(board.core, FACTS_OFF_CORE);
    facts.set(board.uniqueId, FACTS_OFF_UID);
    const from = region === Region.Facts ? facts : Buffer.concat([custodyPlace(), custodyPlace()]);
    memory.set(from.subarray(offset, offset + length), pointer);
    return Status.Ok;
  },
  entropy(pointer: number, length: number): number {
    memory.set(board.noisy ? noise.some(length) : new Uint8Array(length), pointer);
    return length;
  },
  diag() {},
};

const compiled = new WebAssembly.Module(readFileSync(new URL("../../build/use.wasm", import.meta.url)));
export const core = new WebAssembly.Instance(compiled, { board: imports }).exports as unknown as Exports;
export const memory = new Uint8Array(core.memory.buffer);

/** Room for what is signed, and for everything else memory that the core uses for other things. */
export const DATA = core.MESSAGE.value;
export const BODY = 0xe800;
export const OUT = 0xf000;
const PEER = 0xf200;
const SALT = 0xf280;
const CONTEXT = 0xf300;
const WRAPPED = 0xf400;
const NAMESPACE = 0xf480;
const SIGNATURE = 0xf500;
const PUBLIC = 0xf580;

export const END = memory.length;
if (core.HEAP.value > BODY) throw new Error(`static data reach up to ${core.HEAP.value}, into the tests' own memory`);

export const { place, taken, only } = watch(memory);

/** Asks a parser about bytes at the very end of linear memory, where reading one more would trap, and again in front of all ones and
 *  all zeros. @returns what it says, always the same; an address counts from the bytes' start */
export function parse(parser: (at: number, length: number) => number, data: Uint8Array): number {
  const tail = data.length + 64;
  const before = taken(DATA, tail);
  const ask = (at: number) => {
    const answer = only([[at, 0]], () => parser(at, data.length));
    return answer > 1 ? answer - at : answer;
  };
  const answers = [0xff, 0].map((fill) => {
    memory.fill(fill, DATA, DATA + tail);
    return ask(place(DATA, data));
  });
  place(DATA, before);
  const room = taken(END - data.length, data.length);
  answers.push(ask(place(END - data.length, data)));
  place(END - data.length, room);
  if (new Set(answers).size !== 1) throw new Error(`bytes behind the data change the answer: ${answers}`);
  return answers[0]!;
}

/** A refusal with what it says besides, or what was done. */
export interface Answer {
  status: Status;
  detail?: number;
}

function answer(status: Status): Answer {
  const detail = Number(core.refusalDetail());
  return detail < 0 ? { status } : { status, detail };
}

/** What sign() says before the record is opened. */
export function signCheck(usage: number, data: Uint8Array, namespace?: Uint8Array): Answer {
  core.clearDetail();
  place(DATA, data);
  return answer(core.signCheck(usage, DATA, data.length, namespace?.length ?? 0, Number(namespace !== undefined)));
}

export interface Signed extends Answer {
  signature: Uint8Array;
  publicKey: Uint8Array;
}

/** sign(), check first. */
export function sign(
  body: Uint8Array,
  usage: number,
  data: Uint8Array,
  { namespace, isGenerated = false }: { namespace?: Uint8Array; isGenerated?: boolean } = {},
): Signed {
  const checked = signCheck(usage, data, namespace);
  const nothing = { signature: new Uint8Array(64), publicKey: new Uint8Array(32) };
  if (checked.status !== Status.Ok) return { ...checked, ...nothing };
  place(BODY, body);
  place(NAMESPACE, namespace ?? new Uint8Array());
  place(SIGNATURE, nothing.signature);
  const results = [
    [SIGNATURE, 64],
    [PUBLIC, 32],
  ] as const;
  const ask = [
    ...[SIGNATURE, PUBLIC, BODY, body.length, Number(isGenerated)],
    ...[usage, DATA, data.length, NAMESPACE, namespace?.length ?? 0],
  ];
  const status = only(results, () => core.sign(...ask));
  memory.fill(0, BODY, BODY + body.length);
  return { ...answer(status), signature: taken(SIGNATURE, 64), publicKey: taken(PUBLIC, 32) };
}

/** agree(): bytes, or the status that refuses; then nothing was given out, but for the ciphertext where it was to be opened. */
export function agree(
  body: Uint8Array,
  peer: Uint8Array,
  { salt, context, wrapped }: { salt?: Uint8Array; context?: Uint8Array; wrapped?: Uint8Array } = {},
): Uint8Array | Status {
  place(BODY, body);
  place(PEER, peer);
  memory.fill(0, OUT, OUT + 80);
  const given = (at: number, bytes?: Uint8Array) => (bytes === undefined ? [0, 0] : [place(at, bytes), bytes.length]);
  const ask = [
    ...[OUT, PEER, BODY, body.length],
    ...[...given(SALT, salt), ...given(CONTEXT, context), ...given(WRAPPED, wrapped)],
  ];
  const length = only([[OUT, 64]], () => core.agree(...ask));
  memory.fill(0, BODY, BODY + body.length);
  if (length > 0) return taken(OUT, length);
  const left = length === Status.NotGenuine ? wrapped!.subarray(0, -16) : new Uint8Array();
  if (!Buffer.from(taken(OUT, 64)).equals(Buffer.concat([left, Buffer.alloc(64)], 64)))
    throw new Error(`refused with ${length}, and gave out ${Buffer.from(taken(OUT, 64)).toString("hex")}`);
  return length;
}
