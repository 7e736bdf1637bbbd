/** scripts/bind: a core is bound to what a target has, or it is said who needs what, by which way, and what is missing. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Atomic, BoundMedium, ConstantTime, Engine, RootPlace, Target } from "../../firmware/defs/binding.js";
import { decodeBinding, encodeBinding } from "../../host/binding.js";
import { bind, CapabilityError } from "../../scripts/bind/bind.js";
import { ManifestError } from "../../scripts/bind/json.js";
import { readCoeffects, SectionError } from "../../scripts/bind/section.js";
import { parseTarget } from "../../scripts/bind/target.js";
import { main } from "../../scripts/bind.js";
import { encode, SECTION } from "../../scripts/coeffects.mjs";
import { built, builtPath } from "../device/built.js";

const core = built("core.wasm");
const coeffects = readCoeffects(core, "core.wasm");
const path = (name: string) => new URL(`../../${name}`, import.meta.url).pathname;
const MANIFESTS = ["board/ek-ra6m5", "board/virtual", "renode", "board/host"].map((one) => `${one}/target.json`);
const manifest = readFileSync(path("board/ek-ra6m5/target.json"));

/** The EK-RA6M5's manifest with something changed. */
type Change = (manifest: Record<string, Record<string, Record<string, unknown>>>) => void;
function changed(change: Change): string {
  const copy = JSON.parse(manifest.toString());
  change(copy);
  return JSON.stringify(copy);
}

function bindTo(text: string, constantTime = ConstantTime.Unproven) {
  return bind({ core, coeffects, manifest: Buffer.from(text), target: parseTarget(text, "target.json"), constantTime });
}

/** The lines that say why a core cannot be bound. */
function failures(text: string): readonly string[] {
  try {
    bindTo(text);
  } catch (error) {
    if (error instanceof CapabilityError) return error.failures;
    throw error;
  }
  return [];
}

