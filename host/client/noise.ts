/** Noise_NNpsk0_25519_ChaChaPoly_SHA256 as the Noise Protocol Framework, revision 34, defines it (§ numbers are its): a handshake of two
 *  messages between who hold the same 32-byte key, and the two ciphers it ends in. Knows nothing of frames or of what messages mean.
 *  Key material is wiped as soon as it is used up; what JavaScript engine and libraries copy themselves cannot be. */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes } from "@noble/hashes/utils.js";
import { ProtocolError } from "./errors.js";

const NAME = new TextEncoder().encode("Noise_NNpsk0_25519_ChaChaPoly_SHA256");
const KEY = 32; // bytes of a key, a public key, a hash
const TAG = 16;
const LONGEST = 65535; // §3: of any message
const NO_NONCE = 2n ** 64n - 1n; // §5.1: reserved
const NOTHING = new Uint8Array(0);

/** A handshake or message that is not genuine, or that cannot be continued. A failed handshake stays failed. */
export class NoiseError extends ProtocolError {}

/** §4.3: two or three keys from a chaining key, as views of one buffer, so that wiping them leaves no copy. */
function derive(chainingKey: Uint8Array, material: Uint8Array, outputs: 2 | 3): Uint8Array[] {
  const all = hkdf(sha256, material, chainingKey, undefined, outputs * KEY);
  return Array.from({ length: outputs }, (_, i) => all.subarray(i * KEY, (i + 1) * KEY));
}

function checkLength(length: number, least = TAG): void {
  if (length < least || length > LONGEST)
    throw new NoiseError(`The message must have ${least} to ${LONGEST} bytes; it has ${length}.`);
}

/** One direction of a session (§5.1). It counts messages: they are decrypted in the order in which they were encrypted, each once. */
export class CipherState {
  #key: Uint8Array | undefined;
  #nonce: bigint;

  /** @param key 32 bytes, which this takes over and wipes  @param nonce number of the next message */
  constructor(key: Uint8Array, nonce = 0n) {
    this.#key = key;
    this.#nonce = nonce;
  }

  /** @returns ciphertext ‖ tag. @throws NoiseError when there is no nonce left, the key is wiped or the message too long */
  encrypt(plaintext: Uint8Array, associated: Uint8Array = NOTHING): Uint8Array {
    const aead = this.#aead(associated, plaintext.length + TAG);
    this.#nonce++;
    return aead.encrypt(plaintext);
  }

