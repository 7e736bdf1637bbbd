/** The core as C: core.wasm, or a variant of it, translated by wasm2c, with the calls of test/fuzz/native/watch.h in the place of its
 *  checks, and layout.h, which says where the regions lie.
 *  The variant "spaced" is compiled from the same sources with a gap before each region and static data a page higher: a write that leaves
 *  its region, which WebAssembly and the map of regions alone would let pass, lands in a gap. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

/** Bytes between two regions of the spaced core. */
const GAP = 32;
const PAGE = 65536;
const DATA_SECTION = 11;
const I32_CONST = 0x41;
/** What one call may go to memory: some ten times what the longest one does. */
const ACCESSES = 400_000_000;
/** The version whose output `watched` knows. */
const KNOWN = "1.0.32";

/** A change of a source, by its text. */
export interface Patch {
  file: string;
  from: string;
  to: string;
}

export interface Variant {
  name: string;
  isSpaced: boolean;
  patches: readonly Patch[];
}

/** The bytes that are flashed. */
export const EXACT: Variant = { name: "exact", isSpaced: false, patches: [] };
export const SPACED: Variant = { name: "spaced", isSpaced: true, patches: [] };

/** Regions that go on from the one before, on purpose: MESSAGE lies inside ENVELOPE, what the index keeps of each slot is wiped together, the
 *  manifest's digest with the instance id, and the cipher's state with its stream. */
const JOINED = new Set(["MESSAGE", "TOKENS", "FIRST_TOKENS", "LABEL_HASHES", "ATTRIBUTES", "MANIFEST", "STREAM"]);

/** The numbers that firmware/memory.ts exports. */
type Layout = Record<string, number>;

/** Compiles a variant and translates it. @param folder where core.c, core.h and layout.h go @returns core.wasm
 *  @throws Error when the sources or wasm2c are not as expected */
export function translate(root: string, variant: Variant, folder: string): Uint8Array {
  mkdirSync(folder, { recursive: true });
  const wasm = variant === EXACT ? readFileSync(join(root, "build/core.wasm")) : compile(root, variant, folder);
  const file = join(folder, "core.wasm");
  writeFileSync(file, wasm);
  execFileSync("wasm2c", ["-n", "core", file, "-o", join(folder, "core.c")]);
  const code = readFileSync(join(folder, "core.c"), "utf8");
  const layout =
    variant === EXACT
      ? (JSON.parse(readFileSync(join(root, "build/memory.json"), "utf8")) as Layout)
      : layoutOf(root, join(folder, "firmware/memory.ts"), folder);
  // unoptimised, each static object is a segment of its own; binaryen packs them
  const objects = segments(asc(root, variant === EXACT ? root : folder, variant, "0", join(folder, "objects.wasm")));
  writeFileSync(join(folder, "core.c"), watched(code));
  writeFileSync(join(folder, "layout.h"), header(layout, variant, objects));
  return wasm;
}

/** A source with one place changed. @throws Error when it is not there just once */
function changed(text: string, { file, from, to }: Patch): string {
  const [before, after, more] = text.split(from);
  if (before === undefined || after === undefined || more !== undefined)
    throw new Error(`${file} does not hold just once: ${from}`);
  return before + to + after;
}

/** Compiles the core as asconfig.json has it, with the memory of the variant. */
function asc(root: string, sources: string, { isSpaced }: Variant, optimize: string, out: string): Uint8Array {
  const { options, targets } = JSON.parse(readFileSync(join(root, "asconfig.json"), "utf8"));
  const pages = String(isSpaced ? 2 : options.initialMemory);
  run(root, [
    ...["firmware/core.ts", "--baseDir", sources, "--config", "none", "--outFile", relative(sources, out)],
    ...["--optimizeLevel", optimize, "--shrinkLevel", optimize === "0" ? "0" : String(targets.release.shrinkLevel)],
    ...[
      "--runtime",
      options.runtime,
      "--bindings",
      options.bindings,
      ...options.use.flatMap((one: string) => ["--use", one]),
    ],
    ...[
      "--memoryBase",
      String(isSpaced ? PAGE : options.memoryBase),
      "--initialMemory",
      pages,
      "--maximumMemory",
      pages,
    ],
    ...["--transform", join(root, "scripts/inline.mjs")],
  ]);
  return readFileSync(out);
}

function run(root: string, args: string[]): void {
  execFileSync(process.execPath, [join(root, "node_modules/assemblyscript/bin/asc.js"), ...args], { stdio: "inherit" });
}

function compile(root: string, variant: Variant, folder: string): Uint8Array {
  const sources = join(folder, "firmware");
  rmSync(sources, { recursive: true, force: true });
  cpSync(join(root, "firmware"), sources, { recursive: true });
  for (const patch of variant.patches) {
    const file = join(folder, patch.file);
    writeFileSync(file, changed(readFileSync(file, "utf8"), patch));
  }
  if (variant.isSpaced) {
    const file = join(sources, "memory.ts");
    writeFileSync(file, spaced(readFileSync(file, "utf8")));
  }
  return asc(root, folder, variant, "3", join(folder, "core.wasm"));
}

/** A static object: a table, which nothing writes, or scratch space, which is zeros at first. */
interface StaticObject {
  at: number;
  size: number;
  isScratch: boolean;
}

