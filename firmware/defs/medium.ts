/** Geometry of the medium and the data-flash map. SPEC.md §2. EK-RA6M5: 1 MB of code flash, 8 KB of data flash. */
export const UNIT: i32 = 128; // program unit of the slot region, bytes
export const SLOT_BLOCK: i32 = 32768; // erase block of the slot region, bytes
export const SLOT_BLOCKS: i32 = 32;
export const DATA_BLOCK: i32 = 64; // erase block of the data flash, bytes
export const DATA_UNIT: i32 = 4; // program unit of the data flash, bytes
export const DATA_SIZE: i32 = 8192;

/** Data-flash map: offset and size of each area, bytes from the start of the data flash. */
export const CUSTODY_OFFSET: i32 = 0; // 2 places of 128
export const CUSTODY_SIZE: i32 = 256;
export const OPERATORS_OFFSET: i32 = 256; // 20 places of 64
export const OPERATORS_SIZE: i32 = 1280;
export const JOURNAL_OFFSET: i32 = 1536; // 16 places of 192
export const JOURNAL_SIZE: i32 = 3072;
export const CLAIMS_OFFSET: i32 = 4608; // 24 places of 64
export const CLAIMS_SIZE: i32 = 1536;
export const REFUSALS_OFFSET: i32 = 6144; // 4 places of 64
export const REFUSALS_SIZE: i32 = 256;
export const SEED_OFFSET: i32 = 6400; // 8 places of 64
export const SEED_SIZE: i32 = 512;
export const LEDGER_OFFSET: i32 = 6912;
export const LEDGER_SIZE: i32 = 1088;
export const RESET_OFFSET: i32 = 8000; // 3 places of 64: a factory reset under way
export const RESET_SIZE: i32 = 192;

/** Erase cycles that the medium is good for (facts of the part; unverified on the board). */
export const SLOT_CYCLES: i32 = 10000;
export const DATA_CYCLES: i32 = 100000;
