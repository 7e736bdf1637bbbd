/** Files that `npm run build` makes, for sources and for what is compiled from them. */
import { readFileSync } from "node:fs";

/** A file that `npm run build` makes. */
export function built(name: string): Buffer {
  return readFileSync(builtPath(name));
}
export function builtPath(name: string): string {
  const root = import.meta.url.includes("/dist/test/") ? "../../.." : "../..";
  return new URL(`${root}/build/${name}`, import.meta.url).pathname;
}
