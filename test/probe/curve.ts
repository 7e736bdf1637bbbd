/** X25519, Ed25519 and SHA-512, which nothing in the core uses yet, for tests: build/curve.wasm, see probe.ts. With the core's own three
 *  exports, so that the module can stand in the firmware in the place of core.wasm: one received byte is one operation. */
import { publicKey, sign, verify } from "../../firmware/crypto/ed25519";
import { begin, end, update } from "../../firmware/crypto/sha512";
import { x25519, x25519Base } from "../../firmware/crypto/x25519";
import { MESSAGE, RX, TX, VAULT } from "../../firmware/memory";

export { publicKey, sign, signPieces, verify } from "../../firmware/crypto/ed25519";
export {
  add,
  addSubtract,
  fromBytes,
  invert,
  multiply,
  rootPower,
  scaledDifference,
  square,
  subtract,
  toBytes,
} from "../../firmware/crypto/field25519";
export { isReduced, multiplyAdd, reduce } from "../../firmware/crypto/scalar25519";
export { begin as sha512Begin, end as sha512End, update as sha512Update } from "../../firmware/crypto/sha512";
export { x25519, x25519Base } from "../../firmware/crypto/x25519";

const SHARED: u32 = 1;
const BASE: u32 = 2;
const PUBLIC: u32 = 3;
const SIGN: u32 = 4;
const VERIFY: u32 = 5;
const HASH: u32 = 6; // 1,024 bytes

const KEY: usize = VAULT; // whatever is there
const OUT: usize = VAULT + 64;
const SIGNATURE: usize = VAULT + 128;

export function start(mode: i32, trapCode: i32): i32 {
  return 0;
}

/** Answers one byte: 1 = done, 0 = refused. Messages have 64 bytes. */
export function take(n: i32): i32 {
  if (n == 0) return 0;
  const operation: u32 = load<u8>(RX);
  let done = true;
  store<u8>(KEY, 9);
  if (operation == SHARED) done = x25519(OUT, KEY, KEY);
  else if (operation == BASE) x25519Base(OUT, KEY);
  else if (operation == PUBLIC) publicKey(OUT, KEY);
  else if (operation == SIGN) sign(SIGNATURE, KEY, OUT, MESSAGE, 64);
  else if (operation == VERIFY) done = verify(SIGNATURE, OUT, MESSAGE, 64);
  else if (operation == HASH) {
    begin();
    update(MESSAGE, 1024);
    end(SIGNATURE);
  }
  store<u8>(TX, done ? 1 : 0);
  return 1;
}

export function give(): i32 {
  return 0;
}
