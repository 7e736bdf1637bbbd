/** Filekeys and sealed Deltas of the device, in V8: their ranges, what is refused, and the bytes against XChaCha20-Poly1305 and BLAKE3 of
 *  @noble. */
import { readFileSync } from "node:fs";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { blake3 } from "@noble/hashes/blake3.js";
import { beforeEach, describe, expect, it } from "vitest";
import {
  DELTA_OFF_ID,
  DELTA_OFF_SECRET,
  DELTA_SIZE,
  FILEKEY_DELETED,
  FILEKEY_HEAD,
  FILEKEY_OFF_ALPHA,
  FILEKEY_OFF_CAPACITY,
  FILEKEY_OFF_ID,
  SEALED_DELTA,
  SEALED_DELTA_OFF_ID,
  SEALED_DELTA_OFF_KEY,
  SEALED_DELTA_OFF_SECRET,
  SEALED_DELTA_OFF_SEQUENCE,
  SEALED_DELTA_OFF_START,
  SEALED_DELTA_OFF_VERSION,
} from "../../../firmware/defs/filekey.js";
import { Status } from "../../../firmware/defs/status.js";
import { watch } from "../../crypto/memory.js";

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly CONTEXT: { value: number };
  readonly HEAP: { value: number };
  add(content: number, length: number, id: number): Status;
  bury(content: number, length: number): void;
  delta(content: number, sequence: number): number;
  deltas(length: number): number;
  forgetEntropy(): void;
  isAuthority(content: number): number;
  isDeleted(content: number): number;
  isSound(content: number, length: number): number;
  make(content: number, capacity: bigint): Status;
  open(sealed: number, content: number): Status;
  seal(out: number, content: number, delta: number, sequence: number): void;
}

let noise = 1;
let noisy = true;
const imports = {
  board: {
    entropy(pointer: number, length: number): number {
      // a counter through a mixer: different every time, and healthy
      for (let i = 0; i < length; i++) {
        noise = (Math.imul(noise, 1664525) + 1013904223) >>> 0;
        memory[pointer + i] = noisy ? noise >>> 24 : 0;
      }
      return length;
    },
    diag() {},
  },
};
const compiled = new WebAssembly.Module(readFileSync(new URL("../../../build/filekeys.wasm", import.meta.url)));
const core = new WebAssembly.Instance(compiled, imports).exports as unknown as Exports;
const memory = new Uint8Array(core.memory.buffer);
const { only } = watch(memory);

const CONTENT = core.HEAP.value;
const ID = CONTENT + 2048;
const OUT = ID + 16;
const MAX = 2n ** 63n - 1n;

beforeEach(() => {
  noisy = true;
  core.forgetEntropy();
  memory.fill(0, CONTENT);
});

function id(n: number): Buffer {
  return Buffer.alloc(16, n);
}
function filekey(capacity: bigint, deltas: number): number {
  expect(core.make(CONTENT, capacity)).toBe(Status.Ok);
  for (let n = 1; n <= deltas; n++) {
    memory.set(id(n), ID);
    expect(core.add(CONTENT, lengthOf(n - 1), ID)).toBe(Status.Ok);
  }
  return lengthOf(deltas);
}
const lengthOf = (deltas: number): number => FILEKEY_HEAD + deltas * DELTA_SIZE;
const bytes = (at: number, length: number): Buffer => Buffer.from(memory.slice(at, at + length));

function ranges(length: number): [bigint, bigint][] {
  return Array.from({ length: core.deltas(length) }, (_, i) => {
    const at = Buffer.from(memory.buffer, core.delta(CONTENT, i + 1), DELTA_SIZE);
    return [at.readBigInt64LE(48), at.readBigInt64LE(56)];
  });
}

