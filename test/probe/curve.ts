/** X25519, Ed25519 and SHA-512 for tests and bench: build/curve.wasm, see probe.ts. With the core's own three
 *  exports, so that the module can stand in the firmware in the place of core.wasm: one received byte is one operation. */
import { publicKey, sign, verify } from "../../firmware/crypto/ed25519";
import { begin, end, update } from "../../firmware/crypto/sha512";
import { x25519, x25519Base } from "../../firmware/crypto/x25519";
import { MESSAGE, RX, TX, VAULT } from "../../firmware/memory";

export { COMB } from "../../firmware/crypto/comb25519";
export { publicKey, sign, signPieces, verify } from "../../firmware/crypto/ed25519";
export { decode, encode, wipePoint } from "../../firmware/crypto/edwards25519";
export {
  add,
  addSubtract,
  fromBytes,
  multiply,
  scaledDifference,
  square,
  subtract,
  toBytes,
} from "../../firmware/crypto/field25519";
export { invert, rootPower } from "../../firmware/crypto/power25519";
export { isReduced, multiplyAdd, reduce } from "../../firmware/crypto/scalar25519";
export { begin as sha512Begin, end as sha512End, update as sha512Update } from "../../firmware/crypto/sha512";
export { x25519, x25519Base } from "../../firmware/crypto/x25519";
export { MEMORY_USED, MESSAGE, STATIC_BASE } from "../../firmware/memory";

const VEIL: u8 = 0xa5;
const NOTHING: u32 = 0;
const SHARED: u32 = 1;
const BASE: u32 = 2;
const PUBLIC: u32 = 3;
const SIGN: u32 = 4;
const VERIFY: u32 = 5;
const HASH: u32 = 6;

const REQUEST: usize = VAULT; // as far as it has come
const SECRET: usize = VAULT + 32; // the second byte of the request XOR VEIL, 32 times
const POINT: usize = VAULT + 64; // u = 9, and what the operations make of it
const KEY: usize = VAULT + 96;
const SIGNATURE: usize = VAULT + 128;
const LENGTH: i32 = 64; // of what is signed and verified

let received: usize = 0;

export function start(mode: i32, trapCode: i32): i32 {
  store<u8>(POINT, 9);
  return 0;
}

/** Two received bytes are one operation: its number, and the secret's bytes XOR VEIL: a zero ends a frame, and the board hands it over alone. Answers one byte: 1 = done, 0 = refused. A verify is that
 *  of the signature made last. */
export function take(n: i32): i32 {
  memory.copy(REQUEST + received, RX, n);
  received += n;
  if (received < 2) return 0;
  received = 0;
  const operation: u32 = load<u8>(REQUEST);
  memory.fill(SECRET, load<u8>(REQUEST, 1) ^ VEIL, 32);
  let done = true;
  if (operation == SHARED) done = x25519(POINT, SECRET, POINT);
  else if (operation == BASE) x25519Base(POINT, SECRET);
  else if (operation == PUBLIC) publicKey(KEY, SECRET);
  else if (operation == SIGN) sign(SIGNATURE, SECRET, KEY, MESSAGE, LENGTH);
  else if (operation == VERIFY) done = verify(SIGNATURE, KEY, MESSAGE, LENGTH);
  else if (operation == HASH) {
    begin();
    update(MESSAGE, LENGTH);
    end(MESSAGE + LENGTH);
  } else done = operation == NOTHING;
  store<u8>(TX, done ? 1 : 0);
  return 1;
}

export function give(): i32 {
  return 0;
}
