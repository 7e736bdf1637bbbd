/** The core's cryptography, called directly in V8 through build/probe.wasm. Every operation goes through one place that looks at the
 *  whole linear memory before and after: nothing but the named results may change, and scratch must be zero again. */
import { readFileSync } from "node:fs";
import { random } from "../host/random.js";
import { watch } from "./memory.js";

type Call = (...numbers: number[]) => number;
type Address = { value: number };
type Functions =
  | "chachaBegin"
  | "chachaBlock"
  | "chachaEnd"
  | "chachaXor"
  | "hchacha"
  | "polyBegin"
  | "polyEnd"
  | "polyPadded"
  | "open"
  | "seal"
  | "derive"
  | "hash"
  | "keyed"
  | "equal"
  | "isZero"
  | "wipe"
  | "crcStep"
  | "makeTable"
  | "isUtf8"
  | "entropyRandom"
  | "entropyReady"
  | "entropyReset";
type Addresses =
  | "BLAKE"
  | "BLAKE_SIZE"
  | "CHACHA"
  | "CONTEXT"
  | "CRC_RESIDUE"
  | "CRC_START"
  | "DRBG"
  | "KEYS"
  | "MEMORY_USED"
  | "MESSAGE"
  | "NOISE"
  | "POLY"
  | "STATIC_BASE"
  | "STREAM"
  | "SUBKEY"
  | "TAG"
  | "VAULT";
type Exports = Record<Functions, Call> & Record<Addresses, Address> & { memory: WebAssembly.Memory };

let noise: (pointer: number, length: number) => number = () => 0;
/** What the board's entropy import does from now on. */
export function setNoise(source: typeof noise): void {
  noise = source;
}

const compiled = new WebAssembly.Module(readFileSync(new URL("../../build/probe.wasm", import.meta.url)));
const board = { entropy: (pointer: number, length: number) => noise(pointer, length), diag: () => {} };
export const core = new WebAssembly.Instance(compiled, { board }).exports as unknown as Exports;
export const memory = new Uint8Array(core.memory.buffer);

/** Room for inputs and outputs: the message buffer for data, and memory that the core leaves unused for the rest. */
export const DATA = core.MESSAGE.value;
export const AAD = 0xe000;
export const KEY = 0xf000;
export const NONCE = 0xf100;
export const TAG = 0xf200;
export const OUT = 0xf300;

export const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
export const bytes = (text: string) => Uint8Array.from(Buffer.from(text.replace(/\s/g, ""), "hex"));
export const ascii = (text: string) => Uint8Array.from(Buffer.from(text, "ascii"));

export const { place, taken, only } = watch(memory);

/** Random inputs with the seed that repeats them. */
export function source() {
  const { below, seed } = random();
  return { below, seed, some: (length: number) => Uint8Array.from({ length }, () => below(256)) };
}

export interface Sealed {
  key: Uint8Array;
  nonce: Uint8Array;
  aad: Uint8Array;
  data: Uint8Array;
  tag: Uint8Array;
}

/** Seals in place with every input `shift` bytes (0…7) off alignment. @returns ciphertext and tag */
export function seal({ key, nonce, aad, data }: Omit<Sealed, "tag">, shift = 0): { data: Uint8Array; tag: Uint8Array } {
  const at = arrange(key, nonce, aad, data, shift);
  memory.fill(0xa5, at.tag, at.tag + 16);
  only(
    [
      [at.data, data.length],
      [at.tag, 16],
    ],
    () => core.seal(at.key, at.nonce, at.aad, aad.length, at.data, data.length, at.tag),
  );
  return { data: taken(at.data, data.length), tag: taken(at.tag, 16) };
}

/** Opens in place. @returns whether it was accepted, and what stands in the data's place afterwards */
export function open({ key, nonce, aad, data, tag }: Sealed, shift = 0): { genuine: boolean; data: Uint8Array } {
  const at = arrange(key, nonce, aad, data, shift);
  place(at.tag, tag);
  const genuine =
    only([[at.data, data.length]], () =>
      core.open(at.key, at.nonce, at.aad, aad.length, at.data, data.length, at.tag),
    ) !== 0;
  return { genuine, data: taken(at.data, data.length) };
}

function arrange(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, data: Uint8Array, shift: number) {
  return {
    key: place(KEY + shift, key),
    nonce: place(NONCE + ((shift * 3) & 7), nonce),
    aad: place(AAD + ((shift * 5) & 7), aad),
    data: place(DATA + shift, data),
    tag: TAG + ((shift * 7) & 7),
  };
}

/** BLAKE3 in its three modes, `shift` bytes off alignment. */
export function hash(data: Uint8Array, shift = 0): Uint8Array {
  place(DATA + shift, data);
  only([[OUT + shift, 32]], () => core.hash(OUT + shift, DATA + shift, data.length));
  return taken(OUT + shift, 32);
}
export function keyed(key: Uint8Array, data: Uint8Array, shift = 0): Uint8Array {
  place(KEY + shift, key);
  place(DATA + shift, data);
  only([[OUT + shift, 32]], () => core.keyed(OUT + shift, KEY + shift, DATA + shift, data.length));
  return taken(OUT + shift, 32);
}
export function derive(context: Uint8Array, material: Uint8Array, shift = 0): Uint8Array {
  place(AAD + shift, context);
  place(DATA + shift, material);
  only([[OUT + shift, 32]], () => core.derive(OUT + shift, AAD + shift, context.length, DATA + shift, material.length));
  return taken(OUT + shift, 32);
}
