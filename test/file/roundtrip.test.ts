/** encryptFile and decryptFile together: every size, every way in which bytes may come, and what becomes of claims and secrets. */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decryptFile } from "../../host/file/decrypt.js";
import { encryptFile, type FileClaim } from "../../host/file/encrypt.js";
import { POSITION_MAX, paddingMax, positionsFor } from "../../host/file/format.js";
import { Batches } from "../../host/file/output.js";
import { random } from "../host/random.js";
import { keysOf } from "./peer.js";
import { chunks, decrypt, encrypt, KEY_ID, Memory, secret } from "./workbench.js";

async function expectSame(content: Uint8Array, wish: Parameters<typeof encrypt>[1] = {}, chunk?: number) {
  const { file, result } = await encrypt(content, wish);
  const back = await decrypt(file, secret, chunk);
  expect(back.content.equals(content), `${content.length} bytes`).toBe(true);
  expect(back.result).toMatchObject({ start: result.start, end: result.end, size: BigInt(content.length) });
}

describe("a file that is encrypted and decrypted", () => {
  it("is the same for every size from 0 to 300", async () => {
    for (let size = 0; size <= 300; size++) await expectSame(randomBytes(size));
  });

  it("is the same around every multiple of a segment, without fill and with all that there may be", async () => {
    for (const near of [65_532, 65_536, 2 * 65_532, 3 * 65_532, 20 * 65_532]) {
      for (const size of [near - 5, near - 1, near, near + 1, near + 5]) {
        const content = randomBytes(size);
        for (const padding of [0n, 1n, paddingMax(BigInt(size))]) await expectSame(content, { padding });
      }
    }
  });

  it("is the same when content and fill together end around a segment", async () => {
    for (let all = 2 * 65_532 - 3; all <= 2 * 65_532 + 3; all++) {
      for (const padding of [1, 5000, 6000])
        await expectSame(randomBytes(all - padding), { padding: BigInt(padding), maxSize: 200_000n });
    }
  });

  it("is the same for random sizes and starts, in chunks of any length", async () => {
    const { below, seed } = random();
    for (let i = 0; i < 40; i++) {
      const chunk = 1 + below(150_000);
      const start = POSITION_MAX - 2_000_000n - BigInt(below(1_000_000));
      await expectSame(randomBytes(below(400_000)), { start, chunk }, 1 + below(150_000)).catch((error) => {
        throw new Error(seed, { cause: error });
      });
    }
    await expectSame(randomBytes(3000), { chunk: 1 }, 1);
  });

  it("keeps its name", async () => {
    const { result, name } = await decrypt((await encrypt(randomBytes(5), { name: "Ünïcode 名.txt" })).file);
    expect([result.name, Buffer.from(name!).toString()]).toEqual(["Ünïcode 名.txt", "Ünïcode 名.txt"]);
  });

  it("may end with the last position that there is, and not behind it", async () => {
    const start = POSITION_MAX - positionsFor(10n, 0n) + 1n;
    await expectSame(randomBytes(10), { start });
    await expect(encrypt(randomBytes(10), { start: start + 1n })).rejects.toThrow("claim() gave");
  });

  it("differs in length from another of the same size, by as much as five in a hundred", async () => {
    const lengths = new Set<number>();
    for (let i = 0; i < 60; i++) lengths.add((await encrypt(Buffer.alloc(10_000))).file.length);
    expect(lengths.size).toBeGreaterThan(20);
    const least = 96 + 10_000 + 4 + 16 + 1040;
    for (const length of lengths) expect(length >= least && length <= least + 500).toBe(true);
  });
});

