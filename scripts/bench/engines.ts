/** The firmware of each engine, as built, and with another module in the place of core.wasm. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { aotWith } from "../../test/probe/aot.js";
import type { CoreEngine } from "./cost.js";
import { withModule } from "./crypto.js";

export interface Firmware {
  elf: Buffer;
  with(module: Buffer): Buffer;
}

const ELF: Record<CoreEngine, string> = {
  stock: "stock/ek-ra6m5.elf",
  wasm3: "ek-ra6m5.elf",
  aot: "ek-ra6m5-aot.elf",
};

/** @param root the project's folder. The stock one is made here; the others are there since npm run build */
export function firmwareOf(root: string, engine: CoreEngine): Firmware {
  if (engine === "stock")
    execFileSync(process.execPath, ["scripts/build.mjs", "--stock"], {
      cwd: root,
      stdio: ["ignore", "ignore", "inherit"],
    });
  const path = join(root, "build", ELF[engine]);
  if (!existsSync(path)) throw new Error(`build/${ELF[engine]} is not built; run: npm run build`);
  const elf = readFileSync(path);
  const core = readFileSync(join(root, "build/core.wasm"));
  return { elf, with: (module) => (engine === "aot" ? aotWith(root, module) : withModule(elf, core, module)) };
}
