/** ChaCha20 (RFC 8439 §2.3) and HChaCha20 (draft-irtf-cfrg-xchacha-03 §2.2). State words live in locals: in an interpreter
 *  a memory access costs twice an addition. Constant-time: additions, xors and rotations only. */
import { CHACHA, STREAM } from "../memory";
import { wipe } from "./bytes";

/** The 20 rounds over 16 words at `from`, without the final addition, to `to`. */
function permute(to: usize, from: usize): void {
  let x0 = load<u32>(from, 0);
  let x1 = load<u32>(from, 4);
  let x2 = load<u32>(from, 8);
  let x3 = load<u32>(from, 12);
  let x4 = load<u32>(from, 16);
  let x5 = load<u32>(from, 20);
  let x6 = load<u32>(from, 24);
  let x7 = load<u32>(from, 28);
  let x8 = load<u32>(from, 32);
  let x9 = load<u32>(from, 36);
  let x10 = load<u32>(from, 40);
  let x11 = load<u32>(from, 44);
  let x12 = load<u32>(from, 48);
  let x13 = load<u32>(from, 52);
  let x14 = load<u32>(from, 56);
  let x15 = load<u32>(from, 60);
  for (let round = 0; round < 10; round++) {
    x0 += x4;
    x12 = rotl<u32>(x12 ^ x0, 16);
    x8 += x12;
    x4 = rotl<u32>(x4 ^ x8, 12);
    x0 += x4;
    x12 = rotl<u32>(x12 ^ x0, 8);
    x8 += x12;
    x4 = rotl<u32>(x4 ^ x8, 7);
    x1 += x5;
    x13 = rotl<u32>(x13 ^ x1, 16);
    x9 += x13;
    x5 = rotl<u32>(x5 ^ x9, 12);
    x1 += x5;
    x13 = rotl<u32>(x13 ^ x1, 8);
    x9 += x13;
    x5 = rotl<u32>(x5 ^ x9, 7);
    x2 += x6;
    x14 = rotl<u32>(x14 ^ x2, 16);
    x10 += x14;
    x6 = rotl<u32>(x6 ^ x10, 12);
    x2 += x6;
    x14 = rotl<u32>(x14 ^ x2, 8);
    x10 += x14;
    x6 = rotl<u32>(x6 ^ x10, 7);
    x3 += x7;
    x15 = rotl<u32>(x15 ^ x3, 16);
    x11 += x15;
    x7 = rotl<u32>(x7 ^ x11, 12);
    x3 += x7;
    x15 = rotl<u32>(x15 ^ x3, 8);
    x11 += x15;
    x7 = rotl<u32>(x7 ^ x11, 7);
    x0 += x5;
    x15 = rotl<u32>(x15 ^ x0, 16);
    x10 += x15;
    x5 = rotl<u32>(x5 ^ x10, 12);
    x0 += x5;
    x15 = rotl<u32>(x15 ^ x0, 8);
    x10 += x15;
    x5 = rotl<u32>(x5 ^ x10, 7);
    x1 += x6;
    x12 = rotl<u32>(x12 ^ x1, 16);
    x11 += x12;
    x6 = rotl<u32>(x6 ^ x11, 12);
    x1 += x6;
    x12 = rotl<u32>(x12 ^ x1, 8);
    x11 += x12;
    x6 = rotl<u32>(x6 ^ x11, 7);
    x2 += x7;
    x13 = rotl<u32>(x13 ^ x2, 16);
    x8 += x13;
    x7 = rotl<u32>(x7 ^ x8, 12);
    x2 += x7;
    x13 = rotl<u32>(x13 ^ x2, 8);
    x8 += x13;
    x7 = rotl<u32>(x7 ^ x8, 7);
    x3 += x4;
    x14 = rotl<u32>(x14 ^ x3, 16);
    x9 += x14;
    x4 = rotl<u32>(x4 ^ x9, 12);
    x3 += x4;
    x14 = rotl<u32>(x14 ^ x3, 8);
    x9 += x14;
    x4 = rotl<u32>(x4 ^ x9, 7);
  }
  store<u32>(to, x0, 0);
  store<u32>(to, x1, 4);
  store<u32>(to, x2, 8);
  store<u32>(to, x3, 12);
  store<u32>(to, x4, 16);
  store<u32>(to, x5, 20);
  store<u32>(to, x6, 24);
  store<u32>(to, x7, 28);
  store<u32>(to, x8, 32);
  store<u32>(to, x9, 36);
  store<u32>(to, x10, 40);
  store<u32>(to, x11, 44);
  store<u32>(to, x12, 48);
  store<u32>(to, x13, 52);
  store<u32>(to, x14, 56);
  store<u32>(to, x15, 60);
}