describe("a filekey", () => {
  it("has Deltas whose ranges lie one behind the other, from position 0 on, with secrets and ids of their own", () => {
    const length = filekey(1000n, 3);
    expect(ranges(length)).toEqual([
      [0n, 999n],
      [1000n, 1999n],
      [2000n, 2999n],
    ]);
    expect(core.isSound(CONTENT, length)).toBe(1);
    expect(core.isAuthority(CONTENT)).toBe(1);
    const secrets = [1, 2, 3].map((n) => bytes(core.delta(CONTENT, n) + DELTA_OFF_SECRET, 32).toString("hex"));
    const alpha = bytes(CONTENT + FILEKEY_OFF_ALPHA, 32).toString("hex");
    expect(new Set([...secrets, alpha]).size).toBe(4);
    expect(bytes(core.delta(CONTENT, 2) + DELTA_OFF_ID, 16)).toEqual(id(2));
  });

  it("ends with the last position that there is, and gets no Delta behind it", () => {
    const length = filekey(2n ** 62n, 2);
    expect(ranges(length)[1]).toEqual([2n ** 62n, MAX]);
    expect(core.isSound(CONTENT, length)).toBe(1);
    const before = bytes(CONTENT, 1024);
    expect(core.add(CONTENT, length, ID)).toBe(Status.TooLarge);
    expect(bytes(CONTENT, 1024)).toEqual(before);
    const odd = filekey(2n ** 62n + 1n, 1);
    expect(core.add(CONTENT, odd, ID)).toBe(Status.TooLarge);
    expect(ranges(filekey(MAX, 1))).toEqual([[0n, MAX - 1n]]);
    expect(core.add(CONTENT, lengthOf(1), ID)).toBe(Status.TooLarge);
  });

  it("makes no secret without entropy", () => {
    noisy = false;
    expect(core.make(CONTENT, 1000n)).toBe(Status.EntropyNotReady);
    expect(core.isSound(CONTENT, FILEKEY_HEAD)).toBe(0);
  });

  it("leaves its id and the last position of its last Delta when it is deleted, and nothing else", () => {
    const length = filekey(1000n, 3);
    const kept = bytes(CONTENT + FILEKEY_OFF_ID, 16);
    expect(core.isDeleted(CONTENT)).toBe(0);
    core.bury(CONTENT, length);
    expect(core.isDeleted(CONTENT)).toBe(1);
    expect(core.isAuthority(CONTENT)).toBe(0);
    const left = Buffer.alloc(length);
    left[0] = FILEKEY_DELETED;
    kept.copy(left, FILEKEY_OFF_ID);
    left.writeBigInt64LE(2999n, FILEKEY_OFF_CAPACITY);
    expect(bytes(CONTENT, length)).toEqual(left);
  });

  it("is refused with any bit of its structure changed", () => {
    const length = filekey(1000n, 2);
    expect(core.isSound(CONTENT, length)).toBe(1);
    for (const wrong of [0, FILEKEY_HEAD - 1, length - 1, length + 1, length + DELTA_SIZE])
      expect(core.isSound(CONTENT, wrong), `${wrong} bytes`).toBe(0);
    const structure = [1, 7, FILEKEY_OFF_CAPACITY, FILEKEY_OFF_CAPACITY + 7, FILEKEY_HEAD + 48, FILEKEY_HEAD + 56];
    for (const at of [...structure, FILEKEY_HEAD + DELTA_SIZE + 48, FILEKEY_HEAD + DELTA_SIZE + 63]) {
      memory[CONTENT + at]! ^= 0x80;
      expect(core.isSound(CONTENT, length), `byte ${at}`).toBe(0);
      memory[CONTENT + at]! ^= 0x80;
    }
    for (const secret of [CONTENT + FILEKEY_OFF_ALPHA, core.delta(CONTENT, 2) + DELTA_OFF_SECRET]) {
      const kept = bytes(secret, 32);
      memory.fill(0, secret, secret + 32);
      expect(core.isSound(CONTENT, length)).toBe(0);
      memory.set(kept, secret);
    }
    expect(core.isSound(CONTENT, length)).toBe(1);
  });
});

