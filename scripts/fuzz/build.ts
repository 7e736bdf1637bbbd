/** The fuzzer's programs: the translated core and the harness of test/fuzz/native, compiled by clang for libFuzzer. The core gets coverage;
 *  its memory is watched by the harness, which AddressSanitizer and UndefinedBehaviorSanitizer watch in turn. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EXACT, translate, type Variant } from "./core.js";

const PLAYER = ["watch", "device", "host", "fuzz"];
const HARNESS = [...PLAYER, "mutate"];
const COMMON = ["-std=gnu11", "-O2", "-g", "-DWASM_RT_MEMCHECK_SIGNAL_HANDLER=0", "-DWASM_RT_USE_STACK_DEPTH_COUNT=0"];
const SANITIZERS = "address,undefined";
const WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Werror"];

const clang = (args: string[]): Promise<void> => compile("clang", args);

/** Ends when the compiler has. @throws Error with what it said */
function compile(compiler: string, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(compiler, args, { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += chunk;
    });
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`${compiler} failed (exit ${code})\n${said}`)),
    );
  });
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ts|c|h)$/.test(name))
    .map((name) => join(folder, name))
    .sort();
}

/** Builds the program for a variant of the core, unless nothing that it is made of has changed. @returns its path */
export async function buildFuzzer(root: string, variant: Variant, progress: (what: string) => void): Promise<string> {
  const folder = join(root, "build/fuzz", variant.name);
  const program = join(folder, "fuzz");
  const stampFile = join(folder, "stamp");
  const native = join(root, "test/fuzz/native");
  const sources = variant === EXACT ? [join(root, "build/core.wasm")] : filesBelow(join(root, "firmware"));
  const self = new URL("./", import.meta.url).pathname;
  const inputs = [
    ...sources,
    ...filesBelow(native),
    join(root, "build/defs.h"),
    join(self, "core.js"),
    join(self, "build.js"),
  ];
  const hash = createHash("sha256").update(JSON.stringify(variant));
  for (const file of inputs) hash.update(file).update(readFileSync(file));
  const stamp = hash.digest("hex");
  if (existsSync(program) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return program;

  progress(`making C of the core (${variant.name})`);
  translate(root, variant, folder);
  progress(`compiling it (${variant.name})`);
  const include = [folder, join(root, "build"), native].map((one) => `-I${one}`);
  const object = (name: string) => join(folder, `${name}.o`);
  await clang([
    ...COMMON,
    "-w",
    "-fsanitize=fuzzer-no-link",
    ...include,
    "-c",
    join(folder, "core.c"),
    "-o",
    object("core"),
  ]);
  const checked = [...COMMON, ...WARNINGS, `-fsanitize=${SANITIZERS}`, "-fno-sanitize-recover=all", ...include];
  for (const name of HARNESS) await clang([...checked, "-c", join(native, `${name}.c`), "-o", object(name)]);
  const objects = ["core", ...HARNESS].map(object);
  await clang([`-fsanitize=fuzzer,${SANITIZERS}`, ...objects, "-lcrypto", "-o", program]);
  writeFileSync(stampFile, stamp);
  return program;
}

/** The same without libFuzzer, made by gcc: plays inputs, and makes none. @returns its path */
export async function buildPlayer(root: string, variant: Variant, folder: string): Promise<string> {
  const native = join(root, "test/fuzz/native");
  const program = join(folder, "play");
  translate(root, variant, folder);
  const include = [folder, join(root, "build"), native].map((one) => `-I${one}`);
  const core = join(folder, "core.o");
  await compile("gcc", [...COMMON, "-w", ...include, "-c", join(folder, "core.c"), "-o", core]);
  const own = [...PLAYER, "once"].map((name) => join(native, `${name}.c`));
  await compile("gcc", [...COMMON, ...WARNINGS, ...include, ...own, core, "-lcrypto", "-o", program]);
  return program;
}
