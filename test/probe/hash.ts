/** The cryptography of sessions for tests, as AssemblyScript: never part of an ELF of the product. build.ts makes build/hash.wasm of it. */

export { open, seal } from "../../firmware/crypto/chacha20poly1305";
export {
  begin as hmacBegin,
  end as hmacEnd,
  HMAC,
  HMAC_SIZE,
  hkdf,
  mac,
  noiseHkdf,
  update as hmacUpdate,
} from "../../firmware/crypto/hmac";
export {
  begin as shaBegin,
  end as shaEnd,
  hash,
  SHA,
  SHA_SIZE,
  update as shaUpdate,
} from "../../firmware/crypto/sha256";
export { MEMORY_USED, MESSAGE, STATIC_BASE } from "../../firmware/memory";