/** Sets constants, key (32 bytes), block counter and nonce (12 bytes) as RFC 8439 §2.3 lays them out. */
export function begin(key: usize, counter: u32, nonce: usize): void {
  store<u64>(CHACHA, 0x3320646e61707865, 0); // "expand 32-byte k"
  store<u64>(CHACHA, 0x6b20657479622d32, 8);
  memory.copy(CHACHA + 16, key, 32);
  store<u32>(CHACHA, counter, 48);
  memory.copy(CHACHA + 52, nonce, 12);
}

/** Writes the next 64 bytes of key stream to STREAM. */
export function nextBlock(): void {
  permute(STREAM, CHACHA);
  for (let i: usize = 0; i < 64; i += 4) store<u32>(STREAM + i, load<u32>(STREAM + i) + load<u32>(CHACHA + i));
  store<u32>(CHACHA, load<u32>(CHACHA, 48) + 1, 48);
}

/** One whole block of data: the xor and the final addition in one pass. */
function xorBlock(data: usize): void {
  permute(STREAM, CHACHA);
  store<u32>(data, load<u32>(data, 0) ^ (load<u32>(STREAM) + load<u32>(CHACHA)), 0);
  store<u32>(data, load<u32>(data, 4) ^ (load<u32>(STREAM + 4) + load<u32>(CHACHA + 4)), 4);
  store<u32>(data, load<u32>(data, 8) ^ (load<u32>(STREAM + 8) + load<u32>(CHACHA + 8)), 8);
  store<u32>(data, load<u32>(data, 12) ^ (load<u32>(STREAM + 12) + load<u32>(CHACHA + 12)), 12);
  store<u32>(data, load<u32>(data, 16) ^ (load<u32>(STREAM + 16) + load<u32>(CHACHA + 16)), 16);
  store<u32>(data, load<u32>(data, 20) ^ (load<u32>(STREAM + 20) + load<u32>(CHACHA + 20)), 20);
  store<u32>(data, load<u32>(data, 24) ^ (load<u32>(STREAM + 24) + load<u32>(CHACHA + 24)), 24);
  store<u32>(data, load<u32>(data, 28) ^ (load<u32>(STREAM + 28) + load<u32>(CHACHA + 28)), 28);
  store<u32>(data, load<u32>(data, 32) ^ (load<u32>(STREAM + 32) + load<u32>(CHACHA + 32)), 32);
  store<u32>(data, load<u32>(data, 36) ^ (load<u32>(STREAM + 36) + load<u32>(CHACHA + 36)), 36);
  store<u32>(data, load<u32>(data, 40) ^ (load<u32>(STREAM + 40) + load<u32>(CHACHA + 40)), 40);
  store<u32>(data, load<u32>(data, 44) ^ (load<u32>(STREAM + 44) + load<u32>(CHACHA + 44)), 44);
  store<u32>(data, load<u32>(data, 48) ^ (load<u32>(STREAM + 48) + load<u32>(CHACHA + 48)), 48);
  store<u32>(data, load<u32>(data, 52) ^ (load<u32>(STREAM + 52) + load<u32>(CHACHA + 52)), 52);
  store<u32>(data, load<u32>(data, 56) ^ (load<u32>(STREAM + 56) + load<u32>(CHACHA + 56)), 56);
  store<u32>(data, load<u32>(data, 60) ^ (load<u32>(STREAM + 60) + load<u32>(CHACHA + 60)), 60);
  store<u32>(CHACHA, load<u32>(CHACHA, 48) + 1, 48);
}

/** Xors `length` bytes at `data` with the key stream that begin() set up, in place. */
export function xor(data: usize, length: i32): void {
  while (length >= 64) {
    xorBlock(data);
    data += 64;
    length -= 64;
  }
  if (length > 0) {
    nextBlock();
    for (let i = 0; i < length; i++) store<u8>(data + i, load<u8>(data + i) ^ load<u8>(STREAM + i));
  }
}

/** Clears state and key stream. */
export function end(): void {
  wipe(CHACHA, 128);
}

/** HChaCha20: 32-byte subkey from key (32 bytes) and the first 16 bytes of the nonce. */
export function hchacha(out: usize, key: usize, nonce: usize): void {
  begin(key, 0, nonce);
  memory.copy(CHACHA + 48, nonce, 16);
  permute(STREAM, CHACHA);
  memory.copy(out, STREAM, 16);
  memory.copy(out + 16, STREAM + 48, 16);
}
