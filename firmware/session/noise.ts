/** The responder of Noise_NNpsk0_25519_ChaChaPoly_SHA256, Noise Protocol Framework revision 34 (§ numbers are its). Two messages:
 *  `-> psk, e` and `<- e, ee`. Constant-time in the key and in the ephemeral scalar. What it knows is wiped by end(), and the key
 *  pair of the next handshake, which may be made before, by its use or by forget(). */

import { ascii, wipe } from "../crypto/bytes";
import * as aead from "../crypto/chacha20poly1305";
import { publish, reveal } from "../crypto/declassify";
import { noiseHkdf } from "../crypto/hmac";
import * as sha from "../crypto/sha256";
import { x25519, x25519Base } from "../crypto/x25519";
import { Status } from "../defs/status";
import { EPHEMERAL, NOISE_STATE, NOISE_STATE_SIZE } from "../memory";
import * as entropy from "../store/entropy";

const HASH: usize = NOISE_STATE; // h
const CHAIN: usize = HASH + 32; // ck; the other keys that HKDF gives lie behind it
const SECOND: usize = CHAIN + 32;
const NONCE: usize = SECOND + 64; // 12 zeros: each cipher of a handshake is used once

const PUBLIC: usize = EPHEMERAL + 32; // behind the scalar

let prepared: bool = false; // EPHEMERAL is a pair that was not used

/** Whether the key pair of the next handshake is there. */
export function isPrepared(): bool {
  return prepared;
}

/** Makes the key pair of the next handshake, if it is not there. Ok | EntropyNotReady. */
export function prepare(): Status {
  if (prepared) return Status.Ok;
  if (entropy.random(EPHEMERAL, 32) != Status.Ok) return Status.EntropyNotReady;
  x25519Base(PUBLIC, EPHEMERAL);
  prepared = true;
  return Status.Ok;
}

/** Forgets that pair. */
export function forget(): void {
  wipe(EPHEMERAL, 64);
  prepared = false;
}

function mixHash(data: usize, length: i32): void {
  sha.begin();
  sha.update(HASH, 32);
  sha.update(data, length);
  sha.end(HASH);
}

/** MixKey: the cipher's key is SECOND. */
function mixKey(material: usize, length: i32): void {
  noiseHkdf(CHAIN, 2, CHAIN, material, length);
}

/** Reads message 1 under a key of 32 bytes. False when it is not genuine. Starts from the beginning, so that several keys can be tried,
 *  and takes the same time whether one fits or not. */
export function readFirst(psk: usize, prologue: usize, prologueLength: i32, message: usize): bool {
  sha.hash(HASH, SECOND, ascii(SECOND, "Noise_NNpsk0_25519_ChaChaPoly_SHA256")); // §5.2: the name is longer than a hash
  memory.copy(CHAIN, HASH, 32);
  wipe(NONCE, 12);
  mixHash(prologue, prologueLength);
  noiseHkdf(CHAIN, 3, CHAIN, psk, 32); // psk: MixKeyAndHash
  mixHash(SECOND, 32);
  mixHash(message, 32); // e
  mixKey(message, 32);
  const tag = message + 32;
  const genuine = aead.open(SECOND, NONCE, HASH, 32, tag, 0, tag);
  mixHash(tag, 16);
  return genuine;
}

/** Writes message 2 with a payload of one byte to `out`, 49 bytes, and uses up the pair of prepare(), which must be there. `theirs`: the
 *  ephemeral key in message 1. False when it is of low order. */
export function writeSecond(out: usize, theirs: usize, payload: u8): bool {
  const good = x25519(SECOND, EPHEMERAL, theirs); // before `out`, which may lie over it
  memory.copy(EPHEMERAL, SECOND, 32); // the scalar is not needed any more
  publish(out, PUBLIC, 32);
  mixHash(out, 32); // e
  mixKey(out, 32);
  mixKey(EPHEMERAL, 32); // ee
  forget();
  store<u8>(out, payload, 32);
  aead.seal(SECOND, NONCE, HASH, 32, out + 32, 1, out + 33);
  mixHash(out + 32, 17);
  return good;
}

/** The session id: the first two bytes of the handshake hash (§11.2). */
export function sessionId(): u32 {
  return load<u16>(reveal(HASH));
}

/** Split (§5.2): the key of what the host sends, then of what the device sends, 64 bytes. Ends the handshake. */
export function split(keys: usize): void {
  noiseHkdf(CHAIN, 2, CHAIN, 0, 0);
  memory.copy(keys, CHAIN, 64);
  end();
}

/** Forgets everything. */
export function end(): void {
  wipe(NOISE_STATE, NOISE_STATE_SIZE);
}
