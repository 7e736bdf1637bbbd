/** Set-up: brings a fresh clone to the point where every other script runs. Repeating it is safe and, when nothing is missing, quiet.
 *  Order: platform and Node, Debian packages, npm packages (`npm ci`, once per package-lock.json), then scripts/build.mjs.
 *  npm runs it before each script (package.json), the first time with no node_modules: Node built-ins only. */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MARKER = join(ROOT, "node_modules", ".mbs-lock");
const LOCK_SECONDS = 600; // how long somebody else may hold apt's lock
const PROGRESS_SECONDS = 15; // without a terminal, how often a long step says that it is alive

/** Debian packages, each with its reason. Nothing recommended is installed with them. */
export const PACKAGES = {
  "gcc-arm-none-eabi": "compiles the firmware for the board",
  "libnewlib-arm-none-eabi": "the C library that the firmware is linked with",
  libunicorn2: "the CPU of the virtual board",
  gcc: "compiles wasm3 for this machine",
  "libc6-dev": "the C headers for that",
  wabt: "makes C of core.wasm, for the firmware without an interpreter (19 MB)",
  openssl: "makes and checks the keys and certificates of demo and tests",
  "openssh-client": "makes the SSH keys of demo and tests",
  openocd: "flashes boards, and the virtual one in tests",
  iproute2: "makes the network of its own in which OpenOCD finds the virtual probe",
};

/** A failure that the person in front of the screen can act on: printed without a stack. */
class SetupError extends Error {}

/** Is `version` ("20.19.1") at least what `engines` (">=20.19") asks for? */
export function nodeIsEnough(version, engines) {
  const [have, want] = [version, engines].map((text) => (text.match(/\d+/g) ?? []).map(Number));
  const at = want.findIndex((part, i) => (have[i] ?? 0) !== part);
  return at < 0 || (have[at] ?? 0) > want[at];
}

/** What to tell on a system that apt cannot be used on, or null where it can. */
export function platformProblem(platform, hasApt) {
  if (platform === "linux" && hasApt) return null;
  const names = Object.keys(PACKAGES);
  const here = platform === "linux" ? "this Linux has no apt-get" : `this system is ${platform}`;
  return [
    `set-up installs what it needs with apt on Linux (Debian 12 or newer), and ${here}. Nothing was changed.`,
    `Either work in a Debian container:  docker run -it -v "$PWD":/mbs -w /mbs node:20-bookworm bash`,
    ...(platform === "linux"
      ? [
          "or install these yourself, under the names that your distribution has for them:",
          ...names.map((name) => `  ${name}: ${PACKAGES[name]}`),
          "and set MBS_SKIP_PACKAGES=1, which tells set-up that they are there.",
        ]
      : []),
  ].join("\n");
}

/** Which of PACKAGES are not installed. `status` holds lines "status TAB name TAB provides" as dpkg-query prints them;
 *  provided names count, because newer Debian calls libunicorn2 libunicorn2t64. */
export function missingPackages(status) {
  const installed = new Set();
  for (const line of status.split("\n")) {
    const [state, name, provides] = line.split("\t");
    if (!state?.startsWith("ii")) continue;
    installed.add(name);
    for (const provided of (provides ?? "").split(",")) installed.add(provided.trim().split(" ")[0]);
  }
  return Object.keys(PACKAGES).filter((name) => !installed.has(name));
}

/** What goes before apt-get to run it as root: nothing, sudo, `sudo -n` where nobody could type a password; null: no way. */
export function elevation({ uid, sudo, terminal }) {
  if (uid === 0) return [];
  if (!sudo) return null;
  return terminal ? ["sudo"] : ["sudo", "-n"];
}

/** Arguments of apt-get that install `names`. */
export function installArguments(names) {
  return ["install", "-y", "--no-install-recommends", ...names];
}

/** Sizes out of a dry run of apt-get: {download: "152 MB", disk: "1119 MB"}, or null when apt does not know a package. */
export function plannedSizes(output) {
  const download = output.match(/^Need to get (.+?)(?:\/.+?)? of archives/m)?.[1];
  const disk = output.match(/^After this operation, (.+?) of additional disk space/m)?.[1];
  if (download) return { download, disk: disk ?? "no" };
  return /^After this operation|^\d+ upgraded/m.test(output) ? { download: "0 B", disk: disk ?? "no" } : null;
}

/** The environment for `npm ci` inside `npm start`: npm hands its own settings on as npm_config_*; registry, proxies and
 *  certificates must stay, whatever changes what gets installed, or where, must not. */
export function npmEnvironment(env) {
  const changing =
    /^npm_config_(omit|include|only|also|production|dev|optional|dry_run|global|location|prefix|local_prefix|workspaces?|include_workspace_root|package_lock|package_lock_only|install_strategy|legacy_peer_deps|strict_peer_deps|bin_links|if_present|os|cpu|libc)$/i;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !changing.test(name)));
}

