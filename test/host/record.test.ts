/** Parts and bodies. SPEC.md §6. */
import { describe, expect, it } from "vitest";
import {
  ALG_ED25519,
  ALG_NONE,
  ALG_X509_DER,
  BODY_MAX,
  PART_HEADER,
  PARTS_MAX,
  PartKind,
} from "../../firmware/defs/record.js";
import { decodeParts, encodeParts, joinChain, type Part, splitChain } from "../../host/record.js";
import { random } from "./random.js";

const opaque = (length: number): Part => ({
  kind: PartKind.Opaque,
  secret: true,
  algorithm: ALG_NONE,
  content: new Uint8Array(length).fill(7),
});

describe("encodeParts", () => {
  it("writes kind, flags, length, algorithm and content, little-endian", () => {
    const part = { kind: PartKind.Signing, secret: true, algorithm: ALG_ED25519, content: new Uint8Array(32).fill(9) };
    expect(Buffer.from(encodeParts([part])).toString("hex")).toBe(`01012000edffffff${"09".repeat(32)}`);
  });

  it("is undone by decodeParts, for random parts", () => {
    const { below, seed } = random();
    for (let round = 0; round < 200; round++) {
      const parts = Array.from({ length: 1 + below(PARTS_MAX) }, () => ({
        kind: 1 + below(4),
        secret: below(2) === 1,
        algorithm: -70000 - below(1000),
        content: Uint8Array.from({ length: 1 + below(300) }, () => below(256)),
      }));
      expect(decodeParts(encodeParts(parts)), seed).toEqual(parts);
    }
  });

  it("takes the largest body, and not one byte more", () => {
    expect(encodeParts([opaque(BODY_MAX - PART_HEADER)])).toHaveLength(BODY_MAX);
    expect(() => encodeParts([opaque(BODY_MAX - PART_HEADER + 1)])).toThrow(`at most ${BODY_MAX} bytes`);
  });

  it.each<[string, Part[]]>([
    ["no parts", []],
    ["17 parts", Array.from({ length: PARTS_MAX + 1 }, () => opaque(1))],
    ["an empty part", [opaque(0)]],
    ["an Ed25519 key of 31 bytes", [{ ...opaque(31), algorithm: ALG_ED25519 }]],
    ["a chain that is none", [{ ...opaque(31), algorithm: ALG_X509_DER }]],
    ["an unknown kind", [{ ...opaque(31), kind: 5 as PartKind }]],
    ["an algorithm of 33 bits", [{ ...opaque(31), algorithm: 2 ** 32 }]],
  ])("refuses %s", (_, parts) => {
    expect(() => encodeParts(parts)).toThrow();
  });
});

describe("decodeParts", () => {
  const body = encodeParts([opaque(3), opaque(4)]);

  it("refuses every body that was cut short, and every one with a byte too many", () => {
    for (let length = 0; length < body.length; length++) {
      if (length !== PART_HEADER + 3) expect(() => decodeParts(body.subarray(0, length)), `${length} bytes`).toThrow();
    }
    expect(() => decodeParts(Uint8Array.from([...body, 0]))).toThrow();
  });

  it("refuses unknown flags", () => {
    const changed = body.slice();
    changed[1] = 2;
    expect(() => decodeParts(changed)).toThrow("unknown flags");
  });
});

describe("splitChain", () => {
  it("undoes joinChain", () => {
    const certificates = [Uint8Array.of(1, 2, 3), Uint8Array.of(4)];
    expect(splitChain(joinChain(certificates))).toEqual(certificates);
  });

  it.each(["00000000", "0200000001", "010000000102", "ffffffff01", "0100"])("refuses %s", (hex) => {
    expect(() => splitChain(Buffer.from(hex, "hex"))).toThrow("wrong length");
  });
});
