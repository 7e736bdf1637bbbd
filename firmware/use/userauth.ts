/** Requests for public-key authentication of SSH (RFC 4252 §7; hostbound: OpenSSH's PROTOCOL §3.1): what an ssh-userauth key signs.
 *  Strings carry a u32 length, big-endian (RFC 4251 §5). Nothing is read behind `length`. */
import { equal } from "../crypto/bytes";
import { KEY_SIZE } from "../defs/use";

const USERAUTH_REQUEST: u32 = 50;
const SESSION_MAX: u32 = 64; // bytes of a session id, which is a hash

/** string "ssh-connection". */
const SERVICE: usize = memory.data<u8>([
  0, 0, 0, 14, 0x73, 0x73, 0x68, 0x2d, 0x63, 0x6f, 0x6e, 0x6e, 0x65, 0x63, 0x74, 0x69, 0x6f, 0x6e,
]);
const SERVICE_SIZE: i32 = 18;
/** string "publickey". */
const PLAIN: usize = memory.data<u8>([0, 0, 0, 9, 0x70, 0x75, 0x62, 0x6c, 0x69, 0x63, 0x6b, 0x65, 0x79]);
const PLAIN_SIZE: i32 = 13;
/** string "publickey-hostbound-v00@openssh.com". */
const HOSTBOUND: usize = memory.data<u8>([
  0, 0, 0, 35, 0x70, 0x75, 0x62, 0x6c, 0x69, 0x63, 0x6b, 0x65, 0x79, 0x2d, 0x68, 0x6f, 0x73, 0x74, 0x62, 0x6f, 0x75,
  0x6e, 0x64, 0x2d, 0x76, 0x30, 0x30, 0x40, 0x6f, 0x70, 0x65, 0x6e, 0x73, 0x73, 0x68, 0x2e, 0x63, 0x6f, 0x6d,
]);
const HOSTBOUND_SIZE: i32 = 39;
/** byte 1 (it will carry a signature), string "ssh-ed25519", and of the key blob all but the 32 bytes at its end (RFC 8709 §4). */
const ED25519: usize = memory.data<u8>([
  1, 0, 0, 0, 11, 0x73, 0x73, 0x68, 0x2d, 0x65, 0x64, 0x32, 0x35, 0x35, 0x31, 0x39, 0, 0, 0, 51, 0, 0, 0, 11, 0x73,
  0x73, 0x68, 0x2d, 0x65, 0x64, 0x32, 0x35, 0x35, 0x31, 0x39, 0, 0, 0, 32,
]);
const ED25519_SIZE: i32 = 39;

let cursor: usize = 0;
let end: usize = 0;

/** Steps over these very bytes, if they come next. */
function expect(bytes: usize, length: i32): bool {
  if (end - cursor < <usize>length || !equal(cursor, bytes, length)) return false;
  cursor += length;
  return true;
}

/** Steps over a string; -1 when there is none, otherwise its length. */
function skipString(): i32 {
  if (end - cursor < 4) return -1;
  const length = bswap<u32>(load<u32>(cursor));
  if (length > <u32>(end - cursor - 4)) return -1;
  cursor += 4 + length;
  return length;
}

/** Whether `length` bytes begin as a request for authentication by any method: session id, byte 50, user, "ssh-connection". */
export function beginsAsRequest(data: usize, length: i32): bool {
  cursor = data;
  end = data + length;
  const session: u32 = skipString() - 1;
  if (session >= SESSION_MAX || cursor == end || load<u8>(cursor++) != USERAUTH_REQUEST) return false;
  return skipString() >= 0 && expect(SERVICE, SERVICE_SIZE);
}

/** Where the public key, 32 bytes, stands in a request for public-key authentication with ssh-ed25519; 0 when `length` bytes are not one. */
export function keyOf(data: usize, length: i32): usize {
  if (!beginsAsRequest(data, length)) return 0;
  const isHostbound = expect(HOSTBOUND, HOSTBOUND_SIZE);
  if (!isHostbound && !expect(PLAIN, PLAIN_SIZE)) return 0;
  if (!expect(ED25519, ED25519_SIZE) || end - cursor < <usize>KEY_SIZE) return 0;
  const key = cursor;
  cursor += KEY_SIZE;
  if (isHostbound && skipString() < 0) return 0; // the host's key
  return cursor == end ? key : 0;
}
