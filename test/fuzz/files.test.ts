/** What the host reads from files and people: manifests, operator keys, flash files, records, attestations. Whatever stands there, it is read as it
 *  was written or refused with the reader's own error, which repeats no secret. Intel HEX is not read anywhere yet. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { BadFlashFile, type FlashImage, loadFlash, saveFlash } from "../../board/virtual/flashfile.js";
import { ALG_ED25519, ALG_X509_DER, ALG_X25519 } from "../../firmware/defs/record.js";
import { Key } from "../../firmware/defs/wire.js";
import { verifyAttestation } from "../../host/client/attestation.js";
import { FileError, ProtocolError } from "../../host/client/errors.js";
import { encodeMessage, message } from "../../host/client/message.js";
import { formatKey, parseKey, withoutKeys } from "../../host/keys/text.js";
import { parseManifest } from "../../host/manifest.js";
import { decodeParts, encodeParts } from "../../host/record.js";
import { bytes, holds } from "./property.js";

/** Does something that may be refused with this error alone. @returns the error, or undefined */
function refusal<E extends Error>(kind: abstract new (...args: never[]) => E, act: () => void): E | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (!(error instanceof kind)) throw error;
    return error;
  }
}

const key32 = bytes(32, 32);

describe("parseManifest", () => {
  const example = readFileSync(new URL("../../host/example.toml", import.meta.url), "utf8");
  const lines = example.split("\n");
  const value = fc.oneof(
    fc.string({ maxLength: 40 }).map((text) => JSON.stringify(text)),
    fc.integer().map(String),
    fc.double().map(String),
    fc.constantFrom(
      "true",
      "false",
      "[]",
      '["a"]',
      "{}",
      "1979-05-27",
      "0x10",
      "inf",
      '"4K"',
      "-1",
      "99999999999999999999",
    ),
  );
  const name = fc.constantFrom(
    "name",
    "size",
    "blocks",
    "slots",
    "id",
    "role",
    "file",
    "files",
    "generate",
    "usage",
    "tier",
    "policy",
    "presence",
    "label",
    "revision",
    "__proto__",
    "constructor",
    "toString",
  );
  const header = fc.constantFrom(
    "[instance]",
    "[[class]]",
    "[[credential]]",
    "[[operator]]",
    "[class]",
    "[[instance]]",
    "[__proto__]",
    "[[constructor]]",
  );
  const line = fc.oneof(
    fc.tuple(name, value).map(([k, v]) => `${k} = ${v}`),
    header,
    fc.constantFrom(...lines),
    fc.string({ maxLength: 30 }),
  );

  it("reads lines of manifests in any order, or refuses them with a FileError", () => {
    holds(
      fc.property(fc.array(line, { maxLength: 25 }), (some) => {
        refusal(FileError, () => parseManifest(some.join("\n"), "m.toml"));
      }),
      2000,
    );
  });

  it("reads the example with lines left out, doubled, exchanged and changed, or refuses it with a FileError that names a line", () => {
    const edit = fc.record({
      at: fc.nat(lines.length - 1),
      how: fc.constantFrom("out", "double", "change", "other"),
      to: line,
    });
    holds(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        const text = [...lines];
        for (const { at, how, to } of edits) {
          const there = text[at] ?? "";
          text[at] = { out: "", double: `${there}\n${there}`, change: there.replace(/[\w"]/, "x"), other: to }[how]!;
        }
        const error = refusal(FileError, () => parseManifest(text.join("\n"), "m.toml"));
        if (error !== undefined) expect(error.message).toMatch(/^m\.toml, line \d+/);
      }),
      1500,
    );
  });

  it("never repeats an operator key that somebody typed into a field", () => {
    const fields = lines.flatMap((text, at) => (/^\w+ *= *"/.test(text) ? [at] : []));
    holds(
      fc.property(key32, fc.constantFrom(...fields), fc.constantFrom('"', "", '""'), (key, at, quote) => {
        const text = formatKey(key);
        const typed = lines
          .map((old, i) => (i === at ? `${old.split("=")[0]}= ${quote}${text}${quote}` : old))
          .join("\n");
        const error = refusal(FileError, () => parseManifest(typed, "m.toml"));
        expect(withoutKeys(error?.message ?? "")).not.toContain(text.slice(4));
      }),
      300,
    );
  });
});

describe("operator keys as text", () => {
  it("come out as they went in, in any case and grouping", () => {
    holds(
      fc.property(key32, fc.array(fc.nat(70), { maxLength: 8 }), fc.boolean(), (key, spaces, upper) => {
        const letters = [...formatKey(key).replaceAll("-", "")];
        for (const at of spaces) letters.splice(at, 0, " ");
        const text = letters.join("");
        expect([...parseKey(upper ? text.toUpperCase() : text, "k")]).toEqual([...key]);
      }),
      500,
    );
  });

  it("with one letter changed, lost or doubled are refused, and no error repeats the text", () => {
    holds(
      fc.property(key32, fc.nat(), fc.constantFrom("a", "7", "z", "0", "é", "", "bb"), (key, where, to) => {
        const text = formatKey(key).replaceAll("-", "");
        const at = where % text.length;
        const wrong = text.slice(0, at) + to + text.slice(at + 1);
        if (wrong === text) return;
        const error = refusal(FileError, () => parseKey(wrong, "k"));
        expect(error).toBeDefined();
        for (let i = 4; i + 8 <= text.length; i += 8) expect(error!.message).not.toContain(text.slice(i, i + 8));
      }),
      500,
    );
  });

  it("are looked for in any text without another error", () => {
    holds(
      fc.property(fc.string({ unit: "binary", maxLength: 90 }), fc.boolean(), (text, prefixed) => {
        expect(refusal(FileError, () => parseKey(prefixed ? `mbs1${text}` : text, "k"))).toBeDefined();
      }),
      200,
    );
  });
});

describe("flash files", () => {
  const folder = mkdtempSync(join(tmpdir(), "mbs-fuzz-"));
  const file = join(folder, "flash");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const CODE = { bytes: 256, units: 2, blocks: 1 };
  const DATA = { bytes: 64, units: 16, blocks: 2 };
  const shape = (from: number) => (from === 0 || from === 0x40000 ? CODE : undefined);
  const words = (count: number) => fc.array(fc.nat(0xffffffff), { minLength: count, maxLength: count });
  const medium = ({ bytes: size, units, blocks }: typeof CODE) =>
    fc.record({
      bytes: bytes(size, size).map((one) => Buffer.from(one)),
      states: fc.uint8Array({ minLength: units, maxLength: units, max: 4 }),
      unreadable: fc.uint8Array({ minLength: units, maxLength: units, max: 1 }),
      inFlight: fc.array(
        fc.record({ offset: fc.nat(size), before: bytes(1, 8), after: fc.option(bytes(1, 8), { nil: undefined }) }),
        { maxLength: 3 },
      ),
      erases: words(blocks),
      programs: words(blocks),
    });
  const image: fc.Arbitrary<FlashImage> = fc.record({
    uniqueId: bytes(16, 16).map((one) => Buffer.from(one)),
    firmware: bytes(32, 32).map((one) => Buffer.from(one)),
    from: fc.constantFrom(0, 0x40000),
    code: medium(CODE),
    data: medium(DATA),
  });

  it("come back as they were saved", () => {
    holds(
      fc.property(image, (one) => {
        saveFlash(file, one);
        expect(loadFlash(file, shape, DATA)).toEqual(one);
      }),
      60,
    );
  });

  it("that were changed, cut or grew are refused with BadFlashFile, also under a checksum that fits", () => {
    holds(
      fc.property(
        image,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        fc.boolean(),
        (one, at, by, cuts, fits) => {
          saveFlash(file, one);
          const saved = readFileSync(file);
          const body = Buffer.from(saved.subarray(0, saved.length - 32));
          if (!cuts) body[at % body.length]! ^= by;
          const changed = cuts ? body.subarray(0, at % body.length) : body;
          const digest = fits ? createHash("sha256").update(changed).digest() : saved.subarray(saved.length - 32);
          writeFileSync(file, Buffer.concat([changed, digest]));
          const error = refusal(BadFlashFile, () => loadFlash(file, shape, DATA));
          if (!fits || cuts) expect(error).toBeDefined();
        },
      ),
      100,
    );
  });
});

/** Algorithms that ask something of the content. */
const STRICT: readonly number[] = [ALG_ED25519, ALG_X25519, ALG_X509_DER];

describe("the body of a record", () => {
  it("is read as it was written; any other bytes are refused with a FileError", () => {
    const part = fc.record({
      kind: fc.integer({ min: 1, max: 4 }),
      secret: fc.boolean(),
      algorithm: fc.integer({ min: -70000, max: 10 }).filter((id) => !STRICT.includes(id)),
      content: bytes(1, 300),
    });
    holds(
      fc.property(fc.array(part, { minLength: 1, maxLength: 16 }), fc.nat(), fc.nat(255), (parts, at, value) => {
        const body = encodeParts(parts);
        expect(Buffer.compare(encodeParts(decodeParts(body)), body)).toBe(0);
        body[at % body.length] = value;
        refusal(FileError, () => {
          expect(Buffer.compare(encodeParts(decodeParts(body)), body)).toBe(0);
        });
      }),
      500,
    );
  });
});

describe("verifyAttestation", () => {
  const secret = new Uint8Array(32).fill(1);
  const identity = ed25519.getPublicKey(secret);
  const challenge = new Uint8Array(32).fill(2);
  const statement = Buffer.concat([
    Buffer.from("mbs-attest-v1\0"),
    encodeMessage(
      message([
        [Key.Instance, new Uint8Array(16).fill(3)],
        [Key.Custody, 1],
        [Key.CoreHash, new Uint8Array(32).fill(4)],
        [Key.UniqueId, new Uint8Array(16).fill(5)],
        [Key.Challenge, challenge],
      ]),
    ),
  ]);

  it("refuses a statement, signature or identity with a changed byte with a ProtocolError", () => {
    const good = { statement, signature: ed25519.sign(statement, secret), identity, challenge };
    holds(
      fc.property(
        fc.constantFrom("statement", "signature", "identity", "challenge"),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (which, at, by) => {
          const changed = Uint8Array.from(good[which]);
          changed[at % changed.length]! ^= by;
          expect(refusal(ProtocolError, () => verifyAttestation({ ...good, [which]: changed }))).toBeDefined();
        },
      ),
      60,
    );
  });

  it("reads a signed statement of any form, or refuses it with a ProtocolError", () => {
    holds(
      fc.property(fc.nat(), fc.nat(255), bytes(0, 20), (at, value, behind) => {
        const odd = Buffer.concat([statement, behind]);
        odd[at % odd.length] = value;
        const signed = { statement: odd, signature: ed25519.sign(odd, secret), identity, challenge };
        refusal(ProtocolError, () => verifyAttestation(signed));
      }),
      60,
    );
  });
});
