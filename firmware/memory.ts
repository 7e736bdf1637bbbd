/** Linear memory: every region, its size, its owner and who wipes it. One 64 KiB page; static data lies from 50,176 up
 *  (asconfig.json, memoryBase). Bytes below RX stay unused, so that a null pointer hits nothing. */

import { RX_OFFSET, RX_SIZE, TX_OFFSET, TX_SIZE } from "./defs/boundary";
import { JOURNAL_PLACE } from "./defs/journal";
import { FRAME_MAX, MESSAGE_MAX } from "./defs/link";
import { CUSTODY_SIZE } from "./defs/medium";
import { CLASSES_MAX, HANDLE_SIZE, SLOTS_MAX } from "./defs/record";
import { HEADER_SIZE } from "./defs/slot";

// link: written by the board and by link/frame.ts; ciphertext once sessions are there
export const RX: usize = RX_OFFSET;
export const TX: usize = TX_OFFSET;
export const FRAME: usize = TX + TX_SIZE; // one received frame, decoded
export const FRAME_SIZE: i32 = (FRAME_MAX + 15) & ~15;
export const CRC_TABLE: usize = FRAME + FRAME_SIZE; // 256 × u32: made at start
export const FIELDS: usize = CRC_TABLE + 1024; // 16: header or CRC of a frame on its way out

// commands: request and response share it; wiped by dispatch.ts when the response was sent or replaced
export const MESSAGE: usize = FIELDS + 16;

// store: what mount found out; public (handles, MACs, counters)
export const HANDLES: usize = MESSAGE + MESSAGE_MAX; // SLOTS_MAX × HANDLE_SIZE, zeros = no readable record
export const TOKENS: usize = HANDLES + SLOTS_MAX * HANDLE_SIZE; // SLOTS_MAX × u32: start of the present version's token
export const FIRST_TOKENS: usize = TOKENS + SLOTS_MAX * 4; // SLOTS_MAX × u32: start of the creating token's hash
export const LEAVES: usize = FIRST_TOKENS + SLOTS_MAX * 4; // 32 × 16: set digest leaf of each block
export const LEAVES_SIZE: i32 = 512;
export const LEAF_INPUT: usize = LEAVES + LEAVES_SIZE; // header MACs of one block, at most 128 × 16
export const LEAF_INPUT_SIZE: i32 = 2048;
export const CURRENT: usize = LEAF_INPUT + LEAF_INPUT_SIZE; // the newest settled journal record
export const NEXT: usize = CURRENT + JOURNAL_PLACE; // the record that a change is about to write
export const PLACE: usize = NEXT + JOURNAL_PLACE; // one journal place as read back
export const HEADER: usize = PLACE + JOURNAL_PLACE; // header of the slot looked at last
export const FRESH: usize = HEADER + HEADER_SIZE; // header of the slot being written
export const PAGE: usize = FRESH + HEADER_SIZE; // one program unit on its way to or from the medium
export const LABEL: usize = PAGE + 128; // label of the record in hand, LABEL_MAX
export const FILTER: usize = LABEL + 48; // two labels of a find request, 2 × LABEL_MAX
export const INSTANCE: usize = FILTER + 96; // 16: instance id
export const MANIFEST: usize = INSTANCE + 16; // 16: manifest digest
export const CLASSES: usize = MANIFEST + 16; // CLASSES_MAX × CLASS_ENTRY, geometry.ts
export const CLASS_ENTRY: i32 = 20;
export const ARGUMENTS: usize = CLASSES + CLASSES_MAX * CLASS_ENTRY; // 64: handle, token, digest and classes of the request in hand
export const TOKEN_HASH: usize = ARGUMENTS + 64; // 16: BLAKE3 of the token in hand, start

// secrets: wiped by vault.ts before dispatch.ts goes on
export const VAULT: usize = (TOKEN_HASH + 16 + 15) & ~15; // both custody places
export const KEYS: usize = VAULT + CUSTODY_SIZE; // KEYS_MAX derived keys of 32 bytes
export const KEYS_SIZE: i32 = 5 * 32;
export const CONTEXT: usize = KEYS + KEYS_SIZE; // 32: a derivation context on its way, public

// crypto scratch: wiped by the algorithm that used it
export const CHACHA: usize = CONTEXT + 32; // 64: input state
export const STREAM: usize = CHACHA + 64; // 64: key stream
export const SUBKEY: usize = STREAM + 64; // 48: XChaCha subkey and inner nonce
export const POLY: usize = SUBKEY + 48; // 64: r, h, pad
export const TAG: usize = POLY + 64; // 32: computed tag, MAC or hash
export const BLAKE: usize = TAG + 32; // chaining values and block, crypto/blake3.ts
export const BLAKE_SIZE: i32 = 384;

// DRBG: key and raw samples; lives as long as the boot
export const DRBG: usize = BLAKE + BLAKE_SIZE; // 32: key; 32: output block
export const NOISE: usize = DRBG + 64; // 64: raw samples

export const STATIC_BASE: usize = 50176; // asconfig.json memoryBase
export const MEMORY_USED: usize = NOISE + 64;
