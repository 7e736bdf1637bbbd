/** One operator place, 64 bytes, 20 times in data flash: the journal's body says which are in use. SPEC.md §11. Little-endian. */
export const OPERATOR_PLACES: i32 = 20;
export const OPERATORS_MAX: i32 = 16; // ids; the places beyond hold rotated keys until their first use
export const NO_OPERATOR: i32 = 255; // stands for a place in a session with the setup code
export const OPERATOR_PLACE: i32 = 64;
export const OPERATOR_OFF_SEQUENCE: i32 = 0; // u32, the journal sequence of the change that wrote it
export const OPERATOR_OFF_ROLE: i32 = 4; // u8, Role
export const OPERATOR_OFF_PLACE: i32 = 5; // u8, number of the place
export const OPERATOR_OFF_ID: i32 = 6; // 10 bytes, OPERATOR_ID
export const OPERATOR_OFF_KEY: i32 = 16; // 32 bytes, sealed: XORed with keyed BLAKE3 of the tag
export const OPERATOR_OFF_TAG: i32 = 48; // 16 bytes, keyed BLAKE3 over the first 48, the key open

/** One refusal place, 64 bytes, 4 times: the newest whose MAC fits counts. SPEC.md §11. */
export const REFUSAL_PLACES: i32 = 4;
export const REFUSAL_PLACE: i32 = 64;
export const REFUSAL_OFF_SEQUENCE: i32 = 0; // u32; its place is sequence modulo 4
export const REFUSAL_OFF_TOTAL: i32 = 4; // u32, refused handshakes, saturating
export const REFUSAL_OFF_COUNTS: i32 = 8; // 20 × u16, those that named the operator of each place, saturating
export const REFUSAL_OFF_MAC: i32 = 48; // 16 bytes, keyed BLAKE3 over the first 48
