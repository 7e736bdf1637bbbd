/** Ed25519 (RFC 8032 §5.1), the pure variant, with its deterministic signatures. Making keys and signing is constant-time in seed, prefix
 *  and nonce; lengths are public. Relies on sha512.ts, scalar25519.ts and multiples25519.ts. */
import { equal, wipe } from "./bytes";
import { decode, encode, isSmallOrder, wipePoint } from "./edwards25519";
import { multiplyBase, multiplyBaseLess } from "./multiples25519";
import { clamp, isReduced, multiplyAdd, reduce } from "./scalar25519";
import { begin, end, update } from "./sha512";

const SCRATCH: usize = memory.data(224);
const SECRET: usize = SCRATCH; // 64: hash of the seed, the scalar and then the prefix
const NONCE: usize = SECRET + 64; // 64: r, first as hash
const CHALLENGE: usize = NONCE + 64; // 64: k, first as hash; public
const EXPECTED: usize = CHALLENGE + 64; // 32: R as it should be; public

/** Puts the scalar and the prefix of a seed into SECRET. */
function expand(seed: usize): void {
  begin();
  update(seed, 32);
  end(SECRET);
  clamp(SECRET, SECRET);
}

function wipeAll(): void {
  wipe(SCRATCH, 224);
  wipePoint();
}

/** k = SHA-512(R ‖ A ‖ first ‖ second) modulo L, to CHALLENGE. */
function challenge(r: usize, publicKey: usize, first: usize, firstLength: i32, second: usize, secondLength: i32): void {
  begin();
  update(r, 32);
  update(publicKey, 32);
  update(first, firstLength);
  update(second, secondLength);
  end(CHALLENGE);
  reduce(CHALLENGE, CHALLENGE);
}

/** Writes the public key, 32 bytes, of a seed of 32 bytes (§5.1.5). */
export function publicKey(out: usize, seed: usize): void {
  expand(seed);
  multiplyBase(SECRET);
  encode(out);
  wipeAll();
}

/** Signs `length` bytes (§5.1.6): 64 bytes to `signature`, which overlaps nothing else. `key` must be the seed's own public key: two
 *  signatures of one message under different ones give the seed's scalar away. */
export function sign(signature: usize, seed: usize, key: usize, message: usize, length: i32): void {
  signPieces(signature, seed, key, message, length, 0, 0);
}

/** Signs first ‖ second without their lying next to each other; for the rest see sign. */
export function signPieces(
  signature: usize,
  seed: usize,
  key: usize,
  first: usize,
  firstLength: i32,
  second: usize,
  secondLength: i32,
): void {
  expand(seed);
  begin();
  update(SECRET + 32, 32);
  update(first, firstLength);
  update(second, secondLength);
  end(NONCE);
  reduce(NONCE, NONCE);
  multiplyBase(NONCE);
  encode(signature);
  challenge(signature, key, first, firstLength, second, secondLength);
  multiplyAdd(signature + 32, CHALLENGE, SECRET, NONCE);
  wipeAll();
}

/** Whether a signature of 64 bytes is that of `length` bytes under a public key of 32 bytes (§5.1.7), by the equation without cofactor:
 *  the encoding of S·B − k·A must be R, byte for byte. Stricter than the RFC: A and R of small order are refused, as S ≥ L and encodings
 *  that are not canonical are. The time depends on what is verified, which is public. */
export function verify(signature: usize, key: usize, message: usize, length: i32): bool {
  const genuine =
    isReduced(signature + 32) && decode(key) && !isSmallOrder() && matches(signature, key, message, length);
  wipeAll();
  return genuine;
}

/** The equation, for S below L and a good A in hand. */
function matches(signature: usize, key: usize, message: usize, length: i32): bool {
  challenge(signature, key, message, length, 0, 0);
  multiplyBaseLess(signature + 32, CHALLENGE);
  encode(EXPECTED);
  return equal(EXPECTED, signature, 32) && !isSmallOrder();
}
