/** A board behind a probe: who it is, its memory, its flash. Connecting resets it and holds it at its first instruction. */
import { setTimeout as sleep } from "node:timers/promises";
import { boardGone, explainConnect, FlashError, isProbeGone, probeGone, unexpected } from "./errors.js";
import { hex } from "./hex.js";
import { OpenOcd, TclError } from "./openocd.js";
import type { Probe } from "./probe.js";

/** SW-DP of this part. */
const DPIDR = "6ba02477";
const CPUID = 0x410fd214;
const CPUID_AT = 0xe000ed00;
const PART_AT = 0x010080f0;
const PART = "R7FA6M5";
/** The name that the virtual board has in place of a part number. */
const VIRTUAL_PART = "VIRTUAL RA6M5";
const UNIQUE_ID_AT = 0x01008190;
const DLMMON_AT = 0x400e002c;
const LIFECYCLES = ["?", "CM", "SSD", "NSECSD", "DPL", "LCK_DBG", "LCK_BOOT", "RMA_REQ", "RMA_ACK"];
/** In the others a debugger does not reach the secure flash. */
const OPEN = ["CM", "SSD"];
/** Words in one command to OpenOCD; some 180 KB of text. */
const WORDS = 16384;
/** A read that the bus refused is split down to this. */
const SMALLEST_READ = 4;
const MESSAGE_MAX = 200;

export interface Identity {
  part: string;
  /** 16 bytes in hexadecimal digits. */
  uniqueId: string;
  lifecycle: string;
}

export interface Unreadable {
  address: number;
  length: number;
}

export class FlashBoard {
  private constructor(
    private readonly openocd: OpenOcd,
    readonly identity: Identity,
  ) {}

  /** @throws MbsError: no probe, no board, another part, one that is locked */
  static async connect(probe: Probe): Promise<FlashBoard> {
    const openocd = await OpenOcd.connect(probe);
    try {
      const port = /SWD DPIDR 0x([0-9a-f]{8})/i.exec(openocd.log)?.[1]?.toLowerCase();
      if (port !== undefined && port !== DPIDR)
        throw wrongChip(`a debug port 0x${port}, where that of an RA6M5 is 0x${DPIDR}`);
      await resetHalted(openocd);
      return new FlashBoard(openocd, await identify(openocd));
    } catch (error) {
      await openocd.command("reset run").catch(() => {}); // whose board it may be, it goes on
      await openocd.close();
      if (!(error instanceof TclError)) throw error;
      throw isProbeGone(openocd.log) ? probeGone(probe) : await explainConnect(openocd.log, probe);
    }
  }

  tcl(command: string): Promise<string> {
    return this.openocd.command(command);
  }

  /** The board starts anew and stops at its first instruction. @throws DisconnectedError */
  async resetHalted(): Promise<void> {
    try {
      await resetHalted(this.openocd);
    } catch (error) {
      throw error instanceof TclError ? boardGone() : error;
    }
    await this.alive();
  }

  /** @throws DisconnectedError when it is not the board that answers: the driver of OpenOCD 0.12 reads zeros of a probe that went away */
  async alive(): Promise<void> {
    const cpu = await this.openocd.command(readCommand(CPUID_AT, 1)).catch((error) => {
      throw error instanceof TclError ? boardGone() : error;
    });
    if (Number(cpu) !== CPUID) throw boardGone();
  }

  /** Any length at any address. @throws TclError when the bus refuses */
  async readMemory(address: number, length: number, advanced: (bytes: number) => void = () => {}): Promise<Buffer> {
    const from = address - (address % 4);
    const words = Math.ceil((address + length - from) / 4);
    const bytes = Buffer.alloc(4 * words);
    for (let at = 0; at < words; at += WORDS) {
      const count = Math.min(WORDS, words - at);
      const answer = (await this.openocd.command(readCommand(from + 4 * at, count))).split(" ").map(Number);
      if (answer.length !== count || answer.some((word) => !Number.isInteger(word))) throw boardGone();
      answer.forEach((word, i) => {
        bytes.writeUInt32LE(word >>> 0, 4 * (at + i));
      });
      advanced(Math.min(length, 4 * (at + count)));
    }
    return bytes.subarray(address - from, address - from + length);
  }

