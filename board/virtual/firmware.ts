/** Puts an ELF into code flash, as a programmer would: only below the slot region. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { BadElf, type Elf, readElf } from "./elf.js";
import { hex } from "./faults.js";
import { SLOT_BASE } from "./memory.js";
import type { Nor } from "./nor.js";

/** @param source path or bytes of the ELF
 *  @returns the ELF, and the SHA-256 of the bytes that it puts into flash @throws BadElf, which says what to do */
export function loadFirmware(source: string | Uint8Array, code: Nor): { elf: Elf; hash: Buffer } {
  const name = typeof source === "string" ? source : "the ELF";
  const elf = readElf(typeof source === "string" ? readFile(source) : source, name);
  const image = Buffer.alloc(SLOT_BASE, 0xff);
  let end = 0;
  for (const { address, bytes } of elf.segments) {
    if (address + bytes.length > SLOT_BASE) {
      const where = `${bytes.length} bytes at ${hex(address)}`;
      throw new BadElf(`${name} loads ${where}; only code flash below ${hex(SLOT_BASE)} is for firmware`);
    }
    bytes.copy(image, address);
    end = Math.max(end, address + bytes.length);
  }
  const used = image.subarray(0, Math.ceil(end / code.unit) * code.unit);
  code.preload(0, used);
  return { elf, hash: createHash("sha256").update(used).digest() };
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const help = "build it first (npm run build), or name another with --elf";
    throw new BadElf(`cannot read the firmware ${path}: ${help} (${reason})`);
  }
}