/** What `npm ls` found wrong, except for the one peer that is left out on purpose: react-native-webassembly is here only
 *  for the C sources in it, so react and react-native stay away (.npmrc). */
export function peerProblems(problems) {
  return problems.filter((text) => !/^missing: react(-native)?@.*, required by react-native-webassembly@/.test(text));
}

/** Asks npm whether what is installed fits together. Throws with npm's own words when a dependency or peer is invalid. */
export function checkDependencies() {
  const [command, ...args] = npm("ls", "--all", "--json");
  const { stdout, error } = spawnSync(command, args, { cwd: ROOT, encoding: "utf8", maxBuffer: 1 << 26 });
  if (error) throw new SetupError(`npm could not be started (${error.message}). Install npm and repeat.`);
  const problems = peerProblems(JSON.parse(stdout).problems ?? []);
  if (problems.length > 0)
    throw new SetupError(
      `the installed npm packages do not fit together:\n${problems.map((p) => `  ${p}`).join("\n")}`,
    );
}

function npm(...args) {
  const cli = process.env.npm_execpath;
  return cli && basename(cli) === "npm-cli.js" ? [process.execPath, cli, ...args] : ["npm", ...args];
}

// ---- talking ----

const terminal = Boolean(process.stdout.isTTY);
let stage = "looking at what is there";
let child;
let ticker;

function say(text) {
  process.stdout.write(`${text}\n`);
}

/** Runs a command behind one line of progress, from the second second on. Answers its exit code and everything it printed;
 *  `options.aloud` prints that at once as well. */
