/** CRC-32 of IEEE 802.3, reflected, four bits at a time: the frame check of the link. Not a cryptographic check. */
const TABLE: usize = memory.data<u32>([
  0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320,
  0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
]);

/** Value to start from. A finished CRC is the complement of the running value. */
export const CRC_START: u32 = 0xffffffff;
/** Running value after a frame and its own CRC: the residue that a good frame leaves. */
export const CRC_RESIDUE: u32 = 0xdebb20e3;

/** The running value after one more byte. */
export function crcStep(crc: u32, byte: u32): u32 {
  crc ^= byte;
  crc = (crc >>> 4) ^ load<u32>(TABLE + ((crc & 15) << 2));
  return (crc >>> 4) ^ load<u32>(TABLE + ((crc & 15) << 2));
}