describe("two files at the same positions with the same secret, as after a restored cache", () => {
  it("share no salt and no key, so that no pair of key and nonce comes twice", async () => {
    const content = randomBytes(200_000);
    const wish = { start: 4096n, padding: 0n };
    const seen = new Set<string>();
    const files = [];
    for (let i = 0; i < 20; i++) files.push((await encrypt(content, wish)).file);
    for (const file of files) {
      const terms = { secret: secret(), keyId: KEY_ID, start: 4096n, salt: file.subarray(32, 64) };
      const { aead, mac } = keysOf(terms);
      for (const key of [aead, mac]) seen.add(Buffer.from(key).toString("hex"));
    }
    expect(seen.size).toBe(40);
    // the same content gives the same ciphertext only under the same key and nonce
    const blocks = files.flatMap((file) => [96, 96 + 65_552].map((at) => file.subarray(at, at + 32).toString("hex")));
    expect(new Set(blocks).size).toBe(40);
  });

  it("would share all of it with one salt: the check above can fail", async () => {
    const wish = { start: 4096n, padding: 0n, salt: new Uint8Array(32) };
    const content = randomBytes(100);
    expect((await encrypt(content, wish)).file).toEqual((await encrypt(content, wish)).file);
  });

  it("has other keys for another start, another filekey and another secret", () => {
    const salt = new Uint8Array(32);
    const of = (change: object) =>
      Buffer.from(keysOf({ secret: secret(), keyId: KEY_ID, start: 1n, salt, ...change }).aead).toString("hex");
    const all = [{}, { start: 2n }, { keyId: new Uint8Array(16) }, { secret: new Uint8Array(32) }].map(of);
    expect(new Set(all).size).toBe(4);
  });
});

function claimOf(size: bigint, change: Partial<FileClaim> = {}): FileClaim {
  return { keyId: KEY_ID, start: 0n, end: size - 1n, secret: secret(), ...change };
}

