/** The regions of the core's linear memory, by name: firmware/memory.ts, which is AssemblyScript that is also TypeScript but for its
 *  number types, which are gone at run time. Compiled programs have no such file beside them and read what the build made of it. */
import { readFileSync } from "node:fs";

const compiled = import.meta.url.includes("/dist/");
const path: string = new URL("../../firmware/memory.ts", import.meta.url).pathname;
const known: Partial<Record<string, number>> = compiled
  ? JSON.parse(readFileSync(new URL("../../../build/memory.json", import.meta.url), "utf8"))
  : await import(path);

/** Where a region starts, or the size that has this name. @throws when firmware/memory.ts does not say */
export function region(name: string): number {
  const offset = known[name];
  if (offset === undefined) throw new Error(`firmware/memory.ts has no ${name}`);
  return offset;
}