/** The active data segments of a module: WebAssembly core specification, 5.5.14. */
export function segments(wasm: Uint8Array): StaticObject[] {
  let at = 8;
  const leb = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value; // addresses are far below 2^31, so that signed is unsigned
    }
  };
  const found: StaticObject[] = [];
  while (at < wasm.length) {
    const id = wasm[at++];
    const end = leb() + at;
    if (id === DATA_SECTION) {
      for (let left = leb(); left > 0; left--) {
        if (leb() !== 0 || wasm[at++] !== I32_CONST) throw new Error("a data segment is not at a constant address");
        const from = leb();
        at++; // end of the address's expression
        const size = leb();
        found.push({ at: from, size, isScratch: wasm.subarray(at, at + size).every((byte) => byte === 0) });
        at += size;
      }
    }
    at = end;
  }
  if (found.length === 0) throw new Error("the core has no static data");
  return found;
}

/** memory.ts with a gap before each region that begins where another one ends. */
export function spaced(memory: string): string {
  let gaps = 0;
  const out = memory.replace(
    /^export const (\w+): usize = ([^;\n]*[A-Z]\w*[^;\n]*\+[^;\n]*);/gm,
    (line, name, value) => {
      if (JOINED.has(name) || name === "MEMORY_USED") return line;
      gaps++;
      return `export const ${name}: usize = (${value}) + ${GAP};`;
    },
  );
  if (gaps < 30) throw new Error(`firmware/memory.ts: ${gaps} regions were found, which are too few`);
  return changed(out, {
    file: "firmware/memory.ts",
    from: "STATIC_BASE: usize = 52224",
    to: `STATIC_BASE: usize = ${PAGE}`,
  });
}

/** What a memory.ts exports, as asc computes it. */
function layoutOf(root: string, file: string, folder: string): Layout {
  const out = join(folder, "memory.wasm");
  run(root, [file, "--config", "none", "--outFile", out, "--runtime", "stub", "--use", "abort="]);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(out)));
  const found: Layout = {};
  for (const [name, one] of Object.entries(exports))
    if (typeof one === "object" && one !== null && "value" in one) found[name] = Number(one.value);
  return found;
}

/** wasm2c's output with the watch in it. @throws Error when it looks otherwise than that of the version known */
export function watched(code: string): string {
  const replace = (text: string, from: RegExp, to: string, times: number): string => {
    let found = 0;
    const out = text.replace(from, () => {
      found++;
      return to;
    });
    if (found !== times)
      throw new Error(`wasm2c writes other C than that of version ${KNOWN}: ${from} stands there ${found} times`);
    return out;
  };
  const parts = code.split("#define DEFINE_STORE");
  if (parts.length !== 3) throw new Error(`wasm2c writes other C than that of version ${KNOWN}`);
  // loads stand before stores, once for each byte order
  let [first, second, third] = parts as [string, string, string];
  const check = /MEMCHECK\(mem, addr, t1\);/;
  const [store2, load2] = split(second);
  first = replace(first, check, "watch_load(addr, sizeof(t1));", 1);
  second =
    replace(store2, check, "watch_store(addr, sizeof(t1));", 1) +
    replace(load2, check, "watch_load(addr, sizeof(t1));", 1);
  third = replace(third, check, "watch_store(addr, sizeof(t1));", 1);
  third = replace(third, /RANGE_CHECK\(mem, d, n\);/, "watch_fill(d, n);", 1);
  third = replace(third, /RANGE_CHECK\(dest, dest_addr, n\);/, "watch_writes(dest_addr, n);", 1);
  third = replace(third, /RANGE_CHECK\(src, src_addr, n\);/, "watch_reads(src_addr, n);", 1);
  const whole = [first, second, third].join("#define DEFINE_STORE");
  return replace(whole, /#include "core.h"/, '#include "core.h"\n#include "layout.h"\n#include "watch.h"', 1);
}

/** Text before and from the second definition of loads on. */
function split(text: string): [string, string] {
  const at = text.indexOf("#define DEFINE_LOAD");
  if (at < 0) throw new Error(`wasm2c writes other C than that of version ${KNOWN}`);
  return [text.slice(0, at), text.slice(at)];
}

function header(layout: Layout, { isSpaced }: Variant, objects: StaticObject[]): string {
  const regions = Object.keys(layout).filter(
    (name) => !/^(RX|TX|STATIC_BASE|MEMORY_USED|memory|.*_ENTRY|.*_SIZE)$/.test(name) && !JOINED.has(name),
  );
  const gaps = isSpaced ? regions.map((name) => layout[name]!) : [0];
  return [
    "/* Written by scripts/fuzz/core.ts: where the regions of the translated core lie. */",
    "#pragma once",
    `#define WATCH_SIZE ${isSpaced ? 2 * PAGE : PAGE}`,
    `#define WATCH_ACCESSES ${ACCESSES}ull`,
    `#define LAYOUT_GAP ${GAP}`,
    `#define LAYOUT_GAPS ${gaps.join(", ")}`,
    `#define LAYOUT_OBJECTS ${objects.map((one) => `{${one.at}, ${one.size}, ${Number(one.isScratch)}}`).join(", ")}`,
    ...Object.entries(layout)
      .filter(([, value]) => Number.isInteger(value))
      .map(([name, value]) => `#define AT_${name} ${value}`),
    "",
  ].join("\n");
}
