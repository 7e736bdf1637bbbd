/** The cryptography of sessions, called directly in V8 through build/hash.wasm. Every operation goes through one place that looks at the
 *  whole linear memory before and after: nothing but the named results may change, and scratch must be zero again. */
import { readFileSync } from "node:fs";
import { watch } from "./memory.js";

type Call = (...numbers: number[]) => number;
type Address = { value: number };
type Functions =
  | "hash"
  | "hkdf"
  | "hmacBegin"
  | "hmacEnd"
  | "hmacUpdate"
  | "mac"
  | "noiseHkdf"
  | "open"
  | "seal"
  | "shaBegin"
  | "shaEnd"
  | "shaUpdate";
type Addresses = "HMAC" | "HMAC_SIZE" | "MEMORY_USED" | "MESSAGE" | "SHA" | "SHA_SIZE" | "STATIC_BASE";
type Exports = Record<Functions, Call> & Record<Addresses, Address> & { memory: WebAssembly.Memory };

const compiled = new WebAssembly.Module(readFileSync(new URL("../../build/hash.wasm", import.meta.url)));
export const core = new WebAssembly.Instance(compiled).exports as unknown as Exports;
export const memory = new Uint8Array(core.memory.buffer);

/** Room for inputs and outputs: the message buffer for data, and memory that the module leaves unused for the rest. */
export const DATA = core.MESSAGE.value;
export const KEY = 0xe000;
export const INFO = 0xe800;
export const AAD = 0xf000;
export const NONCE = 0xf800;
export const TAG = 0xf900;
export const OUT = 0xfa00;

export const { place, taken, only } = watch(memory);

/** SHA-256 with data and result `shift` bytes (0…7) off alignment. */
export function hash(data: Uint8Array, shift = 0): Uint8Array {
  place(DATA + shift, data);
  only([[OUT + shift, 32]], () => core.hash(OUT + shift, DATA + shift, data.length));
  return taken(OUT + shift, 32);
}

/** HMAC-SHA-256, the same way. */
export function mac(key: Uint8Array, data: Uint8Array, shift = 0): Uint8Array {
  place(KEY + shift, key);
  place(DATA + shift, data);
  only([[OUT + shift, 32]], () => core.mac(OUT + shift, KEY + shift, key.length, DATA + shift, data.length));
  return taken(OUT + shift, 32);
}

/** HKDF: the first `length` bytes of as many whole outputs as that takes. The outputs stand where the data otherwise do. */
export function hkdf(salt: Uint8Array, material: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  place(KEY, salt);
  place(AAD, material);
  place(INFO, info);
  const count = Math.ceil(length / 32);
  only([[DATA, count * 32]], () => core.hkdf(DATA, count, KEY, salt.length, AAD, material.length, INFO, info.length));
  return taken(DATA, length);
}
