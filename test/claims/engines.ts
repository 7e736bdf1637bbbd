/** The engines that claims.wasm is tested in: V8, as the host runs it, and wasm3, the interpreter of the board. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import koffi from "koffi";
import { type ClaimsModule, Core, inV8 } from "../../host/claims/core.js";
import { built, builtPath } from "../device/built.js";

const PAGE = 65536;
const ROOT = new URL("../..", import.meta.url).pathname;
const WASM3 = join(ROOT, "node_modules/react-native-webassembly/cpp");

/** Fresh cores by the name of their engine. */
export const ENGINES: readonly (readonly [string, () => Core])[] = [
  ["V8", () => new Core(inV8(built("claims.wasm")))],
  ["wasm3", () => new Core(inWasm3(built("claims.wasm")))],
];

/** A module in wasm3. What traps is thrown. */
export function inWasm3(wasm: Uint8Array): ClaimsModule {
  const { create, trap, call, memory } = library();
  const instance = create(wasm, wasm.length);
  const checked = (result: number | bigint): number | bigint => {
    const why = trap(instance) as string | null;
    if (why !== null) throw new Error(why);
    return result;
  };
  checked(0);
  return {
    memory: new Uint8Array(koffi.view(koffi.address(memory(instance)), PAGE)),
    call: (name, ...args) => Number(checked(call(instance, name, BigInt64Array.from(args), args.length))),
    effective: (configured) => BigInt(checked(call(instance, "effective", BigInt64Array.of(configured), 1))),
  };
}

let loaded: ReturnType<typeof load> | undefined;
function library() {
  loaded ??= load();
  return loaded;
}

function load() {
  const own = koffi.load(compiled());
  return {
    create: own.func("void *claims_new(const uint8_t *wasm, uint32_t length)"),
    trap: own.func("const char *claims_trap(void *claims)"),
    call: own.func("int64_t claims_call(void *claims, const char *name, const int64_t *arguments, uint32_t count)"),
    memory: own.func("void *claims_memory(void *claims)"),
  };
}

/** @returns the path of wasm3.c with the interpreter, made when it is missing or old */
function compiled(): string {
  const source = new URL("wasm3.c", import.meta.url).pathname;
  const interpreter = readdirSync(builtPath("host")).filter((name) => /^m3_.*\.o$/.test(name));
  const objects = interpreter.map((name) => builtPath(join("host", name)));
  const path = builtPath("claims-wasm3.so");
  const newest = Math.max(...[source, ...objects].map((file) => statSync(file).mtimeMs));
  if (existsSync(path) && statSync(path).mtimeMs > newest) return path;
  const draft = `${path}.${process.pid}`;
  const flags = ["-shared", "-O2", "-fPIC", "-Dd_m3HasFloat=0", `-isystem${WASM3}`, "-Wall", "-Wextra", "-Werror"];
  execFileSync("gcc", [...flags, "-o", draft, source, ...objects]);
  renameSync(draft, path);
  return path;
}
