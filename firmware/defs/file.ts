/** An encrypted file: header, data segments, final segment. SPEC.md §13. Little-endian. The core does not read it; hosts do. */
export const FILE_VERSION: i32 = 1; // raised when a byte of the format changes meaning; older versions stay readable
export const FILE_MAGIC: u32 = 0x4653424d; // "MBSF"

/** Header, in clear. */
export const FILE_OFF_MAGIC: i32 = 0; // u32
export const FILE_OFF_VERSION: i32 = 4; // u32, FILE_VERSION
export const FILE_OFF_KEY: i32 = 8; // 16 bytes, id of the filekey
export const FILE_OFF_START: i32 = 24; // u64, position of the first encrypted byte
export const FILE_OFF_SALT: i32 = 32; // 32 random bytes, this file's own
export const FILE_OFF_MAC: i32 = 64; // 32 bytes, HMAC-SHA-256 over the first 64
export const FILE_HEADER: i32 = 96;
export const FILE_KEY_ID: i32 = 16;
export const FILE_SALT: i32 = 32;
export const FILE_SECRET: i32 = 32; // a Delta's secret, and each of the two keys that are made of it

/** Data segment, encrypted. */
export const SEGMENT_OFF_COUNT: i32 = 0; // u32, bytes of content
export const SEGMENT_OFF_CONTENT: i32 = 4; // count bytes of content, then fill: zeros
export const FILE_SEGMENT: i32 = 65536; // the last one may be shorter
export const FILE_TAG: i32 = 16; // behind each encrypted segment
export const FILE_NONCE: i32 = 12; // u64 position of the segment's first byte, u32 kind
/** Kinds of segments, as nonces name them. */
export const SEGMENT_DATA: i32 = 0;
export const SEGMENT_FINAL: i32 = 1;
/** Fill is at most one byte for so many bytes of content. */
export const FILE_PADDING_SHARE: i32 = 20;

/** Final segment, encrypted. */
export const FINAL_OFF_COUNT: i32 = 0; // u32, zero
export const FINAL_OFF_LENGTH: i32 = 4; // u64, bytes of content in the file
export const FINAL_OFF_HASH: i32 = 12; // 32 bytes, SHA-256 of the content
export const FINAL_OFF_NAME_LENGTH: i32 = 44; // u8; 0 = no name
export const FINAL_OFF_NAME: i32 = 45; // base name, UTF-8, then zeros
export const FILE_NAME_MAX: i32 = 255;
export const FILE_FINAL: i32 = 1024;