  /** The same with ones where cells cannot be read, as a cut may leave them. @param unreadable is told where */
  async readFlash(
    address: number,
    length: number,
    unreadable: (where: Unreadable) => void,
    advanced: (bytes: number) => void = () => {},
  ): Promise<Buffer> {
    try {
      return await this.readMemory(address, length, advanced);
    } catch (error) {
      if (!(error instanceof TclError)) throw error;
      await this.alive();
      if (length <= SMALLEST_READ) {
        unreadable({ address, length });
        return Buffer.alloc(length, 0xff);
      }
      const half = Math.ceil(length / 2 / SMALLEST_READ) * SMALLEST_READ;
      const low = await this.readFlash(address, half, unreadable, advanced);
      const high = await this.readFlash(address + half, length - half, unreadable, (n) => advanced(half + n));
      return Buffer.concat([low, high]);
    }
  }

  /** Whole words into RAM. @throws TclError */
  async writeMemory(address: number, bytes: Buffer): Promise<void> {
    const padded = Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3, 0xff)]);
    for (let at = 0; at < padded.length; at += 4 * WORDS) {
      const part = padded.subarray(at, at + 4 * WORDS);
      const words = Array.from({ length: part.length / 4 }, (_, i) => part.readUInt32LE(4 * i));
      await this.openocd.command(`write_memory ${address + at} 32 {${words.join(" ")}}`);
    }
  }

  /** Time goes by; Ctrl-C ends it with the next command. */
  pause(ms: number): Promise<void> {
    return sleep(ms);
  }

  /** Ends whatever is waited for. */
  abort(error: Error): void {
    this.openocd.abort(error);
  }

  /** What a failure means that no step foresaw. */
  async explain(error: unknown): Promise<unknown> {
    if (!(error instanceof TclError)) return error;
    try {
      await this.alive();
    } catch (gone) {
      return gone;
    }
    return unexpected(`OpenOCD failed: ${error.message.slice(0, MESSAGE_MAX)}`, this.openocd.log);
  }

  /** The firmware starts, also after `abort`. */
  async start(): Promise<void> {
    this.openocd.goOn();
    await this.openocd.command("reset run");
  }

  close(): Promise<void> {
    return this.openocd.close();
  }
}

function readCommand(address: number, words: number): string {
  return `read_memory ${address} 32 ${words}`;
}

/** Afterwards OpenOCD looks at the processor only when it is told to. */
async function resetHalted(openocd: OpenOcd): Promise<void> {
  await openocd.command("poll on; reset halt; poll off");
}

async function identify(openocd: OpenOcd): Promise<Identity> {
  const read = async (address: number, words: number): Promise<Buffer> => {
    const bytes = Buffer.alloc(4 * words);
    (await openocd.command(readCommand(address, words))).split(" ").forEach((word, i) => {
      if (i < words) bytes.writeUInt32LE(Number(word) >>> 0, 4 * i);
    });
    return bytes;
  };
  const cpu = (await read(CPUID_AT, 1)).readUInt32LE(0);
  if (cpu === 0) throw boardGone();
  if (cpu !== CPUID) throw wrongChip(`a processor ${hex(cpu)}, where that of an RA6M5 is ${hex(CPUID)}`);
  const part = (await read(PART_AT, 4))
    .toString("latin1")
    .replace(/[^\x20-\x7e]/g, "?")
    .trim();
  if (!part.startsWith(PART) && part !== VIRTUAL_PART)
    throw wrongChip(`part number "${part}", where that of the EK-RA6M5 begins with ${PART}`);
  const monitor = (await read(DLMMON_AT, 1))[0]! & 0xf;
  const lifecycle = LIFECYCLES[monitor] ?? String(monitor);
  if (!OPEN.includes(lifecycle))
    throw new FlashError(
      `The part is in life-cycle state ${lifecycle}, in which a debugger does not reach the secure flash. The board was not changed.`,
      `Flashing needs ${OPEN.join(" or ")}. mbs never changes the state.`,
    );
  return { part, uniqueId: (await read(UNIQUE_ID_AT, 4)).toString("hex"), lifecycle };
}

function wrongChip(found: string): FlashError {
  return new FlashError(
    `This is not the chip of an EK-RA6M5: it has ${found}. Nothing was written.`,
    "Check which board the probe is connected to.",
  );
}
