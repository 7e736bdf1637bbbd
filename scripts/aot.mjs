/** A Wasm module as C, for the engine that runs ahead-of-time code (board/ek-ra6m5/engine_aot.c). wasm2c of Debian's wabt makes it; what this adds is
 *  that the memory is one page at a constant place (its address and size are not read again at each load and store; all checks stay), and that gcc
 *  does not see what a mask is made of. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { replaceExactly } from "./replace.mjs";

/** Where Debian's wabt puts wasm-rt.h, with nothing else beside it that an Arm compiler would stumble over. */
export const RUNTIME_HEADERS = "/usr/src/wasm2c";
const NAME = "core_aot";
const KNOWN = "1.0.32";

/** What stands in the C that wabt 1.0.32 makes, how often, and what takes its place. */
const CHANGES = [
  [`#include "${NAME}.h"\n`, 1, `#include "${NAME}.h"\n#include "engine_aot.h"\n`],
  ["offset + (uint64_t)len > mem->size", 1, "offset + (uint64_t)len > CORE_PAGE_SIZE"],
  // base and offset are checked apart, the offset when it is compiled: one comparison of 32 bits for an addition and a comparison of 64
  [
    "#define MEMCHECK(mem, a, t) RANGE_CHECK(mem, a, sizeof(t))\n",
    1,
    "#define MEMCHECK(base, offset, t) \\\n" +
      "  if (UNLIKELY(offset > CORE_PAGE_SIZE - sizeof(t) || base > CORE_PAGE_SIZE - sizeof(t) - offset)) TRAP(OOB);\n",
  ],
  ["(wasm_rt_memory_t* mem, u64 addr", 4, "(u32 base, u32 offset"], // load and store, each for both byte orders
  ["MEMCHECK(mem, addr, t1);", 4, "MEMCHECK(base, offset, t1);"],
  ["&mem->data[addr]", 2, "&core_page[base + offset]"],
];
/** How a load or store is called. */
const ACCESS = /\(&instance->w2c_memory, \(u64\)\((\w+)\)(?: \+ (\d+)u?)?([,)])/g;
const ACCESS_LEFT = "&instance->w2c_memory, (u64)";

/** A sign spread over all bits, which is how the core makes a mask of a secret. gcc would find out what is compared and choose with a condition: that
 *  instruction is skipped or not. */
const MASK = /( +)(\w+) = (63ull|31u);\n +(\w+) = \((u64|u32)\)\(\((s64|s32)\)\4 >> \(\2 & (63|31)\)\);\n/g;
const hidden = (made, indent, _by, _bits, value) => `${indent}OPAQUE(${value});\n${made}${indent}OPAQUE(${value});\n`;

/** The wasm2c that is here is not one whose C is known. */
export class OtherTranslator extends Error {}

/** @param {string} made what wasm2c made @returns {string} it with the memory at its place and masks hidden @throws OtherTranslator */
export function atItsPlace(made) {
  let placed;
  try {
    placed = CHANGES.reduce(replaceExactly, made);
  } catch (error) {
    throw new OtherTranslator(`wasm2c made other C than that of wabt ${KNOWN}: ${error.message}`);
  }
  const direct = placed.replace(ACCESS, (_, base, offset = "0", end) => `(${base}, ${offset}u${end}`);
  if (direct.includes(ACCESS_LEFT))
    throw new OtherTranslator(`wasm2c made other C than that of wabt ${KNOWN}: a load or store has another form`);
  return direct.replace(MASK, hidden);
}

/** Writes core_aot.c and core_aot.h into a folder.
 *  @param {string} wasm path of a module that was validated; names in it become names of functions
 *  @param {string} folder that is there
 *  @returns {string} path of core_aot.c */
export function translate(wasm, folder) {
  const source = join(folder, `${NAME}.c`);
  try {
    execFileSync("wasm2c", [wasm, "--module-name", "core", "--output", source], { stdio: "pipe" });
  } catch (error) {
    if (error.code === "ENOENT") throw new Error("wasm2c is not installed; run: npm run setup", { cause: error });
    throw new Error(`wasm2c refuses ${basename(wasm)}: ${error.stderr}`, { cause: error });
  }
  writeFileSync(source, atItsPlace(readFileSync(source, "utf8")));
  const header = source.replace(/c$/, "h");
  const text = readFileSync(header, "utf8");
  // a module without imports takes no board
  const board = text.includes("Z_core_instantiate(Z_core_instance_t*);") ? "" : ", NULL";
  writeFileSync(header, `${text}\n#define core_instantiate(core) Z_core_instantiate(core${board})\n`);
  return source;
}
