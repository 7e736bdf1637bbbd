/** Builds everything into build/ and dist/: core.wasm, the C header of the definitions, the firmware of the
 *  EK-RA6M5, wasm3 for the host, and the TypeScript. A step whose inputs have not changed is skipped. `--no-tsc`
 *  leaves out the last one. `--engine aot` makes only the firmware in which C made of core.wasm ahead of time takes the place of the interpreter; with
 *  `--module FILE --elf FILE` one with another module in the place of core.wasm, for tests and measurements: the rest is as it was built. `--stock`
 *  makes only build/stock/ek-ra6m5.elf, in which wasm3 is as its package has it, for the bench. */
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { OtherTranslator, RUNTIME_HEADERS, translate } from "./aot.mjs";
import {
  CALL_USED,
  checkInterpreter,
  interpreterFiles,
  OPERATIONS,
  PACKAGE,
  writeInterpreter,
} from "./interpreter.mjs";
import { withoutNames } from "./names.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
process.chdir(root);
const WASM3 = "build/wasm3";
const BOARD = "board/ek-ra6m5";
const TRANSFORMS = ["scripts/inline.mjs", "scripts/coeffects.mjs", "scripts/statics.mjs"];
/** Sources of the board that belong to one engine alone. */
const ENGINES = {
  wasm3: [`${BOARD}/wasm3_glue.c`, `${BOARD}/engine_wasm3.c`],
  aot: [`${BOARD}/engine_aot.c`],
};
/** What each image says of its core. */
const IDENTITY = { wasm3: "build/core_wasm.c", aot: "build/core_hash.c" };
const CORE_NAMED = "build/core.named.wasm";
const ARENA = 330 * 1024;

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
const ARM = [
  ...["-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16", "-Os", "-g"],
  ...["-ffunction-sections", "-fdata-sections", `-ffile-prefix-map=${root}=.`],
];
const WASM3_MEMORY = [`-Dd_m3FixedHeap=${ARENA}`, "-Dd_m3CodePageAlignSize=1024"];
const ARM_FLAGS = [...ARM, ...WASM3_MEMORY, ...CALL_USED];
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

const objectOf = (folder, source) => join(folder, `${basename(source, ".c")}.o`);

/** Compiles `[source, flags]` pairs into a folder, two at a time.
 *  @returns {Promise<string[]>} the object files */
async function compile(compiler, folder, sources) {
  mkdirSync(folder, { recursive: true });
  const queue = sources.map(([source, flags]) => {
    const object = objectOf(folder, source);
    return { object, args: [...flags, "-c", source, "-o", object] };
  });
  const objects = queue.map((one) => one.object);
  const worker = async () => {
    for (let one = queue.shift(); one; one = queue.shift()) await run(compiler, one.args);
  };
  await Promise.all([worker(), worker()]);
  return objects;
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
  writeIdentity(IDENTITY.wasm3, "MBS_ENGINE_WASM3", hash, wasm);
  writeIdentity(IDENTITY.aot, "MBS_ENGINE_AHEAD_OF_TIME", hash);
}

/** Which core an image has and what runs it, as C. @param wasm when it is in the image as it is */
function writeIdentity(file, engine, hash, wasm) {
  const array = (bytes) =>
    bytes
      .toString("hex")
      .replace(/../g, "0x$&,")
      .replace(/(.{120})/g, "$1\n");
  const inside = wasm
    ? `const uint8_t core_wasm[] = {
${array(wasm)}
};
const uint32_t core_wasm_size = sizeof core_wasm;
`
    : "";
  writeFileSync(
    file,
    `/* Generated from core.wasm by scripts/build.mjs. */
#include "core_wasm.h"
#include "defs.h"
/* firmware/defs/image.ts */
__attribute__((section(".descriptor"), used)) const uint8_t descriptor[MBS_DESCRIPTOR_OFF_SETUP] = {
  [MBS_DESCRIPTOR_OFF_MAGIC] = 'M', 'B', 'S', 'F',
  MBS_DESCRIPTOR_VERSION, MBS_FORMAT_VERSION, MBS_BOARD_EK_RA6M5, ${engine},
${array(Buffer.from(hash, "hex"))}
};
${inside}const uint8_t core_wasm_sha256[32] = {
${array(Buffer.from(hash, "hex"))}
};
`,
  );
}

