/** Builds everything into build/ and dist/: core.wasm, the C header of the definitions, the firmware of the
 *  EK-RA6M5, wasm3 for the host, and the TypeScript. A step whose inputs have not changed is skipped. `--no-tsc`
 *  leaves out the last one. wasm3's sources come from the npm package react-native-webassembly and must have the
 *  hashes in board/ek-ra6m5/wasm3.sha256. */
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { withoutNames } from "./names.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
process.chdir(root);
const WASM3 = "node_modules/react-native-webassembly/cpp";
const BOARD = "board/ek-ra6m5";
const TRANSFORMS = ["scripts/inline.mjs", "scripts/coeffects.mjs", "scripts/statics.mjs"];
const CORE_NAMED = "build/core.named.wasm";
const ARENA = 324 * 1024;

const INTERPRETER = ["bind", "code", "compile", "core", "env", "exec", "function", "module", "parse"];
const WARNINGS = ["-std=gnu11", "-Wall", "-Wextra", "-Wshadow", "-Werror"];
const INCLUDE = ["-Ibuild", "-Iboard", `-I${BOARD}`, `-isystem${WASM3}`];
// no floats, no message texts, small stacks: what the core needs, and the same on board and host
const WASM3_FLAGS = [
  "-DNDEBUG",
  "-Dd_m3HasFloat=0",
  "-Dd_m3VerboseErrorMessages=0",
  "-Dd_m3MaxFunctionStackHeight=256",
  "-Dd_m3MaxConstantTableSize=120",
];
const ARM_FLAGS = [
  ...["-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16", "-Os", "-g"],
  ...["-ffunction-sections", "-fdata-sections", `-ffile-prefix-map=${root}=.`],
  ...[`-Dd_m3FixedHeap=${ARENA}`, "-Dd_m3CodePageAlignSize=1024"],
];
const HOST_FLAGS = ["-O2", "-fPIC", "-fvisibility=hidden", `-ffile-prefix-map=${root}=.`];

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** Files below a folder whose names end so. */
function filesIn(folder, ...endings) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((file) => endings.some((ending) => file.endsWith(ending)))
    .sort();
}

/** Those of the folder itself. */
const filesOf = (folder, ...endings) => filesIn(folder, ...endings).filter((file) => dirname(file) === folder);

const stampFile = "build/stamps.json";
const stamps = existsSync(stampFile) ? JSON.parse(readFileSync(stampFile, "utf8")) : {};

/** Runs `work` unless the outputs exist and were made from the same inputs and by this script. */
async function step(name, inputs, outputs, work) {
  const hash = createHash("sha256");
  for (const file of ["scripts/build.mjs", "package-lock.json", ...inputs])
    hash.update(`${file}\0`).update(readFileSync(file));
  const stamp = hash.digest("hex");
  if (stamps[name] === stamp && outputs.every((file) => existsSync(file))) return;
  delete stamps[name]; // what fails half-way must not look finished later
  if (existsSync(stampFile)) writeFileSync(stampFile, JSON.stringify(stamps, null, 2));
  await work();
  for (const file of outputs.filter((one) => /\.(wasm|elf|so|bin)$/.test(one))) {
    const bytes = readFileSync(file);
    console.log(`${file}  ${bytes.length} bytes  sha256 ${sha256(bytes)}`);
  }
  stamps[name] = stamp;
  writeFileSync(stampFile, JSON.stringify(stamps, null, 2));
}

/** Runs a program; rejects with its name when it fails (what it prints goes to the terminal). */
function run(program, args, env = process.env) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "inherit", env });
    child.on("error", (error) =>
      reject(error.code === "ENOENT" ? new Error(`${program} is not installed; run: npm run setup`) : error),
    );
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`${program} failed (exit ${code})`))));
  });
}

/** Compiles `[source, flags]` pairs into a folder, two at a time.
 *  @returns {Promise<string[]>} the object files */
async function compile(compiler, folder, sources) {
  mkdirSync(folder, { recursive: true });
  const queue = sources.map(([source, flags]) => {
    const object = join(folder, `${source.split("/").at(-1).replace(/\.c$/, "")}.o`);
    return { object, args: [...flags, "-c", source, "-o", object] };
  });
  const objects = queue.map((one) => one.object);
  const worker = async () => {
    for (let one = queue.shift(); one; one = queue.shift()) await run(compiler, one.args);
  };
  await Promise.all([worker(), worker()]);
  return objects;
}

