/** What this package is: its version, and the core.wasm that it was built with. Found beside the sources or beside dist/. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

function read(path: string, field: string): string | undefined {
  const url = ["..", "../.."].map((up) => new URL(`${up}/${path}`, import.meta.url)).find((at) => existsSync(at));
  const found: unknown = url === undefined ? undefined : JSON.parse(readFileSync(url, "utf8"));
  if (typeof found !== "object" || found === null || !(field in found)) return undefined;
  return String((found as Record<string, unknown>)[field]);
}

/** Version of the package. */
export function packageVersion(): string {
  return read("package.json", "version") ?? "unknown";
}

/** SHA-256 of the core.wasm of this package in hexadecimal, undefined when it was never built. */
export function packageCore(): string | undefined {
  return read("build/core.json", "sha256");
}

/** The firmware that this package was built with. */
export function builtFirmware(): string {
  const path = "build/ek-ra6m5.elf";
  const url = ["..", "../.."].map((up) => new URL(`${up}/${path}`, import.meta.url)).find((at) => existsSync(at));
  return url === undefined ? path : fileURLToPath(url);
}
