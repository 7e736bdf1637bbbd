/** The core's inner functions for tests, as AssemblyScript: never part of an ELF of the product. build.ts makes build/probe.wasm
 *  of it. The core itself exports nothing but start, take and give. Addresses are those of firmware/memory.ts. */

export {
  isDone,
  isFit,
  isUtf8,
  readArray,
  readBool,
  readBytes,
  readFrom,
  readKey,
  readMap,
  readText,
  readUint,
  stringAt,
  writeArray,
  writeBool,
  writeBytes,
  writeInt,
  writeMap,
  writeText,
  writeTo,
  writeUint,
  written,
} from "../../firmware/command/cbor";
export { derive, hash, keyed } from "../../firmware/crypto/blake3";
export { equal, isZero, wipe } from "../../firmware/crypto/bytes";
export {
  begin as chachaBegin,
  end as chachaEnd,
  hchacha,
  nextBlock as chachaBlock,
  xor as chachaXor,
} from "../../firmware/crypto/chacha20";
export { begin as polyBegin, end as polyEnd, padded as polyPadded } from "../../firmware/crypto/poly1305";
export { open, seal } from "../../firmware/crypto/xchacha20poly1305";
export { CRC_RESIDUE, CRC_START, crcStep, makeTable } from "../../firmware/link/crc32";
export {
  BLAKE,
  BLAKE_SIZE,
  CHACHA,
  CONTEXT,
  DRBG,
  KEYS,
  MEMORY_USED,
  MESSAGE,
  NOISE,
  POLY,
  STATIC_BASE,
  STREAM,
  SUBKEY,
  TAG,
  VAULT,
} from "../../firmware/memory";
export { random as entropyRandom, ready as entropyReady, reset as entropyReset } from "../../firmware/store/entropy";