function checkInterpreter() {
  for (const line of readFileSync(`${BOARD}/wasm3.sha256`, "utf8").trim().split("\n")) {
    const [expected, name] = line.split(/\s+/);
    const found = sha256(readFileSync(join(WASM3, name)));
    if (found !== expected)
      throw new Error(
        `${WASM3}/${name}: expected sha256 ${expected}, came ${found}; run npm ci, or review it and ${BOARD}/wasm3.sha256`,
      );
  }
}

/** The claim cache, a module for hosts alone. */
async function buildClaims() {
  await run(process.execPath, ["node_modules/assemblyscript/bin/asc.js", "firmware/claims.ts", "--target", "claims"]);
}

async function buildCore() {
  const asc = ["node_modules/assemblyscript/bin/asc.js", "firmware/core.ts", "--target", "release"];
  const transforms = TRANSFORMS.flatMap((file) => ["--transform", `./${file}`]);
  // with names for the proofs; code and data are the same without
  await run(process.execPath, [...asc, ...transforms, "--debug", "--outFile", CORE_NAMED], {
    ...process.env,
    MBS_STATICS: "build/statics.json",
  });
  const wasm = withoutNames(readFileSync(CORE_NAMED));
  writeFileSync("build/core.wasm", wasm);
  const hash = sha256(wasm);
  writeFileSync("build/core.json", `${JSON.stringify({ sha256: hash, bytes: wasm.length })}\n`);
  const array = (bytes) =>
    bytes
      .toString("hex")
      .replace(/../g, "0x$&,")
      .replace(/(.{120})/g, "$1\n");
  writeFileSync(
    "build/core_wasm.c",
    `/* Generated from core.wasm by scripts/build.mjs. */
#include "core_wasm.h"
#include "defs.h"
/* firmware/defs/image.ts */
__attribute__((section(".descriptor"), used)) const uint8_t descriptor[MBS_DESCRIPTOR_OFF_SETUP] = {
  [MBS_DESCRIPTOR_OFF_MAGIC] = 'M', 'B', 'S', 'F', MBS_DESCRIPTOR_VERSION, MBS_FORMAT_VERSION, 1, MBS_ENGINE_WASM3,
${array(Buffer.from(hash, "hex"))}
};
const uint8_t core_wasm[] = {
${array(wasm)}
};
const uint32_t core_wasm_size = sizeof core_wasm;
const uint8_t core_wasm_sha256[32] = {
${array(Buffer.from(hash, "hex"))}
};
`,
  );
}

/** Targets that the build binds the core to, and where their records go: as C into the image, as bytes for the engines of tests. */
const FIRMWARE = `${BOARD}/target.json`;
const RECORD = "build/binding_record.c";
const HOST = "board/host/target.json";
const HOST_RECORD = "build/host.binding";
/** What was shown of the core, for the binder. */
const PROOF = "build/proof.json";
/** Which compiler there is: another one makes another interpreter, which is to be audited anew. */
const TOOLCHAIN = "build/toolchain.txt";

/** Binder and proofs are TypeScript, and the image needs them before the rest is compiled. */
async function buildTools() {
  await run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "scripts/tools.tsconfig.json"]);
}

/** Runs a tool whose main() prints, complains and returns an exit code. */
async function tool(name, failure, args) {
  const { main } = await import(`../dist/scripts/${name}.js`);
  const said = [];
  const say = (text) => said.push(text);
  if (main(args, say, say) !== 0) throw new Error(`${failure}:\n  ${said.join("\n").replaceAll("\n", "\n  ")}`);
}

/** Binds the core to a target; under an engine whose proof there is, as proven. */
const bindTo = (target, record, ...proof) =>
  tool("bind", `core.wasm cannot be bound to ${target}`, ["--target", target, "--write", record, ...proof]);

/** The interpreter is audited where it runs, in a linked firmware: first in one that claims nothing. */
async function proveCore() {
  rmSync(PROOF, { force: true }); // a proof that failed must not leave the last one
  const [record, elf] = ["build/arm/unproven.c", "build/arm/unproven.elf"];
  await bindTo(FIRMWARE, record);
  await linkFirmware(elf, record);
  await tool("prove", "core.wasm is refused", ["--elf", elf, "--write", PROOF]);
}

const interpreterSources = (flags) => INTERPRETER.map((name) => [`${WASM3}/m3_${name}.c`, flags]);

function writeToolchain() {
  const found = execFileSync("arm-none-eabi-gcc", ["--version"], { encoding: "utf8" });
  if (!existsSync(TOOLCHAIN) || readFileSync(TOOLCHAIN, "utf8") !== found) writeFileSync(TOOLCHAIN, found);
}

