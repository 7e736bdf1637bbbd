/** Prints what was built against the budgets and exits 1 when something is over. `--json` for machines. */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { FLASH, RAM, readElf } from "./check-elf.mjs";

const build = join(dirname(fileURLToPath(import.meta.url)), "../build");
const KB = 1024;

/** Bytes allowed. The linear memory is one page by the core's own declaration. */
export const BUDGETS = {
  "core.wasm": 59 * KB,
  flash: 192 * KB,
  RAM: 350 * KB,
  arena: 330 * KB,
  "linear memory": 64 * KB,
  "C stack": 8 * KB,
};

/** The firmware with ahead-of-time code in the place of the interpreter. Its arena is the linear memory and the core's globals. */
export const AOT_BUDGETS = {
  "aot image": 128 * KB,
  "aot RAM": 96 * KB,
  "aot arena": 68 * KB,
  "aot C stack": 8 * KB,
};

/** Bytes of the memory that a module exports. */
export function linearMemory(wasm) {
  const module = new WebAssembly.Module(wasm);
  if (!WebAssembly.Module.exports(module).some((one) => one.kind === "memory"))
    throw new Error("core.wasm exports no memory");
  const imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {};
    imports[from][name] = () => 0;
  }
  const { exports } = new WebAssembly.Instance(module, imports);
  return exports.memory.buffer.byteLength;
}

function measureElf(elf) {
  const { sections, segments, symbols } = readElf(elf);
  const inside = (range) => (one) => one.address >= range.start && one.address < range.end;
  const span = (from, to) => {
    if (!symbols.has(from) || !symbols.has(to)) throw new Error(`the ELF file has no ${from} and ${to}`);
    return symbols.get(to) - symbols.get(from);
  };
  const inFlash = segments.filter((one) => one.physical < FLASH.end);
  return {
    flash: Math.max(...inFlash.map((one) => one.physical + one.fileSize)),
    RAM: sections.filter(inside(RAM)).reduce((sum, one) => sum + one.size, 0),
    arena: span("__arena_start", "__arena_end"),
    "C stack": span("__stack_limit", "__stack_top"),
  };
}

/** Measures the built files.
 *  @returns {Record<keyof typeof BUDGETS, number>} bytes */
export function measure(wasm, elf) {
  return { "core.wasm": wasm.length, ...measureElf(elf), "linear memory": linearMemory(wasm) };
}

/** @returns {Record<keyof typeof AOT_BUDGETS, number>} bytes */
export function measureAot(elf) {
  const { flash, RAM, arena, "C stack": stack } = measureElf(elf);
  return { "aot image": flash, "aot RAM": RAM, "aot arena": arena, "aot C stack": stack };
}

/** Names that are over their budget, with the numbers. */
export function overBudget(sizes, budgets = BUDGETS) {
  return Object.entries(budgets)
    .filter(([name, most]) => !(sizes[name] <= most))
    .map(([name, most]) => `${name}: ${sizes[name]} bytes, at most ${most} allowed`);
}

function main() {
  const files = ["core.wasm", "ek-ra6m5.elf", "ek-ra6m5-aot.elf", "starts.json"].map((name) => join(build, name));
  const missing = files.filter((file) => !existsSync(file));
  if (missing.length > 0) {
    console.error(`size: ${missing.map((file) => basename(file)).join(", ")} not built yet; run: npm run build`);
    return 1;
  }
  const [wasm, elf, aot, starts] = files.map((file) => readFileSync(file));
  const { arenaUsed } = JSON.parse(starts)["build/ek-ra6m5.elf"];
  const sizes = { ...measure(wasm, elf), "arena in use": arenaUsed, ...measureAot(aot) };
  const budgets = { ...BUDGETS, "arena in use": BUDGETS.arena, ...AOT_BUDGETS };
  if (process.argv.includes("--json")) console.log(JSON.stringify({ schemaVersion: 1, sizes, budgets }));
  else
    for (const [name, most] of Object.entries(budgets)) {
      const percent = ((100 * sizes[name]) / most).toFixed(1);
      console.log(
        `${name.padEnd(14)}${String(sizes[name]).padStart(8)} of ${String(most).padStart(7)} bytes ${percent.padStart(6)} %`,
      );
    }
  const over = overBudget(sizes, budgets);
  for (const line of over) console.error(`size: ${line}`);
  return over.length > 0 ? 1 : 0;
}

if (process.argv[1] && basename(process.argv[1]) === "size.mjs") process.exitCode = main();
