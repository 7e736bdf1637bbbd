/** One slot: a header unit, programmed last, then label and sealed body. SPEC.md §4. Little-endian. */
export const FORMAT_VERSION: i32 = 1; // raised when a byte on the medium changes meaning; 0 carried no promise
export const HEADER_MAGIC: i32 = 0x424d; // "MB"
export const HEADER_OFF_MAGIC: i32 = 0; // u16
export const HEADER_OFF_VERSION: i32 = 2; // u8, FORMAT_VERSION
export const HEADER_OFF_LABEL_LENGTH: i32 = 3; // u8, 0…LABEL_MAX; 0 = no label
export const HEADER_OFF_SEQUENCE: i32 = 4; // u32, the journal sequence of this version
export const HEADER_OFF_HANDLE: i32 = 8; // 16 bytes
export const HEADER_OFF_NONCE: i32 = 24; // 16 bytes from the DRBG; the seal's nonce is u64 sequence ‖ these
export const HEADER_OFF_TOKEN: i32 = 40; // 16 bytes, the host's token for this version
export const HEADER_OFF_LABEL_HASH: i32 = 56; // 16 bytes, BLAKE3 of the label
export const HEADER_OFF_LENGTH: i32 = 72; // u16, sealed bytes (body), without label
export const HEADER_OFF_PARTS: i32 = 74; // u8, number of parts in the body
export const HEADER_OFF_USAGE: i32 = 75; // u8, Usage
export const HEADER_OFF_TIER: i32 = 76; // u8, Tier
export const HEADER_OFF_ORIGIN: i32 = 77; // u8, Origin
export const HEADER_OFF_CUSTODY: i32 = 78; // u8, Custody
export const HEADER_OFF_POLICY: i32 = 79; // u8, POLICY_…
export const HEADER_OFF_EPOCH: i32 = 80; // u32, creation epoch of the record
export const HEADER_OFF_CREATED: i32 = 84; // u32, journal sequence of the record's first version
export const HEADER_OFF_FIRST_TOKEN: i32 = 88; // 8 bytes, start of BLAKE3 of the token that created the record
export const HEADER_OFF_TAG: i32 = 96; // 16 bytes, tag of the seal; associated data = the first 96 bytes
export const HEADER_OFF_MAC: i32 = 112; // 16 bytes, keyed BLAKE3 over the first 112
export const HEADER_SIZE: i32 = 128;
export const FIRST_TOKEN_SIZE: i32 = 8;
