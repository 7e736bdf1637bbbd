/** The claim cache: one entry in the memory of claims.wasm, as the host writes it before a call and reads it after. SPEC.md §15.
 *  Little-endian; positions are i64, 0 … 2^63-1. The claims of one reason stand by start, unused places are zero. */

/** Claims that are kept for each reason. */
export const CACHE_CLAIMS: i32 = 10;

/** Where the entry lies in linear memory. */
export const CACHE_ENTRY: i32 = 1024;
export const CACHE_OFF_START: i32 = 0; // i64: first position of the iteration
export const CACHE_OFF_END: i32 = 8; // i64: its last position
export const CACHE_OFF_FLOOR: i32 = 16; // i64: highest position that was ever reserved here, start - 1 = none
export const CACHE_OFF_PERFORMANCE_COUNT: i32 = 24; // u32
export const CACHE_OFF_OFFLINE_COUNT: i32 = 28; // u32
export const CACHE_OFF_PERFORMANCE: i32 = 32; // CACHE_CLAIMS claims for performance
export const CACHE_OFF_OFFLINE: i32 = 272; // CACHE_CLAIMS claims for offline work
export const CACHE_SIZE: i32 = 512;

/** One claim. */
export const CACHED_OFF_START: i32 = 0; // i64
export const CACHED_OFF_END: i32 = 8; // i64
export const CACHED_OFF_LATEST: i32 = 16; // i64: last position that was used, start - 1 = none
export const CACHED_SIZE: i32 = 24;

/** Where a call leaves its result: two numbers, see CacheAnswer. */
export const CACHE_RESULT: i32 = 1536;
export const RESULT_OFF_FIRST: i32 = 0; // i64
export const RESULT_OFF_SECOND: i32 = 8; // i64
export const RESULT_SIZE: i32 = 16;

/** What a call answers. Whatever is not Done changes nothing. */
export enum CacheAnswer {
  /** Done. The result: first and last position that were given; of plan: the part for the request and the part for offline work. */
  Done = 0,
  /** No single claim has that much left. Go on to the next place. */
  Miss = 1,
  /** The iteration has too little left for what is wanted: renew it, then plan anew. */
  Renew = 2,
  /** The entry breaks an invariant. It is to be refused, not mended. */
  Damaged = -1,
  /** An argument makes no sense: a size below 1, a pointer outside of the iteration. */
  BadArgument = -2,
  /** The request is larger than a whole iteration. Nothing can serve it. */
  TooLarge = -3,
  /** The iteration was renewed for this request and still has too little left. */
  Exhausted = -4,
  /** The range starts at or below the floor: positions would be used again. It is not used, and nothing else instead. */
  Unsafe = -5,
  /** The range is not as large as what was asked for, or leaves the iteration. It is not used. */
  WrongRange = -6,
}
