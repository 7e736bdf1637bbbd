/** Copying, wiping and comparing bytes; the comparison is constant-time. */
import { declassify } from "./declassify";

/** Copies length bytes; the ranges must not overlap. */
export function copy(to: usize, from: usize, length: i32): void {
  memory.copy(to, from, length);
}

/** Overwrites length bytes with zeros. */
export function wipe(at: usize, length: i32): void {
  memory.fill(at, 0, length);
}

/** Whether two ranges hold the same bytes; time depends on length only. Most of what is compared are MACs of 16 bytes. */
export function equal(a: usize, b: usize, length: i32): bool {
  let difference: u64 = 0;
  let i = 0;
  for (; i <= length - 16; i += 16) {
    difference |= (load<u64>(a + i) ^ load<u64>(b + i)) | (load<u64>(a + i, 8) ^ load<u64>(b + i, 8));
  }
  for (; i <= length - 4; i += 4) difference |= load<u32>(a + i) ^ load<u32>(b + i);
  for (; i < length; i++) difference |= load<u8>(a + i) ^ load<u8>(b + i);
  return declassify(difference == 0);
}

/** Whether length bytes are all zero. */
export function isZero(at: usize, length: i32): bool {
  let any: u64 = 0;
  let i = 0;
  for (; i <= length - 8; i += 8) any |= load<u64>(at + i);
  for (; i < length; i++) any |= load<u8>(at + i);
  return declassify(any == 0);
}

/** Writes an ASCII text, which the compiler keeps as UTF-16. Returns its length. */
export function ascii(out: usize, text: string): i32 {
  const length = text.length;
  for (let i = 0; i < length; i++) store<u8>(out + i, load<u16>(changetype<usize>(text) + i * 2));
  return length;
}
