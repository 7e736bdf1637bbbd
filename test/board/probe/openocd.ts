/** Runs the real OpenOCD against a probe of this process. libjaylink finds a J-Link by a broadcast, so OpenOCD gets a network of its own,
 *  with nothing in it but itself and a relay (relay.ts); the probe listens on a Unix socket, which crosses the border. */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import ts from "typescript";
import { SERIAL } from "../../../board/virtual/probe/probe.js";

const ROOT = new URL("../../..", import.meta.url).pathname;
const CONFIG = join(ROOT, "board/ek-ra6m5/openocd");
const PROGRAMS = ["board/virtual/probe/beacon", "test/board/probe/relay"];
const NETWORK = "ip link set lo up && ip route add 255.255.255.255/32 dev lo";
const TIMEOUT_S = 120;

/** Network of its own, for root and, where users may have namespaces, for others. */
const UNSHARE = [["-n"], ["-Urn"]];

function works(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

const unshare = UNSHARE.find((flags) => works("unshare", ...flags, "sh", "-c", NETWORK));

/** What keeps OpenOCD from running here; undefined: nothing. */
export const missing = !works("openocd", "--version")
  ? "openocd is not installed (Debian package openocd)"
  : unshare === undefined
    ? "no network namespace can be made here: unshare -n and unshare -Urn fail, or ip is missing (Debian package iproute2)"
    : undefined;

export interface Session {
  code: number;
  /** All that OpenOCD said. */
  log: string;
}

/** A folder for the socket of the probe and the relay. */
export class Namespace {
  readonly folder = mkdtempSync(join(tmpdir(), "mbs-openocd-"));
  readonly socket = join(this.folder, "jlink");

  constructor() {
    writeFileSync(join(this.folder, "package.json"), '{ "type": "module" }\n');
    for (const name of PROGRAMS) {
      const to = join(this.folder, `${name}.js`);
      mkdirSync(dirname(to), { recursive: true });
      const options = { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } };
      writeFileSync(to, ts.transpileModule(readFileSync(join(ROOT, `${name}.ts`), "utf8"), options).outputText);
    }
  }

  /** One run of OpenOCD on the virtual board: connects, does the commands, leaves. */
  run(...commands: string[]): Promise<Session> {
    return this.#openocd([], ["init", ...commands]);
  }

  /** The same with a script, whose commands connect themselves. */
  script(file: string, ...commands: string[]): Promise<Session> {
    return this.#openocd(["-f", file], commands);
  }

  async #openocd(options: string[], commands: string[]): Promise<Session> {
    const relay = [process.execPath, join(this.folder, `${PROGRAMS[1]}.js`), this.socket, String(SERIAL)];
    const openocd = ["timeout", String(TIMEOUT_S), "openocd", "-s", CONFIG, "-f", "virtual.cfg", "-f", "ek-ra6m5.cfg"];
    openocd.push(...options);
    for (const command of [...commands, "shutdown"]) openocd.push("-c", command);
    const script = `${NETWORK} && exec "$@"`;
    const child = spawn("unshare", [...(unshare ?? []), "sh", "-c", script, "sh", ...relay, ...openocd], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let log = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (bytes) => {
        log += String(bytes);
      });
    }
    const code = await new Promise<number>((resolve) => child.on("close", (status) => resolve(status ?? 1)));
    return { code, log };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
