/** One custody place, 128 bytes, twice: the root key and what the instance is. SPEC.md §3. Little-endian. */
export const CUSTODY_PLACE: i32 = 128;
export const CUSTODY_COPIES: i32 = 2;
export const CUSTODY_MAGIC: u32 = 0x4353424d; // "MBSC"
export const CUSTODY_OFF_MAGIC: i32 = 0; // u32
export const CUSTODY_OFF_VERSION: i32 = 4; // u8, FORMAT_VERSION
export const CUSTODY_OFF_KIND: i32 = 5; // u8, Custody
export const CUSTODY_OFF_CLASSES: i32 = 6; // u8, 1…CLASSES_MAX
export const CUSTODY_OFF_INSTANCE: i32 = 8; // 16 bytes, random
export const CUSTODY_OFF_ROOT: i32 = 24; // 32 bytes
export const CUSTODY_OFF_MANIFEST: i32 = 56; // 16 bytes, digest that the host named
export const CUSTODY_OFF_GEOMETRY: i32 = 72; // CLASSES_MAX × (u16 units per slot, u8 blocks, u8 zero)
export const CUSTODY_OFF_BOARD: i32 = 104; // 8 bytes: start of BLAKE3 of the unique id that it is for; zeros = any
export const CUSTODY_OFF_MAC: i32 = 112; // 16 bytes, keyed BLAKE3 over the first 112
export const GEOMETRY_SIZE: i32 = 4;

/** Where a root key comes from. */
export enum Custody {
  Device = 1,
  Injected = 2,
  Simulated = 3,
}