describe("bind", () => {
  it.each(MANIFESTS)("commits every effect of the core to something of %s", (name) => {
    const { choices, binding } = bindTo(readFileSync(path(name), "utf8"));
    const needed = new Set([...coeffects.values()].flatMap((ways) => [...ways.keys()]));
    expect(choices.map(({ effect }) => effect)).toEqual([...needed].sort());
    expect(decodeBinding(encodeBinding(binding))).toEqual({
      ...binding,
      core: expect.anything(),
      manifest: expect.anything(),
    });
  });

  it("records the hashes of core and manifest, the engine, and what the effects became", () => {
    const { binding } = bindTo(manifest.toString(), ConstantTime.Proven);
    const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
    expect(Buffer.from(binding.core).toString("hex")).toBe(sha256(core));
    expect(Buffer.from(binding.manifest).toString("hex")).toBe(sha256(manifest));
    expect(binding).toMatchObject({
      ...{ target: Target.EkRa6m5, engine: Engine.Wasm3, constantTime: ConstantTime.Proven },
      ...{ slots: BoundMedium.CodeFlash, data: BoundMedium.DataFlash, atomic: Atomic.SettledWord, unit: 4 },
      custody: RootPlace.DataFlash,
    });
  });

  it.each<[string, Change, string[]]>([
    [
      "of RAM alone",
      (one) => {
        Object.assign(one.media!.slots!, { kind: "ram" });
        Object.assign(one.media!.data!, { kind: "ram" });
      },
      ["durable slots", "durable data", "custody", "media.slots is RAM", "media.data is RAM"],
    ],
    ["without media", (one) => delete one.media, ["media.slots is missing", "media.data is missing", "atomic journal"]],
    [
      "without entropy",
      (one) => delete one.entropy,
      ["a source of entropy (entropy; core.", "entropy.random", "entropy is missing"],
    ],
    [
      "without custody",
      (one) => delete one.custody,
      ["a place for the root key (custody; core.", "vault.open", "sealed record", "sealed delta", "sealed image"],
    ],
    ["without presence", (one) => delete one.presence, ["(presence; core.", "panel.show", "presence is missing"]],
    ["without a clock", (one) => delete one.clock, ["clock is missing"]],
    [
      "whose program unit is larger than the word that settles a change",
      (one) => {
        Object.assign(one.media!.data!, { programUnit: 8 });
      },
      [
        "a program unit of at most 4 bytes",
        "(atomic journal; core.",
        "journal.writeBody",
        "media.data programs 8 bytes at a time",
      ],
    ],
    [
      "whose erase blocks are others",
      (one) => {
        Object.assign(one.media!.slots!, { eraseBlock: 8192 });
      },
      ["media.slots erases 8192 bytes at a time, not 32768"],
    ],
    [
      "with less flash",
      (one) => {
        Object.assign(one.media!.slots!, { bytes: 524288 });
      },
      ["media.slots has 524288 bytes of 1048576"],
    ],
    [
      "with a program unit in which no unit of a slot ends",
      (one) => {
        Object.assign(one.media!.slots!, { programUnit: 256 });
      },
      ["media.slots programs 256 bytes at a time"],
    ],
    [
      "with too little room for custody",
      (one) => {
        Object.assign(one.custody!, { bytes: 128 });
      },
      ["custody has 128 bytes of 256"],
    ],
  ])("refuses a target %s, and names export, way and what is missing", (_, change, words) => {
    const lines = failures(changed(change));
    const effects = new Set(lines.map((line) => /\((.+?);/.exec(line)?.[1]));
    for (const line of lines)
      expect(line).toMatch(/^capability failure: export '(start|take|give)' needs .+ \(.+; core\..+\), and the target/);
    for (const word of words) expect(lines.join("\n")).toContain(word);
    expect(effects.size).toBeLessThan(6); // what is there is not complained about
  });

  it("refuses an effect that it has never heard of", () => {
    const unknown = new Map([["take", new Map([["levitating", ["core.take"]]])]]);
    const target = parseTarget(manifest.toString(), "target.json");
    expect(() => bind({ core, coeffects: unknown, manifest, target, constantTime: 0 })).toThrow("levitating");
  });
});

describe("a target manifest", () => {
  it.each<[string, Change, string]>([
    ["an unknown key", (one) => Object.assign(one, { colour: "red" }), 'target.json: there is no key "colour"'],
    [
      "an unknown key inside",
      (one) => Object.assign(one.media!.data!, { wear: 1 }),
      'target.json: media: data: there is no key "wear"',
    ],
    [
      "an unknown medium",
      (one) => Object.assign(one.media!, { tape: {} }),
      'target.json: media: there is no key "tape"',
    ],
    [
      "an unknown word",
      (one) => Object.assign(one, { engine: "wasmtime" }),
      '"engine" should be one of wasm3, ahead-of-time, v8; it is "wasmtime"',
    ],
    [
      "a key missing",
      (one) => delete one.media!.data!.programUnit,
      'target.json: media: data: "programUnit" is missing',
    ],
    [
      "a number as text",
      (one) => Object.assign(one.media!.data!, { bytes: "8192" }),
      '"bytes" should be a whole number',
    ],
    ["another schema", (one) => Object.assign(one, { schemaVersion: 2 }), '"schemaVersion" is 2'],
    ["a list", (one) => Object.assign(one, { media: [] }), "target.json: media should be an object"],
  ])("is refused with %s", (_, change, message) => {
    expect(() => parseTarget(changed(change), "target.json")).toThrow(ManifestError);
    expect(() => parseTarget(changed(change), "target.json")).toThrow(message);
  });

  it("is refused when it is not JSON", () => {
    expect(() => parseTarget("{", "target.json")).toThrow("target.json is not JSON");
  });
});

describe("a core", () => {
  const EMPTY = Buffer.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  /** WebAssembly core specification, 5.5.3. */
  const section = (content: Uint8Array): Buffer => {
    const body = Buffer.concat([Buffer.of(SECTION.length), Buffer.from(SECTION), content]);
    if (body.length > 127) throw new Error("the length takes one byte here");
    return Buffer.concat([Buffer.of(0, body.length), body]);
  };
  const sound = encode([]);

  it("is read with one section", () => {
    expect(readCoeffects(Buffer.concat([EMPTY, section(sound)]), "a.wasm").size).toBe(0);
  });

  it.each<[string, Uint8Array, string]>([
    ["without the section", EMPTY, "a.wasm has 0 sections mbs.coeffects"],
    ["with two of them", Buffer.concat([EMPTY, section(sound), section(sound)]), "a.wasm has 2 sections"],
    [
      "with the section of another core",
      Buffer.concat([core.subarray(0, 0), EMPTY, section(encode([{ root: "start", ways: new Map() }]))]),
      "another module's",
    ],
    ["with a section cut short", Buffer.concat([EMPTY, section(sound.subarray(0, -1))]), "ends too early"],
    [
      "with something behind it",
      Buffer.concat([EMPTY, section(Buffer.concat([sound, Buffer.of(0)]))]),
      "something follows",
    ],
    [
      "with a section of another version",
      Buffer.concat([EMPTY, section(Buffer.of(2, ...sound.subarray(1)))]),
      "version 2",
    ],
    ["that is none", Buffer.from("hello"), "a.wasm is no WebAssembly module"],
  ])("is refused %s", (_, wasm, message) => {
    expect(() => readCoeffects(wasm, "a.wasm")).toThrow(SectionError);
    expect(() => readCoeffects(wasm, "a.wasm")).toThrow(message);
  });

  it("has a section that cannot be read with any byte of its counts and indices out of range", () => {
    const ways = new Map([["clock", ["core.take", "hold.isOver"]]]);
    const bytes = encode([{ root: "take", ways }]);
    const whole = (content: Uint8Array) => () => readCoeffects(Buffer.concat([EMPTY, section(content)]), "a.wasm");
    expect(whole(bytes)).toThrow("another module's"); // it is read: only the export is missing
    for (let at = 0; at < bytes.length; at++) {
      const isText = bytes[at]! >= 0x20;
      if (!isText)
        expect(whole(Uint8Array.from(bytes, (byte, i) => (i === at ? 200 : byte)))).toThrow(/byte \d+|encoded/);
    }
  });
});

describe("npm run bind", () => {
  const folder = mkdtempSync(join(tmpdir(), "mbs-bind-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const run = (...args: string[]) => {
    const [out, err]: string[][] = [[], []];
    const code = main(
      ["--core", builtPath("core.wasm"), ...args],
      (line) => out!.push(line),
      (line) => err!.push(line),
    );
    return { code, out: out!.join("\n"), err: err!.join("\n") };
  };
  const target = path("board/ek-ra6m5/target.json");

  it("prints for people and as JSON, and writes nothing unless asked", () => {
    const text = run("--target", target);
    expect(text.code).toBe(0);
    expect(text.out).toContain("atomic journal\n  bound to   the settled word of a journal place");
    expect(text.out).toContain("core.take -> ");
    const json = JSON.parse(run("--target", target, "--json").out);
    expect(json).toMatchObject({ schemaVersion: 1, target: "ek-ra6m5", engine: "wasm3", constantTime: "unproven" });
    expect(json.choices).toHaveLength(12);
  });

  it("writes the record as C and as bytes, the same", () => {
    const [c, bytes] = [join(folder, "record.c"), join(folder, "record")];
    expect([run("--target", target, "--write", c).code, run("--target", target, "--write", bytes).code]).toEqual([
      0, 0,
    ]);
    const numbers = [...readFileSync(c, "utf8").matchAll(/0x(..),/g)].map((found) => Number.parseInt(found[1]!, 16));
    expect(Buffer.from(numbers)).toEqual(readFileSync(bytes));
  });

  it("says proven only with a proof for this very core, engine and manifest", () => {
    const proof = join(folder, "proof.json");
    const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
    const right = { core: sha256(core), engine: "wasm3", manifest: sha256(readFileSync(target)) };
    const told = (change: Partial<typeof right>, file = target) => {
      writeFileSync(proof, JSON.stringify({ schemaVersion: 1, ...right, ...change }));
      return JSON.parse(run("--target", file, "--json", "--proof", proof).out).constantTime;
    };
    expect(told({})).toBe("proven");
    expect(told({ core: "00".repeat(32) })).toBe("unproven");
    expect(told({ engine: "ahead-of-time" })).toBe("unproven");
    expect(told({ manifest: "00".repeat(32) })).toBe("unproven");
    expect(told({}, "board/host/target.json")).toBe("unproven");
  });

  it("exits 1 for what cannot be bound or read, and 2 for a wrong call", () => {
    const poor = join(folder, "poor.json");
    writeFileSync(
      poor,
      changed((one) => delete one.entropy),
    );
    expect(run("--target", poor)).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringContaining("capability failure: export 'take'"),
    });
    expect(run("--target", join(folder, "none.json"))).toMatchObject({
      code: 1,
      err: expect.stringContaining("none.json"),
    });
    expect(run()).toMatchObject({ code: 2, err: expect.stringContaining("--target is missing") });
    expect(run("--target", target, "--colour")).toMatchObject({ code: 2 });
  });
});
