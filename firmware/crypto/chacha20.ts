/** ChaCha20 (RFC 8439 §2.3) and HChaCha20 (draft-irtf-cfrg-xchacha-03 §2.2). All words live in locals: in an interpreter a memory access
 *  costs twice an addition. Constant-time: additions, xors and rotations only. */
import { CHACHA, STREAM } from "../memory";
import { wipe } from "./bytes";

// CHACHA: key (32), block counter (4), nonce (12)
const COUNTER: usize = CHACHA + 32;
const NONCE: usize = CHACHA + 36;
export const STATE_SIZE: i32 = 48;
// "expand 32-byte k"
const C0: u32 = 0x61707865;
const C1: u32 = 0x3320646e;
const C2: u32 = 0x79622d32;
const C3: u32 = 0x6b206574;

/** Xors `count` blocks of 64 bytes at `data` with the key stream, and moves the counter on. The new value stands first in each operation:
 *  wasm3 still has it in its register then. Rotations go to the right, as Arm's do. */
function xorBlocks(data: usize, count: i32): void {
  if (count == 0) return;
  const s4 = load<u32>(CHACHA, 0);
  const s5 = load<u32>(CHACHA, 4);
  const s6 = load<u32>(CHACHA, 8);
  const s7 = load<u32>(CHACHA, 12);
  const s8 = load<u32>(CHACHA, 16);
  const s9 = load<u32>(CHACHA, 20);
  const s10 = load<u32>(CHACHA, 24);
  const s11 = load<u32>(CHACHA, 28);
  let s12 = load<u32>(CHACHA, 32);
  const s13 = load<u32>(CHACHA, 36);
  const s14 = load<u32>(CHACHA, 40);
  const s15 = load<u32>(CHACHA, 44);
  // what the first round makes of columns 1 to 3 is the same in all blocks: the counter stands in column 0
  let y1 = C1;
  let y5 = s5;
  let y9 = s9;
  let y13 = s13;
  let y2 = C2;
  let y6 = s6;
  let y10 = s10;
  let y14 = s14;
  let y3 = C3;
  let y7 = s7;
  let y11 = s11;
  let y15 = s15;
  y5 = rotr<u32>((y9 += y13 = rotr<u32>((y1 += y5) ^ y13, 16)) ^ y5, 20);
  y5 = rotr<u32>((y9 += y13 = rotr<u32>((y1 += y5) ^ y13, 24)) ^ y5, 25);
  y6 = rotr<u32>((y10 += y14 = rotr<u32>((y2 += y6) ^ y14, 16)) ^ y6, 20);
  y6 = rotr<u32>((y10 += y14 = rotr<u32>((y2 += y6) ^ y14, 24)) ^ y6, 25);
  y7 = rotr<u32>((y11 += y15 = rotr<u32>((y3 += y7) ^ y15, 16)) ^ y7, 20);
  y7 = rotr<u32>((y11 += y15 = rotr<u32>((y3 += y7) ^ y15, 24)) ^ y7, 25);
  const end = data + (count << 6);
  do {
    let x0 = C0;
    let x1 = y1;
    let x2 = y2;
    let x3 = y3;
    let x4 = s4;
    let x5 = y5;
    let x6 = y6;
    let x7 = y7;
    let x8 = s8;
    let x9 = y9;
    let x10 = y10;
    let x11 = y11;
    let x12 = s12;
    let x13 = y13;
    let x14 = y14;
    let x15 = y15;
    x4 = rotr<u32>((x8 += x12 = rotr<u32>((x0 += x4) ^ x12, 16)) ^ x4, 20);
    x4 = rotr<u32>((x8 += x12 = rotr<u32>((x0 += x4) ^ x12, 24)) ^ x4, 25);
    for (let round = 10; ; ) {
      x5 = rotr<u32>((x10 += x15 = rotr<u32>((x0 += x5) ^ x15, 16)) ^ x5, 20);
      x5 = rotr<u32>((x10 += x15 = rotr<u32>((x0 += x5) ^ x15, 24)) ^ x5, 25);
      x6 = rotr<u32>((x11 += x12 = rotr<u32>((x1 += x6) ^ x12, 16)) ^ x6, 20);
      x6 = rotr<u32>((x11 += x12 = rotr<u32>((x1 += x6) ^ x12, 24)) ^ x6, 25);
      x7 = rotr<u32>((x8 += x13 = rotr<u32>((x2 += x7) ^ x13, 16)) ^ x7, 20);
      x7 = rotr<u32>((x8 += x13 = rotr<u32>((x2 += x7) ^ x13, 24)) ^ x7, 25);
      x4 = rotr<u32>((x9 += x14 = rotr<u32>((x3 += x4) ^ x14, 16)) ^ x4, 20);
      x4 = rotr<u32>((x9 += x14 = rotr<u32>((x3 += x4) ^ x14, 24)) ^ x4, 25);
      if (--round == 0) break;
      x4 = rotr<u32>((x8 += x12 = rotr<u32>((x0 += x4) ^ x12, 16)) ^ x4, 20);
      x4 = rotr<u32>((x8 += x12 = rotr<u32>((x0 += x4) ^ x12, 24)) ^ x4, 25);
      x5 = rotr<u32>((x9 += x13 = rotr<u32>((x1 += x5) ^ x13, 16)) ^ x5, 20);
      x5 = rotr<u32>((x9 += x13 = rotr<u32>((x1 += x5) ^ x13, 24)) ^ x5, 25);
      x6 = rotr<u32>((x10 += x14 = rotr<u32>((x2 += x6) ^ x14, 16)) ^ x6, 20);
      x6 = rotr<u32>((x10 += x14 = rotr<u32>((x2 += x6) ^ x14, 24)) ^ x6, 25);
      x7 = rotr<u32>((x11 += x15 = rotr<u32>((x3 += x7) ^ x15, 16)) ^ x7, 20);
      x7 = rotr<u32>((x11 += x15 = rotr<u32>((x3 += x7) ^ x15, 24)) ^ x7, 25);
    }
    // the highest first: whoever compiles this to machine code checks the bounds once
    store<u32>(data, (x15 + s15) ^ load<u32>(data, 60), 60);
    store<u32>(data, (x14 + s14) ^ load<u32>(data, 56), 56);
    store<u32>(data, (x13 + s13) ^ load<u32>(data, 52), 52);
    store<u32>(data, (x12 + s12) ^ load<u32>(data, 48), 48);
    store<u32>(data, (x11 + s11) ^ load<u32>(data, 44), 44);
    store<u32>(data, (x10 + s10) ^ load<u32>(data, 40), 40);
    store<u32>(data, (x9 + s9) ^ load<u32>(data, 36), 36);
    store<u32>(data, (x8 + s8) ^ load<u32>(data, 32), 32);
    store<u32>(data, (x7 + s7) ^ load<u32>(data, 28), 28);
    store<u32>(data, (x6 + s6) ^ load<u32>(data, 24), 24);
    store<u32>(data, (x5 + s5) ^ load<u32>(data, 20), 20);
    store<u32>(data, (x4 + s4) ^ load<u32>(data, 16), 16);
    store<u32>(data, (x3 + C3) ^ load<u32>(data, 12), 12);
    store<u32>(data, (x2 + C2) ^ load<u32>(data, 8), 8);
    store<u32>(data, (x1 + C1) ^ load<u32>(data, 4), 4);
    store<u32>(data, (x0 + C0) ^ load<u32>(data));
    s12++;
    data += 64;
  } while (data != end);
  store<u32>(COUNTER, s12);
}

