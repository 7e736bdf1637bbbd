/** Copying, wiping and comparing bytes; the comparison is constant-time. */

/** Copies length bytes; the ranges must not overlap. */
export function copy(to: usize, from: usize, length: i32): void {
  memory.copy(to, from, length);
}

/** Overwrites length bytes with zeros. */
export function wipe(at: usize, length: i32): void {
  memory.fill(at, 0, length);
}

/** Whether two ranges hold the same bytes; time depends on length only. */
export function equal(a: usize, b: usize, length: i32): bool {
  let difference: u32 = 0;
  for (let i = 0; i < length; i++) difference |= load<u8>(a + i) ^ load<u8>(b + i);
  return difference == 0;
}

/** Whether length bytes are all zero. */
export function isZero(at: usize, length: i32): bool {
  let any: u32 = 0;
  for (let i = 0; i < length; i++) any |= load<u8>(at + i);
  return any == 0;
}