async function buildInterpreter() {
  checkInterpreter();
  await compile(
    "arm-none-eabi-gcc",
    "build/arm",
    interpreterSources([...ARM_FLAGS, ...WASM3_FLAGS, "-std=gnu11", "-w"]),
  );
}

async function buildFirmware() {
  const elf = "build/ek-ra6m5.elf";
  await linkFirmware(elf, RECORD);
  try {
    await checkFirmware(elf);
  } catch (error) {
    rmSync(elf); // what is refused must not lie there as if it were good
    throw error;
  }
}

async function linkFirmware(elf, record) {
  const own = [...filesOf(BOARD, ".c"), "build/core_wasm.c", record];
  const flags = [...ARM_FLAGS, ...WASM3_FLAGS, ...WARNINGS, ...INCLUDE];
  const objects = await compile(
    "arm-none-eabi-gcc",
    "build/arm",
    own.map((source) => [source, flags]),
  );
  await run("arm-none-eabi-gcc", [
    ...ARM_FLAGS,
    ...[
      "-nostartfiles",
      "--specs=nano.specs",
      "-Wl,--gc-sections",
      "-Wl,--fatal-warnings",
      "-Wl,--no-warn-rwx-segments",
    ],
    ...["-T", `${BOARD}/ek-ra6m5.ld`, `-Wl,-Map=${elf.replace(/elf$/, "map")}`, "-o", elf],
    ...[...objects, ...INTERPRETER.map((name) => `build/arm/m3_${name}.o`)],
  ]);
}

/** The gates: memory, tail calls, functions in RAM, budgets. */
async function checkFirmware(elf) {
  const { missingTailCalls, outsideMemory, ramReachesFlash, readElf } = await import("./check-elf.mjs");
  const { measure, overBudget } = await import("./size.mjs");
  const bytes = readFileSync(elf);
  const listing = (...args) =>
    execFileSync("arm-none-eabi-objdump", ["-d", ...args, elf], { encoding: "utf8", maxBuffer: 1 << 28 });
  const read = readElf(bytes);
  const complaints = [
    ...outsideMemory(read),
    ...missingTailCalls(listing("-j", ".text")),
    ...ramReachesFlash(listing("-j", ".data"), read.symbols),
    ...overBudget(measure(readFileSync("build/core.wasm"), bytes)),
  ];
  if (complaints.length > 0) throw new Error(`${elf} is refused:\n  ${complaints.join("\n  ")}`);
}

/** The firmware's drivers in programs for RAM, for debuggers: one that flashes, and one that measures. */
const RAM_PROGRAMS = {
  loader: ["clock", "faci", "timer", "watchdog"],
  selftest: ["clock", "entropy", "faci", "panel", "sci", "timer", "watchdog"],
};
const ramBin = (name) => `build/arm/${name}.bin`;
const ramSources = (name) => [
  ...filesIn(`${BOARD}/${name}`, ".c"),
  ...RAM_PROGRAMS[name].map((driver) => `${BOARD}/${driver}.c`),
];

async function buildRam(name) {
  const arm = [
    "-mcpu=cortex-m33",
    "-mthumb",
    "-mfloat-abi=soft",
    "-Os",
    "-g",
    "-ffunction-sections",
    "-fdata-sections",
  ];
  const flags = [...arm, "-ffreestanding", `-ffile-prefix-map=${root}=.`, "-DFACI_TELLS", ...WARNINGS, ...INCLUDE];
  const objects = await compile(
    "arm-none-eabi-gcc",
    `build/arm/${name}`,
    ramSources(name).map((source) => [source, flags]),
  );
  const elf = `build/arm/${name}/${name}.elf`;
  const link = ["-nostdlib", "-Wl,--gc-sections", "-Wl,--fatal-warnings", "-Wl,--no-warn-rwx-segments"];
  await run("arm-none-eabi-gcc", [
    ...arm,
    ...link,
    "-T",
    `${BOARD}/${name}/${name}.ld`,
    "-o",
    elf,
    ...objects,
    "-lgcc",
  ]);
  await run("arm-none-eabi-objcopy", ["-O", "binary", elf, ramBin(name)]);
}

async function buildHost() {
  checkInterpreter();
  const flags = [...HOST_FLAGS, ...WASM3_FLAGS];
  const objects = await compile("gcc", "build/host", [
    ...interpreterSources([...flags, "-std=gnu11", "-w"]),
    [`${WASM3}/m3_info.c`, [...flags, "-std=gnu11", "-w"]], // m3_FreeRuntime needs it
    ...[`${BOARD}/wasm3_glue.c`, "board/host/wasm3_host.c"].map((source) => [
      source,
      [...flags, ...WARNINGS, ...INCLUDE],
    ]),
  ]);
  await run("gcc", ["-shared", "-Wl,-z,defs", "-o", "build/wasm3-host.so", ...objects]);
}

