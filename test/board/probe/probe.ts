/** Builds the monitor of probe.c and talks to it: registers and memory of a virtual board from a test, through the CPU. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { VirtualBoard } from "../../../board/virtual/board.js";

let elf: Buffer | undefined;

/** The monitor, built once. */
export function probeElf(): Buffer {
  if (elf !== undefined) return elf;
  const folder = mkdtempSync(join(tmpdir(), "mbs-probe-"));
  try {
    const source = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
    const out = join(folder, "probe.elf");
    const flags = [
      "-mcpu=cortex-m33",
      "-mthumb",
      "-mfloat-abi=soft",
      "-Os",
      "-ffreestanding",
      "-nostdlib",
      "-fno-inline",
    ];
    execFileSync("arm-none-eabi-gcc", [
      ...flags,
      "-T",
      source("probe.ld"),
      "-Wl,-z,noexecstack,--no-warn-rwx-segments",
      "-o",
      out,
      source("probe.c"),
    ]);
    elf = readFileSync(out);
    return elf;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The bus refused the access; `cfsr` says why. */
export class ProbeFault extends Error {
  override name = "ProbeFault";
  constructor(readonly cfsr: number) {
    super(`fault, CFSR 0x${cfsr.toString(16)}`);
  }
}

export class Probe {
  private constructor(readonly board: VirtualBoard) {}

  static start(options: { seed?: number; flash?: string } = {}): Probe {
    const board = VirtualBoard.create({ elf: probeElf(), seed: 1, ...options });
    board.powerOn();
    board.run(1e6);
    return new Probe(board);
  }

  read32 = (address: number): number => this.#ask(1, address, 0);
  read16 = (address: number): number => this.#ask(2, address, 0);
  read8 = (address: number): number => this.#ask(3, address, 0);
  write32 = (address: number, value: number): number => this.#ask(4, address, value);
  write16 = (address: number, value: number): number => this.#ask(5, address, value);
  write8 = (address: number, value: number): number => this.#ask(6, address, value);
  /** Calls a function without arguments. */
  call = (address: number): number => this.#ask(7, address, 0);
  /** Texts of all faults so far. */
  get faults(): string[] {
    return this.board.faults.list.map((fault) => `${fault.part}: ${fault.text}`);
  }

  /** Sends a request without waiting for an answer, which may never come. */
  send(command: number, address: number, value: number): Buffer {
    const request = Buffer.alloc(9);
    request[0] = command;
    request.writeUInt32LE(address >>> 0, 1);
    request.writeUInt32LE(value >>> 0, 5);
    return this.board.exchange(request, 20e6);
  }

  #ask(command: number, address: number, value: number): number {
    const answer = this.send(command, address, value);
    if (answer.length !== 5) throw new Error(`the probe answered ${answer.length} bytes: ${this.faults.join("; ")}`);
    if (answer[0] === 1) throw new ProbeFault(answer.readUInt32LE(1));
    return answer.readUInt32LE(1);
  }
}