/** Sets key (32 bytes), block counter and nonce (12 bytes). */
export function begin(key: usize, counter: u32, nonce: usize): void {
  memory.copy(CHACHA, key, 32);
  store<u32>(COUNTER, counter);
  memory.copy(NONCE, nonce, 12);
}

/** Writes the next 64 bytes of key stream to STREAM. */
export function nextBlock(): void {
  wipe(STREAM, 64);
  xorBlocks(STREAM, 1);
}

/** Xors `length` bytes at `data` with the key stream that begin() set up, in place. */
export function xor(data: usize, length: i32): void {
  xorBlocks(data, length >> 6);
  const rest = length & 63;
  if (rest == 0) return;
  data += length - rest;
  memory.copy(STREAM, data, rest);
  xorBlocks(STREAM, 1); // with what stands behind them as well
  memory.copy(data, STREAM, rest);
}

/** Clears state and key stream. */
export function end(): void {
  wipe(CHACHA, STATE_SIZE + 64);
}

/** Keeps at `state` (STATE_SIZE bytes) where the key stream stands, and clears it here. */
export function suspend(state: usize): void {
  memory.copy(state, CHACHA, STATE_SIZE);
  end();
}

/** Goes on with a key stream that was suspended, at the block after the last. */
export function resume(state: usize): void {
  memory.copy(CHACHA, state, STATE_SIZE);
}

/** HChaCha20: 32-byte subkey from key (32 bytes) and the first 16 bytes of the nonce: a block without what is added to it at the end. */
export function hchacha(out: usize, key: usize, nonce: usize): void {
  begin(key, load<u32>(nonce), nonce + 4);
  nextBlock();
  store<u32>(out, load<u32>(STREAM) - C0);
  store<u32>(out, load<u32>(STREAM, 4) - C1, 4);
  store<u32>(out, load<u32>(STREAM, 8) - C2, 8);
  store<u32>(out, load<u32>(STREAM, 12) - C3, 12);
  for (let i: usize = 0; i < 16; i += 4) store<u32>(out + i, load<u32>(STREAM + i, 48) - load<u32>(nonce + i), 16);
}
