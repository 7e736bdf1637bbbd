/** `mbs board run`: the virtual board in the foreground, with a log for people and a monitor on stdin. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import {
  DESCRIPTOR_ADDRESS,
  DESCRIPTOR_MAGIC,
  DESCRIPTOR_OFF_CORE,
  DESCRIPTOR_OFF_MAGIC,
  DESCRIPTOR_OFF_VERSION,
  DESCRIPTOR_SIZE,
  DESCRIPTOR_VERSION,
} from "../../firmware/defs/image.js";
import { RESET_HOLD_MS } from "../../firmware/defs/session.js";
import { type BoardEvent, VirtualBoard } from "./board.js";
import { describeFault } from "./faults.js";
import { lockFlash } from "./flashfile.js";
import { tears } from "./nor.js";
import { Person, PRESS_MS, type Presence } from "./person.js";
import type { Switch } from "./ports.js";
import { hostRandom } from "./prng.js";
import { DebugProbe } from "./probe/probe.js";
import { PtyUart } from "./pty.js";
import { TcpUart } from "./tcp.js";

export interface RunOptions {
  /** The firmware; default: what was flashed and stands in the flash file, else build/ek-ra6m5.elf of the package. */
  elf?: string;
  /** Begins without firmware, to be flashed through the probe. */
  blank?: boolean;
  /** File that keeps flash and unique id between runs; none: the board forgets everything at exit. */
  flash?: string;
  /** Path of the socket where debuggers reach the board, as a J-Link; none: they do not. */
  probe?: string;
  /** TCP port on 127.0.0.1; 0 picks a free one and prints it. Default 7420 when neither `tcp` nor `pty` is given. */
  tcp?: number;
  /** Path of the symbolic link to the pseudo-terminal. */
  pty?: string;
  /** Makes noise, entropy and unique id follow from this number: for tests; keys made so are not secret. */
  seed?: number;
  /** Setup code to flash with the firmware, 32 bytes; none: zeros. */
  setupCode?: Uint8Array;
  /** Who touches S1. Default: `ask` when commands are typed on a terminal, otherwise `never`. */
  presence?: Presence;
  /** Ends the run as `quit` does. */
  signal?: AbortSignal;
  /** Where the log goes; default stdout. */
  output?: NodeJS.WritableStream;
  /** Where monitor commands come from; default stdin. `null`: nowhere. */
  input?: NodeJS.ReadableStream | null;
  /** Called once the board listens: the TCP port that was picked, the link that was made. */
  listening?: (where: { port?: number; pty?: string; probe?: string }) => void;
}

const DEFAULT_PORT = 7420;
const CORE_HASH = 32;
/** Flash is written to its file this long after it last changed. */
const SAVE_AFTER_MS = 250;
/** S1 and S2 held from power-up on: longer than a factory reset asks for (SPEC.md §12). */
const RESET_MS = RESET_HOLD_MS + 1000;

const HELP = [
  "power on | off       switch the supply",
  `power on with s1 s2  the same with both held for ${RESET_MS / 1000} s: factory reset`,
  "power cut [N]        cut it inside the next flash operation, or the Nth from now",
  "reset                press S3: RAM survives",
  `press s1|s2 [ms]     press a switch, by default for ${PRESS_MS} ms`,
  "status               what the board is and does",
  "quit                 power off and leave (or Ctrl-C)",
];

/** Runs until `quit`, Ctrl-C or `signal`.
 *  @returns the exit code of the process: 0, or 1 when the flash file could not be written at the end.
 *  @throws Error with a message for people when an option cannot be met; EngineMissing without libunicorn. */
export async function runBoard(options: RunOptions): Promise<number> {
  const session = new Session(options);
  try {
    await session.open();
    await session.done;
  } finally {
    await session.close();
  }
  return session.exitCode;
}

/** Whether reading the terminal would stop this process: it is not in the terminal's foreground. */
function inBackground(): boolean {
  if (!process.stdin.isTTY) return false;
  try {
    const fields = readFileSync("/proc/self/stat", "utf8")
      .replace(/^.*\) /, "")
      .split(" "); // state ppid pgrp session tty tpgid
    return fields[2] !== fields[5];
  } catch {
    return false;
  }
}

