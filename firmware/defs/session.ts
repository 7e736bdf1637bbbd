/** Sessions: Noise_NNpsk0_25519_ChaChaPoly_SHA256 between an operator and the device. SPEC.md §11. */

/** First byte of every message on the link. */
export enum Envelope {
  /** A CBOR map in clear: hello, and refusals that come before a session. */
  Clear = 0,
  /** Host: operator id, Noise message 1 (48 bytes). Device: Noise message 2, whose payload is one byte, the role. */
  Handshake = 1,
  /** u16 session id, then a Noise transport message, whose payload is the CBOR map. */
  Sealed = 2,
}
export const SEALED_HEAD: i32 = 3; // bytes before the transport message
export const SEALED_EXTRA: i32 = 19; // what sealing adds to a message: envelope and tag

export const PSK_SIZE: i32 = 32;
export const CHALLENGE_SIZE: i32 = 16;
export const OPERATOR_ID: i32 = 10; // bytes of an operator id: 1…10 of a-z 0-9 . _ -, then zeros; all zeros: the setup code
export const PROLOGUE_SIZE: i32 = 43; // u8 protocol version ‖ instance id ‖ challenge ‖ operator id
export const NOISE_FIRST: i32 = 48; // Noise message 1
export const NOISE_SECOND: i32 = 49; // Noise message 2, with its payload of one byte

/** What a session may do; bits, so that a command names all that may give it. Roles do not nest. */
export enum Role {
  Auditor = 1,
  User = 2,
  Admin = 4,
  /** Whoever holds the setup code, until provisioning is over or when custody is lost. */
  Setup = 8,
}

export const SESSION_IDLE_MS: i32 = 300000; // without a message
export const SESSION_MAX_MS: i32 = 3600000; // since its handshake
export const TOUCH_WAIT_MS: i32 = 30000; // a request waits for its touch at most
export const TOUCH_STABLE_MS: i32 = 20; // a switch counts when it stood still so long
export const TOUCHES_KEPT: i32 = 8; // cached touches of a session
export const RESET_HOLD_MS: i32 = 10000; // S1 and S2 from power-up on: factory reset
export const QUIET_MS: i32 = 1000; // nothing came or went for so long: what the device does while nobody asks begins
export const PAUSE_FIRST_MS: i32 = 25; // after the fourth refusal in a row; doubles with each more
export const PAUSE_MAX_MS: i32 = 1500;
export const HANDSHAKE_MS: i32 = 1000; // what Busy announces for a handshake besides the pause