/** Targets that the build binds the core to, and where their records go: as C into the image, as bytes for the engines of tests. */
const FIRMWARE = `${BOARD}/target.json`;
const RECORD = "build/binding_record.c";
const FIRMWARE_AOT = `${BOARD}/target-aot.json`;
const RECORD_AOT = "build/binding_record_aot.c";
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

/** @param operations flags for the file with the operations, beside `flags` */
const interpreterSources = (flags, operations = []) =>
  INTERPRETER.map((name) => `m3_${name}.c`).map((file) => [
    `${WASM3}/${file}`,
    file === OPERATIONS.file ? [...flags, ...operations] : flags,
  ]);

function writeToolchain() {
  const found = execFileSync("arm-none-eabi-gcc", ["--version"], { encoding: "utf8" });
  if (!existsSync(TOOLCHAIN) || readFileSync(TOOLCHAIN, "utf8") !== found) writeFileSync(TOOLCHAIN, found);
}

async function buildInterpreter() {
  const flags = [...ARM_FLAGS, ...WASM3_FLAGS, "-std=gnu11", "-w"];
  await compile("arm-none-eabi-gcc", "build/arm", interpreterSources(flags, OPERATIONS.flags));
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

/** C of the board that an image with one engine has. */
function boardSources(engine) {
  const others = Object.keys(ENGINES).filter((one) => one !== engine);
  return filesOf(BOARD, ".c").filter((file) => !others.some((other) => ENGINES[other].includes(file)));
}

async function linkFirmware(elf, record) {
  const own = [...boardSources("wasm3"), IDENTITY.wasm3, record];
  const flags = [...ARM_FLAGS, ...WASM3_FLAGS, ...WARNINGS, ...INCLUDE];
  const objects = await compile(
    "arm-none-eabi-gcc",
    "build/arm",
    own.map((source) => [source, flags]),
  );
  await link(elf, [...objects, ...INTERPRETER.map((name) => `build/arm/m3_${name}.o`)]);
}

async function link(elf, objects) {
  await run("arm-none-eabi-gcc", [
    ...ARM,
    ...[
      "-nostartfiles",
      "--specs=nano.specs",
      "-Wl,--gc-sections",
      "-Wl,--fatal-warnings",
      "-Wl,--no-warn-rwx-segments",
    ],
    ...["-T", `${BOARD}/ek-ra6m5.ld`, `-Wl,-Map=${elf.replace(/elf$/, "map")}`, "-o", elf],
    ...objects,
  ]);
}

const STOCK = "build/stock";
const STOCK_ELF = `${STOCK}/ek-ra6m5.elf`;

/** The sources unchanged, and every register kept over a call: what the interpreter costs without scripts/interpreter.mjs. Bound as unproven. */
async function buildStock() {
  mkdirSync(STOCK, { recursive: true });
  const record = `${STOCK}/binding_record.c`;
  await bindTo(FIRMWARE, record);
  const flags = [...ARM, ...WASM3_MEMORY, ...WASM3_FLAGS];
  const include = ["-Ibuild", "-Iboard", `-I${BOARD}`, `-isystem${PACKAGE}`];
  const objects = await compile("arm-none-eabi-gcc", STOCK, [
    ...INTERPRETER.map((name) => [`${PACKAGE}/m3_${name}.c`, [...flags, "-std=gnu11", "-w"]]),
    ...[...boardSources("wasm3"), IDENTITY.wasm3, record].map((source) => [
      source,
      [...flags, ...WARNINGS, ...include],
    ]),
  ]);
  await link(STOCK_ELF, objects);
}

const AOT = "build/aot";
const AOT_ELF = "build/ek-ra6m5-aot.elf";
// no counter of calls: nothing in the core recurses, and its stack is bounded by a gate
const AOT_FLAGS = [
  // what is loaded early has to wait on the stack: this processor has few registers for the locals of a cipher
  ...["-O2", "-fno-schedule-insns", "-std=gnu11", "-w", "-DNDEBUG"],
  ...["-DWASM_RT_MEMCHECK_SIGNAL_HANDLER=0", "-DWASM_RT_USE_STACK_DEPTH_COUNT=0"],
];

/** Everything but the engine, which is the same for all modules. */
const aotBoard = () => [...boardSources("aot").filter((file) => !ENGINES.aot.includes(file)), IDENTITY.aot, RECORD_AOT];

async function buildAot() {
  const flags = [...ARM, ...WARNINGS, ...INCLUDE];
  await compile(
    "arm-none-eabi-gcc",
    AOT,
    aotBoard().map((source) => [source, flags]),
  );
  await linkAot(AOT_ELF, CORE_NAMED, join(AOT, "core"));
  try {
    await checkAot(AOT_ELF);
  } catch (error) {
    rmSync(AOT_ELF);
    throw error;
  }
}

/** Firmware whose engine is made of a module; what that needs goes into a folder. */
async function linkAot(elf, wasm, folder) {
  mkdirSync(folder, { recursive: true });
  const made = translate(wasm, folder);
  const include = [`-I${folder}`, `-I${BOARD}`, `-isystem${RUNTIME_HEADERS}`];
  const objects = await compile("arm-none-eabi-gcc", folder, [
    [made, [...ARM, ...AOT_FLAGS, ...include]],
    ...ENGINES.aot.map((source) => [source, [...ARM, ...WARNINGS, ...INCLUDE, ...include]]),
  ]);
  await link(elf, [...objects, ...aotBoard().map((source) => objectOf(AOT, source))]);
}

const listing = (elf, ...args) =>
  execFileSync("arm-none-eabi-objdump", ["-d", ...args, elf], { encoding: "utf8", maxBuffer: 1 << 28 });

/** The gates: memory, tail calls, functions in RAM, budgets. */
async function checkFirmware(elf) {
  const { missingTailCalls, outsideMemory, ramReachesFlash, readElf } = await import("./check-elf.mjs");
  const { measure, overBudget } = await import("./size.mjs");
  const bytes = readFileSync(elf);
  const read = readElf(bytes);
  const complaints = [
    ...outsideMemory(read),
    ...missingTailCalls(listing(elf, "-j", ".text")),
    ...ramReachesFlash(listing(elf, "-j", ".data"), read.symbols),
    ...overBudget(measure(readFileSync("build/core.wasm"), bytes)),
  ];
  if (complaints.length > 0) throw new Error(`${elf} is refused:\n  ${complaints.join("\n  ")}`);
}

/** The same for ahead-of-time code; its calls are on the C stack, which is bounded as a whole. */
async function checkAot(elf) {
  const { outsideMemory, ramReachesFlash, readElf } = await import("./check-elf.mjs");
  const { AOT_BUDGETS, measureAot, overBudget } = await import("./size.mjs");
  const bytes = readFileSync(elf);
  const read = readElf(bytes);
  const complaints = [
    ...outsideMemory(read),
    ...ramReachesFlash(listing(elf, "-j", ".data"), read.symbols),
    ...overBudget(measureAot(bytes), AOT_BUDGETS),
    ...(await overStack(elf, read.symbols)),
  ];
  if (complaints.length > 0) throw new Error(`${elf} is refused:\n  ${complaints.join("\n  ")}`);
}

/** The deepest chain of calls from reset on must fit; recursion, calls through registers and frames of unknown size are refused. */
async function overStack(elf, symbols) {
  const { depth } = await import("../dist/scripts/prove/frames.js");
  const { readListing } = await import("../dist/scripts/prove/listing.js");
  const room = symbols.get("__stack_top") - symbols.get("__stack_limit");
  try {
    const need = depth(readListing(listing(elf)), "reset_handler");
    return need > room ? [`C stack: ${need} bytes, at most ${room} allowed`] : [];
  } catch (error) {
    return [error.message];
  }
}

const STARTS = "build/starts.json";

async function startElves(elves) {
  const { startAll } = await import("../dist/scripts/starts.js");
  writeFileSync(STARTS, `${JSON.stringify(startAll(elves), null, 2)}\n`);
}

/** The firmware's drivers in programs for RAM, for debuggers: one that flashes, and one that measures. */
const RAM_PROGRAMS = {
  loader: ["clock", "faci", "timer", "watchdog"],
  selftest: ["clock", "dmac", "entropy", "faci", "panel", "sci", "timer", "watchdog"],
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
  const options = {
    engine: { type: "string" },
    module: { type: "string" },
    elf: { type: "string" },
    stock: { type: "boolean" },
    "no-tsc": { type: "boolean" },
  };
  const { engine, module, elf, stock: isStock, "no-tsc": isWithoutTsc } = parseArgs({ options }).values;
  if (engine !== undefined && !(engine in ENGINES))
    throw new Error(`--engine ${engine}: expected ${Object.keys(ENGINES).join(" or ")}, or nothing for both`);
  if ((module !== undefined || elf !== undefined) && !(module && elf && engine === "aot"))
    throw new Error("--module and --elf go together, and with --engine aot");
  if (module !== undefined) {
    if (!existsSync(AOT_ELF)) throw new Error(`${AOT_ELF} is not built yet; run: npm run build`);
    return linkAot(elf, module, elf.replace(/\.elf$|$/, ".made"));
  }
  mkdirSync("build", { recursive: true });
  const defs = filesIn("firmware/defs", ".ts");
  const wasm3 = interpreterFiles().map((name) => `${WASM3}/${name}`);
  const board = ["board", "board/host", BOARD].flatMap((folder) => filesOf(folder, ".c", ".h", ".ld"));
  board.push("build/defs.h");

  await step(
    "core",
    [...filesIn("firmware", ".ts"), "asconfig.json", "scripts/names.mjs", ...TRANSFORMS],
    ["build/core.wasm", CORE_NAMED, "build/statics.json", ...Object.values(IDENTITY)],
    buildCore,
  );
  const claims = ["firmware/claims.ts", "firmware/claim/cache.ts", "firmware/defs/claims.ts", "asconfig.json"];
  await step("claims", claims, ["build/claims.wasm"], buildClaims);
  await step("defs", [...defs, "scripts/gen-defs.mjs"], ["build/defs.h"], async () =>
    (await import("./gen-defs.mjs")).genDefs(),
  );
  const tools = [
    ...["scripts/bind.ts", "scripts/prove.ts", "scripts/tools.tsconfig.json", "tsconfig.json"],
    ...["host/binding.ts", "board/elf.ts", "test/device/wasm.d.ts"],
    ...["scripts/bind", "scripts/prove"].flatMap((folder) => filesIn(folder, ".ts")),
  ];
  await step("tools", [...defs, ...tools], ["dist/scripts/bind.js", "dist/scripts/prove.js"], buildTools);
  await step("map", [...defs, "firmware/memory.ts"], ["build/memory.json"], writeMap);
  const packed = [...filesIn(PACKAGE, ".c", ".h"), `${BOARD}/wasm3.sha256`, "scripts/interpreter.mjs"];
  await step("wasm3", packed, wasm3, async () => writeInterpreter(WASM3));
  writeToolchain();
  if (engine !== "wasm3" && !isStock) {
    await step("bind-aot", [...tools, FIRMWARE_AOT, "build/core.wasm"], [RECORD_AOT], () =>
      bindTo(FIRMWARE_AOT, RECORD_AOT),
    );
    const made = ["scripts/aot.mjs", "scripts/check-elf.mjs", "scripts/size.mjs", IDENTITY.aot, RECORD_AOT, CORE_NAMED];
    try {
      await step("aot", [...board, ...tools, TOOLCHAIN, ...made], [AOT_ELF], buildAot);
    } catch (error) {
      if (engine === "aot" || !(error instanceof OtherTranslator)) throw error;
      rmSync(AOT_ELF, { force: true });
      console.error(`build: ${AOT_ELF} is left out, the rest does not need it: ${error.message}`);
    }
  }
  if (engine === "aot") return;
  if (isStock) {
    checkInterpreter();
    return step(
      "stock",
      [...board, ...filesIn(PACKAGE, ".c", ".h"), ...tools, FIRMWARE, TOOLCHAIN, IDENTITY.wasm3],
      [STOCK_ELF],
      buildStock,
    );
  }
  const objects = INTERPRETER.map((name) => `build/arm/m3_${name}.o`);
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
  if (isWithoutTsc) return;
  const sources = ["board", "host", "scripts", "test"]
    .filter(existsSync)
    .flatMap((folder) => filesIn(folder, ".ts", ".mts"));
  await step("tsc", [...defs, ...sources, "tsconfig.json"], ["dist"], () =>
    run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"]),
  );
  const elves = ["build/ek-ra6m5.elf", AOT_ELF].filter(existsSync);
  const virtual = [...filesIn("board/virtual", ".ts"), "scripts/starts.ts"];
  await step("starts", [...elves, ...virtual], [STARTS], () => startElves(elves));
}

try {
  await main();
} catch (error) {
  console.error(`build: ${error.message}`);
  process.exitCode = 1;
}