class Session {
  readonly done: Promise<void>;
  exitCode = 0;
  readonly #board: VirtualBoard;
  readonly #output: NodeJS.WritableStream;
  readonly #person: Person;
  #quit: () => void = () => {};
  #fail: (error: unknown) => void = () => {};
  #tcp: TcpUart | undefined;
  #pty: PtyUart | undefined;
  #probe: DebugProbe | undefined;
  #saving: NodeJS.Timeout | undefined;
  /** Flash operations that the file holds. */
  #saved = 0;
  /** The file was written once. */
  #written = false;
  #framesIn = 0;
  #framesOut = 0;
  readonly #undo: (() => void)[] = [];

  constructor(private readonly options: RunOptions) {
    this.#output = options.output ?? process.stdout;
    this.done = new Promise((resolve, reject) => {
      this.#quit = resolve;
      this.#fail = reject;
    });
    const { elf, flash, seed, setupCode } = options;
    const firmware =
      elf !== undefined
        ? { elf }
        : options.blank !== true
          ? { elf: join(packageRoot(), "build", "ek-ra6m5.elf"), keepFlashed: true }
          : {};
    const unlock = flash === undefined ? () => {} : lockFlash(flash);
    try {
      this.#board = VirtualBoard.create({
        ...firmware,
        ...(flash !== undefined && { flash }),
        ...(seed !== undefined && { seed }),
        ...(setupCode !== undefined && { setupCode }),
      });
      this.#check();
    } catch (error) {
      unlock();
      throw error;
    }
    this.#undo.push(unlock);
    this.#person = new Person(options.presence ?? (this.#typed() ? "ask" : "never"), this.#board, (text) =>
      this.#log(text),
    );
    this.#undo.push(() => this.#person.leave());
  }

  /** @throws Error about options that do not go together */
  #check(): void {
    const { flashed, fresh, file } = this.#board.flash;
    if (this.options.blank === true && !fresh && file !== undefined)
      throw new Error(`${file} holds a board already, which was not changed: leave out --blank, or name a new file`);
    if (this.options.setupCode !== undefined && flashed)
      throw new Error("a setup code is flashed with an ELF, and none is here: name it with --elf");
  }

  /** Where monitor commands come from; null: nowhere. */
  get #input(): NodeJS.ReadableStream | null {
    return this.options.input === undefined ? process.stdin : this.options.input;
  }

  /** Whether somebody can type commands on a terminal. */
  #typed(): boolean {
    const input = this.#input as { isTTY?: boolean } | null;
    return input?.isTTY === true && !(input === process.stdin && inBackground());
  }

  async open(): Promise<void> {
    const { options } = this;
    const board = this.#board;
    board.onEvent = (event) => this.#event(event);
    board.onSend = (bytes) => this.#send(bytes);
    board.onFlashChanged = () => this.#saveSoon();
    board.onFailure = (error) => this.#fail(error);
    if (options.pty !== undefined) this.#pty = new PtyUart(options.pty, (bytes) => this.#received(bytes));
    const port = options.tcp ?? (options.pty === undefined ? DEFAULT_PORT : undefined);
    if (port !== undefined) {
      this.#tcp = await TcpUart.listen(port, {
        received: (bytes) => this.#received(bytes),
        joined: () => this.#log("client connected"),
        left: () => this.#log(`client left, ${this.#frames()}`),
        refused: () => this.#log("another client was sent away: one at a time"),
      });
    }
    if (options.probe !== undefined) {
      this.#probe = await DebugProbe.attach(board, {
        where: options.probe,
        events: {
          joined: () => this.#log("debugger connected"),
          left: () => this.#log("debugger left"),
          refused: (why) => this.#log(`a debugger was sent away: ${why}`),
        },
      });
    }
    if (board.flash.file !== undefined) this.#writeFirst(board.flash.file);
    this.#introduce();
    this.#listenToPeople();
    board.powerOn();
    board.start();
    options.listening?.({
      ...(this.#tcp !== undefined && { port: this.#tcp.port }),
      ...(this.#pty !== undefined && { pty: this.#pty.link }),
      ...(options.probe !== undefined && { probe: options.probe }),
    });
  }

  async close(): Promise<void> {
    const board = this.#board;
    board.stop();
    await this.#probe?.close();
    board.powerOff();
    clearTimeout(this.#saving);
    if (this.#written) this.#save();
    for (const undo of this.#undo) undo();
    this.#pty?.close();
    await this.#tcp?.close();
    board.close();
  }

  #introduce(): void {
    const board = this.#board;
    this.#log(`virtual EK-RA6M5, ${this.#firmware()}, unique id ${board.uniqueId.toString("hex")}`);
    const { file, fresh, otherFirmware } = board.flash;
    if (file === undefined) this.#log("flash: erased, and forgotten at exit (--flash FILE keeps it)");
    else if (fresh) this.#log(`flash: erased, kept in ${file}`);
    else this.#log(`flash: from ${file}${otherFirmware ? ", which another firmware wrote" : ""}`);
    if (this.options.seed !== undefined) this.#log("seeded: nothing this board makes is secret");
    if (this.#tcp !== undefined) this.#log(`UART on tcp:127.0.0.1:${this.#tcp.port}`);
    if (this.#pty !== undefined) this.#log(`UART on ${this.#pty.link} (${this.#pty.device})`);
    const { probe } = this.options;
    if (probe !== undefined) this.#log(`probe on ${probe}: mbs flash write FILE.hex --probe virtual:${probe}`);
    if (this.options.setupCode !== undefined) this.#log("setup code: flashed with the firmware");
    this.#log(this.#person.describe());
  }

  /** What stands where firmware belongs, in words. */
  #firmware(): string {
    const board = this.#board;
    if (board.code.certainlyErased(0, board.code.blockAt(0).size)) return "no firmware: flash one through the probe";
    const bytes = board.peek(DESCRIPTOR_ADDRESS, DESCRIPTOR_SIZE)!;
    const core =
      bytes.readUInt32LE(DESCRIPTOR_OFF_MAGIC) === DESCRIPTOR_MAGIC &&
      bytes[DESCRIPTOR_OFF_VERSION] === DESCRIPTOR_VERSION
        ? bytes.toString("hex", DESCRIPTOR_OFF_CORE, DESCRIPTOR_OFF_CORE + CORE_HASH)
        : undefined;
    return `${board.flash.flashed ? "firmware as it was flashed, core" : "core"} ${core ?? "of unknown hash"}`;
  }

  #listenToPeople(): void {
    const quit = (): void => this.#quit();
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      process.once(name, quit);
      this.#undo.push(() => process.removeListener(name, quit));
    }
    const { signal } = this.options;
    if (signal?.aborted === true) this.#quit();
    signal?.addEventListener("abort", quit, { once: true });
    this.#undo.push(() => signal?.removeEventListener("abort", quit));
    const input = this.#input;
    if (input === null) return;
    if (input === process.stdin && inBackground()) {
      this.#log("in the background: no monitor commands; kill ends it");
      return;
    }
    const lines = createInterface({ input });
    lines.on("line", (line) => this.#command(line.trim().toLowerCase().split(/\s+/)));
    lines.on("SIGINT", quit);
    this.#undo.push(() => lines.close());
  }

  #command(words: string[]): void {
    const board = this.#board;
    const [verb, object, amount] = words;
    if (verb === "quit" || verb === "exit") this.#quit();
    else if (verb === "power" && object === "on") {
      if (board.powered) this.#log("it is on");
      else this.#powerOn(words.slice(2).join(" "));
    } else if (verb === "power" && object === "off") {
      if (board.powered) board.powerOff();
      else this.#log("it is off");
    } else if (verb === "power" && object === "cut") this.#armCut(amount);
    else if (verb === "reset") board.reset();
    else if (verb === "press" && (object === "s1" || object === "s2")) this.#press(object, amount);
    else if (verb === "status") this.#status();
    else if (verb === "help" || verb === "?") for (const line of HELP) this.#log(line);
    else if (verb !== "") this.#log(`no command "${words.join(" ")}"; help lists them`);
  }

  #powerOn(condition: string): void {
    if (condition !== "" && condition !== "with s1 s2") {
      this.#log(`power on, or power on with s1 s2; got "power on ${condition}"`);
      return;
    }
    if (condition !== "") {
      for (const which of ["s1", "s2"] as const) this.#person.press(which, RESET_MS);
      this.#log(`s1 and s2 pressed for ${RESET_MS} ms`);
    }
    this.#board.powerOn();
  }

  #armCut(amount: string | undefined): void {
    const count = amount === undefined ? 1 : Number(amount);
    if (!Number.isSafeInteger(count) || count < 1) {
      this.#log(`power cut takes a number of flash operations, got "${amount}"`);
      return;
    }
    this.#board.cutPower({ operation: count - 1, tear: tears.random(hostRandom()), marginal: true });
    this.#log(
      `power will be cut inside ${count === 1 ? "the next flash operation" : `flash operation ${count} from now`}`,
    );
  }

  #press(which: Switch, amount: string | undefined): void {
    const ms = amount === undefined ? PRESS_MS : Number(amount);
    if (!Number.isFinite(ms) || ms <= 0) {
      this.#log(`press takes milliseconds, got "${amount}"`);
      return;
    }
    this.#person.press(which, ms);
    this.#log(`${which} pressed for ${ms} ms`);
  }

  #status(): void {
    const board = this.#board;
    const lights = board.lights;
    if (board.held) this.#log("a debugger holds the processor; reset lets it go");
    this.#log(`power ${board.powered ? "on" : "off"}, lights ${lights.length > 0 ? lights.join(", ") : "none"}`);
    this.#log(`${board.instructions} instructions, ${(board.time.ns / 1e9).toFixed(3)} s of its time`);
    this.#log(`${this.#frames()}, ${board.lost} bytes lost on the line, ${Math.round(board.baud)} baud`);
    for (const medium of [board.code, board.data]) {
      this.#log(`${medium.name}: ${medium.totalPrograms} units programmed, ${medium.totalErases} blocks erased`);
    }
    this.#log(board.faults.list.length === 0 ? "no faults" : `${board.faults.list.length} faults:`);
    for (const fault of board.faults.list) this.#log(`  ${describeFault(fault)}`);
  }

  #event(event: BoardEvent): void {
    switch (event.kind) {
      case "on":
        this.#log("power on");
        return;
      case "off":
        this.#person.see([]);
        this.#log("power off");
        return;
      case "cut":
        this.#person.see([]);
        this.#log("power was cut inside a flash operation; power on starts the board again");
        return;
      case "reset":
        this.#log(`reset (${event.cause})`);
        return;
      case "locked":
        this.#log("the processor locked up; reset or power off");
        return;
      case "fault":
        this.#log(`fault: ${describeFault(event.fault)}`);
        return;
      case "lights":
        this.#log(`lights: ${event.lights.length > 0 ? event.lights.join(", ") : "none"}`);
        this.#person.see(event.lights);
    }
  }

  #received(bytes: Buffer): void {
    this.#framesIn += frameEnds(bytes);
    this.#board.feed(bytes);
  }

  /** What was answered must be durable, here too: the file is written before the answer leaves, or the answer does not. */
  #send(bytes: Buffer): void {
    const board = this.#board;
    if (board.flash.file !== undefined && board.supply.operations !== this.#saved && !this.#save()) return;
    this.#framesOut += frameEnds(bytes);
    this.#tcp?.send(bytes);
    this.#pty?.send(bytes);
  }

  #frames(): string {
    return `${this.#framesIn} frames in, ${this.#framesOut} out`;
  }

  #saveSoon(): void {
    if (this.#board.flash.file === undefined) return;
    clearTimeout(this.#saving);
    this.#saving = setTimeout(() => this.#save(), SAVE_AFTER_MS);
  }

  /** The file must be there before anything is promised. @throws Error with a message for people */
  #writeFirst(file: string): void {
    try {
      this.#board.save();
      this.#written = true;
    } catch (error) {
      throw new Error(`Cannot write ${file}: ${(error as Error).message}. The board was not started.`);
    }
  }

  /** @returns whether the file holds everything now */
  #save(): boolean {
    clearTimeout(this.#saving);
    try {
      this.#board.save();
      this.#saved = this.#board.supply.operations;
      this.exitCode = 0;
      return true;
    } catch (error) {
      this.exitCode = 1;
      this.#log(
        `mbs: the flash file was not written: ${(error as Error).message}; the board stays silent until it can be`,
      );
      return false;
    }
  }

  #log(text: string): void {
    this.#output.write(`${text}\n`);
  }
}

/** Frames end with a zero byte (SPEC.md §8). */
function frameEnds(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if (byte === 0) count++;
  return count;
}

/** The folder with package.json, whether this runs from the sources or from dist. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}