/** The regions of linear memory by name, for compiled programs that look into a running core. */
async function writeMap() {
  const { default: ts } = await import("typescript");
  const { outputText } = ts.transpileModule(readFileSync("firmware/memory.ts", "utf8"), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  const folder = new URL("../dist/firmware/", import.meta.url);
  const linked = outputText.replace(/from "\.\/([^"]+)"/g, (_, path) => `from "${new URL(`${path}.js`, folder)}"`);
  const regions = await import(`data:text/javascript,${encodeURIComponent(linked)}`);
  writeFileSync("build/memory.json", `${JSON.stringify({ ...regions }, null, 2)}\n`);
}

async function main() {
  mkdirSync("build", { recursive: true });
  const defs = filesIn("firmware/defs", ".ts");
  const wasm3 = [...filesIn(WASM3, ".c", ".h"), `${BOARD}/wasm3.sha256`];
  const board = ["board", "board/host", BOARD].flatMap((folder) => filesOf(folder, ".c", ".h", ".ld"));
  board.push("build/defs.h");

  await step(
    "core",
    [...filesIn("firmware", ".ts"), "asconfig.json", "scripts/names.mjs", ...TRANSFORMS],
    ["build/core.wasm", CORE_NAMED, "build/statics.json", "build/core_wasm.c"],
    buildCore,
  );
  const claims = ["firmware/claims.ts", "firmware/claim/cache.ts", "firmware/defs/claims.ts", "asconfig.json"];
  await step("claims", claims, ["build/claims.wasm"], buildClaims);
  await step("defs", [...defs, "scripts/gen-defs.mjs"], ["build/defs.h"], async () =>
    (await import("./gen-defs.mjs")).genDefs(),
  );
  const tools = [
    ...["scripts/bind.ts", "scripts/prove.ts", "scripts/tools.tsconfig.json", "tsconfig.json"],
    ...["host/binding.ts", "board/virtual/elf.ts", "test/device/wasm.d.ts"],
    ...["scripts/bind", "scripts/prove"].flatMap((folder) => filesIn(folder, ".ts")),
  ];
  await step("tools", [...defs, ...tools], ["dist/scripts/bind.js", "dist/scripts/prove.js"], buildTools);
  await step("map", [...defs, "firmware/memory.ts"], ["build/memory.json"], writeMap);
  const objects = INTERPRETER.map((name) => `build/arm/m3_${name}.o`);
  writeToolchain();
  await step("interpreter", [...wasm3, TOOLCHAIN], objects, buildInterpreter);
  const image = [...board, ...wasm3, ...objects, TOOLCHAIN, "build/core_wasm.c"];
  const shown = [...filesIn("firmware", ".ts"), "firmware/PROOFS.md", "build/memory.json"];
  await step("proof", [...image, ...tools, ...shown, FIRMWARE], [PROOF], proveCore);
  await step("bind", [...tools, FIRMWARE, HOST, PROOF, "build/core.wasm"], [RECORD, HOST_RECORD], async () => {
    await bindTo(FIRMWARE, RECORD, "--proof", PROOF);
    await bindTo(HOST, HOST_RECORD);
  });
  const gates = ["scripts/check-elf.mjs", "scripts/size.mjs"];
  await step("firmware", [...image, ...gates, RECORD], ["build/ek-ra6m5.elf"], buildFirmware);
  for (const name of Object.keys(RAM_PROGRAMS)) {
    const shared = [...filesOf("board", ".h"), ...filesOf(BOARD, ".h"), "build/defs.h", TOOLCHAIN];
    const own = [...filesIn(`${BOARD}/${name}`, ".h", ".ld"), ...ramSources(name)];
    await step(name, [...own, ...shared], [ramBin(name)], () => buildRam(name));
  }
  await step("host", [...board, ...wasm3], ["build/wasm3-host.so"], buildHost);
  if (process.argv.includes("--no-tsc")) return;
  const sources = ["board", "host", "scripts", "test"]
    .filter(existsSync)
    .flatMap((folder) => filesIn(folder, ".ts", ".mts"));
  await step("tsc", [...defs, ...sources, "tsconfig.json"], ["dist"], () =>
    run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"]),
  );
}

try {
  await main();
} catch (error) {
  console.error(`build: ${error.message}`);
  process.exitCode = 1;
}
