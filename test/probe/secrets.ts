/** Examples for the check of secrets, as AssemblyScript: never part of an ELF of the product. build.ts makes build/secrets.wasm of it. Functions
 *  that begin with `leak` must be refused when they are the only root, those that begin with `keep` accepted: test/prove/examples.test.ts. */
import * as board from "../../firmware/board";

const DECLASSIFIED: usize = 512;
const REVEALED: usize = 516;
const OPEN: usize = 1024; // 1,024 bytes, public
const SECRET: usize = 2048; // 2,048 bytes

function declassify(value: i32): i32 {
  store<i32>(DECLASSIFIED, value);
  return load<i32>(DECLASSIFIED);
}
function reveal(at: usize): usize {
  store<usize>(REVEALED, at);
  return load<usize>(REVEALED);
}

let kept: i32 = 0;

// ---- leaks

export function leakByEarlyExit(): i32 {
  for (let i = 0; i < 16; i++) if (load<u8>(SECRET + i) != load<u8>(SECRET + i, 16)) return 0;
  return 1;
}
export function leakByTable(): void {
  store<u8>(SECRET, load<u8>(OPEN + <usize>load<u8>(SECRET)));
}
export function leakByPlace(): void {
  store<u8>(SECRET + <usize>load<u8>(SECRET, 1), 1);
}
export function leakByBit(): void {
  let bits = load<u32>(SECRET);
  for (let i = 0; i < 32; i++) {
    if ((bits & 1) != 0) store<u32>(SECRET, load<u32>(SECRET, 4) * 3, 4);
    bits >>= 1;
  }
}
export function leakByCount(): i32 {
  let n = 0;
  for (let bits = load<u32>(SECRET); bits != 0; bits >>= 1) n++;
  store<i32>(SECRET, n);
  return 0;
}
export function leakByQuotient(): void {
  store<u32>(SECRET, load<u32>(SECRET) / 1000003);
}
export function leakByRemainder(): void {
  store<i64>(SECRET, load<i64>(SECRET) % 1000003);
}
export function leakBySelect(): void {
  const a = load<u64>(SECRET, 8) * 3;
  const b = load<u64>(SECRET, 16) + 5;
  store<u64>(SECRET, (load<u32>(SECRET) & 1) != 0 ? a : b);
}
/** The optimiser makes one load of two, from an address that it selects. */
export function leakByOptimiser(): void {
  store<u64>(SECRET, (load<u32>(SECRET) & 1) != 0 ? load<u64>(SECRET, 8) : load<u64>(SECRET, 16));
}
export function leakByClz(): void {
  store<i32>(SECRET, clz(load<i32>(SECRET)));
}
export function leakByCtz(): void {
  store<i64>(SECRET, ctz(load<i64>(SECRET)));
}
export function leakByPopcnt(): void {
  store<i32>(SECRET, popcnt(load<i32>(SECRET)));
}
export function leakByLength(): void {
  memory.copy(SECRET + 256, SECRET, load<u8>(SECRET));
}
export function leakByFill(): void {
  memory.fill(SECRET, 0, load<u8>(SECRET));
}
export function leakByGlobal(): void {
  kept = load<i32>(SECRET);
  useKept();
}
function useKept(): void {
  if ((kept & 1) != 0) store<u32>(SECRET, 7);
}
export function leakThroughMemory(): void {
  for (let i: usize = 0; i < 64; i += 4) store<u32>(SECRET + i, load<u32>(SECRET + i) ^ load<u32>(SECRET + i, 64), 128);
  look(SECRET + 128);
}
function look(at: usize): void {
  for (let i: usize = 0; i < 64; i += 4) if (load<u32>(at + i) == 0) store<u32>(at + i, 1);
}
export function leakThroughResult(): void {
  if (mixed(SECRET) != mixed(SECRET + 64)) store<u32>(OPEN, 1);
}
function mixed(at: usize): u32 {
  let sum: u32 = 0;
  for (let i: usize = 0; i < 64; i += 4) sum = rotl(sum, 5) ^ load<u32>(at + i);
  return sum;
}
export function leakByStore(): void {
  store<u32>(OPEN, load<u32>(SECRET));
}
export function leakByCopy(): void {
  memory.copy(OPEN, SECRET, 16);
}
export function leakToAnywhere(at: usize): void {
  store<u32>(at, load<u32>(SECRET));
}
export function leakByArgument(): void {
  board.diag(load<i32>(SECRET));
}
export function leakBySending(): void {
  board.program(0, 0, SECRET, 16);
}
export function leakByDrawing(): void {
  board.entropy(OPEN, 16);
}
export function leakBySwitch(): void {
  switch (load<u8>(SECRET)) {
    case 0:
      store<u32>(OPEN, 5);
      break;
    case 1:
      store<u32>(OPEN + 4, 6);
      break;
    case 2:
      store<u32>(OPEN + 8, 7);
      break;
    case 3:
      store<u32>(OPEN + 16, 8);
      break;
  }
}
export function leakOfParameter(secret: i32): void {
  if (secret > 3) store<u32>(OPEN, 1);
}
export function leakBehindDeclassified(): void {
  if (declassify(load<i32>(SECRET) & 1) != 0 && load<i32>(SECRET, 4) != 0) store<u32>(OPEN, 1);
}
export function leakInCarry(): void {
  const a = load<u64>(SECRET);
  const sum = a + load<u64>(SECRET, 8);
  let high = load<u64>(SECRET, 16);
  if (sum < a) high += load<u64>(SECRET, 24) * 3;
  store<u64>(SECRET, high);
}
export function leakBesideTheRevealed(): i32 {
  const open = reveal(SECRET);
  return load<u8>(open) + load<u8>(SECRET, 1) > 3 ? load<u8>(OPEN) : 1;
}

