/** Noise once more, for tests: written from the Noise Protocol Framework, revision 34, section by section and in its own words, over
 *  node:crypto alone. It shares nothing with host/client/noise.ts or the firmware, so that agreeing with it means something.
 *  Any pattern of the tokens e, ee and psk. */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
  randomBytes,
} from "node:crypto";

// §4.1 DH functions, with §12.1: 25519

const DHLEN = 32;

export interface KeyPair {
  privateKey: KeyObject;
  publicKey: Buffer;
}

const raw = (publicKey: KeyObject) => Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url");

/** Not with generateKeyPairSync: in Node 20 a garbage collection that meets its finished job while another key is exported locks a lock twice,
 *  and the process stands still for good. */
function GENERATE_KEYPAIR(): KeyPair {
  return keyPair(randomBytes(DHLEN));
}

/** A key pair from the 32 secret bytes, as test vectors give them: PKCS #8 (RFC 8410 §7) around them. */
export function keyPair(secret: Uint8Array): KeyPair {
  const der = Buffer.concat([Buffer.from("302e020100300506032b656e04220420", "hex"), secret]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return { privateKey, publicKey: raw(createPublicKey(privateKey)) };
}

function DH({ privateKey }: KeyPair, publicKey: Buffer): Buffer {
  const jwk = { kty: "OKP", crv: "X25519", x: publicKey.toString("base64url") };
  return diffieHellman({ privateKey, publicKey: createPublicKey({ key: jwk, format: "jwk" }) });
}

// §4.2 Cipher functions, with §12.3: ChaChaPoly

function nonceOf(n: bigint): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64LE(n, 4);
  return nonce;
}

