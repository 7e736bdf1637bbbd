/** The limits of the EK-RA6M5 for bounds.ts: what its linker script and wasm3_glue.c give, and what the frames in its ELF file take. */
import { readFileSync } from "node:fs";
import { readElf } from "../../board/elf.js";
import { CONTRACT, type Limits } from "./bounds.js";
import { readFrames } from "./frames.js";
import { readListing } from "./listing.js";

/** Bytes of the interpreter's stack. @param glue text of wasm3_glue.c */
export function wasmStack(glue: string): number {
  const found = /^#define WASM_STACK (\d+)u$/m.exec(glue);
  if (!found) throw new Error("wasm3_glue.c: expected a line #define WASM_STACK …u");
  return Number(found[1]);
}

/** @param elf path of the firmware @param disassembly of it @param glue path of wasm3_glue.c @param globals exported markers */
export function limitsOf(elf: string, disassembly: string, glue: string, globals: readonly string[]): Limits {
  const { symbol } = readElf(readFileSync(elf), elf);
  const [limit, top] = ["__stack_limit", "__stack_top"].map((name) => symbol(name)?.address);
  if (limit === undefined || top === undefined) throw new Error(`${elf} has no __stack_limit and __stack_top`);
  const imports = [...CONTRACT.imports.keys()].map((name) => name.replace("board.", ""));
  return {
    ...CONTRACT,
    globals,
    start: true,
    wasmStack: wasmStack(readFileSync(glue, "utf8")),
    cStack: top - limit,
    frames: readFrames(readListing(disassembly), imports),
  };
}
