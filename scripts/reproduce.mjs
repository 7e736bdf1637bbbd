/** `npm run reproduce`: builds the project twice from nothing, in folders of different name and depth, time zone and language, and compares what
 *  came out byte by byte. Prints the hashes; exit code 1 when something differs, with the first place that does.
 *  What is built is the working tree as it stands; node_modules is shared. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const MADE = ["build", "dist", "node_modules", ".git"];
const OUTPUT = /\.(wasm|elf|so|hex|bin|img)$/;
const BUILDS = [
  { folder: "one", environment: { TZ: "UTC", LC_ALL: "C" } },
  { folder: "another/further/down", environment: { TZ: "Pacific/Apia", LC_ALL: "C.UTF-8" } },
];
const WASM_SECTIONS = "custom type import function table memory global export start element code data count".split(" ");

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** Names of what a build made, below its folder. */
export function outputs(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => OUTPUT.test(name))
    .sort();
}

/** Sections of a 32-bit little-endian ELF file: name -> contents. System V ABI, chapter 4. */
function elfSections(bytes) {
  const table = bytes.readUInt32LE(32);
  const header = (i) => table + i * bytes.readUInt16LE(46);
  const part = (at) => {
    const offset = bytes.readUInt32LE(at + 16);
    const inFile = bytes.readUInt32LE(at + 4) !== 8; // SHT_NOBITS
    return bytes.subarray(offset, offset + (inFile ? bytes.readUInt32LE(at + 20) : 0));
  };
  const names = part(header(bytes.readUInt16LE(50)));
  const found = new Map();
  for (let i = 1; i < bytes.readUInt16LE(48); i++) {
    const name = bytes.readUInt32LE(header(i));
    found.set(names.toString("latin1", name, names.indexOf(0, name)), part(header(i)));
  }
  return found;
}

/** Sections of a WebAssembly module: name -> contents. */
function wasmSections(bytes) {
  const found = new Map();
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at++];
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      size |= (bytes[at] & 127) << shift;
      if (bytes[at++] < 128) break;
    }
    found.set(WASM_SECTIONS[id] ?? `section ${id}`, bytes.subarray(at, at + size));
    at += size;
  }
  return found;
}

/** Name of the first section that differs. */
function firstSection(name, one, other) {
  const read = name.endsWith(".elf") ? elfSections : name.endsWith(".wasm") ? wasmSections : () => new Map();
  const there = read(other);
  return [...read(one)].find(([section, bytes]) => !there.get(section)?.equals(bytes))?.[0];
}

/** Compares what two builds made.
 *  @returns one line per file that differs or is in one of them only */
export function differences(one, other) {
  const found = [];
  for (const name of new Set([...outputs(one), ...outputs(other)])) {
    const files = [one, other].map((folder) => join(folder, name));
    const missing = files.find((file) => !existsSync(file));
    if (missing) {
      found.push(`${name}: ${missing} was not made`);
      continue;
    }
    const [a, b] = files.map((file) => readFileSync(file));
    if (a.equals(b)) continue;
    let at = 0;
    while (at < a.length && a[at] === b[at]) at++;
    const section = firstSection(name, a, b);
    const place = section === undefined ? "" : `, the first section that differs is ${section}`;
    found.push(`${name}: ${a.length} and ${b.length} bytes, the first difference at byte ${at}${place}`);
  }
  return found;
}

/** Copies the sources and builds them. @returns the folder of the results */
async function build(folder, environment) {
  cpSync(ROOT, folder, { recursive: true, filter: (from) => !MADE.includes(relative(ROOT, from)) });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const child = spawn(process.execPath, ["scripts/build.mjs", "--no-tsc"], {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data) => {
      said += data;
    });
  const code = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code !== 0) throw new Error(`the build in ${folder} failed (exit ${code}):\n${said}`);
  return join(folder, "build");
}

/** Builds twice, calls `look` with both results and removes them. */
export async function buildTwice(look) {
  const place = mkdtempSync(join(tmpdir(), "mbs-reproduce-"));
  try {
    const folders = await Promise.all(
      BUILDS.map(({ folder, environment }) => {
        mkdirSync(dirname(join(place, folder)), { recursive: true });
        return build(join(place, folder), environment);
      }),
    );
    return look(...folders);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

const hashes = (folder) => outputs(folder).map((name) => `${sha256(readFileSync(join(folder, name)))}  ${name}`);

async function main() {
  return buildTwice((one, other) => {
    console.log(hashes(one).join("\n"));
    const found = differences(one, other);
    for (const line of found) console.error(`reproduce: ${line}`);
    if (found.length > 0) {
      console.error(
        "reproduce: something of the place or the moment came into the build; look for __FILE__, absolute paths and dates",
      );
      return 1;
    }
    console.log(`two builds made the same ${outputs(one).length} files`);
    return 0;
  });
}

if (process.argv[1] && basename(process.argv[1]) === "reproduce.mjs") {
  try {
    process.exitCode = await main();
  } catch (error) {
    console.error(`reproduce: ${error.message}`);
    process.exitCode = 1;
  }
}