function ENCRYPT(k: Buffer, n: bigint, ad: Buffer, plaintext: Buffer): Buffer {
  const cipher = createCipheriv("chacha20-poly1305", k, nonceOf(n), { authTagLength: 16 });
  cipher.setAAD(ad, { plaintextLength: plaintext.length });
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function DECRYPT(k: Buffer, n: bigint, ad: Buffer, ciphertext: Buffer): Buffer {
  if (ciphertext.length < 16) throw new Error(`no room for a tag in ${ciphertext.length} bytes`);
  const end = ciphertext.length - 16;
  const decipher = createDecipheriv("chacha20-poly1305", k, nonceOf(n), { authTagLength: 16 });
  decipher.setAAD(ad, { plaintextLength: end });
  decipher.setAuthTag(ciphertext.subarray(end));
  return Buffer.concat([decipher.update(ciphertext.subarray(0, end)), decipher.final()]);
}

// §4.3 Hash functions, with §12.5: SHA256

const HASHLEN = 32;
const HASH = (data: Buffer) => createHash("sha256").update(data).digest();
const HMAC_HASH = (key: Buffer, data: Buffer) => createHmac("sha256", key).update(data).digest();

function HKDF(chaining_key: Buffer, input_key_material: Buffer): [Buffer, Buffer, Buffer] {
  const temp_key = HMAC_HASH(chaining_key, input_key_material);
  const output1 = HMAC_HASH(temp_key, Buffer.of(1));
  const output2 = HMAC_HASH(temp_key, Buffer.concat([output1, Buffer.of(2)]));
  const output3 = HMAC_HASH(temp_key, Buffer.concat([output2, Buffer.of(3)]));
  return [output1, output2, output3];
}

/** §5.1 */
export class CipherState {
  k: Buffer | "empty" = "empty";
  n = 0n;

  InitializeKey(key: Buffer | "empty"): void {
    this.k = key;
    this.n = 0n;
  }

  HasKey(): boolean {
    return this.k !== "empty";
  }

  EncryptWithAd(ad: Buffer, plaintext: Buffer): Buffer {
    if (this.k === "empty") return plaintext;
    if (this.n === 2n ** 64n - 1n) throw new Error("n is reserved");
    return ENCRYPT(this.k, this.n++, ad, plaintext);
  }

  DecryptWithAd(ad: Buffer, ciphertext: Buffer): Buffer {
    if (this.k === "empty") return ciphertext;
    if (this.n === 2n ** 64n - 1n) throw new Error("n is reserved");
    const plaintext = DECRYPT(this.k, this.n, ad, ciphertext);
    this.n++;
    return plaintext;
  }
}

/** §5.2 */
class SymmetricState {
  readonly cipher = new CipherState();
  ck: Buffer;
  h: Buffer;

  /** InitializeSymmetric */
  constructor(protocol_name: string) {
    const name = Buffer.from(protocol_name, "ascii");
    this.h = name.length <= HASHLEN ? Buffer.concat([name, Buffer.alloc(HASHLEN - name.length)]) : HASH(name);
    this.ck = this.h;
    this.cipher.InitializeKey("empty");
  }

  MixKey(input_key_material: Buffer): void {
    const [ck, temp_k] = HKDF(this.ck, input_key_material);
    this.ck = ck;
    this.cipher.InitializeKey(temp_k);
  }

  MixHash(data: Buffer): void {
    this.h = HASH(Buffer.concat([this.h, data]));
  }

  MixKeyAndHash(input_key_material: Buffer): void {
    const [ck, temp_h, temp_k] = HKDF(this.ck, input_key_material);
    this.ck = ck;
    this.MixHash(temp_h);
    this.cipher.InitializeKey(temp_k);
  }

  EncryptAndHash(plaintext: Buffer): Buffer {
    const ciphertext = this.cipher.EncryptWithAd(this.h, plaintext);
    this.MixHash(ciphertext);
    return ciphertext;
  }

  DecryptAndHash(ciphertext: Buffer): Buffer {
    const plaintext = this.cipher.DecryptWithAd(this.h, ciphertext);
    this.MixHash(ciphertext);
    return plaintext;
  }

  Split(): [CipherState, CipherState] {
    const [temp_k1, temp_k2] = HKDF(this.ck, Buffer.alloc(0));
    const [c1, c2] = [new CipherState(), new CipherState()];
    c1.InitializeKey(temp_k1);
    c2.InitializeKey(temp_k2);
    return [c1, c2];
  }
}

type Token = "e" | "ee" | "psk";

/** §7.4 NN with the modifier psk0 of §9.4. */
const NNpsk0: Token[][] = [
  ["psk", "e"],
  ["e", "ee"],
];

/** Ciphers as Split() gives them: the first is for messages of the initiator, the second for those of the responder. */
export interface Finished {
  ciphers: [CipherState, CipherState];
  h: Buffer;
}

/** §5.3 for NNpsk0: the e of every message also calls MixKey, because the handshake has a PSK (§9.2). */
export class HandshakeState {
  private readonly symmetric = new SymmetricState("Noise_NNpsk0_25519_ChaChaPoly_SHA256");
  private readonly message_patterns = [...NNpsk0];
  private e: KeyPair | undefined;
  private re: Buffer | undefined;

  /** Initialize. @param e a key pair from a test vector, instead of a fresh one */
  constructor(
    readonly initiator: boolean,
    prologue: Uint8Array,
    private readonly psk: Uint8Array,
    private readonly given?: KeyPair,
  ) {
    this.symmetric.MixHash(Buffer.from(prologue));
  }

  /** @returns the message, and with the last one what the handshake ends in */
  WriteMessage(payload: Uint8Array): { message: Buffer; finished: Finished | undefined } {
    const message_buffer: Buffer[] = [];
    for (const token of this.next()) {
      if (token === "e") {
        this.e = this.given ?? GENERATE_KEYPAIR();
        message_buffer.push(this.e.publicKey);
        this.symmetric.MixHash(this.e.publicKey);
        this.symmetric.MixKey(this.e.publicKey);
      } else this.process(token);
    }
    message_buffer.push(this.symmetric.EncryptAndHash(Buffer.from(payload)));
    return { message: Buffer.concat(message_buffer), finished: this.finish() };
  }

  /** @throws Error when the message is not genuine */
  ReadMessage(message: Uint8Array): { payload: Buffer; finished: Finished | undefined } {
    let rest = Buffer.from(message);
    for (const token of this.next()) {
      if (token === "e") {
        if (rest.length < DHLEN) throw new Error(`no room for a public key in ${rest.length} bytes`);
        this.re = rest.subarray(0, DHLEN);
        rest = rest.subarray(DHLEN);
        this.symmetric.MixHash(this.re);
        this.symmetric.MixKey(this.re);
      } else this.process(token);
    }
    const payload = this.symmetric.DecryptAndHash(rest);
    return { payload, finished: this.finish() };
  }

  private next(): Token[] {
    const pattern = this.message_patterns.shift();
    if (pattern === undefined) throw new Error("the handshake is complete");
    return pattern;
  }

  private process(token: "ee" | "psk"): void {
    if (token === "ee") this.symmetric.MixKey(DH(this.e!, this.re!));
    else this.symmetric.MixKeyAndHash(Buffer.from(this.psk));
  }

  private finish(): Finished | undefined {
    if (this.message_patterns.length > 0) return undefined;
    return { ciphers: this.symmetric.Split(), h: this.symmetric.h };
  }
}
