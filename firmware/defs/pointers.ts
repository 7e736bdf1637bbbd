/** The pointers of filekeys in data flash: which position was handed out last. SPEC.md §14. */
export const POINTER_PLACE: i32 = 64; // bytes, one erase block
export const POINTER_PLACES: i32 = 24;
/** Filekeys that a board is the authority of. Their newest pointers fill as many places; the others take turns. */
export const FILEKEYS_MAX: i32 = 16;

export const POINTER_OFF_HANDLE: i32 = 0; // 16 bytes, of the filekey's record
export const POINTER_OFF_LATEST: i32 = 16; // i64, the last position that was handed out
export const POINTER_OFF_START: i32 = 24; // i64, where the last range began
export const POINTER_OFF_REQUEST: i32 = 32; // 8 bytes, the start of the request's token
export const POINTER_OFF_SEQUENCE: i32 = 40; // u32, +1 at each entry of any filekey
export const POINTER_OFF_VERSION: i32 = 44; // u8, FORMAT_VERSION, and 3 zeros
export const POINTER_OFF_MAC: i32 = 48; // keyed BLAKE3, first 16 bytes, over bytes 0…47
