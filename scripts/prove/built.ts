/** What a build left, for the proofs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readElf } from "../../board/elf.js";
import { limitsOf } from "./limits.js";
import { disassemble } from "./listing.js";
import type { Built } from "./proof.js";

const TARGET = "board/ek-ra6m5/target.json";

/** @param root folder of the project    @param firmware path of its ELF file there */
export function readBuild(root: string, firmware = "build/ek-ra6m5.elf"): Built {
  const bytes = (name: string) => readFileSync(join(root, name));
  const text = (name: string) => readFileSync(join(root, name), "utf8");
  const elf = join(root, firmware);
  const disassembly = disassemble(elf);
  return {
    core: bytes("build/core.wasm"),
    named: bytes("build/core.named.wasm"),
    map: { memory: JSON.parse(text("build/memory.json")), statics: JSON.parse(text("build/statics.json")) },
    elf: readElf(readFileSync(elf), elf),
    disassembly,
    limits: limitsOf(elf, disassembly, join(root, "board/ek-ra6m5/wasm3_glue.c"), []),
    manifest: bytes(TARGET),
    manifestFile: TARGET,
    compiler: text("node_modules/react-native-webassembly/cpp/m3_compile.c"),
    sources: join(root, "firmware"),
    explanations: text("firmware/PROOFS.md"),
  };
}
