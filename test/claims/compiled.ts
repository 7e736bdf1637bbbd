/** Programs of this folder as JavaScript, for processes of their own: Node 20 runs no TypeScript. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { builtPath } from "../device/built.js";

const ROOT = new URL("../..", import.meta.url).pathname;

/** Compiles a file and what it imports, without checking types. @returns the path of the JavaScript */
export function compiled(file: string): string {
  const folder = builtPath("claims-child");
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), ts.sys.readFile) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
  const more = { outDir: folder, rootDir: ROOT, noCheck: true, declaration: false, sourceMap: false };
  const roots = [join(ROOT, "test/claims", file), join(ROOT, "firmware/defs/portable.d.ts")];
  ts.createProgram(roots, { ...options, ...more }).emit();
  const path = join(folder, "test/claims", file.replace(/\.ts$/, ".js"));
  if (!existsSync(path)) throw new Error(`${file} was not compiled`);
  return path;
}
