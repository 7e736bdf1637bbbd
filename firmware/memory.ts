/** Linear memory: every region, its size, its owner and who wipes it. One 64 KiB page; static data lies from 52,224 up
 *  (asconfig.json, memoryBase). Bytes below RX stay unused, so that a null pointer hits nothing. */

import { RX_OFFSET, TX_OFFSET, TX_SIZE } from "./defs/boundary";
import { IMAGE_HEADER } from "./defs/image";
import { JOURNAL_PLACE } from "./defs/journal";
import { FRAME_MAX, MESSAGE_MAX } from "./defs/link";
import { CUSTODY_SIZE } from "./defs/medium";
import { OPERATOR_PLACE, REFUSAL_PLACE } from "./defs/operator";
import { CLASSES_MAX, HANDLE_SIZE, SLOTS_MAX } from "./defs/record";
import { CHALLENGE_SIZE, SEALED_HEAD, TOUCHES_KEPT } from "./defs/session";
import { HEADER_SIZE } from "./defs/slot";

// link: written by the board and by link/frame.ts; hello, handshakes and ciphertext
export const RX: usize = RX_OFFSET;
export const TX: usize = TX_OFFSET;
export const FRAME: usize = TX + TX_SIZE; // one received frame, decoded
export const FRAME_SIZE: i32 = (FRAME_MAX + 15) & ~15;
export const CRC_TABLE: usize = FRAME + FRAME_SIZE; // 256 × u32: made at start
export const FIELDS: usize = CRC_TABLE + 1024; // 16: header or CRC of a frame on its way out

// link and session: one whole message of the link, request or response
export const ENVELOPE: usize = FIELDS + 32 - SEALED_HEAD;
// commands: the map inside, INNER_MAX, in clear here; sealed by session.ts before it is sent. On a word: it is sealed and copied whole
export const MESSAGE: usize = ENVELOPE + SEALED_HEAD;

// store: what mount found out; public (handles, MACs, counters)
export const HANDLES: usize = ENVELOPE + MESSAGE_MAX; // SLOTS_MAX × HANDLE_SIZE, zeros = no readable record
export const TOKENS: usize = HANDLES + SLOTS_MAX * HANDLE_SIZE; // SLOTS_MAX × u32: start of the present version's token
export const FIRST_TOKENS: usize = TOKENS + SLOTS_MAX * 4; // SLOTS_MAX × u32: start of the creating token's hash
export const LABEL_HASHES: usize = FIRST_TOKENS + SLOTS_MAX * 4; // SLOTS_MAX × u32: start of the label's hash
export const ATTRIBUTES: usize = LABEL_HASHES + SLOTS_MAX * 4; // SLOTS_MAX × u8: usage, tier, origin; store/index.ts
export const LEAVES: usize = ATTRIBUTES + SLOTS_MAX; // 32 × 16: set digest leaf of each block
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
export const ARGUMENTS: usize = CLASSES + CLASSES_MAX * CLASS_ENTRY; // what a request gives by value, request.ts
export const ARGUMENTS_SIZE: i32 = 176;
export const SECRET_ARGUMENT: usize = ARGUMENTS + ARGUMENTS_SIZE; // 32: an operator's key among it; wiped with it
export const TOKEN_HASH: usize = SECRET_ARGUMENT + 32; // 16: BLAKE3 of the token in hand, start
export const RESULT: usize = TOKEN_HASH + 16; // signature and public key on their way out; wiped with each answer
export const RESULT_SIZE: i32 = 96;
export const CHALLENGE: usize = RESULT + RESULT_SIZE; // of the last hello
export const TOUCHES: usize = CHALLENGE + CHALLENGE_SIZE; // TOUCHES_KEPT × (handle, u32 command): touches that this session remembers
export const TOUCH_ENTRY: i32 = 20;
export const REFUSALS: usize = TOUCHES + TOUCHES_KEPT * TOUCH_ENTRY; // the refusal place that counts
export const PROLOGUE: usize = REFUSALS + REFUSAL_PLACE; // 48: of a handshake

// secrets: wiped by vault.ts when a command, or a fragment of a list, is done
export const VAULT: usize = (PROLOGUE + 48 + 15) & ~15; // both custody places
export const KEYS: usize = VAULT + CUSTODY_SIZE; // KEYS_MAX derived keys of 32 bytes
export const KEYS_SIZE: i32 = 9 * 32;
export const CONTEXT: usize = KEYS + KEYS_SIZE; // 32: a derivation context on its way, public
export const OPERATOR: usize = CONTEXT + 32; // one operator place, its key open; wiped by operators.ts
export const CANDIDATES: usize = OPERATOR + OPERATOR_PLACE; // 64: the two keys that a handshake may be made with; wiped by session.ts

// sessions: the running one and the one that may replace it, session/channel.ts; live until they end
export const SESSION_SIZE: i32 = 128;
export const SESSIONS: usize = CANDIDATES + 64;
export const NOISE_STATE: usize = SESSIONS + 2 * SESSION_SIZE; // 144: a handshake in hand; wiped by session/noise.ts
export const NOISE_STATE_SIZE: i32 = 144;
export const EPHEMERAL: usize = NOISE_STATE + NOISE_STATE_SIZE; // 64: key pair of a handshake to come; wiped by session/noise.ts, with its one use
// an answer on its way, and the record in it: ChaCha20 states, wiped by session/outgoing.ts and store/body.ts
export const OUTGOING_STREAM: usize = EPHEMERAL + 64; // 48
export const BODY_STREAM: usize = OUTGOING_STREAM + 48; // 48

// crypto scratch: wiped by the algorithm that used it
export const CHACHA: usize = BODY_STREAM + 48; // 48: input state
export const STREAM: usize = CHACHA + 48; // 64: key stream; or the end of a message, xored with it
export const SUBKEY: usize = STREAM + 64; // 48: XChaCha subkey and inner nonce
export const POLY: usize = SUBKEY + 48; // 64: r, h, pad
export const TAG: usize = POLY + 64; // 32: computed tag, MAC or hash
export const BLAKE: usize = TAG + 32; // chaining values and block, crypto/blake3.ts
export const BLAKE_SIZE: i32 = 384;

// DRBG: key and raw samples; lives as long as the boot
export const DRBG: usize = BLAKE + BLAKE_SIZE; // 32: key; 32: output block
export const NOISE: usize = DRBG + 64; // 64: raw samples

// images, image/image.ts: the key, wiped when the image was opened or is not; then what it is derived from, wiped at once, of which the header of the
// image is public and stays
export const IMAGE_KEY: usize = NOISE + 64; // 32
export const IMAGE_SECRET: usize = IMAGE_KEY + 32; // 32: what was agreed
export const IMAGE_OPEN: usize = IMAGE_SECRET + 32; // 32: public half of the transport key; then the header, IMAGE_HEADER

// store/vault.ts: halves of the derivations of KEYS, in which there is no secret, and which of them are there, a bit each
export const CONTEXT_KEYS: usize = IMAGE_OPEN + 32 + IMAGE_HEADER; // KEYS_SIZE
export const KNOWN_CONTEXTS: usize = CONTEXT_KEYS + KEYS_SIZE; // u32

// what passes through crypto/declassify.ts
export const DECLASSIFIED: usize = KNOWN_CONTEXTS + 4; // u32
export const REVEALED: usize = DECLASSIFIED + 4; // u32
export const EXPECTED: usize = REVEALED + 4; // u32

export const STATIC_BASE: usize = 52224; // asconfig.json memoryBase
export const MEMORY_USED: usize = EXPECTED + 4;
