/** Files encrypted and decrypted in memory, for tests. */
import { randomBytes } from "node:crypto";
import { type Decrypted, decryptFile } from "../../host/file/decrypt.js";
import { type Encrypted, encryptWith } from "../../host/file/encrypt.js";
import type { Output } from "../../host/file/output.js";
import { type Randomness, systemRandomness } from "../../host/file/random.js";

export const KEY_ID = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i);
const SECRET = Uint8Array.from({ length: 32 }, (_, i) => i);
/** A copy, as what takes it wipes it. */
export const secret = () => Uint8Array.from(SECRET);

/** Keeps what it is given, and with what it ended. */
export class Memory implements Output {
  readonly pieces: Uint8Array[] = [];
  state: "new" | "begun" | "finished" | "abandoned" = "new";
  name: Uint8Array | undefined;

  async begin(): Promise<void> {
    this.state = "begun";
  }
  async write(pieces: readonly Uint8Array[]): Promise<void> {
    if (this.state !== "begun") throw new Error(`write after ${this.state}`);
    this.pieces.push(...pieces);
  }
  async finish(name?: Uint8Array): Promise<void> {
    this.name = name;
    this.state = "finished";
  }
  async abandon(): Promise<void> {
    this.state = "abandoned";
  }
  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }
}

/** A buffer in chunks of a length, in a buffer that is used again for each. */
export async function* chunks(bytes: Uint8Array, length = 50_000): AsyncGenerator<Uint8Array> {
  const room = Buffer.alloc(length);
  for (let at = 0; at < bytes.length; at += length) {
    const piece = bytes.subarray(at, at + length);
    room.set(piece);
    yield room.subarray(0, piece.length);
  }
  room.fill(0xff);
}

export interface Wish {
  name?: string;
  start?: bigint;
  /** Bytes of fill; default: by chance. */
  padding?: bigint;
  salt?: Uint8Array;
  chunk?: number;
  /** As a stream of which only this is known. */
  maxSize?: bigint;
}

/** Randomness of which some is fixed. */
function fixed({ padding, salt }: Wish): Randomness {
  return {
    bytes: (count) => salt ?? randomBytes(count),
    below: (limit) => {
      if (padding !== undefined && padding >= limit) throw new Error(`padding ${padding} of less than ${limit}`);
      return padding ?? systemRandomness.below(limit);
    },
  };
}

export async function encrypt(
  content: Uint8Array,
  wish: Wish = {},
): Promise<{ file: Buffer; result: Encrypted; claimed: bigint }> {
  const { name = "name", start = 0n, chunk, maxSize } = wish;
  const output = new Memory();
  let claimed = 0n;
  const limit = maxSize === undefined ? { size: BigInt(content.length) } : { maxSize };
  const result = await encryptWith(
    {
      input: { what: "input", name, stream: chunks(content, chunk), ...limit },
      claim: async (size) => {
        claimed = size;
        return { keyId: KEY_ID, start, end: start + size - 1n, secret: secret() };
      },
      output,
    },
    fixed(wish),
  );
  return { file: output.bytes, result, claimed };
}

/** Decrypts; a file that is refused must not have finished. */
export async function decrypt(
  file: Uint8Array,
  key: () => Uint8Array = secret,
  chunk?: number,
): Promise<{ content: Buffer; result: Decrypted; name: Uint8Array | undefined }> {
  const output = new Memory();
  try {
    const result = await decryptFile({
      input: { what: "file", stream: chunks(file, chunk) },
      secretFor: async () => key(),
      output,
    });
    return { content: output.bytes, result, name: output.name };
  } catch (error) {
    if (output.state !== "abandoned") throw new Error(`refused, but ${output.state}`, { cause: error });
    throw error;
  }
}

/** The code of the error with which a file is refused; "accepted" if it is not. */
export async function verdict(file: Uint8Array, key?: () => Uint8Array): Promise<string> {
  return decrypt(file, key).then(
    () => "accepted",
    (error) => error.code ?? String(error),
  );
}
