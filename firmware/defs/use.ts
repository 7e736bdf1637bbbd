/** What keys sign and agree on. SPEC.md §12. */
export const ED25519_SIGNATURE: i32 = 64;
export const KEY_SIZE: i32 = 32; // Ed25519 seed, X25519 scalar, either public key
export const SIGN_MAX: i32 = 32768; // bytes of a message to sign
export const NAMESPACE_MAX: i32 = 64; // bytes of an SSHSIG namespace
export const SALT_MAX: i32 = 64; // HKDF salt
export const CONTEXT_MAX: i32 = 128; // HKDF info
export const WRAPPED_MAX: i32 = 80; // ciphertext and tag that agree opens
export const CHALLENGE_MIN: i32 = 16; // of an attestation
export const CHALLENGE_MAX: i32 = 64;
/** What every attestation statement starts with, "mbs-attest-v1" and a zero byte; deterministic CBOR follows. */
export const STATEMENT_PREFIX: i32 = 14;
