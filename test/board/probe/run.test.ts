/** `mbs board run --probe`: a board without firmware is flashed by the real OpenOCD, answers on its UART, and is the same board later. */
import { execFileSync } from "node:child_process";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RunOptions, runBoard } from "../../../board/virtual/run.js";
import { runMbs } from "../../cli/run.js";
import { built, builtPath } from "../../device/built.js";
import { missing, Namespace } from "./openocd.js";

interface Running {
  port: string;
  log: () => string;
  type: (line: string) => void;
  quit: () => Promise<number>;
}

let namespace: Namespace;
let flash: string;
const boards: Running[] = [];
beforeEach(() => {
  namespace = new Namespace();
  flash = join(namespace.folder, "board.img");
});
afterEach(async () => {
  for (const board of boards.splice(0)) await board.quit();
  namespace.remove();
});

async function start(options: RunOptions): Promise<Running> {
  let log = "";
  const output = new Writable({
    write(chunk, _encoding, done) {
      log += String(chunk);
      done();
    },
  });
  const input = new PassThrough();
  let end: Promise<number> = Promise.resolve(0);
  const port = await new Promise<number>((resolve, reject) => {
    end = runBoard({ tcp: 0, input, output, listening: (where) => resolve(where.port ?? 0), ...options });
    end.catch(reject);
  });
  const type = (line: string): void => void input.write(`${line}\n`);
  const quit = (): Promise<number> => {
    type("quit");
    return end;
  };
  const running = { port: `tcp:127.0.0.1:${port}`, log: () => log, type, quit };
  boards.push(running);
  return running;
}

/** What the board says of itself over its UART. */
async function info(port: string): Promise<Record<string, unknown>> {
  const { exitCode, out, err } = await runMbs(["info", "--json"], { MBS_PORT: port, MBS_CONFIG_DIR: namespace.folder });
  expect({ exitCode, err }).toEqual({ exitCode: 0, err: "" });
  return JSON.parse(out);
}

describe.skipIf(missing !== undefined)(`board run --probe${missing === undefined ? "" : `: ${missing}`}`, () => {
  it("has a blank board flashed and reset by OpenOCD; it answers, and boots the same firmware when it is started again", async () => {
    const firmware = join(namespace.folder, "firmware.bin");
    execFileSync("arm-none-eabi-objcopy", ["-O", "binary", builtPath("ek-ra6m5.elf"), firmware]);
    const blank = await start({ blank: true, flash, probe: namespace.socket });
    const { code, log } = await namespace.script("flash.tcl", `ra6m5_flash ${firmware} 0`, "reset run", "sleep 300");
    expect(log).toContain("programmed and verified");
    expect(code).toBe(0);
    blank.type("status");
    const { unique, state } = await info(blank.port).then((all) => ({ unique: all.uniqueId, state: all.state }));
    expect(state).toBe("blank");
    expect(blank.log()).toMatch(/no firmware[\s\S]*locked up[\s\S]*debugger connected[\s\S]*lights: ready/);
    expect(blank.log()).not.toContain("fault:");
    expect(blank.log()).not.toContain("a debugger holds");
    expect((await namespace.run("halt")).code).toBe(0);
    blank.type("status");
    blank.type("reset");
    expect(await info(blank.port)).toMatchObject({ state: "blank" });
    expect(blank.log()).toContain("a debugger holds the processor");
    expect(await blank.quit()).toBe(0);

    const again = await start({ flash });
    expect(await info(again.port)).toMatchObject({ uniqueId: unique, state: "blank" });
    const { sha256 } = JSON.parse(String(built("core.json")));
    expect(again.log()).toContain(`firmware as it was flashed, core ${sha256}, unique id`);
  });
});

describe("board run", () => {
  const cli = (...argv: string[]) =>
    runMbs(["board", "run", ...argv], { MBS_CONFIG_DIR: namespace.folder }, { input: "status\nquit\n" });

  it("puts its probe into the configuration directory, where mbs flash looks", async () => {
    const { exitCode, out } = await cli("--blank", "--probe", "--tcp", "0");
    expect(out).toContain(`no firmware`);
    expect(out).toContain(`probe on ${join(namespace.folder, "virtual.probe")}: `);
    expect(exitCode).toBe(0);
  });

  it.each([["--elf"], ["--setup-code-file"]])("takes --blank or %s", async (option) => {
    const { exitCode, err } = await cli("--blank", option, "some.file");
    expect(err).toContain("cannot be used with");
    expect(exitCode).toBe(2);
  });

  it("says how its probe is reached, on a socket for its owner alone, and takes it away at the end", async () => {
    const board = await start({ probe: namespace.socket });
    expect(board.log()).toContain(`mbs flash write FILE.hex --probe virtual:${namespace.socket}`);
    expect(statSync(namespace.socket).mode & 0o777).toBe(0o600);
    await board.quit();
    expect(existsSync(namespace.socket)).toBe(false);
  });

  it("takes the place of a socket that a killed board left, and of nothing else", async () => {
    writeFileSync(namespace.socket, "somebody's notes");
    await expect(start({ probe: namespace.socket })).rejects.toThrow("no socket");
    const left = join(namespace.folder, "left");
    execFileSync(process.execPath, [
      "-e",
      `require("net").createServer().listen(${JSON.stringify(left)}, () => process.exit())`,
    ]);
    expect(statSync(left).isSocket()).toBe(true);
    await start({ probe: left });
    await expect(start({ probe: left })).rejects.toThrow("another process does");
    await expect(start({ probe: `/tmp/${"long".repeat(30)}` })).rejects.toThrow("bytes are the most");
  });

  it("leaves a socket alone that somebody put in the place of its own", async () => {
    const board = await start({ probe: namespace.socket });
    execFileSync("rm", [namespace.socket]);
    const other: Server = createServer();
    await new Promise<void>((resolve) => other.listen(namespace.socket, resolve));
    await board.quit();
    expect(existsSync(namespace.socket)).toBe(true);
    other.close();
  });

  it("refuses --blank over a board that is there, and a setup code without an ELF", async () => {
    await (await start({ blank: true, flash })).quit();
    await expect(start({ blank: true, flash })).rejects.toThrow("holds a board already");
    await expect(start({ flash, setupCode: new Uint8Array(32) })).rejects.toThrow("name it with --elf");
    await (await start({ flash, elf: builtPath("ek-ra6m5.elf"), setupCode: new Uint8Array(32) })).quit();
  });
});
