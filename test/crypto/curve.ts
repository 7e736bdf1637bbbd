/** X25519, Ed25519 and SHA-512 of the core, called directly in V8 through build/curve.wasm. Every operation goes through one place that
 *  looks at the whole linear memory before and after: nothing but the result may change, and scratch must be zero again. */
import { readFileSync } from "node:fs";
import { watch } from "./memory.js";

type Call = (...numbers: number[]) => number;
type Address = { value: number };
type Functions =
  | "add"
  | "addSubtract"
  | "decode"
  | "encode"
  | "fromBytes"
  | "invert"
  | "isReduced"
  | "multiply"
  | "multiplyAdd"
  | "publicKey"
  | "reduce"
  | "rootPower"
  | "scaledDifference"
  | "sha512Begin"
  | "sha512End"
  | "sha512Update"
  | "sign"
  | "signPieces"
  | "square"
  | "subtract"
  | "toBytes"
  | "verify"
  | "wipePoint"
  | "x25519"
  | "x25519Base";
type Addresses = "COMB" | "MEMORY_USED" | "MESSAGE" | "STATIC_BASE";
type Exports = Record<Functions, Call> & Record<Addresses, Address> & { memory: WebAssembly.Memory };

const compiled = new WebAssembly.Module(readFileSync(new URL("../../build/curve.wasm", import.meta.url)));
export const core = new WebAssembly.Instance(compiled).exports as unknown as Exports;
export const memory = new Uint8Array(core.memory.buffer);

/** Room for inputs and outputs: the message buffer for data, and memory that the module leaves unused for the rest. */
export const DATA = core.MESSAGE.value;
export const KEY = 0xf000;
export const POINT = 0xf100;
export const SIGNATURE = 0xf200;
export const OUT = 0xf300;

export const { place, taken, only } = watch(memory);

/** Shared secret, `shift` bytes (0…7) off alignment. @returns undefined when the core refuses the point; the result is zero then */
export function x25519(scalar: Uint8Array, point: Uint8Array, shift = 0): Uint8Array | undefined {
  place(KEY + shift, scalar);
  place(POINT + shift, point);
  const good = only([[OUT + shift, 32]], () => core.x25519(OUT + shift, KEY + shift, POINT + shift));
  const secret = taken(OUT + shift, 32);
  if (good === 0 && secret.some((byte) => byte !== 0)) throw new Error("a refused point left a result");
  return good === 0 ? undefined : secret;
}

export function x25519Base(scalar: Uint8Array, shift = 0): Uint8Array {
  place(KEY + shift, scalar);
  only([[OUT + shift, 32]], () => core.x25519Base(OUT + shift, KEY + shift));
  return taken(OUT + shift, 32);
}

export function publicKey(seed: Uint8Array, shift = 0): Uint8Array {
  place(KEY + shift, seed);
  only([[OUT + shift, 32]], () => core.publicKey(OUT + shift, KEY + shift));
  return taken(OUT + shift, 32);
}

/** Signs, the first `split` bytes of the message apart from the rest when it is given. */
export function sign(seed: Uint8Array, key: Uint8Array, message: Uint8Array, shift = 0, split?: number): Uint8Array {
  const at = { seed: place(KEY + shift, seed), key: place(POINT + shift, key), out: SIGNATURE + shift };
  if (split === undefined) {
    place(DATA + shift, message);
    only([[at.out, 64]], () => core.sign(at.out, at.seed, at.key, DATA + shift, message.length));
  } else {
    place(DATA + shift, message.subarray(split));
    place(DATA + 2048, message.subarray(0, split));
    const rest = message.length - split;
    only([[at.out, 64]], () => core.signPieces(at.out, at.seed, at.key, DATA + 2048, split, DATA + shift, rest));
  }
  return taken(at.out, 64);
}

export function verify(signature: Uint8Array, key: Uint8Array, message: Uint8Array, shift = 0): boolean {
  place(SIGNATURE + shift, signature);
  place(POINT + shift, key);
  place(DATA + shift, message);
  return only([], () => core.verify(SIGNATURE + shift, POINT + shift, DATA + shift, message.length)) !== 0;
}

/** SHA-512 of the pieces one after the other, `shift` bytes off alignment. */
export function sha512(pieces: readonly Uint8Array[], shift = 0): Uint8Array {
  only([[OUT + shift, 64]], () => {
    core.sha512Begin();
    for (const piece of pieces) {
      const before = taken(DATA + shift, piece.length);
      core.sha512Update(place(DATA + shift, piece), piece.length);
      place(DATA + shift, before);
    }
    core.sha512End(OUT + shift);
  });
  return taken(OUT + shift, 64);
}

/** A little-endian number. */
export function integer(bytes: Uint8Array): bigint {
  return BigInt(`0x0${Buffer.from(bytes).reverse().toString("hex")}`);
}

/** `length` bytes of a number, little-endian. */
export function littleEndian(value: bigint, length = 32): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(2 * length, "0"), "hex")).reverse();
}

export const P = 2n ** 255n - 19n;
/** Order of the base point. */
export const L = 2n ** 252n + 27742317777372353535851937790883648493n;
