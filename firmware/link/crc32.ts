/** CRC-32 of IEEE 802.3, reflected: the frame check of the link. Not a cryptographic check. */
import { CRC_TABLE } from "../memory";

const POLYNOMIAL: u32 = 0xedb88320;

/** Value to start from. A finished CRC is the complement of the running value. */
export const CRC_START: u32 = 0xffffffff;
/** Running value after a frame and its own CRC: the residue that a good frame leaves. */
export const CRC_RESIDUE: u32 = 0xdebb20e3;

/** Fills the table: what eight zero bits behind each byte do. */
export function makeTable(): void {
  store<u32>(CRC_TABLE, 0);
  let crc: u32 = 1;
  for (let i: usize = 128; i > 0; i >>= 1) {
    crc = (crc >>> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
    // the CRC is linear: an entry is the xor of those of its bits
    for (let j: usize = 0; j < 256; j += 2 * i) store<u32>(CRC_TABLE + (i + j) * 4, crc ^ load<u32>(CRC_TABLE + j * 4));
  }
}

/** The running value after one more byte. */
export function crcStep(crc: u32, byte: u32): u32 {
  return (crc >>> 8) ^ load<u32>(CRC_TABLE + (((crc ^ byte) & 255) << 2));
}
