/** A person with a virtual board on the table: its probe and its UART, the real OpenOCD, and the command line in this process. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { readElf } from "../../board/elf.js";
import { VirtualBoard } from "../../board/virtual/board.js";
import { describeFault } from "../../board/virtual/faults.js";
import { Person } from "../../board/virtual/person.js";
import { DebugProbe } from "../../board/virtual/probe/probe.js";
import { TcpUart } from "../../board/virtual/tcp.js";
import { FIRMWARE_SIZE } from "../../firmware/defs/image.js";
import { SEED_OFFSET, SEED_SIZE } from "../../firmware/defs/medium.js";
import type { Io } from "../../host/cli/io.js";
import { main } from "../../host/cli/program.js";
import { writeSetting } from "../../host/config.js";
import { type Segment, writeHex } from "../../host/flash/hex.js";
import { SLOTS } from "../../host/flash/map.js";
import { credential, OPERATORS } from "../cli/manifests.js";
import { type Ended, runMbs, type Terminal } from "../cli/run.js";
import { builtPath } from "../device/built.js";

export const ELF = builtPath("ek-ra6m5.elf");
const PATIENCE = 10;

/** The firmware as it lies in flash, from address 0 on. */
export function firmware(): Buffer {
  const { segments } = readElf(readFileSync(ELF));
  const bytes = Buffer.alloc(FIRMWARE_SIZE, 0xff);
  let end = 0;
  for (const { address, bytes: content } of segments) {
    content.copy(bytes, address);
    end = Math.max(end, address + content.length);
  }
  return bytes.subarray(0, end);
}

/** The firmware with some bytes that nothing looks at: another one for whoever compares. */
export function nextFirmware(mark: number): Buffer {
  const length = firmware().length;
  return Buffer.concat([firmware(), Buffer.alloc(3000 + mark, mark)]).subarray(0, length + 3000);
}

const MANIFEST = OPERATORS + credential("release", 'generate = true\nusage = "sshsig"');
/** Records by label. */
const RECORDS: Record<string, string> = {
  first: "a secret",
  long: "a longer secret, ".repeat(20),
};

export interface DeskOptions {
  seed: number;
  /** No firmware at first. */
  blank?: boolean;
  setupCode?: Uint8Array;
}

export class FlashDesk {
  readonly folder = mkdtempSync(join(tmpdir(), "mbs-flash-"));
  readonly board: VirtualBoard;
  /** What flash commands printed. */
  readonly said: string[] = [];
  readonly #setupCode: string;
  /** Clients that came to the probe. */
  joined = 0;
  #probe: DebugProbe | undefined;
  #uart: TcpUart | undefined;
  #leave = () => {};

  private constructor({ seed, blank = false, setupCode }: DeskOptions) {
    this.#setupCode = Buffer.from(setupCode ?? []).toString("hex");
    this.board = VirtualBoard.create({
      seed,
      ...(!blank && { elf: ELF }),
      ...(setupCode !== undefined && { setupCode }),
    });
  }

  static async open(options: DeskOptions): Promise<FlashDesk> {
    const desk = new FlashDesk(options);
    const { board } = desk;
    desk.#probe = await DebugProbe.attach(board, { where: desk.socket, events: { joined: () => desk.joined++ } });
    const uart = await TcpUart.listen(0, {
      received: (bytes) => board.feed(bytes),
      joined: () => {},
      left: () => {},
      refused: () => {},
    });
    desk.#uart = uart;
    board.onSend = (bytes) => uart.send(bytes);
    const person = new Person("always", board, () => {});
    board.onEvent = (event) => {
      if (event.kind === "lights") person.see(event.lights);
    };
    desk.#leave = () => person.leave();
    await writeSetting(desk.path("config"), "keys", "file");
    board.powerOn();
    board.start();
    return desk;
  }

  get probe(): DebugProbe {
    return this.#probe!;
  }
  get socket(): string {
    return this.path("probe");
  }
  get faults(): string[] {
    return this.board.faults.list.map(describeFault);
  }
  path = (name: string): string => join(this.folder, name);

  /** Writes a HEX file. @returns its path */
  hex(name: string, ...segments: Segment[]): string {
    writeFileSync(this.path(name), writeHex(segments));
    return this.path(name);
  }

  mbs(argv: readonly string[], terminal?: Terminal): Promise<Ended> {
    const env = {
      MBS_PORT: `tcp:127.0.0.1:${this.#uart!.port}`,
      MBS_CONFIG_DIR: this.path("config"),
      HOME: this.folder,
    };
    return runMbs(argv, env, terminal);
  }

  async flash(argv: readonly string[], terminal?: Terminal): Promise<Ended> {
    const ended = await this.mbs(["flash", ...argv, "--probe", `virtual:${this.socket}`], terminal);
    this.said.push(ended.out + ended.err);
    return ended;
  }