describe("encryptFile", () => {
  const input = (stream: AsyncIterable<Uint8Array>, more: object) => ({ what: "x", name: "x", stream, ...more });

  it("claims once, before it reads or writes anything, exactly what it uses", async () => {
    const events: string[] = [];
    const output = new Memory();
    output.begin = async () => {
      events.push("begin");
      output.state = "begun";
    };
    const stream = (async function* () {
      events.push("read");
      yield randomBytes(100);
    })();
    const claim = async (size: bigint) => {
      events.push("claim");
      return claimOf(size);
    };
    const { end } = await encryptFile({ input: input(stream, { size: 100n }), claim, output });
    expect([events, output.bytes.length]).toEqual([["claim", "begin", "read"], 96 + Number(end) + 1 + 32]);
  });

  it("refuses a stream of unknown size and a size above the limit before it claims", async () => {
    const claim = () => Promise.reject(new Error("claimed"));
    const output = new Memory();
    const none = encryptFile({ input: input(chunks(Buffer.alloc(1)), {}), claim, output });
    await expect(none).rejects.toMatchObject({ code: "usage", hint: expect.stringContaining("--max-size") });
    const more = encryptFile({ input: input(chunks(Buffer.alloc(9)), { size: 9n, maxSize: 8n }), claim, output });
    await expect(more).rejects.toMatchObject({ code: "file", message: expect.stringContaining("Nothing was claimed") });
    const huge = encryptFile({ input: input(chunks(Buffer.alloc(9)), { maxSize: 2n ** 63n - 1n }), claim, output });
    await expect(huge).rejects.toMatchObject({ code: "usage" });
    expect(output.state).toBe("new");
  });

  it("refuses a stream over its limit, by one byte and by many", async () => {
    await expect(encrypt(Buffer.alloc(100), { maxSize: 100n })).resolves.toBeDefined();
    for (const size of [101, 200_000])
      await expect(encrypt(Buffer.alloc(size), { maxSize: 100n })).rejects.toMatchObject({
        code: "file",
        message: expect.stringContaining("not used again"),
      });
  });

  it("refuses a file that ends early or late, or whose source says at the end that it changed", async () => {
    for (const [size, verify] of [
      [99n, async () => {}],
      [101n, async () => {}],
      [100n, () => Promise.reject(new Error("changed"))],
    ] as const) {
      const output = new Memory();
      const stream = chunks(Buffer.alloc(100));
      const claim = async (positions: bigint) => claimOf(positions);
      const done = encryptFile({ input: input(stream, { size, verify }), claim, output });
      await expect(done).rejects.toThrow("changed");
      expect(output.state).toBe("abandoned");
    }
  });

  it("wipes the secret that it was given: when it succeeds, when it fails, and when the claim is none", async () => {
    const all: Uint8Array[] = [];
    const claims = (change: (size: bigint) => Partial<FileClaim>) => async (size: bigint) => {
      const claim = claimOf(size, change(size));
      all.push(claim.secret);
      return claim;
    };
    const go = (claim: (size: bigint) => Promise<FileClaim>, size = 10n) =>
      encryptFile({ input: input(chunks(Buffer.alloc(10)), { size }), claim, output: new Memory() });
    await go(claims(() => ({})));
    await expect(
      go(
        claims(() => ({})),
        11n,
      ),
    ).rejects.toThrow();
    const wrong: ((size: bigint) => Partial<FileClaim>)[] = [
      (size) => ({ start: -1n, end: size - 2n }),
      () => ({ start: 1n }),
      () => ({ end: 0n }),
      (size) => ({ start: 2n ** 63n - size + 1n, end: 2n ** 63n }),
      () => ({ keyId: new Uint8Array(15) }),
      () => ({ secret: new Uint8Array(31).fill(1) }),
    ];
    for (const change of wrong) await expect(go(claims(change))).rejects.toThrow("claim() gave");
    expect(all.length).toBe(8);
    for (const one of all) expect(one.every((byte) => byte === 0)).toBe(true);
  });

  it("wipes a secret that comes after it was given up", async () => {
    const interrupt = new AbortController();
    const late = secret();
    let give = (_: FileClaim) => {};
    const claim = () => new Promise<FileClaim>((resolve) => (give = resolve));
    const stream = chunks(Buffer.alloc(1));
    const output = new Memory();
    const done = encryptFile({ input: input(stream, { size: 1n }), claim, output, signal: interrupt.signal });
    interrupt.abort(new Error("given up"));
    await expect(done).rejects.toThrow("given up");
    give({ keyId: KEY_ID, start: 0n, end: 0n, secret: late });
    await new Promise(setImmediate);
    expect([late.every((byte) => byte === 0), output.state]).toEqual([true, "new"]);
  });

  it("ends when it is told to, also while a stream gives nothing and while an output takes nothing", async () => {
    const claim = async (size: bigint) => claimOf(size);
    for (const stuck of ["stream", "output"]) {
      const interrupt = new AbortController();
      const output = new Memory();
      const never = new Promise<void>(() => {});
      const stream = (async function* () {
        yield Buffer.alloc(3 << 20);
        if (stuck === "stream") await never;
      })();
      if (stuck === "output") output.write = () => never;
      const done = encryptFile({
        input: input(stream, { maxSize: 4n << 20n }),
        claim,
        output,
        signal: interrupt.signal,
      });
      setTimeout(() => interrupt.abort(new Error("given up")), 20);
      await expect(done).rejects.toThrow("given up");
      expect(output.state).toBe("abandoned");
    }
  });

  it("waits for its output, so that little waits in memory however much comes", async () => {
    let [made, written, most] = [0, 0, 0];
    const stream = (async function* () {
      for (let i = 0; i < 40; i++) {
        made += 1 << 20;
        most = Math.max(most, made - written);
        yield Buffer.alloc(1 << 20);
      }
    })();
    const output = new Memory();
    output.write = async (pieces) => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      for (const piece of pieces) written += piece.length;
    };
    await encryptFile({
      input: input(stream, { size: 40n << 20n }),
      claim: async (size) => claimOf(size),
      output,
    });
    expect(most).toBeLessThanOrEqual(4 << 20);
  });

  it("tells how far it is, with the size where that is known", async () => {
    const seen: [bigint, bigint | undefined][] = [];
    const stream = chunks(Buffer.alloc(100), 40);
    const claim = async (size: bigint) => claimOf(size);
    const progress = (bytes: bigint, of: bigint | undefined) => void seen.push([bytes, of]);
    await encryptFile({ input: input(stream, { size: 100n }), claim, output: new Memory(), progress });
    expect(seen).toEqual([
      [40n, 100n],
      [80n, 100n],
      [100n, 100n],
    ]);
  });

  it("fails as its output fails, wherever that is, and finishes nothing", async () => {
    for (let failing = 0; failing < 5; failing++) {
      const output = new Memory();
      let writes = 0;
      output.write = async () => {
        if (writes++ === failing) throw new Error("disk full");
      };
      const stream = chunks(Buffer.alloc(5 << 20), 1 << 19);
      const done = encryptFile({
        input: input(stream, { size: 5n << 20n }),
        claim: async (size) => claimOf(size),
        output,
      });
      await expect(done).rejects.toThrow("disk full");
      expect(output.state).toBe("abandoned");
    }
  });
});

