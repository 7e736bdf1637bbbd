/** The test files of `npm test` that run core.wasm in V8, and so notice what is wrong with the one that MBS_CORE names. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Files and folders, the quick ones first. */
const QUICK = [
  "test/store",
  "test/session",
  "test/damage",
  "test/claims/device/filekeys.test.ts",
  "test/claims/device/harm.test.ts",
  "test/image/sealed.test.ts",
  "test/image/odd.test.ts",
  "test/image/again.test.ts",
];
const SLOW = ["test/cuts", "test/torture", "test/claims/device/cuts.test.ts"];
/** These run the ELF, which holds a core of its own. */
const OTHERS = ["test/torture/virtual.test.ts"];

function testsIn(root: string, path: string): string[] {
  const at = join(root, path);
  if (!existsSync(at)) return [];
  if (statSync(at).isFile()) return [path];
  return readdirSync(at)
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `${path}/${name}`)
    .filter((file) => !OTHERS.includes(file))
    .sort();
}

/** @param root the project's folder. @returns test files from there, in two lists: those that take seconds, and the sweeps */
export function checks(root: string): { quick: string[]; slow: string[] } {
  return {
    quick: QUICK.flatMap((path) => testsIn(root, path)),
    slow: SLOW.flatMap((path) => testsIn(root, path)),
  };
}
