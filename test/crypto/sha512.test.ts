/** SHA-512 against the examples of FIPS 180 and other implementations. */
import { createHash } from "node:crypto";
import { sha512 as noble } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";
import { ascii, hex, source } from "./core.js";
import { core, DATA, OUT, only, place, sha512, taken } from "./curve.js";

const LONG =
  "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";

describe("SHA-512", () => {
  it.each([
    [
      "nothing",
      "",
      "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    ],
    [
      "one block",
      "abc",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ],
    [
      "two blocks",
      LONG,
      "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
    ],
  ])("gives the hash of the FIPS 180-4 example with %s", (_, message, expected) => {
    expect(hex(sha512([ascii(message)]))).toBe(expected);
  });

  it("agrees with @noble/hashes and node:crypto at every length up to 400, at all alignments, and wipes its state", () => {
    const { some, seed } = source();
    for (let length = 0; length <= 400; length++) {
      const data = some(length);
      const got = hex(sha512([data], length & 7));
      expect(got, `length ${length}, ${seed}`).toBe(hex(noble(data)));
      expect(got, `length ${length}, ${seed}`).toBe(createHash("sha512").update(data).digest("hex"));
    }
  });

  it("does not depend on how the input is cut into pieces", () => {
    const { some, below, seed } = source();
    for (let round = 0; round < 200; round++) {
      const pieces = Array.from({ length: below(6) }, () => some(below(200)));
      const whole = createHash("sha512").update(Buffer.concat(pieces)).digest("hex");
      expect(hex(sha512(pieces)), `pieces of ${pieces.map((piece) => piece.length)}, ${seed}`).toBe(whole);
    }
  });

  it("forgets a hash that was begun and not ended", () => {
    place(DATA, ascii("abcdefghij"));
    core.sha512Begin();
    core.sha512Update(DATA, 10);
    core.sha512Begin();
    core.sha512Update(DATA, 3);
    core.sha512End(OUT);
    expect(hex(taken(OUT, 64))).toMatch(/^ddaf35a1/);
    expect(hex(sha512([ascii("abc")]))).toMatch(/^ddaf35a1/);
  });
});

describe("the check of wiped scratch", () => {
  it("sees one byte of input that is still there", () => {
    core.sha512Begin();
    place(DATA, ascii("a"));
    expect(() => only([[OUT, 64]], () => core.sha512Update(DATA, 1))).toThrow("neither result nor wiped scratch");
    core.sha512End(OUT); // wipes it
  });
});
