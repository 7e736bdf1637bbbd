/** Compiles the probes of this folder as the core is compiled (asconfig.json, scripts/inline.mjs). Global set-up of the tests. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import asc from "assemblyscript/asc";

/** Time of the newest AssemblyScript source under a folder, in ms. */
function newest(folder: string): number {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.(ts|json)$/.test(name));
  return Math.max(...files.map((name) => statSync(join(folder, name)).mtimeMs));
}

const OPTIONS = ["asconfig.json", "scripts/inline.mjs"];

/** Makes build/probe.wasm, or another target of test/probe/asconfig.json, unless it is newer than its sources.
 *  @param root the project's folder. @throws Error with asc's messages */
export async function buildProbe(root: string, target = "probe"): Promise<void> {
  const folders = ["firmware", "test/probe"].map((folder) => newest(join(root, folder)));
  const sources = [...folders, ...OPTIONS.map((file) => statSync(join(root, file)).mtimeMs)];
  const wasm = join(root, `build/${target}.wasm`);
  if (existsSync(wasm) && statSync(wasm).mtimeMs > Math.max(...sources)) return;
  const stderr = asc.createMemoryStream();
  const config = ["--config", "test/probe/asconfig.json", "--target", target];
  config.push("--transform", join(root, "scripts/inline.mjs"));
  const { error } = await asc.main([`test/probe/${target}.ts`, ...config, "--baseDir", root], { stderr });
  if (error !== null)
    throw new Error(`test/probe/${target}.ts does not compile: ${error.message}\n${stderr.toString()}`);
}

/** For vitest, which runs in the project's folder. */
export default async (): Promise<void> => {
  for (const target of ["probe", "hash", "curve", "use", "filekeys", "pointers", "secrets"])
    await buildProbe(process.cwd(), target);
};