// ---- what is well

export function keepComparing(): i32 {
  let difference: u64 = 0;
  for (let i = 0; i < 16; i += 8) difference |= load<u64>(SECRET + i) ^ load<u64>(SECRET + i, 16);
  if (declassify(i32(difference == 0)) == 0) return 0;
  memory.copy(SECRET + 64, SECRET, 16);
  return 1;
}
export function keepChoosing(): void {
  const mask: u64 = 0 - (load<u64>(SECRET) & 1);
  store<u64>(SECRET, (load<u64>(SECRET, 8) & mask) | (load<u64>(SECRET, 16) & ~mask), 24);
}
export function keepSelecting(): void {
  store<u32>(SECRET, select<u32>(load<u32>(SECRET, 8), load<u32>(SECRET, 16), (load<u32>(SECRET) & 1) != 0));
}
export function keepSwapping(): void {
  const mask: u64 = 0 - (load<u64>(SECRET) & 1);
  for (let i: usize = 0; i < 64; i += 8) {
    const x = load<u64>(SECRET + i, 64);
    const y = load<u64>(SECRET + i, 128);
    const changes = (x ^ y) & mask;
    store<u64>(SECRET + i, x ^ changes, 64);
    store<u64>(SECRET + i, y ^ changes, 128);
  }
}
export function keepScanning(): void {
  const wanted: u32 = load<u8>(SECRET);
  let found: u32 = 0;
  for (let i: u32 = 0; i < 256; i++) found |= load<u8>(OPEN + i) & (((i ^ wanted) - 1) >> 31);
  store<u8>(SECRET, found);
}
export function keepToPublicLengths(): i32 {
  const length = load<i32>(OPEN) & 255;
  let sum: u32 = 0;
  for (let i = 0; i < length; i++) sum += load<u8>(SECRET + i);
  store<u32>(SECRET, sum);
  memory.copy(SECRET + 256, SECRET, length);
  return length / 3;
}
export function keepCarrying(): void {
  const a = load<u64>(SECRET);
  const sum = a + load<u64>(SECRET, 8);
  store<u64>(SECRET, sum);
  store<u64>(SECRET, load<u64>(SECRET, 16) + u64(sum < a), 16);
}
export function keepRotating(): void {
  store<u32>(SECRET, rotl(load<u32>(SECRET), load<u32>(SECRET, 4)) * load<u32>(SECRET, 8));
}
export function keepBranchingOnOpenBytes(): i32 {
  if (load<u8>(OPEN) == 3) store<u32>(OPEN, load<u32>(OPEN, 4) / 7, 8);
  return popcnt(load<i32>(OPEN));
}
export function keepPublishing(): i32 {
  const open = reveal(SECRET);
  memory.copy(OPEN, open, 16);
  return load<u8>(open) > 3 ? 2 : 1;
}
export function keepDrawing(): void {
  board.entropy(SECRET, 16);
  board.program(0, 0, OPEN, 16);
  board.diag(load<i32>(OPEN));
}
export function keepParameter(open: i32, secret: i32): void {
  if (open > 3) store<i32>(SECRET, secret);
}
