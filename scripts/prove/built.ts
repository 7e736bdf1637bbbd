/** What a build left, for the proofs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readElf } from "../../board/virtual/elf.js";
import { limitsOf } from "./limits.js";
import { disassemble } from "./listing.js";
import type { Built } from "./proof.js";

/** @param root folder of the project */
export function readBuild(root: string): Built {
  const bytes = (name: string) => readFileSync(join(root, name));
  const text = (name: string) => readFileSync(join(root, name), "utf8");
  const elf = join(root, "build/ek-ra6m5.elf");
  const disassembly = disassemble(elf);
  return {
    core: bytes("build/core.wasm"),
    named: bytes("build/core.named.wasm"),
    map: { memory: JSON.parse(text("build/memory.json")), statics: JSON.parse(text("build/statics.json")) },
    elf: readElf(readFileSync(elf), elf),
    disassembly,
    limits: limitsOf(elf, disassembly, join(root, "board/ek-ra6m5/wasm3_glue.c"), []),
    compiler: text("node_modules/react-native-webassembly/cpp/m3_compile.c"),
    sources: join(root, "firmware"),
    explanations: text("firmware/PROOFS.md"),
  };
}
