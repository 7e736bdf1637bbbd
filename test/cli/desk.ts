/** A person with a configuration directory and a provisioned board: the command line in this process, the core behind a port. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { FACTS_OFF_SETUP } from "../../firmware/defs/boundary.js";
import { writeSetting } from "../../host/config.js";
import type { Device } from "../device/device.js";
import { DevicePort } from "../device/port.js";
import { V8Device } from "../device/v8.js";
import { OPERATORS } from "./manifests.js";
import { type Ended, runMbs, type Terminal } from "./run.js";

const SETUP_CODE = Buffer.alloc(32, 0x5e);

/** The core in V8, whatever targets were chosen: what is tested with it is the host. */
export const inV8 = (seed: number) => (setupCode: Uint8Array) => {
  const device = new V8Device(seed);
  device.board.facts.set(setupCode, FACTS_OFF_SETUP);
  device.boot();
  return device;
};

/** A board on a port, and the keys of its operators in configuration directories. */
export class BoardDesk {
  readonly port: DevicePort;

  /** @param directory where files are, and configuration directories
   *  @param make a blank device with the setup code */
  constructor(
    readonly directory: string,
    readonly name: string,
    make: (setupCode: Uint8Array) => Device,
  ) {
    const device = make(SETUP_CODE);
    this.port = new DevicePort(device);
    beforeAll(async () => {
      mkdirSync(this.config(), { recursive: true });
      await writeSetting(this.config(), "keys", "file");
      writeFileSync(this.path(`${name}.toml`), OPERATORS);
      await this.port.plug();
      await this.ok(["provision", this.path(`${name}.toml`)]);
    });
    afterAll(async () => {
      await this.port.unplug();
      device.close();
    });
  }

  path = (name: string) => join(this.directory, name);
  config = (name = this.name) => this.path(`config-${name}`);

  /** Gives another configuration directory the keys of operators of this board. @returns the environment that names it and the board */
  async share(name: string, ...operators: string[]): Promise<Record<string, string>> {
    const env = { MBS_CONFIG_DIR: this.config(name), MBS_PORT: this.port.port };
    await writeSetting(this.config(name), "keys", "file");
    for (const id of operators) {
      const key = this.path(`${this.name}-${id}.key`);
      expect((await this.mbs(["operator", "export", id, "-o", key, "--force"])).exitCode).toBe(0);
      await this.ok(["operator", "import", id, key], { env });
    }
    return env;
  }

  /** Runs one command. */
  mbs = (argv: readonly string[], terminal?: Terminal): Promise<Ended> =>
    runMbs(
      argv,
      {
        MBS_PORT: this.port.port,
        MBS_CONFIG_DIR: this.config(),
        MBS_CONFIG_PASSWORD: "correct horse",
        MBS_SETUP_CODE: SETUP_CODE.toString("hex"),
        HOME: this.directory,
      },
      terminal,
    );

  /** Runs one command that has to succeed. @returns stdout */
  ok = async (argv: readonly string[], terminal?: Terminal): Promise<string> => {
    const { exitCode, out, err } = await this.mbs(argv, terminal);
    expect([exitCode, err.replace(/^(Touch S1|The device does not answer).*\n/gm, "")], argv.join(" ")).toEqual([
      0,
      "",
    ]);
    return out;
  };

  json = async (argv: readonly string[], terminal?: Terminal) =>
    JSON.parse(await this.ok([...argv, "--json"], terminal));

  /** Runs one command that has to fail, and say what to do. @returns the error */
  fails = async (
    argv: readonly string[],
    terminal?: Terminal,
  ): Promise<{ exitCode: number; code: string; message: string; hint: string; status: number | null }> => {
    const { exitCode, err } = await this.mbs([...argv, "--json"], terminal);
    const line = err.trim().split("\n").at(-1)!;
    expect([exitCode > 0, line.startsWith("{")], `${argv.join(" ")}: ${err}`).toEqual([true, true]);
    const error = JSON.parse(line);
    expect(error.hint, `advice of: ${error.message}`).not.toBe("");
    return { exitCode, ...error };
  };
}
