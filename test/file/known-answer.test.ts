/** A file that stays readable: written once by peer.ts from SPEC.md, and kept. A change of the format adds a file, and changes none. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fileKeys } from "../../host/file/keys.js";
import { fileOf, keysOf, readFile, segmentsOf } from "./peer.js";
import { decrypt, encrypt, KEY_ID, secret } from "./workbench.js";

const folder = new URL("known-answer/", import.meta.url);
const file = readFileSync(new URL("version-1.mbs", folder));
const inputs: Record<string, string> = JSON.parse(readFileSync(new URL("version-1.json", folder), "utf8"));
const hex = (name: string) => Buffer.from(inputs[name]!, "hex");
const terms = {
  secret: hex("secret"),
  keyId: hex("filekey"),
  start: BigInt(inputs.start!),
  salt: hex("salt"),
};
const padding = Number(inputs.padding);
const content = Buffer.from(Uint8Array.from({ length: Number(inputs.size) }, (_, i) => i % 251));
const name = inputs.name!;

describe("the known answer", () => {
  it("is the file that its SHA-256 names, with keys as noted", () => {
    expect(createHash("sha256").update(file).digest("hex")).toBe(inputs.sha256);
    const { aead, mac } = keysOf(terms);
    expect([Buffer.from(aead), Buffer.from(mac)]).toEqual([hex("aead"), hex("mac")]);
    const own = fileKeys(Uint8Array.from(terms.secret), terms);
    expect([Buffer.from(own.aead), Buffer.from(own.mac)]).toEqual([hex("aead"), hex("mac")]);
  });

  it("is what a writer from SPEC.md alone makes of the same inputs", () => {
    expect(fileOf(terms, segmentsOf(content, padding, Buffer.from(name))).equals(file)).toBe(true);
  });

  it("is what encryptFile makes, byte for byte, when salt and fill are given", async () => {
    expect([Buffer.from(KEY_ID), Buffer.from(secret())]).toEqual([terms.keyId, terms.secret]);
    const wish = { name, start: terms.start, salt: terms.salt, padding: BigInt(padding) };
    expect((await encrypt(content, wish)).file.equals(file)).toBe(true);
    expect((await encrypt(content, { ...wish, maxSize: 1_000_000n })).file.equals(file)).toBe(true);
  });

  it("is what decryptFile reads", async () => {
    const { content: back, result } = await decrypt(file, () => Uint8Array.from(terms.secret));
    expect(back.equals(content)).toBe(true);
    const size = BigInt(content.length);
    const end = terms.start + size + BigInt(padding) + 2n * 4n + 1024n - 1n;
    expect(result).toEqual({ keyId: Uint8Array.from(terms.keyId), start: terms.start, end, size, name });
  });

  it("is one of many: what encryptFile writes by chance, a reader from SPEC.md alone reads", async () => {
    for (const size of [0, 1, 100, 65_531, 65_532, 65_533, 140_000]) {
      const some = content.subarray(0, size).length === size ? content.subarray(0, size) : Buffer.alloc(size, 3);
      const read = readFile(secret(), (await encrypt(some, { name: "näme", start: 5n })).file);
      expect([read.content.equals(some), read.name, read.terms.start]).toEqual([true, "näme", 5n]);
    }
  });
});
