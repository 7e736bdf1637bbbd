/** What the fuzzer is built with, from Debian: nothing is installed without saying what and how much. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** Debian packages, each with its reason and how to see that it is there. */
const TOOLS: { name: string; reason: string; isThere: () => boolean }[] = [
  { name: "clang", reason: "compiles the core's C with coverage", isThere: () => runs("clang", "--version") },
  { name: "libclang-rt-dev", reason: "libFuzzer and the sanitizers", isThere: hasRuntime },
  { name: "wabt", reason: "wasm2c, which makes C of the core", isThere: () => runs("wasm2c", "--version") },
  {
    name: "libssl-dev",
    reason: "ChaCha20-Poly1305 for the host's end of a session",
    isThere: () => existsSync("/usr/include/openssl/evp.h"),
  },
];

/** A failure that the person in front of the screen can act on. */
export class ToolsError extends Error {
  override name = "ToolsError";
}

function runs(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { encoding: "utf8" }).status === 0;
}

/** clang prints a path of its own for a library that it has, and the bare name of one that it has not. */
function hasRuntime(): boolean {
  const names = ["libclang_rt.fuzzer.a", "libclang_rt.fuzzer-x86_64.a", "libclang_rt.fuzzer-aarch64.a"];
  return names.some((name) =>
    spawnSync("clang", [`-print-file-name=${name}`], { encoding: "utf8" })
      .stdout?.trim()
      .startsWith("/"),
  );
}

/** Sees that everything is there; root gets it installed. @param say prints a line @throws ToolsError with the command that installs it */
export async function needTools(root: string, say: (line: string) => void): Promise<void> {
  const missing = TOOLS.filter((one) => !one.isThere());
  if (missing.length === 0) return;
  const names = missing.map((one) => one.name);
  // it is plain JavaScript and stays where it is when this is compiled
  const setup: typeof import("../setup.mjs") = await import(join(root, "scripts/setup.mjs"));
  const { elevation, installArguments, plannedSizes } = setup;
  say("The fuzzer is built with these Debian packages, which are missing:");
  for (const { name, reason } of missing) say(`  ${name}: ${reason}`);
  const byHand = `Run this as root, then the same command again:\n  apt-get update && apt-get ${installArguments(names).join(" ")}`;
  if (!existsSync("/usr/bin/apt-get"))
    throw new ToolsError("There is no apt-get here. Install them under the names that they have on this system.");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  const apt = (...args: string[]) => spawnSync("apt-get", args, { encoding: "utf8", env, maxBuffer: 1 << 26 });
  const dryRun = () =>
    plannedSizes(
      apt("-o", "Debug::NoLocking=1", "--assume-no", ...installArguments(names).filter((a) => a !== "-y")).stdout ?? "",
    );
  const who = { uid: process.getuid?.(), sudo: false, terminal: false };
  const isRoot = elevation(who)?.length === 0;
  let sizes = dryRun();
  if (isRoot && sizes === null) {
    apt("-q", "update");
    sizes = dryRun();
  }
  if (sizes !== null) say(`To download: ${sizes.download}; disk space: ${sizes.disk}.`);
  if (!isRoot) throw new ToolsError(`Nothing was installed. ${byHand}`);
  say(`Installing them: apt-get ${installArguments(names).join(" ")}`);
  const { status, stderr } = apt("-q", "-o", "DPkg::Lock::Timeout=600", ...installArguments(names));
  const still = missing.filter((one) => !one.isThere()).map((one) => one.name);
  if (still.length > 0)
    throw new ToolsError(
      `apt-get ended with ${status}; still missing: ${still.join(" ")}.\n${stderr.trim()}\n${byHand}`,
    );
}