describe("an output that fails while nobody waits for it", () => {
  it("is told to whoever waits next, and is no failure of the process until then", async () => {
    const output = new Memory();
    output.write = async () => {
      throw new Error("disk full");
    };
    const batches = new Batches(output, undefined);
    await batches.add(Buffer.alloc(1 << 20));
    await new Promise((resolve) => setTimeout(resolve, 30)); // a failure that nobody hears would end the process now
    await expect(batches.flush()).rejects.toThrow("disk full");
  });
});

describe("decryptFile", () => {
  it("wipes the secret that it was given, and begins no output unless the header fits it", async () => {
    const { file } = await encrypt(Buffer.alloc(10));
    for (const right of [true, false]) {
      const given = right ? secret() : new Uint8Array(32).fill(1);
      const output = new Memory();
      let begun = false;
      output.begin = async () => {
        begun = true;
        output.state = "begun";
      };
      const done = decryptFile({ input: { what: "x", stream: chunks(file) }, secretFor: async () => given, output });
      if (right) await done;
      else await expect(done).rejects.toMatchObject({ code: "wrong-key" });
      expect([begun, given.every((byte) => byte === 0)]).toEqual([right, true]);
    }
  });

  it("asks for the secret of the filekey and position that the file names", async () => {
    const { file } = await encrypt(Buffer.alloc(10), { start: 77n });
    const asked: unknown[] = [];
    const secretFor = async (keyId: Uint8Array, start: bigint) => {
      asked.push(keyId, start);
      return secret();
    };
    await decryptFile({ input: { what: "x", stream: chunks(file) }, secretFor, output: new Memory() });
    expect(asked).toEqual([KEY_ID, 77n]);
  });

  it("wipes a secret that comes after it was given up", async () => {
    const { file } = await encrypt(Buffer.alloc(10));
    const interrupt = new AbortController();
    const late = secret();
    let give = (_: Uint8Array) => {};
    const secretFor = () => new Promise<Uint8Array>((resolve) => (give = resolve));
    const input = { what: "x", stream: chunks(file) };
    const done = decryptFile({ input, secretFor, output: new Memory(), signal: interrupt.signal });
    setTimeout(() => interrupt.abort(new Error("given up")), 20);
    await expect(done).rejects.toThrow("given up");
    give(late);
    await new Promise(setImmediate);
    expect(late.every((byte) => byte === 0)).toBe(true);
  });

  it("ends when it is told to, while it waits for a secret and while a stream gives nothing", async () => {
    const { file } = await encrypt(Buffer.alloc(10));
    const never = new Promise<never>(() => {});
    const stuck = (async function* () {
      yield file.subarray(0, 200);
      await never;
    })();
    for (const [stream, secretFor, state] of [
      [chunks(file), () => never, "abandoned"],
      [stuck, async () => secret(), "abandoned"],
    ] as const) {
      const interrupt = new AbortController();
      const output = new Memory();
      const done = decryptFile({ input: { what: "x", stream }, secretFor, output, signal: interrupt.signal });
      setTimeout(() => interrupt.abort(new Error("given up")), 20);
      await expect(done).rejects.toThrow("given up");
      expect(output.state).toBe(state);
    }
  });

  it("gives out nothing of a segment whose tag does not fit, and everything of those before it", async () => {
    const content = randomBytes(70 * 65_532);
    const { file } = await encrypt(content, { padding: 0n });
    const at = 96 + 50 * 65_552 + 1000;
    file[at] = file[at]! ^ 1;
    const output = new Memory();
    const secretFor = async () => secret();
    const done = decryptFile({ input: { what: "x", stream: chunks(file) }, secretFor, output });
    await expect(done).rejects.toMatchObject({ code: "damaged", message: expect.stringContaining(`${50 * 65536}`) });
    expect(output.bytes.length).toBeLessThanOrEqual(50 * 65_532);
    expect(content.subarray(0, output.bytes.length).equals(output.bytes)).toBe(true);
  });

  it("takes what encryptFile makes of anything (property)", async () => {
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }),
      fc.uint8Array({ minLength: 60_000, maxLength: 70_000 }),
    );
    await fc.assert(
      fc.asyncProperty(content, fc.integer({ min: 1, max: 70_000 }), async (bytes, chunk) =>
        expectSame(bytes, { chunk }, chunk),
      ),
      { numRuns: 60 },
    );
  });
});