  /** A flash command that must succeed. @returns its result */
  // biome-ignore lint/suspicious/noExplicitAny: JSON of our own, which the test looks at
  async ok(argv: readonly string[]): Promise<any> {
    const { exitCode, out, err } = await this.flash([...argv, "--json"]);
    assert.deepEqual([exitCode, err], [0, ""]);
    return JSON.parse(out);
  }

  /** The firmware comes up by itself. */
  async runs(): Promise<void> {
    for (let i = 0; i < 2000 && this.board.lights.join() !== "ready"; i++) await setTimeout(10);
    assert.deepEqual(this.board.lights, ["ready"]);
  }

  /** What must be the same after everything: all that the firmware does not write by itself when it starts. */
  store(): Buffer {
    const { code, data: nor } = this.board;
    const data = Buffer.from(nor.bytes);
    for (let at = 0; at < data.length; at += nor.unit) {
      const seed = at >= SEED_OFFSET && at < SEED_OFFSET + SEED_SIZE;
      // erased cells read as anything
      if (seed || !this.board.powered || nor.blank(at, nor.unit)) data.fill(0, at, at + nor.unit);
    }
    return Buffer.concat([code.bytes.subarray(SLOTS.start, SLOTS.end), data]);
  }

  /** A flash command that changes neither firmware nor store. */
  async unchanged(argv: readonly string[], terminal?: Terminal): Promise<Ended> {
    const { code } = this.board;
    const before = { operations: [code.totalErases, code.totalPrograms], store: this.store() };
    const ended = await this.flash(argv, terminal);
    assert.deepEqual([code.totalErases, code.totalPrograms], before.operations);
    assert.ok(this.store().equals(before.store), "the store changed");
    return ended;
  }

  /** A flash command at which Ctrl-C is pressed: at this flash operation, or before the first when it is 0. */
  async interrupted(argv: readonly string[], operation: number): Promise<Ended> {
    let press = () => {};
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    stdin.end();
    const io: Io = {
      env: { PATH: process.env.PATH, MBS_CONFIG_DIR: this.path("config"), HOME: this.folder },
      stdin,
      stdout,
      stderr,
      onInterrupt: (what) => {
        press = what;
        if (operation === 0) setImmediate(press);
        return () => {};
      },
      exit: () => {},
    };
    let count = 0;
    this.board.code.begun = () => {
      if (++count === operation) setImmediate(press);
    };
    const exitCode = await main(["flash", ...argv, "--probe", `virtual:${this.socket}`], io);
    this.board.code.begun = undefined;
    return { exitCode, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") };
  }

  /** Makes a store with records. @returns its instance id */
  async provision(): Promise<string> {
    const manifest = this.path("manifest.toml");
    writeFileSync(manifest, MANIFEST);
    await this.client(["provision", manifest]);
    for (const [label, text] of Object.entries(RECORDS)) await this.put(label, text);
    return JSON.parse(await this.client(["info", "--json"])).instance;
  }

  /** Stores a text, once, however long the board takes to say so. */
  async put(label: string, text: string): Promise<void> {
    const argv = ["put", "-", "--label", label, "--exportable", "--format", "raw"];
    for (let i = 0; i < PATIENCE; i++) {
      const { exitCode, err } = await this.mbs(argv, { input: text, env: { MBS_SETUP_CODE: this.#setupCode } });
      if (exitCode === 0) return;
      assert.equal(exitCode, 3, err); // on a busy machine: it may have been stored
      const { entries } = JSON.parse(await this.client(["list", "--json"]));
      if (entries.some((one: { label: string }) => one.label === label)) return;
    }
    assert.fail(`${label} was not stored`);
  }

  /** Everything that can be read of the store, through its client. */
  async records(): Promise<unknown> {
    const list = JSON.parse(await this.client(["list", "--json"]));
    const texts: Record<string, string> = {};
    for (const label of Object.keys(RECORDS)) texts[label] = await this.client(["get", label]);
    assert.deepEqual(texts, RECORDS);
    return { list, texts };
  }

  /** A command of the client that must succeed. @returns what it printed */
  async client(argv: readonly string[], terminal: Terminal = {}): Promise<string> {
    const env = { MBS_SETUP_CODE: this.#setupCode };
    let ended = await this.mbs(argv, { input: "", ...terminal, env });
    // on a busy machine the virtual board takes longer than a client waits
    for (let i = 0; i < PATIENCE && ended.exitCode === 3; i++)
      ended = await this.mbs(argv, { input: "", ...terminal, env });
    assert.equal(ended.exitCode, 0, `${argv.join(" ")}: ${ended.err}`);
    return ended.out;
  }

  async close(): Promise<void> {
    this.#leave();
    await this.#probe?.close();
    await this.#uart?.close();
    this.board.stop();
    this.board.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
