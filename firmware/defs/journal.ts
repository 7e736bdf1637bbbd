/** One journal place, 192 bytes, 16 times: the only commit point. SPEC.md §5, DESIGN.md §3. Little-endian. */
export const JOURNAL_PLACES: i32 = 16;
export const JOURNAL_PLACE: i32 = 192;

// intent: programmed before anything else is touched
export const INTENT_OFF_SEQUENCE: i32 = 0; // u32, highest readable sequence in any place + 1
export const INTENT_OFF_OPERATION: i32 = 4; // u8, Operation
export const INTENT_OFF_TOUCHED: i32 = 5; // u8, slot or block number, by flags
export const INTENT_OFF_FLAGS: i32 = 6; // u8, INTENT_SLOT | INTENT_BLOCK | INTENT_ERASES
export const INTENT_OFF_VERSION: i32 = 7; // u8, FORMAT_VERSION
export const INTENT_OFF_CHECK: i32 = 8; // 8 bytes, keyed BLAKE3 over the first 8
export const INTENT_SIZE: i32 = 16;
export const INTENT_SLOT: i32 = 1; // one slot is touched
export const INTENT_BLOCK: i32 = 2; // one erase block is touched
export const INTENT_ERASES: i32 = 4; // and it is erased first

// body: the whole state after the change
export const BODY_OFF_LIVE: i32 = 16; // 256 bits, bit n of byte n>>3: slot n holds a record
export const BODY_OFF_DIRTY: i32 = 48; // 256 bits: slot n is not certainly erased
export const BODY_OFF_ERASES: i32 = 80; // 32 × u16: erase count of each block, saturating
export const BODY_OFF_OPERATORS: i32 = 144; // 24 bits: operator places in use
export const BODY_OFF_FLAGS: i32 = 147; // u8, BODY_PROVISIONED | BODY_EPOCH_SET | BODY_RESETTING
export const BODY_OFF_EPOCH: i32 = 148; // u32, creation epoch
export const BODY_OFF_ACCEPTED: i32 = 152; // u8, times that an admin accepted a degraded set, saturating
export const BODY_OFF_PENDING: i32 = 153; // 24 bits: of those, whose key was not used yet
export const BODY_OFF_DIGEST: i32 = 156; // 16 bytes, set digest over the live slots
export const BODY_OFF_MAC: i32 = 172; // 16 bytes, keyed BLAKE3 over the first 172
export const BODY_OFF_SETTLED: i32 = 188; // 4 bytes, keyed BLAKE3 of the MAC
/** First word of the last place while provisioning makes a root, "ROOT"; its complement, both again. */
export const ANNOUNCEMENT: u32 = 0x544f4f52;
/** The same in a reset place while a factory reset erases everything, "RSET". */
export const RESET_ANNOUNCEMENT: u32 = 0x54455352;
export const BODY_PROVISIONED: i32 = 1;
export const BODY_EPOCH_SET: i32 = 2; // an admin sets the epoch; power-ups no longer count
export const BODY_RESETTING: i32 = 4; // a factory reset was ordered and goes on at every mount until all is erased

/** What a journal record did. */
export enum Operation {
  Provision = 1,
  Put = 2,
  Replace = 3,
  Evict = 4,
  Reclaim = 5,
  Scrub = 6,
  Mount = 7,
  Epoch = 8,
  Accept = 9,
  Finish = 10,
  Operator = 11,
  Reset = 12,
}
