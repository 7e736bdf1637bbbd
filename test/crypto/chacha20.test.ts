/** ChaCha20 and HChaCha20 against their specifications and against other implementations. */
import { createCipheriv } from "node:crypto";
import { chacha20 } from "@noble/ciphers/chacha.js";
import { describe, expect, it } from "vitest";
import { ascii, bytes, core, DATA, hex, KEY, NONCE, OUT, only, place, source, taken } from "./core.js";

/** Xors `data` with the key stream from block `counter` on, in place, and cleans up. */
function xor(key: Uint8Array, counter: number, nonce: Uint8Array, data: Uint8Array, shift = 0): Uint8Array {
  place(KEY + shift, key);
  place(NONCE + shift, nonce);
  place(DATA + shift, data);
  only([[DATA + shift, data.length]], () => {
    core.chachaBegin(KEY + shift, counter, NONCE + shift);
    core.chachaXor(DATA + shift, data.length);
    core.chachaEnd();
  });
  return taken(DATA + shift, data.length);
}

const counting = Uint8Array.from({ length: 32 }, (_, i) => i);
const zeros = (n: number) => new Uint8Array(n);

describe("ChaCha20", () => {
  it("gives the key stream block of RFC 8439 §2.3.2", () => {
    place(KEY, counting);
    place(NONCE, bytes("000000090000004a00000000"));
    core.chachaBegin(KEY, 1, NONCE);
    core.chachaBlock();
    expect(hex(taken(core.STREAM.value, 64))).toBe(
      "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e" +
        "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
    );
    core.chachaEnd();
  });

  it("encrypts the text of RFC 8439 §2.4.2", () => {
    const text = ascii(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    );
    expect(hex(xor(counting, 1, bytes("000000000000004a00000000"), text))).toBe(
      "6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0b" +
        "f91b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c359f0861d8" +
        "07ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab7793736" +
        "5af90bbf74a35be6b40b8eedf2785e42874d",
    );
  });

  it.each([
    [
      "#1",
      zeros(32),
      0,
      zeros(12),
      "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7" +
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
    ],
    [
      "#2",
      zeros(32),
      1,
      zeros(12),
      "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed" +
        "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
    ],
    [
      "#3",
      bytes(`${"00".repeat(31)}01`),
      1,
      zeros(12),
      "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a" +
        "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0",
    ],
    [
      "#4",
      bytes(`00ff${"00".repeat(30)}`),
      2,
      zeros(12),
      "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca" +
        "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096",
    ],
    [
      "#5",
      zeros(32),
      0,
      bytes(`${"00".repeat(11)}02`),
      "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7" +
        "8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d",
    ],
  ])("gives the key stream of RFC 8439 appendix A.1 %s", (_, key, counter, nonce, stream) => {
    expect(hex(xor(key, counter, nonce, zeros(64)))).toBe(stream);
  });

  it("agrees with node:crypto and @noble/ciphers at every length up to 300, at all alignments, and wipes its state", () => {
    const { some, below, seed } = source();
    for (let length = 0; length <= 300; length++) {
      const [key, nonce, data, counter] = [some(32), some(12), some(length), below(1000)];
      const got = xor(key, counter, nonce, data, length & 7);
      expect(hex(got), `length ${length}, ${seed}`).toBe(hex(chacha20(key, nonce, data, undefined, counter)));
      const iv = Buffer.concat([Buffer.of(counter & 255, counter >> 8, 0, 0), nonce]);
      expect(hex(got), `length ${length}, ${seed}`).toBe(hex(createCipheriv("chacha20", key, iv).update(data)));
    }
  });
});

describe("HChaCha20", () => {
  it("gives the subkey of draft-irtf-cfrg-xchacha-03 §2.2.1", () => {
    place(KEY, counting);
    place(NONCE, bytes("000000090000004a0000000031415927"));
    only([[OUT, 32]], () => {
      core.hchacha(OUT, KEY, NONCE);
      core.chachaEnd();
    });
    expect(hex(taken(OUT, 32))).toBe("82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc");
  });
});