describe("a sealed Delta", () => {
  const context = [core.CONTEXT.value, 32] as const; // public, and left
  const sealed = (sequence: number): Buffer => {
    only([[OUT, SEALED_DELTA], context], () => core.seal(OUT, CONTENT, core.delta(CONTENT, sequence), sequence));
    return bytes(OUT, SEALED_DELTA);
  };
  const open = (content: Uint8Array): { status: Status; out: Buffer } => {
    memory.set(content, OUT);
    const status = only([[OUT, SEALED_DELTA], context], () => core.open(OUT, CONTENT));
    return { status, out: bytes(OUT, SEALED_DELTA) };
  };

  it("is XChaCha20-Poly1305 over its secret under a key from the Alpha, its head in clear and bound, the same bytes each time", () => {
    filekey(1000n, 2);
    const alpha = bytes(CONTENT + FILEKEY_OFF_ALPHA, 32);
    const key = blake3(alpha, { context: Buffer.from("mbs 2026 delta") });
    for (const sequence of [1, 2]) {
      const made = sealed(sequence);
      expect(sealed(sequence)).toEqual(made);
      const head = made.subarray(0, SEALED_DELTA_OFF_SECRET);
      expect(head.toString("latin1", 0, 4)).toBe("MBSD");
      expect(head.subarray(SEALED_DELTA_OFF_KEY, SEALED_DELTA_OFF_KEY + 16)).toEqual(
        bytes(CONTENT + FILEKEY_OFF_ID, 16),
      );
      expect(head.subarray(SEALED_DELTA_OFF_ID, SEALED_DELTA_OFF_ID + 16)).toEqual(id(sequence));
      expect(head.readBigUInt64LE(SEALED_DELTA_OFF_SEQUENCE)).toBe(BigInt(sequence));
      expect(head.readBigInt64LE(SEALED_DELTA_OFF_START)).toBe(BigInt(1000 * (sequence - 1)));
      const nonce = Buffer.concat([head.subarray(40, 48), head.subarray(24, 40)]);
      const secret = xchacha20poly1305(key, nonce, head).decrypt(made.subarray(SEALED_DELTA_OFF_SECRET));
      expect(Buffer.from(secret)).toEqual(bytes(core.delta(CONTENT, sequence) + DELTA_OFF_SECRET, 32));
    }
  });

  it("opens on a device that has the Alpha, and gives the secret", () => {
    filekey(1000n, 1);
    const { status, out } = open(sealed(1));
    expect(status).toBe(Status.Ok);
    expect(out.subarray(SEALED_DELTA_OFF_SECRET, SEALED_DELTA_OFF_SECRET + 32)).toEqual(
      bytes(core.delta(CONTENT, 1) + DELTA_OFF_SECRET, 32),
    );
  });

  it("is refused with any bit changed, and nothing is opened", () => {
    filekey(1000n, 1);
    const made = sealed(1);
    for (let bit = 0; bit < SEALED_DELTA * 8; bit++) {
      const changed = Buffer.from(made);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const { status, out } = open(changed);
      const isVersion = bit >> 5 === SEALED_DELTA_OFF_VERSION / 4;
      expect(status, `bit ${bit}`).toBe(isVersion ? Status.WrongVersion : Status.NotGenuine);
      expect(out).toEqual(changed);
    }
  });

  it("is refused by a filekey that has another Alpha or another id", () => {
    filekey(1000n, 1);
    const made = sealed(1);
    memory[CONTENT + FILEKEY_OFF_ALPHA]! ^= 1;
    expect(open(made).status).toBe(Status.NotGenuine);
    memory[CONTENT + FILEKEY_OFF_ALPHA]! ^= 1;
    memory[CONTENT + FILEKEY_OFF_ID]! ^= 1;
    expect(open(made).status).toBe(Status.NotGenuine);
  });
});
