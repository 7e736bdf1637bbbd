/** What a signature file of ssh-keygen signs (OpenSSH's PROTOCOL.sshsig): the magic, then as strings namespace, nothing, name of the hash, digest. */
import { NAMESPACE_MAX } from "../defs/use";

/** "SSHSIG", without its end. */
export const MAGIC: usize = memory.data<u8>([0x53, 0x53, 0x48, 0x53, 0x49, 0x47]);
export const MAGIC_SIZE: i32 = 6;
/** An empty string, string "sha256", and the length of the digest. */
const SHA256: usize = memory.data<u8>([0, 0, 0, 0, 0, 0, 0, 6, 0x73, 0x68, 0x61, 0x32, 0x35, 0x36, 0, 0, 0, 32]);
/** The same for "sha512". */
const SHA512: usize = memory.data<u8>([0, 0, 0, 0, 0, 0, 0, 6, 0x73, 0x68, 0x61, 0x35, 0x31, 0x32, 0, 0, 0, 64]);
const HASH_NAME_SIZE: i32 = 18;
const SHA256_SIZE: i32 = 32;
const SHA512_SIZE: i32 = 64;
/** Bytes of the longest. */
export const SSHSIG_MAX: i32 = MAGIC_SIZE + 4 + NAMESPACE_MAX + HASH_NAME_SIZE + SHA512_SIZE;

/** Whether a digest has the length of one of the two hashes. */
export function isDigest(length: i32): bool {
  return length == SHA256_SIZE || length == SHA512_SIZE;
}

/** Writes what is to be signed to `out`, which has room for SSHSIG_MAX. At most NAMESPACE_MAX bytes of namespace; a digest of 32 bytes
 *  is SHA-256's, one of 64 SHA-512's. Returns the bytes written. */
export function build(out: usize, namespace: usize, namespaceLength: i32, digest: usize, digestLength: i32): i32 {
  assert(namespaceLength <= NAMESPACE_MAX && isDigest(digestLength));
  memory.copy(out, MAGIC, MAGIC_SIZE);
  store<u32>(out, bswap<u32>(namespaceLength), MAGIC_SIZE);
  let at = out + MAGIC_SIZE + 4;
  memory.copy(at, namespace, namespaceLength);
  at += namespaceLength;
  memory.copy(at, digestLength == SHA256_SIZE ? SHA256 : SHA512, HASH_NAME_SIZE);
  at += HASH_NAME_SIZE;
  memory.copy(at, digest, digestLength);
  return <i32>(at + digestLength - out);
}
