/** scripts/coeffects.mjs: what is declared is done, what is done is declared, and core.wasm says so. Small programs with the core's imports. */
import { DecoratorFlags } from "assemblyscript";
import asc from "assemblyscript/asc";
import { describe, expect, it } from "vitest";
import { Region } from "../../firmware/defs/boundary.js";
import { type Coeffects, readCoeffects } from "../../scripts/bind/section.js";
import Transform, { EFFECTS, IMPORTS, SECTION } from "../../scripts/coeffects.mjs";
import { built } from "../device/built.js";

const BOARD = `
@custody @facts
export declare function read(region: i32, offset: u32, pointer: usize, length: u32): i32;
@durable("slots") @durable("data") @atomic("journal") @custody
export declare function program(region: i32, offset: u32, pointer: usize, length: u32): i32;
@entropy
export declare function entropy(pointer: usize, length: u32): i32;
@clock
export declare function clock(): i64;`;
const AEAD =
  "export function seal(at: usize): void { store<u8>(at, 1); }\nexport function open(at: usize): void { store<u8>(at, 2); }";
const HEAD = 'import * as board from "./board";\n';

interface Program {
  core: string;
  board?: string;
  aead?: string;
  args?: string[];
  transforms?: object[];
}

/** @returns wasm, or what asc complained about */
async function compile({ core, board = BOARD, aead = AEAD, args = [], transforms = [Transform] }: Program) {
  const files: Record<string, string> = {
    "firmware/core.ts": HEAD + core,
    "firmware/board.ts": board,
    "firmware/crypto/xchacha20poly1305.ts": aead,
  };
  const stderr = asc.createMemoryStream();
  let wasm: Uint8Array | undefined;
  const { error } = await asc.main(
    ["firmware/core.ts", "--outFile", "core.wasm", "--runtime", "stub", "--use", "abort=", "-O3", ...args],
    {
      readFile: (name: string) => files[name.replace(/^\.\//, "")] ?? null,
      writeFile: (_name: string, contents: unknown) => {
        wasm = contents as Uint8Array;
      },
      listFiles: () => [],
      stderr,
      transforms: transforms as never,
    },
  );
  return { wasm: error === null ? wasm : undefined, complaints: `${stderr.toString()}${error?.message ?? ""}` };
}

async function needs(program: Program): Promise<Coeffects> {
  const { wasm, complaints } = await compile(program);
  expect(complaints).toBe("");
  return readCoeffects(wasm!, "core.wasm");
}

const refusal = async (program: Program): Promise<string> => {
  const { wasm, complaints } = await compile(program);
  expect(wasm).toBeUndefined();
  return complaints;
};

/** Uses everything that BOARD has, so that nothing is left over. */
const ALL = `
@custody function root(): i32 { return board.read(2, 0, 0, 4) + board.read(3, 0, 0, 4); }
@durable("slots") function write(): i32 { return board.program(0, 0, 0, 128); }
@durable("data") @atomic("journal") function commit(): i32 { return board.program(1, 0, 0, 4); }
@entropy function random(): i32 { return board.entropy(0, 4); }
export function all(): i32 { return root() + write() + commit() + random() + <i32>board.clock(); }`;

describe("a core whose functions declare what they do", () => {
  it("gets a row for each export, with the shortest way to each function that declares", async () => {
    const found = await needs({ core: `${ALL}\nexport function pure(a: i32): i32 { return a; }` });
    expect([...found.keys()]).toEqual(["all", "pure"]);
    expect(Object.fromEntries(found.get("all")!)).toEqual({
      "atomic journal": ["core.all", "core.commit"],
      clock: ["core.all"],
      custody: ["core.all", "core.root"],
      "durable data": ["core.all", "core.commit"],
      "durable slots": ["core.all", "core.write"],
      entropy: ["core.all", "core.random"],
      facts: ["core.all", "core.root"],
    });
    expect(found.get("pure")?.size).toBe(0);
  });

  it("gives the same bytes each time, and code like that without the transform", async () => {
    const [first, second] = [await compile({ core: ALL }), await compile({ core: ALL })];
    expect(first.wasm).toEqual(second.wasm);
    const bare = await compile({ core: ALL, transforms: [] });
    expect(Buffer.from(first.wasm!).subarray(0, bare.wasm!.length)).toEqual(Buffer.from(bare.wasm!));
  });

  it.each([
    [
      "an import in a table",
      "let f: (p: usize, n: u32) => i32 = board.entropy;\nexport function go(): i32 { return f(0, 4); }",
    ],
    ["an import that is exported", 'export { entropy } from "./board";'],
    ["sealing that is exported", 'export { seal } from "./crypto/xchacha20poly1305";'],
  ])("is refused with %s: what it does would be in nobody's declaration", async (_, core) => {
    expect(await refusal({ core: `${ALL}\n${core}` })).toContain("would be in no function's declaration");
  });

  it("may declare above a caller, on every way from the exports", async () => {
    const core = ALL.replace("@entropy function random", "function random").replace(
      "export function all",
      "@entropy export function all",
    );
    expect((await needs({ core })).get("all")?.get("entropy")).toEqual(["core.all"]);
  });

  it("needs what a function in a table needs, because the entry that is called is not known", async () => {
    const core = `${ALL}
      @entropy function hidden(): i32 { return board.entropy(0, 1); }
      let chosen: () => i32 = hidden;
      export function choose(): void { chosen = all; }
      export function indirect(): i32 { return chosen(); }`;
    expect([...(await needs({ core })).get("indirect")!.keys()]).toContain("entropy");
  });

  it("has a row for what runs before any export", async () => {
    const core = `${ALL}\nlet seed: i32 = random();\nexport function get(): i32 { return seed; }`;
    expect((await needs({ core })).get("(start)")?.get("entropy")?.at(-1)).toBe("core.random");
  });

  it("seals where a sealing function of the core is called", async () => {
    const core = `import { seal, open } from "./crypto/xchacha20poly1305";\n${ALL}
      @sealed("record") function close(): void { seal(0); }
      @sealed("delta") export function both(): void { close(); open(0); }`;
    expect(Object.fromEntries((await needs({ core })).get("both")!)).toEqual({
      "sealed delta": ["core.both"],
      "sealed record": ["core.both", "core.close"],
    });
  });
});

describe("a core is refused, with the place in its source", () => {
  it.each<[string, Program, string[]]>([
    [
      "a misspelled decorator",
      { core: `${ALL}\n@durabel("slots") export function f(): void {}` },
      ["There is no decorator '@durabel'", "core.ts(", "@durabel"],
    ],
    [
      "a misspelled argument",
      { core: `${ALL}\n@durable("slot") export function f(): void {}` },
      [`takes one of "slots", "data"`],
    ],
    ["a missing argument", { core: `${ALL}\n@durable export function f(): void {}` }, [`takes one of "slots", "data"`]],
    ["an argument too many", { core: `${ALL}\n@clock("us") export function f(): void {}` }, ["'@clock' takes nothing"]],
    [
      "a decorator above something else",
      { core: `${ALL}\n@clock class C {}\nexport function f(): void {}` },
      ["goes above functions only"],
    ],
    [
      "a misspelled decorator of a method",
      { core: `${ALL}\nclass C { @durabel static m(): void {} }` },
      ["'@durabel'"],
    ],
    [
      "an effect that nothing grounds",
      { core: `${ALL}\n@entropy export function f(): i32 { return 4; }` },
      ["'core.f' declares entropy, and no call"],
    ],
    [
      "sealing that nothing grounds",
      { core: `${ALL}\n@sealed("record") export function f(): i32 { return root(); }` },
      ["declares sealed record, and no call"],
    ],
    [
      "durable slots where only data are written",
      { core: `${ALL}\n@durable("slots") export function f(): i32 { return commit(); }` },
      ["declares durable slots, and no call"],
    ],
    [
      "an import used and not declared, by any way",
      { core: `${ALL}\nfunction g(): i32 { return board.entropy(0, 1); }\nexport function f(): i32 { return g(); }` },
      ["'core.g' needs entropy", "from the export 'f'", "core.f -> core.g"],
    ],
    [
      "an import declared on one way and not on another",
      {
        core: `${ALL}\nfunction g(): i32 { return board.entropy(0, 1); }\n@entropy export function f(): i32 { return g(); }\nexport function h(): i32 { return g(); }`,
      },
      ["from the export 'h'"],
    ],
    [
      "sealing that is not declared",
      { core: `import { seal } from "./crypto/xchacha20poly1305";\n${ALL}\nexport function f(): void { seal(0); }` },
      ["'core.f' needs sealed"],
    ],
    [
      "a region that is not known, as any of them",
      { core: `${ALL}\nexport function f(region: i32): i32 { return board.read(region, 0, 0, 4); }` },
      ["'core.f' needs custody"],
    ],
    [
      "a region that an import does not take",
      { core: `${ALL}\nexport function f(): i32 { return board.program(3, 0, 0, 4); }` },
      ["board.program is called with region 3"],
    ],
    [
      "a function that declares and is never called",
      { core: `${ALL}\n@entropy function f(): i32 { return board.entropy(0, 1); }` },
      ["nothing calls it"],
    ],
    [
      "a function that declares and is inlined",
      { core: ALL.replace("@entropy function", "@entropy @inline function") },
      ["'core.random' is inlined"],
    ],
    [
      "a sealing function that is inlined",
      {
        core: `import { seal } from "./crypto/xchacha20poly1305";\n${ALL}\n@sealed("record") export function f(): void { seal(0); }`,
        aead: AEAD.replace("export function seal", "@inline export function seal"),
      },
      ["'xchacha20poly1305.seal' is inlined"],
    ],
    [
      "an import that declares too little",
      { core: ALL, board: BOARD.replace("@custody @facts", "@custody") },
      ["board.read declares custody", "grounds custody, facts"],
    ],
    [
      "an import that declares too much",
      { core: ALL, board: BOARD.replace("@clock", '@clock @durable("data")') },
      ["board.clock declares"],
    ],
    [
      "an import that declares another effect",
      { core: ALL, board: BOARD.replace("@clock", "@entropy") },
      ["board.clock declares entropy", "grounds clock"],
    ],
    [
      "an import that declares nothing",
      { core: ALL, board: BOARD.replace("@clock", "") },
      ["board.clock declares no effect"],
    ],
    [
      "an import that nobody knows",
      {
        core: `${ALL}\nexport function f(): void { board.launch(); }`,
        board: `${BOARD}\nexport declare function launch(): void;`,
      },
      ["nothing says what the import board.launch grounds"],
    ],
    [
      "an expression that the walk does not know",
      {
        core: `${ALL}\nexport function f(): i32 { return i32x4.extract_lane(i32x4.splat(1), 0); }`,
        args: ["--enable", "simd"],
      },
      ["expression kind", "is not known"],
    ],
  ])("%s", async (_, program, words) => {
    const complaints = await refusal(program);
    for (const word of words) expect(complaints).toContain(word);
  });

  it("a function that another transform inlines", async () => {
    const inline = {
      afterInitialize(program: { elementsByName: Map<string, { decoratorFlags: number }> }) {
        program.elementsByName.get("firmware/core/random")!.decoratorFlags |= DecoratorFlags.Inline;
      },
    };
    expect(await refusal({ core: ALL, transforms: [inline, Transform] })).toContain("'core.random' is inlined");
  });
});

describe("core.wasm", () => {
  const core = built("core.wasm");

  it("says what start, take and give need, each effect by a way that begins with the export", () => {
    const found = readCoeffects(core, "core.wasm");
    expect([...found.keys()].sort()).toEqual(["give", "start", "take"]);
    for (const [name, ways] of found) for (const way of ways.values()) expect(way[0]).toBe(`core.${name}`);
    const all = Object.entries(EFFECTS).flatMap(([name, words]) =>
      words.length === 0 ? [name] : words.map((one) => `${name} ${one}`),
    );
    expect([...found.get("take")!.keys()].sort()).toEqual(all.sort());
    // an image is opened in take(), while nobody is answered
    expect([...found.get("give")!.keys()].sort()).toEqual(all.filter((one) => one !== "sealed image"));
    expect([...found.get("start")!.keys()]).not.toContain("sealed record"); // mounting opens no seal
  });

  it("spends less than 1,000 bytes on it", () => {
    const [section] = WebAssembly.Module.customSections(new WebAssembly.Module(core), SECTION);
    expect(section!.byteLength).toBeLessThan(1000);
  });

  it("imports nothing that the table of grounds does not have, and that table knows the regions by their numbers", () => {
    const imported = WebAssembly.Module.imports(new WebAssembly.Module(core)).map((one) => `${one.module}.${one.name}`);
    expect(imported.sort()).toEqual(Object.keys(IMPORTS).sort());
    const program = IMPORTS["board.program"]!;
    expect(program[Region.Slots]).toEqual(["durable slots"]);
    expect(program[Region.Data]).toEqual(["durable data", "atomic journal"]);
    expect(program[Region.Custody]).toEqual(["custody"]);
    expect(program[Region.Facts]).toBeNull();
    expect(program[Region.Image]).toBeNull();
    expect(IMPORTS["board.erase"]![Region.Image]).toEqual([]);
  });
});