  /** @param number of the message, when those before it never came; the next one awaited otherwise
   *  @returns the plaintext. @throws NoiseError, also when the tag does not fit: then the message with this number is still awaited */
  decrypt(ciphertext: Uint8Array, associated: Uint8Array = NOTHING, number = this.#nonce): Uint8Array {
    if (number < this.#nonce) throw new NoiseError(`Message ${number} came already, or was given up.`);
    const before = this.#nonce;
    this.#nonce = number;
    try {
      const plaintext = this.#aead(associated, ciphertext.length).decrypt(ciphertext);
      this.#nonce++;
      return plaintext;
    } catch (cause) {
      this.#nonce = before;
      if (cause instanceof NoiseError) throw cause;
      const message = `Message ${number} is not genuine: it was changed, repeated or moved, or made with another key.`;
      throw new NoiseError(message, "Close the session and open a new one.", { cause });
    }
  }

  /** Number of the next message. */
  get next(): bigint {
    return this.#nonce;
  }

  /** Forgets the key. Nothing can be encrypted or decrypted any more. */
  wipe(): void {
    this.#key?.fill(0);
    this.#key = undefined;
  }

  #aead(associated: Uint8Array, sealedLength: number) {
    if (this.#key === undefined) throw new NoiseError("The session is closed: its key is wiped.", "Open a new one.");
    if (this.#nonce >= NO_NONCE) throw new NoiseError("The session's messages are used up.", "Open a new one.");
    checkLength(sealedLength);
    const nonce = new Uint8Array(12); // §12.3: four zeros, then little-endian
    new DataView(nonce.buffer).setBigUint64(4, this.#nonce, true);
    return chacha20poly1305(this.#key, nonce, associated);
  }
}

/** What a handshake ends in. `hash` is public and the same at both ends (§11.2, channel binding). */
export interface Session {
  send: CipherState;
  receive: CipherState;
  hash: Uint8Array;
}

export interface HandshakeOptions {
  role: "initiator" | "responder";
  /** 32 bytes that both ends hold. Copied. */
  psk: Uint8Array;
  /** What both ends must agree on besides. */
  prologue: Uint8Array;
  /** 32 secret bytes instead of fresh random ones: for test vectors only. Copied. */
  ephemeral?: Uint8Array;
}

/** The handshake (§5.2, §5.3, §9): `-> psk, e` and `<- e, ee`. The initiator writes and reads, the responder reads and writes, both split. */
export class Handshake {
  readonly #initiator: boolean;
  readonly #psk: Uint8Array;
  readonly #ephemeral: Uint8Array;
  #remote: Uint8Array = NOTHING; // the other end's ephemeral public key
  #hash = sha256(NAME); // §5.2: the name is longer than a hash
  #chainingKey: Uint8Array = this.#hash.slice();
  #cipher: CipherState | undefined; // each message has its own
  #messages = 0; // written and read so far
  #over = false;

  constructor({ role, psk, prologue, ephemeral }: HandshakeOptions) {
    if (psk.length !== KEY) throw new NoiseError(`The psk must have ${KEY} bytes; it has ${psk.length}.`);
    this.#psk = Uint8Array.from(psk); // slice() of a Buffer would be a view of the caller's key
    this.#ephemeral = ephemeral === undefined ? x25519.utils.randomSecretKey() : Uint8Array.from(ephemeral);
    this.#initiator = role === "initiator";
    this.#mixHash(prologue);
  }

  /** @returns this end's message around a payload. @throws NoiseError when it is not this end's turn, or the other end's key is worthless */
  write(payload: Uint8Array = NOTHING): Uint8Array {
    return this.#step(this.#initiator ? 0 : 1, () => {
      checkLength(KEY + payload.length + TAG);
      const own = x25519.getPublicKey(this.#ephemeral);
      this.#mixTokens(own);
      const sealed = this.#cipher!.encrypt(payload, this.#hash);
      this.#mixHash(sealed);
      return concatBytes(own, sealed);
    });
  }

  /** @returns the payload of the other end's message. @throws NoiseError when it is not the other end's turn or the message is not genuine */
  read(message: Uint8Array): Uint8Array {
    return this.#step(this.#initiator ? 1 : 0, () => {
      checkLength(message.length, KEY + TAG);
      const sealed = message.subarray(KEY);
      this.#remote = Uint8Array.from(message.subarray(0, KEY));
      this.#mixTokens(this.#remote);
      const payload = this.#cipher!.decrypt(sealed, this.#hash);
      this.#mixHash(sealed);
      return payload;
    });
  }

  /** Ends the handshake. @returns what it made. @throws NoiseError before both messages are through */
  split(): Session {
    return this.#step(2, () => {
      const [first, second] = derive(this.#chainingKey, NOTHING, 2).map((key) => new CipherState(key));
      this.wipe();
      const [send, receive] = this.#initiator ? [first!, second!] : [second!, first!];
      return { send, receive, hash: this.#hash };
    });
  }

  /** Forgets everything secret. Nothing can be done with this handshake any more. */
  wipe(): void {
    for (const key of [this.#psk, this.#ephemeral, this.#chainingKey]) key.fill(0);
    this.#cipher?.wipe();
    this.#over = true;
  }

  /** Does what comes after `turn` messages. A failure is final (§5.3). */
  #step<T>(turn: number, work: () => T): T {
    if (this.#over) throw new NoiseError("This handshake is over.", "Start a new one.");
    if (this.#messages !== turn) throw new NoiseError(`This comes after ${turn} messages, not ${this.#messages}.`);
    try {
      const result = work();
      this.#messages++;
      return result;
    } catch (cause) {
      this.wipe();
      const reason = cause instanceof Error ? cause.message : String(cause);
      const hint = "Make sure that both ends hold the same key, and start a new handshake.";
      throw new NoiseError(`The handshake failed at message ${turn + 1}: ${reason}`, hint, { cause });
    }
  }

  /** The tokens of the message in hand (§9.2): psk and e of the first, e and ee of the second. */
  #mixTokens(publicKey: Uint8Array): void {
    if (this.#messages === 0) this.#mixKey(this.#psk, 3);
    this.#mixHash(publicKey);
    this.#mixKey(publicKey);
    if (this.#messages === 0) return;
    const shared = x25519.getSharedSecret(this.#ephemeral, this.#remote);
    this.#mixKey(shared);
    shared.fill(0);
  }

  #mixHash(data: Uint8Array): void {
    this.#hash = sha256(concatBytes(this.#hash, data));
  }

  /** MixKey, and with three outputs MixKeyAndHash: chaining key, hash or not, cipher key. */
  #mixKey(material: Uint8Array, outputs: 2 | 3 = 2): void {
    const keys = derive(this.#chainingKey, material, outputs);
    this.#chainingKey.fill(0);
    this.#chainingKey = keys[0]!;
    if (outputs === 3) this.#mixHash(keys[1]!);
    this.#cipher?.wipe();
    this.#cipher = new CipherState(keys[outputs - 1]!);
  }
}
