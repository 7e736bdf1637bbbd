/** Runs the real OpenOCD against a probe of this process, as `mbs flash` reaches a virtual probe. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missedBeacon, namespaceFlags, packagePath, parseProbe, reaching } from "../../../host/flash/probe.js";

const TIMEOUT_S = 120;

/** What keeps OpenOCD from running here; undefined: nothing. */
export const missing =
  spawnSync("openocd", ["--version"], { stdio: "ignore" }).status !== 0
    ? "openocd is not installed (Debian package openocd)"
    : namespaceFlags() === undefined
      ? "no network namespace can be made here: unshare -n and unshare -Urn fail, or ip is missing (Debian package iproute2)"
      : undefined;

/** For the name of what is skipped. */
export const why = missing === undefined ? "" : `: ${missing}`;

export interface Session {
  code: number;
  /** All that OpenOCD said. */
  log: string;
}

/** A folder for the socket of the probe. */
export class Namespace {
  readonly folder = mkdtempSync(join(tmpdir(), "mbs-openocd-"));
  readonly socket = join(this.folder, "jlink");

  /** One run of OpenOCD on the virtual board: connects, does the commands, leaves. */
  run(...commands: string[]): Promise<Session> {
    return this.#openocd([], ["init", ...commands]);
  }

  /** The same with a script, whose commands connect themselves. */
  script(file: string, ...commands: string[]): Promise<Session> {
    return this.#openocd(["-f", file], commands);
  }

  async #openocd(options: string[], commands: string[]): Promise<Session> {
    const probe = parseProbe(`virtual:${this.socket}`, undefined, "");
    const files = ["-s", packagePath("board/ek-ra6m5/openocd"), "-f", "virtual.cfg", "-f", "ek-ra6m5.cfg", ...options];
    const openocd = ["timeout", String(TIMEOUT_S), "openocd", ...files];
    for (const command of [...commands, "shutdown"]) openocd.push("-c", command);
    for (let run = 1; ; run++) {
      const session = await this.#once(reaching(probe, openocd));
      if (!missedBeacon(probe, session.log, run)) return session;
    }
  }

  async #once([program = "", ...args]: readonly string[]): Promise<Session> {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
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
