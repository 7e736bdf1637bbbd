/** The core's cryptography behind the core's own three exports, so that the bench can put this module into the firmware in the place
 *  of core.wasm: the same interpreter and board, another module. Three received bytes are one operation: its number, u16 length. */
import { hash as blake3 } from "../../firmware/crypto/blake3";
import { hash as sha256 } from "../../firmware/crypto/sha256";
import { begin, end, update } from "../../firmware/crypto/sha512";
import { open, seal } from "../../firmware/crypto/xchacha20poly1305";
import { MESSAGE, RX, TX, VAULT } from "../../firmware/memory";

const NOTHING: u32 = 0;
const SEAL: u32 = 1;
const OPEN: u32 = 2;
const BLAKE3: u32 = 3;
const SHA256: u32 = 4;
const SHA512: u32 = 5;

// a message of 32 KB reaches over the regions of commands and store, which nothing here uses, as far as HANDLES
const KEY: usize = VAULT; // 32, then 24 bytes of nonce; whatever is there
const NONCE: usize = VAULT + 32;
const AAD: usize = VAULT + 64;
const AAD_LENGTH: i32 = 96; // as much as a record's seal covers
const REQUEST: usize = VAULT + 192;

let received: usize = 0;

export function start(mode: i32, trapCode: i32): i32 {
  return 0;
}

/** Answers one byte: 1 = done, 0 = the seal did not open. */
export function take(n: i32): i32 {
  memory.copy(REQUEST + received, RX, n);
  received += n;
  if (received < 3) return 0;
  received = 0;
  const operation: u32 = load<u8>(REQUEST);
  const length: i32 = load<u16>(REQUEST, 1);
  let done = true;
  if (operation == SEAL) seal(KEY, NONCE, AAD, AAD_LENGTH, MESSAGE, length, TX + 16);
  else if (operation == OPEN) done = open(KEY, NONCE, AAD, AAD_LENGTH, MESSAGE, length, TX + 16);
  else if (operation == BLAKE3) blake3(TX + 16, MESSAGE, length);
  else if (operation == SHA256) sha256(TX + 16, MESSAGE, length);
  else if (operation == SHA512) {
    begin();
    update(MESSAGE, length);
    end(TX + 16);
  } else done = operation == NOTHING;
  store<u8>(TX, done ? 1 : 0);
  return 1;
}

export function give(): i32 {
  return 0;
}