function run(what, [command, ...args], { aloud = false, ...options } = {}) {
  stage = what;
  const began = Date.now();
  const elapsed = () => Math.round((Date.now() - began) / 1000);
  const clear = () => terminal && process.stdout.write("\r\x1b[2K");
  ticker = setInterval(() => {
    const seconds = elapsed();
    clear();
    if (terminal) process.stdout.write(`${what} … ${seconds} s`.slice(0, (process.stdout.columns || 80) - 1));
    else if (seconds === 1 || seconds % PROGRESS_SECONDS === 0) say(`${what} … ${seconds} s`);
  }, 1000);
  return new Promise((resolve) => {
    let output = "";
    let waiting = false;
    child = spawn(command, args, { cwd: ROOT, stdio: ["inherit", "pipe", "pipe"], ...options });
    const take = (chunk) => {
      output += chunk;
      if (aloud) {
        clear();
        process.stdout.write(chunk);
      }
      if (waiting || !output.includes("Waiting for cache lock")) return;
      waiting = true;
      clear();
      say(`Another program holds apt's lock; waiting for it, ${LOCK_SECONDS / 60} minutes at most.`);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    const end = (code) => {
      clearInterval(ticker);
      child = undefined;
      clear();
      if (code === 0 && elapsed() > 0) say(`${what}: done in ${elapsed()} s`);
      resolve({ code, output });
    };
    child.on("error", (error) => {
      output += error.message;
      end(127);
    });
    child.on("close", (code) => end(code ?? 1));
  });
}

/** What a failed command printed, without its middle: npm says the reason first, apt last. */
function excerpt(output) {
  const lines = output.split("\n").filter((text) => text.trim() !== "" && text !== "npm error");
  const shown = lines.length > 16 ? [...lines.slice(0, 8), "…", ...lines.slice(-8)] : lines;
  return shown.map((text) => `  | ${text}`).join("\n");
}

function interrupted(signal) {
  clearInterval(ticker);
  process.stdout.write(terminal ? "\r\x1b[2K" : "");
  say(`mbs set-up stopped (${signal}) at: ${stage}. What was finished stays; run the same command again to go on.`);
  const leave = () => process.exit(signal === "SIGINT" ? 130 : 143);
  if (!child) leave();
  child.once("close", leave);
  child.kill(signal);
  setTimeout(leave, 5000);
}

// ---- steps ----

function findMissing() {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const format = "${db:Status-Abbrev}\t${Package}\t${Provides}\n";
  const { stdout, error } = spawnSync("dpkg-query", ["-W", "-f", format], { encoding: "utf8", maxBuffer: 1 << 26 });
  if (error) throw new SetupError(`dpkg-query could not be started (${error.message}); set-up needs Debian's dpkg.`);
  return missingPackages(stdout);
}

async function installPackages() {
  let missing = findMissing();
  if (missing.length === 0) return;
  const names = missing;
  say("These Debian packages are missing:");
  for (const name of names) say(`  ${name}: ${PACKAGES[name]}`);

  const prefix = elevation({
    uid: process.getuid?.(),
    sudo: spawnSync("sudo", ["-V"]).status === 0,
    terminal: Boolean(process.stdin.isTTY) && terminal,
  });
  const byHand = `Run this as root, then the same command again:\n  apt-get update && apt-get ${installArguments(names).join(" ")}`;
  if (prefix === null)
    throw new SetupError(`installing them needs root, and there is no sudo here. Nothing was changed.\n${byHand}`);

  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  const sizes = () => {
    const args = [
      "-o",
      "Debug::NoLocking=1",
      "--assume-no",
      ...installArguments(names).filter((word) => word !== "-y"),
    ];
    return plannedSizes(spawnSync("apt-get", args, { encoding: "utf8", env }).stdout ?? "");
  };
  // The lock on the package lists is none that apt waits for by itself, so that is done here.
  const apt = async (what, args) => {
    const until = Date.now() + LOCK_SECONDS * 1000;
    for (;;) {
      const done = await run(what, [...prefix, "apt-get", "-q", "-o", `DPkg::Lock::Timeout=${LOCK_SECONDS}`, ...args], {
        env,
      });
      if (done.code === 0 || !/Could not get lock/.test(done.output) || Date.now() > until) return done;
      say("Another program holds apt's lock; trying again in 5 seconds.");
      await new Promise((resolve) => setTimeout(resolve, 5000));
    }
  };
  if (prefix.length === 1 && spawnSync("sudo", ["-n", "true"]).status !== 0) {
    say("Installing them needs root; sudo asks for your password.");
    spawnSync("sudo", ["-v"], { stdio: "inherit" });
  }

  let plan = sizes();
  let updated = false;
  const update = async () => {
    const { code, output } = await apt("Reading the package lists (apt-get update)", ["update"]);
    if (code !== 0)
      throw new SetupError(`apt-get update failed; no package was installed.\n${excerpt(output)}\n${byHand}`);
    updated = true;
    plan = sizes();
  };
  if (!plan) await update();
  if (!plan)
    throw new SetupError(
      `apt does not know all of these packages, even with fresh lists; Debian 12 or newer has them. Nothing was installed.\n  ${names.join(" ")}`,
    );
  say(`To download: ${plan.download}; disk space: ${plan.disk}.`);

  const install = () => apt("Installing them (apt-get install)", installArguments(names));
  let done = await install();
  if (done.code !== 0 && /dpkg was interrupted/.test(done.output)) {
    await run("Finishing what an earlier run left (dpkg --configure -a)", [...prefix, "dpkg", "--configure", "-a"], {
      env,
    });
    done = await install();
  }
  if (done.code !== 0 && !updated && /Failed to fetch|404 {2}Not Found/.test(done.output)) {
    await update();
    done = await install();
  }
  missing = findMissing();
  if (missing.length > 0)
    throw new SetupError(
      `apt-get install failed (exit code ${done.code}); still missing: ${missing.join(" ")}.\n${excerpt(done.output)}\n${byHand}`,
    );
}

async function installModules() {
  const digest = createHash("sha256")
    .update(readFileSync(join(ROOT, "package-lock.json")))
    .digest("hex");
  if (existsSync(MARKER) && readFileSync(MARKER, "utf8").trim() === digest) return;
  rmSync(MARKER, { force: true });
  const ci = npm(
    "ci",
    "--include=dev",
    "--include=optional",
    "--ignore-scripts",
    "--legacy-peer-deps",
    "--no-audit",
    "--no-fund",
  );
  const { code, output } = await run("Installing npm packages (npm ci)", ci, { env: npmEnvironment(process.env) });
  if (code !== 0)
    throw new SetupError(
      `npm ci failed (exit code ${code}); node_modules is incomplete and will be made anew.\n${excerpt(output)}\nMend what npm says (network, registry, disk space), then run the same command again.`,
    );
  checkDependencies();
  writeFileSync(MARKER, `${digest}\n`);
}

async function build() {
  const { code } = await run("Building", [process.execPath, join(ROOT, "scripts", "build.mjs")], { aloud: true });
  if (code !== 0) throw new SetupError(`the build failed (exit code ${code}); what it says stands above.`);
}

/** Makes `npx mbs` mean this checkout, once it is built: npm links the commands of dependencies only. */
export function linkCommand() {
  const { bin } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const program = join(ROOT, bin.mbs);
  if (!existsSync(program)) return;
  const folder = join(ROOT, "node_modules", ".bin");
  chmodSync(program, 0o755);
  rmSync(join(folder, "mbs"), { force: true });
  symlinkSync(relative(folder, program), join(folder, "mbs"));
}

async function main() {
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => interrupted(signal));
  const { engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  if (!nodeIsEnough(process.versions.node, engines.node))
    throw new SetupError(
      `Node ${engines.node.replace(/^\D+/, "")} or newer is needed, this is ${process.versions.node}. Nothing was changed.\nInstall one from https://nodejs.org (or with nvm: nvm install 22), then run the same command again.`,
    );
  if (!process.env.MBS_SKIP_PACKAGES) {
    const problem = platformProblem(process.platform, existsSync("/usr/bin/apt-get"));
    if (problem) throw new SetupError(problem);
    await installPackages();
  }
  await installModules();
  if (process.argv.includes("--no-build")) return;
  await build();
  linkCommand();
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  main().catch((error) => {
    process.stderr.write(`mbs set-up: ${error instanceof SetupError ? error.message : error.stack}\n`);
    process.exit(1);
  });
