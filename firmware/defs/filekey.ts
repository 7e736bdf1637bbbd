/** Filekeys: what the record of one holds, and the sealed container of a Delta. SPEC.md §16. */

/** Content of a filekey's record: a head, then its Deltas by sequence. */
export const FILEKEY_OFF_FLAGS: i32 = 0; // u8, FILEKEY_…
export const FILEKEY_OFF_ID: i32 = 8; // 16 random bytes: the filekey, on every device that has it
export const FILEKEY_OFF_ALPHA: i32 = 24; // 32 random bytes: seals Deltas, nothing else
export const FILEKEY_OFF_CAPACITY: i32 = 56; // i64, positions of each Delta
export const FILEKEY_HEAD: i32 = 64;
export const FILEKEY_AUTHORITY: i32 = 1; // this device hands out its positions
export const FILEKEY_DELETED: i32 = 2; // what is left of a filekey: no Alpha, no Delta

/** A Delta in a filekey's record. The first one has sequence 1; the Alpha is sequence 0. */
export const DELTA_OFF_ID: i32 = 0; // 16 bytes
export const DELTA_OFF_SECRET: i32 = 16; // 32 random bytes
export const DELTA_OFF_START: i32 = 48; // i64, its first position
export const DELTA_OFF_END: i32 = 56; // i64, its last position
export const DELTA_SIZE: i32 = 64;

/** A Delta in the list that a device answers: id, start, end. */
export const LISTED_DELTA: i32 = 32;

/** How fast positions are handed out: so many requests at once, and one more each REFILL_S. No operator can wear out the data flash. */
export const BUCKET: i32 = 256;
export const REFILL_S: i32 = 120;

/** A sealed Delta, as it leaves the device: a head in clear, the sealed secret, a tag over both. */
export const SEALED_DELTA_OFF_MAGIC: i32 = 0; // u32
export const SEALED_DELTA_OFF_VERSION: i32 = 4; // u32, SEALED_DELTA_VERSION
export const SEALED_DELTA_OFF_KEY: i32 = 8; // 16 bytes, id of the filekey
export const SEALED_DELTA_OFF_ID: i32 = 24; // 16 bytes, id of the Delta
export const SEALED_DELTA_OFF_SEQUENCE: i32 = 40; // u64
export const SEALED_DELTA_OFF_START: i32 = 48; // i64
export const SEALED_DELTA_OFF_END: i32 = 56; // i64
export const SEALED_DELTA_OFF_SECRET: i32 = 64; // 32 bytes
export const SEALED_DELTA_OFF_TAG: i32 = 96; // 16 bytes
export const SEALED_DELTA: i32 = 112;
export const SEALED_DELTA_MAGIC: u32 = 0x4453424d; // "MBSD"
export const SEALED_DELTA_VERSION: i32 = 1; // raised when a byte changes meaning
