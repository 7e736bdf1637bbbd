/** Firmware whose engine is C made of another module than core.wasm: what withModule() of scripts/bench/crypto.ts is for the interpreter. The rest
 *  of it is as npm run build left it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @param root the project's folder    @param module a validated module with the core's three exports @returns the ELF. Takes a few seconds */
export function aotWith(root: string, module: Uint8Array): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "mbs-aot-"));
  try {
    const [wasm, elf] = [join(folder, "module.wasm"), join(folder, "module.elf")];
    writeFileSync(wasm, module);
    const args = ["scripts/build.mjs", "--engine", "aot", "--module", wasm, "--elf", elf];
    execFileSync(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    return readFileSync(elf);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
